//! `/validate`: whether a request may pass, and who its caller is, for a proxy that asks.
//!
//! The guard has decided before the handler runs; the handler only writes the verified caller into headers, which the
//! proxy must set on what it sends on, replacing any of the same name that came in.

use axum::response::{IntoResponse, Response};
use countersign_guard::{Caller, TokenKind};
use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a header value cannot carry as it is, and the percent sign that escapes it.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'%').add(b',');

/// Claims come from whoever administers a tenant: they are escaped, and bounded in number (pitfalls D30, D31).
const MOST_VALUES: usize = 50;

pub(crate) async fn validate(caller: Caller) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put("x-countersign-tenant", caller.tenant().to_string());
    put("x-countersign-client", caller.client().to_string());
    let (kind, permissions) = match caller.kind() {
        TokenKind::App => ("app", list(caller.roles())),
        TokenKind::User => ("user", list(caller.scopes())),
    };
    put("x-countersign-kind", kind.to_owned());
    put("x-countersign-permissions", permissions);
    if let Some(object) = caller.object_id() {
        put("x-countersign-object", object.to_string());
    }
    response
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let escaped: Vec<String> =
        values.take(MOST_VALUES).map(|value| utf8_percent_encode(value, UNSAFE).to_string()).collect();
    escaped.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_their_header() {
        assert_eq!(list(["Orders.Read", "a,b", "x\r\ny: z", "ü"].into_iter()), "Orders.Read,a%2Cb,x%0D%0Ay: z,%C3%BC");
        assert_eq!(list(std::iter::repeat_n("x", 1_000)).split(',').count(), MOST_VALUES);
    }
}
