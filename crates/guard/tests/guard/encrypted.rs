//! Encrypted tokens: taken where there are keys for them, and judged like every other once they are open.

use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey};
use countersign_guard::Guard;
use countersign_token::{DecryptionKey, DecryptionKeys, PrivateKey, base64url_encode};
use serde_json::json;

use crate::kit::token::{NOW, Token, attacker};
use crate::kit::{HOUR, builder, clock, guard, policy, status, verdict};

static KEY: LazyLock<PrivateDecryptingKey> =
    LazyLock::new(|| PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap());

fn keys() -> DecryptionKeys {
    let der: Pkcs8V1Der<'_> = KEY.as_der().unwrap();
    let key = PrivateKey::from_pkcs8_der(der.as_ref()).unwrap();
    DecryptionKeys::new(vec![DecryptionKey::without_certificate(&key, "encryption-2026").unwrap()]).unwrap()
}

/// What anybody can do who knows the public key (RSA-OAEP-256, A256GCM).
fn seal(content: &str) -> String {
    let header = json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "encryption-2026", "cty": "JWT"});
    let header = base64url_encode(header.to_string().as_bytes());
    let (mut key, mut iv) = ([0; 32], [0; 12]);
    rand::fill(&mut key).unwrap();
    rand::fill(&mut iv).unwrap();
    let public = OaepPublicEncryptingKey::new(KEY.public_key()).unwrap();
    let mut wrapped = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&OAEP_SHA256_MGF1SHA256, &key, &mut wrapped, None).unwrap();
    let mut text = content.as_bytes().to_vec();
    let sealing = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
    let nonce = Nonce::assume_unique_for_key(iv);
    let tag = sealing.seal_in_place_separate_tag(nonce, Aad::from(header.as_bytes()), &mut text).unwrap();
    let parts = [&*wrapped, &iv, &text, tag.as_ref()].map(base64url_encode);
    format!("{header}.{}", parts.join("."))
}

fn decrypting() -> Guard {
    builder(&policy(), &clock()).token_decryption(keys()).build()
}

#[tokio::test]
async fn an_encrypted_token_is_taken_where_there_is_a_key_for_it_and_nowhere_else() {
    let (guard_with, token) = (decrypting(), seal(&Token::app().sign()));
    // Twice, since the second time the verdict is known.
    for _ in 0..2 {
        assert_eq!(status(&guard_with, &token).await, 200);
        assert_eq!(verdict(&guard_with, &token).await, "accepted");
    }
    assert_eq!(guard_with.verifier().cached().0, 1, "found again by the text that was sent");
    assert_eq!(status(&guard_with, &Token::app().sign()).await, 200, "others are taken as before");
    assert_eq!(verdict(&guard(), &token).await, "not_compact_jws", "off unless there are keys");
}

#[tokio::test]
async fn a56_what_is_inside_is_judged_like_every_token() {
    let guard = decrypting();
    let unsigned = base64url_encode(br#"{"alg":"none"}"#);
    for (inside, code) in [
        (Token::app().claim("exp", NOW - 61).sign(), "expired"),
        (Token::app().claim("roles", json!(["Other"])).sign(), "role_missing"),
        (Token::app().signed_by(attacker()).sign(), "signature_invalid"),
        (format!("{unsigned}.{}.", base64url_encode(Token::app().claims.to_string().as_bytes())), "not_compact_jws"),
        (Token::app().claims.to_string(), "not_compact_jws"),
        (seal(&Token::app().sign()), "not_compact_jws"),
        (String::new(), "not_compact_jwe"),
    ] {
        for _ in 0..2 {
            assert_eq!(verdict(&guard, &seal(&inside)).await, code, "{inside:.60}");
        }
    }
    let mut altered = seal(&Token::app().sign()).into_bytes();
    let last = altered.len() - 1;
    altered[last] = if altered[last] == b'A' { b'Q' } else { b'A' };
    assert_eq!(verdict(&guard, &String::from_utf8(altered).unwrap()).await, "decryption_failed");
}

#[tokio::test]
async fn a102_an_encrypted_token_ends_with_the_token_inside() {
    let clock = clock();
    let guard = builder(&policy(), &clock).token_decryption(keys()).build();
    let token = seal(&Token::app().sign());
    assert_eq!(status(&guard, &token).await, 200);
    clock.advance(2 * HOUR);
    assert_eq!(status(&guard, &token).await, 401);
    assert_eq!(verdict(&guard, &token).await, "expired");
}
