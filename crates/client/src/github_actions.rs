//! [`GitHubActions`]: the token that a GitHub workflow's own endpoint issues, as a client assertion.
//!
//! A job with `permissions: id-token: write` finds the endpoint and a bearer for it in its environment. Asked once for each
//! token request; nothing is kept. The endpoint must be https and of GitHub's own or of the server that runs the workflow:
//! that is for the runner to say, this crate only insists on https (the default transport does).
//!
//! Source: GitHub, "OpenID Connect reference"; Workload identity federation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{BoxFuture, Cause, Limits, Transport};
use countersign_protocol::FormEncoder;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::assertion::{AssertionProvider, AssertionRequest, MAX_ASSERTION_BYTES};

/// Asks the workflow's endpoint for a token. `Debug` shows nothing of it.
///
/// ```no_run
/// use std::sync::Arc;
/// use countersign_client::{ConfidentialClient, GitHubActions};
/// use countersign_discovery::HttpsTransport;
/// use countersign_protocol::{AuthorityHost, TenantSegment};
///
/// # fn example(variable: impl Fn(&str) -> Option<String>) -> Result<(), Box<dyn std::error::Error>> {
/// let workflow = GitHubActions::from_environment(variable, Arc::new(HttpsTransport::new()?))
///     .ok_or("not in a workflow with id-token: write")?;
/// let client = ConfidentialClient::builder(
///     AuthorityHost::parse("https://login.microsoftonline.com")?,
///     TenantSegment::parse("6babcaad-604b-40ac-a9d7-9fd97c0b779f")?,
///     "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11".parse()?,
/// )
/// .assertion(workflow)
/// .build()?;
/// # drop(client); Ok(())
/// # }
/// ```
pub struct GitHubActions {
    address: String,
    bearer: SecretString,
    audience: String,
    transport: Arc<dyn Transport>,
}

impl fmt::Debug for GitHubActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubActions").field("audience", &self.audience).finish_non_exhaustive()
    }
}

/// The workflow's endpoint gave no token.
#[derive(Debug, thiserror::Error)]
enum WorkflowError {
    #[error("the workflow's token endpoint answered with status {0}")]
    Status(StatusCode),
    #[error("the workflow's token endpoint answered without a token")]
    NoToken,
    #[error("the workflow's token endpoint cannot be asked")]
    Request(#[source] http::Error),
}

const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), max_body_bytes: 2 * MAX_ASSERTION_BYTES };

impl GitHubActions {
    /// From `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`; None where they are not set. The
    /// audience is the public cloud's, see [`GitHubActions::audience`].
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>, transport: Arc<dyn Transport>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let (address, bearer) = (set("ACTIONS_ID_TOKEN_REQUEST_URL")?, set("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
        let audience = countersign_protocol::CloudProfile::GLOBAL.token_exchange_audience.to_owned();
        Some(Self { address, bearer: bearer.into(), audience, transport })
    }

    /// Asks for this audience: the federated credential's, which differs in national clouds.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    async fn ask(&self) -> Result<SecretString, Cause> {
        let query = FormEncoder::new().field("audience", &self.audience).finish();
        let joint = if self.address.contains('?') { '&' } else { '?' };
        let mut bearer = HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", self.bearer.expose_secret())))?;
        bearer.set_sensitive(true);
        let request = Request::get(format!("{}{joint}{}", self.address, String::from_utf8_lossy(&query)))
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, bearer)
            .body(Bytes::new())
            .map_err(WorkflowError::Request)?;
        let response = self.transport.send(request, LIMITS).await?;
        if response.status() != StatusCode::OK {
            return Err(WorkflowError::Status(response.status()).into());
        }
        let answer: Value = serde_json::from_slice(response.body()).map_err(|_| WorkflowError::NoToken)?;
        let token = answer.get("value").and_then(Value::as_str).ok_or(WorkflowError::NoToken)?;
        Ok(SecretString::from(token))
    }
}

impl AssertionProvider for GitHubActions {
    fn assertion(&self, _request: AssertionRequest) -> BoxFuture<'_, Result<SecretString, Cause>> {
        Box::pin(self.ask())
    }
}
