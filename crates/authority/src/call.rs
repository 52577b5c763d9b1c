//! One request to a token endpoint, as the grants see it.

use std::sync::Arc;

use countersign_directory::{Directory, Tenant};
use countersign_protocol::{AadSts, EndpointVersion, ServedTenant, TenantSegment, TokenRequest};
use countersign_token::{ClientId, ObjectId, TenantId};
use http::HeaderMap;
use http::header::ORIGIN;

use crate::core::Core;
use crate::exchange::Exchange;
use crate::refused::Refused;

/// What a tenant's segment in a path stands for.
#[derive(Clone)]
pub(crate) enum Place {
    Tenant(Arc<Tenant>),
    Alias(ServedTenant),
}

/// A request whose grant is known and whose client is not yet.
pub(crate) struct TokenCall<'a> {
    pub(crate) place: Place,
    pub(crate) version: EndpointVersion,
    pub(crate) form: &'a TokenRequest,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) exchange: &'a Exchange<'a>,
}

impl TokenCall<'_> {
    /// The directory that the path names, for grants that belong to one: an alias names none (pitfalls B54).
    pub(crate) fn directory(&self) -> Result<Arc<Tenant>, Refused> {
        match &self.place {
            Place::Tenant(tenant) => Ok(Arc::clone(tenant)),
            Place::Alias(ServedTenant::Organizations) => Err(Refused::new(AadSts::NO_TENANT_IDENTIFYING_INFORMATION)),
            Place::Alias(_) => Err(Refused::new(AadSts::GRANT_TYPE_NOT_SUPPORTED_ON_ALIAS)),
        }
    }

    /// The tenant of a code or refresh token, if the path admits it: an alias admits every one, a tenant only itself.
    pub(crate) async fn directory_of<D: Directory>(
        &self,
        core: &Core<D>,
        tenant: TenantId,
    ) -> Result<Arc<Tenant>, Refused> {
        match &self.place {
            Place::Tenant(here) if here.id == tenant => Ok(Arc::clone(here)),
            // Personal accounts have no directory here.
            Place::Tenant(_) | Place::Alias(ServedTenant::Consumers) => {
                Err(Refused::new(AadSts::GRANT_FOR_ANOTHER_TENANT))
            }
            Place::Alias(_) => {
                let found = core.registry.tenant(&TenantSegment::Id(tenant)).await?;
                // A tenant that was removed or switched off takes its codes and tokens with it (pitfalls B85).
                found.filter(|tenant| tenant.enabled).ok_or_else(|| Refused::new(AadSts::INVALID_GRANT))
            }
        }
    }

    /// The header `Origin` of a request that a script of another origin sent. What has no origin of its own to name is
    /// `null`, and foreign.
    pub(crate) fn origin_header(&self) -> Option<&str> {
        let origin = self.headers.get(ORIGIN)?.to_str().unwrap_or("null");
        (origin != self.exchange.origin.host.origin()).then_some(origin)
    }

    /// Notes in the log that a token was issued, and in whose name, if not the client's own.
    pub(crate) fn signed_in(&self, tenant: &Tenant, client: ClientId, user: Option<ObjectId>) {
        tracing::info!(
            target: "countersign_authority::signed_in",
            tenant = %tenant.id,
            %client,
            user = user.map(tracing::field::display),
            trace_id = %self.exchange.trace_id(),
            correlation_id = %self.exchange.correlation_id(),
        );
    }
}
