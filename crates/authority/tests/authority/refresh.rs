//! The refresh token grant: what a token is bound to, when it ends, and how often it may be used.

use std::time::Duration;

use countersign_directory::{Commit, Directory, Grants, ServicePrincipals, SqliteDirectory, Tenants, Users};
use countersign_token::Timestamp;
use futures_util::future::join_all;
use serde_json::Value;

use crate::crowd::{App, CONTOSO, FABRIKAM, LITWARE, SECRET, Tenant, form, start, start_on_disk};
use crate::kit::{Answer, EVERYTHING, Kit, NOW, claims};

async fn refresh(kit: &Kit, tenant: Tenant, token: &Value, more: &[(&str, &str)]) -> Answer {
    refresh_as(kit, &tenant.token_path(), &tenant.app(App::Public), token, more).await
}

async fn refresh_as(kit: &Kit, path: &str, client: &str, token: &Value, more: &[(&str, &str)]) -> Answer {
    let mut parameters = vec![("grant_type", "refresh_token"), ("client_id", client)];
    parameters.push(("refresh_token", token.as_str().unwrap()));
    parameters.extend(more);
    kit.post(path, &form(&parameters)).await
}

#[tokio::test]
async fn a_refresh_answers_everything_anew_and_an_older_token_stays_usable() {
    let kit = start().await;
    let first = kit.alice(CONTOSO).await;
    let mut token = first.body["refresh_token"].clone();
    for round in 0..3 {
        kit.clock.advance(Duration::from_secs(80 * 86_400));
        let scope = format!("{} openid profile offline_access", CONTOSO.scope("Orders.Read"));
        let answer = refresh(&kit, CONTOSO, &token, &[("scope", &scope), ("client_info", "1")]).await;
        assert_eq!(answer.status, 200, "{round} {answer:?}");
        assert_eq!(answer.members(), EVERYTHING);
        assert_ne!(answer.body["refresh_token"], token);
        // The one before is good too, as with Entra.
        assert_eq!(refresh(&kit, CONTOSO, &token, &[]).await.status, 200);
        token = answer.body["refresh_token"].clone();
    }
    // The session is still the first one.
    let answer = refresh(&kit, CONTOSO, &token, &[]).await;
    let before = claims(&first.body["access_token"]);
    assert_eq!(claims(&answer.body["access_token"])["sid"], before["sid"]);
    assert_eq!(answer.body["scope"], first.body["scope"]);
}

#[tokio::test]
async fn another_resource_may_be_asked_for_and_of_several_the_first_is_meant() {
    let kit = start().await;
    let token = kit.alice(CONTOSO).await.body["refresh_token"].clone();
    let answer = refresh(&kit, CONTOSO, &token, &[("scope", "User.Read openid")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(claims(&answer.body["access_token"])["aud"], "00000003-0000-0000-c000-000000000000");
    assert_eq!(answer.body["scope"], "openid profile User.Read");
    let several = format!("https://graph.microsoft.com/User.Read {}", CONTOSO.scope("Orders.Read"));
    let answer = refresh(&kit, CONTOSO, &token, &[("scope", &several)]).await;
    assert_eq!(claims(&answer.body["access_token"])["aud"], "https://graph.microsoft.com", "{answer:?}");
    assert_eq!(answer.body["scope"], "openid profile https://graph.microsoft.com/User.Read");
    assert_eq!(claims(&answer.body["access_token"])["scp"], "User.Read openid profile");
    // B47: nothing that nobody has consented to.
    for (scope, code) in [
        (CONTOSO.scope("Orders.Admin"), 65001),
        (CONTOSO.downstream(".default"), 650057),
        (CONTOSO.scope("Nothing"), 650053),
        ("a\"b".to_owned(), 28002),
    ] {
        assert_eq!(refresh(&kit, CONTOSO, &token, &[("scope", &scope)]).await.refusal().2, code, "{scope}");
    }
}

#[tokio::test]
async fn tokens_of_both_versions_are_good_at_both() {
    let kit = start().await;
    let token = kit.alice(CONTOSO).await.body["refresh_token"].clone();
    let public = CONTOSO.app(App::Public);
    let v1 = refresh_as(&kit, &CONTOSO.token_path_v1(), &public, &token, &[("resource", "api://orders1")]).await;
    assert_eq!((v1.status, v1.body["resource"].as_str()), (200, Some("api://orders1")), "{v1:?}");
    assert!(v1.body["expires_in"].is_string() && v1.body["id_token"].is_string());
    // Without a resource it is that of the first request.
    let same = refresh_as(&kit, &CONTOSO.token_path_v1(), &public, &token, &[]).await;
    assert_eq!(same.body["resource"], "api://orders1", "{same:?}");
    let parameters = [
        ("grant_type", "password"),
        ("client_id", public.as_str()),
        ("username", &CONTOSO.user("alice")),
        ("password", crate::crowd::PASSWORD),
        ("resource", "api://orders1"),
    ];
    let v1 = kit.post(&CONTOSO.token_path_v1(), &form(&parameters)).await;
    let back = refresh(&kit, CONTOSO, &v1.body["refresh_token"], &[]).await;
    assert_eq!((back.status, back.body["expires_in"].is_number()), (200, true), "{back:?}");
    assert_eq!(claims(&back.body["access_token"])["aud"], CONTOSO.app(App::Api));
}

#[tokio::test]
async fn b47_a_token_is_bound_to_its_client_and_its_tenant() {
    let kit = start().await;
    let token = kit.alice(CONTOSO).await.body["refresh_token"].clone();
    let another = refresh_as(&kit, &CONTOSO.token_path(), &CONTOSO.app(App::Known), &token, &[]).await;
    assert_eq!(another.refusal(), (400, "invalid_grant", 70000), "{another:?}");
    let elsewhere = refresh_as(&kit, &FABRIKAM.token_path(), &FABRIKAM.app(App::Public), &token, &[]).await;
    assert_eq!(elsewhere.refusal(), (400, "invalid_grant", 700005), "{elsewhere:?}");
    let stranger = refresh_as(&kit, &CONTOSO.token_path(), CONTOSO.id, &token, &[]).await;
    assert_eq!(stranger.refusal().2, 700016);
    // A public client's token comes without a proof.
    let proven = refresh(&kit, CONTOSO, &token, &[("client_secret", SECRET)]).await;
    assert_eq!(proven.refusal(), (401, "invalid_client", 700025));
    // An alias takes the tenant from the token, and serves applications for several tenants only.
    let alias = refresh_as(&kit, "/common/oauth2/v2.0/token", &CONTOSO.app(App::Public), &token, &[]).await;
    assert_eq!(alias.refusal(), (400, "unauthorized_client", 50194));
    let consumers = refresh_as(&kit, "/consumers/oauth2/v2.0/token", &CONTOSO.app(App::Public), &token, &[]).await;
    assert_eq!(consumers.refusal(), (400, "invalid_grant", 700005));
    let parameters = [
        ("grant_type", "password"),
        ("client_id", &CONTOSO.app(App::Everywhere)),
        ("username", &CONTOSO.user("alice")),
        ("password", crate::crowd::PASSWORD),
        ("scope", "api://orders1/Orders.Read offline_access"),
    ];
    let many = kit.post("/organizations/oauth2/v2.0/token", &form(&parameters)).await;
    for alias in ["common", "organizations"] {
        let path = format!("/{alias}/oauth2/v2.0/token");
        let token = &many.body["refresh_token"];
        let answer = refresh_as(&kit, &path, &CONTOSO.app(App::Everywhere), token, &[]).await;
        assert_eq!(claims(&answer.body["access_token"])["tid"], CONTOSO.id, "{answer:?}");
    }
}

#[tokio::test]
async fn b50_what_is_no_refresh_token_is_refused_as_recorded() {
    let kit = start().await;
    let tokens = kit.alice(CONTOSO).await.body;
    let token = tokens["refresh_token"].as_str().unwrap();
    let altered = format!("{}A", &token[..token.len() - 1]);
    let other = if altered == token { format!("{}B", &token[..token.len() - 1]) } else { altered };
    for text in [
        tokens["access_token"].clone(),
        tokens["id_token"].clone(),
        "garbage".into(),
        other.into(),
        "1.A".repeat(5_000).into(),
    ] {
        let answer = refresh(&kit, CONTOSO, &text, &[]).await;
        assert_eq!(answer.refusal(), (400, "invalid_grant", 9002313), "{answer:?}");
        assert_eq!(answer.body["suberror"], "bad_token");
    }
    let alias = refresh_as(&kit, "/common/oauth2/v2.0/token", &CONTOSO.app(App::Public), &"x".into(), &[]).await;
    assert_eq!(alias.refusal(), (400, "invalid_grant", 9002313));
    let missing = format!("grant_type=refresh_token&client_id={}", CONTOSO.app(App::Public));
    assert_eq!(kit.post(&CONTOSO.token_path(), &missing).await.refusal(), (400, "invalid_request", 900144));
}

#[tokio::test]
async fn b49_a_token_that_nobody_uses_ends_after_ninety_days() {
    let kit = start().await;
    let token = kit.alice(CONTOSO).await.body["refresh_token"].clone();
    kit.clock.advance(Duration::from_secs(90 * 86_400 - 1));
    assert_eq!(refresh(&kit, CONTOSO, &token, &[]).await.status, 200);
    kit.clock.advance(Duration::from_secs(1));
    let answer = refresh(&kit, CONTOSO, &token, &[("x-client-SKU", "msal.js.node")]).await;
    assert_eq!(answer.refusal(), (400, "invalid_grant", 700082));
    // A client that sends telemetry is told the token's age, in milliseconds (recorded).
    assert_eq!(answer.header("x-ms-clitelem"), "1,700082,0,7776000000.0000,");
    let told = answer.body["error_description"].as_str().unwrap();
    assert!(told.contains("was issued on 2026-01-01T00:00:00.0000000Z and was inactive for 90.00:00:00"), "{told}");
    // In a strict tenant the end does not move at all.
    let kit = start().await;
    let mut token = kit.alice(LITWARE).await.body["refresh_token"].clone();
    kit.clock.advance(Duration::from_secs(60 * 86_400));
    token = refresh(&kit, LITWARE, &token, &[]).await.body["refresh_token"].clone();
    kit.clock.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(refresh(&kit, LITWARE, &token, &[]).await.refusal().2, 700082);
}

#[tokio::test]
async fn b45_in_a_strict_tenant_a_token_is_good_once_and_its_replay_ends_the_family() {
    let kit = start().await;
    let first = kit.alice(LITWARE).await.body["refresh_token"].clone();
    let second = refresh(&kit, LITWARE, &first, &[]).await.body["refresh_token"].clone();
    let third = refresh(&kit, LITWARE, &second, &[]).await.body["refresh_token"].clone();
    let replayed = refresh(&kit, LITWARE, &first, &[]).await;
    assert_eq!(replayed.refusal(), (400, "invalid_grant", 70000), "{replayed:?}");
    for token in [&third, &second, &first] {
        assert_eq!(refresh(&kit, LITWARE, token, &[]).await.refusal(), (400, "invalid_grant", 70000));
    }
    // Another sign-in of the same user goes on.
    let other = kit.alice(LITWARE).await.body["refresh_token"].clone();
    assert_eq!(refresh(&kit, LITWARE, &other, &[]).await.status, 200);
}

#[tokio::test]
async fn b46_of_eight_refreshes_at_once_one_wins_in_a_strict_tenant() {
    let kit = start().await;
    let token = kit.alice(LITWARE).await.body["refresh_token"].clone();
    let answers = join_all((0..8).map(|_| refresh(&kit, LITWARE, &token, &[]))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.refusal().2 == 70000));
    // And no second family lives on: whoever lost may have been the owner.
    assert_eq!(refresh(&kit, LITWARE, &won[0].body["refresh_token"], &[]).await.refusal().2, 70000);
    // Elsewhere all of them are served.
    let token = kit.alice(CONTOSO).await.body["refresh_token"].clone();
    let answers = join_all((0..8).map(|_| refresh(&kit, CONTOSO, &token, &[]))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn claims_are_read_and_refused_clearly() {
    let kit = start().await;
    let token = kit.alice(CONTOSO).await.body["refresh_token"].clone();
    let capable = r#"{"access_token":{"xms_cc":{"values":["cp1"]},"nbf":{"essential":true, "value":"1604106651"}}}"#;
    assert_eq!(refresh(&kit, CONTOSO, &token, &[("claims", capable)]).await.status, 200);
    for claims in ["{", "[]", r#"{"access_token":[]}"#, r#"{"access_token":{"nbf":{"value":"soon"}}}"#] {
        let answer = refresh(&kit, CONTOSO, &token, &[("claims", claims)]).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", 90100), "{claims}");
        assert!(answer.body["error_description"].as_str().unwrap().contains("'claims'"));
    }
    let demanded = r#"{"access_token":{"acrs":{"essential":true,"values":["c1","c2"]}}}"#;
    let answer = refresh(&kit, CONTOSO, &token, &[("claims", demanded)]).await;
    assert_eq!(answer.refusal(), (400, "interaction_required", 50076));
    assert_eq!(answer.body["claims"], demanded);
    let wished = demanded.replace("\"essential\":true,", "");
    assert_eq!(refresh(&kit, CONTOSO, &token, &[("claims", &wished)]).await.status, 200);
}

/// Changes what is stored while the authority is down, and starts it again.
async fn changed(
    data: &std::path::Path,
    kit: Kit,
    change: impl AsyncFnOnce(&mut countersign_directory::SqliteTx),
) -> Kit {
    kit.authority.shutdown().await;
    let directory = SqliteDirectory::open(data.join("countersign.db")).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    change(&mut tx).await;
    tx.commit().await.unwrap();
    drop(directory);
    Kit::from(crate::kit::on_disk(data, &kit.clock), kit.clock).await
}

#[tokio::test]
async fn b48_b85_what_was_taken_back_since_ends_the_refresh() {
    let data = tempfile::tempdir().unwrap();
    let kit = start_on_disk(data.path()).await;
    let token = kit.alice(CONTOSO).await.body["refresh_token"].clone();
    let (tenant, alice) = (CONTOSO.id.parse().unwrap(), CONTOSO.oid("alice").parse().unwrap());
    kit.clock.advance(Duration::from_secs(60));
    assert_eq!(refresh(&kit, CONTOSO, &token, &[]).await.status, 200);

    // The user's consent to the second permission; that of the organisation to the first stays.
    let kit = changed(data.path(), kit, async |tx| {
        let client = tx.service_principal(tenant, CONTOSO.app(App::Public).parse().unwrap()).await.unwrap().unwrap();
        for grant in tx.permission_grants_of(tenant, client.object_id).await.unwrap() {
            if grant.user == Some(alice) {
                assert!(tx.remove_permission_grant(tenant, grant.id).await.unwrap());
            }
        }
    })
    .await;
    let narrowed = refresh(&kit, CONTOSO, &token, &[]).await;
    assert_eq!(claims(&narrowed.body["access_token"])["scp"], "Orders.Read", "{narrowed:?}");
    let wider = refresh(&kit, CONTOSO, &token, &[("scope", &CONTOSO.scope("Orders.Write"))]).await;
    assert_eq!(wider.refusal(), (400, "invalid_grant", 65001));

    // The sessions, as a reset of the password does.
    let kit = changed(data.path(), kit, async |tx| {
        let mut user = tx.user(tenant, alice).await.unwrap().unwrap();
        user.tokens_valid_from = Timestamp::from_unix_seconds(NOW + 60);
        tx.update_user(&user).await.unwrap();
    })
    .await;
    let revoked = refresh(&kit, CONTOSO, &token, &[]).await;
    assert_eq!(revoked.refusal(), (400, "invalid_grant", 50173));
    assert_eq!(revoked.body["suberror"], "bad_token");
    let told = revoked.body["error_description"].as_str().unwrap();
    assert!(
        told.contains("issued on '2026-01-01T00:00:00.0000000Z'") && told.contains("is '2026-01-01T00:01:00.0000000Z'")
    );
    let again = kit.alice(CONTOSO).await.body["refresh_token"].clone();
    assert_eq!(refresh(&kit, CONTOSO, &again, &[]).await.status, 200);

    // The account, and then the tenant.
    let kit = changed(data.path(), kit, async |tx| {
        let mut user = tx.user(tenant, alice).await.unwrap().unwrap();
        user.account_enabled = false;
        tx.update_user(&user).await.unwrap();
    })
    .await;
    assert_eq!(refresh(&kit, CONTOSO, &again, &[]).await.refusal(), (400, "invalid_grant", 50057));
    let kit = changed(data.path(), kit, async |tx| {
        let mut here = tx.tenant(tenant).await.unwrap().unwrap();
        here.enabled = false;
        tx.update_tenant(&here).await.unwrap();
    })
    .await;
    assert_eq!(refresh(&kit, CONTOSO, &again, &[]).await.refusal(), (400, "invalid_request", 90002));
}
