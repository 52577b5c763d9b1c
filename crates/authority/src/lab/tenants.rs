//! A tenant for one test: made in one request, known to nobody else, gone in another.
//!
//! `POST /lab/tenants` takes a tenant as directory files have it, or `{}` for one with an API, a daemon and a user. What is
//! not stated is made up: id, domain, secrets. The answer says all of it, secrets included; this is the lab.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use countersign_directory::{Argon2id, Commit, Directory, DirectoryFile, LoadContext, PasswordHasher, Tenants};
use countersign_protocol::AuthorityHost;
use countersign_token::{Randomness, TenantId};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Lab, Order, bad_request, failed, not_found};
use crate::StartError;
use crate::again::until_settled;

pub(super) async fn create<D: Directory>(
    State(lab): State<Arc<Lab<D>>>,
    Order(order): Order<Map<String, Value>>,
) -> Response {
    let core = &lab.core;
    let tenant = completed(order, &*core.randomness);
    let text = json!({"tenants": [tenant]}).to_string();
    let parsed = match DirectoryFile::parse("the order", &text) {
        Ok(parsed) => parsed,
        Err(error) => return bad_request(&error.to_string()),
    };
    let passwords: Arc<dyn PasswordHasher> = Arc::new(Argon2id::new(Arc::clone(&core.randomness)));
    let loading = until_settled(|| async {
        let context = LoadContext { vault: &core.vault, passwords: Arc::clone(&passwords), now: core.clock.now() };
        let mut tx = core.registry.directory().begin().await?;
        parsed.file.load_into(&mut tx, &context).await?;
        Ok::<_, StartError>(tx.commit().await?)
    });
    match loading.await {
        Ok(()) => (StatusCode::CREATED, Json(told(&core.origins.own().host, &tenant))).into_response(),
        Err(StartError::Load(error)) => bad_request(&error.to_string()),
        Err(error) => failed(&error),
    }
}

pub(super) async fn remove<D: Directory>(State(lab): State<Arc<Lab<D>>>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<TenantId>() else { return not_found("a tenant's id is a GUID") };
    let removing = until_settled(|| async {
        let mut tx = lab.core.registry.directory().begin().await?;
        let removed = tx.remove_tenant(id).await?;
        tx.commit().await?;
        Ok::<_, StartError>(removed)
    });
    match removing.await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => not_found("there is no such tenant"),
        Err(error) => failed(&error),
    }
}

/// The order with what it does not state.
fn completed(mut tenant: Map<String, Value>, randomness: &dyn Randomness) -> Value {
    let id = tenant.entry("tenantId").or_insert_with(|| json!(randomness.uuid_v4().to_string())).clone();
    let short = id.as_str().and_then(|id| id.get(..8)).unwrap_or("tenant").to_owned();
    tenant.entry("displayName").or_insert_with(|| json!(format!("Test {short}")));
    let domain = format!("t{short}.onmicrosoft.com");
    tenant.entry("domains").or_insert_with(|| json!([domain]));
    // Keys of its own cost a tenth of a second; a test asks for them if it needs them.
    tenant.entry("ownSigningKeys").or_insert(json!(false));
    if !tenant.contains_key("applications") && !tenant.contains_key("users") {
        stock(&mut tenant, &domain, randomness);
    }
    Value::Object(tenant)
}

/// The usual cast: an API, a daemon that may read, a user.
fn stock(tenant: &mut Map<String, Value>, domain: &str, randomness: &dyn Randomness) {
    let id = || randomness.uuid_v4().to_string();
    let api = id();
    let role = |value: &str| {
        json!({"id": id(), "value": value, "displayName": value, "description": value, "isEnabled": true,
               "allowedMemberTypes": ["Application"]})
    };
    let scope = json!({"id": id(), "value": "access_as_user", "type": "User", "isEnabled": true,
        "adminConsentDisplayName": "Access the API", "adminConsentDescription": "Access the API as the user",
        "userConsentDisplayName": "Access the API", "userConsentDescription": "Access the API as you"});
    tenant.insert(
        "applications".to_owned(),
        json!([
            {"appId": api, "displayName": "DemoResourceApp", "identifierUris": [format!("api://{api}")],
             "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope]},
             "appRoles": [role("Resource.Read"), role("Resource.Write")]},
            {"appId": id(), "displayName": "DemoClientApp", "isFallbackPublicClient": false,
             "web": {"redirectUris": ["https://localhost:3000/callback"]},
             "passwordCredentials": [{"displayName": "lab", "secretText": randomness.base64url(30)}]},
        ]),
    );
    tenant.insert(
        "users".to_owned(),
        json!([{"userPrincipalName": format!("alice@{domain}"), "displayName": "Alice",
                "password": randomness.base64url(18)}]),
    );
    tenant.entry("appRoleAssignments").or_insert_with(
        || json!([{"client": "DemoClientApp", "resource": "DemoResourceApp", "role": "Resource.Read"}]),
    );
}

/// What the test needs to know.
fn told(host: &AuthorityHost, tenant: &Value) -> Value {
    let id = tenant["tenantId"].as_str().unwrap_or_default();
    json!({"authority": format!("{}/{id}", host.origin()), "tenant": tenant})
}
