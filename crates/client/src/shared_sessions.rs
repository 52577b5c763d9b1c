//! Users' sessions that processes share: what [`SharedTokens`] keeps of them, and how that is read.
//!
//! Of a session there is its newest refresh token, so that a user who signed in at one replica is signed in at all of
//! them, and after a restart. It is sealed as tokens are, under a name with a prefix of its own, and its plaintext begins
//! with its kind: an entry of one kind never opens as another.
//!
//! A session that was ended leaves a mark under the name of its family (one sign-in and everything that descends from
//! it). To remove its entry is not enough: a process may be renewing it at that moment and write it anew, and another may
//! know it from its own memory, to which an entry that is missing says nothing, since a cache may be flushed at any time
//! (`pitfalls` E23). The access tokens got in a session are shared under the name of its family too, so that nobody finds
//! them when it has ended, or when somebody else has begun a session of the same name.

use std::cmp::Reverse;
use std::time::Duration;

use countersign_protocol::TenantSegment;
use countersign_token::{Timestamp, base64url_encode};
use zeroize::Zeroizing;

use crate::exchange::Exchange;
use crate::key::{Key, Subject};
use crate::sessions::{Family, Held, SessionId};
use crate::shared::{SharedTokens, warn_of_stranger};

/// How long a session is kept since it was last renewed: as long as Entra's refresh tokens live when they are not used.
///
/// Source: Microsoft identity platform, Refresh tokens.
pub(crate) const SESSION_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// Kind and form, should it ever change.
const SESSION: [u8; 2] = *b"s1";
const ENDED: [u8; 2] = *b"e1";

pub(crate) fn session_name(shared: &SharedTokens, id: &SessionId) -> String {
    format!("session-{}", shared.hashed(&format!("session\n{}", base64url_encode(id.as_bytes()))))
}

fn ended_name(shared: &SharedTokens, family: Family) -> String {
    format!("ended-{}", shared.hashed(&format!("ended session\n{}", base64url_encode(&family.0))))
}

/// Where a token got in a session of this family is kept.
pub(crate) fn token_name(shared: &SharedTokens, key: &Key, family: Family) -> String {
    shared.hashed(&format!("{}\n{}", key.to_text(), base64url_encode(&family.0)))
}

impl SharedTokens {
    /// The newest refresh token of a session, this process's own or the shared one; None if there is none, or the session
    /// was ended by whatever process. In the latter case this process forgets it, with its tokens.
    pub(crate) async fn newest(&self, exchange: &Exchange, id: &SessionId, subject: &Subject) -> Option<Held> {
        let (sessions, now) = (&exchange.store.sessions, exchange.clock.now());
        let own = sessions.held(id, now);
        let kept = self.session(exchange, id).await;
        let shared = kept.as_ref().map(|kept| kept.family);
        let mut known: Vec<Held> = [own, kept].into_iter().flatten().collect();
        known.sort_by_key(|held| Reverse(held.generation));
        for held in known {
            if self.is_over(exchange, id, subject, held.family).await {
                if shared == Some(held.family) {
                    self.remove_session(exchange, id).await;
                }
            } else if sessions.adopt(*id, &held, now) {
                return Some(held);
            }
        }
        None
    }

    /// Whether a family was ended, by this process while it could tell nobody, or by another.
    pub(crate) async fn is_over(&self, exchange: &Exchange, id: &SessionId, subject: &Subject, family: Family) -> bool {
        let store = &exchange.store;
        if store.sessions.is_remembered(id, family) {
            if self.mark_ended(exchange, family).await {
                store.sessions.forget_ended(id);
            }
            return true;
        }
        let has_ended = self.has_ended(exchange, family).await;
        if has_ended {
            store.end(id, subject, |held| held.family == family);
        }
        has_ended
    }

    /// What is kept of a session.
    pub(crate) async fn session(&self, exchange: &Exchange, id: &SessionId) -> Option<Held> {
        let name = session_name(self, id);
        let sealed = self.asked(exchange, self.cache.get(&name)).await??;
        let Some((held, until)) = self.vault.open(&name, &sealed).ok().as_deref().and_then(|plain| read(plain)) else {
            warn_of_stranger();
            return None;
        };
        (exchange.clock.now() < until).then_some(held)
    }

    /// Keeps a session, in place of what was kept of it.
    pub(crate) async fn keep_session(&self, exchange: &Exchange, id: &SessionId, held: &Held) {
        let name = session_name(self, id);
        let plain = written(held, exchange.clock.now().plus(SESSION_LIFE));
        if let Ok(sealed) = self.vault.seal(&name, &plain, &*exchange.randomness) {
            self.asked(exchange, self.cache.put(&name, sealed, SESSION_LIFE)).await;
        }
    }

    pub(crate) async fn remove_session(&self, exchange: &Exchange, id: &SessionId) {
        self.asked(exchange, self.cache.remove(&session_name(self, id))).await;
    }

    /// Whether a family was ended by another process.
    pub(crate) async fn has_ended(&self, exchange: &Exchange, family: Family) -> bool {
        let name = ended_name(self, family);
        let Some(Some(sealed)) = self.asked(exchange, self.cache.get(&name)).await else { return false };
        let is_mark = self.vault.open(&name, &sealed).is_ok_and(|plain| **plain == ENDED);
        if !is_mark {
            warn_of_stranger();
        }
        is_mark
    }

    /// Tells every process that a family has ended. Whether the cache has taken it.
    pub(crate) async fn mark_ended(&self, exchange: &Exchange, family: Family) -> bool {
        let name = ended_name(self, family);
        let Ok(sealed) = self.vault.seal(&name, &ENDED, &*exchange.randomness) else { return false };
        self.asked(exchange, self.cache.put(&name, sealed, SESSION_LIFE)).await.is_some()
    }
}

/// Kind, family, generation, end, the tenant with its length before it, refresh token: bytes that are wiped as a whole,
/// where JSON would leave copies of the refresh token behind.
fn written(held: &Held, until: Timestamp) -> Zeroizing<Vec<u8>> {
    use secrecy::ExposeSecret as _;
    let tenant = held.tenant.as_ref().map(ToString::to_string).unwrap_or_default();
    let refresh_token = held.refresh_token.expose_secret();
    let mut plain = Zeroizing::new(Vec::with_capacity(64 + tenant.len() + refresh_token.len()));
    plain.extend_from_slice(&SESSION);
    plain.extend_from_slice(&held.family.0);
    plain.extend_from_slice(&held.generation.to_be_bytes());
    plain.extend_from_slice(&until.as_nanos().to_be_bytes());
    // A tenant has at most 253 characters.
    plain.push(u8::try_from(tenant.len()).unwrap_or_default());
    plain.extend_from_slice(tenant.as_bytes());
    plain.extend_from_slice(refresh_token.as_bytes());
    plain
}

fn read(plain: &[u8]) -> Option<(Held, Timestamp)> {
    let (kind, rest) = plain.split_first_chunk::<2>()?;
    let (family, rest) = rest.split_first_chunk::<16>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (until, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first()?;
    let (tenant, refresh_token) = rest.split_at_checked(usize::from(*length))?;
    let tenant = match std::str::from_utf8(tenant).ok()? {
        "" => None,
        text => Some(TenantSegment::parse(text).ok()?),
    };
    let refresh_token = std::str::from_utf8(refresh_token).ok().filter(|token| !token.is_empty())?;
    let held = Held {
        refresh_token: refresh_token.into(),
        family: Family(*family),
        generation: i64::from_be_bytes(*generation),
        tenant,
        began_with: None,
    };
    (*kind == SESSION).then_some((held, Timestamp::from_nanos(i64::from_be_bytes(*until))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_or_of_another_kind_is_not() {
        for tenant in [None, Some(TenantSegment::parse("6babcaad-604b-40ac-a9d7-9fd97c0b779f").unwrap())] {
            let held = Held {
                refresh_token: "1.AXo~\"\u{e9}".into(),
                family: Family([7; 16]),
                generation: -3,
                tenant,
                began_with: None,
            };
            let plain = written(&held, Timestamp::from_nanos(9));
            let (again, until) = read(&plain).unwrap();
            assert_eq!(again.refresh_token.expose_secret(), held.refresh_token.expose_secret());
            assert_eq!((again.family, again.generation, &again.tenant), (held.family, -3, &held.tenant));
            assert_eq!(until, Timestamp::from_nanos(9));
            let fixed = plain.len() - held.refresh_token.expose_secret().len();
            for length in 0..=fixed {
                assert!(read(&plain[..length]).is_none(), "{length}");
            }
            for other in [*b"s2", ENDED, *b"{\""] {
                assert!(read(&[&other[..], &plain[2..]].concat()).is_none(), "{other:?}");
            }
        }
    }
}
