//! The page on which a person enters a device's code.

use std::time::Duration;

use crate::browser::{Browser, SHOP, Seen, TOOL, Wishes, encoded, town};
use crate::kit::{Answer, Kit, TENANT, claims};

async fn start() -> Kit {
    Kit::with(town(&Wishes { shop: "isFallbackPublicClient: true", ..Wishes::default() })).await
}

async fn begin(kit: &Kit, client: &str, scope: &str) -> Answer {
    let form = encoded(&[("client_id", client), ("scope", scope)]);
    let answer = kit.post(&format!("/{TENANT}/oauth2/v2.0/devicecode"), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn poll(kit: &Kit, client: &str, begun: &Answer) -> Answer {
    let form = encoded(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", client),
        ("device_code", begun.body["device_code"].as_str().unwrap()),
    ]);
    kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
}

fn code(begun: &Answer) -> String {
    begun.body["user_code"].as_str().unwrap().to_owned()
}

async fn enter(browser: &mut Browser<'_>, code: &str) -> Seen {
    let page = browser.get("/devicelogin").await;
    assert_eq!(page.heading(), "Enter the code");
    browser.press(&page, &[("code", code), ("next", "yes")]).await
}

#[tokio::test]
async fn a_person_enters_the_code_signs_in_confirms_and_the_device_gets_tokens() {
    let kit = start().await;
    let begun = begin(&kit, TOOL, "User.Read openid").await;
    assert_eq!(begun.body["verification_uri"], kit.url("/devicelogin"));
    assert_eq!(poll(&kit, TOOL, &begun).await.refusal().1, "authorization_pending");
    let mut browser = Browser::new(&kit);
    let typed = code(&begun).to_lowercase();
    let page = enter(&mut browser, &format!(" {}-{}", &typed[..4], &typed[4..])).await;
    assert_eq!(page.heading(), "Sign in");
    let page = browser.sign_in(&page, "alice@contoso.com").await;
    assert_eq!(page.heading(), "Sign in on another device?");
    assert!(page.text.contains("Tool") && page.text.contains(&code(&begun)) && page.text.contains("alice@contoso.com"));
    assert_eq!(poll(&kit, TOOL, &begun).await.refusal().1, "authorization_pending", "B59: not before it is confirmed");
    let done = browser.press(&page, &[("decision", "accept")]).await;
    assert_eq!(done.heading(), "Signed in");
    let tokens = poll(&kit, TOOL, &begun).await;
    assert_eq!(claims(&tokens.body["access_token"])["unique_name"], "alice@contoso.com", "{tokens:?}");
    assert_ne!(poll(&kit, TOOL, &begun).await.status, 200, "once");
    // The code is gone.
    assert!(enter(&mut browser, &code(&begun)).await.text.contains("This code is not valid, or no longer."));
}

#[tokio::test]
async fn a_person_declines_and_the_device_is_told() {
    let kit = start().await;
    for at_sign_in in [true, false] {
        let begun = begin(&kit, TOOL, "User.Read").await;
        let mut browser = Browser::new(&kit);
        let page = enter(&mut browser, &code(&begun)).await;
        let done = if at_sign_in {
            browser.press(&page, &[("cancel", "yes")]).await
        } else {
            let page = browser.sign_in(&page, "alice@contoso.com").await;
            browser.press(&page, &[("decision", "decline")]).await
        };
        assert_eq!(done.heading(), "Not signed in");
        assert_eq!(poll(&kit, TOOL, &begun).await.refusal().1, "authorization_declined");
    }
}

#[tokio::test]
async fn consent_is_asked_for_here_too() {
    let kit = start().await;
    let begun = begin(&kit, SHOP, "api://orders/Orders.Read").await;
    let mut browser = Browser::new(&kit);
    let page = enter(&mut browser, &code(&begun)).await;
    let page = browser.sign_in(&page, "alice@contoso.com").await;
    let page = browser.press(&page, &[("decision", "accept")]).await;
    assert_eq!(page.heading(), "Permissions requested");
    assert_eq!(poll(&kit, SHOP, &begun).await.refusal().1, "authorization_pending");
    assert_eq!(browser.press(&page, &[("decision", "accept")]).await.heading(), "Signed in");
    let tokens = poll(&kit, SHOP, &begun).await;
    assert_eq!(claims(&tokens.body["access_token"])["scp"], "Orders.Read");
}

#[tokio::test]
async fn b59_wrong_codes_all_look_the_same_and_guessing_is_stopped() {
    let kit = start().await;
    let begun = begin(&kit, TOOL, "User.Read").await;
    let mut browser = Browser::new(&kit);
    let mut page = browser.get(&format!("/{TENANT}/oauth2/deviceauth")).await;
    assert!(browser.press(&page, &[("code", " ")]).await.text.contains("Enter the code that the other device shows."));
    let mut fault = String::new();
    for wrong in ["AAAAAAAAA", "x", "<script>", "GK3TKX9M0", "AAAAAAAAB", "C", "D", "E", "F", "G"] {
        page = browser.press(&page, &[("code", wrong), ("next", "yes")]).await;
        assert!(
            page.text.contains("This code is not valid, or no longer.") && !page.text.contains("<script>"),
            "{wrong}"
        );
        fault = page.text.clone();
    }
    assert!(!fault.is_empty());
    let page = browser.press(&page, &[("code", &code(&begun)), ("next", "yes")]).await;
    assert!(page.text.contains("Too many attempts."), "{page:?}");
    kit.clock.advance(Duration::from_secs(61));
    assert_eq!(browser.press(&page, &[("code", &code(&begun)), ("next", "yes")]).await.heading(), "Sign in");
    kit.clock.advance(Duration::from_secs(900));
    assert!(enter(&mut browser, &code(&begun)).await.text.contains("This code is not valid, or no longer."));
}

#[tokio::test]
async fn a_code_of_one_tenant_is_for_its_users() {
    let kit = start().await;
    let begun = begin(&kit, TOOL, "User.Read").await;
    let mut browser = Browser::new(&kit);
    let page = enter(&mut browser, &code(&begun)).await;
    assert_eq!(browser.sign_in(&page, "dave@fabrikam.com").await.page_error(), 50_020);
    assert_eq!(poll(&kit, TOOL, &begun).await.refusal().1, "authorization_pending");
}
