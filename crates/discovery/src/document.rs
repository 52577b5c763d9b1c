//! From a response to a metadata document or a key set: pure, and suspicious.
//!
//! The metadata may only name keys on the host it was asked from, over https; otherwise whoever can alter one document
//! could send every verifier to keys of his own (`pitfalls` 8 and C07). A key set without a single usable key is refused
//! as an answer, so that it cannot replace one that has some (`pitfalls` E07).

use bytes::Bytes;
use countersign_protocol::Metadata;
use countersign_token::KeySet;
use http::header::CONTENT_TYPE;
use url::Url;

use crate::error::FetchError;
use crate::transport::TransportError;

/// What is kept of a metadata document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) jwks_uri: String,
    pub(crate) issuer: Option<String>,
    pub(crate) cloud: Option<String>,
}

/// The body of a 200 response that does not call itself anything but JSON.
pub(crate) fn json_body(response: http::Response<Bytes>) -> Result<Bytes, FetchError> {
    let response = TransportError::refuse_redirect(response).map_err(FetchError::Transport)?;
    if response.status() != http::StatusCode::OK {
        return Err(FetchError::Status { status: response.status().as_u16() });
    }
    match response.headers().get(CONTENT_TYPE) {
        Some(value) if !value.to_str().is_ok_and(is_json) => Err(FetchError::NotJson),
        _ => Ok(response.into_body()),
    }
}

/// `application/json`, `application/jwk-set+json` (RFC 7517 §8.5) and their like, with any parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// Reads the metadata found at `asked`.
pub(crate) fn read_metadata(body: &[u8], asked: &Url) -> Result<Document, FetchError> {
    let metadata = Metadata::from_json(body).map_err(|error| FetchError::Metadata(error.into()))?;
    let jwks_uri = Url::parse(&metadata.jwks_uri).map_err(|_| FetchError::ForeignKeyAddress)?;
    let same_place =
        jwks_uri.host() == asked.host() && jwks_uri.port_or_known_default() == asked.port_or_known_default();
    if !same_place || !is_plain_https(&jwks_uri) {
        return Err(FetchError::ForeignKeyAddress);
    }
    Ok(Document { jwks_uri: jwks_uri.into(), issuer: Some(metadata.issuer), cloud: metadata.cloud_instance_name })
}

/// An https address with a host, without user name, password or fragment.
pub(crate) fn is_plain_https(url: &Url) -> bool {
    url.scheme() == "https"
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
}

/// Reads a key set; keys that name another cloud than `cloud` are dropped (`pitfalls` 17).
pub(crate) fn read_keys(body: &[u8], cloud: Option<&str>) -> Result<KeySet, FetchError> {
    let mut keys = KeySet::parse(body).map_err(FetchError::KeySet)?;
    if let Some(cloud) = cloud {
        keys = keys.for_cloud(cloud);
    }
    if keys.is_empty() {
        return Err(FetchError::NoUsableKey);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked() -> Url {
        Url::parse("https://login.contoso.test/t/v2.0/.well-known/openid-configuration").unwrap()
    }

    #[test]
    fn json_has_many_names_and_html_none_of_them() {
        for yes in ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json", "text/json"] {
            assert!(is_json(yes), "{yes}");
        }
        for no in ["text/html", "text/plain", "application/octet-stream", "", "json", "application/json5"] {
            assert!(!is_json(no), "{no}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_metadata(&bytes, &asked());
            let _ = read_keys(&bytes, Some("microsoftonline.com"));
        }

        #[test]
        fn no_text_for_an_address_leads_away_from_the_host(address in "\\PC{0,60}") {
            let body = serde_json::json!({"issuer": "i", "jwks_uri": address, "token_endpoint": "t",
                                          "authorization_endpoint": "a"}).to_string();
            if let Ok(document) = read_metadata(body.as_bytes(), &asked()) {
                let url = Url::parse(&document.jwks_uri).unwrap();
                prop_assert_eq!((url.scheme(), url.host_str(), url.port()), ("https", Some("login.contoso.test"), None));
            }
        }

        #[test]
        fn spliced_json_never_panics(at in 0_usize..200, with in any::<u8>()) {
            let mut body = br#"{"keys":[{"kty":"RSA","use":"sig","kid":"a","n":"AQAB","e":"AQAB","x5c":["AAAA"]}]}"#.to_vec();
            let length = body.len();
            body[at % length] = with;
            let _ = read_keys(&body, None);
        }
    }
}
