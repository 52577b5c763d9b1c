//! Secrets, switched-off clients, and what may be in a token (pitfalls B01 to B03, B05, B06, B08, B55, B56).

use countersign_directory::DirectoryFile;
use countersign_token::{FakeClock, Timestamp, base64_encode_standard};

use crate::kit::{
    API, CLIENT, Kit, NOW, OTHER_TENANT, SECRET, TENANT, V1_API, claims, directory_text, directory_with, on_disk,
};

const PATH: &str = "/contoso.com/oauth2/v2.0/token";

fn form(secret: &str) -> String {
    format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={secret}&scope={API}/.default")
}

#[tokio::test]
async fn b02_only_the_secret_itself_opens() {
    let kit = Kit::start().await;
    // B02: what a truncating hash or a trimming parser would take for the same.
    for wrong in [
        format!("{SECRET}%00"),
        format!("%00{SECRET}"),
        format!("{SECRET}+"),
        format!("{SECRET}%0A"),
        format!("%20{SECRET}"),
        format!("{SECRET}{}", "x".repeat(100)),
        SECRET[..SECRET.len() - 1].to_owned(),
        SECRET.to_uppercase(),
        format!("{SECRET}{SECRET}"),
        "*".to_owned(),
        "%27+OR+%271%27%3D%271".to_owned(),
    ] {
        let answer = kit.post(PATH, &form(&wrong)).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", 7_000_215), "{wrong}");
        // B01: neither what was sent nor what was expected is told.
        let text = answer.body.to_string();
        assert!(!text.contains(SECRET) && !text.contains(&wrong), "{text}");
    }
    // Missing and empty are the same thing (RFC 6749 §3.1).
    for none in [form("").replace("client_secret=&", ""), form("")] {
        assert_eq!(kit.post(PATH, &none).await.refusal(), (401, "invalid_client", 7_000_216));
    }
    // Another application's identifier does not make the secret fit.
    let other = form(SECRET).replace(CLIENT, API);
    assert_eq!(kit.post(PATH, &other).await.refusal(), (401, "invalid_client", 7_000_215));
}

#[tokio::test]
async fn b05_a_secret_is_good_from_its_start_to_its_end() {
    let kit = Kit::with(directory_with("")).await;
    let end = Timestamp::from_unix_seconds(1_798_761_600); // 2027-01-01
    for (now, code) in [(end.as_unix_seconds() - 1, None), (end.as_unix_seconds(), Some(7_000_222))] {
        kit.clock.set(Timestamp::from_unix_seconds(now));
        let answer = kit.post(PATH, &form(SECRET)).await;
        assert_eq!(answer.body["error_codes"][0].as_u64(), code, "{answer:?}");
    }
    // That a secret has expired is told only to whoever knows it.
    assert_eq!(kit.post(PATH, &form("wrong")).await.refusal(), (401, "invalid_client", 7_000_215));
    let start = "passwordCredentials: [{displayName: later, secretText: later-secret-0123456789, \
                 startDateTime: \"2026-06-01T00:00:00Z\", endDateTime: \"2027-01-01T00:00:00Z\"}]";
    let text = directory_text("", "")
        .replace("identifierUris: [\"api://client\"]\n    passwordCredentials:", &format!("{start}\n    replaced:"));
    let text = text.lines().filter(|line| {
        !line.contains("replaced:") && !line.contains("displayName: demo,") && !line.contains("displayName: old,")
    });
    let text = text.collect::<Vec<_>>().join("\n");
    let kit = Kit::with(DirectoryFile::parse("later.yaml", &text).unwrap().file).await;
    let early = kit.post(PATH, &form("later-secret-0123456789")).await;
    assert_eq!(early.refusal(), (401, "invalid_client", 7_000_222));
}

#[tokio::test]
async fn b06_who_is_switched_off_gets_nothing_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let disabled = (400, "unauthorized_client", 7_000_112);
    let kit = Kit::on_disk(folder.path()).await;
    assert_eq!(kit.post(PATH, &form(SECRET)).await.status, 200);
    kit.authority.shutdown().await;
    // The directory is altered while nobody looks; what was remembered must not outlive it.
    for (members, expected) in [
        ("servicePrincipal: {accountEnabled: false}", disabled),
        ("servicePrincipal: {accountEnabled: true}\n    isDisabled: true", disabled),
    ] {
        let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
        let kit = Kit::from(on_disk(folder.path(), &clock).directory(directory_with(members)), clock).await;
        assert_eq!(kit.post(PATH, &form(SECRET)).await.refusal(), expected, "{members}");
        // The same answer whether or not the secret is right.
        assert_eq!(kit.post(PATH, &form("wrong")).await.refusal(), expected, "{members}");
        kit.authority.shutdown().await;
    }
    let kit = Kit::with(directory_with("servicePrincipal: {accountEnabled: false}")).await;
    assert_eq!(kit.post(PATH, &form(SECRET)).await.refusal(), disabled);
}

#[tokio::test]
async fn a_resource_may_be_switched_off_or_want_an_assignment() {
    let resource = |members: &str| {
        let text =
            directory_text("", "").replace("displayName: OlderApi", &format!("displayName: OlderApi\n    {members}"));
        DirectoryFile::parse("test.yaml", &text).unwrap().file
    };
    let ask = async |kit: &Kit| {
        let answer = kit.token(&format!("{V1_API}/.default")).await;
        (answer.status, answer.body["error"].clone(), answer.body["error_codes"][0].as_u64().unwrap_or_default())
    };
    let kit = Kit::with(resource("servicePrincipal: {accountEnabled: false}")).await;
    assert_eq!(ask(&kit).await, (400, "invalid_resource".into(), 50_001));
    let kit = Kit::with(resource("servicePrincipal: {appRoleAssignmentRequired: true}")).await;
    assert_eq!(ask(&kit).await, (400, "invalid_grant".into(), 501_051));
}

#[tokio::test]
async fn basic_credentials_that_are_none_are_malformed() {
    let kit = Kit::start().await;
    let scope = format!("grant_type=client_credentials&scope={API}/.default");
    let pair = |text: &[u8]| format!("Basic {}", base64_encode_standard(text));
    for header in ["Basic !!!".to_owned(), pair(b"no colon"), pair(b":secret"), pair(b"\xff:\xff"), pair(b"%zz:x")] {
        let answer = kit.post_with(PATH, &scope, &[("authorization", &header)]).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", 9_002_313), "{header}");
    }
    let good = pair(format!("{CLIENT}:{SECRET}").as_bytes());
    let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
    assert_eq!(kit.post_with(PATH, &scope, &twice).await.refusal(), (400, "invalid_request", 9_002_313));
    // Another scheme is none of this endpoint's business: it is as if there were no header.
    let bearer = kit.post_with(PATH, &form(SECRET), &[("authorization", "Bearer abc")]).await;
    assert_eq!(bearer.status, 200);
    let empty = kit.post_with(PATH, &scope, &[("authorization", &pair(format!("{CLIENT}:").as_bytes()))]).await;
    assert_eq!(empty.refusal(), (401, "invalid_client", 7_000_215));
}

#[tokio::test]
async fn b55_one_resource_that_is_known_and_named_exactly() {
    let kit = Kit::start().await;
    let refusals = [
        ("", (400, "invalid_request", 900_144)),
        ("%20%20", (400, "invalid_request", 900_144)),
        ("openid+profile", (400, "invalid_scope", 1_002_012)),
        ("/.default", (400, "invalid_scope", 1_002_012)),
        (".default", (400, "invalid_scope", 1_002_012)),
        ("api%3A%2F%2Folder%2F.DEFAULT", (400, "invalid_scope", 1_002_012)),
        ("api%3A%2F%2Folde%2F.default", (400, "invalid_resource", 500_011)),
        ("api%3A%2F%2FOLDER%2F.default", (400, "invalid_resource", 500_011)),
        ("api%3A%2F%2Folder%2F%2F.default", (400, "invalid_resource", 500_011)),
        ("api%3A%2F%2Folder%2F..%2Folder%2F.default", (400, "invalid_resource", 500_011)),
        ("api%3A%2F%2Folder%2F.default+api%3A%2F%2Fclient%2F.default", (400, "invalid_scope", 70_011)),
        ("api%3A%2F%2Folder%0D%0A%2F.default", (400, "invalid_scope", 70_011)),
        ("api%3A%2F%2Fo%00lder%2F.default", (400, "invalid_scope", 70_011)),
        ("%27%3B+DROP+TABLE+applications%3B--%2F.default", (400, "invalid_scope", 1_002_012)),
    ];
    for (scope, expected) in refusals {
        let answer = kit.token(scope).await;
        assert_eq!(answer.refusal(), expected, "{scope}: {answer:?}");
        let text = answer.body["error_description"].as_str().unwrap();
        assert!(!text.contains(['\r', '\n', '"', '\\', '\0']), "no JSON escape is needed: {text:?}");
    }
    // OIDC scopes are tolerated beside the resource's, as MSAL Go and Java send them.
    for scope in ["openid+offline_access+profile+api%3A%2F%2Folder%2F.default", "api%3A%2F%2Folder%2F.default+openid"] {
        let answer = kit.token(scope).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.get("id_token").is_none() && answer.body.get("refresh_token").is_none());
    }
}

#[tokio::test]
async fn b56_roles_are_those_granted_in_this_tenant_at_this_resource() {
    // The client is at home in Contoso and known in Fabrikam, where it was granted the writing role.
    let text = directory_text("signInAudience: AzureADMultipleOrgs", "").replace(
        "  domains: [fabrikam.com]\n",
        &format!(
            "  domains: [fabrikam.com]\n  servicePrincipals: [{{appId: {CLIENT}}}, {{appId: {API}}}]\n  \
             appRoleAssignments: [{{client: {CLIENT}, resource: {API}, role: Resource.Write}}]\n"
        ),
    );
    let text = text.replace(
        "displayName: DemoResourceApp",
        "displayName: DemoResourceApp\n    signInAudience: AzureADMultipleOrgs",
    );
    let kit = Kit::with(DirectoryFile::parse("test.yaml", &text).unwrap().file).await;
    for (tenant, role) in [(TENANT, "Resource.Read"), (OTHER_TENANT, "Resource.Write")] {
        let answer = kit.post(&format!("/{tenant}/oauth2/v2.0/token"), &form(SECRET)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let claims = claims(&answer.body["access_token"]);
        assert_eq!((&claims["roles"], &claims["tid"]), (&serde_json::json!([role]), &tenant.into()));
        assert_eq!(claims["iss"], kit.url(&format!("/{tenant}/v2.0")));
    }
    // At another resource it was granted nothing: no member at all, not an empty one.
    let other = kit.token(&format!("{V1_API}/.default")).await;
    assert!(claims(&other.body["access_token"]).get("roles").is_none());
}
