//! A secret or a certificate in a file that is replaced while the process runs.
//!
//! The file is looked at for each token request, which is rare, and read again when its content has changed. Two
//! generations live: the one in the file now, and the one before it, which is tried when the authority does not know the
//! new one yet (it takes minutes until a new secret is known everywhere) and so refuses it as `invalid_client`. A file
//! that is missing, half-written or broken leaves the generations as they are, with a warning: a rotation under load loses
//! no request. Symbolic links are followed, as for the federated token file, since mounted secrets consist of them.
//! Refused: what is no regular file, and more than 1 MiB.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
}

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
        Self(Arc::new(Inner { path, content, generations: Mutex::default() }))
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

    /// What to prove oneself with, the newest first.
    pub(crate) async fn generations(&self) -> SmallVec<[Arc<Proof>; 2]> {
        let inner = Arc::clone(&self.0);
        let reloaded = tokio::task::spawn_blocking(move || inner.reload()).await;
        match reloaded {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                let path = self.0.path.display();
                tracing::warn!(error, %path, "the credential's file cannot be used; what it held before serves on");
            }
            Err(_) => tracing::warn!("reading the credential's file was given up"),
        }
        self.0.current()
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
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.as_ref().is_some_and(|it| it.digest == digest) {
            return Ok(());
        }
        let current = Arc::new(self.content.parse(&bytes)?);
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
