//! Who called what, and what came of it: `GET /lab/calls?client_id=…&endpoint=token&after=17`.
//!
//! The last ten thousand requests, in memory. Of a request its outside is kept and what it asked for; never a credential,
//! an assertion, a code or a token.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use countersign_directory::Directory;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::endpoint::Endpoint;
use super::{Lab, bad_request};

/// How many calls are remembered.
const ROOM: usize = 10_000;

/// One request and its answer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Call {
    /// Counts all calls since the start; the next question asks for what came `after` it.
    pub(super) number: u64,
    /// The authority's time, seconds since the epoch.
    pub(super) at: i64,
    pub(super) endpoint: Endpoint,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) tenant: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) grant_type: Option<String>,
    /// `scope` or `resource`.
    pub(super) asked_for: Option<String>,
    /// The library that called: `x-client-sku`.
    pub(super) library: Option<String>,
    pub(super) status: u16,
    /// The AADSTS number of a refusal.
    pub(super) code: Option<u64>,
    pub(super) correlation_id: Option<String>,
    /// The number of the fault that was injected.
    pub(super) fault: Option<u64>,
}

/// The calls that are remembered.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    count: u64,
    calls: VecDeque<Call>,
}

impl Calls {
    /// Notes a call; its number is given here.
    pub(super) fn note(&self, mut call: Call) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.count += 1;
        call.number = log.count;
        if log.calls.len() == ROOM {
            log.calls.pop_front();
        }
        log.calls.push_back(call);
    }

    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls.clear();
    }

    fn matching(&self, question: &Question) -> Vec<Call> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.calls.iter().filter(|call| question.wants(call)).cloned().collect()
    }
}

/// Which calls are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    client_id: Option<String>,
    tenant: Option<String>,
    endpoint: Option<Endpoint>,
    #[serde(default)]
    after: u64,
}

impl Question {
    fn wants(&self, call: &Call) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| found.as_ref().is_some_and(|found| wanted.eq_ignore_ascii_case(found)))
        };
        call.number > self.after
            && self.endpoint.is_none_or(|endpoint| endpoint == call.endpoint)
            && same(&self.client_id, &call.client_id)
            && same(&self.tenant, &call.tenant)
    }
}

pub(super) async fn list<D: Directory>(
    State(lab): State<Arc<Lab<D>>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Response {
    match question {
        Ok(Query(question)) => Json(json!({"calls": lab.calls.matching(&question)})).into_response(),
        Err(rejection) => bad_request(&rejection.body_text()),
    }
}

pub(super) async fn clear<D: Directory>(State(lab): State<Arc<Lab<D>>>) -> StatusCode {
    lab.calls.forget();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(client: &str) -> Call {
        Call {
            number: 0,
            at: 0,
            endpoint: Endpoint::Token,
            method: "POST".to_owned(),
            path: "/t/oauth2/token".to_owned(),
            tenant: Some("t".to_owned()),
            client_id: Some(client.to_owned()),
            grant_type: None,
            asked_for: None,
            library: None,
            status: 200,
            code: None,
            correlation_id: None,
            fault: None,
        }
    }

    #[test]
    fn the_log_is_bounded_and_answers_what_is_asked() {
        let calls = Calls::default();
        for _ in 0..ROOM {
            calls.note(call("a"));
        }
        calls.note(call("B"));
        let all = calls.matching(&Question::default());
        assert_eq!((all.len(), all[0].number), (ROOM, 2));
        let of_b = Question { client_id: Some("b".to_owned()), ..Question::default() };
        assert_eq!(calls.matching(&of_b).len(), 1);
        let later = Question { after: ROOM as u64, ..Question::default() };
        assert_eq!(calls.matching(&later).len(), 1);
        let elsewhere = Question { endpoint: Some(Endpoint::Keys), ..Question::default() };
        assert!(calls.matching(&elsewhere).is_empty());
        calls.forget();
        calls.note(call("c"));
        assert_eq!(calls.matching(&Question::default())[0].number, ROOM as u64 + 2, "numbers go on");
    }
}
