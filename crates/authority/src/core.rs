//! What every route needs, in one place and never changing while the authority runs.

use std::sync::Arc;
use std::time::Duration;

use countersign_directory::Directory;
use countersign_discovery::ExternalIssuers;
use countersign_token::{Clock, Randomness, Vault};

use crate::federation::Federation;
use crate::key_ring::KeyRing;
use crate::origin::Origins;
use crate::refused::Refused;
use crate::registry::Registry;

/// The inside of a running authority, shared by all requests.
pub(crate) struct Core<D: Directory> {
    /// The names under which it answers; documents and tokens name the one that was asked.
    pub(crate) origins: Origins,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) registry: Registry<D>,
    pub(crate) keys: KeyRing<D>,
    pub(crate) federation: Federation,
    /// How long a sender may take for a body.
    pub(crate) patience: Duration,
}

impl<D: Directory> Core<D> {
    /// Whoever knows the keys of external issuers; made at the first question, since it reads the system's roots.
    pub(crate) fn external_issuers(&self) -> Result<Arc<ExternalIssuers>, Refused> {
        self.federation.issuers(&self.clock)
    }
}
