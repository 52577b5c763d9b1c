//! [`ConfidentialClientBuilder`]: everything that can be wrong with a configuration is said here, before the first call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_discovery::{HttpsTransport, HttpsTransportError, Transport};
use countersign_protocol::{AuthorityHost, EndpointVersion, TenantSegment};
use countersign_token::{
    Certificate, ClientAssertionSigner, ClientId, Clock, NumericDate, PrivateKey, Randomness, SignerError, SystemClock,
    SystemRandomness,
};
use secrecy::{ExposeSecret, SecretString};

use crate::acquisition::Store;
use crate::assertion::{AssertionProvider, Source};
use crate::cache::DEFAULT_CAPACITY;
use crate::client::ConfidentialClient;
use crate::credential::{CertificateOptions, Credential, Given, warn_of_secret_id};
use crate::exchange::Exchange;
use crate::federated_file::TokenFile;
use crate::key::Identity;

/// A client cannot be built from this configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No credential was given.
    #[error("the client has no credential: give it a secret, a certificate or a federated credential")]
    NoCredential,
    /// The secret is empty, or nothing but blanks.
    #[error("the client secret is empty")]
    EmptySecret,
    /// The path of the federated token file is empty.
    #[error("the path of the federated token file is empty")]
    EmptyPath,
    /// The certificate has expired: the authority would refuse every assertion (AADSTS700027).
    #[error("the certificate expired at {} (seconds since 1970)", .not_after.0)]
    CertificateExpired {
        /// The end of its validity.
        not_after: NumericDate,
    },
    /// The certificate is not valid yet, by more than a clock may be wrong.
    #[error("the certificate is valid only from {} on (seconds since 1970)", .not_before.0)]
    CertificateNotYetValid {
        /// The beginning of its validity.
        not_before: NumericDate,
    },
    /// The certificate is for another key.
    #[error("the certificate and the private key do not belong together")]
    KeyMismatch,
    /// The assertion's header could not be made.
    #[error("assertions cannot be signed with this key and certificate")]
    Signer(#[source] SignerError),
    /// `common`, `organizations` or `consumers`: an application has roles in one tenant, not in many.
    #[error("client credentials need one tenant: a GUID or a domain, not an alias such as common")]
    TenantAlias,
    /// The time limit for a request is zero or more than 30 s.
    #[error("the time limit for a request must be between 1 ms and 30 s")]
    Timeout,
    /// No HTTP transport was given, and the default one cannot be made.
    #[error("the default HTTP transport cannot be made")]
    Transport(#[source] HttpsTransportError),
}

/// How wrong this machine's clock may be before a certificate counts as not yet valid or an assertion as expired, in
/// seconds.
pub(crate) const CLOCK_SKEW: i64 = 300;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Tokens that several clients keep together, bounded by their number. Clones share the tokens.
///
/// The key of a token holds authority, client, endpoint version, tenant and scopes, so that clients never see each
/// other's tokens; two clients of the same application do, whatever their credentials. Share a cache only within one
/// trust boundary.
#[derive(Debug, Clone)]
pub struct TokenCache(Arc<Store>);

impl TokenCache {
    /// Holds at most `capacity` tokens: of more, expired ones go first, then those that expire soonest.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Arc::new(Store::new(capacity)))
    }
}

impl Default for TokenCache {
    /// 10,000 tokens.
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

/// Configures a [`ConfidentialClient`]. `Debug` shows no credential.
#[must_use]
pub struct ConfidentialClientBuilder {
    authority: AuthorityHost,
    tenant: TenantSegment,
    client_id: ClientId,
    version: EndpointVersion,
    credential: Option<Given>,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    cache: TokenCache,
    timeout: Duration,
}

impl std::fmt::Debug for ConfidentialClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfidentialClientBuilder")
            .field("authority", &self.authority)
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl ConfidentialClientBuilder {
    pub(crate) fn new(authority: AuthorityHost, tenant: TenantSegment, client_id: ClientId) -> Self {
        Self {
            authority,
            tenant,
            client_id,
            version: EndpointVersion::V2,
            credential: None,
            transport: None,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            cache: TokenCache::default(),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Authenticates with a client secret: its *value*, as it was shown once when it was made, not its ID.
    pub fn secret(mut self, secret: impl Into<SecretString>) -> Self {
        self.credential = Some(Given::Secret(secret.into()));
        self
    }

    /// Authenticates with assertions signed with a certificate's private key (RFC 7523 §2.2). Each is for one request,
    /// names the token endpoint as its audience, and lives ten minutes.
    pub fn certificate(mut self, key: PrivateKey, certificate: Certificate, options: CertificateOptions) -> Self {
        self.credential = Some(Given::Certificate(Box::new((key, certificate, options))));
        self
    }

    /// Authenticates with assertions that `provider` hands out: a federated issuer's token, or one signed by an HSM or a
    /// key vault. It is asked once for each token request and nothing of its answer is kept.
    ///
    /// ```no_run
    /// use countersign_client::{AssertionRequest, ConfidentialClient};
    /// use countersign_protocol::{AuthorityHost, TenantSegment};
    /// use secrecy::SecretString;
    ///
    /// # async fn ask_the_issuer(audience: &str) -> std::io::Result<String> { Ok(audience.to_owned()) }
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = ConfidentialClient::builder(
    ///     AuthorityHost::parse("https://login.microsoftonline.com")?,
    ///     TenantSegment::parse("6babcaad-604b-40ac-a9d7-9fd97c0b779f")?,
    ///     "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11".parse()?,
    /// )
    /// .assertion(async |_: AssertionRequest| Ok(SecretString::from(ask_the_issuer("api://AzureADTokenExchange").await?)))
    /// .build()?;
    /// # drop(client); Ok(())
    /// # }
    /// ```
    ///
    /// Source: RFC 7523 §2.2.
    pub fn assertion(mut self, provider: impl AssertionProvider) -> Self {
        self.credential = Some(Given::Federated(Source::Provider(Arc::new(provider))));
        self
    }

    /// Authenticates with the token in a file that the platform renews: AKS workload identity
    /// (`AZURE_FEDERATED_TOKEN_FILE`), a GitHub workflow's token that was written down, a SPIFFE JWT-SVID.
    ///
    /// The file is read for each token request and not kept; it need not be there yet. It holds one compact JWS, blanks
    /// around it aside, and at most 64 KiB. Symbolic links are followed, since Kubernetes' projected volumes consist of
    /// them.
    ///
    /// ```no_run
    /// use countersign_client::ConfidentialClient;
    /// use countersign_protocol::{AuthorityHost, TenantSegment};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = ConfidentialClient::builder(
    ///     AuthorityHost::parse("https://login.microsoftonline.com")?,
    ///     TenantSegment::parse("6babcaad-604b-40ac-a9d7-9fd97c0b779f")?,
    ///     "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11".parse()?,
    /// )
    /// .federated_token_file("/var/run/secrets/azure/wi/token/azure-identity-token")
    /// .build()?;
    /// # drop(client); Ok(())
    /// # }
    /// ```
    pub fn federated_token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.credential = Some(Given::Federated(Source::File(TokenFile::new(path.into()))));
        self
    }

    /// Asks the v1.0 endpoint (with `resource`) instead of v2.0 (with `scope`).
    pub fn endpoint_version(mut self, version: EndpointVersion) -> Self {
        self.version = version;
        self
    }

    /// Sends through `transport`; otherwise through [`HttpsTransport::new`], which trusts the operating system's roots.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Takes the time from `clock` instead of the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes request ids, `jti`s and jitter from `randomness` instead of the system's.
    pub fn randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.randomness = randomness;
        self
    }

    /// Keeps tokens in `cache`, perhaps together with other clients.
    pub fn cache(mut self, cache: TokenCache) -> Self {
        self.cache = cache;
        self
    }

    /// How long one request may take, its answer included: 10 s otherwise, 30 s at most.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Builds the client. Nothing is sent.
    ///
    /// # Errors
    /// [`BuildError`], one variant per fault.
    pub fn build(self) -> Result<ConfidentialClient, BuildError> {
        if self.tenant.alias().is_some() {
            return Err(BuildError::TenantAlias);
        }
        if self.timeout.is_zero() || self.timeout > LONGEST_TIMEOUT {
            return Err(BuildError::Timeout);
        }
        let now = self.clock.now().as_unix_seconds();
        let credential = match self.credential.ok_or(BuildError::NoCredential)? {
            Given::Secret(secret) => secret_credential(secret)?,
            Given::Certificate(given) => {
                let (key, certificate, options) = *given;
                certificate_credential(key, certificate, options, now)?
            }
            Given::Federated(Source::File(file)) if file.path().as_os_str().is_empty() => {
                return Err(BuildError::EmptyPath);
            }
            Given::Federated(source) => Credential::Federated(source),
        };
        warn_of_secret_id(&credential, &self.authority);
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(HttpsTransport::new().map_err(BuildError::Transport)?),
        };
        let identity = Identity::new(self.authority, self.client_id, self.version);
        Ok(ConfidentialClient::new(
            self.tenant,
            Exchange {
                identity: Arc::new(identity),
                credential,
                transport,
                clock: self.clock,
                randomness: self.randomness,
                store: self.cache.0,
                timeout: self.timeout,
            },
        ))
    }
}

fn secret_credential(secret: SecretString) -> Result<Credential, BuildError> {
    if secret.expose_secret().trim().is_empty() {
        return Err(BuildError::EmptySecret);
    }
    Ok(Credential::secret(secret))
}

fn certificate_credential(
    key: PrivateKey,
    certificate: Certificate,
    options: CertificateOptions,
    now: i64,
) -> Result<Credential, BuildError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if now > not_after.0 {
        return Err(BuildError::CertificateExpired { not_after });
    }
    if now + CLOCK_SKEW < not_before.0 {
        return Err(BuildError::CertificateNotYetValid { not_before });
    }
    let signer = ClientAssertionSigner::new(key, certificate, options.algorithm, options.send_x5c);
    signer.map(|signer| Credential::Certificate(Box::new(signer))).map_err(|error| match error {
        SignerError::KeyMismatch => BuildError::KeyMismatch,
        other => BuildError::Signer(other),
    })
}
