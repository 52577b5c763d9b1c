//! What the fuzz targets share: one authority, whose keys are new in every process, and the two-line form of their inputs.
//!
//! An input never holds a signature: nobody could guess one. It holds what is to be signed, and the target signs it.

use std::sync::LazyLock;

use countersign_token::{
    Algorithm, Claims, KeySet, Policy, Rejection, SigningKey, Timestamp, Validator, Verified, base64url_encode, verify,
};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
pub const NOW: i64 = 1_767_225_600;
pub const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub const OTHER_TENANT: &str = "c7e1b5d2-3a40-4f5e-9d1b-2f6a8e0c4d71";
pub const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub const AUDIENCES: [&str; 2] = [API, "api://demo"];
pub const V1_TEMPLATE: &str = "https://sts.windows.net/{tenantid}/";
pub const V2_TEMPLATE: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

/// Base64url of 20 bytes, as Entra's are: josekit takes no other text for `x5t`.
pub const KEY_ID: &str = "1LTMzakihiRla_8z2BEJVXeWMqo";

/// Signs tokens, and judges them by a policy for two audiences of one tenant that takes RS256 and PS256.
pub struct Authority {
    key: SigningKey,
    pub keys: KeySet,
    pub validator: Validator,
}

pub static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let key = SigningKey::from_pkcs8_der(KEY_ID, &SigningKey::generate_pkcs8().unwrap()).unwrap();
    let policy: Policy = serde_json::from_value(json!({
        "tenants": [TENANT], "issuers": [V2_TEMPLATE, V1_TEMPLATE], "audiences": AUDIENCES,
        "algorithms": ["RS256", "PS256"], "app_roles": ["Resource.Read"], "scopes": ["access_as_user"]
    }))
    .unwrap();
    let set = json!({ "keys": [jwk_of(&key)] }).to_string();
    let keys = KeySet::parse(set.as_bytes()).unwrap();
    let authority = Authority { key, keys, validator: policy.compile().unwrap() };
    // A target that accepts nothing finds nothing.
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        for claims in genuine_claims() {
            assert!(authority.judge(&authority.genuine(algorithm, &claims)).is_ok());
        }
    }
    authority
});

fn jwk_of(key: &SigningKey) -> Value {
    let public = key.private_key().public_key();
    let (n, e) = (base64url_encode(public.modulus()), base64url_encode(public.exponent()));
    json!({"kty": "RSA", "kid": KEY_ID, "x5t": KEY_ID, "n": n, "e": e})
}

impl Authority {
    /// The key as it is published.
    pub fn jwk(&self) -> Value {
        jwk_of(&self.key)
    }

    /// Modulus and exponent, big-endian.
    pub fn components(&self) -> (&[u8], &[u8]) {
        let public = self.key.private_key().public_key();
        (public.modulus(), public.exponent())
    }

    /// A token with these very bytes as header and payload, signed.
    pub fn sign(&self, algorithm: Algorithm, header: &[u8], payload: &[u8]) -> String {
        let input = format!("{}.{}", base64url_encode(header), base64url_encode(payload));
        let signature = self.key.private_key().sign(algorithm, input.as_bytes()).unwrap();
        format!("{input}.{}", base64url_encode(&signature))
    }

    /// A token with a header as Entra writes it.
    pub fn genuine(&self, algorithm: Algorithm, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": algorithm.name(), "x5t": KEY_ID, "kid": KEY_ID});
        self.sign(algorithm, header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    pub fn judge(&self, token: &str) -> Result<Verified<Claims>, Rejection> {
        verify(token, &self.keys, &self.validator, Timestamp::from_unix_seconds(NOW))
    }
}

/// The claims of an application's and of a user's token, v2.0 and v1.0.
pub fn genuine_claims() -> [Value; 4] {
    let (client, object) = ("8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55", "33333333-6f5e-4d3c-9b8a-0f1e2d3c4b5a");
    let app = |version: &str, template: &str, caller: &str, acr: &str| {
        json!({
            "aud": API, "iss": template.replace("{tenantid}", TENANT), "tid": TENANT, "ver": version,
            "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 3600, caller: client, acr: "1",
            "oid": object, "sub": object, "roles": ["Resource.Read"], "uti": "pq4Zz8yVxk2mW6v3u7QaAA"
        })
    };
    let user = |mut claims: Value| {
        claims.as_object_mut().unwrap().remove("roles");
        claims["sub"] = "k7Yp3tQ0XvB2mN5cR8wZ1aD4fG6hJ9lK".into();
        claims["scp"] = "access_as_user profile".into();
        claims["groups"] = json!(["55555555-0d2e-4c8a-9d43-0f0f2d4a5c11"]);
        claims["acrs"] = json!(["c1"]);
        claims
    };
    let v2 = app("2.0", V2_TEMPLATE, "azp", "azpacr");
    let v1 = app("1.0", V1_TEMPLATE, "appid", "appidacr");
    [v2.clone(), v1.clone(), user(v2), user(v1)]
}

/// The algorithm that a header's text asks for, of the two that there are.
pub fn algorithm_of(header: &[u8]) -> Algorithm {
    if header.windows(5).any(|name| name == b"PS256") { Algorithm::Ps256 } else { Algorithm::Rs256 }
}

/// The first line of an input, and what follows it.
pub fn first_line(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = input.iter().position(|&byte| byte == b'\n')?;
    Some((&input[..end], &input[end + 1..]))
}

/// A place in a text of this length, chosen by the input: targets that spoil one place cover all of them in time.
pub fn place(input: &[u8], length: usize) -> usize {
    let sum = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(sum % u64::try_from(length).unwrap()).unwrap()
}

/// The text with another character of the alphabet in one place.
pub fn spoiled(text: &str, place: usize) -> String {
    let other = if text.as_bytes()[place] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &text[..place], &text[place + 1..])
}

/// Whether a text somewhere in this JSON is a name that serde_json keeps for itself. With the feature `raw_value`, which
/// countersign-token turns on, its `Value` reads an object of such a member as something else, or not at all; the strict
/// reader takes it for what it says. The two cannot be compared then.
pub fn has_private_name(json: &str) -> bool {
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let mut texts = serde_json::Deserializer::from_str(&rest[start..]).into_iter::<String>();
        match texts.next() {
            Some(Ok(text)) if text.starts_with("$serde_json::private::") => return true,
            Some(Ok(_)) => rest = &rest[start + texts.byte_offset()..],
            _ => return false,
        }
    }
    false
}
