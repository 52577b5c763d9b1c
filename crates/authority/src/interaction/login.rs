//! `POST /login`: every form of a flow comes here. The sealed flow says on which page it stood, and that decides what its
//! fields mean; whatever else is in them means nothing.
//!
//! A form whose flow ended, or belongs to another browser, begins anew: what was asked is asked again, and nothing that was
//! typed counts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::AadSts;
use countersign_protocol::form::Form;

use super::admin_consent::Asking;
use super::authorization::Authorization;
use super::browser::is_own_post;
use super::fault::{Names, page};
use super::flow::{Flow, Task, Unusable};
use super::sign_in::Retry;
use super::visit::{Visit, posted};
use super::{device, question, sign_out};
use crate::core::Core;
use crate::pages::SignInFault;
use crate::refused::Refused;

/// The fields of all pages.
const FIELDS: &[&str] = &[
    "account", "cancel", "code", "decision", "flow", "for_all", "forget", "kmsi", "login", "next", "passwd", "signin",
    "signout", "switch",
];

/// A form that a person posted.
pub(crate) async fn login<D: Directory>(State(core): State<Arc<Core<D>>>, request: Request) -> Response {
    let origin = core.origins.of(&request);
    let mut visit = Visit::begin(&core, origin, request.headers());
    let response = match steps(&core, &mut visit, request).await {
        Ok(response) => response,
        Err(refused) => page(&visit, &refused, Names::default()),
    };
    visit.leave(response)
}

async fn steps<D: Directory>(core: &Core<D>, visit: &mut Visit<'_, D>, request: Request) -> Result<Response, Refused> {
    if !is_own_post(request.headers(), visit.exchange.origin) {
        return Err(Refused::new(AadSts::MALFORMED_REQUEST).because("a post from another site").status(403));
    }
    let form = posted(core, request, FIELDS).await?;
    let text = form.get("flow").ok_or_else(|| Refused::missing("flow"))?;
    match Flow::open(text, visit.known_browser(), visit.now(), &core.vault) {
        Ok(mut flow) => take(visit, &mut flow, &form).await,
        Err(Unusable::Forged) => {
            Err(Refused::new(AadSts::FLOW_TOKEN_EXPIRED).because("a flow that nobody here sealed"))
        }
        Err(Unusable::Stale(task)) => {
            let retry = Retry { fault: Some(SignInFault::Stale), login: String::new() };
            go_on(visit, &mut Flow::new(task), &retry).await
        }
    }
}

async fn take<D: Directory>(visit: &mut Visit<'_, D>, flow: &mut Flow, form: &Form) -> Result<Response, Refused> {
    match flow.task.clone() {
        Task::Authorize(question) => Ok(question::take::<Authorization, _>(visit, flow, &question, form).await),
        Task::AdminConsent(question) => Ok(question::take::<Asking, _>(visit, flow, &question, form).await),
        Task::Device { tenant, user_code } => device::take(visit, flow, &tenant, user_code.as_deref(), form).await,
        Task::SignOut(question) => sign_out::take(visit, flow, &question, form).await,
    }
}

/// The next page of a flow, or its end.
pub(super) async fn go_on<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    retry: &Retry,
) -> Result<Response, Refused> {
    match flow.task.clone() {
        Task::Authorize(question) => Ok(question::go_on::<Authorization, _>(visit, flow, &question, retry).await),
        Task::AdminConsent(question) => Ok(question::go_on::<Asking, _>(visit, flow, &question, retry).await),
        Task::Device { tenant, user_code } => device::go_on(visit, flow, &tenant, user_code.as_deref(), retry).await,
        Task::SignOut(question) => sign_out::go_on(visit, flow, &question).await,
    }
}
