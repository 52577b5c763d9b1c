//! Proofs of possession: the one that fits its request and token, and each way in which another does not.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use countersign_token::{
    Algorithm, Origin, PrivateKey, ProofAlgorithm, ProofError, ProofId, ProofKey, ProvenRequest, SignedHttpRequest,
    base64url_encode, sha256, verify_dpop,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: i64 = 1_767_225_600;
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.e30.AAAA";

enum Key {
    P256(EcdsaKeyPair),
    Rsa(Box<PrivateKey>, ProofAlgorithm),
}

impl Key {
    fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn rsa(algorithm: ProofAlgorithm) -> Self {
        let key = PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap();
        Self::Rsa(Box::new(key), algorithm)
    }

    fn jwk(&self) -> Value {
        match self {
            Self::P256(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = (base64url_encode(&point[1..33]), base64url_encode(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
            }
            Self::Rsa(key, _) => {
                let public = key.public_key();
                let (n, e) = (base64url_encode(public.modulus()), base64url_encode(public.exponent()));
                json!({"kty": "RSA", "n": n, "e": e})
            }
        }
    }

    fn algorithm(&self) -> ProofAlgorithm {
        match self {
            Self::P256(_) => ProofAlgorithm::Es256,
            Self::Rsa(_, algorithm) => *algorithm,
        }
    }

    fn thumbprint(&self) -> String {
        ProofKey::from_jwk(self.jwk().as_object().unwrap()).unwrap().thumbprint()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = format!(
            "{}.{}",
            base64url_encode(header.to_string().as_bytes()),
            base64url_encode(claims.to_string().as_bytes())
        );
        let signature = match self {
            Self::P256(key) => key.sign(&SystemRandom::new(), input.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Rsa(key, ProofAlgorithm::Ps256) => key.sign(Algorithm::Ps256, input.as_bytes()).unwrap(),
            Self::Rsa(key, _) => key.sign(Algorithm::Rs256, input.as_bytes()).unwrap(),
        };
        format!("{input}.{}", base64url_encode(&signature))
    }
}

static KEY: LazyLock<Key> = LazyLock::new(Key::p256);
static ORIGINS: LazyLock<[Origin; 2]> =
    LazyLock::new(|| ["https://orders.test".parse().unwrap(), "https://orders.internal:8443".parse().unwrap()]);

fn request<'a>(method: &'a str, path: &'a str) -> ProvenRequest<'a> {
    ProvenRequest { method, path, origins: &*ORIGINS, now: NOW, max_age_seconds: 300 }
}

fn dpop_header(key: &Key) -> Value {
    json!({"typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.jwk()})
}

fn dpop_claims() -> Value {
    json!({
        "jti": "-BwC3ESc6acc2lTc", "htm": "GET", "htu": "https://orders.test/orders", "iat": NOW,
        "ath": base64url_encode(&sha256(TOKEN.as_bytes()))
    })
}

fn dpop_of(key: &Key, header: &Value, claims: &Value) -> Result<ProofId, ProofError> {
    verify_dpop(&key.sign(header, claims), TOKEN, &key.thumbprint(), &request("GET", "/orders"))
}

fn dpop_with(name: &str, value: Value) -> Result<ProofId, ProofError> {
    let mut claims = dpop_claims();
    claims[name] = value;
    dpop_of(&KEY, &dpop_header(&KEY), &claims)
}

/// RFC 9449 §7.1, figure 12: the document's own request.
#[test]
fn the_example_of_rfc_9449_is_accepted() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let origins = ["https://resource.example.org".parse().unwrap()];
    let request = ProvenRequest {
        method: "GET",
        path: "/protectedresource",
        origins: &origins,
        now: 1_562_262_618,
        max_age_seconds: 60,
    };
    let verdict = verify_dpop(
        proof,
        "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        &request,
    );
    assert!(verdict.is_ok(), "{verdict:?}");
}

#[test]
fn every_algorithm_and_every_origin_of_the_api_is_taken() {
    for key in [Key::p256(), Key::rsa(ProofAlgorithm::Ps256), Key::rsa(ProofAlgorithm::Rs256)] {
        assert!(dpop_of(&key, &dpop_header(&key), &dpop_claims()).is_ok(), "{:?}", key.algorithm());
    }
    assert!(dpop_with("htu", json!("https://orders.internal:8443/orders")).is_ok());
    assert!(dpop_with("htu", json!("HTTPS://Orders.Test:443/orders?page=2#top")).is_ok(), "RFC 9449 §4.3, item 9");
    // Both ends of the time that a proof may have.
    assert!(dpop_with("iat", json!(NOW - 300)).is_ok());
    assert!(dpop_with("iat", json!(NOW + 60)).is_ok());
}

#[test]
fn a_dpop_proof_for_anything_else_is_refused_by_name() {
    for (name, value, refusal) in [
        ("htm", json!("POST"), ProofError::MethodMismatch),
        ("htm", json!("get"), ProofError::MethodMismatch),
        ("htu", json!("https://orders.test/others"), ProofError::AddressMismatch),
        ("htu", json!("https://orders.evil/orders"), ProofError::AddressMismatch),
        ("htu", json!("http://orders.test/orders"), ProofError::AddressMismatch),
        ("htu", json!("/orders"), ProofError::AddressMismatch),
        ("ath", json!(base64url_encode(&sha256(b"another token"))), ProofError::TokenMismatch),
        ("iat", json!(NOW - 301), ProofError::Stale),
        ("iat", json!(NOW + 61), ProofError::MadeInFuture),
        ("iat", json!(NOW.to_string()), ProofError::ClaimMalformed("iat")),
        ("iat", json!(NOW as f64 + 0.5), ProofError::ClaimMalformed("iat")),
        ("iat", json!(-1), ProofError::ClaimMalformed("iat")),
        ("iat", json!(i64::MAX), ProofError::MadeInFuture),
        ("jti", json!(""), ProofError::ClaimMalformed("jti")),
        ("jti", json!("x".repeat(257)), ProofError::ClaimMalformed("jti")),
        ("jti", json!(7), ProofError::ClaimMalformed("jti")),
    ] {
        assert_eq!(dpop_with(name, value.clone()), Err(refusal), "{name} {value}");
    }
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        let mut claims = dpop_claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(dpop_of(&KEY, &dpop_header(&KEY), &claims), Err(ProofError::ClaimMissing(name)));
    }
}

#[test]
fn a_dpop_header_that_says_anything_else_is_refused_by_name() {
    let with = |name: &str, value: Value| {
        let mut header = dpop_header(&KEY);
        header[name] = value;
        dpop_of(&KEY, &header, &dpop_claims())
    };
    for kind in ["JWT", "dpop", "DPOP+JWT", "at+jwt", "pop"] {
        assert_eq!(with("typ", json!(kind)), Err(ProofError::Type), "{kind}");
    }
    for algorithm in ["none", "HS256", "ES384", "RS384", "EdDSA", "RS256", "es256", ""] {
        assert_eq!(with("alg", json!(algorithm)), Err(ProofError::AlgorithmNotAllowed), "{algorithm}");
    }
    for name in ["crit", "jku", "x5u", "x5c", "b64", "zip", "enc", "cty"] {
        assert_eq!(with(name, json!(["x"])), Err(ProofError::HeaderUnsupported(name)));
    }
    for jwk in [Value::Null, json!("x"), json!({}), json!({"kty": "oct"})] {
        assert_eq!(with("jwk", jwk.clone()), Err(ProofError::Key), "{jwk}");
    }
    let mut private = KEY.jwk();
    private["d"] = json!("AQAB");
    assert_eq!(with("jwk", private), Err(ProofError::PrivateKey));
    // Somebody else's key, and the right key under somebody else's signature.
    let other = Key::p256();
    assert_eq!(with("jwk", other.jwk()), Err(ProofError::KeyMismatch));
    let forged = other.sign(&dpop_header(&KEY), &dpop_claims());
    let verdict = verify_dpop(&forged, TOKEN, &KEY.thumbprint(), &request("GET", "/orders"));
    assert_eq!(verdict, Err(ProofError::SignatureInvalid));
}

#[test]
fn what_is_no_strict_jws_is_no_proof() {
    let good = KEY.sign(&dpop_header(&KEY), &dpop_claims());
    let judge = |raw: &str| verify_dpop(raw, TOKEN, &KEY.thumbprint(), &request("GET", "/orders")).unwrap_err();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for raw in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        &format!("{good}="),
        &format!(" {good}"),
        &format!("{good}.x"),
        &format!("{signed}."),
        &format!("{signed}.{signature}\n"),
    ] {
        let refusal = judge(raw);
        assert!(matches!(refusal, ProofError::Malformed | ProofError::SignatureInvalid), "{raw}: {refusal}");
    }
    assert_eq!(judge(&"a".repeat(9 * 1024)), ProofError::TooLarge);
    // A member that stands twice: two readers would read two proofs.
    let claims = dpop_claims().to_string().replacen('{', r#"{"htm":"POST","#, 1);
    let doubled = format!(
        "{}.{}",
        base64url_encode(dpop_header(&KEY).to_string().as_bytes()),
        base64url_encode(claims.as_bytes())
    );
    assert_eq!(judge(&format!("{doubled}.{signature}")), ProofError::Malformed);
}

#[test]
fn the_same_proof_has_the_same_id_and_every_other_has_another() {
    let id = |key: &Key, jti: &str| {
        let mut claims = dpop_claims();
        claims["jti"] = json!(jti);
        dpop_of(key, &dpop_header(key), &claims).unwrap()
    };
    assert_eq!(id(&KEY, "a"), id(&KEY, "a"), "signed anew, but with the same identifier");
    assert_ne!(id(&KEY, "a"), id(&KEY, "b"));
    assert_ne!(id(&KEY, "a"), id(&Key::p256(), "a"), "identifiers are their key's");
}

fn pop_claims(key: &Key) -> Value {
    json!({
        "at": TOKEN, "ts": NOW, "m": "GET", "u": "orders.test", "p": "/orders", "nonce": "1b4e28ba",
        "cnf": {"jwk": key.jwk()}
    })
}

fn pop_of(key: &Key, claims: &Value, confirmation: &Value) -> Result<ProofId, ProofError> {
    let header = json!({"typ": "pop", "alg": key.algorithm().name(), "kid": key.thumbprint()});
    let raw = key.sign(&header, claims);
    let parsed = SignedHttpRequest::parse(&raw)?;
    assert_eq!(parsed.access_token(), claims["at"].as_str().unwrap());
    parsed.verify(confirmation.as_object().unwrap(), &request("GET", "/orders"))
}

#[test]
fn a_signed_http_request_fits_its_token_by_thumbprint_or_by_key() {
    for key in [Key::rsa(ProofAlgorithm::Rs256), Key::rsa(ProofAlgorithm::Ps256), Key::p256()] {
        for confirmation in [
            json!({"kid": key.thumbprint()}),
            json!({"kid": key.thumbprint(), "xms_ksl": "sw"}),
            json!({"jwk": key.jwk()}),
        ] {
            let verdict = pop_of(&key, &pop_claims(&key), &confirmation);
            assert!(verdict.is_ok(), "{confirmation}: {verdict:?}");
        }
    }
}

#[test]
fn a_signed_http_request_for_anything_else_is_refused_by_name() {
    let confirmation = json!({"kid": KEY.thumbprint()});
    let with = |name: &str, value: Value| {
        let mut claims = pop_claims(&KEY);
        claims[name] = value;
        pop_of(&KEY, &claims, &confirmation)
    };
    for (name, value, refusal) in [
        ("m", json!("POST"), ProofError::MethodMismatch),
        ("u", json!("orders.evil"), ProofError::AddressMismatch),
        ("u", json!("orders.test:80"), ProofError::AddressMismatch),
        ("p", json!("/others"), ProofError::AddressMismatch),
        ("ts", json!(NOW - 301), ProofError::Stale),
        ("ts", json!(NOW + 61), ProofError::MadeInFuture),
        ("ts", json!(NOW.to_string()), ProofError::ClaimMalformed("ts")),
        ("cnf", json!({}), ProofError::Key),
        ("cnf", json!({"jwk": {"kty": "oct", "k": "AQAB"}}), ProofError::PrivateKey),
        ("cnf", json!({"jwk": Key::p256().jwk()}), ProofError::KeyMismatch),
    ] {
        assert_eq!(with(name, value.clone()), Err(refusal), "{name} {value}");
    }
    assert!(with("u", json!("Orders.test:443")).is_ok());
    assert!(with("p", json!("/orders/")).is_ok(), "as Microsoft's library has it");
    for name in ["m", "u", "p", "ts", "cnf"] {
        let mut claims = pop_claims(&KEY);
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(pop_of(&KEY, &claims, &confirmation), Err(ProofError::ClaimMissing(name)));
    }
    for confirmation in
        [json!({}), json!({"kid": "x"}), json!({"kid": 1}), json!({"kid": KEY.thumbprint(), "jwk": KEY.jwk()})]
    {
        assert_eq!(pop_of(&KEY, &pop_claims(&KEY), &confirmation), Err(ProofError::KeyMismatch), "{confirmation}");
    }
    for (typ, at, refusal) in [
        ("JWT", json!(TOKEN), ProofError::Type),
        ("pop", json!(7), ProofError::ClaimMalformed("at")),
        ("pop", json!(""), ProofError::ClaimMalformed("at")),
    ] {
        let mut claims = pop_claims(&KEY);
        claims["at"] = at;
        let raw = KEY.sign(&json!({"typ": typ, "alg": "ES256"}), &claims);
        assert_eq!(SignedHttpRequest::parse(&raw).unwrap_err(), refusal);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is changed, the proof proves nothing any more.
    #[test]
    fn no_byte_of_a_proof_can_be_changed(at in any::<prop::sample::Index>(), byte in 0x21_u8..0x7f) {
        let good = KEY.sign(&dpop_header(&KEY), &dpop_claims());
        let mut changed = good.clone().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        prop_assert!(verify_dpop(&changed, TOKEN, &KEY.thumbprint(), &request("GET", "/orders")).is_err());
    }

    #[test]
    fn nothing_panics(raw in "\\PC{0,200}") {
        let _ = verify_dpop(&raw, &raw, &raw, &request(&raw, &raw));
        let _ = SignedHttpRequest::parse(&raw).map(|it| it.verify(&serde_json::Map::new(), &request(&raw, &raw)));
    }
}
