//! What user grants leave behind: refresh tokens, one per session or account, bounded by their number.
//!
//! A refresh token is bound to user and client, not to a resource, so there is one for all scopes of a session. Entra
//! returns a new one with most uses; the newer takes the older's place. A session whose refresh token is refused is over.
//! This is the process's own memory, wiped when dropped and touched only on the slow way, never by a token at hand. What
//! processes share of it is in `shared_sessions.rs`, how a session is renewed in `renewal.rs`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_protocol::TenantSegment;
use countersign_token::{Randomness, Timestamp};
use secrecy::SecretString;

use crate::digest::sha256_of;
use crate::key::Subject;

/// As many sessions as are kept; of more, those that were left alone longest go.
const MAX_SESSIONS: usize = 100_000;

/// The name of a long-running process's session, chosen by the application: any text that nobody else can guess, since
/// whoever has it can act for the session's user. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionKey(String);

impl SessionKey {
    /// A key from the application's own text.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject::of("session", self.0.as_bytes())
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey([redacted])")
    }
}

/// A session of one application: the digest of both. The application's credential is no part of it, since a refresh
/// token outlives the secret that was used when it was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId([u8; 32]);

impl SessionId {
    pub(crate) fn of(application: &str, subject: &Subject) -> Self {
        Self(sha256_of(&[application.as_bytes(), subject.owner()]))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// One sign-in and everything that descends from it by renewal: what a sign-out ends. Random, and the name of nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family(pub(crate) [u8; 16]);

impl Family {
    pub(crate) fn new(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; 16];
        randomness.fill(&mut bytes);
        Self(bytes)
    }
}

/// A refresh token as it is kept. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) refresh_token: SecretString,
    pub(crate) family: Family,
    /// Grows from each token to its successor, in every process: nanoseconds since 1970, or one more than the last.
    pub(crate) generation: i64,
    /// Where the session is at home, if it was asked for in the tenant that an alias stands for.
    pub(crate) tenant: Option<TenantSegment>,
    /// The digest of the assertion that the session began with, where this process has seen it begin.
    pub(crate) began_with: Option<[u8; 32]>,
}

impl Held {
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.generation > other.generation
    }

    /// What takes this one's place.
    pub(crate) fn successor(&self, refresh_token: Option<SecretString>, now: Timestamp) -> Self {
        Self {
            refresh_token: refresh_token.unwrap_or_else(|| self.refresh_token.clone()),
            family: self.family,
            generation: now.as_nanos().max(self.generation.saturating_add(1)),
            tenant: self.tenant.clone(),
            began_with: self.began_with,
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("generation", &self.generation).finish_non_exhaustive()
    }
}

enum State {
    Alive(Held),
    /// Ended here, while the other processes could not be told.
    Ended(Family),
}

struct Session {
    state: State,
    used: Timestamp,
}

type SessionsById = HashMap<SessionId, Session, foldhash::fast::RandomState>;

/// The sessions of every client that shares a store.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<SessionsById>);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("len", &self.lock().len()).finish()
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, SessionsById> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest refresh token that this process knows.
    pub(crate) fn held(&self, id: &SessionId, now: Timestamp) -> Option<Held> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(id)?;
        let State::Alive(held) = &session.state else { return None };
        session.used = now;
        Some(held.clone())
    }

    pub(crate) fn is_alive(&self, id: &SessionId) -> bool {
        matches!(self.lock().get(id), Some(Session { state: State::Alive(_), .. }))
    }

    /// Whether this sign-in is the one that goes on.
    pub(crate) fn is_of(&self, id: &SessionId, family: Family) -> bool {
        matches!(self.lock().get(id), Some(Session { state: State::Alive(held), .. }) if held.family == family)
    }

    /// Whether it is known that the session began with this assertion.
    pub(crate) fn began_with(&self, id: &SessionId, digest: &[u8; 32]) -> bool {
        matches!(self.lock().get(id), Some(Session { state: State::Alive(held), .. }) if held.began_with.as_ref() == Some(digest))
    }

    /// Keeps what a sign-in left, in place of an earlier sign-in's, and returns it with its generation.
    pub(crate) fn begin(&self, id: SessionId, mut held: Held, now: Timestamp) -> Held {
        let mut sessions = self.lock();
        if let Some(Session { state: State::Alive(before), .. }) = sessions.get(&id) {
            held.generation = held.generation.max(before.generation.saturating_add(1));
        }
        insert(&mut sessions, id, State::Alive(held.clone()), now);
        held
    }

    /// Keeps what another process left, unless this one knows better. Whether the session lives.
    pub(crate) fn adopt(&self, id: SessionId, held: &Held, now: Timestamp) -> bool {
        let mut sessions = self.lock();
        let mut held = held.clone();
        match sessions.get(&id).map(|session| &session.state) {
            Some(State::Ended(family)) if *family == held.family => return false,
            Some(State::Alive(own)) if !held.is_newer_than(own) => return true,
            Some(State::Alive(own)) if own.family == held.family => held.began_with = own.began_with,
            _ => {}
        }
        insert(&mut sessions, id, State::Alive(held), now);
        true
    }

    /// Keeps the successor of what a renewal has used; not if the session was ended, or begun anew, meanwhile.
    pub(crate) fn succeed(&self, id: &SessionId, successor: &Held, now: Timestamp) -> bool {
        let mut sessions = self.lock();
        let Some(session) = sessions.get_mut(id) else { return false };
        session.used = now;
        match &mut session.state {
            State::Alive(own) if own.family == successor.family => {
                if successor.is_newer_than(own) {
                    *own = successor.clone();
                }
                true
            }
            _ => false,
        }
    }

    /// Ends a session, if `which` says that it is the one.
    pub(crate) fn end(&self, id: &SessionId, which: impl FnOnce(&Held) -> bool) -> Option<Held> {
        let mut sessions = self.lock();
        match sessions.get(id) {
            Some(Session { state: State::Alive(held), .. }) if which(held) => {}
            _ => return None,
        }
        match sessions.remove(id)?.state {
            State::Alive(held) => Some(held),
            State::Ended(_) => None,
        }
    }

    /// Remembers that a family has ended, since nobody else could be told; unless there has been another sign-in.
    pub(crate) fn remember_ended(&self, id: SessionId, family: Family, now: Timestamp) {
        let mut sessions = self.lock();
        if !matches!(sessions.get(&id), Some(Session { state: State::Alive(_), .. })) {
            insert(&mut sessions, id, State::Ended(family), now);
        }
    }

    /// Whether this family has ended here and the others could not be told.
    pub(crate) fn is_remembered(&self, id: &SessionId, family: Family) -> bool {
        matches!(self.lock().get(id), Some(Session { state: State::Ended(ended), .. }) if *ended == family)
    }

    /// The others have been told.
    pub(crate) fn forget_ended(&self, id: &SessionId) {
        let mut sessions = self.lock();
        if matches!(sessions.get(id), Some(Session { state: State::Ended(_), .. })) {
            sessions.remove(id);
        }
    }

    /// Ends a session whose refresh token was refused, unless it has a newer one by now.
    pub(crate) fn refused(&self, id: &SessionId, refused: &Held) {
        self.end(id, |own| !own.is_newer_than(refused));
    }

    /// Forgets every session; that one was ended is not forgotten.
    pub(crate) fn clear(&self) {
        self.lock().retain(|_, session| matches!(session.state, State::Ended(_)));
    }
}

fn insert(sessions: &mut SessionsById, id: SessionId, state: State, now: Timestamp) {
    sessions.insert(id, Session { state, used: now });
    if sessions.len() <= MAX_SESSIONS {
        return;
    }
    // A few more than needed: the scan is not for one only.
    let mut by_use: Vec<(Timestamp, SessionId)> = sessions.iter().map(|(id, session)| (session.used, *id)).collect();
    let count = MAX_SESSIONS / 64;
    by_use.select_nth_unstable_by_key(count, |(used, _)| *used);
    for (_, id) in &by_use[..count] {
        sessions.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn held(text: &str, family: u8, generation: i64) -> Held {
        Held { refresh_token: text.into(), family: Family([family; 16]), generation, tenant: None, began_with: None }
    }

    fn id(key: &str) -> SessionId {
        SessionId::of("a", &SessionKey::new(key).subject())
    }

    fn known(sessions: &Sessions, id: &SessionId) -> Option<String> {
        Some(sessions.held(id, at(0))?.refresh_token.expose_secret().to_owned())
    }

    #[test]
    fn a_refused_refresh_token_ends_its_session_but_not_its_successors() {
        let (sessions, id) = (Sessions::default(), id("k"));
        let old = sessions.begin(id, held("old", 1, 1), at(0));
        let new = old.successor(Some("new".into()), at(0));
        assert!(sessions.succeed(&id, &new, at(0)));
        sessions.refused(&id, &old);
        assert_eq!(known(&sessions, &id).unwrap(), "new");
        sessions.refused(&id, &new);
        assert_eq!(known(&sessions, &id), None);
    }

    #[test]
    fn a_session_that_was_ended_or_begun_anew_takes_no_late_successor() {
        let (sessions, id) = (Sessions::default(), id("k"));
        let first = sessions.begin(id, held("first", 1, 1), at(0));
        let late = first.successor(Some("late".into()), at(0));
        assert_eq!(sessions.end(&id, |_| true).unwrap().family, first.family);
        assert!(!sessions.succeed(&id, &late, at(0)));
        sessions.begin(id, held("second", 2, 1), at(0));
        assert!(!sessions.succeed(&id, &late, at(0)));
        assert_eq!(known(&sessions, &id).unwrap(), "second");
    }

    #[test]
    fn what_is_newer_is_adopted_and_what_was_ended_here_is_not() {
        let (sessions, id) = (Sessions::default(), id("k"));
        assert!(sessions.adopt(id, &held("two", 1, 2), at(0)));
        assert!(sessions.adopt(id, &held("one", 1, 1), at(0)));
        assert_eq!(known(&sessions, &id).unwrap(), "two");
        sessions.end(&id, |_| true);
        sessions.remember_ended(id, Family([1; 16]), at(0));
        sessions.clear();
        assert!(sessions.is_remembered(&id, Family([1; 16])) && !sessions.is_remembered(&id, Family([2; 16])));
        assert!(!sessions.adopt(id, &held("three", 1, 3), at(0)) && !sessions.is_alive(&id));
        assert!(sessions.adopt(id, &held("another sign-in", 2, 1), at(0)) && sessions.is_alive(&id));
        sessions.forget_ended(&id);
        assert!(sessions.is_alive(&id));
    }

    #[test]
    fn generations_grow_though_the_clock_is_set_back() {
        let (sessions, id) = (Sessions::default(), id("k"));
        let first = sessions.begin(id, held("first", 1, at(100).as_nanos()), at(100));
        let second = first.successor(None, at(50));
        assert!(second.is_newer_than(&first) && second.refresh_token.expose_secret() == "first");
        let anew = sessions.begin(id, held("anew", 2, at(50).as_nanos()), at(50));
        assert!(anew.is_newer_than(&first));
    }

    #[test]
    fn the_number_of_sessions_is_bounded_and_the_idle_go_first() {
        let sessions = Sessions::default();
        let id = |n: usize| SessionId::of("a", &Subject::of("session", &n.to_be_bytes()));
        for n in 0..=MAX_SESSIONS {
            sessions.begin(id(n), held("rt", 1, 1), at(i64::try_from(n).unwrap()));
        }
        assert!(sessions.lock().len() <= MAX_SESSIONS);
        assert!(known(&sessions, &id(0)).is_none());
        assert!(known(&sessions, &id(MAX_SESSIONS)).is_some());
    }

    #[test]
    fn c01_no_key_and_no_refresh_token_is_shown() {
        let (sessions, key) = (Sessions::default(), SessionKey::new("guess-me-not"));
        let held = sessions.begin(SessionId::of("a", &key.subject()), held("s3cret", 1, 7), at(0));
        assert_eq!(
            format!("{sessions:?} {key:?} {held:?}"),
            "Sessions { len: 1 } SessionKey([redacted]) Held { generation: 7, .. }"
        );
    }
}
