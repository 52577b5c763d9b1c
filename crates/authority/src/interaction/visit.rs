//! One request of a browser and its answer: who sits there, and what its cookies are to be afterwards.
//!
//! Cookies are written when the answer leaves, once, from what the steps have changed. A browser without an id gets one; a
//! sign-in gives it another (pitfalls B66).

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use countersign_directory::Directory;
use countersign_protocol::AadSts;
use countersign_protocol::form::{Form, MAX_FORM_BYTES, is_form_content_type};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Limited};
use uuid::Uuid;

use super::browser::{self, SESSIONS};
use super::flow::Flow;
use super::sessions::Sessions;
use crate::core::Core;
use crate::endpoints::TenantPath;
use crate::exchange::{AnswerKind, Exchange};
use crate::grants::digest::digest;
use crate::origin::Origin;
use crate::pages::CHECK_SESSION_COOKIE;
use crate::refused::Refused;

/// A browser's request.
pub(super) struct Visit<'a, D: Directory> {
    pub(super) core: &'a Core<D>,
    pub(super) exchange: Exchange<'a>,
    /// The id that the browser came with.
    known: Option<Uuid>,
    /// The id that it has from now on.
    browser: Uuid,
    pub(super) sessions: Sessions,
    came_with: Sessions,
}

impl<'a, D: Directory> Visit<'a, D> {
    pub(super) fn begin(core: &'a Core<D>, origin: &'a Origin, headers: &HeaderMap) -> Self {
        let exchange = Exchange::begin(origin, &*core.clock, &*core.randomness, headers, AnswerKind::Token);
        let known = browser::browser_id(headers);
        let sessions = Sessions::open(browser::cookie(headers, SESSIONS), &core.vault);
        let browser = known.unwrap_or_else(|| core.randomness.uuid_v4());
        Self { core, exchange, known, browser, came_with: sessions.clone(), sessions: sessions.in_window(known) }
    }

    /// The time of this request, seconds since the epoch.
    pub(super) fn now(&self) -> i64 {
        self.exchange.now.as_unix_seconds()
    }

    pub(super) fn known_browser(&self) -> Option<Uuid> {
        self.known
    }

    /// Gives the browser another id: flows under the one before end here.
    pub(super) fn change_level(&mut self) {
        self.browser = self.core.randomness.uuid_v4();
    }

    /// The sealed flow for a page of this answer.
    pub(super) fn seal(&self, flow: &mut Flow) -> String {
        flow.seal(self.browser, self.now(), &self.core.vault, &*self.core.randomness)
    }

    /// Writes what has changed into the answer.
    pub(super) fn leave(mut self, mut response: Response) -> Response {
        if self.known != Some(self.browser) {
            browser::set_browser_id(&mut response, self.browser);
        }
        let carries_another_id = self.known.is_some_and(|known| known != self.browser) && !self.sessions.0.is_empty();
        if self.sessions != self.came_with || carries_another_id {
            let now = self.now();
            let (value, kept) = self.sessions.seal(self.browser, now, &self.core.vault, &*self.core.randomness);
            browser::set_sealed(&mut response, SESSIONS, &value, kept);
            browser::set_session_states(&mut response, CHECK_SESSION_COOKIE, &self.sessions.states(), kept);
        }
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::try_from(self.exchange.trace_id().to_string()) {
            headers.insert(countersign_protocol::headers::X_MS_REQUEST_ID, id);
        }
        response
    }

    /// What the ledger knows a session or a form by.
    pub(super) fn digest(&self, kind: &str, id: Uuid) -> [u8; 32] {
        digest(&self.core.vault, kind, &id.to_string())
    }
}

/// Leads the browser on with a GET, whatever it came with: a post's body is never sent on (RFC 9700 §4.12, pitfalls B63).
pub(super) fn see_other(to: &str) -> Option<Response> {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::try_from(to).ok()?);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// The tenant's segment, `common` for routes that have none.
pub(super) fn segment(path: &TenantPath) -> String {
    path.as_ref().map_or_else(|_| String::new(), |axum::extract::Path(text)| text.clone())
}

/// The bytes of a posted form, at most 64 kB, within the core's patience.
pub(super) async fn form_bytes<D: Directory>(core: &Core<D>, request: Request) -> Result<Bytes, Refused> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let malformed = || Refused::new(AadSts::MALFORMED_REQUEST);
    if !is_form_content_type(content_type) {
        return Err(malformed().because("the body is not a form"));
    }
    let reading = Limited::new(request.into_body(), MAX_FORM_BYTES).collect();
    match tokio::time::timeout(core.patience, reading).await {
        Err(_) => Err(malformed().because("the body took too long").status(StatusCode::REQUEST_TIMEOUT.as_u16())),
        Ok(Err(_)) => Err(malformed().because("the body is too large").status(StatusCode::PAYLOAD_TOO_LARGE.as_u16())),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

/// The known parameters of a posted form.
pub(super) async fn posted<D: Directory>(
    core: &Core<D>,
    request: Request,
    known: &'static [&'static str],
) -> Result<Form, Refused> {
    let bytes = form_bytes(core, request).await?;
    Form::parse(&bytes, known).map_err(|error| Refused::new(error.aadsts()).because(error.to_string()))
}
