//! The last step of every token: whose key signs it.

use countersign_directory::{Directory, KeyOwner, Tenant};
use countersign_token::{Timestamp, TokenVersion};
use serde::Serialize;

use crate::StartError;
use crate::core::Core;
use crate::refused::Refused;
use crate::registry::Resource;

/// Whose key signs tokens of a tenant.
pub(crate) const fn owner_in(tenant: &Tenant) -> KeyOwner {
    if tenant.own_signing_keys { KeyOwner::Tenant(tenant.id) } else { KeyOwner::Everybody }
}

/// Whose key signs access tokens for a resource of a tenant: the application's own, if it has one.
pub(super) const fn owner_for(tenant: &Tenant, resource: &Resource) -> KeyOwner {
    if resource.service_principal.own_signing_key {
        KeyOwner::Application(resource.service_principal.app_id)
    } else {
        owner_in(tenant)
    }
}

/// Signs a claim set; answers the compact JWS.
pub(super) async fn sign<D: Directory, C: Serialize>(
    core: &Core<D>,
    owner: KeyOwner,
    version: TokenVersion,
    claims: &C,
    now: Timestamp,
) -> Result<String, Refused> {
    let key = core.keys.signing(owner, now).await?;
    key.signer(version).sign(claims).map_err(|error| Refused::from(StartError::from(error)))
}
