//! Microsoft's own applications: present in every tenant without being listed.
//!
//! Of Microsoft Graph, ids of roles and scopes are those of the real service, so that registrations exported from a real
//! tenant name the right permissions. The list is a handful of what directory tools ask for, not the whole. The token
//! exchange endpoint has neither: a token for it is only good as another application's assertion.
//!
//! Source: Microsoft Graph permissions reference, "All permissions and IDs", 2026-11; Microsoft identity platform,
//! "Configure an application to trust a managed identity".

use std::sync::LazyLock;

use countersign_protocol::CloudProfile;
use countersign_token::{ClientId, TenantId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Application, ServicePrincipal};

/// The client id of Microsoft Graph.
pub const MICROSOFT_GRAPH: ClientId = ClientId::from_uuid(Uuid::from_u128(0x0000_0003_0000_0000_c000_0000_0000_0000));

/// The client id of the token exchange endpoint: `aud` of a token that a workload presents as an application's assertion.
pub const TOKEN_EXCHANGE: ClientId = ClientId::from_uuid(Uuid::from_u128(0xfb60_f99c_7a34_4190_8149_302f_7746_9936));

/// The tenant in which Microsoft's own applications are registered.
pub const MICROSOFT_SERVICES: TenantId =
    TenantId::from_uuid(Uuid::from_u128(0xf8cd_ef31_a31e_4b4a_93e4_5f57_1e91_255a));

/// Application permissions: value, id.
const APP_ROLES: [(&str, &str); 18] = [
    ("AppRoleAssignment.ReadWrite.All", "06b708a9-e830-4db3-a914-8e69da51d44f"),
    ("Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"),
    ("Application.ReadWrite.All", "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"),
    ("Application.ReadWrite.OwnedBy", "18a4783c-866b-4cc7-a460-3d5e5662c884"),
    ("AuditLog.Read.All", "b0afded3-3588-46d8-8b3d-9842eff778da"),
    ("DelegatedPermissionGrant.ReadWrite.All", "8e8e4742-1d95-4f68-9d56-6ee75648c72a"),
    ("Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
    ("Directory.ReadWrite.All", "19dbc75e-c2e2-444c-a770-ec69d8559fc7"),
    ("Domain.Read.All", "dbb9058a-0e50-45d7-ae91-66909b5d4664"),
    ("Group.Read.All", "5b567255-7703-4780-807c-7be8301ae99b"),
    ("Group.ReadWrite.All", "62a82d76-70ea-41e2-9197-370581804d09"),
    ("GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6"),
    ("Mail.Send", "b633e1c5-b582-4048-a93e-9f11b44c7e96"),
    ("Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6"),
    ("Policy.Read.All", "246dd0d5-5bd0-4def-940b-0421030a5b68"),
    ("RoleManagement.ReadWrite.Directory", "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"),
    ("User.Read.All", "df021288-bdef-4463-88db-98f22de89214"),
    ("User.ReadWrite.All", "741f803b-c850-494e-b5df-cde7c675a1ca"),
];

/// Delegated permissions: value, id, whether only an administrator may consent.
const SCOPES: [(&str, &str, bool); 18] = [
    ("Application.Read.All", "c79f8feb-a9db-4090-85f9-90d820caa0eb", true),
    ("Application.ReadWrite.All", "bdfbf15f-ee85-4955-8675-146e8e5296b5", true),
    ("AppRoleAssignment.ReadWrite.All", "84bccea3-f856-4a8a-967b-dbe0a3d53a64", true),
    ("AuditLog.Read.All", "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20", true),
    ("Calendars.Read", "465a38f9-76ea-45b9-9f34-9e8b0d4b0b42", false),
    ("DelegatedPermissionGrant.ReadWrite.All", "41ce6ca6-6826-4807-84f1-1c82854f7ee5", true),
    ("Directory.AccessAsUser.All", "0e263e50-5827-48a4-b97c-d940288653c7", true),
    ("Directory.Read.All", "06da0dbc-49e2-44d2-8312-53f166ab848a", true),
    ("Group.Read.All", "5f8c59db-677d-491f-a6b8-5f174b11ec1d", true),
    ("Group.ReadWrite.All", "4e46008b-f24c-477d-8fff-7bb4ec7aafe0", true),
    ("User.Read", "e1fe6dd8-ba31-4d61-89e7-88639da4683d", false),
    ("User.Read.All", "a154be20-db9c-4678-8ab7-66f6cc099a59", true),
    ("User.ReadBasic.All", "b340eb25-3456-403f-be2f-af7a0d370277", false),
    ("User.ReadWrite.All", "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4", true),
    ("email", "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0", false),
    ("offline_access", "7427e0e9-2fba-42fe-b0c0-848c9e6a8182", false),
    ("openid", "37f7f235-527c-4136-accd-4a02d197296e", false),
    ("profile", "14dad69e-099b-42c9-810b-d002981feec1", false),
];

/// The registration of Microsoft Graph. Its access tokens are v1.0 whatever endpoint they are asked of.
pub fn microsoft_graph() -> &'static Application {
    static GRAPH: LazyLock<Application> = LazyLock::new(|| {
        let document = json!({
            "appId": MICROSOFT_GRAPH.to_string(),
            "displayName": "Microsoft Graph",
            "publisherDomain": "microsoft.com",
            "signInAudience": "AzureADMultipleOrgs",
            "identifierUris": ["https://graph.microsoft.com", "https://graph.microsoft.com/"],
            "appRoles": APP_ROLES.map(|(value, id)| json!({
                "id": id, "value": value, "displayName": value, "description": value, "isEnabled": true,
                "allowedMemberTypes": ["Application"], "origin": "Application"
            })),
            "api": {
                "requestedAccessTokenVersion": 1,
                "oauth2PermissionScopes": SCOPES.map(|(value, id, admin)| json!({
                    "id": id, "value": value, "isEnabled": true, "type": if admin { "Admin" } else { "User" },
                    "adminConsentDisplayName": value, "adminConsentDescription": value,
                    "userConsentDisplayName": if admin { Value::Null } else { Value::from(value) },
                    "userConsentDescription": if admin { Value::Null } else { Value::from(value) }
                }))
            }
        });
        #[expect(clippy::expect_used, reason = "the document is a constant, and a test reads it")]
        Application::from_document(MICROSOFT_SERVICES, document).expect("the document above describes an application")
    });
    &GRAPH
}

/// The registration of the token exchange endpoint, under the name that each cloud has for it
/// (`api://AzureADTokenExchange`). Its access tokens are v2.0. Its service principals are never stored: nothing can be
/// granted at it.
pub fn token_exchange() -> &'static Application {
    static EXCHANGE: LazyLock<Application> = LazyLock::new(|| {
        let document = json!({
            "appId": TOKEN_EXCHANGE.to_string(),
            "displayName": "AAD Token Exchange Endpoint: Public",
            "publisherDomain": "microsoft.com",
            "signInAudience": "AzureADMultipleOrgs",
            "identifierUris": CloudProfile::ALL.map(|cloud| cloud.token_exchange_audience),
            "api": {"requestedAccessTokenVersion": 2}
        });
        #[expect(clippy::expect_used, reason = "the document is a constant, and a test reads it")]
        Application::from_document(MICROSOFT_SERVICES, document).expect("the document above describes an application")
    });
    &EXCHANGE
}

/// Services of Azure that registrations and clients name without anybody having registered them here: client id, name,
/// identifier URIs, id of the delegated permission `user_impersonation`.
const SERVICES: [(&str, &str, &[&str], &str); 3] = [
    (
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",
        "Windows Azure Service Management API",
        &[
            "https://management.azure.com",
            "https://management.azure.com/",
            "https://management.core.windows.net",
            "https://management.core.windows.net/",
        ],
        "41094075-9dad-400e-a0bd-54e686782033",
    ),
    (
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
        "Azure Key Vault",
        &["https://vault.azure.net", "https://vault.azure.net/"],
        "f53da476-18e3-4152-8e01-aec403e6edc0",
    ),
    (
        "e406a681-f3d4-42a8-90b6-c2b029497af1",
        "Azure Storage",
        &["https://storage.azure.com", "https://storage.azure.com/"],
        "03e0da56-190b-40ad-a80c-ea378c433f7f",
    ),
];

/// Those registrations. Their access tokens are v1.0, as the real ones'. Nobody has a role at them; a tenant whose users
/// consent to `user_impersonation` has a service principal of its own, as its directory file says.
fn services() -> &'static [Application] {
    static REGISTERED: LazyLock<Vec<Application>> = LazyLock::new(|| {
        let registered = SERVICES.map(|(app_id, name, uris, scope)| {
            let document = json!({
                "appId": app_id,
                "displayName": name,
                "publisherDomain": "microsoft.com",
                "signInAudience": "AzureADMultipleOrgs",
                "identifierUris": uris,
                "api": {
                    "requestedAccessTokenVersion": 1,
                    "oauth2PermissionScopes": [{
                        "id": scope, "value": "user_impersonation", "isEnabled": true, "type": "User",
                        "adminConsentDisplayName": format!("Access {name}"),
                        "adminConsentDescription": format!("Access {name} as the signed-in user"),
                        "userConsentDisplayName": format!("Access {name}"),
                        "userConsentDescription": format!("Access {name} as you")
                    }]
                }
            });
            #[expect(clippy::expect_used, reason = "the document is a constant, and a test reads it")]
            Application::from_document(MICROSOFT_SERVICES, document)
                .expect("the document above describes an application")
        });
        registered.into()
    });
    &REGISTERED
}

/// The service of Azure with this client id, if it is one.
pub(crate) fn service(id: ClientId) -> Option<&'static Application> {
    services().iter().find(|application| application.app_id() == id)
}

/// The service of Azure with this identifier URI, if it is one.
pub(crate) fn service_by_uri(uri: &str) -> Option<&'static Application> {
    services().iter().find(|application| application.identifier_uris().iter().any(|own| own == uri))
}

/// The registration with this client id that is in every tenant, if it is one.
pub(crate) fn well_known(id: ClientId) -> Option<&'static Application> {
    match id {
        MICROSOFT_GRAPH => Some(microsoft_graph()),
        TOKEN_EXCHANGE => Some(token_exchange()),
        _ => None,
    }
}

/// The registration with this identifier URI that is in every tenant, if it is one.
pub(crate) fn well_known_by_uri(uri: &str) -> Option<&'static Application> {
    [microsoft_graph(), token_exchange()]
        .into_iter()
        .find(|application| application.identifier_uris().iter().any(|own| own == uri))
}

/// The service principal of Microsoft Graph that a new tenant gets.
pub(crate) fn microsoft_graph_in(tenant: TenantId) -> ServicePrincipal {
    ServicePrincipal::of(microsoft_graph(), tenant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn services_are_found_by_id_and_by_each_of_their_names() {
        for application in services() {
            assert_eq!(service(application.app_id()).unwrap().app_id(), application.app_id());
            for uri in application.identifier_uris() {
                assert_eq!(service_by_uri(uri).unwrap().app_id(), application.app_id(), "{uri}");
            }
            assert_eq!(application.oauth2_permission_scopes()[0].value.as_deref(), Some("user_impersonation"));
        }
        assert!(service(MICROSOFT_GRAPH).is_none() && service_by_uri("https://vault.azure.net/x").is_none());
    }

    #[test]
    fn the_client_id_is_the_documented_one() {
        assert_eq!(MICROSOFT_GRAPH.to_string(), "00000003-0000-0000-c000-000000000000");
        assert_eq!(MICROSOFT_SERVICES.to_string(), "f8cdef31-a31e-4b4a-93e4-5f571e91255a");
    }

    #[test]
    fn the_token_exchange_has_the_name_of_every_cloud_and_nothing_to_grant() {
        let exchange = token_exchange();
        assert_eq!(exchange.app_id().to_string(), "fb60f99c-7a34-4190-8149-302f77469936");
        for uri in ["api://AzureADTokenExchange", "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"]
        {
            assert_eq!(well_known_by_uri(uri).map(Application::app_id), Some(TOKEN_EXCHANGE), "{uri}");
        }
        assert!(exchange.app_roles().is_empty() && exchange.oauth2_permission_scopes().is_empty());
        assert_eq!(well_known(TOKEN_EXCHANGE).map(Application::app_id), Some(TOKEN_EXCHANGE));
        assert!(well_known_by_uri("api://azureadtokenexchange").is_none(), "compared exactly");
        assert!(well_known(ClientId::from_uuid(Uuid::nil())).is_none());
    }

    #[test]
    fn the_registration_reads_back_and_its_ids_are_unique() {
        let graph = microsoft_graph();
        assert_eq!(graph.app_id(), MICROSOFT_GRAPH);
        let ids: HashSet<_> = graph
            .app_roles()
            .iter()
            .map(|role| role.id)
            .chain(graph.oauth2_permission_scopes().iter().map(|scope| scope.id))
            .collect();
        assert_eq!(ids.len(), APP_ROLES.len() + SCOPES.len());
        assert!(graph.is_available_in("6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap()));
    }
}
