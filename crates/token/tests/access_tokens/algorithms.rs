//! A01 to A21: the algorithm is the policy's choice, never the token's.

use aws_lc_rs::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use countersign_token::{Algorithm, Rejection, base64_encode_standard, base64url_encode};
use serde_json::{Value, json};

use crate::kit::forge::{NULL, RawKey, SHA1_OID};
use crate::kit::forge::{certificate, digest_info, hmac_token, padded, pem, public_der, sha1, token_with};
use crate::kit::{API, GENUINE_KID, Kit, TENANT, genuine, genuine_pkcs8, jwk, key_set, next};

const REFUSED: Rejection = Rejection::AlgorithmNotAllowed;

#[test]
fn a01_alg_none_with_empty_signature() {
    let kit = Kit::v2_app().header("alg", "none");
    let token = kit.token();
    let (input, _) = token.rsplit_once('.').unwrap();
    kit.refuses(&format!("{input}."), Rejection::NotCompactJws);
    kit.refuses(input, Rejection::NotCompactJws);
    kit.refuses(&format!("{input}.AA"), REFUSED);
}

#[test]
fn a02_alg_none_in_other_letters() {
    for name in ["None", "NONE", "nOnE", "nonE", "NoNe"] {
        let kit = Kit::v2_app().header("alg", name);
        kit.refused(REFUSED);
        let token = kit.token();
        kit.refuses(&format!("{}.AA", token.rsplit_once('.').unwrap().0), REFUSED);
    }
}

#[test]
fn a03_alg_none_with_the_genuine_signature_left_on() {
    let genuine = Kit::v2_app().token();
    let (_, rest) = genuine.split_once('.').unwrap();
    let header = base64url_encode(format!(r#"{{"alg":"none","kid":"{GENUINE_KID}"}}"#).as_bytes());
    Kit::v2_app().refuses(&format!("{header}.{rest}"), REFUSED);
}

#[test]
fn a04_alg_with_invisible_or_look_alike_characters() {
    for name in ["RS256 ", " RS256", "RS256\0", "RS\u{200b}256", "\u{feff}RS256", "ＲＳ256", "RЅ256", "RS256\n"] {
        Kit::v2_app().header("alg", name).refused(REFUSED);
    }
}

#[test]
fn a05_alg_missing_or_of_another_type() {
    Kit::v2_app().without_header("alg").refused(Rejection::HeaderMalformed);
    for value in [json!(null), json!(256), json!(true), json!(["RS256"]), json!({"RS256": true})] {
        Kit::v2_app().header("alg", value).refused(Rejection::HeaderMalformed);
    }
}

#[test]
fn a06_alg_spelled_otherwise() {
    for name in
        ["rs256", "Rs256", "RSA256", "SHA256withRSA", "sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"]
    {
        Kit::v2_app().header("alg", name).refused(REFUSED);
    }
}

/// A token under `name` whose HMAC key is a public value.
#[track_caller]
fn confused(name: &str, secret: &[u8]) {
    let algorithm = match name {
        "HS384" => HMAC_SHA384,
        "HS512" => HMAC_SHA512,
        _ => HMAC_SHA256,
    };
    let kit = Kit::v2_app().header("alg", name);
    kit.refuses(&hmac_token(algorithm, &kit.header.to_string(), &kit.claims.to_string(), secret), REFUSED);
}

#[test]
fn a07_hs256_keyed_with_the_spki_as_pem() {
    let (spki, _) = public_der(genuine().private_key().public_key());
    for text in [
        pem("PUBLIC KEY", &spki, "\n"),
        pem("PUBLIC KEY", &spki, "\r\n"),
        pem("PUBLIC KEY", &spki, ""),
        pem("PUBLIC KEY", &spki, "\n").trim_end().to_owned(),
    ] {
        confused("HS256", text.as_bytes());
    }
    confused("HS256", &spki);
}

#[test]
fn a08_hs256_keyed_with_pkcs1() {
    let (_, pkcs1) = public_der(genuine().private_key().public_key());
    confused("HS256", pem("RSA PUBLIC KEY", &pkcs1, "\n").as_bytes());
    confused("HS256", &pkcs1);
    confused("HS256", base64_encode_standard(&pkcs1).as_bytes());
}

#[test]
fn a09_hs256_keyed_with_the_jwk_as_text() {
    let key = jwk(genuine());
    let thumbprint_json = json!({"e": key["e"], "kty": "RSA", "n": key["n"]});
    for text in [key.to_string(), json!({"keys": [key]}).to_string(), thumbprint_json.to_string()] {
        confused("HS256", text.as_bytes());
    }
}

#[test]
fn a10_hs256_keyed_with_the_modulus_or_the_exponent() {
    let public = genuine().private_key().public_key();
    let hex: String = public.modulus().iter().map(|byte| format!("{byte:02x}")).collect();
    confused("HS256", public.modulus());
    confused("HS256", base64url_encode(public.modulus()).as_bytes());
    confused("HS256", hex.as_bytes());
    confused("HS256", public.exponent());
    confused("HS256", b"AQAB");
}

#[test]
fn a11_hs256_keyed_with_the_certificate_or_the_openssh_form() {
    let der = certificate(genuine_pkcs8(), "accounts.accesscontrol.windows.net");
    let public = genuine().private_key().public_key();
    let part = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let blob = [part(b"ssh-rsa"), part(public.exponent()), part(&[&[0], public.modulus()].concat())].concat();
    confused("HS256", base64_encode_standard(&der).as_bytes());
    confused("HS256", &der);
    confused("HS256", pem("CERTIFICATE", &der, "\n").as_bytes());
    confused("HS256", format!("ssh-rsa {}", base64_encode_standard(&blob)).as_bytes());
}

#[test]
fn a12_hs256_keyed_with_what_anybody_guesses() {
    for secret in ["", "\0", "secret", GENUINE_KID, API, TENANT] {
        confused("HS256", secret.as_bytes());
    }
}

#[test]
fn a13_hs384_hs512_and_hs256_without_kid() {
    let (spki, _) = public_der(genuine().private_key().public_key());
    let text = pem("PUBLIC KEY", &spki, "\n");
    confused("HS384", text.as_bytes());
    confused("HS512", text.as_bytes());
    let kit = Kit::v2_app().header("alg", "HS256").without_header("kid");
    kit.refuses(&hmac_token(HMAC_SHA256, &kit.header.to_string(), &kit.claims.to_string(), text.as_bytes()), REFUSED);
}

#[test]
fn a14_an_oct_key_in_the_key_set_is_never_usable() {
    let secret = [7_u8; 32];
    let oct = json!({"kty": "oct", "kid": "oct-1", "use": "sig", "alg": "HS256", "k": base64url_encode(&secret)});
    let kit = Kit::v2_app().header("kid", "oct-1").keys([jwk(genuine()), oct]);
    kit.refused(Rejection::UnknownKey);
    let kit = kit.header("alg", "HS256");
    kit.refuses(&hmac_token(HMAC_SHA256, &kit.header.to_string(), &kit.claims.to_string(), &secret), REFUSED);
    let set = key_set(&kit.keys);
    assert!(set.find("oct-1").is_none());
    assert_eq!((set.len(), set.skipped()[0].reason), (1, "not an RSA key"));
}

#[test]
fn a15_genuine_rs384_and_rs512() {
    for algorithm in [Algorithm::Rs384, Algorithm::Rs512] {
        Kit::v2_app().header("alg", algorithm.name()).signed_with(algorithm).refused(REFUSED);
    }
}

#[test]
fn a16_genuine_pss_and_pss_under_rs256() {
    Kit::v2_app().header("alg", "PS256").signed_with(Algorithm::Ps256).refused(REFUSED);
    Kit::v2_app().signed_with(Algorithm::Ps256).refused(Rejection::SignatureInvalid);
    let both = json!(["RS256", "PS256"]);
    let kit = Kit::v2_app().policy("algorithms", both);
    kit.clone().signed_with(Algorithm::Ps256).refused(Rejection::SignatureInvalid);
    kit.clone().header("alg", "PS256").refused(Rejection::SignatureInvalid);
    let pair = RsaKeyPair::from_pkcs8(genuine_pkcs8()).unwrap();
    for (name, encoding) in [("PS384", &signature::RSA_PSS_SHA384), ("PS512", &signature::RSA_PSS_SHA512)] {
        let kit = kit.clone().header("alg", name);
        let token = kit.token();
        let (input, _) = token.rsplit_once('.').unwrap();
        let mut bytes = vec![0; 256];
        pair.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut bytes).unwrap();
        kit.refuses(&token_with(input, &bytes), REFUSED);
    }
}

#[test]
fn a17_another_digest_under_rs256() {
    for algorithm in [Algorithm::Rs384, Algorithm::Rs512] {
        Kit::v2_app().signed_with(algorithm).refused(Rejection::SignatureInvalid);
    }
    let kit = Kit::v2_app();
    let token = kit.token();
    let (input, _) = token.rsplit_once('.').unwrap();
    let key = RawKey::from_pkcs8(genuine_pkcs8());
    let encoded = padded(&digest_info(&SHA1_OID, &NULL, &sha1(input.as_bytes())), key.length);
    kit.refuses(&token_with(input, &key.sign_raw(&encoded)), Rejection::SignatureInvalid);
}

/// An EC key pair and its JWK under `kid`.
fn ec_key(kid: &str) -> (EcdsaKeyPair, Value) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let jwk = json!({
        "kty": "EC", "use": "sig", "kid": kid, "crv": "P-256",
        "x": base64url_encode(&point[1..33]), "y": base64url_encode(&point[33..])
    });
    (pair, jwk)
}

#[test]
fn a18_es256_by_a_published_ec_key() {
    for kid in ["ec-1", GENUINE_KID] {
        let (pair, ec) = ec_key(kid);
        // Beside the RSA key, before and after it, and under its very name.
        for keys in [vec![jwk(genuine()), ec.clone()], vec![ec, jwk(genuine())]] {
            let kit = Kit::v2_app().header("alg", "ES256").header("kid", kid).keys(keys);
            let token = kit.token();
            let (input, _) = token.rsplit_once('.').unwrap();
            let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
            kit.refuses(&token_with(input, signature.as_ref()), REFUSED);
            kit.refused(REFUSED);
        }
    }
    let (_, ec) = ec_key("ec-1");
    Kit::v2_app().header("kid", "ec-1").keys([jwk(genuine()), ec]).refused(Rejection::UnknownKey);
}

#[test]
fn a19_es256_with_zeros_for_a_signature() {
    // The order of P-256.
    let order: Vec<u8> = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let (zero, mut one) = (vec![0; 32], vec![0; 32]);
    one[31] = 1;
    let (_, ec) = ec_key("ec-1");
    let kit = Kit::v2_app().header("alg", "ES256").header("kid", "ec-1").keys([ec]);
    let token = kit.token();
    let (input, _) = token.rsplit_once('.').unwrap();
    for signature in [
        [zero.clone(), zero.clone()].concat(),
        [zero.clone(), one.clone()].concat(),
        [one, zero].concat(),
        [order.clone(), order].concat(),
        vec![0x30, 6, 2, 1, 0, 2, 1, 0],
    ] {
        kit.refuses(&token_with(input, &signature), REFUSED);
    }
}

#[test]
fn a20_eddsa_genuine_and_neutral() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let okp = json!({
        "kty": "OKP", "use": "sig", "kid": "ed-1", "crv": "Ed25519", "x": base64url_encode(pair.public_key().as_ref())
    });
    let mut neutral = vec![0; 64];
    neutral[0] = 1;
    for name in ["EdDSA", "Ed25519"] {
        let kit = Kit::v2_app().header("alg", name).header("kid", "ed-1").keys([jwk(next()), okp.clone()]);
        let token = kit.token();
        let (input, _) = token.rsplit_once('.').unwrap();
        kit.refuses(&token_with(input, pair.sign(input.as_bytes()).as_ref()), REFUSED);
        kit.refuses(&token_with(input, &neutral), REFUSED);
    }
}

#[test]
fn a21_unknown_algorithms_and_those_of_jwe() {
    for name in [
        "",
        "foo",
        "RSA-OAEP",
        "RSA-OAEP-256",
        "RSA1_5",
        "dir",
        "A256KW",
        "A256GCM",
        "ECDH-ES",
        "PBES2-HS256+A128KW",
        "ES256K",
        "ES384",
        "ML-DSA-65",
        "RS1",
        "RS224",
    ] {
        Kit::v2_app().header("alg", name).refused(REFUSED);
    }
}
