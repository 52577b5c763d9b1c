//! `/devicelogin` and `/{tenant}/oauth2/deviceauth`: a person enters the code that a device shows and decides for it.
//!
//! The order is Entra's: code, account, confirmation, consent. The confirmation names the application and shows the code,
//! so that nobody signs a stranger's device in by following a link (RFC 8628 §5.4, pitfalls B59). The ledger takes the
//! first decision about a code; every later one finds it gone.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::{Application, DeviceCodeState, DeviceDecision, DeviceStatus, Directory, SignInStanding};
use countersign_protocol::form::Form;
use countersign_protocol::{AadSts, ServedTenant, UserScopes};
use countersign_token::TenantId;
use http::StatusCode;
use uuid::Uuid;

use super::accounts::{Account, enabled_tenant};
use super::authorize::Standing;
use super::consent::{self, Decision, Outcome};
use super::credentials::{self, Said};
use super::fault::{Names, page};
use super::flow::{Flow, Page, Task};
use super::sign_in::{Retry, Settled, Wish, asking, settle};
use super::visit::{Visit, segment};
use crate::call::Place;
use crate::core::Core;
use crate::endpoints::TenantPath;
use crate::grants::device_code::{DeviceApproval, DeviceRequest, canonical_user_code};
use crate::grants::digest::digest;
use crate::issue::sealed::Sealed;
use crate::pages::{self, DeviceCodeFault, DeviceCodeView, DeviceConfirmView, DeviceDoneView, Policy};
use crate::refused::Refused;

/// The page that a device sends people to.
pub(crate) async fn device_login<D: Directory>(State(core): State<Arc<Core<D>>>, request: Request) -> Response {
    enter(&core, "common".to_owned(), &request)
}

/// The same, in a tenant.
pub(crate) async fn device_auth<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    request: Request,
) -> Response {
    let tenant = segment(&tenant);
    match super::place_of(&core, &tenant).await {
        Ok(_) => enter(&core, tenant, &request),
        Err(refused) => {
            let visit = Visit::begin(&core, core.origins.of(&request), request.headers());
            let response = page(&visit, &refused, Names::default());
            visit.leave(response)
        }
    }
}

fn enter<D: Directory>(core: &Core<D>, tenant: String, request: &Request) -> Response {
    let visit = Visit::begin(core, core.origins.of(request), request.headers());
    let mut flow = Flow::new(Task::Device { tenant, user_code: None });
    let response = ask_for_code(&visit, &mut flow, "", None);
    visit.leave(response)
}

fn ask_for_code<D: Directory>(
    visit: &Visit<'_, D>,
    flow: &mut Flow,
    code: &str,
    fault: Option<DeviceCodeFault>,
) -> Response {
    let place = Place::Alias(ServedTenant::Common);
    visit.ask(flow, Page::DeviceCode, &Wish::at(&place), |step| {
        pages::device_code(&DeviceCodeView { step, code, fault })
    })
}

/// A device's request that waits for a decision.
struct Waiting {
    code: String,
    place: Place,
    application: Arc<Application>,
    wanted: UserScopes,
}

impl Waiting {
    /// The request with this code; `None` whatever is wrong with it.
    async fn find<D: Directory>(visit: &Visit<'_, D>, tenant: &str, code: &str) -> Result<Option<Self>, Refused> {
        let core = visit.core;
        let Some(state) = core.registry.directory().device_code_by_user_code(code).await? else { return Ok(None) };
        let DeviceCodeState { row, status } = state;
        if status != DeviceStatus::Pending || row.expires_at <= visit.exchange.now {
            return Ok(None);
        }
        let request = std::str::from_utf8(&row.request).ok().and_then(|text| DeviceRequest::open(text, &core.vault));
        let Some(wanted) = request.as_ref().and_then(DeviceRequest::wanted) else { return Ok(None) };
        let place = match (super::place_of(core, tenant).await?, row.tenant) {
            (Place::Tenant(here), Some(of_row)) if here.id != of_row => return Ok(None),
            (Place::Tenant(here), _) => Place::Tenant(here),
            (Place::Alias(_), Some(of_row)) => match enabled_tenant(core, of_row).await? {
                Some(tenant) => Place::Tenant(tenant),
                None => return Ok(None),
            },
            (alias @ Place::Alias(_), None) => alias,
        };
        let application = super::authorization::application(core, &place, &row.client_id.to_string()).await?;
        Ok(Some(Self { code: code.to_owned(), place, application, wanted }))
    }

    fn wish(&self) -> Wish<'_> {
        Wish { application: Some(&self.application), ..Wish::at(&self.place) }
    }

    fn asks(&self) -> consent::Request<'_> {
        consent::Request { wanted: &self.wanted, prompt: None }
    }

    fn done(&self, approved: bool) -> Response {
        let tenant = super::tenant_name(&self.place);
        let view = DeviceDoneView { tenant, application: asking(&self.application), approved };
        pages::send(StatusCode::OK, &pages::device_done(&view), Policy::Read)
    }
}

/// The next page.
pub(super) async fn go_on<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    tenant: &str,
    code: Option<&str>,
    retry: &Retry,
) -> Result<Response, Refused> {
    let Some(code) = code else { return Ok(ask_for_code(visit, flow, "", None)) };
    match Waiting::find(visit, tenant, code).await? {
        Some(waiting) => steps(visit, flow, &waiting, retry).await,
        None => Ok(begin_again(visit, flow, tenant, code)),
    }
}

fn begin_again<D: Directory>(visit: &Visit<'_, D>, flow: &mut Flow, tenant: &str, code: &str) -> Response {
    *flow = Flow::new(Task::Device { tenant: tenant.to_owned(), user_code: None });
    ask_for_code(visit, flow, code, Some(DeviceCodeFault::Wrong))
}

async fn steps<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    waiting: &Waiting,
    retry: &Retry,
) -> Result<Response, Refused> {
    let wish = waiting.wish();
    let account = match settle(visit, flow, &wish, retry).await? {
        Settled::Page(response) => return Ok(*response),
        Settled::Account(account) => account,
    };
    let standing = Standing::of(visit, &waiting.application, &account).await?;
    standing.admit(visit, &account).await?;
    if !flow.progress.accepted {
        return Ok(visit.ask(flow, Page::DeviceConfirm, &wish, |step| {
            pages::device_confirm(&DeviceConfirmView { step, account: Some(account.view()), code: &waiting.code })
        }));
    }
    match consent::settle(visit, flow, &wish, waiting.asks(), &account, &standing).await? {
        Outcome::Page(response) => Ok(*response),
        Outcome::Settled => approve(visit, flow, waiting, &account).await,
    }
}

/// Tells the device who has signed in.
async fn approve<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    waiting: &Waiting,
    account: &Account,
) -> Result<Response, Refused> {
    let Some(session) = account.session.clone() else { return Err(Refused::new(AadSts::NO_SESSION)) };
    let approval = DeviceApproval { tenant: account.tenant.id, user: account.object_id(), session };
    let sealed = approval.seal(&visit.core.vault, &*visit.core.randomness);
    let sealed = sealed.ok_or_else(|| Refused::transient("a device approval does not seal"))?;
    if !decide(visit, waiting, DeviceDecision::Approved(sealed.into_bytes())).await? {
        return Ok(begin_again(visit, flow, "common", &waiting.code));
    }
    visit.sessions.used(account.object_id(), waiting.application.app_id());
    Ok(waiting.done(true))
}

async fn decide<D: Directory>(
    visit: &Visit<'_, D>,
    waiting: &Waiting,
    decision: DeviceDecision,
) -> Result<bool, Refused> {
    let ledger = visit.core.registry.directory();
    Ok(ledger.decide_device_code(&waiting.code, decision, visit.exchange.now).await?)
}

/// Takes in a form of this flow, and goes on.
pub(super) async fn take<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    tenant: &str,
    code: Option<&str>,
    form: &Form,
) -> Result<Response, Refused> {
    if flow.progress.page == Page::DeviceCode {
        return typed(visit, flow, tenant, form.get("code").unwrap_or_default()).await;
    }
    let code = code.unwrap_or_default();
    let Some(waiting) = Waiting::find(visit, tenant, code).await? else {
        return Ok(begin_again(visit, flow, tenant, code));
    };
    let wish = waiting.wish();
    let decision = form.get("decision").filter(|_| form.get("switch").is_none());
    let declined = match (flow.progress.page, decision) {
        (Page::DeviceConfirm, Some("accept")) => {
            flow.progress.accepted = true;
            false
        }
        (Page::DeviceConfirm, Some("decline")) => true,
        (Page::Consent | Page::NeedApproval, Some(_)) => {
            let account = match settle(visit, flow, &wish, &Retry::default()).await? {
                Settled::Page(response) => return Ok(*response),
                Settled::Account(account) => account,
            };
            let standing = Standing::of(visit, &waiting.application, &account).await?;
            let decision = consent::take(visit, flow, waiting.asks(), &account, &standing, form).await?;
            matches!(decision, Decision::Declined(_))
        }
        _ => match credentials::take(visit, flow, &wish, form).await? {
            Said::GoOn(retry) => return steps(visit, flow, &waiting, &retry).await,
            Said::Cancelled => true,
        },
    };
    if declined {
        return Ok(if decide(visit, &waiting, DeviceDecision::Declined).await? {
            waiting.done(false)
        } else {
            begin_again(visit, flow, tenant, code)
        });
    }
    steps(visit, flow, &waiting, &Retry::default()).await
}

/// A code was typed. Whoever guesses is stopped as one who guesses at passwords is.
async fn typed<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    tenant: &str,
    text: &str,
) -> Result<Response, Refused> {
    if text.trim().is_empty() {
        return Ok(ask_for_code(visit, flow, "", Some(DeviceCodeFault::Missing)));
    }
    let (ledger, now) = (visit.core.registry.directory(), visit.exchange.now);
    let nobody = TenantId::from_uuid(Uuid::nil());
    let guesser = digest(&visit.core.vault, "device page", &flow.browser.to_string());
    if let SignInStanding::Locked { .. } = ledger.sign_in_standing(nobody, &guesser, now).await? {
        return Ok(ask_for_code(visit, flow, text, Some(DeviceCodeFault::TooManyAttempts)));
    }
    let waiting = match canonical_user_code(text) {
        Some(code) => Waiting::find(visit, tenant, &code).await?,
        None => None,
    };
    let Some(waiting) = waiting else {
        ledger.record_sign_in_failure(nobody, &guesser, now).await?;
        return Ok(ask_for_code(visit, flow, text, Some(DeviceCodeFault::Wrong)));
    };
    *flow = Flow::new(Task::Device { tenant: tenant.to_owned(), user_code: Some(waiting.code.clone()) });
    steps(visit, flow, &waiting, &Retry::default()).await
}
