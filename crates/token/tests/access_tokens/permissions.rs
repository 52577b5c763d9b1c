//! A92 to A95: a permission is a whole word in the claim that belongs to the kind of caller.

use countersign_token::Rejection;
use serde_json::json;

use crate::kit::Kit;

#[test]
fn a92_neither_roles_nor_scp() {
    Kit::v2_app().without("roles").refused(Rejection::NoPermission);
    Kit::v1_app().without("roles").refused(Rejection::NoPermission);
    Kit::v2_app().claim("roles", json!([])).refused(Rejection::NoPermission);
    Kit::v2_user().claim("scp", "").refused(Rejection::NoPermission);
    Kit::v2_user().claim("scp", "   ").refused(Rejection::NoPermission);
}

#[test]
fn a93_roles_of_another_type() {
    for value in [
        json!("Resource.Read"),
        json!({"Resource.Read": true}),
        json!([["Resource.Read"]]),
        json!(["Resource.Read", 1]),
        json!([null]),
        json!(null),
        json!(true),
    ] {
        Kit::v2_app().claim("roles", value).refused(Rejection::ClaimType("roles"));
    }
    for value in [json!(["access_as_user"]), json!(null), json!(1), json!({"access_as_user": 1})] {
        Kit::v2_user().claim("scp", value).refused(Rejection::ClaimType("scp"));
    }
}

#[test]
fn a93_roles_joined_or_in_another_claim() {
    for value in [json!(["Resource.Read Resource.Write"]), json!(["Resource.Write,Resource.Read"]), json!([""])] {
        Kit::v2_app().claim("roles", value).refused(Rejection::RoleMissing);
    }
    for name in [
        "role",
        "groups",
        "wids",
        "permissions",
        "scope",
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    ] {
        Kit::v2_app().without("roles").claim(name, json!(["Resource.Read"])).refused(Rejection::NoPermission);
    }
    Kit::v2_user().claim("scp", "").claim("scope", "access_as_user").refused(Rejection::NoPermission);
}

#[test]
fn a94_a_role_in_other_letters_or_in_parts() {
    for role in [
        "resource.read",
        "Resource.Rea",
        "Resource.Read.All",
        "Resource.Read ",
        " Resource.Read",
        "Resource.Read\0",
        "Rеsource.Read",
        "Resource",
        "*",
        "",
    ] {
        Kit::v2_app().claim("roles", json!([role])).refused(Rejection::RoleMissing);
    }
}

#[test]
fn a94_a_scope_in_other_letters_or_in_parts() {
    for scope in [
        "Access_as_user",
        "access_as_use",
        "access_as_user.all",
        "api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11/access_as_user",
        "access_as_user\tprofile",
        "access_as_user\u{a0}profile",
        "access_as_user,profile",
        "access_аs_user",
        ".default",
    ] {
        Kit::v2_user().claim("scp", scope).refused(Rejection::ScopeMissing);
    }
}

#[test]
fn a95_a_scope_in_roles_and_a_role_in_scp() {
    Kit::v2_app().claim("roles", json!(["access_as_user"])).refused(Rejection::RoleMissing);
    Kit::v2_user().claim("scp", "Resource.Read").refused(Rejection::ScopeMissing);
    // A user's own app role is not the application's, and lends no scope.
    Kit::v2_user().claim("scp", "profile").claim("roles", json!(["Resource.Read"])).refused(Rejection::ScopeMissing);
    // The same word on both lists still counts only in its own claim.
    let word = json!(["Resource.Read"]);
    let kit = Kit::v2_user().policy("scopes", word.clone()).policy("app_roles", word.clone());
    kit.clone().claim("scp", "profile").claim("roles", word).refused(Rejection::ScopeMissing);
    kit.claim("scp", "Resource.Read").accepted();
}
