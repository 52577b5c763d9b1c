//! What the redemptions of codes and refresh tokens have in common.

use std::sync::Arc;

use countersign_directory::{Directory, Tenant};
use countersign_protocol::{AadSts, EndpointVersion, UserScopes};
use countersign_token::TenantId;

use crate::call::{Place, TokenCall};
use crate::core::Core;
use crate::issue::sealed::Platform;
use crate::refused::Refused;

/// The tenant in which the client must be known: the path's, or behind an alias that of the code or token.
pub(super) async fn tenant_here<D: Directory>(
    core: &Core<D>,
    call: &TokenCall<'_>,
    of_grant: Option<TenantId>,
) -> Result<Arc<Tenant>, Refused> {
    match (&call.place, of_grant) {
        (Place::Tenant(tenant), _) => Ok(Arc::clone(tenant)),
        (Place::Alias(_), Some(tenant)) => call.directory_of(core, tenant).await,
        (Place::Alias(_), None) => Err(Refused::new(AadSts::MALFORMED_GRANT)),
    }
}

/// A single-page application redeems from its own origin, nobody else from any: a code or token that leaked into a page
/// is worth nothing there (pitfalls B75).
pub(super) fn refuse_origin(call: &TokenCall<'_>, platform: Platform) -> Result<(), Refused> {
    match (platform, call.origin_header()) {
        (Platform::Spa, None) => Err(Refused::new(AadSts::CROSS_ORIGIN_REQUIRED)),
        (Platform::Web | Platform::PublicClient, Some(origin)) => {
            Err(Refused::new(AadSts::CROSS_ORIGIN_NOT_PERMITTED).with("origin", origin.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The resource of a v2.0 request, for a redemption at v1.0.
pub(super) fn first_resource(scope: &str) -> Option<String> {
    let first = UserScopes::parse_first(EndpointVersion::V2, Some(scope), None).ok()?;
    first.resource.map(|resource| resource.to_string())
}
