//! Tokens of the test kit: each good until it is told otherwise, and spoiled in one way each.

use std::sync::Arc;

use countersign_guard::test_kit::TestAuthority;
use countersign_guard::{Guard, Policy, TokenKind};
use countersign_token::{FakeClock, KeySet, Timestamp};
use serde_json::json;

use crate::{guarded, policy};

async fn verdict(guard: &Guard, token: &str) -> &'static str {
    guard.verifier().verify(token).await.map_or_else(|refusal| refusal.code(), |_| "accepted")
}

#[tokio::test]
async fn one_line_for_each_token() {
    let (guard, authority) = guarded();
    let tenant = "c7e1b5d2-3a40-4f5e-9d1b-2f6a8e0c4d71".parse().unwrap();
    for (token, expected) in [
        (authority.app(["Orders.Read"]).token(), "accepted"),
        (authority.user(["access_as_user"]).token(), "accepted"),
        (authority.user(["profile", "access_as_user"]).token(), "accepted"),
        (authority.app(Vec::<String>::new()).token(), "no_permission"),
        (authority.user(["profile"]).token(), "scope_missing"),
        (authority.app(["Orders.Read"]).expired().token(), "expired"),
        (authority.app(["Orders.Read"]).forged(), "signature_invalid"),
        (authority.app(["Orders.Read"]).tenant(tenant).token(), "tenant_not_allowed"),
        (authority.app(["Orders.Read"]).claim("aud", "api://other").token(), "audience_mismatch"),
        (authority.app(["Orders.Read"]).without("oid").token(), "claim_missing"),
    ] {
        assert_eq!(verdict(&guard, &token).await, expected);
    }
    let client = "f3b1c0de-5a77-4d0e-8b1c-9d2e4f60a713";
    let object = "77777777-5a77-4d0e-8b1c-9d2e4f60a713";
    let order = authority.app(["Orders.Read"]).client(client.parse().unwrap()).object(object.parse().unwrap());
    let caller = guard.verifier().verify(&order.token()).await.unwrap();
    assert_eq!((caller.client().to_string(), caller.object_id().unwrap().to_string()), (client.into(), object.into()));
    assert_eq!((caller.kind(), caller.subject()), (TokenKind::App, object));
}

#[tokio::test]
async fn tokens_fit_policies_of_many_shapes() {
    for changes in [
        json!({"versions": ["1.0"]}),
        json!({"versions": ["2.0"]}),
        json!({"algorithms": ["PS256"]}),
        json!({"clients": ["f3b1c0de-5a77-4d0e-8b1c-9d2e4f60a713"]}),
        json!({"audiences": ["api://only"]}),
        json!({"client_authentication": ["certificate"], "guests": "refuse"}),
    ] {
        let mut shape = serde_json::to_value(policy()).unwrap();
        shape.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let policy: Policy = serde_json::from_value(shape).unwrap();
        let authority = TestAuthority::of(&policy);
        let guard = Guard::builder(authority.keys(), &policy).unwrap().build();
        assert_eq!(verdict(&guard, &authority.app(["Orders.Read"]).token()).await, "accepted", "{changes}");
        assert_eq!(verdict(&guard, &authority.user(["access_as_user"]).token()).await, "accepted", "{changes}");
    }
}

#[tokio::test]
async fn it_issues_by_the_clock_it_is_given_and_publishes_its_keys() {
    let clock = FakeClock::at(Timestamp::from_unix_seconds(1_000_000_000));
    let authority = TestAuthority::of(&policy()).clock(Arc::new(clock.clone()));
    let guard = Guard::builder(authority.keys(), &policy()).unwrap().clock(Arc::new(clock)).build();
    assert_eq!(verdict(&guard, &authority.app(["Orders.Read"]).token()).await, "accepted");
    assert_eq!(KeySet::parse(authority.jwks().as_bytes()).unwrap().len(), 1);
    assert!(!format!("{authority:?}{:?}", authority.app(["x"])).contains("BEGIN"));
}
