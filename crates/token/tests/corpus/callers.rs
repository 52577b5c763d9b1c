//! A92 to A98: who calls, and what he may do.

use serde_json::json;

use crate::kit::{CLIENT, OBJECT, OTHER_CLIENT, USER};
use crate::{Family, apps, bases, caller, users};

pub(crate) fn families() -> Vec<Family> {
    vec![nothing(), types(), spelled(), crossed(), kinds(), clients(), changeable()]
}

fn nothing() -> Family {
    let mut family = Family::new(92, "neither roles nor scp", 10, &["no_permission"]);
    for kit in apps() {
        family.claims(&kit, "roles", [json!([])]);
        family.push(kit.without("roles"));
    }
    for kit in users() {
        family.claims(&kit, "scp", ["", "   ", " "]);
    }
    family
}

fn types() -> Family {
    let codes = &["claim_type", "role_missing", "no_permission"];
    let mut family = Family::new(93, "roles of another type, or elsewhere", 46, codes);
    for kit in apps() {
        let read = "Resource.Read";
        let values =
            [json!(read), json!({ read: true }), json!([[read]]), json!([read, 1]), json!([null]), json!(null)];
        family.claims(&kit, "roles", values);
        family.claims(
            &kit,
            "roles",
            [json!(true), json!(["Resource.Read Resource.Write"]), json!(["A,Resource.Read"])],
        );
        let microsoft = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
        for name in ["role", "groups", "wids", "permissions", "scope", microsoft] {
            family.claims(&kit.clone().without("roles"), name, [json!([read])]);
        }
    }
    for kit in users() {
        let word = "access_as_user";
        family.claims(&kit, "scp", [json!([word]), json!(null), json!(1), json!({ word: 1 }), json!(true)]);
        let bare = kit.claim("scp", "");
        for name in ["scope", "scopes", "http://schemas.microsoft.com/identity/claims/scope"] {
            family.claims(&bare, name, [word]);
        }
    }
    family
}

fn spelled() -> Family {
    let mut family =
        Family::new(94, "a role or scope in other letters or in parts", 46, &["role_missing", "scope_missing"]);
    for kit in apps() {
        let read = "Resource.Read";
        let roles = ["resource.read", "Resource.Rea", "Resource.Read.All", "Rеsource.Read", "Resource", "*", ""];
        family.claims(&kit, "roles", roles.map(|role| json!([role])));
        let padded = [format!("{read} "), format!(" {read}"), format!("{read}\0"), format!("{read}\u{200b}")];
        family.claims(&kit, "roles", padded.map(|role| json!([role])));
    }
    for kit in users() {
        let scopes = ["Access_as_user", "access_as_use", "access_as_user.all", "access_as_user\tprofile", ".default"];
        family.claims(&kit, "scp", scopes);
        let scopes =
            ["access_as_user\u{a0}profile", "access_as_user,profile", "access_аs_user", "*", "access_as_user\n"];
        family.claims(&kit, "scp", scopes);
        family.claims(&kit, "scp", ["api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11/access_as_user"]);
        family.claims(&kit, "scp", ["access_as_user\0"]);
    }
    family
}

fn crossed() -> Family {
    let mut family = Family::new(95, "a scope in roles, a role in scp", 10, &["role_missing", "scope_missing"]);
    let word = json!(["Resource.Read"]);
    for kit in apps() {
        family.claims(&kit, "roles", [json!(["access_as_user"])]);
        let both = kit.policy("scopes", json!(["Same"])).policy("app_roles", json!(["Other"]));
        family.claims(&both, "roles", [json!(["Same"])]);
    }
    for kit in users() {
        family.claims(&kit, "scp", ["Resource.Read"]);
        // A user's own app role is not the application's, and lends no scope.
        let user = kit.claim("scp", "profile").claim("roles", word.clone());
        family.push(user.clone());
        family.push(user.policy("scopes", word.clone()));
    }
    family
}

fn kinds() -> Family {
    let codes = &["kind_not_allowed", "kind_contradictory", "scope_missing", "claim_missing", "claim_type"];
    let mut family = Family::new(96, "a user for an application, and the reverse", 78, codes);
    let roles = json!(["Resource.Read"]);
    for kit in bases() {
        family.push(kit.clone().policy("kinds", json!([])));
        family.claims(&kit, "idtyp", ["", "App", "APP", "device", "application", "user "]);
        family.claims(&kit, "idtyp", [json!(null), json!(["app"]), json!(1)]);
        family.push(kit.without("sub"));
    }
    for kit in apps() {
        family.push(kit.clone().policy("kinds", json!(["user"])));
        family.claims(&kit, "sub", [json!(USER), json!(OBJECT.to_uppercase()), json!([OBJECT])]);
        family.claims(&kit, "oid", [json!(USER), json!([OBJECT])]);
        family.push(kit.clone().claim("scp", "access_as_user").claim("idtyp", "app"));
        family.push(kit.without("oid"));
    }
    for kit in users() {
        family.push(kit.clone().policy("kinds", json!(["app"])));
        family.push(kit.clone().claim("sub", USER).policy("kinds", json!(["app"])));
        family.claims(&kit, "idtyp", ["app"]);
        family.push(kit.clone().claim("idtyp", "app").claim("roles", roles.clone()));
        family.push(kit.clone().claim("scp", "").claim("roles", roles.clone()));
        // With the user's app role it would pass, were the missing scp taken for an application's token.
        let bare = kit.without("scp").claim("roles", roles.clone());
        family.push(bare.clone());
        family.claims(&bare, "idtyp", ["app", "user"]);
        family.push(bare.without("oid"));
    }
    family
}

fn clients() -> Family {
    let codes = &["client_not_allowed", "caller_malformed", "claim_missing", "claim_type"];
    let mut family = Family::new(97, "an unlisted client, or none", 64, codes);
    for kit in bases() {
        let (own, other) = if caller(&kit) == "azp" { ("azp", "appid") } else { ("appid", "azp") };
        family.push(kit.clone().policy("clients", json!([OTHER_CLIENT])));
        family.push(kit.clone().policy("clients", json!([])));
        // The listed client stands in the other version's claim.
        family.push(kit.clone().claim(other, OTHER_CLIENT).policy("clients", json!([OTHER_CLIENT])));
        family.claims(&kit, other, [OTHER_CLIENT, ""]);
        let bare = kit.clone().without(own);
        family.push(bare.clone());
        family.push(bare.claim(other, CLIENT));
        let texts = ["", "DemoClientApp", &CLIENT.to_uppercase(), &CLIENT.replace('-', ""), &format!("{CLIENT} ")];
        family.claims(&kit, own, texts);
        family.claims(&kit, own, [json!(null), json!([CLIENT]), json!(1), json!(true)]);
    }
    family
}

/// A person's address is a word like any other, wherever it stands.
fn changeable() -> Family {
    let mut family = Family::new(98, "what people can change, where a scope is wanted", 10, &["scope_missing"]);
    let mail = "admin@contoso.com";
    for user in users() {
        let kit = user.claim("scp", "profile").policy("scopes", json!([mail]));
        for name in ["email", "upn", "preferred_username", "unique_name", "name"] {
            family.claims(&kit, name, [mail]);
        }
    }
    family
}
