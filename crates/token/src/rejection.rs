//! Every way a token can be refused, each its own variant with a stable code.

/// Why a token was refused.
///
/// The text is for operators and holds nothing of the token but member names of ours; [`Rejection::code`] is for
/// programs and never changes its meaning. What a caller gets to see is the guard's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Longer than [`crate::MAX_TOKEN_BYTES`], or its header segment longer than 2 kB. An encrypted token may be longer by
    /// what encryption adds.
    #[error("the token is longer than 16 kB, or its header than 2 kB")]
    TooLarge,
    /// Not three non-empty segments parted by dots: a JWE, a JSON serialisation, an opaque token, or nothing.
    #[error("not a compact JWS: three non-empty segments parted by dots")]
    NotCompactJws,
    /// A segment is not canonical base64url without padding.
    #[error("the {0} is not canonical base64url")]
    Base64(&'static str),
    /// The header is not one JSON object with members of the right types.
    #[error("the header is not one JSON object with members of the right types")]
    HeaderMalformed,
    /// A header member stands twice.
    #[error("a header member stands twice")]
    HeaderDuplicate,
    /// `crit` is present: nothing that must be understood is understood here (RFC 7515 §4.1.11).
    #[error("the header has crit, and no extension is understood")]
    CriticalHeader,
    /// The header carries a key or points at one; keys come from the configured authority only.
    #[error("the header brings a key of its own ({0})")]
    KeyInHeader(&'static str),
    /// The header asks for something an access token never has (`b64`, `zip`, `enc`, `cty`).
    #[error("the header has {0}, which no access token has")]
    HeaderUnsupported(&'static str),
    /// A Microsoft Graph token: its header's `nonce` means that only Graph can verify it.
    #[error("the token is Microsoft Graph's own (nonce in the header): only Graph can verify it")]
    GraphToken,
    /// `typ` is that of another kind of JWT (RFC 8725 §3.11).
    #[error("typ is not JWT")]
    Type,
    /// `alg` is missing, unknown, or not allowed by the policy.
    #[error("alg is not one that the policy allows")]
    AlgorithmNotAllowed,
    /// There is no `kid`.
    #[error("the header has no kid")]
    KeyIdMissing,
    /// The `kid` is empty, longer than 128 bytes, or not printable ASCII.
    #[error("kid is not a name of 1 to 128 printable characters")]
    KeyIdMalformed,
    /// No key of that name is in the key set.
    #[error("no key with this kid is published by the authority")]
    UnknownKey,
    /// The key's own `alg` is another one.
    #[error("the key is for another alg")]
    KeyAlgorithmMismatch,
    /// `x5t` names another certificate than the key's.
    #[error("x5t is not the thumbprint of the key that kid names")]
    ThumbprintMismatch,
    /// The signature does not verify under the named key.
    #[error("the signature does not verify")]
    SignatureInvalid,
    /// The payload is not one JSON object.
    #[error("the payload is not one JSON object")]
    ClaimsMalformed,
    /// A claim stands twice.
    #[error("a claim stands twice")]
    ClaimDuplicate,
    /// There are more than 200 claims.
    #[error("the token has more than 200 claims")]
    TooManyClaims,
    /// A claim that must be there is not.
    #[error("the claim {0} is missing")]
    ClaimMissing(&'static str),
    /// A claim has the wrong JSON type.
    #[error("the claim {0} has the wrong JSON type")]
    ClaimType(&'static str),
    /// A date lies before 1970 or after 9999 (milliseconds, perhaps).
    #[error("the claim {0} is not a date in seconds")]
    ClaimRange(&'static str),
    /// `now >= exp + clock_skew_seconds`.
    #[error("the token has expired")]
    Expired,
    /// `now < nbf - clock_skew_seconds`.
    #[error("the token is not yet valid")]
    NotYetValid,
    /// `iat` lies in the future, or after `exp`.
    #[error("the token says it was issued in the future")]
    IssuedInFuture,
    /// `ver` is neither `1.0` nor `2.0`.
    #[error("ver is neither 1.0 nor 2.0")]
    VersionUnknown,
    /// The policy does not take this `ver`.
    #[error("the policy does not take tokens of this version")]
    VersionNotAllowed,
    /// `tid` is not a GUID in lower case.
    #[error("tid is not a GUID in lower case")]
    TenantMalformed,
    /// `tid` is none of the policy's tenants.
    #[error("the tenant is none of the policy's")]
    TenantNotAllowed,
    /// `iss` is none of the policy's issuers for this `tid` and `ver`.
    #[error("iss is none of the policy's issuers for this tenant and version")]
    IssuerMismatch,
    /// The key set says that this key belongs to another issuer.
    #[error("the key is published for another issuer")]
    KeyIssuerMismatch,
    /// `aud` is none of the policy's audiences.
    #[error("aud is none of the policy's audiences")]
    AudienceMismatch,
    /// An id_token: it is for the client that signed a person in, never for an API (RFC 8725 §3.12).
    #[error("this is an id_token, not an access token")]
    IdToken,
    /// The claim that names the calling application is not a GUID, or `azp` and `appid` differ.
    #[error("the calling application is not named by one GUID")]
    CallerMalformed,
    /// `idtyp`, `scp` and `sub` contradict each other, or the token wraps an actor's (`actort`, `actortoken`).
    #[error("the token is not clearly an application's or a user's")]
    KindContradictory,
    /// The policy does not take tokens of applications, or of users.
    #[error("the policy does not take this kind of caller")]
    KindNotAllowed,
    /// The calling application is none of the policy's clients.
    #[error("the calling application is none of the policy's clients")]
    ClientNotAllowed,
    /// Neither `roles` nor `scp`: Entra gives such tokens to any application of the tenant.
    #[error("the token carries neither a role nor a scope")]
    NoPermission,
    /// An application's token without any of the roles that the policy wants.
    #[error("the application has none of the roles that are wanted")]
    RoleMissing,
    /// A user's token without any of the scopes that the policy wants.
    #[error("the token has none of the scopes that are wanted")]
    ScopeMissing,
    /// The calling application proved itself in a way that the policy does not take (`azpacr`, `appidacr`).
    #[error("the policy does not take the way in which the application proved itself")]
    ClientAuthenticationNotAllowed,
    /// The user is a guest of the tenant, and the policy takes none.
    #[error("the policy takes no guests")]
    GuestNotAllowed,
    /// The user is in none of the groups that are wanted.
    #[error("the user is in none of the groups that are wanted")]
    GroupMissing,
    /// The user is in more groups than the token holds, so nobody can tell from it whether the wanted one is among them.
    #[error("the user is in more groups than the token holds, and a group is wanted")]
    GroupOverage,
    /// The sign-in satisfied not every authentication context that is wanted (`acrs`): 401 with a claims challenge.
    #[error("the sign-in lacks an authentication context that is wanted")]
    AuthenticationContextMissing,
    /// Not five non-empty segments parted by dots, so no encrypted token either (RFC 7516 §7.1).
    #[error("not a compact JWE: five non-empty segments parted by dots")]
    NotCompactJwe,
    /// `alg` or `enc` of an encrypted token is not one that is decrypted here: RSA1_5, a shared key, a password.
    #[error("{0} is not one that encrypted tokens may have")]
    EncryptionNotAllowed(&'static str),
    /// `cty` of an encrypted token says that no token is inside (RFC 7519 §5.2).
    #[error("cty is not JWT")]
    ContentType,
    /// The token is encrypted to a key that is none of ours, by its `kid` or its thumbprint.
    #[error("no decryption key has the name that the header gives")]
    DecryptionKeyUnknown,
    /// A segment of an encrypted token cannot have this length with this `alg`, `enc` and key.
    #[error("the {0} has a length that it never has with this alg, enc and key")]
    EncryptionLength(&'static str),
    /// The encrypted token does not open. Why not is not said, lest an attacker learn from it (RFC 7516 §11.5).
    #[error("the token does not decrypt, or was changed after it was encrypted")]
    DecryptionFailed,
}

impl Rejection {
    /// The stable code, `snake_case`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotCompactJws => "not_compact_jws",
            Self::Base64(_) => "base64",
            Self::HeaderMalformed => "header_malformed",
            Self::HeaderDuplicate => "header_duplicate",
            Self::CriticalHeader => "critical_header",
            Self::KeyInHeader(_) => "key_in_header",
            Self::HeaderUnsupported(_) => "header_unsupported",
            Self::GraphToken => "graph_token",
            Self::Type => "type",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::KeyIdMissing => "key_id_missing",
            Self::KeyIdMalformed => "key_id_malformed",
            Self::UnknownKey => "unknown_key",
            Self::KeyAlgorithmMismatch => "key_algorithm_mismatch",
            Self::ThumbprintMismatch => "thumbprint_mismatch",
            Self::SignatureInvalid => "signature_invalid",
            Self::ClaimsMalformed => "claims_malformed",
            Self::ClaimDuplicate => "claim_duplicate",
            Self::TooManyClaims => "too_many_claims",
            Self::ClaimMissing(_) => "claim_missing",
            Self::ClaimType(_) => "claim_type",
            Self::ClaimRange(_) => "claim_range",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::VersionUnknown => "version_unknown",
            Self::VersionNotAllowed => "version_not_allowed",
            Self::TenantMalformed => "tenant_malformed",
            Self::TenantNotAllowed => "tenant_not_allowed",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::KeyIssuerMismatch => "key_issuer_mismatch",
            Self::AudienceMismatch => "audience_mismatch",
            Self::IdToken => "id_token",
            Self::CallerMalformed => "caller_malformed",
            Self::KindContradictory => "kind_contradictory",
            Self::KindNotAllowed => "kind_not_allowed",
            Self::ClientNotAllowed => "client_not_allowed",
            Self::NoPermission => "no_permission",
            Self::RoleMissing => "role_missing",
            Self::ScopeMissing => "scope_missing",
            Self::ClientAuthenticationNotAllowed => "client_authentication_not_allowed",
            Self::GuestNotAllowed => "guest_not_allowed",
            Self::GroupMissing => "group_missing",
            Self::GroupOverage => "group_overage",
            Self::AuthenticationContextMissing => "authentication_context_missing",
            Self::NotCompactJwe => "not_compact_jwe",
            Self::EncryptionNotAllowed(_) => "encryption_not_allowed",
            Self::ContentType => "content_type",
            Self::DecryptionKeyUnknown => "decryption_key_unknown",
            Self::EncryptionLength(_) => "encryption_length",
            Self::DecryptionFailed => "decryption_failed",
        }
    }

    /// The claim or member that the refusal is about, where one can be named.
    #[must_use]
    pub const fn subject(&self) -> Option<&'static str> {
        match self {
            Self::Base64(name)
            | Self::KeyInHeader(name)
            | Self::HeaderUnsupported(name)
            | Self::ClaimMissing(name)
            | Self::ClaimType(name)
            | Self::ClaimRange(name)
            | Self::EncryptionNotAllowed(name)
            | Self::EncryptionLength(name) => Some(name),
            _ => None,
        }
    }

    /// Whether the token is genuine and meant for this API, but its bearer may not do this: 403, not 401 (RFC 6750 §3.1).
    ///
    /// A missing authentication context is not among them: the same caller may sign in anew and pass.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        matches!(
            self,
            Self::KindNotAllowed
                | Self::ClientNotAllowed
                | Self::NoPermission
                | Self::RoleMissing
                | Self::ScopeMissing
                | Self::ClientAuthenticationNotAllowed
                | Self::GuestNotAllowed
                | Self::GroupMissing
                | Self::GroupOverage
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One of each variant, in the order of the enum.
    const ALL: [Rejection; 52] = [
        Rejection::TooLarge,
        Rejection::NotCompactJws,
        Rejection::Base64("header"),
        Rejection::HeaderMalformed,
        Rejection::HeaderDuplicate,
        Rejection::CriticalHeader,
        Rejection::KeyInHeader("jwk"),
        Rejection::HeaderUnsupported("zip"),
        Rejection::GraphToken,
        Rejection::Type,
        Rejection::AlgorithmNotAllowed,
        Rejection::KeyIdMissing,
        Rejection::KeyIdMalformed,
        Rejection::UnknownKey,
        Rejection::KeyAlgorithmMismatch,
        Rejection::ThumbprintMismatch,
        Rejection::SignatureInvalid,
        Rejection::ClaimsMalformed,
        Rejection::ClaimDuplicate,
        Rejection::TooManyClaims,
        Rejection::ClaimMissing("aud"),
        Rejection::ClaimType("exp"),
        Rejection::ClaimRange("nbf"),
        Rejection::Expired,
        Rejection::NotYetValid,
        Rejection::IssuedInFuture,
        Rejection::VersionUnknown,
        Rejection::VersionNotAllowed,
        Rejection::TenantMalformed,
        Rejection::TenantNotAllowed,
        Rejection::IssuerMismatch,
        Rejection::KeyIssuerMismatch,
        Rejection::AudienceMismatch,
        Rejection::IdToken,
        Rejection::CallerMalformed,
        Rejection::KindContradictory,
        Rejection::KindNotAllowed,
        Rejection::ClientNotAllowed,
        Rejection::NoPermission,
        Rejection::RoleMissing,
        Rejection::ScopeMissing,
        Rejection::ClientAuthenticationNotAllowed,
        Rejection::GuestNotAllowed,
        Rejection::GroupMissing,
        Rejection::GroupOverage,
        Rejection::AuthenticationContextMissing,
        Rejection::NotCompactJwe,
        Rejection::EncryptionNotAllowed("alg"),
        Rejection::ContentType,
        Rejection::DecryptionKeyUnknown,
        Rejection::EncryptionLength("ciphertext"),
        Rejection::DecryptionFailed,
    ];

    /// Whether `ALL` is complete: a new variant does not compile here until it stands in both lists.
    const fn place(rejection: Rejection) -> usize {
        match rejection {
            Rejection::TooLarge => 0,
            Rejection::NotCompactJws => 1,
            Rejection::Base64(_) => 2,
            Rejection::HeaderMalformed => 3,
            Rejection::HeaderDuplicate => 4,
            Rejection::CriticalHeader => 5,
            Rejection::KeyInHeader(_) => 6,
            Rejection::HeaderUnsupported(_) => 7,
            Rejection::GraphToken => 8,
            Rejection::Type => 9,
            Rejection::AlgorithmNotAllowed => 10,
            Rejection::KeyIdMissing => 11,
            Rejection::KeyIdMalformed => 12,
            Rejection::UnknownKey => 13,
            Rejection::KeyAlgorithmMismatch => 14,
            Rejection::ThumbprintMismatch => 15,
            Rejection::SignatureInvalid => 16,
            Rejection::ClaimsMalformed => 17,
            Rejection::ClaimDuplicate => 18,
            Rejection::TooManyClaims => 19,
            Rejection::ClaimMissing(_) => 20,
            Rejection::ClaimType(_) => 21,
            Rejection::ClaimRange(_) => 22,
            Rejection::Expired => 23,
            Rejection::NotYetValid => 24,
            Rejection::IssuedInFuture => 25,
            Rejection::VersionUnknown => 26,
            Rejection::VersionNotAllowed => 27,
            Rejection::TenantMalformed => 28,
            Rejection::TenantNotAllowed => 29,
            Rejection::IssuerMismatch => 30,
            Rejection::KeyIssuerMismatch => 31,
            Rejection::AudienceMismatch => 32,
            Rejection::IdToken => 33,
            Rejection::CallerMalformed => 34,
            Rejection::KindContradictory => 35,
            Rejection::KindNotAllowed => 36,
            Rejection::ClientNotAllowed => 37,
            Rejection::NoPermission => 38,
            Rejection::RoleMissing => 39,
            Rejection::ScopeMissing => 40,
            Rejection::ClientAuthenticationNotAllowed => 41,
            Rejection::GuestNotAllowed => 42,
            Rejection::GroupMissing => 43,
            Rejection::GroupOverage => 44,
            Rejection::AuthenticationContextMissing => 45,
            Rejection::NotCompactJwe => 46,
            Rejection::EncryptionNotAllowed(_) => 47,
            Rejection::ContentType => 48,
            Rejection::DecryptionKeyUnknown => 49,
            Rejection::EncryptionLength(_) => 50,
            Rejection::DecryptionFailed => 51,
        }
    }

    #[test]
    fn the_list_is_complete() {
        for (index, rejection) in ALL.into_iter().enumerate() {
            assert_eq!(place(rejection), index, "{rejection:?}");
        }
    }

    #[test]
    fn codes_are_unique_and_those_that_were_promised() {
        let codes: Vec<_> = ALL.iter().map(Rejection::code).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), ALL.len());
        let promised: Vec<_> = include_str!("../tests/golden/rejection_codes.txt").lines().collect();
        assert_eq!(codes, promised, "programs depend on these: add new ones, change none");
        assert!(codes.iter().all(|code| code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))));
    }

    #[test]
    fn texts_are_fragments_that_name_their_subject() {
        let mut texts = BTreeSet::new();
        for rejection in ALL {
            let text = rejection.to_string();
            assert!(!text.ends_with('.') && text.starts_with(|letter: char| !letter.is_uppercase()), "{text}");
            assert!(rejection.subject().is_none_or(|subject| text.contains(subject)), "{text}");
            assert!(texts.insert(text), "two texts are the same: {rejection:?}");
        }
    }

    #[test]
    fn forbidden_is_what_is_asked_after_everything_else() {
        let forbidden: Vec<_> = ALL.iter().filter(|rejection| rejection.is_forbidden()).map(Rejection::code).collect();
        let expected = [
            "kind_not_allowed",
            "client_not_allowed",
            "no_permission",
            "role_missing",
            "scope_missing",
            "client_authentication_not_allowed",
            "guest_not_allowed",
            "group_missing",
            "group_overage",
        ];
        assert_eq!(forbidden, expected);
    }
}
