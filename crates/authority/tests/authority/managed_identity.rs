//! Managed identities over plain HTTP, as Azure's endpoints answer (pitfalls, part (a) number 33; B73).

use std::net::SocketAddr;
use std::sync::Arc;

use countersign_authority::{Authority, AuthorityBuilder, ManagedIdentity, ManagedIdentityEndpoint};
use countersign_directory::DirectoryFile;
use countersign_token::{FakeClock, Timestamp};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::{API, CLIENT, Kit, NOW, TENANT, V1_API, claims, directory_text};

pub(crate) const IDENTITY: &str = "5a1d0e2b-64c1-4a7e-9f2f-3c2b1a0d9e8f";
pub(crate) const OBJECT: &str = "5a1d0e2b-64c1-4a7e-9f2f-000000000001";
pub(crate) const OTHER: &str = "5a1d0e2b-64c1-4a7e-9f2f-000000000002";
pub(crate) const IMDS: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=";
const APP_SERVICE: &str = "/msi/token?api-version=2019-08-01&resource=";
pub(crate) const METADATA: &str = "Metadata: true\r\n";

/// The usual directory with a managed identity that was granted a role, and what else a test needs of applications.
pub(crate) fn directory(client_members: &str, more: &str) -> DirectoryFile {
    let identities = format!(
        "  managedIdentities: [{{name: orders-identity, clientId: {IDENTITY}, id: {OBJECT}}}]\n  \
         appRoleAssignments: [{{client: orders-identity, resource: DemoResourceApp, role: Resource.Write}},"
    );
    let text = directory_text(client_members, more).replace("  appRoleAssignments: [", &identities);
    DirectoryFile::parse("test.yaml", &text).unwrap().file
}

pub(crate) fn builder(directory: DirectoryFile) -> (AuthorityBuilder, FakeClock) {
    let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
    (Authority::builder().clock(Arc::new(clock.clone())).directory(directory), clock)
}

pub(crate) struct Lent {
    pub(crate) kit: Kit,
    pub(crate) identity: ManagedIdentity,
}

impl Lent {
    pub(crate) async fn start() -> Self {
        Self::with(directory("", "")).await
    }

    pub(crate) async fn with(directory: DirectoryFile) -> Self {
        let (builder, clock) = builder(directory);
        Self::from(builder.managed_identity(ManagedIdentityEndpoint::new(IDENTITY)), clock).await
    }

    pub(crate) async fn from(builder: AuthorityBuilder, clock: FakeClock) -> Self {
        let kit = Kit::from(builder, clock).await;
        let identity = kit.authority.managed_identities()[0].clone();
        Self { kit, identity }
    }

    fn header(&self) -> String {
        format!("X-IDENTITY-HEADER: {}\r\n", self.identity.identity_header().expose_secret())
    }

    pub(crate) async fn imds(&self, rest: &str) -> Plain {
        get(&self.identity, &format!("{IMDS}{rest}"), METADATA).await
    }

    pub(crate) async fn app_service(&self, rest: &str) -> Plain {
        get(&self.identity, &format!("{APP_SERVICE}{rest}"), &self.header()).await
    }
}

/// An answer, letter for letter.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) status: u16,
    head: String,
    body: String,
}

impl Plain {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn refusal(&self) -> (u16, Value) {
        (self.status, self.json())
    }
}

pub(crate) fn address(identity: &ManagedIdentity) -> SocketAddr {
    identity.imds().strip_prefix("http://").unwrap().parse().unwrap()
}

pub(crate) async fn says(identity: &ManagedIdentity, request: &str) -> Plain {
    let mut stream = TcpStream::connect(address(identity)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    Plain { status, head: head.to_lowercase(), body: body.to_owned() }
}

pub(crate) async fn get(identity: &ManagedIdentity, target: &str, headers: &str) -> Plain {
    says(identity, &format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Connection: close\r\n\r\n")).await
}

/// The names of the members of a flat object whose values are all strings, in their order.
fn members(json: &str) -> Vec<&str> {
    let pieces: Vec<&str> = json.trim_start().trim_start_matches('{').split('"').collect();
    let entries = pieces.chunks(4).take_while(|entry| entry.len() == 4 && !entry[0].contains('}'));
    entries
        .map(|entry| {
            assert_eq!(entry[2].trim(), ":", "the value of {} is a string: {json}", entry[1]);
            entry[1]
        })
        .collect()
}

/// The bodies of a topic's recordings of which the line has all these texts; none where the recordings are not at hand.
#[expect(clippy::disallowed_methods, reason = "tests find shared material through one environment variable")]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn recorded(topic: &str, with: &[&str]) -> Vec<String> {
    let beside = || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("COUNTERSIGN_SHARED").map_or_else(beside, Into::into);
    let Ok(lines) = std::fs::read_to_string(shared.join("recordings").join(format!("{topic}.jsonl"))) else {
        eprintln!("skipped: the recordings are not at {}", shared.display());
        return Vec::new();
    };
    let found: Vec<_> = lines
        .lines()
        .filter(|line| with.iter().all(|text| line.contains(text)))
        .map(|line| line.split_once("\"body\": {").unwrap().1.to_owned())
        .collect();
    assert!(!found.is_empty(), "{topic} {with:?}");
    found
}

const IMDS_MEMBERS: [&str; 8] =
    ["access_token", "client_id", "expires_in", "expires_on", "ext_expires_in", "not_before", "resource", "token_type"];
const APP_SERVICE_MEMBERS: [&str; 5] = ["access_token", "expires_on", "resource", "token_type", "client_id"];

#[tokio::test]
async fn the_metadata_service_answers_as_recorded_with_a_token_of_a_day() {
    let lent = Lent::start().await;
    let answer = lent.imds(&format!("api://{API}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(members(&answer.body), IMDS_MEMBERS);
    for body in recorded("imds", &["\"outcome\": \"ok\""]) {
        assert_eq!(members(&body), IMDS_MEMBERS);
    }
    for header in ["content-type: application/json; charset=utf-8", "server: imds/150.870.65.", "x-ms-request-id: "] {
        assert!(answer.head.contains(header), "{header}: {}", answer.head);
    }
    let body = answer.json();
    let number = |name: &str| body[name].as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!((number("expires_in"), number("ext_expires_in")), (86_399, 86_399));
    assert_eq!((number("expires_on"), number("not_before")), (NOW + 86_400, NOW - 300));
    assert_eq!(number("expires_on") - number("not_before"), number("ext_expires_in") + 301, "recorded");
    assert_eq!((&body["client_id"], &body["token_type"]), (&json!(IDENTITY), &json!("Bearer")));
    assert_eq!(body["resource"], format!("api://{API}"), "as it was asked for");
    let claims = claims(&body["access_token"]);
    for (name, value) in [
        ("aud", json!(API)),
        ("azp", json!(IDENTITY)),
        ("azpacr", json!("2")),
        ("oid", json!(OBJECT)),
        ("sub", json!(OBJECT)),
        ("tid", json!(TENANT)),
        ("roles", json!(["Resource.Write"])),
        ("exp", json!(NOW + 86_400)),
        ("nbf", json!(NOW - 300)),
        ("iss", json!(lent.kit.url(&format!("/{TENANT}/v2.0")))),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    // A v1.0 resource gets v1.0, with the audience that was asked for.
    let older = lent.imds("https://older.contoso.com/").await.json();
    let claims = crate::kit::claims(&older["access_token"]);
    assert_eq!(
        (&claims["ver"], &claims["appidacr"], &claims["aud"]),
        (&json!("1.0"), &json!("2"), &json!("https://older.contoso.com/"))
    );
    assert_eq!((&claims["appid"], &claims["exp"]), (&json!(IDENTITY), &json!(NOW + 86_400)));
}

#[tokio::test]
async fn app_service_answers_as_recorded_in_both_versions() {
    let lent = Lent::start().await;
    let answer = lent.app_service(&format!("api://{API}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(members(&answer.body), APP_SERVICE_MEMBERS);
    let not_ml = "\"Kestrel\"";
    for version in ["api-version=2019-08-01", "api-version=2017-09-01"] {
        for body in recorded("appservice", &[version, not_ml]) {
            assert_eq!(members(&body), APP_SERVICE_MEMBERS, "{version}");
        }
    }
    assert!(answer.head.contains("content-type: application/json; charset=utf-8"), "{}", answer.head);
    assert_eq!(answer.json()["expires_on"], (NOW + 86_400).to_string());
    assert_eq!(answer.json()["client_id"], IDENTITY);
    // The older version: its own header, its own parameter, a date.
    let header = format!("secret: {}\r\n", lent.identity.identity_header().expose_secret());
    let target = format!("/msi/token?api-version=2017-09-01&resource=api://{API}&clientid={IDENTITY}");
    let older = get(&lent.identity, &target, &header).await;
    assert_eq!((older.status, members(&older.body)), (200, APP_SERVICE_MEMBERS.to_vec()), "{older:?}");
    assert_eq!(older.json()["expires_on"], "01/02/2026 00:00:00 +00:00");
    assert_eq!(claims(&older.json()["access_token"])["oid"], OBJECT);
}

#[tokio::test]
async fn a33_without_its_header_the_metadata_service_says_so_and_nothing_else() {
    let lent = Lent::start().await;
    let expected = json!({"error": "invalid_request", "error_description": "Required metadata header not specified"});
    for body in recorded("imds", &["\"outcome\": \"http400 invalid_request\""]) {
        let (names, recorded) = (members(&body), body.contains("Required metadata header not specified"));
        assert_eq!((names, recorded), (vec!["error", "error_description"], true));
    }
    let header = lent.header();
    for headers in
        ["", "Metadata: false\r\n", "Metadata:\r\n", "Metadata: true\r\nMetadata: false\r\n", header.as_str()]
    {
        for rest in [format!("api://{API}"), "nonsense".to_owned()] {
            let answer = get(&lent.identity, &format!("{IMDS}{rest}"), headers).await;
            assert_eq!(answer.refusal(), (400, expected.clone()), "{headers:?}");
            assert_eq!(members(&answer.body), ["error", "error_description"]);
        }
    }
    // The probe of azure-identity: no header, no resource.
    let probe = get(&lent.identity, "/metadata/identity/oauth2/token", "").await;
    assert_eq!(probe.refusal(), (400, expected));
    // The word has no case.
    assert_eq!(get(&lent.identity, &format!("{IMDS}api://{API}"), "metadata: True\r\n").await.status, 200);
}

#[tokio::test]
async fn a33_app_service_wants_its_header_letter_for_letter() {
    let lent = Lent::start().await;
    let right = lent.identity.identity_header().expose_secret().to_owned();
    assert!(right.len() >= 40, "nobody guesses it");
    let upper = right.to_uppercase();
    for headers in [
        String::new(),
        METADATA.to_owned(),
        "X-IDENTITY-HEADER:\r\n".to_owned(),
        format!("X-IDENTITY-HEADER: {}\r\n", &right[1..]),
        format!("X-IDENTITY-HEADER: {right}x\r\n"),
        format!("X-IDENTITY-HEADER: {upper}\r\n"),
        format!("X-IDENTITY-HEADER: {right}\r\nX-IDENTITY-HEADER: other\r\n"),
        format!("X-IDENTITY-HEADER: {right}\r\nsecret: other\r\n"),
        format!("Authorization: Bearer {right}\r\n"),
    ] {
        for version in ["2019-08-01", "2017-09-01"] {
            let target = format!("/msi/token?api-version={version}&resource=api://{API}");
            let answer = get(&lent.identity, &target, &headers).await;
            assert_eq!(answer.status, 401, "{headers}");
            let body = answer.json();
            assert_eq!(body["statusCode"], 401);
            assert!(body["message"].is_string() && body["correlationId"].is_string(), "{body}");
            assert!(!answer.body.contains(&right), "it is not given away");
        }
    }
    assert_eq!(lent.app_service(&format!("api://{API}")).await.status, 200);
    // Two authorities do not share it.
    let other = Lent::start().await;
    assert_ne!(other.identity.identity_header().expose_secret(), right);
    let answer = get(&other.identity, &format!("{APP_SERVICE}api://{API}"), &lent.header()).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn an_identity_that_is_named_must_be_the_one_that_is_lent() {
    let lent = Lent::start().await;
    let resource_id = lent.identity.resource_id().to_owned();
    assert!(resource_id.ends_with("/userAssignedIdentities/orders-identity"), "{resource_id}");
    let both = format!("&client_id={IDENTITY}&object_id={OBJECT}");
    let upper = format!("&client_id={}", IDENTITY.to_uppercase());
    for names in [
        format!("&client_id={IDENTITY}"),
        upper,
        format!("&object_id={OBJECT}"),
        format!("&principal_id={OBJECT}"),
        format!("&msi_res_id={resource_id}"),
        format!("&mi_res_id={}", resource_id.to_lowercase()),
        both,
    ] {
        let rest = format!("api://{API}{names}");
        for answer in [lent.imds(&rest).await, lent.app_service(&rest).await] {
            assert_eq!(answer.status, 200, "{names} {answer:?}");
        }
    }
    for names in [
        format!("&client_id={CLIENT}"),
        "&client_id=client-id".to_owned(),
        format!("&client_id={OBJECT}"),
        format!("&object_id={IDENTITY}"),
        format!("&principal_id={OTHER}"),
        "&msi_res_id=/fake/resource/ID".to_owned(),
        format!("&mi_res_id={resource_id}/x"),
        format!("&client_id={IDENTITY}&object_id={OTHER}"),
    ] {
        let rest = format!("api://{API}{names}");
        let not_found = json!({"error": "invalid_request", "error_description": "Identity not found"});
        assert_eq!(lent.imds(&rest).await.refusal(), (400, not_found), "{names}");
        let (status, body) = lent.app_service(&rest).await.refusal();
        assert_eq!((status, &body["statusCode"]), (400, &json!(400)), "{names}");
        assert!(
            body["message"].as_str().unwrap().starts_with("No User Assigned or Delegated Managed Identity"),
            "{body}"
        );
    }
    // One that the operator chose.
    let (builder, clock) = builder(directory("", ""));
    let endpoint = ManagedIdentityEndpoint::new("orders-identity").resource_id("/subscriptions/1/x");
    let lent = Lent::from(builder.managed_identity(endpoint), clock).await;
    assert_eq!(lent.imds(&format!("api://{API}&msi_res_id=/Subscriptions/1/X")).await.status, 200);
    assert_eq!(lent.imds(&format!("api://{API}&msi_res_id={resource_id}")).await.status, 400);
}

#[tokio::test]
async fn what_is_missing_or_twice_in_the_query_is_refused() {
    let lent = Lent::start().await;
    let path = "/metadata/identity/oauth2/token";
    let version = "api-version=2018-02-01";
    for (target, description) in [
        (format!("{path}?{version}"), "Required query variable 'resource' is missing"),
        (format!("{path}?{version}&resource="), "Required query variable 'resource' is missing"),
        (format!("{path}?resource=api://{API}"), "Required query variable 'api-version' is missing"),
        (format!("{path}?api-version=2017-09-01&resource=api://{API}"), "Invalid 'api-version' requested"),
        (format!("{path}?api-version=latest&resource=api://{API}"), "Invalid 'api-version' requested"),
        (
            format!("{path}?{version}&resource=api://{API}&resource=api://{V1_API}"),
            "the parameter 'resource' stands in the form more than once",
        ),
        (format!("{path}?{version}&resource=%GG"), "the form holds a broken percent escape"),
    ] {
        let answer = get(&lent.identity, &target, METADATA).await;
        let expected = json!({"error": "invalid_request", "error_description": description});
        assert_eq!(answer.refusal(), (400, expected), "{target}");
    }
    for target in ["/msi/token", "/msi/token?api-version=2019-08-01", "/msi/token?api-version=2018-02-01&resource=x"] {
        let (status, body) = get(&lent.identity, target, &lent.header()).await.refusal();
        assert_eq!((status, &body["statusCode"]), (400, &json!(400)), "{target}");
    }
    // Later versions of the metadata service ask in the same way.
    let later = format!("{path}?api-version=2021-12-13&resource=api%3A%2F%2F{API}");
    assert_eq!(get(&lent.identity, &later, METADATA).await.status, 200);
}

#[tokio::test]
async fn b73_a33_rebound_hosts_forwarded_requests_and_other_methods_are_turned_away() {
    let lent = Lent::start().await;
    let target = format!("{IMDS}api://{API}");
    let ask = async |line: &str, headers: &str| {
        let request = format!("{line} HTTP/1.1\r\n{headers}{METADATA}Connection: close\r\n\r\n");
        says(&lent.identity, &request).await.refusal()
    };
    let line = format!("GET {target}");
    for host in ["localhost:4000", "127.0.0.1", "[::1]:4000"] {
        assert_eq!(ask(&line, &format!("Host: {host}\r\n")).await.0, 200, "{host}");
    }
    for headers in [
        "Host: rebound.example\r\n",
        "Host: 127.0.0.1.rebound.example\r\n",
        "Host: localhost.rebound.example:80\r\n",
        "Host: user@localhost\r\n",
        "Host: 169.254.169.254\r\n",
        "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
        "Host:\r\n",
    ] {
        let (status, body) = ask(&line, headers).await;
        assert_eq!((status, &body["error_description"]), (400, &json!("The Host is not this machine's")), "{headers}");
    }
    let absolute = format!("GET http://rebound.example{target}");
    assert_eq!(ask(&absolute, "Host: 127.0.0.1\r\n").await.0, 400);
    for header in ["X-Forwarded-For: 10.0.0.1", "x-forwarded-for:", "X-Forwarded-Host: a", "Forwarded: for=10.0.0.1"] {
        let (status, body) = ask(&line, &format!("Host: 127.0.0.1\r\n{header}\r\n")).await;
        let expected = json!("Forwarded requests are not answered");
        assert_eq!((status, &body["error_description"]), (400, &expected), "{header}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer = ask(&format!("{method} {target}"), "Host: 127.0.0.1\r\nContent-Length: 0\r\n").await;
        assert_eq!(answer.0, 405, "{method}");
        assert!(answer.1.get("access_token").is_none());
    }
    assert_eq!(ask(&format!("HEAD {target}"), "Host: 127.0.0.1\r\n").await.0, 405);
    for path in ["/", "/MSI/token", "/metadata/instance", "//msi/token"] {
        assert_eq!(ask(&format!("GET {path}"), "Host: 127.0.0.1\r\n").await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn entras_errors_are_passed_on() {
    let closed = "- {appId: 77777777-7777-4777-8777-777777777777, displayName: Closed, identifierUris: [\"api://closed\"], \
                  servicePrincipal: {appRoleAssignmentRequired: true}}";
    let lent = Lent::with(directory("", closed)).await;
    for (resource, error, code) in [
        ("https://nobody.azure.net", "invalid_resource", "AADSTS500011: "),
        ("api://closed", "invalid_grant", "AADSTS501051: "),
    ] {
        let (status, body) = lent.imds(resource).await.refusal();
        let description = body["error_description"].as_str().unwrap();
        assert_eq!((status, body["error"].as_str()), (400, Some(error)), "{body}");
        assert!(description.starts_with(code) && description.contains("Trace ID: "), "{description}");
        let (status, body) = lent.app_service(resource).await.refusal();
        assert_eq!((status, &body["statusCode"]), (400, &json!(400)), "{body}");
        assert!(body["message"].as_str().unwrap().starts_with(code), "{body}");
    }
}
