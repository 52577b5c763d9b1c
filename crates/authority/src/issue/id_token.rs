//! id_tokens, v1.0 and v2.0. Which one is the endpoint's choice; the client asks for optional claims.
//!
//! Order and life are recorded (2020–2023): `aud, iss, iat, nbf, exp`, then by name; `exp - iat` is 3,900 seconds.
//! `c_hash` and `at_hash` (OpenID Connect Core §3.3.2.11) are only in id_tokens that travel with a code or an access
//! token through the browser.
//!
//! Source: Microsoft identity platform, "ID token claims reference"; "Optional claims reference".

use countersign_directory::{Directory, Tenant, UserType};
use countersign_protocol::{ClaimsRequest, EndpointVersion};
use countersign_token::{Timestamp, TokenVersion, base64url_encode, sha256};

use super::claims::{UserClaims, principal_name, sign_in_name};
use super::groups::{Groups, directory_roles, groups};
use super::lifetime::{BACKDATED_SECONDS, ID_TOKEN_SECONDS};
use super::opaque::{aio, rh, token_id};
use super::optional_claims::OptionalClaims;
use super::pairwise::pairwise_subject;
use super::sign::{owner_in, sign};
use crate::core::Core;
use crate::delegation::OidcScopes;
use crate::origin::Origin;
use crate::refused::Refused;
use crate::registry::Client;
use crate::subject::Subject;

/// What goes into an id_token.
pub(crate) struct IdToken<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) tenant: &'a Tenant,
    pub(crate) version: EndpointVersion,
    pub(crate) client: &'a Client,
    pub(crate) subject: &'a Subject,
    /// `profile` and `email` choose claims of v2.0; v1.0 has no scopes and carries the profile always.
    pub(crate) oidc: OidcScopes,
    /// The `claims` parameter: an id_token carries `auth_time`, `login_hint` and `sid` on request.
    pub(crate) claims: &'a ClaimsRequest,
    /// As the request to the authorization endpoint had it.
    pub(crate) nonce: Option<&'a str>,
    /// The code that travels with it: `c_hash`.
    pub(crate) code: Option<&'a str>,
    /// The access token that travels with it through the browser: `at_hash`.
    pub(crate) access_token: Option<&'a str>,
    /// It travels in a URL (implicit and hybrid flow), which has room for few groups.
    pub(crate) in_url: bool,
    pub(crate) now: Timestamp,
}

/// Signs an id_token; answers the compact JWS.
pub(crate) async fn id_token<D: Directory>(core: &Core<D>, wanted: IdToken<'_>) -> Result<String, Refused> {
    let IdToken { origin, tenant, subject, .. } = wanted;
    let application = &wanted.client.application;
    let user = &*subject.user;
    let is_v1 = wanted.version == EndpointVersion::V1;
    let optional = OptionalClaims::of_id_token(application);
    let asked = |name| optional.has(name) || wanted.claims.id_token().get(name).is_some();
    let profile = is_v1 || wanted.oidc.profile;
    // Roles and groups are what the user is at the client itself, which for that must be instantiated in the tenant.
    let (groups, granted) = match &wanted.client.service_principal {
        Some(principal) => (
            groups(core, application, principal, user, wanted.in_url).await?,
            Some(core.registry.granted(tenant.id, user.object_id, principal.object_id).await?),
        ),
        None => (Groups::default(), None),
    };
    let (version, issuer) = match wanted.version {
        EndpointVersion::V1 => (TokenVersion::V1, origin.cloud.issuer_v1(tenant.id)),
        EndpointVersion::V2 => (TokenVersion::V2, origin.host.issuer_v2(tenant.id)),
    };
    let audience = application.app_id().to_string();
    let seconds = wanted.now.as_unix_seconds();
    let random = &*core.randomness;
    let claims = UserClaims {
        aud: &audience,
        iss: &issuer,
        iat: seconds - BACKDATED_SECONDS,
        nbf: seconds - BACKDATED_SECONDS,
        exp: seconds + ID_TOKEN_SECONDS,
        claim_names: groups.claim_names,
        claim_sources: groups.claim_sources,
        acct: optional.has("acct").then_some(u8::from(user.user_type == UserType::Guest)),
        acr: None,
        acrs: if asked("acrs") { subject.session.contexts.as_slice() } else { &[] },
        aio: aio(random),
        amr: if is_v1 { subject.session.methods.as_slice() } else { &[] },
        app_displayname: None,
        appid: None,
        appidacr: None,
        at_hash: wanted.access_token.map(half_hash),
        auth_time: asked("auth_time").then_some(subject.session.auth_time),
        azp: None,
        azpacr: None,
        c_hash: wanted.code.map(half_hash),
        email: user.mail.as_deref().filter(|_| wanted.oidc.email || optional.has("email")),
        family_name: user.surname.as_deref().filter(|_| is_v1 || (profile && optional.has("family_name"))),
        given_name: user.given_name.as_deref().filter(|_| is_v1 || (profile && optional.has("given_name"))),
        groups: &groups.listed,
        hasgroups: groups.hasgroups,
        idp: None,
        idtyp: None,
        login_hint: asked("login_hint").then_some(user.user_principal_name.as_str()),
        name: profile.then_some(user.display_name.as_str()),
        nonce: wanted.nonce,
        oid: profile.then_some(user.object_id),
        preferred_username: (!is_v1 && profile).then(|| sign_in_name(user)),
        rh: rh(tenant.id, application.app_id()),
        roles: granted.as_ref().map_or(&[], |granted| granted.roles.as_slice()),
        scp: "",
        sid: asked("sid").then_some(subject.session.id),
        sub: pairwise_subject(&core.vault, tenant.id, user.object_id, application.app_id()),
        tenant_region_scope: optional.has("tenant_region_scope").then_some(tenant.region_scope.as_str()),
        tid: tenant.id,
        unique_name: is_v1.then(|| sign_in_name(user)),
        upn: principal_name(user, is_v1, optional),
        uti: token_id(random),
        ver: version.as_str(),
        wids: directory_roles(application, user, false),
        xms_cc: None,
        xms_ftd: None,
    };
    sign(core, owner_in(tenant), version, &claims, wanted.now).await
}

/// `c_hash` and `at_hash`: base64url of the left half of the SHA-256 digest (OpenID Connect Core §3.3.2.11).
fn half_hash(text: &str) -> String {
    base64url_encode(&sha256(text.as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value computed with another implementation: `printf %s CODE | openssl dgst -sha256 -binary | head -c16 | base64`.
    #[test]
    fn hashes_are_the_left_half_of_sha_256() {
        assert_eq!(half_hash("Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"), "LDktKdoQak3Pk0cnXxCltA");
    }
}
