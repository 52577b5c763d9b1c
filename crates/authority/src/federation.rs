//! The way to external issuers, whose tokens are taken as applications' proofs.
//!
//! It leads to public addresses only, unless the operator allowed a host (pitfalls B19): applications' owners choose the
//! issuers, and must not make this machine ask its neighbours.

use std::sync::{Arc, OnceLock};

use countersign_discovery::{ExternalIssuers, HttpsTransport, Transport};
use countersign_protocol::AadSts;
use countersign_token::Clock;

use crate::StartError;
use crate::refused::Refused;

/// What the operator said about external issuers.
#[derive(Debug, Clone, Default)]
pub(crate) struct FederationSettings {
    /// Hosts that may be anywhere, loopback included.
    pub(crate) allowed_hosts: Vec<String>,
    /// Roots to trust beside the system's, PEM.
    pub(crate) roots: Vec<String>,
}

/// Makes the transport when it is first needed: an authority that nobody federates with never reads the system's roots.
#[derive(Debug)]
pub(crate) struct Federation {
    settings: FederationSettings,
    issuers: OnceLock<Arc<ExternalIssuers>>,
}

impl Federation {
    /// Looks at the settings, so that a root that is none is told at the start.
    pub(crate) fn new(settings: FederationSettings) -> Result<Self, StartError> {
        for pem in &settings.roots {
            let _ = HttpsTransport::builder().add_roots_pem(pem.as_bytes())?;
        }
        Ok(Self { settings, issuers: OnceLock::new() })
    }

    pub(crate) fn issuers(&self, clock: &Arc<dyn Clock>) -> Result<Arc<ExternalIssuers>, Refused> {
        if let Some(issuers) = self.issuers.get() {
            return Ok(Arc::clone(issuers));
        }
        let transport = self.transport().map_err(|error| {
            Refused::new(AadSts::TRANSIENT_ERROR).because(format!("no way to external issuers: {error}")).status(503)
        })?;
        let made = Arc::new(ExternalIssuers::new(transport, Arc::clone(clock)));
        Ok(Arc::clone(self.issuers.get_or_init(|| made)))
    }

    fn transport(&self) -> Result<Arc<dyn Transport>, StartError> {
        let mut builder = HttpsTransport::builder();
        for pem in &self.settings.roots {
            builder = builder.add_roots_pem(pem.as_bytes())?;
        }
        Ok(Arc::new(builder.only_public_addresses(self.settings.allowed_hosts.clone()).build()?))
    }
}
