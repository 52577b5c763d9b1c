//! The list of routes, and who gets what from each.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use countersign_conformance::contoso::{CLIENT, DOMAIN, House, RESOURCE, SECRET, TENANT};
use countersign_conformance::wire::{self, get, post, post_form, request};
use countersign_token::OffsetClock;

use crate::refusal::assert_refusal;

/// What somebody without any credential gets from a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nobody {
    /// 200 and a document for programs: the route is public, on purpose.
    IsServed,
    /// 200 and something for people, which tells nothing of the directory.
    IsShown,
    /// The token endpoint itself, where callers prove themselves: 400 until they do.
    MustProve,
    /// 401 with a challenge.
    IsChallenged,
}

/// Every route of the authority. A new one is added here with its answer to nobody, or the test below fails.
const ROUTES: [(&str, &str, Nobody); 15] = [
    ("GET", "/", Nobody::IsShown),
    ("GET", "/portal", Nobody::IsShown),
    ("GET", "/error", Nobody::IsShown),
    ("GET", "/ca.pem", Nobody::IsShown),
    ("GET", "/assets/style.css", Nobody::IsShown),
    ("GET", "/{tenant}/.well-known/openid-configuration", Nobody::IsServed),
    ("GET", "/{tenant}/v2.0/.well-known/openid-configuration", Nobody::IsServed),
    ("GET", "/{tenant}/discovery/keys", Nobody::IsServed),
    ("GET", "/{tenant}/discovery/v2.0/keys", Nobody::IsServed),
    ("GET", "/{tenant}/discovery/instance", Nobody::IsServed),
    ("POST", "/{tenant}/oauth2/token", Nobody::MustProve),
    ("POST", "/{tenant}/oauth2/v2.0/token", Nobody::MustProve),
    ("GET", "/lab/clock", Nobody::IsChallenged),
    ("POST", "/lab/keys/roll", Nobody::IsChallenged),
    ("POST", "/lab/tokens", Nobody::IsChallenged),
];

fn target(route: &str) -> String {
    let query = if route.ends_with("/instance") {
        "?api-version=1.1&authorization_endpoint=https%3A%2F%2Flocalhost%2Fcommon%2Foauth2%2Fv2.0%2Fauthorize"
    } else if route == "/error" {
        "?code=7000215"
    } else {
        ""
    };
    format!("{}{query}", route.replace("{tenant}", TENANT))
}

/// Reads the authority's source for `.route("…"`, so that none can be added behind this test's back.
#[test]
fn the_list_is_whole() {
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else {
                let source = fs::read_to_string(&path).unwrap();
                let parts = source.split(".route(").skip(1);
                found.extend(parts.filter_map(|part| part.split('"').nth(1)).map(str::to_owned));
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/authority/src"), &mut found);
    let listed: BTreeSet<String> = ROUTES.iter().map(|(_, route, _)| (*route).to_owned()).collect();
    assert_eq!(found, listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_nobody() {
    let house = House::open_lab(OffsetClock::default()).await;
    for (method, route, expected) in ROUTES {
        let answer = request(&house, method, &target(route), "", b"").await;
        match expected {
            Nobody::IsServed => {
                assert_eq!(answer.status, 200, "{route}");
                assert!(answer.json().is_object());
                assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{route}");
                assert_eq!(answer.header("cache-control"), Some("max-age=86400, private"), "{route}");
            }
            Nobody::IsShown => {
                assert_eq!(answer.status, 200, "{route}");
                let text = String::from_utf8_lossy(&answer.body);
                for told in [TENANT, DOMAIN, CLIENT, RESOURCE, SECRET, "Contoso", "DemoClientApp", "PRIVATE KEY"] {
                    assert!(!text.contains(told), "{route} tells {told}");
                }
                if answer.header("content-type") == Some("text/html; charset=utf-8") {
                    let policy = answer.header("content-security-policy").unwrap_or_default();
                    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{route}: {policy}");
                    assert!(policy.contains("frame-ancestors 'none'"), "{route}: {policy}");
                    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{route}");
                    assert!(!text.contains("<script"), "{route}");
                }
            }
            Nobody::MustProve => {
                assert_refusal(route, &answer, 400, 900_144);
                assert_eq!(answer.header("cache-control"), Some("no-store, no-cache"), "{route}");
            }
            Nobody::IsChallenged => {
                assert_eq!(answer.status, 401, "{route}");
                let challenge = answer.header("www-authenticate").unwrap_or_default();
                assert!(challenge.starts_with("Bearer"), "{route}: {challenge}");
            }
        }
    }
}

/// The daemon's own token for Graph is genuine and for the right audience; the daemon is still not the administrator.
#[tokio::test(flavor = "multi_thread")]
async fn as_the_wrong_caller() {
    let house = House::open_lab(OffsetClock::default()).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let answer = post_form(&house, &format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    for (method, route, _) in ROUTES.iter().filter(|(.., nobody)| *nobody == Nobody::IsChallenged) {
        let answer = request(&house, method, route, &format!("Authorization: Bearer {token}\r\n"), b"").await;
        assert!([401, 403].contains(&answer.status), "{route}: {}", answer.status);
        assert!(answer.header("www-authenticate").is_some_and(|it| it.starts_with("Bearer")), "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_labs_routes_are_not_there_unless_asked_for() {
    let house = House::open().await;
    for (method, route, _) in ROUTES.iter().filter(|(.., nobody)| *nobody == Nobody::IsChallenged) {
        let answer = request(&house, method, route, "", b"").await;
        assert_refusal(route, &answer, 404, 9_002_313);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_matched_without_regard_to_case() {
    let house = House::open().await;
    for (method, route, expected) in ROUTES.iter().filter(|(.., nobody)| *nobody != Nobody::IsChallenged) {
        let (path, query) = target(route)
            .split_once('?')
            .map_or((target(route), String::new()), |(path, query)| (path.to_owned(), format!("?{query}")));
        let answer = request(&house, method, &format!("{}{query}", path.to_ascii_uppercase()), "", b"").await;
        assert_eq!(answer.status, if *expected == Nobody::MustProve { 400 } else { 200 }, "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_route_is_entras_error_too() {
    let house = House::open().await;
    for path in [
        "/favicon.ico",
        "/.well-known/openid-configuration",
        "/common/oauth2/v2.0/nothing",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/lab",
        "/portal;x=1",
    ] {
        assert_refusal(path, &get(&house, path).await, 404, 9_002_313);
        assert_refusal(path, &post(&house, path, "a=b").await, 404, 9_002_313);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_refused() {
    let house = House::open().await;
    for (route_method, route, expected) in ROUTES.iter().filter(|(.., nobody)| *nobody != Nobody::IsChallenged) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            if method == *route_method {
                continue;
            }
            let headers = "X-HTTP-Method-Override: GET\r\n";
            let answer = request(&house, method, &target(route), headers, b"").await;
            if *expected == Nobody::IsShown {
                assert_eq!(answer.status, 405, "{method} {route}");
            } else if *route_method == "POST" {
                assert_refusal(&format!("{method} {route}"), &answer, 400, 900_561);
                assert!(answer.json()["error_description"].as_str().unwrap().contains(&format!("a {method} request")));
            } else {
                assert_refusal(&format!("{method} {route}"), &answer, 405, 9_002_313);
            }
        }
    }
}

/// Discovery is public to scripts of every origin; a token endpoint is not, and no origin is ever echoed.
#[tokio::test(flavor = "multi_thread")]
async fn origins() {
    let house = House::open().await;
    for (method, route, expected) in ROUTES.iter().filter(|(.., nobody)| *nobody != Nobody::IsChallenged) {
        let origin = "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n";
        for method in [*method, "OPTIONS"] {
            let answer = request(&house, method, &target(route), origin, b"").await;
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, (*expected == Nobody::IsServed).then_some("*"), "{method} {route}");
            assert!(answer.header("access-control-allow-credentials").is_none(), "{method} {route}");
        }
    }
}

/// What a request calls the host never reaches an answer, nor an absolute-form target, nor a forwarding header.
#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_not_taken_from_the_request() {
    let house = House::open().await;
    let path = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    let usual = get(&house, &path).await.json();
    for head in [
        format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n"),
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n"
        ),
    ] {
        let request = format!("{head}Connection: close\r\n\r\n");
        let answer = wire::exchange(&house, request.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{head}");
        assert_eq!(answer.json(), usual, "{head}");
    }
}

/// What a proxy in front could have read otherwise than the authority does.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_this_authority_is_refused() {
    let house = House::open().await;
    let path = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    for head in [
        format!("GET https://evil.example{path} HTTP/1.1\r\nHost: evil.example\r\n"),
        format!("GET {path} HTTP/1.1\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: somebody@localhost\r\n"),
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n".to_owned(),
    ] {
        let request = format!("{head}Connection: close\r\n\r\n");
        let answer = wire::exchange(&house, request.as_bytes()).await.unwrap();
        assert_refusal(&head, &answer, 400, 9_002_313);
        assert!(!String::from_utf8_lossy(&answer.body).contains("evil"), "{head}");
    }
}
