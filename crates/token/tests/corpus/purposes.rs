//! A85 to A91 and A99: a genuine signature on something that was not made for this API, and what was never signed.

use countersign_token::base64url_encode;
use serde_json::{Value, json};

use crate::kit::{API, API_URI, CLIENT, TENANT, V2_TEMPLATE, issuer, segments};
use crate::{Family, bases, caller, is_v1, users};

const MISMATCH: &str = "audience_mismatch";

pub(crate) fn families() -> Vec<Family> {
    let mut families = vec![audiences(), types(), several(), id_tokens(), other_credentials(), assertions()];
    families.extend([wrappers(), oversized()]);
    families
}

fn audiences() -> Family {
    let mut family = Family::new(85, "aud of another, or spelled otherwise", 76, &[MISMATCH]);
    for kit in bases() {
        let values = [
            String::new(),
            "00000003-0000-0000-c000-000000000000".to_owned(),
            "https://graph.microsoft.com".to_owned(),
            CLIENT.to_owned(),
            TENANT.to_owned(),
            API[..35].to_owned(),
            API.to_uppercase(),
            API.replace('-', ""),
            format!("{API} "),
            format!(" {API}"),
            format!("{API}\0"),
            format!("{API}0"),
            format!("{API_URI}/"),
            format!("{API_URI}/access_as_user"),
            format!("spn:{API}"),
            format!("API://{API}"),
            format!("{API},{CLIENT}"),
            API.replacen('a', "ａ", 1),
            "*".to_owned(),
        ];
        family.claims(&kit, "aud", values);
    }
    family
}

fn types() -> Family {
    let codes = &["claim_missing", "claim_type", MISMATCH];
    let mut family = Family::new(86, "aud missing or of another type", 40, codes);
    for kit in bases() {
        let values = [json!(null), json!(1), json!(true), json!({ "aud": API }), json!([]), json!([1]), json!([[API]])];
        family.claims(&kit, "aud", values);
        family.claims(&kit, "aud", [json!(["api://other"]), json!([""])]);
        family.push(kit.without("aud"));
    }
    family
}

fn several() -> Family {
    let mut family = Family::new(87, "aud with ours and another", 28, &["claim_type"]);
    for kit in bases() {
        let pairs = [json!([API, CLIENT]), json!([CLIENT, API]), json!([API, API]), json!([API, API_URI])];
        family.claims(&kit, "aud", pairs);
        family.claims(&kit, "aud", [json!([API, 1]), json!([API, null]), json!([API, CLIENT, TENANT])]);
    }
    family
}

fn id_tokens() -> Family {
    let mut family = Family::new(88, "id_tokens", 36, &["id_token", "claim_missing"]);
    let roles = json!(["Resource.Read"]);
    for user in users() {
        // What the same authority makes for this very registration when a person signs in.
        let acr = if is_v1(&user) { "appidacr" } else { "azpacr" };
        let plain = user.clone().without(caller(&user)).without(acr).without("scp");
        let id_token = plain.clone().claim("nonce", "n-0S6_WzA2Mj");
        family.push(id_token.clone());
        family.push(id_token.clone().claim("roles", roles.clone()));
        family.push(id_token.claim("scp", "access_as_user").claim(caller(&user), CLIENT));
        // Without nonce it still names no calling application.
        family.push(plain.clone());
        family.push(plain.clone().claim("roles", roles.clone()));
        family.push(plain.claim("scp", "access_as_user"));
    }
    for kit in bases() {
        for name in ["nonce", "at_hash", "c_hash"] {
            family.claims(&kit, name, [json!("x"), json!(null)]);
        }
    }
    family
}

fn other_credentials() -> Family {
    let mut family = Family::new(89, "what only looks like a credential", 10, &["not_compact_jws", "base64"]);
    let [kit, ..] = bases();
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
        "[object Object]",
    ] {
        family.push_token(&kit, text);
    }
    family
}

fn assertions() -> Family {
    let codes = &["claim_missing", "type", MISMATCH];
    let mut family = Family::new(90, "assertions and other kinds of JWT", 20, codes);
    for kit in [bases()[0].clone(), bases()[3].clone()] {
        let now = kit.now;
        let mut purpose = |typ: &str, claims: Value| {
            let mut kit = kit.clone().header("typ", typ);
            kit.claims = claims;
            family.push(kit);
        };
        let subject =
            json!({"aud": API, "iss": CLIENT, "sub": CLIENT, "jti": "b9d8e8f2", "nbf": now, "exp": now + 600});
        purpose("JWT", subject.clone());
        purpose("client-authentication+jwt", subject);
        purpose(
            "JWT",
            json!({
                "aud": "api://AzureADTokenExchange", "iss": "https://token.actions.githubusercontent.com",
                "sub": "repo:org/repo:ref:refs/heads/main", "exp": now + 600
            }),
        );
        let logout = json!({
            "iss": issuer(V2_TEMPLATE, TENANT), "aud": API, "iat": now, "exp": now + 600, "jti": "x", "sid": "s",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}}
        });
        purpose("JWT", logout.clone());
        purpose("logout+jwt", logout);
        let proof = json!({"htm": "GET", "htu": "https://api.example/", "iat": now, "jti": "x"});
        purpose("JWT", proof.clone());
        purpose("dpop+jwt", proof);
        purpose("JWT", json!({"iss": "did:ion:x", "aud": API, "vp": {"type": ["VerifiablePresentation"]}}));
        purpose("pop", json!({"at": "a.b.c", "ts": now, "m": "GET", "u": "api.example", "p": "/"}));
        // An Entra token meant as federated credential has the form of an access token, but another audience.
        family.claims(&kit, "aud", ["api://AzureADTokenExchange"]);
    }
    family
}

fn wrappers() -> Family {
    let codes = &["not_compact_jws", "algorithm_not_allowed", "kind_contradictory"];
    let mut family = Family::new(91, "a wrapper round a genuine token", 44, codes);
    let header = base64url_encode(br#"{"alg":"none","typ":"JWT"}"#);
    for kit in bases() {
        let inner = kit.token();
        for name in ["actortoken", "actort"] {
            let wrapper = kit.clone().claim(name, inner.clone());
            let payload = base64url_encode(wrapper.claims.to_string().as_bytes());
            for signature in ["", "AA", segments(&inner).2] {
                family.push_token(&kit, format!("{header}.{payload}.{signature}"));
            }
            // Even signed, it would be one service that speaks for anybody.
            family.push(wrapper);
            family.claims(&kit, name, [json!(null)]);
        }
        family.push_token(&kit, format!("{header}.{}.", base64url_encode(inner.as_bytes())));
    }
    family
}

fn oversized() -> Family {
    let mut family = Family::new(99, "oversized, or with the scheme left on", 24, &["too_large", "base64"]);
    for kit in bases() {
        family.claims(&kit, "x", [1_000_000, 17_000].map(|length| "x".repeat(length)));
        family.headers(&kit, "x", [1_000_000, 2_000].map(|length| "x".repeat(length)));
        let token = kit.token();
        for scheme in ["Bearer ", "Bearer Bearer "] {
            family.push_token(&kit, format!("{scheme}{token}"));
        }
    }
    family
}
