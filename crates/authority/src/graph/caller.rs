//! Who calls Graph, evaluated at each request: a token that is genuine may be out of date.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use countersign_directory::{Directory, Tenant, User};
use countersign_guard::{Claims, TokenKind, VerifiedCaller};
use countersign_protocol::TenantSegment;
use countersign_token::{ClientId, ObjectId, Timestamp};

use super::answer::GraphError;
use crate::core::Core;

/// A caller whose token still counts.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) tenant: Arc<Tenant>,
    pub(super) client: ClientId,
    /// Graph's origin, as it was asked.
    pub(super) base: String,
    /// The user for whom the client calls; none if it calls for itself.
    pub(super) user: Option<Arc<User>>,
    scopes: Vec<String>,
}

impl Caller {
    /// The user, without whom a route means nothing.
    pub(super) fn me(&self) -> Result<&Arc<User>, GraphError> {
        self.user
            .as_ref()
            .ok_or_else(|| GraphError::bad_request("/me request is only valid with delegated authentication flow."))
    }

    /// Whether the caller may do to this user what takes one of these permissions: an application that holds one (the
    /// guard has seen to it), a user to themselves, or an administrator through a client that may do it to others.
    pub(super) fn may(&self, whom: ObjectId, permissions: &[&str]) -> bool {
        match &self.user {
            None => true,
            Some(user) if user.object_id == whom => true,
            Some(user) => user.is_administrator && self.has_scope(permissions),
        }
    }

    /// Whether the token has one of these scopes.
    pub(super) fn has_scope(&self, scopes: &[&str]) -> bool {
        self.scopes.iter().any(|scope| scopes.contains(&scope.as_str()))
    }
}

/// Lets on whom the guard has let in, if nothing has happened since the token was issued.
pub(super) async fn evaluate<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(verified) = request.extensions().get::<VerifiedCaller>().cloned() else {
        return GraphError::unauthenticated("Access token is empty.").into_response();
    };
    let base = core.origins.of(&request).host.origin().to_owned();
    match caller(&core, &verified, base).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

async fn caller<D: Directory>(core: &Core<D>, claims: &Claims, base: String) -> Result<Caller, GraphError> {
    let gone = || GraphError::unauthenticated("Access token validation failure.");
    let tenant = core.registry.tenant(&TenantSegment::Id(claims.tenant())).await?;
    let tenant = tenant.filter(|tenant| tenant.enabled).ok_or_else(gone)?;
    let client = claims.client();
    let scopes = claims.scopes().map(str::to_owned).collect();
    if claims.kind() != TokenKind::User {
        return Ok(Caller { tenant, client, base, user: None, scopes });
    }
    let id = claims.object_id().ok_or_else(gone)?;
    let user = core.registry.user(tenant.id, id).await?.filter(|user| user.account_enabled).ok_or_else(gone)?;
    if is_evaluated_continuously(claims) && issued(claims) < user.tokens_valid_from {
        return Err(GraphError::revoked(user.tokens_valid_from));
    }
    Ok(Caller { tenant, client, base, user: Some(user), scopes })
}

/// Whether the client understands claims challenges: others must not be sent one.
fn is_evaluated_continuously(claims: &Claims) -> bool {
    let capabilities = claims.claim("xms_cc");
    let capabilities = capabilities.as_ref().and_then(serde_json::Value::as_array).into_iter().flatten();
    capabilities.filter_map(serde_json::Value::as_str).any(|capability| capability.eq_ignore_ascii_case("cp1"))
}

/// When the token was issued: `iat` lies five minutes before.
fn issued(claims: &Claims) -> Timestamp {
    Timestamp::from_unix_seconds(claims.issued_at().map_or(i64::MIN, |iat| iat.0).saturating_add(300))
}
