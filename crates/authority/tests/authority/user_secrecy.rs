//! Logs and errors of users' flows tell nothing that opens anything (pitfalls B94).

use crate::crowd::{App, CONTOSO, PASSWORD, SECRET, form, start_on_disk};
use crate::sealing::{Sealing, code};
use crate::secrecy::{listen, run_alone};

#[test]
fn b94_logs_of_users_flows_are_clean() {
    run_alone("user_secrecy::b94_no_log_line_holds_a_password_a_code_or_a_token_of_a_user");
}

#[tokio::test]
#[ignore = "run by b94_logs_of_users_flows_are_clean"]
async fn b94_no_log_line_holds_a_password_a_code_or_a_token_of_a_user() {
    let (log, _guard) = listen();
    let data = tempfile::tempdir().unwrap();
    let kit = start_on_disk(data.path()).await;
    let (public, web) = (CONTOSO.app(App::Public), CONTOSO.app(App::Web));
    let tokens = kit.alice(CONTOSO).await.body;
    let [access, id, refresh] =
        ["access_token", "id_token", "refresh_token"].map(|name| tokens[name].as_str().unwrap().to_owned());
    let payload = code(CONTOSO, App::Web);
    let sealed = Sealing::of(data.path()).code(&payload);
    let device = kit
        .post(
            &format!("/{}/oauth2/v2.0/devicecode", CONTOSO.id),
            &form(&[("client_id", &public), ("scope", &CONTOSO.scope("Orders.Read"))]),
        )
        .await;
    let device_code = device.body["device_code"].as_str().unwrap().to_owned();
    let user_code = device.body["user_code"].as_str().unwrap().to_owned();
    let guess = "wrong-password-of-somebody";
    kit.password(CONTOSO, "alice", guess, "openid").await;
    kit.password(CONTOSO, "alice", PASSWORD, guess).await;
    let verifier = "verifier-verifier-verifier-verifier-verifier";
    for parameters in [
        vec![("grant_type", "refresh_token"), ("client_id", public.as_str()), ("refresh_token", &refresh)],
        vec![("grant_type", "refresh_token"), ("client_id", &web), ("refresh_token", &refresh)],
        vec![("grant_type", "refresh_token"), ("client_id", &public), ("refresh_token", &access)],
        vec![("grant_type", "device_code"), ("client_id", &public), ("device_code", &device_code)],
        vec![("grant_type", "device_code"), ("client_id", &web), ("device_code", &device_code)],
        vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("client_id", &web),
            ("client_secret", SECRET),
            ("requested_token_use", "on_behalf_of"),
            ("assertion", &access),
            ("scope", "User.Read"),
        ],
        vec![
            ("grant_type", "authorization_code"),
            ("client_id", &web),
            ("client_secret", SECRET),
            ("code", &sealed),
            ("code_verifier", verifier),
            ("redirect_uri", "https://portal.contoso.com/callback"),
        ],
        vec![
            ("grant_type", "authorization_code"),
            ("client_id", &web),
            ("client_secret", SECRET),
            ("code", &sealed),
            ("redirect_uri", "https://portal.contoso.com/callback"),
        ],
    ] {
        let answer = kit.post(&CONTOSO.token_path(), &form(&parameters)).await;
        let told = answer.body["error_description"].to_string();
        for needle in [PASSWORD, SECRET, guess, &access, &refresh, &sealed, &device_code, verifier] {
            assert!(!told.contains(needle), "{told}");
        }
    }
    kit.authority.shutdown().await;
    let log = log.text();
    assert!(
        log.contains("signed_in") && log.contains("code=50126") && log.contains("code=70016"),
        "the log works: {log}"
    );
    let signature = |jws: &str| jws.rsplit('.').next().unwrap().to_owned();
    for needle in [
        PASSWORD.to_owned(),
        SECRET.to_owned(),
        guess.to_owned(),
        verifier.to_owned(),
        signature(&access),
        signature(&id),
        refresh,
        sealed,
        device_code,
        user_code,
    ] {
        assert!(!log.contains(&needle), "{needle} in {log}");
    }
}
