//! `application/x-www-form-urlencoded`, read strictly and written plainly.
//!
//! Refused: a *known* parameter that stands there twice (RFC 6749 §3.2: two readers could pick different ones), broken
//! percent escapes, text that is not UTF-8, too many parameters. Ignored: parameters nobody here knows (§3.2 again;
//! msal-node puts its telemetry there). A parameter without a value counts as absent (§3.1).
//!
//! Every value is kept as a [`SecretString`], because a form does not say which ones are secret.
//! Read on in [`crate::token_request`].

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded::byte_serialize;

use crate::aadsts::AadSts;

/// The media type of a form.
pub const FORM_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// The largest body taken, in bytes.
pub const MAX_FORM_BYTES: usize = 64 * 1024;

/// The largest number of parameters taken; real clients send at most 16.
pub const MAX_FORM_PARAMETERS: usize = 100;

/// A body that is not a form, or an ambiguous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// More than 64 kB.
    #[error("the form is longer than {MAX_FORM_BYTES} bytes")]
    TooLong,
    /// More than 100 parameters.
    #[error("the form has more than {MAX_FORM_PARAMETERS} parameters")]
    TooManyParameters,
    /// A `%` without two hexadecimal digits behind it.
    #[error("the form holds a broken percent escape")]
    InvalidPercentEncoding,
    /// What the escapes spell is not UTF-8.
    #[error("the form is not UTF-8")]
    InvalidUtf8,
    /// A known parameter stands there more than once.
    #[error("the parameter '{0}' stands in the form more than once")]
    Duplicate(&'static str),
}

impl FormError {
    /// What the authority answers: AADSTS9002313.
    #[must_use]
    pub const fn aadsts(self) -> &'static AadSts {
        AadSts::MALFORMED_REQUEST
    }
}

/// The known parameters of a form. `Debug` shows their names only.
pub struct Form {
    values: Vec<(&'static str, SecretString)>,
    telemetry: bool,
}

impl Form {
    /// Reads a body, keeping the parameters named in `known`. Names are compared exactly.
    ///
    /// # Errors
    /// [`FormError`]. Faults in unknown parameters count too: a body that half of its readers cannot read is refused.
    ///
    /// Source: WHATWG URL §5.1 without its leniency; RFC 6749 §3.2 and appendix B.
    pub fn parse(body: &[u8], known: &'static [&'static str]) -> Result<Self, FormError> {
        let (form, repeated) = Self::parse_noting(body, known)?;
        match repeated.first() {
            Some(&name) => Err(FormError::Duplicate(name)),
            None => Ok(form),
        }
    }

    /// As [`parse`](Self::parse), but notes which known parameters stand there twice instead of refusing them. Those have
    /// no value then: whoever answers with a redirect must not pick one of two.
    pub(crate) fn parse_noting(
        body: &[u8],
        known: &'static [&'static str],
    ) -> Result<(Self, Vec<&'static str>), FormError> {
        if body.len() > MAX_FORM_BYTES {
            return Err(FormError::TooLong);
        }
        let mut form = Self { values: Vec::with_capacity(8), telemetry: false };
        let mut seen: Vec<&'static str> = Vec::with_capacity(8);
        let mut repeated: Vec<&'static str> = Vec::new();
        let pairs = body.split(|&b| b == b'&').filter(|pair| !pair.is_empty());
        for (index, pair) in pairs.enumerate() {
            if index >= MAX_FORM_PARAMETERS {
                return Err(FormError::TooManyParameters);
            }
            let (name, value) = match pair.iter().position(|&b| b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &pair[..0]),
            };
            let (name, value) = (decode_component(name)?, decode_component(value)?);
            form.telemetry |= is_telemetry(&name);
            let Some(&name) = known.iter().find(|&&known| known == name) else { continue };
            if seen.contains(&name) {
                if !repeated.contains(&name) {
                    repeated.push(name);
                }
                continue;
            }
            seen.push(name);
            if !value.is_empty() {
                form.values.push((name, SecretString::from(value)));
            }
        }
        form.values.retain(|(name, _)| !repeated.contains(name));
        Ok((form, repeated))
    }

    /// A parameter's value; absent when it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.secret(name).map(ExposeSecret::expose_secret)
    }

    /// A parameter's value that should stay wrapped.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The names of the parameters that have a value, in the order they came in.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.values.iter().map(|(name, _)| *name)
    }

    /// Whether a client's telemetry (`x-client-SKU` and the like) travels in this form, as msal-node's does.
    #[must_use]
    pub const fn has_telemetry(&self) -> bool {
        self.telemetry
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Whether a header or parameter of this name is a client's telemetry, to which `x-ms-clitelem` answers.
#[must_use]
pub fn is_telemetry(name: &str) -> bool {
    name.get(..9).is_some_and(|prefix| prefix.eq_ignore_ascii_case("x-client-"))
}

/// Whether a `Content-Type` announces a form; parameters such as `;charset=utf-8` may follow.
#[must_use]
pub fn is_form_content_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(FORM_CONTENT_TYPE)
}

/// Decodes `+` and percent escapes; `%` must be followed by two hexadecimal digits.
pub(crate) fn decode_component(text: &[u8]) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<&u8>| b.and_then(|&b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(FormError::InvalidPercentEncoding);
                };
                u8::try_from(high * 16 + low).map_err(|_| FormError::InvalidPercentEncoding)?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::InvalidUtf8)
}

/// Encodes one name or value: everything but ASCII letters, digits and `*-._` is escaped, a blank becomes `+`.
pub(crate) fn encode_component(text: &str) -> impl Iterator<Item = &str> {
    byte_serialize(text.as_bytes())
}

/// Writes a form, parameter by parameter, in the order of the calls. `Debug` shows nothing of it.
///
/// ```
/// use countersign_protocol::FormEncoder;
///
/// let body = FormEncoder::new().field("scope", "api://x/.default").field("a", "b c").finish();
/// assert_eq!(body, b"scope=api%3A%2F%2Fx%2F.default&a=b+c");
/// ```
#[derive(Default)]
pub struct FormEncoder(String);

impl FormEncoder {
    /// An empty form.
    #[must_use]
    pub fn new() -> Self {
        Self(String::with_capacity(512))
    }

    /// Appends one parameter.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.extend(encode_component(name));
        self.0.push('=');
        self.0.extend(encode_component(value));
        self
    }

    /// Appends one parameter, if there is a value.
    #[must_use]
    pub fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// The body's bytes. They may hold a secret: hand them to the connection and to nothing else.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

impl fmt::Debug for FormEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormEncoder([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["client_id", "client_secret", "scope"];

    fn parse(body: &str) -> Result<Form, FormError> {
        Form::parse(body.as_bytes(), KNOWN)
    }

    #[test]
    fn known_parameters_are_kept_and_unknown_ones_ignored() {
        let form = parse("client_id=a%2Db&x-client-SKU=msal.js.node&x=1&x=2&scope=openid+x&&").unwrap();
        assert_eq!(form.get("client_id"), Some("a-b"));
        assert_eq!(form.get("scope"), Some("openid x"));
        assert_eq!(form.get("x"), None);
        assert!(form.has_telemetry());
        assert!(!parse("x-clientele=1").unwrap().has_telemetry());
    }

    #[test]
    fn a_known_parameter_may_not_stand_there_twice() {
        assert_eq!(parse("scope=a&scope=a").unwrap_err(), FormError::Duplicate("scope"));
        assert_eq!(parse("scope=&scop%65=a").unwrap_err(), FormError::Duplicate("scope"));
    }

    #[test]
    fn without_a_value_it_is_absent() {
        let form = parse("client_id&scope=").unwrap();
        assert_eq!(form.names().count(), 0);
    }

    #[test]
    fn each_fault_has_its_name() {
        for body in ["a=%", "a=%2", "a=%zz", "%=1", "a=%+1", "a=%-1"] {
            assert_eq!(parse(body).unwrap_err(), FormError::InvalidPercentEncoding, "{body}");
        }
        assert_eq!(parse("a=%ff").unwrap_err(), FormError::InvalidUtf8);
        assert_eq!(Form::parse(b"a=\xff", KNOWN).unwrap_err(), FormError::InvalidUtf8);
        assert_eq!(parse(&"a=1&".repeat(101)).unwrap_err(), FormError::TooManyParameters);
        assert_eq!(parse(&"a".repeat(MAX_FORM_BYTES + 1)).unwrap_err(), FormError::TooLong);
        assert!(parse(&"a=1&".repeat(100)).is_ok());
    }

    #[test]
    fn debug_shows_names_only() {
        let form = parse("client_id=abc&client_secret=hunter2").unwrap();
        assert_eq!(format!("{form:?}"), "[\"client_id\", \"client_secret\"]");
        assert!(!format!("{:?}", FormEncoder::new().field("a", "hunter2")).contains("hunter2"));
    }

    #[test]
    fn the_content_type_may_name_a_charset() {
        assert!(is_form_content_type("application/x-www-form-urlencoded"));
        assert!(is_form_content_type("Application/X-WWW-Form-Urlencoded ; charset=utf-8"));
        assert!(!is_form_content_type("application/json"));
        assert!(!is_form_content_type(""));
    }
}
