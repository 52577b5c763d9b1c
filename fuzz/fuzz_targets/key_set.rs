//! Key sets: whatever is published, only sound keys get in, and joining sets frees no key of what was said about it.

#![no_main]

use countersign_token::{KeySet, MAX_KEYS, VerificationKey, base64url_encode, parse_strict_object};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Whether this is what a published key says of itself.
fn is_published(jwk: &Value, key: &VerificationKey) -> bool {
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let verifies = |ops: &Value| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"));
    jwk["kty"] == "RSA"
        && jwk["kid"] == key.key_id()
        && jwk["n"] == base64url_encode(key.public_key().modulus())
        && jwk["e"] == base64url_encode(key.public_key().exponent())
        && jwk.get("issuer").and_then(Value::as_str) == key.issuer()
        && jwk.get("use").is_none_or(|usage| usage == "sig")
        && jwk.get("key_ops").is_none_or(verifies)
        && private.iter().all(|name| jwk.get(name).is_none())
}

fuzz_target!(|input: &[u8]| {
    let Ok(set) = KeySet::parse(input) else { return };
    assert!(set.len() <= MAX_KEYS);
    let document = parse_strict_object(std::str::from_utf8(input).unwrap()).unwrap();
    let published = document["keys"].as_array().unwrap();
    for key in set.keys() {
        assert!(published.iter().any(|jwk| is_published(jwk, key)));
        assert!((256..=1024).contains(&key.public_key().modulus().len()));
        assert!(!key.key_id().is_empty() && key.key_id().len() <= 128);
        assert!(set.find(key.key_id()).unwrap().public_key().same_key(key.public_key()));
    }
    for skipped in set.skipped() {
        assert!(skipped.key_id.as_ref().is_none_or(|id| id.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
    }
    assert!(set.for_cloud("microsoftonline.com").len() <= set.len());
    let union = set.union(&set);
    assert!(union.key_ids().eq(set.key_ids()));
    assert!(union.keys().zip(set.keys()).all(|(one, other)| one.issuer() == other.issuer()));
});
