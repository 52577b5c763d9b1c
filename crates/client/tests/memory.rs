//! What a hundred thousand users cost in memory. A program of its own, since it looks at the whole process.
#![expect(clippy::unwrap_used, reason = "tests")]
#![cfg(target_os = "linux")]

mod support;

use countersign_client::{TokenCache, UserAssertion};
use serde_json::json;
use support::{Endpoint, SECRET, START, builder, clock, jws, ok, scopes};

const USERS: usize = 100_000;
/// An access token for Microsoft Graph has some 2 kB.
const TOKEN: usize = 2000;

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn an_on_behalf_of_entry_takes_at_most_a_quarter_more_than_its_token() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    endpoint.forgets();
    endpoint.answers(|_| ok(&json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "t".repeat(TOKEN)})));
    let cache = TokenCache::with_capacity(USERS + 1);
    let client = builder(&endpoint, &clock).cache(cache.clone()).secret(SECRET.to_owned()).build().unwrap();
    let graph = scopes("https://graph.microsoft.com");
    let ask = async |user: usize| {
        let assertion = UserAssertion::new(jws(&json!({"oid": user, "exp": START + 3600}))).unwrap();
        client.acquire_token_on_behalf_of(&assertion, &graph).await.unwrap();
    };
    ask(USERS).await;
    let before = resident();
    for user in 0..USERS {
        ask(user).await;
    }
    let grown = resident().saturating_sub(before);
    let ratio = grown as f64 / (USERS * TOKEN) as f64;
    eprintln!("{USERS} users: {grown} bytes, {ratio:.3} times their tokens; {} by its own count", cache.bytes());
    assert_eq!(client.cached_tokens(), USERS + 1);
    assert!(ratio <= 1.25, "{ratio}");
    assert!((0.8..1.2).contains(&(cache.bytes() as f64 / grown as f64)), "the count is honest: {}", cache.bytes());
}
