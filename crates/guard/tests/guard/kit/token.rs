//! Genuine tokens, and the means to spoil them one claim at a time.

use std::sync::OnceLock;

use countersign_token::{Algorithm, SigningKey, base64url_encode};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_767_225_600;
/// The policy's `clock_skew_seconds`.
pub(crate) const SKEW: i64 = 60;
pub(crate) const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub(crate) const OTHER_TENANT: &str = "c7e1b5d2-3a40-4f5e-9d1b-2f6a8e0c4d71";
pub(crate) const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const API_URI: &str = "api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
pub(crate) const OTHER_CLIENT: &str = "f3b1c0de-5a77-4d0e-8b1c-9d2e4f60a713";
pub(crate) const OBJECT: &str = "33333333-6f5e-4d3c-9b8a-0f1e2d3c4b5a";
pub(crate) const USER: &str = "44444444-6f5e-4d3c-9b8a-0f1e2d3c4b5a";
pub(crate) const TOKEN_ID: &str = "pq4Zz8yVxk2mW6v3u7QaAA";

pub(crate) const V1_TEMPLATE: &str = "https://sts.windows.net/{tenantid}/";
pub(crate) const V2_TEMPLATE: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

const KEY_IDS: [&str; 3] =
    ["1LTMzakihiRla_8z2BEJVXeWMqo", "3Zp4s1Xb7hQv9uKc0dEfGjLmNoP", "AttackerAttackerAttackerAtt"];

fn key(index: usize) -> &'static SigningKey {
    static KEYS: [OnceLock<SigningKey>; 3] = [const { OnceLock::new() }; 3];
    let make = || SigningKey::from_pkcs8_der(KEY_IDS[index], &SigningKey::generate_pkcs8().unwrap()).unwrap();
    KEYS[index].get_or_init(make)
}

/// The authority's key.
pub(crate) fn genuine() -> &'static SigningKey {
    key(0)
}

/// The authority's next key.
pub(crate) fn next() -> &'static SigningKey {
    key(1)
}

/// A key that nobody published.
pub(crate) fn attacker() -> &'static SigningKey {
    key(2)
}

/// A key as Entra's v2.0 document publishes it.
pub(crate) fn jwk(key: &SigningKey) -> Value {
    jwk_named(key, key.key_id())
}

/// A key published under this name.
pub(crate) fn jwk_named(key: &SigningKey, key_id: &str) -> Value {
    let public = key.private_key().public_key();
    json!({
        "kty": "RSA", "use": "sig", "kid": key_id, "x5t": key_id, "issuer": V2_TEMPLATE,
        "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent()),
    })
}

/// A token before it is signed.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    key: &'static SigningKey,
}

impl Token {
    /// An application's, v2.0.
    pub(crate) fn app() -> Self {
        let claims = json!({
            "aud": API, "iss": V2_TEMPLATE.replace("{tenantid}", TENANT),
            "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 3600,
            "aio": "k2RgYPj/f0aLb8Kr9R6v2vlvSxhXrL5a8y7J1fVv3WZ2q9yZ4wYA", "azp": CLIENT, "azpacr": "1",
            "oid": OBJECT, "rh": "1.AXoAraq7a0tgrECp15_ZfAt3n7D52KUuDYpMnUMPDy1KXBEAAAA.",
            "roles": ["Resource.Read"], "sub": OBJECT, "tid": TENANT, "uti": TOKEN_ID, "ver": "2.0"
        });
        Self { header: json!({"typ": "JWT", "alg": "RS256", "kid": genuine().key_id()}), claims, key: genuine() }
    }

    /// An application's, v1.0.
    pub(crate) fn v1_app() -> Self {
        Self::app()
            .without("azp")
            .without("azpacr")
            .claim("appid", CLIENT)
            .claim("appidacr", "2")
            .claim("aud", API_URI)
            .claim("iss", V1_TEMPLATE.replace("{tenantid}", TENANT))
            .claim("ver", "1.0")
            .header("x5t", genuine().key_id())
    }

    /// A user's, v2.0.
    pub(crate) fn user() -> Self {
        Self::app()
            .without("roles")
            .claim("azpacr", "0")
            .claim("name", "Ada")
            .claim("oid", USER)
            .claim("preferred_username", "ada@contoso.com")
            .claim("scp", "access_as_user profile")
            .claim("sub", "k7Yp3tQ0XvB2mN5cR8wZ1aD4fG6hJ9lK")
    }

    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    /// Valid from five minutes before `now`, for as long as `seconds` after it.
    pub(crate) fn issued(self, now: i64, seconds: i64) -> Self {
        self.claim("iat", now - 300).claim("nbf", now - 300).claim("exp", now + seconds)
    }

    /// Signs with this key; the header goes on naming the old one.
    pub(crate) fn signed_by(mut self, key: &'static SigningKey) -> Self {
        self.key = key;
        self
    }

    /// Signs with this key and names it.
    pub(crate) fn under(self, key: &'static SigningKey) -> Self {
        self.header("kid", key.key_id()).signed_by(key)
    }

    /// The compact JWS.
    pub(crate) fn sign(&self) -> String {
        self.key.signer(Algorithm::Rs256, &self.header).unwrap().sign(&self.claims).unwrap()
    }

    /// A compact JWS whose signature is nobody's. Cheap.
    pub(crate) fn unsigned(&self) -> String {
        let segment = |value: &Value| base64url_encode(value.to_string().as_bytes());
        format!("{}.{}.{}", segment(&self.header), segment(&self.claims), base64url_encode(&[0x5a; 256]))
    }
}

/// The three segments of a token.
pub(crate) fn segments(token: &str) -> [&str; 3] {
    let mut segments = token.split('.');
    [(); 3].map(|()| segments.next().unwrap())
}
