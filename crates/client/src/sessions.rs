//! What user grants leave behind: refresh tokens, one per session or account, bounded by their number.
//!
//! A refresh token is bound to user and client, not to a resource, so there is one for all scopes of a session. Entra
//! returns a new one with most uses; the newer takes the older's place. A session whose refresh token is refused is over.
//! Kept in memory only, wiped when dropped. Touched only on the slow way, never by a token at hand.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_token::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::digest::sha256_of;
use crate::key::{Identity, Subject};

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

/// A session of one client: the digest of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId([u8; 32]);

impl SessionId {
    pub(crate) fn of(identity: &Identity, subject: &Subject) -> Self {
        Self(sha256_of(&[identity.as_str().as_bytes(), subject.owner()]))
    }
}

struct Session {
    refresh_token: SecretString,
    used: Timestamp,
}

/// The sessions of every client that shares a store.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<SessionId, Session, foldhash::fast::RandomState>>);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("len", &self.lock().len()).finish()
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Session, foldhash::fast::RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn refresh_token(&self, id: &SessionId, now: Timestamp) -> Option<SecretString> {
        self.lock().get_mut(id).map(|session| {
            session.used = now;
            session.refresh_token.clone()
        })
    }

    pub(crate) fn keep(&self, id: SessionId, refresh_token: SecretString, now: Timestamp) {
        let mut sessions = self.lock();
        sessions.insert(id, Session { refresh_token, used: now });
        if sessions.len() <= MAX_SESSIONS {
            return;
        }
        // A few more than needed: the scan is not for one only.
        let mut by_use: Vec<(Timestamp, SessionId)> =
            sessions.iter().map(|(id, session)| (session.used, *id)).collect();
        let count = MAX_SESSIONS / 64;
        by_use.select_nth_unstable_by_key(count, |(used, _)| *used);
        for (_, id) in &by_use[..count] {
            sessions.remove(id);
        }
    }

    pub(crate) fn end(&self, id: &SessionId) -> bool {
        self.lock().remove(id).is_some()
    }

    /// Ends a session whose refresh token was refused, unless it has a newer one by now.
    pub(crate) fn refused(&self, id: &SessionId, refresh_token: &SecretString) {
        let mut sessions = self.lock();
        if sessions.get(id).is_some_and(|it| it.refresh_token.expose_secret() == refresh_token.expose_secret()) {
            sessions.remove(id);
        }
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_refresh_token_ends_its_session_but_not_its_successors() {
        let sessions = Sessions::default();
        let id = SessionId::of(&Identity::new(&["a"]), &SessionKey::new("k").subject());
        let at = Timestamp::from_unix_seconds(0);
        sessions.keep(id, "old".into(), at);
        sessions.keep(id, "new".into(), at);
        sessions.refused(&id, &"old".into());
        assert_eq!(sessions.refresh_token(&id, at).unwrap().expose_secret(), "new");
        sessions.refused(&id, &"new".into());
        assert!(sessions.refresh_token(&id, at).is_none());
    }

    #[test]
    fn the_number_of_sessions_is_bounded_and_the_idle_go_first() {
        let sessions = Sessions::default();
        let identity = Identity::new(&["a"]);
        let id = |n: usize| SessionId::of(&identity, &Subject::of("session", &n.to_be_bytes()));
        for n in 0..=MAX_SESSIONS {
            sessions.keep(id(n), "rt".into(), Timestamp::from_unix_seconds(i64::try_from(n).unwrap()));
        }
        assert!(sessions.lock().len() <= MAX_SESSIONS);
        let now = Timestamp::from_unix_seconds(i64::MAX / 2_000_000_000);
        assert!(sessions.refresh_token(&id(0), now).is_none());
        assert!(sessions.refresh_token(&id(MAX_SESSIONS), now).is_some());
    }

    #[test]
    fn c01_no_key_and_no_refresh_token_is_shown() {
        let sessions = Sessions::default();
        let key = SessionKey::new("guess-me-not");
        sessions.keep(
            SessionId::of(&Identity::new(&["a"]), &key.subject()),
            "rt".into(),
            Timestamp::from_unix_seconds(0),
        );
        assert_eq!(format!("{sessions:?} {key:?}"), "Sessions { len: 1 } SessionKey([redacted])");
    }
}
