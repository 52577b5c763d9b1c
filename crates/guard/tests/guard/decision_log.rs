//! The decision log: one event per request with a stable reason code, and never anything of the token.

use std::sync::Arc;

use axum::body::Body;
use countersign_discovery::BoxFuture;
use countersign_guard::{Claims, GroupResolver, Verified};
use countersign_token::{NumericDate, ObjectId};
use http::Request;
use serde_json::json;
use tower::{Layer, ServiceExt};

use crate::kit::endpoint::Endpoint;
use crate::kit::log::Log;
use crate::kit::service::Inside;
use crate::kit::token::{CLIENT, OBJECT, TENANT, TOKEN_ID, Token, genuine, next, segments};
use crate::kit::{answer, bearer, builder, clock, guard, policy, policy_with, remote_guard, request, status};

/// The one decision about this request.
async fn decision(log: &Log, guard: &countersign_guard::Guard, request: Request<Body>) -> String {
    guard.layer().layer(Inside::default()).oneshot(request).await.unwrap();
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_iter().next().unwrap()
}

#[tokio::test]
async fn every_decision_has_its_code() {
    let (log, _logging) = Log::start();
    let guard = guard();
    let line = |level: &str, fields: &str| format!("{level} countersign_guard::decision {fields}");
    let who = format!("tenant={TENANT} client={CLIENT} token_id=\"{TOKEN_ID}\"");

    for _ in 0..2 {
        let admitted = decision(&log, &guard, bearer(&Token::app().sign())).await;
        assert_eq!(admitted, line("DEBUG", &format!("decision=admitted {who}")));
    }
    let refused = |fields: &str| line("INFO", &format!("decision=refused {fields}"));
    for (request, reason) in [
        (request(&[]), "reason=credential_missing".to_owned()),
        (request(&["Bearer a", "Bearer b"]), "reason=several_credentials".to_owned()),
        (request(&["Bearer a b"]), "reason=credential_malformed".to_owned()),
        (bearer("opaque"), "reason=not_compact_jws".to_owned()),
        (bearer("a.b.c="), "reason=base64 subject=header".to_owned()),
        (bearer(&Token::app().claim("exp", 1).sign()), "reason=expired".to_owned()),
        (bearer(&Token::app().without("exp").sign()), "reason=claim_missing subject=exp".to_owned()),
        (bearer(&Token::app().claim("roles", json!(["Other"])).sign()), format!("reason=role_missing {who}")),
        (bearer(&Token::user().claim("scp", "other").sign()), format!("reason=scope_missing {who}")),
        (bearer(&Token::app().without("roles").sign()), format!("reason=no_permission {who}")),
    ] {
        assert_eq!(decision(&log, &guard, request).await, refused(&reason));
    }
    let closed = builder(&policy_with(&[("clients", json!([]))]), &clock()).build();
    let line = decision(&log, &closed, bearer(&Token::app().sign())).await;
    assert_eq!(line, refused(&format!("reason=client_not_allowed {who}")));
}

#[tokio::test]
async fn what_the_service_itself_says_has_its_code_too() {
    let (log, _logging) = Log::start();
    let who = format!("tenant={TENANT} client={CLIENT} token_id=\"{TOKEN_ID}\"");
    let refused = |fields: &str| format!("INFO countersign_guard::decision decision=refused {fields} {who}");
    let (app, bound) = (Token::app().sign(), Token::app().claim("cnf", json!({"x5t#S256": "A".repeat(43)})).sign());

    let picky = builder(&policy(), &clock()).predicate("at the desk", |caller| caller.claim("desk").is_some()).build();
    let line = decision(&log, &picky, bearer(&app)).await;
    assert_eq!(line, refused("reason=predicate_unmet subject=at the desk"));
    let since = NumericDate(crate::kit::token::NOW);
    let revoking = builder(&policy(), &clock()).revocation(move |_| Some(since)).build();
    assert_eq!(decision(&log, &revoking, bearer(&app)).await, refused("reason=revoked"));
    assert_eq!(decision(&log, &guard(), bearer(&bound)).await, refused("reason=binding_proof_missing"));
    let unbound = request(&[&format!("mtls_pop {app}")]);
    assert_eq!(decision(&log, &guard(), unbound).await, refused("reason=binding_missing"));

    let silent = Arc::new(NobodyTells);
    let grouped = policy_with(&[("groups", json!(["55555555-0d2e-4c8a-9d43-0f0f2d4a5c11"]))]);
    let asking = builder(&grouped, &clock()).groups(silent).build();
    let overage = Token::user().claim("_claim_names", json!({"groups": "src1"})).sign();
    let line = decision(&log, &asking, bearer(&overage)).await;
    let expected = "ERROR countersign_guard::decision decision=unavailable reason=groups_unavailable cause=the user's \
                    groups are elsewhere and could not be had";
    assert_eq!(line, expected);
}

/// Never knows anybody's groups.
#[derive(Debug)]
struct NobodyTells;

impl GroupResolver for NobodyTells {
    fn groups<'a>(&'a self, _: &'a Verified<Claims>) -> BoxFuture<'a, Option<Vec<ObjectId>>> {
        Box::pin(async { None })
    }
}

#[tokio::test]
async fn every_bad_token_is_logged_under_its_code() {
    let (log, _logging) = Log::start();
    let guard = guard();
    for (code, token) in crate::forged::bad_tokens() {
        let line = decision(&log, &guard, bearer(&token)).await;
        assert!(line.contains(&format!("decision=refused reason={code}")), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_an_error_of_ours_and_not_a_refusal() {
    let (log, _logging) = Log::start();
    let guard = remote_guard(&Endpoint::down(), &clock());
    let line = decision(&log, &guard, bearer(&Token::app().sign())).await;
    let expected = "ERROR countersign_guard::decision decision=unavailable reason=keys_unavailable cause=no key set has \
                    been fetched yet";
    assert_eq!(line, expected);

    let (endpoint, clock) = (Endpoint::publishing(&[genuine()]), clock());
    let guard = remote_guard(&endpoint, &clock);
    guard.ready().await.unwrap();
    endpoint.goes_down();
    clock.advance(crate::kit::HOUR);
    let line = decision(&log, &guard, bearer(&Token::app().under(next()).sign())).await;
    let expected = "ERROR countersign_guard::decision decision=unavailable reason=key_unconfirmed cause=the token names a \
                    key that is not at hand, and the authority could not be asked for it";
    assert_eq!(line, expected);
}

#[tokio::test(start_paused = true)]
async fn neither_a_token_nor_any_segment_of_it_appears() {
    let (log, _logging) = Log::start();
    let endpoint = Endpoint::publishing(&[genuine()]);
    let guard = remote_guard(&endpoint, &clock());
    let genuine_ones = [Token::app(), Token::user(), Token::v1_app(), Token::app().without("roles")];
    let mut tokens: Vec<String> = genuine_ones.iter().map(Token::sign).collect();
    tokens.extend(crate::forged::bad_tokens().into_iter().map(|(_, token)| token));
    tokens.push(Token::app().header("kid", "SomebodysVeryOwnKeyName").sign());
    for token in &tokens {
        answer(&guard, token).await;
    }
    answer(&guard, &format!("{} {}", tokens[0], tokens[1])).await;
    endpoint.goes_down();
    assert_eq!(status(&guard, &tokens[0]).await, 200);

    let lines = log.take_all();
    assert!(lines.len() > tokens.len(), "{lines:?}");
    let log = lines.join("\n");
    for token in &tokens {
        for piece in token.split(['.', '=']).filter(|piece| piece.len() >= 8) {
            assert!(!log.contains(&piece[..8]), "{} in {log}", &piece[..8]);
        }
    }
    let [_, _, signature] = segments(&tokens[0]);
    for personal in [&signature[signature.len() - 8..], "ada@contoso.com", "Ada", OBJECT, "SomebodysVeryOwnKeyName"] {
        assert!(!log.contains(personal), "{personal} in {log}");
    }
}

#[tokio::test]
async fn what_an_issuer_writes_into_a_token_id_stays_on_its_line() {
    let (log, _logging) = Log::start();
    let token = Token::app().claim("uti", "x\r\n2026-01-01 INFO decision=admitted \u{1b}[31m").sign();
    let line = decision(&log, &guard(), bearer(&token)).await;
    assert!(!line.contains(['\r', '\n', '\u{1b}']), "{line:?}");
}
