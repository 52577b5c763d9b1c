//! Who is signed in in a browser: accounts with their sessions, sealed in one cookie.
//!
//! The authority keeps no table of sessions. What ends one is looked up where it is used: the person signed out (its key is
//! spent in the ledger, so that a stolen cookie is worth nothing afterwards), the account was switched off, its password
//! changed or its sessions were revoked. A session gets a new key whenever somebody signs in (pitfalls B66).
//!
//! The cookie is bounded: few accounts, and of each as many applications as fit. One that is crowded out misses the
//! front-channel logout, nothing else.

use countersign_token::{ClientId, ObjectId, Randomness, TenantId, Vault, base64url_decode_strict, base64url_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::subject::SessionFacts;

/// How long somebody is signed in who does not stay signed in, in seconds; closing the browser ends it before.
const BRIEF_SECONDS: i64 = 24 * 3_600;

/// How long somebody stays signed in, in seconds.
pub(super) const LONG_SECONDS: i64 = 90 * 24 * 3_600;

/// So many accounts are remembered.
const MAX_ACCOUNTS: usize = 6;

/// The longest value of a cookie that every browser takes, less name and attributes, in bytes.
const MAX_VALUE_BYTES: usize = 3_800;

const PURPOSE: &str = "browser sessions";

/// The accounts of a browser, the one that was used last first, and the browser's id when they were sealed.
///
/// The id is another cookie, which no browser keeps beyond its window: by it the accounts that do not stay signed in end
/// with the window, though one that does keeps the cookie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sessions(pub(super) Vec<Entry>, #[serde(default)] Uuid);

/// An account that was signed in in this browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "t")]
    pub(super) tenant: TenantId,
    #[serde(rename = "u")]
    pub(super) user: ObjectId,
    /// What ends this session when it is spent; new with each sign-in.
    #[serde(rename = "k", with = "uuid::serde::simple")]
    pub(super) key: Uuid,
    /// `None` once signed out: the account is still offered.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<SessionFacts>,
    /// Whether it outlives the browser's window.
    #[serde(rename = "l", default)]
    pub(super) long: bool,
    /// Seconds since the epoch.
    #[serde(rename = "e")]
    pub(super) expires: i64,
    /// Names the password that was good then: another one ends the session.
    #[serde(rename = "p", default)]
    pub(super) password: String,
    /// The applications that were signed in to, the latest last.
    #[serde(rename = "a", default)]
    pub(super) applications: Vec<ClientId>,
}

impl Sessions {
    /// What the cookie says, if this authority wrote it. Nothing else is an error: the person signs in again.
    pub(super) fn open(value: Option<&str>, vault: &Vault) -> Self {
        let read = || -> Option<Self> {
            let text = value.filter(|text| text.len() <= MAX_VALUE_BYTES)?;
            let sealed = base64url_decode_strict(text).ok()?;
            serde_json::from_slice(&vault.open(PURPOSE, &sealed).ok()?).ok()
        };
        read().unwrap_or_default()
    }

    /// Leaves out what ended with the window in which it was sealed.
    pub(super) fn in_window(mut self, browser: Option<Uuid>) -> Self {
        let same = browser == Some(self.1);
        self.0.retain(|entry| entry.long || same);
        self
    }

    /// The cookie's value, and for how many seconds beyond the window it is kept, if it is.
    pub(super) fn seal(
        &mut self,
        browser: Uuid,
        now: i64,
        vault: &Vault,
        randomness: &dyn Randomness,
    ) -> (String, Option<i64>) {
        self.1 = browser;
        loop {
            if self.0.is_empty() {
                return (String::new(), None);
            }
            let json = serde_json::to_vec(self).unwrap_or_default();
            let text =
                vault.seal(PURPOSE, &json, randomness).map(|sealed| base64url_encode(&sealed)).unwrap_or_default();
            if text.len() <= MAX_VALUE_BYTES {
                let until = self.0.iter().filter(|entry| entry.long).map(|entry| entry.expires).max();
                return (text, until.map(|until| (until - now).max(0)));
            }
            self.make_room();
        }
    }

    /// Forgets the oldest application of the account with the most, or the account that was used longest ago.
    fn make_room(&mut self) {
        match self.0.iter_mut().max_by_key(|entry| entry.applications.len()) {
            Some(entry) if entry.applications.len() > 1 => {
                entry.applications.remove(0);
            }
            _ => {
                self.0.pop();
            }
        }
    }

    pub(super) fn entry(&self, user: ObjectId) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.user == user)
    }

    /// Notes a sign-in, under a new key. Answers the key that this account's session had before.
    pub(super) fn sign_in(
        &mut self,
        tenant: TenantId,
        user: ObjectId,
        key: Uuid,
        password: String,
        mut session: SessionFacts,
        now: i64,
    ) -> Option<Uuid> {
        let before = self.0.iter().position(|entry| entry.user == user).map(|at| self.0.remove(at));
        let mut entry = Entry {
            tenant,
            user,
            key,
            session: None,
            long: false,
            expires: now + BRIEF_SECONDS,
            password,
            applications: Vec::new(),
        };
        let mut ended = None;
        if let Some(before) = before {
            if let Some(earlier) = &before.session {
                ended = Some(before.key);
                if before.expires > now {
                    // The same person proved themselves again: applications know the session by its `sid`.
                    session.id = earlier.id;
                    session.contexts.extend(earlier.contexts.iter().cloned());
                    session.contexts.sort_unstable();
                    session.contexts.dedup();
                    entry.applications = before.applications;
                }
            }
            entry.long = before.long;
            if before.long {
                entry.expires = now + LONG_SECONDS;
            }
        }
        entry.session = Some(session);
        self.0.insert(0, entry);
        self.0.truncate(MAX_ACCOUNTS);
        ended
    }

    /// Lets a session outlive the window, or not.
    pub(super) fn stay(&mut self, user: ObjectId, long: bool, now: i64) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.user == user) {
            entry.long = long;
            entry.expires = now + if long { LONG_SECONDS } else { BRIEF_SECONDS };
        }
    }

    /// Notes that an account was used for an application, so that the end of the session reaches it.
    pub(super) fn used(&mut self, user: ObjectId, application: ClientId) {
        let Some(at) = self.0.iter().position(|entry| entry.user == user) else { return };
        let mut entry = self.0.remove(at);
        entry.applications.retain(|known| *known != application);
        entry.applications.push(application);
        self.0.insert(0, entry);
    }

    /// Signs an account out; it stays on the list unless it is to be forgotten. Answers what it was.
    pub(super) fn sign_out(&mut self, user: ObjectId, forget: bool) -> Option<Entry> {
        let at = self.0.iter().position(|entry| entry.user == user)?;
        let ended = self.0[at].clone();
        if forget {
            self.0.remove(at);
        } else {
            self.0[at].session = None;
            self.0[at].applications.clear();
        }
        Some(ended)
    }

    /// `session_state` of each session, for the check-session page.
    pub(super) fn states(&self) -> String {
        let ids = self.0.iter().filter_map(|entry| entry.session.as_ref()).map(|session| session.id.to_string());
        ids.collect::<Vec<_>>().join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::{RootKey, SystemRandomness};

    const NOW: i64 = 1_767_225_600;

    fn vault() -> Vault {
        Vault::new(&RootKey::from_bytes([7; 32])).unwrap()
    }

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn sign_in(sessions: &mut Sessions, user: u128, key: u128) -> Option<Uuid> {
        let session = SessionFacts::by_password(id(key), NOW);
        sessions.sign_in(
            TenantId::from_uuid(id(1)),
            ObjectId::from_uuid(id(user)),
            id(key),
            String::new(),
            session,
            NOW,
        )
    }

    #[test]
    fn b66_each_sign_in_has_a_key_of_its_own_and_ends_the_one_before() {
        let mut sessions = Sessions::default();
        assert_eq!(sign_in(&mut sessions, 2, 10), None);
        sessions.used(ObjectId::from_uuid(id(2)), ClientId::from_uuid(id(9)));
        assert_eq!(sign_in(&mut sessions, 2, 11), Some(id(10)));
        let entry = &sessions.0[0];
        assert_eq!(
            (entry.key, entry.session.as_ref().unwrap().id),
            (id(11), id(10)),
            "applications know it by its sid"
        );
        assert_eq!(entry.applications.len(), 1);
        sessions.sign_out(entry.user, false).unwrap();
        assert_eq!(sign_in(&mut sessions, 2, 12), None, "an ended session is not ended again");
        assert_eq!(sessions.0[0].session.as_ref().unwrap().id, id(12), "and its sid is gone");
        assert!(sessions.0[0].applications.is_empty());
    }

    #[test]
    fn the_cookie_is_bounded_whatever_is_used() {
        let (vault, mut sessions) = (vault(), Sessions::default());
        for user in 0..20 {
            sign_in(&mut sessions, 100 + user, 1_000 + user);
            for application in 0..60 {
                sessions.used(ObjectId::from_uuid(id(100 + user)), ClientId::from_uuid(id(5_000 + application)));
            }
        }
        let (text, kept) = sessions.seal(id(77), NOW, &vault, &SystemRandomness);
        assert!(text.len() <= MAX_VALUE_BYTES && kept.is_none());
        let read = Sessions::open(Some(&text), &vault);
        assert_eq!(read, sessions);
        assert_eq!(read.0.len(), MAX_ACCOUNTS);
        assert!(read.0.iter().all(|entry| !entry.applications.is_empty()));
        assert_eq!(read.0[0].user, ObjectId::from_uuid(id(119)), "the latest is kept");
    }

    #[test]
    fn only_who_wants_to_stays_signed_in_beyond_the_window() {
        let (vault, mut sessions) = (vault(), Sessions::default());
        sign_in(&mut sessions, 2, 10);
        assert_eq!(sessions.seal(id(77), NOW, &vault, &SystemRandomness).1, None);
        sessions.stay(ObjectId::from_uuid(id(2)), true, NOW);
        assert_eq!(sessions.seal(id(77), NOW, &vault, &SystemRandomness).1, Some(LONG_SECONDS));
        sessions.sign_out(ObjectId::from_uuid(id(2)), true);
        assert_eq!(sessions.seal(id(77), NOW, &vault, &SystemRandomness).0, "");
    }

    #[test]
    fn who_does_not_stay_signed_in_leaves_with_the_window() {
        let (vault, mut sessions) = (vault(), Sessions::default());
        sign_in(&mut sessions, 2, 10);
        sign_in(&mut sessions, 3, 11);
        sessions.stay(ObjectId::from_uuid(id(2)), true, NOW);
        let (text, _) = sessions.seal(id(77), NOW, &vault, &SystemRandomness);
        let users = |browser| -> Vec<_> {
            let read = Sessions::open(Some(&text), &vault).in_window(browser);
            read.0.iter().map(|entry| entry.user.as_uuid().as_u128()).collect()
        };
        assert_eq!(users(Some(id(77))), [3, 2]);
        assert_eq!(users(Some(id(78))), [2]);
        assert_eq!(users(None), [2]);
    }

    #[test]
    fn a_foreign_cookie_is_nobody() {
        for value in [None, Some(""), Some("AAAA"), Some("not base64")] {
            assert_eq!(Sessions::open(value, &vault()), Sessions::default());
        }
    }
}
