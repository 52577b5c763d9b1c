//! Everything a user can run into, in one enum: what happened, what would mend it, and the exit status.
//!
//! `Display` is one lowercase fragment, the cause stands in `source()`, [`CliError::hint`] says what to do.
//! `report.rs` prints the three.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use countersign_authority::StartError;
use countersign_client::{
    AcquireError, BuildError, EnvironmentError, ManagedIdentityBuildError, ManagedIdentityError, PfxError,
};
use countersign_directory::{DirectoryFileError, StoreError};
use countersign_discovery::{HttpsTransportError, KeysUnavailable, SourceError, TransportError};
use countersign_sidecar::RunError;
use countersign_token::PolicyError;

use crate::demo::DemoError;
use crate::exit::Exit;

type Cause = Box<dyn Error + Send + Sync>;

/// What a command failed at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    /// Something that must be given was not.
    #[error("{what} is missing")]
    Missing { what: &'static str, hint: &'static str },
    /// A flag or variable holds what cannot be used.
    #[error("{what} cannot be used: {value:?}")]
    Value {
        what: &'static str,
        value: String,
        #[source]
        cause: Cause,
    },
    /// Two things were asked for that exclude each other, or one that is refused on principle.
    #[error("{what}")]
    Contradiction { what: &'static str, hint: &'static str },
    /// A file named by the user cannot be read.
    #[error("{} cannot be read", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// A file was read and is not what it should be.
    #[error("{} is not {what}", .path.display())]
    Content {
        path: PathBuf,
        what: &'static str,
        #[source]
        cause: Cause,
    },
    /// Standard input cannot be read.
    #[error("standard input cannot be read")]
    Input(#[source] io::Error),
    /// What was given is no token.
    #[error("this is no token")]
    NoToken(#[source] Cause),
    /// The policy contradicts itself.
    #[error("the policy cannot be kept")]
    Policy(#[source] PolicyError),
    /// The client cannot be built.
    #[error("the client cannot be configured like this")]
    Client(#[source] BuildError),
    /// A PKCS#12 container that cannot be used.
    #[error("{} is not a PFX (PKCS#12) that can be used", .path.display())]
    Pfx {
        path: PathBuf,
        #[source]
        cause: PfxError,
        password_given: bool,
    },
    /// The `AZURE_*` variables do not make a credential.
    #[error("the environment's AZURE_* variables do not make a credential")]
    Environment(#[source] EnvironmentError),
    /// The managed identity cannot be asked.
    #[error("the managed identity cannot be asked")]
    ManagedIdentity(#[source] ManagedIdentityBuildError),
    /// There is no token.
    #[error(transparent)]
    Acquire(AcquireError),
    /// The HTTP client cannot be made.
    #[error("the HTTPS client cannot be made")]
    TransportSetup(#[source] HttpsTransportError),
    /// The keys' address is wrong.
    #[error("the authority's keys have no usable address")]
    KeyAddress(#[source] SourceError),
    /// No keys.
    #[error("the authority's keys cannot be had")]
    Keys(#[source] KeysUnavailable),
    /// A request brought no response.
    #[error("{url} gave no response")]
    Exchange {
        url: String,
        #[source]
        cause: TransportError,
    },
    /// Standard output, or a file of ours, cannot be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// A place on the disk cannot be written.
    #[error("{} cannot be written", .path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// A directory file is not sound.
    #[error("the directory file cannot be loaded")]
    Directory(#[source] DirectoryFileError),
    /// The authority did not start.
    #[error("the authority did not start")]
    Start(#[source] StartError),
    /// The sidecar did not start, or stopped.
    #[error("the sidecar cannot run")]
    Sidecar(#[source] Box<RunError>),
    /// The demo's stage could not be set.
    #[error("the demo could not be set up")]
    Demo(#[source] DemoError),
    /// tokio would not start.
    #[error("the runtime does not start")]
    Runtime(#[source] io::Error),
}

impl CliError {
    /// The exit status.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. }
            | Self::Value { .. }
            | Self::Contradiction { .. }
            | Self::Read { .. }
            | Self::Content { .. }
            | Self::NoToken(_)
            | Self::Policy(_)
            | Self::Client(_)
            | Self::Pfx { .. }
            | Self::Environment(_)
            | Self::ManagedIdentity(_)
            | Self::KeyAddress(_)
            | Self::Directory(_)
            | Self::TransportSetup(_) => Exit::Usage,
            Self::Start(
                StartError::Load(_)
                | StartError::Origin(_)
                | StartError::Damaged { .. }
                | StartError::ManagedIdentity { .. }
                | StartError::Store(StoreError::Address(_)),
            ) => Exit::Usage,
            Self::Acquire(error) => acquire_exit(error),
            Self::Sidecar(error) if !matches!(**error, RunError::Listen(_)) => Exit::Usage,
            Self::Exchange { cause: TransportError::Request(_), .. } => Exit::Usage,
            Self::Keys(_) | Self::Exchange { .. } => Exit::Unreachable,
            Self::Output(_)
            | Self::Write { .. }
            | Self::Input(_)
            | Self::Runtime(_)
            | Self::Start(_)
            | Self::Sidecar(_)
            | Self::Demo(_) => Exit::Machine,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { hint, .. } | Self::Contradiction { hint, .. } => Some((*hint).to_owned()),
            Self::Acquire(error) => acquire_hint(error),
            Self::Exchange { cause, .. } => transport_hint(cause),
            Self::Keys(error) => transport_cause(error).and_then(transport_hint),
            Self::Policy(PolicyError::UnknownPermission(_)) => {
                Some("--permission names a member of the policy's \"permissions\"".to_owned())
            }
            Self::Policy(_) => Some("see the example in 'countersign verify --help'".to_owned()),
            Self::NoToken(_) => Some("a token is three pieces of base64url parted by dots: eyJ….eyJ….…".to_owned()),
            Self::TransportSetup(HttpsTransportError::RootPem(_) | HttpsTransportError::NoRoot) => Some(
                "give --ca the CA's certificate in PEM; 'countersign authority' prints where it keeps its own"
                    .to_owned(),
            ),
            Self::Start(StartError::Listen { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
                Some("somebody listens there already; --listen 127.0.0.1:0 takes a free port".to_owned())
            }
            Self::Start(StartError::Store(StoreError::Busy(_) | StoreError::Io(_))) => Some(
                "is the database running, and does --database (COUNTERSIGN_DATABASE_URL) name its host and port?"
                    .to_owned(),
            ),
            Self::Pfx { cause: PfxError::Unreadable(_), password_given: true, .. } => Some(
                "is this the container's password? the format does not tell a wrong one from a damaged file".into(),
            ),
            Self::Pfx { cause: PfxError::Unreadable(_), .. } => Some(
                "if it has a password, give --certificate-password-file or set AZURE_CLIENT_CERTIFICATE_PASSWORD"
                    .into(),
            ),
            Self::Pfx { .. } => {
                Some("export the certificate together with its private key, and no other key, into one PFX".into())
            }
            Self::Environment(EnvironmentError::Missing(name)) => Some(format!("set {name} too")),
            Self::ManagedIdentity(ManagedIdentityBuildError::ForeignHost) => Some(
                "its endpoint is always on this machine or its link; who has set IDENTITY_ENDPOINT, MSI_ENDPOINT or \
                 AZURE_POD_IDENTITY_AUTHORITY_HOST to something else?"
                    .into(),
            ),
            Self::Client(BuildError::KeyMismatch) => {
                Some("put the certificate and the private key that belongs to it into one PEM file".to_owned())
            }
            _ => None,
        }
    }

    /// The id under which the authority has the refused request in its log.
    pub(crate) fn correlation_id(&self) -> Option<&str> {
        match self {
            Self::Acquire(error) => error.correlation_id(),
            _ => None,
        }
    }

    /// Whether the reader of our output went away, which is no failure of ours: `countersign verify … | head`.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn acquire_exit(error: &AcquireError) -> Exit {
    match error {
        // The user did not say yes in time.
        AcquireError::Refused(_) | AcquireError::NotSignedIn | AcquireError::DeviceCodeExpired => Exit::Refused,
        AcquireError::Scopes(_) | AcquireError::TenantAlias | AcquireError::NoCredential => Exit::Usage,
        // A file named on the command line or in the environment, and nothing was sent.
        AcquireError::Assertion(_) | AcquireError::NoAssertion(_) => Exit::Usage,
        AcquireError::ManagedIdentity(error) => match &**error {
            ManagedIdentityError::Refused { status: 400..=403, .. } => Exit::Refused,
            ManagedIdentityError::Scopes => Exit::Usage,
            _ => Exit::Unreachable,
        },
        _ => Exit::Unreachable,
    }
}

fn acquire_hint(error: &AcquireError) -> Option<String> {
    if let Some(remedy) = error.remedy() {
        return Some(remedy.to_owned());
    }
    match error {
        AcquireError::Transport(cause) => transport_hint(cause),
        AcquireError::Throttled { retry_after, .. } => {
            Some(format!("the authority asks to be left alone for {} s", retry_after.as_secs()))
        }
        AcquireError::Scopes(_) => Some(
            "write --scope RESOURCE/.default, for example api://orders/.default, or name the resource with --resource"
                .to_owned(),
        ),
        AcquireError::TenantAlias => {
            Some("name one tenant with --tenant: its GUID, or a domain such as contoso.com".into())
        }
        AcquireError::DeviceCodeExpired => Some("run it again, and enter the new code within its time".to_owned()),
        AcquireError::Unusable(_) => Some("is there a proxy in between, or another server at this address?".to_owned()),
        _ => None,
    }
}

fn transport_hint(error: &TransportError) -> Option<String> {
    Some(
        match error {
            TransportError::Tls(_) => {
                "the server's certificate is not trusted: for a local authority give its CA with --ca FILE or \
                 COUNTERSIGN_CA, and use the name it is issued for (localhost)"
            }
            TransportError::Connect(_) => {
                "is anybody listening there? 'countersign authority --ephemeral' starts a local authority"
            }
            TransportError::NotHttps => "tokens and secrets travel over https only",
            TransportError::Timeout { .. } => {
                "try again, or look at the server: it accepted the request and said nothing"
            }
            TransportError::Redirect { .. } => "use the address that the server redirects to, if you trust it",
            _ => return None,
        }
        .to_owned(),
    )
}

/// The transport's error somewhere in a chain.
fn transport_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TransportError> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<TransportError>() {
            return Some(found);
        }
        current = error.source();
    }
    None
}
