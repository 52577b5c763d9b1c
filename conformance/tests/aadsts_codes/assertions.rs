//! What is wrong with a client assertion, of the client's own or of an issuer elsewhere.

use countersign_conformance::contoso::{FABRIKAM, NO_APPLICATION};
use countersign_conformance::wire::{form, post};
use countersign_protocol::AadSts;
use serde_json::{Value, json};

use crate::reach::Reach;
use crate::scene::{PLAIN, STRICT, altered};

pub(crate) async fn reach(reach: &mut Reach) {
    let now = reach.scene.now();
    let own = |header: Value, claims: Value| reach.scene.assertion(&header, &claims);
    let none = || json!({});
    let own = [
        (AadSts::ASSERTION_CLIENT_MISMATCH, own(none(), json!({"iss": NO_APPLICATION, "sub": NO_APPLICATION}))),
        (AadSts::ASSERTION_SUBJECT_MISMATCH, own(none(), json!({"sub": NO_APPLICATION}))),
        (AadSts::ASSERTION_AUDIENCE_MISMATCH, own(none(), json!({"aud": "https://nobody.example/token"}))),
        (AadSts::ASSERTION_TIME_RANGE, own(none(), json!({"nbf": now - 9000, "exp": now - 8000}))),
        (
            AadSts::CERTIFICATE_NOT_REGISTERED,
            own(json!({"x5t#S256": null, "x5t": "AAAAAAAAAAAAAAAAAAAAAAAAAAA"}), none()),
        ),
        (AadSts::ASSERTION_SIGNATURE_INVALID, altered(&own(none(), none()))),
        (AadSts::ASSERTION_WITHOUT_THUMBPRINT, own(json!({"x5t#S256": null}), none())),
        (AadSts::ASSERTION_TYPE_HEADER_INVALID, own(json!({"typ": "at+jwt"}), none())),
        (AadSts::ASSERTION_ALGORITHM_UNSUPPORTED, own(json!({"alg": "HS256"}), none())),
        (AadSts::MISSING_CREDENTIAL_FIELD, own(none(), json!({"exp": null}))),
        (AadSts::MALFORMED_JWT, "client_assertion".to_owned()),
    ];
    for (entry, assertion) in &own {
        reach.asserted(entry, assertion).await;
    }
    let federated = |claims: Value| reach.scene.federated(&claims);
    let federated = [
        (AadSts::FEDERATED_ISSUER_MISMATCH, federated(json!({"iss": "https://nobody.example/"}))),
        (AadSts::FEDERATED_AUDIENCE_MISMATCH, federated(json!({"aud": "api://nobody"}))),
        (AadSts::FEDERATED_SUBJECT_MISMATCH, federated(json!({"sub": "nobody"}))),
        (AadSts::ASSERTION_SIGNATURE_MISMATCH, altered(reach.scene.elsewhere.assertion())),
    ];
    for (entry, assertion) in &federated {
        reach.asserted(entry, assertion).await;
    }
    let assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let elsewhere = reach.scene.elsewhere.assertion().to_owned();
    let nothing_trusted = [
        ("client_id", PLAIN),
        ("client_secret", ""),
        ("client_assertion_type", assertion_type),
        ("client_assertion", elsewhere.as_str()),
    ];
    reach.token(AadSts::NO_FEDERATED_CREDENTIAL, &nothing_trusted).await;
    // In a strict tenant an assertion is good once.
    let target = format!("/{FABRIKAM}/oauth2/v2.0/token");
    let issuer = format!("{}/{FABRIKAM}/v2.0", reach.scene.house.origin());
    let strict = reach.scene.assertion(&none(), &json!({"iss": STRICT, "sub": STRICT, "aud": issuer}));
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", STRICT),
        ("client_assertion_type", assertion_type),
        ("client_assertion", strict.as_str()),
        ("scope", "api://strict/.default"),
    ];
    let first = post(&reach.scene.house, &target, &form(&fields)).await;
    assert_eq!(first.status, 200, "{}", String::from_utf8_lossy(&first.body));
    reach.post(AadSts::CLIENT_AUTHENTICATION_FAILED, &target, &fields).await;
}
