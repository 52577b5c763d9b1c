//! The token of a managed identity: the same that its service principal would get for a credential, but for a day.

use countersign_directory::Directory;
use countersign_protocol::{AadSts, ErrorContext, ManagedIdentityToken, ResourceIdentifier, TenantSegment, TokenError};
use http::StatusCode;

use super::answer::{Answer, Fault};
use super::identity::ManagedIdentity;
use super::request::Question;
use crate::core::Core;
use crate::grants::client_credentials::open_resource;
use crate::issue::{AppOnlyToken, ClientProof, app_only};
use crate::origin::Origin;
use crate::refused::Refused;

/// Issues a token of this identity, if it is the one that is meant and the resource is open to it.
pub(super) async fn lend<D: Directory>(
    core: &Core<D>,
    identity: &ManagedIdentity,
    question: &Question,
    answer: &Answer,
) -> Result<ManagedIdentityToken, Fault> {
    if !question.selectors.iter().all(|selector| identity.is(selector)) {
        return Err(Fault::identity_not_found());
    }
    let origin = origin(core);
    let token = match issue(core, origin, identity, &question.resource).await {
        Ok(Some(token)) => token,
        Ok(None) => return Err(Fault::identity_not_found()),
        Err(refused) => return Err(passed_on(core, origin, &refused, answer)),
    };
    tracing::info!(
        target: "countersign_authority::signed_in",
        tenant = %identity.tenant_id(), client = %identity.client_id(), id = %answer.id, "a managed identity"
    );
    Ok(token)
}

/// `None` if the identity was removed from the directory since the authority was started.
async fn issue<D: Directory>(
    core: &Core<D>,
    origin: &Origin,
    identity: &ManagedIdentity,
    resource_name: &str,
) -> Result<Option<ManagedIdentityToken>, Refused> {
    let now = core.clock.now();
    let (tenant_id, client_id) = (identity.tenant_id(), identity.client_id());
    let tenant = core.registry.tenant(&TenantSegment::Id(tenant_id)).await?;
    let Some(tenant) = tenant.filter(|tenant| tenant.enabled) else { return Ok(None) };
    let Some(client) = core.registry.client(tenant_id, client_id).await? else { return Ok(None) };
    let principal = client.service_principal.as_ref().filter(|own| own.object_id == identity.object_id());
    let Some(principal) = principal else { return Ok(None) };
    if client.application.is_disabled() || !principal.account_enabled {
        return Err(Refused::new(AadSts::APPLICATION_DISABLED)
            .with("app_id", client_id.to_string())
            .with("app_name", client.application.display_name().to_owned()));
    }
    let wanted = ResourceIdentifier::parse(resource_name).map_err(|_| {
        Refused::new(AadSts::RESOURCE_NOT_FOUND)
            .with("resource", resource_name.to_owned())
            .with("tenant", tenant_id.to_string())
    })?;
    let open = open_resource(core, &tenant, &client.application, principal, wanted.as_str()).await?;
    let issued = app_only(
        core,
        AppOnlyToken {
            origin,
            tenant: &tenant,
            client: principal,
            proof: ClientProof::ManagedIdentity,
            resource: &open.resource,
            resource_name: wanted.as_str(),
            granted: &open.granted,
            claims: None,
            now,
        },
    )
    .await?;
    let mut token = ManagedIdentityToken::new(issued.token.into(), issued.expires_on);
    token.client_id = Some(client_id.to_string());
    token.expires_in = Some(issued.expires_in);
    token.ext_expires_in = Some(issued.expires_in);
    // As the token itself says (recorded: a day and five minutes before its end).
    token.not_before = Some(now.as_unix_seconds() - 300);
    token.resource = Some(resource_name.to_owned());
    Ok(Some(token))
}

/// The name under which its tokens are issued: nobody asked under one. The cloud's own, where the authority stands in for
/// it, since the programs that are played to then expect that one.
fn origin<D: Directory>(core: &Core<D>) -> &Origin {
    let stands_in = core.origins.all().find(|origin| origin.host.host() == origin.cloud.authority_host);
    stands_in.unwrap_or_else(|| core.origins.own())
}

/// Entra's error, as the platform hands it on. What may succeed at another try keeps its status.
fn passed_on<D: Directory>(core: &Core<D>, origin: &Origin, refused: &Refused, answer: &Answer) -> Fault {
    let context = ErrorContext {
        trace_id: answer.id,
        correlation_id: answer.id,
        timestamp: core.clock.now(),
        authority: &origin.host,
    };
    if let Some(detail) = &refused.detail {
        tracing::info!(target: "countersign_authority::refused", id = %answer.id, code = refused.aadsts.code, %detail);
    }
    let insertions: Vec<(&str, &str)> =
        refused.insertions.iter().map(|(name, value)| (*name, value.as_ref())).collect();
    let error = TokenError::new(refused.aadsts, &insertions, &context);
    let status = match StatusCode::from_u16(refused.status.unwrap_or(refused.aadsts.status)) {
        Ok(status) if status.is_server_error() => status,
        _ => StatusCode::BAD_REQUEST,
    };
    Fault::of_entra(status, error.error().to_owned(), error.description().unwrap_or_default().to_owned())
}
