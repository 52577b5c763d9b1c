//! The data directory: what the authority keeps on disk, and for whose eyes.
//!
//! `root.key` (32 bytes, mode 0600) opens everything else: signing keys in `countersign.db` and the CA's key in
//! `ca.key.sealed` are encrypted under it. `ca.pem` is for everybody; `admin.json` holds the administrator's credential,
//! mode 0600. Files are written aside and renamed, so that a crash leaves the old one or the new one, never half of one.
//!
//! One authority at a time: `lock` is held as long as one runs, and the system lets go of it when the process dies, however
//! it dies. Two that shared one SQLite file would not see each other's changes; replicas share PostgreSQL, and each has a
//! data directory of its own with a copy of one `root.key` and no `countersign.db`.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_token::{Randomness, RootKey};

use crate::StartError;

/// The database.
pub(crate) const DATABASE: &str = "countersign.db";
/// The CA's key, sealed.
pub(crate) const CA_KEY: &str = "ca.key.sealed";
/// What everything else is sealed under.
pub(crate) const ROOT_KEY: &str = "root.key";

/// What a file is called while it is written: its name, the process id, this.
const ASIDE: &str = ".new";

/// A data directory, made with mode 0700 if it was not there, and this process's alone while it lives. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: Arc<File>,
}

impl DataDir {
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| file(path, source))?;
        let lock_path = path.join("lock");
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|source| file(&lock_path, source))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StartError::InUse { path: path.to_owned() },
            TryLockError::Error(source) => file(&lock_path, source),
        })?;
        let data = Self { path: path.to_owned(), _lock: Arc::new(lock) };
        data.sweep();
        Ok(data)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes what a process that was killed was about to put in place.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().ends_with(ASIDE) {
                // Whatever keeps it from going does no more harm than it does already.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The root key, made at the first start. One that is gone is not made anew: nothing that was sealed under it would
    /// ever open again, and nobody would be told why.
    pub(crate) fn root_key(&self, randomness: &dyn Randomness) -> Result<RootKey, StartError> {
        let path = self.path(ROOT_KEY);
        if let Some(bytes) = read_if_there(&path)? {
            let bytes: [u8; 32] = bytes.try_into().map_err(|_| StartError::Damaged {
                path: path.clone(),
                what: "32 bytes were expected; restore it from a copy",
            })?;
            warn_of_readers(&path);
            return Ok(RootKey::from_bytes(bytes));
        }
        if [DATABASE, CA_KEY].iter().any(|sealed| self.path(sealed).exists()) {
            let what = "it is missing, and without it what is stored beside it does not open; restore it from a copy";
            return Err(StartError::Damaged { path, what });
        }
        let key = RootKey::generate(randomness);
        replace_durably(&path, key.expose(), 0o600)?;
        Ok(key)
    }
}

/// Files restored from a copy often come back readable for everybody.
fn warn_of_readers(path: &Path) {
    if fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "others may read this key: chmod 600 is called for");
    }
}

fn file(path: &Path, source: io::Error) -> StartError {
    StartError::File { path: path.to_owned(), source }
}

/// The file's bytes; `None` if there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StartError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(file(path, source)),
    }
}

/// Replaces a file in one step; follows no symbolic link. `mode` is that of the new file. Readers see the old file or the
/// new one; after a loss of power, either.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StartError> {
    put(path, bytes, mode, |_| Ok(()))
}

/// As [`replace`], and on the disk when this returns.
pub(crate) fn replace_durably(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StartError> {
    put(path, bytes, mode, File::sync_all)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| file(folder, source))
}

fn put(path: &Path, bytes: &[u8], mode: u32, settle: impl Fn(&File) -> io::Result<()>) -> Result<(), StartError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}{ASIDE}", std::process::id()));
    let aside = path.with_file_name(name);
    let write = || {
        let _ = fs::remove_file(&aside);
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&aside)?;
        file.write_all(bytes)?;
        settle(&file)?;
        fs::rename(&aside, path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&aside);
        file(path, source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SystemRandomness;

    #[test]
    fn the_root_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        let first = data.root_key(&SystemRandomness).unwrap();
        let again = data.root_key(&SystemRandomness).unwrap();
        assert_eq!(first.expose(), again.expose());
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(data.path(ROOT_KEY)), 0o600);
        assert_eq!(mode(data.path("lock")), 0o600);
        assert_eq!(mode(data.path("")), 0o700);
    }

    #[test]
    fn a_damaged_root_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        fs::write(data.path(ROOT_KEY), b"short").unwrap();
        let error = data.root_key(&SystemRandomness).unwrap_err();
        assert!(matches!(&error, StartError::Damaged { path, .. } if path.ends_with(ROOT_KEY)), "{error}");
    }

    #[test]
    fn a_root_key_that_is_gone_is_not_made_anew() {
        for sealed in [DATABASE, CA_KEY] {
            let folder = tempfile::tempdir().unwrap();
            let data = DataDir::open(folder.path()).unwrap();
            fs::write(data.path(sealed), b"x").unwrap();
            let error = data.root_key(&SystemRandomness).unwrap_err();
            assert!(matches!(&error, StartError::Damaged { path, .. } if path.ends_with(ROOT_KEY)), "{error}");
            assert!(!data.path(ROOT_KEY).exists());
        }
    }

    #[test]
    fn a_directory_belongs_to_one_until_the_last_clone_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let clone = data.clone();
        drop(data);
        assert!(matches!(DataDir::open(folder.path()).unwrap_err(), StartError::InUse { .. }));
        drop(clone);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn replacing_leaves_nothing_aside_and_opening_sweeps_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        replace(&path, b"1", 0o600).unwrap();
        replace_durably(&path, b"2", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(folder.path().join("admin.json.17.new"), b"half a secr").unwrap();
        let _data = DataDir::open(folder.path()).unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["lock", "ready.json"]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error = replace(Path::new("/nowhere/at/all"), b"1", 0o600).unwrap_err();
        assert!(matches!(&error, StartError::File { path, .. } if path.ends_with("all")), "{error}");
    }
}
