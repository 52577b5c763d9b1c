//! Client assertions that somebody else issues: federated credentials, from a callback or from a file.
//!
//! Each token request gets an assertion of its own, nothing is kept beyond it (RFC 7523 §4.2, §2.2). What is handed over
//! must be a compact JWS and not expired; neither is verified, that is the authority's duty, but both are common faults
//! which it answers with codes that point elsewhere (AADSTS50027, 700024). Refused: anything longer than 64 KiB. Read on
//! in `federated_file.rs` for the file and in `exchange.rs` for the request.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_discovery::{BoxFuture, Cause, TransportError};
use countersign_token::{ClientId, Clock, NumericDate, TenantId, base64url_decode_strict, parse_strict_object};
use secrecy::{ExposeSecret, SecretString};

use crate::AcquireError;
use crate::builder::CLOCK_SKEW;
use crate::federated_file::TokenFile;

/// The longest assertion taken, in bytes; a token of Kubernetes or GitHub is below 3 kB.
pub(crate) const MAX_ASSERTION_BYTES: usize = 64 * 1024;

/// What an assertion is wanted for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AssertionRequest {
    /// The token endpoint that the assertion will be sent to: the audience, for an assertion that the application signs
    /// itself. A federated issuer is asked for `api://AzureADTokenExchange` instead.
    pub token_endpoint: String,
    /// The application that proves itself: `iss` and `sub` of an assertion that it signs itself.
    pub client_id: ClientId,
}

impl AssertionRequest {
    pub(crate) fn new(token_endpoint: &str, client_id: ClientId) -> Self {
        Self { token_endpoint: token_endpoint.to_owned(), client_id }
    }
}

/// Hands out client assertions: a federated issuer's token, or one that an HSM or a key vault signs.
///
/// Asked once for each token request, never for a token that is at hand; at most one request per question is under way.
/// What it takes counts against the client's time limit. Implemented for closures, too: `Fn(AssertionRequest)` that
/// return a future.
///
/// An error's text is shown to callers and in logs: no part of an assertion belongs into it.
///
/// Source: RFC 7523 §2.2; RFC 7521 §4.2.
///
/// ```
/// use countersign_client::{AssertionProvider, AssertionRequest, BoxFuture, Cause};
/// use secrecy::SecretString;
///
/// /// An issuer that runs beside the service.
/// struct Neighbour;
///
/// impl AssertionProvider for Neighbour {
///     fn assertion(&self, _request: AssertionRequest) -> BoxFuture<'_, Result<SecretString, Cause>> {
///         Box::pin(async { Err("the neighbour is not at home".into()) })
///     }
/// }
/// ```
pub trait AssertionProvider: Send + Sync + 'static {
    /// A compact JWS that is valid now.
    ///
    /// # Errors
    /// Whatever kept it from being made; it becomes the source of [`AssertionError::Provider`].
    fn assertion(&self, request: AssertionRequest) -> BoxFuture<'_, Result<SecretString, Cause>>;
}

impl<F, Made> AssertionProvider for F
where
    F: Fn(AssertionRequest) -> Made + Send + Sync + 'static,
    Made: Future<Output = Result<SecretString, Cause>> + Send + 'static,
{
    fn assertion(&self, request: AssertionRequest) -> BoxFuture<'_, Result<SecretString, Cause>> {
        Box::pin(self(request))
    }
}

impl<P: AssertionProvider + ?Sized> AssertionProvider for Arc<P> {
    fn assertion(&self, request: AssertionRequest) -> BoxFuture<'_, Result<SecretString, Cause>> {
        (**self).assertion(request)
    }
}

/// No client assertion could be sent, and so nothing was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// The callback failed.
    #[error("the assertion provider failed")]
    Provider(#[source] Cause),
    /// Callback or file system took as long as the whole request may take.
    #[error("no assertion was at hand within {} s", .after.as_secs())]
    Timeout {
        /// The client's time limit.
        after: Duration,
    },
    /// The callback's assertion would be refused.
    #[error("the provided assertion {0}")]
    Unusable(AssertionFault),
    /// There is no such file, or the link leads nowhere.
    #[error("the federated token file {} does not exist", .path.display())]
    FileMissing {
        /// The path as configured.
        path: PathBuf,
    },
    /// The file cannot be read: no right to, no regular file, no answer from the disk.
    #[error("the federated token file {} cannot be read", .path.display())]
    FileUnreadable {
        /// The path as configured.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// The file's content would be refused.
    #[error("the federated token file {} {fault}", .path.display())]
    File {
        /// The path as configured.
        path: PathBuf,
        /// What is wrong with it.
        fault: AssertionFault,
    },
}

/// Why an assertion is not sent. `Display` reads on after whatever it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssertionFault {
    /// Nothing, or nothing but blanks.
    Empty,
    /// Longer than 64 KiB.
    TooLarge,
    /// Not three base64url parts of which the first two are JSON objects (RFC 7515 §7.1).
    NotCompactJws,
    /// Its `exp` has passed, by more than the five minutes that Entra allows clocks to differ.
    Expired {
        /// The `exp`.
        expired_at: NumericDate,
        /// How long ago that was, in seconds, by this machine's clock.
        seconds_ago: i64,
    },
}

impl fmt::Display for AssertionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLarge => write!(f, "is larger than {} KiB", MAX_ASSERTION_BYTES / 1024),
            Self::NotCompactJws => f.write_str("is not a token: not three base64url parts with dots between them"),
            Self::Expired { expired_at, seconds_ago } => {
                write!(f, "is out of date: its exp is {}, {seconds_ago} s ago by this machine's clock", expired_at.0)
            }
        }
    }
}

impl AssertionFault {
    fn remedy(self) -> &'static str {
        match self {
            Self::Empty => {
                "Whoever issues the token hands over the whole of it; into a file it is written under another name and \
                 then renamed, so that nobody reads a half-written one."
            }
            Self::TooLarge => "The client's operator corrects the configuration: this is something other than a token.",
            Self::NotCompactJws => {
                "The client's operator configures the token itself, three parts beginning with eyJ; of an issuer's \
                 JSON answer that is one member, for GitHub 'value'."
            }
            Self::Expired { .. } => {
                "Whoever writes the token renews it before it expires (Kubernetes does so by itself, a workflow asks \
                 its issuer again); the client's operator sets the machine's clock."
            }
        }
    }
}

impl AssertionError {
    /// Who must do what; of a provider's failure only if it is one of this crate's.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            // The callback may itself ask an authority, as the exchange of one application's token for another's does.
            Self::Provider(cause) => return find::<AcquireError>(&**cause)?.remedy(),
            Self::Timeout { .. } => "The client's developer looks at what the assertion waits for.",
            Self::Unusable(fault) | Self::File { fault, .. } => fault.remedy(),
            Self::FileMissing { .. } => {
                "The client's operator corrects the path or mounts the volume; on AKS the pod carries the label \
                 azure.workload.identity/use: \"true\" and its service account is annotated with the client id."
            }
            Self::FileUnreadable { .. } => {
                "The client's operator names a regular file and lets the process's user read it; in Kubernetes the \
                 pod's securityContext.fsGroup does."
            }
        })
    }

    /// Whether the same call may succeed later with nothing changed at this end. A provider's failure may pass, unless
    /// its cause is an error of this house that says otherwise.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Provider(cause) => may_pass(&**cause),
            // The platform renews the file, as Kubernetes does.
            Self::Timeout { .. } | Self::File { fault: AssertionFault::Expired { .. }, .. } => true,
            Self::Unusable(_) | Self::FileMissing { .. } | Self::FileUnreadable { .. } | Self::File { .. } => false,
        }
    }

    /// Whether the file may have been read in the middle of its being written.
    pub(crate) fn is_half_written(&self) -> bool {
        matches!(self, Self::File { fault: AssertionFault::Empty | AssertionFault::NotCompactJws, .. })
    }
}

fn may_pass(cause: &(dyn Error + 'static)) -> bool {
    let client = find::<AcquireError>(cause).map(AcquireError::is_retryable);
    client.or_else(|| find::<TransportError>(cause).map(TransportError::is_transient)).unwrap_or(true)
}

/// An error somewhere in a chain.
fn find<'a, E: Error + 'static>(cause: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(cause), |error: &&'a (dyn Error + 'static)| (*error).source())
        .find_map(|error| error.downcast_ref())
}

/// Where assertions come from that this client does not sign itself.
pub(crate) enum Source {
    Provider(Arc<dyn AssertionProvider>),
    File(TokenFile),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A provider may hold anything: nothing of it is shown.
            Self::Provider(_) => f.write_str("Provider"),
            Self::File(file) => file.fmt(f),
        }
    }
}

impl Source {
    /// An assertion for one request. `timeout` is the client's limit for the whole of that request.
    pub(crate) async fn assertion(
        &self,
        request: AssertionRequest,
        clock: &dyn Clock,
        timeout: Duration,
    ) -> Result<SecretString, AssertionError> {
        let given = async {
            match self {
                Self::Provider(provider) => provider.assertion(request).await.map_err(AssertionError::Provider),
                Self::File(file) => file.read().await,
            }
        };
        let late = |_| AssertionError::Timeout { after: timeout };
        let assertion = tokio::time::timeout(timeout, given).await.map_err(late)??;
        check(assertion.expose_secret(), clock.now().as_unix_seconds()).map_err(|fault| match self {
            Self::Provider(_) => AssertionError::Unusable(fault),
            Self::File(file) => AssertionError::File { path: file.path().to_owned(), fault },
        })?;
        Ok(assertion)
    }
}

/// Refuses what no authority can take. Everything else of an assertion is the authority's to judge.
fn check(assertion: &str, now: i64) -> Result<(), AssertionFault> {
    if assertion.is_empty() {
        return Err(AssertionFault::Empty);
    }
    if assertion.len() > MAX_ASSERTION_BYTES {
        return Err(AssertionFault::TooLarge);
    }
    let expires = read(assertion).ok_or(AssertionFault::NotCompactJws)?.expires;
    match expires {
        Some(expires) if now.saturating_sub(CLOCK_SKEW) >= expires => {
            Err(AssertionFault::Expired { expired_at: NumericDate(expires), seconds_ago: now.saturating_sub(expires) })
        }
        _ => Ok(()),
    }
}

/// What of a compact JWS' claims concerns whoever passes it on.
pub(crate) struct Claims {
    /// `exp`, in seconds, if it names one.
    pub(crate) expires: Option<i64>,
    /// `tid`, if it is a tenant's GUID.
    pub(crate) tenant: Option<TenantId>,
}

/// The claims of a compact JWS; None if it is none.
pub(crate) fn read(assertion: &str) -> Option<Claims> {
    let mut parts = assertion.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || signature.is_empty() {
        return None;
    }
    base64url_decode_strict(signature).ok()?;
    let object = |part| parse_strict_object(&String::from_utf8(base64url_decode_strict(part).ok()?).ok()?).ok();
    object(header)?;
    // Some libraries write dates as floats or as strings; what is neither is left to the authority.
    let claims = object(claims)?;
    let expires = claims.get("exp").and_then(|exp| exp.as_f64().or_else(|| exp.as_str()?.parse().ok()));
    let tenant = claims.get("tid").and_then(|tid| tid.as_str()?.parse().ok());
    Some(Claims { expires: expires.map(|seconds: f64| seconds as i64), tenant })
}

#[cfg(test)]
mod tests {
    use countersign_token::base64url_encode;

    use super::*;

    fn jws(header: &str, claims: &str) -> String {
        format!("{}.{}.c2lnbmF0dXJl", base64url_encode(header.as_bytes()), base64url_encode(claims.as_bytes()))
    }

    #[test]
    fn what_is_no_compact_jws_is_recognised() {
        let good = jws("{}", "{}");
        assert_eq!(check(&good, 0), Ok(()));
        let (two, four) = (good.rsplit_once('.').unwrap().0.to_owned(), format!("{good}.e30"));
        let json = format!("{{\"value\":\"{good}\"}}");
        let (unsigned, padded) = (format!("{two}."), format!("{good}="));
        let (header, claims) = (jws("[]", "{}"), jws("{}", "no JSON"));
        for text in [&two, &four, &json, &unsigned, &padded, &header, &claims, "..", "a b", "-----BEGIN", "http://x"] {
            assert_eq!(check(text, 0), Err(AssertionFault::NotCompactJws), "{text:?}");
        }
        assert_eq!(check("", 0), Err(AssertionFault::Empty));
        assert_eq!(check(&"a".repeat(MAX_ASSERTION_BYTES + 1), 0), Err(AssertionFault::TooLarge));
    }

    #[test]
    fn exp_counts_in_each_spelling_and_with_five_minutes_of_patience() {
        for exp in ["1000", "1000.5", "\"1000\""] {
            let assertion = jws("{}", &format!("{{\"exp\":{exp}}}"));
            assert_eq!(check(&assertion, 1299), Ok(()), "{exp}");
            let expired = AssertionFault::Expired { expired_at: NumericDate(1000), seconds_ago: 300 };
            assert_eq!(check(&assertion, 1300), Err(expired), "{exp}");
        }
        for claims in ["{}", "{\"exp\":null}", "{\"exp\":\"soon\"}", "{\"exp\":1e300}", "{\"exp\":[1]}"] {
            assert_eq!(check(&jws("{}", claims), 9_999_999_999), Ok(()), "{claims}");
        }
        assert!(matches!(check(&jws("{}", "{\"exp\":-1e300}"), i64::MAX), Err(AssertionFault::Expired { .. })));
    }

    #[test]
    fn what_a_provider_failed_at_says_whether_it_may_pass_and_what_mends_it() {
        let provider = |cause: Cause| AssertionError::Provider(cause).is_retryable();
        assert!(provider("the socket is closed".into()));
        assert!(provider(TransportError::Timeout { after: Duration::from_secs(1) }.into()));
        assert!(!provider(TransportError::NotHttps.into()));
        assert!(!provider(AcquireError::TenantAlias.into()));
        #[derive(Debug, thiserror::Error)]
        #[error("the first leg failed")]
        struct FirstLeg(#[source] AcquireError);
        assert!(!provider(FirstLeg(AcquireError::TenantAlias).into()), "however deep");
        assert!(provider(FirstLeg(AcquireError::Abandoned).into()));
        let stale = AssertionError::Unusable(AssertionFault::Empty);
        let mend = stale.remedy();
        let error = AssertionError::Provider(FirstLeg(AcquireError::NoAssertion(Arc::new(stale))).into());
        assert!(mend.is_some() && error.remedy() == mend, "the mend of the first leg");
    }
}
