//! The signing keys: which one signs, which are published, and how one follows another.
//!
//! A key is published from the day it is made and signs from `activates_at` on, so that verifiers have seen it before its
//! first token; the one before it stays published until its last token is dead. All of it is in the directory and settled
//! there by compare-and-set, so any number of replicas come to the same answer. Private keys are sealed at rest.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign_directory::{Commit, Directory, KeySchedule, Revision, SigningKeys, StoreError, StoredSigningKey};
use countersign_protocol::PublishedKey;
use countersign_token::{
    Algorithm, Certificate, Clock, JwsSigner, NumericDate, Randomness, SigningKey, Timestamp, Vault,
};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::StartError;

/// How long a key waits, published, before it signs, unless somebody rolls over earlier.
const UNTIL_NEXT: Duration = Duration::from_secs(90 * 86_400);

/// How long a key that no longer signs stays published: the longest life of a token (28 h) and an hour for clocks.
const AFTER_LAST_TOKEN: Duration = Duration::from_secs(29 * 3600);

/// A key ready to sign.
pub(crate) struct LoadedKey {
    stored: StoredSigningKey,
    published: PublishedKey,
    /// Headers differ: v1.0 tokens carry `x5t` beside `kid`.
    v1: JwsSigner,
    v2: JwsSigner,
}

impl LoadedKey {
    pub(crate) fn key_id(&self) -> &str {
        &self.stored.key_id
    }

    pub(crate) fn signer(&self, version: countersign_token::TokenVersion) -> &JwsSigner {
        match version {
            countersign_token::TokenVersion::V1 => &self.v1,
            countersign_token::TokenVersion::V2 => &self.v2,
        }
    }

    fn is_for(&self, row: &StoredSigningKey) -> bool {
        self.stored.key_id == row.key_id && self.stored.schedule == row.schedule
    }

    fn load(stored: StoredSigningKey, vault: &Vault) -> Result<Self, StartError> {
        let key = SigningKey::from_pkcs8_der(stored.key_id.as_str(), &stored.open(vault)?)?;
        let certificate = Certificate::from_der(stored.certificate.clone())
            .map_err(|error| StartError::Certificate(error.to_string()))?;
        let public = key.private_key().public_key();
        let published =
            PublishedKey::new(&certificate.sha1_thumbprint(), public.modulus(), public.exponent(), certificate.der());
        let id = &stored.key_id;
        let v1 = key.signer(Algorithm::Rs256, &json!({"typ": "JWT", "alg": "RS256", "x5t": id, "kid": id}))?;
        let v2 = key.signer(Algorithm::Rs256, &json!({"typ": "JWT", "alg": "RS256", "kid": id}))?;
        Ok(Self { stored, published, v1, v2 })
    }
}

/// The keys as they were at one revision of the directory.
pub(crate) struct Ring {
    revision: Revision,
    keys: Vec<Arc<LoadedKey>>,
}

impl Ring {
    /// The key that signs now: of those activated and not retired, the one activated last. Where none is, because a clock
    /// was set back or a row is damaged, the one that would be next: it is published, so its tokens can be verified.
    pub(crate) fn signing(&self, now: Timestamp) -> Option<&Arc<LoadedKey>> {
        let usable = || self.keys.iter().filter(|key| !is_retired(&key.stored, now));
        usable()
            .filter(|key| key.stored.schedule.activates_at <= now)
            .max_by_key(|key| (key.stored.schedule.activates_at, key.stored.generation))
            .or_else(|| usable().min_by_key(|key| (key.stored.schedule.activates_at, key.stored.generation)))
    }

    /// The keys that verifiers should know now.
    pub(crate) fn published(&self, now: Timestamp) -> impl Iterator<Item = &PublishedKey> {
        self.keys.iter().filter(move |key| !is_retired(&key.stored, now)).map(|key| &key.published)
    }
}

fn is_retired(key: &StoredSigningKey, now: Timestamp) -> bool {
    key.schedule.retires_at.is_some_and(|retires_at| retires_at <= now)
}

/// The signing keys of an authority.
pub(crate) struct KeyRing<D> {
    directory: D,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    ring: ArcSwap<Ring>,
    /// Held while the keys are read anew: one reader at a time, the others take what it found.
    reading: Mutex<()>,
}

/// A fresh key, not stored yet.
pub(crate) struct NewKey {
    key_id: String,
    certificate: Vec<u8>,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl NewKey {
    /// Makes a key and the certificate that names it. Takes 20 to 300 ms of a processor: not for an async worker.
    pub(crate) fn make(now: Timestamp) -> Result<Self, StartError> {
        let pkcs8 = SigningKey::generate_pkcs8()?;
        let failed = |error: rcgen::Error| StartError::Certificate(error.to_string());
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()), &PKCS_RSA_SHA256)
            .map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Countersign token signing");
        // Five years, as Entra's; verifiers are told not to look (Microsoft, "Signing key rollover").
        let year = year_of(now.numeric_date());
        params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
        params.not_after = rcgen::date_time_ymd(year + 5, 1, 1);
        let der = params.self_signed(&pair).map_err(failed)?.der().to_vec();
        let certificate = Certificate::from_der(der).map_err(|error| StartError::Certificate(error.to_string()))?;
        Ok(Self { key_id: certificate.key_id(), certificate: certificate.der().to_vec(), pkcs8 })
    }

    fn stored(
        &self,
        generation: i64,
        now: Timestamp,
        activates_at: Timestamp,
        vault: &Vault,
        randomness: &dyn Randomness,
    ) -> Result<StoredSigningKey, StartError> {
        Ok(StoredSigningKey {
            key_id: self.key_id.clone(),
            tenant: None,
            generation,
            certificate: self.certificate.clone(),
            sealed_private_key: StoredSigningKey::seal(vault, &self.key_id, &self.pkcs8, randomness)?,
            created: now,
            schedule: KeySchedule { activates_at, retires_at: None },
        })
    }
}

fn year_of(date: NumericDate) -> i32 {
    let date = jiff::Timestamp::from_second(date.0).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    i32::from(date.year())
}

impl<D: Directory> KeyRing<D> {
    /// Opens the stored keys; without any, stores the one that `first` yields and signs with it at once.
    pub(crate) async fn open(
        directory: D,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        first: impl Future<Output = Result<NewKey, StartError>>,
    ) -> Result<Self, StartError> {
        let mut tx = directory.begin().await?;
        if tx.signing_keys().await?.is_empty() {
            drop(tx);
            let key = first.await?;
            let now = clock.now();
            let mut tx = directory.begin().await?;
            // Lost against another replica, the key is dropped and the winner's is read below.
            tx.insert_signing_key(&key.stored(1, now, now, &vault, &*randomness)?).await?;
            tx.commit().await?;
        } else {
            drop(tx);
        }
        let ring = read(&directory, &vault, &[]).await?;
        Ok(Self { directory, vault, clock, randomness, ring: ArcSwap::from_pointee(ring), reading: Mutex::new(()) })
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
        let ring = Arc::new(read(&self.directory, &self.vault, &ring.keys).await?);
        self.ring.store(Arc::clone(&ring));
        Ok(ring)
    }

    /// Whether no key waits to follow the one that signs.
    pub(crate) async fn lacks_next(&self) -> Result<bool, StartError> {
        let now = self.clock.now();
        Ok(!self.ring().await?.keys.iter().any(|key| key.stored.schedule.activates_at > now))
    }

    /// Stores a key to follow the one that signs.
    pub(crate) async fn add_next(&self, key: &NewKey) -> Result<(), StartError> {
        let now = self.clock.now();
        let mut tx = self.directory.begin().await?;
        let stored = tx.signing_keys().await?;
        if stored.iter().all(|key| key.schedule.activates_at <= now) {
            let row =
                key.stored(next_generation(&stored), now, now.plus(UNTIL_NEXT), &self.vault, &*self.randomness)?;
            tx.insert_signing_key(&row).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Lets the next key sign from now on and stores `key` as the one after it. Answers the `kid` that signs now.
    pub(crate) async fn roll(&self, key: &NewKey) -> Result<String, StartError> {
        let now = self.clock.now();
        let mut tx = self.directory.begin().await?;
        let stored = tx.signing_keys().await?;
        let waiting = stored.iter().filter(|key| key.schedule.activates_at > now);
        let next = waiting.min_by_key(|key| key.schedule.activates_at);
        // Without a next key the new one signs at once: an emergency, in which verifiers must fetch it first.
        let activates_at = if next.is_some() { now.plus(UNTIL_NEXT) } else { now };
        if let Some(next) = next {
            let schedule = KeySchedule { activates_at: now, ..next.schedule };
            tx.reschedule_signing_key(&next.key_id, next.schedule, schedule).await?;
        }
        let row = key.stored(next_generation(&stored), now, activates_at, &self.vault, &*self.randomness)?;
        tx.insert_signing_key(&row).await?;
        retire_predecessors(&mut tx, now).await?;
        tx.commit().await?;
        let ring = self.ring().await?;
        Ok(ring.signing(now).map(|key| key.key_id().to_owned()).unwrap_or_default())
    }

    /// Puts an end to keys that a schedule has replaced, and removes those that are long gone.
    pub(crate) async fn tidy(&self) -> Result<(), StartError> {
        let now = self.clock.now();
        let mut tx = self.directory.begin().await?;
        if retire_predecessors(&mut tx, now).await? {
            tx.commit().await?;
        }
        Ok(())
    }
}

fn next_generation(stored: &[StoredSigningKey]) -> i64 {
    stored.iter().map(|key| key.generation).max().unwrap_or(0) + 1
}

/// Gives every key before the one that signs an end, and removes those whose end is a day past. Answers whether it changed
/// anything.
async fn retire_predecessors<T: SigningKeys>(tx: &mut T, now: Timestamp) -> Result<bool, StoreError> {
    let stored = tx.signing_keys().await?;
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

/// Reads all keys, reusing those that are loaded already: opening and parsing one costs a millisecond. A row that does not
/// open is left out, so that it does not take the others with it; if none opens, the root key is the wrong one.
async fn read<D: Directory>(directory: &D, vault: &Vault, known: &[Arc<LoadedKey>]) -> Result<Ring, StartError> {
    let revision = directory.revision();
    let stored = directory.begin().await?.signing_keys().await?;
    let mut keys = Vec::with_capacity(stored.len());
    let mut fault = None;
    for row in stored {
        if let Some(key) = known.iter().find(|key| key.is_for(&row)) {
            keys.push(Arc::clone(key));
            continue;
        }
        let key_id = row.key_id.clone();
        match LoadedKey::load(row, vault) {
            Ok(key) => keys.push(Arc::new(key)),
            Err(error) => {
                tracing::error!(key_id, error = &error as &dyn std::error::Error, "a stored signing key is unusable");
                fault = Some(error);
            }
        }
    }
    match fault {
        Some(error) if keys.is_empty() => Err(error),
        _ => Ok(Ring { revision, keys }),
    }
}
