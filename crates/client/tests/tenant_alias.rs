//! A client whose own tenant is an alias: it signs users of many tenants in, and asks in its own name where it is told to.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_client::{
    Account, AcquireError, AssertionRequest, AuthorizationRequest, BoxFuture, Cause, ConfidentialClient,
    ConfidentialClientBuilder, IdTokenFault, RequestOptions, SessionKey, SharedCache, SharedTokens, TokenCache,
    UserAssertion,
};
use countersign_protocol::{AuthorityHost, ResourceIdentifier, ScopeSet};
use countersign_token::{FakeClock, RootKey, SystemRandomness, base64url_encode};
use serde_json::{Value, json};
use support::{CLIENT, Endpoint, SECRET, START, TENANT, clock, field, jws, ok, refused, scopes, settle, tenant};

const ALIASES: [&str; 3] = ["common", "Organizations", "consumers"];
const ELSEWHERE: &str = "0b6f1d5e-7c1a-4c55-9a4e-0d0c5a1f2b3c";
const HOST: &str = "https://login.contoso.test:8443";
const LATER: Duration = Duration::from_secs(7200);

fn builder(alias: &str, endpoint: &Endpoint, clock: &FakeClock) -> ConfidentialClientBuilder {
    ConfidentialClient::builder(AuthorityHost::parse(HOST).unwrap(), tenant(alias), CLIENT.parse().unwrap())
        .transport(Arc::new(endpoint.clone()))
        .clock(Arc::new(clock.clone()))
        .randomness(Arc::new(SystemRandomness))
}

fn client(alias: &str, endpoint: &Endpoint, clock: &FakeClock) -> ConfidentialClient {
    builder(alias, endpoint, clock).secret(SECRET.to_owned()).build().unwrap()
}

/// Where the last request went.
fn asked(endpoint: &Endpoint) -> String {
    endpoint.requests().last().unwrap().uri().path().split('/').nth(1).unwrap().to_owned()
}

/// Signs a user of `tid` in, whose id_token says `change`.
fn signs_in(endpoint: &Endpoint, tid: &str, change: &Value) {
    let mut claims = json!({
        "aud": CLIENT, "iss": format!("{HOST}/{tid}/v2.0"), "tid": tid, "oid": "o", "exp": START + 3600, "sub": "s",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let client_info = base64url_encode(json!({"uid": "o", "utid": tid}).to_string().as_bytes());
    let counted = endpoint.clone();
    endpoint.answers(move |_| {
        let number = counted.count();
        ok(&json!({
            "token_type": "Bearer", "expires_in": 3600, "client_info": client_info, "id_token": jws(&claims),
            "access_token": format!("token-{number}"), "refresh_token": format!("refresh-{number}"),
        }))
    });
}

fn read() -> ScopeSet {
    ScopeSet::parse("api://orders/read").unwrap()
}

#[tokio::test(start_paused = true)]
async fn in_its_own_name_it_asks_only_where_it_is_told_to() {
    for alias in ALIASES {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let assertion = async |_: AssertionRequest| Ok(jws(&json!({"exp": START + 3600})).into());
        let clients =
            [client(alias, &endpoint, &clock), builder(alias, &endpoint, &clock).assertion(assertion).build().unwrap()];
        for (index, client) in clients.into_iter().enumerate() {
            let orders = scopes("api://orders");
            let options = RequestOptions::new();
            let refused = [
                client.acquire_token_for_client(&orders).await,
                client.acquire_token_for_client_with(&orders, &options).await,
                client.acquire_token_in_tenant(&tenant(alias), &orders).await,
                client.acquire_token_for_resource(&ResourceIdentifier::parse("api://orders").unwrap()).await,
            ];
            for outcome in refused {
                assert!(matches!(outcome, Err(AcquireError::TenantAlias)), "{alias}: {outcome:?}");
            }
            assert_eq!(endpoint.count(), index, "nothing is sent");
            let there = options.tenant(tenant(TENANT));
            client.acquire_token_for_client_with(&orders, &there).await.unwrap();
            client.acquire_token_in_tenant(&tenant(TENANT), &orders).await.unwrap();
            assert_eq!((endpoint.count(), asked(&endpoint).as_str()), (index + 1, TENANT));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_signs_in_at_an_alias_is_renewed_at_home_and_found_by_whatever_account() {
    for (alias, tid) in [("organizations", TENANT), ("common", ELSEWHERE)] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        let client = client(alias, &endpoint, &clock);
        let attempt =
            client.authorization_url(&AuthorizationRequest::new("https://app.contoso.com/cb", read())).unwrap();
        assert!(attempt.url().starts_with(&format!("{HOST}/{alias}/oauth2/v2.0/authorize?")));
        signs_in(&endpoint, tid, &json!({"nonce": field(attempt.url().split_once('?').unwrap().1, "nonce")}));
        let callback = format!("code=c&state={}", attempt.state());
        let signed_in = client.redeem(attempt, &callback).await.unwrap();
        assert_eq!(asked(&endpoint), alias);
        assert_eq!(signed_in.account().tenant_id(), Some(tid));
        let accounts =
            [signed_in.account().clone(), Account::from_home_account_id(signed_in.account().home_account_id())];
        let options = RequestOptions::new();
        for round in 1..4 {
            for account in &accounts {
                let token = client.acquire_token_silent(account, &read(), &options).await.unwrap();
                assert_eq!(token.secret(), format!("token-{round}"));
            }
            assert_eq!(endpoint.count(), round);
            clock.advance(LATER);
        }
        assert_eq!(asked(&endpoint), tid);
        // A guest elsewhere: another tenant, another token.
        let there = RequestOptions::new().tenant(tenant("fabrikam.com"));
        client.acquire_token_silent(&accounts[0], &read(), &there).await.unwrap();
        assert_eq!(asked(&endpoint), "fabrikam.com");
        assert!(client.sign_out(&accounts[1]).await);
        let error = client.acquire_token_silent(&accounts[0], &read(), &options).await.unwrap_err();
        assert!(matches!(error, AcquireError::NotSignedIn), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c26_an_id_token_names_its_tenant_by_a_guid_that_fits_the_issuer() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client("organizations", &endpoint, &clock);
    let options = RequestOptions::new();
    for (change, fault) in [
        (json!({"iss": format!("{HOST}/{ELSEWHERE}/v2.0")}), IdTokenFault::Issuer),
        (json!({"iss": format!("{HOST}/organizations/v2.0"), "tid": "organizations"}), IdTokenFault::Tenant),
        (json!({"iss": format!("{HOST}/a/../b/v2.0"), "tid": "a/../b"}), IdTokenFault::Tenant),
        (json!({"tid": null}), IdTokenFault::Tenant),
    ] {
        signs_in(&endpoint, TENANT, &change);
        let error = client.acquire_token_by_password("alice", "pw".into(), &read(), &options).await.unwrap_err();
        assert!(matches!(error, AcquireError::IdToken(found) if found == fault), "{change} {error:?}");
    }
    assert_eq!(client.cached_tokens(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_the_home_is_not_known_or_not_allowed_the_alias_is_asked() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let options = RequestOptions::new();
    // An authority that says nothing about the user's tenant.
    let counted = endpoint.clone();
    let client_info = base64url_encode(json!({"uid": "o", "utid": "nowhere"}).to_string().as_bytes());
    endpoint.answers(move |_| {
        ok(&json!({
            "token_type": "Bearer", "expires_in": 3600, "client_info": client_info, "refresh_token": "r",
            "access_token": format!("token-{}", counted.count()),
        }))
    });
    let free = client("organizations", &endpoint, &clock);
    let signed_in = free.acquire_token_by_password("alice", "pw".into(), &read(), &options).await.unwrap();
    free.acquire_token_silent(signed_in.account(), &read(), &options).await.unwrap();
    assert_eq!(endpoint.count(), 1);
    clock.advance(LATER);
    free.acquire_token_silent(signed_in.account(), &read(), &options).await.unwrap();
    assert_eq!((endpoint.count(), asked(&endpoint).as_str()), (2, "organizations"));

    // A client that is limited to the alias asks nowhere else, and finds its tokens all the same.
    clock.set(countersign_token::Timestamp::from_unix_seconds(START));
    signs_in(&endpoint, TENANT, &json!({}));
    let limited = builder("organizations", &endpoint, &clock)
        .additionally_allowed_tenants([])
        .secret(SECRET.to_owned())
        .build()
        .unwrap();
    let signed_in = limited.acquire_token_by_password("alice", "pw".into(), &read(), &options).await.unwrap();
    limited.acquire_token_silent(signed_in.account(), &read(), &options).await.unwrap();
    assert_eq!(endpoint.count(), 3);
    clock.advance(LATER);
    limited.acquire_token_silent(signed_in.account(), &read(), &options).await.unwrap();
    assert_eq!((endpoint.count(), asked(&endpoint).as_str()), (4, "organizations"));
}

#[tokio::test(start_paused = true)]
async fn a_device_code_is_asked_for_at_the_alias() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let public = builder("organizations", &endpoint, &clock).public_client().build().unwrap();
    endpoint.answers(|_| {
        ok(&json!({"user_code": "U", "device_code": "d", "verification_uri": "https://microsoft.com/devicelogin",
                   "expires_in": 900, "interval": 5, "message": "m"}))
    });
    let code = public.start_device_code(&read(), &RequestOptions::new()).await.unwrap();
    assert_eq!(asked(&endpoint), "organizations");
    signs_in(&endpoint, TENANT, &json!({}));
    let signed_in = public.acquire_token_by_device_code(&code).await.unwrap();
    assert_eq!(asked(&endpoint), "organizations");
    let token = public.acquire_token_silent(signed_in.account(), &read(), &RequestOptions::new()).await.unwrap();
    assert_eq!((token.secret(), endpoint.count()), ("token-2", 2));
}

fn user(tid: Option<&str>) -> UserAssertion {
    UserAssertion::new(jws(&json!({"oid": "o", "tid": tid, "exp": START + 3600}))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn on_behalf_of_asks_where_the_users_token_comes_from() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client("organizations", &endpoint, &clock);
    for (number, tid) in [TENANT, ELSEWHERE].into_iter().enumerate() {
        for _ in 0..2 {
            let token = client.acquire_token_on_behalf_of(&user(Some(tid)), &read()).await.unwrap();
            assert_eq!(token.secret(), format!("token-{}", number + 1));
        }
        assert_eq!(asked(&endpoint), tid);
    }
    // A call that names a tenant means it.
    let there = RequestOptions::new().tenant(tenant("fabrikam.com"));
    client.acquire_token_on_behalf_of_with(&user(Some(TENANT)), &read(), &there).await.unwrap();
    assert_eq!(asked(&endpoint), "fabrikam.com");
    // What names no tenant goes to the alias, and Entra has the word.
    endpoint.answers(|_| refused(400, "invalid_request", 50_059, "No tenant-identifying information found."));
    for odd in [None, Some("organizations"), Some("a/b")] {
        let error = client.acquire_token_on_behalf_of(&user(odd), &read()).await.unwrap_err();
        assert_eq!((error.code(), asked(&endpoint).as_str()), (Some(50_059), "organizations"), "{odd:?}");
    }
}

/// A shared cache in this process; rights are for the asking.
#[derive(Debug, Clone, Default)]
struct Shelf(Arc<Mutex<std::collections::HashMap<String, Vec<u8>>>>);

impl SharedCache for Shelf {
    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, Cause>> {
        let found = self.0.lock().unwrap().get(name).cloned();
        Box::pin(async { Ok(found) })
    }

    fn put(&self, name: &str, value: Vec<u8>, _: Duration) -> BoxFuture<'_, Result<(), Cause>> {
        self.0.lock().unwrap().insert(name.to_owned(), value);
        Box::pin(async { Ok(()) })
    }

    fn remove(&self, name: &str) -> BoxFuture<'_, Result<(), Cause>> {
        self.0.lock().unwrap().remove(name);
        Box::pin(async { Ok(()) })
    }

    fn lock(&self, _: &str, _: &str, _: Duration) -> BoxFuture<'_, Result<bool, Cause>> {
        Box::pin(async { Ok(true) })
    }

    fn unlock(&self, _: &str, _: &str) -> BoxFuture<'_, Result<(), Cause>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_running_process_goes_on_in_the_tenant_where_it_began_in_whatever_process() {
    let (endpoint, clock, shelf) = (Endpoint::issuing(), clock(), Shelf::default());
    let process = || {
        let shared = SharedTokens::new(Arc::new(shelf.clone()), &RootKey::from_bytes([7; 32])).unwrap();
        let builder = builder("organizations", &endpoint, &clock).cache(TokenCache::default()).shared_tokens(shared);
        builder.secret(SECRET.to_owned()).build().unwrap()
    };
    let (one, two) = (process(), process());
    signs_in(&endpoint, ELSEWHERE, &json!({}));
    let (key, options) = (SessionKey::new("job 7"), RequestOptions::new());
    one.start_long_running(&user(Some(ELSEWHERE)), &key, &read(), &options).await.unwrap();
    for (number, client) in [&one, &two, &one, &process()].into_iter().enumerate() {
        let token = client.acquire_token_in_session(&key, &read(), &options).await.unwrap();
        assert_eq!(token.secret(), format!("token-{}", number + 1));
        assert_eq!(asked(&endpoint), ELSEWHERE);
        clock.advance(LATER);
    }
    settle().await;
    assert_eq!(endpoint.count(), 4);
}
