//! [`FileCache`]: a directory as a [`SharedCache`], for tools that start anew with each command.
//!
//! One file per entry, sealed before it gets here, mode 0600 in a directory of mode 0700 that belongs to this user.
//! Replaced by renaming, so that nobody reads half an entry; no symbolic link is followed, neither for reading nor for
//! writing (`pitfalls` 39, C19). A file that is poisoned, cut or too large is no entry. A file's time of modification is
//! the end of its entry's life, so that the sweep knows a session, which lives for months, from a token. Unix only:
//! elsewhere permissions are another matter.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use countersign_discovery::{BoxFuture, Cause};
use countersign_token::{Clock, SystemClock};

use crate::shared::SharedCache;

/// The largest entry, in bytes.
const MAX_ENTRY: u64 = 256 * 1024;

/// So many seconds after its end a file is swept: another machine's clock may be behind. What was left half written, or a
/// right that nobody gave back, ends when it is written.
const SPARED: i64 = 3600;

/// The directory cannot hold a cache.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileCacheError {
    /// It cannot be made or looked at.
    #[error("the directory {} cannot be used", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// It is a symbolic link, or no directory.
    #[error("{} is no directory", .0.display())]
    NotADirectory(PathBuf),
    /// Others may write or read there.
    #[error("the directory {} is open to others; give it mode 0700", .0.display())]
    OpenToOthers(PathBuf),
}

/// Keeps entries as files of one directory.
#[derive(Debug, Clone)]
pub struct FileCache {
    directory: Arc<Path>,
    clock: Arc<dyn Clock>,
}

impl FileCache {
    /// Uses `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// [`FileCacheError`].
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, FileCacheError> {
        let directory = directory.into();
        let fault = |cause| FileCacheError::Directory(directory.clone(), cause);
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(fault(error)),
            _ => {}
        }
        let metadata = std::fs::symlink_metadata(&directory).map_err(fault)?;
        if !metadata.is_dir() {
            return Err(FileCacheError::NotADirectory(directory));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(FileCacheError::OpenToOthers(directory));
        }
        let cache = Self { directory: directory.into(), clock: Arc::new(SystemClock) };
        cache.sweep();
        Ok(cache)
    }

    /// Removes files whose life has ended, so that a directory does not grow for ever. What cannot be removed stays.
    fn sweep(&self) {
        let now = self.clock.now();
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_ours = path.extension().is_some_and(|kind| kind == "token" || kind == "next" || kind == "lock");
            let end = entry.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.mtime());
            if is_ours && end.is_some_and(|end| now.as_unix_seconds().saturating_sub(end) > SPARED) {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Takes the time from `clock`; it decides when a right to refresh that was left behind has ended, and when an entry
    /// ends.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Names come from us, but a name is never a path.
    fn path(&self, name: &str, kind: &str) -> io::Result<PathBuf> {
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !plain {
            return Err(ErrorKind::InvalidInput.into());
        }
        Ok(self.directory.join(format!("{name}.{kind}")))
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, Cause>> {
        let cache = self.clone();
        Box::pin(async move { Ok(tokio::task::spawn_blocking(move || work(&cache)).await??) })
    }

    fn create(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
    }

    fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let metadata = file.metadata()?;
        // Of what is no file of ours alone nothing is believed.
        if !metadata.is_file() || metadata.len() > MAX_ENTRY || metadata.nlink() > 1 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(MAX_ENTRY).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn lock_now(&self, name: &str, owner: &str, life: Duration) -> io::Result<bool> {
        let path = self.path(name, "lock")?;
        let now = self.clock.now();
        let ends = now.plus(life).as_nanos();
        for _ in 0..2 {
            match Self::create(&path) {
                Ok(mut file) => {
                    write!(file, "{ends} {owner}")?;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let held = Self::read(&path)?.unwrap_or_default();
            let until = String::from_utf8_lossy(&held).split(' ').next().and_then(|end| end.parse::<i64>().ok());
            // Empty: its owner is about to write into it. Anything else that cannot be read was left by nobody of ours.
            if held.is_empty() || until.is_some_and(|until| until > now.as_nanos()) {
                return Ok(false);
            }
            std::fs::remove_file(&path)?;
        }
        Ok(false)
    }
}

impl SharedCache for FileCache {
    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, Cause>> {
        let name = name.to_owned();
        self.run(move |cache| Self::read(&cache.path(&name, "token")?))
    }

    fn put(&self, name: &str, value: Vec<u8>, life: Duration) -> BoxFuture<'_, Result<(), Cause>> {
        let name = name.to_owned();
        // An entry that has ended is replaced by its successor; it says itself when it ends.
        self.run(move |cache| {
            let end = cache.clock.now().plus(life).as_unix_seconds();
            let (path, next) = (cache.path(&name, "token")?, cache.path(&name, "next")?);
            match std::fs::remove_file(&next) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = Self::create(&next)?;
            file.write_all(&value)?;
            // Where this cannot be written, the entry is swept earlier than it need be.
            let _ = file.set_modified(UNIX_EPOCH + Duration::from_secs(u64::try_from(end).unwrap_or_default()));
            file.sync_all()?;
            std::fs::rename(&next, &path)
        })
    }

    fn remove(&self, name: &str) -> BoxFuture<'_, Result<(), Cause>> {
        let name = name.to_owned();
        self.run(move |cache| match std::fs::remove_file(cache.path(&name, "token")?) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    fn lock(&self, name: &str, owner: &str, life: Duration) -> BoxFuture<'_, Result<bool, Cause>> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.run(move |cache| cache.lock_now(&name, &owner, life))
    }

    fn unlock(&self, name: &str, owner: &str) -> BoxFuture<'_, Result<(), Cause>> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.run(move |cache| {
            let path = cache.path(&name, "lock")?;
            let held = Self::read(&path)?.unwrap_or_default();
            if String::from_utf8_lossy(&held).split(' ').nth(1) == Some(&*owner) {
                std::fs::remove_file(&path)?;
            }
            Ok(())
        })
    }
}
