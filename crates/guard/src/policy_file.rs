//! [`PolicyFile`]: a policy kept in a file, or one for each of several authorities, replaced whole or not at all.
//!
//! Nothing watches the file: the service says when to look, on a signal or every minute. A file that cannot be read or kept
//! changes nothing, and the error is the service's to show (`pitfalls` D25).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use countersign_token::{Policy, PolicyError};

use crate::Verifier;

/// A policy file is a few kilobytes; this is where reading stops.
const MAX_BYTES: u64 = 1024 * 1024;

/// The file cannot be used. The policy in force stays as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// The file cannot be read.
    #[error("the policy file {} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than 1 MiB.
    #[error("the policy file {} is larger than 1 MiB", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is no policy.
    #[error("the policy file {} is no policy", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The policy cannot be kept.
    #[error("the policy in {} cannot be kept", .path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PolicyError,
    },
}

/// What came of looking at the file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The file says what it said before.
    Unchanged,
    /// A new policy is in force, for every request from now on.
    Replaced,
}

/// A policy in a file, as JSON in the shape of [`Policy`]; for a verifier of several authorities an array of them, in the
/// order in which the authorities were given.
///
/// ```
/// use countersign_discovery::KeySource;
/// use countersign_guard::{Guard, PolicyFile, Reload};
/// # use countersign_token::KeySet;
/// # let folder = std::env::temp_dir().join(format!("countersign-policy-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("policy.json");
/// # std::fs::write(&path, r#"{"tenants": [], "issuers": [], "audiences": []}"#)?;
/// # let keys = KeySource::fixed(KeySet::parse(br#"{"keys":[]}"#)?);
///
/// let file = PolicyFile::open(&path)?;
/// let guard = Guard::builder(keys, &file.policy())?.build();
/// // Later: on SIGHUP, or every minute.
/// match file.reload(guard.verifier()) {
///     Ok(Reload::Replaced) => println!("a new policy is in force"),
///     Ok(Reload::Unchanged) => {}
///     Err(error) => eprintln!("the old policy stays: {error}"),
/// }
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    current: Mutex<Vec<Policy>>,
}

impl PolicyFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`PolicyFileError`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, PolicyFileError> {
        let path = path.into();
        let policies = read(&path)?;
        for policy in &policies {
            policy.compile().map_err(|source| PolicyFileError::Policy { path: path.clone(), source })?;
        }
        Ok(Self { path, current: Mutex::new(policies) })
    }

    /// The policy as it was last read; of several the first.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policies().into_iter().next().unwrap_or_default()
    }

    /// The policies as they were last read.
    #[must_use]
    pub fn policies(&self) -> Vec<Policy> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again and puts its policy in force, whole, if it says something else than before.
    ///
    /// Reads a small file, and blocks for as long as that takes.
    ///
    /// # Errors
    /// [`PolicyFileError`]; the old policy then stays in force.
    pub fn reload(&self, verifier: &Verifier) -> Result<Reload, PolicyFileError> {
        // Read under the lock, so that of two who reload at once the later one has read the later text.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let policies = read(&self.path)?;
        if *current == policies {
            return Ok(Reload::Unchanged);
        }
        let fault = |source| PolicyFileError::Policy { path: self.path.clone(), source };
        verifier.replace_policies(&policies).map_err(fault)?;
        tracing::info!(path = %self.path.display(), "a new policy is in force");
        *current = policies;
        Ok(Reload::Replaced)
    }
}

fn read(path: &Path) -> Result<Vec<Policy>, PolicyFileError> {
    let unread = |source| PolicyFileError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut text)).map_err(unread)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(PolicyFileError::TooLarge { path: path.to_owned() });
    }
    // One or several is told apart by the first character, so that a fault inside is named where it is.
    let is_list = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let parsed =
        if is_list { serde_json::from_slice(&text) } else { serde_json::from_slice(&text).map(|policy| vec![policy]) };
    parsed.map_err(|source| PolicyFileError::Parse { path: path.to_owned(), source })
}
