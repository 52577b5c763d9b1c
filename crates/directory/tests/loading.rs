//! A directory file's way into a directory: all of it or nothing, and twice the same.
#![expect(clippy::unwrap_used, reason = "tests")]

mod loading_support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_directory::{
    Applications, Argon2id, Commit, Credentials, Directory, DirectoryFile, Grants, LoadContext, MICROSOFT_GRAPH,
    PasswordHasher, ServicePrincipals, Tenants, Users,
};
use countersign_token::SeededRandomness;

use loading_support::{Bench, Counting, NOW, client, fabrikam, resource, tenant};

const CONTOSO: &str = "
tenants:
- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
  displayName: Contoso
  domains: [contoso.onmicrosoft.com, contoso.com]
  users:
  - {id: 11111111-1111-4111-8111-111111111111, userPrincipalName: alice@contoso.com, displayName: Alice, password: pw-of-alice}
  - {userPrincipalName: bob@contoso.com}
  applications:
  - appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11
    displayName: DemoResourceApp
    identifierUris: [\"api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11\"]
    signInAudience: AzureADMultipleOrgs
    servicePrincipal: {appRoleAssignmentRequired: true, servicePrincipalNames: [orders, a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11]}
    api: {requestedAccessTokenVersion: 2, oauth2PermissionScopes: [{id: 0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11, value: access_as_user}]}
    appRoles:
    - {id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: Resource.Write, allowedMemberTypes: [Application]}
    - {id: 7e2b1a3c-9d4f-4b6a-8c1e-5f0a9b8c7d6e, value: Resource.Read, allowedMemberTypes: [Application, User]}
  - appId: 22222222-2222-4222-8222-222222222222
    displayName: DemoClientApp
    passwordCredentials: [{displayName: demo, secretText: s3cret-of-the-demo}]
    federatedIdentityCredentials: [{name: k8s, issuer: \"https://i/\", subject: s, audiences: [\"api://AzureADTokenExchange\"]}]
  - {appId: 33333333-3333-4333-8333-333333333333, displayName: Ghost, servicePrincipal: false}
  appRoleAssignments:
  - {client: DemoClientApp, resource: DemoResourceApp, role: Resource.Read}
  - {client: DemoClientApp, resource: \"api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11\", role: f8d39977-e31e-460b-b92c-9cef51d14f98}
  - {user: Alice@Contoso.com, resource: DemoResourceApp, role: Resource.Read}
  - {client: 22222222-2222-4222-8222-222222222222, resource: 00000003-0000-0000-c000-000000000000, role: User.Read.All}
  oauth2PermissionGrants:
  - {client: DemoClientApp, resource: DemoResourceApp, scopes: [access_as_user], consentType: AllPrincipals}
  - {client: DemoClientApp, resource: Microsoft Graph, scopes: [User.Read, openid], user: alice@contoso.com}
- tenantId: 7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e
  displayName: Fabrikam
  servicePrincipals: [{appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11, accountEnabled: false}]
";

#[tokio::test]
async fn the_whole_story_is_loaded() {
    let bench = Bench::new().await;
    let report = bench.load(CONTOSO).await.unwrap();
    assert_eq!((report.tenants, report.users, report.applications, report.secrets), (2, 2, 3, 1));
    assert_eq!((report.certificates, report.federated_credentials), (0, 1));
    assert_eq!((report.app_role_assignments, report.permission_grants), (4, 2));

    let mut tx = bench.directory.begin().await.unwrap();
    assert_eq!(tx.tenant_by_domain("contoso.com").await.unwrap().unwrap().id, tenant());
    let client_sp = tx.service_principal(tenant(), client()).await.unwrap().unwrap();
    let resource_sp = tx.resource(tenant(), "orders").await.unwrap().unwrap();
    assert_eq!((resource_sp.app_id, resource_sp.names.as_slice()), (resource(), ["orders".to_owned()].as_slice()));
    assert!(resource_sp.app_role_assignment_required && !client_sp.app_role_assignment_required);
    let values = tx.app_role_values(tenant(), client_sp.object_id, resource_sp.object_id).await.unwrap();
    assert_eq!(values, ["Resource.Read", "Resource.Write"]);
    let graph = tx.service_principal(tenant(), MICROSOFT_GRAPH).await.unwrap().unwrap();
    let values = tx.app_role_values(tenant(), client_sp.object_id, graph.object_id).await.unwrap();
    assert_eq!(values, ["User.Read.All"]);
    let alice = tx.user_by_principal_name(tenant(), "alice@contoso.com").await.unwrap().unwrap();
    let values = tx.app_role_values(tenant(), alice.object_id, resource_sp.object_id).await.unwrap();
    assert_eq!(values, ["Resource.Read"]);
    assert_eq!(alice.password_hash.unwrap().as_phc(), "ecila-fo-wp");
    assert_eq!(tx.user_by_principal_name(tenant(), "bob@contoso.com").await.unwrap().unwrap().password_hash, None);

    let grants = tx.permission_grants_of(tenant(), client_sp.object_id).await.unwrap();
    let personal = grants.iter().find(|grant| grant.user == Some(alice.object_id)).unwrap();
    assert_eq!(personal.scopes.iter().map(String::as_str).collect::<Vec<_>>(), ["User.Read", "openid"]);

    let secrets = tx.secrets(client()).await.unwrap();
    assert_eq!((secrets.len(), secrets[0].hint.as_str(), secrets[0].starts_at), (1, "s3c", NOW));
    assert_eq!(secrets[0].ends_at, NOW.plus(Duration::from_secs(2 * 365 * 86_400)));
    assert!(secrets[0].matches(&bench.vault.hash_secret("s3cret-of-the-demo")));
    assert_eq!(tx.federated_credentials(client()).await.unwrap()[0].issuer, "https://i/");
    assert!(
        tx.service_principal(tenant(), "33333333-3333-4333-8333-333333333333".parse().unwrap())
            .await
            .unwrap()
            .is_none()
    );
    let guest = tx.service_principal(fabrikam(), resource()).await.unwrap().unwrap();
    assert!(!guest.account_enabled && guest.object_id != resource_sp.object_id);
}

#[tokio::test]
async fn loading_twice_changes_nothing() {
    let bench = Bench::new().await;
    let first = bench.load(CONTOSO).await.unwrap();
    let revision = bench.directory.revision();
    let later = NOW.plus(Duration::from_secs(86_400));
    assert_eq!(bench.load_at(CONTOSO, later).await.unwrap(), first);
    assert_eq!(bench.directory.revision(), revision, "nothing was written");
    assert_eq!(bench.hasher.hashed.load(Ordering::Relaxed), 1, "the password was hashed once");
}

#[tokio::test]
async fn an_altered_file_applies_the_difference() {
    let bench = Bench::new().await;
    bench.load(CONTOSO).await.unwrap();
    let altered = CONTOSO
        .replace("displayName: Contoso", "displayName: Contoso Ltd")
        .replace("contoso.onmicrosoft.com, ", "")
        .replace("pw-of-alice", "new-pw")
        .replace("s3cret-of-the-demo", "another-s3cret-0123")
        .replace("displayName: DemoClientApp", "displayName: DemoClientApp\n    notes: changed")
        .replace("issuer: \"https://i/\"", "issuer: \"https://other/\"")
        .replace("servicePrincipal: {appRoleAssignmentRequired: true, servicePrincipalNames: [orders, a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11]}", "servicePrincipal: {accountEnabled: false}")
        .replace("scopes: [User.Read, openid]", "scopes: [openid]")
        .replace("  - {client: DemoClientApp, resource: DemoResourceApp, role: Resource.Read}\n", "");
    bench.load(&altered).await.unwrap();

    let mut tx = bench.directory.begin().await.unwrap();
    let contoso = tx.tenant(tenant()).await.unwrap().unwrap();
    assert_eq!(
        (contoso.display_name.as_str(), contoso.domains.as_slice()),
        ("Contoso Ltd", ["contoso.com".to_owned()].as_slice())
    );
    let alice = tx.user_by_principal_name(tenant(), "alice@contoso.com").await.unwrap().unwrap();
    assert_eq!(alice.password_hash.unwrap().as_phc(), "wp-wen");
    let secrets = tx.secrets(client()).await.unwrap();
    assert_eq!(secrets.len(), 1, "the secret named demo was replaced");
    assert!(secrets[0].matches(&bench.vault.hash_secret("another-s3cret-0123")));
    assert_eq!(tx.application(client()).await.unwrap().unwrap().document()["notes"], "changed");
    let federated = tx.federated_credentials(client()).await.unwrap();
    assert_eq!((federated.len(), federated[0].issuer.as_str()), (1, "https://other/"));
    let resource_sp = tx.service_principal(tenant(), resource()).await.unwrap().unwrap();
    assert!(resource_sp.app_role_assignment_required && !resource_sp.account_enabled, "what is not stated stays");
    let client_sp = tx.service_principal(tenant(), client()).await.unwrap().unwrap();
    let held = tx.app_role_assignments_of(tenant(), client_sp.object_id).await.unwrap();
    assert_eq!(held.len(), 3, "a grant that the file leaves out stays");
    let grants = tx.permission_grants_of(tenant(), client_sp.object_id).await.unwrap();
    let personal = grants.iter().find(|grant| grant.user.is_some()).unwrap();
    assert_eq!(personal.scopes.iter().map(String::as_str).collect::<Vec<_>>(), ["openid"]);
}

#[tokio::test]
async fn a_later_file_may_name_what_an_earlier_one_brought() {
    let bench = Bench::new().await;
    bench.load(CONTOSO).await.unwrap();
    let second = "
tenants:
- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
  displayName: Contoso
  domains: [contoso.onmicrosoft.com, contoso.com]
  applications: [{appId: 66666666-6666-4666-8666-666666666666, displayName: Second}]
  appRoleAssignments:
  - {client: Second, resource: DemoResourceApp, role: Resource.Read}
  - {client: DemoClientApp, resource: orders, role: 00000000-0000-0000-0000-000000000000}
  oauth2PermissionGrants: [{client: Second, resource: DemoResourceApp, scopes: [access_as_user], user: bob@contoso.com}]
";
    let report = bench.load(second).await.unwrap();
    assert_eq!((report.app_role_assignments, report.permission_grants), (2, 1));
}

#[tokio::test]
async fn what_nobody_knows_is_refused_with_its_place_and_nothing_is_loaded() {
    let bench = Bench::new().await;
    let text = "
tenants:
- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
  domains: [contoso.com]
  users: [{userPrincipalName: alice@contoso.com}]
  applications:
  - {appId: 22222222-2222-4222-8222-222222222222, displayName: DemoClientApp}
  appRoleAssignments:
  - {client: DemoClientAp, resource: DemoClientApp, role: 00000000-0000-0000-0000-000000000000}
  - {client: DemoClientApp, resource: 77777777-7777-4777-8777-777777777777, role: X}
  - {user: carol@contoso.com, resource: DemoClientApp, role: 00000000-0000-0000-0000-000000000000}
  oauth2PermissionGrants:
  - {client: DemoClientApp, resource: Microsoft Graph, scopes: [openid], user: carol@contoso.com}
";
    assert_eq!(
        bench.refused(text).await,
        [
            "f.yaml:9: tenants[0].appRoleAssignments[0].client: no application `DemoClientAp` in this tenant; \
         did you mean `DemoClientApp`?",
            "f.yaml:10: tenants[0].appRoleAssignments[1].resource: no application \
         `77777777-7777-4777-8777-777777777777` in this tenant; \
         add it to `applications`, or write its appId or its displayName exactly",
            "f.yaml:11: tenants[0].appRoleAssignments[2].user: no user `carol@contoso.com` in this tenant; \
         add it to `users`, or write its userPrincipalName exactly",
            "f.yaml:13: tenants[0].oauth2PermissionGrants[0].user: no user `carol@contoso.com` in this tenant; \
         add it to `users`, or write its userPrincipalName exactly",
        ]
    );
    let mut tx = bench.directory.begin().await.unwrap();
    assert!(tx.tenants().await.unwrap().is_empty());
    assert!(tx.application(client()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_clash_with_the_directory_is_refused_with_its_place() {
    let bench = Bench::new().await;
    bench.load(CONTOSO).await.unwrap();
    let revision = bench.directory.revision();
    let other = "
tenants:
- tenantId: 7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e
  domains: [contoso.com]
- tenantId: 88888888-8888-4888-8888-888888888888
  applications: [{appId: 22222222-2222-4222-8222-222222222222}]
  servicePrincipals:
  - {appId: 33333333-3333-4333-8333-333333333333}
  - {appId: 99999999-9999-4999-8999-999999999999}
- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
  domains: [contoso.onmicrosoft.com]
  applications:
  - {appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11, servicePrincipal: {id: 99999999-9999-4999-8999-999999999999}}
  users: [{userPrincipalName: ALICE@contoso.onmicrosoft.com, id: 44444444-4444-4444-8444-444444444444}, {userPrincipalName: alice@contoso.com, id: 44444444-4444-4444-8444-444444444445}]
";
    let mut tx = bench.directory.begin().await.unwrap();
    let sp = tx.service_principal(tenant(), resource()).await.unwrap().unwrap().object_id;
    drop(tx);
    assert_eq!(bench.refused(other).await, [
        "f.yaml:3: tenants[0]: the directory has this domain already, under another owner; \
         change it here, or remove it there".to_owned(),
        "f.yaml:6: tenants[1].applications[0]: 22222222-2222-4222-8222-222222222222 is registered in the tenant \
         6babcaad-604b-40ac-a9d7-9fd97c0b779f; give it another appId, or name it there".to_owned(),
        "f.yaml:8: tenants[1].servicePrincipals[0]: `Ghost` is for its home tenant only; \
         set its `signInAudience` to AzureADMultipleOrgs, or remove the entry".to_owned(),
        "f.yaml:9: tenants[1].servicePrincipals[1]: 99999999-9999-4999-8999-999999999999 is not the appId of a known \
         application; register it in its home tenant first".to_owned(),
        format!("f.yaml:13: tenants[2].applications[0].servicePrincipal: the directory has this service principal under \
         the id {sp}; write that id, or leave it out"),
        "f.yaml:14: tenants[2].users[1]: the directory has this user already, under another owner; \
         change it here, or remove it there".to_owned(),
    ]);
    assert_eq!(bench.directory.revision(), revision);
}

#[tokio::test]
async fn two_files_can_be_one_transaction() {
    let bench = Bench::new().await;
    let good = DirectoryFile::parse("good.yaml", CONTOSO).unwrap().file;
    let bad = "tenants: [{tenantId: 88888888-8888-4888-8888-888888888888, domains: [contoso.com]}]";
    let bad = DirectoryFile::parse("bad.yaml", bad).unwrap().file;
    let context = LoadContext { vault: &bench.vault, passwords: Arc::new(Counting::default()), now: NOW };
    let mut tx = bench.directory.begin().await.unwrap();
    good.load_into(&mut tx, &context).await.unwrap();
    let error = bad.load_into(&mut tx, &context).await.unwrap_err();
    assert!(error.to_string().starts_with("bad.yaml:1: tenants[0]: the directory has this domain already"), "{error}");
    drop(tx);
    assert!(bench.directory.begin().await.unwrap().tenants().await.unwrap().is_empty());

    let mut tx = bench.directory.begin().await.unwrap();
    good.load_into(&mut tx, &context).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(bench.directory.begin().await.unwrap().tenants().await.unwrap().len(), 2);
}

#[tokio::test]
async fn json_is_loaded_like_yaml() {
    let bench = Bench::new().await;
    let json = r#"{"tenants": [{"tenantId": "6babcaad-604b-40ac-a9d7-9fd97c0b779f", "applications": [
        {"appId": "22222222-2222-4222-8222-222222222222", "displayName": "\u00c4pp \ud83d\ude00"}]}]}"#;
    let file = DirectoryFile::parse("export.json", json).unwrap().file;
    let passwords = Arc::new(Argon2id::new(SeededRandomness::from_seed(1)));
    file.load(&bench.directory, &LoadContext { vault: &bench.vault, passwords, now: NOW }).await.unwrap();
    let mut tx = bench.directory.begin().await.unwrap();
    assert_eq!(tx.application(client()).await.unwrap().unwrap().display_name(), "Äpp 😀");
}

/// The example of the documentation, as somebody would write it first.
#[tokio::test]
async fn a_real_password_is_hashed_with_argon2id() {
    let bench = Bench::new().await;
    let file = DirectoryFile::parse("f.yaml", CONTOSO).unwrap().file;
    let hasher = Arc::new(Argon2id::new(SeededRandomness::from_seed(1)));
    let context = LoadContext { vault: &bench.vault, passwords: Arc::clone(&hasher) as _, now: NOW };
    file.load(&bench.directory, &context).await.unwrap();
    let mut tx = bench.directory.begin().await.unwrap();
    let alice = tx.user_by_principal_name(tenant(), "alice@contoso.com").await.unwrap().unwrap();
    assert!(hasher.verify(&"pw-of-alice".into(), &alice.password_hash.unwrap()));
}
