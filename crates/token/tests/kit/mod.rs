//! Genuine tokens, and the means to spoil them one rule at a time.
//!
//! A [`Kit`] is a header, a claim set, a policy and a key set that fit together; a test changes one of them and expects
//! the rule that refuses. RSA keys are made once per process.

#![allow(dead_code, reason = "each test binary uses a part of the kit")]
#![expect(clippy::unwrap_used, reason = "tests")]

pub(crate) mod encrypt;
pub(crate) mod forge;

use std::sync::OnceLock;

use countersign_token::{
    Algorithm, Claims, KeySet, Policy, PrivateKey, Rejection, SigningKey, Timestamp, TokenKind, Verified,
    base64url_encode, verify,
};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_767_225_600;
pub(crate) const SKEW: i64 = 60;
pub(crate) const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub(crate) const OTHER_TENANT: &str = "c7e1b5d2-3a40-4f5e-9d1b-2f6a8e0c4d71";
/// The tenant of personal Microsoft accounts.
pub(crate) const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
pub(crate) const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const API_URI: &str = "api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
pub(crate) const OTHER_CLIENT: &str = "f3b1c0de-5a77-4d0e-8b1c-9d2e4f60a713";
pub(crate) const OBJECT: &str = "33333333-6f5e-4d3c-9b8a-0f1e2d3c4b5a";
pub(crate) const USER: &str = "44444444-6f5e-4d3c-9b8a-0f1e2d3c4b5a";

pub(crate) const V1_TEMPLATE: &str = "https://sts.windows.net/{tenantid}/";
pub(crate) const V2_TEMPLATE: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

pub(crate) const GENUINE_KID: &str = "1LTMzakihiRla_8z2BEJVXeWMqo";
pub(crate) const NEXT_KID: &str = "3Zp4s1Xb7hQv9uKc0dEfGjLmNoP";
pub(crate) const ATTACKER_KID: &str = "AttackerAttackerAttackerAtt";

/// An issuer template with a tenant in its place.
pub(crate) fn issuer(template: &str, tenant: &str) -> String {
    template.replace("{tenantid}", tenant)
}

/// The PKCS#8 form of the three keys of this process: genuine, next, attacker's.
fn pkcs8(index: usize) -> &'static [u8] {
    static DER: [OnceLock<Vec<u8>>; 3] = [const { OnceLock::new() }; 3];
    DER[index].get_or_init(|| SigningKey::generate_pkcs8().unwrap().to_vec())
}

fn signing_key(index: usize, key_id: &str) -> &'static SigningKey {
    static KEYS: [OnceLock<SigningKey>; 3] = [const { OnceLock::new() }; 3];
    KEYS[index].get_or_init(|| SigningKey::new(key_id, PrivateKey::from_pkcs8_der(pkcs8(index)).unwrap()))
}

/// The authority's key, published.
pub(crate) fn genuine() -> &'static SigningKey {
    signing_key(0, GENUINE_KID)
}

/// The PKCS#8 DER of [`genuine`].
pub(crate) fn genuine_pkcs8() -> &'static [u8] {
    pkcs8(0)
}

/// The authority's next key, published too.
pub(crate) fn next() -> &'static SigningKey {
    signing_key(1, NEXT_KID)
}

/// A key that nobody published.
pub(crate) fn attacker() -> &'static SigningKey {
    signing_key(2, ATTACKER_KID)
}

/// The PKCS#8 DER of [`attacker`].
pub(crate) fn attacker_pkcs8() -> &'static [u8] {
    pkcs8(2)
}

/// A key as Entra's v2.0 document publishes it.
pub(crate) fn jwk(key: &SigningKey) -> Value {
    let public = key.private_key().public_key();
    json!({
        "kty": "RSA", "use": "sig", "kid": key.key_id(), "x5t": key.key_id(),
        "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent()),
        "cloud_instance_name": "microsoftonline.com", "issuer": V2_TEMPLATE,
    })
}

/// Adds or replaces a member of an object.
pub(crate) fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    object[name] = value.into();
    object
}

/// Removes a member of an object.
pub(crate) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

pub(crate) fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// Everything that decides about one token.
#[derive(Clone)]
pub(crate) struct Kit {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) policy: Value,
    pub(crate) keys: Vec<Value>,
    pub(crate) now: i64,
    pub(crate) key: &'static SigningKey,
    pub(crate) algorithm: Algorithm,
}

impl Kit {
    fn new(header: Value, claims: Value) -> Self {
        Self {
            header,
            claims,
            policy: json!({
                "tenants": [TENANT], "issuers": [V2_TEMPLATE, V1_TEMPLATE], "audiences": [API, API_URI],
                "app_roles": ["Resource.Read"], "scopes": ["access_as_user"]
            }),
            keys: vec![jwk(next()), jwk(genuine())],
            now: NOW,
            key: genuine(),
            algorithm: Algorithm::Rs256,
        }
    }

    /// An application's token for an API whose registration asks for v2.0 tokens.
    pub(crate) fn v2_app() -> Self {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": GENUINE_KID});
        let claims = json!({
            "aud": API, "iss": issuer(V2_TEMPLATE, TENANT), "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 3600,
            "aio": "k2RgYPj/f0aLb8Kr9R6v2vlvSxhXrL5a8y7J1fVv3WZ2q9yZ4wYA", "azp": CLIENT, "azpacr": "1",
            "oid": OBJECT, "rh": "1.AXoAraq7a0tgrECp15_ZfAt3n7D52KUuDYpMnUMPDy1KXBEAAAA.",
            "roles": ["Resource.Read"], "sub": OBJECT, "tid": TENANT, "uti": "pq4Zz8yVxk2mW6v3u7QaAA", "ver": "2.0",
            "xms_ftd": "x5JQ1Zl2v0Y0u8c9Vb3Z1kQmHk7m4S2pT8rN6wXyZ4s"
        });
        Self::new(header, claims)
    }

    /// An application's token for an API that never said which version it wants; asked for by App ID URI.
    pub(crate) fn v1_app() -> Self {
        let header = json!({"typ": "JWT", "alg": "RS256", "x5t": GENUINE_KID, "kid": GENUINE_KID});
        let v1_issuer = issuer(V1_TEMPLATE, TENANT);
        let claims = json!({
            "aud": API_URI, "iss": v1_issuer, "idp": v1_issuer, "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 3600,
            "aio": "k2RgYPj/f0aLb8Kr9R6v2vlvSxhXrL5a8y7J1fVv3WZ2q9yZ4wYA", "appid": CLIENT, "appidacr": "2",
            "oid": OBJECT, "rh": "1.AXoAraq7a0tgrECp15_ZfAt3n7D52KUuDYpMnUMPDy1KXBEAAAA.",
            "roles": ["Resource.Read"], "sub": OBJECT, "tid": TENANT, "uti": "pq4Zz8yVxk2mW6v3u7QaAA", "ver": "1.0"
        });
        Self::new(header, claims)
    }

    /// A user's token, v2.0.
    pub(crate) fn v2_user() -> Self {
        Self::v2_app()
            .without("roles")
            .claim("azpacr", "0")
            .claim("name", "Ada")
            .claim("oid", USER)
            .claim("preferred_username", "ada@contoso.com")
            .claim("scp", "access_as_user profile")
            .claim("sub", "k7Yp3tQ0XvB2mN5cR8wZ1aD4fG6hJ9lK")
    }

    /// A user's token, v1.0.
    pub(crate) fn v1_user() -> Self {
        Self::v1_app()
            .without("roles")
            .claim("acr", "1")
            .claim("amr", json!(["pwd", "mfa"]))
            .claim("appidacr", "0")
            .claim("oid", USER)
            .claim("scp", "access_as_user")
            .claim("sub", "k7Yp3tQ0XvB2mN5cR8wZ1aD4fG6hJ9lK")
            .claim("unique_name", "ada@contoso.com")
            .claim("upn", "ada@contoso.com")
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

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    pub(crate) fn policy(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.policy[name] = value.into();
        self
    }

    pub(crate) fn keys(mut self, keys: impl Into<Vec<Value>>) -> Self {
        self.keys = keys.into();
        self
    }

    pub(crate) fn signed_by(mut self, key: &'static SigningKey) -> Self {
        self.key = key;
        self
    }

    /// Signs with this algorithm; the header stays as it is.
    pub(crate) fn signed_with(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    pub(crate) fn at(mut self, now: i64) -> Self {
        self.now = now;
        self
    }

    /// The token.
    pub(crate) fn token(&self) -> String {
        self.token_of(self.header.to_string(), self.claims.to_string())
    }

    /// A token with these very texts as header and payload, signed.
    pub(crate) fn token_of(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.token_over(&base64url_encode(header.as_ref()), &base64url_encode(payload.as_ref()))
    }

    /// A token with these very segments, signed as they are.
    pub(crate) fn token_over(&self, header: &str, payload: &str) -> String {
        let input = format!("{header}.{payload}");
        let signature = self.key.private_key().sign(self.algorithm, input.as_bytes()).unwrap();
        format!("{input}.{}", base64url_encode(&signature))
    }

    /// Puts a token before the policy: with keys that have seen nothing, with keys that have seen genuine tokens, and with
    /// keys that have seen this very one under a policy that takes more. What a key set remembers must change no verdict.
    #[track_caller]
    pub(crate) fn judge(&self, token: &str) -> Result<Verified<Claims>, Rejection> {
        static GENUINE: OnceLock<[String; 2]> = OnceLock::new();
        let genuine = GENUINE.get_or_init(|| [Self::v2_app().token(), Self::v1_app().token()]);
        let policy: Policy = serde_json::from_value(self.policy.clone()).unwrap();
        let lax = with(Self::v2_app().policy, "algorithms", json!(["RS256", "PS256"]));
        let lax: Policy = serde_json::from_value(lax).unwrap();
        let (policy, lax) = (policy.compile().unwrap(), lax.compile().unwrap());
        let now = Timestamp::from_unix_seconds(self.now);
        let first = verify(token, &key_set(&self.keys), &policy, now);
        let refusal = |verdict: &Result<Verified<Claims>, Rejection>| verdict.as_ref().err().copied();
        for seen in [&genuine[..1], &genuine[1..], &[token.to_owned()]] {
            let keys = key_set(&self.keys);
            for seen in seen {
                drop(verify(seen, &keys, &lax, Timestamp::from_unix_seconds(NOW)));
            }
            assert_eq!(refusal(&verify(token, &keys, &policy, now)), refusal(&first), "after others: {token:.200}");
        }
        first
    }

    #[track_caller]
    pub(crate) fn accepted(&self) -> Verified<Claims> {
        self.judge(&self.token()).unwrap()
    }

    #[track_caller]
    pub(crate) fn accepted_as(&self, kind: TokenKind) {
        assert_eq!(self.accepted().kind(), kind);
    }

    /// Expects this very refusal for the kit's own token.
    #[track_caller]
    pub(crate) fn refused(&self, expected: Rejection) {
        self.refuses(&self.token(), expected);
    }

    /// Expects this very refusal for a token.
    #[track_caller]
    pub(crate) fn refuses(&self, token: &str, expected: Rejection) {
        assert_eq!(self.judge(token).map(Verified::into_claims).unwrap_err(), expected, "{token:.200}");
    }

    /// Expects this very refusal for a payload of this text, signed.
    #[track_caller]
    pub(crate) fn refuses_payload(&self, payload: impl AsRef<[u8]>, expected: Rejection) {
        self.refuses(&self.token_of(self.header.to_string(), payload), expected);
    }

    /// Expects this very refusal for a header of this text, signed.
    #[track_caller]
    pub(crate) fn refuses_header(&self, header: impl AsRef<[u8]>, expected: Rejection) {
        self.refuses(&self.token_of(header, self.claims.to_string()), expected);
    }

    /// The claim set as text, with `member` (`"name":value`) added at the end.
    pub(crate) fn payload_and(&self, member: &str) -> String {
        let text = self.claims.to_string();
        format!("{},{member}}}", &text[..text.len() - 1])
    }

    /// The claim set as text, with `member` (`"name":value`) added at the start.
    pub(crate) fn payload_after(&self, member: &str) -> String {
        format!("{{{member},{}", &self.claims.to_string()[1..])
    }
}

/// The three segments of a compact JWS.
pub(crate) fn segments(token: &str) -> (&str, &str, &str) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    (header, payload, signature)
}
