//! `/{tenant}/oauth2[/v2.0]/authorize`: from a client's question to the answer at its redirect URI.
//!
//! A question that is posted goes on as a GET, so that the browser sends its cookies along, which `SameSite=Lax` keeps
//! from other sites' posts. Read on in [`super::authorization`] for what is refused at once, in [`super::sign_in`] for who
//! answers, in [`super::consent`] for what they are asked, in [`super::issuance`] for what the client gets.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::{Application, Directory, ServicePrincipal};
use countersign_protocol::form::Form;
use countersign_protocol::{AadSts, EndpointVersion, Prompt};
use http::Method;

use super::accounts::Account;
use super::authorization::Authorization;
use super::consent::{self, Decision, Outcome};
use super::credentials::{self, Said};
use super::fault::{Names, page};
use super::flow::{Flow, MAX_QUESTION_BYTES, Page, Question, Task};
use super::issuance;
use super::sign_in::{Demand, Retry, Settled, Wish, settle};
use super::visit::{Visit, form_bytes, see_other, segment};
use crate::call::Place;
use crate::core::Core;
use crate::endpoints::TenantPath;
use crate::grants::admission::{Parties, Stage, admit};
use crate::issue::read_own_token;
use crate::refused::Refused;
use crate::registry::Client;

/// A client's question, by GET or POST.
pub(crate) async fn authorize<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    let origin = core.origins.of(&request);
    let mut visit = Visit::begin(&core, origin, request.headers());
    let tenant = segment(&tenant);
    let path = request.uri().path().to_owned();
    let query = match question(&core, request).await {
        Ok(Asked::Query(query)) => query,
        Ok(Asked::Form(form)) => {
            // What fits into a line of a request goes on as one.
            let fits = form.len() <= MAX_QUESTION_BYTES && form.bytes().all(|byte| byte.is_ascii_graphic());
            match fits.then(|| see_other(&format!("{path}?{form}"))).flatten() {
                Some(response) => return response,
                None => form,
            }
        }
        Err(refused) => {
            let response = page(&visit, &refused, Names::default());
            return visit.leave(response);
        }
    };
    let question = Question { tenant, v1: version == EndpointVersion::V1, query };
    let mut flow = Flow::new(Task::Authorize(question.clone()));
    let response = go_on(&mut visit, &mut flow, &question, &Retry::default()).await;
    visit.leave(response)
}

/// How a question came.
pub(super) enum Asked {
    Query(String),
    Form(String),
}

/// The question of a request, as it was written.
pub(super) async fn question<D: Directory>(core: &Core<D>, request: Request) -> Result<Asked, Refused> {
    let too_long = || Refused::new(AadSts::MALFORMED_REQUEST).because("the question is too long").status(414);
    if request.method() != Method::POST {
        let query = request.uri().query().unwrap_or_default().to_owned();
        return if query.len() > MAX_QUESTION_BYTES { Err(too_long()) } else { Ok(Asked::Query(query)) };
    }
    let bytes = form_bytes(core, request).await?;
    let form = String::from_utf8(bytes.to_vec())
        .map_err(|_| Refused::new(AadSts::MALFORMED_REQUEST).because("the form is not text"))?;
    // A form that long would not fit into the pages that follow.
    if form.len() > MAX_QUESTION_BYTES { Err(too_long()) } else { Ok(Asked::Form(form)) }
}

/// The next page, or the answer.
pub(super) async fn go_on<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    question: &Question,
    retry: &Retry,
) -> Response {
    let authorization = match Authorization::read(visit, question).await {
        Ok(authorization) => authorization,
        Err(fault) => return fault.answer(visit),
    };
    match steps(visit, flow, &authorization, retry).await {
        Ok(response) => response,
        Err(refused) => authorization.refuse(visit, &refused),
    }
}

/// Takes in a form of this flow, and goes on.
pub(super) async fn take<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    question: &Question,
    form: &Form,
) -> Response {
    let authorization = match Authorization::read(visit, question).await {
        Ok(authorization) => authorization,
        Err(fault) => return fault.answer(visit),
    };
    match said(visit, flow, &authorization, form).await {
        Ok(Ok(retry)) => match steps(visit, flow, &authorization, &retry).await {
            Ok(response) => response,
            Err(refused) => authorization.refuse(visit, &refused),
        },
        Ok(Err(response)) => *response,
        Err(refused) => authorization.refuse(visit, &refused),
    }
}

/// What a form comes to: the way on, or its end.
async fn said<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    authorization: &Authorization,
    form: &Form,
) -> Result<Result<Retry, Box<Response>>, Refused> {
    let wish = wish(authorization, None);
    let decides = matches!(flow.progress.page, Page::Consent | Page::NeedApproval) && form.get("switch").is_none();
    if !decides {
        return Ok(match credentials::take(visit, flow, &wish, form).await? {
            Said::GoOn(retry) => Ok(retry),
            Said::Cancelled => Err(Box::new(authorization.cancelled(visit, AadSts::CONSENT_DECLINED))),
        });
    }
    let account = match settle(visit, flow, &wish, &Retry::default()).await? {
        Settled::Page(response) => return Ok(Err(response)),
        Settled::Account(account) => account,
    };
    let standing = Standing::of(visit, &authorization.application, &account).await?;
    Ok(match consent::take(visit, flow, authorization.asks(), &account, &standing, form).await? {
        Decision::GoOn => Ok(Retry::default()),
        Decision::Declined(aadsts) => Err(Box::new(authorization.cancelled(visit, aadsts))),
    })
}

/// What the request needs of the sign-in.
pub(super) fn wish<'a>(authorization: &'a Authorization, hinted: Option<&'a str>) -> Wish<'a> {
    let request = &authorization.request;
    let contexts = request.claims.as_ref().and_then(|claims| claims.authentication_context());
    Wish {
        place: &authorization.place,
        application: Some(&authorization.application),
        demand: match request.prompt {
            Some(Prompt::None) => Demand::Silent,
            Some(Prompt::Login | Prompt::Create) => Demand::Fresh,
            Some(Prompt::SelectAccount) => Demand::Chosen,
            _ => Demand::Any,
        },
        login_hint: request.login_hint.as_deref().or(hinted),
        domain_hint: request.domain_hint.as_deref(),
        max_age: request.max_age,
        contexts: contexts
            .filter(|context| context.essential)
            .map(|context| context.values.clone())
            .unwrap_or_default(),
        may_stay: true,
        leads_to: Some(&authorization.reply.redirect_uri),
    }
}

async fn steps<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    authorization: &Authorization,
    retry: &Retry,
) -> Result<Response, Refused> {
    let hinted = hinted_account(visit, authorization).await?;
    let wish = wish(authorization, hinted.as_deref());
    let account = match settle(visit, flow, &wish, retry).await? {
        Settled::Page(response) => return Ok(*response),
        Settled::Account(account) => account,
    };
    let standing = Standing::of(visit, &authorization.application, &account).await?;
    let Some(subject) = account.subject() else { return Err(Refused::new(AadSts::NO_SESSION)) };
    let parties = Parties {
        tenant: &account.tenant,
        client: &standing.client,
        client_principal: &standing.principal,
        resource: None,
    };
    admit(visit.core, parties, &subject, Stage::SignIn, visit.exchange.now).await?;
    match consent::settle(visit, flow, &wish, authorization.asks(), &account, &standing).await? {
        Outcome::Page(response) => Ok(*response),
        Outcome::Settled => issuance::answer(visit, authorization, &account, &subject, &standing).await,
    }
}

/// The account that an `id_token_hint` speaks of, by its object id: a hint, for which only the signature counts.
async fn hinted_account<D: Directory>(
    visit: &Visit<'_, D>,
    authorization: &Authorization,
) -> Result<Option<String>, Refused> {
    use secrecy::ExposeSecret;
    let Some(hint) = &authorization.request.id_token_hint else { return Ok(None) };
    Ok(match read_own_token(visit.core, hint.expose_secret()).await {
        Ok(token) if token.is_id_token() => token.oid.map(|id| id.to_string()).or(token.preferred_username),
        _ => None,
    })
}

/// The client in the tenant of the account.
pub(super) struct Standing {
    pub(super) client: Arc<Client>,
    pub(super) principal: ServicePrincipal,
    /// Whether the principal exists; it does not before the first consent in the tenant.
    pub(super) installed: bool,
}

impl Standing {
    /// The client of the account's tenant.
    pub(super) async fn of<D: Directory>(
        visit: &Visit<'_, D>,
        application: &Application,
        account: &Account,
    ) -> Result<Self, Refused> {
        // The path may have been an alias: the client is one of the account's tenant from here on.
        let place = Place::Tenant(Arc::clone(&account.tenant));
        super::authorization::application(visit.core, &place, &application.app_id().to_string()).await?;
        let (core, tenant) = (visit.core, account.tenant.id);
        let known = core.registry.client(tenant, application.app_id()).await?;
        let principal = known.as_ref().and_then(|client| client.service_principal.clone());
        let client = known.unwrap_or_else(|| {
            Arc::new(Client {
                application: application.clone(),
                service_principal: None,
                secrets: Vec::new(),
                certificates: Vec::new(),
                federated: Vec::new(),
            })
        });
        let installed = principal.is_some();
        let principal = principal.unwrap_or_else(|| ServicePrincipal::of(application, tenant));
        Ok(Self { client, principal, installed })
    }
}
