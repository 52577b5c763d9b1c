//! Access tokens, v1.0 and v2.0. Which one is the resource's choice, whatever endpoint was asked.
//!
//! Source: Microsoft identity platform, "Access token claims reference"; a token of an API of one's own (recorded 2026).

use countersign_directory::{Directory, MICROSOFT_GRAPH, ServicePrincipal};
use countersign_token::{ClientId, ObjectId, TenantId, Timestamp, TokenVersion};
use serde::Serialize;

use super::opaque::{aio, rh, token_id, xms_ftd};
use crate::core::Core;
use crate::origin::Origin;
use crate::refused::Refused;
use crate::registry::{Granted, Resource};

/// How long an app-only token lives from its issuance. `expires_in` says one second less (recorded).
pub(crate) const LIFETIME_SECONDS: i64 = 3600;

/// `nbf` and `iat` lie this far in the past, so that a resource with a slow clock takes the token (recorded).
const BACKDATED_SECONDS: i64 = 300;

/// How the client proved itself: claims `azpacr` and `appidacr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientProof {
    /// A public client, which proves nothing.
    Public,
    Secret,
    Assertion,
}

impl ClientProof {
    const fn acr(self) -> &'static str {
        match self {
            Self::Public => "0",
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

/// What goes into an app-only token.
pub(crate) struct AppOnlyToken<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) tenant: TenantId,
    pub(crate) client: &'a ServicePrincipal,
    pub(crate) proof: ClientProof,
    pub(crate) resource: &'a Resource,
    /// The resource as the request named it: `aud` of a v1.0 token.
    pub(crate) resource_name: &'a str,
    pub(crate) granted: &'a Granted,
    pub(crate) now: Timestamp,
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
    xms_ftd: String,
}

/// Signs an app-only access token; answers the compact JWS.
pub(crate) async fn app_only<D: Directory>(core: &Core<D>, token: AppOnlyToken<'_>) -> Result<String, Refused> {
    let resource_id = token.resource.application.app_id();
    let for_graph = resource_id == MICROSOFT_GRAPH;
    let version = token.resource.application.access_token_version();
    let (audience, issuer);
    match version {
        TokenVersion::V1 => {
            audience = token.resource_name.to_owned();
            issuer = token.origin.cloud.issuer_v1(token.tenant);
        }
        TokenVersion::V2 => {
            audience = resource_id.to_string();
            issuer = token.origin.host.issuer_v2(token.tenant);
        }
    }
    let is_v1 = version == TokenVersion::V1;
    let (client, acr) = (token.client.app_id, token.proof.acr());
    let now = token.now.as_unix_seconds();
    let random = &*core.randomness;
    let claims = Claims {
        aud: &audience,
        iss: &issuer,
        iat: now - BACKDATED_SECONDS,
        nbf: now - BACKDATED_SECONDS,
        exp: now + LIFETIME_SECONDS,
        aio: aio(random),
        app_displayname: for_graph.then_some(token.client.display_name.as_str()),
        appid: is_v1.then_some(client),
        appidacr: is_v1.then_some(acr),
        azp: (!is_v1).then_some(client),
        azpacr: (!is_v1).then_some(acr),
        idp: is_v1.then_some(issuer.as_str()),
        idtyp: (for_graph || wants_idtyp(token.resource)).then_some("app"),
        oid: token.client.object_id,
        rh: rh(token.tenant, resource_id),
        roles: &token.granted.roles,
        sub: token.client.object_id,
        tid: token.tenant,
        uti: token_id(random),
        ver: version.as_str(),
        wids: for_graph.then_some(["0997a1d0-0d1d-4acb-b408-d5ca73121e90"]),
        xms_ftd: xms_ftd(random),
    };
    let transient = || Refused::new(countersign_protocol::AadSts::TRANSIENT_ERROR).status(503);
    let ring = core.keys.ring().await.map_err(|error| transient().because(error.to_string()))?;
    let key = ring.signing(token.now).ok_or_else(|| transient().because("no signing key is active"))?;
    tracing::debug!(
        target: "countersign_authority::issued",
        tenant = %token.tenant, client = %client, resource = %resource_id, uti = claims.uti, key_id = key.key_id(),
    );
    key.signer(version).sign(&claims).map_err(|error| transient().because(error.to_string()))
}

/// Whether the resource asks for `idtyp` in its access tokens (`optionalClaims.accessToken`).
fn wants_idtyp(resource: &Resource) -> bool {
    resource
        .application
        .document()
        .get("optionalClaims")
        .and_then(|claims| claims.get("accessToken")?.as_array())
        .is_some_and(|claims| claims.iter().any(|claim| claim.get("name").is_some_and(|name| name == "idtyp")))
}
