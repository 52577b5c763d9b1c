//! What all grants that speak for a user have in common, once it is known who the user is: may the user be let in, what is
//! consented to, which refresh token goes with the answer.

use std::time::Duration;

use countersign_directory::{Directory, FamilyRow, StoreError, Tenant};
use countersign_protocol::{AadSts, EndpointVersion, TokenResponse, UserScopeError, UserScopes};
use countersign_token::Timestamp;
use uuid::Uuid;

use super::admission::{Parties, Stage, admit, satisfied_claims};
use super::consent::delegate;
use crate::call::TokenCall;
use crate::client_authentication::AuthenticatedClient;
use crate::core::Core;
use crate::issue::sealed::RefreshToken;
use crate::issue::{ClientProof, UserTokens, user_tokens};
use crate::refused::Refused;
use crate::subject::Subject;

/// A refresh token lives so long after its last use.
pub(super) const REFRESH_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// That of a single-page application, from the sign-in on, whatever it is used for.
pub(super) const SPA_REFRESH_LIFE: Duration = Duration::from_secs(86_400);

/// A user's request that has come so far.
pub(super) struct UserGrant<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) client: &'a AuthenticatedClient,
    pub(super) subject: Subject,
    pub(super) wanted: UserScopes,
    pub(super) stage: Stage,
    /// The `claims` parameter, of this request or of the one that began the flow.
    pub(super) claims: Option<&'a str>,
    /// Of the request to the authorization endpoint.
    pub(super) nonce: Option<&'a str>,
    pub(super) lineage: Lineage<'a>,
}

/// Where the answer's refresh token comes from.
pub(super) enum Lineage<'a> {
    /// It is the first of a family.
    First {
        family: Uuid,
        /// `scope` and `resource` of the request that began the flow.
        scope: Option<&'a str>,
        resource: Option<&'a str>,
        spa: bool,
    },
    /// It takes the place of this one.
    After(&'a RefreshToken),
}

/// The answer.
pub(super) async fn answer<D: Directory>(
    core: &Core<D>,
    call: &TokenCall<'_>,
    grant: UserGrant<'_>,
) -> Result<TokenResponse, Refused> {
    let UserGrant { tenant, client, subject, wanted, stage, .. } = &grant;
    let now = call.exchange.now;
    let principal = &client.service_principal;
    // What is wrong with the account is told before what is wrong with the consent.
    let delegation = delegate(core, tenant, &client.record, principal, &subject.user, wanted).await;
    let resource = delegation.as_ref().ok().map(|delegation| &*delegation.resource);
    let parties = Parties { tenant, client: &client.record, client_principal: principal, resource };
    admit(core, parties, subject, *stage, now).await?;
    let delegation = delegation?;
    let claims = satisfied_claims(grant.claims, &subject.session, &delegation.resource)?;
    let refresh = match &grant.lineage {
        Lineage::After(token) => Some(successor(core, tenant, token, now).await?),
        Lineage::First { .. } if call.version == EndpointVersion::V2 && !delegation.oidc.offline_access => None,
        Lineage::First { .. } => Some(first(core, &grant, now).await?),
    };
    let response = user_tokens(
        core,
        UserTokens {
            origin: call.exchange.origin,
            tenant,
            version: call.version,
            client: &client.record,
            client_principal: principal,
            proof: client.proof,
            subject,
            delegation: &delegation,
            claims: &claims,
            client_info: call.form.client_info,
            nonce: grant.nonce,
            refresh,
            now,
        },
    )
    .await?;
    call.signed_in(tenant, principal.app_id, Some(subject.user.object_id));
    Ok(response)
}

/// The first refresh token of a family. Only a strict tenant's families are kept in the ledger.
async fn first<D: Directory>(core: &Core<D>, grant: &UserGrant<'_>, now: Timestamp) -> Result<RefreshToken, Refused> {
    let (tenant, client, subject) = (grant.tenant, grant.client, &grant.subject);
    let Lineage::First { family, scope, resource, spa } = grant.lineage else {
        return Err(Refused::transient("only a first token begins a family"));
    };
    let expires = if spa {
        Timestamp::from_unix_seconds(subject.session.auth_time).plus(SPA_REFRESH_LIFE)
    } else {
        now.plus(REFRESH_LIFE)
    };
    if tenant.strict {
        start_family(core, tenant, family, expires).await?;
    }
    Ok(RefreshToken {
        family,
        generation: FamilyRow::FIRST_GENERATION,
        tenant: tenant.id,
        client: client.service_principal.app_id,
        user: subject.user.object_id,
        session: subject.session.clone(),
        scope: scope.map(str::to_owned),
        resource: resource.map(str::to_owned),
        public: client.proof == ClientProof::Public,
        spa,
        issued: now.as_unix_seconds(),
        expires: expires.as_unix_seconds(),
    })
}

/// Puts a family into the ledger. One that is there already was begun for the same code.
pub(super) async fn start_family<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    id: Uuid,
    until: Timestamp,
) -> Result<(), Refused> {
    match core.registry.directory().start_family(FamilyRow { id, tenant: tenant.id, until }).await {
        Ok(()) | Err(StoreError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The refresh token that follows another. In a strict tenant it takes the other's place, once: a token that comes again
/// is in two hands, and ends its family (RFC 9700 §4.14.2; pitfalls B45, B46).
async fn successor<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    token: &RefreshToken,
    now: Timestamp,
) -> Result<RefreshToken, Refused> {
    use countersign_directory::Rotation;
    let mut next = RefreshToken { issued: now.as_unix_seconds(), ..token.clone() };
    if !token.spa && !tenant.strict {
        next.expires = now.plus(REFRESH_LIFE).as_unix_seconds();
    }
    if tenant.strict {
        let until = Timestamp::from_unix_seconds(next.expires);
        match core.registry.directory().rotate_family(token.family, token.generation, until).await? {
            Rotation::Rotated => next.generation += 1,
            Rotation::Replayed => {
                return Err(Refused::new(AadSts::INVALID_GRANT)
                    .because("a refresh token came a second time; its family has ended"));
            }
            Rotation::Ended => return Err(Refused::new(AadSts::INVALID_GRANT).because("the family has ended")),
        }
    }
    Ok(next)
}

/// The refusal for a scope that cannot be used.
pub(super) fn scope_refused(error: &UserScopeError, tenant: &Tenant) -> Refused {
    let mut refused = Refused::new(error.aadsts()).because(error.to_string());
    if let Some((name, value)) = error.insertion() {
        refused = refused.with(name, value.to_owned());
    }
    if matches!(error, UserScopeError::Resource(_)) {
        refused = refused.with("tenant", tenant.id.to_string());
    }
    refused
}

/// As [`scope_refused`], in the words used where a code or refresh token is redeemed.
pub(super) fn scope_refused_on_redemption(error: &UserScopeError, tenant: &Tenant) -> Refused {
    match error {
        UserScopeError::Malformed(scope) => {
            Refused::new(AadSts::SCOPE_INVALID_ON_REDEMPTION).with("scope", scope.clone()).because(error.to_string())
        }
        UserScopeError::Missing => Refused::new(AadSts::SCOPE_EMPTY_ON_REDEMPTION),
        _ => scope_refused(error, tenant),
    }
}
