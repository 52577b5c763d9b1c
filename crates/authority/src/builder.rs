//! Configuring an authority.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use countersign_directory::DirectoryFile;
use countersign_protocol::{AuthorityHost, CloudProfile};
use countersign_token::{Clock, OffsetClock, Randomness, SystemClock, SystemRandomness};
use secrecy::SecretString;

use crate::federation::FederationSettings;
use crate::managed_identity::ManagedIdentityEndpoint;
use crate::serve::ServeLimits;
use crate::stand_in::StandInHost;

/// Where an authority keeps what it knows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Storage {
    /// In memory, gone with the process.
    Ephemeral,
    /// In this directory: SQLite, keys, the local CA, the administrator's credential.
    Data(PathBuf),
    /// In a PostgreSQL database that several authorities may share, each with a data directory of its own.
    ///
    /// What is sealed in the database opens under one root key only: before another authority is started on the database,
    /// `root.key` is copied from the data directory of the first into its own. With `ca.key.sealed` and `ca.pem` copied
    /// too, clients trust one CA for all of them; without, each makes its own. The same goes for `admin.json`.
    Postgres {
        /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`; see [`PostgresDirectory::open`].
        url: SecretString,
        /// Root key, local CA and the administrator's credential are kept in this directory.
        data: PathBuf,
    },
}

/// Configures an [`Authority`].
#[must_use]
pub struct AuthorityBuilder {
    pub(crate) listen: SocketAddr,
    pub(crate) storage: Storage,
    pub(crate) files: Vec<DirectoryFile>,
    pub(crate) origin: Option<AuthorityHost>,
    pub(crate) cloud: CloudProfile,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) lab: Option<OffsetClock>,
    pub(crate) stand_ins: Vec<StandInHost>,
    pub(crate) proxy: SocketAddr,
    pub(crate) managed_identities: Vec<ManagedIdentityEndpoint>,
    pub(crate) federation: FederationSettings,
    pub(crate) limits: ServeLimits,
}

impl fmt::Debug for AuthorityBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorityBuilder")
            .field("listen", &self.listen)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl AuthorityBuilder {
    pub(crate) fn new() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: Storage::Ephemeral,
            files: Vec::new(),
            origin: None,
            cloud: CloudProfile::GLOBAL,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            lab: None,
            stand_ins: Vec::new(),
            proxy: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            managed_identities: Vec::new(),
            federation: FederationSettings::default(),
            limits: ServeLimits::default(),
        }
    }

    /// Listens here; by default on a free port of 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Keeps everything here; by default in memory.
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// Loads a directory file at the start; may be called again for more.
    pub fn directory(mut self, file: DirectoryFile) -> Self {
        self.files.push(file);
        self
    }

    /// The origin under which clients reach the authority; by default `https://localhost:{port}`. It is the only source of
    /// issuers and endpoints: what a request's `Host` says is never used.
    pub fn origin(mut self, origin: AuthorityHost) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Plays this cloud: its v1.0 issuers, its Graph host and the other names that go with it; by default the global one.
    pub fn cloud(mut self, cloud: CloudProfile) -> Self {
        self.cloud = cloud;
        self
    }

    /// Takes the time from `clock` instead of the machine's. TLS certificates follow the machine's all the same.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes random bytes for identifiers from `randomness` instead of the system's.
    pub fn randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.randomness = randomness;
        self
    }

    /// Switches the lab's routes on, which let the administrator move this clock, roll keys over, order tokens and inject
    /// faults. For tests only.
    pub fn lab(mut self, clock: Option<OffsetClock>) -> Self {
        self.lab = clock;
        self
    }

    /// Serves within these bounds instead of the defaults.
    pub fn limits(mut self, limits: ServeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Answers under one of Microsoft's own names too, and opens a CONNECT proxy on loopback that leads there; may be
    /// called again for more. For loopback only.
    ///
    /// Programs in their default configuration then work unchanged, with `HTTPS_PROXY` set to
    /// [`Authority::proxy_address`](crate::Authority::proxy_address) and the CA trusted.
    pub fn stand_in(mut self, host: StandInHost) -> Self {
        if !self.stand_ins.contains(&host) {
            self.stand_ins.push(host);
        }
        self
    }

    /// Where that proxy listens; by default on a free port of 127.0.0.1.
    pub fn stand_in_proxy(mut self, address: SocketAddr) -> Self {
        self.proxy = address;
        self
    }

    /// Lends a service principal to this machine as its managed identity, at an address of its own; may be called again for
    /// more. For loopback only: whoever reaches that address gets its tokens.
    ///
    /// Programs in their default configuration then find it by the variables that they look at; see
    /// [`Authority::managed_identities`](crate::Authority::managed_identities).
    pub fn managed_identity(mut self, endpoint: ManagedIdentityEndpoint) -> Self {
        self.managed_identities.push(endpoint);
        self
    }

    /// Lets the issuers of federated credentials on this host be anywhere: on this machine or in its network. All others
    /// must have public addresses. May be called again for more; a name or an address, without a port.
    pub fn allow_issuer_host(mut self, host: impl Into<String>) -> Self {
        self.federation.allowed_hosts.push(host.into());
        self
    }

    /// Trusts these roots (PEM) beside the system's when issuers of federated credentials are asked for their keys.
    pub fn issuer_roots_pem(mut self, pem: impl Into<String>) -> Self {
        self.federation.roots.push(pem.into());
        self
    }
}
