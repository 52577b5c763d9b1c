//! Starting and stopping an authority.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_directory::{
    Argon2id, Commit, Directory, DirectoryFile, LoadContext, PostgresDirectory, SqliteDirectory,
};
use countersign_discovery::BoxFuture;
use countersign_protocol::{AuthorityHost, CloudProfile};
use countersign_token::{Clock, OffsetClock, Randomness, RootKey, SystemClock, SystemRandomness, Vault};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::administrator::Administrator;
use crate::again::until_settled;
use crate::core::Core;
use crate::data_dir::{DATABASE, DataDir, ROOT_KEY};
use crate::key_care::{self, KeysInTheMaking};
use crate::key_ring::{self, KeyRing};
use crate::local_ca::LocalCa;
use crate::origin::{Origin, Origins};
use crate::registry::Registry;
use crate::serve::{self, ServeLimits};
use crate::{StartError, endpoints, lab, pages};

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
    listen: SocketAddr,
    storage: Storage,
    files: Vec<DirectoryFile>,
    origin: Option<AuthorityHost>,
    cloud: CloudProfile,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    lab: Option<OffsetClock>,
    limits: ServeLimits,
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
    fn new() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: Storage::Ephemeral,
            files: Vec::new(),
            origin: None,
            cloud: CloudProfile::GLOBAL,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            lab: None,
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

    /// Starts the authority: when this returns, it accepts connections.
    ///
    /// # Errors
    /// [`StartError`]; of the directory files, all were loaded then or none.
    pub async fn start(mut self) -> Result<Authority, StartError> {
        if let Some(clock) = &self.lab {
            self.clock = Arc::new(clock.clone());
        }
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|source| StartError::Listen { address: self.listen, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { address: self.listen, source })?;
        let host = match self.origin.take() {
            Some(origin) => origin,
            None => default_origin(address)?,
        };
        match self.storage.clone() {
            Storage::Ephemeral => {
                let keys = KeysInTheMaking::start(self.clock.now());
                let vault = Vault::new(&RootKey::generate(&*self.randomness))?;
                let ca = LocalCa::ephemeral(&*self.randomness)?;
                self.run(listener, address, host, SqliteDirectory::in_memory().await?, vault, ca, None, keys).await
            }
            Storage::Data(path) => {
                let data = DataDir::open(&path)?;
                let vault = Vault::new(&data.root_key(&*self.randomness)?)?;
                let ca = LocalCa::open(&data, &vault, &*self.randomness)?;
                let database = data.path(DATABASE);
                // Keys are made ahead only where none can be there yet.
                let keys =
                    if database.exists() { KeysInTheMaking::none() } else { KeysInTheMaking::start(self.clock.now()) };
                let directory = SqliteDirectory::open(database).await?;
                self.run(listener, address, host, directory, vault, ca, Some(data), keys).await
            }
            Storage::Postgres { url, data } => {
                let data = DataDir::open(&data)?;
                let directory = PostgresDirectory::open(&url).await?;
                let vault = Vault::new(&data.root_key(&*self.randomness)?)?;
                // Before anything is written under a root key that is not the others'.
                if !key_ring::opens(&directory, &vault).await? {
                    let what = "the database's keys are sealed under another root key; copy root.key from the data \
                                directory of an authority that uses this database";
                    return Err(StartError::Damaged { path: data.path(ROOT_KEY), what });
                }
                let ca = LocalCa::open(&data, &vault, &*self.randomness)?;
                let keys = KeysInTheMaking::none();
                self.run(listener, address, host, directory, vault, ca, Some(data), keys).await
            }
        }
    }

    /// All directory files or none, in one transaction.
    async fn load<D: Directory>(&self, directory: &D, vault: &Vault) -> Result<(), StartError> {
        if self.files.is_empty() {
            return Ok(());
        }
        let passwords = Arc::new(Argon2id::new(Arc::clone(&self.randomness)));
        let context = LoadContext { vault, passwords, now: self.clock.now() };
        let mut tx = directory.begin().await?;
        for file in &self.files {
            file.load_into(&mut tx, &context).await?;
        }
        Ok(tx.commit().await?)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts that differ between kinds of storage, each used once")]
    async fn run<D: Directory>(
        self,
        listener: TcpListener,
        address: SocketAddr,
        host: AuthorityHost,
        directory: D,
        vault: Vault,
        ca: LocalCa,
        data: Option<DataDir>,
        mut making: KeysInTheMaking,
    ) -> Result<Authority, StartError> {
        until_settled(|| self.load(&directory, &vault)).await?;
        let admin_path = data.as_ref().map(|data| data.path("admin.json"));
        let administrator = until_settled(|| {
            Administrator::of(admin_path.as_deref(), &directory, &vault, &*self.clock, &*self.randomness)
        })
        .await?;
        let vault = Arc::new(vault);
        let (clock, randomness) = (Arc::clone(&self.clock), Arc::clone(&self.randomness));
        let first = making.next(&*clock);
        let keys =
            KeyRing::open(directory.clone(), Arc::clone(&vault), Arc::clone(&clock), Arc::clone(&randomness), first)
                .await?;
        let ip = address.ip().to_string();
        let mut names = vec!["localhost", "127.0.0.1", "::1", host.host()];
        if !address.ip().is_unspecified() {
            names.push(&ip);
        }
        names.sort_unstable();
        names.dedup();
        let tls = ca.server_tls(&names)?;
        let core = Arc::new(Core {
            origins: Origins::new(Origin { host: host.clone(), cloud: self.cloud }, Vec::new()),
            clock,
            randomness,
            vault,
            registry: Registry::new(directory),
            keys,
            patience: self.limits.body,
        });
        let mut extra = pages::router(&host, ca.pem());
        if let Some(clock) = self.lab {
            extra = extra.merge(lab::router(&core, &administrator, clock)?);
        }
        let app = endpoints::router(Arc::clone(&core), extra);
        let (stop, stopped) = watch::channel(false);
        let caring = tokio::spawn(key_care::care(Arc::clone(&core), making, stopped.clone()));
        let mut stopping = stopped.clone();
        let shutdown = async move {
            // A sender that is gone means the same as one that says so.
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        let limits = self.limits;
        let ca_path = data.as_ref().map(|data| data.path("ca.pem"));
        let task = tokio::spawn(async move {
            serve::https(listener, tls, app, limits, shutdown).await;
            let _ = caring.await;
            // Nobody else may have the data directory while requests are still being answered from it.
            drop(data);
        });
        Ok(Authority { host, address, ca, ca_path, administrator, operations: core, stop, task })
    }
}

/// A loopback address is called `localhost`, which the certificate covers whatever the family.
fn default_origin(address: SocketAddr) -> Result<AuthorityHost, StartError> {
    let ip = address.ip();
    let host = match ip {
        _ if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Ok(AuthorityHost::parse(&format!("https://{host}:{}", address.port()))?)
}

/// What can be asked of a running authority, whatever stores its directory.
trait Operations: Send + Sync {
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
    host: AuthorityHost,
    address: SocketAddr,
    ca: LocalCa,
    ca_path: Option<PathBuf>,
    administrator: Administrator,
    operations: Arc<dyn Operations>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
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
