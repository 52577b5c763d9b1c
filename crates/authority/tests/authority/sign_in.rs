//! Signing in: passwords, sessions, several accounts, and what keeps a stranger's browser out.

use std::time::Duration;

use crate::browser::{Browser, SHOP_READS, Seen, Wishes, ask, town};
use crate::kit::{Kit, TENANT};
use crate::people::{BOB, PASSWORD};
use crate::secrecy::{listen, run_alone};

async fn start() -> Kit {
    Kit::with(town(&Wishes { grants: SHOP_READS, ..Wishes::default() })).await
}

/// The page without what differs from one to the next.
fn plain(seen: &Seen) -> String {
    let flow = seen.hidden("flow").unwrap();
    seen.text.replace(&flow, "FLOW")
}

#[tokio::test]
async fn b86_whoever_is_not_there_is_told_what_everybody_is_told() {
    let text = "- {userPrincipalName: off@contoso.com, displayName: Off, password: x, accountEnabled: false}\n  \
                - {userPrincipalName: none@contoso.com, displayName: None}";
    let kit = Kit::with(town(&Wishes { grants: SHOP_READS, users: text, ..Wishes::default() })).await;
    let mut pages = Vec::new();
    for login in [
        "alice@contoso.com",
        "nobody@contoso.com",
        "none@contoso.com",
        "off@contoso.com",
        "dave@fabrikam.com",
        "x@nowhere.example",
    ] {
        let mut browser = Browser::new(&kit);
        let page = browser.get(&ask(TENANT, &[])).await;
        let seen = browser.press(&page, &[("login", login), ("passwd", "wrong"), ("signin", "yes")]).await;
        assert_eq!((seen.status, seen.heading()), (200, "Sign in"), "{login}");
        assert!(seen.text.contains("Account or password is not right. Check both and sign in again."), "{login}");
        // What was typed stays there, the password does not.
        assert!(seen.text.contains(&format!("value=\"{login}\"")) && !seen.text.contains("wrong"), "{login}");
        pages.push(plain(&seen).replace(login, "LOGIN"));
    }
    assert!(pages.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn what_keeps_a_known_user_out_is_said_after_the_right_password() {
    let users = format!(
        "- {{userPrincipalName: off@contoso.com, displayName: Off, password: {PASSWORD}, accountEnabled: false}}\n  \
         - {{userPrincipalName: old@contoso.com, displayName: Old, password: {PASSWORD}, passwordExpired: true}}\n  \
         - {{userPrincipalName: more@contoso.com, displayName: More, password: {PASSWORD}, mfaRequired: true}}\n  \
         - {{userPrincipalName: blocked@contoso.com, displayName: Blocked, password: {PASSWORD}, blockedByPolicy: true}}"
    );
    let kit = Kit::with(town(&Wishes { grants: SHOP_READS, users: &users, ..Wishes::default() })).await;
    for (login, code) in [("off", 50_057), ("old", 50_055), ("more", 50_076), ("blocked", 53_003)] {
        let mut browser = Browser::new(&kit);
        let seen = browser.open_as(&ask(TENANT, &[]), &format!("{login}@contoso.com")).await;
        assert_eq!(seen.page_error(), code, "{login}");
    }
}

#[tokio::test]
async fn b87_ten_wrong_passwords_lock_for_a_while_whether_or_not_the_account_is_there() {
    let kit = start().await;
    for login in ["alice@contoso.com", "nobody@contoso.com"] {
        let mut browser = Browser::new(&kit);
        let mut page = browser.get(&ask(TENANT, &[])).await;
        for _ in 0..10 {
            page = browser.press(&page, &[("login", login), ("passwd", "wrong"), ("signin", "yes")]).await;
        }
        let seen = browser.press(&page, &[("login", login), ("passwd", PASSWORD), ("signin", "yes")]).await;
        assert!(seen.text.contains("Too many attempts."), "{login} {seen:?}");
    }
    kit.clock.advance(Duration::from_secs(61));
    assert!(Browser::new(&kit).open_as(&ask(TENANT, &[]), "alice@contoso.com").await.answer().contains_key("code"));
}

#[tokio::test]
async fn empty_fields_are_asked_for() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[("login_hint", "alice@contoso.com")])).await;
    assert!(page.text.contains("value=\"alice@contoso.com\""), "the hint is filled in");
    let seen = browser.press(&page, &[("login", ""), ("passwd", "x"), ("signin", "yes")]).await;
    assert!(seen.text.contains("Enter the account"));
    let seen = browser.press(&seen, &[("login", "alice@contoso.com"), ("passwd", ""), ("signin", "yes")]).await;
    assert!(seen.text.contains("Enter the password."));
}

#[tokio::test]
async fn b64_a_form_from_elsewhere_does_nothing() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[])).await;
    let flow = page.hidden("flow").unwrap();
    let form = [("flow", flow.as_str()), ("login", "alice@contoso.com"), ("passwd", PASSWORD), ("signin", "yes")];
    for headers in [
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")][..],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "null"), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
    ] {
        let seen = browser.post("/login", &form, headers).await;
        assert_eq!((seen.status, seen.text.contains("AADSTS9002313")), (403, true), "{headers:?}");
    }
    // In another browser, or in none, the same form begins anew.
    for cookies in [true, false] {
        let mut other = Browser::new(&kit);
        if cookies {
            other.get(&ask(TENANT, &[])).await;
        }
        let seen = other.post("/login", &form, &[]).await;
        assert!(seen.text.contains("This page stood open for too long."), "{seen:?}");
        assert!(!other.cookies.contains_key("__Host-countersign-sessions"));
    }
    for forged in ["", "x", &format!("{flow}A"), "eyJicm93c2VyIjoxfQ"] {
        let seen = browser.post("/login", &[("flow", forged), ("login", "alice@contoso.com")], &[]).await;
        assert_eq!(seen.status, 400, "{forged:.20}");
    }
    assert!(
        browser.sign_in(&page, "alice@contoso.com").await.answer().contains_key("code"),
        "it was good all the time"
    );
}

#[tokio::test]
async fn a_page_that_stood_open_for_an_hour_asks_again() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[])).await;
    kit.clock.advance(Duration::from_secs(3_600));
    let seen = browser.press(&page, &[("login", "alice@contoso.com"), ("passwd", PASSWORD), ("signin", "yes")]).await;
    assert!(seen.text.contains("This page stood open for too long."));
    assert!(browser.sign_in(&seen, "alice@contoso.com").await.answer().contains_key("code"));
}

#[tokio::test]
async fn b66_ids_change_when_somebody_signs_in_and_a_form_signs_in_once() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[])).await;
    let planted = browser.cookies.clone();
    let seen = browser.sign_in(&page, "alice@contoso.com").await;
    assert!(seen.answer().contains_key("code"));
    let id = "__Host-countersign-browser";
    assert_ne!(browser.cookies[id], planted[id]);
    // Whoever planted the browser's id has nothing of it.
    let again = &[("login", "alice@contoso.com"), ("passwd", PASSWORD), ("signin", "yes")];
    let mut attacker = Browser::new(&kit);
    attacker.cookies = planted;
    assert_eq!(attacker.get(&ask(TENANT, &[])).await.heading(), "Sign in");
    // The form was good for one sign-in: whoever finds it in the history, even with the browser's id of then, begins anew.
    assert!(attacker.press(&page, again).await.text.contains("This page stood open for too long."));
    assert!(!attacker.cookies.contains_key("__Host-countersign-sessions"));
    // The session before a second sign-in is over.
    let before = browser.cookies.clone();
    let page = browser.get(&ask(TENANT, &[("prompt", "login")])).await;
    browser.sign_in(&page, "alice@contoso.com").await;
    assert!(browser.get(&ask(TENANT, &[])).await.answer().contains_key("code"));
    browser.cookies = before;
    assert_eq!(browser.get(&ask(TENANT, &[])).await.heading(), "Sign in");
}

#[tokio::test]
async fn a_session_lasts_a_day_or_as_long_as_was_wished() {
    let kit = start().await;
    let mut brief = Browser::new(&kit);
    brief.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    let mut long = Browser::new(&kit);
    let page = long.get(&ask(TENANT, &[])).await;
    let question = long.press(&page, &[("login", "alice@contoso.com"), ("passwd", PASSWORD), ("signin", "yes")]).await;
    assert_eq!(question.heading(), "Stay signed in?");
    let seen = long.press(&question, &[("kmsi", "yes")]).await;
    let kept = seen.headers.get_all("set-cookie").iter().any(|cookie| {
        cookie.to_str().unwrap().contains("sessions=") && cookie.to_str().unwrap().contains("Max-Age=7776000")
    });
    assert!(kept && seen.answer().contains_key("code"), "{seen:?}");
    kit.clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(brief.get(&ask(TENANT, &[])).await.heading(), "Sign in");
    assert!(long.get(&ask(TENANT, &[])).await.answer().contains_key("code"));
    kit.clock.advance(Duration::from_secs(90 * 24 * 3_600));
    assert_eq!(long.get(&ask(TENANT, &[])).await.heading(), "Sign in");
}

#[tokio::test]
async fn several_accounts_are_offered_and_one_is_chosen() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    browser.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    let picker = browser.get(&ask(TENANT, &[("prompt", "select_account")])).await;
    assert_eq!(picker.heading(), "Choose an account");
    let page = browser.press(&picker, &[("account", "other")]).await;
    assert!(browser.sign_in(&page, "bob@contoso.com").await.answer().contains_key("code"));
    let picker = browser.get(&ask(TENANT, &[])).await;
    assert_eq!(picker.heading(), "Choose an account");
    assert!(picker.text.contains("alice@contoso.com") && picker.text.contains("bob@contoso.com"));
    // B67: an account that is not on the list cannot be chosen.
    let seen = browser.press(&picker, &[("account", "99999999-9999-4999-8999-999999999999")]).await;
    assert_eq!(seen.heading(), "Choose an account");
    let seen = browser.press(&picker, &[("account", BOB)]).await;
    assert!(seen.answer().contains_key("code"));
    // A hint chooses without asking.
    let seen = browser.get(&ask(TENANT, &[("login_hint", "ALICE@contoso.com")])).await;
    assert!(seen.answer().contains_key("code"));
    // One leaves the list; a copy of the cookie from before is worth nothing for it.
    let before = browser.cookies.clone();
    let picker = browser.get(&ask(TENANT, &[])).await;
    let seen = browser.press(&picker, &[("forget", BOB)]).await;
    assert!(!seen.text.contains("bob@contoso.com"), "{seen:?}");
    assert!(browser.get(&ask(TENANT, &[])).await.answer().contains_key("code"));
    browser.cookies = before;
    let seen = browser.get(&ask(TENANT, &[("login_hint", "bob@contoso.com")])).await;
    assert_eq!(seen.heading(), "Sign in");
}

#[tokio::test]
async fn pages_are_kept_nowhere_and_cookies_from_elsewhere_are_nobodys() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[])).await;
    assert_eq!((page.header("cache-control"), page.header("x-frame-options")), ("no-store", "DENY"));
    assert!(page.header("content-security-policy").contains("form-action 'self' https://shop.example;"));
    browser.sign_in(&page, "alice@contoso.com").await;
    let other = start().await;
    let mut elsewhere = Browser::new(&other);
    elsewhere.cookies = browser.cookies.clone();
    assert_eq!(elsewhere.get(&ask(TENANT, &[])).await.heading(), "Sign in");
}

#[tokio::test]
async fn b68_b79_hostile_names_are_text() {
    let shop = "";
    let users = format!(
        "- {{userPrincipalName: mallory@contoso.com, displayName: \"<script>alert(1)</script>\\u202Egnp.exe\", password: {PASSWORD}}}"
    );
    let kit = Kit::with(town(&Wishes { users: &users, shop, ..Wishes::default() })).await;
    let mut browser = Browser::new(&kit);
    let hostile = ask(TENANT, &[("login_hint", "\"><script>alert(1)</script>")]);
    let page = browser.get(&hostile).await;
    assert!(!page.text.contains("<script>alert"), "{page:?}");
    let page = browser.get(&ask(TENANT, &[])).await;
    let seen = browser.sign_in(&page, "mallory@contoso.com").await;
    assert_eq!(seen.heading(), "Permissions requested");
    assert!(!seen.text.contains("<script>alert") && !seen.text.contains('\u{202e}'), "{seen:?}");
    let seen = browser.get(&ask("<script>alert(1)</script>", &[])).await;
    assert!(!seen.text.contains("<script>alert"), "{seen:?}");
}

#[tokio::test]
async fn a_second_tab_goes_on_with_whoever_signed_in_meanwhile() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let (first, second) = (browser.get(&ask(TENANT, &[])).await, browser.get(&ask(TENANT, &[("state", "2")])).await);
    browser.sign_in(&first, "alice@contoso.com").await;
    let seen = browser.press(&second, &[("login", "bob@contoso.com"), ("passwd", PASSWORD), ("signin", "yes")]).await;
    assert_eq!(seen.answer()["state"], "2", "what was typed there did not count");
    assert!(!browser.get(&ask(TENANT, &[("prompt", "select_account")])).await.text.contains("bob@contoso.com"));
}

#[tokio::test]
async fn b75_no_other_site_reads_any_of_it() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    browser.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    for (method, path) in [
        ("GET", ask(TENANT, &[])),
        ("OPTIONS", ask(TENANT, &[])),
        ("GET", ask(TENANT, &[("prompt", "select_account")])),
        ("OPTIONS", "/login".to_owned()),
        ("POST", "/login".to_owned()),
        ("GET", format!("/{TENANT}/oauth2/v2.0/logout")),
        ("GET", format!("/{TENANT}/oauth2/checksession")),
        ("GET", "/devicelogin".to_owned()),
        ("GET", "/oidc/userinfo".to_owned()),
        ("GET", "/v1.0/me".to_owned()),
    ] {
        for origin in ["https://evil.example", "null", "https://shop.example"] {
            let seen =
                browser.send(method, &path, &[("origin", origin), ("access-control-request-method", "GET")], "").await;
            let allows = seen.headers.keys().any(|name| name.as_str().starts_with("access-control"));
            assert!(!allows, "{method} {path} {seen:?}");
        }
    }
    let seen = browser.send("PUT", "/login", &[], "").await;
    assert_eq!((seen.status, seen.json()["error_codes"][0].as_u64()), (405, Some(9_002_313)));
}

#[tokio::test]
async fn an_account_that_does_not_stay_leaves_with_the_window_though_another_stays() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[])).await;
    let question =
        browser.press(&page, &[("login", "alice@contoso.com"), ("passwd", PASSWORD), ("signin", "yes")]).await;
    browser.press(&question, &[("kmsi", "yes")]).await;
    let page = browser.get(&ask(TENANT, &[("prompt", "login")])).await;
    let page = browser.press(&page, &[("switch", "yes")]).await;
    let page = browser.press(&page, &[("account", "other")]).await;
    browser.sign_in(&page, "bob@contoso.com").await;
    let silent = |hint| ask(TENANT, &[("prompt", "none"), ("login_hint", hint)]);
    assert!(browser.get(&silent("bob@contoso.com")).await.answer().contains_key("code"));
    // What is kept beyond the window: all cookies but the browser's id.
    browser.cookies.remove("__Host-countersign-browser");
    assert!(browser.get(&silent("alice@contoso.com")).await.answer().contains_key("code"));
    assert_eq!(browser.get(&silent("bob@contoso.com")).await.refusal().0, "login_required");
}

#[tokio::test]
async fn b40_b41_what_is_too_large_or_no_form_is_refused_on_a_page() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let form = "application/x-www-form-urlencoded";
    let large = format!("flow={}", "A".repeat(70_000));
    let seen = browser.send("POST", "/login", &[("content-type", form)], &large).await;
    assert_eq!((seen.status, seen.page_error()), (413, 9_002_313));
    let seen = browser.send("POST", "/login", &[("content-type", "application/json")], "{\"flow\":\"x\"}").await;
    assert_eq!((seen.status, seen.page_error()), (400, 9_002_313));
    let long = format!("client_id={}", "A".repeat(20_000));
    for path in ["oauth2/v2.0/authorize", "oauth2/v2.0/logout"] {
        let seen = browser.send("POST", &format!("/{TENANT}/{path}"), &[("content-type", form)], &long).await;
        assert_eq!((seen.status, seen.page_error()), (414, 9_002_313), "{path}");
    }
    for broken in ["%", "client_id=%zz", "client_id=%ff", "state=%ff"] {
        let seen = browser.get(&format!("/{TENANT}/oauth2/v2.0/authorize?{broken}")).await;
        assert_eq!((seen.status, seen.page_error()), (400, 9_002_313), "{broken}");
    }
    let flow = "A".repeat(60_000);
    let seen = browser.post("/login", &[("flow", &flow)], &[]).await;
    assert_eq!((seen.status, seen.page_error()), (400, 50_089));
}

#[tokio::test]
async fn b94_no_password_stands_in_an_answer_or_a_cookie() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[])).await;
    for password in ["s3cret-and-wrong", PASSWORD] {
        let seen =
            browser.press(&page, &[("login", "alice@contoso.com"), ("passwd", password), ("signin", "yes")]).await;
        assert!(!format!("{seen:?}").contains(password));
        assert!(!format!("{:?}", browser.cookies).contains(password));
    }
}

#[test]
fn b94_logs_of_a_sign_in_are_clean() {
    run_alone("sign_in::b94_no_log_line_holds_a_password_a_cookie_a_flow_a_code_or_a_token");
}

#[tokio::test]
#[ignore = "run by b94_logs_of_a_sign_in_are_clean"]
async fn b94_no_log_line_holds_a_password_a_cookie_a_flow_a_code_or_a_token() {
    let (log, _guard) = listen();
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.get(&ask(TENANT, &[("state", "state-of-the-client"), ("nonce", "nonce-of-the-client")])).await;
    let mut needles = vec![page.hidden("flow").unwrap(), PASSWORD.to_owned(), "wrong-one".to_owned()];
    needles.extend(["state-of-the-client".to_owned(), "nonce-of-the-client".to_owned()]);
    needles.extend(browser.cookies.values().cloned());
    browser.press(&page, &[("login", "alice@contoso.com"), ("passwd", "wrong-one"), ("signin", "yes")]).await;
    let code = browser.sign_in(&page, "alice@contoso.com").await.answer()["code"].clone();
    needles.extend(browser.cookies.values().filter(|value| value.len() != 36).cloned());
    let tokens = kit.redeem_for_shop(&code).await;
    needles.push(code);
    for name in ["access_token", "id_token"] {
        needles.push(tokens.body[name].as_str().unwrap().rsplit('.').next().unwrap().to_owned());
    }
    browser
        .get(&ask(TENANT, &[("prompt", "none"), ("id_token_hint", tokens.body["id_token"].as_str().unwrap())]))
        .await;
    browser.post("/login", &[("flow", &needles[0]), ("passwd", PASSWORD)], &[("origin", "https://evil.example")]).await;
    kit.authority.shutdown().await;
    let log = log.text();
    assert!(log.contains("authorized") && log.contains("code=9002313"), "the log works: {log}");
    for needle in &needles {
        assert!(!log.contains(needle.as_str()), "{needle} in {log}");
    }
}
