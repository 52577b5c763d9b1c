//! [`FileCache`]: a directory as a [`SharedCache`], for tools that start anew with each command.
//!
//! One file per entry, sealed before it gets here, mode 0600 in a directory of mode 0700 that belongs to this user.
//! Replaced by renaming, so that nobody reads half an entry; no symbolic link is followed, neither for reading nor for
//! writing (`pitfalls` 39, C19). A file that is poisoned, cut or too large is no entry. A file's time of modification is
//! the end of its entry's life, so that the sweep knows a session, which lives for months, from a token. Unix only:
//! elsewhere permissions are another matter.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use countersign_discovery::{BoxFuture, Cause};
use countersign_token::{Clock, SystemClock, Timestamp};

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
    /// It is another user's.
    #[error("the directory {} belongs to another user", .0.display())]
    OwnedByAnother(PathBuf),
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
        let ours =
            owner_of_new_files(&directory).map_err(|cause| FileCacheError::Directory(directory.clone(), cause))?;
        if ours != metadata.uid() {
            return Err(FileCacheError::OwnedByAnother(directory));
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
        let right = format!("{} {owner}", now.plus(life).as_nanos());
        if Self::write_right(&path, &right)? {
            return Ok(true);
        }
        if !has_ended(&path, now)? {
            return Ok(false);
        }
        let directory = File::open(&self.directory)?;
        match directory.try_lock() {
            // Somebody else is taking a right over, perhaps this one.
            Err(TryLockError::WouldBlock) => return Ok(false),
            // On a file system without locks, two who come at the same moment may both ask the authority.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        // Rights are removed by whoever has the directory's lock, so that what is looked at now is what is removed: whoever
        // had it before may have replaced the one that has ended.
        if !has_ended(&path, now)? {
            return Ok(false);
        }
        remove_if_there(&path)?;
        Self::write_right(&path, &right)
    }

    /// Whether there was none.
    fn write_right(path: &Path, right: &str) -> io::Result<bool> {
        match Self::create(path) {
            // A disk that is full leaves no right behind that nobody has.
            Ok(mut file) => {
                file.write_all(right.as_bytes()).map(|()| true).inspect_err(|_| drop(std::fs::remove_file(path)))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn unlock_now(&self, name: &str, owner: &str) -> io::Result<()> {
        let path = self.path(name, "lock")?;
        let directory = File::open(&self.directory)?;
        // It is held for as long as it takes to look at a file.
        let _ = directory.lock();
        let held = Self::read(&path)?.unwrap_or_default();
        if String::from_utf8_lossy(&held).split(' ').nth(1) == Some(owner) { remove_if_there(&path) } else { Ok(()) }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Between making a right and writing into it, its owner needs no longer; then it has crashed.
const EMPTY: i64 = 5;

/// No right is given for longer: one that says so was given before a clock was set back.
const LONGEST_RIGHT: Duration = Duration::from_secs(600);

/// Whether a right is nobody's any more. What cannot be read was left by nobody of ours; in what is empty its owner is
/// about to write, unless it was made a while ago.
fn has_ended(path: &Path, now: Timestamp) -> io::Result<bool> {
    let right = FileCache::read(path)?.unwrap_or_default();
    if right.is_empty() {
        return match std::fs::symlink_metadata(path) {
            Ok(metadata) => Ok(now.as_unix_seconds().saturating_sub(metadata.mtime()) >= EMPTY),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        };
    }
    let end = String::from_utf8_lossy(&right).split(' ').next().and_then(|end| end.parse::<i64>().ok());
    Ok(!end.is_some_and(|end| now.as_nanos() < end && end <= now.plus(LONGEST_RIGHT).as_nanos()))
}

/// Whose the files are that this process makes in `directory`: the way to its user's number that needs no system call of
/// its own. A file that is left behind is swept.
fn owner_of_new_files(directory: &Path) -> io::Result<u32> {
    for number in 0..16 {
        let path = directory.join(format!("owner-{}-{number}.next", std::process::id()));
        match FileCache::create(&path) {
            // Another process has this number, on another machine or in another container; or another thread is here.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => {
                let owner = file.metadata().map(|metadata| metadata.uid());
                let _ = std::fs::remove_file(&path);
                return owner;
            }
        }
    }
    Err(ErrorKind::AlreadyExists.into())
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
            remove_if_there(&next)?;
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
        self.run(move |cache| remove_if_there(&cache.path(&name, "token")?))
    }

    fn lock(&self, name: &str, owner: &str, life: Duration) -> BoxFuture<'_, Result<bool, Cause>> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.run(move |cache| cache.lock_now(&name, &owner, life))
    }

    fn unlock(&self, name: &str, owner: &str) -> BoxFuture<'_, Result<(), Cause>> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.run(move |cache| cache.unlock_now(&name, &owner))
    }
}
