//! Client assertions: the lenient reading never panics, and leniency does not reach the signature.

#![no_main]

use std::sync::LazyLock;

use countersign_token::assertion::{ClientAssertion, MAX_ASSERTION_BYTES};
use countersign_token::{Algorithm, PrivateKey, base64url_encode};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap());

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(assertion) = ClientAssertion::parse(text) else { return };
    assert!(text.len() <= MAX_ASSERTION_BYTES);
    assert!(!assertion.is_signed_by(KEY.public_key()), "nobody signed this");
    assert!(assertion.thumbprints().count() > 0 && assertion.thumbprints().all(|it| matches!(it.len(), 20 | 32)));
    assert!((1..=8).contains(&assertion.audiences().len()));
    // The bytes received are what is signed, however they were spelled.
    let segments = text.rsplit_once('.').unwrap().0;
    let signature = KEY.sign(assertion.algorithm(), segments.as_bytes()).unwrap();
    let signed = format!("{segments}.{}", base64url_encode(&signature));
    assert!(ClientAssertion::parse(&signed).is_ok_and(|it| it.is_signed_by(KEY.public_key())));
    let other = if assertion.algorithm() == Algorithm::Rs256 { Algorithm::Ps256 } else { Algorithm::Rs256 };
    let signature = KEY.sign(other, segments.as_bytes()).unwrap();
    let confused = format!("{segments}.{}", base64url_encode(&signature));
    assert!(!ClientAssertion::parse(&confused).is_ok_and(|it| it.is_signed_by(KEY.public_key())));
});
