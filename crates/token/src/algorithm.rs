//! The signature algorithms there are here: four RSA ones, no others representable.
//!
//! `none` and the HMAC family cannot be named, so no header can ask for them (CVE-2015-9235, CVE-2022-23540).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{self, RsaEncoding, RsaParameters};
use serde::{Deserialize, Serialize};

/// A JWS algorithm (RFC 7518 §3.1) that this house verifies or signs.
///
/// Access tokens are RS256 unless a policy adds PS256; client assertions may use all four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, a salt of 32 bytes.
    Ps256,
}

/// The name is not one of RS256, RS384, RS512 and PS256, letter for letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of RS256, RS384, RS512, PS256")]
pub struct UnsupportedAlgorithm;

impl Algorithm {
    /// The name in a JOSE header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
        }
    }

    /// Reads a header's `alg`; the comparison is exact (RFC 7515 §4.1.1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            _ => return None,
        })
    }

    pub(crate) fn verification(self) -> &'static RsaParameters {
        match self {
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        }
    }

    pub(crate) fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Rs256 => &signature::RSA_PKCS1_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_SHA512,
            Self::Ps256 => &signature::RSA_PSS_SHA256,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnsupportedAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnsupportedAlgorithm> {
        Self::from_name(name).ok_or(UnsupportedAlgorithm)
    }
}

impl TryFrom<String> for Algorithm {
    type Error = UnsupportedAlgorithm;

    fn try_from(name: String) -> Result<Self, UnsupportedAlgorithm> {
        name.parse()
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for name in ["none", "None", "HS256", "rs256", "RS256 ", "RSA256", "ES256", "EdDSA", "PS512", "", "RS256\0"] {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
        }
        for algorithm in [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256] {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
    }
}
