//! Who calls the token endpoint, and how it is proven: a secret in the body or by Basic, or a signed assertion.
//!
//! Exactly one proof is taken. Two at once are refused (RFC 6749 §2.3), since whichever was not looked at would otherwise
//! count for nothing or, worse, for something (CVE-2026-16093).

mod assertion;
mod federated;
mod secret;

use std::sync::Arc;

use countersign_directory::{Directory, ServicePrincipal, Tenant};
use countersign_protocol::{AadSts, BasicCredentials, BasicError, TokenRequest};
use countersign_token::assertion::ClientAssertion;
use countersign_token::{ClientId, Timestamp};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;
use uuid::Uuid;

use crate::call::{Place, TokenCall};
use crate::core::Core;
use crate::issue::ClientProof;
use crate::issue::sealed::Platform;
use crate::refused::Refused;
use crate::registry::Client;

/// A client that proved itself in a tenant, or need not. Only this module makes one.
pub(crate) struct AuthenticatedClient {
    pub(crate) record: Arc<Client>,
    pub(crate) service_principal: ServicePrincipal,
    pub(crate) proof: ClientProof,
}

/// Who may go without a proof in a user's flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithoutProof {
    /// Nobody.
    Nobody,
    /// An application that is registered as a public client (`isFallbackPublicClient`): password and device code, where
    /// no redirect URI tells what the client is.
    FallbackPublicClient,
    /// Whoever signed in at a redirect URI of this platform: all but the web.
    Platform(Platform),
}

/// What the request brings as proof.
enum Credential<'a> {
    Secret(Vec<&'a SecretString>),
    Assertion,
}

/// What a request says about its client, before anything of it is believed.
struct Claimed<'a> {
    request: &'a TokenRequest,
    basic: Option<BasicCredentials>,
    assertion: Option<Result<ClientAssertion, Refused>>,
}

/// The client of a request, proven. The order of the checks is the order of Entra's answers.
pub(crate) async fn authenticate<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    request: &TokenRequest,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<AuthenticatedClient, Refused> {
    let claimed = Claimed::of(request, headers)?;
    let (record, service_principal) = claimed.identify(core, tenant).await?;
    let credential = claimed.presented()?.ok_or_else(|| Refused::new(AadSts::MISSING_CLIENT_CREDENTIAL))?;
    let proof = claimed.prove(core, tenant, &record, credential, now).await?;
    Ok(AuthenticatedClient { record, service_principal, proof })
}

/// The client of a user's flow: proven, or one that need not be and then must not try.
///
/// A public client that brings a credential has published it (AADSTS700025).
pub(crate) async fn authenticate_or_public<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    call: &TokenCall<'_>,
    without_proof: WithoutProof,
) -> Result<AuthenticatedClient, Refused> {
    let claimed = Claimed::of(call.form, call.headers)?;
    let (record, service_principal) = claimed.identify(core, tenant).await?;
    served_here(call, &record)?;
    let is_public = match without_proof {
        WithoutProof::Nobody => false,
        WithoutProof::FallbackPublicClient => record.application.is_fallback_public_client(),
        WithoutProof::Platform(platform) => platform != Platform::Web,
    };
    let proof = match (claimed.presented()?, is_public) {
        (None, true) => ClientProof::Public,
        (None, false) => return Err(Refused::new(AadSts::CONFIDENTIAL_CLIENT_WITHOUT_CREDENTIAL)),
        (Some(_), true) => return Err(Refused::new(AadSts::PUBLIC_CLIENT_WITH_CREDENTIAL)),
        (Some(credential), false) => claimed.prove(core, tenant, &record, credential, call.exchange.now).await?,
    };
    Ok(AuthenticatedClient { record, service_principal, proof })
}

/// A client that is known by its id only: for the start of a device code flow, which yields nothing yet, and before a
/// refusal.
pub(crate) async fn identify<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    call: &TokenCall<'_>,
) -> Result<(Arc<Client>, ServicePrincipal), Refused> {
    let (record, service_principal) = Claimed::of(call.form, call.headers)?.identify(core, tenant).await?;
    served_here(call, &record)?;
    Ok((record, service_principal))
}

/// At an alias only applications are served that are meant for several tenants.
///
/// From here on it is known who asks: a page of a single-page application may read the answer, whatever it is.
fn served_here(call: &TokenCall<'_>, record: &Client) -> Result<(), Refused> {
    let application = &record.application;
    if call.origin_header().is_some() && !application.registration().spa.redirect_uris.is_empty() {
        call.exchange.allow_cross_origin();
    }
    if matches!(call.place, Place::Tenant(_)) || application.sign_in_audience().is_multi_tenant() {
        return Ok(());
    }
    Err(Refused::new(AadSts::NOT_MULTI_TENANT)
        .with("app_id", application.app_id().to_string())
        .with("app_name", application.display_name().to_owned()))
}

impl<'a> Claimed<'a> {
    fn of(request: &'a TokenRequest, headers: &HeaderMap) -> Result<Self, Refused> {
        let basic = basic_credentials(headers)?;
        let assertion = request.client_assertion.as_ref().map(assertion::parse);
        Ok(Self { request, basic, assertion })
    }

    /// The application that the request names, as it stands in the tenant.
    async fn identify<D: Directory>(
        &self,
        core: &Core<D>,
        tenant: &Tenant,
    ) -> Result<(Arc<Client>, ServicePrincipal), Refused> {
        let named = self.client_id()?;
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
        Ok((record, service_principal))
    }

    /// The client id: from the body, from Basic, or from the assertion (Authlib sends it nowhere else). They must agree.
    fn client_id(&self) -> Result<String, Refused> {
        let in_body = self.request.client_id.as_deref().filter(|id| !id.is_empty());
        let in_basic = self.basic.as_ref().map(BasicCredentials::client_id);
        match (in_body, in_basic) {
            (Some(body), Some(basic)) if !body.eq_ignore_ascii_case(basic) => {
                Err(Refused::new(AadSts::MALFORMED_REQUEST).because("Basic names another client than the body"))
            }
            (Some(id), _) | (None, Some(id)) => Ok(id.to_owned()),
            (None, None) => match &self.assertion {
                Some(Ok(assertion)) => Ok(assertion.subject().to_owned()),
                _ => Err(Refused::missing("client_id")),
            },
        }
    }

    /// The one proof that the request brings, if it brings any.
    fn presented(&self) -> Result<Option<Credential<'_>>, Refused> {
        let secret = self.request.client_secret.as_ref();
        let (basic, assertion) = (self.basic.as_ref(), self.request.client_assertion.as_ref());
        let proofs = [secret.is_some(), basic.is_some(), assertion.is_some()];
        if proofs.into_iter().filter(|present| *present).count() > 1 {
            return Err(Refused::new(AadSts::MALFORMED_REQUEST).because("more than one client authentication"));
        }
        if let Some(secret) = secret {
            return Ok(Some(Credential::Secret(vec![secret])));
        }
        if let Some(basic) = basic {
            return Ok(Some(Credential::Secret(basic.candidate_secrets().collect())));
        }
        match assertion {
            None => Ok(None),
            Some(_) if assertion::type_is_right(self.request.client_assertion_type.as_deref()) => {
                Ok(Some(Credential::Assertion))
            }
            Some(_) => Err(Refused::new(AadSts::MISSING_CLIENT_CREDENTIAL)),
        }
    }

    /// Whether the assertion is of another issuer: an application's own names the application, all others are URLs.
    fn is_federated(&self) -> bool {
        let issuer = match (&self.assertion, &self.request.client_assertion) {
            (Some(Ok(own)), _) => Some(own.issuer().to_owned()),
            (_, Some(raw)) => federated::parse(raw).ok().map(|assertion| assertion.issuer().to_owned()),
            _ => None,
        };
        issuer.is_some_and(|issuer| issuer.contains("://"))
    }

    /// Proves the client by what it presented.
    async fn prove<D: Directory>(
        &self,
        core: &Core<D>,
        tenant: &Tenant,
        record: &Client,
        credential: Credential<'_>,
        now: Timestamp,
    ) -> Result<ClientProof, Refused> {
        match credential {
            Credential::Secret(candidates) => {
                secret::prove(&core.vault, record, &candidates, now)?;
                Ok(ClientProof::Secret)
            }
            Credential::Assertion if self.is_federated() => {
                let raw = self.request.client_assertion.as_ref();
                let raw = raw.ok_or_else(|| Refused::new(AadSts::MISSING_CLIENT_CREDENTIAL))?;
                federated::prove(core, tenant, record, raw, now).await?;
                Ok(ClientProof::Assertion)
            }
            Credential::Assertion => {
                let assertion = match &self.assertion {
                    Some(Ok(assertion)) => assertion,
                    Some(Err(refused)) => return Err(refused.clone()),
                    None => return Err(Refused::new(AadSts::MISSING_CLIENT_CREDENTIAL)),
                };
                assertion::prove(core, tenant, record, assertion, now).await?;
                Ok(ClientProof::Assertion)
            }
        }
    }
}

/// An assertion that was taken before. Entra has no code for it, since it takes it again.
fn replayed() -> Refused {
    Refused::new(AadSts::CLIENT_AUTHENTICATION_FAILED).because("the assertion was sent before")
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
