//! How the client proves itself: a secret, an assertion signed with a certificate's key here or elsewhere, one that
//! somebody else issued, or nothing at all.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::AuthorityHost;
use countersign_protocol::form::FormEncoder;
use countersign_token::{AssertionAlgorithm, Certificate, ClientAssertionSigner, PrivateKey, base64url_encode};
use secrecy::{ExposeSecret, SecretString};
use smallvec::{SmallVec, smallvec};
use uuid::Uuid;

use crate::assertion::Source;
use crate::credential_file::CredentialFile;
use crate::digest::sha256_of;
use crate::signer::ExternalSigner;

/// How assertions are signed with a certificate. The default is what Entra's documentation asks for today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CertificateOptions {
    /// PS256 with `x5t#S256`, or RS256 with `x5t` for an authority that knows nothing newer.
    pub algorithm: AssertionAlgorithm,
    /// Sends the certificate along (`x5c`), which subject-name-and-issuer authentication needs.
    pub send_x5c: bool,
}

/// A credential as the builder took it.
pub(crate) enum Given {
    None,
    Secret(SecretString),
    Certificate(Box<(PrivateKey, Certificate, CertificateOptions)>),
    File(CredentialFile),
    External(ExternalSigner),
    Federated(Source),
}

/// What this process itself holds: enough to authenticate one request. `Debug` shows nothing of it.
pub(crate) enum Proof {
    Secret {
        secret: SecretString,
        /// As a form carries it, to recognise it in what comes back.
        encoded: SecretString,
        /// Whether it has the form of a secret's ID, which the portal shows beside the value.
        looks_like_id: bool,
    },
    Certificate(Box<ClientAssertionSigner>),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { .. } => f.write_str("Secret([redacted])"),
            Self::Certificate(signer) => f.debug_tuple("Certificate").field(signer.certificate()).finish(),
        }
    }
}

/// `text` as a form carries it.
pub(crate) fn encoded(text: &str) -> String {
    let form = FormEncoder::new().field("", text).finish();
    String::from_utf8(form).unwrap_or_default().trim_start_matches('=').to_owned()
}

impl Proof {
    pub(crate) fn secret(secret: SecretString) -> Self {
        let encoded = encoded(secret.expose_secret());
        let looks_like_id = Uuid::try_parse(secret.expose_secret().trim()).is_ok();
        Self::Secret { secret, encoded: encoded.into(), looks_like_id }
    }

    /// What must not appear in a message; an assertion is new each time and is added by whoever made it.
    pub(crate) fn secrets(&self) -> [&str; 2] {
        match self {
            Self::Secret { secret, encoded, .. } => [secret.expose_secret(), encoded.expose_secret()],
            Self::Certificate(_) => [""; 2],
        }
    }

    pub(crate) fn looks_like_id(&self) -> bool {
        matches!(self, Self::Secret { looks_like_id: true, .. })
    }

    fn fingerprint(&self) -> String {
        match self {
            Self::Secret { secret, .. } => {
                // Half a digest: enough to part two secrets, too little to be of use elsewhere.
                let digest = sha256_of(&[b"client secret", secret.expose_secret().as_bytes()]);
                format!("secret {}", base64url_encode(&digest[..16]))
            }
            Self::Certificate(signer) => {
                format!("certificate {}", base64url_encode(&signer.certificate().sha256_thumbprint()))
            }
        }
    }
}

/// A credential that is ready to be used.
#[derive(Debug)]
pub(crate) enum Credential {
    /// A public client: tools and tests, which can keep no secret.
    None,
    /// The certificate that the transport shows (RFC 8705 §2): the form proves nothing.
    Tls,
    Own(Arc<Proof>),
    File(CredentialFile),
    External(ExternalSigner),
    Federated(Source),
}

/// One way to authenticate one request.
#[derive(Debug, Clone)]
pub(crate) enum Attempt {
    Bare,
    Own(Arc<Proof>),
    External,
    Federated,
}

impl Credential {
    /// What to try, in this order: the next only if the authority refuses the one before it as `invalid_client`.
    /// Reading a file takes no longer than a request may.
    pub(crate) async fn attempts(&self, timeout: Duration) -> SmallVec<[Attempt; 2]> {
        match self {
            Self::None | Self::Tls => smallvec![Attempt::Bare],
            Self::Own(proof) => smallvec![Attempt::Own(Arc::clone(proof))],
            Self::File(file) => file.generations(timeout).await.into_iter().map(Attempt::Own).collect(),
            Self::External(_) => smallvec![Attempt::External],
            Self::Federated(_) => smallvec![Attempt::Federated],
        }
    }

    /// Part of the cache's key: the same for the same credential, in every process, and no secret.
    pub(crate) fn fingerprint(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            // Its thumbprint is part of the key already.
            Self::Tls => "tls".to_owned(),
            Self::Own(proof) => proof.fingerprint(),
            Self::File(file) => format!("file {}", file.path().display()),
            Self::External(signer) => {
                format!("signer {}", base64url_encode(&signer.certificate().sha256_thumbprint()))
            }
            Self::Federated(Source::Provider(_)) => "provider".to_owned(),
            Self::Federated(Source::File(file)) => format!("federated {}", file.path().display()),
        }
    }
}

/// Warns of what an authority will refuse, as early as it can be known.
pub(crate) fn warn_of_secret_id(credential: &Credential, authority: &AuthorityHost) {
    if matches!(credential, Credential::Own(proof) if proof.looks_like_id()) {
        tracing::warn!(
            %authority,
            "the client secret has the form of a GUID: that is usually the secret's ID; configure the secret's value"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed_and_its_id_is_recognised() {
        let proof = Proof::secret("Abc~8Q.secret/value".to_owned().into());
        assert_eq!(format!("{proof:?}"), "Secret([redacted])");
        assert!(!proof.looks_like_id());
        assert_eq!(proof.secrets()[1], "Abc%7E8Q.secret%2Fvalue");
        assert!(!proof.fingerprint().contains("Abc"));
        assert!(Proof::secret("a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11".to_owned().into()).looks_like_id());
        assert!(Proof::secret(" A5D8F9B0-0d2e-4c8a-9d43-0f0f2d4a5c11\n".to_owned().into()).looks_like_id());
    }
}
