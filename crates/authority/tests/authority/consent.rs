//! Consent: what is shown, what is granted, and who may.

use crate::browser::{Browser, CHALLENGE, MIDDLE, MULTI, MULTI_URI, SHOP, SHOP_URI, Wishes, ask, encoded, town};
use crate::kit::{Kit, SECRET, TENANT, claims};
use crate::people::ALICE;

async fn start() -> Kit {
    Kit::with(town(&Wishes::default())).await
}

#[tokio::test]
async fn a_person_consents_once_for_themselves() {
    let kit = start().await;
    let mut alice = Browser::new(&kit);
    let page = alice.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    assert_eq!(page.heading(), "Permissions requested");
    for text in
        ["Orders.Read for you", "api://orders/Orders.Read", "Let it Orders.Read for you", "shop.example", "Unverified"]
    {
        assert!(page.text.contains(text), "{text}");
    }
    assert!(!page.text.contains("Orders.Write") && !page.text.contains("for_all"), "{page:?}");
    let seen = alice.press(&page, &[("decision", "accept")]).await;
    let tokens = kit.redeem_for_shop(&seen.answer()["code"]).await;
    assert_eq!(claims(&tokens.body["access_token"])["scp"], "Orders.Read");
    assert!(alice.get(&ask(TENANT, &[])).await.answer().contains_key("code"), "not asked again");
    // More is asked for: only what is missing is shown.
    let page = alice.get(&ask(TENANT, &[("scope", "api://orders/Orders.Read api://orders/Orders.Write")])).await;
    assert!(page.text.contains("api://orders/Orders.Write") && !page.text.contains("api://orders/Orders.Read<"));
    let seen = alice.press(&page, &[("decision", "accept")]).await;
    let tokens = kit.redeem_for_shop(&seen.answer()["code"]).await;
    assert_eq!(claims(&tokens.body["access_token"])["scp"], "Orders.Read Orders.Write");
    // Others are asked for themselves.
    let page = Browser::new(&kit).open_as(&ask(TENANT, &[]), "bob@contoso.com").await;
    assert_eq!(page.heading(), "Permissions requested");
}

#[tokio::test]
async fn a_person_may_decline() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let page = browser.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    let seen = browser.press(&page, &[("decision", "decline")]).await;
    assert_eq!(seen.refusal(), ("access_denied".to_owned(), 65_004));
    assert_eq!(seen.answer()["error_subcode"], "cancel");
    assert_eq!(browser.get(&ask(TENANT, &[])).await.heading(), "Permissions requested", "nothing was granted");
}

#[tokio::test]
async fn prompt_consent_asks_for_all_of_it_again() {
    let kit = Kit::with(town(&Wishes { grants: crate::browser::SHOP_READS, ..Wishes::default() })).await;
    let mut browser = Browser::new(&kit);
    let page = browser.open_as(&ask(TENANT, &[("prompt", "consent")]), "alice@contoso.com").await;
    assert!(page.text.contains("api://orders/Orders.Read"), "{page:?}");
    assert!(browser.press(&page, &[("decision", "accept")]).await.answer().contains_key("code"));
}

#[tokio::test]
async fn only_an_administrator_grants_what_only_administrators_may() {
    let kit = start().await;
    let path = ask(TENANT, &[("scope", "api://orders/Orders.Admin")]);
    let mut alice = Browser::new(&kit);
    let page = alice.open_as(&path, "alice@contoso.com").await;
    assert_eq!(page.heading(), "An administrator must approve");
    assert!(page.text.contains("needs an administrator"));
    // The button that is not there does nothing.
    let seen = alice.press(&page, &[("decision", "accept"), ("for_all", "yes")]).await;
    assert_eq!(seen.heading(), "An administrator must approve");
    let seen = alice.press(&seen, &[("decision", "decline")]).await;
    assert_eq!(seen.refusal(), ("consent_required".to_owned(), 90_094));
    // An administrator takes over in the same browser.
    let page = alice.get(&path).await;
    let picker = alice.press(&page, &[("switch", "yes")]).await;
    let sign_in = alice.press(&picker, &[("account", "other")]).await;
    let page = alice.sign_in(&sign_in, "root@contoso.com").await;
    assert_eq!(page.heading(), "Permissions requested");
    assert!(page.text.contains("Orders.Admin for all"));
    assert!(alice.press(&page, &[("decision", "accept")]).await.answer().contains_key("code"));
    // That was for the administrator alone.
    let seen =
        alice.get(&ask(TENANT, &[("scope", "api://orders/Orders.Admin"), ("login_hint", "alice@contoso.com")])).await;
    assert_eq!(seen.heading(), "An administrator must approve");
}

#[tokio::test]
async fn an_administrator_consents_for_everybody() {
    let kit = start().await;
    let mut root = Browser::new(&kit);
    let page = root.open_as(&ask(TENANT, &[]), "root@contoso.com").await;
    assert!(page.text.contains("Consent on behalf of your organisation"));
    assert!(root.press(&page, &[("for_all", "yes"), ("decision", "accept")]).await.answer().contains_key("code"));
    let seen = Browser::new(&kit).open_as(&ask(TENANT, &[]), "bob@contoso.com").await;
    assert!(seen.answer().contains_key("code"), "{seen:?}");
}

#[tokio::test]
async fn where_users_may_not_consent_everything_needs_an_administrator() {
    let kit = Kit::with(town(&Wishes { tenant: "userConsentAllowed: false", ..Wishes::default() })).await;
    let page = Browser::new(&kit).open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    assert_eq!(page.heading(), "An administrator must approve");
}

#[tokio::test]
async fn b67_a_consent_of_another_person_or_browser_is_refused() {
    let kit = start().await;
    let mut alice = Browser::new(&kit);
    let page = alice.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    // Another browser, in which bob is signed in.
    let mut bob = Browser::new(&kit);
    bob.open_as(&ask(TENANT, &[]), "bob@contoso.com").await;
    let seen = bob.press(&page, &[("decision", "accept")]).await;
    assert_eq!(seen.heading(), "Permissions requested", "it is bob who is asked, anew");
    assert!(seen.text.contains("bob@contoso.com") && !seen.text.contains("alice@contoso.com"));
    // The same browser, from which alice is gone.
    let picker = alice.get(&ask(TENANT, &[("prompt", "select_account")])).await;
    alice.press(&picker, &[("forget", ALICE)]).await;
    assert_eq!(alice.press(&page, &[("decision", "accept")]).await.heading(), "Sign in");
    for login in ["alice", "bob"] {
        let page = Browser::new(&kit).open_as(&ask(TENANT, &[]), &format!("{login}@contoso.com")).await;
        assert_eq!(page.heading(), "Permissions requested", "nothing was granted to {login}");
    }
}

#[tokio::test]
async fn b69_no_more_is_granted_than_was_shown() {
    let kit = start().await;
    let mut alice = Browser::new(&kit);
    let narrow = alice.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    let wide = alice.get(&ask(TENANT, &[("scope", "api://orders/Orders.Read api://orders/Orders.Write")])).await;
    assert!(wide.text.contains("Orders.Write"));
    // Fields beside the flow widen nothing.
    let seen = alice
        .press(
            &narrow,
            &[("decision", "accept"), ("scope", "api://orders/Orders.Write"), ("permissions", "Orders.Write")],
        )
        .await;
    assert!(seen.answer().contains_key("code"));
    let page = alice.get(&ask(TENANT, &[("scope", "api://orders/Orders.Write")])).await;
    assert_eq!(page.heading(), "Permissions requested");
    // For all, from a page on which that was no choice.
    alice.press(&page, &[("decision", "accept"), ("for_all", "yes")]).await;
    let page =
        Browser::new(&kit).open_as(&ask(TENANT, &[("scope", "api://orders/Orders.Write")]), "bob@contoso.com").await;
    assert_eq!(page.heading(), "Permissions requested");
}

#[tokio::test]
async fn everything_the_registration_lists_and_what_a_known_client_brings_along() {
    let kit = start().await;
    let mut root = Browser::new(&kit);
    let page = root.open_as(&ask(TENANT, &[("scope", "api://middle/.default")]), "root@contoso.com").await;
    // The shop's own list, and what the API in the middle needs of the orders.
    for name in ["api://orders/Orders.Read", "api://orders/Orders.Admin", "api://middle/access_as_user"] {
        assert!(page.text.contains(name), "{name}");
    }
    assert_eq!(page.text.matches("api://orders/Orders.Read<").count(), 2, "one for the shop, one for the API");
    let seen = root.press(&page, &[("decision", "accept"), ("for_all", "yes")]).await;
    let tokens = kit.redeem_for_shop(&seen.answer()["code"]).await;
    assert_eq!(claims(&tokens.body["access_token"])["aud"], MIDDLE, "{tokens:?}");
    let seen =
        Browser::new(&kit).open_as(&ask(TENANT, &[("scope", "api://middle/.default")]), "alice@contoso.com").await;
    assert!(seen.answer().contains_key("code"));
}

#[tokio::test]
async fn scopes_that_are_none_or_of_two_resources_are_said_on_a_page() {
    let kit = start().await;
    let mut browser = Browser::new(&kit);
    let seen = browser.open_as(&ask(TENANT, &[("scope", "api://orders/Nothing")]), "alice@contoso.com").await;
    assert_eq!(seen.page_error(), 650_053);
    let seen = browser.get(&ask(TENANT, &[("scope", "api://orders/Orders.Read api://middle/access_as_user")])).await;
    assert_eq!(seen.refusal().1, 700_022);
    let seen = browser.get(&ask(TENANT, &[("scope", "api://nobody/x")])).await;
    assert_eq!(seen.refusal(), ("invalid_resource".to_owned(), 500_011));
}

#[tokio::test]
async fn the_first_consent_brings_a_multi_tenant_application_into_the_tenant() {
    let kit = start().await;
    let multi = [("client_id", MULTI), ("redirect_uri", MULTI_URI), ("scope", "openid profile")];
    let redeem = async |code: &str| {
        let form = encoded(&[
            ("grant_type", "authorization_code"),
            ("client_id", MULTI),
            ("client_secret", SECRET),
            ("redirect_uri", MULTI_URI),
            ("code", code),
        ]);
        kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
    };
    let app_only = async || {
        let form = format!(
            "grant_type=client_credentials&client_id={MULTI}&client_secret={SECRET}&scope=api://orders/.default"
        );
        kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
    };
    assert_eq!(app_only().await.refusal().2, 700_016);
    let mut browser = Browser::new(&kit);
    let page = browser.open_as(&ask(TENANT, &multi), "alice@contoso.com").await;
    assert_eq!(page.heading(), "Permissions requested");
    assert_eq!(app_only().await.refusal().2, 700_016, "looking is not consenting");
    let seen = browser.press(&page, &[("decision", "accept")]).await;
    let tokens = redeem(&seen.answer()["code"]).await;
    assert_eq!(claims(&tokens.body["id_token"])["tid"], TENANT, "{tokens:?}");
    assert_eq!(app_only().await.status, 200);
}

#[tokio::test]
async fn b24_b25_a_code_is_its_clients_and_its_redirect_uris() {
    let kit = Kit::with(town(&Wishes { grants: crate::browser::SHOP_READS, ..Wishes::default() })).await;
    let mut browser = Browser::new(&kit);
    let mut fresh = async || {
        let path = ask(TENANT, &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        let page = browser.get(&path).await;
        let seen = if page.status == 200 { browser.sign_in(&page, "alice@contoso.com").await } else { page };
        seen.answer()["code"].clone()
    };
    for (client, redirect_uri, verifier) in [
        (SHOP, "https://shop.example/cb?lang=en", crate::browser::VERIFIER),
        (SHOP, "", crate::browser::VERIFIER),
        (SHOP, SHOP_URI, ""),
        (MULTI, SHOP_URI, crate::browser::VERIFIER),
    ] {
        let code = fresh().await;
        let form = encoded(&[
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("client_secret", SECRET),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
            ("code", &code),
        ]);
        let answer = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
        assert_ne!(answer.status, 200, "{client} {redirect_uri} {verifier}");
    }
}

#[tokio::test]
async fn a_client_and_the_api_that_knows_it_come_into_a_tenant_together() {
    const RELAY: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c41";
    let scope = "{id: c0ffee00-0000-4000-8000-000000000041, value: relay, type: User, isEnabled: true, \
                 adminConsentDisplayName: Relay, adminConsentDescription: Relay}";
    let graph = "{resourceAppId: 00000003-0000-0000-c000-000000000000, resourceAccess: \
                 [{id: e1fe6dd8-ba31-4d61-89e7-88639da4683d, type: Scope}]}";
    let multi = format!(
        "requiredResourceAccess: [{{resourceAppId: {RELAY}, resourceAccess: \
         [{{id: c0ffee00-0000-4000-8000-000000000041, type: Scope}}]}}]"
    );
    let relay = |knows: &str| {
        format!(
            "- {{appId: {RELAY}, displayName: Relay, signInAudience: AzureADMultipleOrgs, identifierUris: [\"api://relay\"], \
             requiredResourceAccess: [{graph}], \
             api: {{requestedAccessTokenVersion: 2, knownClientApplications: [{knows}], oauth2PermissionScopes: [{scope}]}}}}"
        )
    };
    let ask_multi = [("client_id", MULTI), ("redirect_uri", MULTI_URI), ("scope", "api://relay/.default")];
    let fabrikam = relay("");
    let stranger = Kit::with(town(&Wishes { multi: &multi, fabrikam: &fabrikam, ..Wishes::default() })).await;
    let seen = Browser::new(&stranger).open_as(&ask(TENANT, &ask_multi), "alice@contoso.com").await;
    assert_eq!(seen.refusal(), ("invalid_resource".to_owned(), 500_011), "the API does not know the client");
    let fabrikam = relay(MULTI);
    let kit = Kit::with(town(&Wishes { multi: &multi, fabrikam: &fabrikam, ..Wishes::default() })).await;
    let mut browser = Browser::new(&kit);
    let page = browser.open_as(&ask(TENANT, &ask_multi), "alice@contoso.com").await;
    assert_eq!(page.heading(), "Permissions requested");
    assert!(page.text.contains("api://relay/relay") && page.text.contains("graph.microsoft.com/User.Read"), "{page:?}");
    let seen = browser.press(&page, &[("decision", "accept")]).await;
    let form = encoded(&[
        ("grant_type", "authorization_code"),
        ("client_id", MULTI),
        ("client_secret", SECRET),
        ("redirect_uri", MULTI_URI),
        ("code", &seen.answer()["code"]),
    ]);
    let tokens = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
    let claims = claims(&tokens.body["access_token"]);
    assert_eq!((&claims["aud"], &claims["scp"], &claims["tid"]), (&RELAY.into(), &"relay".into(), &TENANT.into()));
}

#[tokio::test]
async fn b69_what_is_for_everybody_says_so_before_it_is_accepted() {
    let kit = start().await;
    let path = ask(TENANT, &[("prompt", "admin_consent")]);
    let mut root = Browser::new(&kit);
    let page = root.open_as(&path, "root@contoso.com").await;
    // Not the page with the box that may be left empty.
    assert_ne!(page.heading(), "Permissions requested", "{page:?}");
    assert!(!page.text.contains("name=\"for_all\""));
    assert!(root.press(&page, &[("decision", "accept")]).await.answer().contains_key("code"));
    // It was for everybody.
    let seen = Browser::new(&kit).open_as(&ask(TENANT, &[]), "bob@contoso.com").await;
    assert!(seen.answer().contains_key("code"), "{seen:?}");
    // Nobody else is asked by that prompt.
    let seen = Browser::new(&kit).open_as(&path, "alice@contoso.com").await;
    assert_eq!(seen.heading(), "An administrator must approve");
}

#[tokio::test]
async fn where_users_may_not_consent_they_bring_no_application_in_whatever_it_asks_for() {
    let kit = Kit::with(town(&Wishes { tenant: "userConsentAllowed: false", ..Wishes::default() })).await;
    // v1.0 without a resource asks for nothing but who signs in.
    let path = format!("/{TENANT}/oauth2/authorize?client_id={MULTI}&redirect_uri={MULTI_URI}&response_type=code");
    let mut alice = Browser::new(&kit);
    let page = alice.open_as(&path, "alice@contoso.com").await;
    assert_eq!(page.heading(), "An administrator must approve", "{page:?}");
    let seen = alice.press(&page, &[("decision", "accept")]).await;
    assert_eq!(seen.heading(), "An administrator must approve", "the button that is not there does nothing");
    let form = format!("grant_type=client_credentials&client_id={MULTI}&client_secret={SECRET}&scope={MULTI}/.default");
    let answer = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
    assert_eq!(answer.refusal().2, 700_016, "it is not there: {answer:?}");
}

#[tokio::test]
async fn a_bare_default_means_graph_and_is_no_way_round_consent() {
    let kit = start().await;
    let seen =
        Browser::new(&kit).open_as(&ask(TENANT, &[("scope", ".default openid profile")]), "alice@contoso.com").await;
    assert!(!seen.header("location").contains("code="), "{seen:?}");
}
