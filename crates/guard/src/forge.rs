//! An issuer inside the process, for tests and for development: a key made at start, and tokens that fit a policy.
//!
//! What it signs is verified like everybody's tokens, so that nothing can be tried here that would not hold elsewhere.

use countersign_discovery::KeySource;
use countersign_token::{
    Algorithm, KeySet, Policy, PrivateKeyError, SigningKey, TokenKind, TokenVersion, base64url_encode,
};
use serde_json::{Map, Value, json};

/// Who calls when nobody was named.
pub(crate) const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";
/// The service principal, or the user.
pub(crate) const OBJECT: &str = "33333333-6f5e-4d3c-9b8a-0f1e2d3c4b5a";

/// Why no token can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgeError {
    /// No key could be made, or nothing signed with it.
    #[error("no key could be made")]
    Key(#[from] PrivateKeyError),
    /// Nothing could be signed.
    #[error("nothing could be signed")]
    Signing(#[from] countersign_token::SigningError),
    /// The key set could not be read back.
    #[error("the key set could not be read back")]
    Keys(#[from] countersign_token::KeySetError),
    /// The policy lets nobody in, whatever the token says: a list that must name somebody is empty.
    #[error("the policy's {0} is empty, so that no token fits it")]
    Nobody(&'static str),
}

/// A key, and what a policy asks of tokens.
pub(crate) struct Forge {
    pub(crate) key: SigningKey,
    pub(crate) policy: Policy,
}

impl Forge {
    pub(crate) fn new(policy: &Policy) -> Result<Self, ForgeError> {
        let key = SigningKey::from_pkcs8_der("countersign-in-process", &SigningKey::generate_pkcs8()?)?;
        Ok(Self { key, policy: policy.clone() })
    }

    /// The key set that holds the key, as an issuer publishes it.
    pub(crate) fn jwks(&self) -> Value {
        let public = self.key.private_key().public_key();
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "kid": self.key.key_id(), "x5t": self.key.key_id(),
            "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent())
        }]})
    }

    pub(crate) fn keys(&self) -> Result<KeySource, ForgeError> {
        Ok(KeySource::fixed(KeySet::parse(self.jwks().to_string().as_bytes())?))
    }

    /// The claims of a token that is the policy's in everything but permissions: its first issuer and tenant, and the
    /// audience that goes with that version.
    pub(crate) fn claims(&self, kind: TokenKind, now: i64) -> Result<Map<String, Value>, ForgeError> {
        let policy = &self.policy;
        let version = |issuer: &&String| {
            let version = if issuer.ends_with("/v2.0") { TokenVersion::V2 } else { TokenVersion::V1 };
            policy.versions.contains(&version)
        };
        let issuer = policy.issuers.iter().find(version).ok_or(ForgeError::Nobody("issuers"))?;
        let tenant = match policy.tenants.first() {
            Some(tenant) => tenant.to_string(),
            None if policy.any_tenant => "72f988bf-86f1-41af-91ab-2d7cd011db47".to_owned(),
            None => return Err(ForgeError::Nobody("tenants")),
        };
        let is_v2 = issuer.ends_with("/v2.0");
        let has_form = |audience: &&String| audience.contains(':') != is_v2;
        let audience = policy.audiences.iter().find(has_form).or(policy.audiences.first());
        let client = match policy.clients.as_deref() {
            None => CLIENT.to_owned(),
            Some([first, ..]) => first.to_string(),
            Some([]) => return Err(ForgeError::Nobody("clients")),
        };
        let (caller, proof) = if is_v2 { ("azp", "azpacr") } else { ("appid", "appidacr") };
        let Value::Object(mut claims) = json!({
            "aud": audience.ok_or(ForgeError::Nobody("audiences"))?,
            "iss": issuer.replace("{tenantid}", &tenant), "tid": tenant, "ver": if is_v2 { "2.0" } else { "1.0" },
            "iat": now - 60, "nbf": now - 60, "exp": now + 3_600, "oid": OBJECT, "uti": "made-in-this-process",
        }) else {
            return Ok(Map::new());
        };
        claims.insert(caller.to_owned(), client.into());
        claims.insert(proof.to_owned(), "2".into());
        match kind {
            TokenKind::App => claims.insert("sub".to_owned(), OBJECT.into()),
            TokenKind::User => claims.insert("sub".to_owned(), "made-in-this-process".into()),
        };
        if kind == TokenKind::User {
            claims.insert("scp".to_owned(), "".into());
        }
        Ok(claims)
    }

    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> Result<String, ForgeError> {
        let algorithm = self.policy.algorithms.first().copied().unwrap_or(Algorithm::Rs256);
        let header = json!({"typ": "JWT", "alg": algorithm, "kid": self.key.key_id()});
        Ok(self.key.signer(algorithm, &header)?.sign(claims)?)
    }
}
