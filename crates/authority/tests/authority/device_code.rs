//! The device code flow, as the device sees it.

use std::time::Duration;

use countersign_directory::{DeviceDecision, Ledger, SqliteDirectory};
use countersign_token::Clock;
use futures_util::future::join_all;
use serde_json::json;

use crate::crowd::{App, CONTOSO, FABRIKAM, LITWARE, SECRET, Tenant, form, start, start_on_disk};
use crate::kit::{Answer, Kit, claims};
use crate::sealing::{Sealing, session};

async fn begin(kit: &Kit, path: &str, client: &str) -> Answer {
    let scope = "api://orders1/Orders.Read openid profile offline_access";
    kit.post(path, &form(&[("client_id", client), ("scope", scope)])).await
}

async fn begin_in(kit: &Kit, tenant: Tenant) -> Answer {
    let scope = format!("{} openid profile offline_access", tenant.scope("Orders.Read"));
    let parameters = [("client_id", tenant.app(App::Public)), ("scope", scope)];
    let parameters = parameters.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = kit.post(&format!("/{}/oauth2/v2.0/devicecode", tenant.id), &form(&parameters)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn poll(kit: &Kit, tenant: Tenant, begun: &Answer) -> Answer {
    poll_as(kit, &tenant.token_path(), &tenant.app(App::Public), begun, "device_code").await
}

async fn poll_as(kit: &Kit, path: &str, client: &str, begun: &Answer, grant: &str) -> Answer {
    let code = begun.body["device_code"].as_str().unwrap();
    kit.post(path, &form(&[("grant_type", grant), ("client_id", client), ("device_code", code)])).await
}

/// Decides as the page does.
async fn decide(data: &std::path::Path, kit: &Kit, begun: &Answer, decision: DeviceDecision) {
    let directory = SqliteDirectory::open(data.join("countersign.db")).await.unwrap();
    let code = begun.body["user_code"].as_str().unwrap();
    assert!(directory.decide_device_code(code, decision, kit.clock.now()).await.unwrap());
}

fn approval(data: &std::path::Path, tenant: Tenant) -> DeviceDecision {
    let payload = json!({"tenant": tenant.id, "user": tenant.oid("alice"), "session": session()});
    DeviceDecision::Approved(Sealing::of(data).seal("device approval", &payload).into_bytes())
}

#[tokio::test]
async fn the_start_answers_as_recorded_in_both_versions() {
    let kit = start().await;
    let answer = begin_in(&kit, CONTOSO).await;
    let page = kit.url("/devicelogin");
    let code = answer.body["user_code"].as_str().unwrap();
    assert_eq!(code.len(), 9);
    assert!(
        code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            && !code.contains(['I', 'O', '0', '1'])
    );
    assert_eq!(answer.body["verification_uri"], page.as_str());
    assert_eq!((&answer.body["expires_in"], &answer.body["interval"]), (&900.into(), &5.into()));
    let message =
        format!("To sign in, use a web browser to open the page {page} and enter the code {code} to authenticate.");
    assert_eq!(answer.body["message"], message.as_str());
    assert_eq!(answer.header("cache-control"), "no-store, no-cache");
    let again = begin_in(&kit, CONTOSO).await;
    assert_ne!(
        (&again.body["user_code"], &again.body["device_code"]),
        (&answer.body["user_code"], &answer.body["device_code"])
    );

    let path = format!("/{}/oauth2/devicecode?api-version=1.0&mkt=de-DE", CONTOSO.id);
    let parameters = [("client_id", CONTOSO.app(App::Public)), ("resource", "api://orders1".to_owned())];
    let v1 = kit.post(&path, &form(&parameters.each_ref().map(|(name, value)| (*name, value.as_str())))).await;
    assert_eq!((&v1.body["expires_in"], &v1.body["interval"]), (&"900".into(), &"5".into()), "{v1:?}");
    assert_eq!(v1.body["verification_url"], page.as_str());
    assert!(v1.body["message"].as_str().unwrap().starts_with("Öffnen Sie"));
}

#[tokio::test]
async fn each_fault_of_the_start_has_its_code() {
    let kit = start().await;
    let path = format!("/{}/oauth2/v2.0/devicecode", CONTOSO.id);
    let (public, everywhere) = (CONTOSO.app(App::Public), CONTOSO.app(App::Everywhere));
    let scope = "scope=openid";
    for (path, form, expected) in [
        (path.as_str(), scope.to_owned(), (400, "invalid_request", 900144)),
        (&path, format!("client_id={public}"), (400, "invalid_request", 900144)),
        (&path, format!("client_id={}&{scope}", CONTOSO.id), (400, "unauthorized_client", 700016)),
        (&path, format!("client_id={public}&scope=a/b%20c/d"), (400, "invalid_request", 28000)),
        (&path, format!("client_id={public}&{scope}&claims=x"), (400, "invalid_request", 90100)),
        (&path, format!("client_id={public}&{scope}&{scope}"), (400, "invalid_request", 9002313)),
        (&format!("{path}?client_id=x"), format!("client_id={public}&{scope}"), (400, "invalid_request", 9002313)),
        ("/common/oauth2/v2.0/devicecode", format!("client_id={public}&{scope}"), (400, "unauthorized_client", 50194)),
        ("/common/oauth2/v2.0/devicecode", format!("client_id=x&{scope}"), (400, "unauthorized_client", 700016)),
        (
            "/consumers/oauth2/v2.0/devicecode",
            format!("client_id={everywhere}&{scope}"),
            (400, "invalid_request", 9001023),
        ),
        (
            "/nobody.example/oauth2/v2.0/devicecode",
            format!("client_id={public}&{scope}"),
            (400, "invalid_request", 90002),
        ),
        (
            &format!("/{}/oauth2/devicecode", CONTOSO.id),
            format!("client_id={public}"),
            (400, "invalid_request", 900144),
        ),
    ] {
        let answer = kit.post(path, &form).await;
        assert_eq!(answer.refusal(), expected, "{path} {form}");
    }
    assert_eq!(kit.get(&path).await.refusal(), (400, "invalid_request", 900561));
    assert_eq!(begin(&kit, "/organizations/oauth2/v2.0/devicecode", &everywhere).await.status, 200);
}

#[tokio::test]
async fn polls_are_answered_until_somebody_decides_or_it_is_too_late() {
    let kit = start().await;
    let begun = begin_in(&kit, CONTOSO).await;
    let pending = poll(&kit, CONTOSO, &begun).await;
    assert_eq!(pending.refusal(), (400, "authorization_pending", 70016), "{pending:?}");
    assert!(pending.body["error_uri"].is_string() && pending.body.get("suberror").is_none());
    // As often as it likes, as with Entra.
    assert_eq!(poll(&kit, CONTOSO, &begun).await.refusal().2, 70016);
    let named = "urn:ietf:params:oauth:grant-type:device_code";
    let public = CONTOSO.app(App::Public);
    assert_eq!(poll_as(&kit, &CONTOSO.token_path(), &public, &begun, named).await.refusal().2, 70016);
    // v1.0 calls it `code`.
    let parameters =
        [("grant_type", "device_code"), ("client_id", &public), ("code", begun.body["device_code"].as_str().unwrap())];
    assert_eq!(kit.post(&CONTOSO.token_path_v1(), &form(&parameters)).await.refusal().2, 70016);
    kit.clock.advance(Duration::from_secs(900));
    assert_eq!(poll(&kit, CONTOSO, &begun).await.refusal(), (400, "expired_token", 70020));

    // B59: only a strict tenant tells a device to slow down.
    let begun = begin_in(&kit, LITWARE).await;
    assert_eq!(poll(&kit, LITWARE, &begun).await.refusal().1, "authorization_pending");
    kit.clock.advance(Duration::from_secs(4));
    assert_eq!(poll(&kit, LITWARE, &begun).await.refusal(), (400, "slow_down", 70016));
    kit.clock.advance(Duration::from_secs(5));
    assert_eq!(poll(&kit, LITWARE, &begun).await.refusal().1, "authorization_pending");
}

#[tokio::test]
async fn b59_a_device_code_is_its_own_clients_and_cannot_be_guessed() {
    let kit = start().await;
    let begun = begin_in(&kit, CONTOSO).await;
    let by = async |path: &str, client: String| poll_as(&kit, path, &client, &begun, "device_code").await.refusal().2;
    assert_eq!(by(&CONTOSO.token_path(), CONTOSO.app(App::Known)).await, 70018);
    assert_eq!(by(&FABRIKAM.token_path(), FABRIKAM.app(App::Public)).await, 70018);
    assert_eq!(by(&CONTOSO.token_path(), CONTOSO.app(App::Web)).await, 7000218);
    assert_eq!(by("/consumers/oauth2/v2.0/token", CONTOSO.app(App::Public)).await, 9001023);
    for code in ["garbage", begun.body["user_code"].as_str().unwrap(), "GAQABAAEAAAD"] {
        let parameters =
            [("grant_type", "device_code"), ("client_id", &CONTOSO.app(App::Public)), ("device_code", code)];
        let answer = kit.post(&CONTOSO.token_path(), &form(&parameters)).await;
        assert_eq!(answer.refusal(), (400, "bad_verification_code", 70018), "{code}");
    }
    let proven = [
        ("grant_type", "device_code"),
        ("client_id", &CONTOSO.app(App::Public)),
        ("device_code", begun.body["device_code"].as_str().unwrap()),
        ("client_secret", SECRET),
    ];
    assert_eq!(kit.post(&CONTOSO.token_path(), &form(&proven)).await.refusal().2, 700025);
    let missing = [("grant_type", "device_code"), ("client_id", &CONTOSO.app(App::Public))];
    assert_eq!(kit.post(&CONTOSO.token_path(), &form(&missing)).await.refusal(), (400, "invalid_request", 900144));
}

#[tokio::test]
async fn a_decision_reaches_the_device_and_of_eight_polls_one_gets_the_tokens() {
    let data = tempfile::tempdir().unwrap();
    let kit = start_on_disk(data.path()).await;
    let declined = begin_in(&kit, CONTOSO).await;
    decide(data.path(), &kit, &declined, DeviceDecision::Declined).await;
    assert_eq!(poll(&kit, CONTOSO, &declined).await.refusal(), (400, "authorization_declined", 65004));

    let begun = begin_in(&kit, CONTOSO).await;
    decide(data.path(), &kit, &begun, approval(data.path(), CONTOSO)).await;
    let answers = join_all((0..8).map(|_| poll(&kit, CONTOSO, &begun))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.refusal().2 == 54005));
    let body = &won[0].body;
    // What was asked for at the start counts: MSAL for Python's polls carry no scope.
    assert!(body["id_token"].is_string() && body["refresh_token"].is_string(), "{body}");
    assert_eq!(body["scope"], format!("{} {}", CONTOSO.scope("Orders.Read"), CONTOSO.scope("Orders.Write")));
    assert_eq!(claims(&body["access_token"])["oid"], CONTOSO.oid("alice"));

    // B48: whoever is kept out by the time of the poll gets nothing.
    let begun = begin_in(&kit, CONTOSO).await;
    let payload = json!({"tenant": CONTOSO.id, "user": CONTOSO.oid("bob"), "session": session()});
    let bob = DeviceDecision::Approved(Sealing::of(data.path()).seal("device approval", &payload).into_bytes());
    decide(data.path(), &kit, &begun, bob).await;
    assert_eq!(poll(&kit, CONTOSO, &begun).await.refusal().2, 50057);
}

#[tokio::test]
async fn at_an_alias_the_tenant_is_that_of_whoever_decides() {
    let data = tempfile::tempdir().unwrap();
    let kit = start_on_disk(data.path()).await;
    let everywhere = CONTOSO.app(App::Everywhere);
    let path = "/common/oauth2/v2.0/token";
    let begun = begin(&kit, "/common/oauth2/v2.0/devicecode", &everywhere).await;
    assert_eq!(poll_as(&kit, path, &everywhere, &begun, "device_code").await.refusal().2, 70016);
    decide(data.path(), &kit, &begun, approval(data.path(), CONTOSO)).await;
    let answer = poll_as(&kit, path, &everywhere, &begun, "device_code").await;
    assert_eq!(claims(&answer.body["access_token"])["tid"], CONTOSO.id, "{answer:?}");
    // Where the application has no instance, it gets nothing.
    let begun = begin(&kit, "/common/oauth2/v2.0/devicecode", &everywhere).await;
    decide(data.path(), &kit, &begun, approval(data.path(), LITWARE)).await;
    assert_eq!(poll_as(&kit, path, &everywhere, &begun, "device_code").await.refusal().2, 7000229);
}

#[tokio::test]
async fn b41_what_is_too_long_to_be_opened_again_is_not_kept() {
    let kit = start().await;
    let form = format!("client_id={}&resource=api://orders1&scope={}", CONTOSO.app(App::Public), "x".repeat(20_000));
    let answer = kit.post(&format!("/{}/oauth2/devicecode", CONTOSO.id), &form).await;
    assert_eq!(answer.refusal(), (400, "invalid_request", 9_002_313), "{answer:?}");
}
