//! The file in which a platform leaves a workload's token: Kubernetes' projected volume, a step of a GitHub workflow that
//! wrote it down, a SPIFFE helper with its JWT-SVID.
//!
//! Everything else that this crate sends or fetches goes through `discovery`'s door. This one file is the exception: it
//! *is* the credential, the platform replaces it while the process runs, and only who sends the token knows when to look
//! again. So it is opened for each token request, read whole, and nothing of it is kept (`pitfalls` C25).
//!
//! Symbolic links are followed: a projected volume is nothing but links (`token` → `..data/token`, `..data` →
//! `..2026_01_01_…`) that the kubelet turns over at once, and refusing them would refuse Kubernetes. Refused: what is no
//! regular file, since a pipe or a terminal would wait for ever and has its content only once, and more than 64 KiB.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::assertion::{AssertionError, AssertionFault, MAX_ASSERTION_BYTES};

/// A path. What is found there is never in memory between two requests.
#[derive(Debug)]
pub(crate) struct TokenFile(PathBuf);

impl TokenFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The file's content as it is now, without blanks around it.
    pub(crate) async fn read(&self) -> Result<SecretString, AssertionError> {
        let path = self.0.clone();
        let read = tokio::task::spawn_blocking(move || read_bounded(&path, MAX_ASSERTION_BYTES))
            .await
            .map_err(io::Error::other);
        let bytes = read.flatten().map_err(|cause| match cause.kind() {
            ErrorKind::NotFound => AssertionError::FileMissing { path: self.0.clone() },
            _ => AssertionError::FileUnreadable { path: self.0.clone(), cause },
        })?;
        let fault = |fault| AssertionError::File { path: self.0.clone(), fault };
        if bytes.len() > MAX_ASSERTION_BYTES {
            return Err(fault(AssertionFault::TooLarge));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| fault(AssertionFault::NotCompactJws))?;
        Ok(SecretString::from(text.trim()))
    }
}

/// The bytes of a regular file, at most one more than `limit`.
pub(crate) fn read_bounded(path: &Path, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // Before it is opened: opening a pipe waits for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    // In one piece from the start, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.min(MAX_ASSERTION_BYTES) + 1));
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
