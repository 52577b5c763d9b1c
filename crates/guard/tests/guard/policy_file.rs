//! A policy in a file: replaced whole, or not at all.

use std::fs;

use countersign_guard::{PolicyFile, PolicyFileError, Reload};
use serde_json::json;

use crate::kit::token::{Token, next};
use crate::kit::{builder, clock, fixed, policy_json, verdict};

#[tokio::test]
async fn d25_a_changed_file_is_in_force_at_once_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.json");
    fs::write(&path, policy_json().to_string()).unwrap();
    let file = PolicyFile::open(&path).unwrap();
    let guard = builder(&file.policy(), &clock()).build();
    let token = Token::app().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");
    assert_eq!(file.reload(guard.verifier()).unwrap(), Reload::Unchanged);

    let mut changed = policy_json();
    changed["app_roles"] = json!(["Resource.Write"]);
    fs::write(&path, changed.to_string()).unwrap();
    assert_eq!(verdict(&guard, &token).await, "accepted", "nobody has looked yet");
    assert_eq!(file.reload(guard.verifier()).unwrap(), Reload::Replaced);
    assert_eq!(verdict(&guard, &token).await, "role_missing");

    let mut unknown = policy_json();
    unknown["skip_issuer"] = json!(true);
    let mut unkept = policy_json();
    unkept["clock_skew_seconds"] = json!(301);
    for (text, is_expected) in [
        (unknown.to_string(), (|error| matches!(error, PolicyFileError::Parse { .. })) as fn(&PolicyFileError) -> bool),
        (policy_json().to_string()[..40].to_owned(), |error| matches!(error, PolicyFileError::Parse { .. })),
        (unkept.to_string(), |error| matches!(error, PolicyFileError::Policy { .. })),
        (" ".repeat(2 << 20), |error| matches!(error, PolicyFileError::TooLarge { .. })),
    ] {
        fs::write(&path, &text).unwrap();
        let error = file.reload(guard.verifier()).unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        assert!(error.to_string().contains("policy.json"), "{error}");
        assert!(PolicyFile::open(&path).is_err());
        assert_eq!(verdict(&guard, &token).await, "role_missing");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(file.reload(guard.verifier()).unwrap_err(), PolicyFileError::Read { .. }));

    fs::write(&path, policy_json().to_string()).unwrap();
    assert_eq!(file.reload(guard.verifier()).unwrap(), Reload::Replaced);
    assert_eq!(verdict(&guard, &token).await, "accepted");
}

#[tokio::test]
async fn the_policies_of_several_authorities_stand_in_one_file_and_are_replaced_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policies.json");
    let second = || {
        let mut second = policy_json();
        second["tenants"] = json!(["c7e1b5d2-3a40-4f5e-9d1b-2f6a8e0c4d71"]);
        second
    };
    fs::write(&path, json!([policy_json(), second()]).to_string()).unwrap();
    let file = PolicyFile::open(&path).unwrap();
    let policies = file.policies();
    let guard = builder(&policies[0], &clock()).also(fixed(&[next()]), &policies[1]).unwrap().build();
    let token = Token::app().sign();
    assert_eq!(verdict(&guard, &token).await, "accepted");

    let mut changed = policy_json();
    changed["app_roles"] = json!(["Resource.Write"]);
    fs::write(&path, json!([changed, second()]).to_string()).unwrap();
    assert_eq!(file.reload(guard.verifier()).unwrap(), Reload::Replaced);
    assert_eq!(verdict(&guard, &token).await, "role_missing");

    // One too few, and one that is none: nothing changes.
    for text in [json!([policy_json()]).to_string(), policy_json().to_string(), json!([policy_json(), {}]).to_string()]
    {
        fs::write(&path, text).unwrap();
        assert!(file.reload(guard.verifier()).is_err());
        assert_eq!(verdict(&guard, &token).await, "role_missing");
    }
}
