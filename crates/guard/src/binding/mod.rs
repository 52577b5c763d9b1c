//! Tokens that are bound to a key: who presents one must be who holds that key.
//!
//! A bound token (`cnf`, RFC 7800) is never taken as a bearer token: without a proof it is refused, whatever else it says.
//! Nor the other way round: under a scheme for bound tokens an unbound one is refused. What counts as a proof is the
//! token's to say, by the one member of its `cnf`: a certificate (`certificate.rs`; RFC 8705 §3), or, with the feature
//! `proof-of-possession`, something signed for this very request (`possession.rs`).

mod certificate;
#[cfg(feature = "proof-of-possession")]
mod possession;

use countersign_token::{Claims, Verified};
use http::{Extensions, HeaderMap, Method};

pub use self::certificate::{CertificateForm, ClientCertificate, TrustedProxy};
#[cfg(feature = "proof-of-possession")]
pub use self::possession::ProofPolicy;
#[cfg(feature = "proof-of-possession")]
pub(crate) use self::possession::Proofs;
use crate::credential::Schemes;

/// Why a bound token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// Nothing proves any key.
    #[error("the request proves no key")]
    NoProof,
    /// The client's certificate is another one.
    #[error("the client's certificate is not the one that the token is bound to")]
    OtherCertificate,
    /// The trusted proxy's header does not hold one certificate.
    #[error("the proxy's header does not hold one certificate")]
    Header,
    /// The token is bound in a way that is not understood here.
    #[error("the token is bound in a way that is not understood here")]
    Unsupported,
    /// The scheme is one for bound tokens, and this token is bound to nothing.
    #[error("the scheme is for bound tokens, and this one is not bound")]
    NotBound,
    /// The proof of possession is none for this request.
    #[cfg(feature = "proof-of-possession")]
    #[error("the proof of possession is refused")]
    Proof(#[from] countersign_token::ProofError),
    /// There is more than one proof.
    #[cfg(feature = "proof-of-possession")]
    #[error("the request carries more than one proof")]
    SeveralProofs,
    /// The proof was seen before.
    #[cfg(feature = "proof-of-possession")]
    #[error("the proof was seen before")]
    Replayed,
    /// So many proofs are remembered that this one could not be: nobody can tell whether it was seen before (503).
    #[cfg(feature = "proof-of-possession")]
    #[error("no further proof can be remembered for now")]
    MemoryFull,
}

impl BindingError {
    /// The stable code, `snake_case`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoProof => "binding_proof_missing",
            Self::OtherCertificate => "binding_certificate_mismatch",
            Self::Header => "binding_header_malformed",
            Self::Unsupported => "binding_unsupported",
            Self::NotBound => "binding_missing",
            #[cfg(feature = "proof-of-possession")]
            Self::Proof(error) => error.code(),
            #[cfg(feature = "proof-of-possession")]
            Self::SeveralProofs => "several_proofs",
            #[cfg(feature = "proof-of-possession")]
            Self::Replayed => "proof_replayed",
            #[cfg(feature = "proof-of-possession")]
            Self::MemoryFull => "proof_memory_full",
        }
    }

    /// Whether it says nothing about the caller.
    pub(crate) const fn is_ours(&self) -> bool {
        #[cfg(feature = "proof-of-possession")]
        return matches!(self, Self::MemoryFull);
        #[cfg(not(feature = "proof-of-possession"))]
        false
    }
}

/// Method and path of a request, where the guard sees headers alone: [`crate::Guard::check`] finds it among the
/// extensions. Layers and adapters know both by themselves.
#[derive(Debug, Clone)]
pub struct RequestTarget {
    pub(crate) method: Method,
    pub(crate) path: String,
}

impl RequestTarget {
    /// Of the request as its sender wrote it; the path is without query.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into() }
    }
}

/// What of a request may hold a proof.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extensions: &'a Extensions,
    pub(crate) target: Option<(&'a Method, &'a str)>,
}

impl<'a> Sent<'a> {
    /// Of headers alone; the target may stand among the extensions.
    pub(crate) fn headers(headers: &'a HeaderMap, extensions: &'a Extensions) -> Self {
        let target = extensions.get::<RequestTarget>().map(|target| (&target.method, target.path.as_str()));
        Self { headers, extensions, target }
    }

    /// Of a whole request. A router that strips prefixes leaves the path that was sent among the extensions.
    pub(crate) fn request<B>(request: &'a http::Request<B>) -> Self {
        Self::parts(request.method(), request.uri(), request.headers(), request.extensions())
    }

    pub(crate) fn parts(
        method: &'a Method,
        uri: &'a http::Uri,
        headers: &'a HeaderMap,
        extensions: &'a Extensions,
    ) -> Self {
        #[cfg(feature = "axum")]
        let uri = extensions.get::<axum::extract::OriginalUri>().map_or(uri, |original| &original.0);
        Self { headers, extensions, target: Some((method, uri.path())) }
    }
}

/// Which proofs a guard takes, and from where.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    pub(crate) proxy: Option<TrustedProxy>,
    #[cfg(feature = "proof-of-possession")]
    pub(crate) dpop: Option<Proofs>,
    #[cfg(feature = "proof-of-possession")]
    pub(crate) pop: Option<Proofs>,
}

impl Bindings {
    pub(crate) fn schemes(&self) -> Schemes {
        Schemes {
            #[cfg(feature = "proof-of-possession")]
            dpop: self.dpop.is_some(),
            #[cfg(feature = "proof-of-possession")]
            pop: self.pop.is_some(),
        }
    }

    /// What stands in challenges beside `Bearer`.
    pub(crate) fn other_challenges(&self) -> String {
        #[cfg(feature = "proof-of-possession")]
        return possession::challenges(self.dpop.is_some(), self.pop.is_some());
        #[cfg(not(feature = "proof-of-possession"))]
        String::new()
    }

    /// Checks that the sender of a request holds the key that the token is bound to.
    pub(crate) fn check(&self, caller: &Verified<Claims>, sent: Sent<'_>, now: i64) -> Result<(), BindingError> {
        let confirmation = caller.claim("cnf").unwrap_or_default();
        let members = confirmation.as_object().ok_or(BindingError::Unsupported)?;
        // One member, and one that is understood: a second might demand a proof that nobody here would ask for.
        let mut names = members.iter();
        match (names.next(), names.next()) {
            (Some((name, value)), None) if name == "x5t#S256" => {
                let bound_to = value.as_str().ok_or(BindingError::Unsupported)?;
                certificate::check(bound_to, sent.headers, sent.extensions, self.proxy.as_ref())
            }
            #[cfg(feature = "proof-of-possession")]
            _ => self.check_possession(members, sent, now),
            #[cfg(not(feature = "proof-of-possession"))]
            _ => {
                let _ = (sent.target, now);
                Err(BindingError::Unsupported)
            }
        }
    }
}
