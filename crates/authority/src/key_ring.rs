//! The signing keys: whose they are, which one signs, which are published, and how one follows another.
//!
//! Keys have owners: everybody; a tenant that wants keys of its own; an application for whose tokens, as the resource, a
//! key of its own is used. Each owner's keys follow one another by themselves. A key is published from the day it is made
//! and signs from `activates_at` on, so that verifiers have seen it before its first token; the one before it stays
//! published until its last token is dead. An owner's first key is made when it is first needed. All of it is in the
//! directory and settled there by compare-and-set, so any number of replicas come to the same answer. Private keys are
//! sealed at rest. Read on in `key_care` for who looks after schedules.

mod loaded_key;
mod new_key;
mod ring;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign_directory::{Commit, Directory, KeyOwner, KeySchedule, SigningKeys, StoreError, StoredSigningKey};
use countersign_token::{Clock, Randomness, Timestamp, Vault};
use tokio::sync::{Mutex, Notify};

pub(crate) use loaded_key::LoadedKey;
pub(crate) use new_key::NewKey;
pub(crate) use ring::Ring;

use crate::StartError;
use crate::again::until_settled;

/// How long a key waits, published, before it signs, unless somebody rolls over earlier.
const UNTIL_NEXT: Duration = Duration::from_secs(90 * 86_400);

/// How long a key that no longer signs stays published: the longest life of a token (28 h) and an hour for clocks.
const AFTER_LAST_TOKEN: Duration = Duration::from_secs(29 * 3600);

/// The signing keys of an authority.
pub(crate) struct KeyRing<D> {
    directory: D,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    /// Whose keys were made at the start.
    first: KeyOwner,
    ring: ArcSwap<Ring>,
    /// Held while the keys are read anew: one reader at a time, the others take what it found.
    reading: Mutex<()>,
    /// Held while an owner's first key is made: one maker at a time, the others take what it made.
    making: Mutex<()>,
    /// An owner got a first key and has none to follow it.
    wanting: Notify,
}

impl<D: Directory> KeyRing<D> {
    /// Opens the stored keys; without any of the first owner's, stores the one that `key` yields and signs with it at
    /// once. The others' are made when they are needed.
    pub(crate) async fn open(
        directory: D,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        first: KeyOwner,
        key: impl Future<Output = Result<NewKey, StartError>>,
    ) -> Result<Self, StartError> {
        let exists = directory.begin().await?.signing_keys().await?.iter().any(|key| key.owner == first);
        if !exists {
            let key = key.await?;
            let now = clock.now();
            let mut tx = directory.begin().await?;
            // Lost against another replica, the key is dropped and the winner's is read below.
            tx.insert_signing_key(&key.stored(first, 1, now, now, &vault, &*randomness)?).await?;
            tx.commit().await?;
        }
        let ring = Ring::read(&directory, &vault, first, None).await?;
        Ok(Self {
            directory,
            vault,
            clock,
            randomness,
            first,
            ring: ArcSwap::from_pointee(ring),
            reading: Mutex::new(()),
            making: Mutex::new(()),
            wanting: Notify::new(),
        })
    }

    /// The keys as the directory has them now; read anew only when the directory has changed.
    pub(crate) async fn ring(&self) -> Result<Arc<Ring>, StartError> {
        let ring = self.ring.load_full();
        if ring.revision == self.directory.revision() {
            return Ok(ring);
        }
        let _reading = self.reading.lock().await;
        let ring = self.ring.load_full();
        if ring.revision == self.directory.revision() {
            return Ok(ring);
        }
        let ring = Arc::new(Ring::read(&self.directory, &self.vault, self.first, Some(&ring)).await?);
        self.ring.store(Arc::clone(&ring));
        Ok(ring)
    }

    /// The key of an owner that signs now, made if the owner has none yet.
    pub(crate) async fn signing(&self, owner: KeyOwner, now: Timestamp) -> Result<Arc<LoadedKey>, StartError> {
        let ring = self.ring().await?;
        if let Some(key) = ring.signing_for(owner, now) {
            return Ok(Arc::clone(key));
        }
        let ring = self.make_first(owner, now).await?;
        ring.signing_for(owner, now).cloned().ok_or(StartError::Task)
    }

    /// The keys, among them at least one of this owner's.
    pub(crate) async fn ring_with(&self, owner: KeyOwner, now: Timestamp) -> Result<Arc<Ring>, StartError> {
        let ring = self.ring().await?;
        if ring.signing_for(owner, now).is_some() { Ok(ring) } else { self.make_first(owner, now).await }
    }

    /// Makes an owner's first key, however many ask for it at once; it signs at once, since nobody can have seen it.
    async fn make_first(&self, owner: KeyOwner, now: Timestamp) -> Result<Arc<Ring>, StartError> {
        let _making = self.making.lock().await;
        let ring = self.ring().await?;
        if ring.signing_for(owner, now).is_some() {
            return Ok(ring);
        }
        let key = make(now).await?;
        until_settled(|| async {
            let mut tx = self.directory.begin().await?;
            let stored = of(owner, tx.signing_keys().await?);
            // Another replica may have made one meanwhile.
            if stored.iter().all(|key| key.schedule.retires_at.is_some_and(|end| end <= now)) {
                let generation = next_generation(&stored);
                tx.insert_signing_key(&key.stored(owner, generation, now, now, &self.vault, &*self.randomness)?)
                    .await?;
                tx.commit().await?;
            }
            Ok(())
        })
        .await?;
        self.wanting.notify_one();
        // Read whatever the revision says: another replica's key is there before this one has heard of it.
        let _reading = self.reading.lock().await;
        let ring = self.ring.load_full();
        let ring = Arc::new(Ring::read(&self.directory, &self.vault, self.first, Some(&ring)).await?);
        self.ring.store(Arc::clone(&ring));
        Ok(ring)
    }

    /// Until an owner has got a first key, and wants one to follow it.
    pub(crate) async fn wanted(&self) {
        self.wanting.notified().await;
    }

    /// The owners of whose keys none waits to follow the one that signs.
    pub(crate) async fn without_next(&self) -> Result<Vec<KeyOwner>, StartError> {
        Ok(self.ring().await?.without_next(self.clock.now()))
    }

    /// Everybody who has keys, the first owner first.
    pub(crate) async fn owners(&self) -> Result<Vec<KeyOwner>, StartError> {
        Ok(self.ring().await?.owners())
    }

    /// Stores a key to follow the one that signs.
    pub(crate) async fn add_next(&self, owner: KeyOwner, key: &NewKey) -> Result<(), StartError> {
        let now = self.clock.now();
        let mut tx = self.directory.begin().await?;
        let stored = of(owner, tx.signing_keys().await?);
        if stored.iter().all(|key| key.schedule.activates_at <= now) {
            let (generation, activates_at) = (next_generation(&stored), now.plus(UNTIL_NEXT));
            let row = key.stored(owner, generation, now, activates_at, &self.vault, &*self.randomness)?;
            tx.insert_signing_key(&row).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Lets an owner's next key sign from now on and stores `key` as the one after it. Answers the `kid` that signs now.
    pub(crate) async fn roll(&self, owner: KeyOwner, key: &NewKey) -> Result<String, StartError> {
        let now = self.clock.now();
        let mut tx = self.directory.begin().await?;
        let stored = of(owner, tx.signing_keys().await?);
        let waiting = stored.iter().filter(|key| key.schedule.activates_at > now);
        let next = waiting.min_by_key(|key| key.schedule.activates_at);
        // Without a next key the new one signs at once: an emergency, in which verifiers must fetch it first.
        let activates_at = if next.is_some() { now.plus(UNTIL_NEXT) } else { now };
        if let Some(next) = next {
            let schedule = KeySchedule { activates_at: now, ..next.schedule };
            tx.reschedule_signing_key(&next.key_id, next.schedule, schedule).await?;
        }
        let generation = next_generation(&stored);
        let row = key.stored(owner, generation, now, activates_at, &self.vault, &*self.randomness)?;
        tx.insert_signing_key(&row).await?;
        let stored = of(owner, tx.signing_keys().await?);
        retire_predecessors(&mut tx, &stored, now).await?;
        tx.commit().await?;
        let ring = self.ring().await?;
        Ok(ring.signing_for(owner, now).map(|key| key.key_id().to_owned()).unwrap_or_default())
    }

    /// Puts an end to keys that a schedule has replaced, and removes those that are long gone.
    pub(crate) async fn tidy(&self) -> Result<(), StartError> {
        let now = self.clock.now();
        let mut tx = self.directory.begin().await?;
        // From this transaction: the ring may be another's reading, and reading anew wants the connection that this one has.
        let stored = tx.signing_keys().await?;
        let owners: HashSet<_> = stored.iter().map(|key| key.owner).collect();
        let mut changed = false;
        for owner in owners {
            changed |= retire_predecessors(&mut tx, &of(owner, stored.clone()), now).await?;
        }
        if changed {
            tx.commit().await?;
        }
        Ok(())
    }
}

/// A fresh key, made on a thread that may be kept busy.
pub(crate) async fn make(now: Timestamp) -> Result<NewKey, StartError> {
    tokio::task::spawn_blocking(move || NewKey::make(now)).await.map_err(|_| StartError::Task)?
}

fn of(owner: KeyOwner, mut stored: Vec<StoredSigningKey>) -> Vec<StoredSigningKey> {
    stored.retain(|key| key.owner == owner);
    stored
}

fn next_generation(stored: &[StoredSigningKey]) -> i64 {
    stored.iter().map(|key| key.generation).max().unwrap_or(0) + 1
}

/// Gives every key of one owner before the one that signs an end, and removes those whose end is a day past. Answers
/// whether it changed anything.
async fn retire_predecessors<T: SigningKeys>(
    tx: &mut T,
    stored: &[StoredSigningKey],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(signing) = stored
        .iter()
        .filter(|key| key.schedule.activates_at <= now)
        .max_by_key(|key| (key.schedule.activates_at, key.generation))
    else {
        return Ok(false);
    };
    let mut changed = false;
    for key in stored.iter().filter(|key| key.schedule.activates_at <= now && key.key_id != signing.key_id) {
        match key.schedule.retires_at {
            None => {
                let retires_at = Some(signing.schedule.activates_at.plus(AFTER_LAST_TOKEN));
                let schedule = KeySchedule { retires_at, ..key.schedule };
                changed |= tx.reschedule_signing_key(&key.key_id, key.schedule, schedule).await?;
            }
            Some(retired) if retired.plus(Duration::from_secs(86_400)) < now => {
                changed |= tx.remove_signing_key(&key.key_id).await?;
            }
            Some(_) => {}
        }
    }
    Ok(changed)
}

/// Whether this root key is the one that the stored keys are sealed under; any is, where there are none yet.
pub(crate) async fn opens<D: Directory>(directory: &D, vault: &Vault) -> Result<bool, StoreError> {
    let stored = directory.begin().await?.signing_keys().await?;
    Ok(stored.is_empty() || stored.iter().any(|key| key.open(vault).is_ok()))
}
