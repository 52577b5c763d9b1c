//! Who plays: two tenants, a daemon and its API; a person, a web app and an API in the middle; their roles, scopes and
//! grants, secrets and certificate. That the web app may do anything for the person is not in here: she consents to it.
//!
//! Everything is written as one directory file, exactly as a user would write it, and goes the way every such file goes.
//! Secret and key are new in each run and leave this process only if `--keep` puts them into files of their own.

use countersign_directory::{DirectoryFile, DirectoryFileError};
use countersign_token::{Certificate, ClientId, PrivateKey, PrivateKeyError, Randomness, TenantId};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::error::DemoError;

/// The API's App ID URI.
pub(crate) const RESOURCE: &str = "api://demo-resource";
/// What the daemon holds.
pub(crate) const READ: &str = "Resource.Read";
/// What it does not.
pub(crate) const WRITE: &str = "Resource.Write";

/// The API's delegated permission, for users.
pub(crate) const ORDERS_READ: &str = "Orders.Read";
/// The App ID URI of the API in the middle.
pub(crate) const MIDDLE: &str = "api://demo-middle";
/// Its delegated permission.
pub(crate) const ACCESS_AS_USER: &str = "access_as_user";
/// Where the web app gets its users back. Nobody listens there: the demo's browser stops at its door.
pub(crate) const REDIRECT_URI: &str = "https://localhost:3000/callback";
/// The person.
pub(crate) const ALICE: &str = "alice@contoso.onmicrosoft.com";
/// Somebody of another company.
pub(crate) const DORA: &str = "dora@fabrikam.onmicrosoft.com";

/// The players' identifiers and credentials. `Debug` is not derived.
pub(crate) struct Cast {
    pub(crate) contoso: TenantId,
    pub(crate) fabrikam: TenantId,
    pub(crate) resource_app: ClientId,
    pub(crate) client_app: ClientId,
    pub(crate) web_app: ClientId,
    pub(crate) middle_app: ClientId,
    pub(crate) secret: SecretString,
    pub(crate) web_secret: SecretString,
    pub(crate) middle_secret: SecretString,
    /// Alice's and Dora's.
    pub(crate) password: SecretString,
    pub(crate) certificate: Certificate,
    /// Certificate and private key, as `--certificate` takes them.
    pub(crate) pem: SecretString,
    document: Value,
}

impl Cast {
    /// Makes the credentials and writes the directory file.
    pub(crate) async fn assemble(randomness: &dyn Randomness) -> Result<Self, DemoError> {
        let made: JoinHandle<Result<(Certificate, SecretString), DemoError>> =
            tokio::task::spawn_blocking(make_certificate);
        let secret = randomness.base64url(30);
        let tenant = || TenantId::from_uuid(randomness.uuid_v4());
        let app = || ClientId::from_uuid(randomness.uuid_v4());
        let (contoso, fabrikam) = (tenant(), tenant());
        let (resource_app, client_app, web_app, middle_app) = (app(), app(), app(), app());
        let (web_secret, middle_secret) = (randomness.base64url(30), randomness.base64url(30));
        let password = randomness.base64url(18);
        let (certificate, pem) = made.await.map_err(|_| DemoError::Task)??;
        let grant = json!([{"client": client_app, "resource": resource_app, "role": READ}]);
        let document = json!({"tenants": [
            {
                "tenantId": contoso,
                "displayName": "Contoso",
                "domains": ["contoso.onmicrosoft.com"],
                "users": [user(ALICE, "Alice", &password)],
                "applications": [
                    {
                        "appId": resource_app,
                        "displayName": "DemoResourceApp",
                        "identifierUris": [RESOURCE],
                        "signInAudience": "AzureADMultipleOrgs",
                        "api": {
                            "requestedAccessTokenVersion": 2,
                            "oauth2PermissionScopes": [scope(ORDERS_READ_ID, ORDERS_READ, "Read your orders")],
                        },
                        "appRoles": [
                            role("3f6a4f0e-0f3f-4c27-9a0e-6a2b0c7a5d11", READ, "Read from Resource"),
                            role("f8d39977-e31e-460b-b92c-9cef51d14f98", WRITE, "Write to Resource"),
                        ],
                    },
                    {
                        "appId": client_app,
                        "displayName": "DemoClientApp",
                        "signInAudience": "AzureADMultipleOrgs",
                        "passwordCredentials": [{"displayName": "demo", "secretText": secret}],
                        "keyCredentials": [{"displayName": "demo", "certificatePem": certificate_pem(&certificate)}],
                    },
                    {
                        "appId": middle_app,
                        "displayName": "DemoMiddleApp",
                        "identifierUris": [MIDDLE],
                        "signInAudience": "AzureADMyOrg",
                        "api": {
                            "requestedAccessTokenVersion": 2,
                            "knownClientApplications": [web_app],
                            "oauth2PermissionScopes": [scope(ACCESS_AS_USER_ID, ACCESS_AS_USER, "Act for you")],
                        },
                        "passwordCredentials": [{"displayName": "demo", "secretText": middle_secret}],
                        "requiredResourceAccess": [needs(&json!(resource_app), ORDERS_READ_ID)],
                    },
                    {
                        "appId": web_app,
                        "displayName": "DemoWebApp",
                        "signInAudience": "AzureADMyOrg",
                        "web": {"redirectUris": [REDIRECT_URI]},
                        "passwordCredentials": [{"displayName": "demo", "secretText": web_secret}],
                        "requiredResourceAccess": [
                            needs(&json!(middle_app), ACCESS_AS_USER_ID),
                            needs(&json!(MICROSOFT_GRAPH), USER_READ_ID),
                        ],
                    },
                ],
                "appRoleAssignments": grant,
            },
            {
                "tenantId": fabrikam,
                "displayName": "Fabrikam",
                "domains": ["fabrikam.onmicrosoft.com"],
                "users": [user(DORA, "Dora", &password)],
                "servicePrincipals": [{"appId": resource_app}, {"appId": client_app}],
                "appRoleAssignments": grant,
            },
        ]});
        Ok(Self {
            contoso,
            fabrikam,
            resource_app,
            client_app,
            web_app,
            middle_app,
            secret: secret.into(),
            web_secret: web_secret.into(),
            middle_secret: middle_secret.into(),
            password: password.into(),
            certificate,
            pem,
            document,
        })
    }

    /// The directory file, read as any other.
    pub(crate) fn directory(&self) -> Result<DirectoryFile, DirectoryFileError> {
        DirectoryFile::parse("demo.json", &self.document.to_string()).map(|parsed| parsed.file)
    }

    /// The daemon's key, parsed anew.
    pub(crate) fn private_key(&self) -> Result<PrivateKey, PrivateKeyError> {
        PrivateKey::from_pem(self.pem.expose_secret())
    }

    /// The registrations of these applications, in this order.
    pub(crate) fn registrations(&self, which: [ClientId; 2]) -> Vec<&Value> {
        let all = || self.document["tenants"][0]["applications"].as_array().into_iter().flatten();
        let find = |id: ClientId| all().find(|registration| registration["appId"] == json!(id));
        which.into_iter().filter_map(find).collect()
    }

    /// What Contoso's administrator granted.
    pub(crate) fn grants(&self) -> Vec<&Value> {
        self.document["tenants"][0]["appRoleAssignments"].as_array().into_iter().flatten().collect()
    }
}

/// Identifiers of delegated permissions: two of the demo's own, and the one that Entra has everywhere.
const ORDERS_READ_ID: &str = "5f0f8bd2-54fb-4f93-8a53-5f5a9b0c6d21";
const ACCESS_AS_USER_ID: &str = "9b0c2c57-5c6e-4f3b-9d5a-0a4f7f1d3e42";
const USER_READ_ID: &str = "e1fe6dd8-ba31-4d61-89e7-88639da4683d";
const MICROSOFT_GRAPH: &str = "00000003-0000-0000-c000-000000000000";

fn user(login: &str, name: &str, password: &str) -> Value {
    json!({"userPrincipalName": login, "displayName": name, "password": password})
}

fn needs(resource: &Value, scope: &str) -> Value {
    json!({"resourceAppId": resource, "resourceAccess": [{"id": scope, "type": "Scope"}]})
}

fn scope(id: &str, value: &str, description: &str) -> Value {
    json!({
        "id": id, "value": value, "type": "User", "isEnabled": true,
        "adminConsentDisplayName": description, "adminConsentDescription": description,
        "userConsentDisplayName": description, "userConsentDescription": description,
    })
}

fn role(id: &str, value: &str, description: &str) -> Value {
    json!({
        "id": id, "value": value, "displayName": description, "description": description,
        "allowedMemberTypes": ["Application"], "isEnabled": true,
    })
}

/// A key of 2048 bits and a certificate that it signs itself, as an administrator would make them for a daemon.
fn make_certificate() -> Result<(Certificate, SecretString), DemoError> {
    let pkcs8 = PrivateKey::generate_pkcs8()?;
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.as_slice().into(), &PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "DemoClientApp");
    let certificate = params.self_signed(&pair)?;
    let pem = SecretString::from(format!("{}{}", certificate.pem(), pair.serialize_pem()));
    let certificate = Certificate::from_der(certificate.der().to_vec())?;
    Ok((certificate, pem))
}

fn certificate_pem(certificate: &Certificate) -> String {
    let base64 = countersign_token::base64_encode_standard(certificate.der());
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}
