//! The JSON body of an error, as the token endpoint and discovery send it.
//!
//! A wire error is data: the authority makes one from the catalogue, the client reads one and classifies it by its code.
//! Read leniently: unknown codes and words are kept, ids need not be GUIDs, the description may be in the form with line
//! breaks (up to 2023-08) or in that with blanks. Written strictly: one line that needs no JSON escape, because a client
//! that borrows the description out of the body otherwise loses the whole error.
//!
//! What this module refuses: to show foreign text as it came. [`TokenError`]'s `Display` is one bounded line without
//! control characters. Read on in [`crate::aadsts`].

use std::borrow::Cow;
use std::fmt;

use countersign_token::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::aadsts::AadSts;
use crate::authority::AuthorityHost;
use crate::decode::{DecodeError, Members};
use crate::text::one_line;
use crate::token_response::text;

/// What an error body says besides its code.
#[derive(Debug, Clone, Copy)]
pub struct ErrorContext<'a> {
    /// This answer's id; also sent as header `x-ms-request-id`.
    pub trace_id: Uuid,
    /// The caller's `client-request-id`, or a fresh id.
    pub correlation_id: Uuid,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The host that was called: `error_uri` points there.
    pub authority: &'a AuthorityHost,
}

/// An error body. Every member but `error` may be absent in what others send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    error: Cow<'static, str>,
    description: Option<String>,
    codes: Vec<u32>,
    timestamp: Option<String>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
    error_uri: Option<String>,
    suberror: Option<Cow<'static, str>>,
    claims: Option<String>,
}

/// The longest line that `Display` makes of foreign text, in characters.
const MAX_SHOWN: usize = 500;

impl TokenError {
    /// Makes the body for an entry of the catalogue; `insertions` fill the text's braces.
    ///
    /// Inserted values are cut at 256 characters and cannot bring line breaks, quotes or control characters along.
    /// They must not be secrets.
    #[must_use]
    pub fn new(aadsts: &'static AadSts, insertions: &[(&str, &str)], context: &ErrorContext<'_>) -> Self {
        let timestamp = format_timestamp(context.timestamp);
        let (trace_id, correlation_id) = (context.trace_id.to_string(), context.correlation_id.to_string());
        let description = format!(
            "AADSTS{}: {} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}",
            aadsts.code,
            aadsts.render(insertions)
        );
        Self {
            error: Cow::Borrowed(aadsts.error),
            description: Some(description),
            codes: vec![aadsts.code],
            timestamp: Some(timestamp),
            trace_id: Some(trace_id),
            correlation_id: Some(correlation_id),
            error_uri: aadsts.error_uri.then(|| context.authority.error_uri(aadsts.code)),
            suberror: aadsts.suberror.map(Cow::Borrowed),
            claims: None,
        }
    }

    /// Adds a claims challenge, JSON text; in the body it stands as a string.
    #[must_use]
    pub fn with_claims(mut self, claims: impl Into<String>) -> Self {
        self.claims = Some(claims.into());
        self
    }

    /// Reads a body of an error response.
    ///
    /// # Errors
    /// [`DecodeError::NotJson`] for HTML and the like, [`DecodeError::MissingMember`] without `error`. Anything odd in
    /// the other members only loses those members.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        let lenient = |member| members.scalar(member).ok().flatten().filter(|text| !text.is_empty());
        let codes: Option<Vec<LenientCode>> = members.array("error_codes").ok().flatten();
        Ok(Self {
            error: Cow::Owned(members.required("error")?),
            description: lenient("error_description"),
            codes: codes.unwrap_or_default().into_iter().filter_map(|code| code.0).collect(),
            timestamp: lenient("timestamp"),
            trace_id: lenient("trace_id"),
            correlation_id: lenient("correlation_id"),
            error_uri: lenient("error_uri"),
            suberror: lenient("suberror").map(Cow::Owned),
            claims: lenient("claims"),
        })
    }

    /// The JSON body, its members in Entra's order.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Serialising strings and integers into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The OAuth error word: `invalid_client`.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The whole `error_description`, as it came.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The description's own words: without `AADSTS…: ` before and the three labels behind.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        let description = self.description.as_deref()?;
        let body = split_code(description).map_or(description, |(_, rest)| rest);
        let end = body.find("Trace ID: ").unwrap_or(body.len());
        Some(body[..end].trim())
    }

    /// Every number in `error_codes`.
    #[must_use]
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The AADSTS number: the first of `error_codes`, else the one the description begins with.
    #[must_use]
    pub fn aadsts(&self) -> Option<u32> {
        let in_description = || self.description.as_deref().and_then(split_code).map(|(code, _)| code);
        self.codes.first().copied().or_else(in_description)
    }

    /// What the catalogue has for the number and the error word; for another word, what it has for the number.
    #[must_use]
    pub fn entry(&self) -> Option<&'static AadSts> {
        let code = self.aadsts()?;
        AadSts::variants(code).find(|entry| entry.error == self.error).or_else(|| AadSts::lookup(code))
    }

    /// `timestamp`: `2026-01-31 10:00:00Z`.
    #[must_use]
    pub fn timestamp(&self) -> Option<&str> {
        self.timestamp.as_deref()
    }

    /// `trace_id`, the id by which the authority's log has this answer.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// `correlation_id`, the id the caller gave or was given.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// `error_uri`
    #[must_use]
    pub fn error_uri(&self) -> Option<&str> {
        self.error_uri.as_deref()
    }

    /// `suberror`
    #[must_use]
    pub fn suberror(&self) -> Option<&str> {
        self.suberror.as_deref()
    }

    /// `claims`: the JSON text that the next request must carry as its `claims`.
    #[must_use]
    pub fn claims(&self) -> Option<&str> {
        self.claims.as_deref()
    }

    /// The status to answer with: that of the catalogue, else 401 for `invalid_client` and 400 for the rest.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.entry().filter(|entry| entry.error == self.error) {
            Some(entry) => entry.status,
            None if self.error == "invalid_client" => 401,
            None => 400,
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.entry() {
            Some(entry) => entry.retryable,
            None => matches!(self.error.as_ref(), "temporarily_unavailable" | "server_error"),
        }
    }

    /// Takes a secret out of the description, should the service have echoed it (pitfall C15).
    #[must_use]
    pub fn redacting(mut self, secret: &SecretString) -> Self {
        let secret = secret.expose_secret();
        if let Some(description) = self.description.as_mut().filter(|text| !secret.is_empty() && text.contains(secret))
        {
            *description = description.replace(secret, "[redacted]");
        }
        self
    }
}

/// An element of `error_codes`: the service sends integers, others send strings.
struct LenientCode(Option<u32>);

impl<'de> Deserialize<'de> for LenientCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let code = value.as_u64().and_then(|code| u32::try_from(code).ok());
        Ok(Self(code.or_else(|| value.as_str()?.parse().ok())))
    }
}

/// Splits `AADSTS700016: text` into number and text. The number may be followed by anything but a digit.
fn split_code(description: &str) -> Option<(u32, &str)> {
    let rest = description.trim_start().strip_prefix("AADSTS")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let code = rest[..end].parse().ok()?;
    let message = rest[end..].strip_prefix(':').unwrap_or(&rest[end..]);
    Some((code, message.trim_start()))
}

/// `2026-01-31 10:00:00Z`, the form of the `timestamp` member. Times outside the years 1 to 9999 become the epoch.
#[must_use]
pub fn format_timestamp(timestamp: Timestamp) -> String {
    let instant = jiff::Timestamp::from_second(timestamp.as_unix_seconds()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    instant.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `2026-01-31T10:00:00.1234567Z`: the form of times inside error texts, with seven decimals.
#[must_use]
pub fn format_timestamp_precise(timestamp: Timestamp) -> String {
    let seconds = timestamp.as_unix_seconds();
    let instant = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let ticks = timestamp.as_nanos().rem_euclid(1_000_000_000) / 100;
    format!("{}.{ticks:07}Z", instant.strftime("%Y-%m-%dT%H:%M:%S"))
}

impl Serialize for TokenError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("error", &self.error)?;
        text(&mut map, "error_description", self.description.as_deref())?;
        if !self.codes.is_empty() {
            map.serialize_entry("error_codes", &self.codes)?;
        }
        text(&mut map, "timestamp", self.timestamp.as_deref())?;
        text(&mut map, "trace_id", self.trace_id.as_deref())?;
        text(&mut map, "correlation_id", self.correlation_id.as_deref())?;
        text(&mut map, "error_uri", self.error_uri.as_deref())?;
        text(&mut map, "suberror", self.suberror.as_deref())?;
        text(&mut map, "claims", self.claims.as_deref())?;
        map.end()
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.error, 64))?;
        if let Some(code) = self.aadsts() {
            write!(f, " (AADSTS{code})")?;
        }
        match self.message() {
            Some(message) if !message.is_empty() => write!(f, ": {}", one_line(message, MAX_SHOWN)),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(aadsts: &'static AadSts, insertions: &[(&str, &str)]) -> TokenError {
        let authority = AuthorityHost::parse("https://localhost:8443").unwrap();
        let context = ErrorContext {
            trace_id: Uuid::from_u128(1),
            correlation_id: Uuid::from_u128(2),
            timestamp: Timestamp::from_unix_seconds(1_769_853_600),
            authority: &authority,
        };
        TokenError::new(aadsts, insertions, &context)
    }

    #[test]
    fn caller_text_never_makes_an_escape() {
        let error = made(AadSts::UNSUPPORTED_GRANT_TYPE, &[("grant_type", "a\r\nTrace ID: \"x\"\\\u{1b}[0m\u{7f}é")]);
        let json = String::from_utf8(error.to_json()).unwrap();
        assert!(!json.contains('\\'), "{json}");
        assert!(json.contains("'aTrace ID: 'x'[0mé'"), "{json}");
        assert_eq!(TokenError::from_json(json.as_bytes()).unwrap(), error);
    }

    #[test]
    fn the_code_is_found_in_the_list_or_in_the_description() {
        let read = |json: &str| TokenError::from_json(json.as_bytes()).unwrap();
        assert_eq!(read(r#"{"error":"x","error_codes":[70002,54005]}"#).codes(), [70_002, 54_005]);
        assert_eq!(read(r#"{"error":"x","error_codes":["50034"]}"#).aadsts(), Some(50_034));
        assert_eq!(read(r#"{"error":"x","error_codes":7,"error_description":"AADSTS9: y"}"#).aadsts(), Some(9));
        assert_eq!(read(r#"{"error":"x","error_description":"no code"}"#).aadsts(), None);
        assert_eq!(read(r#"{"error":"x","error_codes":[99999999999]}"#).aadsts(), None);
        assert!(matches!(TokenError::from_json(b"{}"), Err(DecodeError::MissingMember("error"))));
        assert!(matches!(TokenError::from_json(b"<html>"), Err(DecodeError::NotJson { .. })));
    }

    #[test]
    fn the_message_is_the_same_in_both_eras() {
        for glue in [" ", "\\r\\n"] {
            let json = format!(
                r#"{{"error":"invalid_grant","error_description":"AADSTS50126: Error validating.{glue}Trace ID: a{glue}Correlation ID: b{glue}Timestamp: c"}}"#
            );
            assert_eq!(TokenError::from_json(json.as_bytes()).unwrap().message(), Some("Error validating."));
        }
    }

    #[test]
    fn foreign_text_is_shown_on_one_bounded_line() {
        let json =
            serde_json::json!({"error": "bad\u{1b}[31m", "error_description": format!("a\r\nb{}", "x".repeat(2000))});
        let shown = TokenError::from_json(json.to_string().as_bytes()).unwrap().to_string();
        assert!(shown.starts_with("bad [31m: a b"), "{shown}");
        assert!(shown.chars().count() < 600 && !shown.chars().any(char::is_control));
    }

    #[test]
    fn status_and_retry_come_from_the_catalogue() {
        assert_eq!(made(AadSts::INVALID_CLIENT_SECRET, &[]).status(), 401);
        assert_eq!(
            made(AadSts::TENANT_NOT_FOUND_IN_DISCOVERY, &[]).entry(),
            Some(AadSts::TENANT_NOT_FOUND_IN_DISCOVERY)
        );
        assert!(made(AadSts::TRANSIENT_ERROR, &[]).is_retryable());
        assert!(!made(AadSts::INVALID_CLIENT_SECRET, &[]).is_retryable());
        let unknown = |word: &str| TokenError::from_json(format!(r#"{{"error":"{word}"}}"#).as_bytes()).unwrap();
        assert_eq!((unknown("invalid_client").status(), unknown("new_word").status()), (401, 400));
        assert!(unknown("server_error").is_retryable() && !unknown("invalid_grant").is_retryable());
    }

    #[test]
    fn an_echoed_secret_is_taken_out() {
        let json = br#"{"error":"invalid_client","error_description":"secret hunter2 is wrong"}"#;
        let error = TokenError::from_json(json).unwrap().redacting(&SecretString::from("hunter2"));
        assert_eq!(error.description(), Some("secret [redacted] is wrong"));
    }

    #[test]
    fn times_have_entras_two_forms() {
        let time = Timestamp::from_nanos(1_769_853_600_123_456_789);
        assert_eq!(format_timestamp(time), "2026-01-31 10:00:00Z");
        assert_eq!(format_timestamp_precise(time), "2026-01-31T10:00:00.1234567Z");
    }
}
