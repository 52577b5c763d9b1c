//! Signed HTTP requests: the proof that Microsoft's libraries send, under the scheme `PoP`.
//!
//! Here the access token travels inside the proof (`at`), whose other claims are pieces of the request: `m` the method,
//! `u` the host, `p` the path, `ts` the time. The key stands in the proof's own `cnf`, and the access token names its
//! thumbprint as `kid` of *its* `cnf`. Query, headers and body may be signed too (`q`, `h`, `b`); they are not compared
//! here, as they are not by Microsoft's own library unless it is told to.
//!
//! Source: Microsoft.IdentityModel.Protocols.SignedHttpRequest; draft-ietf-oauth-signed-http-request-03 §3.

use serde_json::{Map, Value};

use super::{Parts, ProofError, ProofId, ProofKey, ProvenRequest};
use crate::{MAX_TOKEN_BYTES, base64url_encode, sha256};

/// A token of the largest size, once more in base64url, with a key and a signature beside it.
pub const MAX_SIGNED_HTTP_REQUEST_BYTES: usize = MAX_TOKEN_BYTES / 3 * 4 + 8 * 1024;

/// A signed request taken apart. **Nothing of it is verified** until [`SignedHttpRequest::verify`] says so; until then it
/// serves to find the access token, which is verified first and by itself.
pub struct SignedHttpRequest<'a> {
    raw: &'a str,
    parts: Parts<'a>,
}

impl std::fmt::Debug for SignedHttpRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedHttpRequest")
    }
}

impl<'a> SignedHttpRequest<'a> {
    /// Takes a compact JWS of at most [`MAX_SIGNED_HTTP_REQUEST_BYTES`] apart.
    ///
    /// # Errors
    /// [`ProofError::TooLarge`], [`ProofError::Malformed`], [`ProofError::HeaderUnsupported`], [`ProofError::Type`];
    /// [`ProofError::ClaimMissing`] and [`ProofError::ClaimMalformed`] for an `at` that holds no text.
    pub fn parse(raw: &'a str) -> Result<Self, ProofError> {
        let parts = Parts::parse(raw, MAX_SIGNED_HTTP_REQUEST_BYTES)?;
        parts.check_type("pop")?;
        parts.text("at", MAX_TOKEN_BYTES)?;
        Ok(Self { raw, parts })
    }

    /// The access token inside.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.parts.claims.get("at").and_then(Value::as_str).unwrap_or_default()
    }

    /// Checks the proof against the request that it came with and against the access token's `cnf`, which names the key:
    /// by its thumbprint (`kid`, or `jkt`), or whole (`jwk`).
    ///
    /// # Errors
    /// [`ProofError`], each fault by its name.
    pub fn verify(
        &self,
        confirmation: &Map<String, Value>,
        request: &ProvenRequest<'_>,
    ) -> Result<ProofId, ProofError> {
        let key = self.key()?;
        let named = match (confirmation.get("kid").or_else(|| confirmation.get("jkt")), confirmation.get("jwk")) {
            (Some(thumbprint), None) => thumbprint.as_str() == Some(&key.thumbprint()),
            (None, Some(jwk)) => {
                let jwk = jwk.as_object().ok_or(ProofError::Key)?;
                ProofKey::from_jwk(jwk)?.thumbprint() == key.thumbprint()
            }
            _ => false,
        };
        if !named {
            return Err(ProofError::KeyMismatch);
        }
        self.parts.check_signature(&key)?;
        if self.parts.text("m", 64)? != request.method {
            return Err(ProofError::MethodMismatch);
        }
        let (host, path) = (self.parts.text("u", 1024)?, self.parts.text("p", 8 * 1024)?);
        let is_ours = request.origins.iter().any(|origin| origin.is_host(host));
        // Microsoft's library compares paths without their last slash.
        if !is_ours || path.trim_end_matches('/') != request.path.trim_end_matches('/') {
            return Err(ProofError::AddressMismatch);
        }
        request.check_time(self.parts.date("ts")?)?;
        // There is no identifier in every proof; its whole text is one.
        Ok(ProofId::of(&key, &base64url_encode(&sha256(self.raw.as_bytes()))))
    }

    fn key(&self) -> Result<ProofKey, ProofError> {
        let confirmation = self.parts.claims.get("cnf").ok_or(ProofError::ClaimMissing("cnf"))?;
        let jwk = confirmation.get("jwk").and_then(Value::as_object).ok_or(ProofError::Key)?;
        ProofKey::from_jwk(jwk)
    }
}
