//! Access tokens that speak for a user, v1.0 and v2.0. Which one is the resource's choice, whatever endpoint was asked.
//!
//! Microsoft Graph's are v1.0. Entra puts a `nonce` into their header that makes their signature unverifiable for anybody
//! else; these have none, so that the authority's own Graph routes are guarded like any API.
//!
//! Source: Microsoft identity platform, "Access token claims reference"; "Optional claims reference".

use countersign_directory::{Directory, MICROSOFT_GRAPH, ServicePrincipal, Tenant, UserType};
use countersign_protocol::ClaimsRequest;
use countersign_token::{Timestamp, TokenVersion};

use super::access_token::{ClientProof, IssuedAccessToken, audience};
use super::claims::{UserClaims, principal_name, sign_in_name};
use super::groups::{directory_roles, groups};
use super::lifetime::{BACKDATED_SECONDS, CLAIMS_CHALLENGES, Lifetime, is_continuous};
use super::opaque::{aio, rh, token_id, xms_ftd};
use super::optional_claims::OptionalClaims;
use super::pairwise::pairwise_subject;
use super::sign::{owner_for, sign};
use crate::core::Core;
use crate::delegation::Delegation;
use crate::origin::Origin;
use crate::refused::Refused;
use crate::subject::Subject;

/// What goes into a user's access token.
pub(crate) struct UserAccessToken<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) tenant: &'a Tenant,
    pub(crate) client_principal: &'a ServicePrincipal,
    pub(crate) proof: ClientProof,
    pub(crate) subject: &'a Subject,
    pub(crate) delegation: &'a Delegation,
    pub(crate) claims: &'a ClaimsRequest,
    /// The token travels in a URL (implicit and hybrid flow), which has room for few groups.
    pub(crate) in_url: bool,
    pub(crate) now: Timestamp,
}

/// Signs an access token for a user.
pub(crate) async fn user_access_token<D: Directory>(
    core: &Core<D>,
    wanted: UserAccessToken<'_>,
) -> Result<IssuedAccessToken, Refused> {
    let UserAccessToken { origin, tenant, subject, delegation, .. } = wanted;
    let resource = &*delegation.resource;
    let application = &resource.application;
    let user = &*subject.user;
    let granted = core.registry.granted(tenant.id, user.object_id, resource.service_principal.object_id).await?;
    let groups = groups(core, application, &resource.service_principal, user, wanted.in_url).await?;
    let continuous = is_continuous(application, Some(wanted.claims));
    let life = if continuous { Lifetime::CONTINUOUSLY_EVALUATED } else { Lifetime::of_user(&*core.randomness) };
    let for_graph = application.app_id() == MICROSOFT_GRAPH;
    let version = application.access_token_version();
    let is_v1 = version == TokenVersion::V1;
    let optional = OptionalClaims::of_access_token(application);
    let audience = audience(resource, version, &delegation.resource_name, optional);
    let issuer = match version {
        TokenVersion::V1 => origin.cloud.issuer_v1(tenant.id),
        TokenVersion::V2 => origin.host.issuer_v2(tenant.id),
    };
    let asks_for_contexts = optional.has("acrs") || wanted.claims.authentication_context().is_some();
    let (client, acr) = (wanted.client_principal.app_id, wanted.proof.acr());
    let is_guest = user.user_type == UserType::Guest;
    let by_name = user.user_principal_name.as_str();
    let scp = delegation.scopes.join(" ");
    let seconds = wanted.now.as_unix_seconds();
    let random = &*core.randomness;
    let claims = UserClaims {
        aud: &audience,
        iss: &issuer,
        iat: seconds - BACKDATED_SECONDS,
        nbf: seconds - BACKDATED_SECONDS,
        exp: life.ends(seconds),
        claim_names: groups.claim_names,
        claim_sources: groups.claim_sources,
        acct: optional.has("acct").then_some(u8::from(is_guest)),
        acr: is_v1.then_some("1"),
        acrs: if asks_for_contexts { subject.session.contexts.as_slice() } else { &[] },
        aio: aio(random),
        amr: if is_v1 { subject.session.methods.as_slice() } else { &[] },
        app_displayname: for_graph.then_some(wanted.client_principal.display_name.as_str()),
        appid: is_v1.then_some(client),
        appidacr: is_v1.then_some(acr),
        at_hash: None,
        auth_time: optional.has("auth_time").then_some(subject.session.auth_time),
        azp: (!is_v1).then_some(client),
        azpacr: (!is_v1).then_some(acr),
        c_hash: None,
        email: user.mail.as_deref().filter(|_| delegation.oidc.email || optional.has("email")),
        family_name: user.surname.as_deref().filter(|_| is_v1 || optional.has("family_name")),
        given_name: user.given_name.as_deref().filter(|_| is_v1 || optional.has("given_name")),
        groups: &groups.listed,
        hasgroups: groups.hasgroups,
        idp: is_v1.then_some(&issuer),
        idtyp: (for_graph || optional.has_with("idtyp", "include_user_token")).then_some("user"),
        login_hint: optional.has("login_hint").then_some(by_name),
        name: Some(&user.display_name),
        nonce: None,
        oid: Some(user.object_id),
        preferred_username: (!is_v1 && delegation.oidc.profile).then(|| sign_in_name(user)),
        rh: rh(tenant.id, application.app_id()),
        roles: &granted.roles,
        scp: &scp,
        sid: (!is_v1 || for_graph || optional.has("sid")).then_some(subject.session.id),
        sub: pairwise_subject(&core.vault, tenant.id, user.object_id, application.app_id()),
        tenant_region_scope: (for_graph || optional.has("tenant_region_scope")).then_some(tenant.region_scope.as_str()),
        tid: tenant.id,
        unique_name: is_v1.then(|| sign_in_name(user)),
        upn: principal_name(user, is_v1, optional),
        uti: token_id(random),
        ver: version.as_str(),
        wids: directory_roles(application, user, for_graph),
        xms_cc: continuous.then_some([CLAIMS_CHALLENGES]),
        xms_ftd: Some(xms_ftd(random)),
    };
    let token = sign(core, owner_for(tenant, resource), version, &claims, wanted.now).await?;
    tracing::debug!(
        target: "countersign_authority::issued",
        tenant = %tenant.id, %client, resource = %application.app_id(), user = %user.object_id, uti = claims.uti,
    );
    Ok(IssuedAccessToken::new(token, life, wanted.now))
}
