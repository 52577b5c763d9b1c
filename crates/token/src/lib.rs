//! What is proven: JOSE, claim sets, signing, and the one way from a string to verified claims.
//!
//! This room does no I/O. Keys, time and randomness are arguments; what comes out is either [`Verified`] or a
//! [`Rejection`] that names the one rule that refused. It knows Entra's access tokens (v1.0 and v2.0) and nothing
//! looser: no symmetric algorithms, no `none`, no key taken from a token's header, no switch that skips issuer, audience
//! or signature.
//!
//! - [`verify`] reads an access token strictly and applies a [`Policy`] whole.
//! - [`assertion`] reads client assertions, whose real senders pad and mis-spell, leniently; it is a separate way with a
//!   type of its own, so that leniency cannot reach access tokens.
//! - [`KeySet`] holds what an issuer publishes; [`SigningKey`] and [`JwsSigner`] make tokens.
//! - [`Vault`] keeps secrets as keyed hashes and private keys sealed.
//! - `DecryptionKeys` (feature `token-decryption`) takes an encrypted token out of its envelope, still to be verified.
//!
//! ```
//! use countersign_token::{KeySet, Policy, Rejection, Timestamp, verify};
//!
//! let policy: Policy = serde_json::from_str(r#"{
//!     "tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"],
//!     "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0"],
//!     "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
//!     "app_roles": ["Resource.Read"]
//! }"#)?;
//! let validator = policy.compile()?;
//! let keys = KeySet::parse(br#"{"keys":[]}"#)?;
//! let refused = verify("not a token", &keys, &validator, Timestamp::from_unix_seconds(1_767_225_600));
//! assert_eq!(refused.unwrap_err().code(), "not_compact_jws");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Read on in [`policy`] for the rules, in [`rejection`](Rejection) for the codes.

mod algorithm;
pub mod assertion;
mod assertion_signer;
mod base64url;
mod certificate;
mod certificate_chain;
mod claims;
mod digest;
#[cfg(feature = "token-decryption")]
mod encryption;
mod federated_assertion;
mod id;
mod issuer;
mod json;
mod jws;
mod key_set;
pub mod policy;
#[cfg(feature = "proof-of-possession")]
mod possession;
mod private_key;
mod random;
mod rejection;
mod rsa_modulus;
mod signing;
mod time;
mod vault;
mod verification_key;
mod verify;

pub use algorithm::{Algorithm, UnsupportedAlgorithm};
pub use assertion_signer::{AssertionAlgorithm, ClientAssertionSigner, SignerError};
pub use base64url::{
    Base64Error, base64_decode_lenient, base64_encode_standard, base64url_decode_strict, base64url_encode,
};
pub use certificate::{Certificate, CertificateError};
pub use certificate_chain::{ChainError, verify_certificate_chain};
pub use claims::{Claims, ClientAuthentication, TokenKind, TokenVersion};
pub use digest::sha256;
#[cfg(feature = "token-decryption")]
pub use encryption::{
    DecryptedToken, DecryptionKey, DecryptionKeyError, DecryptionKeys, MAX_DECRYPTION_KEYS, MAX_ENCRYPTED_TOKEN_BYTES,
    is_encrypted,
};
pub use federated_assertion::{FederatedAssertion, FederatedAssertionError, MAX_FEDERATED_ASSERTION_BYTES};
pub use id::{ClientId, IdError, ObjectId, TenantId};
pub use json::{DuplicateMember, StrictJsonError, parse_strict_object};
pub use jws::{MAX_TOKEN_BYTES, UnverifiedJws};
pub use key_set::{KeySet, KeySetError, MAX_KEYS, SkippedKey};
pub use policy::{Policy, PolicyError, Validator};
#[cfg(feature = "proof-of-possession")]
pub use possession::{
    MAX_SIGNED_HTTP_REQUEST_BYTES, Origin, OriginError, PROOF_CLOCK_SKEW_SECONDS, ProofAlgorithm, ProofError, ProofId,
    ProofKey, ProvenRequest, SignedHttpRequest, verify_dpop,
};
pub use private_key::{PrivateKey, PrivateKeyError};
pub use random::{Randomness, SeededRandomness, SystemRandomness};
pub use rejection::Rejection;
pub use signing::{JwsSigner, SigningError, SigningKey};
pub use time::{Clock, FakeClock, NumericDate, OffsetClock, SystemClock, Timestamp};
pub use vault::{RootKey, SecretHash, Vault, VaultError};
pub use verification_key::{KeyError, PublicKey, VerificationKey};
pub use verify::{Verified, authenticate, verify};
