//! What is wrong with the person, or with what they decide.

use countersign_conformance::contoso::{ALICE, ORDERS_READ, PASSWORD, RESOURCE_URI, ROOT, TENANT};
use countersign_conformance::person::{Arrived, Person};
use countersign_conformance::wire::{form, post, request};
use countersign_protocol::AadSts;

use crate::reach::Reach;
use crate::scene::MULTI;

/// So many wrong passwords lock an account.
const GUESSES: usize = 10;

pub(crate) async fn reach(reach: &mut Reach) {
    reach.password(AadSts::USER_NOT_FOUND, &[("username", "nobody@contoso.com")]).await;
    reach.password(AadSts::WRONG_PASSWORD, &[("password", "wrong")]).await;
    reach.password(AadSts::ACCOUNT_DISABLED, &[("username", "disabled@contoso.com")]).await;
    reach.password(AadSts::PASSWORD_EXPIRED, &[("username", "expired@contoso.com")]).await;
    reach.password(AadSts::NO_PASSWORD, &[("username", "passwordless@contoso.com")]).await;
    reach.password(AadSts::MFA_REQUIRED, &[("username", "mfa@contoso.com")]).await;
    reach.password(AadSts::BLOCKED_BY_CONDITIONAL_ACCESS, &[("username", "blocked@contoso.com")]).await;
    for _ in 0..GUESSES {
        let guess = [
            ("grant_type", "password"),
            ("client_id", countersign_conformance::contoso::TOOL),
            ("username", "locked@contoso.com"),
            ("password", "a guess"),
            ("scope", ORDERS_READ),
        ];
        post(&reach.scene.house, &format!("/{TENANT}/oauth2/v2.0/token"), &form(&guess)).await;
    }
    reach.password(AadSts::ACCOUNT_LOCKED, &[("username", "locked@contoso.com")]).await;

    // In a browser.
    reach.redirected(AadSts::NO_SESSION, "login_required", &[("prompt", "none")]).await;
    reach.page(AadSts::USER_NOT_IN_TENANT, "dave@fabrikam.onmicrosoft.com", &[]).await;
    let write = format!("openid {RESOURCE_URI}/Orders.Write");
    let admin = format!("openid {RESOURCE_URI}/Orders.Admin");
    {
        let (silent, asked) =
            (reach.authorize(&[("scope", &write), ("prompt", "none")]), reach.authorize(&[("scope", &write)]));
        let mut person = Person::new(&reach.scene.house, ALICE, PASSWORD);
        person.consents = false;
        let declined = person.open(&asked).await;
        let unasked = person.open(&silent).await;
        let needs_approval = person.open(&reach.authorize(&[("scope", &admin)])).await;
        drop(person);
        reach.sent_away(AadSts::CONSENT_DECLINED, "access_denied", &declined);
        reach.sent_away(AadSts::CONSENT_REQUIRED_AT_AUTHORIZE, "consent_required", &unasked);
        reach.sent_away(AadSts::ADMIN_CONSENT_REQUIRED, "consent_required", &needs_approval);
    }
    let stale = request(
        &reach.scene.house,
        "POST",
        "/login",
        "Content-Type: application/x-www-form-urlencoded\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\n",
        b"flow=nobody-sealed-this",
    )
    .await;
    reach.shown(AadSts::FLOW_TOKEN_EXPIRED, &stale);
    // The application lists an API that is not here, so nobody can consent to all that it lists.
    let everything = format!(
        "{}/{TENANT}/v2.0/adminconsent?client_id={MULTI}&redirect_uri=https://multi.contoso.com&state=s\
         &scope=https://graph.microsoft.com/.default",
        reach.scene.house.origin(),
    );
    match Person::new(&reach.scene.house, ROOT, PASSWORD).open(&everything).await {
        Arrived::Page(page) => reach.shown(AadSts::SERVICE_PRINCIPAL_LACKING, &page),
        other => panic!("{other:?}"),
    }
}
