//! A client's question, and what every task that answers one does alike: it begins a flow, reads the question anew at each
//! step, takes in a form, goes on, and refuses.
//!
//! A question that is posted goes on as a GET, so that the browser sends its cookies along, which `SameSite=Lax` keeps
//! from other sites' posts. One that would not fit into the pages that follow is refused. Read on in [`super::authorize`],
//! [`super::admin_consent`] and [`super::sign_out`] for the tasks, in [`super::login`] for their forms.

use axum::extract::Request;
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::form::Form;
use countersign_protocol::{AadSts, EndpointVersion};
use http::Method;

use super::authorization::Fault;
use super::fault::{Names, page};
use super::flow::{Flow, MAX_QUESTION_BYTES, Question, Task};
use super::login;
use super::sign_in::Retry;
use super::visit::{Visit, form_bytes, see_other, segment};
use crate::core::Core;
use crate::endpoints::TenantPath;
use crate::refused::Refused;

/// Begins the flow of a question that comes by GET or POST.
pub(super) async fn begin<D: Directory>(
    core: &Core<D>,
    tenant: &TenantPath,
    version: EndpointVersion,
    request: Request,
    task: fn(Question) -> Task,
) -> Response {
    let mut visit = Visit::begin(core, core.origins.of(&request), request.headers());
    let path = (request.method() == Method::POST).then(|| request.uri().path().to_owned());
    let answered = match written(core, request).await {
        Ok(query) => {
            // What may stand in the first line of a request goes on as one.
            if let Some(path) = path
                && query.bytes().all(|byte| byte.is_ascii_graphic())
                && let Some(response) = see_other(&format!("{path}?{query}"))
            {
                return response;
            }
            let question = Question { tenant: segment(tenant), v1: version == EndpointVersion::V1, query };
            login::go_on(&mut visit, &mut Flow::new(task(question)), &Retry::default()).await
        }
        Err(refused) => Err(refused),
    };
    let response = answered.unwrap_or_else(|refused| page(&visit, &refused, Names::default()));
    visit.leave(response)
}

/// The question of a request, as it was written.
async fn written<D: Directory>(core: &Core<D>, request: Request) -> Result<String, Refused> {
    let malformed = || Refused::new(AadSts::MALFORMED_REQUEST);
    let question = if request.method() == Method::POST {
        let form = form_bytes(core, request).await?;
        String::from_utf8(form.to_vec()).map_err(|_| malformed().because("the form is not text"))?
    } else {
        request.uri().query().unwrap_or_default().to_owned()
    };
    if question.len() > MAX_QUESTION_BYTES {
        return Err(malformed().because("the question is too long").status(414));
    }
    Ok(question)
}

/// A question that is understood.
pub(super) trait Understood: Sized {
    /// Reads a question anew.
    async fn read<D: Directory>(visit: &mut Visit<'_, D>, question: &Question) -> Result<Self, Fault>;

    /// What a form of its flow comes to.
    async fn hear<D: Directory>(
        &self,
        visit: &mut Visit<'_, D>,
        flow: &mut Flow,
        form: &Form,
    ) -> Result<Heard, Refused>;

    /// The next page, or the answer.
    async fn proceed<D: Directory>(
        &self,
        visit: &mut Visit<'_, D>,
        flow: &mut Flow,
        retry: &Retry,
    ) -> Result<Response, Refused>;

    /// The refusal, to whom it concerns.
    fn refuse<D: Directory>(&self, visit: &Visit<'_, D>, refused: &Refused) -> Response;
}

/// What a form comes to: the way on, or its end.
pub(super) enum Heard {
    GoOn(Retry),
    Answered(Box<Response>),
}

/// The next page, or the answer.
pub(super) async fn go_on<U: Understood, D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    question: &Question,
    retry: &Retry,
) -> Response {
    match U::read(visit, question).await {
        Ok(asked) => {
            let answered = asked.proceed(visit, flow, retry).await;
            answered.unwrap_or_else(|refused| asked.refuse(visit, &refused))
        }
        Err(fault) => fault.answer(visit),
    }
}

/// Takes in a form of this flow, and goes on.
pub(super) async fn take<U: Understood, D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    question: &Question,
    form: &Form,
) -> Response {
    let asked = match U::read(visit, question).await {
        Ok(asked) => asked,
        Err(fault) => return fault.answer(visit),
    };
    let answered = match asked.hear(visit, flow, form).await {
        Ok(Heard::GoOn(retry)) => asked.proceed(visit, flow, &retry).await,
        Ok(Heard::Answered(response)) => Ok(*response),
        Err(refused) => Err(refused),
    };
    answered.unwrap_or_else(|refused| asked.refuse(visit, &refused))
}
