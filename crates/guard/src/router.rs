//! [`GuardedRouter`]: an axum router in which every route has a permission, or says by name and with a reason that it is
//! open. One that was forgotten keeps the service from starting.
//!
//! Strangers do not learn either which methods a route has. axum answers an unknown method by way of the same layers as a
//! known one, so it is 401 before it is 405; but it adds `Allow` outside of them, unless one is there. Refusals therefore
//! carry an empty `Allow`, whatever the method: to this caller the route allows none (RFC 9110 §10.2.1).

use std::convert::Infallible;
use std::fmt;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};
use countersign_token::PolicyError;

use crate::{Guard, GuardLayer, RegisteredRule, Rule};

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
    /// Some routes ask for a permission by a name that the policy does not have.
    #[error("routes whose permission the policy does not have: {}", .0.join(", "))]
    UnknownPermission(Vec<String>),
    /// Some routes are open and nobody said why.
    #[error("open routes without a reason: {}", .0.join(", "))]
    NoReason(Vec<String>),
}

/// Collects routes with their permissions.
///
/// One path may be given several times with different methods, each with a permission of its own:
///
/// ```
/// use axum::routing::get;
/// use countersign_guard::{GuardedRouter, Permission};
/// # use countersign_guard::{Guard, Policy};
/// # let policy: Policy = serde_json::from_str(r#"{"tenants": [], "issuers": [], "audiences": []}"#)?;
/// # let keys = countersign_token::KeySet::parse(br#"{"keys":[]}"#)?;
/// # let guard = Guard::builder(countersign_discovery::KeySource::fixed(keys), &policy)?.build();
/// let app: axum::Router = GuardedRouter::new(guard)
///     .get("/orders", || async { "tea, ink" }).requires(Permission::any_app_role(["Orders.Read"]))
///     .post("/orders", || async { "ordered" }).requires(Permission::any_app_role(["Orders.Write"]))
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
    unknown: Vec<String>,
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
    /// `GET `, where there is one.
    method: &'static str,
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
            unknown: Vec::new(),
            unexplained: Vec::new(),
        }
    }

    /// Adds a route; say next what it [requires](PendingRoute::requires), whatever the method. The listing cannot tell
    /// which methods `handlers` has; with [`GuardedRouter::get`] and its like it can.
    pub fn route(self, path: &str, handlers: MethodRouter<S, Infallible>) -> PendingRoute<S> {
        PendingRoute { router: self, path: path.to_owned(), method: "", handlers }
    }

    fn on<H, T>(self, method: &'static str, filter: MethodFilter, path: &str, handler: H) -> PendingRoute<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        PendingRoute { router: self, path: path.to_owned(), method, handlers: axum::routing::on(filter, handler) }
    }

    /// Adds a route for `GET` (and, as axum has it, `HEAD`).
    pub fn get<H: Handler<T, S>, T: 'static>(self, path: &str, handler: H) -> PendingRoute<S> {
        self.on("GET ", MethodFilter::GET, path, handler)
    }

    /// Adds a route for `POST`.
    pub fn post<H: Handler<T, S>, T: 'static>(self, path: &str, handler: H) -> PendingRoute<S> {
        self.on("POST ", MethodFilter::POST, path, handler)
    }

    /// Adds a route for `PUT`.
    pub fn put<H: Handler<T, S>, T: 'static>(self, path: &str, handler: H) -> PendingRoute<S> {
        self.on("PUT ", MethodFilter::PUT, path, handler)
    }

    /// Adds a route for `PATCH`.
    pub fn patch<H: Handler<T, S>, T: 'static>(self, path: &str, handler: H) -> PendingRoute<S> {
        self.on("PATCH ", MethodFilter::PATCH, path, handler)
    }

    /// Adds a route for `DELETE`.
    pub fn delete<H: Handler<T, S>, T: 'static>(self, path: &str, handler: H) -> PendingRoute<S> {
        self.on("DELETE ", MethodFilter::DELETE, path, handler)
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

    /// One line per route and rule, to print at start and to diff in review. The policy itself, with the permissions that
    /// routes ask for by name, is [`crate::Verifier::listing`].
    #[must_use]
    pub fn listing(&self) -> &[String] {
        &self.listing
    }

    fn register(&self, rule: Rule) -> Result<RegisteredRule, PolicyError> {
        self.guard.verifier().register(rule)
    }

    /// The axum router. Routes that are added to it afterwards are not guarded.
    ///
    /// # Errors
    /// [`StartError`] naming the routes that have no permission, or one that nobody can meet.
    pub fn into_router(self) -> Result<Router<S>, StartError> {
        if !self.forgotten.is_empty() {
            return Err(StartError::NoPermission(self.forgotten));
        }
        if !self.unknown.is_empty() {
            return Err(StartError::UnknownPermission(self.unknown));
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
    /// What a caller of this route must hold: a [`crate::Permission`], or a [`Rule`] with conditions of the service's own
    /// or by the name of a permission in the policy.
    ///
    /// # Panics
    /// If the path has these methods already, as axum does.
    #[must_use]
    pub fn requires(self, rule: impl Into<Rule>) -> GuardedRouter<S> {
        let Self { mut router, path, method, handlers } = self;
        let rule = rule.into();
        router.listing.push(format!("{method}{path}: {rule}"));
        match router.register(rule) {
            Ok(rule) => {
                if router.guard.verifier().policies().lets_nobody_in(rule.rule()) {
                    router.closed.push(path.clone());
                }
                // `layer`, not `route_layer`, which would leave out the answer to unknown methods.
                let layer = GuardLayer::for_route(router.guard.clone(), rule);
                router.router = router.router.route(&path, handlers.layer(layer));
            }
            Err(_) => router.unknown.push(path),
        }
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
