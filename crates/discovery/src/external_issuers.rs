//! Keys of issuers that other people named: what federated credentials trust.
//!
//! An issuer's metadata is at `{issuer}/.well-known/openid-configuration` (OpenID Connect Discovery §4), must name the same
//! issuer, and says where the keys are. Everything is bounded: the time, the size, how often somebody is asked, and how
//! many issuers are remembered. Redirects are not followed. Where the addresses may lead is the transport's affair; see
//! [`HttpsTransportBuilder::only_public_addresses`](crate::HttpsTransportBuilder::only_public_addresses).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_token::{Clock, KeySet, Timestamp, VerificationKey};
use serde::Deserialize;
use url::Url;

use crate::document::{is_plain_https, json_body, read_keys};
use crate::error::FetchError;
use crate::transport::{Limits, Transport};

/// How long keys are used before they are fetched again.
const FRESH: Duration = Duration::from_secs(3600);

/// How long keys are used while nobody answers.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// How long after a fetch an unknown key, or a failure, leads to the next.
const COOLDOWN: Duration = Duration::from_secs(30);

/// How many issuers are remembered.
const ROOM: usize = 1_000;

/// What one fetch may cost.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), max_body_bytes: 512 * 1024 };

/// An external issuer's key could not be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalIssuerError {
    /// The issuer is no https address, or its metadata names keys at none.
    #[error("the issuer's address cannot be used")]
    Address,
    /// The metadata names another issuer (pitfalls B20).
    #[error("the metadata found at the issuer names another one")]
    OtherIssuer,
    /// The issuer publishes no key of this id.
    #[error("the issuer does not publish the key")]
    UnknownKey,
    /// The metadata or the keys could not be fetched; a later attempt may succeed.
    #[error("the issuer's metadata or keys could not be fetched")]
    Fetch(#[source] Arc<FetchError>),
}

/// What is used of an issuer's metadata.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// What is known of one issuer.
#[derive(Default)]
struct Known {
    keys: Option<(Timestamp, Arc<KeySet>)>,
    /// The last attempt, and what came of it if nothing did.
    tried: Option<(Timestamp, Option<ExternalIssuerError>)>,
}

#[derive(Default)]
struct Issuer {
    known: Mutex<Known>,
    /// Held by the one who fetches.
    fetching: tokio::sync::Mutex<()>,
}

/// Remembers the keys of external issuers. Clones are not needed: share it.
pub struct ExternalIssuers {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    issuers: Mutex<HashMap<String, Arc<Issuer>>>,
}

impl std::fmt::Debug for ExternalIssuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalIssuers").field("transport", &self.transport).finish_non_exhaustive()
    }
}

impl ExternalIssuers {
    /// Nothing is fetched before it is needed.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self { transport, clock, issuers: Mutex::default() }
    }

    /// The key with this `kid` of this issuer. Ask only for issuers that somebody registered.
    ///
    /// # Errors
    /// [`ExternalIssuerError`]. What was fetched in the last hour is used without asking, and while nobody answers what
    /// was fetched in the last day; an unknown key leads to one fetch in 30 s.
    pub async fn key(&self, issuer: &str, key_id: &str) -> Result<VerificationKey, ExternalIssuerError> {
        let entry = self.entry(issuer);
        if let Some(answer) = self.at_hand(&entry, key_id) {
            return answer;
        }
        let _fetching = entry.fetching.lock().await;
        // Somebody else may have fetched while we waited.
        if let Some(answer) = self.at_hand(&entry, key_id) {
            return answer;
        }
        let fetched = self.fetch(issuer).await;
        let now = self.clock.now();
        let mut known = entry.known.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(keys) => {
                known.keys = Some((now, Arc::new(keys)));
                known.tried = Some((now, None));
            }
            Err(error) => {
                tracing::warn!(issuer, error = &error as &dyn std::error::Error, "an external issuer cannot be asked");
                known.tried = Some((now, Some(error)));
            }
        }
        find(&known, key_id, now)
    }

    fn entry(&self, issuer: &str) -> Arc<Issuer> {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = issuers.get(issuer) {
            return Arc::clone(entry);
        }
        if issuers.len() >= ROOM {
            // Rare, and all it costs is fetching again.
            issuers.clear();
        }
        Arc::clone(issuers.entry(issuer.to_owned()).or_default())
    }

    /// The answer, if no fetch is due for it.
    fn at_hand(&self, entry: &Issuer, key_id: &str) -> Option<Result<VerificationKey, ExternalIssuerError>> {
        let now = self.clock.now();
        let known = entry.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.keys.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < FRESH);
        if let Some(key) = fresh.and_then(|(_, keys)| keys.find(key_id)) {
            return Some(Ok(key.clone()));
        }
        let tried = known.tried.as_ref().is_some_and(|(at, _)| now.saturating_duration_since(*at) < COOLDOWN);
        tried.then(|| find(&known, key_id, now))
    }

    async fn fetch(&self, issuer: &str) -> Result<KeySet, ExternalIssuerError> {
        let fetching = |error| ExternalIssuerError::Fetch(Arc::new(error));
        // OpenID Connect Discovery §4.1: a slash at the issuer's end is not doubled.
        let metadata = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
        let body = self.get(&metadata).await?;
        let document: Document =
            serde_json::from_slice(&body).map_err(|error| fetching(FetchError::Metadata(error.into())))?;
        if document.issuer != issuer {
            return Err(ExternalIssuerError::OtherIssuer);
        }
        read_keys(&self.get(&document.jwks_uri).await?, None).map_err(fetching)
    }

    async fn get(&self, address: &str) -> Result<bytes::Bytes, ExternalIssuerError> {
        let url = Url::parse(address).ok().filter(is_plain_https).ok_or(ExternalIssuerError::Address)?;
        let request = http::Request::get(url.as_str()).body(bytes::Bytes::new());
        let request = request.map_err(|_| ExternalIssuerError::Address)?;
        let response = self.transport.send(request, LIMITS).await.map_err(FetchError::Transport);
        response.and_then(json_body).map_err(|error| ExternalIssuerError::Fetch(Arc::new(error)))
    }
}

/// The key among those that may be used now; else why there is none.
fn find(known: &Known, key_id: &str, now: Timestamp) -> Result<VerificationKey, ExternalIssuerError> {
    let usable = known.keys.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < STALE);
    if let Some(key) = usable.and_then(|(_, keys)| keys.find(key_id)) {
        return Ok(key.clone());
    }
    match &known.tried {
        Some((_, Some(error))) => Err(error.clone()),
        _ => Err(ExternalIssuerError::UnknownKey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{BoxFuture, TransportError};
    use countersign_token::SystemClock;

    /// Knows nobody.
    #[derive(Debug)]
    struct Nowhere;

    impl Transport for Nowhere {
        fn send(
            &self,
            _request: http::Request<bytes::Bytes>,
            _limits: Limits,
        ) -> BoxFuture<'static, Result<http::Response<bytes::Bytes>, TransportError>> {
            Box::pin(async { Err(TransportError::Connect("no such host".into())) })
        }
    }

    #[tokio::test]
    async fn e12_a_flood_of_issuers_is_remembered_within_bounds() {
        let issuers = ExternalIssuers::new(Arc::new(Nowhere), Arc::new(SystemClock));
        for number in 0..3 * ROOM {
            let error = issuers.key(&format!("https://issuer-{number}.example"), "a").await.unwrap_err();
            assert!(matches!(error, ExternalIssuerError::Fetch(_)), "{error:?}");
            assert!(issuers.issuers.lock().unwrap().len() <= ROOM);
        }
    }
}
