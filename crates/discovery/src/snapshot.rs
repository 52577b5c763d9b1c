//! Keys as they were fetched once, to be kept in a file or embedded in a program, for starts without network.
//!
//! A snapshot is what the endpoint said, word for word, with when and where. It is read with the same suspicion as an
//! answer of the endpoint, it is good for one address only, and it ages from the moment of its fetch: keys that an issuer
//! withdrew long ago do not come back with a program that was built before (`pitfalls` 24).

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use countersign_token::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::document::read_keys;
use crate::error::SourceError;
use crate::published::PublishedKeys;
use crate::schedule::RefreshPolicy;

/// Larger files are not read: a key set is at most 512 kB, and JSON in JSON at most doubles.
const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024;

/// The file's shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySnapshot {
    /// The address that was configured.
    address: String,
    /// Seconds since the epoch.
    pub(crate) fetched_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cloud: Option<String>,
    /// The key set's own text.
    keys: String,
}

impl KeySnapshot {
    pub(crate) fn of(keys: &PublishedKeys, address: &Url) -> Self {
        Self {
            address: address.to_string(),
            fetched_at: keys.fetched_at.as_unix_seconds(),
            issuer: keys.issuer.as_deref().map(str::to_owned),
            cloud: keys.cloud.as_deref().map(str::to_owned),
            keys: String::from_utf8_lossy(&keys.source).into_owned(),
        }
    }

    /// Reads a snapshot, keys included, so that a broken one is noticed where it was configured.
    pub(crate) fn from_json(text: &[u8]) -> Result<Self, SourceError> {
        let snapshot: Self = serde_json::from_slice(text).map_err(|_| SourceError::Snapshot("it does not parse"))?;
        read_keys(snapshot.keys.as_bytes(), snapshot.cloud.as_deref())
            .map_err(|_| SourceError::Snapshot("it holds no usable key"))?;
        Ok(snapshot)
    }

    pub(crate) fn to_json(&self) -> String {
        // Texts and numbers can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn belongs_to(&self, address: &Url) -> Result<(), SourceError> {
        if self.address == address.as_str() {
            return Ok(());
        }
        Err(SourceError::Snapshot("it was taken at another address"))
    }

    pub(crate) fn into_published(self, policy: &RefreshPolicy, now: Timestamp) -> PublishedKeys {
        // A time to come, from a clock that was wrong, would lengthen the keys' life.
        let fetched_at = Timestamp::from_unix_seconds(self.fetched_at).min(now);
        // `from_json` has read them once; should they not read again, an empty set verifies nothing.
        let keys = read_keys(self.keys.as_bytes(), self.cloud.as_deref()).unwrap_or_default();
        PublishedKeys {
            keys: Arc::new(keys),
            generation: 1,
            issuer: self.issuer.map(Into::into),
            cloud: self.cloud.map(Into::into),
            fetched_at,
            renew_at: fetched_at,
            unusable_at: fetched_at.plus(policy.max_age),
            fetch: 0,
            source: Bytes::from(self.keys),
        }
    }

    /// What the file holds for this address, or nothing, with a warning that says why.
    pub(crate) fn load(path: &Path, address: &Url) -> Option<Self> {
        match read(path, address) {
            Ok(snapshot) => Some(snapshot),
            Err(Unread::Absent) => None,
            Err(Unread::Because(reason)) => {
                tracing::warn!(path = %path.display(), reason, "the snapshot of the issuer's keys is left aside");
                None
            }
        }
    }

    /// Replaces the file whole; a failure is a warning, since the keys themselves are at hand.
    pub(crate) fn keep(&self, path: &Path) {
        if let Err(error) = self.write(path) {
            tracing::warn!(path = %path.display(), %error, "the snapshot of the issuer's keys could not be written");
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.new", std::process::id()));
        let beside = Path::new(&beside);
        // A leftover of a process that was killed half-way; `create_new` follows no link that somebody put there.
        let _ = fs::remove_file(beside);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(beside)?;
        file.write_all(self.to_json().as_bytes())?;
        file.sync_all()?;
        fs::rename(beside, path)
    }
}

enum Unread {
    Absent,
    Because(&'static str),
}

fn read(path: &Path, address: &Url) -> Result<KeySnapshot, Unread> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unread::Absent),
        Err(_) => return Err(Unread::Because("it cannot be read")),
    };
    if !metadata.is_file() {
        return Err(Unread::Because("it is not a plain file"));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o022 != 0 {
        return Err(Unread::Because("others may write it"));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(Unread::Because("it is larger than any key set"));
    }
    let text = fs::read(path).map_err(|_| Unread::Because("it cannot be read"))?;
    let snapshot = KeySnapshot::from_json(&text).map_err(|_| Unread::Because("it is no snapshot with usable keys"))?;
    snapshot.belongs_to(address).map_err(|_| Unread::Because("it was taken at another address"))?;
    Ok(snapshot)
}
