//! What a grant that speaks for a user answers with: access token, refresh token, id_token, `client_info`.
//!
//! Which of them an answer has is the facts' §2.10: at v2.0 the id_token goes with `openid`, at v1.0 it is always there;
//! the refresh token is the grant's decision, and only sealed here. Nothing is written to the directory.

use countersign_directory::{Directory, ServicePrincipal, Tenant};
use countersign_protocol::{ClaimsRequest, ClientInfo, EndpointVersion, TokenResponse};
use countersign_token::Timestamp;

use super::lifetime::BACKDATED_SECONDS;
use super::sealed::{RefreshToken, Sealed};
use super::{ClientProof, IdToken, UserAccessToken, id_token, user_access_token};
use crate::core::Core;
use crate::delegation::Delegation;
use crate::origin::Origin;
use crate::refused::Refused;
use crate::registry::Client;
use crate::subject::Subject;

/// Everything that an answer to a user's grant is made of.
pub(crate) struct UserTokens<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) tenant: &'a Tenant,
    pub(crate) version: EndpointVersion,
    pub(crate) client: &'a Client,
    pub(crate) client_principal: &'a ServicePrincipal,
    pub(crate) proof: ClientProof,
    pub(crate) subject: &'a Subject,
    pub(crate) delegation: &'a Delegation,
    /// The `claims` parameter, read; the empty one where there is none.
    pub(crate) claims: &'a ClaimsRequest,
    /// `client_info=1` was asked for.
    pub(crate) client_info: bool,
    /// Of the request to the authorization endpoint.
    pub(crate) nonce: Option<&'a str>,
    /// What is sealed into the answer's refresh token; none is answered without.
    pub(crate) refresh: Option<RefreshToken>,
    pub(crate) now: Timestamp,
}

/// The answer.
pub(crate) async fn user_tokens<D: Directory>(
    core: &Core<D>,
    wanted: UserTokens<'_>,
) -> Result<TokenResponse, Refused> {
    let UserTokens { origin, tenant, version, subject, delegation, claims, now, .. } = wanted;
    let access_token = user_access_token(
        core,
        UserAccessToken {
            origin,
            tenant,
            client_principal: wanted.client_principal,
            proof: wanted.proof,
            subject,
            delegation,
            claims,
            in_url: false,
            now,
        },
    )
    .await?;
    let id_token = if version == EndpointVersion::V1 || delegation.oidc.openid {
        let wanted = IdToken {
            origin,
            tenant,
            version,
            client: wanted.client,
            subject,
            oidc: delegation.oidc,
            claims,
            nonce: wanted.nonce,
            code: None,
            access_token: None,
            in_url: false,
            now,
        };
        Some(id_token(core, wanted).await?)
    } else {
        None
    };
    let mut response = TokenResponse::new(access_token.token.into(), access_token.expires_in);
    response.refresh_in = access_token.refresh_in;
    response.scope = Some(delegation.response_scope.clone());
    response.id_token = id_token.map(Into::into);
    if let Some(refresh) = &wanted.refresh {
        let sealed = refresh.seal(&core.vault, &*core.randomness);
        response.refresh_token =
            Some(sealed.ok_or_else(|| Refused::transient("a refresh token does not seal"))?.into());
    }
    if wanted.client_info {
        response.client_info = Some(ClientInfo { uid: subject.user.object_id, utid: subject.user.tenant }.encode());
    }
    Ok(match version {
        EndpointVersion::V1 => response.with_v1_members(
            delegation.resource_name.as_str(),
            now.as_unix_seconds() - BACKDATED_SECONDS,
            access_token.expires_on,
        ),
        EndpointVersion::V2 => response,
    })
}
