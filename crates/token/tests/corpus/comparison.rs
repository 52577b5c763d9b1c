//! What jsonwebtoken makes of the same token, told all that it can be told: the algorithms, the audiences, the issuers,
//! which claims must be there, and to mind `exp` and `nbf`; and the key looked up by `kid`, as its users do.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use crate::kit::{API, API_URI, Kit, TENANT, V1_TEMPLATE, V2_TEMPLATE, issuer};

pub(crate) fn accepts(kit: &Kit, token: &str) -> bool {
    claims(kit, token).is_some()
}

fn claims(kit: &Kit, token: &str) -> Option<Value> {
    let keys: JwkSet = serde_json::from_value(json!({ "keys": kit.keys })).ok()?;
    let header = decode_header(token).ok()?;
    let key = DecodingKey::from_jwk(keys.find(&header.kid?)?).ok()?;
    let mut validation = Validation::new(Algorithm::RS256);
    if let Some(algorithms) = kit.policy.get("algorithms") {
        validation.algorithms = serde_json::from_value(algorithms.clone()).unwrap();
    }
    validation.set_audience(&[API, API_URI]);
    validation.set_issuer(&[issuer(V1_TEMPLATE, TENANT), issuer(V2_TEMPLATE, TENANT)]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation.validate_nbf = true;
    Some(decode::<Value>(token, &key, &validation).ok()?.claims)
}
