//! The `claims` parameter: what a client wants in its tokens (OpenID Connect Core §5.5), and what it must bring to get
//! past a claims challenge.
//!
//! Entra reads a few of them: `xms_cc` says what the client understands (`cp1`: claims challenges), `acrs` asks for an
//! authentication context, `nbf` for a token issued later than a revocation, `polids` for a policy to be satisfied.
//! Others are kept by name and never acted on: msal-node sends `signin_state` and the like.
//! Refused: text that is not one JSON object, members that stand twice, more than 8 kB, more than eight levels.
//! Read on in [`crate::challenge`] for the header that asks a client to send these.

use countersign_token::{Timestamp, parse_strict_object};
use serde_json::{Map, Value};

use crate::aadsts::AadSts;
use crate::decode::parse_integer;
use crate::token_response::MAX_TIME;

/// The longest text taken, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// The deepest nesting taken; real requests have four levels.
const MAX_DEPTH: usize = 8;

/// A `claims` parameter that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsRequestError {
    /// More than 8 kB.
    #[error("the claims are longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Not one JSON object, or a member stands twice.
    #[error("the claims are not one JSON object")]
    NotAnObject,
    /// More than eight levels.
    #[error("the claims are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A member has a form that the parameter does not know.
    #[error("the claims have a member that is neither null nor an object of essential, value and values")]
    InvalidMember,
    /// `nbf` is no point in time.
    #[error("the claims' nbf is not a number of seconds")]
    InvalidNotBefore,
}

impl ClaimsRequestError {
    /// What the authority answers: AADSTS90100, `invalid_request`, with the insertion `name`.
    #[must_use]
    pub const fn aadsts(self) -> &'static AadSts {
        AadSts::INVALID_PARAMETER
    }

    /// The insertion that goes with [`aadsts`](Self::aadsts).
    #[must_use]
    pub const fn insertion(self) -> (&'static str, &'static str) {
        ("name", "claims")
    }
}

/// One claim that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestedClaim {
    /// Whether the client cannot do without it.
    pub essential: bool,
    /// `value` and `values`, one after the other; numbers and booleans as their text.
    pub values: Vec<String>,
}

/// The claims asked for in one kind of token, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestedClaims(Vec<(String, RequestedClaim)>);

impl RequestedClaims {
    /// One claim; `None` when it is not asked for.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RequestedClaim> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, claim)| claim)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// A claims request.
///
/// ```
/// use countersign_protocol::ClaimsRequest;
///
/// let request = ClaimsRequest::parse(r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#)?;
/// assert!(request.has_capability("cp1"));
/// # Ok::<(), countersign_protocol::ClaimsRequestError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimsRequest {
    text: String,
    access_token: RequestedClaims,
    id_token: RequestedClaims,
    not_before: Option<Timestamp>,
}

impl ClaimsRequest {
    /// Reads the parameter.
    ///
    /// # Errors
    /// [`ClaimsRequestError`].
    pub fn parse(text: &str) -> Result<Self, ClaimsRequestError> {
        if text.len() > MAX_BYTES {
            return Err(ClaimsRequestError::TooLong);
        }
        if nesting(text) > MAX_DEPTH {
            return Err(ClaimsRequestError::TooDeep);
        }
        let object = parse_strict_object(text).map_err(|_| ClaimsRequestError::NotAnObject)?;
        let access_token = section(&object, "access_token")?;
        let not_before = match access_token.get("nbf").and_then(|claim| claim.values.first()) {
            Some(text) => {
                let seconds = parse_integer(text).filter(|seconds| (0..=MAX_TIME).contains(seconds));
                Some(Timestamp::from_unix_seconds(seconds.ok_or(ClaimsRequestError::InvalidNotBefore)?))
            }
            None => None,
        };
        Ok(Self { text: text.to_owned(), access_token, id_token: section(&object, "id_token")?, not_before })
    }

    /// The parameter's text, as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is asked for in the access token.
    #[must_use]
    pub const fn access_token(&self) -> &RequestedClaims {
        &self.access_token
    }

    /// What is asked for in the id_token.
    #[must_use]
    pub const fn id_token(&self) -> &RequestedClaims {
        &self.id_token
    }

    /// The client's capabilities: `xms_cc` of the access token.
    pub fn capabilities(&self) -> impl Iterator<Item = &str> {
        self.access_token.get("xms_cc").into_iter().flat_map(|claim| claim.values.iter().map(String::as_str))
    }

    /// Whether the client has a capability; case does not matter (MSAL for Python writes `CP1`).
    #[must_use]
    pub fn has_capability(&self, capability: &str) -> bool {
        self.capabilities().any(|known| known.eq_ignore_ascii_case(capability))
    }

    /// The authentication context that is asked for: `acrs`.
    #[must_use]
    pub fn authentication_context(&self) -> Option<&RequestedClaim> {
        self.access_token.get("acrs")
    }

    /// The moment before which the token must not have been issued: `nbf`, as a number or its text.
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// The policies to be satisfied: `polids`.
    pub fn policy_ids(&self) -> impl Iterator<Item = &str> {
        self.access_token.get("polids").into_iter().flat_map(|claim| claim.values.iter().map(String::as_str))
    }
}

/// How deep brackets are nested, without building anything. Text that is no JSON gives any number.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn section(object: &Map<String, Value>, name: &str) -> Result<RequestedClaims, ClaimsRequestError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(RequestedClaims::default()),
        Some(Value::Object(claims)) => {
            let claims: Result<Vec<_>, _> =
                claims.iter().map(|(name, value)| Ok((name.clone(), requested(value)?))).collect();
            claims.map(RequestedClaims)
        }
        Some(_) => Err(ClaimsRequestError::InvalidMember),
    }
}

/// Reads one claim (Core §5.5.1). Older challenges write `Values`, so case is overlooked.
fn requested(value: &Value) -> Result<RequestedClaim, ClaimsRequestError> {
    let mut claim = RequestedClaim::default();
    let members = match value {
        Value::Null => return Ok(claim),
        Value::Object(members) => members,
        _ => return Err(ClaimsRequestError::InvalidMember),
    };
    for (name, value) in members {
        match (name.to_ascii_lowercase().as_str(), value) {
            (_, Value::Null) => {}
            ("essential", Value::Bool(essential)) => claim.essential = *essential,
            ("value", value) => claim.values.push(scalar(value)?),
            ("values", Value::Array(values)) => {
                for value in values {
                    claim.values.push(scalar(value)?);
                }
            }
            ("essential" | "values", _) => return Err(ClaimsRequestError::InvalidMember),
            _ => {}
        }
    }
    Ok(claim)
}

fn scalar(value: &Value) -> Result<String, ClaimsRequestError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(ClaimsRequestError::InvalidMember),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ClaimsRequest {
        ClaimsRequest::parse(text).unwrap()
    }

    #[test]
    fn capabilities_are_compared_without_regard_to_case() {
        let request = parse(r#"{"access_token":{"xms_cc":{"values":["CP1","llt"]}}}"#);
        assert!(request.has_capability("cp1") && request.has_capability("LLT") && !request.has_capability("cp"));
        assert!(!parse("{}").has_capability("cp1"));
        assert!(!parse(r#"{"id_token":{"xms_cc":{"values":["cp1"]}}}"#).has_capability("cp1"));
        assert!(parse(r#"{"access_token":{"xms_cc":{"Values":["cp1"]}}}"#).has_capability("cp1"));
    }

    #[test]
    fn nbf_may_be_a_number_or_its_text() {
        for text in ["1604106651", "\"1604106651\""] {
            let request = parse(&format!(r#"{{"access_token":{{"nbf":{{"essential":true,"value":{text}}}}}}}"#));
            assert_eq!(request.not_before(), Some(Timestamp::from_unix_seconds(1_604_106_651)));
        }
        assert_eq!(parse(r#"{"access_token":{"nbf":null}}"#).not_before(), None);
        for text in ["\"soon\"", "-1", "1e300", "\"\"", "true"] {
            let text = format!(r#"{{"access_token":{{"nbf":{{"value":{text}}}}}}}"#);
            assert_eq!(ClaimsRequest::parse(&text), Err(ClaimsRequestError::InvalidNotBefore), "{text}");
        }
    }

    #[test]
    fn contexts_and_policies_are_read_in_either_form() {
        let request = parse(r#"{"access_token":{"acrs":{"essential":true,"value":"c1"},"polids":{"values":["p"]}}}"#);
        let context = request.authentication_context().unwrap();
        assert!(context.essential && context.values == ["c1"]);
        assert_eq!(request.policy_ids().collect::<Vec<_>>(), ["p"]);
        let request = parse(r#"{"access_token":{"acrs":{"values":["c1","c2"],"essential":false}}}"#);
        assert_eq!(request.authentication_context().unwrap().values, ["c1", "c2"]);
        assert_eq!(request.policy_ids().count(), 0);
    }

    #[test]
    fn what_msal_node_asks_for_is_kept_by_name() {
        let text = r#"{"id_token":{"signin_state":{"essential":false},"login_hint":null},"userinfo":{"x":1}}"#;
        let request = parse(text);
        assert_eq!(request.id_token().names().collect::<Vec<_>>(), ["login_hint", "signin_state"]);
        assert_eq!(request.id_token().get("login_hint"), Some(&RequestedClaim::default()));
        assert_eq!(request.access_token().names().count(), 0);
        assert_eq!(request.as_str(), text);
    }

    #[test]
    fn each_fault_has_its_name() {
        let deep = format!("{}{}", "{\"a\":".repeat(9), "}".repeat(9));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_BYTES));
        for (text, fault) in [
            (long.as_str(), ClaimsRequestError::TooLong),
            (deep.as_str(), ClaimsRequestError::TooDeep),
            (&"[".repeat(5000), ClaimsRequestError::TooDeep),
            ("", ClaimsRequestError::NotAnObject),
            ("[]", ClaimsRequestError::NotAnObject),
            ("\"cp1\"", ClaimsRequestError::NotAnObject),
            ("{\"a\":1", ClaimsRequestError::NotAnObject),
            ("{} {}", ClaimsRequestError::NotAnObject),
            (r#"{"access_token":{},"access_token":{}}"#, ClaimsRequestError::NotAnObject),
            (r#"{"access_token":[]}"#, ClaimsRequestError::InvalidMember),
            (r#"{"access_token":{"acrs":"c1"}}"#, ClaimsRequestError::InvalidMember),
            (r#"{"access_token":{"acrs":{"values":"c1"}}}"#, ClaimsRequestError::InvalidMember),
            (r#"{"access_token":{"acrs":{"value":["c1"]}}}"#, ClaimsRequestError::InvalidMember),
            (r#"{"access_token":{"acrs":{"essential":"yes"}}}"#, ClaimsRequestError::InvalidMember),
        ] {
            assert_eq!(ClaimsRequest::parse(text), Err(fault), "{text:.60}");
        }
        let fault = ClaimsRequestError::NotAnObject;
        assert_eq!((fault.aadsts().code, fault.aadsts().error), (90_100, "invalid_request"));
        assert_eq!(fault.aadsts().insertions().collect::<Vec<_>>(), [fault.insertion().0]);
        // Brackets inside a text are no nesting.
        assert!(ClaimsRequest::parse(r#"{"a":"{{{{{{{{{{\"[[[[[[[[[["}"#).is_ok());
    }
}
