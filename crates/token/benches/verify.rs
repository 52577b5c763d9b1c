//! How much of a verification is the signature? Run with `cargo bench -p countersign-token`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may stop")]

#[path = "../../../benches/ratio.rs"]
mod ratio;

use std::hint::black_box;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use countersign_token::{
    Algorithm, KeySet, Policy, PrivateKey, SigningKey, Timestamp, authenticate, base64url_decode_strict,
    base64url_encode, verify,
};
use serde_json::json;

const NOW: i64 = 1_767_225_600;
const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";

fn main() {
    let key =
        SigningKey::from_pkcs8_der("1LTMzakihiRla_8z2BEJVXeWMqo", &SigningKey::generate_pkcs8().unwrap()).unwrap();
    let public = key.private_key().public_key();
    let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let keys = json!({"keys": [{
        "kty": "RSA", "use": "sig", "kid": key.key_id(), "x5t": key.key_id(),
        "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent()),
        "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"
    }]});
    let keys = KeySet::parse(keys.to_string().as_bytes()).unwrap();
    let policy: Policy = serde_json::from_value(json!({
        "tenants": [TENANT], "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"],
        "audiences": [API, format!("api://{API}")], "app_roles": ["Resource.Read"]
    }))
    .unwrap();
    let validator = policy.compile().unwrap();
    // A realistic application token of about 1.5 kB: every claim Entra writes, and three roles.
    let claims = json!({
        "aud": API, "iss": issuer, "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 3600,
        "aio": "k2RgYPj/f0aLb8Kr9R6v2vlvSxhXrL5a8y7J1fVv3WZ2q9yZ4wYA", "azp": "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55",
        "azpacr": "2", "oid": "33333333-6f5e-4d3c-9b8a-0f1e2d3c4b5a",
        "rh": "1.AXoAraq7a0tgrECp15_ZfAt3n7D52KUuDYpMnUMPDy1KXBEAAAA.",
        "roles": ["Resource.Read", "Resource.Write", "Resource.Administer.All"],
        "sub": "33333333-6f5e-4d3c-9b8a-0f1e2d3c4b5a", "tid": TENANT, "uti": "pq4Zz8yVxk2mW6v3u7QaAA", "ver": "2.0",
        "xms_ftd": "x5JQ1Zl2v0Y0u8c9Vb3Z1kQmHk7m4S2pT8rN6wXyZ4s",
        "xms_idrel": "7 24", "xms_rd": "0.42LlYBRi9MpKLWZgYGBgYGD", "appid_note": "orders-worker-west-europe-production-0001",
        "wids": ["0997a1d0-0d1d-4acb-b408-d5ca73121e90"], "xms_tcdt": 1_600_000_000, "tenant_region_scope": "EU"
    });
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": key.key_id()});
    let token = key.signer(Algorithm::Rs256, &header).unwrap().sign(&claims).unwrap();
    println!("token: {} bytes", token.len());

    let bare = RsaPublicKeyComponents { n: public.modulus(), e: public.exponent() }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .unwrap();
    let dot = token.rfind('.').unwrap();
    let signature = base64url_decode_strict(&token[dot + 1..]).unwrap();
    let input = &token.as_bytes()[..dot];
    let now = Timestamp::from_unix_seconds(NOW);
    verify(&token, &keys, &validator, now).unwrap();

    let decoding = jsonwebtoken::DecodingKey::from_rsa_raw_components(public.modulus(), public.exponent());
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&[API]);
    validation.set_issuer(&[&issuer]);
    validation.validate_exp = false; // its clock cannot be given, so this peer is even spared that check

    ratio::compare(
        "verification of one token, first sight",
        41,
        &mut [
            ("bare aws-lc-rs RSA-2048 verify, parsed key", Box::new(|| bare.verify_sig(input, &signature).unwrap())),
            (
                "countersign_token::verify, whole policy",
                Box::new(|| drop(black_box(verify(&token, &keys, &validator, now).unwrap()))),
            ),
            (
                "jsonwebtoken 11, signature, iss and aud, serde_json::Value",
                Box::new(|| {
                    let data = jsonwebtoken::decode::<serde_json::Value>(&token, &decoding, &validation).unwrap();
                    drop(black_box(data));
                }),
            ),
        ],
    );

    let unsigned = format!("{}.AAAA", &token[..dot]);
    let foreign = token.replace(&token[..20], &base64url_encode(br#"{"alg":"none"}"#));
    ratio::compare(
        "refusals",
        21,
        &mut [
            ("bare aws-lc-rs RSA-2048 verify, parsed key", Box::new(|| bare.verify_sig(input, &signature).unwrap())),
            ("no JWT at all", Box::new(|| drop(black_box(verify("garbage", &keys, &validator, now))))),
            ("alg none", Box::new(|| drop(black_box(verify(&foreign, &keys, &validator, now))))),
            ("short signature", Box::new(|| drop(black_box(authenticate(&unsigned, &keys, &validator, now))))),
        ],
    );

    let assertion_key = PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap();
    let signer = key.signer(Algorithm::Rs256, &header).unwrap();
    ratio::compare(
        "signing",
        11,
        &mut [
            (
                "bare RSA-2048 signature over the same bytes",
                Box::new(|| drop(black_box(assertion_key.sign(Algorithm::Rs256, input).unwrap()))),
            ),
            ("claims to token", Box::new(|| drop(black_box(signer.sign(&claims).unwrap())))),
        ],
    );
}
