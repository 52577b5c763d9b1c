//! Requests to the token endpoints that are wrong in one way each.

use countersign_conformance::contoso::{
    CLIENT, FABRIKAM, House, NO_RESOURCE_URI, NO_TENANT, RESOURCE_URI, SECRET, WRONG_SECRET,
};
use countersign_conformance::wire::{Answer, form, post, request};

use crate::refusal::assert_refusal;

const V2: &str = "/6babcaad-604b-40ac-a9d7-9fd97c0b779f/oauth2/v2.0/token";
const V1: &str = "/6babcaad-604b-40ac-a9d7-9fd97c0b779f/oauth2/token";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The usual request with parameters replaced (`Some`) or left out (`None`).
fn but(changes: &[(&str, Option<&str>)]) -> String {
    let scope = format!("{RESOURCE_URI}/.default");
    let mut fields: Vec<(&str, &str)> =
        vec![("grant_type", "client_credentials"), ("client_id", CLIENT), ("client_secret", SECRET), ("scope", &scope)];
    for (name, value) in changes {
        fields.retain(|(field, _)| field != name);
        fields.extend(value.map(|value| (*name, value)));
    }
    form(&fields)
}

async fn send(house: &House, target: &str, body: &str) -> Answer {
    post(house, target, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_request_is_well_formed() {
    let house = House::open().await;
    assert_eq!(send(&house, V2, &but(&[])).await.status, 200);
    let v1 = but(&[("scope", None), ("resource", Some(RESOURCE_URI))]);
    assert_eq!(send(&house, V1, &v1).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters() {
    let house = House::open().await;
    let duplicate = format!("{}&client_id={CLIENT}", but(&[]));
    let scope = but(&[]);
    let cases: [(&str, String, u16, u64); 22] = [
        ("no grant type", but(&[("grant_type", None)]), 400, 900_144),
        ("empty grant type", but(&[("grant_type", Some(""))]), 400, 900_144),
        ("unknown grant type", but(&[("grant_type", Some("telepathy"))]), 400, 70_003),
        ("quoted grant type", but(&[("grant_type", Some("\"\\\r\n<script>\u{1}"))]), 400, 70_003),
        ("no client id", but(&[("client_id", None)]), 400, 900_144),
        ("client id that is no GUID", but(&[("client_id", Some("' OR 1=1 --"))]), 400, 700_016),
        ("client id with quotes", but(&[("client_id", Some("\"\\\u{7}<b>"))]), 400, 700_016),
        ("no credential", but(&[("client_secret", None)]), 401, 7_000_216),
        ("wrong secret", but(&[("client_secret", Some(WRONG_SECRET))]), 401, 7_000_215),
        ("empty secret", but(&[("client_secret", Some(""))]), 401, 7_000_216),
        ("very long secret", but(&[("client_secret", Some(&"x".repeat(30_000)))]), 401, 7_000_215),
        ("no scope", but(&[("scope", None)]), 400, 900_144),
        ("scope without /.default", but(&[("scope", Some("Resource.Read"))]), 400, 1_002_012),
        ("unknown resource", but(&[("scope", Some(&format!("{NO_RESOURCE_URI}/.default")))]), 400, 500_011),
        ("scope with quotes", but(&[("scope", Some("api://\"\\x/.default"))]), 400, 70_011),
        ("resource parameter at v2.0", but(&[("resource", Some(RESOURCE_URI))]), 400, 901_002),
        ("duplicate parameter", duplicate, 400, 9_002_313),
        ("broken escape", scope.replace("%2E", "%zz"), 400, 9_002_313),
        ("escape cut short", format!("{scope}&x=%4"), 400, 9_002_313),
        ("not UTF-8", format!("{scope}&x=%ff%fe"), 400, 9_002_313),
        ("no body", String::new(), 400, 900_144),
        ("no pairs", "&&&===&".to_owned(), 400, 900_144),
    ];
    for (what, body, status, code) in cases {
        assert_refusal(what, &send(&house, V2, &body).await, status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_resources_at_once() {
    let house = House::open().await;
    let scope = format!("{RESOURCE_URI}/.default https://graph.microsoft.com/.default");
    assert_refusal("two", &send(&house, V2, &but(&[("scope", Some(&scope))])).await, 400, 70_011);
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_wants_a_resource() {
    let house = House::open().await;
    assert_refusal("scope at v1.0", &send(&house, V1, &but(&[])).await, 400, 900_144);
    let unknown = but(&[("scope", None), ("resource", Some(NO_RESOURCE_URI))]);
    assert_refusal("unknown resource", &send(&house, V1, &unknown).await, 400, 500_011);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_other_types() {
    let house = House::open().await;
    let json = r#"{"grant_type":"client_credentials"}"#;
    for content_type in ["application/json", "multipart/form-data; boundary=x", "text/plain", "", "\"", "a/b/c;;"] {
        let headers = format!("Content-Type: {content_type}\r\n");
        let answer = request(&house, "POST", V2, &headers, json.as_bytes()).await;
        assert_refusal(content_type, &answer, 400, 900_144);
        let answer = request(&house, "POST", V2, &headers, but(&[]).as_bytes()).await;
        assert_refusal(content_type, &answer, 400, 900_144);
    }
    let answer = request(&house, "POST", V2, "", but(&[]).as_bytes()).await;
    assert_refusal("no content type", &answer, 400, 900_144);
    let compressed = format!("{FORM}Content-Encoding: gzip\r\n");
    let answer = request(&house, "POST", V2, &compressed, b"\x1f\x8b\x08\x00\x00\x00\x00\x00").await;
    assert_refusal("compressed", &answer, 400, 9_002_313);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_types_that_real_clients_send_are_taken() {
    let house = House::open().await;
    for content_type in [
        "application/x-www-form-urlencoded;charset=utf-8",
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-URLencoded",
    ] {
        let (headers, body) = (format!("Content-Type: {content_type}\r\n"), but(&[]));
        assert_eq!(request(&house, "POST", V2, &headers, body.as_bytes()).await.status, 200, "{content_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assertions() {
    let house = House::open().await;
    let assertion = |assertion: &str, kind: Option<&str>| {
        but(&[("client_secret", None), ("client_assertion", Some(assertion)), ("client_assertion_type", kind)])
    };
    let none = "eyJhbGciOiJub25lIn0.e30.";
    let long = format!("{0}.{0}.{0}", "A".repeat(20_000));
    let cases = [
        ("garbage", assertion("garbage", Some(ASSERTION_TYPE)), 400, 50_027),
        ("empty", assertion("", Some(ASSERTION_TYPE)), 401, 7_000_216),
        ("dots", assertion(&".".repeat(10_000), Some(ASSERTION_TYPE)), 400, 50_027),
        ("long", assertion(&long, Some(ASSERTION_TYPE)), 400, 50_027),
        ("alg none", assertion(none, Some(ASSERTION_TYPE)), 401, 5_002_738),
        ("no type", assertion("garbage", None), 401, 7_000_216),
        (
            "another type",
            assertion("garbage", Some("urn:ietf:params:oauth:client-assertion-type:saml2-bearer")),
            401,
            7_000_216,
        ),
    ];
    for (what, body, status, code) in cases {
        assert_refusal(what, &send(&house, V2, &body).await, status, code);
    }
    let both = but(&[("client_assertion", Some(none)), ("client_assertion_type", Some(ASSERTION_TYPE))]);
    assert_refusal("secret and assertion", &send(&house, V2, &both).await, 400, 9_002_313);
}

#[tokio::test(flavor = "multi_thread")]
async fn authorization_headers() {
    let house = House::open().await;
    let basic = |text: &str| format!("Basic {}", countersign_token::base64_encode_standard(text.as_bytes()));
    let good = basic(&format!("{CLIENT}:{SECRET}"));
    let bare = but(&[("client_id", None), ("client_secret", None)]);
    let cases: [(&str, String, &str, u16, u64); 8] = [
        ("no colon", basic(CLIENT), &bare, 400, 9_002_313),
        ("not base64", "Basic !!!".to_owned(), &bare, 400, 9_002_313),
        ("not UTF-8", "Basic //79".to_owned(), &bare, 400, 9_002_313),
        ("nothing", "Basic ".to_owned(), &bare, 400, 900_144),
        ("wrong secret", basic(&format!("{CLIENT}:{WRONG_SECRET}")), &bare, 401, 7_000_215),
        (
            "another client than the body",
            good.clone(),
            &but(&[("client_id", Some(FABRIKAM)), ("client_secret", None)]),
            400,
            9_002_313,
        ),
        ("beside a secret in the body", good.clone(), &but(&[]), 400, 9_002_313),
        ("another scheme", "Bearer eyJ".to_owned(), &bare, 400, 900_144),
    ];
    for (what, value, body, status, code) in cases {
        let headers = format!("{FORM}Authorization: {value}\r\n");
        assert_refusal(what, &request(&house, "POST", V2, &headers, body.as_bytes()).await, status, code);
    }
    let headers = format!("{FORM}Authorization: {good}\r\n");
    assert_eq!(request(&house, "POST", V2, &headers, bare.as_bytes()).await.status, 200);
    let twice = format!("{headers}Authorization: {good}\r\n");
    assert_refusal("two headers", &request(&house, "POST", V2, &twice, bare.as_bytes()).await, 400, 9_002_313);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants() {
    let house = House::open().await;
    let long = "a".repeat(5_000);
    let cases = [
        (NO_TENANT, 90_002),
        ("nobody.onmicrosoft.com", 90_002),
        (FABRIKAM, 700_016),
        ("00000000-0000-0000-0000-000000000000", 900_021),
        ("not%20a%20tenant", 900_023),
        ("%22%5c%3Cscript%3E", 900_023),
        ("%00", 900_023),
        ("%ff%fe", 900_023),
        ("%2e%2e", 900_023),
        ("a'%20OR%20'1'='1", 900_023),
        (long.as_str(), 900_023),
    ];
    for (tenant, code) in cases {
        for endpoint in ["oauth2/v2.0/token", "oauth2/token"] {
            let body = but(&[("scope", None)]);
            let answer = send(&house, &format!("/{tenant}/{endpoint}"), &body).await;
            assert_refusal(tenant, &answer, 400, code);
        }
    }
    for (tenant, code) in cases.iter().filter(|(tenant, _)| *tenant != FABRIKAM) {
        for document in ["v2.0/.well-known/openid-configuration", ".well-known/openid-configuration"] {
            let answer = countersign_conformance::wire::get(&house, &format!("/{tenant}/{document}")).await;
            assert_refusal(tenant, &answer, 400, *code);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_name_no_directory() {
    let house = House::open().await;
    for tenant in ["common", "consumers", "organizations", "COMMON"] {
        let answer = send(&house, &format!("/{tenant}/oauth2/v2.0/token"), &but(&[])).await;
        let code = if tenant.starts_with("org") { 50_059 } else { 9_001_023 };
        assert_refusal(tenant, &answer, 400, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_discovery() {
    let house = House::open().await;
    for (query, code) in [
        ("", 900_144),
        ("?authorization_endpoint=", 50_050),
        ("?authorization_endpoint=nonsense", 50_050),
        ("?authorization_endpoint=https%3A%2F%2Fevil.example%2Fcommon%2Foauth2%2Fauthorize", 50_049),
        ("?authorization_endpoint=%ff", 50_050),
        ("?authorization_endpoint=a&authorization_endpoint=b", 9_002_313),
    ] {
        let answer = countersign_conformance::wire::get(&house, &format!("/common/discovery/instance{query}")).await;
        assert_refusal(query, &answer, 400, code);
    }
}

/// The id of a request comes back; what is no GUID is not taken for one.
#[tokio::test(flavor = "multi_thread")]
async fn correlation_ids() {
    let house = House::open().await;
    let id = "c0ffee00-1234-4abc-8def-0123456789ab";
    let headers = format!("{FORM}client-request-id: {id}\r\nreturn-client-request-id: true\r\n");
    let answer = request(&house, "POST", V2, &headers, b"").await;
    assert_eq!(answer.json()["correlation_id"], id);
    assert_eq!(answer.header("client-request-id"), Some(id));
    let headers = format!("{FORM}client-request-id: {SECRET}\r\nreturn-client-request-id: true\r\n");
    let answer = request(&house, "POST", V2, &headers, b"").await;
    assert_refusal("an id that is none", &answer, 400, 900_144);
    assert!(!answer.headers.iter().any(|(_, value)| value.contains(SECRET)));
}
