//! What every backend must do. A backend is done when all of this passes over it.

pub(crate) mod applications;
pub(crate) mod credentials;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod keys_and_users;
pub(crate) mod ledger;
pub(crate) mod removal;
pub(crate) mod snapshots;
pub(crate) mod tenants;
pub(crate) mod transactions;

use countersign_directory::{
    Application, Applications, Commit, Directory, ServicePrincipal, ServicePrincipals, Tenant, Tenants,
};
use countersign_token::{RootKey, Timestamp, Vault};
use serde_json::{Value, json};

pub(crate) const CONTOSO: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub(crate) const FABRIKAM: &str = "7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e";
pub(crate) const RESOURCE: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const CLIENT: &str = "22222222-2222-4222-8222-222222222222";
pub(crate) const READ: &str = "0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const WRITE: &str = "f8d39977-e31e-460b-b92c-9cef51d14f98";
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

pub(crate) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn vault() -> Vault {
    Vault::new(&RootKey::from_bytes([7; 32])).unwrap()
}

pub(crate) fn contoso() -> Tenant {
    Tenant::new(id(CONTOSO), "Contoso").with_domain("contoso.onmicrosoft.com").with_domain("Contoso.com")
}

pub(crate) fn fabrikam() -> Tenant {
    Tenant::new(id(FABRIKAM), "Fabrikam").with_domain("fabrikam.com")
}

pub(crate) fn application(home: &str, document: Value) -> Application {
    Application::from_document(id(home), document).unwrap()
}

pub(crate) fn resource_app() -> Application {
    application(
        CONTOSO,
        json!({
            "appId": RESOURCE, "displayName": "DemoResourceApp", "signInAudience": "AzureADMultipleOrgs",
            "identifierUris": [format!("api://{RESOURCE}"), "https://contoso.com/orders"],
            "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [
                {"id": "99999999-9999-4999-8999-999999999999", "value": "access_as_user", "type": "User"}
            ]},
            "appRoles": [
                {"id": READ, "value": "Resource.Read", "allowedMemberTypes": ["Application", "User"]},
                {"id": WRITE, "value": "Resource.Write", "allowedMemberTypes": ["Application"]}
            ],
            "memberOfTomorrow": {"kept": true}
        }),
    )
}

pub(crate) fn client_app() -> Application {
    application(CONTOSO, json!({"appId": CLIENT, "displayName": "DemoClientApp"}))
}

/// Contoso with both applications and their service principals, and an empty Fabrikam.
pub(crate) async fn furnish(directory: &impl Directory) -> (ServicePrincipal, ServicePrincipal) {
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.insert_tenant(&fabrikam()).await.unwrap();
    let mut principals = Vec::new();
    for application in [resource_app(), client_app()] {
        tx.insert_application(&application).await.unwrap();
        let principal = ServicePrincipal::of(&application, id(CONTOSO));
        tx.insert_service_principal(&principal).await.unwrap();
        principals.push(principal);
    }
    tx.commit().await.unwrap();
    let client = principals.pop().unwrap();
    (principals.pop().unwrap(), client)
}
