//! What a consent page has to list, and what a client has without one.

use std::sync::Arc;

use countersign_directory::{Argon2id, Commit, Directory, DirectoryFile, LoadContext, SqliteDirectory};
use countersign_protocol::{EndpointVersion, TenantSegment, UserScopes};
use countersign_token::{ObjectId, RootKey, SystemRandomness, TenantId, Timestamp, Vault};

use super::asking::Asking;
use super::{Extent, MissingConsent};
use crate::refused::Refused;
use crate::registry::Registry;

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const PAGE: &str = "a0000001-0000-4000-8000-000000000000";
const MIDDLE: &str = "a0000002-0000-4000-8000-000000000000";
const LAST: &str = "a0000003-0000-4000-8000-000000000000";
const ALICE: &str = "b0000001-0000-4000-8000-000000000000";

async fn registry(user_consent: bool, grants: &str) -> Registry<SqliteDirectory> {
    let text = format!(
        r#"
tenants:
- tenantId: {TENANT}
  domains: [contoso.com]
  userConsentAllowed: {user_consent}
  users: [{{id: {ALICE}, userPrincipalName: alice@contoso.com}}]
  applications:
  - appId: {PAGE}
    displayName: Page
    requiredResourceAccess:
    - {{resourceAppId: {MIDDLE}, resourceAccess: [{{id: c0000001-0000-4000-8000-000000000000, type: Scope}}]}}
    - resourceAppId: 00000003-0000-0000-c000-000000000000
      resourceAccess:
      - {{id: e1fe6dd8-ba31-4d61-89e7-88639da4683d, type: Scope}}
      - {{id: 37f7f235-527c-4136-accd-4a02d197296e, type: Scope}}
      - {{id: df021288-bdef-4463-88db-98f22de89214, type: Role}}
  - appId: {MIDDLE}
    displayName: Middle
    identifierUris: ["api://middle"]
    requiredResourceAccess:
    - {{resourceAppId: {LAST}, resourceAccess: [{{id: c0000003-0000-4000-8000-000000000000, type: Scope}}]}}
    api:
      knownClientApplications: [{PAGE}]
      oauth2PermissionScopes:
      - {{id: c0000001-0000-4000-8000-000000000000, value: Read, type: User, isEnabled: true}}
      - {{id: c0000002-0000-4000-8000-000000000000, value: Manage, type: Admin, isEnabled: true}}
  - appId: {LAST}
    displayName: Last
    identifierUris: ["api://last"]
    api: {{oauth2PermissionScopes: [{{id: c0000003-0000-4000-8000-000000000000, value: Use, type: User, isEnabled: true}}]}}
  oauth2PermissionGrants: [{grants}]
"#
    );
    let file = DirectoryFile::parse("consent.yaml", &text).unwrap().file;
    let directory = SqliteDirectory::in_memory().await.unwrap();
    let vault = Vault::new(&RootKey::from_bytes([7; 32])).unwrap();
    let passwords = Arc::new(Argon2id::new(SystemRandomness));
    let mut tx = directory.begin().await.unwrap();
    let context = LoadContext { vault: &vault, passwords, now: Timestamp::from_unix_seconds(0) };
    file.load_into(&mut tx, &context).await.unwrap();
    tx.commit().await.unwrap();
    Registry::new(directory)
}

/// `client > resource: scope!`, where `!` marks what needs an administrator.
fn lines(list: &[MissingConsent]) -> Vec<String> {
    let line = |entry: &MissingConsent| {
        let scopes: Vec<_> = entry
            .scopes
            .iter()
            .map(|missing| {
                let mark = if missing.needs_administrator { "!" } else { "" };
                format!("{}{mark}", missing.scope.value.as_deref().unwrap())
            })
            .collect();
        let (client, resource) = (&entry.client.display_name, entry.resource.application.display_name());
        format!("{client} > {resource}: {}", scopes.join(" "))
    };
    list.iter().map(line).collect()
}

async fn listed(registry: &Registry<SqliteDirectory>, scope: &str, extent: Extent) -> Result<Vec<String>, Refused> {
    let id: TenantId = TENANT.parse().unwrap();
    let tenant = registry.tenant(&TenantSegment::Id(id)).await.unwrap().unwrap();
    let client = registry.client(id, PAGE.parse().unwrap()).await.unwrap().unwrap();
    let user: ObjectId = ALICE.parse().unwrap();
    let wanted = UserScopes::parse(EndpointVersion::V2, Some(scope), None).unwrap();
    let asking = Asking { registry, tenant: &tenant, client: &client, user };
    let list = asking.list(client.service_principal.as_ref().unwrap(), &wanted, extent).await?;
    // Whoever must consent to nothing gets something, and the other way round.
    let delegation = asking.delegation(client.service_principal.as_ref().unwrap(), &wanted).await;
    if extent == Extent::Missing {
        assert_eq!(list.is_empty(), delegation.is_ok(), "{scope}");
    }
    Ok(lines(&list))
}

#[tokio::test]
async fn default_lists_what_the_registration_lists_and_what_apis_that_know_the_client_need() {
    let fresh = registry(true, "").await;
    assert_eq!(
        listed(&fresh, "api://middle/.default openid offline_access", Extent::Missing).await.unwrap(),
        ["Page > Middle: Read", "Page > Microsoft Graph: User.Read openid offline_access", "Middle > Last: Use",]
    );
    // Any grant at the resource is enough for `.default`.
    let granted = registry(true, "{client: Page, resource: Middle, scopes: [Manage]}").await;
    assert!(listed(&granted, "api://middle/.default openid", Extent::Missing).await.unwrap().is_empty());
    // prompt=consent lists everything all the same.
    let all = listed(&granted, "api://middle/.default", Extent::Everything).await.unwrap();
    assert_eq!(all, ["Page > Middle: Read", "Page > Microsoft Graph: User.Read openid", "Middle > Last: Use"]);
    // What the registration does not list cannot be asked for wholesale.
    let refused = listed(&fresh, "api://last/.default", Extent::Missing).await.unwrap_err();
    assert_eq!(refused.aadsts.code, 650_057);
}

#[tokio::test]
async fn named_permissions_are_told_apart_by_who_may_consent() {
    let fresh = registry(true, "").await;
    let listing = async |registry, scope| listed(registry, scope, Extent::Missing).await.unwrap();
    assert_eq!(listing(&fresh, "api://middle/Read api://middle/Manage").await, ["Page > Middle: Read Manage!"]);
    // Incremental consent: what is there already is not asked for again, and whatever its case.
    let granted = registry(true, "{client: Page, resource: Middle, user: alice@contoso.com, scopes: [Read]}").await;
    assert_eq!(listing(&granted, "api://middle/read api://middle/Manage").await, ["Page > Middle: Manage!"]);
    assert!(listing(&granted, "api://middle/Read openid profile").await.is_empty());
    // A tenant may leave nothing to its users.
    let closed = registry(false, "").await;
    assert_eq!(listing(&closed, "api://middle/Read").await, ["Page > Middle: Read!"]);
    for (scope, code) in [("api://middle/Nothing", 650_053), ("api://nobody/Read", 500_011)] {
        assert_eq!(listed(&fresh, scope, Extent::Missing).await.unwrap_err().aadsts.code, code);
    }
}

#[tokio::test]
async fn the_scopes_of_openid_connect_need_a_grant_only_where_nothing_else_is_asked_for() {
    let fresh = registry(true, "").await;
    let listing = async |registry, scope| listed(registry, scope, Extent::Missing).await.unwrap();
    assert_eq!(listing(&fresh, "openid profile").await, ["Page > Microsoft Graph: openid profile"]);
    let signed_in = registry(true, "{client: Page, resource: Microsoft Graph, scopes: [openid]}").await;
    assert!(listing(&signed_in, "openid profile email offline_access").await.is_empty());
    // Beside another permission they are listed only if that one has to be.
    assert_eq!(
        listing(&fresh, "api://middle/Read openid").await,
        ["Page > Middle: Read", "Page > Microsoft Graph: openid"]
    );
}
