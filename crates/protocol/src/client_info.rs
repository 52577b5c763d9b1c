//! `client_info`: who signed in, as MSAL keeps accounts: base64url of `{"uid":…,"utid":…}`.
//!
//! Written without padding, because MSAL Go reads it with a decoder that takes none; read with or without. Sent only on
//! request (`client_info=1`), in the token response and in the authorization response.

use countersign_token::{ObjectId, TenantId, base64_decode_lenient, base64url_encode};

use crate::decode::{DecodeError, Members};

/// A user's object id and home tenant. MSAL's `home_account_id` is `{uid}.{utid}`.
///
/// ```
/// use countersign_protocol::ClientInfo;
///
/// let info = ClientInfo {
///     uid: "11111111-1111-4111-8111-111111111111".parse()?,
///     utid: "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse()?,
/// };
/// assert_eq!(ClientInfo::decode(&info.encode())?, info);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientInfo {
    /// The user's object id in the home tenant.
    pub uid: ObjectId,
    /// The user's home tenant.
    pub utid: TenantId,
}

impl ClientInfo {
    /// The member's text.
    #[must_use]
    pub fn encode(&self) -> String {
        base64url_encode(format!(r#"{{"uid":"{}","utid":"{}"}}"#, self.uid, self.utid).as_bytes())
    }

    /// Reads the member's text; padding is tolerated.
    ///
    /// # Errors
    /// [`DecodeError::InvalidValue`] naming `client_info`, `uid` or `utid`, or what is wrong with the JSON.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let json = base64_decode_lenient(text).map_err(|_| DecodeError::InvalidValue("client_info"))?;
        let members = Members::parse(&json)?;
        Ok(Self {
            uid: members.required("uid")?.parse().map_err(|_| DecodeError::InvalidValue("uid"))?,
            utid: members.required("utid")?.parse().map_err(|_| DecodeError::InvalidValue("utid"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_not_padded_and_each_fault_has_its_name() {
        let info = ClientInfo {
            uid: "11111111-1111-4111-8111-111111111111".parse().unwrap(),
            utid: "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap(),
        };
        let text = info.encode();
        assert!(!text.contains('='), "{text}");
        assert_eq!(ClientInfo::decode(&format!("{text}==")).unwrap(), info);
        assert!(matches!(ClientInfo::decode("*"), Err(DecodeError::InvalidValue("client_info"))));
        assert!(matches!(ClientInfo::decode("W10"), Err(DecodeError::NotJson { .. })));
        let encoded = |json: &str| ClientInfo::decode(&base64url_encode(json.as_bytes()));
        assert!(matches!(encoded(r#"{"uid":"x","utid":"y"}"#), Err(DecodeError::InvalidValue("uid"))));
        assert!(matches!(encoded(r#"{"utid":"y"}"#), Err(DecodeError::MissingMember("uid"))));
    }
}
