//! Client credentials in an HTTP Basic header.
//!
//! RFC 6749 §2.3.1 wants id and secret form-encoded before they are joined. openid-client and oauth4webapi do so
//! strictly (even the `-` of the GUID arrives as `%2D`); requests, Authlib and httpx send the raw text (observed
//! November 2026). A `+` or `%` in a secret is therefore ambiguous: both readings are candidates, and whoever holds the
//! stored hash decides. Refused: other schemes, text that is not base64 or not UTF-8, a pair without a colon.

use std::fmt;

use countersign_token::{base64_decode_lenient, base64_encode_standard};
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};

use crate::form::{decode_component, encode_component};

/// The longest header value taken, in bytes.
const MAX_LENGTH: usize = 8 * 1024;

/// An `Authorization` header that is not one of client credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BasicError {
    /// Another scheme, or none.
    #[error("the authorization scheme is not Basic")]
    NotBasic,
    /// More than 8 kB.
    #[error("the Basic credentials are longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// The credentials are not base64.
    #[error("the Basic credentials are not base64")]
    InvalidBase64,
    /// The credentials are not UTF-8.
    #[error("the Basic credentials are not UTF-8")]
    InvalidUtf8,
    /// There is no colon between id and secret.
    #[error("the Basic credentials hold no colon")]
    NoColon,
    /// There is nothing before the colon.
    #[error("the Basic credentials hold no client id")]
    EmptyClientId,
    /// A broken percent escape in the client id.
    #[error("the client id holds a broken percent escape")]
    InvalidPercentEncoding,
}

/// A client's id and what its secret may be. `Debug` does not show the secret.
pub struct BasicCredentials {
    client_id: String,
    raw: SecretString,
    decoded: Option<SecretString>,
}

impl BasicCredentials {
    /// Reads the value of an `Authorization` header. The scheme's case does not matter (RFC 7235 §2.1).
    ///
    /// # Errors
    /// [`BasicError`]; `NotBasic` leaves the header to others.
    pub fn parse(authorization: &str) -> Result<Self, BasicError> {
        let (scheme, credentials) = authorization.split_once(' ').ok_or(BasicError::NotBasic)?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return Err(BasicError::NotBasic);
        }
        if credentials.len() > MAX_LENGTH {
            return Err(BasicError::TooLong);
        }
        let bytes = base64_decode_lenient(credentials.trim_matches(' ')).map_err(|_| BasicError::InvalidBase64)?;
        let mut pair = String::from_utf8(bytes).map_err(|_| BasicError::InvalidUtf8)?;
        let parsed = Self::from_pair(&pair);
        pair.zeroize();
        parsed
    }

    fn from_pair(pair: &str) -> Result<Self, BasicError> {
        let (id, secret) = pair.split_once(':').ok_or(BasicError::NoColon)?;
        let client_id = decode_component(id.as_bytes()).map_err(|_| BasicError::InvalidPercentEncoding)?;
        if client_id.is_empty() {
            return Err(BasicError::EmptyClientId);
        }
        // A secret that is no valid form text can only have been meant raw.
        let decoded = decode_component(secret.as_bytes()).ok().filter(|decoded| decoded != secret);
        Ok(Self { client_id, raw: SecretString::from(secret), decoded: decoded.map(SecretString::from) })
    }

    /// The client id, decoded.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What the secret may be: the raw text, then the form-decoded one if that is another. May be empty text.
    pub fn candidate_secrets(&self) -> impl Iterator<Item = &SecretString> {
        std::iter::once(&self.raw).chain(&self.decoded)
    }

    /// The header value for a client, encoded as RFC 6749 §2.3.1 has it.
    #[must_use]
    pub fn encode(client_id: &str, secret: &SecretString) -> SecretString {
        let mut pair: String = encode_component(client_id).collect();
        pair.push(':');
        pair.extend(encode_component(secret.expose_secret()));
        let header = format!("Basic {}", base64_encode_standard(pair.as_bytes()));
        pair.zeroize();
        SecretString::from(header)
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(pair: &str) -> String {
        format!("Basic {}", base64_encode_standard(pair.as_bytes()))
    }

    fn candidates(pair: &str) -> Vec<String> {
        let credentials = BasicCredentials::parse(&header(pair)).unwrap();
        credentials.candidate_secrets().map(|secret| secret.expose_secret().to_owned()).collect()
    }

    #[test]
    fn a_strictly_encoded_id_is_decoded() {
        let credentials = BasicCredentials::parse(&header("6babcaad%2D604b:s%7Ecret")).unwrap();
        assert_eq!(credentials.client_id(), "6babcaad-604b");
        assert_eq!(candidates("6babcaad%2D604b:s%7Ecret"), ["s%7Ecret", "s~cret"]);
    }

    #[test]
    fn the_secret_has_as_many_candidates_as_readings() {
        assert_eq!(candidates("id:plain"), ["plain"]);
        assert_eq!(candidates("id:a+b"), ["a+b", "a b"]);
        assert_eq!(candidates("id:100%"), ["100%"]);
        assert_eq!(candidates("id:a:b"), ["a:b"]);
        assert_eq!(candidates("id:"), [""]);
    }

    #[test]
    fn each_fault_has_its_name() {
        for (value, fault) in [
            ("Bearer abc".to_owned(), BasicError::NotBasic),
            ("Basic".to_owned(), BasicError::NotBasic),
            (String::new(), BasicError::NotBasic),
            ("Basic !!!".to_owned(), BasicError::InvalidBase64),
            ("Basic _w==".to_owned(), BasicError::InvalidUtf8),
            (header("nocolon"), BasicError::NoColon),
            (header(":secret"), BasicError::EmptyClientId),
            (header("%zz:secret"), BasicError::InvalidPercentEncoding),
            (format!("Basic {}", "A".repeat(MAX_LENGTH + 1)), BasicError::TooLong),
        ] {
            assert_eq!(BasicCredentials::parse(&value).unwrap_err(), fault, "{value:.40}");
        }
        assert!(BasicCredentials::parse(&header("id:x").replace("Basic", "bAsIc")).is_ok());
    }

    #[test]
    fn what_is_encoded_can_be_read_and_is_not_shown() {
        let header = BasicCredentials::encode("id", &SecretString::from("p%+ ä:~"));
        assert!(!format!("{header:?}").contains("aWQ6"));
        let credentials = BasicCredentials::parse(header.expose_secret()).unwrap();
        assert!(credentials.candidate_secrets().any(|secret| secret.expose_secret() == "p%+ ä:~"));
        assert!(!format!("{credentials:?}").contains("p%"));
    }
}
