//! Who plays: two tenants, two registrations, their roles and grants, the daemon's secret and certificate.
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

/// The players' identifiers and the daemon's credentials. `Debug` is not derived: it holds both.
pub(crate) struct Cast {
    pub(crate) contoso: TenantId,
    pub(crate) fabrikam: TenantId,
    pub(crate) resource_app: ClientId,
    pub(crate) client_app: ClientId,
    pub(crate) secret: SecretString,
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
        let contoso = TenantId::from_uuid(randomness.uuid_v4());
        let fabrikam = TenantId::from_uuid(randomness.uuid_v4());
        let resource_app = ClientId::from_uuid(randomness.uuid_v4());
        let client_app = ClientId::from_uuid(randomness.uuid_v4());
        let (certificate, pem) = made.await.map_err(|_| DemoError::Task)??;
        let grant = json!([{"client": client_app, "resource": resource_app, "role": READ}]);
        let document = json!({"tenants": [
            {
                "tenantId": contoso,
                "displayName": "Contoso",
                "domains": ["contoso.onmicrosoft.com"],
                "applications": [
                    {
                        "appId": resource_app,
                        "displayName": "DemoResourceApp",
                        "identifierUris": [RESOURCE],
                        "signInAudience": "AzureADMultipleOrgs",
                        "api": {"requestedAccessTokenVersion": 2},
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
                ],
                "appRoleAssignments": grant,
            },
            {
                "tenantId": fabrikam,
                "displayName": "Fabrikam",
                "domains": ["fabrikam.onmicrosoft.com"],
                "servicePrincipals": [{"appId": resource_app}, {"appId": client_app}],
                "appRoleAssignments": grant,
            },
        ]});
        let secret = SecretString::from(secret);
        Ok(Self { contoso, fabrikam, resource_app, client_app, secret, certificate, pem, document })
    }

    /// The directory file, read as any other.
    pub(crate) fn directory(&self) -> Result<DirectoryFile, DirectoryFileError> {
        DirectoryFile::parse("demo.json", &self.document.to_string()).map(|parsed| parsed.file)
    }

    /// The daemon's key, parsed anew.
    pub(crate) fn private_key(&self) -> Result<PrivateKey, PrivateKeyError> {
        PrivateKey::from_pem(self.pem.expose_secret())
    }

    /// The registrations, without what is secret in them.
    pub(crate) fn registrations(&self) -> Vec<&Value> {
        self.document["tenants"][0]["applications"].as_array().into_iter().flatten().collect()
    }

    /// What Contoso's administrator granted.
    pub(crate) fn grants(&self) -> Vec<&Value> {
        self.document["tenants"][0]["appRoleAssignments"].as_array().into_iter().flatten().collect()
    }
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
