//! The richer rules of a policy: all-of, the caller's proof, guests, groups, authentication contexts, any tenant.

#![expect(clippy::unwrap_used, reason = "tests")]

use countersign_token::policy::{ClientAuthentication, Guests, Permission};
use countersign_token::{Claims, Policy, PolicyError, Rejection, Timestamp, TokenKind, Verified, authenticate};
use serde_json::{Value, json};

use self::kit::{
    CLIENT, CONSUMERS, Kit, NOW, OTHER_CLIENT, OTHER_TENANT, TENANT, V1_TEMPLATE, V2_TEMPLATE, issuer, key_set,
};

mod kit;

const GROUP: &str = "55555555-0d2e-4c8a-9d43-0f0f2d4a5c11";
const OTHER_GROUP: &str = "66666666-0d2e-4c8a-9d43-0f0f2d4a5c11";

fn authenticated(kit: &Kit) -> Verified<Claims> {
    let policy: Policy = serde_json::from_value(kit.policy.clone()).unwrap();
    let now = Timestamp::from_unix_seconds(NOW);
    authenticate(&kit.token(), &key_set(&kit.keys), &policy.compile().unwrap(), now).unwrap()
}

fn policy(kit: &Kit) -> Policy {
    serde_json::from_value(kit.policy.clone()).unwrap()
}

#[test]
fn every_role_of_an_all_of_list_is_wanted() {
    let both = json!(["Resource.Read", "Resource.Write"]);
    let kit = Kit::v2_app().policy("app_roles", json!([])).policy("all_app_roles", both.clone());
    kit.refused(Rejection::RoleMissing);
    kit.clone().claim("roles", both.clone()).accepted();
    kit.claim("roles", json!(["Resource.Write", "Other"])).refused(Rejection::RoleMissing);
    // Beside an any-of list both must be met.
    let kit = Kit::v2_app().policy("app_roles", json!(["A", "B"])).policy("all_app_roles", json!(["C"]));
    kit.clone().claim("roles", json!(["A", "C"])).accepted();
    kit.clone().claim("roles", json!(["C"])).refused(Rejection::RoleMissing);
    kit.claim("roles", json!(["A", "B"])).refused(Rejection::RoleMissing);
}

#[test]
fn every_scope_of_an_all_of_list_is_wanted_and_roles_count_for_nothing() {
    let kit = Kit::v2_user().policy("scopes", json!([])).policy("all_scopes", json!(["read", "write"]));
    kit.clone().claim("scp", "read").refused(Rejection::ScopeMissing);
    kit.clone().claim("scp", "read").claim("roles", json!(["write"])).refused(Rejection::ScopeMissing);
    kit.claim("scp", "write x read").accepted();
    // A95: the same words as roles of an application.
    let kit = Kit::v2_app().policy("app_roles", json!([])).policy("all_scopes", json!(["Resource.Read"]));
    kit.refused(Rejection::RoleMissing);
}

#[test]
fn a97_the_callers_proof_is_asked_in_the_claim_of_either_version() {
    let certificate = |kit: Kit| kit.policy("client_authentication", json!(["certificate"]));
    certificate(Kit::v2_app()).refused(Rejection::ClientAuthenticationNotAllowed);
    certificate(Kit::v2_app()).claim("azpacr", "2").accepted();
    certificate(Kit::v1_app()).accepted();
    certificate(Kit::v1_app()).claim("appidacr", "1").refused(Rejection::ClientAuthenticationNotAllowed);
    certificate(Kit::v2_app()).without("azpacr").refused(Rejection::ClientAuthenticationNotAllowed);
    certificate(Kit::v2_app()).claim("azpacr", "3").refused(Rejection::ClientAuthenticationNotAllowed);
    let confidential = |kit: Kit| kit.policy("client_authentication", json!(["secret", "certificate"]));
    confidential(Kit::v2_app()).accepted();
    // A public client: anybody can claim to be it.
    confidential(Kit::v2_user()).refused(Rejection::ClientAuthenticationNotAllowed);
    Kit::v2_user().policy("client_authentication", json!(["none"])).accepted();
    Kit::v2_app().policy("client_authentication", json!([])).refused(Rejection::ClientAuthenticationNotAllowed);
}

#[test]
fn guests_are_told_by_acct_and_without_it_by_idp() {
    let closed = |kit: Kit| kit.policy("guests", "refuse");
    let home_v1 = issuer(V1_TEMPLATE, TENANT);
    for member in [
        Kit::v2_user(),
        Kit::v2_user().claim("acct", 0),
        Kit::v2_user().claim("acct", 0).claim("idp", "live.com"),
        Kit::v2_user().claim("idp", issuer(V2_TEMPLATE, TENANT)),
        Kit::v2_user().claim("idp", home_v1.as_str()),
        Kit::v1_user(),
        Kit::v2_app().claim("acct", 1),
    ] {
        closed(member).accepted();
    }
    for guest in [
        Kit::v2_user().claim("acct", 1),
        Kit::v2_user().claim("acct", 1).claim("idp", home_v1.as_str()),
        Kit::v2_user().claim("acct", 2),
        Kit::v2_user().claim("idp", "live.com"),
        Kit::v2_user().claim("idp", issuer(V1_TEMPLATE, OTHER_TENANT)),
        Kit::v1_user().claim("idp", issuer(V1_TEMPLATE, CONSUMERS)),
    ] {
        guest.accepted();
        closed(guest).refused(Rejection::GuestNotAllowed);
    }
    // A value of another type is no answer.
    Kit::v2_user().claim("acct", "0").refused(Rejection::ClaimType("acct"));
}

#[test]
fn groups_are_asked_of_users_by_object_id() {
    let grouped = |kit: Kit| kit.policy("groups", json!([GROUP]));
    grouped(Kit::v2_user()).refused(Rejection::GroupMissing);
    grouped(Kit::v2_user()).claim("groups", json!([OTHER_GROUP])).refused(Rejection::GroupMissing);
    grouped(Kit::v2_user()).claim("groups", json!([OTHER_GROUP, GROUP])).accepted();
    // Applications are judged by their roles.
    grouped(Kit::v2_app()).accepted();
    Kit::v2_user().policy("groups", json!([])).claim("groups", json!([GROUP])).refused(Rejection::GroupMissing);
    grouped(Kit::v2_user()).claim("groups", GROUP).refused(Rejection::ClaimType("groups"));
    // A name is no object id, and a name can be given to another group.
    let by_name = serde_json::from_value::<Policy>(kit::with(Kit::v2_user().policy, "groups", json!(["Admins"])));
    assert!(by_name.unwrap_err().to_string().contains("GUID"));
}

#[test]
fn a_user_with_too_many_groups_is_refused_for_that_reason() {
    let overage = Kit::v2_user()
        .claim("_claim_names", json!({"groups": "src1"}))
        .claim("_claim_sources", json!({"src1": {"endpoint": "https://graph.windows.net/x/users/y/getMemberObjects"}}));
    overage.accepted();
    let grouped = overage.policy("groups", json!([GROUP]));
    grouped.refused(Rejection::GroupOverage);
    Kit::v2_user().claim("hasgroups", true).policy("groups", json!([GROUP])).refused(Rejection::GroupOverage);
    // Whoever asked Microsoft Graph says which groups they are.
    let caller = authenticated(&grouped);
    let permission = policy(&grouped).compile().unwrap().permission().clone();
    assert_eq!(permission.check_with_groups(&caller, &[GROUP.parse().unwrap()]), Ok(()));
    let other = [OTHER_GROUP.parse().unwrap()];
    assert_eq!(permission.check_with_groups(&caller, &other), Err(Rejection::GroupMissing));
    assert_eq!(permission.check_caller_with_groups(&caller, &[]), Err(Rejection::GroupMissing));
}

#[test]
fn every_authentication_context_is_wanted_of_users() {
    let stepped_up = |kit: Kit| kit.policy("acrs", json!(["c1", "c2"]));
    stepped_up(Kit::v2_user()).refused(Rejection::AuthenticationContextMissing);
    stepped_up(Kit::v2_user()).claim("acrs", json!(["c1"])).refused(Rejection::AuthenticationContextMissing);
    stepped_up(Kit::v2_user()).claim("acrs", json!(["c2", "c9", "c1"])).accepted();
    stepped_up(Kit::v2_app()).accepted();
    // The other refusals come first: a new sign-in would not mend them.
    stepped_up(Kit::v2_user()).claim("scp", "other").refused(Rejection::ScopeMissing);
    let permission = Permission::any_scope(["access_as_user"]).with_authentication_context("c7");
    let caller = authenticated(&Kit::v2_user());
    assert_eq!(permission.missing_context(&caller), Some("c7"));
    assert_eq!(permission.missing_context(&authenticated(&Kit::v2_app())), None);
}

#[test]
fn a83_any_tenant_is_every_organisation_and_never_personal_accounts() {
    let foreign = |tenant: &str| Kit::v2_user().claim("tid", tenant).claim("iss", issuer(V2_TEMPLATE, tenant));
    foreign(OTHER_TENANT).refused(Rejection::TenantNotAllowed);
    let open = |kit: Kit| kit.policy("any_tenant", true).policy("tenants", json!([]));
    open(foreign(OTHER_TENANT)).accepted();
    open(foreign(CONSUMERS)).refused(Rejection::TenantNotAllowed);
    open(foreign(CONSUMERS)).policy("tenants", json!([CONSUMERS])).accepted();
    // A82, A84: the issuer is still bound to the tenant, and the tenant is still a GUID.
    open(foreign(OTHER_TENANT)).claim("iss", issuer(V2_TEMPLATE, TENANT)).refused(Rejection::IssuerMismatch);
    for crafted in ["common", "x/../y", "6BABCAAD-604B-40AC-A9D7-9FD97C0B779F"] {
        open(foreign(crafted)).refused(Rejection::TenantMalformed);
    }
}

#[test]
fn a98_there_is_no_rule_on_names_and_addresses() {
    for name in ["emails", "email", "upn", "preferred_username", "unique_name", "names", "users"] {
        let error =
            serde_json::from_value::<Policy>(kit::with(Kit::v2_user().policy, name, json!(["ada@contoso.com"])));
        assert!(error.unwrap_err().to_string().contains("unknown field"), "{name}");
        let error = serde_json::from_value::<Permission>(json!({name: ["ada@contoso.com"]}));
        assert!(error.unwrap_err().to_string().contains("unknown field"), "{name}");
    }
}

#[test]
fn permissions_have_names_in_the_file_and_fail_closed_there_too() {
    let named = |permissions: Value| {
        policy(&Kit::v2_app().policy("permissions", permissions)).compile().map(|validator| {
            validator.names().map(|name| (name.to_owned(), validator.named(name).unwrap().clone())).collect::<Vec<_>>()
        })
    };
    let found = named(json!({"write": {"kinds": ["app"], "app_roles": ["Resource.Write"]}})).unwrap();
    assert_eq!(found, [("write".to_owned(), Permission::any_app_role(["Resource.Write"]))]);
    assert_eq!(named(json!({"x": {}})), Err(PolicyError::NobodyGetsIn("x".to_owned())));
    let error = named(json!({"x": {"allow_without_permission": true}})).unwrap_err();
    assert!(matches!(error, PolicyError::Permission { source, .. } if *source == PolicyError::NobodyNamed));
    let error = named(json!({"x": {"app_roles": [" "]}})).unwrap_err();
    assert!(matches!(error, PolicyError::Permission { source, .. } if *source == PolicyError::BlankEntry("app_roles")));
}

#[test]
fn combining_adds_every_restriction_up() {
    let strict = Permission::any_scope(["read"])
        .without_guests()
        .in_any_group([GROUP.parse().unwrap()])
        .with_authentication_context("c1")
        .only_authenticated_by([ClientAuthentication::Certificate])
        .only_clients([CLIENT.parse().unwrap()]);
    let loose = Permission::any_app_role(["Read"])
        .in_any_group([OTHER_GROUP.parse().unwrap()])
        .only_authenticated_by([ClientAuthentication::Certificate, ClientAuthentication::Secret])
        .only_clients([OTHER_CLIENT.parse().unwrap(), CLIENT.parse().unwrap()]);
    for combined in [strict.clone().or(loose.clone()), loose.or(strict)] {
        assert_eq!((combined.guests, combined.acrs.as_slice()), (Guests::Refuse, &["c1".to_owned()][..]));
        assert_eq!(combined.groups, Some(Vec::new()));
        assert_eq!(combined.client_authentication, Some(vec![ClientAuthentication::Certificate]));
        assert_eq!(combined.clients, Some(vec![CLIENT.parse().unwrap()]));
        assert_eq!(combined.kinds.len(), 2);
    }
    let all = Permission::all_app_roles(["A"]).or(Permission::all_scopes(["b"]));
    assert_eq!((all.all_app_roles.len(), all.all_scopes.len(), all.lets_nobody_in()), (1, 1, false));
}

#[test]
fn rules_that_nobody_can_meet_are_recognised() {
    let user = Permission::any_scope(["read"]);
    assert!(user.clone().in_any_group([]).lets_nobody_in());
    assert!(user.clone().only_authenticated_by([]).lets_nobody_in());
    assert!(!user.or(Permission::any_app_role(["r"])).in_any_group([]).lets_nobody_in(), "applications still get in");
}

#[test]
fn a_policy_with_every_rule_survives_being_written_and_read() {
    let full = Kit::v2_user()
        .policy("any_tenant", true)
        .policy("all_app_roles", json!(["A"]))
        .policy("all_scopes", json!(["b"]))
        .policy("client_authentication", json!(["none", "secret", "certificate"]))
        .policy("guests", "refuse")
        .policy("groups", json!([GROUP]))
        .policy("acrs", json!(["c1"]))
        .policy("permissions", json!({"p": {"scopes": ["x"], "guests": "refuse"}}));
    let read = policy(&full);
    assert_eq!(serde_json::from_str::<Policy>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    for (name, value) in [
        ("guests", json!("maybe")),
        ("guests", json!(true)),
        ("client_authentication", json!(["2"])),
        ("any_tenant", json!("yes")),
        ("tenants", json!("any")),
        ("permissions", json!({"p": {"audiences": ["x"]}})),
        ("acrs", json!("c1")),
    ] {
        assert!(serde_json::from_value::<Policy>(kit::with(full.policy.clone(), name, value)).is_err(), "{name}");
    }
}

#[test]
fn the_defaults_of_code_are_those_of_the_file_and_let_nobody_in() {
    let read: Policy = serde_json::from_value(json!({"tenants": [], "issuers": [], "audiences": []})).unwrap();
    assert_eq!(Policy::default(), read);
    assert!(Policy::default().compile().unwrap().permission().lets_nobody_in());
}

#[test]
fn the_bounds_kept_in_a_cache_say_what_the_whole_check_says() {
    for claims in
        [json!({}), json!({"nbf": NOW + 9}), json!({"iat": NOW + 40}), json!({"nbf": NOW - 9, "iat": NOW + 9})]
    {
        let mut kit = Kit::v2_app().without("nbf").without("iat");
        for (name, value) in claims.as_object().unwrap() {
            kit = kit.claim(name, value.clone());
        }
        let (caller, validator) = (authenticated(&kit), policy(&kit).compile().unwrap());
        let (from, until) = validator.valid_between(&caller);
        for now in [0, NOW - 61, NOW - 60, NOW - 51, NOW - 20, NOW, NOW + 3659, NOW + 3660, NOW + 9999, from, until] {
            let whole = validator.check_times(&caller, Timestamp::from_unix_seconds(now).numeric_date()).is_ok();
            assert_eq!((from..until).contains(&now), whole, "{claims} at {now}");
        }
    }
    assert_eq!(authenticated(&Kit::v2_app()).kind(), TokenKind::App);
}
