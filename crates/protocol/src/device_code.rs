//! The first answer of the device code flow (RFC 8628 §3.2).
//!
//! v1.0 names the page `verification_url` and sends numbers as strings. Fractions of seconds, which some recorders put
//! in to make their tests run fast, are rounded down when read.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::decode::{DecodeError, Members};
use crate::token_response::number;
use crate::version::EndpointVersion;

/// The longest life of a device code taken, in seconds: a day. Entra gives 900.
const MAX_LIFETIME: i64 = 24 * 3600;

/// The longest polling interval taken, in seconds. Entra gives 5.
const MAX_INTERVAL: i64 = 3600;

/// The polling interval when none is given (RFC 8628 §3.2).
const DEFAULT_INTERVAL: i64 = 5;

/// What the user must do, and how the client asks whether it was done. `Debug` does not show the device code.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeviceAuthorization {
    /// What the user types: nine letters and digits.
    pub user_code: String,
    /// What the client polls with; a secret.
    pub device_code: SecretString,
    /// The page the user opens.
    pub verification_uri: String,
    /// How long both codes live.
    pub expires_in: Duration,
    /// How long to wait between two polls.
    pub interval: Duration,
    /// The sentence to show to the user.
    pub message: String,
}

impl DeviceAuthorization {
    /// An answer with Entra's lifetime (900 s), interval (5 s) and English sentence.
    #[must_use]
    pub fn new(user_code: impl Into<String>, device_code: SecretString, verification_uri: impl Into<String>) -> Self {
        let (user_code, verification_uri) = (user_code.into(), verification_uri.into());
        let message = english(&user_code, &verification_uri);
        Self {
            user_code,
            device_code,
            verification_uri,
            expires_in: Duration::from_secs(900),
            interval: Duration::from_secs(5),
            message,
        }
    }

    /// Writes the sentence in the first language that is known here, for the parameter `mkt` (`de-DE`): English and
    /// German. Without one of them it stays English.
    ///
    /// The English words are Entra's. The German ones are ours: no answer in German was recorded.
    #[must_use]
    pub fn in_language(mut self, languages: &str) -> Self {
        let primary = |tag: &str| tag.split(['-', '_', ';']).next().unwrap_or_default().trim().to_ascii_lowercase();
        let write = languages.split([' ', ',']).find_map(|tag| match primary(tag).as_str() {
            "en" => Some(english as fn(&str, &str) -> String),
            "de" => Some(german as fn(&str, &str) -> String),
            _ => None,
        });
        if let Some(write) = write {
            self.message = write(&self.user_code, &self.verification_uri);
        }
        self
    }

    /// The JSON body, in the dialect of the endpoint.
    #[must_use]
    pub fn to_json(&self, version: EndpointVersion) -> Vec<u8> {
        // Serialising strings and integers into memory cannot fail.
        serde_json::to_vec(&Encoded { answer: self, version }).unwrap_or_default()
    }

    /// Reads an answer of either endpoint.
    ///
    /// # Errors
    /// [`DecodeError`], naming the member. Without `interval`, five seconds are taken.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        let seconds = |value: i64| Duration::from_secs(value.unsigned_abs());
        let verification_uri = match members.string("verification_uri")? {
            Some(uri) => uri,
            None => members.string("verification_url")?.ok_or(DecodeError::MissingMember("verification_uri"))?,
        };
        let expires_in = members.integer("expires_in", MAX_LIFETIME)?;
        Ok(Self {
            user_code: members.required("user_code")?,
            device_code: SecretString::from(members.required("device_code")?),
            verification_uri,
            expires_in: seconds(expires_in.ok_or(DecodeError::MissingMember("expires_in"))?),
            interval: seconds(members.integer("interval", MAX_INTERVAL)?.unwrap_or(DEFAULT_INTERVAL)),
            message: members.string("message")?.unwrap_or_default(),
        })
    }
}

fn english(user_code: &str, page: &str) -> String {
    format!("To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate.")
}

fn german(user_code: &str, page: &str) -> String {
    format!(
        "Um sich anzumelden, öffnen Sie in einem Webbrowser die Seite {page}, und geben Sie den Code {user_code} ein, \
         um sich zu authentifizieren."
    )
}

struct Encoded<'a> {
    answer: &'a DeviceAuthorization,
    version: EndpointVersion,
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { answer, version } = *self;
        let seconds = |duration: Duration| Some(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("user_code", &answer.user_code)?;
        map.serialize_entry("device_code", answer.device_code.expose_secret())?;
        let uri = if version == EndpointVersion::V1 { "verification_url" } else { "verification_uri" };
        map.serialize_entry(uri, &answer.verification_uri)?;
        number(&mut map, version, "expires_in", seconds(answer.expires_in))?;
        number(&mut map, version, "interval", seconds(answer.interval))?;
        map.serialize_entry("message", &answer.message)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<DeviceAuthorization, DecodeError> {
        DeviceAuthorization::from_json(json.as_bytes())
    }

    #[test]
    fn both_dialects_are_read() {
        let v1 =
            read(r#"{"user_code":"A","device_code":"B","verification_url":"C","expires_in":"900","interval":"5"}"#);
        let v1 = v1.unwrap();
        assert_eq!((v1.verification_uri.as_str(), v1.expires_in.as_secs(), v1.interval.as_secs()), ("C", 900, 5));
        let v2 = read(r#"{"user_code":"A","device_code":"B","verification_uri":"C","expires_in":900,"interval":0.1}"#);
        assert_eq!(v2.unwrap().interval, Duration::ZERO);
        let without = read(r#"{"user_code":"A","device_code":"B","verification_uri":"C","expires_in":900}"#);
        assert_eq!(without.unwrap().interval, Duration::from_secs(5));
    }

    #[test]
    fn what_is_missing_is_named() {
        let fault = read(r#"{"user_code":"A","device_code":"B","expires_in":900}"#).unwrap_err();
        assert!(matches!(fault, DecodeError::MissingMember("verification_uri")));
        let fault = read(r#"{"user_code":"A","device_code":"B","verification_uri":"C"}"#).unwrap_err();
        assert!(matches!(fault, DecodeError::MissingMember("expires_in")));
        let fault =
            read(r#"{"user_code":"A","device_code":"B","verification_uri":"C","expires_in":900,"interval":-1}"#);
        assert!(matches!(fault.unwrap_err(), DecodeError::OutOfRange { member: "interval", .. }));
    }

    #[test]
    fn the_sentence_is_written_in_the_users_language() {
        let page = "https://microsoft.com/devicelogin";
        let message = |languages| {
            DeviceAuthorization::new("GK3TKX9MA", SecretString::from("x"), page).in_language(languages).message
        };
        for german in ["de", "de-DE", "DE-at", "fr-FR de-DE en", "fr,de;q=0.8"] {
            assert!(message(german).starts_with("Um sich anzumelden,"), "{german}");
            assert!(message(german).contains(page) && message(german).contains("GK3TKX9MA"), "{german}");
        }
        for english in ["", "en-US", "en de", "fr-FR", "deutsch", "d", "-", "\r\n"] {
            assert!(message(english).starts_with("To sign in,"), "{english}");
        }
    }

    #[test]
    fn the_device_code_is_not_shown() {
        let answer =
            DeviceAuthorization::new("GK3TKX9MA", SecretString::from("hunter2"), "https://microsoft.com/devicelogin");
        assert!(!format!("{answer:?}").contains("hunter2"));
        assert!(answer.message.contains("GK3TKX9MA"));
    }
}
