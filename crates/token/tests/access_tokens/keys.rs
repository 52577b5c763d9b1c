//! A33 to A39: what is published decides which keys may verify what, and for whom.

use countersign_token::{Algorithm, Rejection, base64_encode_standard, base64url_encode};
use serde_json::{Value, json};

use crate::kit::forge::{certificate, padded, sound_info, token_with};
use crate::kit::{
    ATTACKER_KID, CONSUMERS, GENUINE_KID, Kit, OTHER_TENANT, TENANT, V1_TEMPLATE, V2_TEMPLATE, attacker,
    attacker_pkcs8, genuine, issuer, jwk, key_set, next, with, without,
};

/// The genuine token against a set in which the genuine key is published like this.
fn published(name: &str, value: impl Into<Value>) -> Kit {
    Kit::v2_app().keys([jwk(next()), with(jwk(genuine()), name, value)])
}

#[test]
fn a33_a_key_for_encryption() {
    for value in [json!("enc"), json!("SIG"), json!(""), json!(["sig"]), json!(null)] {
        published("use", value).refused(Rejection::UnknownKey);
    }
    Kit::v2_app().keys([without(jwk(genuine()), "use")]).accepted();
}

#[test]
fn a34_key_ops_without_verify() {
    for value in [json!(["encrypt"]), json!([]), json!(["sign"]), json!("verify"), json!(["Verify"]), json!(null)] {
        published("key_ops", value).refused(Rejection::UnknownKey);
    }
    published("key_ops", json!(["verify"])).accepted();
}

#[test]
fn a35_a_key_for_another_algorithm() {
    let both = json!(["RS256", "PS256"]);
    for name in ["PS256", "RS384", "RS512"] {
        published("alg", name).refused(Rejection::KeyAlgorithmMismatch);
    }
    let pss = Kit::v2_app().header("alg", "PS256").signed_with(Algorithm::Ps256).policy("algorithms", both);
    pss.clone().keys([with(jwk(genuine()), "alg", "RS256")]).refused(Rejection::KeyAlgorithmMismatch);
    pss.keys([with(jwk(genuine()), "alg", "PS256")]).accepted();
    for name in ["RSA-OAEP", "HS256", "rs256", "none", ""] {
        published("alg", name).refused(Rejection::UnknownKey);
    }
}

#[test]
fn a36_keys_that_are_too_weak() {
    let modulus = genuine().private_key().public_key().modulus().to_vec();
    let mut short = modulus.clone();
    short[0] &= 0x7f;
    for n in [&modulus[..128], &modulus[..255], &short[..]] {
        published("n", base64url_encode(n)).refused(Rejection::UnknownKey);
    }
    let mut long = modulus.repeat(4);
    long.push(1);
    published("n", base64url_encode(&long)).refused(Rejection::UnknownKey);
    for exponent in [&[0][..], &[1], &[2], &[1, 0, 0], &[0, 1, 0, 1], &[]] {
        published("e", base64url_encode(exponent)).refused(Rejection::UnknownKey);
    }
}

#[test]
fn a36_with_the_exponent_1_the_padding_is_its_own_signature() {
    let kit = published("e", base64url_encode(&[1]));
    let token = kit.token();
    let (input, _) = token.rsplit_once('.').unwrap();
    kit.refuses(&token_with(input, &padded(&sound_info(input.as_bytes()), 256)), Rejection::UnknownKey);
}

#[test]
fn a37_one_kid_for_keys_of_several_types() {
    let oct = json!({"kty": "oct", "kid": GENUINE_KID, "k": "c2VjcmV0"});
    let ec = json!({"kty": "EC", "kid": GENUINE_KID, "crv": "P-256", "x": "AA", "y": "AA"});
    // What is not RSA was never a candidate.
    Kit::v2_app().keys([oct.clone(), jwk(genuine()), ec.clone()]).accepted();
    Kit::v2_app().keys([oct, ec]).refused(Rejection::UnknownKey);
}

#[test]
fn a37_one_kid_for_two_rsa_keys() {
    let twin = with(jwk(attacker()), "kid", GENUINE_KID);
    for keys in [
        vec![jwk(genuine()), twin.clone()],
        vec![twin.clone(), jwk(genuine())],
        vec![jwk(genuine()), twin.clone(), jwk(genuine())],
    ] {
        let kit = Kit::v2_app().keys(keys);
        kit.refused(Rejection::UnknownKey);
        kit.signed_by(attacker()).refused(Rejection::UnknownKey);
    }
    // Published twice in the same words it is one key.
    Kit::v2_app().keys([jwk(genuine()), jwk(next()), jwk(genuine())]).accepted();
}

#[test]
fn a38_a_key_published_for_another_issuer() {
    let mismatch = Rejection::KeyIssuerMismatch;
    let microsoft = "https://login.microsoftonline.com";
    for text in [
        issuer(V2_TEMPLATE, OTHER_TENANT),
        // Storm-0558: a key for personal accounts.
        issuer(V2_TEMPLATE, CONSUMERS),
        "https://login.microsoftonline.us/{tenantid}/v2.0".to_owned(),
        format!("{microsoft}/{{tenantid}}/v2.0/"),
        format!("{microsoft}:443/{{tenantid}}/v2.0"),
    ] {
        let keys = [with(jwk(genuine()), "issuer", text.clone())];
        Kit::v2_app().keys(keys.clone()).refused(mismatch);
        Kit::v1_app().keys(keys).refused(mismatch);
    }
    // A key of a v1.0 document that names its issuer is not for v2.0 tokens.
    let v1_key = [with(jwk(genuine()), "issuer", V1_TEMPLATE)];
    Kit::v2_app().keys(v1_key.clone()).refused(mismatch);
    Kit::v1_app().keys(v1_key).accepted();
    // Nor do a v1.0 policy's words let in a key for another tenant.
    let other = [with(jwk(genuine()), "issuer", issuer(V2_TEMPLATE, OTHER_TENANT))];
    Kit::v1_app().policy("issuers", json!([V1_TEMPLATE])).keys(other).refused(mismatch);
}

#[test]
fn a38_a_consumer_key_speaks_for_consumers_only() {
    let keys = [with(jwk(genuine()), "issuer", issuer(V2_TEMPLATE, CONSUMERS))];
    let kit = Kit::v2_user().keys(keys).policy("tenants", json!([TENANT, CONSUMERS]));
    kit.refused(Rejection::KeyIssuerMismatch);
    kit.claim("tid", CONSUMERS).claim("iss", issuer(V2_TEMPLATE, CONSUMERS)).accepted();
}

#[test]
fn a38_a_key_whose_issuer_names_no_tenant_is_not_used() {
    for text in ["https://login.microsoftonline.com/common/v2.0", "https://attacker.example/", "{tenantid}", ""] {
        published("issuer", text).refused(Rejection::UnknownKey);
    }
    published("issuer", json!(1)).refused(Rejection::UnknownKey);
}

#[test]
fn a38_a_key_of_another_cloud() {
    let set = key_set(&[with(jwk(genuine()), "cloud_instance_name", "microsoftonline.us"), jwk(next())]);
    let global = set.for_cloud("microsoftonline.com");
    assert!(global.find(GENUINE_KID).is_none() && global.len() == 1);
    assert_eq!(set.for_cloud("microsoftonline.us").key_ids().collect::<Vec<_>>(), [GENUINE_KID]);
}

#[test]
fn a39_a_certificate_that_does_not_fit_the_key() {
    let chain = json!([base64_encode_standard(&certificate(attacker_pkcs8(), "accounts.accesscontrol.windows.net"))]);
    let kit = published("x5c", chain);
    kit.accepted();
    kit.signed_by(attacker()).refused(Rejection::SignatureInvalid);
    // A certificate alone is no key.
    let bare = json!({"kty": "RSA", "kid": ATTACKER_KID, "x5c": kit_chain()});
    Kit::v2_app().header("kid", ATTACKER_KID).keys([bare]).signed_by(attacker()).refused(Rejection::UnknownKey);
}

fn kit_chain() -> Value {
    json!([base64_encode_standard(&certificate(attacker_pkcs8(), "attacker"))])
}
