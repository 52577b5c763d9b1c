//! The clock and the keys, turned by hand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_directory::Directory;
use countersign_token::Clock;
use serde::Deserialize;
use serde_json::json;

use super::{Lab, Order, bad_request, failed};
use crate::key_care::{KeysInTheMaking, look, roll};

/// How far the clock may be moved: beyond, dates stop fitting their formats.
const FARTHEST_SECONDS: i64 = 20 * 366 * 86_400;

pub(super) async fn show<D: Directory>(State(lab): State<Arc<Lab<D>>>) -> Response {
    let clock = &lab.clock;
    Json(json!({
        "now": lab.core.clock.now().as_unix_seconds(),
        "offset_seconds": clock.offset_seconds(),
        "frozen": clock.is_frozen(),
    }))
    .into_response()
}

/// What to do to the clock. A reset stands alone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockOrder {
    /// Shows the machine's time again.
    #[serde(default)]
    reset: bool,
    /// Stops it, or lets it run on.
    freeze: Option<bool>,
    advance_seconds: Option<i64>,
}

pub(super) async fn turn<D: Directory>(lab: State<Arc<Lab<D>>>, Order(order): Order<ClockOrder>) -> Response {
    let turns = order.freeze.is_some() || order.advance_seconds.is_some();
    if order.reset == turns {
        return bad_request("send {\"advance_seconds\": N}, {\"freeze\": true or false} or {\"reset\": true}");
    }
    let offset = lab.clock.offset_seconds();
    let far = |seconds: i64| offset.checked_add(seconds).is_none_or(|offset| offset.abs() > FARTHEST_SECONDS);
    if order.advance_seconds.is_some_and(far) {
        return bad_request("advance_seconds leads more than twenty years away from now");
    }
    if order.reset {
        lab.clock.reset();
    }
    match order.freeze {
        Some(true) => lab.clock.freeze(),
        Some(false) => lab.clock.thaw(),
        None => {}
    }
    if let Some(seconds) = order.advance_seconds {
        lab.clock.advance_seconds(seconds);
    }
    // What time brings about by itself has happened when this returns.
    if let Err(error) = look(&lab.core, &mut KeysInTheMaking::none()).await {
        return failed(&error);
    }
    show(lab).await
}

pub(super) async fn roll_keys<D: Directory>(State(lab): State<Arc<Lab<D>>>) -> Response {
    match roll(&lab.core).await {
        Ok(key_id) => Json(json!({"key_id": key_id})).into_response(),
        Err(error) => failed(&error),
    }
}
