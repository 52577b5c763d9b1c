//! Reading back a token that this authority issued: on-behalf-of assertions, tokens for userinfo, `id_token_hint`.
//!
//! The header's `kid` chooses among the published keys, the algorithm is RS256, and the key must be one that signs for
//! the tenant that the token names: a tenant's own key, or an application's, vouches for nobody else (CVE-2025-55241). The
//! issuer must be one of this authority's names for that tenant. Times, audience and kind are the caller's business, who
//! gets them from [`OwnToken`].

use countersign_directory::{Directory, KeyOwner};
use countersign_protocol::TenantSegment;
use countersign_token::{Algorithm, ClientId, ObjectId, Rejection, TenantId, Timestamp, UnverifiedJws};
use serde::Deserialize;
use uuid::Uuid;

use super::sign::owner_in;
use crate::core::Core;
use crate::refused::Refused;

/// What a token of this authority says. Its signature and issuer were checked; nothing else was.
#[derive(Debug, Deserialize)]
pub(crate) struct OwnToken {
    pub(crate) aud: String,
    iss: String,
    /// Seconds since the epoch; 300 before the token was issued.
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) tid: TenantId,
    /// The user, or the service principal of an app-only token. An id_token without `profile` has none.
    pub(crate) oid: Option<ObjectId>,
    pub(crate) sub: String,
    ver: String,
    appid: Option<ClientId>,
    azp: Option<ClientId>,
    scp: Option<String>,
    pub(crate) idtyp: Option<String>,
    pub(crate) sid: Option<Uuid>,
    pub(crate) auth_time: Option<i64>,
    #[serde(default)]
    pub(crate) amr: Vec<String>,
    #[serde(default)]
    pub(crate) acrs: Vec<String>,
    pub(crate) preferred_username: Option<String>,
}

impl OwnToken {
    /// The client of an access token; `None` says that it is an id_token.
    pub(crate) fn client(&self) -> Option<ClientId> {
        self.azp.or(self.appid)
    }

    /// An access token that speaks for a user: it has a client, scopes, and another subject than the object id.
    pub(crate) fn is_delegated(&self) -> bool {
        self.client().is_some() && self.scp.is_some() && self.idtyp.as_deref() != Some("app")
    }

    /// An application's own token: a client and no scopes.
    pub(crate) fn is_app_only(&self) -> bool {
        self.client().is_some() && !self.is_delegated()
    }

    /// A token that only tells its client who signed in.
    pub(crate) fn is_id_token(&self) -> bool {
        self.client().is_none()
    }

    /// Whether it is past its end.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        now.as_unix_seconds() >= self.exp
    }
}

/// Why a text is no token of this authority.
#[derive(Debug)]
pub(crate) enum OwnTokenFault {
    /// Not a JWS of the form that this authority writes.
    Malformed(Rejection),
    /// Not signed by a published key of the owner it would need.
    NotOurs,
    /// Signed by us, and names an issuer or tenant that is not ours.
    ForeignIssuer,
    /// The keys or the tenant cannot be read now.
    Unavailable(Refused),
}

/// Reads a token that this authority issued, under any of its names.
///
/// # Errors
/// [`OwnTokenFault`]; nothing of the text is believed then.
pub(crate) async fn read_own_token<D: Directory>(core: &Core<D>, text: &str) -> Result<OwnToken, OwnTokenFault> {
    let unavailable = |refused: Refused| OwnTokenFault::Unavailable(refused);
    let jws = UnverifiedJws::parse(text).map_err(OwnTokenFault::Malformed)?;
    let ring = core.keys.ring().await.map_err(|error| unavailable(error.into()))?;
    let key_id = jws.key_id().ok_or(OwnTokenFault::NotOurs)?;
    let key = ring.find(key_id, core.clock.now()).ok_or(OwnTokenFault::NotOurs)?;
    let payload = jws.verify(key.public_key(), &[Algorithm::Rs256]).map_err(|_| OwnTokenFault::NotOurs)?;
    let token: OwnToken = serde_json::from_slice(&payload).map_err(|_| OwnTokenFault::NotOurs)?;
    let issued = match token.ver.as_str() {
        "1.0" => core.origins.issues_v1(token.tid, &token.iss),
        "2.0" => core.origins.issues_v2(token.tid, &token.iss),
        _ => false,
    };
    if !issued {
        return Err(OwnTokenFault::ForeignIssuer);
    }
    let tenant =
        core.registry.tenant(&TenantSegment::Id(token.tid)).await.map_err(|error| unavailable(error.into()))?;
    let tenant = tenant.ok_or(OwnTokenFault::ForeignIssuer)?;
    let fits = match key.owner() {
        KeyOwner::Application(application) => {
            let resource =
                core.registry.resource(token.tid, &token.aud).await.map_err(|error| unavailable(error.into()))?;
            resource.is_some_and(|resource| resource.application.app_id() == application)
        }
        owner => owner == owner_in(&tenant),
    };
    if fits { Ok(token) } else { Err(OwnTokenFault::ForeignIssuer) }
}
