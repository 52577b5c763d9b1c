//! Making compact JWS: the key is parsed once, the header is encoded once.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::Algorithm;
use crate::base64url_encode;
use crate::private_key::{PrivateKey, PrivateKeyError};

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The key does not sign.
    #[error("the token could not be signed")]
    Key(#[from] PrivateKeyError),
    /// The header or the claims are not JSON.
    #[error("the claims could not be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// A named private key. Clones share it.
#[derive(Clone)]
pub struct SigningKey {
    key_id: Arc<str>,
    key: Arc<PrivateKey>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Names a private key.
    #[must_use]
    pub fn new(key_id: impl Into<Arc<str>>, key: PrivateKey) -> Self {
        Self { key_id: key_id.into(), key: Arc::new(key) }
    }

    /// Parses PKCS#8 DER and names the key.
    ///
    /// # Errors
    /// Those of [`PrivateKey::from_pkcs8_der`].
    pub fn from_pkcs8_der(key_id: impl Into<Arc<str>>, der: &[u8]) -> Result<Self, PrivateKeyError> {
        Ok(Self::new(key_id, PrivateKey::from_pkcs8_der(der)?))
    }

    /// Makes an RSA key of 2048 bits, as PKCS#8 DER. Takes 20 to 300 ms.
    ///
    /// # Errors
    /// [`PrivateKeyError::Refused`].
    pub fn generate_pkcs8() -> Result<zeroize::Zeroizing<Vec<u8>>, PrivateKeyError> {
        PrivateKey::generate_pkcs8()
    }

    /// The `kid`.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The key itself.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKey {
        &self.key
    }

    /// A signer for one header, which is encoded now and not again.
    ///
    /// # Errors
    /// [`SigningError::Json`] if the header is not JSON.
    ///
    /// ```
    /// use countersign_token::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::from_pkcs8_der("key-1", &SigningKey::generate_pkcs8()?)?;
    /// let signer = key.signer(Algorithm::Rs256, &serde_json::json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}))?;
    /// let token = signer.sign(&serde_json::json!({"sub": "somebody"}))?;
    /// assert_eq!(token.split('.').count(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn signer<H: Serialize + ?Sized>(&self, algorithm: Algorithm, header: &H) -> Result<JwsSigner, SigningError> {
        let mut prefix = base64url_encode(&serde_json::to_vec(header)?);
        prefix.push('.');
        Ok(JwsSigner { key: self.clone(), algorithm, prefix: prefix.into() })
    }
}

/// Signs claim sets under one header. Clones share key and header.
#[derive(Debug, Clone)]
pub struct JwsSigner {
    key: SigningKey,
    algorithm: Algorithm,
    prefix: Arc<str>,
}

impl JwsSigner {
    /// The `kid`.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.key.key_id()
    }

    /// Signs a claim set; the result is a compact JWS.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn sign<C: Serialize + ?Sized>(&self, claims: &C) -> Result<String, SigningError> {
        self.sign_payload(&serde_json::to_vec(claims)?)
    }

    /// Signs a payload of any form; the result is a compact JWS.
    ///
    /// # Errors
    /// [`SigningError::Key`].
    pub fn sign_payload(&self, payload: &[u8]) -> Result<String, SigningError> {
        let signature_length = self.key.key.public_key().modulus().len() * 4 / 3 + 4;
        let mut token = String::with_capacity(self.prefix.len() + payload.len() * 4 / 3 + 8 + signature_length);
        token.push_str(&self.prefix);
        base64_simd::URL_SAFE_NO_PAD.encode_append(payload, &mut token);
        let signature = self.key.key.sign(self.algorithm, token.as_bytes())?;
        token.push('.');
        base64_simd::URL_SAFE_NO_PAD.encode_append(&signature, &mut token);
        Ok(token)
    }
}
