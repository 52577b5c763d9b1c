//! Against another reader: whatever is accepted here is accepted by jsonwebtoken, told to be strict, and says the same.
//!
//! The other way round need not hold. `fuzz/fuzz_targets/differential.rs` asks the same of inputs that a fuzzer finds, and
//! of josekit besides.

#![expect(clippy::unwrap_used, reason = "tests")]

use jsonwebtoken::{DecodingKey, Validation, decode};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::proptest;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;
use serde_json::{Value, json};

use self::kit::{API, API_URI, Kit, NOW, SKEW, TENANT, V1_TEMPLATE, V2_TEMPLATE, genuine, issuer};

mod kit;

/// The strict reading of another library: algorithm, signature, audience, issuer and the presence of what must be there.
/// Its clock cannot be set, so times are compared by hand.
fn reference(token: &str) -> Option<Value> {
    let public = genuine().private_key().public_key();
    let key = DecodingKey::from_rsa_raw_components(public.modulus(), public.exponent());
    let mut strict = Validation::new(jsonwebtoken::Algorithm::RS256);
    strict.set_audience(&[API, API_URI]);
    strict.set_issuer(&[issuer(V1_TEMPLATE, TENANT), issuer(V2_TEMPLATE, TENANT)]);
    strict.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    strict.validate_exp = false;
    strict.validate_nbf = false;
    let claims = decode::<Value>(token, &key, &strict).ok()?.claims;
    let exp = claims.get("exp")?.as_i64()?;
    let nbf = claims.get("nbf").map_or(Some(NOW), Value::as_i64)?;
    (NOW < exp + SKEW && nbf <= NOW + SKEW).then_some(claims)
}

fn agrees(kit: &Kit, token: &str) {
    let Ok(ours) = kit.judge(token) else { return };
    let theirs = reference(token).unwrap_or_else(|| panic!("accepted here and refused there: {token}"));
    for (name, value) in theirs.as_object().unwrap() {
        assert_eq!(&ours.claim(name).unwrap(), value, "{name}");
    }
    assert_eq!(theirs["tid"], TENANT);
}

fn member() -> impl Strategy<Value = (String, Value)> {
    let name = select(vec![
        "aud", "iss", "tid", "ver", "azp", "sub", "oid", "exp", "nbf", "iat", "roles", "scp", "acct", "groups", "acrs",
        "idp", "cnf", "kid", "alg", "typ", "x5t", "x5t#S256", "cty", "zip", "crit", "jwk", "x5c", "enc", "b64",
        "nonce", "epk", "url",
    ]);
    let value = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        select(vec![
            json!(null),
            json!([]),
            json!({}),
            json!([API]),
            json!(["x", 1]),
            json!(API),
            json!("RS256"),
            json!("JWT"),
            json!(1.5),
            json!(NOW),
            json!(NOW + 60),
            json!({"a": {"b": []}}),
        ]),
    ];
    (name.prop_map(str::to_owned), value)
}

proptest! {
    #![proptest_config(Config { cases: 1_500, failure_persistence: None, ..Config::default() })]

    #[test]
    fn what_is_accepted_is_accepted_by_a_strict_reference_too(
        claims in vec(member(), 0..3), header in vec(member(), 0..3), user: bool, v1: bool, cut: Option<Index>, byte: u8
    ) {
        let mut kit = match (user, v1) {
            (false, false) => Kit::v2_app(),
            (false, true) => Kit::v1_app(),
            (true, false) => Kit::v2_user(),
            (true, true) => Kit::v1_user(),
        };
        kit.claims.as_object_mut().unwrap().extend(claims);
        kit.header.as_object_mut().unwrap().extend(header);
        agrees(&kit, &kit.token());
        // One byte of the payload's text replaced before it is signed: JSON of every kind of brokenness.
        if let Some(cut) = cut {
            let mut payload = kit.claims.to_string().into_bytes();
            let at = cut.index(payload.len());
            payload[at] = byte;
            agrees(&kit, &kit.token_of(kit.header.to_string(), &payload));
        }
    }
}

#[test]
fn both_accept_what_is_good() {
    for kit in [Kit::v2_app(), Kit::v1_app(), Kit::v2_user(), Kit::v1_user()] {
        kit.accepted();
        assert!(reference(&kit.token()).is_some());
    }
    assert_eq!(reference(&Kit::v2_app().claim("aud", "x").token()), None);
    assert_eq!(reference("x"), None);
}
