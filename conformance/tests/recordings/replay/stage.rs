//! Where the recordings are played: Contoso with the APIs that they name, people to sign in, an issuer elsewhere.

use std::sync::Arc;

use countersign_authority::ManagedIdentityEndpoint;
use countersign_conformance::contoso::{ALICE, CLIENT, House, IDENTITY, PASSWORD, ROOT, TENANT, TOOL, registration};
use countersign_conformance::elsewhere::Elsewhere;
use countersign_conformance::wire::{Answer, post_form};
use countersign_token::{Clock, OffsetClock};
use serde_json::{Value, json};

/// The APIs of the recordings, each with its one permission.
const APIS: [(&str, &str, &str); 5] = [
    ("b7ea0000-0000-4000-8000-000000000001", "https://vault.azure.net", "user_impersonation"),
    ("b7ea0000-0000-4000-8000-000000000002", "https://management.core.windows.net/", "user_impersonation"),
    ("b7ea0000-0000-4000-8000-000000000003", "https://management.core.usgovcloudapi.net/", "user_impersonation"),
    ("b7ea0000-0000-4000-8000-000000000004", "https://management.azure.com", "user_impersonation"),
    ("b7ea0000-0000-4000-8000-000000000005", "api://foo", "Foo"),
];

/// A tool that may read calendars, as one of the recordings' may.
pub(crate) const CALENDARS: &str = "b7ea0000-0000-4000-8000-000000000006";

/// What Microsoft's own tool may do in Graph, as the recordings have it.
const GRAPH: [&str; 7] = [
    "AuditLog.Read.All",
    "Directory.AccessAsUser.All",
    "Group.ReadWrite.All",
    "User.ReadWrite.All",
    "openid",
    "profile",
    "email",
];

/// An authority for the recordings.
pub(crate) struct Stage {
    pub(crate) house: House,
    pub(crate) clock: OffsetClock,
    pub(crate) elsewhere: Elsewhere,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let elsewhere = Elsewhere::open().await;
        let clock = OffsetClock::default();
        let turned: Arc<dyn Clock> = Arc::new(clock.clone());
        let directory = with_recorded_apis(elsewhere.trusted());
        let house = House::open_with(&directory, |builder| {
            elsewhere.allow(builder.clock(turned)).managed_identity(ManagedIdentityEndpoint::new(IDENTITY))
        })
        .await;
        Self { house, clock, elsewhere }
    }

    /// Tokens by password, for exchanges that begin with what an earlier one gave.
    pub(crate) async fn signed_in(&self, login: &str, scope: &str, claims: Option<&str>) -> Value {
        let mut form = vec![
            ("grant_type", "password"),
            ("client_id", TOOL),
            ("username", login),
            ("password", PASSWORD),
            ("scope", scope),
        ];
        form.extend(claims.map(|claims| ("claims", claims)));
        let answer: Answer = post_form(&self.house, &format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }
}

fn with_recorded_apis(mut directory: Value) -> Value {
    registration(&mut directory, TOOL)["signInAudience"] = "AzureADMultipleOrgs".into();
    // Entra's tokens for these are of version 1.0; that of on-behalf-of is Contoso's own business.
    let tenant = &mut directory["tenants"][0];
    for (id, uri, scope) in APIS {
        tenant["applications"].as_array_mut().unwrap().push(json!({
            "appId": id, "displayName": uri, "identifierUris": [uri],
            "api": {"oauth2PermissionScopes": [{
                "id": id.replace("b7ea", "b7eb"), "value": scope, "type": "User", "isEnabled": true,
                "adminConsentDisplayName": scope, "adminConsentDescription": scope,
            }]},
        }));
        for client in [TOOL, CLIENT] {
            let grant = json!({"client": client, "resource": uri, "scopes": [scope], "consentType": "AllPrincipals"});
            tenant["oauth2PermissionGrants"].as_array_mut().unwrap().push(grant);
        }
    }
    tenant["applications"].as_array_mut().unwrap().push(json!({
        "appId": CALENDARS, "displayName": "Calendars", "isFallbackPublicClient": true,
        "signInAudience": "AzureADMultipleOrgs",
    }));
    let grants = tenant["oauth2PermissionGrants"].as_array_mut().unwrap();
    grants.retain(|grant| grant["client"] != "DemoToolApp" || grant["resource"] != "Microsoft Graph");
    let graph = json!({
        "client": TOOL, "resource": "Microsoft Graph", "scopes": GRAPH, "consentType": "AllPrincipals",
    });
    grants.push(graph);
    grants.push(json!({
        "client": CALENDARS, "resource": "Microsoft Graph", "consentType": "AllPrincipals",
        "scopes": ["Calendars.Read", "User.Read", "openid", "profile", "email"],
    }));
    directory
}

/// Somebody whose sessions are revoked, and somebody whose are not.
pub(crate) const REVOKED: &str = ROOT;
pub(crate) const STANDING: &str = ALICE;
