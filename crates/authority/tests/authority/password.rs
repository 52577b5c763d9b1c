//! The password grant: who gets tokens, who does not, and what guessing costs.

use std::time::Duration;

use crate::crowd::{App, CONTOSO, FABRIKAM, LITWARE, PASSWORD, SECRET, encoded, start};
use crate::kit::{NOW, claims};

#[tokio::test]
async fn a_user_gets_what_was_asked_for_and_consented_to() {
    let kit = start().await;
    let scope = format!("{} openid profile offline_access", CONTOSO.scope("Orders.Read"));
    let answer = kit.password(CONTOSO, "alice", PASSWORD, &scope).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.members(),
        ["access_token", "expires_in", "ext_expires_in", "id_token", "refresh_token", "scope", "token_type"]
    );
    // Everything that is granted at the resource, as recorded.
    let granted = format!("{} {}", CONTOSO.scope("Orders.Read"), CONTOSO.scope("Orders.Write"));
    assert_eq!(answer.body["scope"], granted);
    let token = claims(&answer.body["access_token"]);
    assert_eq!(token["scp"], "Orders.Read Orders.Write");
    assert_eq!(token["aud"], CONTOSO.app(App::Api));
    assert_eq!((&token["azp"], &token["azpacr"]), (&CONTOSO.app(App::Public).into(), &"0".into()));
    assert_eq!(token["oid"], CONTOSO.oid("alice"));
    assert_eq!(token["roles"], serde_json::json!(["Orders.Manager"]));
    assert!(token.get("idtyp").is_none());
    let id_token = claims(&answer.body["id_token"]);
    assert_eq!((&id_token["aud"], &id_token["oid"]), (&CONTOSO.app(App::Public).into(), &CONTOSO.oid("alice").into()));

    // No openid, no id_token; no offline_access, no refresh token; `.default` is echoed.
    let answer = kit.password(CONTOSO, "alice", PASSWORD, &CONTOSO.scope(".default")).await;
    assert_eq!(answer.body["scope"], format!("{granted} {}", CONTOSO.scope(".default")));
    assert!(answer.body.get("id_token").is_none() && answer.body.get("refresh_token").is_none());
    // Whom nobody granted more has what everybody has.
    let answer = kit.password(CONTOSO, "grace", PASSWORD, &CONTOSO.scope(".default")).await;
    assert_eq!(claims(&answer.body["access_token"])["scp"], "Orders.Read");
    // A strict tenant gives what was asked for, and no more.
    let answer = kit.password(LITWARE, "alice", PASSWORD, &LITWARE.scope("Orders.Read")).await;
    assert_eq!(claims(&answer.body["access_token"])["scp"], "Orders.Read");
    // A pre-authorised client needs nobody's consent.
    let form = format!(
        "grant_type=password&client_id={}&username={}&password={PASSWORD}&scope={}",
        CONTOSO.app(App::Known),
        encoded(&CONTOSO.user("alice")),
        encoded(&CONTOSO.scope(".default"))
    );
    let answer = kit.post(&CONTOSO.token_path(), &form).await;
    assert_eq!(claims(&answer.body["access_token"])["scp"], "Orders.Write", "{answer:?}");
}

#[tokio::test]
async fn version_1_answers_every_token_and_strings() {
    let kit = start().await;
    let form = format!(
        "grant_type=password&client_id={}&username={}&password={PASSWORD}&resource={}&client_info=1&scope=openid",
        CONTOSO.app(App::Public),
        encoded(&CONTOSO.user("ALICE")),
        encoded("api://orders1")
    );
    let answer = kit.post(&CONTOSO.token_path_v1(), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["resource"], "api://orders1");
    assert_eq!(answer.body["scope"], "Orders.Read Orders.Write");
    assert_eq!(answer.body["not_before"], (NOW - 300).to_string());
    assert!(answer.body["expires_in"].is_string() && answer.body["refresh_token"].is_string());
    let id_token = claims(&answer.body["id_token"]);
    assert_eq!((&id_token["ver"], &id_token["upn"]), (&"1.0".into(), &CONTOSO.user("alice").into()));
    let info = countersign_token::base64url_decode_strict(answer.body["client_info"].as_str().unwrap()).unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info, serde_json::json!({"uid": CONTOSO.oid("alice"), "utid": CONTOSO.id}));
}

#[tokio::test]
async fn each_fault_of_an_account_has_its_code() {
    let kit = start().await;
    let scope = CONTOSO.scope("Orders.Read");
    let cases: &[(&str, &str, u64, Option<&str>)] = &[
        ("alice", "wrong", 50126, None),
        ("frank", "anything", 50056, None),
        ("nobody", PASSWORD, 50034, Some("bad_token")),
        ("bob", PASSWORD, 50057, None),
        // What else is wrong with an account is told to whoever knows its password.
        ("bob", "wrong", 50126, None),
        ("carol", PASSWORD, 50055, Some("user_password_expired")),
        ("dave", PASSWORD, 50076, Some("basic_action")),
        ("erin", PASSWORD, 53003, Some("message_only")),
    ];
    for (name, password, code, suberror) in cases {
        let answer = kit.password(CONTOSO, name, password, &scope).await;
        assert_eq!(answer.refusal(), (400, "invalid_grant", *code), "{name} {answer:?}");
        assert_eq!(answer.body["suberror"].as_str(), *suberror, "{name}");
        assert!(!answer.body.to_string().contains(PASSWORD));
    }
    let answer = kit.password(CONTOSO, "nobody", PASSWORD, &scope).await;
    let told = answer.body["error_description"].as_str().unwrap();
    assert!(
        told.contains(&format!("The user account nobody@contoso.com does not exist in the {} directory", CONTOSO.id))
    );
    let answer = kit.password(CONTOSO, "dave", PASSWORD, &scope).await;
    assert!(answer.body["claims"].as_str().unwrap().contains("polids"), "{answer:?}");
}

#[tokio::test]
async fn each_fault_of_a_request_has_its_code() {
    let kit = start().await;
    let path = CONTOSO.token_path();
    let (public, web) = (CONTOSO.app(App::Public), CONTOSO.app(App::Web));
    let user = format!("username={}&password={PASSWORD}", encoded(&CONTOSO.user("alice")));
    let scope = format!("scope={}", encoded(&CONTOSO.scope("Orders.Read")));
    let grant = "grant_type=password";
    let asking = |scope: &str| format!("{grant}&client_id={public}&{user}&scope={}", encoded(scope));
    let cases: Vec<(&str, String, (u16, &str, u64))> = vec![
        (&path, format!("{grant}&{user}&{scope}"), (400, "invalid_request", 900144)),
        (&path, format!("{grant}&client_id={public}&password=x&{scope}"), (400, "invalid_request", 900144)),
        (&path, format!("{grant}&client_id={public}&username=x&password=&{scope}"), (400, "invalid_request", 900144)),
        (&path, format!("{grant}&client_id={public}&{user}"), (400, "invalid_request", 900144)),
        (&path, format!("{grant}&client_id={}&{user}&{scope}", CONTOSO.id), (400, "unauthorized_client", 700016)),
        (&path, format!("{grant}&client_id={web}&{user}&{scope}"), (401, "invalid_client", 7000218)),
        (&path, format!("{grant}&client_id={web}&client_secret=x&{user}&{scope}"), (401, "invalid_client", 7000215)),
        (
            &path,
            format!("{grant}&client_id={public}&client_secret={SECRET}&{user}&{scope}"),
            (401, "invalid_client", 700025),
        ),
        (&path, asking("api://orders1/Orders.Unknown"), (400, "invalid_request", 650053)),
        (&path, asking("api://orders1/Orders.Old"), (400, "invalid_request", 650053)),
        (&path, asking("api://orders1/Orders.Admin"), (400, "invalid_grant", 65001)),
        (&path, asking("api://nobody/.default"), (400, "invalid_resource", 500011)),
        (&path, asking("api://downstream1/.default"), (400, "invalid_resource", 650057)),
        (&path, asking("api://orders1/.default api://downstream1/.default"), (400, "invalid_request", 28000)),
        (&path, asking("api://orders1/.default api://orders1/Orders.Read"), (400, "invalid_scope", 70011)),
        (&path, asking("\u{e9}"), (400, "invalid_scope", 70011)),
        (&path, asking(&"a ".repeat(101)), (400, "invalid_scope", 28004)),
        // A user must be assigned to an API that wants it.
        (&path, asking("api://closed1/Inside"), (400, "invalid_grant", 50105)),
        (&path, format!("{}&resource=api://orders1", asking("openid")), (400, "invalid_request", 901002)),
        (&path, format!("{}&claims=nonsense", asking("api://orders1/Orders.Read")), (400, "invalid_request", 90100)),
        ("/common/oauth2/v2.0/token", asking("openid"), (400, "invalid_request", 9001023)),
        ("/consumers/oauth2/v2.0/token", asking("openid"), (400, "invalid_request", 9001023)),
        // A client of one tenant is nobody in another, and only those for several tenants are served at an alias.
        ("/fabrikam.com/oauth2/v2.0/token", asking("openid"), (400, "unauthorized_client", 700016)),
        ("/organizations/oauth2/v2.0/token", asking("openid"), (400, "unauthorized_client", 50194)),
        (
            "/organizations/oauth2/v2.0/token",
            asking("openid").replace("contoso", "nowhere"),
            (400, "invalid_request", 50059),
        ),
    ];
    for (path, form, expected) in cases {
        let answer = kit.post(path, &form).await;
        assert_eq!(answer.refusal(), expected, "{form}\n{answer:?}");
    }
    let answer = kit.post(&path, &asking("api://orders1/Orders.Admin")).await;
    assert_eq!(answer.body["suberror"], "consent_required");
    let assigned = kit.password(CONTOSO, "grace", PASSWORD, "api://closed1/Inside").await;
    assert_eq!(claims(&assigned.body["access_token"])["scp"], "Inside", "{assigned:?}");
    let demanded = format!(
        "{}&claims={}",
        asking("api://orders1/Orders.Read"),
        encoded(r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#)
    );
    let answer = kit.post(&path, &demanded).await;
    assert_eq!(answer.refusal(), (400, "interaction_required", 50076), "{answer:?}");
    assert_eq!(answer.body["claims"], r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#);
}

#[tokio::test]
async fn organizations_finds_the_tenant_by_the_names_domain() {
    let kit = start().await;
    let ask = async |user: String| {
        let form = format!(
            "grant_type=password&client_id={}&username={}&password={PASSWORD}&scope={}",
            CONTOSO.app(App::Everywhere),
            encoded(&user),
            encoded("openid profile offline_access api://orders1/Orders.Read")
        );
        kit.post("/organizations/oauth2/v2.0/token", &form).await
    };
    let answer = ask(CONTOSO.user("alice")).await;
    assert_eq!(claims(&answer.body["access_token"])["tid"], CONTOSO.id, "{answer:?}");
    // In another tenant the same application has what was granted there, which is nothing.
    assert_eq!(ask(FABRIKAM.user("alice")).await.refusal().2, 500011);
    assert_eq!(ask(LITWARE.user("alice")).await.refusal().2, 700016);
}

#[tokio::test]
async fn b39_parameters_in_the_query_are_refused_and_msal_nodes_id_is_not() {
    let kit = start().await;
    let form = format!(
        "grant_type=password&client_id={}&username={}&password={PASSWORD}&scope={}",
        CONTOSO.app(App::Public),
        encoded(&CONTOSO.user("alice")),
        encoded(&CONTOSO.scope("Orders.Read"))
    );
    let path = CONTOSO.token_path();
    let id = "client-request-id=0f0e0d0c-0b0a-4908-8706-050403020100";
    assert_eq!(kit.post(&format!("{path}?{id}&slice=x"), &form).await.status, 200);
    for query in
        ["password=x", "scope=openid", "client%5Fid=x", "grant_type=", "client_secret=x&client_secret=y", "a=%zz"]
    {
        let answer = kit.post(&format!("{path}?{query}"), &form).await;
        let expected = if query == "grant_type=" { 200 } else { 400 };
        assert_eq!(answer.status, expected, "{query} {answer:?}");
    }
}

#[tokio::test]
async fn b86_a_strict_tenant_tells_nobody_which_names_exist() {
    let kit = start().await;
    let mut told = Vec::new();
    for (name, password) in
        [("alice", "wrong"), ("nobody", "wrong"), ("frank", "wrong"), ("nobody", &"x".repeat(2_000))]
    {
        let answer = kit.password(LITWARE, name, password, "openid").await;
        let text = answer.body["error_description"].as_str().unwrap().split(" Trace ID").next().unwrap().to_owned();
        told.push((answer.refusal().0, answer.refusal().2, answer.body["suberror"].clone(), text));
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    assert_eq!(told[0].1, 50126);
}

#[tokio::test]
async fn b87_guesses_are_counted_per_account_however_it_is_spelled_and_lock_it() {
    let kit = start().await;
    let scope = CONTOSO.scope("Orders.Read");
    for guess in 0..10 {
        let name = if guess % 2 == 0 { "alice" } else { "ALICE" };
        assert_eq!(kit.password(CONTOSO, name, "wrong", &scope).await.refusal().2, 50126, "{guess}");
    }
    // The right password does not help now, and tells nothing.
    for password in [PASSWORD, "wrong"] {
        let answer = kit.password(CONTOSO, "Alice", password, &scope).await;
        assert_eq!(answer.refusal(), (400, "invalid_grant", 50053), "{answer:?}");
    }
    // Nobody else is kept out, and the same name elsewhere is another account.
    assert_eq!(kit.password(CONTOSO, "grace", PASSWORD, &scope).await.status, 200);
    assert_eq!(kit.password(LITWARE, "alice", PASSWORD, &LITWARE.scope("Orders.Read")).await.status, 200);
    kit.clock.advance(Duration::from_secs(61));
    assert_eq!(kit.password(CONTOSO, "alice", PASSWORD, &scope).await.status, 200);
    // Right, it is forgotten.
    for _ in 0..9 {
        assert_eq!(kit.password(CONTOSO, "alice", "wrong", &scope).await.refusal().2, 50126);
    }
    assert_eq!(kit.password(CONTOSO, "alice", PASSWORD, &scope).await.status, 200);
}

#[tokio::test]
async fn b86_names_that_nobody_has_are_locked_as_others_are() {
    let kit = start().await;
    for _ in 0..10 {
        assert_eq!(kit.password(LITWARE, "nobody", "wrong", "openid").await.refusal().2, 50126);
    }
    assert_eq!(kit.password(LITWARE, "nobody", "wrong", "openid").await.refusal().2, 50053);
}

#[tokio::test]
async fn b89_no_byte_of_a_password_is_cut_off_and_long_ones_are_not_hashed() {
    let kit = start().await;
    let scope = CONTOSO.scope("Orders.Read");
    for password in [
        format!("{PASSWORD}\0"),
        format!("{PASSWORD} "),
        format!(" {PASSWORD}"),
        PASSWORD.to_uppercase(),
        PASSWORD[..PASSWORD.len() - 1].to_owned(),
        "x".repeat(1025),
        "x".repeat(60_000),
    ] {
        let answer = kit.password(CONTOSO, "alice", &password, &scope).await;
        assert_eq!(answer.refusal().2, 50126, "{}", password.len());
    }
}

#[tokio::test]
async fn b38_b58_no_parameter_stands_twice_and_no_other_grant_is_known() {
    let kit = start().await;
    let path = CONTOSO.token_path();
    for name in [
        "grant_type",
        "client_id",
        "username",
        "password",
        "code",
        "code_verifier",
        "redirect_uri",
        "refresh_token",
        "device_code",
        "assertion",
        "requested_token_use",
        "claims",
        "client_info",
    ] {
        let twice = format!("grant_type=password&client_id=x&{name}=a&{name}=a");
        let answer = kit.post(&path, &twice).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", 9002313), "{name}");
    }
    for grant in [
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "implicit",
        "Password",
        "user_fic",
    ] {
        let answer = kit.post(&path, &format!("grant_type={}", encoded(grant))).await;
        assert_eq!(answer.refusal(), (400, "unsupported_grant_type", 70003), "{grant}");
    }
}
