//! How the content of an encrypted token is authenticated and decrypted (RFC 7518 §5): in this order, never the other.

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{aead, cipher, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Rejection;

/// What was sealed, and what with it.
pub(super) struct Sealed<'a> {
    /// The header's segment as it was sent: the additional authenticated data (RFC 7516 §5.2, step 15).
    pub(super) protected: &'a [u8],
    pub(super) vector: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

/// The `enc` of RFC 7518 §5.1, all of which authenticate the header and the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentEncryption {
    A128CbcHs256,
    A192CbcHs384,
    A256CbcHs512,
    A128Gcm,
    A192Gcm,
    A256Gcm,
}

/// The two families, each with its primitives.
enum Mode {
    /// AES-CBC with HMAC (RFC 7518 §5.2): half of the key is the HMAC's, half the cipher's.
    Cbc(hmac::Algorithm, &'static cipher::Algorithm),
    /// AES-GCM (RFC 7518 §5.3).
    Gcm(&'static aead::Algorithm),
}

impl ContentEncryption {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "A128CBC-HS256" => Some(Self::A128CbcHs256),
            "A192CBC-HS384" => Some(Self::A192CbcHs384),
            "A256CBC-HS512" => Some(Self::A256CbcHs512),
            "A128GCM" => Some(Self::A128Gcm),
            "A192GCM" => Some(Self::A192Gcm),
            "A256GCM" => Some(Self::A256Gcm),
            _ => None,
        }
    }

    fn mode(self) -> Mode {
        match self {
            Self::A128CbcHs256 => Mode::Cbc(hmac::HMAC_SHA256, &AES_128),
            Self::A192CbcHs384 => Mode::Cbc(hmac::HMAC_SHA384, &AES_192),
            Self::A256CbcHs512 => Mode::Cbc(hmac::HMAC_SHA512, &AES_256),
            Self::A128Gcm => Mode::Gcm(&AES_128_GCM),
            Self::A192Gcm => Mode::Gcm(&AES_192_GCM),
            Self::A256Gcm => Mode::Gcm(&AES_256_GCM),
        }
    }

    /// Of the content key, in bytes.
    pub(super) fn key_length(self) -> usize {
        match self.mode() {
            // Two keys, each half as long as the HMAC before it is cut to a tag.
            Mode::Cbc(mac, _) => mac.tag_len(),
            Mode::Gcm(algorithm) => algorithm.key_len(),
        }
    }

    /// Refuses lengths that this `enc` never has: a shorter tag is easier to guess, and a library may not mind it.
    pub(super) fn check_lengths(self, sealed: &Sealed<'_>) -> Result<(), Rejection> {
        let (vector, tag, block) = match self.mode() {
            Mode::Cbc(mac, cipher) => (cipher.block_len(), mac.tag_len() / 2, cipher.block_len()),
            Mode::Gcm(algorithm) => (algorithm.nonce_len(), algorithm.tag_len(), 1),
        };
        if sealed.vector.len() != vector {
            return Err(Rejection::EncryptionLength("initialization vector"));
        }
        if !sealed.ciphertext.len().is_multiple_of(block) {
            return Err(Rejection::EncryptionLength("ciphertext"));
        }
        if sealed.tag.len() != tag {
            return Err(Rejection::EncryptionLength("authentication tag"));
        }
        Ok(())
    }

    /// The content, if `key` sealed it and nothing was changed since. Why not is not told: nobody is to know.
    pub(super) fn open(self, key: &[u8], sealed: &Sealed<'_>) -> Option<Zeroizing<Vec<u8>>> {
        match self.mode() {
            Mode::Cbc(mac, cipher) => open_cbc(mac, cipher, key, sealed),
            Mode::Gcm(algorithm) => open_gcm(algorithm, key, sealed),
        }
    }
}

/// RFC 7518 §5.2.2.2. Without the tag's check first, the padding would answer an attacker's questions (Vaudenay 2002).
fn open_cbc(
    mac: hmac::Algorithm,
    cipher: &'static cipher::Algorithm,
    key: &[u8],
    sealed: &Sealed<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let (mac_key, cipher_key) = key.split_at_checked(key.len() / 2)?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(mac, mac_key));
    context.update(sealed.protected);
    context.update(&sealed.vector);
    context.update(&sealed.ciphertext);
    // AL: the length of the additional data in bits, 64 bits, big-endian.
    context.update(&(sealed.protected.len() as u64 * 8).to_be_bytes());
    let tag = context.sign();
    let (tag, _) = tag.as_ref().split_at_checked(mac.tag_len() / 2)?;
    if !bool::from(tag.ct_eq(&sealed.tag)) {
        return None;
    }
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(cipher, cipher_key).ok()?).ok()?;
    let vector = FixedLength::try_from(sealed.vector.as_slice()).ok()?;
    let mut content = Zeroizing::new(sealed.ciphertext.clone());
    let length = key.decrypt(&mut content, DecryptionContext::Iv128(vector)).ok()?.len();
    content.truncate(length);
    Some(content)
}

/// RFC 7518 §5.3. The library compares the tag before it gives anything out.
fn open_gcm(algorithm: &'static aead::Algorithm, key: &[u8], sealed: &Sealed<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(&sealed.vector).ok()?;
    let mut content = Zeroizing::new(vec![0; sealed.ciphertext.len()]);
    key.open_separate_gather(nonce, Aad::from(sealed.protected), &sealed.ciphertext, &sealed.tag, &mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, usize, usize, usize); 6] = [
        ("A128CBC-HS256", 32, 16, 16),
        ("A192CBC-HS384", 48, 16, 24),
        ("A256CBC-HS512", 64, 16, 32),
        ("A128GCM", 16, 12, 16),
        ("A192GCM", 24, 12, 16),
        ("A256GCM", 32, 12, 16),
    ];

    fn hex(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    #[test]
    fn lengths_are_those_of_rfc_7518() {
        for (name, key, vector, tag) in ALL {
            let encryption = ContentEncryption::from_name(name).unwrap();
            assert_eq!(encryption.key_length(), key, "{name}");
            let check = |vector: usize, ciphertext: usize, tag: usize| {
                let part = |length| vec![0; length];
                let (vector, ciphertext, tag) = (part(vector), part(ciphertext), part(tag));
                encryption.check_lengths(&Sealed { protected: b"", vector, ciphertext, tag })
            };
            assert_eq!(check(vector, 48, tag), Ok(()), "{name}");
            for length in [0, vector - 1, vector + 1, vector + 16] {
                let refusal = Err(Rejection::EncryptionLength("initialization vector"));
                assert_eq!(check(length, 48, tag), refusal, "{name}: {length}");
            }
            for length in [0, 1, tag - 1, tag + 1, tag * 2] {
                let refusal = Err(Rejection::EncryptionLength("authentication tag"));
                assert_eq!(check(vector, 48, length), refusal, "{name}: {length}");
            }
            let odd = if name.contains("CBC") { Err(Rejection::EncryptionLength("ciphertext")) } else { Ok(()) };
            assert_eq!(check(vector, 47, tag), odd, "{name}");
        }
    }

    #[test]
    fn a_key_of_another_length_opens_nothing() {
        for (name, key, vector, tag) in ALL {
            let encryption = ContentEncryption::from_name(name).unwrap();
            let sealed = Sealed { protected: b"", vector: vec![0; vector], ciphertext: vec![0; 16], tag: vec![0; tag] };
            for length in [0, 1, key - 1, key + 1, key * 2] {
                assert!(encryption.open(&vec![0; length], &sealed).is_none(), "{name}: {length}");
            }
        }
    }

    #[test]
    fn the_example_of_rfc_7518_appendix_b_1_opens() {
        let key: Vec<u8> = (0..32).collect();
        let mut sealed = Sealed {
            protected: b"The second principle of Auguste Kerckhoffs",
            vector: hex("1af38c2dc2b96ffdd86694092341bc04"),
            ciphertext: hex(concat!(
                "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9",
                "a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f399a221489f16362c7032336",
                "09d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b",
                "384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade5",
                "4b8851ffb598f7f80074b9473c82e2db",
            )),
            tag: hex("652c3fa36b0a7c5b3219fab3a30bc1c4"),
        };
        let text = b"A cipher system must not be required to be secret, and it must be able to fall into the hands of \
            the enemy without inconvenience";
        let open = |sealed: &Sealed<'_>| ContentEncryption::A128CbcHs256.open(&key, sealed);
        assert_eq!(open(&sealed).unwrap().as_slice(), text);
        sealed.protected = b"The second principle of Auguste Kerckhoff";
        assert!(open(&sealed).is_none());
    }
}
