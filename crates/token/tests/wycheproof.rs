//! Project Wycheproof's vectors for RSA signatures and JOSE, all of them.
//!
//! A vector of an algorithm that is verified here must be judged as Wycheproof judges it; exceptions stand in a list with
//! their reasons. A vector of any other algorithm must be refused, valid or not. Each test counts what it judged, so that
//! none can be left out silently. Without the vectors (`COUNTERSIGN_SHARED`) the tests say so and pass.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stderr, reason = "a skipped test must say so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_token::{
    Algorithm, KeyError, KeySet, Policy, ProofAlgorithm, ProofKey, PublicKey, Rejection, Timestamp, UnverifiedJws,
    base64url_encode, verify,
};
use serde_json::{Value, json};

/// Valid vectors of RS256, RS384, RS512 or PS256 that are refused all the same, by test id in the signature file.
const REFUSED_THOUGH_VALID: [(u64, &str); 4] = [
    (259, "RS256 over an empty payload: three segments must not be empty, a claim set never is"),
    (264, "RS384 over an empty payload: likewise"),
    (268, "RS512 over an empty payload: likewise"),
    (272, "PS256 over an empty payload: likewise"),
];

/// `acceptable` vectors, refused: the `DigestInfo` lacks the NULL that RFC 8017 §9.2 demands of a generator.
const REFUSED_THOUGH_ACCEPTABLE: [&str; 1] = ["Missing NULL in the ASN encoding"];

const ALL: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256];

/// A file of vectors, or nothing where there is none.
fn vectors(name: &str) -> Option<Value> {
    #[expect(clippy::disallowed_methods, reason = "where shared material lies is the environment's business")]
    let shared = std::env::var_os("COUNTERSIGN_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = workspace.join(shared).join("vectors/wycheproof").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            eprintln!("skipped: {}: {error}", path.display());
            None
        }
    }
}

/// Each vector with its group.
fn each(file: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let groups = file["testGroups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["tests"].as_array().unwrap().iter().map(move |test| (group, test)))
}

fn hex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn unsigned(text: &Value) -> Vec<u8> {
    let bytes = hex(text);
    bytes.strip_prefix(&[0]).unwrap_or(&bytes).to_vec()
}

/// How many vectors had which outcome.
type Counts = BTreeMap<&'static str, usize>;

/// Judges bare signatures; the key stands in each group.
fn signatures(name: &str, algorithm: Algorithm, expected: &[(&'static str, usize)]) {
    let Some(file) = vectors(name) else { return };
    let mut counts = Counts::new();
    for (group, test) in each(&file) {
        let numbers = &group["publicKey"];
        let key =
            PublicKey::from_components(&unsigned(&numbers["modulus"]), &unsigned(&numbers["publicExponent"])).unwrap();
        let verifies = key.verifies(algorithm, &hex(&test["msg"]), &hex(&test["sig"]));
        let outcome = match test["result"].as_str().unwrap() {
            "valid" => "valid",
            "invalid" => "invalid",
            "acceptable" if REFUSED_THOUGH_ACCEPTABLE.contains(&test["comment"].as_str().unwrap()) => "acceptable",
            other => panic!("{other} in {test}"),
        };
        assert_eq!(verifies, outcome == "valid", "{name}: {test}");
        *counts.entry(outcome).or_default() += 1;
    }
    assert_eq!(counts, expected.iter().copied().collect(), "{name}");
    assert_eq!(counts.values().sum::<usize>() as u64, file["numberOfTests"].as_u64().unwrap(), "{name}");
}

#[test]
fn rsa_pkcs1_2048() {
    let expected = [("valid", 9), ("invalid", 249), ("acceptable", 1)];
    signatures("rsa_signature_2048_sha256_test.json", Algorithm::Rs256, &expected);
}

#[test]
fn rsa_pkcs1_4096() {
    let expected = [("valid", 7), ("invalid", 250), ("acceptable", 1)];
    signatures("rsa_signature_4096_sha256_test.json", Algorithm::Rs256, &expected);
}

#[test]
fn rsa_pss_2048() {
    signatures("rsa_pss_2048_sha256_mgf1_32_test.json", Algorithm::Ps256, &[("valid", 63), ("invalid", 45)]);
}

/// ES256, which proofs of possession are signed with; access tokens never are.
#[test]
fn ecdsa_p256() {
    let name = "ecdsa_secp256r1_sha256_p1363_test.json";
    let Some(file) = vectors(name) else { return };
    let mut counts = Counts::new();
    for (group, test) in each(&file) {
        let coordinate = |name: &str| {
            let bytes = unsigned(&group["publicKey"][name]);
            base64url_encode(&[vec![0; 32 - bytes.len()], bytes].concat())
        };
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": coordinate("wx"), "y": coordinate("wy")});
        let key = ProofKey::from_jwk(jwk.as_object().unwrap()).unwrap();
        let verifies = key.verifies(ProofAlgorithm::Es256, &hex(&test["msg"]), &hex(&test["sig"]));
        let outcome = if test["result"] == "valid" { "valid" } else { "invalid" };
        assert_eq!(verifies, outcome == "valid", "{name}: {test}");
        *counts.entry(outcome).or_default() += 1;
    }
    assert_eq!(counts, Counts::from([("valid", 173), ("invalid", 89)]));
}

/// The group's key or keys as a set; the private form where Wycheproof has no other (symmetric keys).
fn key_set(group: &Value) -> KeySet {
    let keys = group.get("public").unwrap_or(&group["private"]);
    let document = if keys.get("keys").is_some() { keys.clone() } else { json!({ "keys": [keys] }) };
    KeySet::parse(document.to_string().as_bytes()).unwrap()
}

/// What a token's text is: compact forms as they are, JSON serialisations as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a token is verified by the key of the set that its header names.
fn accepts(raw: &str, keys: &KeySet) -> Result<Vec<u8>, Rejection> {
    let jws = UnverifiedJws::parse(raw)?;
    let key = keys.find(jws.key_id().ok_or(Rejection::KeyIdMissing)?).ok_or(Rejection::UnknownKey)?;
    jws.verify(key.public_key(), &ALL)
}

/// The header's `alg`, where there is a header.
fn algorithm(raw: &str) -> Option<Algorithm> {
    let header = countersign_token::base64url_decode_strict(raw.split('.').next()?).ok()?;
    Algorithm::from_name(serde_json::from_slice::<Value>(&header).ok()?["alg"].as_str()?)
}

/// Judges compact JWS, each against its group's key set.
fn tokens(name: &str, exceptions: &[(u64, &str)], expected: &[(&'static str, usize)]) {
    let Some(file) = vectors(name) else { return };
    let mut counts = Counts::new();
    for (group, test) in each(&file) {
        let raw = text(test.get("jws").or_else(|| test.get("jwe")).unwrap());
        let verdict = accepts(&raw, &key_set(group));
        let valid = test["result"] == "valid";
        let excepted = exceptions.iter().any(|&(id, _)| test["tcId"] == id);
        let outcome = match (algorithm(&raw), valid) {
            (Some(_), true) if excepted => "valid, yet refused",
            (Some(_), true) => "valid",
            (Some(_), false) => "invalid",
            (None, true) => "valid, of an algorithm that is not verified here",
            (None, false) => "invalid, of no algorithm that is verified here",
        };
        assert_eq!(verdict.is_ok(), outcome == "valid", "{name}: {test}: {verdict:?}");
        *counts.entry(outcome).or_default() += 1;
    }
    assert_eq!(counts, expected.iter().copied().collect(), "{name}");
    assert_eq!(counts.values().sum::<usize>() as u64, file["numberOfTests"].as_u64().unwrap(), "{name}");
}

#[test]
fn json_web_signature() {
    let expected = [
        ("valid", 18),
        ("valid, yet refused", 4),
        ("valid, of an algorithm that is not verified here", 24),
        ("invalid", 268),
        ("invalid, of no algorithm that is verified here", 87),
    ];
    tokens("json_web_signature_test.json", &REFUSED_THOUGH_VALID, &expected);
}

#[test]
fn json_web_crypto() {
    let expected = [
        ("valid", 1),
        ("valid, of an algorithm that is not verified here", 5),
        ("invalid", 8),
        ("invalid, of no algorithm that is verified here", 69),
    ];
    tokens("json_web_crypto_test.json", &[], &expected);
}

#[test]
fn json_web_key() {
    let expected = [
        ("valid", 1),
        ("valid, of an algorithm that is not verified here", 4),
        ("invalid", 4),
        ("invalid, of no algorithm that is verified here", 17),
    ];
    tokens("json_web_key_test.json", &[], &expected);
}

#[test]
fn bad_keys_are_skipped_for_their_own_reason() {
    let Some(file) = vectors("json_web_key_test.json") else { return };
    let reason = |id: u64| {
        let (group, _) = each(&file).find(|(_, test)| test["tcId"] == id).unwrap();
        key_set(group).skipped().iter().map(|key| key.reason).collect::<Vec<_>>()
    };
    assert_eq!(reason(6), ["not for signatures (use)"]);
    assert_eq!(reason(8), ["the modulus is not between 2048 and 8192 bits"]);
    assert_eq!(reason(9), ["the exponent is not an odd number from 3 to 33 bits"]);
}

#[test]
fn a_roca_key_is_recognised() {
    let Some(file) = vectors("json_web_key_test.json") else { return };
    let (group, _) = each(&file).find(|(_, test)| test["comment"] == "rejectsKeyWithRocaVulnerability").unwrap();
    let jwk = &group["public"]["keys"][0];
    let number = |name: &str| countersign_token::base64url_decode_strict(jwk[name].as_str().unwrap()).unwrap();
    assert_eq!(PublicKey::from_components(&number("n"), &number("e")).unwrap_err(), KeyError::Roca);
}

/// A validator that would let anything in whose signature it can check.
fn refusal(raw: &str, keys: &KeySet) -> Rejection {
    let policy: Policy = serde_json::from_value(json!({
        "tenants": [], "issuers": [], "audiences": [], "algorithms": ["RS256", "PS256"]
    }))
    .unwrap();
    verify(raw, keys, &policy.compile().unwrap(), Timestamp::from_unix_seconds(0)).map(|_| ()).unwrap_err()
}

#[test]
fn every_jwe_is_refused_as_no_compact_jws() {
    let Some(file) = vectors("json_web_encryption_test.json") else { return };
    let mut count = 0;
    for (_, test) in each(&file) {
        let raw = text(&test["jwe"]);
        assert_eq!(refusal(&raw, &KeySet::default()), Rejection::NotCompactJws, "{test}");
        count += 1;
    }
    assert_eq!(count, 139);
}

#[test]
fn every_es256_signature_is_refused_by_its_algorithm() {
    let Some(file) = vectors("ecdsa_secp256r1_sha256_p1363_test.json") else { return };
    let mut counts = Counts::new();
    for (group, test) in each(&file) {
        let part = |bytes: &[u8]| base64url_encode(bytes);
        let coordinate = |name: &str| part(&unsigned(&group["publicKey"][name]));
        let jwk = json!({"kty": "EC", "kid": "none", "crv": "P-256", "x": coordinate("wx"), "y": coordinate("wy")});
        let keys = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
        assert_eq!((keys.len(), keys.skipped()[0].reason), (0, "not an RSA key"), "{group}");
        let (message, signature) = (hex(&test["msg"]), hex(&test["sig"]));
        let raw = format!("{}.{}.{}", part(br#"{"alg":"ES256","kid":"none"}"#), part(&message), part(&signature));
        let (outcome, expected) = match message.is_empty() || signature.is_empty() {
            true => ("of no form", Rejection::NotCompactJws),
            false => ("of no algorithm", Rejection::AlgorithmNotAllowed),
        };
        assert_eq!(refusal(&raw, &keys), expected, "{test}");
        *counts.entry(outcome).or_default() += 1;
    }
    assert_eq!(counts, [("of no form", 1), ("of no algorithm", 261)].into());
}
