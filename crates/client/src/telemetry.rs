//! Metrics, with the nouns of MSAL.NET's: token source, refresh reason, milliseconds in HTTP, remaining life; and the
//! herd, how many callers one request served.
//!
//! With the feature `opentelemetry` they are instruments of the program's global meter provider, which must be set before
//! the first token; without it nothing is counted and a hit costs nothing more. Attributes are words from this house:
//! nothing that a stranger or an authority writes becomes one, so that nobody can make series up. Spans are `tracing`'s,
//! `acquire_token` per request that is sent; see `acquisition.rs`.
//!
//! | instrument | unit | attributes |
//! |---|---|---|
//! | `countersign.client.tokens` | tokens | `token_source`, `cache_refresh_reason`, `grant` |
//! | `countersign.client.failures` | requests | `grant`, `cache_refresh_reason`, `error_code` |
//! | `countersign.client.total_duration` | ms | `grant`, `token_source` |
//! | `countersign.client.duration_in_http` | ms | `status` |
//! | `countersign.client.remaining_life` | s | `token_source` |
//! | `countersign.client.herd` | callers | `grant` |

use std::time::Duration;

use bytes::Bytes;
use countersign_token::Timestamp;
use http::Response;

use crate::access_token::AccessToken;
use crate::error::AcquireError;
use crate::question::Granted;

/// Where a token came from, in MSAL's words; `Cache` is the process's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenSource {
    IdentityProvider,
    SharedCache,
}

impl TokenSource {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::IdentityProvider => "IdentityProvider",
            Self::SharedCache => "SharedCache",
        }
    }
}

/// Why a request was sent, in MSAL's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    NoCachedAccessToken,
    Expired,
    ProactivelyRefreshed,
    ForceRefreshOrClaims,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoCachedAccessToken => "NoCachedAccessToken",
            Self::Expired => "Expired",
            Self::ProactivelyRefreshed => "ProactivelyRefreshed",
            Self::ForceRefreshOrClaims => "ForceRefreshOrClaims",
        }
    }
}

#[cfg(feature = "opentelemetry")]
mod instruments {
    use std::sync::LazyLock;

    use opentelemetry::KeyValue;
    use opentelemetry::metrics::{Counter, Histogram};

    pub(super) struct Instruments {
        pub(super) tokens: Counter<u64>,
        pub(super) failures: Counter<u64>,
        pub(super) total_duration: Histogram<f64>,
        pub(super) duration_in_http: Histogram<f64>,
        pub(super) remaining_life: Histogram<u64>,
        pub(super) herd: Histogram<u64>,
        /// Those of every hit, made once.
        pub(super) hit: [KeyValue; 2],
    }

    pub(super) static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
        let meter = opentelemetry::global::meter("countersign-client");
        Instruments {
            tokens: meter
                .u64_counter("countersign.client.tokens")
                .with_description("Tokens handed out, by where they came from and why they were asked for")
                .build(),
            failures: meter
                .u64_counter("countersign.client.failures")
                .with_description("Requests for a token that brought none")
                .build(),
            total_duration: meter
                .f64_histogram("countersign.client.total_duration")
                .with_unit("ms")
                .with_description("From the decision to ask until the token was there, retries included")
                .build(),
            duration_in_http: meter
                .f64_histogram("countersign.client.duration_in_http")
                .with_unit("ms")
                .with_description("One exchange with the endpoint")
                .build(),
            remaining_life: meter
                .u64_histogram("countersign.client.remaining_life")
                .with_unit("s")
                .with_description("What is left of a token's life when it is handed out")
                .build(),
            herd: meter
                .u64_histogram("countersign.client.herd")
                .with_unit("{caller}")
                .with_description("Callers who waited for one request")
                .build(),
            hit: [KeyValue::new("token_source", "Cache"), KeyValue::new("cache_refresh_reason", "NotApplicable")],
        }
    });
}

/// A token at hand was handed out.
#[cfg(feature = "opentelemetry")]
pub(crate) fn hit(token: &AccessToken, now: Timestamp) {
    let instruments = &*instruments::INSTRUMENTS;
    instruments.tokens.add(1, &instruments.hit);
    let left = token.expires_on().saturating_duration_since(now).as_secs();
    instruments.remaining_life.record(left, &instruments.hit[..1]);
}

/// A token was asked for.
#[cfg(feature = "opentelemetry")]
pub(crate) fn fetched(
    grant: &'static str,
    reason: Reason,
    outcome: &Result<Granted, AcquireError>,
    took: Duration,
    herd: usize,
    now: Timestamp,
) {
    use opentelemetry::KeyValue;
    let instruments = &*instruments::INSTRUMENTS;
    let (grant, reason) = (KeyValue::new("grant", grant), KeyValue::new("cache_refresh_reason", reason.as_str()));
    instruments.herd.record(herd as u64, std::slice::from_ref(&grant));
    match outcome {
        Ok(granted) => {
            let source = KeyValue::new("token_source", granted.source.as_str());
            let left = granted.token.expires_on().saturating_duration_since(now).as_secs();
            instruments.remaining_life.record(left, std::slice::from_ref(&source));
            instruments.total_duration.record(took.as_secs_f64() * 1000.0, &[grant.clone(), source.clone()]);
            instruments.tokens.add(1, &[source, reason, grant]);
        }
        Err(error) => {
            // Only a number that the catalogue knows is a series; the rest is one.
            let code = error.code().filter(|_| error.meaning().is_some()).map_or(0, i64::from);
            instruments.failures.add(1, &[grant, reason, KeyValue::new("error_code", code)]);
        }
    }
}

/// One exchange with the endpoint has ended, with or without a response.
#[cfg(feature = "opentelemetry")]
pub(crate) fn sent(took: Duration, response: Option<&Response<Bytes>>) {
    use opentelemetry::KeyValue;
    let status = response.map_or(0, |response| i64::from(response.status().as_u16()));
    let instruments = &*instruments::INSTRUMENTS;
    instruments.duration_in_http.record(took.as_secs_f64() * 1000.0, &[KeyValue::new("status", status)]);
}

/// Nothing is counted.
#[cfg(not(feature = "opentelemetry"))]
#[inline]
pub(crate) fn hit(_token: &AccessToken, _now: Timestamp) {}

/// Nothing is counted.
#[cfg(not(feature = "opentelemetry"))]
#[inline]
pub(crate) fn fetched(
    _grant: &'static str,
    _reason: Reason,
    _outcome: &Result<Granted, AcquireError>,
    _took: Duration,
    _herd: usize,
    _now: Timestamp,
) {
}

/// Nothing is counted.
#[cfg(not(feature = "opentelemetry"))]
#[inline]
pub(crate) fn sent(_took: Duration, _response: Option<&Response<Bytes>>) {}
