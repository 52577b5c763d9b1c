//! What the client gets that is let in: a code, an id_token, an access token, in any allowed combination.

use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::{AadSts, AuthorizeSuccess, ClaimsRequest, ClientInfo, Prompt};

use super::accounts::Account;
use super::authorization::Authorization;
use super::authorize::Standing;
use super::visit::Visit;
use crate::grants::authorization_code::life_seconds;
use crate::grants::consent::delegate;
use crate::issue::sealed::{AuthorizationCode, Sealed};
use crate::issue::{ClientProof, IdToken, UserAccessToken, id_token, user_access_token};
use crate::refused::Refused;
use crate::subject::Subject;

/// The answer, at the redirect URI.
pub(super) async fn answer<D: Directory>(
    visit: &mut Visit<'_, D>,
    authorization: &Authorization,
    account: &Account,
    subject: &Subject,
    standing: &Standing,
) -> Result<Response, Refused> {
    let (core, now, tenant) = (visit.core, visit.exchange.now, &*account.tenant);
    authorization.check_for(tenant)?;
    let request = &authorization.request;
    let types = request.response_types;
    let origin = visit.exchange.origin;
    let none = ClaimsRequest::default();
    let claims = request.claims.as_ref().unwrap_or(&none);
    let mut success = AuthorizeSuccess::default();
    let code = if types.code { Some(seal_code(visit, authorization, account, subject)?) } else { None };
    let mut access_token = None;
    if types.token {
        let user = &subject.user;
        let delegation =
            delegate(core, tenant, &standing.client, &standing.principal, user, &authorization.wanted).await?;
        let token = UserAccessToken {
            origin,
            tenant,
            client_principal: &standing.principal,
            // Nobody proves anything by way of a browser.
            proof: ClientProof::Public,
            subject,
            delegation: &delegation,
            claims,
            in_url: true,
            now,
        };
        let issued = user_access_token(core, token).await?;
        success.expires_in = Some(issued.expires_in);
        success.scope = Some(delegation.response_scope);
        access_token = Some(issued.token);
    }
    if types.id_token {
        let token = IdToken {
            origin,
            tenant,
            version: authorization.version,
            client: &standing.client,
            subject,
            oidc: authorization.wanted.oidc,
            claims,
            nonce: request.nonce.as_deref(),
            code: code.as_deref(),
            access_token: access_token.as_deref(),
            in_url: true,
            now,
        };
        success.id_token = Some(id_token(core, token).await?.into());
    }
    success.code = code.map(Into::into);
    success.access_token = access_token.map(Into::into);
    success.state.clone_from(&request.state);
    success.session_state = Some(subject.session.id);
    if request.client_info {
        success.client_info = Some(ClientInfo { uid: subject.user.object_id, utid: tenant.id }.encode());
    }
    // RFC 9207, which Entra does not send: a strict tenant does, against mix-up (pitfalls B62).
    success.iss = tenant.strict.then(|| origin.host.issuer_v2(tenant.id));
    let app_id = standing.client.application.app_id();
    visit.sessions.used(account.object_id(), app_id);
    tracing::info!(
        target: "countersign_authority::authorized",
        tenant = %tenant.id,
        user = %subject.user.object_id,
        client = %app_id,
        silent = request.prompt == Some(Prompt::None),
        correlation_id = %visit.exchange.correlation_id(),
    );
    Ok(authorization.reply.send(&success.into()))
}

/// A code that carries all that its redemption needs; nothing is written for it.
fn seal_code<D: Directory>(
    visit: &Visit<'_, D>,
    authorization: &Authorization,
    account: &Account,
    subject: &Subject,
) -> Result<String, Refused> {
    let request = &authorization.request;
    let challenge = request.code_challenge.as_ref();
    let code = AuthorizationCode {
        id: visit.core.randomness.uuid_v4(),
        tenant: account.tenant.id,
        client: authorization.application.app_id(),
        user: subject.user.object_id,
        session: subject.session.clone(),
        redirect_uri: authorization.reply.redirect_uri.clone(),
        platform: authorization.reply.sealed_platform(),
        challenge: challenge.map(|challenge| (challenge.method().as_str().to_owned(), challenge.text().to_owned())),
        scope: request.scope.clone(),
        resource: request.resource.clone(),
        nonce: request.nonce.clone(),
        claims: request.claims.as_ref().map(|claims| claims.as_str().to_owned()),
        expires: visit.now() + life_seconds(&account.tenant),
    };
    let too_long = || Refused::new(AadSts::MALFORMED_REQUEST).because("the code would be too long");
    let text = code.seal(&visit.core.vault, &*visit.core.randomness).ok_or_else(too_long)?;
    // A code that its own authority would not read is not handed out.
    AuthorizationCode::open(&text, &visit.core.vault).ok_or_else(too_long)?;
    Ok(text)
}
