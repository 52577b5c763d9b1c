//! Encrypted access tokens (compact JWE, RFC 7516): a signed token inside, encrypted for this API.
//!
//! Encryption keeps clients and proxies from reading a token. It proves nothing about who wrote it, since anybody can
//! encrypt to a public key (CVE-2026-29000); so what comes out is merely text, which goes the way of every other token
//! through [`authenticate`](crate::authenticate) or [`verify`](crate::verify).
//!
//! Refused before any key is used: every `alg` but RSA-OAEP and RSA-OAEP-256 (RSA1_5 cannot be decrypted without an
//! oracle, a password's iteration count is the sender's to choose), every `enc` that does not authenticate, compression
//! (CVE-2024-21319), keys in the header, extensions, and names that are no decryption key's. A failure after that is
//! always the same one, [`Rejection::DecryptionFailed`]: whoever tries ciphertexts learns nothing from the answers.
//!
//! Read on in `header` for what a header may say, in `content` for the order of authenticating and decrypting, in `key`
//! for what happens to an encrypted key that does not open.
//!
//! Source: RFC 7516 §5.2, RFC 7518 §4.3 and §5, RFC 8725 §3.1 to §3.6; Microsoft identity platform, "Configure token
//! decryption in Microsoft.Identity.Web".

mod content;
mod header;
mod key;

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;
use zeroize::Zeroizing;

use self::content::Sealed;
use self::header::{Header, KeyNames};
pub use self::key::{DecryptionKey, DecryptionKeyError};
use crate::base64url::decode_strict;
use crate::jws::MAX_HEADER_BYTES;
use crate::{MAX_TOKEN_BYTES, Rejection};

/// Longer encrypted tokens are refused before anything of them is read: base64url of the longest token inside, and 4 kB
/// for header, encrypted key, initialization vector and tag.
pub const MAX_ENCRYPTED_TOKEN_BYTES: usize = MAX_TOKEN_BYTES * 4 / 3 + 4096;

/// The most keys of one set. A rollover needs two; a token that names no key is tried with each, at about a millisecond.
pub const MAX_DECRYPTION_KEYS: usize = 8;

/// Whether a token has the form of a compact JWE: exactly five segments (RFC 7516 §9).
///
/// It looks for dots only, and no further than the fifth. What is inside the segments is for
/// [`DecryptionKeys::decrypt`] to judge.
///
/// ```
/// assert!(countersign_token::is_encrypted("header.key.iv.ciphertext.tag"));
/// assert!(!countersign_token::is_encrypted("header.payload.signature"));
/// ```
#[must_use]
pub fn is_encrypted(raw: &str) -> bool {
    raw.match_indices('.').take(5).count() == 4
}

/// The text that was inside an encrypted token. **Nothing of it is verified**: hand it to
/// [`authenticate`](crate::authenticate) or [`verify`](crate::verify).
///
/// Never printed; wiped from memory when it is dropped.
pub struct DecryptedToken(Zeroizing<String>);

impl DecryptedToken {
    /// The text: ASCII, at most [`MAX_TOKEN_BYTES`] long.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What an access token may be: anything else inside an encrypted token is no token of ours.
    fn from_content(mut content: Zeroizing<Vec<u8>>) -> Result<Self, Rejection> {
        if content.len() > MAX_TOKEN_BYTES {
            return Err(Rejection::TooLarge);
        }
        if !content.is_ascii() {
            return Err(Rejection::NotCompactJws);
        }
        // Taken, not copied: no second copy of it stays behind.
        let text = String::from_utf8(std::mem::take(&mut *content)).map_err(|_| Rejection::NotCompactJws)?;
        Ok(Self(Zeroizing::new(text)))
    }
}

impl fmt::Debug for DecryptedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecryptedToken([redacted])")
    }
}

/// The keys that tokens for this API may be encrypted to: one, or during a rollover the old and the new. Clones share
/// them.
///
/// ```
/// use countersign_token::{DecryptionKey, DecryptionKeys, PrivateKey, Rejection, is_encrypted};
///
/// # let pkcs8 = PrivateKey::generate_pkcs8()?;
/// let private_key = PrivateKey::from_pkcs8_der(&pkcs8)?;
/// let keys = DecryptionKeys::new(vec![DecryptionKey::without_certificate(&private_key, "tokens-2026")?])?;
///
/// let raw = "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMjU2R0NNIn0.AA.AA.AA.AA"; // {"alg":"RSA1_5","enc":"A256GCM"}
/// assert!(is_encrypted(raw));
/// assert_eq!(keys.decrypt(raw).unwrap_err(), Rejection::EncryptionNotAllowed("alg"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DecryptionKeys(Arc<[DecryptionKey]>);

impl DecryptionKeys {
    /// A set of 1 to [`MAX_DECRYPTION_KEYS`] keys. A token that names none of them is tried in this order.
    ///
    /// # Errors
    /// [`DecryptionKeyError::NoKeys`], [`DecryptionKeyError::TooManyKeys`].
    pub fn new(keys: Vec<DecryptionKey>) -> Result<Self, DecryptionKeyError> {
        match keys.len() {
            0 => Err(DecryptionKeyError::NoKeys),
            1..=MAX_DECRYPTION_KEYS => Ok(Self(keys.into())),
            _ => Err(DecryptionKeyError::TooManyKeys),
        }
    }

    /// Decrypts a token of the form header, encrypted key, initialization vector, ciphertext and tag, each in base64url
    /// and parted by dots (RFC 7516 §7.1).
    ///
    /// # Errors
    /// - [`Rejection::TooLarge`] beyond [`MAX_ENCRYPTED_TOKEN_BYTES`], for a header beyond 2 kB, and for a token inside
    ///   beyond [`MAX_TOKEN_BYTES`];
    /// - [`Rejection::NotCompactJwe`] and [`Rejection::Base64`] for its form;
    /// - for its header, in this order: [`Rejection::HeaderMalformed`], [`Rejection::HeaderDuplicate`],
    ///   [`Rejection::CriticalHeader`], [`Rejection::KeyInHeader`], [`Rejection::HeaderUnsupported`] (`zip`),
    ///   [`Rejection::EncryptionNotAllowed`], [`Rejection::Type`], [`Rejection::ContentType`],
    ///   [`Rejection::KeyIdMalformed`];
    /// - [`Rejection::DecryptionKeyUnknown`] and [`Rejection::ThumbprintMismatch`] for the key it names;
    /// - [`Rejection::EncryptionLength`] for a segment that cannot have this length;
    /// - [`Rejection::DecryptionFailed`] if nothing but trying could tell;
    /// - [`Rejection::NotCompactJws`] if what comes out is not ASCII text.
    ///
    /// Source: RFC 7516 §5.2 and §11.5.
    ///
    /// ```
    /// use countersign_token::{
    ///     Claims, DecryptionKeys, KeySet, Rejection, Timestamp, Validator, Verified, is_encrypted, verify,
    /// };
    ///
    /// /// What is encrypted is decrypted once; either way it is verified.
    /// fn admit(
    ///     raw: &str,
    ///     own: &DecryptionKeys,
    ///     keys: &KeySet,
    ///     validator: &Validator,
    ///     now: Timestamp,
    /// ) -> Result<Verified<Claims>, Rejection> {
    ///     if is_encrypted(raw) {
    ///         verify(own.decrypt(raw)?.as_str(), keys, validator, now)
    ///     } else {
    ///         verify(raw, keys, validator, now)
    ///     }
    /// }
    /// ```
    pub fn decrypt(&self, jwe: &str) -> Result<DecryptedToken, Rejection> {
        if jwe.len() > MAX_ENCRYPTED_TOKEN_BYTES {
            return Err(Rejection::TooLarge);
        }
        let [protected, encrypted_key, vector, ciphertext, tag] = segments(jwe)?;
        if protected.len() > MAX_HEADER_BYTES {
            return Err(Rejection::TooLarge);
        }
        let header = Header::parse(protected)?;
        let mut keys = self.named(&header.names)?;
        let encrypted_key = decode("encrypted key", encrypted_key)?;
        let sealed = Sealed {
            protected: protected.as_bytes(),
            vector: decode("initialization vector", vector)?,
            ciphertext: decode("ciphertext", ciphertext)?,
            tag: decode("authentication tag", tag)?,
        };
        header.encryption.check_lengths(&sealed)?;
        // As long as the modulus, or it was not encrypted to this key (RFC 8017 §7.1.2, step 1).
        keys.retain(|key| key.modulus_length() == encrypted_key.len());
        if keys.is_empty() {
            return Err(Rejection::EncryptionLength("encrypted key"));
        }
        let content = keys.iter().find_map(|key| {
            let content_key = key.unwrap_key(header.algorithm, &encrypted_key, header.encryption.key_length());
            header.encryption.open(&content_key, &sealed)
        });
        DecryptedToken::from_content(content.ok_or(Rejection::DecryptionFailed)?)
    }

    /// The keys that a header may mean: those it names, or all of them if it names none, as Entra's headers have done
    /// (IdentityModel extensions for .NET, issue 1431).
    fn named(&self, names: &KeyNames) -> Result<SmallVec<[&DecryptionKey; MAX_DECRYPTION_KEYS]>, Rejection> {
        let mut keys: SmallVec<[&DecryptionKey; MAX_DECRYPTION_KEYS]> = match &names.key_id {
            Some(key_id) => self.0.iter().filter(|key| key.has_id(key_id)).collect(),
            None => self.0.iter().filter(|key| key.has_thumbprints(names)).collect(),
        };
        if keys.is_empty() {
            return Err(Rejection::DecryptionKeyUnknown);
        }
        // Beside a kid, a thumbprint can only contradict; a key without a certificate has none that could.
        keys.retain(|key| !key.has_certificate() || key.has_thumbprints(names));
        if keys.is_empty() { Err(Rejection::ThumbprintMismatch) } else { Ok(keys) }
    }
}

/// Exactly five segments, none of them empty: RSA leaves no encrypted key empty (as `dir` does), the modes no vector
/// and no tag, and an empty ciphertext holds no token.
fn segments(jwe: &str) -> Result<[&str; 5], Rejection> {
    let mut parts = jwe.splitn(6, '.');
    let mut five = [""; 5];
    for place in &mut five {
        *place = parts.next().filter(|part| !part.is_empty()).ok_or(Rejection::NotCompactJwe)?;
    }
    if parts.next().is_some() { Err(Rejection::NotCompactJwe) } else { Ok(five) }
}

fn decode(name: &'static str, segment: &str) -> Result<Vec<u8>, Rejection> {
    decode_strict(segment.as_bytes()).map_err(|_| Rejection::Base64(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_segments_and_no_other_number_look_encrypted() {
        for (raw, encrypted) in [("", false), ("a", false), ("a.b.c", false), ("a.b.c.d", false), ("a.b.c.d.e", true)] {
            assert_eq!(is_encrypted(raw), encrypted, "{raw}");
        }
        assert!(is_encrypted("...."));
        assert!(!is_encrypted("a.b.c.d.e.f"));
        assert!(!is_encrypted(&".".repeat(100_000)));
    }

    #[test]
    fn segments_are_five_and_none_is_empty() {
        assert_eq!(segments("a.b.c.d.e").unwrap(), ["a", "b", "c", "d", "e"]);
        for jwe in ["", "a.b.c", "a.b.c.d", "a.b.c.d.e.f", "a.b.c.d.e.", ".b.c.d.e", "a..c.d.e", "a.b.c.d.", "...."] {
            assert_eq!(segments(jwe), Err(Rejection::NotCompactJwe), "{jwe}");
        }
    }

    #[test]
    fn what_was_inside_is_ascii_of_a_tokens_length_and_never_printed() {
        let from = |content: &[u8]| DecryptedToken::from_content(Zeroizing::new(content.to_vec()));
        assert_eq!(from(b"a.b.c").unwrap().as_str(), "a.b.c");
        assert_eq!(from(&[b'a'; MAX_TOKEN_BYTES]).unwrap().as_str().len(), MAX_TOKEN_BYTES);
        assert_eq!(from(&[b'a'; MAX_TOKEN_BYTES + 1]).unwrap_err(), Rejection::TooLarge);
        assert_eq!(from("a.b.\u{e9}".as_bytes()).unwrap_err(), Rejection::NotCompactJws);
        assert_eq!(from(b"a.b.\xff").unwrap_err(), Rejection::NotCompactJws);
        assert_eq!(format!("{:?}", from(b"secret").unwrap()), "DecryptedToken([redacted])");
    }
}
