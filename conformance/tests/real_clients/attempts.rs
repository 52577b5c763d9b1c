//! The attempts that every client makes.

use countersign_conformance::clients::Outcome;
use countersign_conformance::contoso::{
    CLIENT, FABRIKAM, NO_APPLICATION, NO_RESOURCE_URI, NO_TENANT, ODD_SECRET, RESOURCE_URI, SECRET, TENANT,
    WRONG_SECRET,
};
use countersign_conformance::credentials::STRANGER;
use serde_json::{Value, json};

/// The usual attempt, with a credential: Contoso's daemon for `DemoResourceApp`. `scope` is for clients of the v2.0
/// endpoint, `resource` for those of the v1.0 endpoint.
pub(crate) fn usual(name: &str, credential: &Value) -> Value {
    json!({
        "name": name, "tenant": TENANT, "client_id": CLIENT, "credential": credential,
        "scope": format!("{RESOURCE_URI}/.default"), "resource": RESOURCE_URI,
    })
}

pub(crate) fn secret(secret: &str) -> Value {
    json!({"secret": secret})
}

/// An attempt with one thing changed.
pub(crate) fn but(mut attempt: Value, member: &str, value: &str) -> Value {
    attempt[member] = value.into();
    attempt
}

/// The same attempt for another resource.
pub(crate) fn to(attempt: Value, resource: &str) -> Value {
    but(but(attempt, "scope", &format!("{resource}/.default")), "resource", resource)
}

/// Attempts with a secret that succeed: the usual one, one with a secret that is hard to encode, one that names the
/// tenant by its domain.
pub(crate) fn good_secrets() -> Vec<Value> {
    vec![
        usual("secret", &secret(SECRET)),
        usual("odd secret", &secret(ODD_SECRET)),
        but(usual("tenant by domain", &secret(SECRET)), "tenant", "contoso.com"),
    ]
}

/// What is refused, and with which code: a wrong secret, a certificate that nobody registered, an application that
/// nobody registered (or not here), a resource and a tenant that do not exist. `style` is a certificate's.
pub(crate) fn refusals(style: &str) -> Vec<(Value, u64)> {
    vec![
        (usual("wrong secret", &secret(WRONG_SECRET)), 7_000_215),
        (usual("unknown certificate", &STRANGER.credential(style)), 700_027),
        (but(usual("unknown application", &secret(SECRET)), "client_id", NO_APPLICATION), 700_016),
        (but(usual("application of another tenant", &secret(SECRET)), "tenant", FABRIKAM), 700_016),
        (to(usual("unknown resource", &secret(SECRET)), NO_RESOURCE_URI), 500_011),
        (but(usual("unknown tenant", &secret(SECRET)), "tenant", NO_TENANT), 90_002),
    ]
}

/// That each outcome has exactly the code of its refusal.
pub(crate) fn assert_codes(outcomes: &[Outcome], refusals: &[(Value, u64)]) {
    assert_eq!(outcomes.len(), refusals.len());
    for (outcome, (_, code)) in outcomes.iter().zip(refusals) {
        assert_eq!(outcome.codes(), [*code], "{}: {:#}", outcome.name, outcome.line);
    }
}

/// The attempts of `refusals`, without those of these names.
pub(crate) fn without(refusals: Vec<(Value, u64)>, names: &[&str]) -> Vec<(Value, u64)> {
    refusals.into_iter().filter(|(attempt, _)| !names.contains(&attempt["name"].as_str().unwrap())).collect()
}

pub(crate) fn attempts_of(refusals: &[(Value, u64)]) -> Vec<Value> {
    refusals.iter().map(|(attempt, _)| attempt.clone()).collect()
}
