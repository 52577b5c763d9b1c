//! Userinfo (OpenID Connect Core §5.3): Graph's for v2.0, the authority's own for v1.0.
//!
//! `sub` is that of the calling client's id_tokens. A token for anybody but Graph gets nothing (pitfalls B91); that, and
//! the scope `openid`, the guard has seen to.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::UserInfo;
use countersign_protocol::headers::JSON_CONTENT_TYPE;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::answer::GraphError;
use super::caller::Caller;
use crate::call::Place;
use crate::core::Core;
use crate::endpoints::{TenantPath, place};
use crate::issue::pairwise_subject;

pub(super) async fn graph<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, GraphError> {
    answer(&core, &caller)
}

pub(super) async fn tenant<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    Extension(caller): Extension<Caller>,
) -> Result<Response, GraphError> {
    let text = tenant.as_ref().map_or("", |axum::extract::Path(text)| text.as_str());
    match place(&core, text, false).await {
        Ok(Place::Alias(_)) => answer(&core, &caller),
        Ok(Place::Tenant(tenant)) if tenant.id == caller.tenant.id => answer(&core, &caller),
        _ => Err(GraphError::unauthenticated("Access token validation failure.")),
    }
}

fn answer<D: Directory>(core: &Core<D>, caller: &Caller) -> Result<Response, GraphError> {
    let user = caller.me()?;
    let mut info = UserInfo::new(pairwise_subject(&core.vault, caller.tenant.id, user.object_id, caller.client));
    if caller.has_scope(&["profile"]) {
        info.name = Some(user.display_name.clone());
        info.family_name.clone_from(&user.surname);
        info.given_name.clone_from(&user.given_name);
        info.picture = Some(format!("{}/v1.0/me/photo/$value", core.origins.own().host.origin()));
    }
    if caller.has_scope(&["email"]) {
        info.email.clone_from(&user.mail);
    }
    let mut response = Response::new(Body::from(info.to_json()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON_CONTENT_TYPE));
    Ok(response)
}
