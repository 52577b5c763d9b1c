//! Assertions of other issuers, presented as an application's proof (RFC 7523 §3; Microsoft, "Workload identity
//! federation").
//!
//! Read strictly, unlike an application's own: the issuer is a real identity provider, so there is nothing to forgive.
//! Refused: anything but three segments of base64url, duplicate members, another algorithm than RS256, a header without
//! `kid` or with a key of its own, a missing `iss`, `sub`, `aud` or `exp`.

use std::fmt;

use serde_json::{Map, Value};

use crate::{Algorithm, VerificationKey, base64url_decode_strict, parse_strict_object};

/// An assertion longer than this is refused before it is read.
pub const MAX_FEDERATED_ASSERTION_BYTES: usize = 16 * 1024;

/// The text is not an assertion that an identity provider makes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FederatedAssertionError {
    /// Not three segments of base64url, not JSON objects, a member stands twice, a header that means more than it says.
    #[error("not a JWT in compact form")]
    Malformed,
    /// `alg` is not RS256.
    #[error("the header's alg is not RS256")]
    Algorithm,
    /// There is no `kid`, or it is no text.
    #[error("the header has no kid")]
    NoKeyId,
    /// A claim is missing or of another type.
    #[error("the claim {0} is missing or has the wrong type")]
    Claim(&'static str),
}

/// An assertion taken apart. **Nothing of it is verified** until [`FederatedAssertion::is_signed_by`] says so.
pub struct FederatedAssertion {
    key_id: String,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
    issuer: String,
    subject: String,
    audience: String,
    expires: i64,
    not_before: Option<i64>,
    jti: Option<String>,
}

impl fmt::Debug for FederatedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FederatedAssertion").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

fn object(segment: &str) -> Result<Map<String, Value>, FederatedAssertionError> {
    let malformed = |_| FederatedAssertionError::Malformed;
    let bytes = base64url_decode_strict(segment).map_err(malformed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| FederatedAssertionError::Malformed)?;
    parse_strict_object(text).map_err(|_| FederatedAssertionError::Malformed)
}

fn text(claims: &Map<String, Value>, name: &'static str) -> Result<String, FederatedAssertionError> {
    let value = claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    value.map(str::to_owned).ok_or(FederatedAssertionError::Claim(name))
}

/// A NumericDate (RFC 7519 §2); fractions are cut off.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, FederatedAssertionError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..253_402_300_800.0).contains(&seconds) => Ok(Some(seconds as i64)),
            _ => Err(FederatedAssertionError::Claim(name)),
        },
    }
}

/// The one audience: a text, or an array of one.
fn audience(claims: &Map<String, Value>) -> Result<String, FederatedAssertionError> {
    let one = match claims.get("aud") {
        Some(Value::Array(audiences)) if audiences.len() == 1 => audiences.first(),
        other => other,
    };
    one.and_then(Value::as_str).map(str::to_owned).ok_or(FederatedAssertionError::Claim("aud"))
}

impl FederatedAssertion {
    /// Takes an assertion apart.
    ///
    /// # Errors
    /// [`FederatedAssertionError`], in the order form, header, claims.
    pub fn parse(raw: &str) -> Result<Self, FederatedAssertionError> {
        if raw.len() > MAX_FEDERATED_ASSERTION_BYTES {
            return Err(FederatedAssertionError::Malformed);
        }
        let mut segments = raw.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(FederatedAssertionError::Malformed);
        };
        let signing_input = raw.as_bytes()[..header.len() + 1 + payload.len()].to_vec();
        let (header, claims) = (object(header)?, object(payload)?);
        let signature = base64url_decode_strict(signature).map_err(|_| FederatedAssertionError::Malformed)?;
        if ["crit", "b64", "zip", "jwk", "jku", "x5u"].iter().any(|name| header.contains_key(*name)) {
            return Err(FederatedAssertionError::Malformed);
        }
        if header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name) != Some(Algorithm::Rs256) {
            return Err(FederatedAssertionError::Algorithm);
        }
        let key_id = header.get("kid").and_then(Value::as_str).filter(|id| !id.is_empty());
        Ok(Self {
            key_id: key_id.ok_or(FederatedAssertionError::NoKeyId)?.to_owned(),
            signing_input,
            signature,
            issuer: text(&claims, "iss")?,
            subject: text(&claims, "sub")?,
            audience: audience(&claims)?,
            expires: date(&claims, "exp")?.ok_or(FederatedAssertionError::Claim("exp"))?,
            not_before: date(&claims, "nbf")?,
            jti: claims.get("jti").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The header's `kid`.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Claim `iss`, compared exactly with what is registered.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Claim `sub`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Claim `aud`, of which there is exactly one.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Claim `exp`, in seconds since the epoch.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.expires
    }

    /// Claim `nbf`, in seconds since the epoch.
    #[must_use]
    pub fn not_before(&self) -> Option<i64> {
        self.not_before
    }

    /// Claim `jti`.
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_deref()
    }

    /// Whether `key` signed what was received.
    #[must_use]
    pub fn is_signed_by(&self, key: &VerificationKey) -> bool {
        key.public_key().verifies(Algorithm::Rs256, &self.signing_input, &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url_encode;
    use serde_json::json;

    fn written(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url_encode(value.to_string().as_bytes());
        format!("{}.{}.AAAA", part(header), part(claims))
    }

    fn header() -> Value {
        json!({"alg": "RS256", "typ": "JWT", "kid": "k"})
    }

    fn claims() -> Value {
        json!({"iss": "https://issuer.example/", "sub": "system:serviceaccount:ns:name",
               "aud": "api://AzureADTokenExchange", "exp": 1_767_225_600, "nbf": 1_767_222_000.5, "jti": "1"})
    }

    #[test]
    fn an_assertion_is_taken_apart() {
        let assertion = FederatedAssertion::parse(&written(&header(), &claims())).unwrap();
        assert_eq!((assertion.key_id(), assertion.issuer()), ("k", "https://issuer.example/"));
        assert_eq!((assertion.subject(), assertion.jti()), ("system:serviceaccount:ns:name", Some("1")));
        assert_eq!((assertion.expires(), assertion.not_before()), (1_767_225_600, Some(1_767_222_000)));
        let mut one = claims();
        one["aud"] = json!(["api://AzureADTokenExchange"]);
        assert_eq!(
            FederatedAssertion::parse(&written(&header(), &one)).unwrap().audience(),
            "api://AzureADTokenExchange"
        );
    }

    #[test]
    fn b10_b11_a_header_that_says_more_or_less_is_refused() {
        let with = |name: &str, value: Value| {
            let mut header = header();
            header[name] = value;
            FederatedAssertion::parse(&written(&header, &claims())).unwrap_err()
        };
        for name in ["jwk", "jku", "x5u", "crit", "b64", "zip"] {
            assert_eq!(with(name, json!("x")), FederatedAssertionError::Malformed, "{name}");
        }
        for algorithm in ["none", "HS256", "RS512", "PS256", "rs256"] {
            assert_eq!(with("alg", json!(algorithm)), FederatedAssertionError::Algorithm, "{algorithm}");
        }
        for id in [json!(""), json!(1), Value::Null] {
            assert_eq!(with("kid", id), FederatedAssertionError::NoKeyId);
        }
    }

    #[test]
    fn b13_b14_every_claim_is_needed_and_there_is_one_audience() {
        for (name, value) in [
            ("iss", Value::Null),
            ("iss", json!("")),
            ("sub", json!(1)),
            ("aud", json!([])),
            ("aud", json!(["a", "b"])),
            ("exp", Value::Null),
            ("exp", json!("1767225600")),
            ("exp", json!(-1)),
            ("nbf", json!("x")),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            let refused = FederatedAssertion::parse(&written(&header(), &claims)).unwrap_err();
            assert_eq!(refused, FederatedAssertionError::Claim(name), "{name} {value}");
        }
    }

    #[test]
    fn what_is_no_compact_jws_is_refused() {
        let good = written(&header(), &claims());
        for bad in [
            String::new(),
            "a.b".to_owned(),
            format!("{good}.x"),
            format!("{good}="),
            good.replacen('.', "..", 1),
            "A".repeat(MAX_FEDERATED_ASSERTION_BYTES + 1),
        ] {
            assert_eq!(FederatedAssertion::parse(&bad).unwrap_err(), FederatedAssertionError::Malformed);
        }
    }
}
