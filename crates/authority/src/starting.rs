//! Starting an authority: storage, keys, certificate, routes, in this order.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use countersign_directory::{
    Argon2id, Commit, Directory, KeyOwner, LoadContext, PostgresDirectory, SqliteDirectory, Tenants,
};
use countersign_protocol::AuthorityHost;
use countersign_token::{Clock, RootKey, Vault};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::administrator::Administrator;
use crate::again::until_settled;
use crate::authority::Authority;
use crate::builder::{AuthorityBuilder, Storage};
use crate::core::Core;
use crate::data_dir::{DATABASE, DataDir, ROOT_KEY};
use crate::federation::Federation;
use crate::issue::owner_in;
use crate::key_care::{self, KeysInTheMaking};
use crate::key_ring::{self, KeyRing};
use crate::lab::Lab;
use crate::local_ca::LocalCa;
use crate::managed_identity::{self, Ready};
use crate::origin::{Origin, Origins};
use crate::registry::Registry;
use crate::stand_in::StandInHost;
use crate::{StartError, endpoints, graph, lab, pages, serve, stand_in};

/// Where it listens, and what it is called there.
struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    host: AuthorityHost,
    /// The proxy of the stand-in mode.
    proxy: Option<(TcpListener, SocketAddr)>,
    identities: Vec<managed_identity::Listening>,
}

/// What it was opened from.
struct Opened<D> {
    directory: D,
    vault: Vault,
    ca: LocalCa,
    data: Option<DataDir>,
    keys: KeysInTheMaking,
}

impl AuthorityBuilder {
    /// Starts the authority: when this returns, it accepts connections.
    ///
    /// # Errors
    /// [`StartError`]; of the directory files, all were loaded then or none.
    pub async fn start(mut self) -> Result<Authority, StartError> {
        if let Some(clock) = &self.lab {
            self.clock = Arc::new(clock.clone());
        }
        let listening = self.listening().await?;
        match self.storage.clone() {
            Storage::Ephemeral => {
                let keys = KeysInTheMaking::start_in_memory(self.clock.now());
                let vault = Vault::new(&RootKey::generate(&*self.randomness))?;
                let ca = LocalCa::ephemeral(&*self.randomness)?;
                let directory = SqliteDirectory::in_memory().await?;
                self.run(listening, Opened { directory, vault, ca, data: None, keys }).await
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
                self.run(listening, Opened { directory, vault, ca, data: Some(data), keys }).await
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
                self.run(listening, Opened { directory, vault, ca, data: Some(data), keys }).await
            }
        }
    }

    async fn listening(&mut self) -> Result<Listening, StartError> {
        let (listener, address) = listen(self.listen).await?;
        let host = match self.origin.take() {
            Some(origin) => origin,
            None => default_origin(address)?,
        };
        let mut proxy = None;
        if !self.stand_ins.is_empty() {
            // Under Microsoft's names for this machine only: nobody else is to take it for Microsoft.
            for address in [address, self.proxy] {
                if !address.ip().is_loopback() {
                    return Err(StartError::StandIn { address });
                }
            }
            proxy = Some(listen(self.proxy).await?);
        }
        let mut identities = Vec::with_capacity(self.managed_identities.len());
        for endpoint in std::mem::take(&mut self.managed_identities) {
            let (listener, _) = listen(endpoint.loopback()?).await?;
            identities.push(managed_identity::Listening { endpoint, listener });
        }
        Ok(Listening { listener, address, host, proxy, identities })
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

    async fn run<D: Directory>(self, listening: Listening, opened: Opened<D>) -> Result<Authority, StartError> {
        let Listening { listener, address, host, proxy, identities } = listening;
        let Opened { directory, vault, ca, data, keys: mut making } = opened;
        until_settled(|| self.load(&directory, &vault)).await?;
        let admin_path = data.as_ref().map(|data| data.path("admin.json"));
        let home = self.files.first().and_then(|file| file.tenants().next());
        let administrator = until_settled(|| {
            Administrator::of(admin_path.as_deref(), home, &directory, &vault, &*self.clock, &*self.randomness)
        })
        .await?;
        let vault = Arc::new(vault);
        let (clock, randomness) = (Arc::clone(&self.clock), Arc::clone(&self.randomness));
        // The administrator's tenant is the first to need a key; the others' are made when they are needed.
        let first = directory.begin().await?.tenant(administrator.tenant_id).await?;
        let first = first.as_ref().map_or(KeyOwner::Everybody, owner_in);
        let keys = KeyRing::open(
            directory.clone(),
            Arc::clone(&vault),
            Arc::clone(&clock),
            Arc::clone(&randomness),
            first,
            making.next(&*clock),
        )
        .await?;
        let ip = address.ip().to_string();
        let mut names = vec!["localhost", "127.0.0.1", "::1", host.host()];
        names.extend(self.stand_ins.iter().map(StandInHost::name));
        if !address.ip().is_unspecified() {
            names.push(&ip);
        }
        names.sort_unstable();
        names.dedup();
        let tls = ca.server_tls(&names)?;
        let stand_ins = self.stand_ins.iter().map(StandInHost::origin).collect::<Result<_, _>>()?;
        let core = Arc::new(Core {
            origins: Origins::new(Origin { host: host.clone(), cloud: self.cloud }, stand_ins),
            clock,
            randomness,
            vault,
            registry: Registry::new(directory),
            keys,
            federation: Federation::new(self.federation)?,
            patience: self.limits.body,
        });
        let identities = managed_identity::prepare(&core, identities).await?;
        let mut extra = pages::router(&host, ca.pem()).merge(graph::router(&core)?);
        let mut lab = None;
        if let Some(clock) = self.lab {
            let made = Lab::new(Arc::clone(&core), clock).await?;
            extra = extra.merge(lab::router(&made, &administrator)?);
            lab = Some(made);
        }
        let mut routes = endpoints::routes(&core, extra);
        if let Some(lab) = &lab {
            routes = routes.layer(from_fn_with_state(Arc::clone(lab), lab::inject));
        }
        let app = endpoints::behind_the_door(Arc::clone(&core), routes);
        let (stop, stopped) = watch::channel(false);
        let caring = tokio::spawn(key_care::care(Arc::clone(&core), making, stopped.clone()));
        let mut stopping = stopped.clone();
        let shutdown = async move {
            // A sender that is gone means the same as one that says so.
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        let proxy_address = proxy.as_ref().map(|(_, address)| *address);
        let proxying =
            proxy.map(|(listener, _)| tokio::spawn(stand_in::proxy(listener, address, self.stand_ins, stopped)));
        let limits = self.limits;
        let mut lending = JoinSet::new();
        let mut managed_identities = Vec::with_capacity(identities.len());
        for Ready { identity, listener, mut routes } in identities {
            if let Some(lab) = &lab {
                routes = routes.layer(from_fn_with_state(Arc::clone(lab), lab::inject));
            }
            let mut stopping = stop.subscribe();
            lending.spawn(serve::http(listener, routes, managed_identity::bounded(limits), async move {
                let _ = stopping.wait_for(|stop| *stop).await;
            }));
            managed_identities.push(identity);
        }
        let ca_path = data.as_ref().map(|data| data.path("ca.pem"));
        let task = tokio::spawn(async move {
            serve::https(listener, tls, app, limits, shutdown).await;
            let _ = caring.await;
            if let Some(proxying) = proxying {
                let _ = proxying.await;
            }
            lending.join_all().await;
            // Nobody else may have the data directory while requests are still being answered from it.
            drop(data);
        });
        Ok(Authority {
            host,
            address,
            proxy_address,
            managed_identities,
            ca,
            ca_path,
            administrator,
            operations: core,
            stop,
            task,
        })
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
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
