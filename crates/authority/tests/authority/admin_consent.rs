//! An administrator's consent for the organisation, v1.0 and v2.0.

use crate::browser::{Browser, MULTI, MULTI_URI, SHOP, SHOP_URI, Wishes, ask, encoded, parameters, town};
use crate::kit::{Kit, SECRET, TENANT, claims};

fn v1(tenant: &str, client: &str, uri: &str) -> String {
    format!("/{tenant}/adminconsent?{}", encoded(&[("client_id", client), ("redirect_uri", uri), ("state", "s&1")]))
}

fn v2(tenant: &str, scope: &str) -> String {
    let all = [("client_id", SHOP), ("redirect_uri", SHOP_URI), ("state", "s&1"), ("scope", scope)];
    format!("/{tenant}/v2.0/adminconsent?{}", encoded(&all))
}

async fn start() -> Kit {
    Kit::with(town(&Wishes::default())).await
}

#[tokio::test]
async fn v1_grants_all_that_the_registration_lists() {
    let kit = start().await;
    let mut root = Browser::new(&kit);
    let page = root.open_as(&v1(TENANT, SHOP, SHOP_URI), "root@contoso.com").await;
    assert_eq!(page.heading(), "Permissions for the organisation");
    for text in [
        "Orders.Read for all",
        "Orders.Admin for all",
        "api://middle/access_as_user",
        "On its own, without a person, it may",
        "api://orders/Orders.All",
    ] {
        assert!(page.text.contains(text), "{text}");
    }
    let seen = root.press(&page, &[("decision", "accept")]).await;
    assert_eq!(seen.sent_to(), SHOP_URI);
    let answer = seen.answer();
    assert_eq!(
        (answer["admin_consent"].as_str(), answer["tenant"].as_str(), answer["state"].as_str()),
        ("True", TENANT, "s&1")
    );
    let form =
        format!("grant_type=client_credentials&client_id={SHOP}&client_secret={SECRET}&scope=api://orders/.default");
    let token = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
    assert_eq!(claims(&token.body["access_token"])["roles"], serde_json::json!(["Orders.All"]));
    let seen =
        Browser::new(&kit).open_as(&ask(TENANT, &[("scope", "api://orders/Orders.Admin")]), "alice@contoso.com").await;
    assert!(seen.answer().contains_key("code"), "{seen:?}");
    // Once more changes nothing and is no error.
    let page = root.get(&v1(TENANT, SHOP, SHOP_URI)).await;
    assert_eq!(root.press(&page, &[("decision", "accept")]).await.answer()["admin_consent"], "True");
}

#[tokio::test]
async fn v2_needs_a_scope_and_says_what_was_granted() {
    let kit = start().await;
    let mut root = Browser::new(&kit);
    assert_eq!(root.get(&v2(TENANT, "")).await.page_error(), 900_144);
    let page = root.open_as(&v2(TENANT, "api://orders/Orders.Write"), "root@contoso.com").await;
    assert!(page.text.contains("api://orders/Orders.Write") && !page.text.contains("Orders.All"), "{page:?}");
    let answer = root.press(&page, &[("decision", "accept")]).await.answer();
    assert_eq!((answer["scope"].as_str(), answer["tenant"].as_str()), ("api://orders/Orders.Write", TENANT));
    let page = root.get(&v2(TENANT, "https://graph.microsoft.com/.default")).await;
    let answer = root.press(&page, &[("decision", "accept")]).await.answer();
    assert_eq!(
        answer["scope"],
        "api://orders/Orders.Read api://orders/Orders.Admin api://middle/access_as_user api://orders/Orders.All"
    );
}

#[tokio::test]
async fn an_administrator_may_decline_in_either_form() {
    let kit = start().await;
    let mut root = Browser::new(&kit);
    let page = root.open_as(&v1(TENANT, SHOP, SHOP_URI), "root@contoso.com").await;
    let answer = root.press(&page, &[("decision", "decline")]).await.answer();
    assert_eq!(
        (answer["error"].as_str(), answer["error_description"].as_str()),
        ("permission_denied", "The admin canceled the request")
    );
    assert_eq!(answer["state"], "s&1");
    let page = root.get(&v2(TENANT, "https://graph.microsoft.com/.default")).await;
    let answer = root.press(&page, &[("decision", "decline")]).await.answer();
    assert_eq!((answer["error"].as_str(), answer["admin_consent"].as_str()), ("consent_required", "True"));
    assert!(answer["error_description"].starts_with("AADSTS65004"));
}

#[tokio::test]
async fn nobody_but_an_administrator() {
    let kit = start().await;
    let mut alice = Browser::new(&kit);
    let page = alice.open_as(&v1(TENANT, SHOP, SHOP_URI), "alice@contoso.com").await;
    assert_eq!(page.heading(), "An administrator must approve");
    let seen = alice.press(&page, &[("decision", "accept")]).await;
    assert_eq!(seen.heading(), "An administrator must approve");
    // The page of an administrator, posted in a browser where somebody else is signed in.
    let mut root = Browser::new(&kit);
    let page = root.open_as(&v1(TENANT, SHOP, SHOP_URI), "root@contoso.com").await;
    let seen = alice.press(&page, &[("decision", "accept")]).await;
    assert_eq!(seen.heading(), "An administrator must approve");
    let seen = Browser::new(&kit).open_as(&ask(TENANT, &[]), "bob@contoso.com").await;
    assert_eq!(seen.heading(), "Permissions requested", "nothing was granted");
}

#[tokio::test]
async fn b37_faults_are_said_on_a_page() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    for (path, code) in [
        (v1(TENANT, SHOP, "https://evil.example"), 50_011),
        (v1(TENANT, "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2cff", SHOP_URI), 700_016),
        (v1("nobody.example", SHOP, SHOP_URI), 90_002),
        (v1("organizations", SHOP, SHOP_URI), 50_194),
        (format!("{}&redirect_uri=https%3A%2F%2Fevil.example", v1(TENANT, SHOP, SHOP_URI)), 9_000_411),
        (format!("/{TENANT}/adminconsent"), 900_144),
    ] {
        assert_eq!(browser.get(&path).await.page_error(), code, "{path}");
    }
}

#[tokio::test]
async fn a_multi_tenant_application_comes_into_the_administrators_tenant() {
    let kit = start().await;
    let mut root = Browser::new(&kit);
    let page = root.open_as(&v1("organizations", MULTI, MULTI_URI), "root@contoso.com").await;
    assert!(page.text.contains("It asks for no permission."));
    let seen = root.press(&page, &[("decision", "accept")]).await;
    assert_eq!(parameters(seen.header("location").split_once('?').unwrap().1)["tenant"], TENANT);
    let form =
        format!("grant_type=client_credentials&client_id={MULTI}&client_secret={SECRET}&scope=api://orders/.default");
    assert_eq!(kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await.status, 200);
}
