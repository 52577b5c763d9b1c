//! One encrypted token has one spelling, and a bounded length.

use countersign_token::{MAX_ENCRYPTED_TOKEN_BYTES, MAX_TOKEN_BYTES, Rejection, base64url_encode};

use crate::kit::Kit;
use crate::{envelope, own, refused};

const NAMES: [&str; 5] = ["header", "encrypted key", "initialization vector", "ciphertext", "authentication tag"];

fn parts() -> [String; 5] {
    envelope().parts(envelope().header.to_string(), "a.b.c")
}

/// Spoils each segment and expects the refusal that names it.
#[track_caller]
fn each_segment(spoil: impl Fn(&str) -> String) {
    for (index, name) in NAMES.into_iter().enumerate() {
        let mut parts = parts();
        parts[index] = spoil(&parts[index]);
        refused(&parts.join("."), Rejection::Base64(name));
    }
}

#[test]
fn a47_a48_a49_a51_only_canonical_base64url_is_read() {
    each_segment(|segment| format!("{segment}="));
    each_segment(|segment| format!("{segment}\n"));
    each_segment(|segment| format!(" {segment}"));
    each_segment(|segment| format!("{}+{}", &segment[..8], &segment[9..]));
    each_segment(|segment| format!("{}\0{}", &segment[..8], &segment[9..]));
    each_segment(|segment| format!("{}\u{e9}{}", &segment[..8], &segment[9..]));
}

#[test]
fn a50_a_second_spelling_of_the_same_bytes() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // 256, 16, 16 and 32 bytes, none of them divisible by three, so that the last letter has unused bits.
    for index in 1..5 {
        let mut parts = parts();
        let last = parts[index].pop().unwrap();
        let place = ALPHABET.iter().position(|&letter| char::from(letter) == last).unwrap();
        parts[index].push(char::from(ALPHABET[place | 1]));
        refused(&parts.join("."), Rejection::Base64(NAMES[index]));
    }
}

#[test]
fn a52_a53_other_numbers_of_segments_and_empty_ones() {
    let parts = parts();
    for count in 0..5 {
        refused(&parts[..count].join("."), Rejection::NotCompactJwe);
    }
    let jwe = parts.join(".");
    for form in [format!("{jwe}."), format!(".{jwe}"), format!("{jwe}.AAAA"), "....".to_owned(), ".".repeat(20_000)] {
        refused(&form, Rejection::NotCompactJwe);
    }
    for index in 0..5 {
        let mut parts = parts.clone();
        parts[index].clear();
        refused(&parts.join("."), Rejection::NotCompactJwe);
    }
    refused(&Kit::v2_app().token(), Rejection::NotCompactJwe);
}

#[test]
fn a55_json_serialisations() {
    let [protected, encrypted_key, iv, ciphertext, tag] = parts();
    let json = serde_json::json!({
        "protected": protected, "encrypted_key": encrypted_key, "iv": iv, "ciphertext": ciphertext, "tag": tag
    });
    refused(&json.to_string(), Rejection::NotCompactJwe);
}

#[test]
fn a99_what_is_too_long_is_refused_unread() {
    refused(&"A".repeat(1_000_000), Rejection::TooLarge);
    refused(&".".repeat(1_000_000), Rejection::TooLarge);
    let filled = format!("{}.{}", parts()[..4].join("."), "A".repeat(MAX_ENCRYPTED_TOKEN_BYTES));
    refused(&filled[..MAX_ENCRYPTED_TOKEN_BYTES + 1], Rejection::TooLarge);
    assert_ne!(crate::own_keys().decrypt(&filled[..MAX_ENCRYPTED_TOKEN_BYTES]).unwrap_err(), Rejection::TooLarge);
    refused(&envelope().header("x", "x".repeat(1_600)).seal("a.b.c"), Rejection::TooLarge);
    for encryption in ["A128GCM", "A128CBC-HS256"] {
        refused(&own().envelope("RSA-OAEP", encryption).seal("x".repeat(MAX_TOKEN_BYTES + 1)), Rejection::TooLarge);
    }
}

#[test]
fn lengths_are_exact() {
    let spoiled = |encryption: &'static str, index: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let envelope = own().envelope("RSA-OAEP", encryption);
        let mut parts = envelope.parts(envelope.header.to_string(), "a.b.c");
        let mut bytes = countersign_token::base64url_decode_strict(&parts[index]).unwrap();
        change(&mut bytes);
        parts[index] = base64url_encode(&bytes);
        refused(&parts.join("."), Rejection::EncryptionLength(NAMES[index]));
    };
    for encryption in ["A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"] {
        for index in [1, 2, 4] {
            spoiled(encryption, index, &|bytes| bytes.truncate(bytes.len() - 1));
            spoiled(encryption, index, &|bytes| bytes.push(0));
            spoiled(encryption, index, &|bytes| bytes.insert(0, 0));
            spoiled(encryption, index, &|bytes| bytes.truncate(1));
            spoiled(encryption, index, &|bytes| bytes.extend(bytes.clone()));
        }
    }
    spoiled("A128CBC-HS256", 3, &|bytes| bytes.truncate(bytes.len() - 1));
    spoiled("A256CBC-HS512", 3, &|bytes| bytes.push(0));
}

#[test]
fn content_that_is_no_ascii_text_is_no_token() {
    for content in ["a.b.\u{e9}".as_bytes(), b"a.b.\xff", b"\x80"] {
        refused(&envelope().seal(content), Rejection::NotCompactJws);
    }
}
