//! Graph's claims challenge: what a client that understands it is told once its user's sessions are revoked.

use countersign_conformance::wire::{Answer, request};

use super::stage::{REVOKED, Stage};
use crate::exchange::Exchange;

const SCOPE: &str = "https://graph.microsoft.com/User.ReadWrite.All";
const UNDERSTANDS_CHALLENGES: &str = r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#;

pub(super) async fn challenge(stage: &Stage, exchange: &Exchange) -> Result<Answer, &'static str> {
    if exchange.request()["host"] != "graph.microsoft.com" {
        return Err("an API that is none of the authority's");
    }
    let token = access_token(stage, REVOKED).await;
    assert_eq!(send(stage, exchange.path(), &token).await.status, 200);
    // The token lives in the past from here on, whatever second it is.
    stage.clock.advance_seconds(2);
    revoke(stage, REVOKED).await;
    Ok(send(stage, exchange.path(), &token).await)
}

/// Ends all sessions of this user, and lets a little time pass, so that what comes is newer.
pub(super) async fn revoke(stage: &Stage, login: &str) {
    stage.clock.advance_seconds(2);
    let token = access_token(stage, login).await;
    let answer = send(stage, "/v1.0/me/revokeSignInSessions", &token).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    stage.clock.advance_seconds(2);
}

async fn access_token(stage: &Stage, login: &str) -> String {
    let tokens = stage.signed_in(login, SCOPE, Some(UNDERSTANDS_CHALLENGES)).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

async fn send(stage: &Stage, path: &str, token: &str) -> Answer {
    request(&stage.house, "POST", path, &format!("Authorization: Bearer {token}\r\n"), b"").await
}
