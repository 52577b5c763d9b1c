//! Faults to order: what a caller meets instead of an answer, or before it.
//!
//! ```json
//! {"endpoint": "token", "client_id": "…", "times": 3,
//!  "delay_ms": 100, "status": 503, "aadsts": 90033, "retry_after": "2", "body": "garbage"}
//! ```
//!
//! Without `endpoint`, `client_id` and `tenant` a fault meets everybody everywhere, the lab's own routes excepted. The
//! first one ordered that fits is the one that happens. A delay alone only delays.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use countersign_directory::Directory;
use countersign_protocol::AadSts;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::endpoint::Endpoint;
use super::{Lab, Order, bad_request, not_found};

/// How many faults may be set at once.
const ROOM: usize = 1_000;

/// The longest delay.
const MAX_DELAY_MS: u64 = 600_000;

/// What takes the answer's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BodyFault {
    /// Bytes that are no JSON, called JSON.
    Garbage,
    /// A page of a proxy.
    Html,
    /// Nothing.
    Empty,
    /// The true answer, broken off in the middle.
    Truncated,
    /// The true answer with every number a string and every string a number.
    WrongTypes,
    /// Ten megabytes of JSON.
    Oversize,
    /// JSON that does not end.
    NeverEnding,
    /// No answer: the connection is closed.
    HangUp,
}

/// A fault, as it is ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fault {
    /// Where; everywhere if it does not say.
    pub(super) endpoint: Option<Endpoint>,
    /// Whom; everybody if it does not say.
    pub(super) client_id: Option<String>,
    /// Which tenant's segment of the path, as it is written there.
    pub(super) tenant: Option<String>,
    /// How often; until it is taken back if it does not say.
    pub(super) times: Option<u32>,
    pub(super) delay_ms: Option<u64>,
    pub(super) status: Option<u16>,
    /// An error body of this code, with its own status unless `status` says another.
    pub(super) aadsts: Option<u32>,
    /// `Retry-After`: seconds or a date.
    pub(super) retry_after: Option<String>,
    pub(super) body: Option<BodyFault>,
}

impl Fault {
    fn fits(&self, endpoint: Endpoint, tenant: Option<&str>, client: Option<&str>) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| found.is_some_and(|found| wanted.eq_ignore_ascii_case(found)))
        };
        self.endpoint.is_none_or(|wanted| wanted == endpoint)
            && same(&self.tenant, tenant)
            && same(&self.client_id, client)
    }

    /// What cannot be done.
    fn fault(&self) -> Option<&'static str> {
        if self.delay_ms.is_none() && self.status.is_none() && self.aadsts.is_none() && self.body.is_none() {
            return Some("a fault needs a delay_ms, a status, an aadsts or a body");
        }
        if self.delay_ms.is_some_and(|delay| delay > MAX_DELAY_MS) {
            return Some("delay_ms is at most 600000");
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Some("status is between 200 and 599");
        }
        if self.aadsts.is_some_and(|code| AadSts::lookup(code).is_none()) {
            return Some("aadsts is no code that this authority knows");
        }
        if self.retry_after.as_deref().is_some_and(|value| HeaderValue::try_from(value).is_err()) {
            return Some("retry_after is no header value");
        }
        if self.times == Some(0) {
            return Some("times is at least 1");
        }
        None
    }
}

/// A fault that is set.
#[derive(Debug, Clone, Serialize)]
struct Set {
    id: u64,
    #[serde(flatten)]
    fault: Fault,
    /// How often it has happened.
    happened: u64,
}

/// The faults that are set, in the order in which they were.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Ordered>);

#[derive(Debug, Default)]
struct Ordered {
    count: u64,
    set: Vec<Set>,
}

impl Faults {
    fn with<T>(&self, act: impl FnOnce(&mut Ordered) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The fault that this request meets, which has then happened once more.
    pub(super) fn meet(&self, endpoint: Endpoint, tenant: Option<&str>, client: Option<&str>) -> Option<(u64, Fault)> {
        self.with(|ordered| {
            let met = ordered.set.iter_mut().find(|set| {
                set.fault.fits(endpoint, tenant, client)
                    && set.fault.times.is_none_or(|times| set.happened < u64::from(times))
            })?;
            met.happened += 1;
            Some((met.id, met.fault.clone()))
        })
    }

    pub(super) fn clear(&self) {
        self.with(|ordered| ordered.set.clear());
    }
}

pub(super) async fn list<D: Directory>(State(lab): State<Arc<Lab<D>>>) -> Response {
    let set = lab.faults.with(|ordered| ordered.set.clone());
    Json(json!({"faults": set})).into_response()
}

pub(super) async fn add<D: Directory>(State(lab): State<Arc<Lab<D>>>, Order(fault): Order<Fault>) -> Response {
    if let Some(what) = fault.fault() {
        return bad_request(what);
    }
    let id = lab.faults.with(|ordered| {
        (ordered.set.len() < ROOM).then(|| {
            ordered.count += 1;
            ordered.set.push(Set { id: ordered.count, fault, happened: 0 });
            ordered.count
        })
    });
    match id {
        Some(id) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        None => bad_request("a thousand faults are set already"),
    }
}

pub(super) async fn remove<D: Directory>(State(lab): State<Arc<Lab<D>>>, Path(id): Path<u64>) -> Response {
    let removed = lab.faults.with(|ordered| {
        let before = ordered.set.len();
        ordered.set.retain(|set| set.id != id);
        ordered.set.len() < before
    });
    if removed { StatusCode::NO_CONTENT.into_response() } else { not_found("there is no such fault") }
}

pub(super) async fn clear<D: Directory>(State(lab): State<Arc<Lab<D>>>) -> StatusCode {
    lab.faults.clear();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(faults: &Faults, fault: Fault) {
        faults.with(|ordered| {
            ordered.count += 1;
            ordered.set.push(Set { id: ordered.count, fault, happened: 0 });
        });
    }

    #[test]
    fn a_fault_meets_whom_it_is_aimed_at_and_as_often_as_it_says() {
        let faults = Faults::default();
        let aimed = Fault {
            endpoint: Some(Endpoint::Token),
            client_id: Some("ABC".to_owned()),
            times: Some(2),
            status: Some(503),
            ..Fault::default()
        };
        set(&faults, aimed);
        set(&faults, Fault { delay_ms: Some(1), tenant: Some("t".to_owned()), ..Fault::default() });
        assert_eq!(faults.meet(Endpoint::Keys, None, Some("abc")), None);
        assert_eq!(faults.meet(Endpoint::Token, None, None), None);
        for _ in 0..2 {
            assert_eq!(faults.meet(Endpoint::Token, Some("t"), Some("abc")).unwrap().0, 1);
        }
        assert_eq!(faults.meet(Endpoint::Token, Some("t"), Some("abc")).unwrap().0, 2, "the first is used up");
        faults.clear();
        assert_eq!(faults.meet(Endpoint::Token, Some("t"), Some("abc")), None);
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (fault, what) in [
            (Fault::default(), "a fault needs"),
            (Fault { delay_ms: Some(MAX_DELAY_MS + 1), ..Fault::default() }, "delay_ms"),
            (Fault { status: Some(199), ..Fault::default() }, "status"),
            (Fault { aadsts: Some(1), ..Fault::default() }, "aadsts"),
            (Fault { status: Some(503), retry_after: Some("\n".to_owned()), ..Fault::default() }, "retry_after"),
            (Fault { status: Some(503), times: Some(0), ..Fault::default() }, "times"),
        ] {
            assert!(fault.fault().unwrap().starts_with(what), "{fault:?}");
        }
        assert_eq!(Fault { aadsts: Some(90033), ..Fault::default() }.fault(), None);
    }
}
