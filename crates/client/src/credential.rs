//! How the client proves itself: a secret, an assertion signed with a certificate's key, or one that somebody else issued.

use std::fmt;

use countersign_protocol::AuthorityHost;
use countersign_protocol::form::FormEncoder;
use countersign_token::{AssertionAlgorithm, Certificate, ClientAssertionSigner, PrivateKey};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::assertion::Source;
use crate::sanitise::Secrets;

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
    Secret(SecretString),
    Certificate(Box<(PrivateKey, Certificate, CertificateOptions)>),
    Federated(Source),
}

/// A credential that is ready to be used. `Debug` shows nothing of it.
pub(crate) enum Credential {
    Secret {
        secret: SecretString,
        /// As a form carries it, to recognise it in what comes back.
        encoded: SecretString,
        /// Whether it has the form of a secret's ID, which the portal shows beside the value.
        looks_like_id: bool,
    },
    Certificate(Box<ClientAssertionSigner>),
    Federated(Source),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { .. } => f.write_str("Secret([redacted])"),
            Self::Certificate(signer) => f.debug_tuple("Certificate").field(signer.certificate()).finish(),
            Self::Federated(source) => f.debug_tuple("Federated").field(source).finish(),
        }
    }
}

impl Credential {
    pub(crate) fn secret(secret: SecretString) -> Self {
        let form = FormEncoder::new().field("", secret.expose_secret()).finish();
        let encoded = String::from_utf8(form).unwrap_or_default().trim_start_matches('=').to_owned();
        let looks_like_id = Uuid::try_parse(secret.expose_secret().trim()).is_ok();
        Self::Secret { secret, encoded: encoded.into(), looks_like_id }
    }

    /// What must not appear in a message; an assertion is new each time and is added by whoever made it.
    pub(crate) fn secrets(&self) -> Secrets<'_> {
        match self {
            Self::Secret { secret, encoded, .. } => {
                Secrets { plain: secret.expose_secret(), encoded: encoded.expose_secret() }
            }
            Self::Certificate(_) | Self::Federated(_) => Secrets::default(),
        }
    }

    pub(crate) fn looks_like_id(&self) -> bool {
        matches!(self, Self::Secret { looks_like_id: true, .. })
    }
}

/// Warns of what an authority will refuse, as early as it can be known.
pub(crate) fn warn_of_secret_id(credential: &Credential, authority: &AuthorityHost) {
    if credential.looks_like_id() {
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
        let credential = Credential::secret("Abc~8Q.secret/value".to_owned().into());
        assert_eq!(format!("{credential:?}"), "Secret([redacted])");
        assert!(!credential.looks_like_id());
        assert_eq!(credential.secrets().encoded, "Abc%7E8Q.secret%2Fvalue");
        assert!(Credential::secret("a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11".to_owned().into()).looks_like_id());
        assert!(Credential::secret(" A5D8F9B0-0d2e-4c8a-9d43-0f0f2d4a5c11\n".to_owned().into()).looks_like_id());
    }
}
