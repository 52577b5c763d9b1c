//! Claims challenges: what a caller who understands them is asked for, and what all others are told.
//!
//! Source: Microsoft identity platform, "Developer guide to Conditional Access authentication context" and "Claims
//! challenges, claims requests, and client capabilities".

use countersign_guard::{Permission, Rule};
use countersign_protocol::Challenge;
use countersign_token::NumericDate;
use http::Response;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::kit::service::Inside;
use crate::kit::token::{NOW, Token};
use crate::kit::{bearer, builder, clock, guard, header, policy, policy_with};

const URI: &str = "https://login.microsoftonline.com/common/oauth2/authorize";

fn challenge<B>(response: &Response<B>) -> (u16, String, Option<Value>) {
    let challenge = Challenge::bearer(header(response, "www-authenticate").unwrap()).unwrap();
    let claims = challenge.claims().map(|claims| serde_json::from_str(&claims).unwrap());
    (response.status().as_u16(), challenge.get("error").unwrap().to_owned(), claims)
}

#[tokio::test]
async fn a104_a_missing_authentication_context_is_asked_for() {
    let guard = builder(&policy(), &clock()).realm("").authorization_uri(URI).build();
    let rule = Permission::any_scope(["access_as_user"]).with_authentication_context("c1");
    let service = guard.layer_for(rule).layer(Inside::default());
    let capable = Token::user().claim("xms_cc", json!(["CP1"]));
    let response = service.clone().oneshot(bearer(&capable.sign())).await.unwrap();
    let claims = json!({"access_token": {"acrs": {"essential": true, "value": "c1"}}});
    assert_eq!(challenge(&response), (401, "insufficient_claims".to_owned(), Some(claims)));
    let value = header(&response, "www-authenticate").unwrap();
    assert!(
        value.starts_with(&format!("Bearer realm=\"\", authorization_uri=\"{URI}\", error=\"insufficient_claims\", "))
    );
    let stepped_up = capable.claim("acrs", json!(["c1"])).sign();
    assert_eq!(service.clone().oneshot(bearer(&stepped_up)).await.unwrap().status(), 200);
    // Who cannot answer is not asked, and learns that trying again would not help.
    for capabilities in [json!([]), json!(["cp2"]), json!("cp1")] {
        let token = Token::user().claim("xms_cc", capabilities).sign();
        let response = service.clone().oneshot(bearer(&token)).await.unwrap();
        assert_eq!(challenge(&response), (403, "insufficient_scope".to_owned(), None));
    }
}

#[tokio::test]
async fn the_context_that_the_policy_itself_wants_is_asked_for_too() {
    let guard = builder(&policy_with(&[("acrs", json!(["c3"]))]), &clock()).build();
    let rule = Rule::from(Permission::any_scope(["access_as_user"]).with_authentication_context("c1"));
    let service = guard.layer_under(rule).unwrap().layer(Inside::default());
    let token = Token::user().claim("xms_cc", json!(["cp1"])).claim("acrs", json!(["c1"])).sign();
    let response = service.oneshot(bearer(&token)).await.unwrap();
    let claims = json!({"access_token": {"acrs": {"essential": true, "value": "c3"}}});
    assert_eq!(challenge(&response).2, Some(claims));
}

#[tokio::test]
async fn a104_a_revoked_token_is_answered_with_the_moment_it_must_be_newer_than() {
    let guard = builder(&policy(), &clock()).revocation(|_| Some(NumericDate(NOW - 5))).build();
    let service = guard.layer().layer(Inside::default());
    let token = Token::user().claim("xms_cc", json!(["cp1"])).sign();
    let response = service.clone().oneshot(bearer(&token)).await.unwrap();
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": (NOW - 5).to_string()}}});
    assert_eq!(challenge(&response), (401, "insufficient_claims".to_owned(), Some(claims)));
    let response = service.oneshot(bearer(&Token::user().sign())).await.unwrap();
    assert_eq!(challenge(&response), (401, "invalid_token".to_owned(), None));
}

#[tokio::test]
async fn the_apis_metadata_is_named_in_every_challenge() {
    let url = "https://orders.contoso.com/.well-known/oauth-protected-resource";
    let guard = builder(&policy(), &clock()).resource_metadata(url).build();
    let response = crate::kit::answer(&guard, "opaque").await;
    let challenge = Challenge::bearer(header(&response, "www-authenticate").unwrap()).unwrap();
    assert_eq!((challenge.get("resource_metadata"), challenge.get("error")), (Some(url), Some("invalid_token")));
}

#[tokio::test]
async fn the_metadata_document_is_there_for_everybody() {
    let metadata = countersign_guard::ResourceMetadata::new("https://orders.contoso.com/v1")
        .authorization_server("https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0");
    let app = countersign_guard::GuardedRouter::new(guard()).into_router().unwrap().merge(metadata.route());
    let request =
        http::Request::get("/.well-known/oauth-protected-resource/v1").body(axum::body::Body::empty()).unwrap();
    let response = app.with_state(()).oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, Some("application/json")));
}
