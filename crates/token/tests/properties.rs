//! What holds for every input: nothing panics, nothing altered is accepted, and whatever is accepted keeps the policy.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::OnceLock;

use countersign_token::assertion::ClientAssertion;
use countersign_token::{
    Claims, KeySet, NumericDate, Policy, Rejection, Timestamp, UnverifiedJws, Validator, Verified,
    base64_decode_lenient, base64url_decode_strict, base64url_encode, parse_strict_object, verify,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::test_runner::Config;
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use self::kit::{API, API_URI, CLIENT, Kit, NOW, SKEW, TENANT, V1_TEMPLATE, V2_TEMPLATE, issuer, jwk, key_set};

mod kit;

fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// A good token, made once.
fn token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| Kit::v2_app().token())
}

/// The kit's keys and policy, made once.
fn judge(token: &str) -> Result<Verified<Claims>, Rejection> {
    static PARTS: OnceLock<(KeySet, Validator)> = OnceLock::new();
    let (keys, validator) = PARTS.get_or_init(|| {
        let kit = Kit::v2_app();
        let policy: Policy = serde_json::from_value(kit.policy).unwrap();
        (key_set(&kit.keys), policy.compile().unwrap())
    });
    verify(token, keys, validator, Timestamp::from_unix_seconds(NOW))
}

#[test]
fn every_bit_of_a_token_counts() {
    assert!(judge(token()).is_ok());
    for index in 0..token().len() {
        for bit in 0..7 {
            let mut bytes = token().as_bytes().to_vec();
            bytes[index] ^= 1 << bit;
            let altered = String::from_utf8(bytes).unwrap();
            assert!(judge(&altered).is_err(), "byte {index}, bit {bit}");
        }
    }
}

#[test]
fn no_byte_can_be_left_out_doubled_or_swapped() {
    for index in 0..token().len() {
        let (before, after) = token().split_at(index);
        assert!(judge(&format!("{before}{}", &after[1..])).is_err(), "without byte {index}");
        assert!(judge(&format!("{before}{}{after}", &after[..1])).is_err(), "byte {index} twice");
        assert!(judge(before).is_err(), "cut at byte {index}");
        let mut bytes = token().as_bytes().to_vec();
        if index + 1 < bytes.len() && bytes[index] != bytes[index + 1] {
            bytes.swap(index, index + 1);
            assert!(judge(std::str::from_utf8(&bytes).unwrap()).is_err(), "bytes {index} and its neighbour");
        }
    }
}

/// JSON of every kind, small.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (NOW - 5_000..NOW + 5_000).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        select(vec![
            "",
            "1.0",
            "2.0",
            "app",
            "user",
            "Resource.Read",
            "access_as_user",
            TENANT,
            API,
            API_URI,
            CLIENT,
            "RS256",
            "JWT",
            "none",
            "HS256",
            "sig",
            "RSA",
            "AQAB",
            "verify",
            V1_TEMPLATE,
            V2_TEMPLATE,
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(name(), inner, 0..4).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

/// Names that mean something, and others.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "aud", "iss", "tid", "ver", "azp", "appid", "oid", "sub", "scp", "roles", "idtyp", "exp", "nbf", "iat",
            "uti", "nonce", "azpacr", "actort", "groups", "xms_ftd", "alg", "kid", "typ", "x5t", "jwk", "crit", "keys",
            "kty", "use", "n", "e", "issuer", "key_ops", "x5t#S256", "jti", "",
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ]
}

/// Sets, removes or renames members of an object.
fn mutations() -> impl Strategy<Value = Vec<(String, Index, Option<Value>)>> {
    vec((name(), any::<Index>(), proptest::option::weighted(0.7, json_value())), 1..4)
}

fn mutate(object: &mut Value, mutations: Vec<(String, Index, Option<Value>)>) {
    let map = object.as_object_mut().unwrap();
    for (name, index, value) in mutations {
        let existing: Vec<String> = map.keys().cloned().collect();
        let chosen = if existing.is_empty() { name.clone() } else { index.get(&existing).clone() };
        match value {
            // Half of the new values replace one that is there.
            Some(value) if name.len().is_multiple_of(2) => drop(map.insert(chosen, value)),
            Some(value) => drop(map.insert(name, value)),
            None => drop(map.remove(&chosen)),
        }
    }
}

/// A second, slow reading of the kit's policy, over plain JSON.
fn keeps_the_policy(claims: &Value) -> bool {
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let words = |name: &str| claims[name].as_array().cloned().unwrap_or_default();
    let version = text("ver");
    let (template, caller) = if version == "1.0" { (V1_TEMPLATE, "appid") } else { (V2_TEMPLATE, "azp") };
    let audience = match &claims["aud"] {
        Value::Array(one) if one.len() == 1 => one[0].clone(),
        other => other.clone(),
    };
    let scopes = text("scp");
    let is_user = claims.get("scp").is_some() || text("idtyp") == "user";
    let permitted = if is_user {
        scopes.split(' ').any(|scope| scope == "access_as_user") && text("idtyp") != "app"
    } else {
        words("roles").contains(&json!("Resource.Read")) && text("oid") == text("sub")
    };
    (version == "1.0" || version == "2.0")
        && text("tid") == TENANT
        && text("iss") == issuer(template, TENANT)
        && (audience == API || audience == API_URI)
        && claims["exp"].as_i64().is_some_and(|exp| NOW < exp + SKEW)
        && claims.get("nbf").is_none_or(|nbf| nbf.as_i64().is_some_and(|nbf| nbf <= NOW + SKEW))
        && claims.get("iat").is_none_or(|iat| iat.as_i64().is_some_and(|iat| iat <= NOW + SKEW))
        && ["nonce", "at_hash", "c_hash", "actort"].iter().all(|name| claims.get(*name).is_none())
        && text(caller).parse::<countersign_token::ClientId>().is_ok()
        && permitted
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn any_character_in_any_place_is_noticed(index: Index, letter: char) {
        let at = index.index(token().len());
        let altered = format!("{}{letter}{}", &token()[..at], &token()[at + 1..]);
        prop_assert_eq!(judge(&altered).is_ok(), altered == token());
    }

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        prop_assert!(judge(&text).is_err());
        let _ = ClientAssertion::parse(&text);
        let _ = KeySet::parse(text.as_bytes());
        let _ = parse_strict_object(&text);
        let _ = serde_json::from_str::<Policy>(&text);
    }

    #[test]
    fn no_three_segments_panic(header: Vec<u8>, payload: Vec<u8>, signature: Vec<u8>) {
        let raw = [header, payload, signature].map(|part| base64url_encode(&part)).join(".");
        prop_assert!(judge(&raw).is_err());
        let _ = ClientAssertion::parse(&raw);
    }

    #[test]
    fn no_key_set_of_bytes_panics(bytes: Vec<u8>) {
        let _ = KeySet::parse(&bytes);
    }

    #[test]
    fn base64url_has_one_spelling(text in "[A-Za-z0-9_-]{0,40}={0,2}", bytes: Vec<u8>) {
        if let Ok(decoded) = base64url_decode_strict(&text) {
            prop_assert_eq!(base64url_encode(&decoded), text);
        }
        prop_assert_eq!(base64url_decode_strict(&base64url_encode(&bytes)).unwrap(), bytes.clone());
        let padded = countersign_token::base64_encode_standard(&bytes);
        prop_assert_eq!(base64_decode_lenient(&padded).unwrap(), bytes);
    }

    #[test]
    fn strict_json_is_json_with_unique_names(text in r#"\{("[ab]":([0-9]|"x"|\{"a":1,"[ab]":2\}),?){0,3}\}"#) {
        if let Ok(strict) = parse_strict_object(&text) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), Value::Object(strict));
        }
    }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn what_is_accepted_keeps_the_policy(changes in mutations(), user: bool, v1: bool) {
        let mut kit = match (user, v1) {
            (false, false) => Kit::v2_app(),
            (false, true) => Kit::v1_app(),
            (true, false) => Kit::v2_user(),
            (true, true) => Kit::v1_user(),
        };
        mutate(&mut kit.claims, changes);
        let token = kit.token();
        if let Ok(verified) = judge(&token) {
            prop_assert!(keeps_the_policy(&kit.claims), "{}", kit.claims);
            prop_assert_eq!(verified.payload(), kit.claims.to_string());
            prop_assert_eq!(verified.expires_at(), NumericDate(kit.claims["exp"].as_i64().unwrap()));
            let read: Value = serde_json::from_str(verified.payload()).unwrap();
            for (name, value) in read.as_object().unwrap() {
                prop_assert_eq!(&verified.claim(name).unwrap(), value);
            }
        }
    }

    #[test]
    fn an_altered_header_never_frees_the_key(changes in mutations()) {
        let mut kit = Kit::v2_app();
        mutate(&mut kit.header, changes);
        let token = kit.token();
        if judge(&token).is_ok() {
            prop_assert_eq!(&kit.header["alg"], "RS256");
            prop_assert_eq!(&kit.header["kid"], kit::GENUINE_KID);
            prop_assert!(kit.header.get("typ").is_none_or(|typ| typ == "JWT"));
            prop_assert!(["crit", "jwk", "jku", "x5u", "x5c"].iter().all(|name| kit.header.get(*name).is_none()));
        }
        let _ = UnverifiedJws::parse(&token);
        let _ = ClientAssertion::parse(&token);
    }

    #[test]
    fn an_altered_key_set_has_only_sound_keys(changes in mutations(), second in mutations()) {
        let mut keys = vec![jwk(kit::genuine()), jwk(kit::next())];
        mutate(&mut keys[0], changes);
        mutate(&mut keys[1], second);
        let document = json!({ "keys": keys }).to_string();
        let set = KeySet::parse(document.as_bytes()).unwrap();
        prop_assert!(set.len() <= 2 && set.len() + set.skipped().len() >= 1);
        for key in set.keys() {
            prop_assert!(key.public_key().modulus().len() >= 256);
            prop_assert!(keys.iter().any(|jwk| jwk["kid"] == key.key_id() && jwk["kty"] == "RSA"));
            prop_assert_eq!(set.find(key.key_id()).unwrap().public_key().modulus(), key.public_key().modulus());
        }
    }

    #[test]
    fn an_altered_policy_never_panics(changes in mutations()) {
        let mut policy = Kit::v2_app().policy;
        mutate(&mut policy, changes);
        if let Ok(policy) = serde_json::from_value::<Policy>(policy) {
            let again: Policy = serde_json::from_value(serde_json::to_value(&policy).unwrap()).unwrap();
            prop_assert_eq!(&again, &policy);
            let _ = policy.compile();
        }
    }
}
