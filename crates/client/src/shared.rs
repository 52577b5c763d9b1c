//! [`SharedTokens`]: tokens that several processes keep together, behind the cache that each has in its memory.
//!
//! An application in fifty processes needs one token, not fifty. Before the authority is asked, the shared cache is; and
//! when neither has what is wanted, one process of the fleet asks the authority while the others wait for its answer. What
//! is kept outside is sealed (AES-256-GCM, the place of each entry bound into it), and its name is a keyed hash: whoever
//! reads the cache learns neither token nor question, and a neighbour who writes to it can only make entries disappear,
//! or bring an older one back (`pitfalls` C20, C21). When the cache is gone, slow or full of nonsense, everything works as
//! without it (E23): each operation has a limit of its own, and after a failure the cache is left alone for some seconds.
//!
//! A token at hand never comes here. What users' sessions leave here is in `shared_sessions.rs`.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use countersign_discovery::{BoxFuture, Cause};
use countersign_token::{RootKey, Timestamp, Vault, VaultError, base64url_encode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::access_token::AccessToken;
use crate::error::AcquireError;
use crate::exchange::Exchange;
use crate::key::Key;
use crate::lifetime::{Lifetime, fraction};
use crate::question::Granted;
use crate::telemetry::TokenSource;

/// A place outside the process: Redis, Valkey, a directory. It keeps bytes by name for a while, and knows one thing more:
/// who may refresh.
///
/// Its operations are cut off after half a second; what fails is treated as if nothing were there. Names consist of
/// letters, digits, `-` and `_`. A token lives for hours; a user's session, and the mark that one has ended, for 90 days.
pub trait SharedCache: fmt::Debug + Send + Sync + 'static {
    /// What is kept under `name`, if anything is.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, Cause>>;

    /// Keeps `value` under `name` for `life`, in place of what was there.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn put(&self, name: &str, value: Vec<u8>, life: Duration) -> BoxFuture<'_, Result<(), Cause>>;

    /// Removes what is kept under `name`; it may be that nothing is. A right to refresh stays.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn remove(&self, name: &str) -> BoxFuture<'_, Result<(), Cause>>;

    /// Takes the right to refresh `name`, for at most `life`, as `owner`. Whether nobody else has it.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn lock(&self, name: &str, owner: &str, life: Duration) -> BoxFuture<'_, Result<bool, Cause>>;

    /// Gives the right back, if it is still `owner`'s.
    ///
    /// # Errors
    /// Whatever went wrong.
    fn unlock(&self, name: &str, owner: &str) -> BoxFuture<'_, Result<(), Cause>>;
}

/// A shared cache with the key that seals what is in it: tokens, and the sessions of users who have signed in. Every process
/// of the fleet has the same. Whoever has cache and key can act for those users.
pub struct SharedTokens {
    pub(crate) cache: Arc<dyn SharedCache>,
    pub(crate) vault: Vault,
    /// Until when the cache is left alone, in nanoseconds.
    away_until: AtomicI64,
}

impl fmt::Debug for SharedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTokens").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// An operation of the cache may take so long.
const OPERATION: Duration = Duration::from_millis(500);

/// So long the cache is left alone after a failure.
const AWAY: Duration = Duration::from_secs(5);

/// How often who waits for another process looks again.
const POLL: Duration = Duration::from_millis(50);

/// Of a token's plaintext, should its form ever change.
const FORM: i64 = 2;

impl SharedTokens {
    /// Keeps tokens in `cache`, sealed with `key`: 32 secret bytes that the processes of one trust boundary share.
    ///
    /// # Errors
    /// [`VaultError`] if the crypto library refuses the key, which it does not.
    pub fn new(cache: Arc<dyn SharedCache>, key: &RootKey) -> Result<Self, VaultError> {
        Ok(Self { cache, vault: Vault::new(key)?, away_until: AtomicI64::new(i64::MIN) })
    }

    /// The shared token, or what `request` brings, which is then shared. `unwanted` is no answer, and nothing that ends
    /// no later than it. The wait for another process is part of the request's time: after a long one it is told to be
    /// content with one attempt.
    pub(crate) async fn obtain<R>(
        &self,
        exchange: &Exchange,
        key: &Key,
        unwanted: Option<&AccessToken>,
        request: impl FnOnce(bool) -> R,
    ) -> Result<Granted, AcquireError>
    where
        R: Future<Output = Result<Granted, AcquireError>>,
    {
        let name = self.hashed(&key.to_text());
        let owner = exchange.randomness.base64url(16);
        let lock_life = exchange.overdue_after();
        let begun = Instant::now();
        loop {
            if self.is_away(exchange) {
                return request(was_long(begun)).await;
            }
            if let Some(token) = self.find(exchange, &name, unwanted).await {
                return Ok(Granted::token(token, TokenSource::SharedCache));
            }
            if self.is_away(exchange) {
                return request(was_long(begun)).await;
            }
            match self.limited(exchange, self.cache.lock(&name, &owner, lock_life)).await {
                Some(true) => break,
                // Another process asks; one that died with the right leaves it behind until it ends.
                Some(false) if begun.elapsed() < exchange.timeout => pause(exchange).await,
                Some(false) | None => return request(was_long(begun)).await,
            }
        }
        // Between the look and the lock another process may have finished.
        let outcome = match self.find(exchange, &name, unwanted).await {
            Some(token) => Ok(Granted::token(token, TokenSource::SharedCache)),
            None => {
                let outcome = request(was_long(begun)).await;
                if let Ok(granted) = &outcome {
                    self.share(exchange, &name, &granted.token).await;
                }
                outcome
            }
        };
        self.limited(exchange, self.cache.unlock(&name, &owner)).await;
        outcome
    }

    /// The keyed hash of a text, as a name.
    pub(crate) fn hashed(&self, text: &str) -> String {
        base64url_encode(self.vault.hash_secret(text).as_bytes())
    }

    pub(crate) fn is_away(&self, exchange: &Exchange) -> bool {
        let now = exchange.clock.now().as_nanos();
        let until = self.away_until.load(Ordering::Relaxed);
        // A clock that was set back does not keep the cache away for long.
        now < until && until - now <= i64::try_from(AWAY.as_nanos()).unwrap_or(i64::MAX)
    }

    /// The operation's outcome; None if it fails. What a cache that is away is asked for is not even begun.
    pub(crate) async fn asked<T>(&self, exchange: &Exchange, operation: BoxFuture<'_, Result<T, Cause>>) -> Option<T> {
        if self.is_away(exchange) { None } else { self.limited(exchange, operation).await }
    }

    /// Lets the cache be asked again though it was away a moment ago: what hangs on it is worth half a second.
    pub(crate) fn look_again(&self) {
        self.away_until.store(i64::MIN, Ordering::Relaxed);
    }

    pub(crate) async fn limited<T>(
        &self,
        exchange: &Exchange,
        operation: BoxFuture<'_, Result<T, Cause>>,
    ) -> Option<T> {
        let failed: Cause = match tokio::time::timeout(OPERATION, operation).await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(cause)) => cause,
            Err(_) => "no answer within half a second".into(),
        };
        tracing::warn!(
            error = &*failed as &(dyn std::error::Error + 'static),
            "the shared token cache fails; going on without"
        );
        self.away_until.store(exchange.clock.now().plus(AWAY).as_nanos(), Ordering::Relaxed);
        None
    }

    pub(crate) async fn find(
        &self,
        exchange: &Exchange,
        name: &str,
        unwanted: Option<&AccessToken>,
    ) -> Option<AccessToken> {
        let sealed = self.asked(exchange, self.cache.get(name)).await??;
        let now = exchange.clock.now();
        let Some(token) = self.open(name, &sealed, now) else {
            warn_of_stranger();
            return None;
        };
        let is_old = unwanted
            .is_some_and(|old| token.same_as(old) || (!old.is_ahead_of(now) && token.expires_on() <= old.expires_on()));
        (token.usable_at(now) && !is_old).then_some(token)
    }

    pub(crate) async fn share(&self, exchange: &Exchange, name: &str, token: &AccessToken) {
        let lifetime = token.lifetime();
        let life = lifetime.usable_until.saturating_duration_since(exchange.clock.now());
        let plain = Zeroizing::new(
            json!({
                "form": FORM, "token": token.secret(), "expires_on": lifetime.expires_on.as_nanos(),
                "asked_at": lifetime.asked_at.as_nanos(), "usable_until": lifetime.usable_until.as_nanos(), "refresh_on": lifetime.refresh_on.as_nanos(),
            })
            .to_string(),
        );
        if life.is_zero() {
            return;
        }
        if let Ok(sealed) = self.vault.seal(name, plain.as_bytes(), &*exchange.randomness) {
            self.asked(exchange, self.cache.put(name, sealed, life)).await;
        }
    }

    fn open(&self, name: &str, sealed: &[u8], now: Timestamp) -> Option<AccessToken> {
        let plain = self.vault.open(name, sealed).ok()?;
        let entry: Value = serde_json::from_slice(&plain).ok()?;
        if entry.get("form")?.as_i64()? != FORM {
            return None;
        }
        let at = |member: &str| entry.get(member)?.as_i64().map(Timestamp::from_nanos);
        let lifetime = Lifetime {
            asked_at: at("asked_at")?,
            expires_on: at("expires_on")?,
            usable_until: at("usable_until")?,
            refresh_on: at("refresh_on")?,
        }
        .as_of_another_clock(now)?;
        AccessToken::new(&SecretString::from(entry.get("token")?.as_str()?), lifetime)
    }
}

/// Whether so much time has passed that there is none for a second attempt.
pub(crate) fn was_long(begun: Instant) -> bool {
    begun.elapsed() > OPERATION * 2
}

/// Until who waits for another process looks again.
pub(crate) async fn pause(exchange: &Exchange) {
    tokio::time::sleep(POLL.mul_f64(0.5 + fraction(&*exchange.randomness))).await;
}

pub(crate) fn warn_of_stranger() {
    tracing::warn!("an entry of the shared token cache does not open: another key, or not ours");
}
