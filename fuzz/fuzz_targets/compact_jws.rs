//! Access tokens. An input with dots is a whole token and must be refused, since nobody could sign it. An input of two
//! lines is a header and a payload that the authority signs, so that claims are reached; what is then accepted must
//! carry what the policy asks for.

#![no_main]

use std::sync::LazyLock;

use countersign_token::{Algorithm, KeySet, Policy, SigningKey, Timestamp, Validator, base64url_encode, verify};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);
const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";

struct Authority {
    key: SigningKey,
    keys: KeySet,
    validator: Validator,
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let key = SigningKey::from_pkcs8_der("k", &SigningKey::generate_pkcs8().unwrap()).unwrap();
    let public = key.private_key().public_key();
    let keys = serde_json::json!({"keys": [{
        "kty": "RSA", "kid": "k", "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent())
    }]});
    let policy: Policy = serde_json::from_value(serde_json::json!({
        "tenants": [TENANT],
        "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"],
        "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11", "api://demo"],
        "app_roles": ["Resource.Read"], "scopes": ["access_as_user"]
    }))
    .unwrap();
    Authority { keys: KeySet::parse(keys.to_string().as_bytes()).unwrap(), validator: policy.compile().unwrap(), key }
});

fn judge(token: &str) -> bool {
    let Ok(verified) = verify(token, &AUTHORITY.keys, &AUTHORITY.validator, NOW) else { return false };
    assert_eq!(verified.tenant().to_string(), TENANT);
    assert!(verified.issuer().contains(TENANT));
    assert!(matches!(verified.audience(), "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11" | "api://demo"));
    assert!(verified.expires_at().0 + 60 > NOW.as_unix_seconds());
    assert!(verified.roles().any(|role| role == "Resource.Read") || verified.scopes().any(|it| it == "access_as_user"));
    assert_eq!(verified.claim("tid").unwrap(), TENANT);
    true
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        assert!(!judge(text), "nobody signed this");
    }
    let Some(line) = input.iter().position(|&byte| byte == b'\n') else { return };
    let segments = format!("{}.{}", base64url_encode(&input[..line]), base64url_encode(&input[line + 1..]));
    let signature = AUTHORITY.key.private_key().sign(Algorithm::Rs256, segments.as_bytes()).unwrap();
    judge(&format!("{segments}.{}", base64url_encode(&signature)));
});
