//! [`ProofKey`]: the public key that a proof carries along, and its thumbprint.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::ProofError;
use crate::{Algorithm, PublicKey, base64url_decode_strict, base64url_encode, sha256};

/// The algorithms that proofs are signed with (RFC 7518 §3.1). Only asymmetric ones can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProofAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl ProofAlgorithm {
    /// All of them, the one to prefer first.
    pub const ALL: [Self; 3] = [Self::Es256, Self::Ps256, Self::Rs256];

    /// The name in a JOSE header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads a header's `alg`; the comparison is exact.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// A public key from a JWK: P-256, or RSA of 2048 to 8192 bits.
#[derive(Clone)]
pub struct ProofKey {
    kind: Kind,
    /// What the JWK's own `alg` says, if it says so.
    algorithm: Option<ProofAlgorithm>,
    thumbprint: [u8; 32],
}

#[derive(Clone)]
enum Kind {
    /// The point, uncompressed.
    P256(Box<[u8; 65]>),
    Rsa(PublicKey),
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProofKey").field(&self.thumbprint()).finish()
    }
}

/// Members that only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl ProofKey {
    /// From a JWK.
    ///
    /// # Errors
    /// [`ProofError::PrivateKey`] for a private or symmetric key, [`ProofError::Key`] for every other that is not used here.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, ProofError> {
        if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(ProofError::PrivateKey);
        }
        Self::read(jwk).ok_or(ProofError::Key)
    }

    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name)?.as_str();
        let is_for_signatures = jwk.get("use").is_none_or(|usage| usage == "sig");
        let verifies =
            jwk.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
        if !is_for_signatures || !verifies {
            return None;
        }
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(ProofAlgorithm::from_name(name.as_str()?)?),
        };
        // RFC 7638 §3.2: the required members in the order of their names. What was decoded strictly is what is written.
        let (kind, canonical) = match text("kty")? {
            "EC" if text("crv")? == "P-256" => {
                let (x, y) = (text("x")?, text("y")?);
                let mut point = Box::new([4; 65]);
                point[1..33].copy_from_slice(&base64url_decode_strict(x).ok().filter(|x| x.len() == 32)?);
                point[33..].copy_from_slice(&base64url_decode_strict(y).ok().filter(|y| y.len() == 32)?);
                (Kind::P256(point), format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
            }
            "RSA" => {
                let (n, e) = (text("n")?, text("e")?);
                let decode = |text| base64url_decode_strict(text).ok();
                let key = PublicKey::from_components(&decode(n)?, &decode(e)?).ok()?;
                (Kind::Rsa(key), format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#))
            }
            _ => return None,
        };
        Some(Self { kind, algorithm, thumbprint: sha256(canonical.as_bytes()) })
    }

    /// The JWK thumbprint with SHA-256, base64url: `jkt` of a token's `cnf` (RFC 7638 §3; RFC 9449 §6.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        base64url_encode(&self.thumbprint)
    }

    pub(super) const fn thumbprint_bytes(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// Whether this key is used with that algorithm.
    #[must_use]
    pub fn takes(&self, algorithm: ProofAlgorithm) -> bool {
        let fits = match self.kind {
            Kind::P256(_) => algorithm == ProofAlgorithm::Es256,
            Kind::Rsa(_) => algorithm != ProofAlgorithm::Es256,
        };
        fits && self.algorithm.is_none_or(|stated| stated == algorithm)
    }

    /// Checks a signature over `message`: for ES256 64 bytes, R and S (RFC 7518 §3.4); for RSA as long as the modulus.
    #[must_use]
    pub fn verifies(&self, algorithm: ProofAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&self.kind, algorithm) {
            (Kind::P256(point), ProofAlgorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point[..]).verify(message, signature).is_ok()
            }
            (Kind::Rsa(key), ProofAlgorithm::Ps256) => key.verifies(Algorithm::Ps256, message, signature),
            (Kind::Rsa(key), ProofAlgorithm::Rs256) => key.verifies(Algorithm::Rs256, message, signature),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(jwk: &Value) -> Result<ProofKey, ProofError> {
        ProofKey::from_jwk(jwk.as_object().unwrap())
    }

    /// RFC 7638 §3.1's own key and thumbprint.
    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = key(&json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})).unwrap();
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert!(
            key.takes(ProofAlgorithm::Rs256) && !key.takes(ProofAlgorithm::Ps256) && !key.takes(ProofAlgorithm::Es256)
        );
    }

    /// RFC 9449 §6.1's example: the key of its proofs and the `jkt` that stands for it.
    #[test]
    fn the_thumbprint_is_that_of_rfc_9449() {
        let jwk = json!({
            "kty": "EC", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", "crv": "P-256"
        });
        assert_eq!(key(&jwk).unwrap().thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn what_is_no_public_key_of_ours_is_refused_by_name() {
        let good = json!({
            "kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
        });
        let with = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk[name] = value;
            key(&jwk).unwrap_err()
        };
        for name in PRIVATE_MEMBERS {
            assert_eq!(with(name, json!("AQAB")), ProofError::PrivateKey, "{name}");
        }
        for (name, value) in [
            ("kty", json!("oct")),
            ("kty", json!("OKP")),
            ("crv", json!("P-384")),
            ("crv", json!("secp256k1")),
            ("x", json!("AQAB")),
            ("x", json!("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs=")),
            ("y", json!(1)),
            ("use", json!("enc")),
            ("key_ops", json!(["sign"])),
            ("alg", json!("HS256")),
            ("alg", json!(1)),
        ] {
            assert_eq!(with(name, value.clone()), ProofError::Key, "{name} {value}");
        }
        assert_eq!(key(&json!({"kty": "oct", "k": "c2VjcmV0"})).unwrap_err(), ProofError::PrivateKey);
    }
}
