//! How a session begins, goes on and ends, in one process or in many.
//!
//! With a strict authority a refresh token is good once, and its second use ends the session as a theft. So a session is
//! renewed by one request at a time: in this process by turns (`turns.rs`), in a fleet by the right to refresh that a
//! shared cache gives ([`SharedTokens`]). Whoever has both reads the newest refresh token first, since another process may
//! have used the one that this process remembers, and writes its successor before anything else.
//!
//! When the shared cache is gone, each process goes on with what it remembers. That may be a token which another process
//! has used; if the authority refuses it and there is a newer one, that is tried, once, before the session counts as over.

use std::time::Duration;

use countersign_protocol::TenantSegment;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::access_token::AccessToken;
use crate::error::AcquireError;
use crate::exchange::Exchange;
use crate::key::{Key, Subject};
use crate::question::{Granted, Question};
use crate::sessions::{Family, Held, SessionId};
use crate::shared::{SharedTokens, pause, was_long};
use crate::shared_sessions::{session_name, token_name};
use crate::telemetry::TokenSource;

/// Beyond the time limit of its request, another process has this long for the cache, before it is taken for dead.
const MARGIN: Duration = Duration::from_secs(2);

/// How a session begins.
#[derive(Default)]
pub(crate) struct Begun {
    /// Where it is at home, if it was asked for in the tenant that an alias stands for.
    pub(crate) tenant: Option<TenantSegment>,
    /// The digest of the assertion that was exchanged, if one was.
    pub(crate) with: Option<[u8; 32]>,
}

/// Keeps what a sign-in or the first exchange of a long-running process has left: here, and for the other processes.
pub(crate) async fn begin(
    exchange: &Exchange,
    id: SessionId,
    begun: Begun,
    refresh_token: SecretString,
    key: &Key,
    token: &AccessToken,
) {
    let now = exchange.clock.now();
    let family = Family::new(&*exchange.randomness);
    // Under a name that was another assertion's there may be tokens of another user's.
    if begun.with.is_some_and(|assertion| !exchange.store.sessions.began_with(&id, &assertion)) {
        exchange.store.end(&id, key.subject(), |_| true);
    }
    let Begun { tenant, with: began_with } = begun;
    let held = Held { refresh_token, family, generation: now.as_nanos(), tenant, began_with };
    let held = exchange.store.sessions.begin(id, held, now);
    if let Some(shared) = exchange.shared() {
        shared.keep_session(exchange, &id, &held).await;
        shared.share(exchange, &token_name(shared, key, family), token).await;
    }
}

/// Ends a session in every process. Whether there was one.
pub(crate) async fn end(exchange: &Exchange, subject: &Subject) -> bool {
    let (id, store) = (exchange.session(subject), &exchange.store);
    let own = store.end(&id, subject, |_| true);
    let Some(shared) = exchange.shared() else { return own.is_some() };
    let own = own.map(|held| held.family);
    // The process that ends a session need not be the one where it began, nor know the latest sign-in.
    let mut kept = shared.session(exchange, &id).await.map(|held| held.family);
    if let Some(family) = kept
        && own.is_none()
        && shared.has_ended(exchange, family).await
    {
        kept = None;
    }
    let (mut told, mut untold) = (false, None);
    for family in [own, kept.filter(|kept| own != Some(*kept))].into_iter().flatten() {
        if shared.mark_ended(exchange, family).await {
            told = true;
        } else {
            untold = Some(family);
        }
    }
    shared.remove_session(exchange, &id).await;
    // What was read from the cache meanwhile is ended too; not what a new sign-in began.
    store.end(&id, subject, |held| own == Some(held.family) || kept == Some(held.family));
    match untold {
        Some(family) => store.sessions.remember_ended(id, family, exchange.clock.now()),
        None if told => store.sessions.forget_ended(&id),
        None => {}
    }
    own.is_some() || kept.is_some()
}

/// Gets a token in a session that has been begun. `unwanted` is no answer.
///
/// # Errors
/// [`AcquireError::NotSignedIn`] if there is no such session; otherwise what the request ends with.
pub(crate) async fn renew(
    exchange: &Exchange,
    question: &Question,
    id: SessionId,
    unwanted: Option<&AccessToken>,
    probe: bool,
) -> Result<Granted, AcquireError> {
    let turn = exchange.store.turns.of(id);
    // For longer than a request may take nobody is waited for: the runtime that it runs on may have stopped turning.
    let _turn = tokio::time::timeout(exchange.overdue_after(), turn.lock()).await.ok();
    let renewal = Renewal { exchange, question, id, unwanted, probe };
    match exchange.shared() {
        Some(shared) => renewal.in_fleet(shared).await,
        None => {
            let held = exchange.store.sessions.held(&id, exchange.clock.now());
            renewal.with(None, held.ok_or(AcquireError::NotSignedIn)?, false).await
        }
    }
}

struct Renewal<'a> {
    exchange: &'a Exchange,
    question: &'a Question,
    id: SessionId,
    unwanted: Option<&'a AccessToken>,
    probe: bool,
}

/// What is found before anything is sent.
enum Found {
    Token(Granted),
    Session(Held),
}

impl Renewal<'_> {
    async fn in_fleet(&self, shared: &SharedTokens) -> Result<Granted, AcquireError> {
        let exchange = self.exchange;
        let name = session_name(shared, &self.id);
        let owner = exchange.randomness.base64url(16);
        let begun = Instant::now();
        let deadline = begun + exchange.timeout + MARGIN;
        let right = loop {
            let held = match self.look(shared).await? {
                Found::Token(granted) => return Ok(granted),
                Found::Session(held) => held,
            };
            match shared.asked(exchange, shared.cache.lock(&name, &owner, exchange.overdue_after())).await {
                Some(true) => break None,
                // Another process renews the session, if for another question perhaps.
                Some(false) if Instant::now() < deadline => pause(exchange).await,
                Some(false) | None => break Some(held),
            }
        };
        if let Some(held) = right {
            return self.with(Some(shared), held, was_long(begun)).await;
        }
        // Between the look and the lock another process may have finished.
        let outcome = match self.look(shared).await {
            Ok(Found::Token(granted)) => Ok(granted),
            Ok(Found::Session(held)) => self.with(Some(shared), held, was_long(begun)).await,
            Err(error) => Err(error),
        };
        shared.limited(exchange, shared.cache.unlock(&name, &owner)).await;
        outcome
    }

    /// The token that another process got in this session, or what one is got with. A session that has ended has neither.
    async fn look(&self, shared: &SharedTokens) -> Result<Found, AcquireError> {
        let newest = shared.newest(self.exchange, &self.id, &self.question.subject).await;
        let held = newest.ok_or(AcquireError::NotSignedIn)?;
        let name = token_name(shared, &self.key(), held.family);
        Ok(match shared.find(self.exchange, &name, self.unwanted).await {
            Some(token) => {
                Found::Token(Granted { family: Some(held.family), ..Granted::token(token, TokenSource::SharedCache) })
            }
            None => Found::Session(held),
        })
    }

    fn key(&self) -> Key {
        self.question.lookup(&self.exchange.identity).to_key()
    }

    /// `once` if there is no time for a second attempt.
    async fn with(&self, shared: Option<&SharedTokens>, mut held: Held, once: bool) -> Result<Granted, AcquireError> {
        let (exchange, once) = (self.exchange, self.probe || once);
        let mut outcome = exchange.request(self.question, Some(&held), once).await;
        if is_over(&outcome)
            && let Some(shared) = shared
        {
            shared.look_again();
        }
        if is_over(&outcome)
            && let Some(newer) = self.newest(shared).await
            && newer.is_newer_than(&held)
        {
            held = newer;
            outcome = exchange.request(self.question, Some(&held), once).await;
        }
        if let Ok(granted) = &mut outcome {
            granted.family = Some(held.family);
        }
        match &outcome {
            Ok(granted) => self.went_on(shared, &held, granted).await,
            Err(_) if is_over(&outcome) => self.is_refused(shared, &held).await,
            Err(_) => {}
        }
        outcome
    }

    async fn newest(&self, shared: Option<&SharedTokens>) -> Option<Held> {
        match shared {
            Some(shared) => shared.newest(self.exchange, &self.id, &self.question.subject).await,
            None => self.exchange.store.sessions.held(&self.id, self.exchange.clock.now()),
        }
    }

    /// Writes the successor down, the refresh token first: who has the next turn needs it. A session that was ended
    /// meanwhile stays ended, and does not take the place of the one that was begun after it.
    async fn went_on(&self, shared: Option<&SharedTokens>, used: &Held, granted: &Granted) {
        let (exchange, now) = (self.exchange, self.exchange.clock.now());
        let successor = used.successor(granted.refresh_token.clone(), now);
        if exchange.store.sessions.succeed(&self.id, &successor, now)
            && let Some(shared) = shared
            && !shared.is_over(exchange, &self.id, &self.question.subject, used.family).await
        {
            shared.keep_session(exchange, &self.id, &successor).await;
            shared.share(exchange, &token_name(shared, &self.key(), used.family), &granted.token).await;
        }
    }

    /// The authority knows the session no more. It leaves no mark: should another process have a newer refresh token that
    /// it could not write down, the session lives on there.
    async fn is_refused(&self, shared: Option<&SharedTokens>, used: &Held) {
        self.exchange.store.sessions.refused(&self.id, used);
        if let Some(shared) = shared
            && shared.session(self.exchange, &self.id).await.is_some_and(|kept| !kept.is_newer_than(used))
        {
            shared.remove_session(self.exchange, &self.id).await;
        }
    }
}

/// Whether the refresh token was refused, and not only what was asked for with it.
fn is_over(outcome: &Result<Granted, AcquireError>) -> bool {
    matches!(outcome, Err(AcquireError::Refused(refusal)) if refusal.ends_session())
}
