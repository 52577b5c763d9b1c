//! Public keys, parsed once.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};

use crate::Algorithm;
use crate::issuer::IssuerTemplate;
use crate::rsa_modulus::{exponent_is_sound, is_roca_weak};

/// Why a public key may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The modulus is shorter than 2048 or longer than 8192 bits, or has leading zeros (RFC 7518 §3.3).
    #[error("the RSA modulus is not between 2048 and 8192 bits")]
    ModulusSize,
    /// The modulus is even, so 2 divides it: nothing signs or verifies with that.
    #[error("the RSA modulus is even")]
    EvenModulus,
    /// The exponent is even, 1, or absurdly large.
    #[error("the RSA exponent is not an odd number from 3 to 33 bits")]
    Exponent,
    /// The modulus has the fingerprint of CVE-2017-15361: the private key can be computed.
    #[error("the RSA modulus was made by a faulty generator (ROCA, CVE-2017-15361)")]
    Roca,
    /// The crypto library does not take it.
    #[error("the crypto library refused the key")]
    Refused,
}

/// An RSA public key of 2048 to 8192 bits. Clones share it.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    components: RsaPublicKeyComponents<Vec<u8>>,
    /// Parsed once per algorithm, at its first use: parsing for each token would cost more than all claim checks.
    parsed: [OnceLock<ParsedPublicKey>; 4],
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey(RSA, {} bits)", self.modulus().len() * 8)
    }
}

impl PublicKey {
    /// From big-endian modulus and exponent without leading zeros.
    ///
    /// # Errors
    /// A [`KeyError`] for each weakness.
    pub fn from_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        // 2048 bits exactly: 256 bytes with the top bit set.
        if !(256..=1024).contains(&modulus.len()) || modulus[0] == 0 || (modulus.len() == 256 && modulus[0] & 0x80 == 0)
        {
            return Err(KeyError::ModulusSize);
        }
        // aws-lc parses an even modulus and only fails when it is used.
        if modulus[modulus.len() - 1].is_multiple_of(2) {
            return Err(KeyError::EvenModulus);
        }
        if !exponent_is_sound(exponent) {
            return Err(KeyError::Exponent);
        }
        if is_roca_weak(modulus) {
            return Err(KeyError::Roca);
        }
        let components = RsaPublicKeyComponents { n: modulus.to_vec(), e: exponent.to_vec() };
        let key = Inner { components, parsed: [const { OnceLock::new() }; 4] };
        // The usual algorithm is parsed now, so that a key the library refuses never enters a set.
        key.parsed(Algorithm::Rs256).ok_or(KeyError::Refused)?;
        Ok(Self(Arc::new(key)))
    }

    /// The modulus, big-endian, no leading zero.
    #[must_use]
    pub fn modulus(&self) -> &[u8] {
        &self.0.components.n
    }

    /// The exponent, big-endian, no leading zero.
    #[must_use]
    pub fn exponent(&self) -> &[u8] {
        &self.0.components.e
    }

    /// Whether both are the same key.
    #[must_use]
    pub fn same_key(&self, other: &Self) -> bool {
        self.modulus() == other.modulus() && self.exponent() == other.exponent()
    }

    /// Checks a signature over `message`. The signature must be exactly as long as the modulus (RFC 8017 §8.2.2).
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.modulus().len()
            && self.0.parsed(algorithm).is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }
}

impl Inner {
    fn parsed(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let slot = &self.parsed[algorithm as usize];
        if let Some(key) = slot.get() {
            return Some(key);
        }
        let key = self.components.to_parsed_public_key(algorithm.verification()).ok()?;
        Some(slot.get_or_init(|| key))
    }
}

/// A published signing key: the key, its name, and whom its issuer published it for.
#[derive(Debug, Clone)]
pub struct VerificationKey {
    pub(crate) key_id: Arc<str>,
    pub(crate) key: PublicKey,
    pub(crate) thumbprint: Option<Arc<str>>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) issuer: Option<IssuerTemplate>,
    pub(crate) cloud: Option<Arc<str>>,
    /// The header segment of the first token that this key was seen to have signed, and what it names.
    pub(crate) header: OnceLock<(Box<str>, Algorithm)>,
}

impl VerificationKey {
    /// The `kid`.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The key itself.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The `issuer` member that Entra's v2.0 key sets carry, template text included.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_ref().map(IssuerTemplate::text)
    }

    /// Whether both publish the same key under the same conditions.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.key.same_key(&other.key)
            && self.issuer() == other.issuer()
            && self.cloud == other.cloud
            && self.algorithm == other.algorithm
            && self.thumbprint == other.thumbprint
    }

    /// This key with what `other` says about it in addition; nothing if both contradict each other.
    pub(crate) fn joined_with(&self, other: &Self) -> Option<Self> {
        fn either<T: Clone + PartialEq>(own: &Option<T>, others: &Option<T>) -> Option<Option<T>> {
            match (own, others) {
                (Some(own), Some(others)) if own != others => None,
                (own, others) => Some(own.clone().or_else(|| others.clone())),
            }
        }
        self.key.same_key(&other.key).then_some(())?;
        Some(Self {
            key_id: Arc::clone(&self.key_id),
            key: self.key.clone(),
            thumbprint: either(&self.thumbprint, &other.thumbprint)?,
            algorithm: either(&self.algorithm, &other.algorithm)?,
            issuer: either(&self.issuer, &other.issuer)?,
            cloud: either(&self.cloud, &other.cloud)?,
            header: OnceLock::new(),
        })
    }

    /// Remembers a header that was read, chose this key, and was signed with it.
    pub(crate) fn remember_header(&self, segment: &str, algorithm: Algorithm) {
        if self.header.get().is_none() {
            // Whoever comes second has lost nothing.
            let _ = self.header.set((segment.into(), algorithm));
        }
    }

    /// The algorithm that this header names, if it is the one that is remembered.
    pub(crate) fn algorithm_of(&self, segment: &str) -> Option<Algorithm> {
        self.header.get().filter(|(known, _)| **known == *segment).map(|(_, algorithm)| *algorithm)
    }

    /// Whether this key may verify `algorithm`: a key that states its `alg` is for that one only (RFC 7517 §4.4).
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|stated| stated == algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PrivateKey;

    const F4: [u8; 3] = [1, 0, 1];

    fn private() -> PrivateKey {
        PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap()
    }

    #[test]
    fn weak_components_are_refused_by_name() {
        let key = private();
        let modulus = key.public_key().modulus();
        let refused = |modulus: &[u8], exponent: &[u8]| PublicKey::from_components(modulus, exponent).unwrap_err();
        assert_eq!(refused(&[], &F4), KeyError::ModulusSize);
        assert_eq!(refused(&modulus[..255], &F4), KeyError::ModulusSize);
        assert_eq!(refused(&[&[0], modulus].concat(), &F4), KeyError::ModulusSize);
        assert_eq!(refused(&[&[0x7f], &modulus[1..]].concat(), &F4), KeyError::ModulusSize);
        assert_eq!(refused(&[modulus.repeat(4).as_slice(), &[1]].concat(), &F4), KeyError::ModulusSize);
        assert_eq!(refused(&[&modulus[..255], &[2]].concat(), &F4), KeyError::EvenModulus);
        for exponent in [&[][..], &[1], &[4], &[0, 3]] {
            assert_eq!(refused(modulus, exponent), KeyError::Exponent);
        }
        assert!(PublicKey::from_components(modulus, &[3]).is_ok());
    }

    #[test]
    fn a_modulus_with_the_roca_fingerprint_is_refused() {
        // The smallest multiple of all those primes above 2^2047, plus one: one is 65537^0 modulo each of them.
        let primes: [u128; 38] = [
            3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
            109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
        ];
        let mut modulus = vec![0_u8; 256];
        modulus[0] = 0x80;
        modulus[255] = 1;
        // Add 2^k until each residue is one: long division by small numbers, then a carry; Chinese remainders in bytes.
        let residue =
            |bytes: &[u8], prime: u128| bytes.iter().fold(0, |sum, &byte| (sum * 256 + u128::from(byte)) % prime);
        let mut product = vec![0_u8; 256];
        product[255] = 2;
        for prime in primes {
            while residue(&modulus, prime) != 1 {
                add(&mut modulus, &product);
            }
            let factor = product.clone();
            (1..prime).for_each(|_| add(&mut product, &factor));
        }
        assert_eq!(PublicKey::from_components(&modulus, &F4).unwrap_err(), KeyError::Roca);
    }

    /// Adds big-endian numbers of one length.
    fn add(sum: &mut [u8], other: &[u8]) {
        let mut carry = 0;
        for (byte, other) in sum.iter_mut().zip(other).rev() {
            let total = u16::from(*byte) + u16::from(*other) + carry;
            *byte = total as u8;
            carry = total >> 8;
        }
        assert_eq!(carry, 0);
    }

    #[test]
    fn a_signature_verifies_under_its_own_key_message_and_algorithm() {
        let (key, other) = (private(), private());
        for algorithm in [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256] {
            let signature = key.sign(algorithm, b"message").unwrap();
            assert!(key.public_key().verifies(algorithm, b"message", &signature));
            assert!(!key.public_key().verifies(algorithm, b"massage", &signature));
            assert!(!other.public_key().verifies(algorithm, b"message", &signature));
            for another in [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256] {
                assert_eq!(key.public_key().verifies(another, b"message", &signature), another == algorithm);
            }
            assert!(!key.public_key().verifies(algorithm, b"message", &signature[1..]));
            assert!(!key.public_key().verifies(algorithm, b"message", &[]));
        }
    }

    #[test]
    fn clones_are_the_same_key() {
        let key = private();
        assert!(key.public_key().clone().same_key(key.public_key()));
        assert!(!private().public_key().same_key(key.public_key()));
        assert_eq!(format!("{:?}", key.public_key()), "PublicKey(RSA, 2048 bits)");
    }
}
