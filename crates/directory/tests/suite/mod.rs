//! What every backend must do. A backend is done when all of this passes over it.

pub mod applications;
pub mod credentials;
pub mod grants;
pub mod keys_and_users;
pub mod tenants;
pub mod transactions;

use countersign_directory::{
    Application, Applications, Commit, Directory, ServicePrincipal, ServicePrincipals, Tenant, Tenants,
};
use countersign_token::{ClientId, RootKey, TenantId, Timestamp, Vault};
use serde_json::{Value, json};

pub const CONTOSO: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub const FABRIKAM: &str = "7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e";
pub const RESOURCE: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub const CLIENT: &str = "22222222-2222-4222-8222-222222222222";
pub const READ: &str = "0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub const WRITE: &str = "f8d39977-e31e-460b-b92c-9cef51d14f98";
pub const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub fn tenant(tenant: &str) -> TenantId {
    id(tenant)
}

pub fn client(app: &str) -> ClientId {
    id(app)
}

pub fn vault() -> Vault {
    Vault::new(&RootKey::from_bytes([7; 32])).unwrap()
}

pub fn contoso() -> Tenant {
    Tenant::new(id(CONTOSO), "Contoso").with_domain("contoso.onmicrosoft.com").with_domain("Contoso.com")
}

pub fn fabrikam() -> Tenant {
    Tenant::new(id(FABRIKAM), "Fabrikam").with_domain("fabrikam.com")
}

pub fn application(home: &str, document: Value) -> Application {
    Application::from_document(id(home), document).unwrap()
}

pub fn resource_app() -> Application {
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

pub fn client_app() -> Application {
    application(CONTOSO, json!({"appId": CLIENT, "displayName": "DemoClientApp"}))
}

/// Contoso with both applications and their service principals, and an empty Fabrikam.
pub async fn furnish(directory: &impl Directory) -> (ServicePrincipal, ServicePrincipal) {
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
