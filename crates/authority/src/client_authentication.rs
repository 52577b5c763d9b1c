//! Who calls the token endpoint, and how it is proven: a secret in the body or by Basic, or a signed assertion.
//!
//! Exactly one proof is taken. Two at once are refused (RFC 6749 §2.3), since whichever was not looked at would otherwise
//! count for nothing or, worse, for something (CVE-2026-16093).

mod assertion;
mod secret;

use std::sync::Arc;

use countersign_directory::{Directory, ServicePrincipal, Tenant};
use countersign_protocol::{AadSts, BasicCredentials, BasicError, TokenRequest};
use countersign_token::{ClientId, Timestamp};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;
use uuid::Uuid;

use crate::core::Core;
use crate::issue::ClientProof;
use crate::refused::Refused;
use crate::registry::Client;

/// A client that proved itself in a tenant. Only [`authenticate`] makes one.
pub(crate) struct AuthenticatedClient {
    pub(crate) record: Arc<Client>,
    pub(crate) service_principal: ServicePrincipal,
    pub(crate) proof: ClientProof,
}

/// What the request brings as proof.
enum Credential<'a> {
    Secret(Vec<&'a SecretString>),
    Assertion,
}

/// The client of a request, proven. The order of the checks is the order of Entra's answers.
pub(crate) async fn authenticate<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    request: &TokenRequest,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<AuthenticatedClient, Refused> {
    let basic = basic_credentials(headers)?;
    let parsed_assertion = request.client_assertion.as_ref().map(assertion::parse);
    let named = client_id(request, basic.as_ref(), parsed_assertion.as_ref())?;
    let not_found = |id: String| {
        Refused::new(AadSts::APPLICATION_NOT_FOUND).with("app_id", id).with("tenant", tenant.display_name.clone())
    };
    let Ok(id) = named.parse::<ClientId>() else { return Err(not_found(named)) };
    if id.as_uuid() == Uuid::nil() {
        return Err(Refused::new(AadSts::INVALID_APPLICATION_IDENTIFIER).with("app_id", named));
    }
    let record = core.registry.client(tenant.id, id).await?.ok_or_else(|| not_found(named.clone()))?;
    let application = &record.application;
    let enabled = record.service_principal.as_ref().is_none_or(|principal| principal.account_enabled);
    if application.is_disabled() || !enabled {
        return Err(Refused::new(AadSts::APPLICATION_DISABLED)
            .with("app_id", named)
            .with("app_name", application.display_name().to_owned()));
    }
    let Some(service_principal) = record.service_principal.clone() else {
        return Err(Refused::new(AadSts::SERVICE_PRINCIPAL_MISSING)
            .with("app_id", named)
            .with("tenant", tenant.id.to_string()));
    };
    let proof = match presented(request, basic.as_ref())? {
        Credential::Secret(candidates) => {
            secret::prove(&core.vault, &record, &candidates, now)?;
            ClientProof::Secret
        }
        Credential::Assertion => {
            let assertion = parsed_assertion.ok_or_else(|| Refused::new(AadSts::MISSING_CLIENT_CREDENTIAL))??;
            assertion::prove(core, tenant, &record, &assertion, now)?;
            ClientProof::Assertion
        }
    };
    Ok(AuthenticatedClient { record, service_principal, proof })
}

/// The Basic credentials, if the request carries an `Authorization` header of that scheme.
fn basic_credentials(headers: &HeaderMap) -> Result<Option<BasicCredentials>, Refused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = || Refused::new(AadSts::MALFORMED_REQUEST).because("the Authorization header is unusable");
    if values.next().is_some() {
        return Err(malformed());
    }
    match BasicCredentials::parse(value.to_str().map_err(|_| malformed())?) {
        Ok(credentials) => Ok(Some(credentials)),
        // Another scheme is none of this endpoint's business, as with Entra.
        Err(BasicError::NotBasic) => Ok(None),
        Err(error) => Err(malformed().because(error.to_string())),
    }
}

/// The client id: from the body, from Basic, or from the assertion (Authlib sends it nowhere else). They must agree.
fn client_id(
    request: &TokenRequest,
    basic: Option<&BasicCredentials>,
    assertion: Option<&Result<countersign_token::assertion::ClientAssertion, Refused>>,
) -> Result<String, Refused> {
    let in_body = request.client_id.as_deref().filter(|id| !id.is_empty());
    let in_basic = basic.map(BasicCredentials::client_id);
    match (in_body, in_basic) {
        (Some(body), Some(basic)) if !body.eq_ignore_ascii_case(basic) => {
            Err(Refused::new(AadSts::MALFORMED_REQUEST).because("Basic names another client than the body"))
        }
        (Some(id), _) | (None, Some(id)) => Ok(id.to_owned()),
        (None, None) => match assertion {
            Some(Ok(assertion)) => Ok(assertion.subject().to_owned()),
            _ => Err(Refused::missing("client_id")),
        },
    }
}

/// The one proof that the request brings.
fn presented<'a>(request: &'a TokenRequest, basic: Option<&'a BasicCredentials>) -> Result<Credential<'a>, Refused> {
    let secret = request.client_secret.as_ref();
    let assertion = request.client_assertion.as_ref();
    if [secret.is_some(), basic.is_some(), assertion.is_some()].into_iter().filter(|present| *present).count() > 1 {
        return Err(Refused::new(AadSts::MALFORMED_REQUEST).because("more than one client authentication"));
    }
    if let Some(secret) = secret {
        return Ok(Credential::Secret(vec![secret]));
    }
    if let Some(basic) = basic {
        return Ok(Credential::Secret(basic.candidate_secrets().collect()));
    }
    match assertion {
        Some(_) if assertion::type_is_right(request.client_assertion_type.as_deref()) => Ok(Credential::Assertion),
        _ => Err(Refused::new(AadSts::MISSING_CLIENT_CREDENTIAL)),
    }
}
