//! What Graph, ARM and Key Vault say with a 401.

use countersign_protocol::{BearerChallenge, BearerError, Challenge};
use serde_json::Value;

use crate::line::lines;

#[test]
fn every_challenge_is_understood_and_can_be_written() {
    let Some(lines) = lines("challenge") else { return };
    let mut with_claims = 0;
    for line in &lines {
        let response = line.response.as_ref().unwrap();
        assert_eq!(response.status, 401, "{}", line.id);
        // One recorder kept the body only.
        let Some(header) = response.headers.text("www-authenticate") else { continue };
        let challenges = Challenge::parse_all(header);
        assert_eq!(challenges.len(), 1, "{}", line.id);
        let challenge = Challenge::bearer(header).unwrap();
        let Some(claims) = challenge.claims() else {
            assert_eq!(challenge.get("resource"), Some("https://vault.azure.net"), "{}", line.id);
            continue;
        };
        with_claims += 1;
        let value: Value = serde_json::from_str(&claims).unwrap();
        assert_eq!(value["access_token"]["nbf"]["essential"], true, "{}", line.id);

        let ours =
            challenge.parameters.iter().fold(BearerChallenge::new(), |ours, (name, value)| match name.as_str() {
                "realm" => ours.realm(value),
                "authorization_uri" => ours.authorization_uri(value),
                "client_id" => ours.client_id(value),
                "error" if value == "insufficient_claims" => ours.error(BearerError::InsufficientClaims),
                "error" if value == "invalid_token" => ours.error(BearerError::InvalidToken),
                "error_description" => ours.error_description(value),
                "claims" => ours.claims(&claims),
                other => panic!("{}: parameter {other}", line.id),
            });
        assert_eq!(ours.to_header_value(), header, "{}", line.id);
    }
    assert!(with_claims > 0);
}
