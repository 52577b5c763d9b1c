//! [`AssertionSigner`]: the private key lives elsewhere, in an HSM, a TPM or a key vault, and only signatures come out.

use std::fmt;
use std::sync::Arc;

use countersign_discovery::{BoxFuture, Cause};
use countersign_token::{
    AssertionAlgorithm, Certificate, ClientId, Timestamp, base64_encode_standard, base64url_encode,
};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::assertion::AssertionError;
use crate::credential::CertificateOptions;

/// Signs with an RSA key that never comes here.
///
/// Asked once for each token request, never for a token that is at hand. What it takes counts against the client's time
/// limit. An error's text is shown to callers and in logs.
///
/// ```
/// use countersign_client::{AssertionSigner, BoxFuture, Cause};
/// use countersign_token::AssertionAlgorithm;
///
/// struct Hsm;
///
/// impl AssertionSigner for Hsm {
///     fn sign(&self, _algorithm: AssertionAlgorithm, _message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Cause>> {
///         Box::pin(async { Err("the HSM is locked".into()) })
///     }
/// }
/// ```
pub trait AssertionSigner: Send + Sync + 'static {
    /// The signature over `message`, as long as the modulus: PS256 is RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a
    /// salt of 32 bytes; RS256 is RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3, §3.5).
    ///
    /// # Errors
    /// Whatever kept it from being made; it becomes the source of [`AssertionError::Provider`].
    fn sign(&self, algorithm: AssertionAlgorithm, message: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Cause>>;
}

/// A signer with its certificate and the header of its assertions.
pub(crate) struct ExternalSigner {
    signer: Arc<dyn AssertionSigner>,
    certificate: Certificate,
    algorithm: AssertionAlgorithm,
    header: String,
}

impl fmt::Debug for ExternalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalSigner").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// How long an assertion lives, in seconds.
const LIFE: i64 = 600;

impl ExternalSigner {
    pub(crate) fn new(signer: Arc<dyn AssertionSigner>, certificate: Certificate, options: CertificateOptions) -> Self {
        let mut header = match options.algorithm {
            AssertionAlgorithm::Rs256 => {
                json!({"alg": "RS256", "typ": "JWT", "x5t": base64url_encode(&certificate.sha1_thumbprint())})
            }
            _ => {
                json!({"alg": "PS256", "typ": "JWT", "x5t#S256": base64url_encode(&certificate.sha256_thumbprint())})
            }
        };
        if options.send_x5c {
            header["x5c"] = json!([base64_encode_standard(certificate.der())]);
        }
        let header = base64url_encode(header.to_string().as_bytes());
        Self { signer, certificate, algorithm: options.algorithm, header }
    }

    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// An assertion for one request (RFC 7523 §3).
    pub(crate) async fn assertion(
        &self,
        client: ClientId,
        audience: &str,
        now: Timestamp,
        jti: Uuid,
    ) -> Result<SecretString, AssertionError> {
        let now = now.as_unix_seconds();
        let claims = json!({
            "aud": audience, "iss": client.to_string(), "sub": client.to_string(), "jti": jti.to_string(),
            "iat": now, "nbf": now, "exp": now + LIFE,
        });
        let message = format!("{}.{}", self.header, base64url_encode(claims.to_string().as_bytes()));
        let signature = self.signer.sign(self.algorithm, message.clone().into_bytes()).await;
        let signature = signature.map_err(AssertionError::Provider)?;
        Ok(format!("{message}.{}", base64url_encode(&signature)).into())
    }
}
