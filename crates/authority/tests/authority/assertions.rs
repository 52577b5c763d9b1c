//! Client assertions that must not pass, each with Entra's code (pitfalls B05, B07, B09 to B17).

use countersign_directory::DirectoryFile;
use countersign_token::{PublicKey, base64_encode_standard, base64url_encode};
use rustls::crypto::tls13::OkmBlock;
use serde_json::{Value, json};

use crate::forge::{Assertion, OTHER, REGISTERED, Spelling, form, sha1, sha256};
use crate::kit::{API, Answer, CLIENT, Kit, NOW, SECRET, TENANT, directory_text, directory_with};

const RIVAL: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b77";

/// The usual client with a certificate, and a rival with another.
async fn kit() -> Kit {
    let rival = format!("- {{appId: {RIVAL}, displayName: Rival, {}}}", OTHER.key_credentials(""));
    let text = directory_text(&REGISTERED.key_credentials(""), &rival);
    Kit::with(DirectoryFile::parse("test.yaml", &text).unwrap().file).await
}

async fn ask(kit: &Kit, assertion: &str) -> Answer {
    post(kit, &form(assertion, &format!("&client_id={CLIENT}&scope={API}/.default"))).await
}

async fn post(kit: &Kit, form: &str) -> Answer {
    kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), form).await
}

fn text(answer: &Answer) -> &str {
    answer.body["error_description"].as_str().unwrap()
}

#[tokio::test]
async fn what_is_no_jwt_is_malformed() {
    let kit = kit().await;
    let good = Assertion::new(&kit);
    let signed = good.signed();
    let (header, rest) = signed.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let raw = |header: &str, claims: &str| {
        format!("{}.{}.{signature}", base64url_encode(header.as_bytes()), base64url_encode(claims.as_bytes()))
    };
    let (h, c) = (good.header.to_string(), good.claims.to_string());
    let twice = |json: &str, member: &str| format!("{},{member}}}", json.trim_end_matches('}'));
    let cases = [
        "garbage".to_owned(),
        format!("{header}.{claims}"),
        format!("{signed}.{signature}"),
        format!("{header}.{claims}.!!"),
        format!("!!.{claims}.{signature}"),
        format!("..{signature}"),
        raw("[]", &c),
        raw(&h, "\"text\""),
        raw(&h, "{}trailing"),
        raw("not json", &c),
        raw(&twice(&h, r#""alg":"RS256""#), &c),
        raw(&h, &twice(&c, &format!(r#""sub":"{RIVAL}""#))),
        good.clone().with_header(json!({"crit": ["exp"]})).signed(),
        good.clone().with_header(json!({"b64": false})).signed(),
        good.clone().with_header(json!({"zip": "DEF"})).signed(),
        // Bounded before it is read.
        good.clone().with_header(json!({"x5c": "A".repeat(16 * 1024)})).signed(),
    ];
    for case in cases {
        let answer = ask(&kit, &case).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", 50_027), "{case:.60}");
    }
}

#[tokio::test]
async fn each_fault_of_the_header_has_its_code() {
    let kit = kit().await;
    let good = Assertion::new(&kit);
    let code = async |header: Value| {
        let answer = ask(&kit, &good.clone().with_header(header).signed()).await;
        let (status, error, code) = answer.refusal();
        assert_eq!((status, error), (401, "invalid_client"), "{answer:?}");
        code
    };
    assert_eq!(code(json!({"x5t#S256": null})).await, 5_002_723);
    assert_eq!(code(json!({"x5t#S256": null, "kid": "some name"})).await, 5_002_723);
    assert_eq!(code(json!({"x5t#S256": ["a"]})).await, 5_002_723);
    for typ in [json!("at+jwt"), json!("dpop+jwt"), json!("JOSE"), json!(1), json!("JWT ")] {
        assert_eq!(code(json!({"typ": typ})).await, 5_002_727, "{typ}");
    }
    // B10: neither none nor an HMAC, however it is spelled.
    for alg in ["none", "None", "NONE", "HS256", "HS512", "ES256", "EdDSA", "ps256", "RS256 ", "RSA256", ""] {
        assert_eq!(code(json!({"alg": alg})).await, 5_002_738, "{alg}");
    }
    for alg in [Value::Null, json!(256), json!(["RS256"]), json!(true)] {
        assert_eq!(code(json!({"alg": alg})).await, 5_002_738, "{alg}");
    }
    let named = ask(&kit, &good.with_header(json!({"alg": "HS256"})).signed()).await;
    assert!(text(&named).contains("'HS256' is not a supported signature algorithm"), "{named:?}");
}

#[tokio::test]
async fn each_claim_that_is_missing_is_named() {
    let kit = kit().await;
    for (name, values) in [
        ("iss", vec![Value::Null, json!(1), json!([CLIENT])]),
        ("sub", vec![Value::Null, json!({"id": CLIENT})]),
        ("aud", vec![Value::Null, json!([]), json!([1]), json!(vec!["x"; 9])]),
        ("exp", vec![Value::Null, json!("tomorrow"), json!(true), json!(-1), json!(1e300), json!("NaN"), json!("inf")]),
        ("nbf", vec![json!([NOW]), json!("soon")]),
        ("iat", vec![json!({})]),
    ] {
        for value in values {
            let mut assertion = Assertion::new(&kit);
            if name == "iat" {
                assertion = assertion.with(json!({"nbf": null}));
            }
            let answer = ask(&kit, &assertion.with(json!({name: value})).signed()).await;
            assert_eq!(answer.refusal(), (400, "invalid_request", 90_014), "{name} = {value}");
            assert!(text(&answer).contains(&format!("'{name}'")), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn b15_who_it_is_about_must_be_who_asks() {
    let kit = kit().await;
    let good = Assertion::new(&kit);
    let refusal = async |claims: Value| ask(&kit, &good.clone().with(claims).signed()).await.refusal().2;
    assert_eq!(refusal(json!({"iss": RIVAL, "sub": RIVAL})).await, 700_021);
    assert_eq!(refusal(json!({"iss": RIVAL})).await, 700_021);
    assert_eq!(refusal(json!({"iss": ""})).await, 700_021);
    assert_eq!(refusal(json!({"sub": RIVAL})).await, 50_048);
    assert_eq!(refusal(json!({"sub": format!("{CLIENT} ")})).await, 50_048);
    // Without client_id the subject says who asks; iss must agree with it all the same.
    let without_id = async |claims: Value| {
        let assertion = good.clone().with(claims).signed();
        post(&kit, &form(&assertion, &format!("&scope={API}/.default"))).await.refusal().2
    };
    assert_eq!(without_id(json!({"sub": RIVAL})).await, 700_021);
    assert_eq!(without_id(json!({"sub": TENANT})).await, 700_016);
    let garbage = post(&kit, &form("garbage", &format!("&scope={API}/.default"))).await;
    assert_eq!(garbage.refusal(), (400, "invalid_request", 900_144));
}

#[tokio::test]
async fn b13_it_is_valid_within_its_times_and_five_minutes_around_them() {
    let kit = kit().await;
    let code = async |claims: Value| {
        let answer = ask(&kit, &Assertion::new(&kit).with(claims).signed()).await;
        (answer.status, answer.body["error_codes"][0].as_u64())
    };
    let (good, late) = ((200, None), (401, Some(700_024)));
    assert_eq!(code(json!({"exp": NOW - 299})).await, good);
    assert_eq!(code(json!({"exp": NOW - 300})).await, late);
    assert_eq!(code(json!({"nbf": NOW + 300})).await, good);
    assert_eq!(code(json!({"nbf": NOW + 301})).await, late);
    // Without nbf, iat is where it begins.
    assert_eq!(code(json!({"nbf": null, "iat": NOW + 301})).await, late);
    assert_eq!(code(json!({"nbf": null, "iat": null})).await, good);
    // The service sets no upper limit to a life (pitfalls B13 asks for one; docs and real clients do not keep it).
    assert_eq!(code(json!({"exp": NOW + 86_400 * 365})).await, good);
    let answer = ask(&kit, &Assertion::new(&kit).with(json!({"nbf": NOW - 7200, "exp": NOW - 3600})).signed()).await;
    assert!(
        text(&answer).contains(
            "Current time: 2026-01-01T00:00:00.0000000Z, assertion valid from 2025-12-31T22:00:00.0000000Z, \
             expiry time of assertion 2025-12-31T23:00:00.0000000Z."
        ),
        "{answer:?}"
    );
}

#[tokio::test]
async fn b16_a_certificate_must_be_registered_valid_and_the_signer() {
    let kit = kit().await;
    let thumbprint: String =
        REGISTERED.certificate.sha256_thumbprint().iter().map(|byte| format!("{byte:02X}")).collect();
    let reason = async |kit: &Kit, assertion: String| {
        let answer = ask(kit, &assertion).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", 700_027), "{answer:?}");
        text(&answer).to_owned()
    };
    // B16: another client's certificate, with its key and its thumbprint.
    let others = json!({"x5t#S256": Spelling::Url.of(&OTHER.certificate.sha256_thumbprint())});
    let unknown = reason(&kit, Assertion::new(&kit).with_header(others).signed_by(&OTHER.key)).await;
    assert!(unknown.contains("The key was not found., Thumbprint of key used by client: '"), "{unknown}");
    assert!(unknown.contains(&format!("applications/{CLIENT}'")), "{unknown}");
    // The registered thumbprint with another key.
    let forged = reason(&kit, Assertion::new(&kit).signed_by(&OTHER.key)).await;
    assert!(forged.contains("signature value did not match"), "{forged}");
    assert!(
        forged.contains(&format!("'{thumbprint}', Found key 'Start=01/01/2024 00:00:00, End=01/01/2034")),
        "{forged}"
    );
    // One signature over other claims.
    let signed = Assertion::new(&kit).signed();
    let other = Assertion::new(&kit).with(json!({"jti": "other"})).signing_input();
    let moved = reason(&kit, format!("{other}.{}", signed.rsplit('.').next().unwrap())).await;
    assert!(moved.contains("signature value did not match"), "{moved}");
    // Right key, wrong algorithm for the signature's bytes.
    let mut confused = Assertion::new(&kit);
    confused.header["alg"] = json!("RS256");
    assert!(reason(&kit, confused.signed()).await.contains("signature value did not match"));
    // B05: expired and not yet valid.
    for (more, start, end) in [
        (", endDateTime: \"2025-06-01T00:00:00Z\"", "01/01/2024", "06/01/2025"),
        (", startDateTime: \"2026-06-01T00:00:00Z\"", "06/01/2026", "01/01/2034"),
    ] {
        let kit = Kit::with(directory_with(&REGISTERED.key_credentials(more))).await;
        let expired = reason(&kit, Assertion::new(&kit).signed()).await;
        assert!(expired.contains("The key used is expired."), "{expired}");
        assert!(expired.contains(&format!("'Start={start} 00:00:00, End={end} 00:00:00'")), "{expired}");
    }
    // A client without any certificate.
    let bare = Kit::start().await;
    assert!(reason(&bare, Assertion::new(&bare).signed()).await.contains("The key was not found."));
}

/// HMAC-SHA-256 (RFC 2104) by the means that TLS has anyway.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let suite = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13().unwrap();
    let hashed;
    let key = match key.len() {
        0..=64 => key,
        _ => {
            hashed = suite.common.hash_provider.hash(key);
            hashed.as_ref()
        }
    };
    suite.hkdf_provider.hmac_sign(&OkmBlock::new(key), message).as_ref().to_vec()
}

#[tokio::test]
async fn b10_hmac_under_the_public_key_or_the_secret_proves_nothing() {
    let kit = kit().await;
    let public: &PublicKey = REGISTERED.certificate.public_key();
    let der = REGISTERED.certificate.der();
    let keys: [&[u8]; 7] = [
        REGISTERED.pem.as_bytes(),
        REGISTERED.pem.trim_end().as_bytes(),
        der,
        base64_encode_standard(der).leak().as_bytes(),
        public.modulus(),
        SECRET.as_bytes(),
        b"",
    ];
    for key in keys {
        let assertion = Assertion::new(&kit).with_header(json!({"alg": "HS256"}));
        let input = assertion.signing_input();
        let signature = base64url_encode(&hmac_sha256(key, input.as_bytes()));
        let answer = ask(&kit, &format!("{input}.{signature}")).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", 5_002_738));
    }
    let unsigned = Assertion::new(&kit).with_header(json!({"alg": "none"})).signing_input();
    for signature in ["", "AAAA"] {
        let answer = ask(&kit, &format!("{unsigned}.{signature}")).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", 5_002_738));
    }
}

#[tokio::test]
async fn b11_keys_that_the_header_brings_along_are_ignored() {
    let kit = kit().await;
    let public: &PublicKey = OTHER.certificate.public_key();
    let jwk = json!({
        "kty": "RSA", "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent())
    });
    let brought = json!({
        "jwk": jwk, "jku": "https://127.0.0.1:1/keys", "x5u": "https://127.0.0.1:1/certificate",
        "x5c": [base64_encode_standard(OTHER.certificate.der())],
    });
    // Nobody fetches them: the right signature passes at once, and theirs does not.
    let right = Assertion::new(&kit).with_header(brought.clone()).signed();
    assert_eq!(ask(&kit, &right).await.status, 200);
    let wrong = Assertion::new(&kit).with_header(brought.clone()).signed_by(&OTHER.key);
    assert_eq!(ask(&kit, &wrong).await.refusal(), (401, "invalid_client", 700_027));
    let only = Assertion::new(&kit).with_header(brought).with_header(json!({"x5t#S256": null}));
    assert_eq!(ask(&kit, &only.signed_by(&OTHER.key)).await.refusal(), (401, "invalid_client", 5_002_723));
}

#[tokio::test]
async fn b17_an_access_token_is_no_assertion() {
    let kit = kit().await;
    let token = kit.token(&format!("{API}/.default")).await;
    let token = token.body["access_token"].as_str().unwrap();
    assert_eq!(ask(&kit, token).await.refusal(), (401, "invalid_client", 70_025));
    // Its own token, asked for itself: the authority is an issuer like any other, and nobody federated with it.
    let own = kit.token(&format!("{CLIENT}/.default")).await;
    let token = own.body["access_token"].as_str().unwrap();
    assert_eq!(ask(&kit, token).await.refusal(), (401, "invalid_client", 70_025));
}

#[tokio::test]
async fn b07_b09_one_proof_at_a_time() {
    let kit = kit().await;
    let good = Assertion::new(&kit).signed();
    let unsigned = format!("{}.", Assertion::new(&kit).with_header(json!({"alg": "none"})).signing_input());
    let basic = format!("Basic {}", base64_encode_standard(format!("{CLIENT}:{SECRET}").as_bytes()));
    // B09: an unsigned assertion beside a good secret counts for nothing, and neither does the secret.
    for assertion in [&good, &unsigned] {
        let both = form(assertion, &format!("&client_id={CLIENT}&client_secret={SECRET}&scope={API}/.default"));
        assert_eq!(post(&kit, &both).await.refusal(), (400, "invalid_request", 9_002_313));
        let form = form(assertion, &format!("&scope={API}/.default"));
        let path = format!("/{TENANT}/oauth2/v2.0/token");
        let answer = kit.post_with(&path, &form, &[("authorization", &basic)]).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", 9_002_313));
    }
}

#[tokio::test]
async fn the_type_must_be_the_one_of_jwts() {
    let kit = kit().await;
    let good = Assertion::new(&kit).signed();
    let form = form(&good, &format!("&client_id={CLIENT}&scope={API}/.default"));
    let typed = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&";
    assert_eq!(post(&kit, &form).await.status, 200);
    for other in [
        "",
        "client_assertion_type=&",
        "client_assertion_type=jwt-bearer&",
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-pop&",
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Asaml2-bearer&",
    ] {
        let form = form.replace(typed, other);
        assert_eq!(post(&kit, &form).await.refusal(), (401, "invalid_client", 7_000_216), "{other}");
    }
    let alone = format!("grant_type=client_credentials&client_id={CLIENT}&scope={API}/.default&{typed}");
    assert_eq!(post(&kit, &alone).await.refusal(), (401, "invalid_client", 7_000_216));
}

#[tokio::test]
async fn the_spellings_of_a_thumbprint_are_all_told_alike() {
    let kit = kit().await;
    // What is not decoded leniently would be refused as unknown, with a thumbprint that is not the certificate's.
    for header in [json!({"x5t": sha1(Spelling::Standard)}), json!({"x5t#S256": sha256(Spelling::UrlPadded)})] {
        let assertion = Assertion::rs256(&kit, header).signed_by(&OTHER.key);
        let answer = ask(&kit, &assertion).await;
        assert!(text(&answer).contains("signature value did not match"), "{answer:?}");
    }
}
