//! Proofs of possession, DPoP and signed HTTP requests: whatever is accepted was signed by the very key that the token
//! names, as jsonwebtoken sees it too, and for this request and token alone.
//!
//! An input is a whole proof, or two lines, a header and claims, that the target signs. There `"@ec"` and `"@rsa"` stand
//! for the target's public keys, which are new in every process. The request is that of RFC 9449 §7.1, so that the
//! document's own proof is among the seeds.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use countersign_fuzz::{algorithm_of, has_private_name, place, spoiled};
use countersign_token::{
    Origin, PrivateKey, ProofError, ProofKey, ProvenRequest, SignedHttpRequest, base64url_decode_strict,
    base64url_encode, sha256, verify_dpop,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const NOW: i64 = 1_562_262_618;
const HOST: &str = "resource.example.org";

static EC: LazyLock<EcdsaKeyPair> = LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
static RSA: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap());
static ORIGINS: LazyLock<[Origin; 1]> = LazyLock::new(|| [format!("https://{HOST}").parse().unwrap()]);

fn request() -> ProvenRequest<'static> {
    ProvenRequest { method: "GET", path: "/protectedresource", origins: &*ORIGINS, now: NOW, max_age_seconds: 300 }
}

/// The public keys by the names that inputs have for them.
static JWKS: LazyLock<[(&str, String); 2]> = LazyLock::new(|| {
    let point = EC.public_key().as_ref();
    let (x, y) = (base64url_encode(&point[1..33]), base64url_encode(&point[33..]));
    let public = RSA.public_key();
    let (n, e) = (base64url_encode(public.modulus()), base64url_encode(public.exponent()));
    [
        ("\"@ec\"", json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}).to_string()),
        ("\"@rsa\"", json!({"kty": "RSA", "n": n, "e": e}).to_string()),
    ]
});

fn with_keys(text: &str) -> String {
    JWKS.iter().fold(text.to_owned(), |text, (name, jwk)| text.replace(name, jwk))
}

/// The proof that an input of two lines asks for.
fn signed(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", base64url_encode(header.as_bytes()), base64url_encode(claims.as_bytes()));
    let signature = if header.contains("ES256") {
        EC.sign(&SystemRandom::new(), input.as_bytes()).unwrap().as_ref().to_vec()
    } else {
        RSA.sign(algorithm_of(header.as_bytes()), input.as_bytes()).unwrap()
    };
    format!("{input}.{}", base64url_encode(&signature))
}

/// A segment, as a reader sees it that looks no further.
fn object(segment: Option<&str>) -> Option<Value> {
    let json = String::from_utf8(base64url_decode_strict(segment?).ok()?).ok()?;
    serde_json::from_str::<Value>(&json).ok().filter(|value| value.is_object() && !has_private_name(&json))
}

/// Whether jsonwebtoken finds the proof signed by this key, with the algorithm that the header names.
fn is_signed(proof: &str, header: &Value, jwk: &Map<String, Value>) -> bool {
    let text = |name: &str| jwk[name].as_str().unwrap();
    let (algorithm, key) = match header["alg"].as_str().unwrap() {
        "ES256" => (Algorithm::ES256, DecodingKey::from_ec_components(text("x"), text("y"))),
        "PS256" => (Algorithm::PS256, DecodingKey::from_rsa_components(text("n"), text("e"))),
        "RS256" => (Algorithm::RS256, DecodingKey::from_rsa_components(text("n"), text("e"))),
        other => panic!("{other} is for no proof"),
    };
    let (input, signature) = proof.rsplit_once('.').unwrap();
    jsonwebtoken::crypto::verify(signature, input.as_bytes(), &key.unwrap(), algorithm).unwrap()
}

/// What holds of every proof that is accepted.
fn is_sound(proof: &str, header: &Value, jwk: &Map<String, Value>, typ: &str) {
    assert!(is_signed(proof, header, jwk), "jsonwebtoken finds no signature");
    assert_eq!(header["typ"], typ);
    assert!(["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().all(|name| !jwk.contains_key(*name)));
    assert!(["crit", "jku", "x5u", "x5c", "b64", "zip", "enc", "cty"].iter().all(|name| header.get(name).is_none()));
}

fn thumbprint(jwk: Option<&Value>) -> Option<String> {
    Some(ProofKey::from_jwk(jwk?.as_object()?).ok()?.thumbprint())
}

fn dpop(proof: &str, header: &Value, claims: &Value) -> bool {
    // The token names whatever key the proof brings along: nothing else is then wrong with it.
    let own = thumbprint(header.get("jwk")).unwrap_or_default();
    if verify_dpop(proof, TOKEN, &own, &request()).is_err() {
        return false;
    }
    is_sound(proof, header, header["jwk"].as_object().unwrap(), "dpop+jwt");
    assert_eq!((&claims["htm"], &claims["ath"]), (&json!("GET"), &json!(base64url_encode(&sha256(TOKEN.as_bytes())))));
    assert!(claims["iat"].as_i64().is_some_and(|made| (NOW - 300..=NOW + 60).contains(&made)));
    let address = claims["htu"].as_str().unwrap().split(['?', '#']).next().unwrap().to_ascii_lowercase();
    assert!(["", ":443"].iter().any(|port| address == format!("https://{HOST}{port}/protectedresource")));
    assert!(claims["jti"].as_str().is_some_and(|id| !id.is_empty()));
    let other = request();
    assert_eq!(verify_dpop(proof, TOKEN, "another", &other), Err(ProofError::KeyMismatch));
    assert_eq!(verify_dpop(proof, "another", &own, &other), Err(ProofError::TokenMismatch));
    let post = ProvenRequest { method: "POST", ..other };
    assert_eq!(verify_dpop(proof, TOKEN, &own, &post), Err(ProofError::MethodMismatch));
    let elsewhere = ProvenRequest { path: "/", ..other };
    assert_eq!(verify_dpop(proof, TOKEN, &own, &elsewhere), Err(ProofError::AddressMismatch));
    let later = ProvenRequest { now: NOW + 361, ..other };
    assert_eq!(verify_dpop(proof, TOKEN, &own, &later), Err(ProofError::Stale));
    true
}

fn signed_http_request(proof: &str, header: &Value, claims: &Value) -> bool {
    let Ok(parsed) = SignedHttpRequest::parse(proof) else { return false };
    assert_eq!(claims["at"], parsed.access_token());
    let named = |kid: &str| Map::from_iter([("kid".to_owned(), json!(kid))]);
    let jwk = claims.get("cnf").and_then(|cnf| cnf.get("jwk"));
    let own = named(&thumbprint(jwk).unwrap_or_default());
    if parsed.verify(&own, &request()).is_err() {
        return false;
    }
    is_sound(proof, header, jwk.unwrap().as_object().unwrap(), "pop");
    assert_eq!(claims["m"], "GET");
    assert!(
        ["", ":443"].iter().any(|port| claims["u"].as_str().unwrap().to_ascii_lowercase() == format!("{HOST}{port}"))
    );
    assert_eq!(claims["p"].as_str().unwrap().trim_end_matches('/'), "/protectedresource");
    assert!(claims["ts"].as_i64().is_some_and(|made| (NOW - 300..=NOW + 60).contains(&made)));
    let other = request();
    assert_eq!(parsed.verify(&named("another"), &other), Err(ProofError::KeyMismatch));
    assert_eq!(parsed.verify(&Map::new(), &other), Err(ProofError::KeyMismatch));
    assert_eq!(parsed.verify(&own, &ProvenRequest { method: "POST", ..other }), Err(ProofError::MethodMismatch));
    assert_eq!(parsed.verify(&own, &ProvenRequest { path: "/x", ..other }), Err(ProofError::AddressMismatch));
    assert_eq!(parsed.verify(&own, &ProvenRequest { now: NOW + 361, ..other }), Err(ProofError::Stale));
    true
}

fn judge(proof: &str) -> bool {
    let mut segments = proof.split('.');
    let (header, claims) = (object(segments.next()), object(segments.next()));
    // A proof that this reader cannot read may only be looked at without a word.
    let Some((header, claims)) = header.zip(claims) else {
        let _ = verify_dpop(proof, TOKEN, "", &request());
        let _ = SignedHttpRequest::parse(proof).map(|it| it.verify(&Map::new(), &request()));
        return false;
    };
    let accepted = [dpop(proof, &header, &claims), signed_http_request(proof, &header, &claims)];
    assert_ne!(accepted, [true; 2], "one proof for two purposes");
    accepted.contains(&true)
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    judge(text);
    let Some((header, claims)) = text.split_once('\n') else { return };
    let proof = signed(&with_keys(header), &with_keys(claims));
    if judge(&proof) {
        assert!(!judge(&spoiled(&proof, place(input, proof.len()))), "nobody signed it so");
    }
});
