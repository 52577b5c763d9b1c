//! Another issuer's tokens as proof (pitfalls B10 to B21), the other issuer being an authority too.

use std::sync::Arc;

use countersign_authority::Authority;
use countersign_directory::DirectoryFile;
use countersign_token::{FakeClock, Timestamp};
use serde_json::json;

use crate::forge;
use crate::kit::{API, Answer, CLIENT, Kit, NOW, TENANT, claims, directory_text};

/// The issuer, its workload's token, and what that token says.
struct Issuer {
    kit: Kit,
    token: String,
    issuer: String,
    subject: String,
}

impl Issuer {
    async fn start() -> Self {
        let kit = Kit::start().await;
        let answer = kit.token(&format!("{API}/.default")).await;
        let claims = claims(&answer.body["access_token"]);
        let text = |name: &str| claims[name].as_str().unwrap().to_owned();
        let (issuer, subject) = (text("iss"), text("sub"));
        Self { kit, token: answer.body["access_token"].as_str().unwrap().to_owned(), issuer, subject }
    }

    /// A credential that fits the workload's token.
    fn credential(&self) -> String {
        credential(&self.issuer, &self.subject, API)
    }
}

fn credential(issuer: &str, subject: &str, audience: &str) -> String {
    format!(
        "federatedIdentityCredentials: [{{name: other, issuer: \"{issuer}\", subject: \"{subject}\", audiences: [\"{audience}\"]}}]"
    )
}

/// An authority whose client has these members and which may ask issuers on this machine.
async fn authority(issuer: &Issuer, members: &str, strict: bool) -> Kit {
    let text = directory_text(members, "")
        .replace("displayName: Contoso", &format!("displayName: Contoso\n  strict: {strict}"));
    let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
    let builder = Authority::builder()
        .clock(Arc::new(clock.clone()))
        .directory(DirectoryFile::parse("test.yaml", &text).unwrap().file)
        .allow_issuer_host("localhost")
        .issuer_roots_pem(issuer.kit.authority.ca_pem());
    Kit::from(builder, clock).await
}

async fn ask(kit: &Kit, assertion: &str) -> Answer {
    let form = forge::form(assertion, &format!("&client_id={CLIENT}&scope={API}/.default"));
    kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
}

#[tokio::test]
async fn a_workload_of_another_issuer_gets_a_token() {
    let issuer = Issuer::start().await;
    let kit = authority(&issuer, &issuer.credential(), false).await;
    let answer = ask(&kit, &issuer.token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let claims = claims(&answer.body["access_token"]);
    assert_eq!((&claims["azpacr"], &claims["roles"]), (&json!("2"), &json!(["Resource.Read"])));
    assert_eq!(
        ask(&kit, &issuer.token).await.status,
        200,
        "Entra takes it again, and so does a tenant that is not strict"
    );
}

#[tokio::test]
async fn b18_issuer_audience_and_subject_fit_exactly_or_not_at_all() {
    let issuer = Issuer::start().await;
    let (iss, sub) = (issuer.issuer.as_str(), issuer.subject.as_str());
    for (members, code) in [
        (String::new(), 70_025),
        (credential(&format!("{iss}/"), sub, API), 700_211),
        (credential(&iss.to_uppercase(), sub, API), 700_211),
        (credential(iss.strip_suffix("/v2.0").unwrap(), sub, API), 700_211),
        (credential(iss, sub, "api://AzureADTokenExchange"), 700_212),
        (credential(iss, sub, &API.to_uppercase()), 700_212),
        (credential(iss, &sub.to_uppercase(), API), 700_213),
        (credential(iss, &sub[..8], API), 700_213),
        (credential(iss, "*", API), 700_213),
    ] {
        let kit = authority(&issuer, &members, false).await;
        let answer = ask(&kit, &issuer.token).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", code), "{members}");
    }
}

#[tokio::test]
async fn b10_b16_a_forged_or_outdated_assertion_is_refused() {
    let issuer = Issuer::start().await;
    let kit = authority(&issuer, &issuer.credential(), false).await;
    let (head, signature) = issuer.token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{head}.{other}{}", &signature[1..]);
    assert_eq!(ask(&kit, &forged).await.refusal(), (401, "invalid_client", 7_000_274));
    assert_eq!(ask(&kit, &format!("{head}.")).await.refusal().0, 401);
    // Of the issuer's own kind, and signed by nobody that it publishes.
    let stranger = Issuer::start().await;
    let claims = claims(&json!(issuer.token));
    let part = |value: &serde_json::Value| countersign_token::base64url_encode(value.to_string().as_bytes());
    let header = crate::kit::segment(&json!(stranger.token), 0);
    let foreign = format!("{}.{}.{}", part(&header), part(&claims), stranger.token.rsplit_once('.').unwrap().1);
    assert_eq!(ask(&kit, &foreign).await.refusal(), (401, "invalid_client", 7_000_274));
    kit.clock.advance(std::time::Duration::from_secs(3_600 + 301));
    assert_eq!(ask(&kit, &issuer.token).await.refusal(), (401, "invalid_client", 700_024));
}

#[tokio::test]
async fn b12_a_strict_tenant_takes_an_assertion_once_however_many_try() {
    let issuer = Issuer::start().await;
    let kit = authority(&issuer, &issuer.credential(), true).await;
    let answers = futures_util::future::join_all((0..8).map(|_| ask(&kit, &issuer.token))).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(taken, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.refusal(), (401, "invalid_client", 50_012));
    }
}

#[tokio::test]
async fn b19_an_issuer_on_this_machine_is_not_asked_unless_the_operator_allows_it() {
    let issuer = Issuer::start().await;
    let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
    let file = DirectoryFile::parse("test.yaml", &directory_text(&issuer.credential(), "")).unwrap().file;
    let builder = Authority::builder()
        .clock(Arc::new(clock.clone()))
        .directory(file)
        .issuer_roots_pem(issuer.kit.authority.ca_pem());
    let kit = Kit::from(builder, clock).await;
    assert_eq!(ask(&kit, &issuer.token).await.refusal(), (503, "temporarily_unavailable", 90_033));
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_costs_nobody_who_is_known_anything() {
    let issuer = Issuer::start().await;
    let kit = authority(&issuer, &issuer.credential(), false).await;
    assert_eq!(ask(&kit, &issuer.token).await.status, 200);
    let Issuer { kit: other, token, .. } = issuer;
    other.authority.shutdown().await;
    kit.clock.advance(std::time::Duration::from_secs(3_599));
    assert_eq!(ask(&kit, &token).await.status, 200);
}

#[tokio::test]
async fn b17_of_this_authoritys_own_tokens_only_applications_are_taken() {
    let issuer = Issuer::start().await;
    let (iss, sub) = (format!("https://sts.windows.net/{TENANT}/"), issuer.subject.as_str());
    let kit = authority(&issuer, &credential(&iss, sub, "https://graph.microsoft.com"), false).await;
    // A v1.0 token of this very authority, for another resource than the token exchange: its issuer is known without asking.
    let own = kit.token("https://graph.microsoft.com/.default").await;
    let answer = ask(&kit, own.body["access_token"].as_str().unwrap()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // And one that another authority signed under the same name is none of ours.
    let elsewhere = issuer.kit.token("https://graph.microsoft.com/.default").await;
    let answer = ask(&kit, elsewhere.body["access_token"].as_str().unwrap()).await;
    assert_eq!(answer.refusal(), (401, "invalid_client", 7_000_274));
}

/// A user, a public client, and the usual client as an API between it and the usual one.
const PERSON: &str = "0d5a4b8f-0000-4000-8000-0000000000aa";

fn with_a_person(text: &str) -> String {
    let scope = |id: &str| {
        format!(
            "oauth2PermissionScopes: [{{id: {id}, value: access_as_user, type: User, isEnabled: true, adminConsentDisplayName: a, adminConsentDescription: a}}]"
        )
    };
    text.replacen(
        "  appRoleAssignments:",
        &format!(
            "  - {{appId: {PERSON}, displayName: Desktop, isFallbackPublicClient: true}}\n  \
             users: [{{userPrincipalName: alice@contoso.com, displayName: Alice, password: correct-horse}}]\n  \
             oauth2PermissionGrants: [{{client: Desktop, resource: DemoClientApp, scopes: [access_as_user], consentType: AllPrincipals}}, \
             {{client: DemoClientApp, resource: DemoResourceApp, scopes: [access_as_user], consentType: AllPrincipals}}]\n  appRoleAssignments:"
        ),
        1,
    )
    .replacen("api: {requestedAccessTokenVersion: 2}", &format!("api: {{requestedAccessTokenVersion: 2, {}}}", scope(TENANT)), 1)
    .replacen("identifierUris: [\"api://client\"]", &format!("identifierUris: [\"api://client\"]\n    api: {{{}}}", scope(CLIENT)), 1)
}

#[tokio::test]
async fn an_api_may_prove_itself_by_its_workloads_token_on_behalf_of_a_user() {
    let issuer = Issuer::start().await;
    let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
    let text = with_a_person(&directory_text(&issuer.credential(), ""));
    let builder = Authority::builder()
        .clock(Arc::new(clock.clone()))
        .directory(DirectoryFile::parse("test.yaml", &text).unwrap().file)
        .allow_issuer_host("localhost")
        .issuer_roots_pem(issuer.kit.authority.ca_pem());
    let kit = Kit::from(builder, clock).await;
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let form = format!(
        "grant_type=password&client_id={PERSON}&username=alice%40contoso.com&password=correct-horse&scope=api://client/access_as_user"
    );
    let user = kit.post(&path, &form).await;
    assert_eq!(user.status, 200, "{user:?}");
    let exchange = forge::form(&issuer.token, &format!("&client_id={CLIENT}&scope=api://{API}/access_as_user"))
        .replace(
            "grant_type=client_credentials",
            &format!(
                "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&requested_token_use=on_behalf_of&assertion={}",
                user.body["access_token"].as_str().unwrap()
            ),
        );
    let answer = kit.post(&path, &exchange).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let claims = claims(&answer.body["access_token"]);
    assert_eq!(
        (&claims["scp"], &claims["azpacr"], &claims["azp"]),
        (&json!("access_as_user"), &json!("2"), &json!(CLIENT))
    );
}
