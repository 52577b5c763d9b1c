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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base64url_decode_strict;

    fn key() -> SigningKey {
        SigningKey::from_pkcs8_der("key-1", &SigningKey::generate_pkcs8().unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_header_claims_and_a_signature_over_both() {
        let key = key();
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
            let header = json!({"alg": algorithm.name(), "kid": "key-1"});
            let signer = key.signer(algorithm, &header).unwrap();
            assert_eq!(signer.key_id(), "key-1");
            // Payloads of every length modulo three, the empty one too.
            for payload in ["{}", "{ }", "{  }", "", "{\"sub\":\"ü\"}"] {
                let token = signer.sign_payload(payload.as_bytes()).unwrap();
                let parts: Vec<_> = token.split('.').map(|part| base64url_decode_strict(part).unwrap()).collect();
                assert_eq!(parts[0], header.to_string().as_bytes());
                assert_eq!(parts[1], payload.as_bytes());
                let input = &token[..token.rfind('.').unwrap()];
                assert!(key.private_key().public_key().verifies(algorithm, input.as_bytes(), &parts[2]));
            }
        }
    }

    #[test]
    fn claims_are_written_as_json() {
        let token = key().signer(Algorithm::Rs256, &json!({})).unwrap().sign(&json!({"exp": 1, "a": [null]})).unwrap();
        let payload = base64url_decode_strict(token.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&payload).unwrap(), json!({"exp": 1, "a": [null]}));
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        let odd: std::collections::BTreeMap<Vec<u8>, u8> = [(vec![1], 1)].into();
        assert!(matches!(key().signer(Algorithm::Rs256, &odd), Err(SigningError::Json(_))));
        let signer = key().signer(Algorithm::Rs256, &json!({})).unwrap();
        assert!(matches!(signer.sign(&odd), Err(SigningError::Json(_))));
    }

    #[test]
    fn debug_shows_the_name_only() {
        assert_eq!(format!("{:?}", key()), "SigningKey { key_id: \"key-1\", .. }");
    }
}
