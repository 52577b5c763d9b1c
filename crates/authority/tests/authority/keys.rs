//! Signing keys follow one another without a token being refused (pitfall B99).

use std::time::Duration;

use countersign_token::{KeySet, Policy, Timestamp, verify};
use serde_json::json;

use countersign_directory::DirectoryFile;

use crate::kit::{API, Kit, NOW, TENANT, directory_text, on_disk, segment};

const DAY: Duration = Duration::from_secs(86_400);
/// The longest life of a token, and an hour for clocks.
const OVERLAP: Duration = Duration::from_secs(29 * 3600);

struct Issued {
    token: String,
    key_id: String,
}

async fn issue(kit: &Kit) -> Issued {
    let answer = kit.token(&format!("{API}/.default")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let key_id = segment(&answer.body["access_token"], 0)["kid"].as_str().unwrap().to_owned();
    Issued { token: answer.body["access_token"].as_str().unwrap().to_owned(), key_id }
}

/// Verifies with the keys that are published now, at the moment of issuance.
async fn is_verified(kit: &Kit, issued: &Issued, at: i64) -> bool {
    let keys = kit.get(&format!("/{TENANT}/discovery/v2.0/keys")).await;
    let keys = KeySet::parse(keys.body.to_string().as_bytes()).unwrap();
    let policy: Policy = serde_json::from_value(json!({
        "tenants": [TENANT], "issuers": [kit.url("/{tenantid}/v2.0")], "audiences": [API],
        "app_roles": ["Resource.Read"],
    }))
    .unwrap();
    verify(&issued.token, &keys, &policy.compile().unwrap(), Timestamp::from_unix_seconds(at)).is_ok()
}

#[tokio::test]
async fn b99_a_key_is_published_before_it_signs_and_after_it_has_signed() {
    let kit = Kit::start().await;
    let before = kit.until_keys(2).await;
    let first = issue(&kit).await;
    let next = before.iter().find(|key| **key != first.key_id).unwrap().clone();

    assert_eq!(kit.authority.roll_signing_key().await.unwrap(), next, "the one that verifiers have seen");
    let second = issue(&kit).await;
    assert_eq!(second.key_id, next);
    assert_eq!(kit.keys().await.len(), 3, "the old one, the one that signs, and the one after it");
    assert!(is_verified(&kit, &first, NOW).await && is_verified(&kit, &second, NOW).await);

    kit.clock.advance(OVERLAP - Duration::from_secs(1));
    assert!(kit.keys().await.contains(&first.key_id), "its last token may still be alive");
    kit.clock.advance(Duration::from_secs(1));
    let after = kit.keys().await;
    assert!(!after.contains(&first.key_id) && after.contains(&next), "{after:?}");
    assert!(!is_verified(&kit, &first, NOW).await);
}

#[tokio::test]
async fn b99_the_next_key_signs_by_itself_after_ninety_days() {
    let folder = tempfile::tempdir().unwrap();
    let kit = Kit::on_disk(folder.path()).await;
    let before = kit.until_keys(2).await;
    let first = issue(&kit).await;
    kit.clock.advance(DAY * 90 - Duration::from_secs(1));
    assert_eq!(issue(&kit).await.key_id, first.key_id);
    kit.clock.advance(Duration::from_secs(1));
    let second = issue(&kit).await;
    assert!(second.key_id != first.key_id && before.contains(&second.key_id), "a key that was published all the time");
    let now = NOW + 90 * 86_400;
    assert!(is_verified(&kit, &second, now).await);
    // Whoever looks after keys, here the next start, makes one to follow and ends the one before.
    kit.authority.shutdown().await;
    let kit = Kit::from(on_disk(folder.path(), &kit.clock), kit.clock.clone()).await;
    let keys = kit.until_keys(3).await;
    assert!(keys.contains(&first.key_id) && keys.contains(&second.key_id));
    kit.clock.advance(OVERLAP);
    assert!(!kit.keys().await.contains(&first.key_id));
    assert_eq!(issue(&kit).await.key_id, second.key_id);
    // A day later it is gone from the store too, and the next one is as far away as ever.
    kit.clock.advance(DAY * 2);
    kit.authority.shutdown().await;
    let kit = Kit::from(on_disk(folder.path(), &kit.clock), kit.clock.clone()).await;
    assert_eq!(kit.until_keys(2).await.len(), 2);
}

#[tokio::test]
async fn eight_rollovers_at_once_leave_one_order() {
    let kit = std::sync::Arc::new(Kit::start().await);
    let first = issue(&kit).await;
    let rolling: Vec<_> = (0..8)
        .map(|_| {
            let kit = std::sync::Arc::clone(&kit);
            tokio::spawn(async move {
                let key = kit.authority.roll_signing_key().await.unwrap();
                let issued = issue(&kit).await;
                assert!(is_verified(&kit, &issued, NOW).await, "a token under a key that nobody knows");
                key
            })
        })
        .collect();
    let mut signed = Vec::new();
    for rolled in rolling {
        signed.push(rolled.await.unwrap());
    }
    let published = kit.keys().await;
    assert!(signed.iter().chain([&first.key_id]).all(|key| published.contains(key)), "{signed:?} {published:?}");
    // One key signs, whoever is asked; one waits, and it is not one that has signed.
    let current = kit.authority.signing_key_id().await.unwrap();
    for _ in 0..5 {
        assert_eq!(issue(&kit).await.key_id, current);
    }
    assert!(is_verified(&kit, &first, NOW).await);
    let next = kit.authority.roll_signing_key().await.unwrap();
    assert!(!signed.contains(&next) && published.contains(&next), "one was waiting, published");
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_tokens_coming() {
    let text = directory_text("", "")
        .replace("displayName: demo,", "displayName: demo, startDateTime: \"2020-01-01T00:00:00Z\",");
    let kit = Kit::with(DirectoryFile::parse("test.yaml", &text).unwrap().file).await;
    // The first key was made by a clock that went a year ahead; there is none that was active before.
    let earlier = NOW - 365 * 86_400;
    kit.clock.set(Timestamp::from_unix_seconds(earlier));
    let issued = issue(&kit).await;
    assert!(is_verified(&kit, &issued, earlier).await);
}

#[tokio::test]
async fn headers_name_the_key_as_entras_do() {
    let kit = Kit::start().await;
    let v2 = kit.token(&format!("{API}/.default")).await;
    let v1 = kit.token("api%3A%2F%2Folder%2F.default").await;
    let key = kit.authority.signing_key_id().await.unwrap();
    assert_eq!(segment(&v2.body["access_token"], 0), json!({"typ": "JWT", "alg": "RS256", "kid": key}));
    assert_eq!(segment(&v1.body["access_token"], 0), json!({"typ": "JWT", "alg": "RS256", "x5t": key, "kid": key}));
}
