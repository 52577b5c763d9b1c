//! A01 to A21: the algorithm is the policy's choice.

use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use countersign_token::{Algorithm, base64_encode_standard, base64url_encode};
use serde_json::{Value, json};

use crate::kit::forge::{NULL, RawKey, SHA1_OID};
use crate::kit::forge::{certificate, digest_info, hmac_token, padded, pem, public_der, sha1, token_with};
use crate::kit::{API, GENUINE_KID, Kit, TENANT, genuine, genuine_pkcs8, jwk, next};
use crate::{Family, bases};

const NOT_ALLOWED: &str = "algorithm_not_allowed";

pub(crate) fn families() -> Vec<Family> {
    let mut families = vec![none(), none_in_other_letters(), none_with_a_signature()];
    families.extend([look_alikes(), other_types(), other_names(), unknown()]);
    families.extend(confusion());
    families.extend([oct_key(), other_rsa(), pss(), other_digests(), ec_key(), zeros(), ed_key()]);
    families
}

/// What is signed of the kit's own token.
fn input(kit: &Kit) -> String {
    kit.token().rsplit_once('.').unwrap().0.to_owned()
}

fn none() -> Family {
    let mut family = Family::new(1, "alg none, no signature", 12, &["not_compact_jws", NOT_ALLOWED]);
    for kit in bases().map(|kit| kit.header("alg", "none")) {
        let input = input(&kit);
        for end in [".", "", ".AA"] {
            family.push_token(&kit, format!("{input}{end}"));
        }
    }
    family
}

fn none_in_other_letters() -> Family {
    let mut family = Family::new(2, "alg none in other letters", 40, &[NOT_ALLOWED]);
    for base in bases() {
        for name in ["None", "NONE", "nOnE", "nonE", "NoNe"] {
            let kit = base.clone().header("alg", name);
            family.push_token(&kit, format!("{}.AA", input(&kit)));
            family.push(kit);
        }
    }
    family
}

fn none_with_a_signature() -> Family {
    let mut family = Family::new(3, "alg none, the genuine signature left on", 12, &[NOT_ALLOWED]);
    for kit in bases() {
        let token = kit.token();
        let (_, rest) = token.split_once('.').unwrap();
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "none", "kid": GENUINE_KID}),
            json!({"typ": "JWT", "alg": "none", "kid": GENUINE_KID}),
        ] {
            family.push_token(&kit, format!("{}.{rest}", base64url_encode(header.to_string().as_bytes())));
        }
    }
    family
}

fn look_alikes() -> Family {
    let mut family = Family::new(4, "alg with invisible or look-alike characters", 40, &[NOT_ALLOWED]);
    let names = ["RS256 ", " RS256", "RS256\0", "RS\u{200b}256", "\u{feff}RS256", "ＲＳ256", "RЅ256", "RS256\n"];
    for kit in bases() {
        family.headers(&kit, "alg", names);
        family.headers(&kit, "alg", ["RS256\t", "RS256\u{a0}"]);
    }
    family
}

fn other_types() -> Family {
    let mut family = Family::new(5, "alg missing or of another type", 24, &["header_malformed"]);
    for kit in bases() {
        family.headers(&kit, "alg", [json!(null), json!(256), json!(true), json!(["RS256"]), json!({"RS256": true})]);
        family.push(kit.without_header("alg"));
    }
    family
}

fn other_names() -> Family {
    let mut family = Family::new(6, "alg spelled otherwise", 32, &[NOT_ALLOWED]);
    let xml = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    for kit in bases() {
        let names = ["rs256", "Rs256", "RSA256", "RS-256", "SHA256withRSA", "RSA-SHA256", "sha256", xml];
        family.headers(&kit, "alg", names);
    }
    family
}

fn unknown() -> Family {
    let mut family = Family::new(21, "unknown algorithms and those of JWE", 64, &[NOT_ALLOWED]);
    for kit in bases() {
        let names = ["", "foo", "dir", "A256KW", "A256GCM", "ECDH-ES", "PBES2-HS256+A128KW", "RS1", "RS224"];
        family.headers(&kit, "alg", names);
        let names = ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5", "ES256K", "ES384", "ML-DSA-65", "HS256"];
        family.headers(&kit, "alg", names);
    }
    family
}

fn hmac_by_name(name: &str) -> hmac::Algorithm {
    match name {
        "HS384" => HMAC_SHA384,
        "HS512" => HMAC_SHA512,
        _ => HMAC_SHA256,
    }
}

impl Family {
    /// Tokens whose HMAC key is a public value.
    fn confused(&mut self, secrets: &[Vec<u8>]) {
        for kit in bases().map(|kit| kit.header("alg", "HS256")) {
            for secret in secrets {
                self.push_token(&kit, under(&kit, "HS256", secret));
            }
        }
    }
}

fn under(kit: &Kit, name: &str, secret: &[u8]) -> String {
    hmac_token(hmac_by_name(name), &kit.header.to_string(), &kit.claims.to_string(), secret)
}

/// A07 to A13: every public form of the key as a shared secret.
fn confusion() -> Vec<Family> {
    let public = genuine().private_key().public_key();
    let (spki, pkcs1) = public_der(public);
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    let pem_of = |label: &str, der: &[u8], newline: &str| pem(label, der, newline).into_bytes();
    let spki_pem = pem_of("PUBLIC KEY", &spki, "\n");
    let mut families = Vec::new();
    let mut family = |line, about, count, secrets: &[Vec<u8>]| {
        let mut family = Family::new(line, about, count, &[NOT_ALLOWED]);
        family.confused(secrets);
        families.push(family);
    };
    let trimmed = spki_pem.trim_ascii_end().to_vec();
    let crlf = pem_of("PUBLIC KEY", &spki, "\r\n");
    let one_line = pem_of("PUBLIC KEY", &spki, "");
    family(7, "HS256 keyed with the SPKI", 20, &[spki_pem.clone(), crlf, one_line, trimmed, spki.clone()]);
    let encoded = base64_encode_standard(&pkcs1).into_bytes();
    let (lf, crlf) = (pem_of("RSA PUBLIC KEY", &pkcs1, "\n"), pem_of("RSA PUBLIC KEY", &pkcs1, "\r\n"));
    family(8, "HS256 keyed with PKCS#1", 16, &[lf, crlf, pkcs1.clone(), encoded]);
    let key = jwk(genuine());
    let thumbprint = json!({"e": key["e"], "kty": "RSA", "n": key["n"]}).to_string();
    let set = json!({"keys": [key]}).to_string();
    family(9, "HS256 keyed with the JWK as text", 12, &texts(&[&key.to_string(), &set, &thumbprint]));
    let hex: String = public.modulus().iter().map(|byte| format!("{byte:02x}")).collect();
    let modulus = base64url_encode(public.modulus());
    let mut secrets = texts(&[&hex, &modulus, "AQAB"]);
    secrets.extend([public.modulus().to_vec(), public.exponent().to_vec()]);
    family(10, "HS256 keyed with modulus or exponent", 20, &secrets);
    let der = certificate(genuine_pkcs8(), "accounts.accesscontrol.windows.net");
    let part = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let blob = [part(b"ssh-rsa"), part(public.exponent()), part(&[&[0], public.modulus()].concat())].concat();
    let openssh = format!("ssh-rsa {}", base64_encode_standard(&blob));
    let mut secrets = texts(&[&base64_encode_standard(&der), &openssh]);
    secrets.extend([pem_of("CERTIFICATE", &der, "\n"), der]);
    family(11, "HS256 keyed with the certificate", 16, &secrets);
    let guesses = texts(&["", "secret", "password", GENUINE_KID, API, TENANT]);
    family(12, "HS256 keyed with what anybody guesses", 24, &guesses);
    let mut family = Family::new(13, "HS384, HS512, and HS256 without kid", 36, &[NOT_ALLOWED]);
    for base in bases() {
        for secret in [&spki_pem, &spki, &public.modulus().to_vec()] {
            for name in ["HS384", "HS512"] {
                let kit = base.clone().header("alg", name);
                family.push_token(&kit, under(&kit, name, secret));
            }
            let kit = base.clone().header("alg", "HS256").without_header("kid");
            family.push_token(&kit, under(&kit, "HS256", secret));
        }
    }
    families.push(family);
    families
}

fn oct_key() -> Family {
    let mut family = Family::new(14, "an oct key among the published ones", 8, &[NOT_ALLOWED, "unknown_key"]);
    let secret = [7_u8; 32];
    let oct = json!({"kty": "oct", "kid": "oct-1", "use": "sig", "alg": "HS256", "k": base64url_encode(&secret)});
    for base in bases() {
        let kit = base.header("kid", "oct-1").keys([jwk(genuine()), oct.clone()]);
        family.push(kit.clone());
        let kit = kit.header("alg", "HS256");
        family.push_token(&kit, under(&kit, "HS256", &secret));
    }
    family
}

fn other_rsa() -> Family {
    let mut family = Family::new(15, "genuine RS384 and RS512", 8, &[NOT_ALLOWED]);
    for base in bases() {
        for algorithm in [Algorithm::Rs384, Algorithm::Rs512] {
            family.push(base.clone().header("alg", algorithm.name()).signed_with(algorithm));
        }
    }
    family
}

fn pss() -> Family {
    let mut family = Family::new(16, "genuine PSS, and PSS for PKCS#1", 28, &[NOT_ALLOWED, "signature_invalid"]);
    let pair = RsaKeyPair::from_pkcs8(genuine_pkcs8()).unwrap();
    for base in bases() {
        family.push(base.clone().header("alg", "PS256").signed_with(Algorithm::Ps256));
        family.push(base.clone().signed_with(Algorithm::Ps256));
        let both = base.policy("algorithms", json!(["RS256", "PS256"]));
        family.push(both.clone().signed_with(Algorithm::Ps256));
        family.push(both.clone().header("alg", "PS256"));
        for (name, encoding) in [("PS384", &signature::RSA_PSS_SHA384), ("PS512", &signature::RSA_PSS_SHA512)] {
            let kit = both.clone().header("alg", name);
            let input = input(&kit);
            let mut bytes = vec![0; 256];
            pair.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut bytes).unwrap();
            family.push_token(&kit, token_with(&input, &bytes));
        }
        let only = both.policy("algorithms", json!(["PS256"]));
        family.push(only);
    }
    family
}

fn other_digests() -> Family {
    let mut family = Family::new(17, "another digest under RS256", 12, &["signature_invalid"]);
    let key = RawKey::from_pkcs8(genuine_pkcs8());
    for kit in bases() {
        let input = input(&kit);
        let encoded = padded(&digest_info(&SHA1_OID, &NULL, &sha1(input.as_bytes())), key.length);
        family.push_token(&kit, token_with(&input, &key.sign_raw(&encoded)));
        for algorithm in [Algorithm::Rs384, Algorithm::Rs512] {
            family.push(kit.clone().signed_with(algorithm));
        }
    }
    family
}

/// An EC key's JWK under `kid`.
fn ec_jwk(pair: &EcdsaKeyPair, kid: &str) -> Value {
    let point = pair.public_key().as_ref();
    let (x, y) = (base64url_encode(&point[1..33]), base64url_encode(&point[33..]));
    json!({"kty": "EC", "use": "sig", "kid": kid, "crv": "P-256", "x": x, "y": y})
}

fn ec_key() -> Family {
    let mut family = Family::new(18, "ES256 by a published EC key", 20, &[NOT_ALLOWED, "unknown_key"]);
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    for base in bases() {
        for kid in ["ec-1", GENUINE_KID] {
            let ec = ec_jwk(&pair, kid);
            for keys in [vec![jwk(genuine()), ec.clone()], vec![ec, jwk(genuine())]] {
                let kit = base.clone().header("alg", "ES256").header("kid", kid).keys(keys);
                let input = input(&kit);
                let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
                family.push_token(&kit, token_with(&input, signature.as_ref()));
            }
        }
        family.push(base.header("kid", "ec-1").keys([jwk(genuine()), ec_jwk(&pair, "ec-1")]));
    }
    family
}

fn zeros() -> Family {
    let mut family = Family::new(19, "ES256 with zeros for a signature", 20, &[NOT_ALLOWED]);
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let order: Vec<u8> = order.as_bytes().chunks(2).map(byte).collect();
    let (zero, mut one) = (vec![0; 32], vec![0; 32]);
    one[31] = 1;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    for base in bases() {
        let kit = base.header("alg", "ES256").header("kid", "ec-1").keys([ec_jwk(&pair, "ec-1")]);
        for (r, s) in [(&zero, &zero), (&zero, &one), (&one, &zero), (&order, &order)] {
            family.push_token(&kit, token_with(&input(&kit), &[r.as_slice(), s].concat()));
        }
        family.push_token(&kit, token_with(&input(&kit), &[0x30, 6, 2, 1, 0, 2, 1, 0]));
    }
    family
}

fn ed_key() -> Family {
    let mut family = Family::new(20, "EdDSA, genuine and neutral", 16, &[NOT_ALLOWED]);
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = base64url_encode(pair.public_key().as_ref());
    let okp = json!({"kty": "OKP", "use": "sig", "kid": "ed-1", "crv": "Ed25519", "x": x});
    let mut neutral = vec![0; 64];
    neutral[0] = 1;
    for base in bases() {
        for name in ["EdDSA", "Ed25519"] {
            let kit = base.clone().header("alg", name).header("kid", "ed-1").keys([jwk(next()), okp.clone()]);
            let input = input(&kit);
            family.push_token(&kit, token_with(&input, pair.sign(input.as_bytes()).as_ref()));
            family.push_token(&kit, token_with(&input, &neutral));
        }
    }
    family
}
