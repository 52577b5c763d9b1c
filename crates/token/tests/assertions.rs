//! Client assertions in every dialect that libraries were seen to send, and the refusals that Entra has a code for.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::OnceLock;

use countersign_token::assertion::{AssertionError, ClientAssertion, MAX_ASSERTION_BYTES};
use countersign_token::{
    Algorithm, AssertionAlgorithm, Certificate, ClientAssertionSigner, ClientId, PrivateKey, SignerError, Timestamp,
    base64_encode_standard, base64url_encode,
};
use serde_json::{Value, json};

use self::kit::forge::{certificate_with_serial, pem};
use self::kit::{CLIENT, NOW, TENANT, attacker, genuine, genuine_pkcs8, with, without};

mod kit;

const JTI: &str = "5f0c6f5e-9c1f-4d0b-8e5c-7a2b7f3c1d90";

fn token_endpoint() -> String {
    format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token")
}

/// A certificate both of whose thumbprints are spelled differently in the two alphabets.
fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        (1..)
            .map(|serial| Certificate::from_der(certificate_with_serial(genuine_pkcs8(), "demo", serial)).unwrap())
            .find(|certificate| {
                [sha1(certificate), sha256(certificate)].iter().all(|text| text.contains('-') && text.contains('_'))
            })
            .unwrap()
    })
}

fn sha1(certificate: &Certificate) -> String {
    base64url_encode(&certificate.sha1_thumbprint())
}

fn sha256(certificate: &Certificate) -> String {
    base64url_encode(&certificate.sha256_thumbprint())
}

/// With the padding that JOSE forbids.
fn padded(text: String) -> String {
    let missing = (4 - text.len() % 4) % 4;
    text + &"=".repeat(missing)
}

/// In the alphabet that JOSE forbids.
fn standard(text: &str) -> String {
    text.replace('-', "+").replace('_', "/")
}

/// The claims that everybody sends.
fn claims() -> Value {
    json!({"aud": token_endpoint(), "iss": CLIENT, "sub": CLIENT, "jti": JTI, "exp": NOW + 600})
}

/// The header of most: `typ`, `alg` and `x5t#S256`.
fn header() -> Value {
    json!({"typ": "JWT", "alg": "PS256", "x5t#S256": sha256(certificate())})
}

fn sign(algorithm: Algorithm, header: &str, payload: &str) -> String {
    let input = format!("{header}.{payload}");
    let signature = genuine().private_key().sign(algorithm, input.as_bytes()).unwrap();
    format!("{input}.{}", base64url_encode(&signature))
}

fn encode(value: &Value) -> String {
    base64url_encode(value.to_string().as_bytes())
}

/// Signs with the algorithm that the header names.
fn assertion(header: &Value, claims: &Value) -> String {
    let algorithm = header["alg"].as_str().and_then(Algorithm::from_name).unwrap_or(Algorithm::Rs256);
    sign(algorithm, &encode(header), &encode(claims))
}

/// Expects the assertion to name the certificate, to be signed by it, and to carry what everybody sends.
#[track_caller]
fn taken(raw: &str) -> ClientAssertion {
    let assertion = ClientAssertion::parse(raw).unwrap();
    assert!(assertion.names(&certificate().sha1_thumbprint(), &certificate().sha256_thumbprint()));
    assert!(!assertion.names(&[1; 20], &[2; 32]));
    assert!(assertion.is_signed_by(certificate().public_key()));
    assert!(!assertion.is_signed_by(attacker().private_key().public_key()));
    assert_eq!((assertion.issuer(), assertion.subject()), (CLIENT, CLIENT));
    assert_eq!(assertion.expires(), NOW + 600);
    assert_eq!(assertion.jti(), Some(JTI));
    assertion
}

#[track_caller]
fn refused(raw: &str, expected: &AssertionError) {
    assert_eq!(&ClientAssertion::parse(raw).unwrap_err(), expected);
}

#[test]
fn msal_python_with_a_thumbprint() {
    // RS256, SHA-1 padded, dates as floats, x5c with the PEM body's line breaks, no nbf.
    let body = base64_encode_standard(certificate().der());
    let lines = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>();
    let header = json!({
        "alg": "RS256", "typ": "JWT", "x5t": padded(sha1(certificate())), "x5c": [format!("\n{}\n", lines.join("\n"))]
    });
    let payload = claims()
        .to_string()
        .replace(&format!("\"exp\":{}", NOW + 600), &format!("\"exp\":{}.8274,\"iat\":{NOW}.8274", NOW + 600));
    let assertion = taken(&sign(Algorithm::Rs256, &encode(&header), &base64url_encode(payload.as_bytes())));
    assert_eq!(assertion.algorithm(), Algorithm::Rs256);
    assert_eq!(assertion.not_before(), Some(NOW), "iat stands in for nbf, its fraction cut off");
    assert_eq!(assertion.thumbprints().collect::<Vec<_>>(), [&certificate().sha1_thumbprint()[..]]);
}

#[test]
fn msal_python_with_a_certificate() {
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": padded(sha256(certificate()))});
    let assertion = taken(&assertion(&header, &with(claims(), "iat", NOW)));
    assert_eq!(assertion.algorithm(), Algorithm::Ps256);
    assert_eq!(assertion.thumbprints().collect::<Vec<_>>(), [&certificate().sha256_thumbprint()[..]]);
}

#[test]
fn msal_go() {
    let thumbprint = padded(standard(&sha256(certificate())));
    assert!(thumbprint.contains('+') && thumbprint.contains('/') && thumbprint.ends_with('='));
    let header = json!({
        "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint, "x5c": [base64_encode_standard(certificate().der())]
    });
    assert_eq!(taken(&assertion(&header, &with(claims(), "nbf", NOW))).not_before(), Some(NOW));
}

#[test]
fn msal_dotnet() {
    // nbf and exp are strings, x5c is one string.
    let header = with(header(), "x5c", base64_encode_standard(certificate().der()));
    let claims = with(with(claims(), "exp", (NOW + 600).to_string()), "nbf", NOW.to_string());
    assert_eq!(taken(&assertion(&header, &claims)).not_before(), Some(NOW));
}

#[test]
fn msal_node() {
    let claims = with(with(claims(), "nbf", NOW), "iat", NOW - 7);
    for header in [header(), json!({"typ": "JWT", "alg": "RS256", "x5t": sha1(certificate())})] {
        let header = with(header, "x5c", json!([base64_encode_standard(certificate().der())]));
        assert_eq!(taken(&assertion(&header, &claims)).not_before(), Some(NOW), "nbf goes before iat");
    }
}

#[test]
fn msal_java() {
    // aud as a list of one; x5t#S256 in the standard alphabet under RS256.
    let header = json!({"alg": "RS256", "typ": "JWT", "x5t#S256": padded(standard(&sha256(certificate())))});
    let taken = taken(&assertion(&header, &with(claims(), "aud", json!([token_endpoint()]))));
    assert_eq!(taken.audiences(), [token_endpoint()]);
    assert_eq!(taken.not_before(), None);
}

#[test]
fn azure_identity_for_rust() {
    // SHA-1 in the standard alphabet; x5c holds base64 of the PEM text.
    let text = pem("CERTIFICATE", certificate().der(), "\n");
    let header = json!({
        "alg": "RS256", "typ": "JWT", "x5t": padded(standard(&sha1(certificate()))),
        "x5c": [base64_encode_standard(text.as_bytes())]
    });
    taken(&assertion(&header, &with(claims(), "nbf", NOW)));
}

#[test]
fn go_azure_sdk_of_terraform() {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": padded(sha1(certificate()))});
    taken(&assertion(&header, &with(claims(), "nbf", NOW)));
}

#[test]
fn azure_identity_aio_pads_whole_segments() {
    let header = json!({"alg": "RS256", "typ": "JWT", "x5t": sha1(certificate()), "pad": ""});
    // Fill up until each segment has padding: lengths that are no multiples of three.
    let fill = |mut value: Value, name: &str| {
        while value.to_string().len().is_multiple_of(3) {
            value[name] = format!("{}x", value[name].as_str().unwrap_or_default()).into();
        }
        padded(encode(&value))
    };
    let (header, payload) = (fill(header, "pad"), fill(claims(), "pad"));
    assert!(header.ends_with('=') && payload.ends_with('='));
    let raw = padded_signature(&sign(Algorithm::Rs256, &header, &payload));
    assert!(raw.ends_with("=="));
    taken(&raw);
    // What was signed is the padded text: without the padding it is another message.
    let bare = raw.replace('=', "");
    assert!(!ClientAssertion::parse(&bare).unwrap().is_signed_by(certificate().public_key()));
}

/// Pads the last segment alone.
fn padded_signature(raw: &str) -> String {
    let (input, signature) = raw.rsplit_once('.').unwrap();
    format!("{input}.{}", padded(signature.to_owned()))
}

#[test]
fn adal_and_its_v1_audience() {
    let header = json!({"typ": "JWT", "alg": "RS256", "x5t": padded(sha1(certificate()))});
    let audience = "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/token";
    let claims = with(with(claims(), "aud", audience), "nbf", NOW);
    assert_eq!(taken(&assertion(&header, &claims)).audiences(), [audience]);
}

#[test]
fn openid_client_and_oauth4webapi() {
    // No typ; aud is the issuer, or both.
    let audiences = json!([format!("https://login.microsoftonline.com/{TENANT}/v2.0"), token_endpoint()]);
    let claims = with(with(with(claims(), "aud", audiences.clone()), "iat", NOW), "nbf", NOW);
    let taken = taken(&assertion(&without(header(), "typ"), &claims));
    assert_eq!(json!(taken.audiences()), audiences);
}

#[test]
fn authlib() {
    taken(&assertion(&header(), &with(claims(), "iat", NOW)));
}

#[test]
fn all_four_algorithms_are_taken() {
    for algorithm in [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256] {
        let taken = taken(&assertion(&with(header(), "alg", algorithm.name()), &claims()));
        assert_eq!(taken.algorithm(), algorithm);
    }
}

#[test]
fn thumbprints_come_in_the_order_of_their_strength() {
    let header = with(with(header(), "kid", sha1(certificate())), "x5t", sha1(certificate()));
    let lengths: Vec<_> = taken(&assertion(&header, &claims())).thumbprints().map(<[u8]>::len).collect();
    assert_eq!(lengths, [32, 20, 20]);
    // A kid that is no thumbprint does no harm beside one.
    taken(&assertion(&with(self::header(), "kid", "my-key"), &claims()));
}

#[test]
fn an_odd_x5c_or_a_key_in_the_header_is_not_looked_at() {
    for (name, value) in [
        ("x5c", json!(7)),
        ("x5c", json!([])),
        ("x5c", json!("no base64!")),
        ("x5c", json!({"a": null})),
        ("jwk", kit::jwk(attacker())),
        ("jku", json!("https://attacker.example/keys")),
        ("x5u", json!("https://attacker.example/cert")),
    ] {
        taken(&assertion(&with(header(), name, value), &claims()));
    }
}

#[test]
fn an_altered_or_foreign_signature_is_noticed() {
    let raw = assertion(&header(), &claims());
    let (input, _) = raw.rsplit_once('.').unwrap();
    let (first, _) = input.split_once('.').unwrap();
    let key = certificate().public_key();
    for altered in [
        format!("{input}.{}", base64url_encode(&[7; 256])),
        format!("{input}."),
        format!("{first}.{}.{}", encode(&with(claims(), "sub", "other")), raw.rsplit_once('.').unwrap().1),
        sign(Algorithm::Rs256, &encode(&header()), &encode(&claims())),
    ] {
        assert!(!ClientAssertion::parse(&altered).unwrap().is_signed_by(key), "{altered}");
    }
}

#[test]
fn malformed() {
    let expected = AssertionError::Malformed;
    let raw = assertion(&header(), &claims());
    let (input, signature) = raw.rsplit_once('.').unwrap();
    let (first, second) = input.split_once('.').unwrap();
    let list = base64url_encode(b"[]");
    for text in [
        "",
        "garbage",
        "..",
        input,
        &format!("{raw}."),
        &format!("{raw}.{signature}"),
        &format!("{first}.{second}.*"),
        &format!("{first}.{list}.{signature}"),
        &format!("{list}.{second}.{signature}"),
        &format!("{}.{second}.{signature}", base64url_encode(b"{\"alg\":\"RS256\"")),
        &format!("{}.{second}.{signature}", base64url_encode(b"\xff")),
        &format!("{first}=A.{second}.{signature}"),
        &"A".repeat(MAX_ASSERTION_BYTES + 1),
    ] {
        refused(text, &expected);
    }
    // A member that stands twice, and what must be understood but is not.
    let twice =
        |object: &Value, member: &str| base64url_encode(format!("{{{member},{}", &object.to_string()[1..]).as_bytes());
    refused(&format!("{}.{second}.{signature}", twice(&header(), "\"alg\":\"none\"")), &expected);
    refused(&format!("{first}.{}.{signature}", twice(&claims(), "\"\\u0073ub\":\"other\"")), &expected);
    for name in ["crit", "b64", "zip"] {
        refused(&assertion(&with(header(), name, json!(null)), &claims()), &expected);
    }
    let long = with(claims(), "x", "x".repeat(MAX_ASSERTION_BYTES));
    refused(&assertion(&header(), &long), &expected);
}

#[test]
fn typ_of_another_kind() {
    for value in [json!("at+jwt"), json!("JWS"), json!(""), json!(null), json!(1)] {
        refused(&assertion(&with(header(), "typ", value), &claims()), &AssertionError::Type);
    }
    taken(&assertion(&with(header(), "typ", "jwt"), &claims()));
}

#[test]
fn alg_that_is_not_supported() {
    for value in [json!("none"), json!("HS256"), json!("ES256"), json!("PS384"), json!("rs256"), json!(null), json!(1)]
    {
        refused(&assertion(&with(header(), "alg", value), &claims()), &AssertionError::Algorithm);
    }
    refused(&assertion(&without(header(), "alg"), &claims()), &AssertionError::Algorithm);
}

#[test]
fn no_thumbprint() {
    let bare = without(header(), "x5t#S256");
    refused(&assertion(&bare, &claims()), &AssertionError::NoThumbprint);
    for value in [json!("my-key"), json!(""), json!(7), json!(null), json!("*"), json!(base64url_encode(&[0; 21]))] {
        for name in ["x5t", "x5t#S256", "kid"] {
            refused(&assertion(&with(bare.clone(), name, value.clone()), &claims()), &AssertionError::NoThumbprint);
        }
    }
}

#[test]
fn claims_missing_or_of_a_type_that_nobody_sends() {
    for name in ["aud", "iss", "sub", "exp"] {
        refused(&assertion(&header(), &without(claims(), name)), &AssertionError::Claim(name));
        for value in [json!(null), json!({}), json!(true), json!([])] {
            refused(&assertion(&header(), &with(claims(), name, value)), &AssertionError::Claim(name));
        }
    }
    refused(&assertion(&header(), &with(claims(), "aud", json!(["a", 1]))), &AssertionError::Claim("aud"));
    let many = json!(["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    refused(&assertion(&header(), &with(claims(), "aud", many)), &AssertionError::Claim("aud"));
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!("soon"),
            json!(""),
            json!("NaN"),
            json!("inf"),
            json!("2026-01-01"),
            json!(-1),
            json!(NOW * 1_000),
            json!([NOW]),
        ] {
            refused(&assertion(&header(), &with(claims(), name, value)), &AssertionError::Claim(name));
        }
    }
}

#[test]
fn debug_shows_no_assertion() {
    let raw = assertion(&header(), &claims());
    let text = format!("{:?}", ClientAssertion::parse(&raw).unwrap());
    assert!(text.contains(CLIENT) && !text.contains(&raw[raw.len() - 20..]), "{text}");
}

/// A signer over the genuine key and its certificate.
fn signer(algorithm: AssertionAlgorithm, send_chain: bool) -> ClientAssertionSigner {
    let key = PrivateKey::from_pkcs8_der(genuine_pkcs8()).unwrap();
    ClientAssertionSigner::new(key, certificate().clone(), algorithm, send_chain).unwrap()
}

#[test]
fn our_own_assertions_parse_and_verify() {
    let client: ClientId = CLIENT.parse().unwrap();
    for (choice, algorithm, member) in [
        (AssertionAlgorithm::Ps256, Algorithm::Ps256, "x5t#S256"),
        (AssertionAlgorithm::Rs256, Algorithm::Rs256, "x5t"),
    ] {
        for send_chain in [false, true] {
            let signer = signer(choice, send_chain);
            let now = Timestamp::from_unix_seconds(NOW);
            let raw = signer.sign(client, &token_endpoint(), now, JTI.parse().unwrap()).unwrap();
            let taken = taken(&raw);
            assert_eq!(taken.algorithm(), algorithm);
            assert_eq!(taken.audiences(), [token_endpoint()]);
            assert_eq!(taken.not_before(), Some(NOW));
            // Ours has one spelling only.
            let header = countersign_token::base64url_decode_strict(raw.split('.').next().unwrap()).unwrap();
            let header: Value = serde_json::from_slice(&header).unwrap();
            let thumbprint = if member == "x5t" { sha1(certificate()) } else { sha256(certificate()) };
            assert_eq!((&header["typ"], &header[member]), (&json!("JWT"), &json!(thumbprint)));
            let chain = send_chain.then(|| json!([base64_encode_standard(certificate().der())]));
            assert_eq!(header.get("x5c"), chain.as_ref());
            assert_eq!(header.as_object().unwrap().len(), if send_chain { 4 } else { 3 });
        }
    }
    assert_eq!(signer(AssertionAlgorithm::default(), false).certificate().key_id(), sha1(certificate()));
}

#[test]
fn a_certificate_for_another_key_makes_no_signer() {
    let key = PrivateKey::from_pkcs8_der(kit::attacker_pkcs8()).unwrap();
    let error = ClientAssertionSigner::new(key, certificate().clone(), AssertionAlgorithm::Ps256, false).unwrap_err();
    assert!(matches!(error, SignerError::KeyMismatch), "{error}");
}
