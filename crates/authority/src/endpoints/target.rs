//! Whose request this is, by RFC 9112 §3.2: exactly one `Host`, and no target that only a proxy is asked for.
//!
//! The host itself is not compared with ours, nor used: clients are routed here under other names, and answers name the
//! configured origin whatever was asked (pitfalls B73, B74). HTTP/2 has its own rules, which the protocol library keeps.

use axum::extract::Request;
use countersign_protocol::AuthorityHost;
use http::header::HOST;
use http::uri::Authority;
use http::{Method, Version};

/// What is wrong with the request's target, if anything.
pub(super) fn fault(request: &Request, own: &AuthorityHost) -> Option<&'static str> {
    if request.version() >= Version::HTTP_2 {
        return None;
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() >= Version::HTTP_11 => return Some("the request has no Host"),
        (Some(_), Some(_)) => return Some("the request has two Hosts"),
        (Some(host), None) if !is_host(host.as_bytes()) => return Some("the request's Host is none"),
        _ => {}
    }
    let proxied = request.uri().authority().is_some_and(|target| !means(target, own));
    if proxied || request.method() == Method::CONNECT {
        return Some("the request is for a proxy");
    }
    None
}

fn is_host(value: &[u8]) -> bool {
    Authority::try_from(value).is_ok_and(|authority| !authority.as_str().contains('@'))
}

/// Whether an absolute target names this authority.
fn means(target: &Authority, own: &AuthorityHost) -> bool {
    !target.as_str().contains('@')
        && target.host().eq_ignore_ascii_case(own.host())
        && target.port_u16().unwrap_or(443) == own.port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn ask(version: Version, target: &str, hosts: &[&str]) -> Option<&'static str> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        fault(&request.body(Body::empty()).unwrap(), &AuthorityHost::parse("https://localhost:8443").unwrap())
    }

    #[test]
    fn one_host_whatever_it_says() {
        for host in ["localhost:8443", "login.microsoftonline.com", "[::1]:8443", "EVIL.example"] {
            assert_eq!(ask(Version::HTTP_11, "/common", &[host]), None, "{host}");
        }
        assert_eq!(ask(Version::HTTP_11, "https://LOCALHOST:8443/common", &["other"]), None);
        assert_eq!(ask(Version::HTTP_10, "/common", &[]), None);
        assert_eq!(ask(Version::HTTP_2, "https://anything/common", &[]), None);
    }

    #[test]
    fn each_fault_is_named() {
        assert_eq!(ask(Version::HTTP_11, "/common", &[]), Some("the request has no Host"));
        assert_eq!(ask(Version::HTTP_11, "/common", &["a", "a"]), Some("the request has two Hosts"));
        for host in ["", "a b", "u@localhost", "a/b"] {
            assert_eq!(ask(Version::HTTP_11, "/common", &[host]), Some("the request's Host is none"), "{host}");
        }
        for target in ["https://evil.example/common", "https://localhost/common", "https://u@localhost:8443/common"] {
            assert_eq!(ask(Version::HTTP_11, target, &["a"]), Some("the request is for a proxy"), "{target}");
        }
    }
}
