//! Proof of possession: whoever presents a token that is bound to a key shows, request by request, that he has that key.
//!
//! Two forms, each with one function from text to a [`ProofId`] or the one reason why not: [`verify_dpop`] (RFC 9449) and
//! [`SignedHttpRequest`], which Microsoft's libraries send under the scheme `PoP`. Both carry their public key along; it is
//! believed because the access token, which the authority signed, names its thumbprint (RFC 7638), and for no other
//! reason. A proof is for one method, one address and a short while. That it was not seen before is for the caller to
//! remember, by its [`ProofId`].
//!
//! Refused: symmetric and unknown algorithms, a private key in the proof, `crit` and other headers that change the meaning
//! of the rest, duplicate members, a proof for another token.

mod dpop;
mod origin;
mod proof_key;
mod signed_http_request;

use serde_json::{Map, Value};

pub use self::dpop::verify_dpop;
pub use self::origin::{Origin, OriginError};
pub use self::proof_key::{ProofAlgorithm, ProofKey};
pub use self::signed_http_request::{MAX_SIGNED_HTTP_REQUEST_BYTES, SignedHttpRequest};
use crate::{base64url_decode_strict, parse_strict_object, sha256};

/// How far ahead the sender's clock may be, in seconds.
pub const PROOF_CLOCK_SKEW_SECONDS: i64 = 60;

/// Why a proof of possession was refused.
///
/// The text is for operators; [`ProofError::code`] is for programs and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Too long to be a proof.
    #[error("the proof is too long")]
    TooLarge,
    /// Not a compact JWS of two strict JSON objects.
    #[error("the proof is not a compact JWS with a JSON header and JSON claims")]
    Malformed,
    /// `typ` is that of another kind of JWT (RFC 8725 §3.11).
    #[error("the proof's typ is another one")]
    Type,
    /// A header that no proof needs: `crit`, `jku`, `x5u`, `x5c`, `b64`, `zip`, `enc`, `cty`.
    #[error("the proof's header has {0}, which no proof has")]
    HeaderUnsupported(&'static str),
    /// `alg` is none of ES256, PS256 and RS256, or not one for this key.
    #[error("the proof's alg is none that its key is used with here")]
    AlgorithmNotAllowed,
    /// The key is missing, or no public key that is used here: P-256, or RSA of 2048 to 8192 bits.
    #[error("the proof carries no public key that can be used")]
    Key,
    /// The key is a private one: its sender has given it away (RFC 9449 §4.3, item 7).
    #[error("the proof carries a private key")]
    PrivateKey,
    /// The signature does not verify under the proof's own key.
    #[error("the proof's signature does not verify")]
    SignatureInvalid,
    /// The token is bound to another key.
    #[error("the token is bound to another key than the proof's")]
    KeyMismatch,
    /// A claim is missing.
    #[error("the proof's claim {0} is missing")]
    ClaimMissing(&'static str),
    /// A claim has the wrong JSON type, or is empty or too long.
    #[error("the proof's claim {0} is not what it must be")]
    ClaimMalformed(&'static str),
    /// The proof is for another access token.
    #[error("the proof is for another access token")]
    TokenMismatch,
    /// The proof is for another method.
    #[error("the proof is for another method")]
    MethodMismatch,
    /// The proof is for another address.
    #[error("the proof is for another address")]
    AddressMismatch,
    /// The proof is older than the API takes.
    #[error("the proof is too old")]
    Stale,
    /// The proof says that it was made in the future.
    #[error("the proof says that it was made in the future")]
    MadeInFuture,
}

impl ProofError {
    /// The stable code, `snake_case`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "proof_too_large",
            Self::Malformed => "proof_malformed",
            Self::Type => "proof_type",
            Self::HeaderUnsupported(_) => "proof_header_unsupported",
            Self::AlgorithmNotAllowed => "proof_algorithm_not_allowed",
            Self::Key => "proof_key_unusable",
            Self::PrivateKey => "proof_private_key",
            Self::SignatureInvalid => "proof_signature_invalid",
            Self::KeyMismatch => "proof_key_mismatch",
            Self::ClaimMissing(_) => "proof_claim_missing",
            Self::ClaimMalformed(_) => "proof_claim_malformed",
            Self::TokenMismatch => "proof_token_mismatch",
            Self::MethodMismatch => "proof_method_mismatch",
            Self::AddressMismatch => "proof_address_mismatch",
            Self::Stale => "proof_stale",
            Self::MadeInFuture => "proof_made_in_future",
        }
    }
}

/// What the request that a proof came with is.
#[derive(Debug, Clone, Copy)]
pub struct ProvenRequest<'a> {
    /// The method, as it was sent: `GET`.
    pub method: &'a str,
    /// The path, as it was sent, without query: `/orders`.
    pub path: &'a str,
    /// The API's own origins, by configuration: what a request says of its host is its sender's word.
    pub origins: &'a [Origin],
    /// The time now, in seconds.
    pub now: i64,
    /// How old a proof may be, in seconds.
    pub max_age_seconds: i64,
}

impl ProvenRequest<'_> {
    fn check_time(&self, made: i64) -> Result<(), ProofError> {
        if made > self.now.saturating_add(PROOF_CLOCK_SKEW_SECONDS) {
            return Err(ProofError::MadeInFuture);
        }
        if made < self.now.saturating_sub(self.max_age_seconds) {
            return Err(ProofError::Stale);
        }
        Ok(())
    }
}

/// A proof, for a memory that recognises it when it comes again: a digest of key and identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProofId([u8; 32]);

impl ProofId {
    fn of(key: &ProofKey, identifier: &str) -> Self {
        Self(sha256(&[&key.thumbprint_bytes()[..], identifier.as_bytes()].concat()))
    }

    /// From its bytes, for a memory that keeps them elsewhere.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A compact JWS taken apart, nothing of it verified.
struct Parts<'a> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signing_input: &'a [u8],
    signature: Vec<u8>,
}

/// Headers that change what the rest means, or point at keys elsewhere.
const REFUSED_HEADERS: [&str; 8] = ["crit", "jku", "x5u", "x5c", "b64", "zip", "enc", "cty"];

impl<'a> Parts<'a> {
    fn parse(raw: &'a str, max_bytes: usize) -> Result<Self, ProofError> {
        if raw.len() > max_bytes {
            return Err(ProofError::TooLarge);
        }
        let (signed, signature) = raw.rsplit_once('.').ok_or(ProofError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(ProofError::Malformed)?;
        let object = |segment: &str| {
            let bytes = base64url_decode_strict(segment).ok()?;
            parse_strict_object(std::str::from_utf8(&bytes).ok()?).ok()
        };
        let header = object(header).ok_or(ProofError::Malformed)?;
        if let Some(name) = REFUSED_HEADERS.into_iter().find(|name| header.contains_key(*name)) {
            return Err(ProofError::HeaderUnsupported(name));
        }
        let claims = object(claims).ok_or(ProofError::Malformed)?;
        let signature = base64url_decode_strict(signature).map_err(|_| ProofError::Malformed)?;
        Ok(Self { header, claims, signing_input: signed.as_bytes(), signature })
    }

    fn check_type(&self, wanted: &str) -> Result<(), ProofError> {
        match self.header.get("typ") {
            Some(Value::String(kind)) if kind == wanted => Ok(()),
            _ => Err(ProofError::Type),
        }
    }

    fn check_signature(&self, key: &ProofKey) -> Result<(), ProofError> {
        let algorithm = self.header.get("alg").and_then(Value::as_str).and_then(ProofAlgorithm::from_name);
        let algorithm = algorithm.filter(|&it| key.takes(it)).ok_or(ProofError::AlgorithmNotAllowed)?;
        if key.verifies(algorithm, self.signing_input, &self.signature) {
            Ok(())
        } else {
            Err(ProofError::SignatureInvalid)
        }
    }

    /// A claim that is a text of 1 to `max` bytes.
    fn text(&self, name: &'static str, max: usize) -> Result<&str, ProofError> {
        let value = self.claims.get(name).ok_or(ProofError::ClaimMissing(name))?;
        let text = value.as_str().filter(|text| (1..=max).contains(&text.len()));
        text.ok_or(ProofError::ClaimMalformed(name))
    }

    fn date(&self, name: &'static str) -> Result<i64, ProofError> {
        let value = self.claims.get(name).ok_or(ProofError::ClaimMissing(name))?;
        value.as_i64().filter(|seconds| *seconds >= 0).ok_or(ProofError::ClaimMalformed(name))
    }
}
