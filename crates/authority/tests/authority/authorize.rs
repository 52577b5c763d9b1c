//! The authorization endpoint: what it refuses and to whom it says so, and what a client gets.

use crate::browser::{
    Browser, CHALLENGE, HYBRID, HYBRID_URI, MULTI, MULTI_URI, ORDERS, PAGE, PAGE_URI, SHOP, SHOP_READS, SHOP_URI, TOOL,
    TOOL_URI, VERIFIER, Wishes, ask, encoded, town,
};
use crate::kit::{Kit, OTHER_TENANT, TENANT, claims};

async fn town_where_shop_reads() -> Kit {
    Kit::with(town(&Wishes { grants: SHOP_READS, ..Wishes::default() })).await
}

#[tokio::test]
async fn a_code_comes_back_with_the_state_and_is_worth_tokens() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    let seen = browser.open_as(&ask(TENANT, &[("client_info", "1")]), "alice@contoso.com").await;
    assert_eq!(seen.sent_to(), SHOP_URI);
    let answer = seen.answer();
    assert_eq!(answer["state"], "s t=1");
    assert!(answer.contains_key("session_state") && answer.contains_key("client_info"));
    assert!(!answer.contains_key("iss"), "Entra sends none");
    let tokens = kit.redeem_for_shop(&answer["code"]).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    assert_eq!(claims(&tokens.body["access_token"])["scp"], "Orders.Read");
    let id_token = claims(&tokens.body["id_token"]);
    assert_eq!((&id_token["aud"], &id_token["tid"]), (&SHOP.into(), &TENANT.into()));
    // Signed in once, nobody is asked again, by GET or POST, at v1.0 or v2.0.
    let again = browser.get(&ask(TENANT, &[])).await;
    assert!(again.answer().contains_key("code"));
    let v1 = format!(
        "/{TENANT}/oauth2/authorize?{}",
        encoded(&[
            ("client_id", SHOP),
            ("response_type", "code"),
            ("redirect_uri", SHOP_URI),
            ("resource", "api://orders"),
        ])
    );
    assert!(browser.get(&v1).await.answer().contains_key("code"));
    // v1.0 without a resource only wants to know who signs in.
    let bare = v1.split("&resource=").next().unwrap();
    assert!(browser.get(bare).await.answer().contains_key("code"));
}

#[tokio::test]
async fn b63_a_posted_question_goes_on_as_a_get() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    let (path, query) = ask(TENANT, &[]).split_once('?').map(|(p, q)| (p.to_owned(), q.to_owned())).unwrap();
    let form = crate::browser::parameters(&query);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let seen = browser.post(&path, &form, &[("origin", "https://shop.example")]).await;
    assert_eq!(seen.status, 303);
    let location = seen.header("location").to_owned();
    assert!(location.starts_with(&format!("{path}?")), "{location}");
    let page = browser.get(&location).await;
    assert_eq!(page.heading(), "Sign in");
    assert!(browser.sign_in(&page, "alice@contoso.com").await.answer().contains_key("code"));
}

#[tokio::test]
async fn b37_what_is_wrong_with_client_or_redirect_uri_is_said_on_a_page() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    for (changes, code) in [
        (&[("client_id", "")][..], 900_144),
        (&[("client_id", "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2cff")], 700_016),
        (&[("client_id", "nonsense")], 700_016),
        (&[("client_id", "00000000-0000-0000-0000-000000000000")], 700_038),
        (&[("client_id", ORDERS)], 500_113),
        (&[("redirect_uri", "https://evil.example/cb")], 50_011),
        (&[("redirect_uri", "")], 900_971),
        // The redirect URI is wrong, and so is everything else: still nobody is sent anywhere.
        (&[("redirect_uri", "https://evil.example/cb"), ("response_type", "nonsense"), ("scope", "")], 50_011),
        (&[("client_id", MULTI), ("redirect_uri", "https://evil.example")], 50_011),
    ] {
        let seen = browser.get(&ask(TENANT, changes)).await;
        assert_eq!((seen.status, seen.page_error()), (400, code), "{changes:?}");
        assert!(seen.header("content-type").starts_with("text/html") && seen.header("cache-control") == "no-store");
    }
    for (tenant, code) in
        [("nobody.example", 90_002), ("x", 900_023), ("00000000-0000-0000-0000-000000000000", 900_021)]
    {
        assert_eq!(browser.get(&ask(tenant, &[])).await.page_error(), code);
    }
}

#[tokio::test]
async fn faults_of_the_request_are_told_to_the_client_in_its_own_way() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    for (changes, error, code) in [
        (&[("response_type", "")][..], "invalid_request", 900_144),
        (&[("response_type", "nonsense")], "unsupported_response_type", 70_005),
        (&[("response_type", "code token")], "unsupported_response_type", 70_005),
        (&[("response_type", "id_token"), ("nonce", "n")], "unsupported_response_type", 700_054),
        (&[("response_type", "token")], "unsupported_response_type", 700_051),
        (&[("response_type", "code id_token"), ("nonce", "n")], "unsupported_response_type", 700_054),
        (&[("response_mode", "nonsense")], "invalid_request", 70_007),
        (&[("prompt", "nonsense")], "invalid_request", 90_023),
        (&[("request", "eyJhbGciOiJub25lIn0.e30.")], "invalid_request", 901_002),
        (&[("request_uri", "https://169.254.169.254/")], "invalid_request", 901_002),
        (&[("code_challenge", "short")], "invalid_request", 501_491),
        (&[("code_challenge", CHALLENGE), ("code_challenge_method", "S512")], "invalid_request", 90_100),
        (&[("claims", "{")], "invalid_request", 90_100),
        (&[("max_age", "-1")], "invalid_request", 90_100),
        (&[("scope", "")], "invalid_request", 900_144),
        (&[("scope", "api://orders/.default api://orders/Orders.Read")], "invalid_scope", 70_011),
        (&[("resource", "api://orders")], "invalid_request", 901_002),
    ] {
        let seen = browser.get(&ask(TENANT, changes)).await;
        assert_eq!(seen.sent_to(), SHOP_URI, "{changes:?}");
        let got = seen.refusal();
        assert_eq!((got.0.as_str(), got.1), (error, code), "{changes:?}");
        assert_eq!(seen.answer()["state"], "s t=1", "{changes:?}");
    }
    // Tokens never stand in a query, nor does their refusal.
    let seen =
        browser.get(&ask(TENANT, &[("response_type", "id_token"), ("response_mode", "query"), ("nonce", "n")])).await;
    assert!(seen.header("location").starts_with(&format!("{SHOP_URI}#error=")), "{seen:?}");
    let seen = browser.get(&ask(TENANT, &[("response_mode", "form_post"), ("prompt", "x")])).await;
    let (action, fields) = seen.form_post();
    assert_eq!((action.as_str(), fields["error"].as_str()), (SHOP_URI, "invalid_request"));
    assert!(seen.header("content-security-policy").contains("form-action https://shop.example;"));
}

#[tokio::test]
async fn b38_no_parameter_stands_there_twice() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    for twice in ["client_id", "redirect_uri"] {
        let seen = browser.get(&format!("{}&{twice}=https%3A%2F%2Fevil.example", ask(TENANT, &[]))).await;
        assert_eq!((seen.status, seen.page_error()), (400, 9_000_411), "{twice}");
        assert!(!seen.text.contains("evil"), "{twice}");
    }
    for twice in ["response_type", "scope", "nonce", "prompt", "response_mode", "code_challenge"] {
        let seen = browser.get(&format!("{}&{twice}=1&{twice}=2", ask(TENANT, &[]))).await;
        assert_eq!(seen.refusal(), ("invalid_request".to_owned(), 9_000_411), "{twice}");
    }
    let seen = browser.get(&format!("{}&state=2", ask(TENANT, &[]))).await;
    assert_eq!(seen.refusal().1, 9_000_411);
    assert!(!seen.answer().contains_key("state"), "neither of the two");
}

#[tokio::test]
async fn b60_tokens_come_as_the_registration_allows_with_nonce_and_hashes() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let mut browser = Browser::new(&kit);
    let hybrid = |changes: &[(&'static str, &'static str)]| {
        let mut all = vec![("client_id", HYBRID), ("redirect_uri", HYBRID_URI), ("scope", "openid profile User.Read")];
        all.extend(changes);
        ask(TENANT, &all)
    };
    let seen = browser.get(&hybrid(&[("response_type", "id_token")])).await;
    assert_eq!(seen.refusal(), ("invalid_request".to_owned(), 900_144), "nonce is missing");
    assert!(seen.header("location").contains('#'));
    let seen = browser.open_as(&hybrid(&[("response_type", "id_token"), ("nonce", "n-1")]), "alice@contoso.com").await;
    assert!(seen.header("location").starts_with(&format!("{HYBRID_URI}#id_token=")), "{seen:?}");
    let id_token = claims(&seen.answer()["id_token"].clone().into());
    assert_eq!((&id_token["nonce"], &id_token["aud"]), (&"n-1".into(), &HYBRID.into()));
    assert!(id_token.get("c_hash").is_none() && id_token.get("at_hash").is_none());
    assert_eq!(id_token["sid"], seen.answer()["session_state"]);
    let seen = browser.get(&hybrid(&[("response_type", "code id_token"), ("nonce", "n-2")])).await;
    assert!(
        claims(&seen.answer()["id_token"].clone().into()).get("c_hash").is_some() && seen.answer().contains_key("code")
    );
    let seen = browser.get(&hybrid(&[("response_type", "id_token token"), ("nonce", "n-3")])).await;
    let answer = seen.answer();
    assert!(claims(&answer["id_token"].clone().into()).get("at_hash").is_some());
    assert_eq!(answer["token_type"], "Bearer");
    let access = claims(&answer["access_token"].clone().into());
    assert_eq!(access["appidacr"], "0", "nobody proved anything");
    let seen = browser.get(&hybrid(&[("response_type", "token"), ("response_mode", "form_post")])).await;
    assert!(seen.form_post().1.contains_key("access_token"));
    let seen =
        browser.get(&hybrid(&[("response_type", "id_token token"), ("nonce", "n"), ("response_mode", "query")])).await;
    assert_eq!(seen.refusal().1, 70_007);
    let seen = browser.get(&hybrid(&[("response_mode", "fragment")])).await;
    assert!(seen.header("location").starts_with(&format!("{HYBRID_URI}#code=")), "{seen:?}");
}

#[tokio::test]
async fn b28_b30_b31_a_page_needs_pkce_and_everybody_in_a_strict_tenant() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let mut browser = Browser::new(&kit);
    let page = [("client_id", PAGE), ("redirect_uri", PAGE_URI), ("scope", "User.Read")];
    let with = |more: &[(&'static str, &'static str)]| ask(TENANT, &[page.as_slice(), more].concat());
    assert_eq!(browser.get(&with(&[])).await.refusal(), ("invalid_request".to_owned(), 9_002_325));
    let seen = browser
        .open_as(&with(&[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]), "alice@contoso.com")
        .await;
    let code = seen.answer()["code"].clone();
    let redeem = async |code: &str, verifier: &str| {
        let form = encoded(&[
            ("grant_type", "authorization_code"),
            ("client_id", PAGE),
            ("redirect_uri", PAGE_URI),
            ("code", code),
            ("code_verifier", verifier),
        ]);
        kit.post_with(&format!("/{TENANT}/oauth2/v2.0/token"), &form, &[("origin", "https://page.example")]).await
    };
    assert_eq!(redeem(&code, VERIFIER).await.status, 200);
    let seen = browser.get(&with(&[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")])).await;
    assert_eq!(redeem(&seen.answer()["code"], &"x".repeat(43)).await.refusal().2, 501_481);
    // A tool without a challenge passes as with Entra.
    let tool = [("client_id", TOOL), ("redirect_uri", TOOL_URI), ("scope", "User.Read")];
    assert!(browser.get(&ask(TENANT, &tool)).await.answer().contains_key("code"));
    let strict = Kit::with(town(&Wishes { tenant: "strict: true", grants: SHOP_READS, ..Wishes::default() })).await;
    let mut browser = Browser::new(&strict);
    let seen = browser.get(&ask(TENANT, &[])).await;
    assert_eq!(seen.refusal(), ("invalid_request".to_owned(), 9_002_325));
    // B62: a strict tenant says who answers.
    let issuer = strict.url(&format!("/{TENANT}/v2.0"));
    assert_eq!(seen.answer()["iss"], issuer);
    let plain = browser.get(&ask(TENANT, &[("code_challenge", VERIFIER)])).await;
    assert_eq!(plain.refusal().0, "invalid_request");
    let path = ask(TENANT, &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
    let seen = browser.open_as(&path, "alice@contoso.com").await;
    assert_eq!(seen.answer()["iss"], issuer);
}

#[tokio::test]
async fn b27_a_code_lives_ten_minutes_and_one_in_a_strict_tenant() {
    for (tenant, life) in [("", 600), ("strict: true", 60)] {
        let kit = Kit::with(town(&Wishes { tenant, grants: SHOP_READS, ..Wishes::default() })).await;
        let mut browser = Browser::new(&kit);
        let path = ask(TENANT, &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        let seen = browser.open_as(&path, "alice@contoso.com").await;
        let late = browser.get(&path).await;
        let redeem = async |seen: &crate::browser::Seen| {
            let form = encoded(&[
                ("grant_type", "authorization_code"),
                ("client_id", SHOP),
                ("client_secret", crate::kit::SECRET),
                ("redirect_uri", SHOP_URI),
                ("code_verifier", VERIFIER),
                ("code", &seen.answer()["code"]),
            ]);
            kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
        };
        kit.clock.advance(std::time::Duration::from_secs(life - 1));
        assert_eq!(redeem(&seen).await.status, 200, "{tenant}");
        kit.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(redeem(&late).await.refusal().1, "invalid_grant", "{tenant}");
    }
}

#[tokio::test]
async fn b71_prompt_none_says_login_interaction_or_consent_and_nothing_else() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let mut browser = Browser::new(&kit);
    let silent = |changes: &[(&'static str, &'static str)]| ask(TENANT, &[&[("prompt", "none")], changes].concat());
    assert_eq!(browser.get(&silent(&[])).await.refusal(), ("login_required".to_owned(), 50_058));
    let tool = [("client_id", TOOL), ("redirect_uri", TOOL_URI), ("scope", "User.Read")];
    assert!(browser.open_as(&ask(TENANT, &tool), "alice@contoso.com").await.answer().contains_key("code"));
    assert!(browser.get(&silent(&tool)).await.answer().contains_key("code"));
    assert_eq!(browser.get(&silent(&[])).await.refusal(), ("consent_required".to_owned(), 65_001));
    // A session that is too old, another person's, or without what the API demands.
    kit.clock.advance(std::time::Duration::from_secs(120));
    assert_eq!(browser.get(&silent(&[("max_age", "60")])).await.refusal().0, "login_required");
    assert_eq!(browser.get(&silent(&[("login_hint", "bob@contoso.com")])).await.refusal().0, "login_required");
    let acrs = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
    assert_eq!(browser.get(&silent(&[("claims", acrs)])).await.refusal().0, "interaction_required");
    // Several accounts: the client cannot know which.
    let page = browser.get(&ask(TENANT, &[&[("prompt", "login")][..], &tool].concat())).await;
    browser.sign_in(&page, "bob@contoso.com").await;
    assert_eq!(browser.get(&silent(&tool)).await.refusal(), ("interaction_required".to_owned(), 16_000));
    assert!(
        browser
            .get(&silent(&[&tool[..], &[("login_hint", "bob@contoso.com")]].concat()))
            .await
            .answer()
            .contains_key("code")
    );
}

#[tokio::test]
async fn max_age_and_prompt_login_want_the_password_again() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    browser.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    kit.clock.advance(std::time::Duration::from_secs(120));
    assert!(browser.get(&ask(TENANT, &[("max_age", "121")])).await.answer().contains_key("code"));
    for change in [("max_age", "60"), ("prompt", "login")] {
        let page = browser.get(&ask(TENANT, &[change])).await;
        assert_eq!(page.heading(), "Sign in", "{change:?}");
        let seen = browser.sign_in(&page, "alice@contoso.com").await;
        assert!(seen.answer().contains_key("code"), "{change:?}");
    }
}

#[tokio::test]
async fn a_fresh_sign_in_satisfies_an_authentication_context() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let mut browser = Browser::new(&kit);
    let acrs = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
    let hybrid = [
        ("client_id", HYBRID),
        ("redirect_uri", HYBRID_URI),
        ("scope", "openid User.Read"),
        ("response_type", "id_token token"),
        ("nonce", "n"),
    ];
    let seen = browser.open_as(&ask(TENANT, &hybrid), "alice@contoso.com").await;
    assert!(claims(&seen.answer()["access_token"].clone().into()).get("acrs").is_none());
    let with = ask(TENANT, &[&hybrid[..], &[("claims", acrs)]].concat());
    let page = browser.get(&with).await;
    assert_eq!(page.heading(), "Sign in", "the session has no such context");
    let seen = browser.sign_in(&page, "alice@contoso.com").await;
    assert_eq!(claims(&seen.answer()["access_token"].clone().into())["acrs"], serde_json::json!(["c1"]));
    assert!(browser.get(&with).await.answer().contains_key("access_token"), "and has it from now on");
}

#[tokio::test]
async fn an_alias_finds_the_tenant_by_the_domain_of_the_account() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let multi = [("client_id", MULTI), ("redirect_uri", MULTI_URI), ("scope", "openid profile")];
    for alias in ["common", "organizations"] {
        let mut browser = Browser::new(&kit);
        let mut seen = browser.open_as(&ask(alias, &multi), "dave@fabrikam.com").await;
        if alias == "common" {
            assert_eq!(seen.heading(), "Permissions requested");
            seen = browser.press(&seen, &[("decision", "accept")]).await;
        }
        let form = encoded(&[
            ("grant_type", "authorization_code"),
            ("client_id", MULTI),
            ("client_secret", crate::kit::SECRET),
            ("redirect_uri", MULTI_URI),
            ("code", &seen.answer()["code"]),
        ]);
        let tokens = kit.post(&format!("/{alias}/oauth2/v2.0/token"), &form).await;
        assert_eq!(claims(&tokens.body["id_token"])["tid"], OTHER_TENANT, "{tokens:?}");
    }
    // One tenant's application has no business there.
    let mut browser = Browser::new(&kit);
    assert_eq!(browser.get(&ask("common", &[])).await.page_error(), 50_194);
    assert_eq!(browser.get(&ask("consumers", &multi)).await.page_error(), 9_002_332);
}

#[tokio::test]
async fn another_tenants_user_is_not_in_this_one() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    let seen = browser.open_as(&ask(TENANT, &[]), "dave@fabrikam.com").await;
    assert_eq!(seen.page_error(), 50_020);
    assert!(seen.text.contains("dave@fabrikam.com"));
    // The next request does not take dave either, and says who is signed in only to whoever asks.
    let page = browser.get(&ask(TENANT, &[])).await;
    assert_eq!(page.heading(), "Sign in");
    let picker = browser.press(&page, &[("switch", "yes")]).await;
    assert_eq!(picker.heading(), "Choose an account");
    let dave = picker.text.split("name=\"account\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(browser.press(&picker, &[("account", &dave)]).await.page_error(), 50_020);
}

#[tokio::test]
async fn cancel_goes_back_to_the_client() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[])).await;
    let seen = browser.press(&page, &[("login", ""), ("cancel", "yes")]).await;
    assert_eq!(seen.refusal(), ("access_denied".to_owned(), 65_004));
    assert_eq!((seen.answer()["error_subcode"].as_str(), seen.answer()["state"].as_str()), ("cancel", "s t=1"));
}

#[tokio::test]
async fn an_assignment_may_be_required() {
    let principal = "{appRoleAssignmentRequired: true}";
    let kit = Kit::with(town(&Wishes { grants: SHOP_READS, shop_principal: principal, ..Wishes::default() })).await;
    let mut browser = Browser::new(&kit);
    assert_eq!(browser.open_as(&ask(TENANT, &[]), "alice@contoso.com").await.page_error(), 50_105);
    let silent = browser.get(&ask(TENANT, &[("prompt", "none")])).await;
    assert_eq!(silent.refusal(), ("interaction_required".to_owned(), 50_105));
}

#[tokio::test]
async fn b101_a_tenant_that_is_switched_off_lets_nobody_in() {
    let kit = Kit::with(town(&Wishes { tenant: "enabled: false", ..Wishes::default() })).await;
    let mut browser = Browser::new(&kit);
    assert_eq!(browser.get(&ask(TENANT, &[])).await.page_error(), 90_002);
    let multi = [("client_id", MULTI), ("redirect_uri", MULTI_URI), ("scope", "openid")];
    let page = browser.get(&ask("common", &multi)).await;
    let seen =
        browser.press(&page, &[("login", "alice@contoso.com"), ("passwd", "correct horse"), ("signin", "yes")]).await;
    assert!(seen.text.contains("Account or password is not right"), "{seen:?}");
}

#[tokio::test]
async fn b73_b94_the_answers_ids_are_the_requests_and_nothing_secret_is_logged_back() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    let id = "01234567-89ab-4def-8123-456789abcdef";
    let seen = browser.get(&ask(TENANT, &[("redirect_uri", "https://evil.example"), ("client-request-id", id)])).await;
    assert!(seen.text.contains(id) && seen.text.contains(seen.header("x-ms-request-id")), "{seen:?}");
    assert_eq!(seen.page_error(), 50_011);
}

#[tokio::test]
async fn b70_what_is_switched_off_stays_off_whatever_the_url_says() {
    let kit = town_where_shop_reads().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[])).await;
    // Fields beside the sealed flow, and parameters that no client has.
    let flow = page.hidden("flow").unwrap();
    let form = [
        ("flow", flow.as_str()),
        ("login", "alice@contoso.com"),
        ("passwd", "correct horse"),
        ("signin", "yes"),
        ("response_type", "id_token token"),
        ("redirect_uri", "https://evil.example"),
        ("client_id", HYBRID),
        ("nonce", "n"),
    ];
    let question = browser.post("/login", &form, &[]).await;
    let seen = browser.press(&question, &[("kmsi", "no"), ("response_mode", "fragment")]).await;
    assert!(seen.header("location").starts_with(&format!("{SHOP_URI}?code=")), "{seen:?}");
    let seen = browser
        .get(&ask(TENANT, &[("response_type", "token"), ("enableAccessTokenIssuance", "true"), ("implicit", "1")]))
        .await;
    assert_eq!(seen.refusal().1, 700_051);
}
