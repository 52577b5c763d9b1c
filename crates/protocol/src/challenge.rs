//! `WWW-Authenticate`: how an API says no, written so that nothing breaks out of it, read however it was written.
//!
//! Writing (RFC 6750 §3): parameters are quoted strings; since that document allows neither `"` nor `\` in them, such
//! characters are replaced instead of escaped, and line breaks never pass. Reading (RFC 7235 §2.1, tolerant): several
//! challenges in one value, quoted or bare values, odd blanks, missing commas; what cannot be read is skipped.
//! A claims challenge is a `claims` parameter, whatever `error` says: ARM sends it with `invalid_token` (recorded 2022).

use std::fmt::Write as _;

use countersign_token::{base64_decode_lenient, base64_encode_standard};

use crate::text::push_plain;

/// The longest value of one parameter, in characters; a claims challenge may need some hundred.
const MAX_VALUE: usize = 4096;

/// The error words of RFC 6750 §3.1, and Entra's for a claims challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BearerError {
    /// `invalid_request`, to be sent with 400.
    InvalidRequest,
    /// `invalid_token`, to be sent with 401.
    InvalidToken,
    /// `insufficient_scope`, to be sent with 403.
    InsufficientScope,
    /// `insufficient_claims`, to be sent with 401 and `claims`.
    InsufficientClaims,
}

impl BearerError {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientClaims => "insufficient_claims",
        }
    }
}

/// Builds a `Bearer` challenge, parameters in the order of the calls.
///
/// ```
/// use countersign_protocol::{BearerChallenge, BearerError};
///
/// let challenge = BearerChallenge::new()
///     .realm("")
///     .authorization_uri("https://login.microsoftonline.com/common/oauth2/authorize")
///     .error(BearerError::InvalidToken)
///     .error_description("the token \"expired\"\r\nX-Evil: 1");
/// assert_eq!(
///     challenge.to_header_value(),
///     "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
///      error=\"invalid_token\", error_description=\"the token 'expired'X-Evil: 1\""
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct BearerChallenge(String);

impl BearerChallenge {
    /// A challenge without parameters: what a request without any credential gets (RFC 6750 §3.1).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn parameter(mut self, name: &str, value: &str) -> Self {
        self.0.push_str(if self.0.is_empty() { " " } else { ", " });
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{name}=\"");
        let ascii: String = value.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        let start = self.0.len();
        push_plain(&mut self.0, &ascii, MAX_VALUE);
        // A cut is marked with a character that headers cannot hold.
        if self.0[start..].ends_with('…') {
            self.0.pop();
        }
        self.0.push('"');
        self
    }

    /// `realm`; Graph sends it empty.
    #[must_use]
    pub fn realm(self, realm: &str) -> Self {
        self.parameter("realm", realm)
    }

    /// `authorization_uri`: where tokens for this API come from.
    #[must_use]
    pub fn authorization_uri(self, uri: &str) -> Self {
        self.parameter("authorization_uri", uri)
    }

    /// `resource_metadata`: where the API's own metadata is (RFC 9728 §5.1).
    #[must_use]
    pub fn resource_metadata(self, url: &str) -> Self {
        self.parameter("resource_metadata", url)
    }

    /// `client_id`: the API's own application.
    #[must_use]
    pub fn client_id(self, client_id: &str) -> Self {
        self.parameter("client_id", client_id)
    }

    /// `error`
    #[must_use]
    pub fn error(self, error: BearerError) -> Self {
        self.parameter("error", error.as_str())
    }

    /// `error_description`, for the caller's developer.
    #[must_use]
    pub fn error_description(self, description: &str) -> Self {
        self.parameter("error_description", description)
    }

    /// `scope`: what would have been enough (RFC 6750 §3).
    #[must_use]
    pub fn scope(self, scope: &str) -> Self {
        self.parameter("scope", scope)
    }

    /// `claims`: what the next token request must ask for, as JSON text; sent as standard base64.
    #[must_use]
    pub fn claims(self, claims_json: &str) -> Self {
        self.parameter("claims", &base64_encode_standard(claims_json.as_bytes()))
    }

    /// The header's value.
    #[must_use]
    pub fn to_header_value(&self) -> String {
        format!("Bearer{}", self.0)
    }
}

/// One challenge as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme as it was written: `Bearer`, `PoP`, `Basic`.
    pub scheme: String,
    /// Names and values in their order, quotes and escapes taken away.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads the value of one `WWW-Authenticate` header; several challenges may stand in it.
    ///
    /// Never fails: text that is no challenge gives none. Work and memory are linear in the text.
    #[must_use]
    pub fn parse_all(value: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        let mut rest = value;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return challenges;
            }
            let (token, after) = split_token(rest);
            if token.is_empty() {
                // A character that begins nothing, `=` or a stray quote for instance.
                rest = skip_one(rest);
                continue;
            }
            let after_blank = after.trim_start_matches([' ', '\t']);
            match after_blank.strip_prefix('=') {
                Some(value) if !challenges.is_empty() && !value.starts_with('=') => {
                    let (value, after) = split_value(value.trim_start_matches([' ', '\t']));
                    if let Some(challenge) = challenges.last_mut() {
                        challenge.parameters.push((token.to_owned(), value));
                    }
                    rest = after;
                }
                _ => {
                    challenges.push(Self { scheme: token.to_owned(), parameters: Vec::new() });
                    rest = after;
                }
            }
        }
    }

    /// The first `Bearer` challenge of a header's value.
    #[must_use]
    pub fn bearer(value: &str) -> Option<Self> {
        Self::parse_all(value).into_iter().find(|challenge| challenge.is_scheme("Bearer"))
    }

    /// Whether the scheme is this one; case does not matter.
    #[must_use]
    pub fn is_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The first parameter of this name; case does not matter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The JSON text that the next token request must carry as `claims`; `None` when there is none or it is no object.
    #[must_use]
    pub fn claims(&self) -> Option<String> {
        let bytes = base64_decode_lenient(self.get("claims")?).ok()?;
        let json = String::from_utf8(bytes).ok()?;
        let value: serde_json::Value = serde_json::from_str(&json).ok()?;
        value.is_object().then_some(json)
    }
}

/// A token (RFC 7230 §3.2.6), as far as it goes.
fn split_token(text: &str) -> (&str, &str) {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    text.split_at(text.bytes().position(|b| !is_token(b)).unwrap_or(text.len()))
}

fn skip_one(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next();
    chars.as_str()
}

/// A quoted string, or bare text up to a comma or blank. A quote that is never closed ends with the text.
fn split_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return (value, chars.as_str()),
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_challenges_are_told_apart() {
        let value =
            r#"Basic realm=/var/tokens/x.key, PoP, Bearer realm="a, \"b\"" , error = invalid_token,scope="x y""#;
        let challenges = Challenge::parse_all(value);
        let schemes: Vec<&str> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["Basic", "PoP", "Bearer"]);
        assert_eq!(challenges[0].get("REALM"), Some("/var/tokens/x.key"));
        assert_eq!(challenges[2].get("realm"), Some("a, \"b\""));
        assert_eq!(challenges[2].get("error"), Some("invalid_token"));
        assert_eq!(challenges[2].get("scope"), Some("x y"));
    }

    #[test]
    fn broken_text_is_survived() {
        for text in
            ["", "=", "\"", "Bearer realm=\"", "Bearer ==", ",,,", "Bearer realm=\"\\", "é Bearer x=\"y\"", "a=b"]
        {
            let _ = Challenge::parse_all(text);
        }
        assert_eq!(Challenge::bearer("é bEARER x=\"y\"").unwrap().get("x"), Some("y"));
        assert_eq!(Challenge::bearer("Bearer realm=\"never closed").unwrap().get("realm"), Some("never closed"));
    }

    #[test]
    fn claims_travel_both_ways_and_must_be_an_object() {
        let json = r#"{"access_token":{"nbf":{"essential":true, "value":"1604106651"}}}"#;
        let header = BearerChallenge::new().error(BearerError::InsufficientClaims).claims(json).to_header_value();
        assert_eq!(Challenge::bearer(&header).unwrap().claims().as_deref(), Some(json));
        for broken in ["claims=\"!!\"", "claims=\"W10=\"", "claims=\"\"", "error=\"x\""] {
            assert_eq!(Challenge::bearer(&format!("Bearer {broken}")).unwrap().claims(), None, "{broken}");
        }
    }

    #[test]
    fn a_value_cannot_break_out() {
        let header = BearerChallenge::new().realm("a\", error=\"none\u{0}\r\n\\é").to_header_value();
        assert_eq!(header, "Bearer realm=\"a', error='none?\"");
        assert_eq!(Challenge::bearer(&header).unwrap().parameters.len(), 1);
        let long = BearerChallenge::new().realm(&"x".repeat(5000)).to_header_value();
        assert!(long.is_ascii() && long.len() < 4200);
    }
}
