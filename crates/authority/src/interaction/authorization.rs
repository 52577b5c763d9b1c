//! An authorization request that is understood: its client, where its answer goes, and what it asks for.
//!
//! Checked in this order: the path's tenant, the client, the redirect URI; only then may an answer leave this origin
//! (RFC 6749 §4.1.2.1, pitfalls B37). All of it is looked up again at each step of the flow, in the directory: nothing that
//! a browser carries switches anything on (B70).

use std::sync::Arc;

use axum::response::Response;
use countersign_directory::{Application, Directory, Tenant};
use countersign_protocol::graph::SignInAudience;
use countersign_protocol::redirect_uri::Platform;
use countersign_protocol::{
    AadSts, AuthorizeFailure, AuthorizeRequest, AuthorizeResponse, EndpointVersion, Prompt, RedirectUris, ResponseMode,
    ServedTenant, UserScopes,
};
use countersign_token::ClientId;
use uuid::Uuid;

use super::answer::deliver;
use super::consent;
use super::fault::{self, Names, page, wire_error};
use super::flow::Question;
use super::visit::Visit;
use crate::call::Place;
use crate::core::Core;
use crate::issue::sealed;
use crate::refused::Refused;

/// A request whose client and redirect URI belong together.
pub(super) struct Authorization {
    pub(super) place: Place,
    pub(super) version: EndpointVersion,
    pub(super) application: Arc<Application>,
    pub(super) reply: Reply,
    pub(super) request: AuthorizeRequest,
    pub(super) wanted: UserScopes,
}

/// Where answers go.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) redirect_uri: String,
    pub(super) platform: Platform,
    mode: ResponseMode,
    state: Option<String>,
    application: String,
    strict_tenant: Option<String>,
}

/// A request that goes nowhere.
pub(super) enum Fault {
    /// It is not known that anybody but the person should hear of it.
    Page(Refused, Option<Arc<Application>>),
    /// The client is told.
    Reply(Refused, Box<Reply>),
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Page(refused, None)
    }
}

impl Authorization {
    /// Reads a question anew.
    pub(super) async fn read<D: Directory>(visit: &mut Visit<'_, D>, question: &Question) -> Result<Self, Fault> {
        let version = if question.v1 { EndpointVersion::V1 } else { EndpointVersion::V2 };
        let place = super::place_of(visit.core, &question.tenant).await?;
        let parsed = AuthorizeRequest::parse(question.query.as_bytes());
        let reply_to = match &parsed {
            Ok(request) => request.reply_to(),
            Err(refusal) => refusal.reply_to.clone(),
        };
        visit.exchange.correlate(reply_to.client_request_id);
        let Some(client_id) = reply_to.client_id.as_deref().filter(|_| !reply_to.is_ambiguous) else {
            // A request that names no client, or two, is refused for what is wrong with it.
            let said =
                parsed.err().map_or_else(|| Refused::missing("client_id"), |refusal| parse_fault(&refusal.error));
            return Err(said.into());
        };
        let (application, mut reply) = client(visit.core, &place, client_id, reply_to.redirect_uri.as_deref()).await?;
        (reply.mode, reply.state) = (reply_to.response_mode, reply_to.state.clone());
        if let Place::Tenant(tenant) = &place
            && tenant.strict
        {
            reply.strict_tenant = Some(visit.exchange.origin.host.issuer_v2(tenant.id));
        }
        let refuse = |refused| Fault::Reply(refused, Box::new(reply.clone()));
        let request = parsed.map_err(|refusal| refuse(parse_fault(&refusal.error)))?;
        let strict = matches!(&place, Place::Tenant(tenant) if tenant.strict);
        allowed(&application, &request, &reply, strict).map_err(refuse)?;
        let wanted = UserScopes::parse(version, request.scope.as_deref(), request.resource.as_deref());
        let wanted = wanted.map_err(|error| {
            let refused = Refused::new(error.aadsts_at_authorize());
            refuse(match error.insertion() {
                Some((name, value)) => refused.with(name, value.to_owned()),
                None => refused.with("resource", request.resource.clone().unwrap_or_default()),
            })
        })?;
        Ok(Self { place, version, application, reply, request, wanted })
    }

    /// What a strict tenant wants, where only the account has told which tenant it is.
    pub(super) fn check_for(&self, tenant: &Tenant) -> Result<(), Refused> {
        allowed(&self.application, &self.request, &self.reply, tenant.strict)
    }

    /// What is to be consented to.
    pub(super) fn asks(&self) -> consent::Request<'_> {
        consent::Request { wanted: &self.wanted, prompt: self.request.prompt }
    }

    /// Whether nobody may be asked anything.
    pub(super) fn is_silent(&self) -> bool {
        self.request.prompt == Some(Prompt::None)
    }

    pub(super) fn names(&self) -> Names<'_> {
        Names { tenant: super::tenant_name(&self.place), application: Some(self.application.display_name()) }
    }

    /// The refusal, to whom it concerns: the client if it can do something about it, or if nobody sits there to read.
    pub(super) fn refuse<D: Directory>(&self, visit: &Visit<'_, D>, refused: &Refused) -> Response {
        if !self.is_silent() && concerns_the_person(refused) {
            return page(visit, refused, self.names());
        }
        self.reply.refuse(visit, refused, false)
    }

    /// The person pressed Cancel.
    pub(super) fn cancelled<D: Directory>(&self, visit: &Visit<'_, D>, aadsts: &'static AadSts) -> Response {
        let refused = Refused::new(aadsts).with("app_name", self.application.display_name().to_owned());
        self.reply.refuse(visit, &refused, true)
    }
}

impl Fault {
    pub(super) fn answer<D: Directory>(&self, visit: &Visit<'_, D>) -> Response {
        match self {
            Self::Page(refused, application) => {
                let application = application.as_ref().map(|application| application.display_name());
                page(visit, refused, Names { tenant: None, application })
            }
            Self::Reply(refused, reply) => reply.refuse(visit, refused, false),
        }
    }
}

impl Reply {
    fn refuse<D: Directory>(&self, visit: &Visit<'_, D>, refused: &Refused, cancelled: bool) -> Response {
        let error = wire_error(visit, refused);
        let mut failure = AuthorizeFailure::new(&error, self.state.clone());
        fault::word(refused.aadsts).clone_into(&mut failure.error);
        failure.iss.clone_from(&self.strict_tenant);
        self.send(&if cancelled { failure.cancelled() } else { failure }.into())
    }

    pub(super) fn send(&self, response: &AuthorizeResponse) -> Response {
        let names = Names { tenant: None, application: Some(&self.application) };
        deliver(&response.deliver(&self.redirect_uri, self.mode), names)
    }

    /// For the code.
    pub(super) fn sealed_platform(&self) -> sealed::Platform {
        match self.platform {
            Platform::Web => sealed::Platform::Web,
            Platform::Spa => sealed::Platform::Spa,
            Platform::PublicClient => sealed::Platform::PublicClient,
        }
    }
}

/// What is wrong with a request that does not parse.
pub(super) fn parse_fault(error: &countersign_protocol::AuthorizeError) -> Refused {
    let refused = Refused::new(error.aadsts()).because(error.to_string());
    match error.insertion() {
        Some((name, value)) => refused.with(name, value.to_owned()),
        None => refused,
    }
}

/// Whether a refusal is about the person or the registration, so that the person should read it.
fn concerns_the_person(refused: &Refused) -> bool {
    let words =
        ["invalid_grant", "unauthorized_client", "interaction_required", "invalid_client", "temporarily_unavailable"];
    words.contains(&refused.aadsts.error) || matches!(refused.aadsts.code, 650_053 | 650_054 | 650_056 | 700_022)
}

/// The registration that a request names, and where its answer goes: by default in the query, without a state.
pub(super) async fn client<D: Directory>(
    core: &Core<D>,
    place: &Place,
    client_id: &str,
    redirect_uri: Option<&str>,
) -> Result<(Arc<Application>, Reply), Fault> {
    let application = application(core, place, client_id).await?;
    let fault = |refused| Fault::Page(refused, Some(Arc::clone(&application)));
    let uris = RedirectUris::of(application.registration());
    if uris.is_empty() {
        return Err(fault(Refused::new(AadSts::NO_REPLY_ADDRESS_REGISTERED)));
    }
    let (redirect_uri, platform) = match redirect_uri {
        Some(sent) => (sent, uris.find(sent)),
        None => match uris.only() {
            Some((platform, only)) => (only, Some(platform)),
            None => return Err(fault(Refused::new(AadSts::NO_REPLY_ADDRESS))),
        },
    };
    let Some(platform) = platform else {
        return Err(fault(
            Refused::new(AadSts::REDIRECT_URI_MISMATCH)
                .with("redirect_uri", redirect_uri.to_owned())
                .with("app_id", application.app_id().to_string()),
        ));
    };
    let reply = Reply {
        redirect_uri: redirect_uri.to_owned(),
        platform,
        mode: ResponseMode::Query,
        state: None,
        application: application.display_name().to_owned(),
        strict_tenant: None,
    };
    Ok((application, reply))
}

/// The registration with this client id, if the path's tenant may have it and it is switched on.
pub(super) async fn application<D: Directory>(
    core: &Core<D>,
    place: &Place,
    text: &str,
) -> Result<Arc<Application>, Refused> {
    let tenant_name = match place {
        Place::Tenant(tenant) => tenant.display_name.clone(),
        Place::Alias(alias) => alias.to_string(),
    };
    let not_found = || {
        Refused::new(AadSts::APPLICATION_NOT_FOUND).with("app_id", text.to_owned()).with("tenant", tenant_name.clone())
    };
    let id: ClientId = text.parse().map_err(|_| not_found())?;
    if id.as_uuid() == Uuid::nil() {
        return Err(Refused::new(AadSts::INVALID_APPLICATION_IDENTIFIER).with("app_id", text.to_owned()));
    }
    let application = core.registry.application(id).await?.ok_or_else(not_found)?;
    if let Place::Tenant(tenant) = place {
        match core.registry.client(tenant.id, id).await? {
            Some(client) if client.service_principal.as_ref().is_some_and(|principal| !principal.account_enabled) => {
                return Err(disabled(&application));
            }
            Some(_) => {}
            // Not yet here: a multi-tenant application comes with the first consent.
            None if application.is_available_in(tenant.id) => {}
            None => return Err(not_found()),
        }
    }
    let named = |aadsts| {
        Refused::new(aadsts)
            .with("app_id", application.app_id().to_string())
            .with("app_name", application.display_name().to_owned())
    };
    match place {
        Place::Alias(ServedTenant::Consumers)
            if matches!(
                application.sign_in_audience(),
                SignInAudience::MyOrganization | SignInAudience::AnyOrganization
            ) =>
        {
            return Err(named(AadSts::WORK_APPLICATION_ON_CONSUMERS));
        }
        Place::Alias(ServedTenant::Common | ServedTenant::Organizations)
            if application.sign_in_audience() == SignInAudience::MyOrganization =>
        {
            return Err(named(AadSts::NOT_MULTI_TENANT));
        }
        _ => {}
    }
    if application.is_disabled() {
        return Err(disabled(&application));
    }
    Ok(application)
}

fn disabled(application: &Application) -> Refused {
    Refused::new(AadSts::APPLICATION_DISABLED)
        .with("app_id", application.app_id().to_string())
        .with("app_name", application.display_name().to_owned())
}

/// Whether the registration allows what is asked for.
fn allowed(application: &Application, request: &AuthorizeRequest, reply: &Reply, strict: bool) -> Result<(), Refused> {
    let types = request.response_types;
    let switches = &application.registration().web.implicit_grant_settings;
    if types.id_token && !switches.enable_id_token_issuance {
        return Err(Refused::new(AadSts::ID_TOKEN_NOT_ENABLED));
    }
    if types.token && !switches.enable_access_token_issuance {
        return Err(Refused::new(AadSts::TOKEN_NOT_ENABLED));
    }
    let challenge = request.code_challenge.as_ref();
    // A page redeems its code across origins, where only PKCE ties it to whoever asked (RFC 9700 §2.1.1).
    if types.code && challenge.is_none() && (strict || reply.platform == Platform::Spa) {
        return Err(Refused::new(AadSts::PKCE_REQUIRED));
    }
    let plain =
        challenge.is_some_and(|challenge| challenge.method() == countersign_protocol::CodeChallengeMethod::Plain);
    if strict && plain {
        return Err(Refused::new(AadSts::INVALID_PARAMETER).with("name", "code_challenge_method"));
    }
    Ok(())
}
