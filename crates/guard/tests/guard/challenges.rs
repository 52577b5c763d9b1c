//! What refused callers are told: status and `WWW-Authenticate` (RFC 6750 §3), letter for letter, and nothing else.

use countersign_guard::{Guard, Permission};
use countersign_protocol::Challenge;
use http::Request;
use serde_json::json;
use tower::{Layer, ServiceExt};

use crate::kit::service::Inside;
use crate::kit::token::{CLIENT, OTHER_CLIENT, Token};
use crate::kit::{answer, bearer, builder, clock, guard, header, policy, policy_with, request};

const URI: &str = "https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f/oauth2/v2.0/authorize";

fn guard_with_uri() -> Guard {
    builder(&policy(), &clock()).authorization_uri(URI).build()
}

/// Status and challenge for a request; the answer has no body and no other header.
async fn told(guard: &Guard, permission: Option<Permission>, request: Request<axum::body::Body>) -> (u16, String) {
    let layer = permission.map_or_else(|| guard.layer(), |permission| guard.layer_for(permission));
    let response = layer.layer(Inside::default()).oneshot(request).await.unwrap();
    assert_eq!((response.body().as_str(), response.headers().len()), ("", 1));
    (response.status().as_u16(), header(&response, "www-authenticate").unwrap().to_owned())
}

#[tokio::test]
async fn without_a_token_the_challenge_names_no_error() {
    for values in [&[][..], &["Basic dTpw"], &["DPoP a.b.c"], &["eyJ0.eyJ1.c2ln"]] {
        assert_eq!(told(&guard(), None, request(values)).await, (401, "Bearer".to_owned()), "{values:?}");
        let with_uri = (401, format!("Bearer authorization_uri=\"{URI}\""));
        assert_eq!(told(&guard_with_uri(), None, request(values)).await, with_uri, "{values:?}");
    }
}

#[tokio::test]
async fn a100_d21_a_malformed_credential_is_a_bad_request() {
    let token = Token::app().sign();
    for values in [
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![format!("Bearer Bearer {token}")],
        vec![format!("Bearer {token} {token}")],
        vec![format!("Bearer {token},{token}")],
        vec![format!("Bearer {token}, Bearer {token}")],
        vec![format!("Bearer {token};q=1")],
        vec![format!("Bearer \"{token}\"")],
        vec![format!("Bearer {token}"), format!("Bearer {token}")],
        vec![format!("Bearer {token}"), "Basic dTpw".to_owned()],
    ] {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let expected = "Bearer error=\"invalid_request\", error_description=\"Send exactly one Authorization header: the \
                        word Bearer and one access token.\"";
        assert_eq!(told(&guard(), None, request(&values)).await, (400, expected.to_owned()), "{values:?}");
    }
}

#[tokio::test]
async fn an_expired_token_is_called_expired() {
    let token = Token::app().claim("exp", crate::kit::token::NOW - 61).sign();
    let expected = "Bearer error=\"invalid_token\", error_description=\"The access token has expired.\"";
    assert_eq!(told(&guard(), None, bearer(&token)).await, (401, expected.to_owned()));
    let (_, with_uri) = told(&guard_with_uri(), None, bearer(&token)).await;
    let challenge = Challenge::bearer(&with_uri).unwrap();
    assert_eq!(challenge.get("authorization_uri"), Some(URI));
    assert_eq!(challenge.get("error"), Some("invalid_token"));
}

#[tokio::test]
async fn a_caller_without_permission_learns_which_one_is_wanted() {
    let read = "Bearer error=\"insufficient_scope\", error_description=\"The caller needs one of: access_as_user, \
                Resource.Read.\"";
    for token in [
        Token::app().claim("roles", json!(["Other"])),
        Token::app().without("roles"),
        Token::user().claim("scp", "profile"),
        // A95: what stands in the other claim counts for nothing.
        Token::app().claim("roles", json!(["access_as_user"])),
        Token::user().claim("scp", "Resource.Read"),
    ] {
        assert_eq!(told(&guard(), None, bearer(&token.sign())).await, (403, read.to_owned()), "{}", token.claims);
    }
    let write = Permission::any_app_role(["Resource.Write", "Resource.Administer"]);
    let text = "Bearer error=\"insufficient_scope\", error_description=\"The caller needs one of: Resource.Write, \
                Resource.Administer.\"";
    let told = told(&guard(), Some(write), bearer(&Token::app().sign())).await;
    assert_eq!(told, (403, text.to_owned()));
}

#[tokio::test]
async fn a_caller_who_is_not_wanted_is_not_told_to_get_a_permission() {
    let text = "Bearer error=\"insufficient_scope\", error_description=\"The API does not admit this caller here.\"";
    let apps_only = builder(&policy_with(&[("kinds", json!(["app"]))]), &clock()).build();
    assert_eq!(told(&apps_only, None, bearer(&Token::user().sign())).await, (403, text.to_owned()));
    let one_client = builder(&policy_with(&[("clients", json!([OTHER_CLIENT]))]), &clock()).build();
    assert_eq!(told(&one_client, None, bearer(&Token::app().sign())).await, (403, text.to_owned()));
    let nothing_named = builder(
        &policy_with(&[("app_roles", json!([])), ("scopes", json!([])), ("clients", json!([CLIENT]))]),
        &clock(),
    );
    assert_eq!(told(&nothing_named.build(), None, bearer(&Token::app().sign())).await, (403, text.to_owned()));
}

#[tokio::test]
async fn the_challenge_follows_a_replaced_policy() {
    let guard = guard();
    guard.verifier().replace_policy(&policy_with(&[("app_roles", json!(["Resource.Own"]))])).unwrap();
    let (status, challenge) = told(&guard, None, bearer(&Token::app().sign())).await;
    assert_eq!(status, 403);
    assert!(challenge.contains("one of: access_as_user, Resource.Own."), "{challenge}");
}

#[tokio::test]
async fn names_of_permissions_cannot_break_out_of_the_header() {
    let names = ["Evil\" error=\"none", "Lines\r\nX-Evil: 1", "Größe", "Back\\slash"];
    let (status, challenge) = told(&guard(), Some(Permission::any_app_role(names)), bearer(&Token::app().sign())).await;
    assert_eq!(status, 403);
    let challenges = Challenge::parse_all(&challenge);
    let names: Vec<&str> = challenges[0].parameters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((challenges.len(), names), (1, vec!["error", "error_description"]), "{challenge}");
    let uri = builder(&policy(), &clock()).authorization_uri("https://x/\" realm=\"y\r\nX: 1").build();
    let (_, challenge) = told(&uri, None, request(&[])).await;
    assert_eq!(Challenge::parse_all(&challenge)[0].parameters.len(), 1, "{challenge}");
}

#[tokio::test]
async fn a_handlers_status_is_left_alone() {
    let response = answer(&guard(), &Token::app().sign()).await;
    assert_eq!((response.status().as_u16(), response.headers().len()), (200, 0));
}
