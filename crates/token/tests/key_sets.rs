//! Key sets as they are published: what is used, what is left out and why, and how sets are joined.

use countersign_token::{KeySet, KeySetError, MAX_KEYS, SkippedKey, base64_encode_standard, base64url_encode};
use serde_json::{Value, json};

use self::kit::forge::certificate;
use self::kit::{
    GENUINE_KID, Kit, NEXT_KID, OTHER_TENANT, V2_TEMPLATE, attacker, genuine, genuine_pkcs8, issuer, jwk, key_set,
    next, with, without,
};

mod kit;

const AMBIGUOUS: &str = "two different keys share this kid";

fn ids(set: &KeySet) -> Vec<&str> {
    set.key_ids().collect()
}

/// The reasons for which keys were left out.
fn reasons(set: &KeySet) -> Vec<&str> {
    set.skipped().iter().map(|key| key.reason).collect()
}

/// Expects a key to be left out for this reason, and its neighbour to stay.
#[track_caller]
fn skipped(key: Value, reason: &str) {
    let set = key_set(&[key, jwk(next())]);
    assert_eq!((ids(&set), reasons(&set)), (vec![NEXT_KID], vec![reason]));
}

#[test]
fn a_set_as_entra_publishes_it() {
    // Members in recorded order: kty, use, kid, x5t, n, e, x5c, [cloud_instance_name,] issuer; no alg.
    let public = genuine().private_key().public_key();
    let x5c = base64_encode_standard(&certificate(genuine_pkcs8(), "accounts.accesscontrol.windows.net"));
    let text = format!(
        r#"{{"keys":[{{"kty":"RSA","use":"sig","kid":"{GENUINE_KID}","x5t":"{GENUINE_KID}","n":"{}","e":"AQAB",
            "x5c":["{x5c}"],"cloud_instance_name":"microsoftonline.com","issuer":"{V2_TEMPLATE}"}}]}}"#,
        base64url_encode(public.modulus())
    );
    let set = KeySet::parse(text.as_bytes()).unwrap();
    let key = set.find(GENUINE_KID).unwrap();
    assert_eq!((key.key_id(), key.issuer()), (GENUINE_KID, Some(V2_TEMPLATE)));
    assert!(key.public_key().same_key(public));
    assert!(!key.public_key().same_key(next().private_key().public_key()));
    assert_eq!((set.len(), set.is_empty(), set.skipped()), (1, false, &[][..]));
    assert!(set.find(&GENUINE_KID.to_lowercase()).is_none() && set.find("").is_none());
}

#[test]
fn a_v1_document_has_no_issuer_and_members_of_tomorrow_do_not_matter() {
    let v1 = without(without(jwk(genuine()), "issuer"), "cloud_instance_name");
    let set = key_set(&[v1, with(jwk(next()), "published_at", json!({"epoch": 1}))]);
    assert_eq!(ids(&set), [GENUINE_KID, NEXT_KID]);
    assert_eq!(
        set.keys().map(countersign_token::VerificationKey::issuer).collect::<Vec<_>>(),
        [None, Some(V2_TEMPLATE)]
    );
}

#[test]
fn an_empty_set_verifies_nothing() {
    let set = KeySet::parse(br#"{"keys":[]}"#).unwrap();
    assert!(set.is_empty() && set.skipped().is_empty());
    Kit::v2_app().keys([]).refused(countersign_token::Rejection::UnknownKey);
}

#[test]
fn documents_that_are_no_key_sets() {
    for text in
        ["", "[]", "null", "<html>", "{", "{\"keys\":[]}}", "{\"keys\":[],\"keys\":[]}", "\u{feff}{\"keys\":[]}"]
    {
        assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), KeySetError::Malformed, "{text}");
    }
    assert_eq!(KeySet::parse(b"{\"keys\":[],\"x\":\"\xff\"}").unwrap_err(), KeySetError::Malformed);
    for text in
        ["{}", "{\"Keys\":[]}", "{\"keys\":{}}", "{\"keys\":null}", "{\"keys\":\"[]\"}", &jwk(next()).to_string()]
    {
        assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), KeySetError::NoKeys, "{text}");
    }
    // A member twice inside one key: which of both would be the key?
    let twice = format!("{{\"keys\":[{{\"n\":\"AQAB\",{}]}}", &jwk(genuine()).to_string()[1..]);
    assert_eq!(KeySet::parse(twice.as_bytes()).unwrap_err(), KeySetError::Malformed);
}

#[test]
fn sizes_are_bounded() {
    let filled = |count: usize| json!({"keys": vec![json!(1); count]}).to_string();
    assert_eq!(KeySet::parse(filled(MAX_KEYS + 1).as_bytes()).unwrap_err(), KeySetError::TooManyKeys);
    assert_eq!(KeySet::parse(filled(MAX_KEYS).as_bytes()).unwrap().skipped().len(), MAX_KEYS);
    assert_eq!(KeySet::parse(filled(10_000).as_bytes()).unwrap_err(), KeySetError::TooManyKeys);
    let blanks = |count: usize| format!("{{\"keys\":[]{}}}", " ".repeat(count - 11));
    assert!(KeySet::parse(blanks(512 * 1024).as_bytes()).is_ok());
    assert_eq!(KeySet::parse(blanks(512 * 1024 + 1).as_bytes()).unwrap_err(), KeySetError::TooLarge);
    assert_eq!(KeySet::parse(&vec![b'['; 512 * 1024]).unwrap_err(), KeySetError::Malformed);
}

#[test]
fn a_bad_key_is_left_out_for_its_reason() {
    let key = || jwk(genuine());
    skipped(json!(7), "not an object");
    skipped(json!(null), "not an object");
    skipped(json!({}), "not an RSA key");
    skipped(with(key(), "kty", "EC"), "not an RSA key");
    skipped(with(key(), "kty", "rsa"), "not an RSA key");
    skipped(with(key(), "kty", json!(["RSA"])), "a member has the wrong type");
    skipped(without(key(), "kid"), "no kid");
    skipped(with(key(), "kid", 7), "a member has the wrong type");
    for kid in ["", "two words", "line\nbreak", "ä", &"k".repeat(129)] {
        skipped(with(key(), "kid", kid), "kid is not a name of 1 to 128 printable characters");
    }
    skipped(with(key(), "use", "enc"), "not for signatures (use)");
    skipped(with(key(), "key_ops", json!(["encrypt", "sign"])), "not for verifying (key_ops)");
    skipped(with(key(), "key_ops", "verify"), "not for verifying (key_ops)");
    skipped(with(key(), "alg", "RSA-OAEP"), "for an algorithm that is not verified here (alg)");
    for (name, value) in [("n", json!("AQAB=")), ("n", json!("a+b/")), ("e", json!("A")), ("e", json!("AQ AB"))] {
        skipped(with(key(), name, value), "n or e is not base64url");
    }
    skipped(without(key(), "n"), "n or e is not base64url");
    skipped(with(key(), "e", 65_537), "a member has the wrong type");
    skipped(with(key(), "n", "AQAB"), "the modulus is not between 2048 and 8192 bits");
    skipped(with(key(), "e", "AQ"), "the exponent is not an odd number from 3 to 33 bits");
    skipped(with(key(), "issuer", "https://example.com/"), "its issuer names no tenant");
    skipped(with(key(), "issuer", json!(null)), "a member has the wrong type");
    skipped(with(key(), "x5t", 1), "a member has the wrong type");
    skipped(with(key(), "cloud_instance_name", json!([])), "a member has the wrong type");
}

#[test]
fn an_even_modulus_is_no_key() {
    let mut modulus = genuine().private_key().public_key().modulus().to_vec();
    *modulus.last_mut().unwrap() &= 0xfe;
    skipped(with(jwk(genuine()), "n", base64url_encode(&modulus)), "the modulus is even");
}

#[test]
fn a_key_published_with_its_private_part_is_burnt() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let reason = "the key is published with its private part";
        skipped(with(jwk(genuine()), name, "AQAB"), reason);
        skipped(with(jwk(genuine()), name, json!(null)), reason);
    }
}

#[test]
fn a_skipped_key_is_named_without_danger_for_logs() {
    let names = |kid: &str| key_set(&[with(with(jwk(genuine()), "kid", kid), "use", "enc")]).skipped().to_vec();
    let plain = SkippedKey {
        key_id: Some("a\\r\\nlevel=info\\u{1b}[2J".to_owned()),
        reason: "kid is not a name of 1 to 128 printable characters",
    };
    assert_eq!(names("a\r\nlevel=info\u{1b}[2J"), [plain]);
    assert_eq!(names(&"k".repeat(5_000))[0].key_id.as_ref().unwrap().len(), 128);
    assert_eq!(key_set(&[json!({"kty": "oct"})]).skipped()[0].key_id, None);
}

#[test]
fn one_key_listed_twice_is_one_key() {
    let set = key_set(&[jwk(genuine()), jwk(genuine()), jwk(next())]);
    assert_eq!((ids(&set), set.skipped().len()), (vec![GENUINE_KID, NEXT_KID], 0));
}

#[test]
fn two_keys_under_one_name_are_none() {
    let twin = with(jwk(attacker()), "kid", GENUINE_KID);
    for keys in [
        [jwk(genuine()), twin.clone(), jwk(next())],
        [twin.clone(), jwk(next()), jwk(genuine())],
        // The same key for another issuer, cloud or algorithm is another promise.
        [jwk(genuine()), with(jwk(genuine()), "issuer", issuer(V2_TEMPLATE, OTHER_TENANT)), jwk(next())],
        [jwk(genuine()), with(jwk(genuine()), "cloud_instance_name", "microsoftonline.us"), jwk(next())],
        [jwk(genuine()), with(jwk(genuine()), "alg", "RS256"), jwk(next())],
        [jwk(genuine()), without(jwk(genuine()), "x5t"), jwk(next())],
    ] {
        let set = key_set(&keys);
        assert_eq!((ids(&set), reasons(&set)), (vec![NEXT_KID], vec![AMBIGUOUS]));
        assert_eq!(set.skipped()[0].key_id.as_deref(), Some(GENUINE_KID));
        assert!(set.find(NEXT_KID).is_some_and(|key| key.key_id() == NEXT_KID));
    }
}

#[test]
fn a_cloud_sees_its_own_keys_and_those_that_name_none() {
    let elsewhere = with(with(jwk(attacker()), "kid", "elsewhere"), "cloud_instance_name", "microsoftonline.us");
    let set = key_set(&[elsewhere, jwk(genuine()), without(jwk(next()), "cloud_instance_name"), json!(1)]);
    let here = set.for_cloud("microsoftonline.com");
    assert_eq!(ids(&here), [GENUINE_KID, NEXT_KID]);
    assert_eq!(reasons(&here), ["not an object", "the key belongs to another cloud"]);
    assert_eq!(here.skipped()[1].key_id.as_deref(), Some("elsewhere"));
    assert!(here.find("elsewhere").is_none());
    assert_eq!(ids(&set.for_cloud("microsoftonline.us")), ["elsewhere", NEXT_KID]);
    assert_eq!(ids(&set.for_cloud("Microsoftonline.com")), [NEXT_KID]);
}

#[test]
fn a_union_has_the_keys_of_both() {
    let (one, other) = (key_set(&[jwk(genuine()), json!(1)]), key_set(&[jwk(next()), jwk(genuine()), json!({})]));
    for (union, expected) in
        [(one.union(&other), [GENUINE_KID, NEXT_KID]), (other.union(&one), [NEXT_KID, GENUINE_KID])]
    {
        assert_eq!(ids(&union), expected);
        assert_eq!(union.skipped().len(), 2);
        assert!(union.find(NEXT_KID).is_some_and(|key| key.key_id() == NEXT_KID));
    }
    assert_eq!(ids(&one.union(&KeySet::default())), [GENUINE_KID]);
    assert_eq!(ids(&KeySet::default().union(&one)), [GENUINE_KID]);
}

#[test]
fn a_union_never_frees_a_key_of_its_issuer() {
    // v1.0 documents list the same keys without issuer, cloud and alg.
    let v2 = key_set(&[with(jwk(genuine()), "alg", "RS256")]);
    let v1 = key_set(&[without(without(jwk(genuine()), "issuer"), "cloud_instance_name")]);
    for union in [v1.union(&v2), v2.union(&v1)] {
        assert_eq!(union.find(GENUINE_KID).unwrap().issuer(), Some(V2_TEMPLATE));
        assert!(union.for_cloud("microsoftonline.us").is_empty());
    }
}

#[test]
fn a_union_keeps_neither_of_two_keys_under_one_name() {
    let one = key_set(&[jwk(genuine()), jwk(next())]);
    for twin in [
        with(jwk(attacker()), "kid", GENUINE_KID),
        with(jwk(genuine()), "issuer", issuer(V2_TEMPLATE, OTHER_TENANT)),
        with(jwk(genuine()), "cloud_instance_name", "microsoftonline.us"),
    ] {
        let other = key_set(&[twin]);
        for union in [one.union(&other), other.union(&one)] {
            assert_eq!((ids(&union), reasons(&union)), (vec![NEXT_KID], vec![AMBIGUOUS]));
        }
    }
}
