//! An issuer of our own, for tokens as Entra writes them: one key, its key set, a policy.
#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::OnceLock;

use countersign_token::{Algorithm, JwsSigner, SigningKey, base64url_encode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The time at which all of this happens: 2026-01-01 00:00:00 UTC.
pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub(crate) const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const CLIENT: &str = "0f1e2d3c-4b5a-4968-8776-655443322110";

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::from_pkcs8_der("key-1", &SigningKey::generate_pkcs8().unwrap()).unwrap())
}

fn signer() -> &'static JwsSigner {
    static SIGNER: OnceLock<JwsSigner> = OnceLock::new();
    SIGNER
        .get_or_init(|| key().signer(Algorithm::Rs256, &json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"})).unwrap())
}

/// The claims of a good v2.0 token of an application.
pub(crate) fn claims() -> Value {
    json!({
        "aud": API, "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"), "iat": NOW - 300, "nbf": NOW - 300,
        "exp": NOW + 3600, "azp": CLIENT, "azpacr": "1", "oid": "33333333-3333-4333-8333-333333333333",
        "sub": "33333333-3333-4333-8333-333333333333", "roles": ["Resource.Read"], "tid": TENANT, "uti": "abc", "ver": "2.0",
    })
}

/// A token with these claims.
pub(crate) fn token(claims: &Value) -> String {
    signer().sign(claims).unwrap()
}

/// The good claims with one of them changed; null takes it away.
pub(crate) fn token_with(name: &str, value: Value) -> String {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    token(&claims)
}

/// Files for `--jwks` and `--policy`, in a folder that disappears with this value.
pub(crate) struct Files {
    folder: TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let public = key().private_key().public_key();
        let keys = json!({"keys": [{
            "kty": "RSA", "use": "sig", "kid": "key-1",
            "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent()),
            "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        }]});
        let policy = json!({
            "tenants": [TENANT],
            "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"],
            "audiences": [API],
            "app_roles": ["Resource.Read"],
        });
        std::fs::write(folder.path().join("keys.json"), keys.to_string()).unwrap();
        std::fs::write(folder.path().join("policy.json"), policy.to_string()).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `verify` with these files at [`NOW`], and more.
    pub(crate) fn verify<'a>(&'a self, more: &[&'a str]) -> Vec<String> {
        let (keys, policy, now) = (self.path("keys.json"), self.path("policy.json"), NOW.to_string());
        let mut arguments = vec!["verify".to_owned(), "--jwks".into(), keys.display().to_string()];
        arguments.extend(["--policy".into(), policy.display().to_string(), "--now".into(), now]);
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        arguments
    }
}
