//! Key sets as Entra publishes them.
//!
//! Members of a key stand in a fixed order, `alg` is absent, `kid` equals `x5t`, and v1.0's keys have no `issuer`.
//! This is the publisher's side; validators read key sets with `countersign_token::KeySet`, which decides which keys are
//! fit to verify anything. A private or symmetric member cannot be expressed here (pitfall B76).

use countersign_token::{base64_encode_standard, base64url_encode};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::decode::{DecodeError, Members};
use crate::token_response::text;
use crate::version::EndpointVersion;

/// One published RSA key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedKey {
    /// `kid`: base64url of the certificate's SHA-1 thumbprint.
    pub key_id: String,
    /// `x5t`: the same text.
    pub thumbprint: String,
    /// `n`: base64url, not padded.
    pub modulus: String,
    /// `e`: base64url, not padded.
    pub exponent: String,
    /// `x5c`: standard base64 of DER, without line breaks; one certificate.
    pub certificates: Vec<String>,
    /// `cloud_instance_name`: absent from many recorded keys, present in the newest.
    pub cloud_instance_name: Option<String>,
    /// `issuer`: v2.0 only; often the template with `{tenantid}`.
    pub issuer: Option<String>,
}

impl PublishedKey {
    /// A key from the big-endian numbers of its public half and its certificate's DER.
    ///
    /// `sha1_thumbprint` is that of the certificate; it becomes both `kid` and `x5t`.
    #[must_use]
    pub fn new(sha1_thumbprint: &[u8; 20], modulus: &[u8], exponent: &[u8], certificate_der: &[u8]) -> Self {
        let thumbprint = base64url_encode(sha1_thumbprint);
        Self {
            key_id: thumbprint.clone(),
            thumbprint,
            modulus: base64url_encode(without_leading_zeros(modulus)),
            exponent: base64url_encode(without_leading_zeros(exponent)),
            certificates: vec![base64_encode_standard(certificate_der)],
            cloud_instance_name: None,
            issuer: None,
        }
    }

    /// Adds what only v2.0 publishes: the cloud's name and the issuer, or its template, for whose tokens the key is good.
    #[must_use]
    pub fn with_issuer(mut self, cloud_instance_name: impl Into<String>, issuer: impl Into<String>) -> Self {
        self.cloud_instance_name = Some(cloud_instance_name.into());
        self.issuer = Some(issuer.into());
        self
    }
}

/// RFC 7518 §6.3.1.1: a number has no leading zero octets.
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|&b| b != 0).unwrap_or(number.len());
    &number[start..]
}

/// A key set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishedKeySet {
    /// The keys; their order means nothing.
    pub keys: Vec<PublishedKey>,
}

impl PublishedKeySet {
    /// The JSON document. For v1.0 `cloud_instance_name` and `issuer` are left out.
    #[must_use]
    pub fn to_json(&self, version: EndpointVersion) -> Vec<u8> {
        // Serialising strings into memory cannot fail.
        serde_json::to_vec(&Encoded { value: self, version }).unwrap_or_default()
    }

    /// Reads a key set as text, without deciding whether its keys are good for anything.
    ///
    /// # Errors
    /// [`DecodeError`], naming the member. For verification use `countersign_token::KeySet`, which skips bad keys.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let keys = Members::parse(json)?.objects("keys")?.ok_or(DecodeError::MissingMember("keys"))?;
        let keys: Result<Vec<PublishedKey>, DecodeError> = keys.iter().map(read_key).collect();
        Ok(Self { keys: keys? })
    }
}

fn read_key(members: &Members<'_>) -> Result<PublishedKey, DecodeError> {
    if members.required("kty")? != "RSA" {
        return Err(DecodeError::InvalidValue("kty"));
    }
    let key_id = members.required("kid")?;
    Ok(PublishedKey {
        thumbprint: members.string("x5t")?.unwrap_or_else(|| key_id.clone()),
        key_id,
        modulus: members.required("n")?,
        exponent: members.required("e")?,
        certificates: members.strings("x5c")?.unwrap_or_default(),
        cloud_instance_name: members.string("cloud_instance_name")?,
        issuer: members.string("issuer")?,
    })
}

struct Encoded<'a, T> {
    value: &'a T,
    version: EndpointVersion,
}

impl Serialize for Encoded<'_, PublishedKeySet> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("keys", &Encoded { value: &self.value.keys, version: self.version })?;
        map.end()
    }
}

impl Serialize for Encoded<'_, Vec<PublishedKey>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.value.len()))?;
        for key in self.value {
            seq.serialize_element(&Encoded { value: key, version: self.version })?;
        }
        seq.end()
    }
}

impl Serialize for Encoded<'_, PublishedKey> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = self.value;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kty", "RSA")?;
        map.serialize_entry("use", "sig")?;
        map.serialize_entry("kid", &key.key_id)?;
        map.serialize_entry("x5t", &key.thumbprint)?;
        map.serialize_entry("n", &key.modulus)?;
        map.serialize_entry("e", &key.exponent)?;
        map.serialize_entry("x5c", &key.certificates)?;
        if self.version == EndpointVersion::V2 {
            text(&mut map, "cloud_instance_name", key.cloud_instance_name.as_deref())?;
            text(&mut map, "issuer", key.issuer.as_deref())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_leading_zeros() {
        let key = PublishedKey::new(&[0xfb; 20], &[0, 0, 0xc1, 2], &[1, 0, 1], b"der");
        assert_eq!((key.modulus.as_str(), key.exponent.as_str()), ("wQI", "AQAB"));
        assert_eq!(key.key_id, key.thumbprint);
        assert_eq!(key.certificates, ["ZGVy"]);
    }

    #[test]
    fn v1_leaves_the_issuer_out() {
        let key = PublishedKey::new(&[1; 20], &[5], &[3], b"")
            .with_issuer("microsoftonline.com", "https://x/{tenantid}/v2.0");
        let set = PublishedKeySet { keys: vec![key] };
        let v1 = PublishedKeySet::from_json(&set.to_json(EndpointVersion::V1)).unwrap();
        assert_eq!((&v1.keys[0].issuer, &v1.keys[0].cloud_instance_name), (&None, &None));
        assert_eq!(PublishedKeySet::from_json(&set.to_json(EndpointVersion::V2)).unwrap(), set);
    }

    #[test]
    fn what_is_no_published_key_is_named() {
        assert!(matches!(PublishedKeySet::from_json(b"{}"), Err(DecodeError::MissingMember("keys"))));
        let fault = PublishedKeySet::from_json(br#"{"keys":[{"kty":"oct","kid":"a","k":"secret"}]}"#).unwrap_err();
        assert!(matches!(fault, DecodeError::InvalidValue("kty")));
        let fault = PublishedKeySet::from_json(br#"{"keys":[{"kty":"RSA","kid":"a","e":"AQAB"}]}"#).unwrap_err();
        assert!(matches!(fault, DecodeError::MissingMember("n")));
        let fault = PublishedKeySet::from_json(br#"{"keys":["x"]}"#).unwrap_err();
        assert!(matches!(fault, DecodeError::WrongType { member: "keys", .. }));
    }
}
