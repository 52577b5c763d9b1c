//! What holds for every input: nothing panics, and nothing altered opens.

use std::sync::OnceLock;

use countersign_token::{
    DecryptionKeys, MAX_TOKEN_BYTES, Rejection, base64url_decode_strict, base64url_encode, is_encrypted,
};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;
use proptest::{prop_assert, prop_assert_eq, proptest};

use crate::kit::Kit;
use crate::kit::encrypt::{ALGORITHMS, ENCRYPTIONS};
use crate::{own, own_keys};

fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

fn keys() -> &'static DecryptionKeys {
    static KEYS: OnceLock<DecryptionKeys> = OnceLock::new();
    KEYS.get_or_init(own_keys)
}

/// A good encrypted token of each mode, made once.
fn good(mode: usize) -> &'static [String; 5] {
    static GOOD: OnceLock<Vec<[String; 5]>> = OnceLock::new();
    let all = GOOD.get_or_init(|| {
        let token = Kit::v2_app().token();
        let seal = |encryption| {
            let envelope = own().envelope("RSA-OAEP", encryption).header("kid", own().certificate.key_id());
            envelope.parts(envelope.header.to_string(), &token)
        };
        ENCRYPTIONS.into_iter().map(seal).collect()
    });
    &all[mode]
}

proptest! {
    #![proptest_config(cases(768))]

    #[test]
    fn no_byte_of_any_segment_can_be_flipped(
        mode in 0..ENCRYPTIONS.len(), segment in 0_usize..5, place in any::<Index>(), flip in 1_u8..
    ) {
        let mut parts = good(mode).clone();
        prop_assert!(keys().decrypt(&parts.join(".")).is_ok());
        let mut bytes = base64url_decode_strict(&parts[segment]).unwrap();
        *place.get_mut(&mut bytes) ^= flip;
        parts[segment] = base64url_encode(&bytes);
        let refusal = keys().decrypt(&parts.join(".")).unwrap_err();
        if segment > 0 {
            prop_assert_eq!(refusal, Rejection::DecryptionFailed);
        }
    }

    #[test]
    fn no_character_can_be_replaced(mode in 0..ENCRYPTIONS.len(), place in any::<Index>(), character in any::<char>()) {
        let jwe = good(mode).join(".");
        let at = place.index(jwe.len());
        let altered = format!("{}{character}{}", &jwe[..at], &jwe[at + 1..]);
        prop_assert_eq!(keys().decrypt(&altered).is_ok(), altered == jwe);
    }

    #[test]
    fn no_piece_can_be_left_out_or_doubled(mode in 0..ENCRYPTIONS.len(), from in any::<Index>(), to in any::<Index>()) {
        let jwe = good(mode).join(".");
        let (from, to) = (from.index(jwe.len()), to.index(jwe.len()));
        let (from, to) = (from.min(to), from.max(to) + 1);
        let shorter = format!("{}{}", &jwe[..from], &jwe[to..]);
        let longer = format!("{}{}", &jwe[..to], &jwe[from..]);
        prop_assert!(keys().decrypt(&shorter).is_err());
        prop_assert!(keys().decrypt(&longer).is_err());
    }

    #[test]
    fn any_text_of_a_tokens_length_comes_back(
        text in "[ -~]{1,300}", algorithm in select(ALGORITHMS.to_vec()), encryption in select(ENCRYPTIONS.to_vec())
    ) {
        let jwe = own().envelope(algorithm, encryption).seal(&text);
        prop_assert!(is_encrypted(&jwe));
        let decrypted = keys().decrypt(&jwe).unwrap();
        prop_assert_eq!(decrypted.as_str(), text);
    }

    #[test]
    fn any_bytes_inside_come_back_as_they_are_or_not_at_all(bytes in vec(any::<u8>(), 1..200)) {
        match keys().decrypt(&own().envelope("RSA-OAEP", "A128GCM").seal(&bytes)) {
            Ok(decrypted) => prop_assert!(bytes.is_ascii() && decrypted.as_str().as_bytes() == bytes),
            Err(refusal) => prop_assert!(refusal == Rejection::NotCompactJws && !bytes.is_ascii()),
        }
    }

    #[test]
    fn nothing_that_was_not_encrypted_opens(raw in "\\PC{0,200}", five in vec("[A-Za-z0-9_-]{0,60}", 5)) {
        prop_assert!(keys().decrypt(&raw).is_err());
        prop_assert!(keys().decrypt(&five.join(".")).is_err());
        prop_assert_eq!(is_encrypted(&raw), raw.split('.').count() == 5);
    }

    #[test]
    fn any_header_is_judged_without_a_panic(header in "\\PC{0,120}", members in vec(("[a-z5#]{1,4}", "\\PC{0,10}"), 0..6)) {
        let object: serde_json::Map<_, _> = members.into_iter().map(|(name, value)| (name, value.into())).collect();
        for header in [header, serde_json::Value::from(object).to_string()] {
            let jwe = base64url_encode(header.as_bytes()) + ".AA.AA.AA.AA";
            prop_assert!(keys().decrypt(&jwe).is_err());
        }
    }
}

#[test]
fn the_longest_good_token_is_shorter_than_what_is_refused_unread() {
    let jwe = own().envelope("RSA-OAEP-256", "A256CBC-HS512").seal("x".repeat(MAX_TOKEN_BYTES));
    assert!(keys().decrypt(&jwe).is_ok());
}
