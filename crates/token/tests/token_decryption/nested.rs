//! A56 to A58: encryption proves nothing, so what comes out is refused by verification unless the authority signed it.

use countersign_token::{PublicKey, Rejection, authenticate, base64url_encode};
use serde_json::json;

use crate::kit::encrypt::{ALGORITHMS, Envelope};
use crate::kit::{GENUINE_KID, Kit, NOW, attacker, genuine, key_set};
use crate::{envelope, own_keys, refused};

/// Encrypts, decrypts, and lets [`authenticate`] judge, as a guard would.
fn verdict(content: &str) -> Result<(), Rejection> {
    let kit = Kit::v2_app();
    let policy: countersign_token::Policy = serde_json::from_value(kit.policy.clone()).unwrap();
    let decrypted = own_keys().decrypt(&envelope().seal(content)).unwrap();
    assert_eq!(decrypted.as_str(), content);
    let now = countersign_token::Timestamp::from_unix_seconds(NOW);
    authenticate(decrypted.as_str(), &key_set(&kit.keys), &policy.compile().unwrap(), now).map(|_| ())
}

#[test]
fn a56_an_encrypted_token_is_as_good_as_the_signature_inside() {
    let kit = Kit::v2_app();
    assert_eq!(verdict(&kit.token()), Ok(()));
    let claims = kit.claims.to_string();
    let payload = base64url_encode(claims.as_bytes());
    let none = base64url_encode(json!({"typ": "JWT", "alg": "none", "kid": GENUINE_KID}).to_string().as_bytes());
    // No signature, with and without the trailing dot; alg none with a signature that is there; the bare claim set.
    assert_eq!(verdict(&format!("{none}.{payload}.")), Err(Rejection::NotCompactJws));
    assert_eq!(verdict(&format!("{none}.{payload}")), Err(Rejection::NotCompactJws));
    assert_eq!(verdict(&format!("{none}.{payload}.AAAA")), Err(Rejection::AlgorithmNotAllowed));
    assert_eq!(verdict(&claims), Err(Rejection::NotCompactJws));
    assert_eq!(verdict(&payload), Err(Rejection::NotCompactJws));
    // Somebody else's signature, and one that was cut off.
    assert_eq!(verdict(&kit.clone().signed_by(attacker()).token()), Err(Rejection::SignatureInvalid));
    let token = kit.token();
    let unsigned = format!("{}.", &token[..token.rfind('.').unwrap()]);
    assert_eq!(verdict(&unsigned), Err(Rejection::NotCompactJws));
    // Another API's token, genuine.
    assert_eq!(verdict(&kit.claim("aud", "api://other").token()), Err(Rejection::AudienceMismatch));
}

#[test]
fn a56_an_envelope_to_the_authoritys_public_signing_key() {
    // What CVE-2026-29000 did: the one public key that everybody knows serves as the recipient's.
    let kit = Kit::v2_app();
    let to: &PublicKey = genuine().private_key().public_key();
    let none = format!("{}.{}.", base64url_encode(br#"{"alg":"none"}"#), base64url_encode(b"{}"));
    for content in [kit.claims.to_string(), none, kit.token()] {
        for algorithm in ALGORITHMS {
            let envelope = Envelope::new(algorithm, "A256GCM", to);
            refused(&envelope.seal(&content), Rejection::DecryptionFailed);
            let named = envelope.header("kid", GENUINE_KID).seal(&content);
            refused(&named, Rejection::DecryptionKeyUnknown);
            // Where nobody decrypts, it is no token at all.
            kit.refuses(&named, Rejection::NotCompactJws);
        }
    }
}

#[test]
fn a57_compression_and_iteration_counts_cost_nothing() {
    for value in ["DEF", "GZ", ""] {
        refused(&envelope().header("zip", value).seal("a.b.c"), Rejection::HeaderUnsupported("zip"));
    }
    refused(&envelope().header("zip", json!(null)).seal("a.b.c"), Rejection::HeaderUnsupported("zip"));
    // A derivation of 2^64 rounds would not come back.
    for algorithm in ["PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"] {
        let envelope = envelope().header("alg", algorithm).header("p2s", "AAAAAAAAAAA").header("p2c", u64::MAX);
        refused(&envelope.seal("a.b.c"), Rejection::EncryptionNotAllowed("alg"));
    }
}

#[test]
fn a58_envelopes_in_envelopes() {
    let token = Kit::v2_app().token();
    let inner = envelope().seal(&token);
    assert_eq!(verdict(&inner), Err(Rejection::NotCompactJws));
    // One envelope is opened, not two: the text is the inner one's, and decrypting goes no further by itself.
    let twice = envelope().header("cty", "JWT").seal(&inner);
    assert_eq!(own_keys().decrypt(&twice).unwrap().as_str(), inner);
    // A signed token whose header says that another is inside.
    let nested = Kit::v2_app().header("cty", "JWT");
    assert_eq!(verdict(&nested.token()), Err(Rejection::HeaderUnsupported("cty")));
    assert_eq!(verdict(&nested.token_of(nested.header.to_string(), &token)), Err(Rejection::HeaderUnsupported("cty")));
    let plain = Kit::v2_app();
    assert_eq!(verdict(&plain.token_of(plain.header.to_string(), &token)), Err(Rejection::ClaimsMalformed));
}

#[test]
fn a56_the_header_of_the_envelope_is_no_claim_and_no_algorithm_inside() {
    // RFC 7519 §5.3 lets a header repeat claims: nobody reads them.
    let jwe = envelope().header("aud", "api://other").header("iss", "x").header("tid", "x").seal(Kit::v2_app().token());
    assert!(Kit::v2_app().judge(own_keys().decrypt(&jwe).unwrap().as_str()).is_ok());
    // A JWS header in the place of a JWE header, and the reverse.
    let signed = envelope().seal_under(json!({"typ": "JWT", "alg": "RS256", "kid": GENUINE_KID}).to_string(), "a.b.c");
    refused(&signed, Rejection::HeaderMalformed);
    let kit = Kit::v2_app().header("alg", "RSA-OAEP").header("enc", "A256GCM");
    assert_eq!(verdict(&kit.token()), Err(Rejection::HeaderUnsupported("enc")));
    assert_eq!(verdict(&Kit::v2_app().header("alg", "RSA-OAEP").token()), Err(Rejection::AlgorithmNotAllowed));
}
