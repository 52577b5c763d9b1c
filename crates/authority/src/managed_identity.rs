//! Managed identities: tokens for whatever runs on the machine, without a credential of its own.
//!
//! On request the authority lends a service principal to this machine, as Azure does: at an address of its own it answers
//! as a virtual machine's metadata service (IMDS) and as App Service's identity endpoint. Programs are led there by the
//! variables that they look at anyway, `AZURE_POD_IDENTITY_AUTHORITY_HOST`, or `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
//!
//! Whoever reaches the endpoint gets the token, so it is served on loopback only, in the clear as Azure's are. Refused:
//! requests without the header that no web page can send, under a host name that is not this machine's (DNS rebinding),
//! forwarded requests, every method but GET, and the name of any other identity.
//!
//! `request` says what is asked, `token` what is given, `answer` how either is put. Source: Microsoft, "How to use managed
//! identities on an Azure VM to acquire an access token" and "App Service: REST endpoint reference"; recorded 2020–2025.

mod answer;
mod endpoint;
mod identity;
mod request;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_token::SecretHash;
use tokio::net::TcpListener;

use self::answer::Answer;
use self::request::Asked;
use crate::StartError;
use crate::core::Core;
use crate::serve::ServeLimits;

pub use endpoint::{ManagedIdentityEndpoint, ManagedIdentityEndpointError};
pub use identity::ManagedIdentity;

/// Connections at once; a machine has few programs.
const CONNECTIONS: usize = 64;

/// An endpoint whose address is taken.
pub(crate) struct Listening {
    pub(crate) endpoint: ManagedIdentityEndpoint,
    pub(crate) listener: TcpListener,
}

/// An endpoint that is ready to be served.
pub(crate) struct Ready {
    pub(crate) identity: ManagedIdentity,
    pub(crate) listener: TcpListener,
    pub(crate) routes: Router,
}

/// What the handler knows.
struct Lent<D: Directory> {
    core: Arc<Core<D>>,
    identity: ManagedIdentity,
    /// Of the value that App Service's header must have.
    header: SecretHash,
}

/// Finds the service principal of each endpoint.
pub(crate) async fn prepare<D: Directory>(
    core: &Arc<Core<D>>,
    endpoints: Vec<Listening>,
) -> Result<Vec<Ready>, StartError> {
    let mut ready = Vec::with_capacity(endpoints.len());
    for Listening { endpoint, listener } in endpoints {
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address: endpoint.address, source })?;
        let identity = identity::find(core, &endpoint, address).await?;
        let header = identity.header_hash(&core.vault);
        let lent = Arc::new(Lent { core: Arc::clone(core), identity: identity.clone(), header });
        let routes = Router::new().fallback(handle::<D>).with_state(lent);
        ready.push(Ready { identity, listener, routes });
    }
    Ok(ready)
}

/// The bounds of one endpoint.
pub(crate) fn bounded(limits: ServeLimits) -> ServeLimits {
    ServeLimits { connections: limits.connections.min(CONNECTIONS), ..limits }
}

async fn handle<D: Directory>(State(lent): State<Arc<Lent<D>>>, request: Request) -> Response {
    let core = &*lent.core;
    let Asked { dialect, question } = Asked::read(&request, &lent.header, &core.vault);
    let answer = Answer::to(dialect, &*core.randomness);
    let outcome = match question {
        Err(fault) => Err(fault),
        Ok(question) => token::lend(core, &lent.identity, &question, &answer).await,
    };
    match outcome {
        Ok(token) => answer.token(&token),
        Err(fault) => answer.fault(&fault),
    }
}
