//! The userinfo answer (OpenID Connect Core §5.3.2), as Graph gives it for v2.0 and the authority for v1.0.
//!
//! `sub` is pairwise: it is the one of the calling application's id_tokens. Members without a value are left out, never
//! null (Core §5.3.2). The token's own checks, and which scopes it needs, are the endpoint's affair.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::decode::{DecodeError, Members};
use crate::token_response::text;

/// Claims about the signed-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserInfo {
    /// `sub`: the user, as this client knows them.
    pub sub: String,
    /// `name`: the display name.
    pub name: Option<String>,
    /// `family_name`
    pub family_name: Option<String>,
    /// `given_name`
    pub given_name: Option<String>,
    /// `picture`: a URL; Graph gives that of `/me/photo/$value`.
    pub picture: Option<String>,
    /// `email`
    pub email: Option<String>,
}

impl UserInfo {
    /// The least that can be said.
    #[must_use]
    pub fn new(sub: impl Into<String>) -> Self {
        Self { sub: sub.into(), name: None, family_name: None, given_name: None, picture: None, email: None }
    }

    /// The JSON body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Serialising strings into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`DecodeError`]; `sub` must be there.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        Ok(Self {
            sub: members.required("sub")?,
            name: members.string("name")?,
            family_name: members.string("family_name")?,
            given_name: members.string("given_name")?,
            picture: members.string("picture")?,
            email: members.string("email")?,
        })
    }
}

impl Serialize for UserInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("sub", &self.sub)?;
        text(&mut map, "name", self.name.as_deref())?;
        text(&mut map, "family_name", self.family_name.as_deref())?;
        text(&mut map, "given_name", self.given_name.as_deref())?;
        text(&mut map, "picture", self.picture.as_deref())?;
        text(&mut map, "email", self.email.as_deref())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_left_out() {
        let mut info = UserInfo::new("AAAAabc");
        assert_eq!(info.to_json(), br#"{"sub":"AAAAabc"}"#);
        info.email = Some("alice@contoso.com".to_owned());
        assert_eq!(UserInfo::from_json(&info.to_json()).unwrap(), info);
        assert!(matches!(UserInfo::from_json(b"{}"), Err(DecodeError::MissingMember("sub"))));
    }
}
