//! A town with something wrong in every street: the applications and people that it takes to reach each code.

use std::sync::Arc;

use countersign_conformance::contoso::{CLIENT, House, PAGE, PASSWORD, TENANT, TOOL, registration};
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::elsewhere::Elsewhere;
use countersign_conformance::wire::{form, post};
use countersign_token::{Algorithm, Clock, OffsetClock, PrivateKey, base64url_encode};
use serde_json::{Value, json};

/// Has a secret that is over.
pub(crate) const FORGOTTEN: &str = "c0de0000-0000-4000-8000-000000000001";
/// Registered, but not here.
pub(crate) const ABSENT: &str = "c0de0000-0000-4000-8000-000000000002";
/// Switched off.
pub(crate) const DISABLED: &str = "c0de0000-0000-4000-8000-000000000003";
/// Lists an API that is not here, and has no address of its own.
pub(crate) const ADDRESSLESS: &str = "c0de0000-0000-4000-8000-000000000004";
/// In a strict tenant.
pub(crate) const STRICT: &str = "c0de0000-0000-4000-8000-000000000005";
/// For any tenant.
pub(crate) const MULTI: &str = "c0de0000-0000-4000-8000-000000000006";
/// A daemon without certificate or federated credential.
pub(crate) const PLAIN: &str = "c0de0000-0000-4000-8000-000000000007";
/// Another public client.
pub(crate) const PUBLIC: &str = "c0de0000-0000-4000-8000-000000000008";
/// Wants an assignment.
pub(crate) const ASSIGNED_URI: &str = "api://assigned";
/// Switched off.
pub(crate) const DISABLED_URI: &str = "api://disabled";
/// The page's redirect URI.
pub(crate) const PAGE_CALLBACK: &str = "https://page.contoso.com/callback";
/// A secret that anybody here has.
pub(crate) const SECRET: &str = "c0d8Q~only-for-this-test-0123456789";
/// RFC 7636, appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The town, its clock, and an issuer outside.
pub(crate) struct Scene {
    pub(crate) house: House,
    pub(crate) clock: OffsetClock,
    pub(crate) elsewhere: Elsewhere,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        let elsewhere = Elsewhere::open().await;
        let clock = OffsetClock::default();
        let turned: Arc<dyn Clock> = Arc::new(clock.clone());
        let town = town(elsewhere.trusted());
        let house = House::open_with(&town, |builder| elsewhere.allow(builder.clock(turned))).await;
        Self { house, clock, elsewhere }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_unix_seconds()
    }

    /// Tokens that a password gets the tool.
    pub(crate) async fn signed_in(&self, login: &str, scope: &str) -> Value {
        let fields = [
            ("grant_type", "password"),
            ("client_id", TOOL),
            ("username", login),
            ("password", PASSWORD),
            ("scope", scope),
        ];
        let answer = post(&self.house, &format!("/{TENANT}/oauth2/v2.0/token"), &form(&fields)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// An assertion as Contoso's daemon makes it, with other members in header and claims; null removes one.
    pub(crate) fn assertion(&self, header: &Value, claims: &Value) -> String {
        let aud = format!("{}/{TENANT}/oauth2/v2.0/token", self.house.origin());
        let now = self.now();
        let thumbprint = thumbprint(&REGISTERED.sha256);
        let usual = json!({"alg": "RS256", "typ": "JWT", "x5t#S256": thumbprint});
        let claimed = json!({
            "aud": aud, "iss": CLIENT, "sub": CLIENT, "jti": "8f2c0d4a-9a0e-4b52-8a44-0d5a4b8f6f10",
            "nbf": now - 10, "exp": now + 600, "iat": now - 10,
        });
        sign(&merged(usual, header), &merged(claimed, claims))
    }

    /// An assertion of the issuer elsewhere, or not quite, which we cannot sign as it does.
    pub(crate) fn federated(&self, claims: &Value) -> String {
        let (header, claimed) = countersign_conformance::tokens::decode(self.elsewhere.assertion());
        sign(&header, &merged(claimed, claims))
    }
}

fn thumbprint(hexadecimal: &str) -> String {
    let byte = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap();
    base64url_encode(&(0..hexadecimal.len()).step_by(2).map(byte).collect::<Vec<u8>>())
}

fn merged(mut target: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            target[name] = value.clone();
        }
    }
    target
}

fn sign(header: &Value, claims: &Value) -> String {
    let segment = |value: &Value| base64url_encode(value.to_string().as_bytes());
    let input = format!("{}.{}", segment(header), segment(claims));
    let key = PrivateKey::from_pem(&REGISTERED.private_key).unwrap();
    format!("{input}.{}", base64url_encode(&key.sign(Algorithm::Rs256, input.as_bytes()).unwrap()))
}

/// The same token with one character of its signature changed.
pub(crate) fn altered(token: &str) -> String {
    let at = token.len() - 40;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

fn town(mut directory: Value) -> Value {
    registration(&mut directory, PAGE)["spa"] = json!({"redirectUris": [PAGE_CALLBACK]});
    let secret = json!([{"displayName": "s", "secretText": SECRET}]);
    let user = |name: &str, members: Value| {
        let named = json!({"userPrincipalName": format!("{name}@contoso.com"), "password": PASSWORD});
        merged(named, &members)
    };
    let contoso = &mut directory["tenants"][0];
    let scope = |id: &str| {
        json!({"oauth2PermissionScopes": [{
            "id": id, "value": "Use", "type": "User", "isEnabled": true,
            "adminConsentDisplayName": "Use", "adminConsentDescription": "Use",
        }]})
    };
    contoso["applications"].as_array_mut().unwrap().extend([
        json!({"appId": FORGOTTEN, "displayName": "Forgotten", "passwordCredentials": [
            {"displayName": "s", "secretText": SECRET, "endDateTime": "2020-01-01T00:00:00Z"},
        ]}),
        json!({
            "appId": ABSENT, "displayName": "Absent", "servicePrincipal": false, "passwordCredentials": secret,
            "web": {"redirectUris": ["https://absent.contoso.com"]},
        }),
        json!({
            "appId": DISABLED, "displayName": "Disabled", "servicePrincipal": {"accountEnabled": false},
            "passwordCredentials": secret,
        }),
        json!({"appId": ADDRESSLESS, "displayName": "Addressless", "passwordCredentials": secret}),
        json!({
            "appId": MULTI, "displayName": "Multi", "signInAudience": "AzureADMultipleOrgs",
            "passwordCredentials": secret, "web": {"redirectUris": ["https://multi.contoso.com"]},
            "requiredResourceAccess": [{
                "resourceAppId": "c0de0000-0000-4000-8000-0000000000ff",
                "resourceAccess": [{"id": "c0de0000-0000-4000-8000-0000000000fe", "type": "Scope"}],
            }],
        }),
        json!({"appId": PUBLIC, "displayName": "Public", "isFallbackPublicClient": true}),
        json!({"appId": PLAIN, "displayName": "Plain", "passwordCredentials": secret}),
        json!({
            "appId": "c0de0000-0000-4000-8000-000000000011", "displayName": "Assigned", "identifierUris": [ASSIGNED_URI],
            "servicePrincipal": {"appRoleAssignmentRequired": true}, "api": scope("c0de0000-0000-4000-8000-000000000012"),
        }),
        json!({
            "appId": "c0de0000-0000-4000-8000-000000000013", "displayName": "Off", "identifierUris": [DISABLED_URI],
            "servicePrincipal": {"accountEnabled": false}, "api": scope("c0de0000-0000-4000-8000-000000000014"),
        }),
    ]);
    contoso["oauth2PermissionGrants"]
        .as_array_mut()
        .unwrap()
        .push(json!({"client": TOOL, "resource": "Assigned", "scopes": ["Use"], "consentType": "AllPrincipals"}));
    contoso["users"].as_array_mut().unwrap().extend([
        user("disabled", json!({"accountEnabled": false})),
        user("expired", json!({"passwordExpired": true})),
        user("passwordless", json!({"password": null})),
        user("mfa", json!({"mfaRequired": true})),
        user("blocked", json!({"blockedByPolicy": true})),
        user("locked", json!({})),
    ]);
    let fabrikam = &mut directory["tenants"][1];
    fabrikam["strict"] = true.into();
    fabrikam["users"] = json!([{"userPrincipalName": "dave@fabrikam.onmicrosoft.com", "password": PASSWORD}]);
    fabrikam["applications"] = json!([{
        "appId": STRICT, "displayName": "Strict", "identifierUris": ["api://strict"],
        "keyCredentials": [{
            "displayName": "c", "type": "AsymmetricX509Cert", "usage": "Verify", "key": REGISTERED.key,
        }],
    }]);
    directory
}
