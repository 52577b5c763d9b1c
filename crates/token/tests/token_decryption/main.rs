//! Encrypted tokens: what decrypts, and every reason why something does not, expected by name.
//!
//! The sender is our own ([`kit::encrypt`]); `vectors` has senders that we did not write. Where a line of the checklist of
//! attacks is meant, the test's name begins with it.

#![expect(clippy::unwrap_used, reason = "tests")]

mod authentication;
mod form;
mod genuine;
mod headers;
mod key_choice;
mod keys;
mod nested;
mod properties;
mod vectors;

#[path = "../kit/mod.rs"]
mod kit;

use std::sync::OnceLock;

use countersign_token::{Certificate, DecryptionKey, DecryptionKeys, PrivateKey, Rejection};

use self::kit::encrypt::Envelope;
use self::kit::forge::certificate;

/// A key that tokens may be encrypted to, and its certificate.
pub(crate) struct Owner {
    pub(crate) private_key: PrivateKey,
    pub(crate) certificate: Certificate,
}

impl Owner {
    fn make(name: &str) -> Self {
        let pkcs8 = PrivateKey::generate_pkcs8().unwrap();
        let certificate = Certificate::from_der(certificate(&pkcs8, name)).unwrap();
        Self { private_key: PrivateKey::from_pkcs8_der(&pkcs8).unwrap(), certificate }
    }

    pub(crate) fn key(&self) -> DecryptionKey {
        DecryptionKey::new(&self.private_key, &self.certificate).unwrap()
    }

    /// An envelope to this owner, whose header names nobody.
    pub(crate) fn envelope(&self, algorithm: &str, encryption: &'static str) -> Envelope {
        Envelope::new(algorithm, encryption, self.private_key.public_key())
    }
}

/// The API's key. RSA keys are made once per process.
pub(crate) fn own() -> &'static Owner {
    static OWNER: OnceLock<Owner> = OnceLock::new();
    OWNER.get_or_init(|| Owner::make("api"))
}

/// The API's next key.
pub(crate) fn next() -> &'static Owner {
    static OWNER: OnceLock<Owner> = OnceLock::new();
    OWNER.get_or_init(|| Owner::make("api, next year"))
}

/// Somebody else's key.
pub(crate) fn stranger() -> &'static Owner {
    static OWNER: OnceLock<Owner> = OnceLock::new();
    OWNER.get_or_init(|| Owner::make("another api"))
}

/// The keys of an API with one key.
pub(crate) fn own_keys() -> DecryptionKeys {
    DecryptionKeys::new(vec![own().key()]).unwrap()
}

/// An envelope to [`own`], as Entra might choose it.
pub(crate) fn envelope() -> Envelope {
    own().envelope("RSA-OAEP", "A256CBC-HS512")
}

/// Expects this very refusal of [`own_keys`].
#[track_caller]
pub(crate) fn refused(jwe: &str, expected: Rejection) {
    assert_eq!(own_keys().decrypt(jwe).unwrap_err(), expected, "{jwe:.200}");
}

/// Expects this token to come out of [`own_keys`].
#[track_caller]
pub(crate) fn decrypts(jwe: &str, expected: &str) {
    assert_eq!(own_keys().decrypt(jwe).unwrap().as_str(), expected);
}
