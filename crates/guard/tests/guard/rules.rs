//! Rules of routes: conditions of the service's own, permissions by name, and what binds under every rule.

use countersign_guard::{Guard, GuardedRouter, Permission, PolicyError, Rule, StartError, Verifier};
use http::Request;
use serde_json::json;
use tower::{Layer, ServiceExt};

use crate::kit::service::Inside;
use crate::kit::token::{OTHER_CLIENT, Token};
use crate::kit::{bearer, builder, clock, guard, policy, policy_json, policy_with};

async fn status_under(guard: &Guard, rule: impl Into<Rule>, token: &str) -> u16 {
    let layer = guard.layer_under(rule).unwrap();
    layer.layer(Inside::default()).oneshot(bearer(token)).await.unwrap().status().as_u16()
}

async fn code_under(verifier: &Verifier, rule: impl Into<Rule>, token: &str) -> &'static str {
    let rule = verifier.register(rule).unwrap();
    // Twice: the second time the verdict is known.
    let first = verifier.verify_under(token, &rule).await.map_or_else(|refusal| refusal.code(), |_| "accepted");
    let second = verifier.verify_under(token, &rule).await.map_or_else(|refusal| refusal.code(), |_| "accepted");
    assert_eq!(first, second);
    first
}

#[tokio::test]
async fn a_condition_of_the_services_own_refuses_with_its_name_and_never_admits() {
    let guard = guard();
    let token = Token::app().claim("desk", "orders").sign();
    let at_desk = |desk: &'static str| {
        Rule::from(Permission::any_app_role(["Resource.Read"]))
            .and("at the desk", move |caller| caller.claim("desk").is_some_and(|it| it == desk))
    };
    assert_eq!(status_under(&guard, at_desk("orders"), &token).await, 200);
    assert_eq!(status_under(&guard, at_desk("returns"), &token).await, 403);
    assert_eq!(code_under(guard.verifier(), at_desk("returns"), &token).await, "predicate_unmet");
    // What the rule itself refuses is refused for that reason, whatever the condition would say.
    let always = Rule::from(Permission::any_app_role(["Resource.Write"])).and("always", |_| true);
    assert_eq!(code_under(guard.verifier(), always, &token).await, "role_missing");
}

#[tokio::test]
async fn a_condition_of_the_guard_binds_under_every_rule() {
    let clock = clock();
    let strict = builder(&policy(), &clock).predicate("no robots", |caller| caller.claim("robot").is_none()).build();
    let robot = Token::app().claim("robot", true).sign();
    assert_eq!(crate::kit::verdict(&strict, &robot).await, "predicate_unmet");
    let own = Permission::any_app_role(["Resource.Read"]);
    assert_eq!(code_under(strict.verifier(), own, &robot).await, "predicate_unmet");
    assert_eq!(crate::kit::verdict(&strict, &Token::app().sign()).await, "accepted");
}

#[tokio::test]
async fn what_the_policy_demands_of_callers_binds_under_every_rule() {
    let clock = clock();
    let rule = || Permission::any_app_role(["Resource.Read"]).or(Permission::any_scope(["access_as_user"]));
    let group = "55555555-0d2e-4c8a-9d43-0f0f2d4a5c11";
    for (name, value, token, expected) in [
        ("clients", json!([OTHER_CLIENT]), Token::app(), "client_not_allowed"),
        ("kinds", json!(["user"]), Token::app(), "kind_not_allowed"),
        ("client_authentication", json!(["certificate"]), Token::app(), "client_authentication_not_allowed"),
        ("guests", json!("refuse"), Token::user().claim("acct", 1), "guest_not_allowed"),
        ("groups", json!([group]), Token::user(), "group_missing"),
        ("acrs", json!(["c1"]), Token::user(), "authentication_context_missing"),
    ] {
        let guard = builder(&policy_with(&[(name, value)]), &clock).build();
        assert_eq!(code_under(guard.verifier(), rule(), &token.sign()).await, expected, "{name}");
    }
    assert_eq!(code_under(guard().verifier(), rule(), &Token::user().sign()).await, "accepted");
}

#[tokio::test]
async fn a_permission_by_name_is_the_policys_and_changes_with_it() {
    let named =
        |role: &str| policy_with(&[("permissions", json!({"orders.write": {"kinds": ["app"], "app_roles": [role]}}))]);
    let guard = builder(&named("Resource.Write"), &clock()).build();
    let rule = guard.verifier().register(Rule::named("orders.write")).unwrap();
    let token = Token::app().claim("roles", json!(["Resource.Write"])).sign();
    assert!(guard.verifier().verify_under(&token, &rule).await.is_ok());
    guard.verifier().replace_policy(&named("Resource.Admin")).unwrap();
    assert_eq!(guard.verifier().verify_under(&token, &rule).await.unwrap_err().code(), "role_missing");
    // D25: a policy without the name replaces nothing.
    let error = guard.verifier().replace_policy(&policy()).unwrap_err();
    assert_eq!(error, PolicyError::UnknownPermission("orders.write".to_owned()));
    guard.verifier().replace_policy(&named("Resource.Write")).unwrap();
    assert!(guard.verifier().verify_under(&token, &rule).await.is_ok());
    let unknown = guard.verifier().register(Rule::named("x")).unwrap_err();
    assert_eq!(unknown, PolicyError::UnknownPermission("x".to_owned()));
}

#[test]
fn a_route_whose_permission_the_policy_does_not_have_does_not_start() {
    let handler = || axum::routing::get(|| async {});
    let start = GuardedRouter::<()>::new(guard())
        .route("/a", handler())
        .requires(Rule::named("a"))
        .route("/b", handler())
        .requires(Permission::any_app_role(["Resource.Read"]))
        .into_router();
    assert_eq!(start.unwrap_err(), StartError::UnknownPermission(vec!["/a".to_owned()]));
}

#[test]
fn the_listing_names_conditions_and_named_permissions() {
    let named = policy_with(&[("permissions", json!({"read": {"app_roles": ["Resource.Read"]}}))]);
    let router = GuardedRouter::<()>::new(builder(&named, &clock()).build())
        .route("/a", axum::routing::get(|| async {}))
        .requires(Rule::named("read").and("at the desk", |_| true).and("awake", |_| true))
        .route("/b", axum::routing::get(|| async {}))
        .requires(Rule::own());
    let expected =
        ["/a: the policy's permission \"read\", and at the desk, and awake", "/b: the policy's own permission"];
    assert_eq!(router.listing(), expected);
    assert!(router.into_router().is_ok());
    let guard = builder(&named, &clock()).build();
    let listed = guard.verifier().listing();
    let read = |line: &String| serde_json::from_str::<countersign_guard::Policy>(line).unwrap();
    assert_eq!(listed.iter().map(read).collect::<Vec<_>>(), [named]);
    guard.verifier().replace_policy(&policy()).unwrap();
    assert_ne!(guard.verifier().listing(), listed, "what is in force is what is listed");
}

/// The bits of an entry hold 64 rules; the 65th is asked for at every hit, and gets the same answers.
#[tokio::test]
async fn rules_beyond_those_that_an_entry_holds_are_kept_too() {
    let guard = guard();
    let token = Token::app().sign();
    let rules: Vec<_> = (0..130)
        .map(|number| {
            let role = if number % 2 == 0 { "Resource.Read".to_owned() } else { format!("Resource.Write.{number}") };
            let role = Permission::any_app_role([role, format!("Other.{number}")]);
            guard.verifier().register(role).unwrap()
        })
        .collect();
    for _ in 0..2 {
        for (number, rule) in rules.iter().enumerate() {
            let verdict = guard.verifier().verify_under(&token, rule).await;
            assert_eq!(verdict.is_ok(), number % 2 == 0, "{number}");
        }
    }
    assert_eq!(guard.verifier().cached().0, 1);
    // A rule that is known already is no new one, and costs no verdict.
    let same = guard.verifier().register(Permission::any_app_role(["Resource.Read"])).unwrap();
    let caller = guard.verifier().verify_under(&token, &same).await.unwrap();
    for _ in 0..1_000 {
        let again = guard.verifier().register(Permission::any_app_role(["Resource.Read"])).unwrap();
        assert!(std::sync::Arc::ptr_eq(&caller, &guard.verifier().verify_under(&token, &again).await.unwrap()));
    }
}

#[tokio::test]
async fn any_server_can_ask_the_guard_with_headers_alone() {
    let guard = guard();
    let rule = guard.verifier().register(Rule::own()).unwrap();
    let ask = |request: Request<axum::body::Body>| {
        let (guard, rule) = (guard.clone(), rule.clone());
        async move { guard.check(request.headers(), request.extensions(), &rule).await }
    };
    assert!(ask(bearer(&Token::app().sign())).await.is_ok());
    let answer = ask(bearer(&Token::app().claim("roles", json!([])).sign())).await.unwrap_err();
    assert_eq!((answer.status.as_u16(), answer.retry_after), (403, None));
    assert!(answer.www_authenticate.unwrap().to_str().unwrap().contains("insufficient_scope"));
    assert_eq!(policy_json()["app_roles"], json!(["Resource.Read"]));
}

#[tokio::test]
async fn a_rule_of_another_verifier_lets_nobody_in() {
    // Both are the first that were registered, so that their numbers are the same.
    let (ours, theirs) = (guard(), guard());
    let lax = ours.verifier().register(Permission::any_app_role(["Resource.Read"])).unwrap();
    let strict = theirs.verifier().register(Permission::any_app_role(["Resource.Administer"])).unwrap();
    let token = Token::app().sign();
    assert!(ours.verifier().verify_under(&token, &lax).await.is_ok());
    // The verdict is known by now, and says under which number it was admitted.
    let refusal = ours.verifier().verify_under(&token, &strict).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.status().as_u16()), ("foreign_rule", 500));
    let refused = ours.check(bearer(&token).headers(), &http::Extensions::new(), &strict).await.unwrap_err();
    assert_eq!((refused.status.as_u16(), refused.www_authenticate), (500, None));
    assert!(theirs.verifier().verify_under(&token, &strict).await.is_err());
}

#[tokio::test]
async fn what_restricts_users_does_not_pass_for_a_restriction_of_applications() {
    let group = || ["55555555-0d2e-4c8a-9d43-0f0f2d4a5c11".parse().unwrap()];
    let roles = || Permission::any_app_role(["Resource.Read"]);
    let token = Token::app().sign();
    for (rule, code) in [
        (roles().in_any_group(group()), "group_missing"),
        (roles().with_authentication_context("c1"), "authentication_context_missing"),
    ] {
        assert!(rule.lets_nobody_in(), "a router does not start with it");
        let guard = guard();
        let rule = guard.verifier().register(rule).unwrap();
        assert_eq!(guard.verifier().verify_under(&token, &rule).await.unwrap_err().code(), code);
    }
    // Beside users an application passes by its roles.
    let both = roles().or(Permission::any_scope(["access_as_user"])).in_any_group(group());
    let guard = guard();
    let rule = guard.verifier().register(both).unwrap();
    assert!(guard.verifier().verify_under(&token, &rule).await.is_ok());
    // In a policy it is said at once.
    for (member, value) in [("groups", json!(["55555555-0d2e-4c8a-9d43-0f0f2d4a5c11"])), ("acrs", json!(["c1"]))] {
        let policy = policy_with(&[("kinds", json!(["app"])), (member, value)]);
        let error = policy.compile().unwrap_err();
        assert!(error.to_string().starts_with(member), "{error}");
    }
}
