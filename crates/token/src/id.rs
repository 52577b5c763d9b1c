//! Identifiers that cannot be swapped: a tenant, a client and an object are all GUIDs, and none may stand in for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not a GUID in its hyphenated form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID of the form 00000000-0000-0000-0000-000000000000")]
pub struct IdError;

/// Parses the hyphenated form only: 36 characters, any case. Braces, URNs and bare hex are other people's dialects.
fn parse_hyphenated(text: &str) -> Result<Uuid, IdError> {
    if text.len() != 36 {
        return Err(IdError);
    }
    Uuid::try_parse(text).map_err(|_| IdError)
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hyphenated(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

identifier! {
    /// A directory (tenant), always the GUID: claim `tid`.
    TenantId
}
identifier! {
    /// An application's client id (`appId`), one per registration: claims `azp` (v2.0) and `appid` (v1.0).
    ClientId
}
identifier! {
    /// An object of a directory, one per tenant: claim `oid`.
    ObjectId
}

/// Parses the spelling Entra itself emits in tokens: hyphenated and lower case.
///
/// A token whose `tid` is spelled otherwise is not one of Entra's, and comparing it without regard to case would make
/// two texts of one tenant, which issuer templates must never have (`pitfalls` A82 and A84).
pub(crate) fn parse_canonical(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 || bytes.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    Uuid::try_parse_ascii(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_taken() {
        assert!("6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse::<TenantId>().is_ok());
        for text in [
            "6babcaad604b40aca9d79fd97c0b779f",
            "{6babcaad-604b-40ac-a9d7-9fd97c0b779f}",
            "urn:uuid:6babcaad-604b-40ac-a9d7-9fd97c0b779f",
            "6babcaad-604b-40ac-a9d7-9fd97c0b779f ",
            "",
        ] {
            assert_eq!(text.parse::<TenantId>(), Err(IdError), "{text:?}");
        }
    }

    #[test]
    fn the_canonical_form_is_lower_case() {
        assert!(parse_canonical("6babcaad-604b-40ac-a9d7-9fd97c0b779f").is_some());
        assert!(parse_canonical("6BABCAAD-604b-40ac-a9d7-9fd97c0b779f").is_none());
    }

    #[test]
    fn an_identifier_prints_lower_case() {
        let id: ClientId = "6BABCAAD-604B-40AC-A9D7-9FD97C0B779F".parse().unwrap();
        assert_eq!(id.to_string(), "6babcaad-604b-40ac-a9d7-9fd97c0b779f");
    }
}
