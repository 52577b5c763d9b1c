//! The state, kept under a name and gone back to: a test leaves nothing behind for the next one.
//!
//! `PUT /lab/snapshots/{name}` keeps what the directory holds now. `POST /lab/reset` goes back to it, and to what there was
//! at the start if no name is given: `{"snapshot": "before"}`. A reset also takes all faults back and forgets the calls.
//! The clock stays where it is: tokens that were issued must not become younger. Only a directory that one process has to
//! itself has snapshots; PostgreSQL's answers 501.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use countersign_directory::{Directory, Snapshot, StoreError};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Lab, Order, bad_request, failed, not_found};
use crate::StartError;

/// How many snapshots are kept at once, the one of the start not counted.
const ROOM: usize = 100;

/// Snapshots by name.
pub(super) struct Snapshots {
    /// None where the directory has no snapshots.
    start: Option<Arc<Snapshot>>,
    named: Mutex<BTreeMap<String, Arc<Snapshot>>>,
}

impl Snapshots {
    pub(super) async fn begin<D: Directory>(directory: &D) -> Result<Self, StoreError> {
        let start = match directory.snapshot().await {
            Err(StoreError::Unsupported(_)) => None,
            start => Some(Arc::new(start?)),
        };
        Ok(Self { start, named: Mutex::default() })
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<Snapshot>> {
        match name {
            None => self.start.clone(),
            Some(name) => self.named.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned(),
        }
    }
}

fn store_failed(error: StoreError) -> Response {
    match error {
        StoreError::Unsupported(what) => {
            let body = json!({"error": "not_implemented", "error_description": what});
            (StatusCode::NOT_IMPLEMENTED, Json(body)).into_response()
        }
        error => failed(&StartError::Store(error)),
    }
}

pub(super) async fn keep<D: Directory>(State(lab): State<Arc<Lab<D>>>, Path(name): Path<String>) -> Response {
    let snapshot = match lab.core.registry.directory().snapshot().await {
        Ok(snapshot) => Arc::new(snapshot),
        Err(error) => return store_failed(error),
    };
    let mut named = lab.snapshots.named.lock().unwrap_or_else(PoisonError::into_inner);
    if named.len() >= ROOM && !named.contains_key(&name) {
        return bad_request("a hundred snapshots are kept already");
    }
    named.insert(name, snapshot);
    StatusCode::NO_CONTENT.into_response()
}

pub(super) async fn forget<D: Directory>(State(lab): State<Arc<Lab<D>>>, Path(name): Path<String>) -> Response {
    match lab.snapshots.named.lock().unwrap_or_else(PoisonError::into_inner).remove(&name) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => not_found("there is no such snapshot"),
    }
}

/// Where to go back to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetOrder {
    snapshot: Option<String>,
}

pub(super) async fn reset<D: Directory>(State(lab): State<Arc<Lab<D>>>, Order(order): Order<ResetOrder>) -> Response {
    let directory = lab.core.registry.directory();
    if let (None, None) = (&order.snapshot, &lab.snapshots.start) {
        return store_failed(StoreError::Unsupported("this directory has no snapshots"));
    }
    let Some(snapshot) = lab.snapshots.find(order.snapshot.as_deref()) else {
        return not_found("there is no such snapshot");
    };
    if let Err(error) = directory.restore(&snapshot).await {
        return store_failed(error);
    }
    lab.faults.clear();
    lab.calls.forget();
    StatusCode::NO_CONTENT.into_response()
}
