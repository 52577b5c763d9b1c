//! What cannot be asked for over HTTP with a password: authentication contexts, tokens in URLs, hashes, foreign tokens.

use std::sync::Arc;
use std::time::Duration;

use countersign_directory::{
    Argon2id, Commit, Directory, DirectoryFile, KeyOwner, LoadContext, ServicePrincipal, SqliteDirectory, Tenant,
};
use countersign_protocol::{AuthorityHost, ClaimsRequest, CloudProfile, EndpointVersion, OidcScopes, TenantSegment};
use countersign_token::{
    ClientId, FakeClock, RootKey, SystemRandomness, Timestamp, TokenVersion, Vault, base64url_decode_strict,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    ClientProof, IdToken, OwnTokenFault, UserAccessToken, id_token, owner_in, read_own_token, user_access_token,
};
use crate::core::Core;
use crate::delegation::Delegation;
use crate::federation::{Federation, FederationSettings};
use crate::key_ring::{KeyRing, NewKey};
use crate::origin::{Origin, Origins};
use crate::registry::{Client, Registry};
use crate::subject::{SessionFacts, Subject};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c21";
const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";

const CONTOSO: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const FABRIKAM: &str = "0a1b2c3d-0000-4000-8000-00000000fab0";

type TestCore = Core<SqliteDirectory>;

/// An authority's inside without its outside.
async fn core(clock: &FakeClock, api_members: &str, tenant_members: &str) -> TestCore {
    let groups: Vec<_> =
        (0..7).map(|number| format!("{{displayName: G{number}, members: [alice@contoso.com]}}")).collect();
    let text = format!(
        r#"
tenants:
- tenantId: {CONTOSO}
  domains: [contoso.com]
  {tenant_members}
  users: [{{id: 11111111-1111-4111-8111-111111111111, userPrincipalName: alice@contoso.com, displayName: Alice}}]
  groups: [{groups}]
  applications:
  - {{appId: {API}, displayName: Api, identifierUris: ["api://two"], api: {{requestedAccessTokenVersion: 2}}, groupMembershipClaims: SecurityGroup, {api_members}}}
  - {{appId: {CLIENT}, displayName: Client, groupMembershipClaims: SecurityGroup, optionalClaims: {{idToken: [{{name: acrs}}]}}}}
- {{tenantId: {FABRIKAM}, domains: [fabrikam.com]}}
"#,
        groups = groups.join(", ")
    );
    let file = DirectoryFile::parse("issue.yaml", &text).unwrap().file;
    let directory = SqliteDirectory::in_memory().await.unwrap();
    let vault = Vault::new(&RootKey::from_bytes([7; 32])).unwrap();
    let passwords = Arc::new(Argon2id::new(SystemRandomness));
    let mut tx = directory.begin().await.unwrap();
    file.load_into(&mut tx, &LoadContext { vault: &vault, passwords, now: NOW }).await.unwrap();
    tx.commit().await.unwrap();
    let (vault, clock, randomness) = (Arc::new(vault), Arc::new(clock.clone()), Arc::new(SystemRandomness));
    let first = async { NewKey::make_for_this_process(0, NOW) };
    let keys = KeyRing::open(
        directory.clone(),
        Arc::clone(&vault),
        clock.clone(),
        randomness.clone(),
        KeyOwner::Everybody,
        first,
    )
    .await
    .unwrap();
    let origin = |url: &str| Origin { host: AuthorityHost::parse(url).unwrap(), cloud: CloudProfile::GLOBAL };
    Core {
        origins: Origins::new(origin("https://localhost:8443"), vec![origin("https://login.microsoftonline.com")]),
        clock,
        randomness,
        vault,
        registry: Registry::new(directory),
        keys,
        federation: Federation::new(FederationSettings::default()).unwrap(),
        patience: Duration::from_secs(1),
    }
}

/// Everybody who takes part in a request of Alice's.
struct Parties {
    tenant: Arc<Tenant>,
    client: Arc<Client>,
    principal: ServicePrincipal,
    subject: Subject,
    delegation: Delegation,
}

async fn parties(core: &TestCore) -> Parties {
    let id = CONTOSO.parse().unwrap();
    let tenant = core.registry.tenant(&TenantSegment::Id(id)).await.unwrap().unwrap();
    let client = core.registry.client(id, CLIENT.parse().unwrap()).await.unwrap().unwrap();
    let user = core.registry.user_named(id, "alice@contoso.com").await.unwrap().unwrap();
    let contexts = vec!["c1".to_owned(), "c2".to_owned()];
    let session = SessionFacts { contexts, ..SessionFacts::by_password(Uuid::from_u128(9), NOW.as_unix_seconds()) };
    Parties {
        principal: client.service_principal.clone().unwrap(),
        tenant,
        client,
        subject: Subject { user, session },
        delegation: Delegation {
            resource: core.registry.resource(id, "api://two").await.unwrap().unwrap(),
            resource_name: "api://two".to_owned(),
            scopes: vec!["access_as_user".to_owned()],
            oidc: OidcScopes { openid: true, profile: true, ..OidcScopes::default() },
            response_scope: "api://two/access_as_user".to_owned(),
        },
    }
}

impl Parties {
    fn access_token<'a>(&'a self, core: &'a TestCore, claims: &'a ClaimsRequest, in_url: bool) -> UserAccessToken<'a> {
        UserAccessToken {
            origin: core.origins.own(),
            tenant: &self.tenant,
            client_principal: &self.principal,
            proof: ClientProof::Assertion,
            subject: &self.subject,
            delegation: &self.delegation,
            claims,
            in_url,
            now: NOW,
        }
    }

    fn id_token<'a>(&'a self, core: &'a TestCore, claims: &'a ClaimsRequest) -> IdToken<'a> {
        IdToken {
            origin: core.origins.own(),
            tenant: &self.tenant,
            version: EndpointVersion::V2,
            client: &self.client,
            subject: &self.subject,
            oidc: self.delegation.oidc,
            claims,
            nonce: Some("n-1"),
            code: Some("Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"),
            access_token: Some("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            in_url: true,
            now: NOW,
        }
    }
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&base64url_decode_strict(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn authentication_contexts_are_told_to_those_who_ask() {
    let clock = FakeClock::at(NOW);
    let none = ClaimsRequest::default();
    let asking = ClaimsRequest::parse(r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#).unwrap();
    let plain = core(&clock, "", "").await;
    let who = parties(&plain).await;
    let token = user_access_token(&plain, who.access_token(&plain, &none, false)).await.unwrap();
    assert_eq!(claims(&token.token).get("acrs"), None);
    let token = user_access_token(&plain, who.access_token(&plain, &asking, false)).await.unwrap();
    assert_eq!(claims(&token.token)["acrs"], json!(["c1", "c2"]), "all that the session has");
    let wanting = core(&clock, "optionalClaims: {accessToken: [{name: acrs}]}", "").await;
    let who = parties(&wanting).await;
    let token = user_access_token(&wanting, who.access_token(&wanting, &none, false)).await.unwrap();
    assert_eq!(claims(&token.token)["acrs"], json!(["c1", "c2"]));
    assert_eq!(claims(&token.token)["azpacr"], "2");
}

#[tokio::test]
async fn a_token_in_a_url_names_six_groups_at_most_and_a_hybrid_id_token_its_companions() {
    let clock = FakeClock::at(NOW);
    let core = core(&clock, "", "").await;
    let who = parties(&core).await;
    let none = ClaimsRequest::default();
    let in_url = claims(&user_access_token(&core, who.access_token(&core, &none, true)).await.unwrap().token);
    assert_eq!((in_url.get("groups"), &in_url["hasgroups"]), (None, &json!(true)));
    let in_body = claims(&user_access_token(&core, who.access_token(&core, &none, false)).await.unwrap().token);
    assert_eq!((in_body["groups"].as_array().unwrap().len(), in_body.get("hasgroups")), (7, None));
    let hybrid = claims(&id_token(&core, who.id_token(&core, &none)).await.unwrap());
    // Both values are those of OpenID Connect Core, appendix A.
    assert_eq!(
        (&hybrid["c_hash"], &hybrid["at_hash"]),
        (&json!("LDktKdoQak3Pk0cnXxCltA"), &json!("77QmUPtjPfzWtF2AnpK9RQ"))
    );
    assert_eq!((&hybrid["nonce"], &hybrid["hasgroups"]), (&json!("n-1"), &json!(true)));
    assert_eq!(hybrid["acrs"], json!(["c1", "c2"]));
}

#[tokio::test]
async fn a_token_of_ones_own_is_read_back_and_told_by_its_kind() {
    let clock = FakeClock::at(NOW);
    let core = core(&clock, "", "").await;
    let (who, none) = (parties(&core).await, ClaimsRequest::default());
    let token = user_access_token(&core, who.access_token(&core, &none, false)).await.unwrap().token;
    let own = read_own_token(&core, &token).await.unwrap();
    assert!(own.is_delegated() && !own.is_app_only() && !own.is_id_token());
    assert_eq!((own.aud.as_str(), own.client()), (API, Some(CLIENT.parse::<ClientId>().unwrap())));
    assert_eq!((own.oid, own.sid), (Some(who.subject.user.object_id), Some(Uuid::from_u128(9))));
    assert!(!own.is_expired(NOW) && own.is_expired(NOW.plus(Duration::from_secs(5_401))));
    let id = read_own_token(&core, &id_token(&core, who.id_token(&core, &none)).await.unwrap()).await.unwrap();
    assert!(id.is_id_token() && !id.is_delegated());
    assert_eq!(id.aud, CLIENT);
}

#[tokio::test]
async fn issuing_writes_nothing_to_the_directory() {
    let clock = FakeClock::at(NOW);
    let core = core(&clock, "", "ownSigningKeys: true").await;
    let (who, none) = (parties(&core).await, ClaimsRequest::default());
    let before = core.registry.directory().revision();
    // But for an owner's very first key, made while somebody waits for it.
    user_access_token(&core, who.access_token(&core, &none, false)).await.unwrap();
    let with_a_key = core.registry.directory().revision();
    assert_ne!(before, with_a_key);
    user_access_token(&core, who.access_token(&core, &none, false)).await.unwrap();
    id_token(&core, who.id_token(&core, &none)).await.unwrap();
    assert_eq!(core.registry.directory().revision(), with_a_key);
}

/// Signs any claims with an owner's key.
async fn signed(core: &TestCore, owner: KeyOwner, payload: &Value) -> String {
    core.keys.signing(owner, NOW).await.unwrap().signer(TokenVersion::V2).sign(payload).unwrap()
}

#[tokio::test]
async fn b52_what_others_signed_or_names_others_is_not_believed() {
    let clock = FakeClock::at(NOW);
    let core = core(&clock, "ownSigningKey: true", "ownSigningKeys: true").await;
    let (who, none) = (parties(&core).await, ClaimsRequest::default());
    let token = user_access_token(&core, who.access_token(&core, &none, false)).await.unwrap().token;
    let good = claims(&token);
    let application = KeyOwner::Application(API.parse().unwrap());
    let own = owner_in(&who.tenant);
    assert_eq!(own, KeyOwner::Tenant(who.tenant.id));
    let outcome = async |token: &str| read_own_token(&core, token).await;
    assert!(outcome(&signed(&core, application, &good).await).await.is_ok(), "the application's key, for it");

    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    let foreign = [
        ("an application's key for another audience", application, with("aud", json!(CLIENT))),
        ("everybody's key in a tenant with its own", KeyOwner::Everybody, good.clone()),
        ("a tenant's key in another tenant", own, {
            let mut changed = with("tid", json!(FABRIKAM));
            changed["iss"] = json!(format!("https://localhost:8443/{FABRIKAM}/v2.0"));
            changed
        }),
        ("another authority's issuer", own, with("iss", json!(format!("https://evil.example/{CONTOSO}/v2.0")))),
        ("the issuer of another tenant", own, with("iss", json!(format!("https://localhost:8443/{FABRIKAM}/v2.0")))),
        ("a v1.0 issuer in v2.0", own, with("iss", json!(format!("https://sts.windows.net/{CONTOSO}/")))),
        ("an unknown version", own, with("ver", json!("3.0"))),
    ];
    for (what, owner, payload) in foreign {
        let fault = outcome(&signed(&core, owner, &payload).await).await.unwrap_err();
        assert!(matches!(fault, OwnTokenFault::ForeignIssuer), "{what}: {fault:?}");
    }
    // Under a name that it stands in for, it is the same authority.
    let stood_in = with("iss", json!(format!("https://login.microsoftonline.com/{CONTOSO}/v2.0")));
    assert!(outcome(&signed(&core, own, &stood_in).await).await.is_ok());

    let (head, signature) = token.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    for (what, text) in [
        ("another signature", format!("{head}.{flipped}{}", &signature[1..])),
        ("an unknown key", {
            let stranger = NewKey::make_for_this_process(1, NOW).unwrap();
            let header = countersign_token::base64url_encode(
                json!({"typ": "JWT", "alg": "RS256", "kid": stranger.key_id()}).to_string().as_bytes(),
            );
            format!("{header}.{}", token.split_once('.').unwrap().1)
        }),
    ] {
        let fault = outcome(&text).await.unwrap_err();
        assert!(matches!(fault, OwnTokenFault::NotOurs), "{what}: {fault:?}");
    }
    for text in ["", "a.b", "nonsense", &"x".repeat(100_000)] {
        assert!(matches!(outcome(text).await.unwrap_err(), OwnTokenFault::Malformed(_)));
    }
    let unsigned = format!(
        "{}.{}.",
        countersign_token::base64url_encode(br#"{"alg":"none"}"#),
        &head[head.find('.').unwrap() + 1..]
    );
    assert!(outcome(&unsigned).await.is_err(), "alg none");
}
