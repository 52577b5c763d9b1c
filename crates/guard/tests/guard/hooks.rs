//! What the service itself says about genuine callers: tenants, revocation, groups that are elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use countersign_discovery::BoxFuture;
use countersign_guard::{Claims, GroupResolver, Guard, Policy, Verified};
use countersign_token::{NumericDate, ObjectId};
use serde_json::json;

use crate::kit::token::{NOW, OTHER_TENANT, TENANT, Token, V2_TEMPLATE};
use crate::kit::{answer, builder, clock, policy, policy_with, status, verdict};

const GROUP: &str = "55555555-0d2e-4c8a-9d43-0f0f2d4a5c11";
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn any_tenant() -> Policy {
    policy_with(&[("any_tenant", json!(true)), ("tenants", json!([TENANT]))])
}

fn of_tenant(tenant: &str) -> String {
    Token::app().claim("tid", tenant).claim("iss", V2_TEMPLATE.replace("{tenantid}", tenant)).sign()
}

#[tokio::test]
async fn a83_any_tenant_asks_the_service_about_each_that_is_not_listed() {
    let customer = Arc::new(AtomicUsize::new(1));
    let asked = Arc::clone(&customer);
    let guard = builder(&any_tenant(), &clock())
        .tenants(move |tenant| tenant.to_string() == OTHER_TENANT && asked.load(Ordering::SeqCst) == 1)
        .build();
    for _ in 0..2 {
        assert_eq!(verdict(&guard, &of_tenant(TENANT)).await, "accepted");
        assert_eq!(verdict(&guard, &of_tenant(OTHER_TENANT)).await, "accepted");
        assert_eq!(verdict(&guard, &of_tenant("00000000-3a40-4f5e-9d1b-2f6a8e0c4d71")).await, "tenant_not_allowed");
        assert_eq!(verdict(&guard, &of_tenant(CONSUMERS)).await, "tenant_not_allowed");
    }
    // A customer who left is out with the next request, known token or not.
    customer.store(0, Ordering::SeqCst);
    assert_eq!(verdict(&guard, &of_tenant(OTHER_TENANT)).await, "tenant_not_allowed");
    assert_eq!(verdict(&guard, &of_tenant(TENANT)).await, "accepted");
}

#[tokio::test]
async fn a83_any_tenant_without_anybody_to_decide_lets_the_listed_ones_in_alone() {
    let guard = builder(&any_tenant(), &clock()).build();
    for _ in 0..2 {
        assert_eq!(verdict(&guard, &of_tenant(TENANT)).await, "accepted");
        assert_eq!(verdict(&guard, &of_tenant(OTHER_TENANT)).await, "tenant_not_allowed");
    }
}

#[tokio::test]
async fn a104_a_revoked_session_ends_at_once_although_its_token_is_known() {
    let since = Arc::new(AtomicI64::new(0));
    let asked = Arc::clone(&since);
    let revoked_before = move |caller: &Verified<Claims>| {
        let since = NumericDate(asked.load(Ordering::SeqCst));
        (caller.issued_at() < Some(since)).then_some(since)
    };
    let guard = builder(&policy(), &clock()).revocation(revoked_before).build();
    let token = Token::user().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    since.store(NOW, Ordering::SeqCst);
    assert_eq!(verdict(&guard, &token).await, "revoked");
    assert_eq!(status(&guard, &token).await, 401);
    let newer = Token::user().claim("iat", NOW).sign();
    assert_eq!(verdict(&guard, &newer).await, "accepted");
}

/// Says that every user is in these groups, or that it cannot tell.
#[derive(Debug)]
struct Graph(Option<Vec<ObjectId>>, AtomicUsize);

impl GroupResolver for Graph {
    fn groups<'a>(&'a self, _: &'a Verified<Claims>) -> BoxFuture<'a, Option<Vec<ObjectId>>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            tokio::task::yield_now().await;
            self.0.clone()
        })
    }
}

fn grouped(graph: Option<&Arc<Graph>>) -> Guard {
    let builder = builder(&policy_with(&[("groups", json!([GROUP]))]), &clock());
    match graph {
        Some(graph) => builder.groups(Arc::clone(graph) as Arc<dyn GroupResolver>).build(),
        None => builder.build(),
    }
}

#[tokio::test]
async fn a_user_with_too_many_groups_is_decided_by_whoever_knows_them() {
    let overage = Token::user().claim("_claim_names", json!({"groups": "src1"})).sign();
    let listed = Token::user().claim("groups", json!([GROUP])).sign();
    for _ in 0..2 {
        assert_eq!(verdict(&grouped(None), &overage).await, "group_overage");
        assert_eq!(status(&grouped(None), &overage).await, 403);
    }
    let member = Arc::new(Graph(Some(vec![GROUP.parse().unwrap()]), AtomicUsize::new(0)));
    let guard = grouped(Some(&member));
    for _ in 0..2 {
        assert_eq!(verdict(&guard, &overage).await, "accepted");
        assert_eq!(status(&guard, &overage).await, 200);
        assert_eq!(verdict(&guard, &listed).await, "accepted");
        assert_eq!(verdict(&guard, &Token::user().sign()).await, "group_missing");
    }
    assert_eq!(member.1.load(Ordering::SeqCst), 4, "asked for those whose groups are elsewhere, and for nobody else");
    let stranger = Arc::new(Graph(Some(Vec::new()), AtomicUsize::new(0)));
    assert_eq!(verdict(&grouped(Some(&stranger)), &overage).await, "group_missing");
    let silent = Arc::new(Graph(None, AtomicUsize::new(0)));
    let response = answer(&grouped(Some(&silent)), &overage).await;
    assert_eq!((response.status().as_u16(), crate::kit::header(&response, "retry-after")), (503, Some("5")));
}

/// A resolver during whose answer something happens.
struct Meanwhile<F>(F);

impl<F> std::fmt::Debug for Meanwhile<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl<F: Fn() + Send + Sync + 'static> GroupResolver for Meanwhile<F> {
    fn groups<'a>(&'a self, _: &'a Verified<Claims>) -> BoxFuture<'a, Option<Vec<ObjectId>>> {
        Box::pin(async {
            tokio::task::yield_now().await;
            self.0();
            Some(vec![GROUP.parse().unwrap()])
        })
    }
}

#[tokio::test]
async fn what_changes_while_groups_are_asked_for_is_not_overlooked() {
    let overage = Token::user().claim("_claim_names", json!({"groups": "src1"})).sign();
    let grouped = || policy_with(&[("groups", json!([GROUP]))]);
    let cell: Arc<std::sync::OnceLock<Guard>> = Arc::default();
    let replaced = {
        let cell = Arc::clone(&cell);
        move || cell.get().unwrap().verifier().replace_policy(&policy_with(&[("audiences", json!(["other"]))])).unwrap()
    };
    let guard = builder(&grouped(), &clock()).groups(Arc::new(Meanwhile(replaced))).build();
    cell.set(guard.clone()).unwrap();
    assert_eq!(verdict(&guard, &overage).await, "groups_unavailable", "503: come again");
    assert_eq!(verdict(&guard, &overage).await, "audience_mismatch");

    let clock = clock();
    let late = {
        let clock = clock.clone();
        move || clock.advance(2 * crate::kit::HOUR)
    };
    let guard = builder(&grouped(), &clock).groups(Arc::new(Meanwhile(late))).build();
    assert_eq!(verdict(&guard, &overage).await, "expired");
}

#[tokio::test]
async fn nobody_is_asked_about_the_users_of_tenants_that_are_none_of_ours() {
    let graph = Arc::new(Graph(Some(vec![GROUP.parse().unwrap()]), AtomicUsize::new(0)));
    let policy = policy_with(&[("any_tenant", json!(true)), ("groups", json!([GROUP]))]);
    let guard = builder(&policy, &clock()).groups(Arc::clone(&graph) as Arc<dyn GroupResolver>).build();
    let stranger = Token::user()
        .claim("_claim_names", json!({"groups": "src1"}))
        .claim("tid", OTHER_TENANT)
        .claim("iss", V2_TEMPLATE.replace("{tenantid}", OTHER_TENANT))
        .sign();
    for _ in 0..2 {
        assert_eq!(verdict(&guard, &stranger).await, "tenant_not_allowed");
    }
    assert_eq!(graph.1.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_resolver_is_asked_of_genuine_callers_alone() {
    let graph = Arc::new(Graph(Some(vec![GROUP.parse().unwrap()]), AtomicUsize::new(0)));
    let guard = grouped(Some(&graph));
    let overage = Token::user().claim("_claim_names", json!({"groups": "src1"}));
    assert_eq!(
        verdict(&guard, &overage.clone().signed_by(crate::kit::token::attacker()).sign()).await,
        "signature_invalid"
    );
    assert_eq!(verdict(&guard, &overage.clone().claim("exp", 1).sign()).await, "expired");
    assert_eq!(graph.1.load(Ordering::SeqCst), 0);
    // In a wanted group, and still without the scope.
    assert_eq!(verdict(&guard, &overage.claim("scp", "other").sign()).await, "scope_missing");
}
