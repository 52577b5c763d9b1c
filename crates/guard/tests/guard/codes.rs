//! The guard's own codes, frozen: programs and alerts are written against them. Those of tokens are the token room's.

use countersign_guard::{BindingError, CredentialError, Refusal, Rejection};
use countersign_token::{NumericDate, ProofError};

#[test]
fn the_codes_are_those_of_the_golden_file() {
    use ProofError as P;
    let of_requests = [
        Refusal::Credential(CredentialError::Missing),
        Refusal::Credential(CredentialError::Several),
        Refusal::Credential(CredentialError::Malformed),
        Refusal::Predicate("any"),
        Refusal::Revoked(NumericDate(0)),
        Refusal::ForeignRule,
        Refusal::GroupsUnavailable,
    ];
    let of_bindings = [
        BindingError::NoProof,
        BindingError::OtherCertificate,
        BindingError::Header,
        BindingError::Unsupported,
        BindingError::NotBound,
        BindingError::SeveralProofs,
        BindingError::Replayed,
        BindingError::MemoryFull,
    ];
    let of_proofs = [
        P::TooLarge,
        P::Malformed,
        P::Type,
        P::HeaderUnsupported("crit"),
        P::AlgorithmNotAllowed,
        P::Key,
        P::PrivateKey,
        P::SignatureInvalid,
        P::KeyMismatch,
        P::ClaimMissing("jti"),
        P::ClaimMalformed("jti"),
        P::TokenMismatch,
        P::MethodMismatch,
        P::AddressMismatch,
        P::Stale,
        P::MadeInFuture,
    ];
    let refusals = of_requests
        .into_iter()
        .chain(of_bindings.map(Refusal::Binding))
        .chain(of_proofs.map(|error| Refusal::Binding(BindingError::Proof(error))));
    let lines: String = refusals.map(|refusal| format!("{} {}\n", refusal.code(), refusal.status().as_u16())).collect();
    assert_eq!(lines, include_str!("golden/codes.txt"));
    assert_eq!(Refusal::Token(Rejection::Expired).code(), "expired", "a token's own");
}
