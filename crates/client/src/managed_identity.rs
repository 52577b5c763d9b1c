//! How each host of a managed identity is asked for a token, and what its answers mean.
//!
//! Six dialects, told apart by environment variables: IMDS of virtual machines, App Service (with Functions and Container
//! Apps), Azure Arc, Service Fabric, Azure ML, Cloud Shell. All stand on the machine itself or beside it: an address
//! anywhere else is refused, whoever wrote it into the environment (`pitfalls` C24). Service Fabric alone speaks TLS, with
//! a certificate that only its thumbprint vouches for; that one is pinned.
//! Read on in `managed_identity_client.rs` for the public side.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{TransportError, retry_after};
use countersign_protocol::{Challenge, DecodeError, FormEncoder, ManagedIdentityToken, ResourceIdentifier};
use countersign_token::base64_encode_standard;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::access_token::AccessToken;
use crate::error::{AcquireError, is_servers_fault};
use crate::exchange::Exchange;
use crate::federated_file::read_bounded;
use crate::lifetime::Lifetime;
use crate::question::Question;
use crate::sanitise::{Secrets, may_hold_token, sanitise};

/// Which host of a managed identity is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManagedIdentityHost {
    /// A virtual machine's metadata service.
    Imds,
    /// App Service, Functions, Container Apps.
    AppService,
    /// A server connected by Azure Arc.
    AzureArc,
    /// A Service Fabric cluster.
    ServiceFabric,
    /// Azure Machine Learning.
    AzureMl,
    /// Cloud Shell: the user's own token.
    CloudShell,
}

/// The managed identity's endpoint gave no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagedIdentityError {
    /// It said no.
    #[error("the endpoint answered with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words, escaped and cut.
        message: String,
    },
    /// No usable response.
    #[error("the endpoint gave no usable response")]
    Transport(#[source] Arc<TransportError>),
    /// Its answer is no token.
    #[error("the endpoint's answer is not understood (status {status})")]
    Unusable {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        #[source]
        cause: DecodeError,
    },
    /// The token has no lifetime left.
    #[error("the token has no lifetime left")]
    DeadToken,
    /// Azure Arc's agent named no key file, or one outside its directory.
    #[error("Azure Arc's agent named no key file in its own directory")]
    ArcChallenge,
    /// Azure Arc's key file cannot be read.
    #[error("Azure Arc's key file cannot be read")]
    ArcKeyFile(#[source] io::Error),
    /// The resource cannot be asked for.
    #[error("a managed identity needs one scope of the form {{resource}}/.default")]
    Scopes,
}

impl ManagedIdentityError {
    /// Who must do what.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Refused { status: 400, .. } => {
                "The resource's operator assigns a managed identity to it; with several, or user-assigned ones, the client \
                 names the identity by client id, object id or resource id."
            }
            Self::Transport(_) => {
                "The client's operator runs the service on a resource with a managed identity, and lets it reach the \
                 metadata endpoint without a proxy."
            }
            Self::ArcChallenge | Self::ArcKeyFile(_) => {
                "The server's operator adds the service's user to the group himds, which may read the agent's keys."
            }
            Self::Scopes => "The client's developer asks for one resource.",
            Self::Refused { .. } | Self::Unusable { .. } | Self::DeadToken => {
                "The platform's operator looks at the endpoint."
            }
        }
    }

    /// Whether the same call may succeed later with nothing changed at this end.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { status, .. } | Self::Unusable { status, .. } => {
                matches!(status, 404 | 408 | 410 | 429) || *status >= 500
            }
            Self::Transport(error) => error.is_transient(),
            Self::DeadToken => true,
            Self::ArcChallenge | Self::ArcKeyFile(_) | Self::Scopes => false,
        }
    }

    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Refused { status, .. } | Self::Unusable { status, .. } => *status >= 500,
            Self::Transport(error) => error.is_transient(),
            _ => false,
        }
    }
}

/// An endpoint, its proof, and which identity is meant.
#[derive(Debug)]
pub(crate) struct ManagedIdentity {
    pub(crate) host: ManagedIdentityHost,
    /// With path, without query.
    pub(crate) endpoint: String,
    /// What `IDENTITY_HEADER` or `MSI_SECRET` says.
    pub(crate) header: Option<SecretString>,
    /// The query parameter that names a user-assigned identity.
    pub(crate) selector: Option<(&'static str, String)>,
    /// Where Azure Arc's agent leaves its keys.
    pub(crate) arc_directory: PathBuf,
}

/// The largest key file of Azure Arc, in bytes.
const MAX_ARC_KEY: usize = 4096;

impl ManagedIdentity {
    /// The longest that asking may take, all retries included.
    pub(crate) const LONGEST: Duration = Duration::from_secs(150);

    /// Asks as often as this host's rules say (IMDS: "Retry guidance"; elsewhere three times, a second apart).
    pub(crate) async fn request(&self, exchange: &Exchange, question: &Question) -> Result<AccessToken, AcquireError> {
        let wrap = |error| AcquireError::ManagedIdentity(Arc::new(error));
        let resource = question.scopes.client_credentials_resource().map_err(|_| wrap(ManagedIdentityError::Scopes))?;
        let mut tries = 0;
        loop {
            let error = match self.ask(exchange, &resource).await {
                Ok(token) => return Ok(token),
                Err(Fault::Throttled { status, retry_after }) => {
                    let (refusal, correlation_id) = (None, None);
                    return Err(AcquireError::Throttled { status, retry_after, refusal, correlation_id });
                }
                Err(Fault::Failed(error)) => error,
            };
            let Some(pause) = self.pause(tries, &error) else { return Err(wrap(error)) };
            tracing::debug!(%error, ?pause, "asking the managed identity's endpoint once more");
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    fn pause(&self, tries: u32, error: &ManagedIdentityError) -> Option<Duration> {
        let status = match error {
            ManagedIdentityError::Refused { status, .. } | ManagedIdentityError::Unusable { status, .. } => *status,
            ManagedIdentityError::Transport(error) if error.is_transient() => 503,
            _ => return None,
        };
        match (self.host, status) {
            // "The service is being updated": takes up to 70 s.
            (ManagedIdentityHost::Imds, 410) => (tries < 7).then_some(Duration::from_secs(10)),
            (ManagedIdentityHost::Imds, 404 | 408 | 429 | 500..) => {
                (tries < 3).then(|| Duration::from_secs(1 << tries))
            }
            (_, 404 | 408 | 429 | 500 | 502 | 503 | 504) => (tries < 3).then_some(Duration::from_secs(1)),
            _ => None,
        }
    }

    async fn ask(&self, exchange: &Exchange, resource: &ResourceIdentifier) -> Result<AccessToken, Fault> {
        let asked_at = exchange.clock.now();
        let mut response = self.send(exchange, resource, None).await?;
        let mut key = None;
        if self.host == ManagedIdentityHost::AzureArc && response.status() == StatusCode::UNAUTHORIZED {
            let read = self.arc_key(&response)?;
            response = self.send(exchange, resource, Some(&read)).await?;
            key = Some(read);
        }
        let status = response.status().as_u16();
        if status != 200 {
            let throttled = status == 429 || is_servers_fault(status);
            if let Some(retry_after) = retry_after(response.headers(), asked_at).filter(|_| throttled) {
                return Err(Fault::Throttled { status, retry_after });
            }
            let header = self.header.as_ref().map_or("", |header| header.expose_secret());
            let key = key.as_deref().map_or("", String::as_str);
            let message = message_of(status, response.body(), Secrets(&[header, key]));
            return Err(ManagedIdentityError::Refused { status, message }.into());
        }
        let answer = ManagedIdentityToken::from_json(response.body())
            .map_err(|cause| ManagedIdentityError::Unusable { status, cause })?;
        let now = exchange.clock.now();
        let left = u64::try_from(answer.expires_at(now).saturating_sub(asked_at.as_unix_seconds())).unwrap_or(0);
        let token = Lifetime::new(asked_at, left, None, &*exchange.randomness)
            .and_then(|lifetime| AccessToken::new(&answer.access_token, lifetime));
        token.ok_or_else(|| ManagedIdentityError::DeadToken.into())
    }

    async fn send(
        &self,
        exchange: &Exchange,
        resource: &ResourceIdentifier,
        arc_key: Option<&Zeroizing<String>>,
    ) -> Result<Response<Bytes>, Fault> {
        let request = self
            .http_request(resource, arc_key)
            .map_err(|error| ManagedIdentityError::Transport(Arc::new(TransportError::Request(error.into()))))?;
        let response = exchange.transmit(request, exchange.timeout).await;
        response.map_err(|error| ManagedIdentityError::Transport(Arc::new(error)).into())
    }

    fn http_request(
        &self,
        resource: &ResourceIdentifier,
        arc_key: Option<&Zeroizing<String>>,
    ) -> Result<Request<Bytes>, http::Error> {
        let (version, secret_header) = match self.host {
            ManagedIdentityHost::Imds => (Some("2018-02-01"), None),
            ManagedIdentityHost::AppService => (Some("2019-08-01"), Some("x-identity-header")),
            ManagedIdentityHost::AzureArc => (Some("2020-06-01"), None),
            ManagedIdentityHost::ServiceFabric => (Some("2019-07-01-preview"), Some("secret")),
            ManagedIdentityHost::AzureMl => (Some("2017-09-01"), Some("secret")),
            ManagedIdentityHost::CloudShell => (None, None),
        };
        let form = FormEncoder::new().optional("api-version", version).field("resource", resource.as_str());
        let form = match &self.selector {
            Some((name, value)) => form.field(name, value),
            None => form,
        };
        let form = form.finish();
        let builder = if self.host == ManagedIdentityHost::CloudShell {
            Request::post(&self.endpoint).header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        } else {
            Request::get(format!("{}?{}", self.endpoint, String::from_utf8_lossy(&form)))
        };
        let mut builder = builder.header(ACCEPT, "application/json");
        if matches!(
            self.host,
            ManagedIdentityHost::Imds | ManagedIdentityHost::AzureArc | ManagedIdentityHost::CloudShell
        ) {
            builder = builder.header("metadata", "true");
        }
        let sensitive = |text: &str| {
            HeaderValue::from_str(text).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        };
        if let (Some(name), Some(header)) = (secret_header, &self.header) {
            builder = builder.header(name, sensitive(header.expose_secret())?);
        }
        if let Some(key) = arc_key {
            builder = builder.header(AUTHORIZATION, sensitive(&format!("Basic {}", key.as_str()))?);
        }
        let is_post = builder.method_ref() == Some(&Method::POST);
        builder.body(if is_post { Bytes::from(form) } else { Bytes::new() })
    }

    /// The content of the file that Azure Arc's challenge names; it must lie in the agent's own directory, or any process
    /// on this machine that plays the agent could have any file sent to it.
    fn arc_key(&self, response: &Response<Bytes>) -> Result<Zeroizing<String>, ManagedIdentityError> {
        let challenge = response.headers().get_all(WWW_AUTHENTICATE).iter().find_map(|value| {
            let challenges = Challenge::parse_all(value.to_str().ok()?);
            challenges.into_iter().find(|challenge| challenge.is_scheme("Basic"))
        });
        let path = challenge.as_ref().and_then(|challenge| challenge.get("realm"));
        let path = Path::new(path.ok_or(ManagedIdentityError::ArcChallenge)?);
        let is_key = path.extension().is_some_and(|extension| extension == "key");
        // Compared as it is written: `..` is not resolved, it is no key file's name.
        if !is_key || path.parent() != Some(&self.arc_directory) || path.file_stem().is_none() {
            return Err(ManagedIdentityError::ArcChallenge);
        }
        let is_link = std::fs::symlink_metadata(path).map_err(ManagedIdentityError::ArcKeyFile)?.is_symlink();
        let bytes = read_bounded(path, MAX_ARC_KEY).map_err(ManagedIdentityError::ArcKeyFile)?;
        if is_link || bytes.len() > MAX_ARC_KEY {
            return Err(ManagedIdentityError::ArcChallenge);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| ManagedIdentityError::ArcChallenge)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// What one try came to.
enum Fault {
    Failed(ManagedIdentityError),
    Throttled { status: u16, retry_after: Duration },
}

impl From<ManagedIdentityError> for Fault {
    fn from(error: ManagedIdentityError) -> Self {
        Self::Failed(error)
    }
}

/// The endpoint's words, in whichever of its shapes: IMDS's `error_description`, App Service's `message`, Service Fabric's
/// `error.message`. Of a body that may hold a token nothing is shown.
fn message_of(status: u16, body: &[u8], secrets: Secrets<'_>) -> String {
    if may_hold_token(status, body) {
        return "what it said may hold a token".to_owned();
    }
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = ["/error_description", "/message", "/error/message", "/error"]
        .iter()
        .find_map(|pointer| json.pointer(pointer)?.as_str().map(str::to_owned));
    sanitise(&text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()), secrets)
}

/// `path`'s digest as text, for a key.
pub(crate) fn header_digest(header: Option<&SecretString>) -> String {
    header.map_or_else(String::new, |header| {
        base64_encode_standard(&crate::digest::sha256_of(&[header.expose_secret().as_bytes()])[..16])
    })
}
