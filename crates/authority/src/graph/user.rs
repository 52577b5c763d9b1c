//! `/me`, `/users/{id}` and the groups that a user is in.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use countersign_directory::{Directory, Groups, User};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{GraphError, body, entity};
use super::caller::Caller;
use super::{READ_GROUPS, READ_USERS};
use crate::core::Core;

/// Properties that are given without being asked for, in Graph's order.
const DEFAULT: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

pub(super) async fn me<D: Directory>(
    State(_): State<Arc<Core<D>>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, GraphError> {
    let user = caller.me()?;
    Ok(entity(&caller.base, "users/$entity", selected(user, query.as_deref())?))
}

pub(super) async fn user<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, GraphError> {
    let user = find(&core, &caller, &id).await?;
    // Everybody may look others up, if the client may.
    if caller.user.as_ref().is_some_and(|me| me.object_id != user.object_id) && !caller.has_scope(&READ_USERS) {
        return Err(GraphError::denied());
    }
    Ok(entity(&caller.base, "users/$entity", selected(&user, query.as_deref())?))
}

/// The user of the caller's tenant with this object id or sign-in name.
pub(super) async fn find<D: Directory>(core: &Core<D>, caller: &Caller, id: &str) -> Result<Arc<User>, GraphError> {
    let tenant = caller.tenant.id;
    let found = match id.parse() {
        Ok(object_id) => core.registry.user(tenant, object_id).await?,
        Err(_) if id.len() <= 320 => core.registry.user_named(tenant, id).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| GraphError::not_found(id))
}

fn property(user: &User, name: &str) -> Option<Value> {
    Some(match name {
        "businessPhones" => json!([]),
        "displayName" => json!(user.display_name),
        "givenName" => json!(user.given_name),
        "jobTitle" | "mobilePhone" | "officeLocation" | "preferredLanguage" => Value::Null,
        "mail" => json!(user.mail),
        "surname" => json!(user.surname),
        "userPrincipalName" => json!(user.user_principal_name),
        "id" => json!(user.object_id.to_string()),
        "accountEnabled" => json!(user.account_enabled),
        "userType" => json!(user.user_type.as_str()),
        _ => return None,
    })
}

/// The properties of `$select`, or the default ones.
fn selected(user: &User, query: Option<&str>) -> Result<Value, GraphError> {
    let select = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("$select=").or_else(|| pair.strip_prefix("%24select=")));
    let mut members = Map::new();
    let Some(select) = select else {
        members.extend(DEFAULT.iter().filter_map(|name| Some(((*name).to_owned(), property(user, name)?))));
        return Ok(Value::Object(members));
    };
    for name in select.split([',']).flat_map(|name| name.split("%2C")).filter(|name| !name.is_empty()).take(50) {
        let shown: String = name.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        let value = property(user, name).ok_or_else(|| {
            GraphError::bad_request(format!(
                "Could not find a property named '{shown}' on type 'microsoft.graph.user'."
            ))
        })?;
        members.insert(name.to_owned(), value);
    }
    Ok(Value::Object(members))
}

/// The body of `getMemberObjects`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MembershipQuestion {
    security_enabled_only: bool,
}

pub(super) async fn my_member_objects<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, GraphError> {
    let user = Arc::clone(caller.me()?);
    memberships(&core, &caller, &user, request).await
}

pub(super) async fn member_objects<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, GraphError> {
    let user = find(&core, &caller, &id).await?;
    if caller.user.as_ref().is_some_and(|me| me.object_id != user.object_id) && !caller.has_scope(&READ_GROUPS) {
        return Err(GraphError::denied());
    }
    memberships(&core, &caller, &user, request).await
}

async fn memberships<D: Directory>(
    core: &Core<D>,
    caller: &Caller,
    user: &User,
    request: Request,
) -> Result<Response, GraphError> {
    let body = body(core, request).await?;
    let question: MembershipQuestion = serde_json::from_slice(&body).map_err(|_| {
        GraphError::bad_request("Unable to read JSON request payload. securityEnabledOnly is expected.")
    })?;
    let mut tx = core.registry.directory().begin().await?;
    let groups = tx.groups_containing(user.tenant, user.object_id).await?;
    let ids: Vec<String> = groups
        .iter()
        .filter(|group| group.security_enabled || !question.security_enabled_only)
        .map(|group| group.object_id.to_string())
        .collect();
    Ok(entity(&caller.base, "Collection(Edm.String)", json!({ "value": ids })))
}
