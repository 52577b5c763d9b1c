//! `revokeSignInSessions`: all that a user signed in to, and every refresh token, is worth nothing from now on.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use countersign_directory::{Commit, Directory, User, Users};
use serde_json::json;

use super::REVOKE;
use super::answer::{GraphError, entity};
use super::caller::Caller;
use super::user::find;
use crate::core::Core;

pub(super) async fn my_sessions<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, GraphError> {
    let user = Arc::clone(caller.me()?);
    revoke(&core, &caller, &user).await
}

pub(super) async fn sessions<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, GraphError> {
    let user = find(&core, &caller, &id).await?;
    if !caller.may(user.object_id, &REVOKE) {
        return Err(GraphError::denied());
    }
    revoke(&core, &caller, &user).await
}

async fn revoke<D: Directory>(core: &Core<D>, caller: &Caller, user: &User) -> Result<Response, GraphError> {
    let mut tx = core.registry.directory().begin().await?;
    // Read in the transaction that writes: nothing that happened meanwhile is undone.
    let Some(mut user) = tx.user(user.tenant, user.object_id).await? else {
        return Err(GraphError::not_found(&user.object_id.to_string()));
    };
    user.tokens_valid_from = core.clock.now();
    tx.update_user(&user).await?;
    tx.commit().await?;
    tracing::info!(target: "countersign_authority::revoked", tenant = %user.tenant, user = %user.object_id);
    Ok(entity(&caller.base, "Edm.Boolean", json!({ "value": true })))
}
