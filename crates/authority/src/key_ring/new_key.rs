//! Making keys.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_directory::{KeyOwner, KeySchedule, StoredSigningKey};
use countersign_token::{Certificate, NumericDate, Randomness, SigningKey, Timestamp, Vault};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use crate::StartError;

/// A private key, PKCS#8 DER, wiped when the last one drops it.
type Pkcs8 = Arc<Zeroizing<Vec<u8>>>;

/// RSA keys that this process made for authorities that keep nothing; see [`NewKey::make_for_this_process`].
static MADE: [Mutex<Option<Pkcs8>>; 2] = [const { Mutex::new(None) }; 2];

/// A fresh key, not stored yet.
pub(crate) struct NewKey {
    key_id: String,
    certificate: Vec<u8>,
    pkcs8: Pkcs8,
}

impl NewKey {
    /// Makes a key and the certificate that names it. Takes 20 to 300 ms of a processor: not for an async worker.
    pub(crate) fn make(now: Timestamp) -> Result<Self, StartError> {
        Self::certified(Arc::new(SigningKey::generate_pkcs8()?), now)
    }

    /// The same from RSA numbers that this process has made before, one of two: 2 ms instead of up to 300.
    ///
    /// Good only for authorities that live and die in this process's memory, as tests start them by the hundred. Their
    /// keys never outlive the process, nobody outside it ever trusted them, and whoever can read one of them reads this
    /// memory anyway. The certificate, and with it the `kid`, is new each time: what one authority signed names a key that
    /// another does not know. Keys that are stored, or rolled over to, are always made anew.
    pub(crate) fn make_for_this_process(slot: usize, now: Timestamp) -> Result<Self, StartError> {
        let slot = &MADE[slot % MADE.len()];
        // Whoever comes while it is being made waits, on a thread that may.
        let mut made = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let pkcs8 = match &*made {
            Some(pkcs8) => Arc::clone(pkcs8),
            None => Arc::clone(made.insert(Arc::new(SigningKey::generate_pkcs8()?))),
        };
        drop(made);
        Self::certified(pkcs8, now)
    }

    #[cfg(test)]
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    fn certified(pkcs8: Pkcs8, now: Timestamp) -> Result<Self, StartError> {
        let failed = |error: rcgen::Error| StartError::Certificate(error.to_string());
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()), &PKCS_RSA_SHA256)
            .map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Countersign token signing");
        // Random, so that two certificates of one key are two: rcgen's own serial number follows from the key.
        params.serial_number = Some(SerialNumber::from(serial_number()));
        // Five years, as Entra's; verifiers are told not to look (Microsoft, "Signing key rollover").
        let year = year_of(now.numeric_date());
        params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
        params.not_after = rcgen::date_time_ymd(year + 5, 1, 1);
        let der = params.self_signed(&pair).map_err(failed)?.der().to_vec();
        let certificate = Certificate::from_der(der).map_err(|error| StartError::Certificate(error.to_string()))?;
        Ok(Self { key_id: certificate.key_id(), certificate: certificate.der().to_vec(), pkcs8 })
    }

    pub(super) fn stored(
        &self,
        owner: KeyOwner,
        generation: i64,
        now: Timestamp,
        activates_at: Timestamp,
        vault: &Vault,
        randomness: &dyn Randomness,
    ) -> Result<StoredSigningKey, StartError> {
        Ok(StoredSigningKey {
            key_id: self.key_id.clone(),
            owner,
            generation,
            certificate: self.certificate.clone(),
            sealed_private_key: StoredSigningKey::seal(vault, &self.key_id, &self.pkcs8, randomness)?,
            created: now,
            schedule: KeySchedule { activates_at, retires_at: None },
        })
    }
}

/// A serial number: 16 random bytes, positive.
fn serial_number() -> Vec<u8> {
    countersign_token::SystemRandomness.uuid_v4().as_bytes().map(|byte| byte & 0x7f).to_vec()
}

fn year_of(date: NumericDate) -> i32 {
    let date = jiff::Timestamp::from_second(date.0).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    i32::from(date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_this_process_share_their_numbers_and_never_their_name() {
        let now = Timestamp::from_unix_seconds(1_767_225_600);
        let [one, two, other] = [0, 0, 1].map(|slot| NewKey::make_for_this_process(slot, now).unwrap());
        assert_eq!(**one.pkcs8, **two.pkcs8);
        assert_ne!(**one.pkcs8, **other.pkcs8, "the next key is another than the one before it");
        assert_ne!(one.key_id, two.key_id);
        assert_ne!(**NewKey::make(now).unwrap().pkcs8, **one.pkcs8, "what is stored is never shared");
    }
}
