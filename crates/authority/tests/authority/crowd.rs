//! Three tenants with the same people and applications in them, and what tests of users' grants ask of them.

use std::fmt::Write as _;

use countersign_directory::DirectoryFile;
use countersign_protocol::FormEncoder;
use countersign_token::{FakeClock, Timestamp};

use crate::forge::REGISTERED;
use crate::kit::{Answer, Kit, NOW, on_disk};

/// As tolerant as Entra.
pub(crate) const CONTOSO: Tenant =
    Tenant { id: "6babcaad-604b-40ac-a9d7-9fd97c0b779f", domain: "contoso.com", digit: '1' };
/// A strict tenant.
pub(crate) const LITWARE: Tenant =
    Tenant { id: "0a1b2c3d-0000-4000-8000-0000000117aa", domain: "litware.com", digit: '2' };
/// Somebody else's.
pub(crate) const FABRIKAM: Tenant =
    Tenant { id: "0a1b2c3d-0000-4000-8000-00000000fab0", domain: "fabrikam.com", digit: '3' };

pub(crate) const PASSWORD: &str = "correct-horse-battery";
pub(crate) const SECRET: &str = "only-for-this-test-0123456789";

/// A tenant of [`directory`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tenant {
    pub(crate) id: &'static str,
    pub(crate) domain: &'static str,
    digit: char,
}

/// Its applications.
#[derive(Debug, Clone, Copy)]
pub(crate) enum App {
    /// An API with scopes, v2.0, `api://orders{digit}`; also a middle tier with a secret and a certificate.
    Api = 1,
    /// An API behind it, v1.0, `api://downstream{digit}`.
    Downstream = 2,
    /// A public client that may use password and device code.
    Public = 3,
    /// A web application with a secret.
    Web = 4,
    /// A single-page application.
    Spa = 5,
    /// A public client that the API pre-authorises and nobody has consented to.
    Known = 6,
    /// An API that wants assignments.
    Closed = 7,
    /// A public client for several tenants; Contoso's has an instance in Fabrikam.
    Everywhere = 8,
}

impl Tenant {
    pub(crate) fn app(self, app: App) -> String {
        format!("a000000{}-0000-4000-8000-00000000000{}", app as u8, self.digit)
    }

    pub(crate) fn user(self, name: &str) -> String {
        format!("{name}@{}", self.domain)
    }

    /// `oid` of a user of this name.
    pub(crate) fn oid(self, name: &str) -> String {
        let index = USERS.iter().position(|(known, _)| *known == name).unwrap();
        format!("b000000{index}-0000-4000-8000-00000000000{}", self.digit)
    }

    /// The scope of the API with this name.
    pub(crate) fn scope(self, name: &str) -> String {
        format!("api://orders{}/{name}", self.digit)
    }

    /// The scope of the API behind it.
    pub(crate) fn downstream(self, name: &str) -> String {
        format!("api://downstream{}/{name}", self.digit)
    }

    pub(crate) fn token_path(self) -> String {
        format!("/{}/oauth2/v2.0/token", self.id)
    }

    pub(crate) fn token_path_v1(self) -> String {
        format!("/{}/oauth2/token", self.id)
    }
}

/// Name and more members.
const USERS: [(&str, &str); 7] = [
    ("alice", "displayName: Alice, givenName: Alice, surname: Liddell, mail: alice@example.com"),
    ("bob", "accountEnabled: false"),
    ("carol", "passwordExpired: true"),
    ("dave", "mfaRequired: true"),
    ("erin", "blockedByPolicy: true"),
    ("frank", "displayName: Frank without password"),
    ("grace", "administrator: true"),
];

fn users(tenant: Tenant) -> String {
    let mut users = String::new();
    for (name, members) in USERS {
        // Hashing takes its time, so only those have a password who need one.
        let needs_one = name != "frank" && (tenant.digit == '1' || name == "alice");
        let password = if needs_one { format!("password: {PASSWORD}, ") } else { String::new() };
        let (oid, upn) = (tenant.oid(name), tenant.user(name));
        writeln!(users, "  - {{id: {oid}, userPrincipalName: {upn}, {password}{members}}}").unwrap();
    }
    users
}

fn tenant(tenant: Tenant, strict: bool, more: &str) -> String {
    let digit = tenant.digit;
    let scope = |index: u8, value: &str, kind: &str, enabled: bool| {
        format!(
            "{{id: c000000{index}-0000-4000-8000-00000000000{digit}, value: {value}, type: {kind}, isEnabled: {enabled}, \
             adminConsentDisplayName: {value}, adminConsentDescription: {value}}}"
        )
    };
    let required = |resource: App, scopes: &[u8]| {
        let access: Vec<_> = scopes
            .iter()
            .map(|index| format!("{{id: c000000{index}-0000-4000-8000-00000000000{digit}, type: Scope}}"))
            .collect();
        format!("{{resourceAppId: {}, resourceAccess: [{}]}}", tenant.app(resource), access.join(", "))
    };
    format!(
        r#"
- tenantId: {id}
  displayName: {domain}
  domains: [{domain}]
  strict: {strict}
  ownSigningKeys: false
  users:
{users}
  applications:
  - appId: {api}
    displayName: Orders
    identifierUris: ["api://orders{digit}"]
    passwordCredentials: [{{displayName: s, secretText: "{SECRET}"}}]
    {certificate}
    requiredResourceAccess: [{to_downstream}]
    api:
      requestedAccessTokenVersion: 2
      preAuthorizedApplications: [{{appId: {known}, delegatedPermissionIds: [c0000002-0000-4000-8000-00000000000{digit}]}}]
      oauth2PermissionScopes: [{read}, {write}, {admin}, {old}]
    appRoles:
    - {{id: d0000001-0000-4000-8000-00000000000{digit}, value: Orders.Manager, allowedMemberTypes: [User], displayName: m, description: m, isEnabled: true}}
  - appId: {downstream}
    displayName: Stock
    identifierUris: ["api://downstream{digit}"]
    api: {{oauth2PermissionScopes: [{stock}]}}
  - appId: {public}
    displayName: Desktop
    isFallbackPublicClient: true
    publicClient: {{redirectUris: ["http://localhost"]}}
    requiredResourceAccess: [{to_api}]
  - appId: {web}
    displayName: Portal
    web: {{redirectUris: ["https://portal.{domain}/callback"]}}
    passwordCredentials: [{{displayName: s, secretText: "{SECRET}"}}]
    requiredResourceAccess: [{to_api}]
  - appId: {spa}
    displayName: Page
    spa: {{redirectUris: ["https://page.{domain}/"]}}
    requiredResourceAccess: [{to_api}]
  - {{appId: {known}, displayName: Known, isFallbackPublicClient: true}}
  - appId: {closed}
    displayName: Closed
    identifierUris: ["api://closed{digit}"]
    servicePrincipal: {{appRoleAssignmentRequired: true}}
    api: {{requestedAccessTokenVersion: 2, oauth2PermissionScopes: [{inside}]}}
  - {{appId: {everywhere}, displayName: Everywhere, isFallbackPublicClient: true, signInAudience: AzureADMultipleOrgs}}
  {more}
  appRoleAssignments:
  - {{user: grace@{domain}, resource: Closed, role: 00000000-0000-0000-0000-000000000000}}
  - {{user: alice@{domain}, resource: Orders, role: Orders.Manager}}
  oauth2PermissionGrants:
  - {{client: Desktop, resource: Orders, scopes: [Orders.Read]}}
  - {{client: Desktop, resource: Orders, user: alice@{domain}, scopes: [Orders.Write]}}
  - {{client: Desktop, resource: Closed, scopes: [Inside]}}
  - {{client: Desktop, resource: "https://graph.microsoft.com", scopes: [User.Read, openid, profile]}}
  - {{client: Portal, resource: Orders, scopes: [Orders.Read]}}
  - {{client: Page, resource: Orders, scopes: [Orders.Read]}}
  - {{client: Orders, resource: Stock, user: alice@{domain}, scopes: [user_impersonation]}}
  - {{client: Everywhere, resource: Orders, scopes: [Orders.Read]}}
"#,
        id = tenant.id,
        domain = tenant.domain,
        users = users(tenant),
        certificate = REGISTERED.key_credentials(""),
        api = tenant.app(App::Api),
        downstream = tenant.app(App::Downstream),
        public = tenant.app(App::Public),
        web = tenant.app(App::Web),
        spa = tenant.app(App::Spa),
        known = tenant.app(App::Known),
        closed = tenant.app(App::Closed),
        everywhere = tenant.app(App::Everywhere),
        to_downstream = required(App::Downstream, &[5]),
        to_api = required(App::Api, &[1, 2]),
        read = scope(1, "Orders.Read", "User", true),
        write = scope(2, "Orders.Write", "User", true),
        admin = scope(3, "Orders.Admin", "Admin", true),
        old = scope(4, "Orders.Old", "User", false),
        stock = scope(5, "user_impersonation", "User", true),
        inside = scope(6, "Inside", "User", true),
    )
}

/// The tenants above.
pub(crate) fn directory() -> DirectoryFile {
    let foreign = format!("servicePrincipals: [{{appId: {}}}]", CONTOSO.app(App::Everywhere));
    let tenants = [tenant(CONTOSO, false, ""), tenant(LITWARE, true, ""), tenant(FABRIKAM, false, &foreign)];
    let parsed = DirectoryFile::parse("crowd.yaml", &format!("tenants:{}", tenants.concat()));
    parsed.unwrap_or_else(|error| panic!("{error:?}")).file
}

/// An authority with these people.
pub(crate) async fn start() -> Kit {
    Kit::with(directory()).await
}

/// An authority with these people, on disk.
pub(crate) async fn start_on_disk(data: &std::path::Path) -> Kit {
    let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
    Kit::from(on_disk(data, &clock).directory(directory()), clock).await
}

/// A form of these parameters.
pub(crate) fn form(parameters: &[(&str, &str)]) -> String {
    let encoder = parameters.iter().fold(FormEncoder::new(), |form, (name, value)| form.field(name, value));
    String::from_utf8(encoder.finish()).unwrap()
}

/// Written as a form's value.
pub(crate) fn encoded(text: &str) -> String {
    form(&[("x", text)])[2..].to_owned()
}

impl Kit {
    /// The password grant at v2.0, as the public client.
    pub(crate) async fn password(&self, tenant: Tenant, name: &str, password: &str, scope: &str) -> Answer {
        let form = form(&[
            ("grant_type", "password"),
            ("client_id", &tenant.app(App::Public)),
            ("username", &tenant.user(name)),
            ("password", password),
            ("scope", scope),
        ]);
        self.post(&tenant.token_path(), &form).await
    }

    /// Alice's tokens for the API, with a refresh token.
    pub(crate) async fn alice(&self, tenant: Tenant) -> Answer {
        let scope = format!("{} openid profile offline_access", tenant.scope("Orders.Read"));
        let answer = self.password(tenant, "alice", PASSWORD, &scope).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }
}
