//! Whatever a forger changes, the answer is the same one: [`Rejection::DecryptionFailed`] says neither whether the key
//! opened, nor whether the tag or the padding was wrong (RFC 7516 §11.5).

use countersign_token::{PublicKey, Rejection, base64url_decode_strict, base64url_encode};

use crate::kit::Kit;
use crate::kit::encrypt::{ALGORITHMS, ENCRYPTIONS, Envelope};
use crate::{decrypts, envelope, own, own_keys, refused, stranger};

const FAILED: Rejection = Rejection::DecryptionFailed;

fn parts(envelope: &Envelope) -> [String; 5] {
    envelope.parts(envelope.header.to_string(), "a.b.c")
}

/// Changes the bytes of one segment.
fn altered(parts: &[String; 5], index: usize, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = base64url_decode_strict(&parts[index]).unwrap();
    change(&mut bytes);
    let mut parts = parts.clone();
    parts[index] = base64url_encode(&bytes);
    parts.join(".")
}

#[test]
fn every_part_is_authenticated_in_every_mode() {
    for algorithm in ALGORITHMS {
        for encryption in ENCRYPTIONS {
            let parts = parts(&own().envelope(algorithm, encryption));
            decrypts(&parts.join("."), "a.b.c");
            for index in 1..5 {
                refused(&altered(&parts, index, |bytes| bytes[0] ^= 0x80), FAILED);
                refused(&altered(&parts, index, |bytes| *bytes.last_mut().unwrap() ^= 1), FAILED);
                refused(&altered(&parts, index, |bytes| bytes.fill(0)), FAILED);
            }
        }
    }
}

#[test]
fn the_header_is_authenticated_as_it_was_written() {
    for encryption in ENCRYPTIONS {
        let envelope = own().envelope("RSA-OAEP", encryption);
        let mut parts = parts(&envelope);
        for header in [
            format!("{} ", envelope.header),
            envelope.header.to_string().replace(':', ": "),
            envelope.clone().header("x", 1).header.to_string(),
            envelope.clone().without_header("typ").header.to_string(),
            envelope.clone().header("cty", "JWT").header.to_string(),
            envelope.clone().header("kid", own().certificate.key_id()).header.to_string(),
        ] {
            parts[0] = base64url_encode(header.as_bytes());
            refused(&parts.join("."), FAILED);
        }
    }
}

#[test]
fn parts_of_two_tokens_do_not_mix() {
    for encryption in ENCRYPTIONS {
        let [one, two] = [0, 1].map(|_| parts(&own().envelope("RSA-OAEP", encryption)));
        for index in 1..5 {
            let mut mixed = one.clone();
            mixed[index].clone_from(&two[index]);
            refused(&mixed.join("."), FAILED);
        }
    }
}

#[test]
fn bleichenbacher_an_encrypted_key_that_does_not_open_fails_as_a_wrong_tag_does() {
    let modulus = own().private_key.public_key().modulus();
    let mut below = modulus.to_vec();
    *below.last_mut().unwrap() -= 1;
    let one = [vec![0; modulus.len() - 1], vec![1]].concat();
    for algorithm in ALGORITHMS {
        for encryption in ENCRYPTIONS {
            let parts = parts(&own().envelope(algorithm, encryption));
            // Numbers whose powers are known, numbers that are none modulo n, and noise.
            for number in
                [vec![0; modulus.len()], one.clone(), below.clone(), modulus.to_vec(), vec![0xff; modulus.len()]]
            {
                refused(&altered(&parts, 1, |bytes| *bytes = number), FAILED);
            }
            for round in 0..8 {
                refused(&altered(&parts, 1, |bytes| bytes[round] ^= 0x55), FAILED);
            }
        }
    }
}

#[test]
fn a_content_key_of_another_length_fails_as_a_wrong_tag_does() {
    for algorithm in ALGORITHMS {
        for encryption in ENCRYPTIONS {
            let envelope = own().envelope(algorithm, encryption);
            let mut parts = parts(&envelope);
            for length in [0, 1, 15, 16, 24, 31, 32, 33, 48, 64, 65, 128] {
                parts[1] = envelope.wrap(&vec![0; length]);
                refused(&parts.join("."), FAILED);
            }
        }
    }
}

#[test]
fn a_content_key_encrypted_with_the_other_hash_does_not_open() {
    refused(&own().envelope("RSA-OAEP", "A128GCM").wrapped_as("RSA-OAEP-256").seal("a.b.c"), FAILED);
    refused(&own().envelope("RSA-OAEP-256", "A128GCM").wrapped_as("RSA-OAEP").seal("a.b.c"), FAILED);
}

#[test]
fn a_token_for_somebody_else_does_not_open() {
    for encryption in ENCRYPTIONS {
        refused(&stranger().envelope("RSA-OAEP", encryption).seal(Kit::v2_app().token()), FAILED);
    }
}

#[test]
fn vaudenay_no_last_byte_tells_anything() {
    let envelope = own().envelope("RSA-OAEP", "A128CBC-HS256");
    let parts = envelope.parts(envelope.header.to_string(), "x".repeat(20));
    for byte in 1..=255 {
        // The last byte of the first block decides about the last byte of the padding.
        refused(&altered(&parts, 3, |bytes| bytes[15] ^= byte), FAILED);
    }
}

#[test]
fn content_that_is_authentic_but_wrongly_padded_does_not_open() {
    let block = |last: &[u8]| {
        let mut block = vec![b'x'; 16 - last.len()];
        block.extend(last);
        block
    };
    for encryption in ["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"] {
        let envelope = own().envelope("RSA-OAEP", encryption).unpadded();
        for padding in [&[0][..], &[17], &[255], &[1, 2], &[2, 3, 3], &[4, 4, 3, 4], &[0; 16], &[17; 16]] {
            refused(&envelope.seal(block(padding)), FAILED);
        }
        decrypts(&envelope.seal(block(&[2, 2])), &"x".repeat(14));
    }
}

#[test]
fn a_tag_cut_short_is_a_wrong_length_and_never_a_match() {
    for (encryption, full) in [("A128CBC-HS256", 16), ("A256CBC-HS512", 32), ("A128GCM", 16), ("A256GCM", 16)] {
        let parts = parts(&own().envelope("RSA-OAEP", encryption));
        for length in [1, 4, 8, 12, full - 1] {
            let jwe = altered(&parts, 4, |bytes| bytes.truncate(length));
            refused(&jwe, Rejection::EncryptionLength("authentication tag"));
        }
    }
}

#[test]
fn the_length_of_the_header_counts_in_the_tag() {
    // Moves a block's worth of bytes from the header's end to the vector, keeping what the HMAC reads in one row: without
    // AL both would have the same tag (RFC 7518 §5.2.2.1, step 4). The shorter header must be one as well.
    let envelope = own().envelope("RSA-OAEP", "A128CBC-HS256");
    let short = r#"{"alg":"RSA-OAEP","enc":"A128CBC-HS256"}  "#;
    let long = format!("{short}{}", " ".repeat(12));
    let parts = envelope.parts(&long, "x".repeat(40));
    let [protected, encrypted_key, vector, ciphertext, tag] = &parts;
    let (head, moved) = protected.split_at(protected.len() - 16);
    let vector = base64url_decode_strict(vector).unwrap();
    let ciphertext = base64url_decode_strict(ciphertext).unwrap();
    let shifted = [
        head.to_owned(),
        encrypted_key.clone(),
        base64url_encode(moved.as_bytes()),
        base64url_encode(&[vector, ciphertext].concat()),
        tag.clone(),
    ];
    assert_eq!(head, base64url_encode(short.as_bytes()));
    decrypts(&parts.join("."), &"x".repeat(40));
    refused(&shifted.join("."), FAILED);
}

#[test]
fn a_longer_modulus_works_and_its_encrypted_key_has_its_own_length() {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa3072).unwrap();
    let der = aws_lc_rs::encoding::AsDer::as_der(&pair).unwrap();
    let private_key = countersign_token::PrivateKey::from_pkcs8_der(der.as_ref()).unwrap();
    let key = || countersign_token::DecryptionKey::without_certificate(&private_key, "long").unwrap();
    let keys = |keys| countersign_token::DecryptionKeys::new(keys).unwrap();
    let public: &PublicKey = private_key.public_key();
    let jwe = Envelope::new("RSA-OAEP-256", "A256GCM", public).seal("a.b.c");
    assert_eq!(keys(vec![key()]).decrypt(&jwe).unwrap().as_str(), "a.b.c");
    // Among keys of several lengths, only those that the length leaves are tried.
    assert_eq!(keys(vec![own().key(), key()]).decrypt(&jwe).unwrap().as_str(), "a.b.c");
    assert_eq!(keys(vec![key(), own().key()]).decrypt(&envelope().seal("a.b.c")).unwrap().as_str(), "a.b.c");
    assert_eq!(own_keys().decrypt(&jwe).unwrap_err(), Rejection::EncryptionLength("encrypted key"));
}
