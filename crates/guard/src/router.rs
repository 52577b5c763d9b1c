//! [`GuardedRouter`]: an axum router in which every route has a permission, or says by name and with a reason that it is
//! open. One that was forgotten keeps the service from starting.

use std::convert::Infallible;
use std::fmt;

use axum::Router;
use axum::routing::MethodRouter;
use countersign_token::policy::Permission;

use crate::Guard;

/// The routes cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Some routes have no permission. Give them one with `requires`, or open them by name with `open`.
    #[error("routes without a permission: {}", .0.join(", "))]
    NoPermission(Vec<String>),
    /// Some routes have a permission that no token can meet.
    #[error("routes whose permission lets nobody in: {}", .0.join(", "))]
    NobodyGetsIn(Vec<String>),
}

/// Collects routes with their permissions.
pub struct GuardedRouter<S = ()> {
    guard: Guard,
    router: Router<S>,
    listing: Vec<String>,
    forgotten: Vec<String>,
    closed: Vec<String>,
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
        Self { guard, router: Router::new(), listing: Vec::new(), forgotten: Vec::new(), closed: Vec::new() }
    }

    /// Adds a route; say next what it [requires](PendingRoute::requires).
    pub fn route(self, path: &str, handlers: MethodRouter<S, Infallible>) -> PendingRoute<S> {
        PendingRoute { router: self, path: path.to_owned(), handlers }
    }

    /// Adds a route that anybody may call. The reason stands in the listing, for whoever reviews it.
    #[must_use]
    pub fn open(mut self, path: &str, reason: &str, handlers: MethodRouter<S, Infallible>) -> Self {
        self.listing.push(format!("{path}: open ({reason})"));
        self.router = self.router.route(path, handlers);
        self
    }

    /// One line per route and permission, to print at start and to diff in review.
    #[must_use]
    pub fn listing(&self) -> &[String] {
        &self.listing
    }

    /// The axum router.
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
        Ok(self.router)
    }
}

impl<S: Clone + Send + Sync + 'static> PendingRoute<S> {
    /// What a caller of this route must hold.
    #[must_use]
    pub fn requires(self, permission: Permission) -> GuardedRouter<S> {
        let Self { mut router, path, handlers } = self;
        if permission.lets_nobody_in() {
            router.closed.push(path.clone());
        }
        router.listing.push(format!(
            "{path}: app_roles {:?}, scopes {:?}, clients {:?}",
            permission.app_roles, permission.scopes, permission.clients
        ));
        // `layer`, not `route_layer`: a method that does not exist is not told to strangers either.
        router.router = router.router.route(&path, handlers.layer(router.guard.layer_for(permission)));
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
