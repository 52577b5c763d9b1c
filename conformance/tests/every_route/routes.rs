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
    /// 200 and a document for programs that is not to be kept.
    IsTold,
    /// 200 and something for people, which tells nothing of the directory.
    IsShown,
    /// A page that says what is missing.
    IsTurnedAway(u16),
    /// An endpoint where callers prove themselves: 400 until they do.
    MustProve,
    /// 401 with a challenge.
    IsChallenged,
    /// As before, and the route is the lab's: without it there is none.
    IsChallengedInTheLab,
}

use Nobody::{IsChallenged, IsChallengedInTheLab, IsServed, IsShown, IsTold, IsTurnedAway, MustProve};

/// Every route of the authority. A new one is added here with its answer to nobody, or the test below fails.
const ROUTES: [(&str, &str, Nobody); 49] = [
    ("GET", "/", IsShown),
    ("GET", "/portal", IsShown),
    ("GET", "/error", IsShown),
    ("GET", "/ca.pem", IsShown),
    ("GET", "/devicelogin", IsShown),
    ("GET", "/{tenant}/oauth2/deviceauth", IsShown),
    ("GET", "/{tenant}/oauth2/logout", IsShown),
    ("GET", "/{tenant}/oauth2/v2.0/logout", IsShown),
    ("POST", "/login", IsTurnedAway(400)),
    ("GET", "/{tenant}/oauth2/authorize", IsTurnedAway(400)),
    ("GET", "/{tenant}/oauth2/v2.0/authorize", IsTurnedAway(400)),
    ("GET", "/{tenant}/adminconsent", IsTurnedAway(400)),
    ("GET", "/{tenant}/v2.0/adminconsent", IsTurnedAway(400)),
    ("GET", "/{tenant}/.well-known/openid-configuration", IsServed),
    ("GET", "/{tenant}/v2.0/.well-known/openid-configuration", IsServed),
    ("GET", "/{tenant}/discovery/keys", IsServed),
    ("GET", "/{tenant}/discovery/v2.0/keys", IsServed),
    ("GET", "/{tenant}/discovery/instance", IsServed),
    ("GET", "/{tenant}/userrealm/{name}", IsTold),
    ("POST", "/{tenant}/oauth2/token", MustProve),
    ("POST", "/{tenant}/oauth2/v2.0/token", MustProve),
    ("POST", "/{tenant}/oauth2/devicecode", MustProve),
    ("POST", "/{tenant}/oauth2/v2.0/devicecode", MustProve),
    ("GET", "/oidc/userinfo", IsChallenged),
    ("GET", "/{tenant}/openid/userinfo", IsChallenged),
    ("GET", "/v1.0/me", IsChallenged),
    ("POST", "/v1.0/me/revokesigninsessions", IsChallenged),
    ("POST", "/v1.0/me/getmemberobjects", IsChallenged),
    ("GET", "/v1.0/users/{id}", IsChallenged),
    ("POST", "/v1.0/users/{id}/revokesigninsessions", IsChallenged),
    ("POST", "/v1.0/users/{id}/getmemberobjects", IsChallenged),
    ("GET", "/beta/me", IsChallenged),
    ("POST", "/beta/me/revokesigninsessions", IsChallenged),
    ("POST", "/beta/me/getmemberobjects", IsChallenged),
    ("GET", "/beta/users/{id}", IsChallenged),
    ("POST", "/beta/users/{id}/revokesigninsessions", IsChallenged),
    ("POST", "/beta/users/{id}/getmemberobjects", IsChallenged),
    ("GET", "/lab/clock", IsChallengedInTheLab),
    ("POST", "/lab/keys/roll", IsChallengedInTheLab),
    ("POST", "/lab/tokens", IsChallengedInTheLab),
    ("GET", "/lab/faults", IsChallengedInTheLab),
    ("DELETE", "/lab/faults/{id}", IsChallengedInTheLab),
    ("GET", "/lab/calls", IsChallengedInTheLab),
    ("PUT", "/lab/snapshots/{name}", IsChallengedInTheLab),
    ("POST", "/lab/reset", IsChallengedInTheLab),
    ("POST", "/lab/tenants", IsChallengedInTheLab),
    ("DELETE", "/lab/tenants/{id}", IsChallengedInTheLab),
    // Framed by anybody, as OpenID Connect Session Management has it; its script asks a cookie and tells three words.
    ("GET", "/{tenant}/oauth2/checksession", IsShown),
    ("GET", "/assets/{file}", IsShown),
];

/// Those that are there without a lab.
fn outside_the_lab() -> impl Iterator<Item = (&'static str, &'static str, Nobody)> {
    ROUTES.into_iter().filter(|(.., nobody)| *nobody != IsChallengedInTheLab)
}

fn target(route: &str) -> String {
    let query = if route.ends_with("/instance") {
        "?api-version=1.1&authorization_endpoint=https%3A%2F%2Flocalhost%2Fcommon%2Foauth2%2Fv2.0%2Fauthorize"
    } else if route == "/error" {
        "?code=7000215"
    } else {
        ""
    };
    let route =
        route.replace("{tenant}", TENANT).replace("{name}", "nobody@nowhere.example").replace("{file}", "style.css");
    format!("{}{query}", route.replace("{id}", "7"))
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
                let written =
                    parts.filter_map(|part| part.split('"').nth(1)).filter(|text| text.starts_with(['/', '{']));
                for text in written {
                    // Graph's routes are there under two versions, in a format string.
                    match text.strip_prefix("{version}") {
                        Some(rest) => found.extend(
                            ["/v1.0", "/beta"]
                                .map(|version| format!("{version}{}", rest.replace("{{", "{").replace("}}", "}"))),
                        ),
                        None => drop(found.insert(text.to_owned())),
                    }
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/authority/src"), &mut found);
    // The form's address and the assets' are constants there.
    found.extend(["/login", "/assets/{file}"].map(str::to_owned));
    let listed: BTreeSet<String> = ROUTES.iter().map(|(_, route, _)| (*route).to_owned()).collect();
    assert_eq!(found, listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_nobody() {
    let house = House::open_lab(OffsetClock::default()).await;
    for (method, route, expected) in ROUTES {
        let answer = request(&house, method, &target(route), "", b"").await;
        match expected {
            IsTold => {
                assert_eq!(answer.status, 200, "{route}");
                assert!(answer.json().is_object());
                assert_eq!(answer.header("cache-control"), Some("no-store, no-cache"), "{route}");
            }
            IsServed => {
                assert_eq!(answer.status, 200, "{route}");
                assert!(answer.json().is_object());
                assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{route}");
                assert_eq!(answer.header("cache-control"), Some("max-age=86400, private"), "{route}");
            }
            IsShown | IsTurnedAway(_) => {
                assert_eq!(answer.status, if let IsTurnedAway(status) = expected { status } else { 200 }, "{route}");
                let text = String::from_utf8_lossy(&answer.body);
                for told in [TENANT, DOMAIN, CLIENT, RESOURCE, SECRET, "DemoClientApp", "PRIVATE KEY"] {
                    assert!(!text.contains(told), "{route} tells {told}");
                }
                if answer.header("content-type") == Some("text/html; charset=utf-8") {
                    let policy = answer.header("content-security-policy").unwrap_or_default();
                    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{route}: {policy}");
                    let framed = route.ends_with("/checksession");
                    assert_eq!(policy.contains("frame-ancestors 'none'"), !framed, "{route}: {policy}");
                    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{route}");
                    // Scripts have an address of their own, or the policy would keep them from running.
                    assert!(
                        text.split("<script").skip(1).all(|script| script.starts_with(" src=\"/assets/")),
                        "{route}"
                    );
                }
            }
            MustProve => {
                assert_refusal(route, &answer, 400, 900_144);
                assert_eq!(answer.header("cache-control"), Some("no-store, no-cache"), "{route}");
            }
            IsChallenged | IsChallengedInTheLab => {
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
    for (method, route, nobody) in ROUTES {
        if !matches!(nobody, IsChallenged | IsChallengedInTheLab) {
            continue;
        }
        let answer = request(&house, method, &target(route), &format!("Authorization: Bearer {token}\r\n"), b"").await;
        assert!([401, 403].contains(&answer.status), "{route}: {}", answer.status);
        // Graph says it in the body when a permission is missing.
        let told = answer.header("www-authenticate").is_some_and(|it| it.starts_with("Bearer"));
        assert!(told || (nobody == IsChallenged && answer.status == 403), "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_labs_routes_are_not_there_unless_asked_for() {
    let house = House::open().await;
    for (method, route, _) in ROUTES.into_iter().filter(|(.., nobody)| *nobody == IsChallengedInTheLab) {
        let answer = request(&house, method, &target(route), "", b"").await;
        assert_refusal(route, &answer, 404, 9_002_313);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_matched_without_regard_to_case() {
    let house = House::open().await;
    for (method, route, expected) in outside_the_lab() {
        let (path, query) = target(route)
            .split_once('?')
            .map_or((target(route), String::new()), |(path, query)| (path.to_owned(), format!("?{query}")));
        let answer = request(&house, method, &format!("{}{query}", path.to_ascii_uppercase()), "", b"").await;
        let status = match expected {
            MustProve => 400,
            IsTurnedAway(status) => status,
            IsChallenged => 401,
            _ => 200,
        };
        assert_eq!(answer.status, status, "{route}");
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
    for (route_method, route, expected) in outside_the_lab() {
        // Questions to people may come by GET or POST, and so may those to userinfo.
        let question = matches!(expected, IsTurnedAway(_)) && route != "/login";
        let both = question || route.ends_with("/logout") || route.ends_with("/userinfo");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            if method == route_method || (both && ["GET", "POST"].contains(&method)) {
                continue;
            }
            let headers = "X-HTTP-Method-Override: GET\r\n";
            let answer = request(&house, method, &target(route), headers, b"").await;
            match expected {
                IsShown if !route.contains("{tenant}") && route != "/devicelogin" => {
                    assert_eq!(answer.status, 405, "{method} {route}");
                }
                // Nobody is told which methods there are.
                IsChallenged => assert_eq!(answer.status, 401, "{method} {route}"),
                MustProve => {
                    assert_refusal(&format!("{method} {route}"), &answer, 400, 900_561);
                    let text = answer.json()["error_description"].as_str().unwrap().to_owned();
                    assert!(text.contains(&format!("a {method} request")), "{text}");
                }
                _ => assert_refusal(&format!("{method} {route}"), &answer, 405, 9_002_313),
            }
        }
    }
}

/// Discovery is public to scripts of every origin. A token endpoint answers whoever asks beforehand, as Entra does, and then
/// only single-page applications; nothing else is, and no origin is ever echoed.
#[tokio::test(flavor = "multi_thread")]
async fn origins() {
    let house = House::open().await;
    for (method, route, expected) in outside_the_lab() {
        let origin = "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n";
        for method in [method, "OPTIONS"] {
            let answer = request(&house, method, &target(route), origin, b"").await;
            let allowed = answer.header("access-control-allow-origin");
            let asked_beforehand = method == "OPTIONS" && route.ends_with("/token");
            assert_eq!(allowed, (expected == IsServed || asked_beforehand).then_some("*"), "{method} {route}");
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
