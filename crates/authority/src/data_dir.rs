//! The data directory: what the authority keeps on disk, and for whose eyes.
//!
//! `root.key` (32 bytes, mode 0600) opens everything else: signing keys in `countersign.db` and the CA's key in
//! `ca.key.sealed` are encrypted under it. `ca.pem` is for everybody; `admin.json` holds the administrator's credential,
//! mode 0600. Files are written aside and renamed, so that a crash leaves the old one or the new one, never half of one.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use countersign_token::{Randomness, RootKey};

use crate::StartError;

/// A data directory, made with mode 0700 if it was not there.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| file(path, source))?;
        Ok(Self(path.to_owned()))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The root key, made at the first start.
    pub(crate) fn root_key(&self, randomness: &dyn Randomness) -> Result<RootKey, StartError> {
        let path = self.path("root.key");
        if let Some(bytes) = read_if_there(&path)? {
            let bytes: [u8; 32] =
                bytes.try_into().map_err(|_| StartError::Damaged { path, what: "32 bytes were expected" })?;
            return Ok(RootKey::from_bytes(bytes));
        }
        let key = RootKey::generate(randomness);
        // Of two processes that start at once, one makes the key and the other reads it.
        match write_new(&path, key.expose()) {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.root_key(randomness),
            Err(source) => Err(file(&path, source)),
        }
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

/// Makes a file that nobody else may read; fails if it is there already. Follows no symbolic link.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Replaces a file in one step. `mode` is that of the new file.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StartError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let aside = path.with_file_name(name);
    let write = || {
        let _ = fs::remove_file(&aside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(|source| file(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SystemRandomness;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_root_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        let first = data.root_key(&SystemRandomness).unwrap();
        let again = data.root_key(&SystemRandomness).unwrap();
        assert_eq!(first.expose(), again.expose());
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(data.path("root.key")), 0o600);
        assert_eq!(mode(data.path("")), 0o700);
    }

    #[test]
    fn a_damaged_root_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        fs::write(data.path("root.key"), b"short").unwrap();
        let error = data.root_key(&SystemRandomness).unwrap_err();
        assert!(matches!(error, StartError::Damaged { .. }), "{error}");
    }

    #[test]
    fn replacing_leaves_nothing_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        replace(&path, b"1", 0o600).unwrap();
        replace(&path, b"2", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
