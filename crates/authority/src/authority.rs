//! A running authority.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_directory::Directory;
use countersign_discovery::BoxFuture;
use countersign_protocol::AuthorityHost;
use countersign_token::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::administrator::Administrator;
use crate::builder::AuthorityBuilder;
use crate::core::Core;
use crate::local_ca::LocalCa;
use crate::managed_identity::ManagedIdentity;
use crate::{StartError, key_care};

/// What can be asked of a running authority, whatever stores its directory.
pub(crate) trait Operations: Send + Sync {
    fn roll_signing_key(&self) -> BoxFuture<'_, Result<String, StartError>>;
    fn signing_key_id(&self) -> BoxFuture<'_, Result<String, StartError>>;
}

impl<D: Directory> Operations for Core<D> {
    fn roll_signing_key(&self) -> BoxFuture<'_, Result<String, StartError>> {
        Box::pin(key_care::roll(self))
    }

    fn signing_key_id(&self) -> BoxFuture<'_, Result<String, StartError>> {
        Box::pin(async {
            let ring = self.keys.ring().await?;
            Ok(ring.signing(self.clock.now()).map(|key| key.key_id().to_owned()).unwrap_or_default())
        })
    }
}

/// A running authority. Dropping it stops it; [`Authority::shutdown`] also waits for requests under way.
pub struct Authority {
    pub(crate) host: AuthorityHost,
    pub(crate) address: SocketAddr,
    /// The proxy of the stand-in mode.
    pub(crate) proxy_address: Option<SocketAddr>,
    pub(crate) managed_identities: Vec<ManagedIdentity>,
    pub(crate) ca: LocalCa,
    pub(crate) ca_path: Option<PathBuf>,
    pub(crate) administrator: Administrator,
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) task: JoinHandle<()>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("host", &self.host).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Authority {
    /// An authority on a free port of 127.0.0.1 that keeps everything in memory, unless told otherwise.
    pub fn builder() -> AuthorityBuilder {
        AuthorityBuilder::new()
    }

    /// The origin that clients are configured with.
    #[must_use]
    pub fn host(&self) -> &AuthorityHost {
        &self.host
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the CONNECT proxy of the stand-in mode listens; `None` unless the authority stands in for somebody.
    #[must_use]
    pub fn proxy_address(&self) -> Option<SocketAddr> {
        self.proxy_address
    }

    /// The managed identities that are lent to this machine, in the order in which they were asked for.
    ///
    /// A program takes one by `AZURE_POD_IDENTITY_AUTHORITY_HOST` set to [`ManagedIdentity::imds`], or by
    /// `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` set to [`ManagedIdentity::identity_endpoint`] and
    /// [`ManagedIdentity::identity_header`].
    #[must_use]
    pub fn managed_identities(&self) -> &[ManagedIdentity] {
        &self.managed_identities
    }

    /// The certificate of the local CA, PEM: what clients must trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.ca.pem()
    }

    /// The file that holds it; none for an authority without a data directory.
    #[must_use]
    pub fn ca_path(&self) -> Option<&Path> {
        self.ca_path.as_deref()
    }

    /// The administrator's credential.
    #[must_use]
    pub fn administrator(&self) -> &Administrator {
        &self.administrator
    }

    /// The `kid` of the key that signs now.
    ///
    /// # Errors
    /// [`StartError::Store`].
    pub async fn signing_key_id(&self) -> Result<String, StartError> {
        self.operations.signing_key_id().await
    }

    /// Lets the next signing key, published already, sign from now on. Answers its `kid`. The one before it stays
    /// published until its last token is dead.
    ///
    /// # Errors
    /// [`StartError::Store`], [`StartError::Key`].
    pub async fn roll_signing_key(&self) -> Result<String, StartError> {
        self.operations.roll_signing_key().await
    }

    /// TLS for another local server, with a certificate of the local CA for these names and addresses.
    ///
    /// # Errors
    /// [`StartError::Certificate`] for a name that is none.
    pub fn server_tls(&self, names: &[&str]) -> Result<Arc<rustls::ServerConfig>, StartError> {
        self.ca.server_tls(names)
    }

    /// Stops accepting connections and waits until the requests under way are answered.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}
