//! Keys that belong to one tenant or one application.

use std::sync::Arc;

use countersign_token::{KeySet, Policy, Rejection, Timestamp, verify};
use serde_json::{Value, json};

use crate::kit::{Kit, NOW, OTHER_TENANT, TENANT, segment};
use crate::signed_in::{V1_API, V2_API, Wishes, sign_in, start};

const SCOPE: &str = "openid api://two/access_as_user";

async fn published(kit: &Kit, path: &str) -> Vec<Value> {
    let answer = kit.get(path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["keys"].as_array().unwrap().clone()
}

fn ids(keys: &[Value]) -> Vec<String> {
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn key_id(token: &Value) -> String {
    segment(token, 0)["kid"].as_str().unwrap().to_owned()
}

/// An API's whole check with the keys at this path.
async fn check(kit: &Kit, token: &Value, path: &str) -> Result<(), Rejection> {
    let keys = KeySet::parse(kit.get(path).await.body.to_string().as_bytes()).unwrap();
    let policy: Policy = serde_json::from_value(json!({
        "tenants": [TENANT], "issuers": [kit.url("/{tenantid}/v2.0")], "audiences": [V2_API], "scopes": ["access_as_user"],
    }))
    .unwrap();
    verify(token.as_str().unwrap(), &keys, &policy.compile().unwrap(), Timestamp::from_unix_seconds(NOW)).map(drop)
}

#[tokio::test]
async fn a_tenant_with_keys_of_its_own_signs_with_them_and_publishes_no_others() {
    let kit = start(&Wishes::default()).await;
    let answer = sign_in(&kit, SCOPE).await;
    let own = published(&kit, &format!("/{TENANT}/discovery/v2.0/keys")).await;
    let (token, id_token) = (&answer["access_token"], &answer["id_token"]);
    assert!(ids(&own).contains(&key_id(token)) && ids(&own).contains(&key_id(id_token)));
    let issuer = kit.url(&format!("/{TENANT}/v2.0"));
    assert!(own.iter().all(|key| key["issuer"] == issuer), "the tenant's own issuer, not the template");

    assert_eq!(kit.authority.signing_key_id().await.unwrap(), key_id(token), "the first tenant's");
    // The other tenant has none of its own and uses those that are everybody's, made now that somebody asks.
    let other = published(&kit, &format!("/{OTHER_TENANT}/discovery/v2.0/keys")).await;
    let shared = ids(&other)[0].clone();
    assert!(!ids(&own).contains(&shared), "nobody else's key is good for this tenant");
    assert!(!ids(&other).contains(&key_id(token)));
    assert!(other.iter().all(|key| key["issuer"] == kit.url("/{tenantid}/v2.0")));
    for alias in ["common", "organizations"] {
        let all = ids(&published(&kit, &format!("/{alias}/discovery/v2.0/keys")).await);
        assert!(all.contains(&shared) && all.contains(&key_id(token)), "{alias}");
        check(&kit, token, &format!("/{alias}/discovery/v2.0/keys")).await.unwrap();
    }
    check(&kit, token, &format!("/{TENANT}/discovery/v2.0/keys")).await.unwrap();
    check(&kit, token, &format!("/{TENANT}/discovery/keys")).await.unwrap();
    let foreign = check(&kit, token, &format!("/{OTHER_TENANT}/discovery/v2.0/keys")).await.unwrap_err();
    assert_eq!(foreign, Rejection::UnknownKey);
}

#[tokio::test]
async fn the_first_key_is_made_once_however_many_need_it() {
    let kit = Arc::new(start(&Wishes::default()).await);
    let asking: Vec<_> = (0..6)
        .map(|number| {
            let kit = Arc::clone(&kit);
            let path = if number % 2 == 0 { "discovery/keys" } else { "discovery/v2.0/keys" };
            // The next key may be there already; the first is the one that signs.
            tokio::spawn(async move { ids(&published(&kit, &format!("/{OTHER_TENANT}/{path}")).await)[0].clone() })
        })
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    for asked in asking {
        seen.insert(asked.await.unwrap());
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

/// Asks until the tenant has published so many keys: the next one is made in the background.
async fn until_published(kit: &Kit, path: &str, count: usize) -> Vec<String> {
    let asking = async {
        loop {
            let keys = ids(&published(kit, path).await);
            if keys.len() >= count {
                return keys;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), asking).await.unwrap()
}

#[tokio::test]
async fn b99_every_owners_keys_follow_one_another() {
    let wishes = Wishes { v2_api: "ownSigningKey: true", ..Wishes::default() };
    let kit = start(&wishes).await;
    kit.until_keys(2).await;
    let first = sign_in(&kit, SCOPE).await;
    let path = format!("/{TENANT}/discovery/v2.0/keys?appid={V2_API}");
    let before = until_published(&kit, &path, 2).await;
    let tenants = kit.authority.signing_key_id().await.unwrap();
    assert_ne!(kit.authority.roll_signing_key().await.unwrap(), tenants, "the tenant's is another now");
    let second = sign_in(&kit, SCOPE).await;
    let (old, new) = (key_id(&first["access_token"]), key_id(&second["access_token"]));
    assert!(old != new && before.contains(&new), "and so is the application's, published before it signed");
    let after = ids(&published(&kit, &path).await);
    assert!(after.len() == 3 && after.contains(&old), "the old one, the one that signs, and the one after it");
    check(&kit, &first["access_token"], &path).await.unwrap();
    check(&kit, &second["access_token"], &path).await.unwrap();
    kit.clock.advance(std::time::Duration::from_secs(29 * 3600));
    assert!(!ids(&published(&kit, &path).await).contains(&old), "its last token is dead");
}

#[tokio::test]
async fn an_application_with_a_key_of_its_own_has_its_tokens_signed_with_it() {
    let wishes = Wishes { v2_api: "ownSigningKey: true", ..Wishes::default() };
    let kit = start(&wishes).await;
    let answer = sign_in(&kit, SCOPE).await;
    let token = &answer["access_token"];
    let tenants = ids(&published(&kit, &format!("/{TENANT}/discovery/v2.0/keys")).await);
    assert!(!tenants.contains(&key_id(token)), "the tenant's keys are not good for it");
    assert!(tenants.contains(&key_id(&answer["id_token"])), "an id_token is for the client");
    let path = format!("/{TENANT}/discovery/v2.0/keys?appid={V2_API}");
    let own = published(&kit, &path).await;
    assert!(ids(&own).contains(&key_id(token)) && ids(&own).iter().all(|id| !tenants.contains(id)));
    check(&kit, token, &path).await.unwrap();
    let common = ids(&published(&kit, "/common/discovery/v2.0/keys").await);
    assert!(!common.contains(&key_id(token)), "only who asks for it finds it");
    let metadata = kit.get(&format!("/{TENANT}/v2.0/.well-known/openid-configuration?appid={V2_API}")).await;
    assert_eq!(metadata.body["jwks_uri"], kit.url(&path));
    // An application without has the tenant's keys under its id, too.
    let other = published(&kit, &format!("/{TENANT}/discovery/v2.0/keys?appid={V1_API}")).await;
    assert!(ids(&other).iter().all(|id| tenants.contains(id)));
}

#[tokio::test]
async fn keys_of_a_tenant_outlive_a_restart_and_are_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = countersign_token::FakeClock::at(Timestamp::from_unix_seconds(NOW));
    let builder = crate::kit::on_disk(folder.path(), &clock).directory(crate::signed_in::directory(&Wishes::default()));
    let kit = Kit::from(builder, clock.clone()).await;
    let first = sign_in(&kit, SCOPE).await;
    kit.authority.shutdown().await;
    let kit = Kit::from(crate::kit::on_disk(folder.path(), &clock), clock).await;
    let second = sign_in(&kit, SCOPE).await;
    assert_eq!(key_id(&first["access_token"]), key_id(&second["access_token"]));
    let sub = |answer: &Value| crate::kit::claims(&answer["access_token"])["sub"].clone();
    assert_eq!(sub(&first), sub(&second), "and so does who the user is to the API");
}

#[tokio::test]
async fn authorities_in_memory_share_rsa_numbers_under_names_of_their_own_and_stored_ones_share_nothing() {
    let (first, second) = (Kit::start().await, Kit::start().await);
    let folder = tempfile::tempdir().unwrap();
    let stored = Kit::on_disk(folder.path()).await;
    let mut moduli = Vec::new();
    let mut names = Vec::new();
    for kit in [&first, &second, &stored] {
        kit.until_keys(2).await;
        let keys = published(kit, "/common/discovery/keys").await;
        names.extend(ids(&keys));
        let mut of: Vec<_> = keys.iter().map(|key| key["n"].as_str().unwrap().to_owned()).collect();
        of.sort();
        assert_ne!(of[0], of[1], "a key that follows another is another");
        moduli.push(of);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 6, "what one signs names a key that no other knows");
    assert_eq!(moduli[0], moduli[1], "made once in this process");
    assert!(moduli[2].iter().all(|modulus| !moduli[0].contains(modulus)), "what is kept is made for its keeper");
    // A key that somebody rolls to is never one of those.
    first.authority.roll_signing_key().await.unwrap();
    let rolled = published(&first, "/common/discovery/keys").await;
    assert!(rolled.iter().any(|key| !moduli[0].contains(&key["n"].as_str().unwrap().to_owned())));
}
