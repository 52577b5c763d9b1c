//! [`ConfidentialClientBuilder`]: everything that can be wrong with a configuration is said here, before the first call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_discovery::{HttpsTransport, Transport};
use countersign_protocol::{AuthorityHost, EndpointVersion, TenantSegment};
use countersign_token::{
    Certificate, ClientAssertionSigner, ClientId, Clock, PrivateKey, Randomness, SignerError, SystemClock,
    SystemRandomness,
};
use secrecy::{ExposeSecret, SecretString};

use crate::assertion::{AssertionProvider, Source};
use crate::authority::Authority;
use crate::bound::{Bound, mtls_host};
use crate::build_error::BuildError;
use crate::client::ConfidentialClient;
use crate::credential::{CertificateOptions, Credential, Given, Proof, warn_of_secret_id};
use crate::credential_file::CredentialFile;
use crate::exchange::{Exchange, Issuer};
use crate::federated_file::TokenFile;
use crate::health::Hosts;
use crate::key::Identity;
use crate::region::{self, Region, regional_host};
use crate::shared::SharedTokens;
use crate::signer::{AssertionSigner, ExternalSigner};
use crate::token_cache::TokenCache;

/// How wrong this machine's clock may be before a certificate counts as not yet valid or an assertion as expired, in
/// seconds.
pub(crate) const CLOCK_SKEW: i64 = 300;

/// A certificate that ends within so many seconds is warned of: thirty days.
const SOON: i64 = 30 * 24 * 3600;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

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
    region: Option<String>,
    capable: bool,
    query: Vec<(String, String)>,
    shared: Option<Arc<SharedTokens>>,
    tenants: Option<Vec<TenantSegment>>,
    bound: bool,
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
            region: None,
            capable: false,
            query: Vec::new(),
            shared: None,
            tenants: None,
            bound: false,
        }
    }

    /// Authenticates with nothing: a public client, for device code and password, in tools and tests. Client credentials
    /// and on-behalf-of answer [`crate::AcquireError::NoCredential`].
    pub fn public_client(mut self) -> Self {
        self.credential = Some(Given::None);
        self
    }

    /// Authenticates with the client secret in a file that may be replaced while the process runs, as by a mounted
    /// Kubernetes secret. The line's end is not part of the secret. While the authority does not know the new secret yet,
    /// the one before it is tried.
    pub fn secret_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.credential = Some(Given::File(CredentialFile::secret(path.into())));
        self
    }

    /// Authenticates with the certificate in a file that may be replaced while the process runs: PEM with key and
    /// certificate, or PKCS#12 with its password. While the authority does not know the new certificate yet, the one
    /// before it is tried.
    pub fn certificate_file(
        mut self,
        path: impl Into<PathBuf>,
        password: Option<SecretString>,
        options: CertificateOptions,
    ) -> Self {
        self.credential = Some(Given::File(CredentialFile::certificate(path.into(), password, options)));
        self
    }

    /// Authenticates with assertions that an HSM, a TPM or a key vault signs for this certificate.
    pub fn external_signer(
        mut self,
        signer: Arc<dyn AssertionSigner>,
        certificate: Certificate,
        options: CertificateOptions,
    ) -> Self {
        self.credential = Some(Given::External(ExternalSigner::new(signer, certificate, options)));
        self
    }

    /// Asks for client credentials at the authority's endpoint in this region, `westeurope` for example. Tokens are kept
    /// as if they came from the global endpoint. MSAL's `DisableMsalForceRegion` means no region; its `TryAutoDetect` is
    /// [`ConfidentialClientBuilder::detect_region`] here.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// As [`ConfidentialClientBuilder::region`], with the region that the platform names in `REGION_NAME`: App Service and
    /// Functions do. `variable` looks it up. Where it is not set, the global endpoint is asked; the instance metadata
    /// service of a virtual machine is not.
    pub fn detect_region(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        self.region = region::detected(variable);
        self
    }

    /// Says with each request that this client understands claims challenges (`cp1`), and so gets tokens that live longer
    /// and can be revoked (continuous access evaluation). Say it only if challenges are answered, see
    /// [`crate::RequestOptions::challenge`] and [`crate::AuthorizeLayer`].
    pub fn claims_challenges(mut self) -> Self {
        self.capable = true;
        self
    }

    /// Limits the client to its own tenant and these: a call that names another one is refused before anything is sent.
    /// Without this every tenant may be asked.
    pub fn additionally_allowed_tenants(mut self, tenants: impl IntoIterator<Item = TenantSegment>) -> Self {
        let own = self.tenant.clone();
        self.tenants = Some(std::iter::once(own).chain(tenants).collect());
        self
    }

    /// Asks for tokens that are bound to the certificate which the transport shows, and takes no others (RFC 8705). That
    /// certificate is the client's credential too, unless another one is given.
    ///
    /// Needs a transport that has a certificate: `HttpsTransport::builder().client_identity_pem(…)`. In the public cloud
    /// requests go to `mtlsauth.microsoft.com`, Entra's host for this; everywhere else to the authority itself. Each token
    /// says which certificate it is bound to ([`crate::AccessToken::bound_to`]); it is kept apart from the tokens of other
    /// certificates, and not in a cache that processes share.
    ///
    /// Source: RFC 8705 §2 and §3.
    #[cfg(feature = "certificate-bound-tokens")]
    pub fn certificate_bound_tokens(mut self) -> Self {
        self.bound = true;
        self
    }

    /// Adds a parameter to the token endpoint's query, with every request.
    pub fn query_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
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

    /// Looks for tokens that are not at hand in a cache that processes share, before the authority is asked, and keeps users'
    /// sessions there; see [`SharedTokens`].
    pub fn shared_tokens(mut self, shared: SharedTokens) -> Self {
        self.shared = Some(Arc::new(shared));
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
        if self.timeout.is_zero() || self.timeout > LONGEST_TIMEOUT {
            return Err(BuildError::Timeout);
        }
        let now = self.clock.now().as_unix_seconds();
        let credential = match self.credential {
            None if self.bound => Credential::Tls,
            None => return Err(BuildError::NoCredential),
            Some(given) => ready(given, now)?,
        };
        warn_of_secret_id(&credential, &self.authority);
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(HttpsTransport::new().map_err(BuildError::Transport)?),
        };
        let bound = match transport.client_identity() {
            Some(identity) if self.bound => Some(Bound::new(identity.clone(), &self.authority)),
            None if self.bound => return Err(BuildError::NoClientCertificate),
            _ => None,
        };
        let region = match self.region.as_deref().map(Region::parse) {
            None | Some(Some(Region::None)) => None,
            Some(Some(Region::Named(name))) => Some(name),
            Some(Some(Region::Detect) | None) => return Err(BuildError::Region),
        };
        let regional = match &region {
            Some(region) if bound.is_some() && mtls_host(&self.authority, None).is_some() => {
                Some(mtls_host(&self.authority, Some(region)).ok_or(BuildError::Region)?)
            }
            Some(region) => Some(regional_host(&self.authority, region).ok_or(BuildError::Region)?),
            None => None,
        };
        let authority = Authority {
            host: self.authority,
            regional,
            client_id: self.client_id,
            version: self.version,
            credential,
            capable: self.capable,
            query: self.query,
            tenants: self.tenants,
            bound,
        };
        let parts = authority.identity_parts();
        let identity = Identity::new(&parts.iter().map(String::as_str).collect::<Vec<_>>());
        let application = authority.application();
        let store = self.cache.store();
        let hosts = Hosts::new(&store.health, &authority);
        Ok(ConfidentialClient::new(
            self.tenant,
            Exchange {
                identity: Arc::new(identity),
                application,
                issuer: Issuer::Authority(Box::new(authority), hosts),
                transport,
                clock: self.clock,
                randomness: self.randomness,
                store,
                shared: self.shared,
                timeout: self.timeout,
            },
        ))
    }
}

/// A credential as it was given, checked as far as it can be without asking anybody.
fn ready(given: Given, now: i64) -> Result<Credential, BuildError> {
    Ok(match given {
        Given::None => Credential::None,
        Given::Secret(secret) => secret_credential(secret)?,
        Given::Certificate(given) => {
            let (key, certificate, options) = *given;
            certificate_credential(key, certificate, options, now)?
        }
        Given::External(signer) => {
            check_dates(signer.certificate(), now)?;
            Credential::External(signer)
        }
        Given::File(file) => {
            let fault = |cause| BuildError::CredentialFile { path: file.path().to_owned(), cause };
            if let Proof::Certificate(signer) = &*file.load().map_err(fault)? {
                check_dates(signer.certificate(), now)?;
            }
            Credential::File(file)
        }
        Given::Federated(Source::File(file)) if file.path().as_os_str().is_empty() => {
            return Err(BuildError::EmptyPath);
        }
        Given::Federated(source) => Credential::Federated(source),
    })
}

fn secret_credential(secret: SecretString) -> Result<Credential, BuildError> {
    if secret.expose_secret().trim().is_empty() {
        return Err(BuildError::EmptySecret);
    }
    Ok(Credential::Own(Arc::new(Proof::secret(secret))))
}

fn check_dates(certificate: &Certificate, now: i64) -> Result<(), BuildError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if now > not_after.0 {
        return Err(BuildError::CertificateExpired { not_after });
    }
    if now + CLOCK_SKEW < not_before.0 {
        return Err(BuildError::CertificateNotYetValid { not_before });
    }
    if not_after.0 - now < SOON {
        let (subject, days) = (certificate.subject(), (not_after.0 - now) / (24 * 3600));
        tracing::warn!(subject, days, "the certificate expires soon; register its successor and replace it");
    }
    Ok(())
}

fn certificate_credential(
    key: PrivateKey,
    certificate: Certificate,
    options: CertificateOptions,
    now: i64,
) -> Result<Credential, BuildError> {
    check_dates(&certificate, now)?;
    let signer = ClientAssertionSigner::new(key, certificate, options.algorithm, options.send_x5c);
    signer.map(|signer| Credential::Own(Arc::new(Proof::Certificate(Box::new(signer))))).map_err(|error| match error {
        SignerError::KeyMismatch => BuildError::KeyMismatch,
        other => BuildError::Signer(other),
    })
}
