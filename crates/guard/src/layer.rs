//! The guard as a `tower` layer: it speaks only `http` types, so it stands in front of any server.
//!
//! A token whose key is at hand is decided at once; only a token that names an unknown key waits for a fetch. The inner
//! service never sees a request that was refused, and its body is not read before.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use countersign_token::policy::Permission;
use countersign_token::{Claims, Verified};
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::credential::{credential, token_text};
use crate::verifier::{Decision, Denied};
use crate::{Guard, Refusal, decision_log};

/// The verified caller, as the guard leaves it in the request's extensions.
#[derive(Debug, Clone)]
pub struct VerifiedCaller(Arc<Verified<Claims>>);

impl VerifiedCaller {
    /// The caller's claims.
    #[must_use]
    pub fn claims(&self) -> &Arc<Verified<Claims>> {
        &self.0
    }
}

impl std::ops::Deref for VerifiedCaller {
    type Target = Verified<Claims>;

    fn deref(&self) -> &Verified<Claims> {
        &self.0
    }
}

/// Puts the guard in front of a service. Made by [`Guard::layer`] and [`Guard::layer_for`].
#[derive(Debug, Clone)]
pub struct GuardLayer(Arc<Rule>);

/// What one layer applies.
struct Rule {
    guard: Guard,
    /// The route's permission with its challenge, written once; without one the policy's own counts.
    route: Option<(Permission, HeaderValue)>,
    /// Whether refusals say with an empty `Allow` that no method is allowed, so that no router adds those that exist.
    hides_methods: bool,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("permission", &self.permission()).finish_non_exhaustive()
    }
}

impl GuardLayer {
    pub(crate) fn new(guard: Guard, permission: Option<Permission>) -> Self {
        let route = permission.map(|permission| {
            let challenge = guard.forbidden(&permission);
            (permission, challenge)
        });
        Self(Arc::new(Rule { guard, route, hides_methods: false }))
    }

    /// For a router's route: refusals keep its methods to themselves.
    #[cfg(feature = "axum")]
    pub(crate) fn for_route(guard: Guard, permission: Permission) -> Self {
        let challenge = guard.forbidden(&permission);
        Self(Arc::new(Rule { guard, route: Some((permission, challenge)), hides_methods: true }))
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService { inner, rule: Arc::clone(&self.0) }
    }
}

/// A guarded service.
#[derive(Debug, Clone)]
pub struct GuardService<S> {
    inner: S,
    rule: Arc<Rule>,
}

/// What the headers come to.
enum First {
    Decided(Decision),
    /// The token names a key that must be asked for.
    Ask(String),
}

impl Rule {
    fn permission(&self) -> Option<&Permission> {
        self.route.as_ref().map(|(permission, _)| permission)
    }

    /// Decides without waiting, if that can be.
    fn decide(&self, headers: &HeaderMap) -> First {
        let verifier = self.guard.verifier();
        let credential = match credential(headers) {
            Ok(credential) => credential,
            Err(error) => return First::Decided(Err(Refusal::from(error).into())),
        };
        if let Some(decision) = verifier.decide_known(credential, self.permission()) {
            return First::Decided(decision);
        }
        match token_text(credential) {
            Ok(token) => match verifier.decide_now(token, self.permission()) {
                Some(decision) => First::Decided(decision),
                None => First::Ask(token.to_owned()),
            },
            Err(refusal) => First::Decided(Err(refusal.into())),
        }
    }

    /// The answer to a refused request: an empty body, since RFC 6750 says all of it in the header.
    fn refuse<B: Default>(&self, denied: &Denied) -> Response<B> {
        decision_log::refused(&denied.refusal, denied.caller.as_deref());
        let mut response = Response::new(B::default());
        *response.status_mut() = denied.refusal.status();
        match self.guard.challenge(&denied.refusal, self.route.as_ref().map(|(_, challenge)| challenge)) {
            Some(challenge) => response.headers_mut().insert(WWW_AUTHENTICATE, challenge),
            None => response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5")),
        };
        if self.hides_methods {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(""));
        }
        response
    }

    /// Writes the caller into the request, or the answer that it gets instead. A [`VerifiedCaller`] that stood there
    /// before is replaced: nobody in front of this layer can speak for it.
    fn admit<ReqBody, B: Default>(
        &self,
        request: &mut Request<ReqBody>,
        decision: Decision,
    ) -> Result<(), Response<B>> {
        let caller = decision.map_err(|denied| self.refuse(&denied))?;
        decision_log::admitted(&caller);
        request.extensions_mut().insert(VerifiedCaller(caller));
        Ok(())
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for GuardService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = GuardFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let state = match self.rule.decide(request.headers()) {
            First::Decided(decision) => match self.rule.admit(&mut request, decision) {
                Ok(()) => State::Inner { future: self.inner.call(request) },
                Err(response) => State::Refused { response: Some(response) },
            },
            First::Ask(token) => {
                let rule = Arc::clone(&self.rule);
                let verifying =
                    Box::pin(async move { rule.guard.verifier().decide_waiting(&token, rule.permission()).await });
                // The service that is ready waits with the request; its clone takes its place.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                let waiting = Waiting { verifying, request, inner, rule: Arc::clone(&self.rule) };
                State::Waiting { waiting: Some(Box::new(waiting)) }
            }
        };
        GuardFuture { state }
    }
}

type Verifying = Pin<Box<dyn Future<Output = Decision> + Send>>;

struct Waiting<S, ReqBody> {
    verifying: Verifying,
    request: Request<ReqBody>,
    inner: S,
    rule: Arc<Rule>,
}

pin_project! {
    /// What a guarded service is doing with a request.
    pub struct GuardFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, ResBody>,
    }
}

impl<S: Service<Request<ReqBody>>, ReqBody, ResBody> fmt::Debug for GuardFuture<S, ReqBody, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Refused { response: Option<Response<ResBody>> },
        Waiting { waiting: Option<Box<Waiting<S, ReqBody>>> },
        Inner { #[pin] future: S::Future },
    }
}

impl<S, ReqBody, ResBody> Future for GuardFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<Response<ResBody>, S::Error>;

    #[expect(clippy::expect_used, reason = "a future is not polled again after it is ready")]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project().state.project() {
                StateProjection::Inner { future } => return future.poll(context),
                StateProjection::Refused { response } => {
                    return Poll::Ready(Ok(response.take().expect("polled after completion")));
                }
                StateProjection::Waiting { waiting } => {
                    let decision =
                        ready!(waiting.as_mut().expect("polled after completion").verifying.as_mut().poll(context));
                    let Waiting { mut request, mut inner, rule, .. } = *waiting.take().expect("just polled");
                    match rule.admit(&mut request, decision) {
                        Ok(()) => State::Inner { future: inner.call(request) },
                        Err(response) => State::Refused { response: Some(response) },
                    }
                }
            };
            self.as_mut().project().state.set(next);
        }
    }
}
