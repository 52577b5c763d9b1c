//! The one way from a string to verified claims.
//!
//! The order is fixed: form, algorithm, key, signature; only then is a claim read. A forged token therefore says nothing
//! about itself, and of two faults the signature's is the one reported (CVE-2024-51744).

use std::sync::Arc;

use crate::claims::{Identity, RawClaims, Text};
use crate::id::parse_canonical;
use crate::jws::{Header, Segments};
use crate::{
    Algorithm, Claims, ClientId, KeySet, Rejection, TenantId, Timestamp, TokenKind, TokenVersion, Validator,
    VerificationKey,
};

/// Something whose signature, issuer, audience and times were checked. Nothing outside this room can make one.
#[derive(Debug, Clone)]
pub struct Verified<C> {
    claims: C,
    key_id: Arc<str>,
}

impl<C> Verified<C> {
    pub(crate) fn new(claims: C, key_id: Arc<str>) -> Self {
        Self { claims, key_id }
    }

    /// The `kid` of the key that verified it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The claims by value. They are then ordinary data that nobody vouches for.
    #[must_use]
    pub fn into_claims(self) -> C {
        self.claims
    }
}

impl<C> std::ops::Deref for Verified<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.claims
    }
}

/// Verifies an access token and applies the whole policy: [`authenticate`], then the policy's permission.
///
/// `raw` is a compact JWS without the word `Bearer`; `keys` are those of the configured authority; `now` decides about
/// `exp` and `nbf`.
///
/// # Errors
/// A [`Rejection`] that names the one rule that refused; [`Rejection::is_forbidden`] tells 403 from 401.
///
/// Source: RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725; Microsoft identity platform, "Secure applications and APIs by
/// validating claims".
pub fn verify(raw: &str, keys: &KeySet, validator: &Validator, now: Timestamp) -> Result<Verified<Claims>, Rejection> {
    let verified = authenticate(raw, keys, validator, now)?;
    validator.permission().check(&verified)?;
    Ok(verified)
}

/// Verifies whose token this is and that it is meant for this API now, without asking what its bearer may do.
///
/// # Errors
/// Every [`Rejection`] but those of [`Rejection::is_forbidden`] and [`Rejection::AuthenticationContextMissing`].
pub fn authenticate(
    raw: &str,
    keys: &KeySet,
    validator: &Validator,
    now: Timestamp,
) -> Result<Verified<Claims>, Rejection> {
    let segments = Segments::split(raw)?;
    let known = keys.find_by_header(segments.header);
    let (key, algorithm) = match known.filter(|(_, algorithm)| validator.algorithms.contains(algorithm)) {
        Some(known) => known,
        None => choose(&Header::parse(segments.header)?, keys, validator)?,
    };
    let payload = segments.signed()?.verify(key.public_key(), algorithm)?;
    key.remember_header(segments.header, algorithm);
    let raw = RawClaims::parse(payload)?;
    let identity = validate(&raw, key, validator, now)?;
    Ok(Verified::new(Claims::new(raw, identity), Arc::clone(&key.key_id)))
}

/// The key that a header names, and the algorithm to verify with.
fn choose<'k>(
    header: &Header,
    keys: &'k KeySet,
    validator: &Validator,
) -> Result<(&'k VerificationKey, Algorithm), Rejection> {
    let algorithm = header.algorithm.filter(|algorithm| validator.algorithms.contains(algorithm));
    let algorithm = algorithm.ok_or(Rejection::AlgorithmNotAllowed)?;
    let key_id = header.key_id.as_deref().ok_or(Rejection::KeyIdMissing)?;
    let key = keys.find(key_id).ok_or(Rejection::UnknownKey)?;
    if !key.fits(algorithm) {
        return Err(Rejection::KeyAlgorithmMismatch);
    }
    if let Some(thumbprint) = &header.thumbprint {
        // v1.0 tokens carry x5t equal to kid; a key that publishes its x5t settles it.
        if thumbprint.as_str() != key.thumbprint.as_deref().unwrap_or(&key.key_id) {
            return Err(Rejection::ThumbprintMismatch);
        }
    }
    Ok((key, algorithm))
}

fn validate(
    claims: &RawClaims,
    key: &VerificationKey,
    validator: &Validator,
    now: Timestamp,
) -> Result<Identity, Rejection> {
    let version = match claims.required(Text::Version)? {
        "1.0" => TokenVersion::V1,
        "2.0" => TokenVersion::V2,
        _ => return Err(Rejection::VersionUnknown),
    };
    if !validator.versions.contains(&version) {
        return Err(Rejection::VersionNotAllowed);
    }
    // The tenant is recognised as a GUID before any issuer is looked at with it.
    let tenant_text = claims.required(Text::Tenant)?;
    let tenant = TenantId::from_uuid(parse_canonical(tenant_text).ok_or(Rejection::TenantMalformed)?);
    if !validator.takes_tenant(tenant) {
        return Err(Rejection::TenantNotAllowed);
    }
    let issuer = claims.required(Text::Issuer)?;
    if !validator.issuers.iter().any(|template| template.version() == version && template.is(issuer, tenant_text)) {
        return Err(Rejection::IssuerMismatch);
    }
    check_key_issuer(key, validator, version, issuer, tenant_text)?;
    let audience = claims.required(Text::Audience)?;
    if !validator.audiences.iter().any(|own| own == audience) {
        return Err(Rejection::AudienceMismatch);
    }
    validator.check_dates(&claims.fields, now.numeric_date())?;
    if claims.fields.for_sign_in {
        return Err(Rejection::IdToken);
    }
    let client = caller(claims, version)?;
    // An actor's token inside: one service speaking for anybody at all, as Entra's own once did (CVE-2025-55241).
    if claims.fields.wraps_actor {
        return Err(Rejection::KindContradictory);
    }
    let kind = kind(claims)?;
    Ok(Identity { tenant, client, version, kind })
}

/// The key's own `issuer` (Storm-0558, CVE-2025-55241): a key published for one tenant, or for personal accounts, must
/// not sign for another.
///
/// Keys of v1.0 documents have no `issuer`; those of v2.0 documents name the v2.0 issuer and sign v1.0 tokens too, which
/// is accepted when it is the policy's v2.0 issuer for the same tenant, or, where the policy has none, any v2.0 issuer
/// for that tenant.
fn check_key_issuer(
    key: &VerificationKey,
    validator: &Validator,
    version: TokenVersion,
    issuer: &str,
    tenant: &str,
) -> Result<(), Rejection> {
    let Some(published_for) = &key.issuer else { return Ok(()) };
    if published_for.is(issuer, tenant) {
        return Ok(());
    }
    if version == TokenVersion::V1 && published_for.version() == TokenVersion::V2 && published_for.admits(tenant) {
        let mut v2_issuers =
            validator.issuers.iter().filter(|template| template.version() == TokenVersion::V2).peekable();
        if v2_issuers.peek().is_none() || v2_issuers.any(|template| published_for.agrees(template, tenant)) {
            return Ok(());
        }
    }
    Err(Rejection::KeyIssuerMismatch)
}

fn caller(claims: &RawClaims, version: TokenVersion) -> Result<ClientId, Rejection> {
    let (named, other) = match version {
        TokenVersion::V1 => (Text::ApplicationId, Text::AuthorizedParty),
        TokenVersion::V2 => (Text::AuthorizedParty, Text::ApplicationId),
    };
    let text = claims.required(named)?;
    if claims.text(other).is_some_and(|twin| twin != text) {
        return Err(Rejection::CallerMalformed);
    }
    parse_canonical(text).map(ClientId::from_uuid).ok_or(Rejection::CallerMalformed)
}

fn kind(claims: &RawClaims) -> Result<TokenKind, Rejection> {
    let has_scopes = claims.text(Text::Scopes).is_some();
    let kind = match (claims.text(Text::IdentityType), has_scopes) {
        (Some("app"), false) | (None, false) => TokenKind::App,
        (Some("user"), _) | (None, true) => TokenKind::User,
        _ => return Err(Rejection::KindContradictory),
    };
    let subject = claims.required(Text::Subject)?;
    // An application is its own subject. A user's token that lost its scp must not pass for an application's.
    if kind == TokenKind::App && claims.required(Text::Object)? != subject {
        return Err(Rejection::KindContradictory);
    }
    Ok(kind)
}
