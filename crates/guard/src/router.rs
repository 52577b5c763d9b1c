//! [`GuardedRouter`]: an axum router in which every route has a permission, or says by name and with a reason that it is
//! open. One that was forgotten keeps the service from starting.
//!
//! Strangers do not learn either which methods a route has. axum answers an unknown method by way of the same layers as a
//! known one, so it is 401 before it is 405; but it adds `Allow` outside of them, unless one is there. Refusals therefore
//! carry an empty `Allow`, whatever the method: to this caller the route allows none (RFC 9110 §10.2.1).

use std::convert::Infallible;
use std::fmt;

use axum::Router;
use axum::routing::MethodRouter;
use countersign_token::policy::Permission;

use crate::{Guard, GuardLayer};

/// The routes cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Some routes have no permission. Give them one with `requires`, or open them by name with `open`.
    #[error("routes without a permission: {}", .0.join(", "))]
    NoPermission(Vec<String>),
    /// Some routes have a permission that no token can meet, by itself or under the policy's clients and kinds.
    #[error("routes whose permission lets nobody in: {}", .0.join(", "))]
    NobodyGetsIn(Vec<String>),
    /// Some routes are open and nobody said why.
    #[error("open routes without a reason: {}", .0.join(", "))]
    NoReason(Vec<String>),
}

/// Collects routes with their permissions.
///
/// One path may be given several times with different methods, each with a permission of its own:
///
/// ```
/// use axum::routing::{get, post};
/// use countersign_guard::{GuardedRouter, Permission};
/// # use countersign_guard::{Guard, Policy};
/// # let policy: Policy = serde_json::from_str(r#"{"tenants": [], "issuers": [], "audiences": []}"#)?;
/// # let keys = countersign_token::KeySet::parse(br#"{"keys":[]}"#)?;
/// # let guard = Guard::builder(countersign_discovery::KeySource::fixed(keys), &policy)?.build();
/// let app: axum::Router = GuardedRouter::new(guard)
///     .route("/orders", get(|| async { "tea, ink" })).requires(Permission::any_app_role(["Orders.Read"]))
///     .route("/orders", post(|| async { "ordered" })).requires(Permission::any_app_role(["Orders.Write"]))
///     .open("/health", "the load balancer has no token", get(|| async { "well" }))
///     .into_router()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GuardedRouter<S = ()> {
    guard: Guard,
    router: Router<S>,
    listing: Vec<String>,
    forgotten: Vec<String>,
    closed: Vec<String>,
    unexplained: Vec<String>,
}

impl<S> fmt::Debug for GuardedRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedRouter").field("routes", &self.listing).finish_non_exhaustive()
    }
}

/// A route that waits for its permission.
#[must_use = "a route without a permission keeps the service from starting"]
pub struct PendingRoute<S> {
    router: GuardedRouter<S>,
    path: String,
    handlers: MethodRouter<S, Infallible>,
}

impl<S> fmt::Debug for PendingRoute<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRoute").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<S: Clone + Send + Sync + 'static> GuardedRouter<S> {
    /// An empty router.
    #[must_use]
    pub fn new(guard: Guard) -> Self {
        Self {
            guard,
            router: Router::new(),
            listing: Vec::new(),
            forgotten: Vec::new(),
            closed: Vec::new(),
            unexplained: Vec::new(),
        }
    }

    /// Adds a route; say next what it [requires](PendingRoute::requires).
    pub fn route(self, path: &str, handlers: MethodRouter<S, Infallible>) -> PendingRoute<S> {
        PendingRoute { router: self, path: path.to_owned(), handlers }
    }

    /// Adds a route that anybody may call. The reason stands in the listing, for whoever reviews it; a blank one keeps the
    /// service from starting.
    ///
    /// # Panics
    /// If the path has these methods already, as axum does.
    #[must_use]
    pub fn open(mut self, path: &str, reason: &str, handlers: MethodRouter<S, Infallible>) -> Self {
        if reason.trim().is_empty() {
            self.unexplained.push(path.to_owned());
        }
        self.listing.push(format!("{path}: open ({reason})"));
        self.router = self.router.route(path, handlers);
        self
    }

    /// One line per route and permission, to print at start and to diff in review.
    #[must_use]
    pub fn listing(&self) -> &[String] {
        &self.listing
    }

    /// The axum router. Routes that are added to it afterwards are not guarded.
    ///
    /// # Errors
    /// [`StartError`] naming the routes that have no permission, or one that nobody can meet.
    pub fn into_router(self) -> Result<Router<S>, StartError> {
        if !self.forgotten.is_empty() {
            return Err(StartError::NoPermission(self.forgotten));
        }
        if !self.closed.is_empty() {
            return Err(StartError::NobodyGetsIn(self.closed));
        }
        if !self.unexplained.is_empty() {
            return Err(StartError::NoReason(self.unexplained));
        }
        Ok(self.router)
    }
}

impl<S: Clone + Send + Sync + 'static> PendingRoute<S> {
    /// What a caller of this route must hold.
    ///
    /// # Panics
    /// If the path has these methods already, as axum does.
    #[must_use]
    pub fn requires(self, permission: Permission) -> GuardedRouter<S> {
        let Self { mut router, path, handlers } = self;
        if router.guard.verifier().own_permission(|own| lets_nobody_in(&permission, own)) {
            router.closed.push(path.clone());
        }
        router.listing.push(line(&path, &permission));
        // `layer`, not `route_layer`, which would leave out the answer to unknown methods.
        let layer = GuardLayer::for_route(router.guard.clone(), permission);
        router.router = router.router.route(&path, handlers.layer(layer));
        router
    }

    /// Adds the next route; this one was forgotten, and the service will not start.
    pub fn route(self, path: &str, handlers: MethodRouter<S, Infallible>) -> PendingRoute<S> {
        self.forget().route(path, handlers)
    }

    /// Reports that this route was forgotten.
    ///
    /// # Errors
    /// [`StartError::NoPermission`], always.
    pub fn into_router(self) -> Result<Router<S>, StartError> {
        self.forget().into_router()
    }

    fn forget(mut self) -> GuardedRouter<S> {
        self.router.forgotten.push(self.path);
        self.router
    }
}

/// Every member stands in the line, so that no change of a permission escapes a diff.
fn line(path: &str, permission: &Permission) -> String {
    let Permission { kinds, app_roles, scopes, clients, allow_without_permission } = permission;
    let clients = match clients {
        None => "any".to_owned(),
        Some(clients) => format!("[{}]", clients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    let bare = if *allow_without_permission { ", without permission too" } else { "" };
    format!("{path}: kinds {kinds:?}, app_roles {app_roles:?}, scopes {scopes:?}, clients {clients}{bare}")
}

/// Whether nobody can meet a route's permission while the policy's clients and kinds bind as well.
fn lets_nobody_in(route: &Permission, policy: &Permission) -> bool {
    let mut both = route.clone();
    both.kinds.retain(|kind| policy.kinds.contains(kind));
    if let Some(admitted) = &policy.clients {
        let clients = both.clients.get_or_insert_with(|| admitted.clone());
        clients.retain(|client| admitted.contains(client));
        // A route that names no clients of its own lets nobody pass without a permission, whatever the policy names.
        both.allow_without_permission &= route.clients.is_some();
    }
    both.lets_nobody_in()
}
