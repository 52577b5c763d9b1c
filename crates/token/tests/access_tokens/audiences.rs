//! A85 to A91: a genuine signature on something that was not made for this API.

use countersign_token::{Rejection, base64url_encode};
use serde_json::{Value, json};

use crate::kit::{API, API_URI, CLIENT, GENUINE_KID, Kit, NOW, TENANT, V2_TEMPLATE, issuer, segments};

const MISMATCH: Rejection = Rejection::AudienceMismatch;

#[test]
fn a85_aud_of_another_or_spelled_otherwise() {
    let full_width = API.replacen('a', "ａ", 1);
    for audience in [
        "",
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.com",
        CLIENT,
        &API[..35],
        &API.to_uppercase(),
        &format!("{API} "),
        &format!(" {API}"),
        &format!("{API}\0"),
        &format!("{API}0"),
        &format!("{API_URI}/"),
        &format!("{API_URI}/access_as_user"),
        &format!("spn:{API}"),
        &format!("API://{API}"),
        &format!("{API},{CLIENT}"),
        &full_width,
    ] {
        Kit::v2_app().claim("aud", audience).refused(MISMATCH);
    }
}

#[test]
fn a86_aud_missing_or_of_another_type() {
    Kit::v2_app().without("aud").refused(Rejection::ClaimMissing("aud"));
    for value in [json!(null), json!(1), json!(true), json!({ "aud": API }), json!([]), json!([1]), json!([[API]])] {
        Kit::v2_app().claim("aud", value).refused(Rejection::ClaimType("aud"));
    }
    Kit::v2_app().claim("aud", json!(["api://other"])).refused(MISMATCH);
}

#[test]
fn a87_aud_array_with_ours_and_another() {
    for value in [json!([API, CLIENT]), json!([CLIENT, API]), json!([API, API]), json!([API, 1]), json!([API, API_URI])]
    {
        Kit::v2_app().claim("aud", value).refused(Rejection::ClaimType("aud"));
    }
}

/// An id_token that the same authority made for this very registration.
fn id_token() -> Kit {
    let mut kit = Kit::v2_user().without("azp").without("azpacr").without("scp").claim("nonce", "n-0S6_WzA2Mj");
    kit.header = json!({"typ": "JWT", "alg": "RS256", "kid": GENUINE_KID});
    kit
}

#[test]
fn a88_id_tokens() {
    id_token().refused(Rejection::IdToken);
    id_token().claim("roles", json!(["Resource.Read"])).refused(Rejection::IdToken);
    id_token().claim("scp", "access_as_user").claim("azp", CLIENT).refused(Rejection::IdToken);
    for name in ["at_hash", "c_hash", "nonce"] {
        Kit::v2_app().claim(name, "x").refused(Rejection::IdToken);
        Kit::v2_user().claim(name, json!(null)).refused(Rejection::IdToken);
    }
    // Without nonce it still names no calling application.
    id_token().without("nonce").refused(Rejection::ClaimMissing("azp"));
    let with_roles = id_token().without("nonce").claim("roles", json!(["Resource.Read"]));
    with_roles.refused(Rejection::ClaimMissing("azp"));
}

#[test]
fn a89_other_things_that_look_like_credentials() {
    let kit = Kit::v2_app();
    for text in [
        // Refresh token, authorization code, ticket for personal accounts, SAML in base64 and bare.
        "1.AXoAraq7a0tgrECp15_ZfAt3n7D52KUuDYpMnUMPDy1KXBEAAAA.AgABAwEAAADW6jl31mB3T7ugrWTT8pFeAwDs_wUA9P-x",
        "0.AXoAraq7a0tgrECp15",
        "EwB4A8l6BAAUO9chh8cJscQLmU+LSWpbnr0vmwwAAQ==",
        "PHNhbWw6QXNzZXJ0aW9uIHhtbG5zOnNhbWw9InVybiI+PC9zYW1sOkFzc2VydGlvbj4=",
        "<saml:Assertion ID=\"_1\" Version=\"2\"/>",
        "M.C507_BAY.2.U.a1b2c3d4-0000-0000-0000-000000000000",
        "null",
        "undefined",
        "Bearer",
    ] {
        let refusal = match text.matches('.').count() {
            2 => Rejection::Base64("header"),
            _ => Rejection::NotCompactJws,
        };
        kit.refuses(text, refusal);
    }
}

/// A token for another purpose under the authority's own key.
fn other_purpose(claims: Value) -> Kit {
    let mut kit = Kit::v2_app();
    kit.claims = claims;
    kit
}

#[test]
fn a90_assertions_and_other_kinds_of_jwt() {
    let missing = Rejection::ClaimMissing("ver");
    // A client assertion for our own token endpoint, and a federated credential's.
    other_purpose(json!({
        "aud": API, "iss": CLIENT, "sub": CLIENT, "jti": "b9d8e8f2", "nbf": NOW, "exp": NOW + 600
    }))
    .refused(missing);
    other_purpose(json!({
        "aud": "api://AzureADTokenExchange", "iss": "https://token.actions.githubusercontent.com",
        "sub": "repo:org/repo:ref:refs/heads/main", "exp": NOW + 600
    }))
    .refused(missing);
    // An Entra token meant as federated credential has the form of an access token, but another audience.
    Kit::v2_app().claim("aud", "api://AzureADTokenExchange").refused(MISMATCH);
    let logout = json!({
        "iss": issuer(V2_TEMPLATE, TENANT), "aud": API, "iat": NOW, "exp": NOW + 600, "jti": "x", "sid": "s",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}}
    });
    other_purpose(logout.clone()).refused(missing);
    other_purpose(logout).header("typ", "logout+jwt").refused(Rejection::Type);
    other_purpose(json!({"iss": "did:ion:x", "aud": API, "vp": {"type": ["VerifiablePresentation"]}})).refused(missing);
    other_purpose(json!({"htm": "GET", "htu": "https://api.example/", "iat": NOW, "jti": "x"}))
        .header("typ", "dpop+jwt")
        .refused(Rejection::Type);
}

#[test]
fn a91_an_unsigned_wrapper_round_a_genuine_token() {
    let kit = Kit::v2_app();
    let inner = kit.token();
    let header = base64url_encode(br#"{"alg":"none","typ":"JWT"}"#);
    for name in ["actortoken", "actort"] {
        let wrapper = kit.clone().claim(name, inner.clone());
        let payload = base64url_encode(wrapper.claims.to_string().as_bytes());
        kit.refuses(&format!("{header}.{payload}."), Rejection::NotCompactJws);
        kit.refuses(&format!("{header}.{payload}.AA"), Rejection::AlgorithmNotAllowed);
        kit.refuses(&format!("{header}.{payload}.{}", segments(&inner).2), Rejection::AlgorithmNotAllowed);
        // Even signed, it would be one service that speaks for anybody.
        wrapper.refused(Rejection::KindContradictory);
        kit.clone().claim(name, json!(null)).refused(Rejection::KindContradictory);
    }
}
