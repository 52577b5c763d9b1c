//! The tenant that every test meets, and a running authority that knows it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_authority::{Authority, AuthorityBuilder};
use countersign_directory::DirectoryFile;
use countersign_token::{Clock, OffsetClock};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::credentials::REGISTERED;

/// Contoso's id.
pub const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
/// Contoso's domain.
pub const DOMAIN: &str = "contoso.onmicrosoft.com";
/// A tenant that exists and knows none of Contoso's applications.
pub const FABRIKAM: &str = "0b1f5f0a-7b5d-4b43-9d0e-5f3b1f2a9c11";
/// A tenant that does not exist.
pub const NO_TENANT: &str = "00000000-0000-4000-8000-00000000dead";

/// `DemoClientApp`, the daemon.
pub const CLIENT: &str = "22222222-2222-4222-8222-222222222222";
/// `DemoClientApp`'s own identifier URI.
pub const CLIENT_URI: &str = "api://22222222-2222-4222-8222-222222222222";
/// An application that does not exist.
pub const NO_APPLICATION: &str = "33333333-3333-4333-8333-00000000dead";
/// The daemon's secret, of the alphabet that Entra uses.
pub const SECRET: &str = "kQ8~Q.conformance_Secret-0123456789abcdef";
/// Its second secret, with every character that form encoding must not lose.
pub const ODD_SECRET: &str = "a+b%2Bc&d=e:f/g?h i\"j'k\\l~m.n_o";
/// A secret that it does not have.
pub const WRONG_SECRET: &str = "kQ8~Q.conformance_Wrong-0123456789abcdefg";

/// `DemoResourceApp`, whose tokens are of version 2.0; its identifier URI is `api://` and this.
pub const RESOURCE: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
/// `DemoResourceApp`'s identifier URI.
pub const RESOURCE_URI: &str = "api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
/// `LegacyResourceApp`, whose tokens are of version 1.0.
pub const LEGACY: &str = "b6e9fac1-1e3f-4d9b-8e54-101f3e5b6d22";
/// `LegacyResourceApp`'s identifier URI.
pub const LEGACY_URI: &str = "https://legacy.contoso.com";
/// The scope of [`RESOURCE`] that is consented to for everybody.
pub const ORDERS_READ: &str = "api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11/Orders.Read";
/// The scope of [`CLIENT`], the API in the middle.
pub const CLIENT_SCOPE: &str = "api://22222222-2222-4222-8222-222222222222/access_as_user";
/// Where the daemon lets people sign in.
pub const CLIENT_CALLBACK: &str = "https://client.contoso.com/callback";
/// `DemoToolApp`, a public client.
pub const TOOL: &str = "44444444-4444-4444-8444-444444444444";
/// Where the tool lets people sign in; any port will do.
pub const TOOL_CALLBACK: &str = "http://localhost";
/// `DemoPageApp`, a single-page application.
pub const PAGE: &str = "55555555-5555-4555-8555-555555555555";
/// A managed identity, by name.
pub const IDENTITY: &str = "DemoIdentity";
/// A person.
pub const ALICE: &str = "alice@contoso.com";
/// Alice's object id.
pub const ALICE_ID: &str = "11111111-1111-4111-8111-111111111111";
/// An administrator.
pub const ROOT: &str = "root@contoso.com";
/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// An identifier URI that no application has.
pub const NO_RESOURCE_URI: &str = "api://nobody.contoso.com";

/// The directory file's text: two tenants, a client with two secrets and a certificate, resources of either version,
/// people, a public client and a page.
#[must_use]
pub fn directory_json() -> String {
    directory().to_string()
}

/// The registration with this id in a directory, to change it before it is loaded.
pub fn registration<'a>(directory: &'a mut Value, app_id: &str) -> &'a mut Value {
    let mut applications = directory["tenants"][0]["applications"].as_array_mut().unwrap().iter_mut();
    applications.find(|application| application["appId"] == app_id).unwrap()
}

/// The same, as a value.
#[must_use]
pub fn directory() -> Value {
    let role = |id: &str, value: &str| {
        json!({
            "id": id, "value": value, "allowedMemberTypes": ["Application"], "displayName": value,
            "description": value, "isEnabled": true,
        })
    };
    let scope = |id: &str, value: &str, kind: &str| {
        json!({
            "id": id, "value": value, "type": kind, "isEnabled": true,
            "adminConsentDisplayName": format!("{value} for all"), "adminConsentDescription": "for everybody",
            "userConsentDisplayName": format!("{value} for you"), "userConsentDescription": "for you",
        })
    };
    let person = |id: &str, name: &str, administrator: bool| {
        json!({
            "id": id, "userPrincipalName": name, "displayName": name.split('@').next(), "password": PASSWORD,
            "administrator": administrator,
        })
    };
    let grant = |client: &str, resource: &str, scopes: &[&str]| json!({"client": client, "resource": resource, "scopes": scopes, "consentType": "AllPrincipals"});
    let openid = ["openid", "profile", "email", "offline_access", "User.Read"];
    json!({
        "tenants": [
            {
                "tenantId": TENANT,
                "displayName": "Contoso",
                "domains": [DOMAIN, "contoso.com"],
                "users": [
                    person(ALICE_ID, ALICE, false),
                    person("11111111-1111-4111-8111-222222222222", ROOT, true),
                ],
                "applications": [
                    {
                        "appId": RESOURCE,
                        "displayName": "DemoResourceApp",
                        "identifierUris": [RESOURCE_URI],
                        "signInAudience": "AzureADMyOrg",
                        "api": {
                            "requestedAccessTokenVersion": 2,
                            "oauth2PermissionScopes": [
                                scope("c0ffee00-0000-4000-8000-000000000001", "Orders.Read", "User"),
                                scope("c0ffee00-0000-4000-8000-000000000002", "Orders.Write", "User"),
                                scope("c0ffee00-0000-4000-8000-000000000003", "Orders.Admin", "Admin"),
                            ],
                        },
                        "appRoles": [
                            role("f8d39977-e31e-460b-b92c-9cef51d14f98", "Resource.Read"),
                            role("2f1d1c6c-5b0e-4d0b-8a57-3ed1b1a2c3d4", "Resource.Write"),
                        ],
                    },
                    {
                        "appId": LEGACY,
                        "displayName": "LegacyResourceApp",
                        "identifierUris": [LEGACY_URI],
                        "api": {
                            "oauth2PermissionScopes": [
                                scope("c0ffee00-0000-4000-8000-000000000005", "Legacy.Use", "User"),
                            ],
                        },
                        "appRoles": [role("0c7d4e52-9a3b-4c1d-8e2f-a1b2c3d4e5f6", "Legacy.Read")],
                    },
                    {
                        "appId": CLIENT,
                        "displayName": "DemoClientApp",
                        "identifierUris": [CLIENT_URI],
                        "api": {
                            "requestedAccessTokenVersion": 2,
                            "oauth2PermissionScopes": [
                                scope("c0ffee00-0000-4000-8000-000000000004", "access_as_user", "User"),
                            ],
                        },
                        "web": {"redirectUris": [CLIENT_CALLBACK, "http://localhost"]},
                        "passwordCredentials": [
                            {"displayName": "usual", "secretText": SECRET},
                            {"displayName": "odd", "secretText": ODD_SECRET},
                        ],
                        "keyCredentials": [{
                            "displayName": "certificate", "type": "AsymmetricX509Cert", "usage": "Verify",
                            "key": REGISTERED.key,
                        }],
                    },
                    {
                        "appId": TOOL,
                        "displayName": "DemoToolApp",
                        "isFallbackPublicClient": true,
                        "publicClient": {"redirectUris": [TOOL_CALLBACK]},
                    },
                    {"appId": PAGE, "displayName": "DemoPageApp"},
                ],
                "managedIdentities": [{"name": IDENTITY}],
                "oauth2PermissionGrants": [
                    grant("DemoClientApp", "DemoResourceApp", &["Orders.Read"]),
                    grant("DemoClientApp", "LegacyResourceApp", &["Legacy.Use"]),
                    grant("DemoClientApp", "Microsoft Graph", &openid),
                    grant("DemoToolApp", "DemoResourceApp", &["Orders.Read", "Orders.Write"]),
                    grant("DemoToolApp", "DemoClientApp", &["access_as_user"]),
                    grant("DemoToolApp", "LegacyResourceApp", &["Legacy.Use"]),
                    grant("DemoToolApp", "Microsoft Graph", &openid),
                ],
                "appRoleAssignments": [
                    {"client": "DemoClientApp", "resource": "DemoResourceApp", "role": "Resource.Read"},
                    {"client": "DemoClientApp", "resource": "LegacyResourceApp", "role": "Legacy.Read"},
                    {"client": IDENTITY, "resource": "DemoResourceApp", "role": "Resource.Read"},
                ],
            },
            {"tenantId": FABRIKAM, "displayName": "Fabrikam", "domains": ["fabrikam.onmicrosoft.com"]},
        ],
    })
}

/// A running authority that knows Contoso, and a file with the certificate that its clients must trust.
pub struct House {
    /// The authority itself.
    pub authority: Authority,
    folder: TempDir,
}

impl House {
    /// Starts one as it comes.
    pub async fn open() -> Self {
        Self::build(|builder| builder).await
    }

    /// Starts one that takes the time from `clock`.
    pub async fn open_at(clock: Arc<dyn Clock>) -> Self {
        Self::build(|builder| builder.clock(clock)).await
    }

    /// Starts one with the lab's routes.
    pub async fn open_lab(clock: OffsetClock) -> Self {
        Self::build(|builder| builder.lab(Some(clock))).await
    }

    /// Starts one with this directory, configured further.
    pub async fn open_with(directory: &Value, configure: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        let parsed = DirectoryFile::parse("contoso.json", &directory.to_string()).unwrap();
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        let authority = configure(Authority::builder().directory(parsed.file)).start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.ca_pem()).unwrap();
        Self { authority, folder }
    }

    async fn build(configure: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        Self::open_with(&directory(), configure).await
    }

    /// `https://localhost:{port}`
    #[must_use]
    pub fn origin(&self) -> &str {
        self.authority.host().origin()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.authority.address()
    }

    /// The PEM file that signs the authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A folder of its own, gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
