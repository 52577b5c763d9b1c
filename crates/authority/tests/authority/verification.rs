//! Tokens as the other side sees them: accepted by `countersign_token::verify` under the policy that an API would write.

use countersign_token::{KeySet, Policy, Rejection, TokenKind, TokenVersion, Validator, Verified, verify};
use serde_json::json;

use crate::kit::{API, Answer, CLIENT, Kit, NOW, OTHER_TENANT, TENANT, V1_API};
use countersign_token::Timestamp;

/// The policy of design §3.3, for this authority.
fn policy(kit: &Kit, change: impl FnOnce(&mut serde_json::Value)) -> Validator {
    let mut policy = json!({
        "tenants": [TENANT],
        "issuers": [kit.url("/{tenantid}/v2.0"), "https://sts.windows.net/{tenantid}/"],
        "audiences": [API, format!("api://{API}"), V1_API, "api://older"],
        "versions": ["1.0", "2.0"], "algorithms": ["RS256"], "clock_skew_seconds": 60,
        "kinds": ["app"], "app_roles": ["Resource.Read"], "scopes": [], "clients": [CLIENT],
    });
    change(&mut policy);
    serde_json::from_value::<Policy>(policy).unwrap().compile().unwrap()
}

async fn keys(kit: &Kit, path: &str) -> KeySet {
    let answer = kit.get(path).await;
    let keys = KeySet::parse(answer.body.to_string().as_bytes()).unwrap();
    assert!(!keys.is_empty());
    keys
}

fn check(
    answer: &Answer,
    keys: &KeySet,
    validator: &Validator,
) -> Result<Verified<countersign_token::Claims>, Rejection> {
    let token = answer.body["access_token"].as_str().unwrap();
    verify(token, keys, validator, Timestamp::from_unix_seconds(NOW))
}

#[tokio::test]
async fn tokens_of_both_versions_pass_the_guards_whole_check() {
    let kit = Kit::start().await;
    let strict = policy(&kit, |_| {});
    let token = kit.token(&format!("{API}/.default")).await;
    for path in [format!("/{TENANT}/discovery/v2.0/keys"), "/common/discovery/v2.0/keys".to_owned()] {
        let verified = check(&token, &keys(&kit, &path).await, &strict).unwrap();
        assert_eq!(verified.version(), TokenVersion::V2);
        assert_eq!(verified.kind(), TokenKind::App);
        assert_eq!(verified.client().to_string(), CLIENT);
        assert_eq!(verified.tenant().to_string(), TENANT);
    }
    // The older API has no roles to give: the client passes on the policy's word, by name.
    let lenient = policy(&kit, |policy| {
        policy["app_roles"] = json!([]);
        policy["allow_without_permission"] = json!(true);
    });
    for scope in ["api%3A%2F%2Folder%2F.default".to_owned(), format!("{V1_API}/.default")] {
        let token = kit.token(&scope).await;
        for path in [format!("/{TENANT}/discovery/keys"), format!("/{TENANT}/discovery/v2.0/keys")] {
            let verified = check(&token, &keys(&kit, &path).await, &lenient).unwrap();
            assert_eq!((verified.version(), verified.client().to_string()), (TokenVersion::V1, CLIENT.to_owned()));
        }
        assert_eq!(
            check(&token, &keys(&kit, "/common/discovery/keys").await, &strict).unwrap_err(),
            Rejection::NoPermission
        );
    }
}

#[tokio::test]
async fn each_rule_of_the_policy_bites_on_a_genuine_token() {
    let kit = Kit::start().await;
    let token = kit.token(&format!("{API}/.default")).await;
    let keys = keys(&kit, &format!("/{TENANT}/discovery/v2.0/keys")).await;
    let refused = |change: fn(&mut serde_json::Value)| check(&token, &keys, &policy(&kit, change)).unwrap_err().code();
    let codes = [
        refused(|policy| policy["tenants"] = json!([OTHER_TENANT])),
        refused(|policy| policy["issuers"] = json!(["https://login.microsoftonline.com/{tenantid}/v2.0"])),
        refused(|policy| policy["audiences"] = json!([V1_API])),
        refused(|policy| policy["versions"] = json!(["1.0"])),
        refused(|policy| policy["kinds"] = json!(["user"])),
        refused(|policy| policy["app_roles"] = json!(["Resource.Write"])),
        refused(|policy| policy["clients"] = json!([API])),
    ];
    let distinct: std::collections::HashSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len(), "each rule has its own code: {codes:?}");
    // Another authority's keys are other keys.
    let stranger = Kit::start().await;
    let theirs = self::keys(&stranger, "/common/discovery/keys").await;
    assert_eq!(check(&token, &theirs, &policy(&kit, |_| {})).unwrap_err(), Rejection::UnknownKey);
}
