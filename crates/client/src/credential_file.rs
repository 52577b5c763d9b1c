//! A secret or a certificate in a file that is replaced while the process runs.
//!
//! The file is looked at for each token request, which is rare, and read again when its content has changed. Two
//! generations live: the one in the file now, and the one before it, which is tried when the authority does not know the
//! new one yet (it takes minutes until a new secret is known everywhere) and so refuses it as `invalid_client`. A file
//! that is missing, half-written or broken leaves the generations as they are, with a warning: a rotation under load loses
//! no request. So does one on a mount that hangs: it is waited for a moment, once. Symbolic links are followed, as for the federated token file, since mounted secrets consist of them.
//! Refused: what is no regular file, and more than 1 MiB.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_token::{
    Certificate, CertificateError, ClientAssertionSigner, PrivateKey, PrivateKeyError, SignerError,
};
use secrecy::{ExposeSecret, SecretString};
use smallvec::{SmallVec, smallvec};
use zeroize::Zeroizing;

use crate::credential::{CertificateOptions, Proof};
use crate::digest::sha256;
use crate::federated_file::read_bounded;
use crate::pfx::{PfxError, read_pfx};

/// The largest file read, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// A secret or certificate cannot be taken from a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialFileError {
    /// The file cannot be read: missing, no right to, no regular file.
    #[error("it cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// More than 1 MiB.
    #[error("it is larger than 1 MiB")]
    TooLarge,
    /// Empty, or nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// Not UTF-8, as a secret and PEM must be.
    #[error("it is not text")]
    NotText,
    /// The PEM text holds no certificate that can be used.
    #[error("it holds no certificate that can be used")]
    Certificate(#[source] CertificateError),
    /// The PEM text holds no private key that can be used.
    #[error("it holds no private key that can be used")]
    Key(#[source] PrivateKeyError),
    /// The PKCS#12 container cannot be used.
    #[error("the PKCS#12 container cannot be used")]
    Pfx(#[source] PfxError),
    /// The certificate is for another key, or assertions cannot be signed with it.
    #[error("its key and certificate cannot sign together")]
    Signer(#[source] SignerError),
}

/// What the file holds.
enum Content {
    Secret,
    Certificate { password: Option<SecretString>, options: CertificateOptions },
}

/// The file and the generations read from it.
pub(crate) struct CredentialFile(Arc<Inner>);

struct Inner {
    path: PathBuf,
    content: Content,
    generations: Mutex<Option<Generations>>,
    /// Held by whoever reads the file: one thread, however long the mount hangs on which it is.
    reading: Arc<tokio::sync::Mutex<()>>,
    /// Whether that one was given up waiting for.
    hangs: AtomicBool,
}

/// How long a file that is read from a mount over the network may take, which is none of a request's business.
const PATIENCE: Duration = Duration::from_secs(2);

struct Generations {
    digest: [u8; 32],
    current: Arc<Proof>,
    previous: Option<Arc<Proof>>,
}

impl fmt::Debug for CredentialFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialFile").field(&self.0.path).finish()
    }
}

impl CredentialFile {
    pub(crate) fn secret(path: PathBuf) -> Self {
        Self::new(path, Content::Secret)
    }

    pub(crate) fn certificate(path: PathBuf, password: Option<SecretString>, options: CertificateOptions) -> Self {
        Self::new(path, Content::Certificate { password, options })
    }

    fn new(path: PathBuf, content: Content) -> Self {
        Self(Arc::new(Inner {
            path,
            content,
            generations: Mutex::default(),
            reading: Arc::default(),
            hangs: AtomicBool::new(false),
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Reads the file for the first time.
    ///
    /// # Errors
    /// [`CredentialFileError`].
    pub(crate) fn load(&self) -> Result<Arc<Proof>, CredentialFileError> {
        warn_if_others_may_read(&self.0.path);
        self.0.reload()?;
        // `reload` has just put it there.
        self.0.current().into_iter().next().ok_or(CredentialFileError::Empty)
    }

    /// What to prove oneself with, the newest first; as the file is now, if that can be told in time.
    pub(crate) async fn generations(&self, timeout: Duration) -> SmallVec<[Arc<Proof>; 2]> {
        let path = self.0.path.display();
        // While one reader hangs, nobody else waits, and no second thread hangs with it.
        let patience = if self.0.hangs.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE.min(timeout) };
        match tokio::time::timeout(patience, self.reload()).await {
            Ok(Some(Ok(()))) => {}
            Ok(Some(Err(error))) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(error, %path, "the credential's file cannot be used; what it held before serves on");
            }
            Ok(None) => tracing::warn!(%path, "reading the credential's file was given up"),
            Err(_) => {
                self.0.hangs.store(self.0.reading.try_lock().is_err(), Ordering::Relaxed);
                tracing::warn!(%path, "the credential's file cannot be read in time; what it held before serves on");
            }
        }
        self.0.current()
    }

    /// None if the thread that should read it panicked, or the runtime is shutting down.
    async fn reload(&self) -> Option<Result<(), CredentialFileError>> {
        let inner = Arc::clone(&self.0);
        let turn = Arc::clone(&inner.reading).lock_owned().await;
        let read = tokio::task::spawn_blocking(move || {
            let reloaded = inner.reload();
            inner.hangs.store(false, Ordering::Relaxed);
            drop(turn);
            reloaded
        });
        read.await.ok()
    }
}

impl Inner {
    fn current(&self) -> SmallVec<[Arc<Proof>; 2]> {
        match &*self.generations.lock().unwrap_or_else(PoisonError::into_inner) {
            None => smallvec![],
            Some(it) => std::iter::once(&it.current).chain(&it.previous).cloned().collect(),
        }
    }

    fn reload(&self) -> Result<(), CredentialFileError> {
        let bytes = read_bounded(&self.path, MAX_BYTES).map_err(CredentialFileError::Unreadable)?;
        if bytes.len() > MAX_BYTES {
            return Err(CredentialFileError::TooLarge);
        }
        let digest = sha256(&bytes);
        let lock = || self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().as_ref().is_some_and(|it| it.digest == digest) {
            return Ok(());
        }
        // Without the lock: a container's key may take a while to derive, and there is one reader only.
        let current = Arc::new(self.content.parse(&bytes)?);
        let mut generations = lock();
        let previous = generations.take().map(|it| it.current);
        if previous.is_some() {
            tracing::info!(path = %self.path.display(), "the credential's file has changed; the new one is used");
        }
        *generations = Some(Generations { digest, current, previous });
        Ok(())
    }
}

impl Content {
    fn parse(&self, bytes: &Zeroizing<Vec<u8>>) -> Result<Proof, CredentialFileError> {
        let text = || std::str::from_utf8(bytes).map_err(|_| CredentialFileError::NotText);
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(CredentialFileError::Empty);
        }
        match self {
            // A line's end belongs to the editor, blanks may belong to the secret.
            Self::Secret => Ok(Proof::secret(text()?.trim_matches(['\r', '\n']).into())),
            Self::Certificate { password, options } => {
                let (key, certificate) =
                    if bytes.starts_with(b"-----") || bytes.windows(11).any(|w| w == b"-----BEGIN ") {
                        let key = PrivateKey::from_pem(text()?).map_err(CredentialFileError::Key)?;
                        (key, Certificate::from_pem(text()?).map_err(CredentialFileError::Certificate)?)
                    } else {
                        let password = password.as_ref().map_or("", |password| password.expose_secret());
                        read_pfx(bytes, password).map_err(CredentialFileError::Pfx)?
                    };
                let signer = ClientAssertionSigner::new(key, certificate, options.algorithm, options.send_x5c);
                signer.map(|signer| Proof::Certificate(Box::new(signer))).map_err(CredentialFileError::Signer)
            }
        }
    }
}

/// C18: a private key or secret that others on the machine may read.
#[cfg(unix)]
pub(crate) fn warn_if_others_may_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "the credential's file may be read by others; give it mode 0600");
    }
}

/// Elsewhere permissions are not a mode.
#[cfg(not(unix))]
pub(crate) fn warn_if_others_may_read(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    fn secrets(generations: &[Arc<Proof>]) -> Vec<String> {
        generations.iter().map(|proof| proof.secrets()[0].to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_mount_that_hangs_is_waited_for_once_and_what_was_loaded_serves_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "first").unwrap();
        let file = CredentialFile::secret(path.clone());
        file.load().unwrap();
        std::fs::write(&path, "second").unwrap();
        // As if a thread were reading, and the read did not return.
        let hanging = Arc::clone(&file.0.reading).lock_owned().await;
        let begun = Instant::now();
        assert_eq!(secrets(&file.generations(SECOND * 10).await), ["first"]);
        assert_eq!(begun.elapsed(), PATIENCE);
        assert_eq!(secrets(&file.generations(SECOND * 10).await), ["first"]);
        assert!(begun.elapsed() < PATIENCE + SECOND, "nobody else waits");
        // The mount is back, and the thread has read what is there.
        file.0.reload().unwrap();
        file.0.hangs.store(false, Ordering::Relaxed);
        drop(hanging);
        assert_eq!(secrets(&file.generations(SECOND * 10).await), ["second", "first"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_with_less_time_waits_no_longer_than_it_has() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "first").unwrap();
        let file = CredentialFile::secret(path);
        file.load().unwrap();
        let _hanging = Arc::clone(&file.0.reading).lock_owned().await;
        let begun = Instant::now();
        assert_eq!(file.generations(SECOND / 2).await.len(), 1);
        assert_eq!(begun.elapsed(), SECOND / 2);
    }
}
