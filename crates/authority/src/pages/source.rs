//! Where a page may lead, as a source expression of a content security policy (CSP Level 3 §2.3.1).
//!
//! Addresses come from registrations and requests, so only letters that cannot end a directive are taken over. What
//! cannot be written as a source gives none, and the browser then refuses to go there.

/// The scheme of an absolute URI, if it is one (RFC 3986 §3.1), and what stands behind its colon.
fn split_scheme(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let tail = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let well_formed = scheme.bytes().next()?.is_ascii_alphabetic() && scheme.bytes().all(tail);
    well_formed.then_some((scheme, rest))
}

/// Whether a scheme is one in which a browser would run what it is led to, or show it as ours.
fn runs(scheme: &str) -> bool {
    ["javascript", "data", "vbscript", "blob", "filesystem", "about", "view-source"]
        .iter()
        .any(|bad| scheme.eq_ignore_ascii_case(bad))
}

/// The URI, if a person may be led there: absolute, and nothing that a browser runs (pitfalls B79).
pub(super) fn safe(uri: &str) -> Option<&str> {
    let (scheme, _) = split_scheme(uri)?;
    (!runs(scheme)).then_some(uri)
}

/// The URI, if it is `http` or `https`: where a form can be posted, what a frame can show.
pub(super) fn web(uri: &str) -> Option<&str> {
    let (scheme, rest) = split_scheme(uri)?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    (is_web && rest.starts_with("//")).then_some(uri)
}

/// The narrowest source that admits a URI: its origin, or its scheme where CSP cannot name the host.
///
/// `https://app.example/cb?x=1` gives `https://app.example`, `myapp://auth` gives `myapp:`. CSP has no way to write an
/// IPv6 address and matches no IPv4 address but 127.0.0.1 (CSP Level 3 §6.7.2.9), so these give their scheme.
pub(super) fn source(uri: &str) -> Option<String> {
    let (scheme, rest) = split_scheme(uri)?;
    if runs(scheme) {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    if web(uri).is_none() {
        return Some(format!("{scheme}:"));
    }
    let authority = rest[2..].split(['/', '?', '#', '\\']).next()?;
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host_and_port.starts_with('[') {
        return Some(format!("{scheme}:"));
    }
    let (host, port) = match host_and_port.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (host_and_port, None),
    };
    let host_is_plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    let port_is_plain = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()));
    if !host_is_plain || !port_is_plain {
        return None;
    }
    let last_label = host.rsplit('.').next().unwrap_or_default();
    if host != "127.0.0.1" && last_label.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("{scheme}:"));
    }
    let host = host.to_ascii_lowercase();
    Some(match port {
        Some(port) if !port.is_empty() => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

/// What `form-action` must admit for a form that ends at a redirect URI: its source, and on loopback every port.
///
/// Browsers hold each further redirect against the policy as well (Chromium 156, observed November 2026). On one's own
/// machine the API that takes the answer often sends people on to a page on another port. Elsewhere the origin is
/// exact, so an application that leads on to a second origin must do so with a page of its own, not with a redirect.
pub(super) fn form_source(uri: &str) -> Option<String> {
    let source = source(uri)?;
    let host = web(&source).and_then(|source| source.split("//").nth(1)?.split(':').next());
    Some(match host {
        Some("localhost" | "127.0.0.1") => format!("{source} {LOOPBACK}"),
        _ => source,
    })
}

const LOOPBACK: &str = "http://localhost:* https://localhost:* http://127.0.0.1:* https://127.0.0.1:*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_on_loopback_may_an_application_lead_on_to_another_port() {
        assert_eq!(form_source("http://localhost:3000/cb"), Some(format!("http://localhost:3000 {LOOPBACK}")));
        assert_eq!(form_source("https://127.0.0.1/cb"), Some(format!("https://127.0.0.1 {LOOPBACK}")));
        for (uri, expected) in [
            ("https://app.example:8443/cb", "https://app.example:8443"),
            ("https://localhost.evil.example/", "https://localhost.evil.example"),
            ("https://localhost@evil.example/", "https://evil.example"),
            ("myapp://localhost/", "myapp:"),
        ] {
            assert_eq!(form_source(uri).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn a_source_is_the_origin_of_a_redirect_uri() {
        for (uri, expected) in [
            ("https://app.example/callback?x=1#y", "https://app.example"),
            ("HTTPS://App.Example:8443/", "https://app.example:8443"),
            ("http://localhost:51234", "http://localhost:51234"),
            ("http://127.0.0.1:8400/", "http://127.0.0.1:8400"),
            ("https://user:pass@app.example/", "https://app.example"),
            ("http://[::1]:8400/", "http:"),
            ("https://10.0.0.7/cb", "https:"),
            ("myapp://auth", "myapp:"),
            ("msauth.com.contoso.app://auth", "msauth.com.contoso.app:"),
            ("urn:ietf:wg:oauth:2.0:oob", "urn:"),
        ] {
            assert_eq!(source(uri).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn b79_nothing_that_could_end_a_directive_or_run_becomes_a_source() {
        for uri in [
            "https://app.example;script-src * /",
            "https://app.example, default-src */",
            "https://* /",
            "https://*.example/",
            "https://app.example:80;x/",
            "https://'unsafe-inline'/",
            "https:///nowhere",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "/relative",
            "",
            ":",
        ] {
            assert_eq!(source(uri), None, "{uri}");
        }
    }

    #[test]
    fn b79_a_person_is_not_led_to_what_a_browser_runs() {
        assert!(safe("https://app.example/").is_some() && safe("myapp://x").is_some());
        assert!(safe("javascript:alert(1)").is_none() && safe("DATA:x").is_none() && safe(" javascript:x").is_none());
        assert!(web("myapp://x").is_none() && web("https:app").is_none() && web("http://localhost/").is_some());
    }
}
