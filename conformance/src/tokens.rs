//! Looking into tokens without trusting them, and asking for them without any client library.

use countersign_token::base64url_decode_strict;
use serde_json::Value;

use crate::contoso::{CLIENT, House, LEGACY_URI, RESOURCE, SECRET, TENANT};
use crate::wire;

/// How the client proved itself, as `azpacr` and `appidacr` tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By a secret.
    Secret,
    /// By a certificate.
    Certificate,
}

impl Proof {
    fn claim(self) -> &'static str {
        match self {
            Self::Secret => "1",
            Self::Certificate => "2",
        }
    }
}

/// Header and claims.
#[must_use]
pub fn decode(token: &str) -> (Value, Value) {
    let segments: Vec<&str> = token.split('.').collect();
    assert_eq!(segments.len(), 3, "not a compact JWS: {token}");
    let json = |segment: &str| serde_json::from_slice(&base64url_decode_strict(segment).unwrap()).unwrap();
    (json(segments[0]), json(segments[1]))
}

/// That this is a version 2.0 token of Contoso's daemon for `DemoResourceApp`.
pub fn assert_demo_token(token: &str, house: &House, proof: Proof) {
    assert_demo_token_of(token, house.origin(), proof);
}

/// The same, of the authority under this origin.
pub fn assert_demo_token_of(token: &str, origin: &str, proof: Proof) {
    let (header, claims) = decode(token);
    assert_eq!(header["typ"], "JWT");
    assert_eq!(header["alg"], "RS256");
    assert_eq!(claims["ver"], "2.0");
    assert_eq!(claims["iss"], format!("{origin}/{TENANT}/v2.0"));
    assert_eq!(claims["aud"], RESOURCE);
    assert_eq!(claims["tid"], TENANT);
    assert_eq!(claims["azp"], CLIENT);
    assert_eq!(claims["azpacr"], proof.claim());
    assert_eq!(claims["roles"], serde_json::json!(["Resource.Read"]));
    assert_eq!(claims["sub"], claims["oid"]);
    assert!(claims.get("scp").is_none());
}

/// That this is a version 1.0 token of Contoso's daemon for `LegacyResourceApp`, whichever endpoint issued it.
pub fn assert_legacy_token(token: &str, proof: Proof) {
    let (_, claims) = decode(token);
    assert_eq!(claims["ver"], "1.0");
    assert_eq!(claims["iss"], format!("https://sts.windows.net/{TENANT}/"));
    assert_eq!(claims["aud"], LEGACY_URI);
    assert_eq!(claims["tid"], TENANT);
    assert_eq!(claims["appid"], CLIENT);
    assert_eq!(claims["appidacr"], proof.claim());
    assert_eq!(claims["roles"], serde_json::json!(["Legacy.Read"]));
}

/// Asks the v2.0 endpoint for a token to `resource` with the daemon's secret.
pub async fn acquire(house: &House, resource: &str) -> String {
    let scope = format!("{resource}/.default");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("scope", scope.as_str()),
    ];
    let answer = wire::post_form(house, &format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}
