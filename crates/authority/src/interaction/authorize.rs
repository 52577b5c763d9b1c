//! `/{tenant}/oauth2[/v2.0]/authorize`: from a client's question to the answer at its redirect URI.
//!
//! Read on in [`super::question`] for how a question comes, in [`super::authorization`] for what is refused at once, in
//! [`super::sign_in`] for who answers, in [`super::consent`] for what they are asked, in [`super::issuance`] for what the
//! client gets.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::{Application, Directory, ServicePrincipal};
use countersign_protocol::form::Form;
use countersign_protocol::{AadSts, EndpointVersion, Prompt};

use super::accounts::Account;
use super::authorization::{Authorization, Fault};
use super::consent::{self, Decision, Outcome};
use super::credentials::{self, Said};
use super::flow::{Flow, Page, Question, Task};
use super::issuance;
use super::question::{self, Heard, Understood};
use super::sign_in::{Demand, Retry, Settled, Wish, settle};
use super::visit::Visit;
use crate::call::Place;
use crate::core::Core;
use crate::endpoints::TenantPath;
use crate::grants::admission::{Parties, Stage, admit};
use crate::issue::read_own_token;
use crate::refused::Refused;
use crate::registry::Client;
use crate::subject::Subject;

/// A client's question, by GET or POST.
pub(crate) async fn authorize<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    question::begin(&core, &tenant, version, request, Task::Authorize).await
}

impl Understood for Authorization {
    async fn read<D: Directory>(visit: &mut Visit<'_, D>, question: &Question) -> Result<Self, Fault> {
        Self::read(visit, question).await
    }

    async fn hear<D: Directory>(
        &self,
        visit: &mut Visit<'_, D>,
        flow: &mut Flow,
        form: &Form,
    ) -> Result<Heard, Refused> {
        let wish = wish(self, None);
        let decides = matches!(flow.progress.page, Page::Consent | Page::NeedApproval) && form.get("switch").is_none();
        if !decides {
            return Ok(match credentials::take(visit, flow, &wish, form).await? {
                Said::GoOn(retry) => Heard::GoOn(retry),
                Said::Cancelled => Heard::Answered(Box::new(self.cancelled(visit, AadSts::CONSENT_DECLINED))),
            });
        }
        let account = match settle(visit, flow, &wish, &Retry::default()).await? {
            Settled::Page(response) => return Ok(Heard::Answered(response)),
            Settled::Account(account) => account,
        };
        let standing = Standing::of(visit, &self.application, &account).await?;
        Ok(match consent::take(visit, flow, self.asks(), &account, &standing, form).await? {
            Decision::GoOn => Heard::GoOn(Retry::default()),
            Decision::Declined(aadsts) => Heard::Answered(Box::new(self.cancelled(visit, aadsts))),
        })
    }

    async fn proceed<D: Directory>(
        &self,
        visit: &mut Visit<'_, D>,
        flow: &mut Flow,
        retry: &Retry,
    ) -> Result<Response, Refused> {
        let hinted = hinted_account(visit, self).await?;
        let wish = wish(self, hinted.as_deref());
        let account = match settle(visit, flow, &wish, retry).await? {
            Settled::Page(response) => return Ok(*response),
            Settled::Account(account) => account,
        };
        let standing = Standing::of(visit, &self.application, &account).await?;
        let subject = standing.admit(visit, &account).await?;
        match consent::settle(visit, flow, &wish, self.asks(), &account, &standing).await? {
            Outcome::Page(response) => Ok(*response),
            Outcome::Settled => issuance::answer(visit, self, &account, &subject, &standing).await,
        }
    }

    fn refuse<D: Directory>(&self, visit: &Visit<'_, D>, refused: &Refused) -> Response {
        self.refuse(visit, refused)
    }
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

    /// The account as the client's subject, if they may sign in there.
    pub(super) async fn admit<D: Directory>(
        &self,
        visit: &Visit<'_, D>,
        account: &Account,
    ) -> Result<Subject, Refused> {
        let subject = account.subject().ok_or_else(|| Refused::new(AadSts::NO_SESSION))?;
        let parties = Parties {
            tenant: &account.tenant,
            client: &self.client,
            client_principal: &self.principal,
            resource: None,
        };
        admit(visit.core, parties, &subject, Stage::SignIn, visit.exchange.now).await?;
        Ok(subject)
    }
}
