//! The answers of managed-identity endpoints.
//!
//! They resemble the token endpoint's and differ in every detail: IMDS sends all numbers as strings, Azure ML as numbers,
//! App Service has no `expires_in` and in its old version writes dates as text, Arc may send RFC 3339. One type reads
//! them all; each endpoint's own form can be written, for test doubles.
//! Refused: another token type than `Bearer`, an answer from which no expiry can be told.

use countersign_token::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::decode::{DecodeError, Members, parse_integer};
use crate::text::one_line;
use crate::token_response::{MAX_TIME, header_safe, text};

/// The longest lifetime taken, in seconds: a year. IMDS gives a day.
const MAX_LIFETIME: i64 = 366 * 24 * 3600;

/// A token of a managed identity. `Debug` does not show it.
///
/// `expires_in` and `ext_expires_in` are seconds, `expires_on` and `not_before` seconds since the epoch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManagedIdentityToken {
    /// The access token.
    pub access_token: SecretString,
    /// The identity's client id, where the endpoint says it.
    pub client_id: Option<String>,
    /// Seconds until it expires.
    pub expires_in: Option<u64>,
    /// When it expires.
    pub expires_on: Option<i64>,
    /// As the token endpoint's.
    pub ext_expires_in: Option<u64>,
    /// From when it is valid.
    pub not_before: Option<i64>,
    /// The resource as it was asked for.
    pub resource: Option<String>,
}

/// Which endpoint's form is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManagedIdentitySource {
    /// The virtual machine's metadata service.
    Imds,
    /// App Service, Functions and Container Apps, api-version 2019-08-01.
    AppService,
    /// Azure ML.
    AzureMl,
}

impl ManagedIdentityToken {
    /// A token that expires at `expires_on`, seconds since the epoch.
    #[must_use]
    pub const fn new(access_token: SecretString, expires_on: i64) -> Self {
        Self {
            access_token,
            client_id: None,
            expires_in: None,
            expires_on: Some(expires_on),
            ext_expires_in: None,
            not_before: None,
            resource: None,
        }
    }

    /// Reads the answer of any managed-identity endpoint.
    ///
    /// # Errors
    /// [`DecodeError`], naming the member; [`DecodeError::MissingMember`] of `expires_on` when neither it nor
    /// `expires_in` is there.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        if let Some(token_type) = members.string("token_type")?.filter(|kind| !kind.eq_ignore_ascii_case("Bearer")) {
            return Err(DecodeError::UnsupportedTokenType(one_line(&token_type, 32)));
        }
        let seconds = |member| Ok(members.integer(member, MAX_LIFETIME)?.map(i64::unsigned_abs));
        let expires_on = match members.scalar("expires_on")? {
            Some(text) => Some(parse_time(&text).ok_or(DecodeError::InvalidValue("expires_on"))?),
            None => None,
        };
        let expires_in = seconds("expires_in")?;
        if expires_on.is_none() && expires_in.is_none() {
            return Err(DecodeError::MissingMember("expires_on"));
        }
        Ok(Self {
            access_token: header_safe(members.required("access_token")?, "access_token")?,
            client_id: members.string("client_id")?,
            expires_in,
            expires_on,
            ext_expires_in: seconds("ext_expires_in")?,
            not_before: members.scalar("not_before")?.and_then(|text| parse_time(&text)),
            resource: members.string("resource")?,
        })
    }

    /// When the token expires, in seconds since the epoch, for an answer received at `now`.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> i64 {
        let relative = self.expires_in.map(|seconds| now.as_unix_seconds().saturating_add_unsigned(seconds));
        self.expires_on.or(relative).unwrap_or(0)
    }

    /// The JSON body that an endpoint of this kind sends.
    #[must_use]
    pub fn to_json(&self, source: ManagedIdentitySource) -> Vec<u8> {
        // Serialising strings and integers into memory cannot fail.
        serde_json::to_vec(&Encoded { token: self, source }).unwrap_or_default()
    }
}

/// Reads whole seconds since the epoch, RFC 3339, `M/d/yyyy h:mm:ss tt` and `MM/dd/yyyy HH:mm:ss +00:00`.
fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let seconds = parse_integer(text)
        .or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second))
        .or_else(|| {
            let parsed = strtime::parse("%m/%d/%Y %H:%M:%S %:z", text).ok()?;
            parsed.to_timestamp().ok().map(jiff::Timestamp::as_second)
        })
        .or_else(|| {
            let civil = DateTime::strptime("%m/%d/%Y %I:%M:%S %p", text).ok()?;
            TimeZone::UTC.to_timestamp(civil).ok().map(jiff::Timestamp::as_second)
        })?;
    (0..=MAX_TIME).contains(&seconds).then_some(seconds)
}

struct Encoded<'a> {
    token: &'a ManagedIdentityToken,
    source: ManagedIdentitySource,
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let token = self.token;
        let strings = self.source != ManagedIdentitySource::AzureMl;
        let imds = self.source == ManagedIdentitySource::Imds;
        let seconds = |value: Option<u64>| value.and_then(|value| i64::try_from(value).ok());
        let mut map = serializer.serialize_map(None)?;
        let number = |map: &mut S::SerializeMap, name: &'static str, value: Option<i64>| match value {
            None => Ok(()),
            Some(value) if strings => map.serialize_entry(name, &value.to_string()),
            Some(value) => map.serialize_entry(name, &value),
        };
        map.serialize_entry("access_token", token.access_token.expose_secret())?;
        if imds {
            text(&mut map, "client_id", token.client_id.as_deref())?;
        }
        if self.source != ManagedIdentitySource::AppService {
            number(&mut map, "expires_in", seconds(token.expires_in))?;
        }
        number(&mut map, "expires_on", token.expires_on)?;
        if imds {
            number(&mut map, "ext_expires_in", seconds(token.ext_expires_in))?;
            number(&mut map, "not_before", token.not_before)?;
        }
        text(&mut map, "resource", token.resource.as_deref())?;
        map.serialize_entry("token_type", "Bearer")?;
        if self.source == ManagedIdentitySource::AppService {
            text(&mut map, "client_id", token.client_id.as_deref())?;
        }
        map.end()
    }
}

/// What a managed-identity endpoint says when it refuses: a word or number, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManagedIdentityError {
    /// IMDS's `error` (`invalid_request`), Service Fabric's `code`, App Service's `statusCode`.
    pub code: String,
    /// `error_description` or `message`.
    pub message: Option<String>,
    /// `correlationId`, where there is one.
    pub correlation_id: Option<String>,
}

impl ManagedIdentityError {
    /// Reads an error body of IMDS, App Service or Service Fabric.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::MissingMember`] of `error` when it is none of the three forms.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        if let Ok(Some(nested)) = members.object("error") {
            return Ok(Self {
                code: nested.required("code")?,
                message: nested.string("message")?,
                correlation_id: nested.string("correlationId")?,
            });
        }
        if let Some(code) = members.scalar("statusCode")? {
            let correlation_id = members.string("correlationId")?;
            return Ok(Self { code, message: members.string("message")?, correlation_id });
        }
        Ok(Self {
            code: members.required("error")?,
            message: members.string("error_description")?,
            correlation_id: None,
        })
    }

    /// The JSON body of IMDS.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Serialising strings into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for ManagedIdentityError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("error", &self.code)?;
        text(&mut map, "error_description", self.message.as_deref())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_form_of_a_time_is_read() {
        for (text, seconds) in [
            ("1586984735", Some(1_586_984_735)),
            ("05/22/2021 17:14:33 +00:00", Some(1_621_703_673)),
            ("05/22/2021 19:14:33 +02:00", Some(1_621_703_673)),
            ("5/22/2021 5:14:33 PM", Some(1_621_703_673)),
            ("2021-05-22T17:14:33Z", Some(1_621_703_673)),
            ("2021-05-22T17:14:33.5+00:00", Some(1_621_703_673)),
            ("-1", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text), seconds, "{text:?}");
        }
    }

    #[test]
    fn the_expiry_can_be_told_from_either_member() {
        let now = Timestamp::from_unix_seconds(1000);
        let read = |json: &str| ManagedIdentityToken::from_json(json.as_bytes());
        assert_eq!(read(r#"{"access_token":"a","expires_on":"2000"}"#).unwrap().expires_at(now), 2000);
        assert_eq!(read(r#"{"access_token":"a","expires_in":60}"#).unwrap().expires_at(now), 1060);
        assert!(matches!(read(r#"{"access_token":"a"}"#), Err(DecodeError::MissingMember("expires_on"))));
        let fault = read(r#"{"access_token":"a","expires_on":"soon"}"#).unwrap_err();
        assert!(matches!(fault, DecodeError::InvalidValue("expires_on")));
        let fault = read(r#"{"access_token":"a","expires_on":"2000","token_type":"pop"}"#).unwrap_err();
        assert!(matches!(fault, DecodeError::UnsupportedTokenType(_)));
    }

    #[test]
    fn the_three_forms_of_an_error_are_read() {
        let read = |json: &str| ManagedIdentityError::from_json(json.as_bytes()).unwrap();
        assert_eq!(
            read(r#"{"error":"invalid_request","error_description":"Identity not found"}"#).code,
            "invalid_request"
        );
        assert_eq!(read(r#"{"statusCode":400,"message":"m","correlationId":"c"}"#).code, "400");
        let fabric = read(r#"{"error":{"correlationId":"c","code":"SecretHeaderNotFound","message":"m"}}"#);
        assert_eq!((fabric.code.as_str(), fabric.message.as_deref()), ("SecretHeaderNotFound", Some("m")));
        let fault = ManagedIdentityError::from_json(b"{}").unwrap_err();
        assert!(matches!(fault, DecodeError::MissingMember("error")));
    }
}
