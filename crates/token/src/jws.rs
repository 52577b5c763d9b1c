//! The compact form (RFC 7515 §7.1), read strictly: three segments, canonical base64url, a header without surprises.

use std::fmt;

use base64_simd::Out;
use serde::de::{self, MapAccess, Visitor};
use smallvec::SmallVec;

use crate::base64url::decode_strict;
use crate::json::{NESTED_DUPLICATE, SkipStrictly};
use crate::{Algorithm, PublicKey, Rejection};

/// Longer tokens are refused before anything of them is read. Entra's largest, with 200 groups, stay below 12 kB.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

pub(crate) const MAX_HEADER_BYTES: usize = 2 * 1024;
pub(crate) const MAX_KEY_ID_BYTES: usize = 128;

/// A signature of up to 2048 bits needs no memory of its own.
type Signature = SmallVec<[u8; 256]>;

/// A compact JWS taken apart. **Nothing of it is verified**: it serves to find the key.
pub struct UnverifiedJws<'a> {
    header: Header,
    signed: Signed<'a>,
}

/// The three segments of a compact JWS, still encoded.
#[derive(Clone, Copy)]
pub(crate) struct Segments<'a> {
    pub(crate) header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signing_input: &'a [u8],
}

/// What is signed, and the signature.
pub(crate) struct Signed<'a> {
    signing_input: &'a [u8],
    payload: &'a str,
    signature: Signature,
}

impl fmt::Debug for UnverifiedJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJws").field("header", &self.header).finish_non_exhaustive()
    }
}

/// What of a header matters.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) key_id: Option<String>,
    pub(crate) thumbprint: Option<String>,
    refusal: Option<Rejection>,
    graph: bool,
}

impl<'a> UnverifiedJws<'a> {
    /// Takes a compact JWS apart.
    ///
    /// # Errors
    /// The [`Rejection`] variants from `TooLarge` to `Type`, and those about `kid`.
    pub fn parse(raw: &'a str) -> Result<Self, Rejection> {
        let segments = Segments::split(raw)?;
        Ok(Self { header: Header::parse(segments.header)?, signed: segments.signed()? })
    }

    /// The `kid`, unverified: an index into a trusted set, nothing else.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// The payload's bytes if `key` signed them with the header's `alg`.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmNotAllowed`] for an `alg` that is not among `allowed`, [`Rejection::SignatureInvalid`], and
    /// [`Rejection::Base64`] for a signed payload that is not base64url.
    pub fn verify(&self, key: &PublicKey, allowed: &[Algorithm]) -> Result<Vec<u8>, Rejection> {
        let algorithm = self
            .header
            .algorithm
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(Rejection::AlgorithmNotAllowed)?;
        self.signed.verify(key, algorithm)
    }
}

impl<'a> Segments<'a> {
    /// # Errors
    /// [`Rejection::TooLarge`], [`Rejection::NotCompactJws`].
    pub(crate) fn split(raw: &'a str) -> Result<Self, Rejection> {
        if raw.len() > MAX_TOKEN_BYTES {
            return Err(Rejection::TooLarge);
        }
        // From the outside in: a fourth segment leaves a dot inside the payload, and 100,000 dots cost no more than three
        // look-ups.
        let bytes = raw.as_bytes();
        let first = memchr::memchr(b'.', bytes).ok_or(Rejection::NotCompactJws)?;
        let last = memchr::memrchr(b'.', bytes).filter(|last| *last > first + 1).ok_or(Rejection::NotCompactJws)?;
        let (header, payload, signature) = (&raw[..first], &raw[first + 1..last], &raw[last + 1..]);
        if header.is_empty() || signature.is_empty() || memchr::memchr(b'.', payload.as_bytes()).is_some() {
            return Err(Rejection::NotCompactJws);
        }
        if header.len() > MAX_HEADER_BYTES {
            return Err(Rejection::TooLarge);
        }
        Ok(Self { header, payload, signature, signing_input: &bytes[..last] })
    }

    /// # Errors
    /// [`Rejection::Base64`].
    pub(crate) fn signed(self) -> Result<Signed<'a>, Rejection> {
        let text = self.signature.as_bytes();
        let refused = Rejection::Base64("signature");
        // Three bytes of four characters; a length that encodes nothing is found by whoever decodes.
        let mut signature: Signature = SmallVec::from_elem(0, text.len() / 4 * 3 + text.len() % 4);
        let decoded = base64_simd::URL_SAFE_NO_PAD.decode(text, Out::from_slice(&mut signature));
        let length = decoded.map_err(|_| refused)?.len();
        signature.truncate(length);
        Ok(Signed { signing_input: self.signing_input, payload: self.payload, signature })
    }
}

impl Signed<'_> {
    /// The payload's bytes if `key` signed them.
    ///
    /// # Errors
    /// [`Rejection::SignatureInvalid`], and [`Rejection::Base64`] for a signed payload that is not base64url.
    pub(crate) fn verify(&self, key: &PublicKey, algorithm: Algorithm) -> Result<Vec<u8>, Rejection> {
        if !key.verifies(algorithm, self.signing_input, &self.signature) {
            return Err(Rejection::SignatureInvalid);
        }
        decode_strict(self.payload.as_bytes()).map_err(|_| Rejection::Base64("payload"))
    }
}

impl Header {
    pub(crate) fn parse(segment: &str) -> Result<Self, Rejection> {
        let json = decode_strict(segment.as_bytes()).map_err(|_| Rejection::Base64("header"))?;
        let json = std::str::from_utf8(&json).map_err(|_| Rejection::HeaderMalformed)?;
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let header = de::Deserializer::deserialize_map(&mut deserializer, HeaderVisitor)
            .and_then(|header| deserializer.end().map(|()| header))
            .map_err(|error| {
                let text = error.to_string();
                if text.starts_with(DUPLICATE) || text.starts_with(NESTED_DUPLICATE) {
                    Rejection::HeaderDuplicate
                } else {
                    Rejection::HeaderMalformed
                }
            })?;
        if let Some(refusal) = header.refusal {
            return Err(refusal);
        }
        match &header.key_id {
            Some(key_id) if key_id.is_empty() || key_id.len() > MAX_KEY_ID_BYTES => Err(Rejection::KeyIdMalformed),
            Some(key_id) if !key_id.bytes().all(|byte| byte.is_ascii_graphic()) => Err(Rejection::KeyIdMalformed),
            _ if header.graph => Err(Rejection::GraphToken),
            _ => Ok(header),
        }
    }
}

const DUPLICATE: &str = "duplicate header member";

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut seen: SmallVec<[std::borrow::Cow<'de, str>; 8]> = SmallVec::new();
        let mut algorithm_seen = false;
        while let Some(name) = members.next_key::<Name<'de>>()? {
            let name = name.0;
            if seen.contains(&name) {
                return Err(de::Error::custom(DUPLICATE));
            }
            if seen.len() == 32 {
                return Err(de::Error::custom("too many header members"));
            }
            match name.as_ref() {
                "alg" => {
                    algorithm_seen = true;
                    header.algorithm = Algorithm::from_name(&members.next_value::<Name<'de>>()?.0);
                }
                "kid" => header.key_id = Some(members.next_value::<Name<'de>>()?.0.into_owned()),
                "x5t" => header.thumbprint = Some(members.next_value::<Name<'de>>()?.0.into_owned()),
                // Nothing here reads them, but RFC 7515 §4.1.8 and RFC 8555 §6.4.1 make them strings, and readers who do
                // read them refuse all else.
                "x5t#S256" => {
                    if decode_strict(members.next_value::<Name<'de>>()?.0.as_bytes()).is_err() {
                        return Err(de::Error::custom("x5t#S256 is not base64url"));
                    }
                }
                "url" => drop(members.next_value::<Name<'de>>()?),
                "typ" => {
                    // Entra writes JWT; at+jwt, dpop+jwt, logout+jwt and the rest are other kinds of token.
                    if members.next_value::<Name<'de>>()?.0 != "JWT" {
                        header.refusal.get_or_insert(Rejection::Type);
                    }
                }
                known => {
                    let refusal = match known {
                        "crit" => Some(Rejection::CriticalHeader),
                        "jwk" => Some(Rejection::KeyInHeader("jwk")),
                        "jku" => Some(Rejection::KeyInHeader("jku")),
                        "x5c" => Some(Rejection::KeyInHeader("x5c")),
                        "x5u" => Some(Rejection::KeyInHeader("x5u")),
                        "b64" => Some(Rejection::HeaderUnsupported("b64")),
                        "zip" => Some(Rejection::HeaderUnsupported("zip")),
                        "enc" => Some(Rejection::HeaderUnsupported("enc")),
                        "cty" => Some(Rejection::HeaderUnsupported("cty")),
                        _ => None,
                    };
                    header.graph |= known == "nonce";
                    if let Some(refusal) = refusal {
                        header.refusal.get_or_insert(refusal);
                    }
                    members.next_value_seed(SkipStrictly)?;
                }
            }
            seen.push(name);
        }
        if !algorithm_seen {
            return Err(de::Error::missing_field("alg"));
        }
        Ok(header)
    }
}

/// A string, borrowed from the input unless it has escapes.
pub(crate) struct Name<'a>(pub(crate) std::borrow::Cow<'a, str>);

impl<'de> de::Deserialize<'de> for Name<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(text.to_owned().into()))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PrivateKey, base64url_encode};

    /// A signed token over any payload, and its key.
    fn signed(payload: &[u8]) -> (String, PrivateKey) {
        let key = PrivateKey::from_pkcs8_der(&PrivateKey::generate_pkcs8().unwrap()).unwrap();
        let input = format!("{}.{}", base64url_encode(br#"{"alg":"PS256","kid":"k"}"#), base64url_encode(payload));
        let signature = key.sign(Algorithm::Ps256, input.as_bytes()).unwrap();
        (format!("{input}.{}", base64url_encode(&signature)), key)
    }

    #[test]
    fn the_payload_comes_out_only_under_the_key_and_an_allowed_algorithm() {
        let (token, key) = signed(b"any bytes \xff");
        let jws = UnverifiedJws::parse(&token).unwrap();
        assert_eq!(jws.key_id(), Some("k"));
        let verify = |allowed: &[Algorithm]| jws.verify(key.public_key(), allowed);
        assert_eq!(verify(&[Algorithm::Rs256, Algorithm::Ps256]).unwrap(), b"any bytes \xff");
        assert_eq!(verify(&[]), Err(Rejection::AlgorithmNotAllowed));
        assert_eq!(verify(&[Algorithm::Rs256]), Err(Rejection::AlgorithmNotAllowed));
        let (_, other) = signed(b"x");
        assert_eq!(jws.verify(other.public_key(), &[Algorithm::Ps256]), Err(Rejection::SignatureInvalid));
    }

    #[test]
    fn an_unknown_algorithm_is_found_out_at_the_latest_when_verifying() {
        let token = format!("{}.AA.AA", base64url_encode(br#"{"alg":"HS256"}"#));
        let jws = UnverifiedJws::parse(&token).unwrap();
        let (_, key) = signed(b"x");
        assert_eq!(jws.key_id(), None);
        assert_eq!(jws.verify(key.public_key(), &[Algorithm::Rs256]), Err(Rejection::AlgorithmNotAllowed));
    }

    #[test]
    fn the_first_member_that_must_not_be_there_is_named() {
        let refusal = |header: &str| {
            UnverifiedJws::parse(&format!("{}.AA.AA", base64url_encode(header.as_bytes()))).map(|_| ()).unwrap_err()
        };
        assert_eq!(refusal(r#"{"alg":"RS256","jku":"x","crit":[]}"#), Rejection::KeyInHeader("jku"));
        assert_eq!(refusal(r#"{"crit":[],"jku":"x","alg":"RS256"}"#), Rejection::CriticalHeader);
        assert_eq!(refusal(r#"{"alg":"RS256","typ":"x","zip":"DEF","kid":""}"#), Rejection::Type);
        assert_eq!(refusal(r#"{"alg":"RS256","kid":"","nonce":"x"}"#), Rejection::KeyIdMalformed);
        assert_eq!(refusal(r#"{"crit":[],"crit":[],"alg":"RS256"}"#), Rejection::HeaderDuplicate);
        assert_eq!(refusal(r#"{"crit":[]}"#), Rejection::HeaderMalformed);
    }
}
