//! `password` (RFC 6749 §4.3): a user's name and password, typed into the client.
//!
//! Not at `common` and `consumers`, where personal accounts are; at `organizations` the name's domain tells the tenant.

use std::sync::Arc;

use countersign_directory::{Directory, Tenant};
use countersign_protocol::{AadSts, ServedTenant, TenantSegment, TokenResponse, UserScopes};

use super::admission::Stage;
use super::password::check_password;
use super::user_grant::{Lineage, UserGrant, answer, scope_refused};
use crate::call::{Place, TokenCall};
use crate::client_authentication::{WithoutProof, authenticate_or_public};
use crate::core::Core;
use crate::refused::Refused;
use crate::subject::{SessionFacts, Subject};

pub(crate) async fn grant<D: Directory>(core: &Core<D>, call: &TokenCall<'_>) -> Result<TokenResponse, Refused> {
    let (form, now) = (call.form, call.exchange.now);
    let tenant = tenant(core, call).await?;
    let client = authenticate_or_public(core, &tenant, call, WithoutProof::FallbackPublicClient).await?;
    let username = form.username.as_deref().ok_or_else(|| Refused::missing("username"))?;
    let password = form.password.as_ref().ok_or_else(|| Refused::missing("password"))?;
    let (scope, resource) = (form.scope.as_deref(), form.resource.as_deref());
    let wanted = UserScopes::parse(call.version, scope, resource).map_err(|error| scope_refused(&error, &tenant))?;
    let user = check_password(core, &tenant, username, password, now).await?;
    let session = SessionFacts::by_password(core.randomness.uuid_v4(), now.as_unix_seconds());
    let grant = UserGrant {
        tenant: &tenant,
        client: &client,
        subject: Subject { user, session },
        wanted,
        stage: Stage::Password,
        claims: form.claims.as_deref(),
        nonce: None,
        lineage: Lineage::First { family: core.randomness.uuid_v4(), scope, resource, spa: false },
    };
    answer(core, call, grant).await
}

/// The tenant of the path, or of the name's domain.
async fn tenant<D: Directory>(core: &Core<D>, call: &TokenCall<'_>) -> Result<Arc<Tenant>, Refused> {
    if !matches!(call.place, Place::Alias(ServedTenant::Organizations)) {
        return call.directory();
    }
    let domain = call.form.username.as_deref().and_then(|name| name.rsplit_once('@')).map(|(_, domain)| domain);
    let segment = domain.and_then(|domain| TenantSegment::parse(domain).ok());
    let found = match segment {
        Some(segment @ TenantSegment::Domain(_)) => core.registry.tenant(&segment).await?,
        _ => None,
    };
    found.filter(|tenant| tenant.enabled).ok_or_else(|| Refused::new(AadSts::NO_TENANT_IDENTIFYING_INFORMATION))
}
