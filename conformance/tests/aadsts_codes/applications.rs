//! What is wrong with the application, or with the API that it asks for.

use countersign_conformance::contoso::{
    CLIENT_SCOPE, NO_APPLICATION, NO_RESOURCE_URI, ORDERS_READ, RESOURCE_URI, WRONG_SECRET,
};
use countersign_protocol::AadSts;

use crate::reach::Reach;
use crate::scene::{ABSENT, ASSIGNED_URI, DISABLED, DISABLED_URI, FORGOTTEN, PLAIN, PUBLIC, SECRET};

const NIL: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) async fn reach(reach: &mut Reach) {
    let of = |uri: &str| format!("{uri}/.default");
    let (nowhere, assigned, disabled) = (of(NO_RESOURCE_URI), of(ASSIGNED_URI), of(DISABLED_URI));
    reach.token(AadSts::INVALID_CLIENT_SECRET, &[("client_secret", WRONG_SECRET)]).await;
    reach.token(AadSts::EXPIRED_CLIENT_SECRET, &[("client_id", FORGOTTEN), ("client_secret", SECRET)]).await;
    reach.token(AadSts::MISSING_CLIENT_CREDENTIAL, &[("client_secret", "")]).await;
    reach.token(AadSts::APPLICATION_NOT_FOUND, &[("client_id", NO_APPLICATION)]).await;
    reach.token(AadSts::INVALID_APPLICATION_IDENTIFIER, &[("client_id", NIL)]).await;
    reach.token(AadSts::SERVICE_PRINCIPAL_MISSING, &[("client_id", ABSENT), ("client_secret", SECRET)]).await;
    reach.token(AadSts::APPLICATION_DISABLED, &[("client_id", DISABLED), ("client_secret", SECRET)]).await;
    reach.password(AadSts::PUBLIC_CLIENT_WITH_CREDENTIAL, &[("client_secret", SECRET)]).await;
    reach.password(AadSts::CONFIDENTIAL_CLIENT_WITHOUT_CREDENTIAL, &[("client_id", PLAIN)]).await;
    reach.token(AadSts::RESOURCE_NOT_FOUND, &[("scope", &nowhere)]).await;
    reach.token(AadSts::RESOURCE_DISABLED, &[("scope", &disabled)]).await;
    reach.token(AadSts::CLIENT_NOT_ASSIGNED, &[("scope", &assigned)]).await;
    reach.password(AadSts::USER_NOT_ASSIGNED, &[("scope", &format!("{ASSIGNED_URI}/Use"))]).await;
    reach.token(AadSts::SCOPE_NOT_DEFAULT, &[("scope", ORDERS_READ)]).await;
    reach.token(AadSts::INVALID_SCOPE, &[("scope", "\u{1}")]).await;
    reach.password(AadSts::SCOPE_DOES_NOT_EXIST, &[("scope", &format!("{RESOURCE_URI}/Orders.Fly"))]).await;
    reach.password(AadSts::CONSENT_REQUIRED, &[("scope", &format!("{RESOURCE_URI}/Orders.Admin"))]).await;
    let two = format!("{ORDERS_READ} {CLIENT_SCOPE}");
    reach.password(AadSts::SEVERAL_RESOURCES, &[("scope", &two)]).await;
    let mixed = format!("{ORDERS_READ} {RESOURCE_URI}/.default");
    reach.password(AadSts::DEFAULT_SCOPE_COMBINED, &[("scope", &mixed)]).await;
    let unlisted = [("client_id", PUBLIC), ("scope", &format!("{RESOURCE_URI}/.default"))];
    reach.password(AadSts::RESOURCE_NOT_LISTED, &unlisted).await;
    let own = [("scope", CLIENT_SCOPE)];
    reach.redirected(AadSts::SELF_TOKEN_NEEDS_GUID, "invalid_request", &own).await;
}
