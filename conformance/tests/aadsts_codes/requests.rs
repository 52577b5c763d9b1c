//! What is wrong with the request itself, or with the tenant that it names.

use countersign_conformance::contoso::{ALICE, NO_TENANT, PAGE, RESOURCE_URI, TENANT};
use countersign_conformance::person::Person;
use countersign_conformance::wire::get;
use countersign_protocol::AadSts;

use crate::reach::Reach;
use crate::scene::{ADDRESSLESS, MULTI, PAGE_CALLBACK};

const NIL: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) async fn reach(reach: &mut Reach) {
    let token = format!("/{TENANT}/oauth2/v2.0/token");
    let multi = [("client_id", MULTI), ("redirect_uri", "https://multi.contoso.com")];
    reach.token_at(AadSts::TENANT_NOT_FOUND, &format!("/{NO_TENANT}/oauth2/v2.0/token"), &[]).await;
    reach.token_at(AadSts::EMPTY_TENANT_ID, &format!("/{NIL}/oauth2/v2.0/token"), &[]).await;
    reach.token_at(AadSts::INVALID_TENANT_NAME, "/no_tenant!/oauth2/v2.0/token", &[]).await;
    reach.token_at(AadSts::GRANT_TYPE_NOT_SUPPORTED_ON_ALIAS, "/common/oauth2/v2.0/token", &[]).await;
    reach.token_at(AadSts::NO_TENANT_IDENTIFYING_INFORMATION, "/organizations/oauth2/v2.0/token", &[]).await;
    reach.token(AadSts::MISSING_PARAMETER, &[("grant_type", "")]).await;
    reach.token(AadSts::UNSUPPORTED_GRANT_TYPE, &[("grant_type", "charity")]).await;
    reach.token(AadSts::RESOURCE_PARAMETER_NOT_SUPPORTED, &[("resource", RESOURCE_URI)]).await;
    reach.send(AadSts::POST_REQUIRED, "GET", &token, "", "").await;
    reach.send(AadSts::MALFORMED_REQUEST, "POST", &token, "", "grant_type=%FF").await;
    for (entry, query) in [
        (
            AadSts::UNKNOWN_INSTANCE,
            "api-version=1.1&authorization_endpoint=https://nobody.example/common/oauth2/authorize",
        ),
        (AadSts::MALFORMED_INSTANCE, "api-version=1.1&authorization_endpoint=nothing"),
    ] {
        let answer = get(&reach.scene.house, &format!("/common/discovery/instance?{query}")).await;
        reach.answered(entry, &answer);
    }
    let metadata = format!("/{NO_TENANT}/v2.0/.well-known/openid-configuration");
    let answer = get(&reach.scene.house, &metadata).await;
    reach.answered(AadSts::TENANT_NOT_FOUND_IN_DISCOVERY, &answer);

    // The authorization endpoint: what cannot be trusted with an answer is a page.
    reach.page(AadSts::REDIRECT_URI_MISMATCH, ALICE, &[("redirect_uri", "https://nobody.example")]).await;
    reach.page(AadSts::NO_REPLY_ADDRESS, ALICE, &[("redirect_uri", "")]).await;
    reach.page(AadSts::NO_REPLY_ADDRESS_REGISTERED, ALICE, &[("client_id", ADDRESSLESS)]).await;
    reach.page(AadSts::SCOPE_DOES_NOT_EXIST, ALICE, &[("scope", "openid Orders.Fly")]).await;
    reach.page(AadSts::NOT_MULTI_TENANT, ALICE, &[("tenant", "common")]).await;
    reach.page(AadSts::WORK_APPLICATION_ON_CONSUMERS, ALICE, &[&multi[..], &[("tenant", "consumers")]].concat()).await;
    let twice = format!("{}&scope=openid", reach.authorize(&[]));
    let arrived = Person::new(&reach.scene.house, ALICE, "").open(&twice).await;
    reach.sent_away(AadSts::DUPLICATE_PARAMETER, "invalid_request", &arrived);
    for (entry, word, changes) in [
        (AadSts::UNSUPPORTED_RESPONSE_TYPE, "unsupported_response_type", [("response_type", "wish")]),
        (AadSts::ID_TOKEN_NOT_ENABLED, "unsupported_response_type", [("response_type", "id_token")]),
        (AadSts::TOKEN_NOT_ENABLED, "unsupported_response_type", [("response_type", "token")]),
        (AadSts::UNSUPPORTED_RESPONSE_MODE, "invalid_request", [("response_mode", "pigeon")]),
        (AadSts::UNSUPPORTED_PROMPT, "invalid_request", [("prompt", "please")]),
        (AadSts::INVALID_PARAMETER, "invalid_request", [("max_age", "old")]),
        (AadSts::PARAMETER_NOT_SUPPORTED, "invalid_request", [("request", "e30.e30.")]),
        (AadSts::CODE_CHALLENGE_INVALID, "invalid_request", [("code_challenge_method", "S256")]),
        (AadSts::CODE_CHALLENGE_SIZE, "invalid_request", [("code_challenge", "short")]),
    ] {
        let nonce = ("nonce", "n");
        reach.redirected(entry, word, &[changes[0], nonce]).await;
    }
    let page = [("client_id", PAGE), ("redirect_uri", PAGE_CALLBACK)];
    reach.redirected(AadSts::PKCE_REQUIRED, "invalid_request", &page).await;
}
