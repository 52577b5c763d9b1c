//! Users who sign in with a password, for the tests of what tokens say of them.

use countersign_directory::DirectoryFile;
use serde_json::Value;

use crate::kit::{Answer, CLIENT, Kit, OTHER_TENANT, SECRET, TENANT, claims};
use crate::people::{ALICE, BOB, PASSWORD, ROOT};

pub(crate) const NATIVE: &str = "7a0b1c2d-1f7a-4f2c-8a69-7a3f6d7d2b56";
pub(crate) const V2_API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c21";
pub(crate) const V1_API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c22";

/// What differs from test to test: YAML flow mappings without their braces, and lists without their brackets.
#[derive(Default)]
pub(crate) struct Wishes<'a> {
    /// More members of the v2.0 and of the v1.0 API.
    pub(crate) v2_api: &'a str,
    pub(crate) v1_api: &'a str,
    /// More members of both clients.
    pub(crate) clients: &'a str,
    /// More members of the tenant.
    pub(crate) tenant: &'a str,
    /// Groups, in place of the usual one.
    pub(crate) groups: Option<&'a str>,
}

/// Two tenants; a public and a confidential client with everything granted; a v2.0 and a v1.0 API.
pub(crate) fn directory(wishes: &Wishes<'_>) -> DirectoryFile {
    let Wishes { v2_api, v1_api, clients, tenant, groups } = *wishes;
    let groups = groups
        .unwrap_or("{id: 44444444-4444-4444-8444-444444444444, displayName: Readers, members: [alice@contoso.com]}");
    let scopes = |id: u8| {
        format!(
            "oauth2PermissionScopes: [{{id: c0ffee00-0000-4000-8000-0000000000{id:02x}, value: access_as_user, type: User, \
             isEnabled: true, adminConsentDisplayName: a, adminConsentDescription: a}}, \
             {{id: c0ffee00-0000-4000-8000-0000000001{id:02x}, value: another, type: User, isEnabled: true, \
             adminConsentDisplayName: a, adminConsentDescription: a}}]"
        )
    };
    let grants = |client: &str| {
        format!(
            r#"
  - {{client: {client}, resource: ApiTwo, scopes: [another, access_as_user], consentType: AllPrincipals}}
  - {{client: {client}, resource: ApiOne, scopes: [access_as_user], consentType: AllPrincipals}}
  - {{client: {client}, resource: "00000003-0000-0000-c000-000000000000", scopes: [User.Read, openid, profile, email, offline_access], consentType: AllPrincipals}}"#
        )
    };
    let text = format!(
        r#"
tenants:
- tenantId: {TENANT}
  displayName: Contoso
  domains: [contoso.com]
  tenantRegionScope: EU
  {tenant}
  users:
  - {{id: {ALICE}, userPrincipalName: alice@contoso.com, displayName: Alice A., givenName: Alice, surname: Adams, mail: alice.adams@contoso.com, password: {PASSWORD}}}
  - {{id: {BOB}, userPrincipalName: bob_fabrikam.com#EXT#@contoso.com, displayName: Bob, mail: bob@fabrikam.com, userType: Guest, password: {PASSWORD}}}
  - {{id: {ROOT}, userPrincipalName: root@contoso.com, displayName: Root, administrator: true, password: {PASSWORD}}}
  groups: [{groups}]
  applications:
  - {{appId: {V2_API}, displayName: ApiTwo, identifierUris: ["api://two"], api: {{requestedAccessTokenVersion: 2, {scopes2}}}, appRoles: [
      {{id: f8d39977-e31e-460b-b92c-9cef51d14f01, value: Two.Read, allowedMemberTypes: [User], displayName: r, description: r, isEnabled: true}},
      {{id: f8d39977-e31e-460b-b92c-9cef51d14f02, value: Two.Admin, allowedMemberTypes: [User], displayName: w, description: w, isEnabled: true}}], {v2_api}}}
  - {{appId: {V1_API}, displayName: ApiOne, identifierUris: ["api://one", "https://one.contoso.com/"], api: {{{scopes1}}}, {v1_api}}}
  - {{appId: {NATIVE}, displayName: Native, isFallbackPublicClient: true, {clients}}}
  - {{appId: {CLIENT}, displayName: Web, passwordCredentials: [{{displayName: s, secretText: "{SECRET}"}}], {clients}}}
  appRoleAssignments:
  - {{group: Readers, resource: ApiTwo, role: Two.Read}}
  - {{user: alice@contoso.com, resource: ApiTwo, role: Two.Admin}}
  oauth2PermissionGrants:{native}{web}
- tenantId: {OTHER_TENANT}
  displayName: Fabrikam
  ownSigningKeys: false
  domains: [fabrikam.com]
"#,
        scopes2 = scopes(2),
        scopes1 = scopes(1),
        native = grants("Native"),
        web = grants("Web"),
    );
    DirectoryFile::parse("people.yaml", &text).unwrap_or_else(|error| panic!("{error:?}\n{text}")).file
}

/// An authority with these people.
pub(crate) async fn start(wishes: &Wishes<'_>) -> Kit {
    Kit::with(directory(wishes)).await
}

/// Alice by password at the v2.0 endpoint, with the public client.
pub(crate) async fn sign_in(kit: &Kit, scope: &str) -> Value {
    let answer = sign_in_as(kit, "alice@contoso.com", scope, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Anybody, with more parameters.
pub(crate) async fn sign_in_as(kit: &Kit, name: &str, scope: &str, more: &str) -> Answer {
    let form = format!(
        "grant_type=password&client_id={NATIVE}&username={}&password={}&scope={}{more}",
        encoded(name),
        encoded(PASSWORD),
        encoded(scope)
    );
    kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
}

/// Alice by password at the v1.0 endpoint, with the confidential client.
pub(crate) async fn sign_in_v1(kit: &Kit, resource: &str, more: &str) -> Value {
    let form = format!(
        "grant_type=password&client_id={CLIENT}&client_secret={SECRET}&username=alice%40contoso.com&password={}&resource={}{more}",
        encoded(PASSWORD),
        encoded(resource)
    );
    let answer = kit.post(&format!("/{TENANT}/oauth2/token"), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Percent-encoded, all but letters and digits.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The names of a token's claims, in the order in which they stand.
fn names(token: &Value) -> Vec<String> {
    let text = token.as_str().unwrap().split('.').nth(1).unwrap();
    let json = countersign_token::base64url_decode_strict(text).unwrap();
    member_names(std::str::from_utf8(&json).unwrap())
}

/// Checks a token's claims: their names in the order in which they stand, and some values.
#[track_caller]
pub(crate) fn assert_token<const N: usize>(token: &Value, order: &str, values: [(&str, Value); N]) {
    assert_eq!(names(token).join(" "), order);
    assert_members(&claims(token), values);
}

/// Checks members of an object; `null` is one that is not there.
#[track_caller]
pub(crate) fn assert_members<const N: usize>(found: &Value, values: [(&str, Value); N]) {
    for (name, value) in values {
        assert_eq!(found[name], value, "{name}");
    }
}

/// The members of a JSON object in the order in which they are written; a `Value` would sort them.
fn member_names(json: &str) -> Vec<String> {
    let (mut names, mut depth, mut text, mut start) = (Vec::new(), 0, false, 0);
    let bytes = json.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' if text => index += 1,
            b'"' if text => {
                text = false;
                if depth == 1 && bytes.get(index + 1) == Some(&b':') {
                    names.push(json[start..index].to_owned());
                }
            }
            b'"' => (text, start) = (true, index + 1),
            b'{' | b'[' if !text => depth += 1,
            b'}' | b']' if !text => depth -= 1,
            _ => {}
        }
        index += 1;
    }
    names
}
