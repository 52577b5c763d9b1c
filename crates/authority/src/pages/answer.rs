//! How a page is sent: never cached, never framed, and with the narrowest content security policy for its kind.
//!
//! No policy admits inline script or style. Read on in [`super::source`] for what may be named in a policy.

use axum::response::{Html, IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use maud::Markup;

use super::source::{form_source, source};

/// What a page does, and so what its policy must admit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Policy<'a> {
    /// It is read: errors, front page, everything without a form.
    Read,
    /// It asks, with a form that goes to this origin. `leads_to` is the redirect URI at which the flow may end:
    /// browsers hold a redirect after the post against `form-action` too.
    Ask {
        /// An absolute URI, as the request named it and the registration allows it; `None` when the flow ends here.
        leads_to: Option<&'a str>,
    },
    /// It posts the answer to the redirect URI's origin (`response_mode=form_post`), and nowhere else.
    Post {
        /// The redirect URI.
        to: &'a str,
    },
    /// It loads these URLs in hidden frames: front-channel logout.
    Frames(&'a [&'a str]),
    /// It stands in a frame of any site, has nothing to click on and nothing to read: the check-session page.
    Framed,
}

impl Policy<'_> {
    /// The value of `content-security-policy`.
    fn text(self) -> String {
        let mut frames = None;
        let (form_action, ancestors) = match self {
            Self::Read | Self::Frames(_) => ("'none'".to_owned(), "'none'"),
            Self::Ask { leads_to } => match leads_to.and_then(form_source) {
                Some(source) => (format!("'self' {source}"), "'none'"),
                None => ("'self'".to_owned(), "'none'"),
            },
            Self::Post { to } => (form_source(to).unwrap_or_else(|| "'none'".to_owned()), "'none'"),
            // Sites over TLS, and what a developer runs on loopback.
            Self::Framed => ("'none'".to_owned(), "https: http://localhost:* http://127.0.0.1:*"),
        };
        if let Self::Frames(urls) = self {
            let mut sources: Vec<String> = urls.iter().filter_map(|url| source(url)).collect();
            sources.sort_unstable();
            sources.dedup();
            frames = (!sources.is_empty()).then(|| sources.join(" "));
        }
        let frames = frames.map(|sources| format!("; frame-src {sources}")).unwrap_or_default();
        format!(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'{frames}; base-uri 'none'; \
             form-action {form_action}; frame-ancestors {ancestors}"
        )
    }
}

/// What every page is sent with (OWASP Secure Headers). `no-referrer` keeps `state` and sealed flows out of other
/// sites' logs.
const HEADERS: [(HeaderName, &str); 4] = [
    (REFERRER_POLICY, "no-referrer"),
    (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (http::header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
];

/// A page as an answer, with the headers of its kind (RFC 9700 §4.16 on framing).
pub(crate) fn send(status: StatusCode, page: &Markup, policy: Policy<'_>) -> Response {
    let mut response = (status, Html(page.0.clone())).into_response();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !matches!(policy, Policy::Framed) {
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    // Sources are ASCII without control characters; should one slip through, nothing at all is admitted.
    let policy = HeaderValue::try_from(policy.text()).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::html;

    fn policy(policy: Policy<'_>) -> String {
        let response = send(StatusCode::OK, &html! { p {} }, policy);
        response.headers()["content-security-policy"].to_str().unwrap().to_owned()
    }

    #[test]
    fn b65_only_the_check_session_page_can_be_framed() {
        for kind in [
            Policy::Read,
            Policy::Ask { leads_to: None },
            Policy::Ask { leads_to: Some("https://app.example/cb") },
            Policy::Post { to: "https://app.example/cb" },
            Policy::Frames(&["https://app.example/out"]),
        ] {
            let response = send(StatusCode::OK, &html! { p {} }, kind);
            assert!(policy(kind).ends_with("frame-ancestors 'none'"), "{kind:?}");
            assert_eq!(response.headers()["x-frame-options"], "DENY", "{kind:?}");
        }
        let response = send(StatusCode::OK, &html! { p {} }, Policy::Framed);
        assert!(!response.headers().contains_key("x-frame-options"));
        assert!(policy(Policy::Framed).contains("frame-ancestors https:"));
    }

    #[test]
    fn every_page_is_kept_nowhere_and_sends_no_referrer() {
        let response = send(StatusCode::BAD_REQUEST, &html! { p {} }, Policy::Read);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
    }

    #[test]
    fn a_form_goes_to_this_origin_and_to_the_redirect_uri_behind_it() {
        let leads_to = |uri| policy(Policy::Ask { leads_to: uri });
        assert!(leads_to(None).contains("form-action 'self';"));
        assert!(leads_to(Some("https://app.example/cb?x")).contains("form-action 'self' https://app.example;"));
        assert!(leads_to(Some("myapp://auth")).contains("form-action 'self' myapp:;"));
        assert!(policy(Policy::Post { to: "https://app.example/cb" }).contains("form-action https://app.example;"));
        assert!(policy(Policy::Read).contains("form-action 'none';"));
    }

    #[test]
    fn b79_a_hostile_address_widens_no_policy() {
        let hostile = "https://x.example;script-src 'unsafe-inline' *";
        for text in [
            policy(Policy::Ask { leads_to: Some(hostile) }),
            policy(Policy::Post { to: hostile }),
            policy(Policy::Frames(&[hostile, "javascript:alert(1)"])),
        ] {
            assert!(!text.contains("unsafe") && !text.contains('*') && !text.contains("x.example"), "{text}");
            assert_eq!(text.matches("script-src").count(), 1, "{text}");
        }
        assert!(policy(Policy::Post { to: "javascript:alert(1)" }).contains("form-action 'none'"));
    }

    #[test]
    fn frames_are_named_once_each() {
        let text = policy(Policy::Frames(&["https://b.example/1", "https://a.example/", "https://b.example/2"]));
        assert!(text.contains("frame-src https://a.example https://b.example;"), "{text}");
        assert!(!policy(Policy::Frames(&[])).contains("frame-src"));
    }
}
