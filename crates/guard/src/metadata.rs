//! [`ResourceMetadata`]: what an API says about itself, so that clients find its authority (RFC 9728).

use serde_json::{Map, Value};

/// The API's metadata document, served without a token at `/.well-known/oauth-protected-resource`.
///
/// ```
/// use countersign_guard::ResourceMetadata;
///
/// let metadata = ResourceMetadata::new("https://orders.contoso.com")
///     .authorization_server("https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0")
///     .scope("api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11/access_as_user");
/// assert_eq!(metadata.well_known_path(), "/.well-known/oauth-protected-resource");
/// assert!(metadata.to_json().contains(r#""bearer_methods_supported":["header"]"#));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
    scopes: Vec<String>,
    name: Option<String>,
}

impl ResourceMetadata {
    /// Where the path of the document begins (RFC 9728 §3).
    const WELL_KNOWN: &'static str = "/.well-known/oauth-protected-resource";

    /// For the API with this identifier: an https URL without fragment, the one that clients call.
    #[must_use]
    pub fn new(resource: impl Into<String>) -> Self {
        Self { resource: resource.into(), authorization_servers: Vec::new(), scopes: Vec::new(), name: None }
    }

    /// Names an authority whose tokens the API takes, by its issuer.
    #[must_use]
    pub fn authorization_server(mut self, issuer: impl Into<String>) -> Self {
        self.authorization_servers.push(issuer.into());
        self
    }

    /// Names a scope that clients may ask for.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// A name for people.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The path to serve the document at: the well-known one, followed by the path of the API's own identifier
    /// (RFC 9728 §3.1).
    #[must_use]
    pub fn well_known_path(&self) -> String {
        let after_scheme = self.resource.split_once("://").map_or("", |(_, rest)| rest);
        let path = after_scheme.find('/').map_or("", |at| &after_scheme[at..]);
        format!("{}{}", Self::WELL_KNOWN, path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/'))
    }

    /// The document. `bearer_methods_supported` is the header and nothing else, as the guard reads it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut document = Map::new();
        document.insert("resource".to_owned(), self.resource.as_str().into());
        document.insert("authorization_servers".to_owned(), self.authorization_servers.clone().into());
        if !self.scopes.is_empty() {
            document.insert("scopes_supported".to_owned(), self.scopes.clone().into());
        }
        document.insert("bearer_methods_supported".to_owned(), vec!["header"].into());
        if let Some(name) = &self.name {
            document.insert("resource_name".to_owned(), name.as_str().into());
        }
        Value::Object(document).to_string()
    }

    /// The document as an axum route, to be merged with the API's own; it needs no token, by its nature.
    #[cfg(feature = "axum")]
    pub fn route<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        let json = self.to_json();
        let answer = move || {
            let json = json.clone();
            async move { ([(http::header::CONTENT_TYPE, "application/json")], json) }
        };
        axum::Router::new().route(&self.well_known_path(), axum::routing::get(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_api_follows_the_well_known_one() {
        let path = |resource: &str| ResourceMetadata::new(resource).well_known_path();
        assert_eq!(path("https://orders.contoso.com"), "/.well-known/oauth-protected-resource");
        assert_eq!(path("https://orders.contoso.com/"), "/.well-known/oauth-protected-resource");
        assert_eq!(path("https://contoso.com/orders/v1?x=1"), "/.well-known/oauth-protected-resource/orders/v1");
    }

    #[test]
    fn the_document_has_what_was_said_and_no_more() {
        let metadata = ResourceMetadata::new("https://orders.contoso.com").name("Orders \"1\"");
        let document: Value = serde_json::from_str(&metadata.to_json()).unwrap();
        let expected = serde_json::json!({
            "resource": "https://orders.contoso.com", "authorization_servers": [], "resource_name": "Orders \"1\"",
            "bearer_methods_supported": ["header"]
        });
        assert_eq!(document, expected);
    }
}
