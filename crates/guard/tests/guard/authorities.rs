//! Several authorities side by side: each by its own keys and its own policy.

use std::sync::Arc;

use countersign_discovery::RemoteKeys;
use countersign_guard::{Guard, Policy, PolicyError};
use serde_json::json;

use crate::kit::endpoint::{Endpoint, KEYS_URL};
use crate::kit::token::{OTHER_TENANT, Token, attacker, genuine, jwk_named, next};
use crate::kit::{SECOND, clock, fixed, policy, policy_with, status, verdict};

const SOVEREIGN: &str = "https://login.partner.microsoftonline.cn/{tenantid}/v2.0";

/// The policy for the tokens of another cloud.
fn sovereign() -> Policy {
    policy_with(&[
        ("tenants", json!([OTHER_TENANT])),
        ("issuers", json!([SOVEREIGN])),
        ("app_roles", json!(["Sovereign.Read"])),
    ])
}

/// A token of the other cloud.
fn sovereign_token() -> Token {
    Token::app()
        .claim("tid", OTHER_TENANT)
        .claim("iss", SOVEREIGN.replace("{tenantid}", OTHER_TENANT))
        .claim("roles", json!(["Sovereign.Read"]))
        .under(next())
}

/// The keys of the other cloud, which say whose they are.
fn sovereign_keys() -> serde_json::Value {
    let mut key = jwk_named(next(), next().key_id());
    key["issuer"] = json!(SOVEREIGN);
    json!({ "keys": [key] })
}

fn guard() -> Guard {
    let keys = countersign_token::KeySet::parse(sovereign_keys().to_string().as_bytes()).unwrap();
    let builder = Guard::builder(fixed(&[genuine()]), &policy()).unwrap();
    builder.also(countersign_discovery::KeySource::fixed(keys), &sovereign()).unwrap().clock(Arc::new(clock())).build()
}

#[tokio::test]
async fn a80_each_authority_vouches_for_its_own_tokens_alone() {
    let guard = guard();
    for _ in 0..2 {
        assert_eq!(verdict(&guard, &Token::app().sign()).await, "accepted");
        assert_eq!(verdict(&guard, &sovereign_token().sign()).await, "accepted");
    }
    assert_eq!(guard.verifier().cached().0, 2);
    // One cloud's key under the other's issuer, and the other way round.
    assert_eq!(verdict(&guard, &sovereign_token().under(genuine()).sign()).await, "tenant_not_allowed");
    assert_eq!(verdict(&guard, &Token::app().under(next()).sign()).await, "tenant_not_allowed");
    // The role of one policy is none in the other.
    let borrowed = sovereign_token().claim("roles", json!(["Resource.Read"])).sign();
    assert_eq!((verdict(&guard, &borrowed).await, status(&guard, &borrowed).await), ("role_missing", 403));
    assert_eq!(verdict(&guard, &Token::app().signed_by(attacker()).sign()).await, "signature_invalid");
    assert_eq!(verdict(&guard, &Token::app().under(attacker()).sign()).await, "unknown_key");
    assert_eq!(verdict(&guard, "opaque").await, "not_compact_jws");
}

#[tokio::test]
async fn the_challenge_names_what_the_right_policy_wants() {
    let response = crate::kit::answer(&guard(), &sovereign_token().claim("roles", json!(["x"])).sign()).await;
    let challenge = crate::kit::header(&response, "www-authenticate").unwrap();
    assert!(challenge.contains("one of: access_as_user, Sovereign.Read."), "{challenge}");
}

#[tokio::test]
async fn policies_are_replaced_together_and_as_many() {
    let guard = guard();
    let token = sovereign_token().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    assert_eq!(guard.verifier().replace_policy(&policy()), Err(PolicyError::Count { wanted: 2, given: 1 }));
    assert_eq!(verdict(&guard, &token).await, "accepted");
    let closed = Policy { clients: Some(Vec::new()), ..sovereign() };
    guard.verifier().replace_policies(&[policy(), closed]).unwrap();
    assert_eq!(verdict(&guard, &token).await, "client_not_allowed");
    assert_eq!(verdict(&guard, &Token::app().sign()).await, "accepted");
}

/// A second authority whose keys come from an endpoint.
fn with_remote(endpoint: &Endpoint, clock: &countersign_token::FakeClock) -> Guard {
    let keys = RemoteKeys::from_jwks_uri(KEYS_URL, Arc::new(endpoint.clone())).unwrap();
    let keys = keys.clock(Arc::new(clock.clone())).build();
    let builder = Guard::builder(fixed(&[genuine()]), &policy()).unwrap();
    builder.also(keys.into(), &sovereign()).unwrap().clock(Arc::new(clock.clone())).build()
}

#[tokio::test(start_paused = true)]
async fn e02_one_authority_that_is_down_is_no_matter_to_the_others_callers() {
    let (endpoint, clock) = (Endpoint::down(), clock());
    let guard = with_remote(&endpoint, &clock);
    assert_eq!(status(&guard, &Token::app().sign()).await, 200);
    assert_eq!(endpoint.calls(), 0, "a token that is settled asks nobody");
    assert_eq!(verdict(&guard, &Token::app().claim("exp", 1).sign()).await, "expired");
    assert_eq!(endpoint.calls(), 0);
    // Whose key nobody at hand has may be the other's.
    assert_eq!(verdict(&guard, &sovereign_token().sign()).await, "keys_unavailable");
    endpoint.publish_set(&sovereign_keys());
    clock.advance(SECOND * 30);
    assert_eq!(verdict(&guard, &sovereign_token().sign()).await, "accepted");
    assert_eq!(verdict(&guard, &Token::app().under(attacker()).sign()).await, "unknown_key");
    endpoint.goes_down();
    clock.advance(SECOND * 30);
    assert_eq!(verdict(&guard, &Token::app().under(attacker()).sign()).await, "key_unconfirmed");
}
