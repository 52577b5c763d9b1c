//! One canonical form of a path, before any route is looked for: ASCII lower case, no doubled slashes.
//!
//! MSAL Go writes `/common/UserRealm/…`, and an authority configured with a slash at its end makes `//oauth2`; Entra takes
//! both. Doing it once, in front of the router, leaves no second spelling that could reach a handler past a rule
//! (CVE-2021-32637). Percent-escapes are left alone: none of our routes needs one.

use axum::extract::Request;
use http::Uri;
use http::uri::PathAndQuery;

/// Rewrites the request's path. The query keeps its case.
pub(super) fn canonical(mut request: Request) -> Request {
    let path = request.uri().path();
    if path.contains("//") || path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let mut rewritten = String::with_capacity(path.len());
        for character in path.chars() {
            if character == '/' && rewritten.ends_with('/') {
                continue;
            }
            rewritten.push(character.to_ascii_lowercase());
        }
        if let Some(query) = request.uri().query() {
            rewritten.push('?');
            rewritten.push_str(query);
        }
        // Scheme and authority stay: an HTTP/2 request says there whom it asks.
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        let before = parts.path_and_query.take();
        parts.path_and_query = PathAndQuery::try_from(rewritten).ok().or(before);
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(uri: &str) -> String {
        let request = Request::builder().uri(uri).body(axum::body::Body::empty()).unwrap();
        canonical(request).uri().to_string()
    }

    #[test]
    fn case_and_doubled_slashes_are_evened_out_and_the_query_stays() {
        assert_eq!(rewritten("/Common/UserRealm/A?x=Y"), "/common/userrealm/a?x=Y");
        assert_eq!(rewritten("/contoso.com//oauth2/v2.0/token"), "/contoso.com/oauth2/v2.0/token");
        assert_eq!(rewritten("//a///b"), "/a/b");
        assert_eq!(rewritten("/a/%2E%2e/b"), "/a/%2e%2e/b");
        assert_eq!(rewritten("/plain?A"), "/plain?A");
        assert_eq!(rewritten("https://Host:1//A"), "https://Host:1/a");
    }
}
