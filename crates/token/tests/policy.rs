//! The policy as text and as rule: its one shape, what it refuses to be, and whom it lets in.

#![expect(clippy::unwrap_used, reason = "tests")]

use countersign_token::policy::Permission;
use countersign_token::{
    Algorithm, Claims, Policy, PolicyError, Rejection, Timestamp, TokenKind, TokenVersion, Verified, authenticate,
};
use serde_json::{Value, json};

use self::kit::{API, CLIENT, Kit, NOW, OTHER_CLIENT, TENANT, V1_TEMPLATE, V2_TEMPLATE, key_set, with, without};

mod kit;

/// The example of the design document, with GUIDs in its places.
fn example() -> Value {
    json!({
        "tenants": [TENANT],
        "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"],
        "audiences": [API, format!("api://{API}")], "versions": ["1.0", "2.0"], "algorithms": ["RS256"],
        "clock_skew_seconds": 60, "kinds": ["app", "user"], "app_roles": ["Resource.Read"],
        "scopes": ["access_as_user"], "clients": null
    })
}

fn parse(policy: Value) -> Policy {
    serde_json::from_value(policy).unwrap()
}

#[track_caller]
fn refused(name: &str, value: Value, expected: &PolicyError) {
    assert_eq!(&parse(with(example(), name, value)).compile().unwrap_err(), expected);
}

#[test]
fn the_example_parses_and_compiles() {
    let policy = parse(example());
    assert_eq!(policy.tenants, [TENANT.parse().unwrap()]);
    assert_eq!(policy.issuers, [V2_TEMPLATE, V1_TEMPLATE]);
    assert_eq!(policy.audiences, [API.to_owned(), format!("api://{API}")]);
    assert_eq!(policy.versions, [TokenVersion::V1, TokenVersion::V2]);
    assert_eq!(policy.algorithms, [Algorithm::Rs256]);
    assert_eq!(policy.clock_skew_seconds, 60);
    assert_eq!(policy.kinds, [TokenKind::App, TokenKind::User]);
    assert_eq!(policy.app_roles, ["Resource.Read"]);
    assert_eq!(policy.scopes, ["access_as_user"]);
    assert_eq!(policy.clients, None);
    assert!(!policy.allow_without_permission);
    let validator = policy.compile().unwrap();
    assert_eq!(validator.clock_skew_seconds(), 60);
    assert_eq!(validator.permission().app_roles, ["Resource.Read"]);
}

#[test]
fn what_is_left_out_has_the_values_of_the_example_or_lets_nobody_in() {
    let short =
        json!({"tenants": [TENANT], "issuers": [V2_TEMPLATE, V1_TEMPLATE], "audiences": [API, format!("api://{API}")]});
    let expected = with(with(example(), "app_roles", json!([])), "scopes", json!([]));
    assert_eq!(parse(short), parse(expected));
}

#[test]
fn tenants_issuers_and_audiences_cannot_be_left_out() {
    for name in ["tenants", "issuers", "audiences"] {
        let error = serde_json::from_value::<Policy>(without(example(), name)).unwrap_err().to_string();
        assert!(error.contains("missing field") && error.contains(name), "{error}");
        let error = serde_json::from_value::<Policy>(with(example(), name, json!(null))).unwrap_err().to_string();
        assert!(error.contains("invalid type: null"), "{error}");
    }
}

#[test]
fn unknown_and_doubled_members_are_refused() {
    for name in ["audience", "Audiences", "skip_issuer", "validate_issuer", "app_roles_all", "$schema"] {
        let error = serde_json::from_value::<Policy>(with(example(), name, json!([]))).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
    let twice = format!("{{\"audiences\":[],{}", &example().to_string()[1..]);
    let error = serde_json::from_str::<Policy>(&twice).unwrap_err().to_string();
    assert!(error.contains("duplicate field"), "{error}");
}

#[test]
fn values_that_mean_nothing_here_are_refused() {
    for (name, value) in [
        ("tenants", json!(["contoso.onmicrosoft.com"])),
        ("tenants", json!([TENANT.replace('-', "")])),
        ("tenants", json!(["*"])),
        ("versions", json!(["1"])),
        ("versions", json!([1.0])),
        ("algorithms", json!(["HS256"])),
        ("algorithms", json!(["none"])),
        ("algorithms", json!(["ES256"])),
        ("algorithms", json!("RS256")),
        ("clock_skew_seconds", json!(-1)),
        ("clock_skew_seconds", json!(1.5)),
        ("clock_skew_seconds", json!("60")),
        ("kinds", json!(["App"])),
        ("kinds", json!(["device"])),
        ("clients", json!(["DemoClientApp"])),
        ("clients", json!(CLIENT)),
        ("allow_without_permission", json!("false")),
        ("allow_without_permission", json!(0)),
    ] {
        assert!(serde_json::from_value::<Policy>(with(example(), name, value.clone())).is_err(), "{name}: {value}");
    }
}

#[test]
fn an_issuer_that_names_no_tenant() {
    for text in [
        "https://accounts.google.com/",
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.com/common/v2.0",
        "http://sts.windows.net/{tenantid}/",
        "https://sts.windows.net/{tenantid}/{tenantid}/",
        "https://login.microsoftonline.com/{tenant}/v2.0",
        &V2_TEMPLATE.replace("{tenantid}", &TENANT.to_uppercase()),
        "",
        "*",
    ] {
        refused("issuers", json!([V2_TEMPLATE, text]), &PolicyError::Issuer(text.to_owned()));
    }
}

#[test]
fn an_algorithm_that_access_tokens_never_have() {
    refused("algorithms", json!(["RS256", "RS384"]), &PolicyError::Algorithm(Algorithm::Rs384));
    refused("algorithms", json!(["RS512"]), &PolicyError::Algorithm(Algorithm::Rs512));
    assert!(parse(with(example(), "algorithms", json!(["PS256"]))).compile().is_ok());
}

#[test]
fn a_skew_that_is_none() {
    refused("clock_skew_seconds", json!(301), &PolicyError::ClockSkew(301));
    refused("clock_skew_seconds", json!(u32::MAX), &PolicyError::ClockSkew(u32::MAX));
    for seconds in [0, 300] {
        let policy = parse(with(example(), "clock_skew_seconds", json!(seconds)));
        assert_eq!(policy.compile().unwrap().clock_skew_seconds(), seconds);
    }
}

#[test]
fn entries_that_no_token_can_match() {
    for name in ["audiences", "app_roles", "scopes"] {
        for entry in ["", " ", "x ", "\tx"] {
            refused(name, json!(["good", entry]), &PolicyError::BlankEntry(name));
        }
    }
    refused("scopes", json!(["openid profile"]), &PolicyError::BlankEntry("scopes"));
}

#[test]
fn permission_for_nobody_by_name() {
    let open = with(example(), "allow_without_permission", true);
    assert_eq!(parse(open.clone()).compile().unwrap_err(), PolicyError::NobodyNamed);
    assert!(parse(with(open, "clients", json!([CLIENT]))).compile().is_ok());
}

#[test]
fn an_error_says_how_to_mend_it() {
    for (error, part) in [
        (PolicyError::Issuer("x".to_owned()), "https://host/{tenantid}/v2.0"),
        (PolicyError::Algorithm(Algorithm::Rs512), "RS512 is not for access tokens"),
        (PolicyError::ClockSkew(900), "900"),
        (PolicyError::BlankEntry("scopes"), "scopes"),
        (PolicyError::NobodyNamed, "list of clients"),
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_policy_survives_being_written_and_read() {
    for policy in [
        example(),
        with(with(example(), "clients", json!([CLIENT])), "allow_without_permission", true),
        json!({"tenants": [], "issuers": [], "audiences": []}),
    ] {
        let policy = parse(policy);
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy, "{text}");
    }
    let written = serde_json::to_value(parse(example())).unwrap();
    assert_eq!(written, with(example(), "allow_without_permission", false), "the shape written is the shape read");
}

#[test]
fn an_empty_list_lets_nobody_in() {
    for (name, expected) in [
        ("tenants", Rejection::TenantNotAllowed),
        ("issuers", Rejection::IssuerMismatch),
        ("audiences", Rejection::AudienceMismatch),
        ("versions", Rejection::VersionNotAllowed),
        ("algorithms", Rejection::AlgorithmNotAllowed),
        ("kinds", Rejection::KindNotAllowed),
        ("clients", Rejection::ClientNotAllowed),
    ] {
        for kit in [Kit::v2_app(), Kit::v1_app(), Kit::v2_user(), Kit::v1_user()] {
            kit.policy(name, json!([])).refused(expected);
        }
    }
    Kit::v2_app().policy("app_roles", json!([])).refused(Rejection::RoleMissing);
    Kit::v2_user().policy("scopes", json!([])).refused(Rejection::ScopeMissing);
}

#[test]
fn roles_never_satisfy_scopes_nor_scopes_roles() {
    // One word is wanted as role and as scope: each kind must bring it in its own claim.
    let word = json!(["Orders.Read"]);
    let wanted = |kit: Kit| kit.policy("app_roles", word.clone()).policy("scopes", word.clone());
    wanted(Kit::v2_app()).claim("roles", word.clone()).accepted();
    wanted(Kit::v2_user()).claim("scp", "Orders.Read").accepted();
    wanted(Kit::v2_user()).claim("roles", word.clone()).refused(Rejection::ScopeMissing);
    wanted(Kit::v2_app()).claim("scp", "Orders.Read").claim("roles", json!([])).accepted_as(TokenKind::User);
    let roles_only = Kit::v2_user().policy("app_roles", json!(["access_as_user"])).policy("scopes", json!([]));
    roles_only.refused(Rejection::ScopeMissing);
    let scopes_only = Kit::v2_app().policy("scopes", json!(["Resource.Read"])).policy("app_roles", json!([]));
    scopes_only.refused(Rejection::RoleMissing);
}

#[test]
fn without_permission_only_on_the_word_of_the_client_list() {
    let open = |kit: Kit| kit.policy("allow_without_permission", true).policy("clients", json!([CLIENT]));
    open(Kit::v2_app().without("roles")).accepted();
    open(Kit::v2_user()).claim("scp", "").accepted();
    open(Kit::v2_app()).accepted();
    Kit::v2_app().without("roles").refused(Rejection::NoPermission);
    Kit::v2_app().without("roles").policy("clients", json!([CLIENT])).refused(Rejection::NoPermission);
    open(Kit::v2_app().without("roles").claim("azp", OTHER_CLIENT)).refused(Rejection::ClientNotAllowed);
    open(Kit::v2_app().without("roles")).policy("kinds", json!(["user"])).refused(Rejection::KindNotAllowed);
    // A token that does carry roles is judged by them.
    open(Kit::v2_app()).claim("roles", json!(["Other.Role"])).refused(Rejection::RoleMissing);
}

/// The kit's token, authenticated only.
fn authenticated(kit: &Kit) -> Verified<Claims> {
    let validator = parse(kit.policy.clone()).compile().unwrap();
    authenticate(&kit.token(), &key_set(&kit.keys), &validator, Timestamp::from_unix_seconds(NOW)).unwrap()
}

#[test]
fn authenticate_leaves_what_the_bearer_may_do_to_others() {
    let kit = Kit::v2_app().without("roles").policy("clients", json!([])).policy("kinds", json!([]));
    assert_eq!(authenticated(&kit).kind(), TokenKind::App);
    kit.refused(Rejection::ClientNotAllowed);
}

#[test]
fn permissions_of_routes() {
    let (app, user) = (authenticated(&Kit::v2_app()), authenticated(&Kit::v2_user()));
    let role = Permission::any_app_role(["Resource.Read", "Resource.Write"]);
    let scope = Permission::any_scope(["access_as_user"]);
    assert_eq!(role.check(&app), Ok(()));
    assert_eq!(role.check(&user), Err(Rejection::KindNotAllowed));
    assert_eq!(scope.check(&user), Ok(()));
    assert_eq!(scope.check(&app), Err(Rejection::KindNotAllowed));
    assert_eq!(Permission::any_app_role(["Resource.Write"]).check(&app), Err(Rejection::RoleMissing));
    assert_eq!(Permission::any_scope(["other"]).check(&user), Err(Rejection::ScopeMissing));
    let either = role.clone().or(scope.clone());
    assert_eq!((either.check(&app), either.check(&user)), (Ok(()), Ok(())));
    let client = |id: &str| [id.parse().unwrap()];
    assert_eq!(role.clone().only_clients(client(CLIENT)).check(&app), Ok(()));
    assert_eq!(role.clone().only_clients(client(OTHER_CLIENT)).check(&app), Err(Rejection::ClientNotAllowed));
    // Combining never lets more applications in than either side named.
    for combined in [
        role.clone().or(scope.clone().only_clients(client(OTHER_CLIENT))),
        role.clone().only_clients(client(OTHER_CLIENT)).or(scope.clone()),
        role.clone().only_clients(client(CLIENT)).or(scope.clone().only_clients(client(OTHER_CLIENT))),
    ] {
        assert_eq!(combined.check(&app), Err(Rejection::ClientNotAllowed));
    }
    assert_eq!(role.only_clients(client(OTHER_CLIENT)).check_caller(&app), Err(Rejection::ClientNotAllowed));
    assert_eq!(scope.check_caller(&app), Err(Rejection::KindNotAllowed));
    assert_eq!(either.check_caller(&app), Ok(()));
}

#[test]
fn a_hand_made_permission_fails_closed_too() {
    let app = authenticated(&Kit::v2_app().without("roles"));
    let open = Permission { allow_without_permission: true, ..Permission::any_app_role(["Resource.Read"]) };
    assert_eq!(open.check(&app), Err(Rejection::NoPermission), "nobody is named");
    assert_eq!(open.only_clients([CLIENT.parse().unwrap()]).check(&app), Ok(()));
}

#[test]
fn a_permission_that_lets_nobody_in_is_recognised() {
    let role = Permission::any_app_role(["Resource.Read"]);
    assert!(!role.lets_nobody_in());
    assert!(role.clone().only_clients([]).lets_nobody_in());
    assert!(Permission::any_app_role(Vec::<String>::new()).lets_nobody_in());
    assert!(Permission::any_scope(Vec::<String>::new()).lets_nobody_in());
    assert!(Permission { kinds: vec![TokenKind::User], ..role.clone() }.lets_nobody_in(), "roles are not for users");
    let open = Permission { allow_without_permission: true, ..Permission::any_app_role(Vec::<String>::new()) };
    assert!(open.lets_nobody_in(), "nobody is named");
    assert!(!open.only_clients([CLIENT.parse().unwrap()]).lets_nobody_in());
}
