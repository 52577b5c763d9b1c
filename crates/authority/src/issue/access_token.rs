//! Access tokens, v1.0 and v2.0. Which one is the resource's choice, whatever endpoint was asked.
//!
//! Source: Microsoft identity platform, "Access token claims reference"; a token of an API of one's own (recorded 2026).

use std::borrow::Cow;

use countersign_directory::{Directory, MICROSOFT_GRAPH, ServicePrincipal, Tenant};
use countersign_protocol::ClaimsRequest;
use countersign_token::{ClientId, ObjectId, TenantId, Timestamp, TokenVersion};
use serde::Serialize;

use super::lifetime::{BACKDATED_SECONDS, CLAIMS_CHALLENGES, Lifetime, is_continuous};
use super::opaque::{aio, rh, token_id, xms_ftd};
use super::optional_claims::OptionalClaims;
use super::sign::{owner_for, sign};
use crate::core::Core;
use crate::origin::Origin;
use crate::refused::Refused;
use crate::registry::{Granted, Resource};

/// How the client proved itself: claims `azpacr` and `appidacr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientProof {
    /// A public client, which proves nothing.
    Public,
    Secret,
    Assertion,
    /// The platform that lends the identity vouches for it.
    ManagedIdentity,
}

impl ClientProof {
    /// Claims `azpacr` and `appidacr`.
    pub(super) const fn acr(self) -> &'static str {
        match self {
            Self::Public => "0",
            Self::Secret => "1",
            Self::Assertion | Self::ManagedIdentity => "2",
        }
    }
}

/// What goes into an app-only token.
pub(crate) struct AppOnlyToken<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) tenant: &'a Tenant,
    pub(crate) client: &'a ServicePrincipal,
    pub(crate) proof: ClientProof,
    pub(crate) resource: &'a Resource,
    /// The resource as the request named it: `aud` of a v1.0 token.
    pub(crate) resource_name: &'a str,
    pub(crate) granted: &'a Granted,
    /// The `claims` parameter, if there is one: a client that understands claims challenges gets a long-lived token.
    pub(crate) claims: Option<&'a ClaimsRequest>,
    pub(crate) now: Timestamp,
}

/// An access token, and what an answer says of it.
pub(crate) struct IssuedAccessToken {
    /// A compact JWS.
    pub(crate) token: String,
    /// `exp`, seconds since the epoch.
    pub(crate) expires_on: i64,
    /// Seconds.
    pub(crate) expires_in: u64,
    /// Seconds; only long-lived tokens have it.
    pub(crate) refresh_in: Option<u64>,
}

impl IssuedAccessToken {
    pub(super) fn new(token: String, life: Lifetime, now: Timestamp) -> Self {
        let expires_on = life.ends(now.as_unix_seconds());
        Self { token, expires_on, expires_in: life.expires_in(), refresh_in: life.refresh_in() }
    }
}

/// Members in Entra's order; v1.0 and v2.0 name the caller differently.
#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    aio: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_displayname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    appidacr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    azp: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    azpacr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idtyp: Option<&'static str>,
    oid: ObjectId,
    rh: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
    sub: ObjectId,
    tid: TenantId,
    uti: String,
    ver: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wids: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xms_cc: Option<[&'static str; 1]>,
    xms_ftd: String,
}

/// Signs an app-only access token.
pub(crate) async fn app_only<D: Directory>(
    core: &Core<D>,
    token: AppOnlyToken<'_>,
) -> Result<IssuedAccessToken, Refused> {
    let AppOnlyToken { tenant, resource, .. } = token;
    let resource_id = resource.application.app_id();
    let for_graph = resource_id == MICROSOFT_GRAPH;
    let version = resource.application.access_token_version();
    let optional = OptionalClaims::of_access_token(&resource.application);
    let audience = audience(resource, version, token.resource_name, optional);
    let is_v1 = version == TokenVersion::V1;
    let issuer = if is_v1 { token.origin.cloud.issuer_v1(tenant.id) } else { token.origin.host.issuer_v2(tenant.id) };
    let (client, acr) = (token.client.app_id, token.proof.acr());
    let continuous = is_continuous(&resource.application, token.claims);
    let life = match token.proof {
        ClientProof::ManagedIdentity => Lifetime::MANAGED_IDENTITY,
        _ if continuous => Lifetime::CONTINUOUSLY_EVALUATED,
        _ => Lifetime::APP_ONLY,
    };
    let now = token.now.as_unix_seconds();
    let random = &*core.randomness;
    let claims = Claims {
        aud: &audience,
        iss: &issuer,
        iat: now - BACKDATED_SECONDS,
        nbf: now - BACKDATED_SECONDS,
        exp: life.ends(now),
        aio: aio(random),
        app_displayname: for_graph.then_some(token.client.display_name.as_str()),
        appid: is_v1.then_some(client),
        appidacr: is_v1.then_some(acr),
        azp: (!is_v1).then_some(client),
        azpacr: (!is_v1).then_some(acr),
        idp: is_v1.then_some(issuer.as_str()),
        idtyp: (for_graph || optional.has("idtyp")).then_some("app"),
        oid: token.client.object_id,
        rh: rh(tenant.id, resource_id),
        roles: &token.granted.roles,
        sub: token.client.object_id,
        tid: tenant.id,
        uti: token_id(random),
        ver: version.as_str(),
        wids: for_graph.then_some(["0997a1d0-0d1d-4acb-b408-d5ca73121e90"]),
        xms_cc: continuous.then_some([CLAIMS_CHALLENGES]),
        xms_ftd: xms_ftd(random),
    };
    let signed = sign(core, owner_for(tenant, resource), version, &claims, token.now).await?;
    tracing::debug!(
        target: "countersign_authority::issued",
        tenant = %tenant.id, %client, resource = %resource_id, uti = claims.uti,
    );
    Ok(IssuedAccessToken::new(signed, life, token.now))
}

/// `aud`: in v2.0 the resource's client id; in v1.0 the name by which it was asked for, unless the registration wants the
/// client id there too (optional claim `aud` with `use_guid`).
pub(super) fn audience<'a>(
    resource: &Resource,
    version: TokenVersion,
    resource_name: &'a str,
    optional: OptionalClaims<'_>,
) -> Cow<'a, str> {
    if version == TokenVersion::V2 || optional.has_with("aud", "use_guid") {
        Cow::Owned(resource.application.app_id().to_string())
    } else {
        Cow::Borrowed(resource_name)
    }
}
