//! The browser in front of a person: its cookies, and whether a post comes from a page of ours.
//!
//! Two cookies, both `__Host-`, `Secure`, `HttpOnly` and `SameSite=Lax`: an id that ties a flow to this browser, and the
//! sealed sessions. A third one, readable by script, holds `session_state` values for the check-session page and is worth
//! nothing else.
//!
//! A post must come from this origin (RFC 9700 §4.7, pitfalls B64). Browsers say so in `Sec-Fetch-Site`; `Origin` is `null`
//! on our own pages, because they send no referrer (Fetch §3.2), so it counts only where the other header is missing.

use axum::response::Response;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use crate::origin::Origin;

/// Holds the browser's id.
const BROWSER: &str = "__Host-countersign-browser";

/// Holds the sealed sessions.
pub(super) const SESSIONS: &str = "__Host-countersign-sessions";

/// The value of a cookie; of several with one name, which no browser sends for a `__Host-` name, the first.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(known, _)| *known == name).map(|(_, value)| value))
}

/// The browser's id, if it has one.
pub(super) fn browser_id(headers: &HeaderMap) -> Option<Uuid> {
    Uuid::try_parse(cookie(headers, BROWSER)?).ok()
}

/// Gives the browser an id, for as long as it stays open.
pub(super) fn set_browser_id(response: &mut Response, id: Uuid) {
    set(response, &format!("{BROWSER}={}; Path=/; Secure; HttpOnly; SameSite=Lax", id.simple()));
}

/// Keeps a sealed value in the browser: until it is closed, or for so many seconds. An empty one is taken away.
pub(super) fn set_sealed(response: &mut Response, name: &str, value: &str, max_age: Option<i64>) {
    let max_age = if value.is_empty() { Some(0) } else { max_age };
    let lasting = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    set(response, &format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{lasting}"));
}

/// Keeps the `session_state` values where the check-session page finds them, in whatever site's frame it stands.
pub(super) fn set_session_states(response: &mut Response, name: &str, states: &str, max_age: Option<i64>) {
    let max_age = if states.is_empty() { Some(0) } else { max_age };
    let lasting = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    set(response, &format!("{name}={states}; Path=/; Secure; SameSite=None{lasting}"));
}

fn set(response: &mut Response, text: &str) {
    // Names, ids and base64url: nothing that a header could not hold.
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Whether a post was sent by a page of this origin, as far as its sender says anything about it. What says nothing is no
/// browser, or one whose cookies `SameSite` keeps at home.
pub(super) fn is_own_post(headers: &HeaderMap, origin: &Origin) -> bool {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), Some(from)) if from != "null" => site == "same-origin" && from == origin.host.origin(),
        (Some(site), _) => site == "same-origin",
        (None, Some(from)) => from == origin.host.origin(),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use countersign_protocol::{AuthorityHost, CloudProfile};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let headers = headers(&[("cookie", "a=1; __Host-countersign-sessions=x.y; b=__Host-countersign-sessions=z")]);
        assert_eq!(cookie(&headers, SESSIONS), Some("x.y"));
        assert_eq!(cookie(&headers, "countersign-sessions"), None);
        assert_eq!(browser_id(&headers), None);
    }

    #[test]
    fn cookies_stay_with_this_host_and_out_of_scripts() {
        let mut response = Response::new(Body::empty());
        set_browser_id(&mut response, Uuid::nil());
        set_sealed(&mut response, SESSIONS, "sealed", None);
        set_sealed(&mut response, SESSIONS, "sealed", Some(60));
        set_sealed(&mut response, SESSIONS, "", None);
        let written: Vec<_> = response.headers().get_all(SET_COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
        assert!(
            written.iter().all(|c| c.starts_with("__Host-") && c.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"))
        );
        assert!(
            !written[1].contains("Max-Age") && written[2].ends_with("Max-Age=60") && written[3].ends_with("Max-Age=0")
        );
    }

    #[test]
    fn b64_a_post_from_elsewhere_is_known_by_either_header() {
        let origin =
            Origin { host: AuthorityHost::parse("https://localhost:8443").unwrap(), cloud: CloudProfile::GLOBAL };
        let own = |pairs: &[(&'static str, &'static str)]| is_own_post(&headers(pairs), &origin);
        assert!(own(&[]));
        assert!(own(&[("origin", "https://localhost:8443")]));
        assert!(own(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        for foreign in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "https://localhost:8444"), ("sec-fetch-site", "same-site")],
            &[("origin", "https://localhost:8443"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site")],
        ] {
            assert!(!own(foreign), "{foreign:?}");
        }
    }
}
