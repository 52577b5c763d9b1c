//! [`ManagedIdentityClient`]: tokens of the identity that Azure gives to the resource a service runs on.
//!
//! No secret is configured; the platform's endpoint is found by the environment variables that the platform sets, which are
//! handed in by the binary's door. Tokens are kept, shared and renewed as a [`crate::ConfidentialClient`]'s are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_discovery::{BoxFuture, Cause, HttpsTransport, LocalHttpTransport, Transport};
use countersign_protocol::{ResourceIdentifier, ScopeSet, TenantSegment};
use countersign_token::{ClientId, Clock, ObjectId, Randomness, SystemClock, SystemRandomness};
use http::Uri;
use secrecy::SecretString;

use crate::access_token::AccessToken;
use crate::acquisition::{self, Store};
use crate::assertion::{AssertionProvider, AssertionRequest};
use crate::error::AcquireError;
use crate::exchange::{Exchange, Issuer};
use crate::key::{Identity, Lookup, Subject};
use crate::managed_identity::{ManagedIdentity, ManagedIdentityHost, header_digest};
use crate::options::{NO_OPTIONS, RequestOptions};
use crate::question::{Grant, Question};
use crate::telemetry;
use crate::token_cache::TokenCache;

/// Which of a resource's identities is meant, if not the one that the system assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserAssigned {
    /// By client id.
    ClientId(ClientId),
    /// By object id.
    ObjectId(ObjectId),
    /// By resource id: `/subscriptions/…/userAssignedIdentities/…`.
    ResourceId(String),
}

/// A managed identity's client cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManagedIdentityBuildError {
    /// The endpoint is no URL.
    #[error("the managed identity's endpoint is no URL")]
    Malformed,
    /// The endpoint is not on this machine nor on its link.
    #[error("the managed identity's endpoint is neither this machine nor link-local")]
    ForeignHost,
    /// The host does not let the client choose this identity, or not by this kind of name.
    #[error("{0:?} does not let a client choose an identity this way")]
    NoChoice(ManagedIdentityHost),
    /// Service Fabric's certificate is known by its thumbprint only, and this is none: 40 hexadecimal digits.
    #[error("IDENTITY_SERVER_THUMBPRINT is not the SHA-1 thumbprint of a certificate")]
    Thumbprint,
    /// The transport that pins Service Fabric's certificate cannot be made.
    #[error("the transport for Service Fabric's endpoint cannot be made: {0}")]
    Transport(String),
}

/// Configures a [`ManagedIdentityClient`]. `Debug` shows no secret.
#[derive(Debug)]
#[must_use]
pub struct ManagedIdentityBuilder {
    host: ManagedIdentityHost,
    endpoint: String,
    header: Option<SecretString>,
    /// What `IDENTITY_SERVER_THUMBPRINT` says.
    thumbprint: Option<String>,
    default_client_id: Option<String>,
    user_assigned: Option<UserAssigned>,
    arc_directory: PathBuf,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    cache: TokenCache,
}

const IMDS: &str = "http://169.254.169.254";
const IMDS_PATH: &str = "/metadata/identity/oauth2/token";
const ARC: &str = "http://127.0.0.1:40342/metadata/identity/oauth2/token";
const ARC_DIRECTORY: &str = "/var/opt/azcmagent/tokens";
const ARC_BINARY: &str = "/opt/azcmagent/bin/himds";

/// A local endpoint answers at once or not at all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Acquires tokens of a managed identity and keeps them. Clones share everything.
///
/// ```no_run
/// use countersign_client::ManagedIdentityClient;
/// use countersign_protocol::ResourceIdentifier;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let variable = |_: &str| None;
/// // `variable` reads the environment: |name| std::env::var(name).ok()
/// let identity = ManagedIdentityClient::builder(variable).build()?;
/// let token = identity.acquire_token(&ResourceIdentifier::parse("https://vault.azure.net")?).await?;
/// # drop(token); Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ManagedIdentityClient(Arc<Exchange>);

/// The key's tenant: a managed identity has one and cannot choose another.
static TENANT: TenantSegment = TenantSegment::Organizations;

impl ManagedIdentityClient {
    /// Tells the host by the environment's variables, in the order of Azure's own libraries.
    pub fn builder(variable: impl Fn(&str) -> Option<String>) -> ManagedIdentityBuilder {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let (identity, header) = (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER"));
        let msi = variable("MSI_ENDPOINT");
        let (host, endpoint, header) = match (identity, header, msi) {
            (Some(endpoint), Some(header), _) if variable("IDENTITY_SERVER_THUMBPRINT").is_some() => {
                (ManagedIdentityHost::ServiceFabric, endpoint, Some(header))
            }
            (Some(endpoint), Some(header), _) => (ManagedIdentityHost::AppService, endpoint, Some(header)),
            (_, _, Some(endpoint)) => match variable("MSI_SECRET") {
                Some(secret) => (ManagedIdentityHost::AzureMl, endpoint, Some(secret)),
                None => (ManagedIdentityHost::CloudShell, endpoint, None),
            },
            (Some(endpoint), None, None) if variable("IMDS_ENDPOINT").is_some() => {
                (ManagedIdentityHost::AzureArc, endpoint, None)
            }
            _ if std::path::Path::new(ARC_BINARY).exists() => (ManagedIdentityHost::AzureArc, ARC.to_owned(), None),
            _ => {
                let host = variable("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| IMDS.to_owned());
                (ManagedIdentityHost::Imds, format!("{}{IMDS_PATH}", host.trim_end_matches('/')), None)
            }
        };
        ManagedIdentityBuilder {
            host,
            endpoint,
            header: header.map(SecretString::from),
            thumbprint: variable("IDENTITY_SERVER_THUMBPRINT"),
            default_client_id: variable("DEFAULT_IDENTITY_CLIENT_ID"),
            user_assigned: None,
            arc_directory: PathBuf::from(ARC_DIRECTORY),
            transport: None,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            cache: TokenCache::default(),
        }
    }

    /// A token to one resource.
    ///
    /// # Errors
    /// [`AcquireError::ManagedIdentity`], [`AcquireError::Throttled`], [`AcquireError::Unavailable`].
    pub async fn acquire_token(&self, resource: &ResourceIdentifier) -> Result<AccessToken, AcquireError> {
        self.acquire_token_for(&ScopeSet::default_of(resource), &NO_OPTIONS).await
    }

    /// As [`ManagedIdentityClient::acquire_token`], for `{resource}/.default`. Of the options only
    /// [`RequestOptions::instead_of`] means something to a managed identity.
    ///
    /// # Errors
    /// As there.
    pub async fn acquire_token_for(
        &self,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<AccessToken, AcquireError> {
        let exchange = &self.0;
        let now = exchange.clock.now();
        let subject = Subject::APPLICATION;
        let lookup = Lookup { identity: &exchange.identity, tenant: &TENANT, scopes, subject: &subject };
        let question = || Question {
            tenant: TENANT.clone(),
            scopes: scopes.clone(),
            grant: Grant::ClientCredentials,
            subject,
            claims: None,
            query: Vec::new(),
            correlation_id: None,
            refused: options.refused.clone(),
        };
        if let Some(token) = exchange.store.tokens.find(&lookup, now)
            && !options.refused.as_ref().is_some_and(|refused| refused.same_as(&token))
        {
            if token.refresh_due(now) {
                acquisition::refresh(exchange, question(), &token, now);
            }
            telemetry::hit(&token, now);
            return Ok(token);
        }
        Box::pin(acquisition::acquire(exchange, question())).await
    }

    /// This identity's tokens as client assertions of an application that trusts it by a federated credential: the first
    /// leg of the exchange managed identity → application. `audience` is the credential's, `api://AzureADTokenExchange`
    /// in the public cloud.
    ///
    /// ```no_run
    /// use countersign_client::{ConfidentialClient, ManagedIdentityClient};
    /// use countersign_protocol::{AuthorityHost, CloudProfile, ResourceIdentifier, TenantSegment};
    ///
    /// # fn example(identity: ManagedIdentityClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let audience = ResourceIdentifier::parse(CloudProfile::GLOBAL.token_exchange_audience)?;
    /// let client = ConfidentialClient::builder(
    ///     AuthorityHost::parse("https://login.microsoftonline.com")?,
    ///     TenantSegment::parse("6babcaad-604b-40ac-a9d7-9fd97c0b779f")?,
    ///     "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11".parse()?,
    /// )
    /// .assertion(identity.as_federated_credential(&audience))
    /// .build()?;
    /// # drop(client); Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn as_federated_credential(&self, audience: &ResourceIdentifier) -> impl AssertionProvider + use<> {
        FirstLeg { identity: self.clone(), audience: ScopeSet::default_of(audience) }
    }

    /// How many tokens are at hand.
    #[must_use]
    pub fn cached_tokens(&self) -> usize {
        self.0.store.tokens.len()
    }
}

struct FirstLeg {
    identity: ManagedIdentityClient,
    audience: ScopeSet,
}

impl AssertionProvider for FirstLeg {
    fn assertion(&self, _request: AssertionRequest) -> BoxFuture<'_, Result<SecretString, Cause>> {
        Box::pin(async {
            let token = self.identity.acquire_token_for(&self.audience, &NO_OPTIONS).await?;
            Ok(SecretString::from(token.secret()))
        })
    }
}

impl ManagedIdentityBuilder {
    /// Which host was found.
    #[must_use]
    pub fn host(&self) -> ManagedIdentityHost {
        self.host
    }

    /// Asks for this identity instead of the one that the system assigned.
    pub fn user_assigned(mut self, identity: UserAssigned) -> Self {
        self.user_assigned = Some(identity);
        self
    }

    /// Sends through `transport` instead of [`LocalHttpTransport`]; for Service Fabric, instead of one that speaks TLS to
    /// the certificate of the thumbprint `IDENTITY_SERVER_THUMBPRINT` and to no other.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes jitter from `randomness`.
    pub fn randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.randomness = randomness;
        self
    }

    /// Keeps tokens in `cache`, perhaps together with other clients.
    pub fn cache(mut self, cache: TokenCache) -> Self {
        self.cache = cache;
        self
    }

    /// Where Azure Arc's agent leaves its keys, if not in its usual directory.
    pub fn arc_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.arc_directory = directory.into();
        self
    }

    /// Builds the client. Nothing is sent.
    ///
    /// # Errors
    /// [`ManagedIdentityBuildError`].
    pub fn build(self) -> Result<ManagedIdentityClient, ManagedIdentityBuildError> {
        let uri: Uri = self.endpoint.parse().map_err(|_| ManagedIdentityBuildError::Malformed)?;
        let host = uri.host().ok_or(ManagedIdentityBuildError::Malformed)?;
        let userinfo = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if userinfo || uri.query().is_some() {
            return Err(ManagedIdentityBuildError::Malformed);
        }
        match (self.host, uri.scheme_str()) {
            // Wherever it is: the pin says that it is the one.
            (ManagedIdentityHost::ServiceFabric, Some("https")) => {}
            (_, Some("http")) if LocalHttpTransport::reaches(host) => {}
            _ => return Err(ManagedIdentityBuildError::ForeignHost),
        }
        let selector = self.selector()?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport(self.host, self.thumbprint.as_deref())?,
        };
        let source = ManagedIdentity {
            host: self.host,
            endpoint: self.endpoint,
            header: self.header,
            selector,
            arc_directory: self.arc_directory,
        };
        let selected = source.selector.as_ref().map_or("", |(_, value)| value);
        let identity =
            Identity::new(&["managed identity", &source.endpoint, selected, &header_digest(source.header.as_ref())]);
        let store: Arc<Store> = self.cache.store();
        let health = store.health.of(format!("managed identity {}", source.endpoint));
        Ok(ManagedIdentityClient(Arc::new(Exchange {
            identity: Arc::new(identity),
            application: String::new(),
            issuer: Issuer::ManagedIdentity(source, health),
            transport,
            clock: self.clock,
            randomness: self.randomness,
            store,
            shared: None,
            timeout: TIMEOUT,
        })))
    }

    fn selector(&self) -> Result<Option<(&'static str, String)>, ManagedIdentityBuildError> {
        use ManagedIdentityHost::{AppService, AzureMl, Imds};
        let Some(identity) = &self.user_assigned else {
            let default = self.default_client_id.clone().filter(|_| self.host == AzureMl);
            return Ok(default.map(|id| ("clientid", id)));
        };
        let name = match (self.host, identity) {
            (AzureMl, UserAssigned::ClientId(_)) => "clientid",
            (Imds | AppService, UserAssigned::ClientId(_)) => "client_id",
            (Imds, UserAssigned::ObjectId(_)) => "object_id",
            (AppService, UserAssigned::ObjectId(_)) => "principal_id",
            (Imds, UserAssigned::ResourceId(_)) => "msi_res_id",
            (AppService, UserAssigned::ResourceId(_)) => "mi_res_id",
            (host, _) => return Err(ManagedIdentityBuildError::NoChoice(host)),
        };
        let value = match identity {
            UserAssigned::ClientId(id) => id.to_string(),
            UserAssigned::ObjectId(id) => id.to_string(),
            UserAssigned::ResourceId(id) => id.clone(),
        };
        Ok(Some((name, value)))
    }
}

/// Plain http to this machine and its link; for Service Fabric TLS to one certificate.
fn default_transport(
    host: ManagedIdentityHost,
    thumbprint: Option<&str>,
) -> Result<Arc<dyn Transport>, ManagedIdentityBuildError> {
    if host != ManagedIdentityHost::ServiceFabric {
        return Ok(Arc::new(LocalHttpTransport::new()));
    }
    let thumbprint = thumbprint.ok_or(ManagedIdentityBuildError::Thumbprint)?;
    let pinned = HttpsTransport::builder()
        .only_certificate_sha1(thumbprint)
        .map_err(|_| ManagedIdentityBuildError::Thumbprint)?
        .build()
        .map_err(|error| ManagedIdentityBuildError::Transport(error.to_string()))?;
    Ok(Arc::new(pinned))
}
