//! A99, A103 and A105: what is refused unread, what an error may say, and which of two faults it names.

use countersign_token::{MAX_TOKEN_BYTES, Rejection, UnverifiedJws, base64url_encode};
use serde_json::json;

use crate::kit::{GENUINE_KID, Kit, OBJECT, attacker, genuine, segments};

#[test]
fn a99_oversized_tokens_and_headers() {
    let kit = Kit::v2_app();
    kit.clone().claim("x", "x".repeat(1_000_000)).refused(Rejection::TooLarge);
    kit.clone().header("x", "x".repeat(1_000_000)).refused(Rejection::TooLarge);
    kit.refuses(&"A".repeat(1_000_000), Rejection::TooLarge);
    // A word too many is no token; more of this is the guard's.
    kit.refuses(&format!("Bearer {}", kit.token()), Rejection::Base64("header"));
}

#[test]
fn a99_the_bounds_are_exact() {
    let kit = Kit::v2_app();
    let filled = |length: usize| kit.clone().claim("x", "x".repeat(length)).token();
    let room = MAX_TOKEN_BYTES - filled(0).len();
    let fits = (0..8).map(|less| filled(room * 3 / 4 - less)).find(|token| token.len() <= MAX_TOKEN_BYTES).unwrap();
    assert!(fits.len() > MAX_TOKEN_BYTES - 8);
    assert!(kit.judge(&fits).is_ok());
    kit.refuses(&format!("{fits}{}", "A".repeat(MAX_TOKEN_BYTES + 1 - fits.len())), Rejection::TooLarge);
    let header = |length: usize| kit.clone().header("x", "x".repeat(length)).token();
    let room = (2_048 - segments(&header(0)).0.len()) * 3 / 4;
    let fits = (0..8).map(|less| header(room - less)).find(|token| segments(token).0.len() <= 2_048).unwrap();
    assert!(kit.judge(&fits).is_ok());
    kit.refuses(&header(room + 8), Rejection::TooLarge);
}

#[test]
fn a103_an_error_shows_nothing_of_token_or_key() {
    let kit = Kit::v2_app();
    let token = kit.token();
    let (header, payload, signature) = segments(&token);
    let modulus = base64url_encode(genuine().private_key().public_key().modulus());
    let refusals = [
        kit.clone().signed_by(attacker()).token(),
        kit.clone().claim("aud", "api://other").token(),
        kit.clone().claim("roles", json!(["Other.Role"])).token(),
        kit.clone().header("kid", "other-kid").token(),
        format!("{header}.{payload}.{}", &signature[..100]),
    ]
    .map(|token| kit.judge(&token).map(|_| ()).unwrap_err());
    for refusal in refusals {
        let text = format!("{refusal} {refusal:?} {} {:?}", refusal.code(), refusal.subject());
        for secret in
            [&signature[..16], &payload[..16], &modulus[..16], OBJECT, "api://other", "Other.Role", "other-kid"]
        {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn a103_debug_shows_no_credential() {
    let kit = Kit::v2_user();
    let token = kit.token();
    let (header, payload, signature) = segments(&token);
    let unverified = format!("{:?}", UnverifiedJws::parse(&token).unwrap());
    let verified = format!("{:?}", kit.judge(&token).unwrap());
    for text in [&unverified, &verified] {
        for secret in [&header[..24], &payload[..24], &signature[..24], "ada@contoso.com", "Ada"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(unverified.contains(GENUINE_KID) && verified.contains("uti"), "{unverified} {verified}");
}

#[test]
fn a105_of_two_faults_the_signature_is_named() {
    let expired = Kit::v2_app().claim("exp", 1);
    expired.refused(Rejection::Expired);
    expired.clone().signed_by(attacker()).refused(Rejection::SignatureInvalid);
    for kit in [
        expired.claim("aud", "api://other").claim("iss", "https://attacker.example/"),
        Kit::v2_app().without("roles").without("tid"),
        Kit::v2_app().claim("exp", "never"),
    ] {
        kit.signed_by(attacker()).refused(Rejection::SignatureInvalid);
    }
    let kit = Kit::v2_app().signed_by(attacker());
    kit.refuses_payload("no JSON", Rejection::SignatureInvalid);
    kit.refuses(
        &kit.token_over(&base64url_encode(kit.header.to_string().as_bytes()), "A"),
        Rejection::SignatureInvalid,
    );
}

#[test]
fn a105_whose_token_it_is_comes_before_what_it_may_do() {
    let kit = Kit::v2_app().without("roles").policy("clients", json!([])).policy("kinds", json!([]));
    kit.clone().claim("exp", 1).refused(Rejection::Expired);
    kit.clone().claim("aud", "api://other").refused(Rejection::AudienceMismatch);
    kit.refused(Rejection::ClientNotAllowed);
}
