//! Users' sessions that processes share: signed in at one is signed in at all, each refresh token is used once, and what
//! is ended stays ended.

use countersign_client::{AccessToken, Account, AcquireError, SessionKey};
use countersign_protocol::ScopeSet;

use super::*;
use crate::support::{field, ok, refused};

/// An authority that takes each refresh token once, and the second use for a theft that ends the whole sign-in.
#[derive(Default)]
struct Books {
    issued: usize,
    live: HashMap<String, usize>,
    used: HashMap<String, usize>,
}

impl Books {
    fn next(&mut self, sign_in: usize) -> String {
        self.issued += 1;
        let token = format!("refresh-{}", self.issued);
        self.live.insert(token.clone(), sign_in);
        token
    }

    fn exchange(&mut self, token: &str) -> Option<String> {
        if let Some(sign_in) = self.live.remove(token) {
            self.used.insert(token.to_owned(), sign_in);
            return Some(self.next(sign_in));
        }
        let stolen = self.used.get(token).copied();
        self.live.retain(|_, sign_in| Some(*sign_in) != stolen);
        None
    }
}

/// Signs users in by their names, and renews strictly.
pub(super) fn strict(endpoint: &Endpoint) {
    let (counted, books) = (endpoint.clone(), Mutex::new(Books::default()));
    endpoint.answers(move |request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let mut books = books.lock().unwrap();
        let refresh_token = match field(&form, "refresh_token") {
            Some(token) => books.exchange(&token),
            None => {
                let sign_in = books.issued;
                Some(books.next(sign_in))
            }
        };
        let Some(refresh_token) = refresh_token else { return over() };
        let uid = field(&form, "username").unwrap_or_else(|| "alice".to_owned());
        let who = json!({"uid": uid, "utid": support::TENANT}).to_string();
        ok(&json!({
            "token_type": "Bearer", "expires_in": 3600, "access_token": format!("token-{}", counted.count()),
            "refresh_token": refresh_token, "client_info": countersign_token::base64url_encode(who.as_bytes()),
        }))
    });
}

fn over() -> support::Outcome {
    refused(400, "invalid_grant", 700_082, "The refresh token has expired due to inactivity.")
}

pub(super) async fn sign_in(client: &ConfidentialClient) -> Account {
    let options = RequestOptions::new();
    let signed_in = client.acquire_token_by_password("alice", "pw".into(), &read(), &options).await.unwrap();
    // As a web app finds it in the user's own session.
    Account::from_home_account_id(signed_in.account().home_account_id())
}

pub(super) fn read() -> ScopeSet {
    scopes("api://orders")
}

pub(super) async fn silent(client: &ConfidentialClient, account: &Account) -> Result<AccessToken, AcquireError> {
    client.acquire_token_silent(account, &read(), &RequestOptions::new()).await
}

fn is_signed_out<T>(outcome: &Result<T, AcquireError>) -> bool {
    matches!(outcome, Err(AcquireError::NotSignedIn))
}

const HOUR: Duration = Duration::from_secs(3600);

fn fleet(count: usize) -> (Endpoint, FakeClock, Memory, Vec<ConfidentialClient>) {
    let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
    strict(&endpoint);
    let fleet = (0..count).map(|_| process(&endpoint, &clock, memory.clone(), KEY)).collect();
    (endpoint, clock, memory, fleet)
}

#[tokio::test(start_paused = true)]
async fn who_signed_in_at_one_replica_is_signed_in_at_all_and_after_a_restart() {
    let (endpoint, clock, memory, fleet) = fleet(2);
    let account = sign_in(&fleet[0]).await;
    assert_eq!(silent(&fleet[1], &account).await.unwrap().secret(), "token-1", "the token is shared as well");
    assert_eq!(endpoint.count(), 1);
    let other = scopes("api://other");
    fleet[1].acquire_token_silent(&account, &other, &RequestOptions::new()).await.unwrap();
    assert_eq!(field(&endpoint.last_form(), "refresh_token").unwrap(), "refresh-1");
    // Each goes on where the other has stopped.
    for round in 2..6 {
        clock.advance(HOUR * 2);
        silent(&fleet[round % 2], &account).await.unwrap();
        assert_eq!(field(&endpoint.last_form(), "refresh_token").unwrap(), format!("refresh-{round}"));
    }
    drop(fleet);
    let restarted = process(&endpoint, &clock, memory.clone(), KEY);
    assert_eq!(silent(&restarted, &account).await.unwrap().secret(), "token-6");
    clock.advance(HOUR * 24 * 80);
    silent(&restarted, &account).await.unwrap();
    assert_eq!(field(&endpoint.last_form(), "refresh_token").unwrap(), "refresh-6");
    // Longer than refresh tokens live without being used, nobody has been here.
    clock.advance(HOUR * 24 * 91);
    assert!(is_signed_out(&silent(&process(&endpoint, &clock, memory, KEY), &account).await));
}

#[tokio::test(start_paused = true)]
async fn a_long_running_process_goes_on_in_another_process() {
    let (endpoint, clock, _, fleet) = fleet(2);
    let assertion = UserAssertion::new(jws(&json!({"oid": "alice", "exp": START + 600}))).unwrap();
    let (key, options) = (SessionKey::new("job 7"), RequestOptions::new());
    fleet[0].start_long_running(&assertion, &key, &read(), &options).await.unwrap();
    assert_eq!(fleet[1].acquire_token_in_session(&key, &read(), &options).await.unwrap().secret(), "token-1");
    clock.advance(HOUR * 2);
    for client in fleet.iter().rev() {
        assert_eq!(client.acquire_token_in_session(&key, &read(), &options).await.unwrap().secret(), "token-2");
    }
    assert_eq!(endpoint.count(), 2);
    assert!(fleet[0].end_session(&key).await);
    clock.advance(HOUR * 2);
    for client in &fleet {
        assert!(is_signed_out(&client.acquire_token_in_session(&key, &read(), &options).await));
        assert!(!client.end_session(&key).await);
    }
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn b45_a_fleet_that_renews_at_once_uses_each_refresh_token_once() {
    let (endpoint, clock, memory, fleet) = fleet(20);
    let account = sign_in(&fleet[0]).await;
    for client in &fleet {
        silent(client, &account).await.unwrap();
    }
    for round in 2..5 {
        clock.advance(HOUR * 2);
        let tokens = join_all(fleet.iter().map(|client| silent(client, &account))).await;
        assert!(tokens.into_iter().all(|token| token.unwrap().secret() == format!("token-{round}")));
        assert_eq!(endpoint.count(), round, "one request for the fleet");
    }
    // Each wants another API: twenty requests, one after the other, each with the last one's refresh token.
    let (options, account) = (RequestOptions::new(), &account);
    let apis: Vec<_> = (0..20).map(|n| scopes(&format!("api://{n}"))).collect();
    let asked = fleet.iter().zip(&apis).map(|(client, api)| client.acquire_token_silent(account, api, &options));
    assert!(join_all(asked).await.into_iter().all(|token| token.is_ok()), "nobody is signed out");
    assert_eq!(endpoint.count(), 24);
    assert!(memory.rights.lock().unwrap().is_empty(), "every right was given back");
}

#[tokio::test(start_paused = true)]
async fn b45_one_process_without_a_shared_cache_takes_turns_too() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    strict(&endpoint);
    let client = support::client(&endpoint, &clock);
    let account = sign_in(&client).await;
    let (options, slow) = (RequestOptions::new(), endpoint.hold());
    let apis: Vec<_> = (0..5).map(|n| scopes(&format!("api://{n}"))).collect();
    let asked = join_all(apis.iter().map(|api| client.acquire_token_silent(&account, api, &options)));
    let opened = async {
        settle().await;
        assert_eq!(endpoint.count(), 2, "one at a time");
        slow.open();
    };
    let (tokens, ()) = tokio::join!(asked, opened);
    assert!(tokens.into_iter().all(|token| token.is_ok()));
    assert_eq!(endpoint.count(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_is_ended_at_one_ends_at_the_others() {
    let (endpoint, clock, memory, fleet) = fleet(3);
    let account = sign_in(&fleet[0]).await;
    let token = silent(&fleet[1], &account).await.unwrap();
    // Who ends it need not be who began it, nor have heard of it.
    assert!(fleet[2].sign_out(&account).await);
    assert!(!fleet[2].sign_out(&account).await);
    assert!(is_signed_out(&silent(&fleet[2], &account).await), "though a shared token would live");
    assert_eq!(silent(&fleet[1], &account).await.unwrap().secret(), "token-1", "at hand until its renewal is due");
    clock.set(token.refresh_on());
    silent(&fleet[1], &account).await.unwrap();
    settle().await;
    assert!(is_signed_out(&silent(&fleet[1], &account).await), "the renewal has learned of it");
    clock.advance(HOUR * 2);
    assert!(is_signed_out(&silent(&fleet[0], &account).await));
    assert_eq!(endpoint.count(), 1);
    let names: Vec<String> = memory.entries.lock().unwrap().keys().cloned().collect();
    assert!(names.iter().all(|name| !name.starts_with("session-")), "{names:?}");

    // The next sign-in is another one, and finds nothing of the last.
    sign_in(&fleet[0]).await;
    let other = silent(&fleet[1], &account).await.unwrap();
    assert_eq!((other.secret(), endpoint.count()), ("token-2", 2));
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_is_not_undone_by_a_renewal_that_is_on_its_way() {
    for by in [0, 1] {
        let (endpoint, clock, _, fleet) = fleet(2);
        let account = sign_in(&fleet[0]).await;
        clock.advance(HOUR * 2);
        let slow = endpoint.hold();
        let renewing = silent(&fleet[0], &account);
        let signing_out = async {
            settle().await;
            assert_eq!(endpoint.count(), 2, "on its way");
            assert!(fleet[by].sign_out(&account).await);
            slow.open();
        };
        let (token, ()) = tokio::join!(renewing, signing_out);
        assert_eq!(token.unwrap().secret(), "token-2", "who asked before is answered");
        clock.advance(if by == 0 { Duration::ZERO } else { HOUR * 2 });
        for client in &fleet {
            assert!(is_signed_out(&silent(client, &account).await), "by {by}");
        }
        assert_eq!(endpoint.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_late_does_not_take_the_place_of_the_next_sign_in() {
    let (endpoint, clock, _, fleet) = fleet(3);
    let account = sign_in(&fleet[0]).await;
    clock.advance(HOUR * 2);
    let slow = endpoint.hold();
    let renewing = silent(&fleet[0], &account);
    let anew = async {
        settle().await;
        assert!(fleet[1].sign_out(&account).await);
        endpoint.hold().open();
        sign_in(&fleet[1]).await;
        clock.advance(HOUR / 60);
        slow.open();
    };
    let (token, ()) = tokio::join!(renewing, anew);
    assert_eq!(token.unwrap().secret(), "token-2");
    for client in fleet.iter().rev() {
        assert_eq!(silent(client, &account).await.unwrap().secret(), "token-3");
    }
    assert_eq!(endpoint.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_died_with_the_right_keeps_nobody_for_longer_than_a_request() {
    let (_, clock, memory, fleet) = fleet(1);
    let account = sign_in(&fleet[0]).await;
    clock.advance(HOUR * 2);
    let session = memory.entries.lock().unwrap().keys().find(|name| name.starts_with("session-")).unwrap().clone();
    memory.rights.lock().unwrap().insert(session, "the dead".to_owned());
    let begun = tokio::time::Instant::now();
    silent(&fleet[0], &account).await.unwrap();
    assert!((12..14).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn e23_a_process_goes_on_by_itself_when_the_cache_is_gone_hangs_or_was_flushed() {
    for hangs in [false, true] {
        let (endpoint, clock, memory, fleet) = fleet(2);
        let account = sign_in(&fleet[0]).await;
        memory.gone.store(!hangs, Ordering::SeqCst);
        memory.hangs.store(hangs, Ordering::SeqCst);
        clock.advance(HOUR * 2);
        let begun = tokio::time::Instant::now();
        silent(&fleet[0], &account).await.unwrap();
        assert!(begun.elapsed() <= Duration::from_secs(1), "{:?}", begun.elapsed());
        assert!(is_signed_out(&silent(&fleet[1], &account).await), "it knows nothing, and says so");
        assert_eq!(endpoint.count(), 2);
        // It is back: what happened meanwhile is written down with the next renewal.
        memory.gone.store(false, Ordering::SeqCst);
        memory.hangs.store(false, Ordering::SeqCst);
        clock.advance(HOUR * 2);
        for client in &fleet {
            assert_eq!(silent(client, &account).await.unwrap().secret(), "token-3");
        }
        // Flushed: whoever remembers the session writes it anew.
        memory.entries.lock().unwrap().clear();
        clock.advance(HOUR * 2);
        for client in &fleet {
            assert_eq!(silent(client, &account).await.unwrap().secret(), "token-4");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn e23_a_sign_out_while_the_cache_is_gone_is_told_when_it_is_back() {
    let (endpoint, clock, memory, fleet) = fleet(2);
    let account = sign_in(&fleet[0]).await;
    silent(&fleet[1], &account).await.unwrap();
    memory.gone.store(true, Ordering::SeqCst);
    assert!(fleet[0].sign_out(&account).await);
    assert!(!fleet[0].sign_out(&account).await);
    fleet[0].forget_tokens();
    memory.gone.store(false, Ordering::SeqCst);
    clock.advance(HOUR * 2);
    assert!(is_signed_out(&silent(&fleet[0], &account).await));
    assert!(is_signed_out(&silent(&fleet[1], &account).await));
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn c20_c21_what_is_outside_tells_nothing_and_opens_as_nothing_else() {
    let (endpoint, clock, memory, fleet) = fleet(1);
    let account = sign_in(&fleet[0]).await;
    let before = memory.entries.lock().unwrap().clone();
    assert_eq!(before.len(), 2, "a session and a token: {:?}", before.keys());
    for (name, value) in &before {
        let all = format!("{name} {}", String::from_utf8_lossy(value));
        for secret in ["refresh-1", "token-1", "alice", support::TENANT, support::CLIENT, account.home_account_id()] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
    let session = before.keys().find(|name| name.starts_with("session-")).unwrap().clone();
    let token = before.keys().find(|name| **name != session).unwrap().clone();
    let exchanged =
        HashMap::from([(session.clone(), before[&token].clone()), (token.clone(), before[&session].clone())]);
    let with = |value: &[u8]| HashMap::from([(session.clone(), value.to_vec())]);
    let (mut flipped, cut) = (before[&session].clone(), &before[&session][..20]);
    *flipped.last_mut().unwrap() ^= 1;
    for (index, poison) in [exchanged, with(cut), with(b""), with(&flipped), with(b"s1garbage")].into_iter().enumerate()
    {
        *memory.entries.lock().unwrap() = poison;
        let stranger = process(&endpoint, &clock, memory.clone(), KEY);
        assert!(is_signed_out(&silent(&stranger, &account).await), "{index}");
        assert!(!stranger.sign_out(&account).await, "{index}");
    }
    // Another key is another world, and destroys nothing.
    *memory.entries.lock().unwrap() = before.clone();
    let other = process(&endpoint, &clock, memory.clone(), [8; 32]);
    assert!(is_signed_out(&silent(&other, &account).await) && !other.sign_out(&account).await);
    assert_eq!(*memory.entries.lock().unwrap(), before);
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_refresh_token_that_another_process_has_replaced_is_not_the_end() {
    let (endpoint, clock, memory) = (Endpoint::issuing(), clock(), Memory::default());
    strict(&endpoint);
    let cut_off = Memory { gone: Arc::default(), ..memory.clone() };
    let (one, two) =
        (process(&endpoint, &clock, cut_off.clone(), KEY), process(&endpoint, &clock, memory.clone(), KEY));
    let account = sign_in(&one).await;
    clock.advance(HOUR * 2);
    silent(&two, &account).await.unwrap();
    clock.advance(HOUR * 2);
    // This one cannot see that, and tries what it remembers; the connection is back when the answer is.
    cut_off.gone.store(true, Ordering::SeqCst);
    let (back, counted) = (cut_off.gone.clone(), endpoint.clone());
    endpoint.answers(move |request| {
        back.store(false, Ordering::SeqCst);
        match field(&String::from_utf8_lossy(request.body()), "refresh_token").as_deref() {
            Some("refresh-2") => ok(&json!({
                "token_type": "Bearer", "expires_in": 3600, "access_token": format!("token-{}", counted.count()),
            })),
            _ => over(),
        }
    });
    assert_eq!(silent(&one, &account).await.unwrap().secret(), "token-4", "refused, and then not");
    // When there is no newer one, it is the end, everywhere, without further requests by those who remember nothing.
    endpoint.answers(|_| over());
    clock.advance(HOUR * 2);
    assert!(matches!(silent(&one, &account).await, Err(AcquireError::Refused(_))));
    assert!(is_signed_out(&silent(&one, &account).await));
    assert!(is_signed_out(&silent(&process(&endpoint, &clock, memory, KEY), &account).await));
    assert_eq!(endpoint.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_what_was_asked_for_ends_no_session() {
    let (endpoint, clock, _, fleet) = fleet(1);
    let account = sign_in(&fleet[0]).await;
    clock.advance(HOUR * 2);
    endpoint.answers(|_| {
        let body = json!({"error": "invalid_grant", "error_description": "AADSTS65001: No consent.", "error_codes": [65001],
                          "suberror": "consent_required"});
        support::answer(400, body.to_string())
    });
    assert_eq!(silent(&fleet[0], &account).await.unwrap_err().code(), Some(65_001));
    strict(&endpoint);
    assert!(silent(&fleet[0], &account).await.is_err_and(|error| error.code() == Some(700_082)), "it is tried again");
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_signs_nobody_out() {
    let (endpoint, clock, memory, fleet) = fleet(1);
    let account = sign_in(&fleet[0]).await;
    let renewed = builder(&endpoint, &clock)
        .shared_tokens(SharedTokens::new(Arc::new(memory), &RootKey::from_bytes(KEY)).unwrap())
        .secret("another".to_owned())
        .build()
        .unwrap();
    assert_eq!(silent(&renewed, &account).await.unwrap().secret(), "token-2");
    assert_eq!(field(&endpoint.last_form(), "client_secret").unwrap(), "another");
}

#[tokio::test(start_paused = true)]
async fn c01_nothing_of_a_session_is_in_a_clients_debug_output() {
    let (_, _, _, fleet) = fleet(2);
    let account = sign_in(&fleet[0]).await;
    silent(&fleet[1], &account).await.unwrap();
    for client in &fleet {
        let text = format!("{client:?}");
        assert!(!text.contains("refresh-1") && !text.contains("token-1"), "{text}");
    }
}
