//! DPoP proofs (RFC 9449): a small JWT in a header of its own, made for one request.

use serde_json::Value;

use super::{Parts, ProofError, ProofId, ProofKey, ProvenRequest};
use crate::{base64url_encode, sha256};

/// A proof holds a key, an address and a few numbers; RSA's signature and modulus are the largest part.
const MAX_BYTES: usize = 8 * 1024;

/// The longest `jti` taken, in bytes; a GUID has 36.
const MAX_ID_BYTES: usize = 256;

/// Checks that a DPoP proof is for this request and this access token, and made with the key of `thumbprint`, the token's
/// `jkt`: every item of RFC 9449 §4.3 but the server's nonce, which is not asked for, and the replay, which is the
/// caller's to look for by the [`ProofId`].
///
/// `raw` is the one `DPoP` header's value, a compact JWS; `access_token` is the text that was sent behind the scheme
/// `DPoP`.
///
/// # Errors
/// [`ProofError`], each fault by its name.
///
/// ```
/// use countersign_token::{Origin, ProofError, ProvenRequest, verify_dpop};
///
/// let origins: [Origin; 1] = ["https://orders.contoso.com".parse()?];
/// let request =
///     ProvenRequest { method: "GET", path: "/orders", origins: &origins, now: 1_767_225_600, max_age_seconds: 300 };
/// assert_eq!(verify_dpop("nonsense", "eyJ…", "jkt", &request), Err(ProofError::Malformed));
/// # Ok::<(), countersign_token::OriginError>(())
/// ```
pub fn verify_dpop(
    raw: &str,
    access_token: &str,
    thumbprint: &str,
    request: &ProvenRequest<'_>,
) -> Result<ProofId, ProofError> {
    let proof = Parts::parse(raw, MAX_BYTES)?;
    proof.check_type("dpop+jwt")?;
    let jwk = proof.header.get("jwk").and_then(Value::as_object).ok_or(ProofError::Key)?;
    let key = ProofKey::from_jwk(jwk)?;
    // Before the signature, which costs more: a key that the token does not name proves nothing, whatever it signed.
    if key.thumbprint() != thumbprint {
        return Err(ProofError::KeyMismatch);
    }
    proof.check_signature(&key)?;
    let id = proof.text("jti", MAX_ID_BYTES)?;
    if proof.text("htm", 64)? != request.method {
        return Err(ProofError::MethodMismatch);
    }
    let address = proof.text("htu", MAX_BYTES)?;
    if !request.origins.iter().any(|origin| origin.is_address(address, request.path)) {
        return Err(ProofError::AddressMismatch);
    }
    request.check_time(proof.date("iat")?)?;
    if proof.text("ath", 64)? != base64url_encode(&sha256(access_token.as_bytes())) {
        return Err(ProofError::TokenMismatch);
    }
    Ok(ProofId::of(&key, id))
}
