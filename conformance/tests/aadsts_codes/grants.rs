//! What is wrong with the grant: codes, refresh tokens, device codes, assertions of users. Time passes here.

use countersign_conformance::contoso::{
    ALICE, CLIENT_SCOPE, ORDERS_READ, PAGE, PASSWORD, RESOURCE_URI, ROOT, TENANT, TOOL,
};
use countersign_conformance::person::Person;
use countersign_conformance::tokens::acquire;
use countersign_conformance::wire::{form, post, request};
use countersign_protocol::AadSts;
use serde_json::Value;

use crate::reach::{Reach, redemption};
use crate::scene::{CHALLENGE, PAGE_CALLBACK, VERIFIER, altered};

const DAY: i64 = 86_400;

fn token_endpoint(tenant: &str) -> String {
    format!("/{tenant}/oauth2/v2.0/token")
}

pub(crate) async fn reach(reach: &mut Reach) {
    codes(reach).await;
    pages_codes(reach).await;
    on_behalf_of(reach).await;
    device_codes(reach).await;
    refresh_tokens(reach).await;
}

async fn codes(reach: &mut Reach) {
    let code = reach.code(&[]).await;
    reach.redeem(AadSts::REDIRECT_URI_CHANGED, &code, &[("redirect_uri", "http://localhost")]).await;
    reach.redeem(AadSts::CODE_VERIFIER_MISMATCH, &code, &[("code_verifier", VERIFIER)]).await;
    reach.redeem(AadSts::SCOPE_INVALID_ON_REDEMPTION, &code, &[("scope", "\u{1}")]).await;
    reach.post(AadSts::GRANT_FOR_ANOTHER_TENANT, &token_endpoint("consumers"), &redemption(&code)).await;
    let origin = "Origin: https://nobody.example\r\n";
    reach
        .send(AadSts::CROSS_ORIGIN_NOT_PERMITTED, "POST", &token_endpoint(TENANT), origin, &form(&redemption(&code)))
        .await;
    let redeemed = post(&reach.scene.house, &token_endpoint(TENANT), &form(&redemption(&code))).await;
    assert_eq!(redeemed.status, 200, "{}", String::from_utf8_lossy(&redeemed.body));
    reach.redeem(AadSts::CODE_ALREADY_REDEEMED, &code, &[]).await;
    reach.redeem(AadSts::MALFORMED_GRANT, "not-a-code", &[]).await;
    let guarded = reach.code(&[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]).await;
    reach.redeem(AadSts::CODE_VERIFIER_INVALID, &guarded, &[("code_verifier", "short")]).await;
    let late = reach.code(&[]).await;
    reach.scene.clock.advance_seconds(3600);
    reach.redeem(AadSts::GRANT_EXPIRED, &late, &[]).await;
}

/// The page's code may only be redeemed across origins, and its refresh token lives a day.
async fn pages_codes(reach: &mut Reach) {
    let scope = "openid offline_access https://graph.microsoft.com/User.Read";
    let page = [
        ("client_id", PAGE),
        ("redirect_uri", PAGE_CALLBACK),
        ("scope", scope),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let code = reach.code(&page).await;
    let redemption = [
        ("grant_type", "authorization_code"),
        ("client_id", PAGE),
        ("redirect_uri", PAGE_CALLBACK),
        ("code_verifier", VERIFIER),
        ("code", code.as_str()),
    ];
    reach.post(AadSts::CROSS_ORIGIN_REQUIRED, &token_endpoint(TENANT), &redemption).await;
    let headers = "Origin: https://page.contoso.com\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let body = form(&redemption);
    let answer = request(&reach.scene.house, "POST", &token_endpoint(TENANT), headers, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let tokens = answer.json();
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", PAGE),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    reach.scene.clock.advance_seconds(DAY + 60);
    let origin = "Origin: https://page.contoso.com\r\n";
    reach.send(AadSts::SPA_REFRESH_TOKEN_EXPIRED, "POST", &token_endpoint(TENANT), origin, &form(&refresh)).await;
}

async fn on_behalf_of(reach: &mut Reach) {
    let text = |tokens: &Value, member: &str| tokens[member].as_str().unwrap().to_owned();
    let middle = text(&reach.scene.signed_in(ALICE, CLIENT_SCOPE).await, "access_token");
    let other = text(&reach.scene.signed_in(ALICE, ORDERS_READ).await, "access_token");
    let id_token = text(&reach.scene.signed_in(ALICE, &format!("openid {ORDERS_READ}")).await, "id_token");
    let app_only = acquire(&reach.scene.house, RESOURCE_URI).await;
    let elsewhere = reach.scene.elsewhere.assertion().to_owned();
    reach.on_behalf_of(AadSts::INVALID_PARAMETER, &middle, &[("requested_token_use", "on_my_own")]).await;
    reach.on_behalf_of(AadSts::ASSERTION_AUDIENCE_NOT_CLIENT, &other, &[]).await;
    reach.on_behalf_of(AadSts::ASSERTION_SIGNATURE_FAILED, &altered(&middle), &[]).await;
    reach.on_behalf_of(AadSts::FOREIGN_ASSERTION_ISSUER, &elsewhere, &[]).await;
    reach.on_behalf_of(AadSts::ID_TOKEN_AS_ASSERTION, &id_token, &[]).await;
    reach.on_behalf_of(AadSts::ON_BEHALF_OF_NOT_ALLOWED, &app_only, &[]).await;
    reach.scene.clock.advance_seconds(3 * 3600);
    reach.on_behalf_of(AadSts::ASSERTION_EXPIRED, &middle, &[]).await;
}

async fn device_codes(reach: &mut Reach) {
    let start = format!("/{TENANT}/oauth2/v2.0/devicecode");
    let mut codes = Vec::new();
    for _ in 0..3 {
        let answer = post(&reach.scene.house, &start, &form(&[("client_id", TOOL), ("scope", ORDERS_READ)])).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        codes.push(answer.json());
    }
    let texts: Vec<String> = codes.iter().map(|code| code["device_code"].as_str().unwrap().to_owned()).collect();
    let mut declines = Person::new(&reach.scene.house, ALICE, PASSWORD);
    declines.consents = false;
    let _ = declines.approve_device(codes[1]["user_code"].as_str().unwrap()).await;
    drop(declines);
    for (entry, code) in [
        (AadSts::AUTHORIZATION_PENDING, texts[0].as_str()),
        (AadSts::AUTHORIZATION_DECLINED, texts[1].as_str()),
        (AadSts::BAD_VERIFICATION_CODE, "nobody-made-this"),
    ] {
        reach.post(entry, &token_endpoint(TENANT), &polling(code)).await;
    }
    reach.scene.clock.advance_seconds(901);
    reach.post(AadSts::DEVICE_CODE_EXPIRED, &token_endpoint(TENANT), &polling(&texts[2])).await;
}

fn polling(code: &str) -> [(&'static str, &str); 3] {
    [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("client_id", TOOL), ("device_code", code)]
}

async fn refresh_tokens(reach: &mut Reach) {
    let scope = "offline_access https://graph.microsoft.com/User.Read";
    let alices = reach.scene.signed_in(ALICE, scope).await;
    let roots = reach.scene.signed_in(ROOT, scope).await;
    let text = |tokens: &Value, member: &str| tokens[member].as_str().unwrap().to_owned();
    let alices = text(&alices, "refresh_token");
    reach.refresh(AadSts::MALFORMED_GRANT, "not-a-refresh-token", &[]).await;
    let public_of_multi = [("client_id", crate::scene::PUBLIC)];
    reach.refresh(AadSts::INVALID_GRANT, &alices, &public_of_multi).await;
    reach.scene.clock.advance_seconds(60);
    let bearer = format!("Authorization: Bearer {}\r\n", text(&roots, "access_token"));
    let revoked = request(&reach.scene.house, "POST", "/v1.0/me/revokeSignInSessions", &bearer, b"").await;
    assert_eq!(revoked.status, 200, "{}", String::from_utf8_lossy(&revoked.body));
    reach.refresh(AadSts::GRANT_REVOKED, &text(&roots, "refresh_token"), &[]).await;
    reach.scene.clock.advance_seconds(91 * DAY);
    reach.refresh(AadSts::REFRESH_TOKEN_INACTIVE, &alices, &[]).await;
}
