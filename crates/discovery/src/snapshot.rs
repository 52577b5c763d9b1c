//! Keys as they were fetched once, to be kept in a file or embedded in a program, for starts without network.
//!
//! A snapshot is what the endpoint said, word for word, with when and where. It is read with the same suspicion as an
//! answer of the endpoint, it is good for one address only, and it ages from the moment of its fetch: keys that an issuer
//! withdrew long ago do not come back with a program that was built before (`pitfalls` 24).

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_token::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::document::read_keys;
use crate::published::PublishedKeys;
use crate::schedule::RefreshPolicy;

/// Larger files are not read: a key set is at most 512 kB, and JSON in JSON at most doubles.
const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024;

/// How far ahead a snapshot's time may lie, since clocks never quite agree. It is then taken for now.
///
/// Not farther: until that time comes, each start would take the keys for fresh, so that they never grew too old, and no
/// real file would be the newer one.
const MAX_AHEAD: Duration = Duration::from_secs(300);

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
    /// This and the two checks below say in words why not.
    pub(crate) fn from_json(text: &[u8]) -> Result<Self, &'static str> {
        let snapshot: Self = serde_json::from_slice(text).map_err(|_| "it does not parse")?;
        read_keys(snapshot.keys.as_bytes(), snapshot.cloud.as_deref()).map_err(|_| "it holds no usable key")?;
        Ok(snapshot)
    }

    pub(crate) fn to_json(&self) -> String {
        // Texts and numbers can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Refuses what was taken at another address.
    pub(crate) fn belongs_to(&self, address: &Url) -> Result<(), &'static str> {
        if self.address == address.as_str() { Ok(()) } else { Err("it was taken at another address") }
    }

    /// Refuses a time to come, by more than [`MAX_AHEAD`].
    pub(crate) fn is_of_the_past(&self, now: Timestamp) -> Result<(), &'static str> {
        if Timestamp::from_unix_seconds(self.fetched_at) <= now.plus(MAX_AHEAD) {
            return Ok(());
        }
        Err("its time lies more than 5 minutes ahead of the clock")
    }

    pub(crate) fn into_published(self, policy: &RefreshPolicy, now: Timestamp) -> PublishedKeys {
        // The little that a clock may be ahead does not lengthen the keys' life.
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
    pub(crate) fn load(path: &Path, address: &Url, now: Timestamp) -> Option<Self> {
        match read(path, address, now) {
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

impl From<&'static str> for Unread {
    fn from(reason: &'static str) -> Self {
        Self::Because(reason)
    }
}

fn read(path: &Path, address: &Url, now: Timestamp) -> Result<KeySnapshot, Unread> {
    const UNREADABLE: Unread = Unread::Because("it cannot be read");
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(Unread::Because("it is not a plain file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unread::Absent),
        Err(_) => return Err(UNREADABLE),
    }
    let file = fs::File::open(path).map_err(|_| UNREADABLE)?;
    // What is judged from here on is what is read, whatever the name stands for meanwhile.
    let metadata = file.metadata().map_err(|_| UNREADABLE)?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o022 != 0 {
        return Err(Unread::Because("others may write it"));
    }
    #[cfg(unix)]
    match own_user() {
        Some(own) if !is_trusted(std::os::unix::fs::MetadataExt::uid(&metadata), own) => {
            return Err(Unread::Because("it belongs to another user"));
        }
        Some(_) => {}
        None => {
            tracing::info!(path = %path.display(), "the snapshot's owner is not looked at: this process's user is unknown");
        }
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(Unread::Because("it is larger than any key set"));
    }
    let mut text = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut text).map_err(|_| UNREADABLE)?;
    let snapshot = KeySnapshot::from_json(&text)?;
    snapshot.belongs_to(address)?;
    snapshot.is_of_the_past(now)?;
    Ok(snapshot)
}

/// Whether a trust anchor may belong to the user `owner` where this process is the user `own`. Root could change the
/// process itself, and owns what an image or a mounted volume brings.
#[cfg(unix)]
fn is_trusted(owner: u32, own: u32) -> bool {
    owner == own || owner == 0
}

/// The user whose files this process makes, as far as it can be told without unsafe code: on Linux, with `/proc`.
///
/// From the text rather than from the owner of `/proc/self`, which is root for a process that may not be dumped.
///
/// Source: proc_pid_status(5), `Uid`: real, effective, saved and file system user.
#[cfg(unix)]
fn own_user() -> Option<u32> {
    user_in(&fs::read_to_string("/proc/self/status").ok()?)
}

#[cfg(unix)]
fn user_in(status: &str) -> Option<u32> {
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_ones_own_and_of_root_are_trusted() {
        assert!(is_trusted(1000, 1000) && is_trusted(0, 1000) && is_trusted(0, 0));
        assert!(!is_trusted(1001, 1000) && !is_trusted(1000, 0));
    }

    #[test]
    fn the_own_user_is_the_one_whose_files_are_made() {
        let status = "Name:\tapi\nUid:\t1000\t0\t0\t1001\nGid:\t5\t5\t5\t5\n";
        assert_eq!(user_in(status), Some(1001));
        for untold in ["", "Uid:", "Uid:\t1\t2\t3", "Uid:\ta\tb\tc\td", "api 1 2 3 1000,1000,1000"] {
            assert_eq!(user_in(untold), None, "{untold:?}");
        }
        if cfg!(target_os = "linux") {
            let mine = tempfile::NamedTempFile::new().unwrap();
            let owner = std::os::unix::fs::MetadataExt::uid(&mine.as_file().metadata().unwrap());
            assert_eq!(own_user(), Some(owner));
        }
    }
}
