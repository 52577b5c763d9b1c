//! What the header of an encrypted token may say, read strictly. It is authenticated only together with the content, so
//! until then it serves to refuse, and to find the key.

use serde_json::{Map, Value};

use super::content::ContentEncryption;
use super::key::is_key_id;
use crate::base64url::decode_strict;
use crate::{Rejection, StrictJsonError, parse_strict_object};

/// How the content key is encrypted (RFC 7518 §4.3). The SHA-1 of RSA-OAEP is sound: OAEP asks no collision resistance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyEncryption {
    /// `RSA-OAEP`: SHA-1 and MGF1 with SHA-1.
    RsaOaep,
    /// `RSA-OAEP-256`: SHA-256 and MGF1 with SHA-256.
    RsaOaep256,
}

impl KeyEncryption {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "RSA-OAEP" => Some(Self::RsaOaep),
            "RSA-OAEP-256" => Some(Self::RsaOaep256),
            _ => None,
        }
    }
}

/// The names that a header gives its key.
#[derive(Debug, Default)]
pub(super) struct KeyNames {
    pub(super) key_id: Option<String>,
    pub(super) sha1_thumbprint: Option<String>,
    pub(super) sha256_thumbprint: Option<String>,
}

/// What of a header matters.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: KeyEncryption,
    pub(super) encryption: ContentEncryption,
    pub(super) names: KeyNames,
}

impl Header {
    /// Reads a header's segment. Members that are not known are passed over (RFC 7516 §4).
    pub(super) fn parse(segment: &str) -> Result<Self, Rejection> {
        let json = decode_strict(segment.as_bytes()).map_err(|_| Rejection::Base64("header"))?;
        let json = std::str::from_utf8(&json).map_err(|_| Rejection::HeaderMalformed)?;
        let members = parse_strict_object(json).map_err(|error| match error {
            StrictJsonError::Duplicate(_) => Rejection::HeaderDuplicate,
            StrictJsonError::NotAnObject => Rejection::HeaderMalformed,
        })?;
        refuse_members(&members)?;
        let algorithm = text(&members, "alg")?.ok_or(Rejection::HeaderMalformed)?;
        let encryption = text(&members, "enc")?.ok_or(Rejection::HeaderMalformed)?;
        let algorithm = KeyEncryption::from_name(algorithm).ok_or(Rejection::EncryptionNotAllowed("alg"))?;
        let encryption = ContentEncryption::from_name(encryption).ok_or(Rejection::EncryptionNotAllowed("enc"))?;
        if text(&members, "typ")?.is_some_and(|kind| kind != "JWT") {
            return Err(Rejection::Type);
        }
        // RFC 7519 §5.2: JWT says that a token is inside, which here nothing else can be.
        if text(&members, "cty")?.is_some_and(|kind| kind != "JWT") {
            return Err(Rejection::ContentType);
        }
        let key_id = text(&members, "kid")?;
        if key_id.is_some_and(|key_id| !is_key_id(key_id)) {
            return Err(Rejection::KeyIdMalformed);
        }
        let names = KeyNames {
            key_id: key_id.map(str::to_owned),
            sha1_thumbprint: text(&members, "x5t")?.map(str::to_owned),
            sha256_thumbprint: text(&members, "x5t#S256")?.map(str::to_owned),
        };
        Ok(Self { algorithm, encryption, names })
    }
}

/// Members whose presence is enough, whatever their value.
fn refuse_members(members: &Map<String, Value>) -> Result<(), Rejection> {
    if members.contains_key("crit") {
        return Err(Rejection::CriticalHeader);
    }
    // They name the key that was encrypted to. We know ours, and a URL is not fetched for anybody.
    if let Some(name) = ["jwk", "jku", "x5c", "x5u"].into_iter().find(|&name| members.contains_key(name)) {
        return Err(Rejection::KeyInHeader(name));
    }
    if members.contains_key("zip") { Err(Rejection::HeaderUnsupported("zip")) } else { Ok(()) }
}

/// A member that is a text if it is there.
fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Rejection> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(Rejection::HeaderMalformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url_encode;

    fn parse(json: &str) -> Result<Header, Rejection> {
        Header::parse(&base64url_encode(json.as_bytes()))
    }

    #[test]
    fn the_names_of_the_key_are_read_and_what_is_unknown_is_passed_over() {
        let json =
            r#"{"alg":"RSA-OAEP","enc":"A128GCM","kid":"k","x5t":"a","x5t#S256":"b","typ":"JWT","cty":"JWT","x":[]}"#;
        let header = parse(json).unwrap();
        assert_eq!((header.algorithm, header.encryption), (KeyEncryption::RsaOaep, ContentEncryption::A128Gcm));
        assert_eq!(header.names.key_id.as_deref(), Some("k"));
        assert_eq!(header.names.sha1_thumbprint.as_deref(), Some("a"));
        assert_eq!(header.names.sha256_thumbprint.as_deref(), Some("b"));
    }

    #[test]
    fn of_two_faults_the_earlier_rule_is_named() {
        let refusal = |json: &str| parse(json).unwrap_err();
        assert_eq!(refusal(r#"{"jku":"x","crit":[],"alg":"none"}"#), Rejection::CriticalHeader);
        assert_eq!(refusal(r#"{"zip":"DEF","x5u":"x","alg":"none"}"#), Rejection::KeyInHeader("x5u"));
        assert_eq!(refusal(r#"{"alg":"dir","enc":"none","zip":"DEF"}"#), Rejection::HeaderUnsupported("zip"));
        assert_eq!(refusal(r#"{"alg":"dir","enc":"none","typ":"x"}"#), Rejection::EncryptionNotAllowed("alg"));
        assert_eq!(refusal(r#"{"alg":"RSA-OAEP","enc":"none","typ":"x"}"#), Rejection::EncryptionNotAllowed("enc"));
        assert_eq!(refusal(r#"{"alg":"RSA-OAEP","enc":"A128GCM","typ":"x","cty":"x"}"#), Rejection::Type);
        assert_eq!(refusal(r#"{"alg":"RSA-OAEP","enc":"A128GCM","cty":"x","kid":""}"#), Rejection::ContentType);
        assert_eq!(refusal(r#"{"alg":"RSA-OAEP","enc":"A128GCM","kid":""}"#), Rejection::KeyIdMalformed);
        assert_eq!(refusal(r#"{"alg":"RSA-OAEP","alg":"RSA-OAEP","crit":[]}"#), Rejection::HeaderDuplicate);
        assert_eq!(refusal(r#"{"alg":"RSA-OAEP"}"#), Rejection::HeaderMalformed);
    }
}
