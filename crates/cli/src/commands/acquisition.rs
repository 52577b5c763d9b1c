//! Who asks for a token, with what proof, and for what: the flags that `token` and `call` share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_client::{AccessToken, CertificateOptions, ConfidentialClient};
use countersign_discovery::Transport;
use countersign_protocol::{EndpointVersion, ResourceIdentifier, ScopeSet, TenantSegment};
use countersign_token::{Certificate, ClientId, PrivateKey};
use secrecy::SecretString;

use crate::environment::Environment;
use crate::error::CliError;
use crate::input;
use crate::transport::Trust;

/// The flags.
#[derive(Debug, clap::Args)]
pub(crate) struct Acquisition {
    #[command(flatten)]
    pub(crate) trust: Trust,

    /// The tenant that is asked: GUID or domain [env: AZURE_TENANT_ID]
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,

    /// The calling application's client id [env: AZURE_CLIENT_ID]
    #[arg(long, value_name = "GUID")]
    client_id: Option<String>,

    /// Prove it with the client secret in this file, '-' for standard input [env: AZURE_CLIENT_SECRET]
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    secret_file: Option<PathBuf>,

    /// Prove it with a certificate: PEM with private key [env: AZURE_CLIENT_CERTIFICATE_PATH]
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,

    /// Prove it with the token in this file, which its issuer renews: workload identity [env: AZURE_FEDERATED_TOKEN_FILE]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["secret_file", "certificate"])]
    federated_token_file: Option<PathBuf>,

    /// Ask the v2.0 endpoint for this, for example api://orders/.default
    #[arg(long, value_name = "SCOPE", conflicts_with = "resource", required_unless_present = "resource")]
    scope: Option<String>,

    /// Ask the v1.0 endpoint for this resource, for example api://orders
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,

    /// Not offered: a command line is no place for a secret.
    #[arg(long, alias = "secret", alias = "password", hide = true, value_name = "SECRET")]
    client_secret: Option<SecretString>,
}

/// How the application proves itself.
enum Proof {
    Secret(SecretString),
    Certificate(PrivateKey, Certificate),
    /// The client opens the file itself, at each token request. Nobody is warned if others may read it: Kubernetes lets
    /// the pod's group, and the token lives a day at most.
    FederatedTokenFile(PathBuf),
}

/// A client that is ready to ask, and what it asks for.
pub(crate) struct Prepared {
    client: ConfidentialClient,
    scopes: ScopeSet,
    /// What requests travel through.
    pub(crate) transport: Arc<dyn Transport>,
}

impl Prepared {
    /// Asks.
    pub(crate) async fn acquire(&self) -> Result<AccessToken, CliError> {
        self.client.acquire_token_for_client(&self.scopes).await.map_err(CliError::Acquire)
    }
}

impl Acquisition {
    /// Checks everything that can be checked without sending anything.
    pub(crate) fn prepare(&self, environment: &Environment) -> Result<Prepared, CliError> {
        if self.client_secret.is_some() {
            return Err(CliError::Contradiction {
                what: "a secret does not belong on the command line",
                hint: "there it is seen by everybody who lists processes, and kept in the shell's history; put it into a \
                       file for --secret-file, or into AZURE_CLIENT_SECRET",
            });
        }
        let (scopes, version) = self.question()?;
        let tenant = self.tenant.clone().or_else(|| environment.tenant()).ok_or(CliError::Missing {
            what: "the tenant",
            hint: "give --tenant or set AZURE_TENANT_ID: the tenant's GUID, or a domain such as contoso.com",
        })?;
        let tenant = TenantSegment::parse(&tenant).map_err(|cause| value("the tenant", &tenant, cause))?;
        let client_id = self.client_id.clone().or_else(|| environment.client_id()).ok_or(CliError::Missing {
            what: "the client id",
            hint: "give --client-id or set AZURE_CLIENT_ID: the application's GUID",
        })?;
        let client_id: ClientId = client_id.parse().map_err(|cause| value("the client id", &client_id, cause))?;
        let authority = self.trust.authority(environment)?;
        let proof = self.proof(environment)?;
        let transport = self.trust.transport(environment)?;
        let builder = ConfidentialClient::builder(authority, tenant, client_id)
            .endpoint_version(version)
            .transport(Arc::clone(&transport));
        let client = match proof {
            Proof::Secret(secret) => builder.secret(secret),
            Proof::Certificate(key, certificate) => {
                builder.certificate(key, certificate, CertificateOptions::default())
            }
            Proof::FederatedTokenFile(path) => builder.federated_token_file(path),
        }
        .build()
        .map_err(CliError::Client)?;
        Ok(Prepared { client, scopes, transport })
    }

    fn question(&self) -> Result<(ScopeSet, EndpointVersion), CliError> {
        if let Some(resource) = &self.resource {
            let resource =
                ResourceIdentifier::parse(resource).map_err(|cause| value("the resource", resource, cause))?;
            return Ok((ScopeSet::default_of(&resource), EndpointVersion::V1));
        }
        let text = self.scope.as_deref().unwrap_or_default();
        let scopes = ScopeSet::parse(text).map_err(|cause| value("the scope", text, cause))?;
        Ok((scopes, EndpointVersion::V2))
    }

    /// A flag before a variable; a secret before a certificate before a federated token, the order in which Azure's own
    /// libraries try `EnvironmentCredential` and `WorkloadIdentityCredential`.
    fn proof(&self, environment: &Environment) -> Result<Proof, CliError> {
        if let Some(path) = &self.secret_file {
            return secret(path).map(Proof::Secret);
        }
        if let Some(path) = &self.certificate {
            return certificate(path);
        }
        if let Some(path) = &self.federated_token_file {
            return Ok(Proof::FederatedTokenFile(path.clone()));
        }
        if let Some(secret) = environment.client_secret() {
            return Ok(Proof::Secret(secret));
        }
        if let Some(path) = environment.certificate_path() {
            return certificate(Path::new(&path));
        }
        match environment.federated_token_file() {
            Some(path) => Ok(Proof::FederatedTokenFile(path.into())),
            None => Err(CliError::Missing {
                what: "a credential",
                hint: "give --secret-file, --certificate or --federated-token-file, or set AZURE_CLIENT_SECRET, \
                       AZURE_CLIENT_CERTIFICATE_PATH or AZURE_FEDERATED_TOKEN_FILE",
            }),
        }
    }
}

fn value(what: &'static str, value: &str, cause: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Value { what, value: value.to_owned(), cause: cause.into() }
}

fn secret(path: &Path) -> Result<SecretString, CliError> {
    if path != Path::new("-") {
        return input::secret_file(path);
    }
    let text = String::from_utf8(input::stdin()?).map_err(|error| CliError::Content {
        path: "standard input".into(),
        what: "text in UTF-8",
        cause: error.utf8_error().into(),
    })?;
    Ok(SecretString::from(text.trim_matches(['\r', '\n']).to_owned()))
}

fn certificate(path: &Path) -> Result<Proof, CliError> {
    let pem = input::text_file(path)?;
    input::warn_if_others_may_read(path);
    let content = |cause: Box<dyn std::error::Error + Send + Sync>| CliError::Content {
        path: path.to_owned(),
        what: "a PEM file with an RSA certificate and its private key",
        cause,
    };
    let certificate = Certificate::from_pem(&pem).map_err(|error| content(error.into()))?;
    let key = PrivateKey::from_pem(&pem).map_err(|error| content(error.into()))?;
    Ok(Proof::Certificate(key, certificate))
}
