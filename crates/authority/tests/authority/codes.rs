//! The redemption of authorization codes.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::browser::{CHALLENGE, VERIFIER};
use crate::crowd::{App, CONTOSO, FABRIKAM, LITWARE, SECRET, Tenant, form, start_on_disk};
use crate::kit::{Answer, EVERYTHING, Kit, claims};
use crate::sealing::{Sealing, code};

struct Town {
    kit: Kit,
    sealing: Sealing,
    _data: tempfile::TempDir,
}

impl Town {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let kit = start_on_disk(data.path()).await;
        Self { kit, sealing: Sealing::of(data.path()), _data: data }
    }

    /// Redeems a code at its tenant, as its client does; `more` adds parameters and takes away those with an empty value.
    async fn redeem(&self, tenant: Tenant, app: App, payload: &Value, more: &[(&str, &str)]) -> Answer {
        self.redeem_with(tenant, app, &self.sealing.code(payload), payload, more, &[]).await
    }

    async fn redeem_with(
        &self,
        tenant: Tenant,
        app: App,
        code: &str,
        payload: &Value,
        more: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let client = tenant.app(app);
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client.as_str()),
            ("code", code),
            ("redirect_uri", payload["redirect_uri"].as_str().unwrap()),
        ];
        if matches!(app, App::Web) {
            parameters.push(("client_secret", SECRET));
        }
        parameters.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        parameters.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        self.kit.post_with(&tenant.token_path(), &form(&parameters), headers).await
    }
}

/// A code with members replaced.
fn altered(mut payload: Value, members: Value) -> Value {
    let Value::Object(members) = members else { unreachable!() };
    for (name, value) in members {
        payload[name] = value;
    }
    payload
}

fn with_challenge(payload: Value) -> Value {
    altered(payload, json!({"challenge": ["S256", CHALLENGE]}))
}

#[tokio::test]
async fn a_code_gets_what_was_asked_for_at_the_sign_in() {
    let town = Town::start().await;
    // openid-client and others send no scope: that of the sign-in counts.
    let payload = code(CONTOSO, App::Web);
    let answer = town.redeem(CONTOSO, App::Web, &payload, &[("client_info", "1")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.members(), EVERYTHING);
    let (access, id) = (claims(&answer.body["access_token"]), claims(&answer.body["id_token"]));
    assert_eq!((&access["azp"], &access["azpacr"]), (&CONTOSO.app(App::Web).into(), &"1".into()));
    assert_eq!((&id["nonce"], &id["aud"]), (&"n-0S6_WzA2Mj".into(), &CONTOSO.app(App::Web).into()));
    // One that names a part keeps the rest of what was asked for.
    let scope = CONTOSO.scope("Orders.Read");
    let answer = town.redeem(CONTOSO, App::Web, &code(CONTOSO, App::Web), &[("scope", &scope)]).await;
    assert!(answer.body["id_token"].is_string() && answer.body["refresh_token"].is_string(), "{answer:?}");
    // An installed client proves nothing; with PKCE, on another port.
    let payload = with_challenge(code(CONTOSO, App::Public));
    let answer = town.redeem(CONTOSO, App::Public, &payload, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(claims(&answer.body["access_token"])["azpacr"], "0", "{answer:?}");
    // Its refresh token needs no proof either; the web application's does.
    for (app, token, status) in [
        (App::Public, &answer.body["refresh_token"], 200),
        (App::Web, &town.redeem(CONTOSO, App::Web, &code(CONTOSO, App::Web), &[]).await.body["refresh_token"], 401),
    ] {
        let client = CONTOSO.app(app);
        let parameters =
            [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", token.as_str().unwrap())];
        assert_eq!(town.kit.post(&CONTOSO.token_path(), &form(&parameters)).await.status, status);
    }
}

#[tokio::test]
async fn version_1_redeems_with_a_resource() {
    let town = Town::start().await;
    let payload = altered(code(CONTOSO, App::Web), json!({"scope": "openid", "resource": "api://orders1"}));
    let sealed = town.sealing.code(&payload);
    let parameters = [
        ("grant_type", "authorization_code"),
        ("client_id", &CONTOSO.app(App::Web)),
        ("client_secret", SECRET),
        ("code", &sealed),
        ("redirect_uri", "https://portal.contoso.com/callback"),
    ];
    let answer = town.kit.post(&CONTOSO.token_path_v1(), &form(&parameters)).await;
    assert_eq!((answer.status, answer.body["resource"].as_str()), (200, Some("api://orders1")), "{answer:?}");
    assert!(answer.body["id_token"].is_string() && answer.body["refresh_token"].is_string());
    assert!(answer.body["expires_in"].is_string());
    // A code without scope tells the v2.0 endpoint nothing.
    let payload = altered(code(CONTOSO, App::Web), json!({"scope": null, "resource": "api://orders1"}));
    assert_eq!(town.redeem(CONTOSO, App::Web, &payload, &[]).await.refusal(), (400, "invalid_request", 28003));
}

#[tokio::test]
async fn b22_a_code_is_redeemed_once() {
    let town = Town::start().await;
    for (tenant, survives) in [(CONTOSO, true), (LITWARE, false)] {
        let payload = with_challenge(code(tenant, App::Web));
        let first = town.redeem(tenant, App::Web, &payload, &[("code_verifier", VERIFIER)]).await;
        assert_eq!(first.status, 200, "{first:?}");
        let again = town.redeem(tenant, App::Web, &payload, &[("code_verifier", VERIFIER)]).await;
        assert_eq!(again.refusal(), (400, "invalid_grant", 54005), "{again:?}");
        assert!(again.body.get("error_uri").is_none());
        // In a strict tenant what the code has yielded ends with its replay.
        let parameters = [
            ("grant_type", "refresh_token"),
            ("client_id", &tenant.app(App::Web)),
            ("client_secret", SECRET),
            ("refresh_token", first.body["refresh_token"].as_str().unwrap()),
        ];
        let refreshed = town.kit.post(&tenant.token_path(), &form(&parameters)).await;
        assert_eq!(refreshed.status == 200, survives, "{refreshed:?}");
    }
}

#[tokio::test]
async fn b22_a_strict_tenant_notices_a_replay_after_the_codes_end_too() {
    let town = Town::start().await;
    let payload = with_challenge(code(LITWARE, App::Web));
    let first = town.redeem(LITWARE, App::Web, &payload, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(first.status, 200, "{first:?}");
    town.kit.clock.advance(Duration::from_secs(3_600));
    let again = town.redeem(LITWARE, App::Web, &payload, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(again.refusal(), (400, "invalid_grant", 70_008), "{again:?}");
    let parameters = [
        ("grant_type", "refresh_token"),
        ("client_id", &LITWARE.app(App::Web)),
        ("client_secret", SECRET),
        ("refresh_token", first.body["refresh_token"].as_str().unwrap()),
    ];
    let refreshed = town.kit.post(&LITWARE.token_path(), &form(&parameters)).await;
    assert_eq!(refreshed.status, 400, "{refreshed:?}");
}

#[tokio::test]
async fn b23_of_eight_redemptions_at_once_one_wins() {
    let town = Town::start().await;
    for tenant in [CONTOSO, LITWARE] {
        let payload = with_challenge(code(tenant, App::Web));
        let redeeming = (0..8).map(|_| town.redeem(tenant, App::Web, &payload, &[("code_verifier", VERIFIER)]));
        let answers = join_all(redeeming).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.refusal().2 == 54005));
    }
}

#[tokio::test]
async fn b24_b25_b26_b27_what_a_code_is_bound_to() {
    let town = Town::start().await;
    let payload = code(CONTOSO, App::Web);
    let sealed = town.sealing.code(&payload);
    let as_app = async |tenant: Tenant, app: App| town.redeem_with(tenant, app, &sealed, &payload, &[], &[]).await;
    // B24: another client's, whether it can prove itself or not.
    let other = altered(code(CONTOSO, App::Public), json!({"client": CONTOSO.app(App::Known)}));
    assert_eq!(town.redeem(CONTOSO, App::Public, &other, &[]).await.refusal(), (400, "invalid_grant", 70000));
    assert_eq!(as_app(CONTOSO, App::Public).await.refusal(), (401, "invalid_client", 7000218));
    assert_eq!(as_app(FABRIKAM, App::Web).await.refusal(), (400, "invalid_grant", 700005));
    // B25
    for uri in ["https://portal.contoso.com/callback/", "https://portal.contoso.com/Callback", "https://evil.example/"]
    {
        let answer = town.redeem(CONTOSO, App::Web, &payload, &[("redirect_uri", uri)]).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", 500112), "{uri}");
    }
    let answer = town.redeem(CONTOSO, App::Web, &payload, &[("redirect_uri", "")]).await;
    assert_eq!(answer.refusal(), (400, "invalid_request", 900144));
    let answer = town.redeem(CONTOSO, App::Web, &payload, &[("code", "")]).await;
    assert_eq!(answer.refusal(), (400, "invalid_request", 900144));
    // B26: sealed for another purpose, or by somebody else, or not at all.
    let stranger = tempfile::tempdir().unwrap();
    std::fs::write(stranger.path().join("root.key"), [7; 32]).unwrap();
    for text in [
        town.sealing.seal("refresh token", &payload),
        Sealing::of(stranger.path()).code(&payload),
        "1.AXoA".to_owned(),
        "garbage".to_owned(),
    ] {
        let answer = town.redeem(CONTOSO, App::Web, &payload, &[("code", &text)]).await;
        assert_eq!(answer.refusal(), (400, "invalid_grant", 9002313), "{answer:?}");
        assert_eq!(answer.body["suberror"], "bad_token");
    }
    // The client must prove itself, rightly, or not at all.
    let answer = town.redeem(CONTOSO, App::Web, &payload, &[("client_secret", "")]).await;
    assert_eq!(answer.refusal(), (401, "invalid_client", 7000218));
    let answer = town.redeem(CONTOSO, App::Web, &payload, &[("client_secret", "wrong")]).await;
    assert_eq!(answer.refusal(), (401, "invalid_client", 7000215));
    let answer = town.redeem(CONTOSO, App::Public, &code(CONTOSO, App::Public), &[("client_secret", SECRET)]).await;
    assert_eq!(answer.refusal(), (401, "invalid_client", 700025));
    // Scopes of two resources, of none, of nothing that was consented to.
    for (scope, code) in [
        ("api://orders1/Orders.Read api://downstream1/user_impersonation", 28000),
        ("api://orders1/\"", 28002),
        ("api://orders1/Orders.Admin", 65001),
    ] {
        let payload = crate::sealing::code(CONTOSO, App::Web);
        let answer = town.redeem(CONTOSO, App::Web, &payload, &[("scope", scope)]).await;
        assert_eq!(answer.refusal().2, code, "{scope} {answer:?}");
    }
    // None of it has spent the code. B27: time does.
    town.kit.clock.advance(Duration::from_secs(599));
    let fresh = town.sealing.code(&code(CONTOSO, App::Web));
    assert_eq!(as_app(CONTOSO, App::Web).await.status, 200);
    town.kit.clock.advance(Duration::from_secs(1));
    let answer = town.redeem(CONTOSO, App::Web, &payload, &[("code", &fresh)]).await;
    assert_eq!(answer.refusal(), (400, "invalid_grant", 70008), "{answer:?}");
}

#[tokio::test]
async fn b28_b29_b30_b31_the_verifier_must_fit_and_neither_half_may_be_missing() {
    let town = Town::start().await;
    let challenged = || with_challenge(code(CONTOSO, App::Public));
    let short = &VERIFIER[..42];
    for (payload, verifier, expected) in [
        (challenged(), "", (400, "invalid_grant", 501481)),
        (challenged(), CHALLENGE, (400, "invalid_grant", 501481)),
        (challenged(), short, (400, "invalid_request", 501491)),
        (challenged(), "dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk", (400, "invalid_request", 501491)),
        (code(CONTOSO, App::Public), VERIFIER, (400, "invalid_grant", 501481)),
        // Strict: nobody goes without.
        (code(LITWARE, App::Web), "", (400, "invalid_request", 9002325)),
        (code(LITWARE, App::Public), "", (400, "invalid_request", 9002325)),
    ] {
        let tenant = if payload["tenant"] == LITWARE.id { LITWARE } else { CONTOSO };
        let app = if payload["platform"] == "Web" { App::Web } else { App::Public };
        let answer = town.redeem(tenant, app, &payload, &[("code_verifier", verifier)]).await;
        assert_eq!(answer.refusal(), expected, "{verifier} {payload}");
    }
    // A wrong verifier costs the code: it is guessed at once.
    let payload = challenged();
    town.redeem(CONTOSO, App::Public, &payload, &[("code_verifier", CHALLENGE)]).await;
    let late = town.redeem(CONTOSO, App::Public, &payload, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(late.refusal().2, 54005);
    // As lax as Entra: `plain`, and an installed client without PKCE.
    let plain = altered(code(CONTOSO, App::Public), json!({"challenge": ["plain", VERIFIER]}));
    assert_eq!(town.redeem(CONTOSO, App::Public, &plain, &[("code_verifier", VERIFIER)]).await.status, 200);
    assert_eq!(town.redeem(CONTOSO, App::Public, &code(CONTOSO, App::Public), &[]).await.status, 200);
}

#[tokio::test]
async fn a_page_redeems_from_its_own_origin_and_nobody_else_from_any() {
    let town = Town::start().await;
    let own = [("origin", "https://page.contoso.com")];
    let redeem = async |app: App, payload: Value, headers: &[(&str, &str)]| {
        let sealed = town.sealing.code(&payload);
        town.redeem_with(CONTOSO, app, &sealed, &payload, &[("code_verifier", VERIFIER)], headers).await
    };
    let answer = redeem(App::Spa, with_challenge(code(CONTOSO, App::Spa)), &own).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // B75: everybody may read it, nobody's cookies go with it.
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let refused = redeem(App::Spa, with_challenge(code(CONTOSO, App::Spa)), &[]).await;
    assert_eq!(refused.refusal(), (400, "invalid_request", 9002327));
    for origin in ["https://page.contoso.com", "null", "https://evil.example"] {
        let refused = redeem(App::Web, with_challenge(code(CONTOSO, App::Web)), &[("origin", origin)]).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", 9002326), "{origin}");
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }
    // This authority's own origin is none of another.
    let here = town.kit.authority.host().origin().to_owned();
    assert_eq!(redeem(App::Web, with_challenge(code(CONTOSO, App::Web)), &[("origin", &here)]).await.status, 200);
    // A page uses PKCE, and has no secret.
    let payload = code(CONTOSO, App::Spa);
    let bare = town.redeem_with(CONTOSO, App::Spa, &town.sealing.code(&payload), &payload, &[], &own).await;
    assert_eq!(bare.refusal(), (400, "invalid_request", 9002325));
    assert_eq!(bare.header("access-control-allow-origin"), "*", "a page can read why");

    // Its refresh token ends a day after the sign-in, however it is used.
    let client = CONTOSO.app(App::Spa);
    let refresh = async |token: &Value, headers: &[(&str, &str)]| {
        let parameters =
            [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", token.as_str().unwrap())];
        town.kit.post_with(&CONTOSO.token_path(), &form(&parameters), headers).await
    };
    assert_eq!(refresh(&answer.body["refresh_token"], &[]).await.refusal().2, 9002327);
    town.kit.clock.advance(Duration::from_secs(86_399));
    let second = refresh(&answer.body["refresh_token"], &own).await;
    assert_eq!((second.status, second.header("access-control-allow-origin")), (200, "*"), "{second:?}");
    town.kit.clock.advance(Duration::from_secs(1));
    let ended = refresh(&second.body["refresh_token"], &own).await;
    assert_eq!(ended.refusal(), (400, "invalid_grant", 700084));
    assert!(ended.body["error_description"].as_str().unwrap().contains("1.00:00:00"));
}

#[tokio::test]
async fn b75_a_preflight_names_no_origin_and_no_credentials() {
    let town = Town::start().await;
    for path in [CONTOSO.token_path(), CONTOSO.token_path_v1()] {
        let request = http::Request::options(town.kit.url(&path))
            .header("origin", "https://page.contoso.com")
            .header("access-control-request-method", "POST")
            .body(bytes::Bytes::new())
            .unwrap();
        let answer = town.kit.send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-methods"), "POST, OPTIONS");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn b48_b88_whoever_is_kept_out_meanwhile_gets_nothing_for_a_code() {
    let town = Town::start().await;
    let of = |name: &str| altered(code(CONTOSO, App::Public), json!({"user": CONTOSO.oid(name)}));
    for (name, code) in [("bob", 50057), ("carol", 50055), ("dave", 50076), ("erin", 53003)] {
        let answer = town.redeem(CONTOSO, App::Public, &of(name), &[]).await;
        assert_eq!(answer.refusal().2, code, "{name} {answer:?}");
    }
    let gone = altered(code(CONTOSO, App::Public), json!({"user": CONTOSO.id}));
    assert_eq!(town.redeem(CONTOSO, App::Public, &gone, &[]).await.refusal(), (400, "invalid_grant", 70000));
    // Guesses at the password lock the account for this way in too.
    for _ in 0..10 {
        town.kit.password(CONTOSO, "alice", "wrong", "openid").await;
    }
    let answer = town.redeem(CONTOSO, App::Public, &code(CONTOSO, App::Public), &[]).await;
    assert_eq!(answer.refusal(), (400, "invalid_grant", 50053), "{answer:?}");
}
