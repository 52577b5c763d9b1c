//! Tokens that processes share: one request for the fleet, nothing readable outside, and work as usual without the cache.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

#[cfg(unix)]
mod files;
mod fleet;
mod redis;
mod sessions;
#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_client::{
    AcquireError, BoxFuture, Cause, ConfidentialClient, RequestOptions, SharedCache, SharedTokens, TokenCache,
    UserAssertion,
};
use countersign_token::{Clock as _, FakeClock, RootKey, SystemRandomness};
use futures_util::future::join_all;
use serde_json::json;
use support::{Endpoint, SECRET, START, builder, clock, jws, scopes, settle};

const KEY: [u8; 32] = [7; 32];

/// A shared cache in this process; it can be gone, or hang.
#[derive(Debug, Clone, Default)]
struct Memory {
    entries: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    rights: Arc<Mutex<HashMap<String, String>>>,
    operations: Arc<AtomicUsize>,
    gone: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
}

impl Memory {
    fn operation<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> BoxFuture<'_, Result<T, Cause>> {
        let memory = self.clone();
        Box::pin(async move {
            memory.operations.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if memory.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if memory.gone.load(Ordering::SeqCst) {
                return Err("connection refused".into());
            }
            Ok(work(&memory))
        })
    }
}

impl SharedCache for Memory {
    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, Cause>> {
        let name = name.to_owned();
        self.operation(move |memory| memory.entries.lock().unwrap().get(&name).cloned())
    }

    fn put(&self, name: &str, value: Vec<u8>, _life: Duration) -> BoxFuture<'_, Result<(), Cause>> {
        let name = name.to_owned();
        self.operation(move |memory| drop(memory.entries.lock().unwrap().insert(name, value)))
    }

    fn remove(&self, name: &str) -> BoxFuture<'_, Result<(), Cause>> {
        let name = name.to_owned();
        self.operation(move |memory| drop(memory.entries.lock().unwrap().remove(&name)))
    }

    fn lock(&self, name: &str, owner: &str, _life: Duration) -> BoxFuture<'_, Result<bool, Cause>> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.operation(move |memory| match memory.rights.lock().unwrap().entry(name) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(owner);
                true
            }
        })
    }

    fn unlock(&self, name: &str, owner: &str) -> BoxFuture<'_, Result<(), Cause>> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.operation(move |memory| {
            let mut rights = memory.rights.lock().unwrap();
            if rights.get(&name) == Some(&owner) {
                rights.remove(&name);
            }
        })
    }
}

/// A client as another process has it: with a memory of its own.
fn process(endpoint: &Endpoint, clock: &FakeClock, cache: impl SharedCache, key: [u8; 32]) -> ConfidentialClient {
    builder(endpoint, clock)
        .randomness(Arc::new(SystemRandomness))
        .cache(TokenCache::default())
        .shared_tokens(SharedTokens::new(Arc::new(cache), &RootKey::from_bytes(key)).unwrap())
        .secret(SECRET.to_owned())
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn fifty_processes_make_one_request_cold_at_each_renewal_and_at_each_expiry() {
    let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
    let fleet: Vec<_> = (0..50).map(|_| process(&endpoint, &clock, memory.clone(), KEY)).collect();
    let orders = scopes("api://orders");
    let ask = async || join_all(fleet.iter().map(|process| process.acquire_token_for_client(&orders))).await;
    for token in ask().await {
        assert_eq!(token.unwrap().secret(), "token-1");
    }
    assert_eq!(endpoint.count(), 1, "cold");

    let refresh_on = fleet[0].acquire_token_for_client(&orders).await.unwrap().refresh_on();
    clock.set(refresh_on);
    for token in ask().await {
        assert_eq!(token.unwrap().secret(), "token-1", "nobody waits for a renewal");
    }
    for _ in 0..20 {
        settle().await;
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    for token in ask().await {
        assert_eq!(token.unwrap().secret(), "token-2");
    }
    assert_eq!(endpoint.count(), 2, "renewed by one");

    clock.advance(Duration::from_secs(7200));
    for token in ask().await {
        assert_eq!(token.unwrap().secret(), "token-3");
    }
    assert_eq!(endpoint.count(), 3, "expired");
    assert!(memory.rights.lock().unwrap().is_empty(), "every right was given back");
}

#[tokio::test(start_paused = true)]
async fn a_hit_never_comes_here() {
    let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
    let client = process(&endpoint, &clock, memory.clone(), KEY);
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    let before = memory.operations.load(Ordering::SeqCst);
    for _ in 0..100 {
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    }
    assert_eq!(memory.operations.load(Ordering::SeqCst), before);
}

#[tokio::test(start_paused = true)]
async fn c21_what_is_outside_tells_nothing_and_cannot_be_forged() {
    let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
    let first = process(&endpoint, &clock, memory.clone(), KEY);
    for api in ["api://a", "api://b"] {
        first.acquire_token_for_client(&scopes(api)).await.unwrap();
    }
    let entries = memory.entries.lock().unwrap().clone();
    assert_eq!(entries.len(), 2);
    for (name, value) in &entries {
        let all = format!("{name} {}", String::from_utf8_lossy(value));
        assert!(!all.contains("token-") && !all.contains("api") && !all.contains(support::CLIENT), "{all}");
    }
    // Exchanged, cut, flipped, made up: never the wrong token, always a request of one's own.
    let names: Vec<String> = entries.keys().cloned().collect();
    let swapped =
        HashMap::from([(names[0].clone(), entries[&names[1]].clone()), (names[1].clone(), entries[&names[0]].clone())]);
    let change = |work: &dyn Fn(&mut Vec<u8>)| {
        let mut entries = entries.clone();
        entries.values_mut().for_each(work);
        entries
    };
    let poisons = [
        swapped,
        change(&|value| value.truncate(20)),
        change(&Vec::clear),
        change(&|value| *value.last_mut().unwrap() ^= 1),
        change(&|value| *value = br#"{"form":1,"token":"evil","expires_on":9e18}"#.to_vec()),
    ];
    for (index, poison) in poisons.into_iter().enumerate() {
        *memory.entries.lock().unwrap() = poison;
        let before = endpoint.count();
        let token = process(&endpoint, &clock, memory.clone(), KEY);
        let token = token.acquire_token_for_client(&scopes("api://a")).await.unwrap();
        assert_eq!((token.secret(), endpoint.count()), (&*format!("token-{}", before + 1), before + 1), "{index}");
    }
    // Whoever has another key shares nothing, and destroys nothing.
    let other = process(&endpoint, &clock, memory.clone(), [8; 32]);
    let before = endpoint.count();
    other.acquire_token_for_client(&scopes("api://a")).await.unwrap();
    let same = process(&endpoint, &clock, memory.clone(), KEY);
    same.acquire_token_for_client(&scopes("api://a")).await.unwrap();
    assert_eq!(endpoint.count(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn e23_everything_works_when_the_cache_is_gone_or_hangs_and_it_is_left_alone_for_a_while() {
    for hangs in [false, true] {
        let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
        memory.gone.store(!hangs, Ordering::SeqCst);
        memory.hangs.store(hangs, Ordering::SeqCst);
        let client = process(&endpoint, &clock, memory.clone(), KEY);
        let begun = tokio::time::Instant::now();
        for index in 0..20 {
            client.acquire_token_for_client(&scopes(&format!("api://{index}"))).await.unwrap();
        }
        assert_eq!((endpoint.count(), memory.operations.load(Ordering::SeqCst)), (20, 1));
        assert!(begun.elapsed() <= Duration::from_secs(1), "{:?}", begun.elapsed());
        // It is back: used again after some seconds.
        memory.gone.store(false, Ordering::SeqCst);
        memory.hangs.store(false, Ordering::SeqCst);
        clock.advance(Duration::from_secs(6));
        client.acquire_token_for_client(&scopes("api://again")).await.unwrap();
        assert_eq!(memory.entries.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_died_with_the_right_keeps_nobody_for_longer_than_a_request() {
    let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
    let client = process(&endpoint, &clock, memory.clone(), KEY);
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    let name = memory.entries.lock().unwrap().keys().next().unwrap().clone();
    memory.entries.lock().unwrap().clear();
    memory.rights.lock().unwrap().insert(name, "the dead".to_owned());
    client.forget_tokens();
    let begun = tokio::time::Instant::now();
    assert_eq!(client.acquire_token_for_client(&scopes("api://orders")).await.unwrap().secret(), "token-2");
    assert!((10..12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_users_tokens_are_shared_by_their_assertion() {
    let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
    let fleet: Vec<_> = (0..2).map(|_| process(&endpoint, &clock, memory.clone(), KEY)).collect();
    let assertion = |user: &str| UserAssertion::new(jws(&json!({"oid": user, "exp": START + 3600}))).unwrap();
    let orders = scopes("api://orders");
    for client in &fleet {
        let alice = client.acquire_token_on_behalf_of(&assertion("alice"), &orders).await.unwrap();
        assert_eq!(alice.secret(), "token-1");
    }
    let bob = fleet[1].acquire_token_on_behalf_of(&assertion("bob"), &orders).await.unwrap();
    assert_eq!(bob.secret(), "token-2");
    // Without a refresh token no session begins.
    let key = assertion("alice").session_key();
    fleet[0].start_long_running(&assertion("alice"), &key, &orders, &RequestOptions::new()).await.unwrap();
    assert_eq!(memory.entries.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_not_taken_from_the_cache_again() {
    let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
    let fleet: Vec<_> = (0..3).map(|_| process(&endpoint, &clock, memory.clone(), KEY)).collect();
    let orders = scopes("api://orders");
    let refused = fleet[0].acquire_token_for_client(&orders).await.unwrap();
    clock.advance(Duration::from_secs(1));
    let options = RequestOptions::new().instead_of(&refused);
    let token = fleet[1].acquire_token_for_client_with(&orders, &options).await.unwrap();
    assert_eq!(token.secret(), "token-2");
    assert_eq!(fleet[2].acquire_token_for_client(&orders).await.unwrap().secret(), "token-2");
    assert!(clock.now().as_unix_seconds() > START);
}

/// The Azure SDK's view of a client.
#[tokio::test(start_paused = true)]
async fn azure_cores_credential_answers_from_the_same_cache() {
    use azure_core::credentials::TokenCredential;
    use countersign_client::AzureCoreCredential;
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = support::client(&endpoint, &clock);
    let own = client.acquire_token_for_client(&scopes("https://vault.azure.net")).await.unwrap();
    let credential: Arc<dyn TokenCredential> = Arc::new(AzureCoreCredential::from(client));
    let token = credential.get_token(&["https://vault.azure.net/.default"], None).await.unwrap();
    assert_eq!((token.token.secret(), endpoint.count()), ("token-1", 1));
    assert_eq!(token.expires_on.unix_timestamp(), own.expires_on().as_unix_seconds());
    assert!(!format!("{credential:?} {token:?}").contains("token-1"));
    let error = credential.get_token(&["not a scope"], None).await.unwrap_err();
    assert!(matches!(error.kind(), azure_core::error::ErrorKind::Credential));
    endpoint.answers(|_| support::refused(401, "invalid_client", 7_000_215, "Invalid client secret provided."));
    let error = credential.get_token(&["api://other/.default"], None).await.unwrap_err();
    assert!(error.to_string().contains("7000215"), "{error}");
}

/// A cache in which another process has every right, and does nothing with it.
#[derive(Debug, Clone, Default)]
struct Taken(Memory);

impl SharedCache for Taken {
    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, Cause>> {
        self.0.get(name)
    }

    fn put(&self, name: &str, value: Vec<u8>, life: Duration) -> BoxFuture<'_, Result<(), Cause>> {
        self.0.put(name, value, life)
    }

    fn remove(&self, name: &str) -> BoxFuture<'_, Result<(), Cause>> {
        self.0.remove(name)
    }

    fn lock(&self, _: &str, _: &str, _: Duration) -> BoxFuture<'_, Result<bool, Cause>> {
        Box::pin(async { Ok(false) })
    }

    fn unlock(&self, _: &str, _: &str) -> BoxFuture<'_, Result<(), Cause>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_another_process_is_part_of_a_requests_time() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = process(&endpoint, &clock, Taken::default(), KEY);
    endpoint.answers(|_| support::answer(500, "stumbles"));
    let begun = tokio::time::Instant::now();
    let error = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err();
    assert!(matches!(error, AcquireError::Unusable(_)), "{error:?}");
    assert_eq!(endpoint.count(), 1, "for a second attempt there is no time left");
    // A session is waited for a little longer, and its token asked for in the same way.
    sessions::strict(&endpoint);
    let account = sessions::sign_in(&client).await;
    let before = endpoint.count();
    endpoint.answers(|_| support::answer(500, "stumbles"));
    client.acquire_token_silent(&account, &scopes("api://other"), &RequestOptions::new()).await.unwrap_err();
    assert_eq!(endpoint.count(), before + 1);
    assert!(begun.elapsed() < Duration::from_secs(24), "{:?}", begun.elapsed());
    // Where the endpoint hangs as well, the answer is still awaited, and no second request is sent beside the first.
    let gate = endpoint.hold();
    let begun = tokio::time::Instant::now();
    let error = client.acquire_token_for_client(&scopes("api://orders")).await.unwrap_err();
    assert!(matches!(error, AcquireError::Transport(_)), "{error:?}");
    assert_eq!(endpoint.count(), before + 2);
    assert!(begun.elapsed() < Duration::from_secs(22), "{:?}", begun.elapsed());
    drop(gate);
}
