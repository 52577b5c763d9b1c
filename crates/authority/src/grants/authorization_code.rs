//! `authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.6): the code that a sign-in ended with, for tokens, once.
//!
//! A code is bound to its client, its redirect URI and the verifier behind its challenge. It is spent before its verifier
//! is compared, so a verifier is guessed at once. In a strict tenant a code that comes a second time ends the family of
//! refresh tokens that came of it; elsewhere, as with Entra, those stay good: pages that redeem twice are common.

use countersign_directory::{Directory, Purpose, Tenant};
use countersign_protocol::{AadSts, CodeChallenge, EndpointVersion, TokenResponse, UserScopes};
use countersign_token::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::admission::Stage;
use super::digest::digest;
use super::redemption::{first_resource, refuse_origin, tenant_here};
use super::user_grant::{Lineage, REFRESH_LIFE, UserGrant, answer, scope_refused_on_redemption, start_family};
use crate::call::TokenCall;
use crate::client_authentication::{WithoutProof, authenticate_or_public, identify};
use crate::core::Core;
use crate::issue::sealed::{AuthorizationCode, Platform, Sealed};
use crate::refused::Refused;
use crate::subject::Subject;

/// How long a code lives, in seconds: as Entra's, or as RFC 9700's reader wishes.
pub(crate) const fn life_seconds(tenant: &Tenant) -> i64 {
    if tenant.strict { 60 } else { 600 }
}

pub(crate) async fn grant<D: Directory>(core: &Core<D>, call: &TokenCall<'_>) -> Result<TokenResponse, Refused> {
    let (form, now) = (call.form, call.exchange.now);
    let text = form.code.as_ref().ok_or_else(|| Refused::missing("code"))?;
    let code = AuthorizationCode::open(text.expose_secret(), &core.vault);
    let tenant = tenant_here(core, call, code.as_ref().map(|code| code.tenant)).await?;
    let Some(code) = code else {
        identify(core, &tenant, call).await?;
        return Err(Refused::new(AadSts::MALFORMED_GRANT));
    };
    let client = authenticate_or_public(core, &tenant, call, WithoutProof::Platform(code.platform)).await?;
    if code.tenant != tenant.id {
        return Err(Refused::new(AadSts::GRANT_FOR_ANOTHER_TENANT));
    }
    if code.client != client.service_principal.app_id {
        return Err(Refused::new(AadSts::INVALID_GRANT).because("another client's code"));
    }
    refuse_origin(call, code.platform)?;
    refuse_other_redirect_uri(form.redirect_uri.as_deref(), &code)?;
    let verification = verification(form.code_verifier.as_ref(), &code, &tenant)?;
    if now.as_unix_seconds() >= code.expires {
        end_if_spent(core, &tenant, &code).await?;
        return Err(Refused::new(AadSts::GRANT_EXPIRED));
    }
    let (scope, resource) = (code.scope.as_deref(), code.resource.as_deref());
    let wanted = wanted(call, &code).map_err(|error| scope_refused_on_redemption(&error, &tenant))?;
    spend(core, &tenant, &code, now).await?;
    if let Some((challenge, verifier)) = verification {
        challenge.verify(verifier.expose_secret()).map_err(|error| Refused::new(error.aadsts()))?;
    }
    let user = core.registry.user(tenant.id, code.user).await?;
    let user = user.ok_or_else(|| Refused::new(AadSts::INVALID_GRANT).because("the user is gone"))?;
    let spa = code.platform == Platform::Spa;
    let grant = UserGrant {
        tenant: &tenant,
        client: &client,
        subject: Subject { user, session: code.session.clone() },
        wanted,
        stage: Stage::Code,
        claims: form.claims.as_deref().or(code.claims.as_deref()),
        nonce: code.nonce.as_deref(),
        lineage: Lineage::First { family: code.id, scope, resource, spa },
    };
    answer(core, call, grant).await
}

/// The code must come with the redirect URI that it was sent to (RFC 6749 §4.1.3).
fn refuse_other_redirect_uri(redirect_uri: Option<&str>, code: &AuthorizationCode) -> Result<(), Refused> {
    let redirect_uri = redirect_uri.ok_or_else(|| Refused::missing("redirect_uri"))?;
    if redirect_uri == code.redirect_uri {
        return Ok(());
    }
    Err(Refused::new(AadSts::REDIRECT_URI_CHANGED)
        .with("redirect_uri", redirect_uri.to_owned())
        .with("expected", code.redirect_uri.clone()))
}

/// The challenge and the verifier that must fit it, if there is a challenge. One without the other is a downgrade
/// (RFC 9700 §4.8.2; pitfalls B30).
fn verification<'a>(
    verifier: Option<&'a SecretString>,
    code: &AuthorizationCode,
    tenant: &Tenant,
) -> Result<Option<(CodeChallenge, &'a SecretString)>, Refused> {
    let refused = |aadsts, detail: &'static str| Err(Refused::new(aadsts).because(detail));
    match (&code.challenge, verifier) {
        (Some((method, challenge)), Some(verifier)) => {
            let challenge = CodeChallenge::parse(challenge, Some(method))
                .map_err(|error| Refused::new(error.aadsts()).because(error.to_string()))?;
            // A verifier that could be nobody's spends no code.
            CodeChallenge::s256(verifier.expose_secret())
                .map_err(|error| Refused::new(error.aadsts()).because(error.to_string()))?;
            Ok(Some((challenge, verifier)))
        }
        (Some(_), None) => refused(AadSts::CODE_VERIFIER_MISMATCH, "the code has a challenge, the request no verifier"),
        (None, Some(_)) => refused(AadSts::CODE_VERIFIER_MISMATCH, "the request has a verifier, the code no challenge"),
        (None, None) if tenant.strict || code.platform == Platform::Spa => {
            refused(AadSts::PKCE_REQUIRED, "neither challenge nor verifier")
        }
        (None, None) => Ok(None),
    }
}

fn spent_digest<D: Directory>(core: &Core<D>, code: &AuthorizationCode) -> [u8; 32] {
    digest(&core.vault, "authorization code", &code.id.to_string())
}

/// Of an expired code: was it redeemed, then somebody has sent it twice, and in a strict tenant that ends what it gave.
async fn end_if_spent<D: Directory>(core: &Core<D>, tenant: &Tenant, code: &AuthorizationCode) -> Result<(), Refused> {
    let ledger = core.registry.directory();
    if tenant.strict && ledger.is_spent(Purpose::AuthorizationCode, &spent_digest(core, code)).await? {
        ledger.end_family(code.id).await?;
    }
    Ok(())
}

/// Spends the code: one of any number of redemptions goes on (pitfalls B22, B23).
async fn spend<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    code: &AuthorizationCode,
    now: Timestamp,
) -> Result<(), Refused> {
    let ledger = core.registry.directory();
    if tenant.strict {
        // Before the code is spent: whoever loses the race finds the winner's family and ends it.
        start_family(core, tenant, code.id, now.plus(REFRESH_LIFE)).await?;
    }
    let spent = spent_digest(core, code);
    let until = Timestamp::from_unix_seconds(code.expires);
    if ledger.spend(Purpose::AuthorizationCode, &spent, until).await? {
        return Ok(());
    }
    if tenant.strict {
        ledger.end_family(code.id).await?;
    }
    Err(Refused::new(AadSts::CODE_ALREADY_REDEEMED))
}

/// What is asked for: here, or else when the code was asked for. What of OpenID Connect was asked for there stays asked
/// for.
fn wanted(call: &TokenCall<'_>, code: &AuthorizationCode) -> Result<UserScopes, countersign_protocol::UserScopeError> {
    let (scope, resource) = (call.form.scope.as_deref(), call.form.resource.as_deref());
    let mut wanted = match call.version {
        EndpointVersion::V2 => UserScopes::parse(call.version, scope.or(code.scope.as_deref()), resource)?,
        EndpointVersion::V1 => {
            let first = || code.scope.as_deref().and_then(first_resource);
            let resource = resource.map(str::to_owned).or_else(|| code.resource.clone()).or_else(first);
            UserScopes::parse(call.version, scope, resource.as_deref())?
        }
    };
    // A v1.0 request has its OpenID Connect scopes in `scope` too.
    let version = if code.resource.is_some() { EndpointVersion::V1 } else { EndpointVersion::V2 };
    if let Ok(first) = UserScopes::parse_first(version, code.scope.as_deref(), code.resource.as_deref()) {
        wanted.oidc.openid |= first.oidc.openid;
        wanted.oidc.profile |= first.oidc.profile;
        wanted.oidc.email |= first.oidc.email;
        wanted.oidc.offline_access |= first.oidc.offline_access;
    }
    Ok(wanted)
}
