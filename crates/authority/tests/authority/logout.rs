//! Signing out (pitfalls B72).

use crate::browser::{Browser, HYBRID, HYBRID_URI, SHOP, SHOP_READS, SHOP_URI, Seen, Wishes, ask, encoded, town};
use crate::kit::{Kit, TENANT, claims};
use crate::people::BOB;

async fn start() -> Kit {
    Kit::with(town(&Wishes { grants: SHOP_READS, ..Wishes::default() })).await
}

fn logout(parameters: &[(&str, &str)]) -> String {
    format!("/{TENANT}/oauth2/v2.0/logout?{}", encoded(parameters))
}

async fn is_signed_in(browser: &mut Browser<'_>) -> bool {
    browser.get(&ask(TENANT, &[("prompt", "none")])).await.answer().contains_key("code")
}

/// Signs alice in at the shop; answers her id_token.
async fn sign_in(kit: &Kit, browser: &mut Browser<'_>) -> String {
    let seen = browser.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    let tokens = kit.redeem_for_shop(&seen.answer()["code"]).await;
    tokens.body["id_token"].as_str().unwrap().to_owned()
}

fn frames(seen: &Seen) -> Vec<String> {
    seen.text
        .split("<iframe hidden src=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect()
}

#[tokio::test]
async fn a_link_from_anywhere_asks_first() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    sign_in(&kit, &mut browser).await;
    let page = browser.get(&logout(&[("post_logout_redirect_uri", SHOP_URI), ("state", "x y")])).await;
    assert_eq!(page.heading(), "Sign out?");
    assert!(is_signed_in(&mut browser).await, "nothing has happened yet");
    let stay = browser.press(&page, &[("signout", "no")]).await;
    assert_eq!(stay.header("location"), format!("{SHOP_URI}?state=x+y"));
    assert!(is_signed_in(&mut browser).await);
    let copy = browser.cookies.clone();
    let seen = browser.press(&page, &[("signout", "yes")]).await;
    assert_eq!(seen.heading(), "Signed out");
    assert!(seen.text.contains("alice@contoso.com"));
    assert!(seen.text.contains(&format!("href=\"{SHOP_URI}?state=x+y\"")), "{seen:?}");
    let sid = frames(&seen);
    assert_eq!(sid.len(), 1);
    let issuer = encoded(&[("iss", &kit.url(&format!("/{TENANT}/v2.0")))]);
    assert!(sid[0].starts_with("https://shop.example/out?sid=") && sid[0].ends_with(&issuer), "{sid:?}");
    assert!(seen.header("content-security-policy").contains("frame-src https://shop.example;"));
    assert!(!is_signed_in(&mut browser).await);
    // A copy of the cookie is dead.
    browser.cookies = copy;
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn the_sessions_own_id_token_is_proof_of_the_wish() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let id_token = sign_in(&kit, &mut browser).await;
    // Altered, unsigned, or somebody else's: the person is asked.
    let unsigned = format!("{}.", id_token.rsplit_once('.').unwrap().0);
    let altered = format!("{}AAAA", &id_token[..id_token.len() - 4]);
    for hint in ["x", &unsigned, &altered] {
        assert_eq!(browser.get(&logout(&[("id_token_hint", hint)])).await.heading(), "Sign out?", "{hint:.20}");
    }
    let mut other = Browser::new(&kit);
    let page = other.get(&ask(TENANT, &[])).await;
    other.sign_in(&page, "bob@contoso.com").await;
    assert_eq!(other.get(&logout(&[("id_token_hint", &id_token)])).await.heading(), "Sign out?");
    assert!(is_signed_in(&mut other).await);
    // An access token is none.
    let seen = browser.get(&logout(&[("id_token_hint", &id_token), ("post_logout_redirect_uri", SHOP_URI)])).await;
    assert_eq!((seen.heading(), frames(&seen).len()), ("Signed out", 1));
    assert!(!is_signed_in(&mut browser).await);
    // Once more, with nobody there: straight on.
    let seen = browser.get(&logout(&[("id_token_hint", &id_token), ("post_logout_redirect_uri", SHOP_URI)])).await;
    assert_eq!(seen.header("location"), SHOP_URI);
}

#[tokio::test]
async fn b72_the_browser_goes_to_registered_uris_only() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let id_token = sign_in(&kit, &mut browser).await;
    for uri in
        ["https://evil.example/", "https://shop.example/cb/", "javascript:alert(1)", HYBRID_URI, "//evil.example"]
    {
        let seen = browser
            .get(&logout(&[("id_token_hint", &id_token), ("post_logout_redirect_uri", uri), ("client_id", HYBRID)]))
            .await;
        assert_eq!((seen.status, seen.header("location")), (200, ""), "{uri}");
        assert!(!seen.text.contains(&format!("href=\"{uri}")), "{uri}");
    }
    // Nobody signed in and no hint: of the client that names itself, or of none.
    let mut nobody = Browser::new(&kit);
    assert_eq!(nobody.get(&logout(&[("post_logout_redirect_uri", SHOP_URI)])).await.heading(), "Signed out");
    let seen = nobody.get(&logout(&[("post_logout_redirect_uri", SHOP_URI), ("client_id", SHOP)])).await;
    assert_eq!(seen.header("location"), SHOP_URI);
    let seen = nobody.get(&logout(&[("post_logout_redirect_uri", "https://evil.example"), ("client_id", SHOP)])).await;
    assert_eq!(seen.heading(), "Signed out");
    let twice = format!(
        "{}&post_logout_redirect_uri=https%3A%2F%2Fevil.example",
        logout(&[("post_logout_redirect_uri", SHOP_URI)])
    );
    assert_eq!(nobody.get(&twice).await.page_error(), 9_002_313);
}

#[tokio::test]
async fn of_several_accounts_one_or_all_leave() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    sign_in(&kit, &mut browser).await;
    let page = browser.get(&ask(TENANT, &[("prompt", "login")])).await;
    browser.sign_in(&page, "bob@contoso.com").await;
    let page = browser.get(&logout(&[])).await;
    assert_eq!(page.heading(), "Which account do you want to sign out of?");
    let hinted = browser.get(&logout(&[("logout_hint", "bob@contoso.com")])).await;
    assert_eq!(hinted.heading(), "Sign out?", "a name is no proof");
    let seen = browser.press(&page, &[("account", BOB)]).await;
    assert!(seen.text.contains("bob@contoso.com") && seen.heading() == "Signed out");
    assert!(is_signed_in(&mut browser).await, "alice is still there");
    let page = browser.get(&ask(TENANT, &[("prompt", "login")])).await;
    browser.sign_in(&page, "bob@contoso.com").await;
    let page = browser.get(&logout(&[])).await;
    let seen = browser.press(&page, &[("account", "all")]).await;
    assert_eq!(seen.heading(), "Signed out");
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn a_posted_request_goes_on_as_a_get_and_v1_does_the_same() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    sign_in(&kit, &mut browser).await;
    let path = format!("/{TENANT}/oauth2/logout");
    let seen = browser.post(&path, &[("state", "1")], &[("origin", "https://evil.example")]).await;
    assert_eq!((seen.status, seen.header("location")), (303, format!("{path}?state=1").as_str()));
    assert_eq!(browser.get(&format!("{path}?state=1")).await.heading(), "Sign out?");
}

#[tokio::test]
async fn the_session_check_is_framed_and_the_session_is_named_in_a_cookie_for_it() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let seen = browser.get(&format!("/{TENANT}/oauth2/checksession")).await;
    assert_eq!((seen.status, seen.header("x-frame-options")), (200, ""));
    let hybrid = [
        ("client_id", HYBRID),
        ("redirect_uri", HYBRID_URI),
        ("scope", "openid"),
        ("response_type", "id_token"),
        ("nonce", "n"),
    ];
    let seen = browser.open_as(&ask(TENANT, &hybrid), "alice@contoso.com").await;
    let state = seen.answer()["session_state"].clone();
    assert_eq!(browser.cookies["countersign-session-state"], state);
    assert_eq!(claims(&seen.answer()["id_token"].clone().into())["sid"], state);
    let page = browser.get(&logout(&[])).await;
    browser.press(&page, &[("signout", "yes")]).await;
    assert!(!browser.cookies.contains_key("countersign-session-state"));
}
