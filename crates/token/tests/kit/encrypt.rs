//! What a sender of encrypted tokens does (RFC 7516 §5.1), and whatever a forger can do with the same means.

#![allow(dead_code, reason = "each test binary uses a part of the kit")]
#![expect(clippy::unwrap_used, reason = "tests")]

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, AES_128, AES_192, AES_256, EncryptingKey, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::{hmac, rand};
use countersign_token::{PublicKey, base64url_encode};
use serde_json::{Value, json};

use super::forge::{NULL, der, public_der};

/// The `alg` that are decrypted, all of them.
pub(crate) const ALGORITHMS: [&str; 2] = ["RSA-OAEP", "RSA-OAEP-256"];

/// The `enc` that are decrypted, all of them.
pub(crate) const ENCRYPTIONS: [&str; 6] =
    ["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"];

/// An envelope for tokens. Header and content are what they are told to be; what is done is what `new` was told.
#[derive(Clone)]
pub(crate) struct Envelope {
    pub(crate) header: Value,
    to: PublicKey,
    oaep: &'static OaepAlgorithm,
    encryption: &'static str,
    content_key: Vec<u8>,
    padded: bool,
}

impl Envelope {
    pub(crate) fn new(algorithm: &str, encryption: &'static str, to: &PublicKey) -> Self {
        let mut content_key = vec![0; key_length(encryption)];
        rand::fill(&mut content_key).unwrap();
        Self {
            header: json!({"typ": "JWT", "alg": algorithm, "enc": encryption}),
            to: to.clone(),
            oaep: oaep(algorithm),
            encryption,
            content_key,
            padded: true,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    /// Encrypts the content key as for another `alg` than the header's.
    pub(crate) fn wrapped_as(mut self, algorithm: &str) -> Self {
        self.oaep = oaep(algorithm);
        self
    }

    /// CBC over these very blocks: the content brings its own padding, sound or not.
    pub(crate) fn unpadded(mut self) -> Self {
        self.padded = false;
        self
    }

    /// The encrypted token.
    pub(crate) fn seal(&self, content: impl AsRef<[u8]>) -> String {
        self.parts(self.header.to_string(), content).join(".")
    }

    /// An encrypted token with this very text as header.
    pub(crate) fn seal_under(&self, header: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> String {
        self.parts(header, content).join(".")
    }

    /// The five segments.
    pub(crate) fn parts(&self, header: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> [String; 5] {
        let protected = base64url_encode(header.as_ref());
        let (vector, ciphertext, tag) = self.sealed(&protected, content.as_ref());
        let encrypted_key = self.wrap(&self.content_key);
        [protected, encrypted_key, base64url_encode(&vector), base64url_encode(&ciphertext), base64url_encode(&tag)]
    }

    /// These bytes as an encrypted key, whatever their number.
    pub(crate) fn wrap(&self, content_key: &[u8]) -> String {
        let public = PublicEncryptingKey::from_der(&public_der(&self.to).0).unwrap();
        let public = OaepPublicEncryptingKey::new(public).unwrap();
        let mut room = vec![0; public.ciphertext_size()];
        base64url_encode(public.encrypt(self.oaep, content_key, &mut room, None).unwrap())
    }

    fn sealed(&self, protected: &str, content: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        match cbc(self.encryption) {
            Some((mac, algorithm)) => self.cbc(mac, algorithm, protected, content),
            None => self.gcm(protected, content),
        }
    }

    fn cbc(
        &self,
        mac: hmac::Algorithm,
        algorithm: &'static cipher::Algorithm,
        protected: &str,
        content: &[u8],
    ) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let (mac_key, key) = self.content_key.split_at(self.content_key.len() / 2);
        let mut vector = [0; 16];
        rand::fill(&mut vector).unwrap();
        let context = EncryptionContext::Iv128(FixedLength::from(vector));
        let key = UnboundCipherKey::new(algorithm, key).unwrap();
        let mut text = content.to_vec();
        if self.padded {
            PaddedBlockEncryptingKey::cbc_pkcs7(key).unwrap().less_safe_encrypt(&mut text, context).unwrap();
        } else {
            EncryptingKey::cbc(key).unwrap().less_safe_encrypt(&mut text, context).unwrap();
        }
        let bits = (protected.len() as u64 * 8).to_be_bytes();
        let input = [protected.as_bytes(), &vector, &text, &bits].concat();
        let tag = hmac::sign(&hmac::Key::new(mac, mac_key), &input).as_ref()[..mac.tag_len() / 2].to_vec();
        (vector.to_vec(), text, tag)
    }

    fn gcm(&self, protected: &str, content: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let key = LessSafeKey::new(UnboundKey::new(gcm(self.encryption), &self.content_key).unwrap());
        let mut vector = [0; 12];
        rand::fill(&mut vector).unwrap();
        let mut text = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(vector);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(protected.as_bytes()), &mut text).unwrap();
        (vector.to_vec(), text, tag.as_ref().to_vec())
    }
}

fn oaep(algorithm: &str) -> &'static OaepAlgorithm {
    match algorithm {
        "RSA-OAEP" => &OAEP_SHA1_MGF1SHA1,
        "RSA-OAEP-256" => &OAEP_SHA256_MGF1SHA256,
        other => panic!("{other}"),
    }
}

fn cbc(encryption: &str) -> Option<(hmac::Algorithm, &'static cipher::Algorithm)> {
    match encryption {
        "A128CBC-HS256" => Some((hmac::HMAC_SHA256, &AES_128)),
        "A192CBC-HS384" => Some((hmac::HMAC_SHA384, &AES_192)),
        "A256CBC-HS512" => Some((hmac::HMAC_SHA512, &AES_256)),
        _ => None,
    }
}

fn gcm(encryption: &str) -> &'static aead::Algorithm {
    match encryption {
        "A128GCM" => &aead::AES_128_GCM,
        "A192GCM" => &aead::AES_192_GCM,
        "A256GCM" => &aead::AES_256_GCM,
        other => panic!("{other}"),
    }
}

fn key_length(encryption: &str) -> usize {
    cbc(encryption).map_or_else(|| gcm(encryption).key_len(), |(mac, _)| mac.tag_len())
}

/// An RSA private key given as JWK (RFC 7518 §6.3.2) in the form of PKCS#8.
pub(crate) fn pkcs8_of_jwk(jwk: &Value) -> Vec<u8> {
    let number = |name: &str| {
        let bytes = countersign_token::base64url_decode_strict(jwk[name].as_str().unwrap()).unwrap();
        let sign: &[u8] = if bytes[0] & 0x80 == 0 { &[] } else { &[0] };
        der(0x02, &[sign, &bytes].concat())
    };
    let version = der(0x02, &[0]);
    let numbers: Vec<u8> = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].into_iter().flat_map(number).collect();
    let key = der(0x30, &[version.clone(), numbers].concat());
    let rsa_encryption = der(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]);
    let algorithm = der(0x30, &[rsa_encryption.as_slice(), &NULL].concat());
    der(0x30, &[version, algorithm, der(0x04, &key)].concat())
}
