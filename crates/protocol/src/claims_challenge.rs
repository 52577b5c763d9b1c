//! Claims challenges: what an API asks a client to send as `claims` with its next token request.
//!
//! The texts are those of recorded challenges, blank for blank, because clients hand them on as they are. Only a client
//! whose token says that it understands challenges (`xms_cc` with `cp1`) may be challenged; that is for the API to see to.
//! Read on in [`crate::challenge`] for the header, in [`crate::claims_request`] for the way back.

use std::fmt::{self, Display};
use std::net::IpAddr;

use countersign_token::Timestamp;

use crate::challenge::{BearerChallenge, BearerError};

/// The JSON text of a challenge.
///
/// ```
/// use countersign_protocol::ClaimsChallenge;
/// use countersign_token::Timestamp;
///
/// let challenge = ClaimsChallenge::not_before(Timestamp::from_unix_seconds(1_604_106_651));
/// assert_eq!(challenge.as_str(), r#"{"access_token":{"nbf":{"essential":true, "value":"1604106651"}}}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimsChallenge(String);

impl ClaimsChallenge {
    /// After a revocation: a token issued at `moment` or later is needed (recorded 2020, with that blank).
    #[must_use]
    pub fn not_before(moment: Timestamp) -> Self {
        Self(format!(r#"{{"access_token":{{"nbf":{{{}}}}}}}"#, nbf(moment)))
    }

    /// After a revocation, or for a policy about places: as [`not_before`](Self::not_before), and the address from which
    /// the API was called.
    #[must_use]
    pub fn not_before_from(moment: Timestamp, address: IpAddr) -> Self {
        Self(format!(r#"{{"access_token":{{"nbf":{{{}}},"xms_rp_ipaddr":{{"value":"{address}"}}}}}}"#, nbf(moment)))
    }

    /// For an authentication context: `c1` to `c99`.
    #[must_use]
    pub fn authentication_context(value: &str) -> Self {
        Self(format!(r#"{{"access_token":{{"acrs":{{"essential":true,"value":{}}}}}}}"#, quoted(value)))
    }

    /// For policies of Conditional Access, by their ids; stands in error bodies of the token endpoint.
    #[must_use]
    pub fn policies(ids: impl IntoIterator<Item = impl Display>) -> Self {
        let ids: Vec<String> = ids.into_iter().map(|id| quoted(&id.to_string())).collect();
        Self(format!(r#"{{"access_token":{{"polids":{{"essential":true,"values":[{}]}}}}}}"#, ids.join(",")))
    }

    /// The JSON text: an error body's `claims`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The header of a 401, as Graph writes it; `client_id` is the API's own, which Graph names and others may leave out.
    #[must_use]
    pub fn to_bearer_challenge(&self, authorization_uri: &str, client_id: Option<&str>) -> BearerChallenge {
        let challenge = BearerChallenge::new().realm("").authorization_uri(authorization_uri);
        let challenge = match client_id {
            Some(client_id) => challenge.client_id(client_id),
            None => challenge,
        };
        challenge.error(BearerError::InsufficientClaims).claims(&self.0)
    }
}

impl Display for ClaimsChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn nbf(moment: Timestamp) -> String {
    format!(r#""essential":true, "value":"{}""#, moment.as_unix_seconds())
}

/// A JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Challenge, ClaimsRequest};

    const MOMENT: Timestamp = Timestamp::from_unix_seconds(1_604_106_651);

    #[test]
    fn the_texts_are_the_recorded_ones() {
        for (challenge, text) in [
            (
                ClaimsChallenge::not_before(MOMENT),
                r#"{"access_token":{"nbf":{"essential":true, "value":"1604106651"}}}"#,
            ),
            (
                ClaimsChallenge::not_before_from(MOMENT, IpAddr::from([1, 2, 3, 4])),
                r#"{"access_token":{"nbf":{"essential":true, "value":"1604106651"},"xms_rp_ipaddr":{"value":"1.2.3.4"}}}"#,
            ),
            (
                ClaimsChallenge::authentication_context("c1"),
                r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#,
            ),
            (
                ClaimsChallenge::policies(["p1", "p2"]),
                r#"{"access_token":{"polids":{"essential":true,"values":["p1","p2"]}}}"#,
            ),
        ] {
            assert_eq!(challenge.as_str(), text);
        }
    }

    #[test]
    fn a104_a_challenge_comes_back_as_a_request() {
        let header = ClaimsChallenge::not_before(MOMENT)
            .to_bearer_challenge("https://localhost:8443/common/oauth2/authorize", None)
            .to_header_value();
        let read = Challenge::bearer(&header).unwrap();
        assert_eq!((read.get("error"), read.get("client_id")), (Some("insufficient_claims"), None));
        let request = ClaimsRequest::parse(&read.claims().unwrap()).unwrap();
        assert_eq!(request.not_before(), Some(MOMENT));
        let request = ClaimsRequest::parse(ClaimsChallenge::authentication_context("c\"1").as_str()).unwrap();
        assert_eq!(request.authentication_context().unwrap().values, ["c\"1"]);
        assert!(request.authentication_context().unwrap().essential);
        let request = ClaimsRequest::parse(ClaimsChallenge::policies(["p1", "p2"]).as_str()).unwrap();
        assert_eq!(request.policy_ids().collect::<Vec<_>>(), ["p1", "p2"]);
    }
}
