//! Client assertions as a client makes them (RFC 7523 §2.2 and §3; Microsoft's "Certificate credentials").

use std::fmt;

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::signing::{JwsSigner, SigningError, SigningKey};
use crate::{Algorithm, Certificate, ClientId, PrivateKey, Timestamp, base64_encode_standard, base64url_encode};

/// How an assertion is signed and names its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AssertionAlgorithm {
    /// PS256 with `x5t#S256`: what Entra's documentation asks for today.
    #[default]
    Ps256,
    /// RS256 with `x5t` (SHA-1): for authorities that know nothing newer.
    Rs256,
}

/// The signer cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The certificate is for another key.
    #[error("the certificate and the private key do not belong together")]
    KeyMismatch,
    /// The header could not be encoded.
    #[error("the assertion's header could not be made")]
    Signing(#[from] SigningError),
}

/// Signs client assertions that live ten minutes.
pub struct ClientAssertionSigner {
    certificate: Certificate,
    signer: JwsSigner,
}

impl fmt::Debug for ClientAssertionSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAssertionSigner").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct AssertionClaims<'a> {
    aud: &'a str,
    iss: ClientId,
    sub: ClientId,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// How long an assertion lives, in seconds.
const LIFE: i64 = 600;

impl ClientAssertionSigner {
    /// Puts key and certificate together; `send_chain` adds `x5c`, which subject-name-and-issuer authentication needs.
    ///
    /// # Errors
    /// [`SignerError::KeyMismatch`] if the certificate is for another key.
    pub fn new(
        key: PrivateKey,
        certificate: Certificate,
        algorithm: AssertionAlgorithm,
        send_chain: bool,
    ) -> Result<Self, SignerError> {
        if !key.public_key().same_key(certificate.public_key()) {
            return Err(SignerError::KeyMismatch);
        }
        let (algorithm, mut header) = match algorithm {
            AssertionAlgorithm::Ps256 => (
                Algorithm::Ps256,
                json!({"alg": "PS256", "typ": "JWT", "x5t#S256": base64url_encode(&certificate.sha256_thumbprint())}),
            ),
            AssertionAlgorithm::Rs256 => (
                Algorithm::Rs256,
                json!({"alg": "RS256", "typ": "JWT", "x5t": base64url_encode(&certificate.sha1_thumbprint())}),
            ),
        };
        if send_chain {
            header["x5c"] = json!([base64_encode_standard(certificate.der())]);
        }
        let signer = SigningKey::new(certificate.key_id(), key).signer(algorithm, &header)?;
        Ok(Self { certificate, signer })
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs an assertion for `audience`, the token endpoint's URL; `jti` must be new each time. It is valid from `now`
    /// for ten minutes.
    ///
    /// # Errors
    /// [`SigningError`].
    ///
    /// Source: RFC 7523 §3.
    pub fn sign(&self, client: ClientId, audience: &str, now: Timestamp, jti: Uuid) -> Result<String, SigningError> {
        let now = now.as_unix_seconds();
        self.signer.sign(&AssertionClaims {
            aud: audience,
            iss: client,
            sub: client,
            jti,
            iat: now,
            nbf: now,
            exp: now + LIFE,
        })
    }
}
