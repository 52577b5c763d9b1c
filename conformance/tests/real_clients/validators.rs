//! What people check tokens with: the classic Node check, jose, PyJWT. Each finds the keys where the authority publishes
//! them, accepts its tokens, and refuses what it must, so that an accepting answer means something.

use std::sync::Arc;
use std::time::Duration;

use countersign_conformance::clients::{Program, run};
use countersign_conformance::contoso::{CLIENT, House, LEGACY_URI, RESOURCE, RESOURCE_URI, TENANT};
use countersign_conformance::tokens::acquire;
use countersign_token::{Clock, FakeClock, SystemClock};
use serde_json::{Value, json};

const VALIDATORS: [(Program, &str, &str, &str); 3] = [
    (Program::Node("classic_check.mjs"), "invalid signature", "jwt audience invalid", "jwt expired"),
    (
        Program::Node("jose_validator.mjs"),
        "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
        "ERR_JWT_CLAIM_VALIDATION_FAILED",
        "ERR_JWT_EXPIRED",
    ),
    (Program::Python("pyjwt_validator.py"), "InvalidSignatureError", "InvalidAudienceError", "ExpiredSignatureError"),
];

fn v2(house: &House, name: &str, token: &str, audience: &str) -> Value {
    let authority = house.origin();
    json!({
        "name": name, "token": token, "audience": audience,
        "metadata": format!("{authority}/{TENANT}/v2.0/.well-known/openid-configuration"),
        "authority": authority, "tenant": TENANT, "appid": CLIENT, "issuer": format!("{authority}/{TENANT}/v2.0"),
    })
}

fn v1(house: &House, name: &str, token: &str, audience: &str) -> Value {
    let mut case = v2(house, name, token, audience);
    case["metadata"] = format!("{}/{TENANT}/.well-known/openid-configuration", house.origin()).into();
    case["issuer"] = format!("https://sts.windows.net/{TENANT}/").into();
    case
}

/// The same token with one character of its signature changed.
fn altered(token: &str) -> String {
    let at = token.len() - 40;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_tokens_of_both_versions_and_refuse_what_they_must() {
    let house = House::open().await;
    let (demo, legacy) = (acquire(&house, RESOURCE_URI).await, acquire(&house, LEGACY_URI).await);
    for (program, bad_signature, bad_audience, _) in VALIDATORS {
        let tokens = json!([
            v2(&house, "v2", &demo, RESOURCE),
            v1(&house, "v1", &legacy, LEGACY_URI),
            v2(&house, "altered", &altered(&demo), RESOURCE),
            v2(&house, "for somebody else", &demo, LEGACY_URI),
        ]);
        let outcomes = run(program, &house, json!({"tokens": tokens})).await;
        assert_eq!(outcomes.len(), 4);
        for (outcome, version) in outcomes[..2].iter().zip(["2.0", "1.0"]) {
            assert_eq!(outcome.line["accepted"], true, "{program:?} {:#}", outcome.line);
            assert_eq!(outcome.line["claims"]["ver"], version);
        }
        assert_eq!(outcomes[2].line["accepted"], false);
        assert!(outcomes[2].text("reason").starts_with(bad_signature), "{:#}", outcomes[2].line);
        assert_eq!(outcomes[3].line["accepted"], false);
        assert!(outcomes[3].text("reason").starts_with(bad_audience), "{:#}", outcomes[3].line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn find_the_new_key_and_still_know_the_old_one_after_a_roll_over() {
    let house = House::open().await;
    let before = acquire(&house, RESOURCE_URI).await;
    let key_id = house.authority.roll_signing_key().await.unwrap();
    let after = acquire(&house, RESOURCE_URI).await;
    assert_eq!(countersign_conformance::tokens::decode(&after).0["kid"], key_id);
    assert_ne!(countersign_conformance::tokens::decode(&before).0["kid"], key_id);
    let tokens = json!([v2(&house, "before", &before, RESOURCE), v2(&house, "after", &after, RESOURCE)]);
    for (program, ..) in VALIDATORS {
        for outcome in run(program, &house, json!({"tokens": tokens})).await {
            assert_eq!(outcome.line["accepted"], true, "{program:?} {:#}", outcome.line);
        }
    }
}

/// An authority two hours behind issues tokens that are over by now.
#[tokio::test(flavor = "multi_thread")]
async fn refuse_an_expired_token() {
    let clock = FakeClock::at(SystemClock.now().minus(Duration::from_secs(7200)));
    let house = House::open_at(Arc::new(clock)).await;
    let token = acquire(&house, RESOURCE_URI).await;
    for (program, .., expired) in VALIDATORS {
        let outcomes = run(program, &house, json!({"tokens": [v2(&house, "expired", &token, RESOURCE)]})).await;
        assert_eq!(outcomes[0].text("reason"), expired, "{program:?}");
    }
}
