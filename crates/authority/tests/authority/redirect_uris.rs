//! Redirect URIs: the registered text and nothing that looks like it (pitfalls B32 to B36).

use crate::browser::{Browser, TOOL, Wishes, ask, town};
use crate::kit::{Kit, TENANT};

/// Nothing but 50011 on a page, never a redirect.
async fn refused(browser: &mut Browser<'_>, changes: &[(&str, &str)]) {
    let seen = browser.get(&ask(TENANT, changes)).await;
    assert_eq!(seen.status, 400, "{changes:?}");
    assert_eq!(seen.page_error(), 50_011, "{changes:?}");
}

#[tokio::test]
async fn b32_only_the_exact_string_is_followed() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let mut browser = Browser::new(&kit);
    for uri in [
        "https://shop.example/cb/",
        "https://shop.example/cb2",
        "https://shop.example/cb/more",
        "https://shop.example/CB",
        "https://SHOP.example/cb",
        "https://shop.example/cb?x=1",
        "https://shop.example/cb?lang=en&x=1",
        "https://shop.example/cb?",
        "https://shop.example/cb#",
        "https://shop.example/cb#x",
        "https://shop.example:443/cb",
        "https://shop.example:444/cb",
        "http://shop.example/cb",
        "HTTPS://shop.example/cb",
        "https://shop.example",
        "https://shop.example.evil.example/cb",
        "https://evil.example/https://shop.example/cb",
        "//shop.example/cb",
        "/cb",
        "shop.example/cb",
    ] {
        refused(&mut browser, &[("redirect_uri", uri)]).await;
    }
    let page =
        browser.get(&ask(TENANT, &[("redirect_uri", "https://shop.example/cb?lang=en"), ("prompt", "none")])).await;
    assert!(page.header("location").starts_with("https://shop.example/cb?lang=en&error="), "a query of its own stays");
}

#[tokio::test]
async fn b33_b34_no_user_no_backslash_no_dots() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let mut browser = Browser::new(&kit);
    for uri in [
        "https://shop.example@evil.example/cb",
        "https://shop.example:x@evil.example/cb",
        "https://a@b@shop.example/cb",
        "https://user@shop.example/cb",
        "https://shop.example\\@evil.example/cb",
        "https:\\\\shop.example/cb",
        "https://shop.example/cb\t",
        "https://shop.example/cb\n",
        "https://shop.example/cb\0",
        " https://shop.example/cb",
        "https://shop.example/cb/../cb",
        "https://shop.example/x/../cb",
        "https://shop.example/%2e%2e/cb",
        "https://shop.example/x/..;/cb",
        "https://shop.example/x%2f..%2fcb",
        "https://shop.example/./cb",
    ] {
        refused(&mut browser, &[("redirect_uri", uri)]).await;
    }
}

#[tokio::test]
async fn b35_only_the_port_of_loopback_may_differ() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let mut browser = Browser::new(&kit);
    let tool = |uri| [("client_id", TOOL), ("scope", "User.Read"), ("redirect_uri", uri), ("prompt", "none")];
    for uri in ["http://localhost", "http://localhost:51234", "tool://auth"] {
        assert_eq!(browser.get(&ask(TENANT, &tool(uri))).await.sent_to(), uri);
    }
    for uri in [
        "http://localhost:51234/x",
        "http://localhost:51234?x=1",
        "http://localhost.evil.example:51234",
        "http://127.0.0.1:51234",
        "http://[::1]:51234",
        "https://localhost:51234",
        "http://localhost:51234@evil.example",
        "http://localhost:99999",
        "tool://auth:80",
        "tool://other",
        "TOOL://auth",
    ] {
        refused(&mut browser, &tool(uri)).await;
    }
}

#[tokio::test]
async fn b36_what_a_browser_runs_is_not_followed_even_if_registered() {
    let shop =
        "publicClient: {redirectUris: [\"javascript:alert(1)\", \"data:text/html,x\", \"https://wild.example/*\"]}";
    let parsed = std::panic::catch_unwind(|| town(&Wishes { shop, ..Wishes::default() }));
    // A directory file may refuse them already.
    let Ok(file) = parsed else { return };
    let kit = Kit::with(file).await;
    let mut browser = Browser::new(&kit);
    for uri in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "https://wild.example/*",
        "https://wild.example/x",
    ] {
        refused(&mut browser, &[("redirect_uri", uri)]).await;
    }
}

#[tokio::test]
async fn without_one_the_only_registered_one_is_meant() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let mut browser = Browser::new(&kit);
    let page = [("client_id", crate::browser::PAGE), ("redirect_uri", ""), ("scope", "User.Read"), ("prompt", "none")];
    let seen = browser.get(&ask(TENANT, &page)).await;
    assert_eq!((seen.sent_to(), seen.refusal().1), (crate::browser::PAGE_URI, 9_002_325));
}
