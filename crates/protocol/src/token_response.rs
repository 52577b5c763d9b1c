//! The token endpoint's answer when it says yes.
//!
//! Members and their order are those of the recordings; the two generations differ in the JSON type of every number.
//! Clients rely on it: the Rust SDK refuses a string at the v2.0 endpoint (observed November 2026). When reading, either
//! type is taken, and unknown members are ignored (RFC 6749 §5.1).
//! Refused: another token type than `Bearer`, no token, a lifetime that is negative or longer than a year.

use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::decode::{DecodeError, Members};
use crate::text::one_line;
use crate::version::EndpointVersion;

/// The longest lifetime taken, in seconds: a year. Entra issues at most a day and some hours.
const MAX_LIFETIME: i64 = 366 * 24 * 3600;

/// The latest point in time taken, in seconds since the epoch: the year 9999.
pub(crate) const MAX_TIME: i64 = 253_402_300_799;

/// A token response. `Debug` shows no token.
///
/// Times are seconds; `expires_on` and `not_before` are seconds since the epoch and belong to v1.0.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token.
    pub access_token: SecretString,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// How long it may be used when the service cannot be reached; equals `expires_in` in every recording.
    pub ext_expires_in: Option<u64>,
    /// Seconds after which a fresh token should be asked for.
    pub refresh_in: Option<u64>,
    /// When it expires (v1.0).
    pub expires_on: Option<i64>,
    /// From when it is valid (v1.0): five minutes before it was issued.
    pub not_before: Option<i64>,
    /// The resource as it was asked for (v1.0).
    pub resource: Option<String>,
    /// What was granted; never in answers to client credentials.
    pub scope: Option<String>,
    /// An opaque refresh token.
    pub refresh_token: Option<SecretString>,
    /// The family of first-party clients, `"1"`.
    pub foci: Option<String>,
    /// The id_token, a compact JWS.
    pub id_token: Option<SecretString>,
    /// base64url of `{"uid":…,"utid":…}`, not padded.
    pub client_info: Option<String>,
}

impl TokenResponse {
    /// The answer to client credentials at the v2.0 endpoint.
    #[must_use]
    pub const fn new(access_token: SecretString, expires_in: u64) -> Self {
        Self {
            access_token,
            expires_in,
            ext_expires_in: Some(expires_in),
            refresh_in: None,
            expires_on: None,
            not_before: None,
            resource: None,
            scope: None,
            refresh_token: None,
            foci: None,
            id_token: None,
            client_info: None,
        }
    }

    /// Adds what only the v1.0 endpoint says: the resource as it was asked for, and the token's `nbf` and `exp`.
    #[must_use]
    pub fn with_v1_members(mut self, resource: impl Into<String>, not_before: i64, expires_on: i64) -> Self {
        self.resource = Some(resource.into());
        self.not_before = Some(not_before);
        self.expires_on = Some(expires_on);
        self
    }

    /// The JSON body, numbers as numbers (v2.0) or as strings (v1.0).
    #[must_use]
    pub fn to_json(&self, version: EndpointVersion) -> Vec<u8> {
        // Serialising strings and integers into memory cannot fail.
        serde_json::to_vec(&Encoded { response: self, version }).unwrap_or_default()
    }

    /// Reads the JSON body of a successful answer of either endpoint.
    ///
    /// # Errors
    /// [`DecodeError`], naming the member. `expires_in` is required: a token of unknown age cannot be cached.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        let token_type = members.required("token_type")?;
        if !token_type.eq_ignore_ascii_case("Bearer") {
            return Err(DecodeError::UnsupportedTokenType(one_line(&token_type, 32)));
        }
        let seconds = |member| Ok(members.integer(member, MAX_LIFETIME)?.map(i64::unsigned_abs));
        let secret = |member| Ok(members.string(member)?.map(SecretString::from));
        Ok(Self {
            access_token: header_safe(members.required("access_token")?, "access_token")?,
            expires_in: seconds("expires_in")?.ok_or(DecodeError::MissingMember("expires_in"))?,
            ext_expires_in: seconds("ext_expires_in")?,
            refresh_in: seconds("refresh_in")?,
            expires_on: members.integer("expires_on", MAX_TIME)?,
            not_before: members.integer("not_before", MAX_TIME)?,
            resource: members.string("resource")?,
            scope: members.string("scope")?,
            refresh_token: secret("refresh_token")?,
            foci: members.scalar("foci")?,
            id_token: secret("id_token")?,
            client_info: members.string("client_info")?,
        })
    }
}

/// A token that will be put into a header: visible ASCII only, so that it cannot carry a line break along.
pub(crate) fn header_safe(token: String, member: &'static str) -> Result<SecretString, DecodeError> {
    if token.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(SecretString::from(token))
    } else {
        Err(DecodeError::InvalidValue(member))
    }
}

/// A number in the JSON type of the endpoint.
pub(crate) fn number<M: SerializeMap>(
    map: &mut M,
    version: EndpointVersion,
    name: &'static str,
    value: Option<i64>,
) -> Result<(), M::Error> {
    match (value, version) {
        (None, _) => Ok(()),
        (Some(value), EndpointVersion::V1) => map.serialize_entry(name, &value.to_string()),
        (Some(value), EndpointVersion::V2) => map.serialize_entry(name, &value),
    }
}

/// A text, or nothing.
pub(crate) fn text<M: SerializeMap>(map: &mut M, name: &'static str, value: Option<&str>) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, value),
        None => Ok(()),
    }
}

struct Encoded<'a> {
    response: &'a TokenResponse,
    version: EndpointVersion,
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { response, version } = *self;
        let seconds = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("token_type", "Bearer")?;
        text(&mut map, "scope", response.scope.as_deref())?;
        number(&mut map, version, "expires_in", seconds(Some(response.expires_in)))?;
        number(&mut map, version, "ext_expires_in", seconds(response.ext_expires_in))?;
        number(&mut map, version, "refresh_in", seconds(response.refresh_in))?;
        if version == EndpointVersion::V1 {
            number(&mut map, version, "expires_on", response.expires_on)?;
            number(&mut map, version, "not_before", response.not_before)?;
            text(&mut map, "resource", response.resource.as_deref())?;
        }
        map.serialize_entry("access_token", response.access_token.expose_secret())?;
        text(&mut map, "refresh_token", response.refresh_token.as_ref().map(ExposeSecret::expose_secret))?;
        text(&mut map, "foci", response.foci.as_deref())?;
        text(&mut map, "id_token", response.id_token.as_ref().map(ExposeSecret::expose_secret))?;
        text(&mut map, "client_info", response.client_info.as_deref())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<TokenResponse, DecodeError> {
        TokenResponse::from_json(json.as_bytes())
    }

    #[test]
    fn numbers_may_be_strings_and_bearer_in_any_case() {
        let response =
            read(r#"{"token_type":"bEaReR","expires_in":"3599","access_token":"a.b.c","more":[1]}"#).unwrap();
        assert_eq!((response.expires_in, response.ext_expires_in), (3599, None));
        assert!(!format!("{response:?}").contains("a.b.c"));
    }

    #[test]
    fn each_fault_names_its_member() {
        let with =
            |member: &str| read(&format!(r#"{{"token_type":"Bearer","access_token":"a",{member}}}"#)).unwrap_err();
        assert!(matches!(with(r#""expires_in":-1"#), DecodeError::OutOfRange { member: "expires_in", .. }));
        assert!(matches!(with(r#""expires_in":99999999999"#), DecodeError::OutOfRange { member: "expires_in", .. }));
        assert!(matches!(with(r#""expires_in":"soon""#), DecodeError::WrongType { member: "expires_in", .. }));
        assert!(matches!(with(r#""expires_in":true"#), DecodeError::WrongType { member: "expires_in", .. }));
        assert!(matches!(with(r#""expires_in":null"#), DecodeError::MissingMember("expires_in")));
        assert!(matches!(with(r#""expires_in":1,"expires_in":2"#), DecodeError::DuplicateMember("expires_in")));
        assert!(matches!(with(r#""expires_in":1,"access_token":"b""#), DecodeError::DuplicateMember("access_token")));
        assert!(matches!(with(r#""expires_in":1,"scope":1"#), DecodeError::WrongType { member: "scope", .. }));
        assert!(matches!(
            read(r#"{"token_type":"pop","access_token":"a","expires_in":1}"#),
            Err(DecodeError::UnsupportedTokenType(kind)) if kind == "pop"
        ));
        assert!(matches!(
            read(r#"{"expires_in":1,"access_token":"a"}"#),
            Err(DecodeError::MissingMember("token_type"))
        ));
        assert!(matches!(
            read(r#"{"token_type":"Bearer","expires_in":1}"#),
            Err(DecodeError::MissingMember("access_token"))
        ));
        assert!(matches!(
            read(r#"{"token_type":"Bearer","expires_in":1,"access_token":"a\r\nb"}"#),
            Err(DecodeError::InvalidValue("access_token"))
        ));
        assert!(matches!(read("<html>"), Err(DecodeError::NotJson { .. })));
    }
}
