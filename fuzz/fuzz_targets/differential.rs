//! Against other readers: a token that is accepted here is accepted by jsonwebtoken too, told to be strict, and with the
//! feature `josekit` by josekit; and all of them read the same claims. The other way round need not hold.
//!
//! An input of two lines is a header and a payload, as in `compact_jws`; the authority signs them.

#![no_main]

use std::sync::LazyLock;

use countersign_token::{Algorithm, KeySet, Policy, SigningKey, Timestamp, Validator, base64url_encode, verify};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const NOW: i64 = 1_767_225_600;
const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const AUDIENCES: [&str; 2] = ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11", "api://demo"];

struct Authority {
    key: SigningKey,
    keys: KeySet,
    validator: Validator,
    jsonwebtoken: (jsonwebtoken::DecodingKey, jsonwebtoken::Validation),
    #[cfg(feature = "josekit")]
    josekit: josekit::jws::alg::rsassa::RsassaJwsVerifier,
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let key = SigningKey::from_pkcs8_der("k", &SigningKey::generate_pkcs8().unwrap()).unwrap();
    let public = key.private_key().public_key();
    let jwk = serde_json::json!({
        "kty": "RSA", "kid": "k", "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent())
    });
    let policy: Policy = serde_json::from_value(serde_json::json!({
        "tenants": [TENANT], "audiences": AUDIENCES,
        "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"],
        "app_roles": ["Resource.Read"], "scopes": ["access_as_user"]
    }))
    .unwrap();
    let mut strict = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    strict.set_audience(&AUDIENCES);
    strict.set_issuer(&[
        format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
        format!("https://sts.windows.net/{TENANT}/"),
    ]);
    strict.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    // Its clock cannot be set; the times are compared below.
    (strict.validate_exp, strict.validate_nbf) = (false, false);
    let decoding = jsonwebtoken::DecodingKey::from_rsa_raw_components(public.modulus(), public.exponent());
    Authority {
        keys: KeySet::parse(serde_json::json!({"keys": [jwk]}).to_string().as_bytes()).unwrap(),
        validator: policy.compile().unwrap(),
        jsonwebtoken: (decoding, strict),
        #[cfg(feature = "josekit")]
        josekit: josekit::jws::RS256
            .verifier_from_jwk(&josekit::jwk::Jwk::from_bytes(jwk.to_string().as_bytes()).unwrap())
            .unwrap(),
        key,
    }
});

/// The claims as jsonwebtoken reads them, if it accepts the token.
fn jsonwebtoken_reads(token: &str) -> Option<Value> {
    let (key, strict) = &AUTHORITY.jsonwebtoken;
    jsonwebtoken::decode::<Value>(token, key, strict).ok().map(|decoded| decoded.claims)
}

/// The claims as josekit reads them, if it accepts the token.
#[cfg(feature = "josekit")]
fn josekit_reads(token: &str) -> Option<Value> {
    let (payload, header) = josekit::jwt::decode_with_verifier(token, &AUTHORITY.josekit).ok()?;
    assert_eq!(header.claim("alg").unwrap(), "RS256");
    Some(Value::Object(payload.claims_set().clone()))
}

fn judge(token: &str, header: &[u8]) {
    let Ok(ours) = verify(token, &AUTHORITY.keys, &AUTHORITY.validator, Timestamp::from_unix_seconds(NOW)) else {
        return;
    };
    let read: Value = serde_json::from_str(ours.payload()).unwrap();
    assert_eq!(jsonwebtoken_reads(token).as_ref(), Some(&read), "jsonwebtoken");
    // josekit wants x5t to be base64, which the name `k` of the key here is not; Entra's names are thumbprints.
    #[cfg(feature = "josekit")]
    if !serde_json::from_slice::<Value>(header).unwrap().as_object().unwrap().contains_key("x5t") {
        assert_eq!(josekit_reads(token).as_ref(), Some(&read), "josekit");
    }
    let _ = header;
    let date = |name: &str| read.get(name).map(|date| date.as_i64().unwrap());
    assert!(NOW < date("exp").unwrap() + 60 && date("nbf").is_none_or(|nbf| nbf <= NOW + 60));
    assert_eq!(read["tid"], TENANT);
}

fuzz_target!(|input: &[u8]| {
    let Some(line) = input.iter().position(|&byte| byte == b'\n') else { return };
    let segments = format!("{}.{}", base64url_encode(&input[..line]), base64url_encode(&input[line + 1..]));
    let signature = AUTHORITY.key.private_key().sign(Algorithm::Rs256, segments.as_bytes()).unwrap();
    judge(&format!("{segments}.{}", base64url_encode(&signature)), &input[..line]);
});
