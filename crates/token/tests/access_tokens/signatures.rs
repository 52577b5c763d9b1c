//! A40 to A42 and A46: one message, one signature, of one length.

use countersign_token::{Rejection, base64url_decode_strict, base64url_encode};
use num_bigint::BigUint;

use crate::kit::forge::{RawKey, token_with};
use crate::kit::{API, Kit, attacker, genuine_pkcs8, segments};

const INVALID: Rejection = Rejection::SignatureInvalid;

/// The kit, its signing input and its genuine signature.
fn parts() -> (Kit, String, Vec<u8>) {
    let kit = Kit::v2_app();
    let token = kit.token();
    let (input, signature) = token.rsplit_once('.').unwrap();
    (kit, input.to_owned(), base64url_decode_strict(signature).unwrap())
}

#[test]
fn a40_signature_truncated_extended_doubled_or_empty() {
    let (kit, input, signature) = parts();
    kit.refuses(&token_with(&input, &signature[..255]), INVALID);
    kit.refuses(&token_with(&input, &signature[1..]), INVALID);
    kit.refuses(&token_with(&input, &signature[..1]), INVALID);
    kit.refuses(&token_with(&input, &[signature.as_slice(), &[0]].concat()), INVALID);
    kit.refuses(&token_with(&input, &[signature.as_slice(), &signature].concat()), INVALID);
    kit.refuses(&format!("{input}."), Rejection::NotCompactJws);
    assert!(kit.judge(&token_with(&input, &signature)).is_ok());
}

#[test]
fn a41_signature_with_a_leading_zero_stripped_or_added() {
    let (kit, input, signature) = parts();
    kit.refuses(&token_with(&input, &[&[0], signature.as_slice()].concat()), INVALID);
    // About one signature in 256 begins with a zero byte.
    let (token, signature) = (0..)
        .map(|number| kit.clone().claim("uti", number).claim("uti", number.to_string()).token())
        .map(|token| (base64url_decode_strict(segments(&token).2).unwrap(), token))
        .find_map(|(signature, token)| (signature[0] == 0).then_some((token, signature)))
        .unwrap();
    assert!(kit.judge(&token).is_ok());
    let (input, _) = token.rsplit_once('.').unwrap();
    kit.refuses(&token_with(input, &signature[1..]), INVALID);
}

#[test]
fn a42_signatures_that_are_special_numbers() {
    let (kit, input, signature) = parts();
    let key = RawKey::from_pkcs8(genuine_pkcs8());
    let s = BigUint::from_bytes_be(&signature);
    let zero = BigUint::ZERO;
    let one = BigUint::from(1_u8);
    for number in [&zero, &one, &(&key.n - &one), &key.n, &(&key.n + &one), &(&key.n - &s)] {
        kit.refuses(&token_with(&input, &key.bytes(number)), INVALID);
    }
    // s + n verifies wherever the range of s is not checked.
    kit.refuses(&token_with(&input, &key.bytes(&(&s + &key.n))), INVALID);
}

#[test]
fn a42_a_signature_that_is_not_reduced_but_fits() {
    let kit = Kit::v2_app();
    let key = RawKey::from_pkcs8(genuine_pkcs8());
    // s + n must fit into 2048 bits: n has its top bit set, so s must be small. That takes about a dozen tries, or
    // some thousand for a modulus close to 2^2048.
    let token = (0..).map(|number: u32| kit.clone().claim("uti", number.to_string()).token()).find_map(|token| {
        let (input, signature) = token.rsplit_once('.').unwrap();
        let sum = BigUint::from_bytes_be(&base64url_decode_strict(signature).unwrap()) + &key.n;
        (sum.bits() == 2048).then(|| token_with(input, &sum.to_bytes_be()))
    });
    kit.refuses(&token.unwrap(), INVALID);
}

#[test]
fn a46_payload_or_header_changed_after_signing() {
    let kit = Kit::v2_app();
    let token = kit.token();
    let (header, payload, signature) = segments(&token);
    let payload_of = |kit: &Kit| base64url_encode(kit.claims.to_string().as_bytes());
    for altered in [
        payload_of(&kit.clone().claim("roles", vec!["Resource.Read", "Resource.Write"])),
        payload_of(&kit.clone().claim("exp", kit.now + 999_999)),
        payload_of(&kit.clone().claim("aud", format!("{API} "))),
        base64url_encode(format!("{} ", kit.claims).as_bytes()),
        base64url_encode(b"{}"),
        base64url_encode(b"no JSON"),
        "A".to_owned(),
    ] {
        kit.refuses(&format!("{header}.{altered}.{signature}"), INVALID);
    }
    for altered in [kit.clone().without_header("typ"), kit.clone().header("x5t", kit.header["kid"].clone())] {
        let header = base64url_encode(altered.header.to_string().as_bytes());
        kit.refuses(&format!("{header}.{payload}.{signature}"), INVALID);
    }
}

#[test]
fn a46_the_signature_of_another_token() {
    let kit = Kit::v2_app();
    let token = kit.token();
    let (input, _) = token.rsplit_once('.').unwrap();
    let other = kit.clone().claim("uti", "another").token();
    kit.refuses(&format!("{input}.{}", segments(&other).2), INVALID);
    let foreign = kit.clone().signed_by(attacker()).token();
    kit.refuses(&format!("{input}.{}", segments(&foreign).2), INVALID);
}
