//! A town for tests of credentials and grants: an authority in this process, on a free port, with people, a tool, an API in
//! the middle, an API behind it, a daemon and a managed identity.
#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use countersign_authority::{Authority, ManagedIdentityEndpoint};
use countersign_directory::DirectoryFile;
use countersign_token::{PrivateKey, base64url_decode_strict};
use p12_keystore::{Certificate as StoreCertificate, KeyStore, KeyStoreEntry, PrivateKey as StoreKey, PrivateKeyChain};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Run, countersign, write_private};

pub(crate) const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub(crate) const ORDERS: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c31";
pub(crate) const MIDDLE: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c32";
pub(crate) const TOOL: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c33";
pub(crate) const DAEMON: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c34";
pub(crate) const NAMED: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c35";
pub(crate) const IDENTITY: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c36";
pub(crate) const SECRET: &str = "Zm9yLXRoaXMtdGVzdC1hbG9uZQ~correct.horse";
pub(crate) const ALICE: &str = "alice@contoso.com";
pub(crate) const PASSWORD: &str = "staple-battery-for-alice";
pub(crate) const PFX_PASSWORD: &str = "the-containers-own";

/// The daemon's key, and a certificate for it by a CA that the tenant trusts.
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) pfx: Vec<u8>,
    certificate_pem: String,
    root_pem: String,
}

pub(crate) static ISSUED: LazyLock<Issued> = LazyLock::new(|| {
    let pair = |pkcs8: &[u8]| KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Contoso CA");
    let root = CertifiedIssuer::self_signed(params, pair(&PrivateKey::generate_pkcs8().unwrap())).unwrap();
    let pkcs8 = PrivateKey::generate_pkcs8().unwrap();
    let key = pair(&pkcs8);
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "daemon.contoso.com");
    let certificate = params.signed_by(&key, &root).unwrap();
    let chain = PrivateKeyChain::new(
        b"1".to_vec(),
        StoreKey::from_der(&pkcs8).unwrap(),
        [StoreCertificate::from_der(certificate.der()).unwrap()],
    );
    let mut store = KeyStore::new();
    store.add_entry("daemon", KeyStoreEntry::PrivateKeyChain(chain));
    Issued {
        pem: format!("{}{}", certificate.pem(), key.serialize_pem()),
        pfx: store.writer(PFX_PASSWORD).encryption_iterations(1_000).mac_iterations(1_000).write().unwrap(),
        certificate_pem: certificate.pem(),
        root_pem: root.pem(),
    }
});

fn scope(id: u8, value: &str) -> Value {
    json!({
        "id": format!("c0ffee00-0000-4000-8000-0000000000{id:02x}"), "value": value, "type": "User", "isEnabled": true,
        "adminConsentDisplayName": value, "adminConsentDescription": value,
        "userConsentDisplayName": value, "userConsentDescription": value,
    })
}

fn directory() -> DirectoryFile {
    let for_all = |client: &str, resource: &str, scopes: &[&str]| json!({"client": client, "resource": resource, "scopes": scopes, "consentType": "AllPrincipals"});
    let secret = json!([{"displayName": "test", "secretText": SECRET}]);
    let document = json!({"tenants": [{
        "tenantId": TENANT, "displayName": "Contoso", "domains": ["contoso.com"],
        "trustedCertificateAuthorities": [ISSUED.root_pem],
        "users": [{"userPrincipalName": ALICE, "displayName": "Alice", "password": PASSWORD}],
        "applications": [
            {
                "appId": ORDERS, "displayName": "Orders", "identifierUris": ["api://orders"],
                "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope(1, "Orders.Read")]},
                "appRoles": [{
                    "id": "f8d39977-e31e-460b-b92c-9cef51d14f98", "value": "Orders.All", "displayName": "All",
                    "allowedMemberTypes": ["Application"], "isEnabled": true,
                }],
            },
            {
                "appId": MIDDLE, "displayName": "Middle", "identifierUris": ["api://middle"], "passwordCredentials": secret,
                "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope(2, "access_as_user")]},
            },
            {
                "appId": TOOL, "displayName": "Tool", "isFallbackPublicClient": true,
                "publicClient": {"redirectUris": ["http://localhost"]},
            },
            {
                "appId": DAEMON, "displayName": "Daemon", "passwordCredentials": secret,
                "keyCredentials": [{"displayName": "test", "certificatePem": ISSUED.certificate_pem}],
            },
            {
                "appId": NAMED, "displayName": "Named",
                "trustedCertificateSubjects": [{"subjectName": "CN=daemon.contoso.com"}],
            },
            {"appId": IDENTITY, "displayName": "Identity"},
        ],
        "appRoleAssignments": [
            {"client": "Daemon", "resource": "Orders", "role": "Orders.All"},
            {"client": "Identity", "resource": "Orders", "role": "Orders.All"},
        ],
        "oauth2PermissionGrants": [
            for_all("Tool", "Middle", &["access_as_user"]),
            for_all("Tool", "Microsoft Graph", &["User.Read", "openid", "profile", "offline_access"]),
            for_all("Middle", "Orders", &["Orders.Read"]),
        ],
    }]});
    DirectoryFile::parse("town.json", &document.to_string()).unwrap().file
}

/// The town, with files in a folder of its own.
pub(crate) struct Town {
    pub(crate) folder: TempDir,
    pub(crate) authority: Authority,
    pub(crate) runtime: Runtime,
}

impl Town {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let builder =
            Authority::builder().directory(directory()).managed_identity(ManagedIdentityEndpoint::new(IDENTITY));
        let authority = runtime.block_on(builder.start()).unwrap();
        let town = Self { folder: tempfile::tempdir().unwrap(), authority, runtime };
        town.write("ca.pem", town.authority.ca_pem());
        town.write("secret.txt", SECRET);
        town.write("password.txt", &format!("{PASSWORD}\n"));
        town.write("pfx-password.txt", &format!("{PFX_PASSWORD}\r\n"));
        town.write("client.pem", &ISSUED.pem);
        town.write("client.pfx", "");
        std::fs::write(town.folder.path().join("client.pfx"), &ISSUED.pfx).unwrap();
        town
    }

    /// Writes a file that only the user can read; its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        write_private(&self.folder.path().join(name), text);
        self.path(name)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.display().to_string()
    }

    /// A command that knows authority, CA and tenant from its environment, and runs as this client.
    pub(crate) fn command(&self, client: &str, arguments: &[&str]) -> Command {
        let mut command = countersign(arguments);
        command
            .env("AZURE_AUTHORITY_HOST", self.authority.host().origin())
            .env("COUNTERSIGN_CA", self.path("ca.pem"))
            .env("AZURE_TENANT_ID", "contoso.com")
            .env("AZURE_CLIENT_ID", client);
        command
    }

    /// `token --json` of Alice by her password, as the tool, with more flags.
    pub(crate) fn alices(&self, more: &[&str]) -> Command {
        let password = self.path("password.txt");
        let mut command = self.command(TOOL, &["token", "--json", "--username", ALICE, "--password-file", &password]);
        command.args(more);
        command
    }
}

/// The document that `token --json` prints.
#[track_caller]
pub(crate) fn document(run: &Run) -> Value {
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// The claims of a token.
#[track_caller]
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.trim().split('.').nth(1).unwrap_or_else(|| panic!("{token:?}"));
    serde_json::from_slice(&base64url_decode_strict(payload).unwrap()).unwrap()
}

/// A run that failed with this status, said this, and had nothing for stdout.
#[track_caller]
pub(crate) fn assert_refused(run: &Run, status: i32, said: &[&str]) {
    assert_eq!((run.status, run.stdout.as_str()), (status, ""), "{run:?}");
    for said in said {
        assert!(run.stderr.contains(said), "{said:?} is not in {}", run.stderr);
    }
    for secret in [SECRET, PASSWORD, PFX_PASSWORD] {
        assert!(!run.stderr.contains(secret), "{}", run.stderr);
    }
}
