//! What decrypts, and that verification goes on from there.

use countersign_token::{MAX_ENCRYPTED_TOKEN_BYTES, MAX_TOKEN_BYTES, is_encrypted};

use crate::kit::encrypt::{ALGORITHMS, ENCRYPTIONS};
use crate::kit::{CLIENT, Kit};
use crate::{decrypts, envelope, own, own_keys};

#[test]
fn every_algorithm_decrypts_to_a_token_that_verifies() {
    for kit in [Kit::v2_app(), Kit::v1_user()] {
        let token = kit.token();
        for algorithm in ALGORITHMS {
            for encryption in ENCRYPTIONS {
                let jwe = own().envelope(algorithm, encryption).seal(&token);
                assert!(is_encrypted(&jwe) && !is_encrypted(&token));
                let decrypted = own_keys().decrypt(&jwe).unwrap();
                assert_eq!(decrypted.as_str(), token, "{algorithm}, {encryption}");
                assert_eq!(kit.judge(decrypted.as_str()).unwrap().client().to_string(), CLIENT);
            }
        }
    }
}

#[test]
fn every_length_of_the_last_block_decrypts() {
    for encryption in ENCRYPTIONS {
        for length in 1..=33 {
            let text = "x".repeat(length);
            decrypts(&own().envelope("RSA-OAEP", encryption).seal(&text), &text);
        }
    }
}

#[test]
fn typ_and_cty_may_say_jwt_or_nothing() {
    decrypts(&envelope().seal("a.b.c"), "a.b.c");
    decrypts(&envelope().without_header("typ").seal("a.b.c"), "a.b.c");
    decrypts(&envelope().header("cty", "JWT").seal("a.b.c"), "a.b.c");
}

#[test]
fn members_that_mean_nothing_here_are_passed_over() {
    decrypts(&envelope().header("iss", "x").header("p2c", 1_000_000_000).seal("a.b.c"), "a.b.c");
    decrypts(&envelope().seal_under(r#" {"enc":"A256CBC-HS512", "alg":"RSA\u002dOAEP"} "#, "a.b.c"), "a.b.c");
}

#[test]
fn the_longest_token_still_fits() {
    let text = "x".repeat(MAX_TOKEN_BYTES);
    for encryption in ENCRYPTIONS {
        let jwe = own().envelope("RSA-OAEP-256", encryption).header("x", "x".repeat(1_400)).seal(&text);
        assert!(jwe.len() <= MAX_ENCRYPTED_TOKEN_BYTES);
        decrypts(&jwe, &text);
    }
}
