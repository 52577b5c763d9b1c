//! The device code flow (RFC 8628): a device that cannot show a page asks, a person decides on another, the device polls.
//!
//! [`start`] makes the two codes, [`grant`] answers the polls. The page in between finds the request by its user code
//! ([`DeviceRequest`]) and decides with a sealed [`DeviceApproval`]. A device code is good for its own client only, and
//! once: of any number of polls, one gets the tokens.
//!
//! In a strict tenant a device that polls faster than it was told is told to slow down (RFC 8628 §3.5). Entra does not say
//! so, and clients that count on that are many.

use std::sync::Arc;
use std::time::Duration;

use countersign_directory::{DeviceCodeRow, DevicePoll, Directory, Tenant};
use countersign_protocol::{
    AadSts, DeviceAuthorization, EndpointVersion, ServedTenant, TenantSegment, TokenResponse, UserScopes,
};
use countersign_token::{ClientId, ObjectId, Randomness, TenantId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::admission::{Stage, parsed_claims};
use super::device_message::message;
use super::digest::digest;
use super::user_grant::{Lineage, UserGrant, answer, scope_refused};
use crate::call::{Place, TokenCall};
use crate::client_authentication::{AuthenticatedClient, WithoutProof, authenticate_or_public, identify};
use crate::core::Core;
use crate::issue::sealed::Sealed;
use crate::refused::Refused;
use crate::subject::{SessionFacts, Subject};

/// How long both codes live.
const LIFE: Duration = Duration::from_secs(900);

/// How long a device waits between two polls.
const INTERVAL: Duration = Duration::from_secs(5);

/// Nine characters, none of which looks like another: no `I`, `O`, `0`, `1`. 45 bits, good for a quarter of an hour.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// So many user codes are tried before the request is refused. One in some billions is taken.
const ATTEMPTS: usize = 5;

/// What the device polls with, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DeviceCode {
    id: Uuid,
    client: ClientId,
    /// The tenant of the path; none behind an alias.
    tenant: Option<TenantId>,
}

impl Sealed for DeviceCode {
    const PURPOSE: &'static str = "device code";
}

/// What a device asks for, sealed in the ledger's row. The page shows it to the person who decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviceRequest {
    pub(crate) client: ClientId,
    /// The tenant whose users may decide; any that has the application, if there is none.
    pub(crate) tenant: Option<TenantId>,
    /// Whether v1.0 was asked, which has `resource` where v2.0 has `scope`.
    pub(crate) v1: bool,
    pub(crate) scope: Option<String>,
    pub(crate) resource: Option<String>,
    /// `claims` of the request, as it was.
    pub(crate) claims: Option<String>,
}

impl Sealed for DeviceRequest {
    const PURPOSE: &'static str = "device request";
}

impl DeviceRequest {
    const fn version(&self) -> EndpointVersion {
        if self.v1 { EndpointVersion::V1 } else { EndpointVersion::V2 }
    }

    /// What is asked for, read as it was when the flow began.
    pub(crate) fn wanted(&self) -> Option<UserScopes> {
        UserScopes::parse(self.version(), self.scope.as_deref(), self.resource.as_deref()).ok()
    }
}

/// What the page decides: who signed in, sealed in [`DeviceDecision::Approved`](countersign_directory::DeviceDecision).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviceApproval {
    pub(crate) tenant: TenantId,
    pub(crate) user: ObjectId,
    pub(crate) session: SessionFacts,
}

impl Sealed for DeviceApproval {
    const PURPOSE: &'static str = "device approval";
}

/// A user code as it is kept: upper case, without blanks and hyphens, as people type it. `None` for what can be none.
pub(crate) fn canonical_user_code(typed: &str) -> Option<String> {
    let code: String =
        typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).take(10).collect();
    (code.len() == 9 && code.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(code)
}

fn user_code(randomness: &dyn Randomness) -> String {
    let mut bytes = [0; 9];
    randomness.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// Begins a flow. `language` is the query's `mkt`.
pub(crate) async fn start<D: Directory>(
    core: &Core<D>,
    call: &TokenCall<'_>,
    language: Option<&str>,
) -> Result<DeviceAuthorization, Refused> {
    let (form, now) = (call.form, call.exchange.now);
    let (tenant, home) = tenants(core, call, None).await?;
    let (client, _) = identify(core, &home, call).await?;
    let (scope, resource) = (form.scope.as_deref(), form.resource.as_deref());
    if call.version == EndpointVersion::V1 && resource.is_none() {
        return Err(Refused::missing("resource"));
    }
    UserScopes::parse(call.version, scope, resource).map_err(|error| scope_refused(&error, &home))?;
    form.claims.as_deref().map(parsed_claims).transpose()?;
    let client = client.application.app_id();
    let code = DeviceCode { id: core.randomness.uuid_v4(), client, tenant };
    let request = DeviceRequest {
        client,
        tenant,
        v1: call.version == EndpointVersion::V1,
        scope: form.scope.clone(),
        resource: form.resource.clone(),
        claims: form.claims.clone(),
    };
    let unsealed = || Refused::transient("a device code does not seal");
    let sealed = request.seal(&core.vault, &*core.randomness).ok_or_else(unsealed)?;
    // What could never be opened again is not kept: whoever starts a flow has proven nothing yet.
    if DeviceRequest::open(&sealed, &core.vault).is_none() {
        return Err(Refused::new(AadSts::MALFORMED_REQUEST).because("the request is too long for a device code"));
    }
    let mut row = DeviceCodeRow {
        device_digest: device_digest(core, &code),
        user_code: String::new(),
        tenant,
        client_id: client,
        request: sealed.into_bytes(),
        created: now,
        expires_at: now.plus(LIFE),
    };
    let device_code = code.seal(&core.vault, &*core.randomness).ok_or_else(unsealed)?;
    for _ in 0..ATTEMPTS {
        row.user_code = user_code(&*core.randomness);
        if core.registry.directory().insert_device_code(&row).await? {
            let page = format!("{}/devicelogin", call.exchange.origin.host.origin());
            let mut answer = DeviceAuthorization::new(row.user_code, device_code.into(), page);
            answer.message = message(language, &answer.verification_uri, &answer.user_code);
            (answer.expires_in, answer.interval) = (LIFE, INTERVAL);
            return Ok(answer);
        }
    }
    Err(Refused::transient("no user code is free"))
}

pub(crate) async fn grant<D: Directory>(core: &Core<D>, call: &TokenCall<'_>) -> Result<TokenResponse, Refused> {
    let (form, now) = (call.form, call.exchange.now);
    let name = if call.version == EndpointVersion::V1 { "code" } else { "device_code" };
    let text = form.device_code.as_ref().ok_or_else(|| Refused::missing(name))?;
    let code = DeviceCode::open(text.expose_secret(), &core.vault);
    let (tenant, home) = tenants(core, call, code.as_ref()).await?;
    let Some(code) = code else {
        identify(core, &home, call).await?;
        return Err(Refused::new(AadSts::BAD_VERIFICATION_CODE));
    };
    let client = authenticate_or_public(core, &home, call, WithoutProof::FallbackPublicClient).await?;
    if code.client != client.service_principal.app_id || code.tenant.is_some_and(|of_code| Some(of_code) != tenant) {
        return Err(Refused::new(AadSts::BAD_VERIFICATION_CODE).because("another client's or tenant's device code"));
    }
    let interval = if home.strict { INTERVAL } else { Duration::ZERO };
    let poll = core.registry.directory().poll_device_code(&device_digest(core, &code), now, interval).await?;
    let (decision, request) = match poll {
        DevicePoll::Approved { decision, request } => (decision, request),
        DevicePoll::Unknown => return Err(Refused::new(AadSts::BAD_VERIFICATION_CODE)),
        DevicePoll::Pending => return Err(Refused::new(AadSts::AUTHORIZATION_PENDING)),
        DevicePoll::SlowDown => return Err(Refused::new(AadSts::SLOW_DOWN)),
        DevicePoll::Declined => return Err(Refused::new(AadSts::AUTHORIZATION_DECLINED)),
        DevicePoll::Expired => return Err(Refused::new(AadSts::DEVICE_CODE_EXPIRED)),
        DevicePoll::Redeemed => return Err(Refused::new(AadSts::CODE_ALREADY_REDEEMED)),
    };
    let damaged = || Refused::transient("what the ledger keeps of a device code does not open");
    let opened = std::str::from_utf8(&decision).ok().and_then(|text| DeviceApproval::open(text, &core.vault));
    let approval = opened.ok_or_else(damaged)?;
    let opened = std::str::from_utf8(&request).ok().and_then(|text| DeviceRequest::open(text, &core.vault));
    let request = opened.ok_or_else(damaged)?;
    redeem(core, call, client, code.id, &approval, &request).await
}

/// The tokens for an approval, in the tenant of whoever approved.
async fn redeem<D: Directory>(
    core: &Core<D>,
    call: &TokenCall<'_>,
    client: AuthenticatedClient,
    family: Uuid,
    approval: &DeviceApproval,
    request: &DeviceRequest,
) -> Result<TokenResponse, Refused> {
    let tenant = call.directory_of(core, approval.tenant).await?;
    let client = in_tenant(core, &tenant, client).await?;
    let user = core.registry.user(tenant.id, approval.user).await?;
    let user = user.ok_or_else(|| Refused::new(AadSts::INVALID_GRANT).because("the user is gone"))?;
    let (scope, resource) = (request.scope.as_deref(), request.resource.as_deref());
    // What the poll asks for is what was shown to the person, or nothing.
    let wanted = UserScopes::parse(request.version(), scope, resource);
    let wanted = wanted.map_err(|error| scope_refused(&error, &tenant))?;
    let grant = UserGrant {
        tenant: &tenant,
        client: &client,
        subject: Subject { user, session: approval.session.clone() },
        wanted,
        stage: Stage::Device,
        claims: call.form.claims.as_deref().or(request.claims.as_deref()),
        nonce: None,
        lineage: Lineage::First { family, scope, resource, spa: false },
    };
    answer(core, call, grant).await
}

/// The tenant of the path, if it names one, and the one in which the client is looked for: the same, or the application's
/// home.
async fn tenants<D: Directory>(
    core: &Core<D>,
    call: &TokenCall<'_>,
    code: Option<&DeviceCode>,
) -> Result<(Option<TenantId>, Arc<Tenant>), Refused> {
    match &call.place {
        Place::Tenant(tenant) => return Ok((Some(tenant.id), Arc::clone(tenant))),
        Place::Alias(ServedTenant::Consumers) => return Err(Refused::new(AadSts::GRANT_TYPE_NOT_SUPPORTED_ON_ALIAS)),
        Place::Alias(_) => {}
    }
    if let Some(tenant) = code.and_then(|code| code.tenant) {
        let tenant = call.directory_of(core, tenant).await?;
        return Ok((Some(tenant.id), tenant));
    }
    let named = call.form.client_id.as_deref().ok_or_else(|| Refused::missing("client_id"))?;
    let not_found =
        || Refused::new(AadSts::APPLICATION_NOT_FOUND).with("app_id", named.to_owned()).with("tenant", "common");
    let id = named.parse::<ClientId>().map_err(|_| not_found())?;
    let application = core.registry.application(id).await?.ok_or_else(not_found)?;
    let home = core.registry.tenant(&TenantSegment::Id(application.tenant())).await?;
    Ok((None, home.filter(|home| home.enabled).ok_or_else(not_found)?))
}

/// A client that proved itself at home, as it stands in another tenant.
async fn in_tenant<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    client: AuthenticatedClient,
) -> Result<AuthenticatedClient, Refused> {
    if client.service_principal.tenant == tenant.id {
        return Ok(client);
    }
    let missing = || {
        Refused::new(AadSts::SERVICE_PRINCIPAL_MISSING)
            .with("app_id", client.service_principal.app_id.to_string())
            .with("tenant", tenant.id.to_string())
    };
    let record = core.registry.client(tenant.id, client.service_principal.app_id).await?.ok_or_else(missing)?;
    let service_principal = record.service_principal.clone().filter(|principal| principal.account_enabled);
    let service_principal = service_principal.ok_or_else(missing)?;
    Ok(AuthenticatedClient { record, service_principal, proof: client.proof })
}

fn device_digest<D: Directory>(core: &Core<D>, code: &DeviceCode) -> [u8; 32] {
    digest(&core.vault, "device code", &code.id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SystemRandomness;

    #[test]
    fn b59_user_codes_are_nine_characters_that_nobody_mistakes() {
        for _ in 0..1_000 {
            let code = user_code(&SystemRandomness);
            assert_eq!(code.len(), 9);
            assert!(!code.contains(['I', 'O', '0', '1']), "{code}");
            assert_eq!(canonical_user_code(&code), Some(code));
        }
    }

    #[test]
    fn a_user_code_may_be_typed_with_blanks_hyphens_and_in_small_letters() {
        assert_eq!(canonical_user_code(" gk3-tkx 9ma "), Some("GK3TKX9MA".to_owned()));
        for typed in ["", "GK3TKX9M", "GK3TKX9MAA", "GK3TKX9M0", "GK3TKX9M'", "ÄK3TKX9MA", &"A".repeat(10_000)] {
            assert_eq!(canonical_user_code(typed), None, "{typed:.20}");
        }
    }
}
