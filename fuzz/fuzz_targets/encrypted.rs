//! Encrypted tokens: encryption opens to what was put in or not at all, and it proves nothing.
//!
//! An input is a whole encrypted token, which must be refused, since nobody knows the process's key; or a line of header,
//! that the target encrypts under, and what is to be inside. That again is any text, which no policy may then accept, or
//! two lines, a header and claims, that the authority signs: a token inside is judged as it is outside.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, AES_128, AES_192, AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey};
use aws_lc_rs::{hmac, rand};
use countersign_fuzz::{AUTHORITY, algorithm_of, first_line, genuine_claims, place, spoiled};
use countersign_token::{
    Algorithm, DecryptionKey, DecryptionKeys, PrivateKey, Rejection, base64url_encode, is_encrypted,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

struct Receiver {
    keys: DecryptionKeys,
    public: OaepPublicEncryptingKey,
    #[cfg(feature = "josekit")]
    pkcs8: Vec<u8>,
}

static RECEIVER: LazyLock<Receiver> = LazyLock::new(|| {
    let pkcs8 = PrivateKey::generate_pkcs8().unwrap();
    let key = DecryptionKey::without_certificate(&PrivateKey::from_pkcs8_der(&pkcs8).unwrap(), "own").unwrap();
    let public = PrivateDecryptingKey::from_pkcs8(&pkcs8).unwrap().public_key();
    let receiver = Receiver {
        keys: DecryptionKeys::new(vec![key]).unwrap(),
        public: OaepPublicEncryptingKey::new(public).unwrap(),
        #[cfg(feature = "josekit")]
        pkcs8: pkcs8.to_vec(),
    };
    // A target that opens nothing finds nothing.
    let token = AUTHORITY.genuine(Algorithm::Rs256, &genuine_claims()[0]);
    for alg in ["RSA-OAEP", "RSA-OAEP-256"] {
        for enc in ["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"] {
            let header = format!(r#"{{"alg":"{alg}","enc":"{enc}","kid":"own","typ":"JWT","cty":"JWT"}}"#);
            let sealed = receiver.seal(header.as_bytes(), alg, enc, token.as_bytes());
            assert_eq!(receiver.keys.decrypt(&sealed).unwrap().as_str(), token);
            assert_eq!(receiver.josekit_opens(&sealed, header.as_bytes()).unwrap(), token.as_bytes());
        }
    }
    receiver
});

impl Receiver {
    /// An encrypted token with these very bytes as header; what is done is what `alg` and `enc` say (RFC 7516 §5.1).
    fn seal(&self, header: &[u8], alg: &str, enc: &str, content: &[u8]) -> String {
        let protected = base64url_encode(header);
        let (length, mode) = match enc {
            "A128CBC-HS256" => (32, Mode::Cbc(hmac::HMAC_SHA256, &AES_128)),
            "A192CBC-HS384" => (48, Mode::Cbc(hmac::HMAC_SHA384, &AES_192)),
            "A256CBC-HS512" => (64, Mode::Cbc(hmac::HMAC_SHA512, &AES_256)),
            "A128GCM" => (16, Mode::Gcm(&aead::AES_128_GCM)),
            "A192GCM" => (24, Mode::Gcm(&aead::AES_192_GCM)),
            _ => (32, Mode::Gcm(&aead::AES_256_GCM)),
        };
        let mut content_key = vec![0; length];
        rand::fill(&mut content_key).unwrap();
        let oaep = if alg == "RSA-OAEP" { &OAEP_SHA1_MGF1SHA1 } else { &OAEP_SHA256_MGF1SHA256 };
        let mut room = vec![0; self.public.ciphertext_size()];
        let encrypted_key = self.public.encrypt(oaep, &content_key, &mut room, None).unwrap();
        let (vector, text, tag) = mode.seal(&content_key, protected.as_bytes(), content);
        [protected, base64url_encode(encrypted_key)]
            .into_iter()
            .chain([vector, text, tag].map(|bytes| base64url_encode(&bytes)))
            .collect::<Vec<_>>()
            .join(".")
    }

    /// What josekit finds inside. It has rules of its own for members that are passed over here, so that headers with
    /// others than the usual ones are not put before it.
    #[cfg(feature = "josekit")]
    fn josekit_opens(&self, token: &str, header: &[u8]) -> Option<Vec<u8>> {
        use josekit::jwe::{RSA_OAEP, RSA_OAEP_256};

        let header: Value = serde_json::from_slice(header).ok()?;
        let usual = ["alg", "enc", "kid", "typ", "cty"];
        if header.as_object()?.keys().any(|name| !usual.contains(&name.as_str())) {
            return None;
        }
        let algorithm = if header["alg"] == "RSA-OAEP" { RSA_OAEP } else { RSA_OAEP_256 };
        let mut key = algorithm.decrypter_from_der(&self.pkcs8).unwrap();
        if header.get("kid").is_some() {
            key.set_key_id("own");
        }
        Some(josekit::jwe::deserialize_compact(token, &key).expect("josekit").0)
    }

    #[cfg(not(feature = "josekit"))]
    fn josekit_opens(&self, token: &str, _: &[u8]) -> Option<Vec<u8>> {
        Some(self.keys.decrypt(token).ok()?.as_str().as_bytes().to_vec())
    }
}

enum Mode {
    Cbc(hmac::Algorithm, &'static cipher::Algorithm),
    Gcm(&'static aead::Algorithm),
}

impl Mode {
    /// Vector, ciphertext and tag (RFC 7518 §5.2.2.1 and §5.3).
    fn seal(&self, content_key: &[u8], protected: &[u8], content: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let mut text = content.to_vec();
        match self {
            Self::Cbc(mac, algorithm) => {
                let (mac_key, key) = content_key.split_at(content_key.len() / 2);
                let mut vector = [0; 16];
                rand::fill(&mut vector).unwrap();
                let key = UnboundCipherKey::new(algorithm, key).unwrap();
                let context = EncryptionContext::Iv128(FixedLength::from(vector));
                PaddedBlockEncryptingKey::cbc_pkcs7(key).unwrap().less_safe_encrypt(&mut text, context).unwrap();
                let bits = (protected.len() as u64 * 8).to_be_bytes();
                let input = [protected, &vector, &text, &bits].concat();
                let tag = hmac::sign(&hmac::Key::new(*mac, mac_key), &input);
                (vector.to_vec(), text, tag.as_ref()[..mac.digest_algorithm().output_len() / 2].to_vec())
            }
            Self::Gcm(algorithm) => {
                let mut vector = [0; 12];
                rand::fill(&mut vector).unwrap();
                let key = LessSafeKey::new(UnboundKey::new(algorithm, content_key).unwrap());
                let nonce = Nonce::assume_unique_for_key(vector);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(protected), &mut text).unwrap();
                (vector.to_vec(), text, tag.as_ref().to_vec())
            }
        }
    }
}

/// What a header asks for, as a reader sees it that looks no further.
fn asked(header: &[u8]) -> (String, String) {
    let header = serde_json::from_slice::<Value>(header).unwrap_or_default();
    let text = |name: &str| header[name].as_str().unwrap_or_default().to_owned();
    (text("alg"), text("enc"))
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        assert!(RECEIVER.keys.decrypt(text).is_err(), "nobody encrypted this");
        let _ = is_encrypted(text);
    }
    let Some((header, rest)) = first_line(input) else { return };
    let signed = first_line(rest).map(|(header, claims)| AUTHORITY.sign(algorithm_of(header), header, claims));
    let content = signed.as_ref().map_or(rest, |token| token.as_bytes());
    let (alg, enc) = asked(header);
    let sealed = RECEIVER.seal(header, &alg, &enc, content);
    match RECEIVER.keys.decrypt(&sealed) {
        Ok(inner) => {
            assert!(is_encrypted(&sealed));
            assert_eq!(inner.as_str().as_bytes(), content);
            let verdict = AUTHORITY.judge(inner.as_str());
            assert!(verdict.is_err() || signed.is_some(), "nobody signed what was inside");
            if let Some(theirs) = RECEIVER.josekit_opens(&sealed, header) {
                assert_eq!(theirs, content, "josekit");
            }
            let altered = spoiled(&sealed, place(input, sealed.len()));
            assert!(RECEIVER.keys.decrypt(&altered).is_err(), "nobody encrypted it so");
        }
        // Whatever is refused, it is not that the key does not open what was encrypted to it.
        Err(refusal) => assert_ne!(refusal, Rejection::DecryptionFailed),
    }
    // An encrypted token is no signed one.
    assert!(AUTHORITY.judge(&sealed).is_err());
});
