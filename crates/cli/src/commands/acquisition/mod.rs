//! Who asks for a token, with what proof, and for what: the flags that `token` and `call` share.
//!
//! [`proof`] says how the application proves itself, [`prepared`] how each grant asks. Everything that can be checked
//! without sending anything is checked here, before the first byte leaves.

mod prepared;
mod proof;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_client::{
    ClaimsRequest, ConfidentialClient, ConfidentialClientBuilder, EnvironmentCredential, ManagedIdentityBuilder,
    ManagedIdentityClient, RequestOptions, UserAssertion, UserAssigned,
};
use countersign_protocol::{EndpointVersion, ResourceIdentifier, ScopeSet, TenantSegment};
use countersign_token::{ClientId, Randomness, SystemRandomness};
use secrecy::ExposeSecret;

pub(crate) use self::prepared::{Acquired, Prepared};
use self::prepared::{Asker, Grant};
use self::proof::ProofArgs;
use crate::environment::Environment;
use crate::error::CliError;
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

    #[command(flatten)]
    proof: ProofArgs,

    /// Exchange the user's token in this file, '-' for standard input, for one to the next API, on behalf of the user
    #[arg(long, value_name = "TOKEN-FILE", conflicts_with_all = ["device_code", "username", "managed_identity"])]
    on_behalf_of: Option<PathBuf>,

    /// Sign a user in at another screen: the address and code are printed on stderr, then it is waited for
    #[arg(long, conflicts_with_all = ["username", "managed_identity"])]
    device_code: bool,

    /// Sign this user in with a password, for tests; needs --password-file
    #[arg(long, value_name = "NAME", requires = "password_file", conflicts_with = "managed_identity")]
    username: Option<String>,

    /// The user's password is in this file, '-' for standard input
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,

    /// Ask the platform for its managed identity's token; of several identities for the one with this client id, or
    /// resource id (/subscriptions/…)
    #[arg(
        long,
        value_name = "CLIENT_ID",
        num_args = 0..=1,
        value_parser = user_assigned,
        conflicts_with_all = [
            "tenant", "client_id", "secret_file", "certificate", "send_x5c", "federated_token_file", "claims",
            "capability", "authority",
        ]
    )]
    managed_identity: Option<Option<UserAssigned>>,

    /// Take everything from the AZURE_* variables as Azure's own libraries do: secret, certificate, user, federated
    /// token, or else the managed identity
    #[arg(
        long,
        conflicts_with_all = [
            "tenant", "client_id", "secret_file", "certificate", "send_x5c", "federated_token_file", "device_code",
            "username", "managed_identity", "authority",
        ]
    )]
    environment: bool,

    /// Ask the v2.0 endpoint for this, for example api://orders/.default; repeatable for a user's scopes
    #[arg(long, value_name = "SCOPE", conflicts_with = "resource", required_unless_present = "resource")]
    scope: Vec<String>,

    /// Ask the v1.0 endpoint for this resource, for example api://orders
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,

    /// Ask for a token with these claims, as a claims challenge names them: a JSON object
    #[arg(long, value_name = "JSON", value_parser = claims)]
    claims: Option<ClaimsRequest>,

    /// Say that claims challenges are understood (cp1): the token may live longer, and may be taken back
    #[arg(long, value_name = "NAME", value_parser = ["cp1"])]
    capability: Option<String>,
}

/// A client id, or a resource id.
fn user_assigned(text: &str) -> Result<UserAssigned, String> {
    if text.starts_with("/subscriptions/") {
        return Ok(UserAssigned::ResourceId(text.to_owned()));
    }
    text.parse().map(UserAssigned::ClientId).map_err(|_| {
        "it is neither a GUID nor a resource id; an address of 'call' stands before --managed-identity".to_owned()
    })
}

fn claims(text: &str) -> Result<ClaimsRequest, String> {
    ClaimsRequest::from_json(text).map_err(|error| error.to_string())
}

/// Whether this file is standard input.
fn one_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

impl Acquisition {
    /// Checks everything that can be checked without sending anything. `body_from_stdin`: somebody else reads it too.
    pub(crate) fn prepare(&self, environment: &Environment, body_from_stdin: bool) -> Result<Prepared, CliError> {
        self.proof.refuse_secrets()?;
        self.refuse_two_readers(body_from_stdin)?;
        let (scopes, version) = self.question()?;
        let transport = self.trust.transport(environment)?;
        let asker = if let Some(identity) = &self.managed_identity {
            let builder = ManagedIdentityClient::builder(|name| environment.variable(name));
            managed_identity(match identity.clone() {
                Some(identity) => builder.user_assigned(identity),
                None => builder,
            })?
        } else if self.environment {
            match EnvironmentCredential::read(|name| environment.variable(name)).map_err(CliError::Environment)? {
                EnvironmentCredential::Application(builder) => {
                    let builder = builder.endpoint_version(version).transport(Arc::clone(&transport));
                    self.application(builder, self.grant()?)?
                }
                EnvironmentCredential::User { application, username, password } if self.on_behalf_of.is_none() => {
                    let builder = application.endpoint_version(version).transport(Arc::clone(&transport));
                    self.application(builder, Grant::Password { username, password })?
                }
                EnvironmentCredential::ManagedIdentity(builder) => {
                    self.refuse_what_no_managed_identity_can()?;
                    managed_identity(*builder)?
                }
                _ => return Err(nothing_in_the_environment()),
            }
        } else {
            let builder = self.builder(environment)?;
            let grant = self.grant()?;
            // A tool that signs users in is a public client unless told otherwise; a secret that stands in the environment
            // for another purpose would be refused (AADSTS700025).
            let proof = match &grant {
                Grant::DeviceCode | Grant::Password { .. } => {
                    self.proof.of_flags(environment)?.unwrap_or(proof::Proof::None)
                }
                Grant::ClientCredentials | Grant::OnBehalfOf(_) => self.proof.proof(environment)?,
            };
            let builder = builder.endpoint_version(version).transport(Arc::clone(&transport));
            self.application(proof.given_to(builder), grant)?
        };
        let mut options = RequestOptions::new();
        let mut correlation_id = None;
        if matches!(asker, Asker::Application { .. }) {
            let id = SystemRandomness.uuid_v4();
            options = options.correlation_id(id);
            correlation_id = Some(id.to_string());
        }
        Ok(Prepared { asker, scopes, claims: self.claims.clone(), options, correlation_id, transport })
    }

    fn builder(&self, environment: &Environment) -> Result<ConfidentialClientBuilder, CliError> {
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
        Ok(ConfidentialClient::builder(self.trust.authority(environment)?, tenant, client_id))
    }

    fn application(&self, builder: ConfidentialClientBuilder, grant: Grant) -> Result<Asker, CliError> {
        let builder = if self.capability.is_some() { builder.claims_challenges() } else { builder };
        Ok(Asker::Application { client: builder.build().map_err(CliError::Client)?, grant })
    }

    fn grant(&self) -> Result<Grant, CliError> {
        if self.device_code {
            return Ok(Grant::DeviceCode);
        }
        if let (Some(username), Some(path)) = (&self.username, &self.password_file) {
            return Ok(Grant::Password { username: username.clone(), password: proof::secret(path)? });
        }
        let Some(path) = &self.on_behalf_of else { return Ok(Grant::ClientCredentials) };
        let token = proof::secret(path)?;
        // Blanks around a token are an editor's; what is inside must be the token alone.
        let assertion = UserAssertion::new(token.expose_secret().trim()).map_err(|fault| CliError::Content {
            path: if one_stdin(path) { "standard input".into() } else { path.clone() },
            what: "the access token that a user called with",
            cause: fault.to_string().into(),
        })?;
        Ok(Grant::OnBehalfOf(assertion))
    }

    fn question(&self) -> Result<(ScopeSet, EndpointVersion), CliError> {
        if let Some(resource) = &self.resource {
            let resource =
                ResourceIdentifier::parse(resource).map_err(|cause| value("the resource", resource, cause))?;
            return Ok((ScopeSet::default_of(&resource), EndpointVersion::V1));
        }
        let text = self.scope.join(" ");
        let scopes = ScopeSet::parse(&text).map_err(|cause| value("the scope", &text, cause))?;
        Ok((scopes, EndpointVersion::V2))
    }

    fn refuse_two_readers(&self, body_from_stdin: bool) -> Result<(), CliError> {
        let files =
            [&self.on_behalf_of, &self.password_file].into_iter().flatten().filter(|path| one_stdin(path)).count();
        if files + self.proof.readers_of_stdin() + usize::from(body_from_stdin) < 2 {
            return Ok(());
        }
        Err(CliError::Contradiction {
            what: "two things are to be read from standard input",
            hint: "it can be read once: give all but one of them as a file",
        })
    }

    fn refuse_what_no_managed_identity_can(&self) -> Result<(), CliError> {
        if self.on_behalf_of.is_none() && self.claims.is_none() && self.capability.is_none() {
            return Ok(());
        }
        Err(CliError::Contradiction {
            what: "the environment names no credential but the managed identity, which has neither user nor claims",
            hint: "set AZURE_TENANT_ID, AZURE_CLIENT_ID and a credential, or leave --on-behalf-of, --claims and \
                   --capability out",
        })
    }
}

fn managed_identity(builder: ManagedIdentityBuilder) -> Result<Asker, CliError> {
    builder.build().map(Asker::ManagedIdentity).map_err(CliError::ManagedIdentity)
}

/// For a kind of credential that this program does not know yet.
fn nothing_in_the_environment() -> CliError {
    CliError::Missing {
        what: "a credential in the environment",
        hint: "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or \
               AZURE_FEDERATED_TOKEN_FILE",
    }
}

fn value(what: &'static str, value: &str, cause: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Value { what, value: value.to_owned(), cause: cause.into() }
}
