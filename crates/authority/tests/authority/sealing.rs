//! Codes and decisions as the pages would make them, sealed under the root key of an authority on disk.
//!
//! The authority seals a code when somebody has signed in on its pages. Tests of redemption need codes of every kind, some of
//! which no page would make; they write them themselves, with the root key that only the data directory's owner can read.

use std::path::Path;

use countersign_token::{Randomness, RootKey, SystemRandomness, Vault, base64url_encode};
use serde_json::{Value, json};

use crate::crowd::{App, Tenant};
use crate::kit::NOW;

/// The root key's owner.
pub(crate) struct Sealing(Vault);

impl Sealing {
    pub(crate) fn of(data: &Path) -> Self {
        let bytes: [u8; 32] = std::fs::read(data.join("root.key")).unwrap().try_into().unwrap();
        Self(Vault::new(&RootKey::from_bytes(bytes)).unwrap())
    }

    /// A text sealed for a purpose.
    pub(crate) fn seal(&self, purpose: &str, payload: &Value) -> String {
        let sealed = self.0.seal(purpose, payload.to_string().as_bytes(), &SystemRandomness).unwrap();
        format!("1.A{}", base64url_encode(&sealed))
    }

    /// An authorization code.
    pub(crate) fn code(&self, payload: &Value) -> String {
        self.seal("authorization code", payload)
    }
}

/// What a sign-in with a password at the tests' first moment establishes.
pub(crate) fn session() -> Value {
    json!({"id": SystemRandomness.uuid_v4(), "auth_time": NOW, "methods": ["pwd"]})
}

/// Alice's code for an application, good for ten minutes.
pub(crate) fn code(tenant: Tenant, app: App) -> Value {
    let (platform, redirect_uri) = match app {
        App::Spa => ("Spa", format!("https://page.{}/", tenant.domain)),
        App::Web => ("Web", format!("https://portal.{}/callback", tenant.domain)),
        _ => ("PublicClient", "http://localhost:50123".to_owned()),
    };
    json!({
        "id": SystemRandomness.uuid_v4(),
        "tenant": tenant.id,
        "client": tenant.app(app),
        "user": tenant.oid("alice"),
        "session": session(),
        "redirect_uri": redirect_uri,
        "platform": platform,
        "challenge": null,
        "scope": format!("{} openid profile offline_access", tenant.scope("Orders.Read")),
        "resource": null,
        "nonce": "n-0S6_WzA2Mj",
        "claims": null,
        "expires": NOW + 600,
    })
}
