//! Which delegated permissions a client has in a user's name ([`delegate`]), and which it would have to be granted
//! ([`asked_consent`]).
//!
//! A permission is there if it was granted for everybody or for this user, or if the resource pre-authorises the client.
//! The scopes of OpenID Connect need a grant only where nothing else is asked for.
//!
//! A token carries everything that was granted at its resource, whatever part of it was asked for (recorded 2021, 2022);
//! in a strict tenant it carries what was asked for. `.default` asks for what the client's registration lists, and is
//! content with any grant at the resource.
//!
//! Source: "Scopes and permissions in the Microsoft identity platform", Microsoft.

mod asking;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use countersign_directory::{Directory, ServicePrincipal, Tenant, User};
use countersign_protocol::graph::PermissionScope;
use countersign_protocol::{AadSts, UserScopes};

use self::asking::Asking;
use crate::core::Core;
use crate::delegation::Delegation;
use crate::refused::Refused;
use crate::registry::{Client, Resource};

/// Permissions at one resource that are asked for and not granted.
#[derive(Debug)]
pub(crate) struct MissingConsent {
    /// Who would be granted them: the client, or an API that it brings along (`knownClientApplications`).
    pub(crate) client: ServicePrincipal,
    pub(crate) resource: Arc<Resource>,
    /// Never empty.
    pub(crate) scopes: Vec<MissingScope>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct MissingScope {
    pub(crate) scope: PermissionScope,
    /// Only an administrator may consent to it: by the resource's wish or the tenant's.
    pub(crate) needs_administrator: bool,
}

/// How much of what is asked for a consent page has to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What is not granted, and nothing where the request can go on without it.
    Missing,
    /// All of it, granted or not: `prompt=consent`.
    Everything,
}

/// What the user, or an administrator, would have to consent to before the request can go on, or all that is asked for;
/// empty if nothing.
///
/// For `.default` that is what the client's registration lists, and what those APIs list that know the client.
///
/// # Errors
/// AADSTS500011, AADSTS50001, AADSTS90009 for the resource; AADSTS650053 for a scope that it does not have; AADSTS650057
/// for `.default` of a resource that the registration does not list; AADSTS650052 for a listed API without instance here.
pub(crate) async fn asked_consent<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    client: &Client,
    client_principal: &ServicePrincipal,
    user: &User,
    wanted: &UserScopes,
    extent: Extent,
) -> Result<Vec<MissingConsent>, Refused> {
    let asking = Asking { registry: &core.registry, tenant, client, user: user.object_id };
    asking.list(client_principal, wanted, extent).await
}

/// What the client may do in the user's name: what is consented to, and of a resource that exists.
///
/// # Errors
/// As [`asked_consent`] for the resource and its scopes, and AADSTS65001 when consent is missing.
pub(crate) async fn delegate<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    client: &Client,
    client_principal: &ServicePrincipal,
    user: &User,
    wanted: &UserScopes,
) -> Result<Delegation, Refused> {
    let asking = Asking { registry: &core.registry, tenant, client, user: user.object_id };
    asking.delegation(client_principal, wanted).await
}

/// The refusal of a client for which consent is missing.
pub(crate) fn consent_required(aadsts: &'static AadSts, client: &Client) -> Refused {
    Refused::new(aadsts)
        .with("app_id", client.application.app_id().to_string())
        .with("app_name", client.application.display_name().to_owned())
}
