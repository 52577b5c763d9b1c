//! People, groups, managed identities and what a tenant allows, on their way from a file into a directory.
#![expect(clippy::unwrap_used, reason = "tests")]

mod loading_support;

use countersign_directory::{
    Applications, Commit, Directory, DirectoryFile, Grants, Groups, ServicePrincipalKind, ServicePrincipals, Tenant,
    Tenants, User, UserType, Users,
};

use loading_support::{Bench, NOW, client, resource, tenant};

const PEOPLE: &str = "
tenants:
- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
  displayName: Contoso
  domains: [contoso.com]
  userConsentAllowed: false
  users:
  - {userPrincipalName: alice@contoso.com, administrator: true, groups: [Board]}
  - {userPrincipalName: bob@contoso.com, userType: Guest, passwordExpired: true, mfaRequired: true, blockedByPolicy: true}
  groups:
  - {displayName: Staff, description: all of us, members: [bob@contoso.com, Board, Daemon, Crawler]}
  - {displayName: Board, id: 55555555-5555-4555-8555-555555555555, securityEnabled: false}
  applications:
  - appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11
    displayName: Api
    ownSigningKey: true
    appRoles:
    - {id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: Write, allowedMemberTypes: [Application]}
    - {id: 7e2b1a3c-9d4f-4b6a-8c1e-5f0a9b8c7d6e, value: Read, allowedMemberTypes: [Application, User]}
  - {appId: 22222222-2222-4222-8222-222222222222, displayName: Daemon}
  managedIdentities:
  - {name: Crawler, id: 66666666-6666-4666-8666-666666666666}
  - {displayName: Other, clientId: 77777777-7777-4777-8777-777777777777}
  appRoleAssignments:
  - {group: Staff, resource: Api, role: Read}
  - {group: Staff, resource: Api, role: Write}
  - {client: Other, resource: Api, role: Read}
";

#[tokio::test]
async fn people_groups_and_managed_identities_are_loaded() {
    let bench = Bench::new().await;
    let report = bench.load(PEOPLE).await.unwrap();
    assert_eq!((report.users, report.groups, report.applications, report.app_role_assignments), (2, 2, 4, 3));
    let mut tx = bench.directory.begin().await.unwrap();
    let contoso = tx.tenant(tenant()).await.unwrap().unwrap();
    assert!(contoso.enabled && contoso.own_signing_keys && !contoso.user_consent_allowed);
    let alice = tx.user_by_principal_name(tenant(), "alice@contoso.com").await.unwrap().unwrap();
    assert!(alice.is_administrator && alice.user_type == UserType::Member && alice.account_enabled);
    assert!(!alice.password_expired && !alice.mfa_required && !alice.blocked_by_policy);
    let bob = tx.user_by_principal_name(tenant(), "bob@contoso.com").await.unwrap().unwrap();
    assert!(!bob.is_administrator && bob.user_type == UserType::Guest);
    assert!(bob.password_expired && bob.mfa_required && bob.blocked_by_policy);

    let mut names = Vec::new();
    for group in tx.groups_containing(tenant(), alice.object_id).await.unwrap() {
        names.push((group.display_name, group.description, group.security_enabled));
    }
    names.sort();
    let staff = ("Staff".to_owned(), Some("all of us".to_owned()), true);
    assert_eq!(names, [("Board".to_owned(), None, false), staff]);
    let api = tx.service_principal(tenant(), resource()).await.unwrap().unwrap();
    assert!(api.own_signing_key && api.kind == ServicePrincipalKind::Application);
    let crawler = tx.service_principal_by_id(tenant(), "66666666-6666-4666-8666-666666666666".parse().unwrap());
    let crawler = crawler.await.unwrap().unwrap();
    assert_eq!((crawler.kind, crawler.display_name.as_str()), (ServicePrincipalKind::ManagedIdentity, "Crawler"));
    assert!(tx.application(crawler.app_id).await.unwrap().is_some());
    let other = "77777777-7777-4777-8777-777777777777".parse().unwrap();
    let other = tx.service_principal(tenant(), other).await.unwrap().unwrap();
    assert_eq!(other.kind, ServicePrincipalKind::ManagedIdentity);
    let daemon = tx.service_principal(tenant(), client()).await.unwrap().unwrap();
    for (who, expected) in [
        (bob.object_id, vec!["Read"]),
        (alice.object_id, vec![]),
        (daemon.object_id, vec!["Read", "Write"]),
        (crawler.object_id, vec!["Read", "Write"]),
        (other.object_id, vec!["Read"]),
    ] {
        assert_eq!(tx.app_role_values(tenant(), who, api.object_id).await.unwrap(), expected);
    }
    drop(tx);
    let revision = bench.directory.revision();
    bench.load(PEOPLE).await.unwrap();
    assert_eq!(bench.directory.revision(), revision, "nothing was written");
}

#[tokio::test]
async fn what_a_file_leaves_out_of_people_and_tenants_stays() {
    let bench = Bench::new().await;
    bench.load(PEOPLE).await.unwrap();
    let mut tx = bench.directory.begin().await.unwrap();
    let contoso = tx.tenant(tenant()).await.unwrap().unwrap();
    tx.update_tenant(&Tenant { enabled: false, own_signing_keys: false, ..contoso }).await.unwrap();
    let alice = tx.user_by_principal_name(tenant(), "alice@contoso.com").await.unwrap().unwrap();
    let locked_out = User { account_enabled: false, tokens_valid_from: NOW, is_administrator: false, ..alice };
    tx.update_user(&locked_out).await.unwrap();
    tx.commit().await.unwrap();
    bench.load(PEOPLE).await.unwrap();
    let mut tx = bench.directory.begin().await.unwrap();
    let contoso = tx.tenant(tenant()).await.unwrap().unwrap();
    assert!(!contoso.enabled && !contoso.own_signing_keys && !contoso.user_consent_allowed);
    let alice = tx.user(tenant(), locked_out.object_id).await.unwrap().unwrap();
    assert_eq!(alice, User { is_administrator: true, ..locked_out }, "only what the file states is as it states");
    let stated = PEOPLE
        .replace("administrator: true", "accountEnabled: true")
        .replace("userConsentAllowed: false", "enabled: true");
    drop(tx);
    bench.load(&stated).await.unwrap();
    let mut tx = bench.directory.begin().await.unwrap();
    assert!(tx.tenant(tenant()).await.unwrap().unwrap().enabled);
    let alice = tx.user(tenant(), alice.object_id).await.unwrap().unwrap();
    assert!(alice.account_enabled && alice.is_administrator && alice.tokens_valid_from == NOW);
}

#[tokio::test]
async fn a_later_file_may_name_groups_and_members_of_an_earlier_one() {
    let bench = Bench::new().await;
    bench.load(PEOPLE).await.unwrap();
    let second = "
tenants:
- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
  domains: [contoso.com]
  users: [{userPrincipalName: carol@contoso.com, groups: [Staff, 55555555-5555-4555-8555-555555555555]}]
  groups:
  - displayName: New
    members: [alice@contoso.com, Staff, Daemon, 66666666-6666-4666-8666-666666666666, 77777777-7777-4777-8777-777777777777]
  appRoleAssignments: [{group: Board, resource: Api, role: Read}]
";
    bench.load(second).await.unwrap();
    let mut tx = bench.directory.begin().await.unwrap();
    let new = tx.groups_of(tenant()).await.unwrap().into_iter().find(|group| group.display_name == "New").unwrap();
    assert_eq!(tx.members_of(tenant(), new.object_id).await.unwrap().len(), 5);
    let carol = tx.user_by_principal_name(tenant(), "carol@contoso.com").await.unwrap().unwrap();
    assert_eq!(tx.memberships_of(tenant(), carol.object_id).await.unwrap().len(), 2);
    assert_eq!(tx.groups_containing(tenant(), carol.object_id).await.unwrap().len(), 3);
    drop(tx);
    let wrong = "
tenants:
- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f
  domains: [contoso.com]
  users: [{userPrincipalName: carol@contoso.com, groups: [Staf]}]
  groups:
  - {displayName: New, members: [dave@contoso.com, New]}
  appRoleAssignments: [{group: Bord, resource: Api, role: Read}]
";
    assert_eq!(
        bench.refused(wrong).await,
        [
            "f.yaml:5: tenants[0].users[0].groups[0]: no group `Staf` in this tenant; \
         add it to `groups`, or write its id or its displayName exactly",
            "f.yaml:7: tenants[0].groups[0].members[0]: no user, group or application `dave@contoso.com` in this tenant; \
         write the userPrincipalName of a user, the displayName of one group or application, or an id",
            "f.yaml:7: tenants[0].groups[0].members[1]: a group that is a member of itself; remove it",
            "f.yaml:8: tenants[0].appRoleAssignments[0].group: no group `Bord` in this tenant; \
         add it to `groups`, or write its id or its displayName exactly",
        ]
    );
}

#[tokio::test]
async fn trusted_certificate_authorities_are_read_from_pem_and_replaced() {
    let bench = Bench::new().await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let text = |list: &str| {
        format!("tenants:\n- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f\n  trustedCertificateAuthorities: {list}")
    };
    let pem = certificate.pem().replace('\n', "\n    ");
    bench.load(&text(&format!("\n  - |\n    {pem}"))).await.unwrap();
    let stored = bench.directory.begin().await.unwrap().tenant(tenant()).await.unwrap().unwrap();
    assert_eq!(stored.trusted_certificate_authorities, [certificate.der().to_vec()]);
    bench.load("tenants: [{tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f}]").await.unwrap();
    assert_eq!(
        bench.directory.begin().await.unwrap().tenant(tenant()).await.unwrap(),
        Some(stored),
        "left out: it stays"
    );
    bench.load(&text("[]")).await.unwrap();
    let stored = bench.directory.begin().await.unwrap().tenant(tenant()).await.unwrap().unwrap();
    assert!(stored.trusted_certificate_authorities.is_empty());
}

/// The annotated file of the module's documentation has every member, is sound, and loads.
#[tokio::test]
async fn the_documented_file_is_loaded_without_a_warning() {
    let module = include_str!("../src/file/mod.rs");
    let text = module.split("//! ```yaml\n").nth(1).unwrap().split("//! ```\n").next().unwrap();
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_start_matches("//!"))).collect();
    let parsed = DirectoryFile::parse("f.yaml", &text).unwrap();
    assert_eq!(parsed.warnings, []);
    let report = Bench::new().await.load(&text).await.unwrap();
    assert_eq!((report.users, report.groups, report.applications), (1, 1, 3));
    assert_eq!((report.app_role_assignments, report.permission_grants), (2, 1));
}

#[tokio::test]
async fn b48_a_new_password_ends_what_the_old_one_opened() {
    let bench = Bench::new().await;
    let file = |password: &str| {
        format!(
            "tenants:\n- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f\n  displayName: Contoso\n  \
             users: [{{userPrincipalName: alice@contoso.com, password: {password}}}]\n"
        )
    };
    let valid_from = async || {
        let mut tx = bench.directory.begin().await.unwrap();
        tx.user_by_principal_name(tenant(), "alice@contoso.com").await.unwrap().unwrap().tokens_valid_from
    };
    bench.load(&file("correct-horse")).await.unwrap();
    let first = valid_from().await;
    bench.load(&file("correct-horse")).await.unwrap();
    assert_eq!(valid_from().await, first, "the same password changes nothing");
    bench.load(&file("battery-staple")).await.unwrap();
    assert_eq!(valid_from().await, NOW);
    assert_ne!(first, NOW);
}
