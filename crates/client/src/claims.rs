//! Claims requests: what an API or the authority wants the next token to carry.
//!
//! A claims challenge comes as base64 in `WWW-Authenticate`, or as JSON text in an error of the token endpoint. Either way
//! it is handed to the authority as it came, together with this client's capability (`xms_cc`), and judged by nobody on
//! the way. Refused: anything that is no JSON object, and more than 16 KiB.

use std::sync::Arc;

use countersign_protocol::Challenge;
use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use serde_json::{Map, Value, json};

/// The longest claims request taken, in bytes; a challenge has some hundred.
const MAX_CLAIMS_BYTES: usize = 16 * 1024;

/// The text is no claims request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// More than 16 KiB.
    #[error("the claims request is larger than 16 KiB")]
    TooLarge,
    /// Not a JSON object.
    #[error("the claims request is no JSON object")]
    NotAnObject,
}

/// A claims request, JSON text: `{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}`.
///
/// ```
/// use countersign_client::ClaimsRequest;
///
/// let header = r#"Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==""#;
/// let claims = ClaimsRequest::from_challenge(header).ok_or("no claims challenge")?;
/// assert_eq!(claims.as_json(), r#"{"access_token":{}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Claims challenges, claims requests and client capabilities; OpenID Connect Core §5.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimsRequest(Arc<str>);

impl ClaimsRequest {
    /// From JSON text.
    ///
    /// # Errors
    /// [`ClaimsError`].
    pub fn from_json(json: &str) -> Result<Self, ClaimsError> {
        if json.len() > MAX_CLAIMS_BYTES {
            return Err(ClaimsError::TooLarge);
        }
        match serde_json::from_str(json) {
            Ok(Value::Object(_)) => Ok(Self(json.into())),
            _ => Err(ClaimsError::NotAnObject),
        }
    }

    /// The claims of one `WWW-Authenticate` value's `Bearer` challenge; None if it has none that can be read. What its
    /// `error` says does not matter: ARM sends claims with `invalid_token`.
    #[must_use]
    pub fn from_challenge(value: &str) -> Option<Self> {
        let challenges = Challenge::parse_all(value);
        let claims = challenges.iter().filter(|challenge| challenge.is_scheme("Bearer")).find_map(Challenge::claims)?;
        Self::from_json(&claims).ok()
    }

    /// The first claims challenge among a response's headers.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        headers.get_all(WWW_AUTHENTICATE).iter().find_map(|value| Self::from_challenge(value.to_str().ok()?))
    }

    /// The JSON text, as it came.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// The `claims` parameter: what was asked for and what this client can do, merged object by object.
pub(crate) fn merged(asked: Option<&str>, capable: bool) -> Option<String> {
    if !capable {
        return asked.map(str::to_owned);
    }
    let capability = json!({"access_token": {"xms_cc": {"values": ["cp1"]}}});
    let Some(asked) = asked else { return Some(capability.to_string()) };
    let mut merged = serde_json::from_str::<Value>(asked).unwrap_or_default();
    merge(&mut merged, capability);
    Some(merged.to_string())
}

/// Puts `more` into `into`; where both have an object, member by member.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert_with(|| Value::Object(Map::new())), value);
            }
        }
        (into, more) => *into = more,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[]", "\"a\"", "null", "{", "{} x"] {
            assert_eq!(ClaimsRequest::from_json(text), Err(ClaimsError::NotAnObject), "{text:?}");
        }
        assert_eq!(ClaimsRequest::from_json(&" ".repeat(MAX_CLAIMS_BYTES + 1)), Err(ClaimsError::TooLarge));
    }

    #[test]
    fn challenges_without_claims_and_of_other_schemes_are_passed_over() {
        assert_eq!(ClaimsRequest::from_challenge("Bearer error=\"invalid_token\""), None);
        assert_eq!(ClaimsRequest::from_challenge("PoP claims=\"e30=\""), None);
        assert_eq!(ClaimsRequest::from_challenge("Basic realm=\"x\", Bearer claims=\"e30=\"").unwrap().as_json(), "{}");
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=\"x\"".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Bearer claims=\"e30=\"".parse().unwrap());
        assert_eq!(ClaimsRequest::from_headers(&headers).unwrap().as_json(), "{}");
    }

    #[test]
    fn claims_and_capability_are_merged_by_object() {
        assert_eq!(merged(None, false), None);
        assert_eq!(merged(Some("{\"a\":1}"), false).unwrap(), "{\"a\":1}");
        assert_eq!(merged(None, true).unwrap(), r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#);
        let asked = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}},"id_token":{"x":null}}"#;
        let both: Value = serde_json::from_str(&merged(Some(asked), true).unwrap()).unwrap();
        assert_eq!(both["access_token"]["nbf"]["value"], "1");
        assert_eq!(both["access_token"]["xms_cc"]["values"][0], "cp1");
        assert!(both["id_token"].get("x").is_some());
        let odd: Value = serde_json::from_str(&merged(Some(r#"{"access_token":null}"#), true).unwrap()).unwrap();
        assert_eq!(odd["access_token"]["xms_cc"]["values"][0], "cp1");
    }
}
