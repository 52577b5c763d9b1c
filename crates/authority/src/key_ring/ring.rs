//! All keys as they were at one revision of the directory, by owner.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_directory::{Directory, KeyOwner, Revision, SigningKeys};
use countersign_token::{Timestamp, Vault};

use super::LoadedKey;
use crate::StartError;

/// The keys at one revision.
pub(crate) struct Ring {
    pub(super) revision: Revision,
    /// Whose keys were made at the start.
    first: KeyOwner,
    owners: HashMap<KeyOwner, Vec<Arc<LoadedKey>>>,
}

impl Ring {
    /// The key that signs now for the first owner: the first tenant, or everybody, if that has no keys of its own.
    pub(crate) fn signing(&self, now: Timestamp) -> Option<&Arc<LoadedKey>> {
        self.signing_for(self.first, now)
    }

    /// The key of an owner that signs now: of those activated and not retired, the one activated last. Where none is,
    /// because a clock was set back or a row is damaged, the one that would be next: it is published, so its tokens can
    /// be verified.
    pub(crate) fn signing_for(&self, owner: KeyOwner, now: Timestamp) -> Option<&Arc<LoadedKey>> {
        let usable = || self.of(owner).iter().filter(|key| !key.is_retired(now));
        usable()
            .filter(|key| key.stored.schedule.activates_at <= now)
            .max_by_key(|key| (key.stored.schedule.activates_at, key.stored.generation))
            .or_else(|| usable().min_by_key(|key| (key.stored.schedule.activates_at, key.stored.generation)))
    }

    /// The keys of an owner that verifiers should know now.
    pub(crate) fn published(&self, owner: KeyOwner, now: Timestamp) -> impl Iterator<Item = &Arc<LoadedKey>> {
        self.of(owner).iter().filter(move |key| !key.is_retired(now))
    }

    /// The keys that tenants' own tokens may be signed with, by tenant; keys of applications are not among them.
    pub(crate) fn published_by_tenants(&self, now: Timestamp) -> impl Iterator<Item = &Arc<LoadedKey>> {
        let mut keys: Vec<_> = self
            .owners
            .iter()
            .filter(|(owner, _)| matches!(owner, KeyOwner::Tenant(_)))
            .flat_map(|(_, keys)| keys.iter().filter(move |key| !key.is_retired(now)))
            .collect();
        keys.sort_by_key(|key| key.stored.created);
        keys.into_iter()
    }

    /// The published key of this name, whoever owns it.
    pub(crate) fn find(&self, key_id: &str, now: Timestamp) -> Option<&Arc<LoadedKey>> {
        self.all().find(|key| key.key_id() == key_id && !key.is_retired(now))
    }

    /// Those who have keys, the first owner first.
    pub(super) fn owners(&self) -> Vec<KeyOwner> {
        let mut owners: Vec<_> = self.owners.keys().copied().collect();
        owners.sort_by_key(|owner| *owner != self.first);
        owners
    }

    /// The owners of whose keys none waits to follow the one that signs, in the same order.
    pub(super) fn without_next(&self, now: Timestamp) -> Vec<KeyOwner> {
        let waits = |owner: &KeyOwner| self.of(*owner).iter().any(|key| key.stored.schedule.activates_at > now);
        self.owners().into_iter().filter(|owner| !waits(owner)).collect()
    }

    fn of(&self, owner: KeyOwner) -> &[Arc<LoadedKey>] {
        self.owners.get(&owner).map_or(&[], Vec::as_slice)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<LoadedKey>> {
        self.owners.values().flatten()
    }

    /// Reads all keys, reusing those that are loaded already: opening and parsing one costs a millisecond. A row that does
    /// not open is left out, so that it does not take the others with it; if none opens, the root key is the wrong one.
    pub(super) async fn read<D: Directory>(
        directory: &D,
        vault: &Vault,
        first: KeyOwner,
        known: Option<&Self>,
    ) -> Result<Self, StartError> {
        let revision = directory.revision();
        let stored = directory.begin().await?.signing_keys().await?;
        let mut owners: HashMap<KeyOwner, Vec<Arc<LoadedKey>>> = HashMap::new();
        let mut fault = None;
        for row in stored {
            let owner = row.owner;
            let loaded = known.and_then(|known| known.of(owner).iter().find(|key| key.is_for(&row)));
            if let Some(key) = loaded {
                owners.entry(owner).or_default().push(Arc::clone(key));
                continue;
            }
            let key_id = row.key_id.clone();
            match LoadedKey::load(row, vault) {
                Ok(key) => owners.entry(owner).or_default().push(Arc::new(key)),
                Err(error) => {
                    let shown = &error as &dyn std::error::Error;
                    tracing::error!(key_id, error = shown, "a stored signing key is unusable");
                    fault = Some(error);
                }
            }
        }
        match fault {
            Some(error) if owners.is_empty() => Err(error),
            _ => Ok(Self { revision, first, owners }),
        }
    }
}
