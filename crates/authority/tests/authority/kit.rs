//! What every test here needs: an authority of its own, and a client that trusts its CA.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_authority::{Authority, AuthorityBuilder, Storage};
use countersign_directory::DirectoryFile;
use countersign_discovery::{HttpsTransport, Limits, Transport, TransportError};
use countersign_token::{FakeClock, Timestamp};
use serde_json::Value;

pub(crate) const NOW: i64 = 1_767_225_600;
pub(crate) const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
pub(crate) const OTHER_TENANT: &str = "0a1b2c3d-0000-4000-8000-00000000fab0";
pub(crate) const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
pub(crate) const V1_API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c12";
pub(crate) const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
pub(crate) const SECRET: &str = "only-for-this-test-0123456789";

/// What an answer has that grants everything a client may ask for, sorted.
pub(crate) const EVERYTHING: [&str; 8] =
    ["access_token", "client_info", "expires_in", "ext_expires_in", "id_token", "refresh_token", "scope", "token_type"];

pub(crate) struct Kit {
    pub(crate) authority: Authority,
    pub(crate) clock: FakeClock,
    transport: HttpsTransport,
}

/// An answer, its body read as JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: http::Version,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The names of the body's members, sorted.
    pub(crate) fn members(&self) -> Vec<&str> {
        self.body.as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// Status, error word and number, all of which must be there.
    pub(crate) fn refusal(&self) -> (u16, &str, u64) {
        let code = self.body["error_codes"][0].as_u64().unwrap_or_default();
        (self.status, self.body["error"].as_str().unwrap_or_default(), code)
    }
}

pub(crate) fn directory() -> DirectoryFile {
    directory_with("")
}

/// The usual directory, with more members for the client's registration.
pub(crate) fn directory_with(client_members: &str) -> DirectoryFile {
    DirectoryFile::parse("test.yaml", &directory_text(client_members, "")).unwrap().file
}

/// The usual directory's text, with more members for the client's registration and more applications.
pub(crate) fn directory_text(client_members: &str, more_applications: &str) -> String {
    format!(
        r#"
tenants:
- tenantId: {TENANT}
  displayName: Contoso
  domains: [contoso.onmicrosoft.com, contoso.com]
  applications:
  - appId: {API}
    displayName: DemoResourceApp
    identifierUris: ["api://{API}"]
    api: {{requestedAccessTokenVersion: 2}}
    appRoles:
    - {{id: f8d39977-e31e-460b-b92c-9cef51d14f97, value: Resource.Read, allowedMemberTypes: [Application], displayName: r, description: r, isEnabled: true}}
    - {{id: f8d39977-e31e-460b-b92c-9cef51d14f98, value: Resource.Write, allowedMemberTypes: [Application], displayName: w, description: w, isEnabled: true}}
  - appId: {V1_API}
    displayName: OlderApi
    identifierUris: ["api://older", "https://older.contoso.com/"]
  - appId: {CLIENT}
    displayName: DemoClientApp
    identifierUris: ["api://client"]
    passwordCredentials:
    - {{displayName: demo, secretText: "{SECRET}", endDateTime: "2027-01-01T00:00:00Z"}}
    - {{displayName: old, secretText: "expired-secret-0123456789", endDateTime: "2025-01-01T00:00:00Z"}}
    {client_members}
  {more_applications}
  - {{appId: 11111111-1111-4111-8111-111111111111, displayName: NoPrincipal, servicePrincipal: false, passwordCredentials: [{{displayName: s, secretText: "{SECRET}"}}]}}
  appRoleAssignments: [{{client: DemoClientApp, resource: DemoResourceApp, role: Resource.Read}}]
- tenantId: {OTHER_TENANT}
  displayName: Fabrikam
  domains: [fabrikam.com]
"#
    )
}

impl Kit {
    pub(crate) async fn start() -> Self {
        Self::with(directory()).await
    }

    pub(crate) async fn with(directory: DirectoryFile) -> Self {
        let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
        Self::from(Authority::builder().clock(Arc::new(clock.clone())).directory(directory), clock).await
    }

    pub(crate) async fn from(builder: AuthorityBuilder, clock: FakeClock) -> Self {
        Self { clock, ..Self::around(builder.start().await.unwrap()) }
    }

    /// A client of an authority that somebody else started, with a clock of its own that turns nothing.
    pub(crate) fn around(authority: Authority) -> Self {
        let transport =
            HttpsTransport::builder().only_roots_pem(authority.ca_pem().as_bytes()).unwrap().build().unwrap();
        Self { authority, clock: FakeClock::at(Timestamp::from_unix_seconds(NOW)), transport }
    }

    /// The ids of the published keys.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let answer = self.get("/common/discovery/v2.0/keys").await;
        let keys = answer.body["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    /// Asks until so many keys are published: the next one is made in the background.
    pub(crate) async fn until_keys(&self, count: usize) -> Vec<String> {
        let asking = async {
            loop {
                let keys = self.keys().await;
                if keys.len() >= count {
                    return keys;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), asking).await.unwrap()
    }

    /// The usual directory on disk, at the usual time.
    pub(crate) async fn on_disk(data: &std::path::Path) -> Self {
        let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
        Self::from(on_disk(data, &clock).directory(directory()), clock).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.authority.host().origin())
    }

    pub(crate) async fn send(&self, request: http::Request<Bytes>) -> Answer {
        let limits = Limits { timeout: Duration::from_secs(20), max_body_bytes: 1 << 20 };
        let response = self.transport.send(request, limits).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), version: parts.version, headers: parts.headers, body }
    }

    /// As [`Kit::send`], for answers that may not come.
    pub(crate) async fn try_send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.transport.send(request, Limits { timeout: Duration::from_secs(20), max_body_bytes: 1 << 20 }).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(http::Request::get(self.url(path)).body(Bytes::new()).unwrap()).await
    }

    /// Posts a form; `form` is written as it is.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        self.post_with(path, form, &[]).await
    }

    pub(crate) async fn post_with(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            http::Request::post(self.url(path)).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Bytes::from(form.to_owned())).unwrap()).await
    }

    /// Asks the v2.0 endpoint as the usual client.
    pub(crate) async fn token(&self, scope: &str) -> Answer {
        let form = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={scope}");
        self.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
    }
}

/// An authority that keeps what it knows in `data`.
pub(crate) fn on_disk(data: &std::path::Path, clock: &FakeClock) -> AuthorityBuilder {
    Authority::builder().clock(Arc::new(clock.clone())).storage(Storage::Data(data.to_owned()))
}

/// A token's claims, unverified.
pub(crate) fn claims(token: &Value) -> Value {
    segment(token, 1)
}

pub(crate) fn segment(token: &Value, index: usize) -> Value {
    let text = token.as_str().unwrap().split('.').nth(index).unwrap();
    serde_json::from_slice(&countersign_token::base64url_decode_strict(text).unwrap()).unwrap()
}
