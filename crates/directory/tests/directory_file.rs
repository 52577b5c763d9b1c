//! Every mistake a directory file can have, and what is said about it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod file_support;

use countersign_directory::DirectoryFile;

use file_support::{application, assert_wrong, tenant, warned, wrong};

#[test]
fn the_document_as_a_whole() {
    assert_wrong("", &["1: the file is empty; begin with `tenants:` and a list"]);
    assert_wrong("- 1", &["1: a list where an object belongs; write an object"]);
    assert_wrong(
        "applications: []",
        &["1: `tenants` is missing; add it", "1: applications: unknown member `applications`; remove it"],
    );
    assert_wrong(
        "tennants: []",
        &["1: `tenants` is missing; add it", "1: tennants: unknown member `tennants`; did you mean `tenants`?"],
    );
    assert_wrong("tenants: {}", &["1: tenants: an object where a list belongs; write a list"]);
    assert_wrong("tenants: [", &["1: not YAML: unclosed bracket '['; correct the YAML there"]);
}

#[test]
fn a_json_file_has_lines_too() {
    let text = "{\"tenants\": [\n  {\"tenantId\": \"6babcaad-604b-40ac-a9d7-9fd97c0b779f\",\n   \"domain\": []}\n]}";
    let error = DirectoryFile::parse("f.json", text).unwrap_err();
    assert_eq!(error.to_string(), "f.json:3: tenants[0].domain: unknown member `domain`; did you mean `domains`?");
}

#[test]
fn tenants() {
    assert_wrong("tenants:\n- displayName: x", &["2: tenants[0]: `tenantId` is missing; add it"]);
    assert_wrong(
        "tenants:\n- tenantId: contoso",
        &["2: tenants[0].tenantId: not a GUID of the form 00000000-0000-0000-0000-000000000000; \
         write 32 hexadecimal digits in five groups"],
    );
    assert_wrong(
        "tenants:\n- tenantId: 1\n  strict: \"yes\"\n  displayName: 2024",
        &[
            "2: tenants[0].tenantId: a number where a text belongs; put it in quotation marks",
            "3: tenants[0].strict: a text where true or false belongs; write true or false, without quotation marks",
            "4: tenants[0].displayName: a number where a text belongs; put it in quotation marks",
        ],
    );
    let twice = format!(
        "{}- {{tenantId: 6BABCAAD-604b-40ac-a9d7-9fd97c0b779f, domains: [CONTOSO.com]}}",
        tenant("domains: [contoso.com]")
    );
    assert_wrong(
        &twice,
        &[
            "4: tenants[1].tenantId: the tenantId 6babcaad-604b-40ac-a9d7-9fd97c0b779f is also at tenants[0].tenantId \
         (line 2); give one of them another tenantId, or remove it",
            "4: tenants[1].domains[0]: the domain CONTOSO.com is also at tenants[0].domains[0] (line 3); \
         give one of them another domain, or remove it",
        ],
    );
    assert_wrong(
        &tenant("domains: [\"con toso.com\", nodot, \"\"]"),
        &[
            "3: tenants[0].domains[0]: `con toso.com` is not a domain; write a name such as contoso.onmicrosoft.com",
            "3: tenants[0].domains[1]: `nodot` is not a domain; write a name such as contoso.onmicrosoft.com",
            "3: tenants[0].domains[2]: an empty text; write something, or leave the member out",
        ],
    );
}

#[test]
fn users() {
    let users = "domains: [contoso.com]\nusers:\n\
                 - {userPrincipalName: alice@contoso.com, password: pw, roles: []}\n\
                 - {userPrincipalName: ALICE@contoso.com}\n\
                 - {displayName: Bob, id: bob}\n\
                 - {userPrincipalName: carol}\n\
                 - {userPrincipalName: dave@contoso.com, password: \"\"}\n";
    assert_wrong(
        &tenant(users),
        &[
            "5: tenants[0].users[0].roles: unknown member `roles`; remove it",
            "6: tenants[0].users[1].userPrincipalName: the userPrincipalName ALICE@contoso.com is also at \
         tenants[0].users[0].userPrincipalName (line 5); give one of them another userPrincipalName, or remove it",
            "7: tenants[0].users[2].id: not a GUID of the form 00000000-0000-0000-0000-000000000000; \
         write 32 hexadecimal digits in five groups",
            "7: tenants[0].users[2]: `userPrincipalName` is missing; add it",
            "8: tenants[0].users[3].userPrincipalName: `carol` has no domain; write a name such as alice@contoso.com",
            "9: tenants[0].users[4].password: an empty password; write 1 to 1024 bytes, or leave it out: the user then has none",
        ],
    );
    let odd = "users:\n- {userPrincipalName: a@elsewhere.example, jobTitle: Clerk}";
    assert_eq!(
        warned(&tenant(odd)),
        [
            "4: tenants[0].users[0]: users here have none of businessPhones, jobTitle, mobilePhone, officeLocation, \
         preferredLanguage; they are left out",
            "4: tenants[0].users[0].userPrincipalName: `elsewhere.example` is not among the tenant's domains; \
         add it to `domains`, or nobody finds the user's tenant by this name",
        ]
    );
}

#[test]
fn applications() {
    assert_wrong(
        &tenant("applications:\n- displayName: x"),
        &["4: tenants[0].applications[0]: `appId` is missing; add it"],
    );
    assert_wrong(
        &application("signInAudience: Everybody"),
        &[
            "5: tenants[0].applications[0].signInAudience: unknown variant `Everybody`, expected one of `AzureADMyOrg`, \
         `AzureADMultipleOrgs`, `AzureADandPersonalMicrosoftAccount`, `PersonalMicrosoftAccount`; \
         write it as Microsoft Graph does",
        ],
    );
    assert_wrong(
        &application("api:\n  requestedAccessTokenVersion: 3"),
        &["6: tenants[0].applications[0].api.requestedAccessTokenVersion: not an access token version: 1, 2 or null; \
         write it as Microsoft Graph does"],
    );
    assert_wrong(
        &application("identifierUris: [\"api://a b\", orders, api://x, api://x]"),
        &[
            "5: tenants[0].applications[0].identifierUris[0]: not an identifier URI; \
         write a URI without blanks, such as api://{appId}",
            "5: tenants[0].applications[0].identifierUris[1]: not an identifier URI; \
         write a URI without blanks, such as api://{appId}",
            "5: tenants[0].applications[0].identifierUris[3]: the identifier URI api://x is also at \
         tenants[0].applications[0].identifierUris[2] (line 5); give one of them another identifier URI, or remove it",
        ],
    );
    let graph = tenant("applications:\n- appId: 00000003-0000-0000-c000-000000000000");
    assert_wrong(
        &graph,
        &["4: tenants[0].applications[0].appId: this is Microsoft Graph, which every tenant has; remove the entry"],
    );
    let exchange = tenant("applications:\n- appId: fb60f99c-7a34-4190-8149-302f77469936");
    assert_wrong(
        &exchange,
        &["4: tenants[0].applications[0].appId: this is the token exchange, which every tenant has; remove the entry"],
    );
}

#[test]
fn a_client_id_is_unique_in_the_whole_file() {
    let text = format!(
        "{}- tenantId: 7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e\n  applications:\n  - {{appId: A5D8F9B0-0d2e-4c8a-9d43-0f0f2d4a5c11}}\n",
        application("displayName: x")
    );
    assert_wrong(
        &text,
        &["8: tenants[1].applications[0].appId: the appId a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11 is also at \
         tenants[0].applications[0].appId (line 4); give one of them another appId, or remove it"],
    );
}

#[test]
fn app_roles_and_scopes() {
    let roles = "appRoles:\n\
                 - {id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: A b, allowedMemberTypes: [Application]}\n\
                 - {id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: .dot, allowedMemberTypes: [User]}\n\
                 - {id: 0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11, value: A b}\n";
    assert_wrong(
        &application(roles),
        &[
            "6: tenants[0].applications[0].appRoles[0].value: the value `A b` has a blank; \
         write it in one word, such as Orders.Read",
            "7: tenants[0].applications[0].appRoles[1].id: another app role has this id; give one of them another id",
            "7: tenants[0].applications[0].appRoles[1].value: the value of the app role has other characters than Entra \
         allows; use letters, digits, dots and dashes, at most 120, not a dot first",
            "8: tenants[0].applications[0].appRoles[2].value: another app role has the value `A b`; \
         give one of them another value",
            "8: tenants[0].applications[0].appRoles[2].value: the value `A b` has a blank; \
         write it in one word, such as Orders.Read",
            "8: tenants[0].applications[0].appRoles[2]: `allowedMemberTypes` is missing or empty; \
         write [Application], [User] or both",
        ],
    );
    assert_wrong(
        &application("appRoles: [{value: x}]"),
        &["5: tenants[0].applications[0].appRoles[0]: missing field `id`; add it"],
    );
    assert_wrong(
        &application("api: {oauth2PermissionScopes: [{id: x, value: y}]}"),
        &["5: tenants[0].applications[0].api.oauth2PermissionScopes[0].id: not a GUID of the form \
         00000000-0000-0000-0000-000000000000; write 32 hexadecimal digits in five groups"],
    );
}

#[test]
fn what_graph_knows_is_kept_and_what_nobody_knows_is_warned_of() {
    let exported = "'@odata.context': https://graph.microsoft.com/v1.0/$metadata#applications/$entity\n\
                    owners@odata.context: x\nverifiedPublisher: {displayName: null}\nwindows: null\n\
                    appRoles: [{id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: x, lang: null, allowedMemberTypes: [User]}]";
    assert_eq!(warned(&application(exported)), [""; 0]);
    let odd = "oauth2Permissions: []\ndisplayname: x\napi: {requestedAccessTokenVersoin: 2}";
    assert_eq!(
        warned(&application(odd)),
        [
            "5: tenants[0].applications[0].oauth2Permissions: unknown member `oauth2Permissions`; \
         Microsoft Graph calls it `api.oauth2PermissionScopes`",
            "6: tenants[0].applications[0].displayname: unknown member `displayname`; \
         it is kept and has no effect; check its spelling",
            "7: tenants[0].applications[0].api.requestedAccessTokenVersoin: unknown member `requestedAccessTokenVersoin`; \
         it is kept and has no effect; check its spelling",
        ]
    );
}

#[test]
fn service_principals() {
    assert_wrong(
        &application("servicePrincipal: {appRoleAssignmentRequird: true, accountEnabled: 1}"),
        &[
            "5: tenants[0].applications[0].servicePrincipal.accountEnabled: a number where true or false belongs; \
         write true or false, without quotation marks",
            "5: tenants[0].applications[0].servicePrincipal.appRoleAssignmentRequird: unknown member \
         `appRoleAssignmentRequird`; did you mean `appRoleAssignmentRequired`?",
        ],
    );
    let own = "applications: [{appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11}]\n\
               servicePrincipals: [{appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11}]";
    assert_wrong(
        &tenant(own),
        &["4: tenants[0].servicePrincipals[0].appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11 is at home in this tenant \
         (6babcaad-604b-40ac-a9d7-9fd97c0b779f); state its service principal at the application, as `servicePrincipal`"],
    );
}

/// Two applications named alike, a client without an instance, and a resource; grants begin at line 10.
fn grants(rest: &str) -> String {
    tenant(&format!(
        "applications:\n\
         - {{appId: 11111111-1111-4111-8111-111111111111, displayName: Twin}}\n\
         - {{appId: 22222222-2222-4222-8222-222222222222, displayName: Twin}}\n\
         - {{appId: 33333333-3333-4333-8333-333333333333, displayName: Ghost, servicePrincipal: false}}\n\
         - {{appId: 44444444-4444-4444-8444-444444444444, displayName: Api, api: {{oauth2PermissionScopes: \
         [{{id: 0d2e4c8a-0d2e-4c8a-9d43-0f0f2d4a5c11, value: access_as_user}}]}}, appRoles: \
         [{{id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: Orders.Read, allowedMemberTypes: [Application]}}]}}\n\
         - {{appId: 55555555-5555-4555-8555-555555555555, displayName: Client}}\n{rest}"
    ))
}

#[test]
fn app_role_assignments() {
    assert_wrong(&grants("appRoleAssignments:\n- {client: Client, resource: Api, role: Orders.Read}"), &[]);
    assert_wrong(
        &grants("appRoleAssignments:\n- {client: Client, resource: Microsoft Graph, role: User.Read.All}"),
        &[],
    );
    for (entry, expected) in [
        (
            "{client: Client, resource: Api, role: Orders.Raed}",
            ".role: `Api` declares no app role `Orders.Raed`; did you mean `Orders.Read`?",
        ),
        (
            "{client: Client, resource: Api, role: Something}",
            ".role: `Api` declares no app role `Something`; it declares Orders.Read",
        ),
        (
            "{client: Client, resource: Client, role: X}",
            ".role: `Client` declares no app role `X`; add it to the resource's `appRoles`",
        ),
        (
            "{client: Client, resource: 00000003-0000-0000-c000-000000000000, role: User.Read.Al}",
            ".role: `Microsoft Graph` declares no app role `User.Read.Al`; did you mean `User.Read.All`?",
        ),
        (
            "{client: Twin, resource: Api, role: Orders.Read}",
            ".client: `Twin` is the name of 2 applications; write the appId: 11111111-1111-4111-8111-111111111111 or 22222222-2222-4222-8222-222222222222",
        ),
        (
            "{client: Ghost, resource: Api, role: Orders.Read}",
            ".client: `Ghost` has no service principal in this tenant; remove `servicePrincipal: false` there, or this grant",
        ),
        (
            "{resource: Api, role: Orders.Read}",
            ": `client` is missing; add it, or `user` or `group` for a role that a user or a group holds",
        ),
        ("{client: Client, role: Orders.Read}", ": `resource` is missing; add it"),
        ("{client: Client, resource: Api}", ": `role` is missing; add it"),
        (
            "{client: Client, resource: Api, role: Orders.Read, rolle: x}",
            ".rolle: unknown member `rolle`; did you mean `role`?",
        ),
        (
            "{user: a@b.c, client: Client, resource: Api, role: Orders.Read}",
            ".user: more than one of `client`, `user` and `group`; write one entry for each",
        ),
        (
            "{group: Staff, user: a@b.c, resource: Api, role: Orders.Read}",
            ".user: more than one of `client`, `user` and `group`; write one entry for each",
        ),
        (
            "{user: a@b.c, resource: Api, role: Orders.Read}",
            ".role: the app role `Orders.Read` of `Api` is not for users; add User to its `allowedMemberTypes`, or assign another role",
        ),
    ] {
        let line = format!("10: tenants[0].appRoleAssignments[0]{expected}");
        assert_wrong(&grants(&format!("appRoleAssignments:\n- {entry}")), &[&line]);
    }
}

#[test]
fn permission_grants() {
    let good = "oauth2PermissionGrants:\n- {client: Client, resource: Api, scopes: [access_as_user], consentType: AllPrincipals}";
    assert_wrong(&grants(good), &[]);
    for (entry, expected) in [
        (
            "{client: Client, resource: Api, scopes: [acess_as_user]}",
            ".scopes[0]: `Api` declares no scope `acess_as_user`; did you mean `access_as_user`?",
        ),
        ("{client: Client, resource: Api, scopes: []}", ".scopes: no scopes; name at least one, or remove the grant"),
        (
            "{client: Client, resource: Api, scopes: access_as_user}",
            ".scopes: a text where a list belongs; write a list",
        ),
        (
            "{client: Client, resource: Api, scopes: [access_as_user], consentType: All}",
            ".consentType: unknown consentType `All`; write AllPrincipals or Principal",
        ),
        (
            "{client: Client, resource: Api, scopes: [access_as_user], consentType: Principal}",
            ".consentType: consent of a user without a `user`; add `user`",
        ),
        (
            "{client: Client, resource: Api, scopes: [access_as_user], consentType: AllPrincipals, user: a@b.c}",
            ".user: a `user` in a consent for everybody; remove it, or write consentType: Principal",
        ),
        (
            "{client: Client, resource: Api, scope: x, scopes: [access_as_user]}",
            ".scope: unknown member `scope`; did you mean `scopes`?",
        ),
        (
            "{client: Twin, resource: Api, scopes: [access_as_user]}",
            ".client: `Twin` is the name of 2 applications; write the appId: 11111111-1111-4111-8111-111111111111 or 22222222-2222-4222-8222-222222222222",
        ),
    ] {
        let wrong = wrong(&grants(&format!("oauth2PermissionGrants:\n- {entry}")));
        assert!(wrong.contains(&format!("10: tenants[0].oauth2PermissionGrants[0]{expected}")), "{wrong:#?}");
    }
}

#[test]
fn several_things_are_said_at_once() {
    let error = DirectoryFile::parse("contoso.yaml", "tenants:\n- tenantId: x\n  foo: 1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 things are wrong with contoso.yaml\n  contoso.yaml:2: tenants[0].tenantId: not a GUID of the form \
         00000000-0000-0000-0000-000000000000; write 32 hexadecimal digits in five groups\n  \
         contoso.yaml:3: tenants[0].foo: unknown member `foo`; remove it"
    );
}
