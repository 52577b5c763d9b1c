//! Policies: what parses is written as it was read, what compiles keeps its bounds, and what a policy accepts is what it
//! says: genuine tokens of two tenants are put before it, and none of them altered passes any policy at all.

#![no_main]

use std::sync::LazyLock;

use countersign_fuzz::{AUTHORITY, NOW, OTHER_TENANT, TENANT, genuine_claims, place, spoiled};
use countersign_token::policy::Guests;
use countersign_token::{Algorithm, Claims, Policy, Timestamp, TokenKind, Verified, authenticate, verify};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// An application's and a user's token of both versions, of this tenant and of another, under both algorithms.
static TOKENS: LazyLock<Vec<(Algorithm, String)>> = LazyLock::new(|| {
    let mut tokens = Vec::new();
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        for claims in genuine_claims() {
            let moved: Value = serde_json::from_str(&claims.to_string().replace(TENANT, OTHER_TENANT)).unwrap();
            tokens.extend([claims, moved].map(|claims| (algorithm, AUTHORITY.genuine(algorithm, &claims))));
        }
    }
    tokens
});

/// A second, plain reading of what the policy says about whose token this is.
fn is_meant(policy: &Policy, algorithm: Algorithm, token: &Verified<Claims>) {
    let tenant = token.tenant();
    assert!(policy.tenants.contains(&tenant) || policy.any_tenant);
    assert!(policy.audiences.iter().any(|audience| audience == token.audience()));
    assert!(policy.issuers.iter().any(|it| it.replace("{tenantid}", &tenant.to_string()) == token.issuer()));
    assert!(policy.versions.contains(&token.version()) && policy.algorithms.contains(&algorithm));
}

/// And of what it says about what the bearer must hold.
fn is_permitted(policy: &Policy, token: &Verified<Claims>) {
    assert!(policy.kinds.contains(&token.kind()));
    assert!(policy.clients.as_ref().is_none_or(|clients| clients.contains(&token.client())));
    let (any, all, held): (_, _, Vec<&str>) = match token.kind() {
        TokenKind::App => (&policy.app_roles, &policy.all_app_roles, token.roles().collect()),
        TokenKind::User => (&policy.scopes, &policy.all_scopes, token.scopes().collect()),
    };
    // Every token here has a role or a scope, so the permission to have none does not help it.
    assert!(!(any.is_empty() && all.is_empty()));
    assert!(any.is_empty() || any.iter().any(|wanted| held.contains(&wanted.as_str())));
    assert!(all.iter().all(|wanted| held.contains(&wanted.as_str())));
    if let Some(ways) = &policy.client_authentication {
        assert!(ways.contains(&token.client_authenticated_by().unwrap()));
    }
    if token.kind() == TokenKind::User {
        assert!(policy.guests == Guests::Admit || !token.is_guest());
        assert!(policy.acrs.iter().all(|wanted| token.authentication_contexts().any(|it| it == wanted)));
        let is_in = |group: &str| policy.groups.iter().flatten().any(|wanted| wanted.to_string() == group);
        assert!(policy.groups.is_none() || token.groups().any(is_in));
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(policy) = serde_json::from_slice::<Policy>(input) else { return };
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    let Ok(validator) = policy.compile() else { return };
    assert!((0..=300).contains(&validator.clock_skew_seconds()));
    assert!(!policy.allow_without_permission || policy.clients.is_some());
    let now = Timestamp::from_unix_seconds(NOW);
    for (algorithm, token) in &*TOKENS {
        if let Ok(token) = authenticate(token, &AUTHORITY.keys, &validator, now) {
            is_meant(&policy, *algorithm, &token);
        }
        if let Ok(token) = verify(token, &AUTHORITY.keys, &validator, now) {
            is_permitted(&policy, &token);
        }
    }
    let (_, token) = &TOKENS[place(input, TOKENS.len())];
    let altered = spoiled(token, place(&input[1..], token.len()));
    assert!(authenticate(&altered, &AUTHORITY.keys, &validator, now).is_err(), "nobody signed it so");
});
