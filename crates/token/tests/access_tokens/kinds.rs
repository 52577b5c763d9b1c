//! A96 to A98: whether an application or a user calls, and which application.

use countersign_token::{Policy, Rejection};
use serde_json::json;

use crate::kit::{CLIENT, Kit, OBJECT, OTHER_CLIENT, USER};

const CONTRADICTORY: Rejection = Rejection::KindContradictory;

#[test]
fn a96_a_users_token_where_an_application_is_wanted() {
    Kit::v2_user().policy("kinds", json!(["app"])).refused(Rejection::KindNotAllowed);
    Kit::v1_user().policy("kinds", json!(["app"])).refused(Rejection::KindNotAllowed);
    Kit::v2_app().policy("kinds", json!(["user"])).refused(Rejection::KindNotAllowed);
    Kit::v2_app().policy("kinds", json!([])).refused(Rejection::KindNotAllowed);
}

#[test]
fn a96_a_users_token_that_poses_as_an_applications() {
    // With the user's app role it would pass, were the missing scp taken for an application's token.
    let roles = json!(["Resource.Read"]);
    let user = Kit::v2_user().without("scp").claim("roles", roles.clone());
    user.refused(CONTRADICTORY);
    user.clone().claim("idtyp", "app").refused(CONTRADICTORY);
    user.clone().claim("idtyp", "user").refused(Rejection::ScopeMissing);
    user.clone().without("oid").refused(Rejection::ClaimMissing("oid"));
    user.claim("scp", "").refused(Rejection::ScopeMissing);
    Kit::v2_user().claim("idtyp", "app").claim("roles", roles).refused(CONTRADICTORY);
}

#[test]
fn a96_idtyp_that_is_neither() {
    for text in ["", "App", "APP", "device", "application", "user "] {
        Kit::v2_app().claim("idtyp", text).refused(CONTRADICTORY);
        Kit::v2_user().claim("idtyp", text).refused(CONTRADICTORY);
    }
    for value in [json!(null), json!(["app"]), json!(1)] {
        Kit::v2_app().claim("idtyp", value).refused(Rejection::ClaimType("idtyp"));
    }
    Kit::v2_app().claim("scp", "access_as_user").claim("idtyp", "app").refused(CONTRADICTORY);
}

#[test]
fn a96_an_application_is_its_own_subject() {
    Kit::v2_app().claim("sub", USER).refused(CONTRADICTORY);
    Kit::v2_app().claim("oid", USER).refused(CONTRADICTORY);
    Kit::v2_app().without("sub").refused(Rejection::ClaimMissing("sub"));
    Kit::v2_app().without("oid").refused(Rejection::ClaimMissing("oid"));
    Kit::v2_user().without("sub").refused(Rejection::ClaimMissing("sub"));
    // Equality alone makes no application of a user.
    Kit::v2_user().claim("sub", USER).policy("kinds", json!(["app"])).refused(Rejection::KindNotAllowed);
    Kit::v2_app().claim("sub", json!([OBJECT])).refused(Rejection::ClaimType("sub"));
}

#[test]
fn a97_a_client_that_is_not_listed() {
    let listed = json!([OTHER_CLIENT]);
    for kit in [Kit::v2_app(), Kit::v1_app(), Kit::v2_user(), Kit::v1_user()] {
        kit.clone().policy("clients", listed.clone()).refused(Rejection::ClientNotAllowed);
        kit.clone().policy("clients", json!([])).refused(Rejection::ClientNotAllowed);
        kit.policy("clients", json!([OTHER_CLIENT, CLIENT.to_uppercase()])).accepted();
    }
}

#[test]
fn a97_the_caller_is_the_claim_of_the_version() {
    let listed = json!([OTHER_CLIENT]);
    let malformed = Rejection::CallerMalformed;
    // The listed client stands in the other version's claim.
    Kit::v2_app().claim("appid", OTHER_CLIENT).policy("clients", listed.clone()).refused(malformed);
    Kit::v1_app().claim("azp", OTHER_CLIENT).policy("clients", listed).refused(malformed);
    assert_eq!(Kit::v2_app().claim("appid", CLIENT).accepted().client().to_string(), CLIENT);
    Kit::v2_app().without("azp").refused(Rejection::ClaimMissing("azp"));
    Kit::v2_app().without("azp").claim("appid", CLIENT).refused(Rejection::ClaimMissing("azp"));
    Kit::v1_app().without("appid").claim("azp", CLIENT).refused(Rejection::ClaimMissing("appid"));
}

#[test]
fn a97_a_caller_that_is_no_guid() {
    for text in ["", "DemoClientApp", &CLIENT.to_uppercase(), &CLIENT.replace('-', ""), &format!("{CLIENT} ")] {
        Kit::v2_app().claim("azp", text).refused(Rejection::CallerMalformed);
        Kit::v1_app().claim("appid", text).refused(Rejection::CallerMalformed);
    }
    for value in [json!(null), json!([CLIENT]), json!(1)] {
        Kit::v2_app().claim("azp", value).refused(Rejection::ClaimType("azp"));
    }
}

#[test]
fn a98_there_is_no_rule_on_claims_that_people_can_change() {
    for name in ["upns", "upn", "emails", "email", "preferred_username", "unique_name", "names", "groups"] {
        let policy = Kit::v2_app().policy(name, json!(["ada@contoso.com"])).policy;
        assert!(serde_json::from_value::<Policy>(policy).is_err(), "{name}");
    }
    // A person's address in the place of a scope or role is a word like any other.
    let kit = Kit::v2_user().claim("scp", "profile").claim("email", "ada@contoso.com").claim("upn", "ada@contoso.com");
    kit.policy("scopes", json!(["ada@contoso.com"])).refused(Rejection::ScopeMissing);
}
