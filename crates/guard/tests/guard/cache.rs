//! Verdicts that are kept: never longer than what they rest on, never for another token, never without bound.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_guard::{Guard, Verifier};
use countersign_token::{Clock, FakeClock, Timestamp, base64url_encode};
use serde_json::json;

use crate::kit::token::{NOW, OTHER_TENANT, SKEW, Token, V2_TEMPLATE, genuine, next, segments};
use crate::kit::{builder, clock, fixed, guard, policy, policy_with, status, verdict};

fn set(clock: &FakeClock, seconds: i64) {
    clock.set(Timestamp::from_unix_seconds(seconds));
}

#[tokio::test]
async fn a102_e14_a_verdict_does_not_outlive_exp() {
    let clock = clock();
    let guard = builder(&policy(), &clock).build();
    let expires = NOW + 3600;
    let token = Token::app().sign();
    for (now, expected) in [(NOW, "accepted"), (expires + SKEW - 1, "accepted"), (expires + SKEW, "expired")] {
        set(&clock, now);
        assert_eq!(verdict(&guard, &token).await, expected, "{now}");
    }
    assert_eq!((status(&guard, &token).await, guard.verifier().cached()), (401, (0, 0)));
}

#[tokio::test]
async fn a102_a_verdict_is_not_used_before_nbf_again() {
    let clock = clock();
    let guard = builder(&policy(), &clock).build();
    let token = Token::app().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    set(&clock, NOW - 300 - SKEW);
    assert_eq!(verdict(&guard, &token).await, "accepted");
    set(&clock, NOW - 300 - SKEW - 1);
    assert_eq!(verdict(&guard, &token).await, "not_yet_valid");
}

#[tokio::test]
async fn a102_d23_a_verdict_does_not_outlive_its_policy() {
    let guard = guard();
    let token = Token::app().sign();
    let changes = [
        ("tenants", json!(["c7e1b5d2-3a40-4f5e-9d1b-2f6a8e0c4d71"]), "tenant_not_allowed"),
        ("issuers", json!(["https://sts.windows.net/{tenantid}/"]), "issuer_mismatch"),
        ("audiences", json!(["api://other"]), "audience_mismatch"),
        ("versions", json!(["1.0"]), "version_not_allowed"),
        ("algorithms", json!(["PS256"]), "algorithm_not_allowed"),
        ("kinds", json!(["user"]), "kind_not_allowed"),
        ("app_roles", json!(["Resource.Write"]), "role_missing"),
        ("clients", json!([]), "client_not_allowed"),
    ];
    for (name, value, expected) in changes {
        assert_eq!(verdict(&guard, &token).await, "accepted");
        guard.verifier().replace_policy(&policy_with(&[(name, value)])).unwrap();
        assert_eq!(verdict(&guard, &token).await, expected);
        guard.verifier().replace_policy(&policy()).unwrap();
    }
    // A smaller skew counts for tokens that were accepted under a larger one.
    let clock = clock();
    let guard = builder(&policy(), &clock).build();
    set(&clock, NOW + 3600 + 30);
    assert_eq!(verdict(&guard, &token).await, "accepted");
    guard.verifier().replace_policy(&policy_with(&[("clock_skew_seconds", json!(0))])).unwrap();
    assert_eq!(verdict(&guard, &token).await, "expired");
}

/// One policy admits the tenant and another the role; no moment between the two admits both.
#[test]
fn a_policy_is_replaced_whole() {
    let issuer = V2_TEMPLATE.replace("{tenantid}", OTHER_TENANT);
    let token = Token::app().claim("tid", OTHER_TENANT).claim("iss", issuer).sign();
    let tenant = policy_with(&[("tenants", json!([OTHER_TENANT])), ("app_roles", json!(["Other"]))]);
    let role = policy();
    let guard = guard();
    let done = AtomicBool::new(false);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let codes: BTreeSet<&str> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                guard.verifier().replace_policy(&tenant).unwrap();
                guard.verifier().replace_policy(&role).unwrap();
            }
        });
        let codes = (0..30_000).map(|_| runtime.block_on(verdict(&guard, &token))).collect();
        done.store(true, Ordering::Relaxed);
        codes
    });
    assert!(codes.iter().all(|code| ["tenant_not_allowed", "role_missing"].contains(code)), "{codes:?}");
}

#[tokio::test]
async fn a_policy_that_cannot_be_kept_replaces_nothing() {
    let guard = guard();
    let token = Token::app().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    for (name, value) in
        [("issuers", json!(["https://example.com/"])), ("clock_skew_seconds", json!(301)), ("audiences", json!([""]))]
    {
        assert!(guard.verifier().replace_policy(&policy_with(&[(name, value)])).is_err(), "{name}");
        assert_eq!(verdict(&guard, &token).await, "accepted", "{name}");
    }
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let clock = clock();
    let guard = builder(&policy(), &clock).build();
    let early = Token::app().claim("nbf", NOW + 600).sign();
    assert_eq!(verdict(&guard, &early).await, "not_yet_valid");
    assert_eq!(guard.verifier().cached().0, 0);
    set(&clock, NOW + 600);
    assert_eq!(verdict(&guard, &early).await, "accepted");
}

#[tokio::test]
async fn a101_the_same_signature_under_another_text_is_another_token() {
    let guard = guard();
    let token = Token::app().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    let [header, payload, signature] = segments(&token);
    let write = Token::app().claim("roles", json!(["Resource.Read", "Resource.Write"]));
    let claims = base64url_encode(write.claims.to_string().as_bytes());
    let renamed = base64url_encode(Token::app().header("kid", next().key_id()).header.to_string().as_bytes());
    // One letter of the payload replaced by another of the alphabet.
    let swapped = payload.replacen('M', "N", 1);
    assert_ne!(swapped, payload);
    for (what, twin) in [
        ("other claims", format!("{header}.{claims}.{signature}")),
        ("another key", format!("{renamed}.{payload}.{signature}")),
        ("one letter", format!("{header}.{swapped}.{signature}")),
        ("a longer text", format!("{header}.{payload}{payload}.{signature}")),
        ("its tail alone", token[token.len() - 64..].to_owned()),
        ("half a signature more", format!("{header}.{payload}.{signature}{}", &signature[signature.len() - 64..])),
    ] {
        assert!(twin.ends_with(&token[token.len() - 64..]), "{what}: not what this test is about");
        assert_eq!(status(&guard, &twin).await, 401, "{what}");
    }
    assert_eq!(verdict(&guard, &token).await, "accepted");
}

#[tokio::test]
async fn two_good_tokens_are_told_apart_by_their_whole_text() {
    let guard = guard();
    let reader = Token::app().claim("uti", "reader").sign();
    let writer = Token::app().claim("uti", "writer").claim("roles", json!(["Resource.Read", "Resource.Write"])).sign();
    for _ in 0..2 {
        for (token, id, roles) in [(&reader, "reader", 1), (&writer, "writer", 2)] {
            let caller = guard.verifier().verify(token).await.unwrap();
            assert_eq!((caller.token_id(), caller.roles().count()), (Some(id), roles));
        }
    }
    assert_eq!(guard.verifier().cached().0, 2);
}

/// So many good tokens, signed once; enough to overrun any cache that is made small enough.
fn good_tokens() -> &'static [String] {
    static TOKENS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    TOKENS.get_or_init(|| (0..600).map(|number| Token::app().claim("uti", format!("{number:022}")).sign()).collect())
}

fn small(bytes: u64) -> Guard {
    builder(&policy(), &clock()).cache_bytes(bytes).build()
}

#[tokio::test]
async fn e13_good_tokens_are_bounded_in_bytes() {
    let token = &good_tokens()[0];
    let guard = small(64 << 20);
    let payload = guard.verifier().verify(token).await.unwrap().payload().len() as u64;
    let (_, size) = guard.verifier().cached();
    // The claims and what it takes to keep them; not the text.
    assert!((payload + 200..payload + 900).contains(&size), "a payload of {payload} bytes is counted as {size}");
    assert!(size < payload + token.len() as u64, "{size}");
    for capacity in [size * 100, size * 10, size * 3] {
        let guard = small(capacity);
        for token in good_tokens() {
            assert_eq!(verdict(&guard, token).await, "accepted");
            assert!(guard.verifier().cached().1 <= capacity, "{:?} of {capacity}", guard.verifier().cached());
        }
        let (count, bytes) = guard.verifier().cached();
        assert!(count > 0 && bytes == size * count as u64, "{count} tokens, {bytes} of {capacity} bytes");
    }
}

#[tokio::test]
async fn a_token_that_goes_on_calling_stays_while_others_pass_by() {
    let guard = small(300_000);
    let (regular, others) = good_tokens().split_first().unwrap();
    let caller = guard.verifier().verify(regular).await.unwrap();
    let mut again = 0;
    for token in others {
        verdict(&guard, token).await;
        again += usize::from(Arc::ptr_eq(&caller, &guard.verifier().verify(regular).await.unwrap()));
    }
    // The very same verdict, not one reached anew.
    assert_eq!(again, others.len());
}

#[tokio::test]
async fn without_a_cache_everything_works() {
    let guard = small(0);
    for _ in 0..3 {
        assert_eq!(status(&guard, &good_tokens()[0]).await, 200);
        assert_eq!(status(&guard, &Token::app().unsigned()).await, 401);
    }
    assert_eq!(guard.verifier().cached(), (0, 0));
    let boundless = small(u64::MAX);
    for token in good_tokens() {
        assert_eq!(verdict(&boundless, token).await, "accepted");
    }
    assert_eq!(boundless.verifier().cached().0, good_tokens().len());
}

#[tokio::test]
async fn a_verifier_serves_other_transports() {
    let clock: Arc<dyn Clock> = Arc::new(clock());
    let verifier = Verifier::builder(fixed(&[genuine()]), &policy()).unwrap().clock(clock).cache_bytes(1 << 20).build();
    verifier.ready().await.unwrap();
    assert_eq!(verifier.verify(&Token::app().sign()).await.unwrap().tenant().to_string(), crate::kit::token::TENANT);
    let bare = Token::app().without("roles").sign();
    for _ in 0..2 {
        assert_eq!(verifier.verify(&bare).await.unwrap_err().code(), "no_permission");
    }
    let printed = format!("{verifier:?}");
    assert!(!printed.contains(&segments(&bare)[1][..20]), "{printed}");
}
