//! Bad tokens of every kind get one and the same answer: 401 `invalid_token`, and never a word about what was found.

use countersign_token::base64url_encode;
use serde_json::json;
use tower::{Layer, ServiceExt};

use crate::kit::service::Inside;
use crate::kit::token::{NOW, OTHER_TENANT, SKEW, Token, V2_TEMPLATE, attacker, genuine, next, segments};
use crate::kit::{bearer, builder, clock, guard, header, policy, verdict};

/// Tokens that must not pass, each with the code of the rule that refuses it.
pub(crate) fn bad_tokens() -> Vec<(&'static str, String)> {
    let app = Token::app;
    let good = app().sign();
    let [head, payload, signature] = segments(&good);
    let altered = base64url_encode(app().claim("roles", json!(["Resource.Write"])).claims.to_string().as_bytes());
    let none = base64url_encode(br#"{"typ":"JWT","alg":"none"}"#);
    let named_none = base64url_encode(format!(r#"{{"alg":"none","kid":"{}"}}"#, genuine().key_id()).as_bytes());
    let signed = |token: Token| token.sign();
    vec![
        ("not_compact_jws", "opaque".to_owned()),
        ("not_compact_jws", format!("{head}.{payload}")),
        ("not_compact_jws", format!("{head}.{payload}.")),
        ("not_compact_jws", format!("{good}.{signature}")),
        ("not_compact_jws", ".".repeat(10_000)),
        ("too_large", "A".repeat(1_000_000)),
        ("too_large", format!("{head}.{}.{signature}", "A".repeat(1_000_000))),
        ("base64", format!("{good}=")),
        ("base64", format!("{head}.{payload}.{}+", &signature[1..])),
        ("header_malformed", format!("{}.{payload}.{signature}", base64url_encode(b"[]"))),
        ("header_duplicate", format!("{}.{payload}.{signature}", base64url_encode(br#"{"alg":"RS256","alg":"none"}"#))),
        ("algorithm_not_allowed", format!("{none}.{payload}.{signature}")),
        ("algorithm_not_allowed", format!("{named_none}.{payload}.{signature}")),
        ("algorithm_not_allowed", signed(app().header("alg", "HS256"))),
        ("algorithm_not_allowed", signed(app().header("alg", "PS256"))),
        ("key_in_header", signed(app().header("jku", "https://attacker.example/keys"))),
        ("key_in_header", signed(app().header("jwk", json!({"kty": "RSA"})))),
        ("critical_header", signed(app().header("crit", json!(["exp"])))),
        ("type", signed(app().header("typ", "dpop+jwt"))),
        ("graph_token", signed(app().header("nonce", "x"))),
        ("key_id_malformed", signed(app().header("kid", "../../etc/passwd\n"))),
        ("unknown_key", signed(app().under(attacker()))),
        ("thumbprint_mismatch", signed(app().header("x5t", next().key_id()))),
        ("signature_invalid", signed(app().signed_by(attacker()))),
        ("signature_invalid", format!("{head}.{altered}.{signature}")),
        ("signature_invalid", format!("{head}.{payload}.AAAA")),
        ("signature_invalid", app().unsigned()),
        // A105: of two faults the signature's is the one that counts, so the answer does not say "expired".
        ("signature_invalid", signed(app().claim("exp", 1).signed_by(attacker()))),
        ("not_yet_valid", signed(app().claim("nbf", NOW + 1800 + SKEW))),
        ("tenant_not_allowed", signed(app().claim("tid", OTHER_TENANT))),
        ("issuer_mismatch", signed(app().claim("iss", V2_TEMPLATE.replace("{tenantid}", OTHER_TENANT)))),
        ("audience_mismatch", signed(app().claim("aud", "00000003-0000-0000-c000-000000000000"))),
        ("claim_type", signed(app().claim("exp", "tomorrow"))),
        ("claim_missing", signed(app().without("exp"))),
        ("version_unknown", signed(app().claim("ver", "3.0"))),
        ("id_token", signed(app().claim("nonce", "x").claim("at_hash", "y"))),
    ]
}

#[tokio::test]
async fn a103_d27_every_bad_token_gets_the_same_answer() {
    let guard = guard();
    let inside = Inside::default();
    let service = guard.layer().layer(inside.clone());
    let expected = "Bearer error=\"invalid_token\", error_description=\"The access token is not valid for this API.\"";
    for (code, token) in bad_tokens() {
        assert_eq!(verdict(&guard, &token).await, code);
        let response = service.clone().oneshot(bearer(&token)).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), header(&response, "www-authenticate")),
            (401, Some(expected)),
            "{code}"
        );
        assert_eq!((response.body().as_str(), response.headers().len()), ("", 1), "{code}");
    }
    assert_eq!((inside.calls(), guard.verifier().cached()), (0, (0, 0)));
}

#[tokio::test]
async fn a105_an_altered_and_expired_token_is_not_called_expired() {
    let guard = guard();
    let expired = Token::app().claim("exp", 1);
    assert_eq!(verdict(&guard, &expired.sign()).await, "expired");
    assert_eq!(verdict(&guard, &expired.signed_by(attacker()).sign()).await, "signature_invalid");
}

#[tokio::test]
async fn knowing_the_good_token_helps_no_bad_one() {
    let guard = guard();
    assert_eq!(verdict(&guard, &Token::app().sign()).await, "accepted");
    for (code, token) in bad_tokens() {
        assert_eq!(verdict(&guard, &token).await, code);
    }
    assert_eq!(guard.verifier().cached().0, 1);
}

/// Whoever may call, and with what, is one question; whose token it is, the first.
#[tokio::test]
async fn a_forged_token_is_401_where_its_claims_would_be_403() {
    let guard = builder(&policy(), &clock()).build();
    let token = Token::app().without("roles");
    assert_eq!(verdict(&guard, &token.sign()).await, "no_permission");
    assert_eq!(verdict(&guard, &token.signed_by(attacker()).sign()).await, "signature_invalid");
}
