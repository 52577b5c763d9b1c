//! `refresh_token` (RFC 6749 §6): new tokens without the user, for this resource or another.
//!
//! A token is bound to its user, its client and its tenant, not to a resource; one from v1.0 is good at v2.0 and the other
//! way round. Each use answers a new one. The old one stays usable, as with Entra, but in a strict tenant, where a token is
//! good once.

use countersign_directory::Directory;
use countersign_protocol::{AadSts, EndpointVersion, TokenResponse, UserScopes};
use countersign_token::Timestamp;

use super::admission::{Stage, iso};
use super::redemption::{first_resource, refuse_origin, tenant_here};
use super::user_grant::{Lineage, SPA_REFRESH_LIFE, UserGrant, answer, scope_refused_on_redemption};
use crate::call::TokenCall;
use crate::client_authentication::{WithoutProof, authenticate_or_public, identify};
use crate::core::Core;
use crate::issue::sealed::{Platform, RefreshToken, Sealed};
use crate::refused::Refused;
use crate::subject::Subject;

pub(crate) async fn grant<D: Directory>(core: &Core<D>, call: &TokenCall<'_>) -> Result<TokenResponse, Refused> {
    use secrecy::ExposeSecret;
    let (form, now) = (call.form, call.exchange.now);
    let text = form.refresh_token.as_ref().ok_or_else(|| Refused::missing("refresh_token"))?;
    let token = RefreshToken::open(text.expose_secret(), &core.vault);
    let tenant = tenant_here(core, call, token.as_ref().map(|token| token.tenant)).await?;
    let Some(token) = token else {
        identify(core, &tenant, call).await?;
        return Err(Refused::new(AadSts::MALFORMED_GRANT));
    };
    call.exchange.note_grant_issued(Timestamp::from_unix_seconds(token.issued));
    let platform = match (token.spa, token.public) {
        (true, _) => Platform::Spa,
        (false, true) => Platform::PublicClient,
        (false, false) => Platform::Web,
    };
    let client = authenticate_or_public(core, &tenant, call, WithoutProof::Platform(platform)).await?;
    if token.tenant != tenant.id {
        return Err(Refused::new(AadSts::GRANT_FOR_ANOTHER_TENANT));
    }
    if token.client != client.service_principal.app_id {
        return Err(Refused::new(AadSts::INVALID_GRANT).because("another client's refresh token"));
    }
    refuse_origin(call, platform)?;
    refuse_expired(&token, now)?;
    let wanted = wanted(call, &token).map_err(|error| scope_refused_on_redemption(&error, &tenant))?;
    let user = core.registry.user(tenant.id, token.user).await?;
    let user = user.ok_or_else(|| {
        Refused::new(AadSts::USER_NOT_FOUND).with("user", token.user.to_string()).with("tenant", tenant.id.to_string())
    })?;
    let grant = UserGrant {
        tenant: &tenant,
        client: &client,
        subject: Subject { user, session: token.session.clone() },
        wanted,
        stage: Stage::Refresh,
        claims: form.claims.as_deref(),
        nonce: None,
        lineage: Lineage::After(&token),
    };
    answer(core, call, grant).await
}

fn refuse_expired(token: &RefreshToken, now: Timestamp) -> Result<(), Refused> {
    if now.as_unix_seconds() < token.expires {
        return Ok(());
    }
    let issued = Timestamp::from_unix_seconds(token.issued);
    Err(if token.spa {
        Refused::new(AadSts::SPA_REFRESH_TOKEN_EXPIRED).with("lifetime", days_and_time(SPA_REFRESH_LIFE.as_secs()))
    } else {
        Refused::new(AadSts::REFRESH_TOKEN_INACTIVE)
            .with("issued", iso(issued))
            .with("inactive", days_and_time(now.saturating_duration_since(issued).as_secs()))
    })
}

/// `90.00:00:00`
fn days_and_time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    format!("{days}.{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// What is asked for: of several resources the first, and what the first request asked for where this one says nothing.
fn wanted(call: &TokenCall<'_>, token: &RefreshToken) -> Result<UserScopes, countersign_protocol::UserScopeError> {
    let (scope, resource) = (call.form.scope.as_deref(), call.form.resource.as_deref());
    match call.version {
        EndpointVersion::V2 if scope.is_none() && resource.is_none() => {
            let of_v1 = token.resource.as_ref().map(|resource| format!("{resource}/.default openid"));
            UserScopes::parse_first(EndpointVersion::V2, of_v1.as_deref().or(token.scope.as_deref()), None)
        }
        EndpointVersion::V1 if resource.is_none() => {
            // Where the first request named none, both mean Microsoft Graph.
            let first = token.resource.clone().or_else(|| token.scope.as_deref().and_then(first_resource));
            UserScopes::parse_first(EndpointVersion::V1, scope, first.as_deref())
        }
        version => UserScopes::parse_first(version, scope, resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_entra_does() {
        assert_eq!(days_and_time(90 * 86_400), "90.00:00:00");
        assert_eq!(days_and_time(86_400 + 3_723), "1.01:02:03");
    }
}
