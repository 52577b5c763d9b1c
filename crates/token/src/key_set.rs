//! Key sets as Entra publishes them (RFC 7517 §5): no `alg`, an `issuer` of their own, now and then a key nobody can use.
//!
//! One bad key never sinks the set: it is skipped, with the reason kept for operators. Two different keys under one
//! `kid` are both left out, since nobody can say which was meant.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::Algorithm;
use crate::base64url::base64url_decode_strict;
use crate::issuer::IssuerTemplate;
use crate::json::parse_strict_object;
use crate::verification_key::{KeyError, PublicKey, VerificationKey};

/// A set with more keys is refused. Entra's largest, at `common`, has had 14 (recorded 2024).
pub const MAX_KEYS: usize = 100;

const MAX_BYTES: usize = 512 * 1024;

const AMBIGUOUS: &str = "two different keys share this kid";

/// The document is not a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Over 512 kB.
    #[error("the key set is larger than 512 kB")]
    TooLarge,
    /// Not UTF-8, not one JSON object, or a member stands twice.
    #[error("the key set is not one JSON object without duplicate members")]
    Malformed,
    /// No array `keys`.
    #[error("the key set has no array 'keys'")]
    NoKeys,
    /// More than [`MAX_KEYS`].
    #[error("the key set has more than 100 keys")]
    TooManyKeys,
}

/// A key that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its `kid`, if it had one; escaped for logs, at most 128 characters.
    pub key_id: Option<String>,
    /// Why it is not used.
    pub reason: &'static str,
}

/// The usable keys of a set, by `kid`.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
    by_id: HashMap<Arc<str>, usize>,
    skipped: Vec<SkippedKey>,
}

impl KeySet {
    /// Reads a JWK set.
    ///
    /// # Errors
    /// [`KeySetError`] if the document as a whole is none; single bad keys are in [`KeySet::skipped`].
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > MAX_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let text = std::str::from_utf8(json).map_err(|_| KeySetError::Malformed)?;
        let document = parse_strict_object(text).map_err(|_| KeySetError::Malformed)?;
        let Some(Value::Array(keys)) = document.get("keys") else { return Err(KeySetError::NoKeys) };
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut set = Self::default();
        let mut ambiguous = Vec::new();
        for jwk in keys {
            match jwk.as_object().ok_or("not an object").and_then(read_key) {
                Ok(key) => match set.by_id.get(&key.key_id) {
                    // A key listed twice is one key; another key under the same name makes both unusable.
                    Some(&at) if set.keys[at].same_as(&key) => {}
                    Some(_) => ambiguous.push(key.key_id),
                    None => set.insert(key),
                },
                Err(reason) => set.skipped.push(SkippedKey { key_id: printable_key_id(jwk), reason }),
            }
        }
        if !ambiguous.is_empty() {
            let skipped = std::mem::take(&mut set.skipped);
            set = Self::from_keys(set.keys.into_iter().filter(|key| !ambiguous.contains(&key.key_id)));
            set.skipped = skipped;
            set.skipped
                .extend(ambiguous.iter().map(|id| SkippedKey { key_id: Some(id.to_string()), reason: AMBIGUOUS }));
        }
        Ok(set)
    }

    fn insert(&mut self, key: VerificationKey) {
        self.by_id.insert(Arc::clone(&key.key_id), self.keys.len());
        self.keys.push(key);
    }

    fn from_keys(keys: impl Iterator<Item = VerificationKey>) -> Self {
        let mut set = Self::default();
        keys.for_each(|key| set.insert(key));
        set
    }

    /// The key of that name.
    #[must_use]
    pub fn find(&self, key_id: &str) -> Option<&VerificationKey> {
        self.by_id.get(key_id).map(|&at| &self.keys[at])
    }

    /// The key whose genuine tokens have this header, letter for letter, and the algorithm that it names. What one reading
    /// of a header came to, every reading comes to; so all tokens of a key but the first are spared theirs.
    pub(crate) fn find_by_header(&self, segment: &str) -> Option<(&VerificationKey, Algorithm)> {
        self.keys.iter().find_map(|key| Some((key, key.algorithm_of(segment)?)))
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nothing can be verified with this set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The usable keys, in published order.
    pub fn keys(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter()
    }

    /// The names of the usable keys.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(VerificationKey::key_id)
    }

    /// What was left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Without the keys that name another cloud than `cloud_instance_name`: a sovereign cloud's key must not speak for
    /// another one. Keys that name none stay.
    #[must_use]
    pub fn for_cloud(&self, cloud_instance_name: &str) -> Self {
        let fits = |key: &&VerificationKey| key.cloud.as_deref().is_none_or(|cloud| cloud == cloud_instance_name);
        let mut set = Self::from_keys(self.keys.iter().filter(fits).cloned());
        set.skipped = self.skipped.clone();
        set.skipped.extend(self.keys.iter().filter(|key| !fits(key)).map(|key| SkippedKey {
            key_id: Some(key.key_id.to_string()),
            reason: "the key belongs to another cloud",
        }));
        set
    }

    /// The keys of both sets. A key that both list keeps what either says about it: v1.0 documents have no `issuer`, and
    /// joining one with a v2.0 document must not free a key of the issuer it was published for. On a name that stands
    /// for different keys, or for one key with contradicting members, neither is kept.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = Self { skipped: [self.skipped.as_slice(), &other.skipped].concat(), ..Self::default() };
        for key in &self.keys {
            match other.find(&key.key_id).map_or_else(|| Some(key.clone()), |twin| key.joined_with(twin)) {
                Some(key) => union.insert(key),
                None => union.skipped.push(SkippedKey { key_id: Some(key.key_id.to_string()), reason: AMBIGUOUS }),
            }
        }
        for key in &other.keys {
            if self.find(&key.key_id).is_none() {
                union.insert(key.clone());
            }
        }
        union
    }
}

fn printable_key_id(jwk: &Value) -> Option<String> {
    let key_id = jwk.get("kid")?.as_str()?;
    Some(key_id.chars().take(128).flat_map(char::escape_default).collect())
}

fn string<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, &'static str> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("a member has the wrong type"),
    }
}

fn read_key(jwk: &Map<String, Value>) -> Result<VerificationKey, &'static str> {
    if string(jwk, "kty")? != Some("RSA") {
        return Err("not an RSA key");
    }
    let key_id = string(jwk, "kid")?.ok_or("no kid")?;
    if key_id.is_empty() || key_id.len() > 128 || !key_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("kid is not a name of 1 to 128 printable characters");
    }
    if string(jwk, "use")?.is_some_and(|usage| usage != "sig") {
        return Err("not for signatures (use)");
    }
    match jwk.get("key_ops") {
        None => {}
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => {}
        Some(_) => return Err("not for verifying (key_ops)"),
    }
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.contains_key(*name)) {
        return Err("the key is published with its private part");
    }
    let algorithm = match string(jwk, "alg")? {
        None => None,
        Some(name) => Some(Algorithm::from_name(name).ok_or("for an algorithm that is not verified here (alg)")?),
    };
    let integer =
        |name| string(jwk, name)?.and_then(|text| base64url_decode_strict(text).ok()).ok_or("n or e is not base64url");
    let key = PublicKey::from_components(&integer("n")?, &integer("e")?).map_err(|error| match error {
        KeyError::ModulusSize => "the modulus is not between 2048 and 8192 bits",
        KeyError::EvenModulus => "the modulus is even",
        KeyError::Exponent => "the exponent is not an odd number from 3 to 33 bits",
        KeyError::Roca => "the modulus was made by a faulty generator (CVE-2017-15361)",
        KeyError::Refused => "the crypto library refused the key",
    })?;
    let issuer = match string(jwk, "issuer")? {
        None => None,
        Some(text) => Some(IssuerTemplate::parse(text).ok_or("its issuer names no tenant")?),
    };
    Ok(VerificationKey {
        key_id: key_id.into(),
        key,
        thumbprint: string(jwk, "x5t")?.map(Into::into),
        algorithm,
        issuer,
        cloud: string(jwk, "cloud_instance_name")?.map(Into::into),
        header: OnceLock::new(),
    })
}
