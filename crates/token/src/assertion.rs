//! Client assertions as real libraries send them: read leniently, verified strictly.
//!
//! MSAL Python writes dates as floats and pads thumbprints, MSAL Go spells them in the standard alphabet, azure-identity
//! pads whole segments, MSAL.NET writes dates as strings (observed and read, November 2026). None of that changes what
//! was signed: the signature is checked over the bytes received, and a thumbprint only chooses among the keys that the
//! application registered. This leniency has a type of its own and cannot reach access tokens.
//!
//! What stays strict: three segments, no duplicate members, RS256, RS384, RS512 or PS256 only, a bounded size, and no key
//! taken from the header: `jwk`, `jku` and `x5u` are ignored; `x5c` is handed on unverified, for whoever has a root to
//! verify it against.

use std::fmt;

use serde_json::{Map, Value};

use crate::{Algorithm, Certificate, PublicKey, base64_decode_lenient, parse_strict_object};

/// An assertion longer than this is refused before it is read. One with a chain of three certificates is below 12 kB.
pub const MAX_ASSERTION_BYTES: usize = 16 * 1024;

/// The longest chain that is read.
const MAX_CHAIN: usize = 8;

/// Why an assertion was refused before any key was looked at. Entra's code for each stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// Not three segments, not base64, not JSON objects, or a member stands twice (AADSTS50027).
    #[error("not a JWT in compact form")]
    Malformed,
    /// `typ` is there and is not `JWT` (AADSTS5002727).
    #[error("the header's typ is not JWT")]
    Type,
    /// `alg` is none of the four (AADSTS5002738).
    #[error("the header's alg is not supported")]
    Algorithm,
    /// Neither `x5t#S256` nor `x5t` nor `kid` (AADSTS5002723).
    #[error("the header names no certificate")]
    NoThumbprint,
    /// A claim is missing or of a type that nobody sends (AADSTS90014).
    #[error("the claim {0} is missing or has the wrong type")]
    Claim(&'static str),
}

/// A client assertion taken apart. **Nothing of it is verified** until [`ClientAssertion::is_signed_by`] says so.
pub struct ClientAssertion {
    algorithm: Algorithm,
    chain: Vec<Vec<u8>>,
    thumbprints: Vec<Vec<u8>>,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
    issuer: String,
    subject: String,
    audiences: Vec<String>,
    expires: i64,
    not_before: Option<i64>,
    jti: Option<String>,
}

impl fmt::Debug for ClientAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAssertion")
            .field("algorithm", &self.algorithm)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

fn object(segment: &str) -> Result<Map<String, Value>, AssertionError> {
    let bytes = base64_decode_lenient(segment).map_err(|_| AssertionError::Malformed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| AssertionError::Malformed)?;
    parse_strict_object(text).map_err(|_| AssertionError::Malformed)
}

/// A date as number, float or numeric string; fractions are cut off.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, AssertionError> {
    let seconds = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    match seconds {
        Some(seconds) if (0.0..253_402_300_800.0).contains(&seconds) => Ok(Some(seconds as i64)),
        _ => Err(AssertionError::Claim(name)),
    }
}

fn text(claims: &Map<String, Value>, name: &'static str) -> Result<String, AssertionError> {
    claims.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(AssertionError::Claim(name))
}

/// The certificates of `x5c` in every spelling that is sent: an array or one text, of base64 with or without line breaks,
/// of DER or of PEM. What is none of these is left out; then no chain is complete.
fn chain(header: &Map<String, Value>) -> Vec<Vec<u8>> {
    let texts: Vec<&str> = match header.get("x5c") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().take(MAX_CHAIN).filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let decoded = |text: &str| {
        let compact: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        base64_decode_lenient(&compact).ok()
    };
    let der = |bytes: Vec<u8>| match std::str::from_utf8(&bytes) {
        Ok(pem) if pem.starts_with("-----BEGIN") => Certificate::from_pem(pem).ok().map(|found| found.der().to_vec()),
        _ => Some(bytes),
    };
    texts.into_iter().filter_map(decoded).filter_map(der).collect()
}

impl ClientAssertion {
    /// Takes an assertion apart.
    ///
    /// # Errors
    /// [`AssertionError`], in the order header, thumbprint, claims.
    pub fn parse(raw: &str) -> Result<Self, AssertionError> {
        if raw.len() > MAX_ASSERTION_BYTES {
            return Err(AssertionError::Malformed);
        }
        let mut segments = raw.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(AssertionError::Malformed);
        };
        let signing_input = raw.as_bytes()[..header.len() + 1 + payload.len()].to_vec();
        let header = object(header)?;
        let claims = object(payload)?;
        let signature = base64_decode_lenient(signature).map_err(|_| AssertionError::Malformed)?;
        if header.get("typ").is_some_and(|typ| !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"))) {
            return Err(AssertionError::Type);
        }
        if header.contains_key("crit") || header.contains_key("b64") || header.contains_key("zip") {
            return Err(AssertionError::Malformed);
        }
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(Algorithm::from_name)
            .ok_or(AssertionError::Algorithm)?;
        let thumbprints: Vec<_> = ["x5t#S256", "x5t", "kid"]
            .iter()
            .filter_map(|name| header.get(*name)?.as_str())
            .filter_map(|text| base64_decode_lenient(text).ok())
            .filter(|bytes| matches!(bytes.len(), 20 | 32))
            .collect();
        if thumbprints.is_empty() {
            return Err(AssertionError::NoThumbprint);
        }
        let audiences = match claims.get("aud") {
            Some(Value::String(audience)) => vec![audience.clone()],
            Some(Value::Array(audiences)) if (1..=8).contains(&audiences.len()) => audiences
                .iter()
                .map(|audience| audience.as_str().map(str::to_owned).ok_or(AssertionError::Claim("aud")))
                .collect::<Result<_, _>>()?,
            _ => return Err(AssertionError::Claim("aud")),
        };
        Ok(Self {
            algorithm,
            chain: chain(&header),
            thumbprints,
            signing_input,
            signature,
            issuer: text(&claims, "iss")?,
            subject: text(&claims, "sub")?,
            audiences,
            expires: date(&claims, "exp")?.ok_or(AssertionError::Claim("exp"))?,
            not_before: match date(&claims, "nbf")? {
                Some(not_before) => Some(not_before),
                None => date(&claims, "iat")?,
            },
            jti: claims.get("jti").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The header's `alg`.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The thumbprints that the header names, SHA-256 (32 bytes) or SHA-1 (20 bytes): `x5t#S256`, `x5t`, `kid`, in this
    /// order.
    pub fn thumbprints(&self) -> impl Iterator<Item = &[u8]> {
        self.thumbprints.iter().map(Vec::as_slice)
    }

    /// Whether the header names this certificate by SHA-1 or SHA-256.
    #[must_use]
    pub fn names(&self, sha1: &[u8; 20], sha256: &[u8; 32]) -> bool {
        self.thumbprints.iter().any(|named| named == sha1 || named == sha256)
    }

    /// The header's `x5c`, DER, the signer's certificate first. **Whoever made the assertion chose them**: they mean
    /// something only after a chain to a registered root was verified.
    #[must_use]
    pub fn certificate_chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Claim `iss`: the client id for the application's own certificate.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Claim `sub`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Claim `aud`, one or several.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// Claim `exp`, in seconds since the epoch.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.expires
    }

    /// Claim `nbf`, else `iat`, in seconds since the epoch.
    #[must_use]
    pub fn not_before(&self) -> Option<i64> {
        self.not_before
    }

    /// Claim `jti`.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_deref()
    }

    /// Whether `key` signed the bytes that were received, padding and all.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verifies(self.algorithm, &self.signing_input, &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Option<i64>, AssertionError> {
        let mut claims = Map::new();
        claims.insert("exp".to_owned(), value);
        date(&claims, "exp")
    }

    #[test]
    fn dates_come_as_numbers_floats_and_strings() {
        for value in [json!(1_767_225_600), json!(1_767_225_600.827_4), json!("1767225600"), json!("1767225600.9")] {
            assert_eq!(read(value), Ok(Some(1_767_225_600)));
        }
        assert_eq!(read(json!(0)), Ok(Some(0)));
        assert_eq!(read(json!(253_402_300_799_i64)), Ok(Some(253_402_300_799)));
        assert_eq!(date(&Map::new(), "exp"), Ok(None));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for value in [
            json!(-1),
            json!(253_402_300_800_i64),
            json!(u64::MAX),
            json!(1e300),
            json!("inf"),
            json!("nan"),
            json!("0x10"),
            json!(" 1"),
            json!(""),
            json!(null),
            json!(true),
            json!([1]),
        ] {
            assert_eq!(read(value.clone()), Err(AssertionError::Claim("exp")), "{value}");
        }
    }

    #[test]
    fn an_error_names_the_claim() {
        assert_eq!(AssertionError::Claim("aud").to_string(), "the claim aud is missing or has the wrong type");
    }
}
