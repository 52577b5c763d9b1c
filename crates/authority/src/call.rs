//! One request to a token endpoint, as the grants see it.

use std::sync::Arc;

use countersign_directory::Tenant;
use countersign_protocol::{AadSts, EndpointVersion, ServedTenant, TokenRequest};
use countersign_token::ClientId;
use http::HeaderMap;

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

    /// Notes in the log that a token was issued.
    pub(crate) fn signed_in(&self, tenant: &Tenant, client: ClientId) {
        tracing::info!(
            target: "countersign_authority::signed_in",
            tenant = %tenant.id,
            %client,
            trace_id = %self.exchange.trace_id(),
            correlation_id = %self.exchange.correlation_id(),
        );
    }
}
