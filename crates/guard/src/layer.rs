//! The guard as a `tower` layer: it speaks only `http` types, so it stands in front of any server.
//!
//! A token whose key is at hand is decided without allocating or waiting; only a token that names an unknown key waits for
//! a fetch. The inner service never sees a request that was refused, and its body is not read before.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use countersign_token::policy::Permission;
use countersign_token::{Claims, Verified};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::credential::bearer_token;
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
    permission: Option<Permission>,
    forbidden: HeaderValue,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("permission", &self.permission).finish_non_exhaustive()
    }
}

impl GuardLayer {
    pub(crate) fn new(guard: Guard, permission: Option<Permission>) -> Self {
        let forbidden = guard.forbidden(permission.as_ref());
        Self(Arc::new(Rule { guard, permission, forbidden }))
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

impl Rule {
    /// The answer to a refused request: an empty body, since RFC 6750 says all of it in the header.
    fn refuse<B: Default>(&self, refusal: &Refusal, caller: Option<&Verified<Claims>>) -> Response<B> {
        decision_log::refused(refusal, caller);
        let mut response = Response::new(B::default());
        *response.status_mut() = refusal.status();
        match self.guard.challenge(refusal, &self.forbidden) {
            Some(challenge) => response.headers_mut().insert(WWW_AUTHENTICATE, challenge),
            None => response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5")),
        };
        response
    }

    fn admit<ReqBody, B: Default>(
        &self,
        request: &mut Request<ReqBody>,
        decision: Result<Arc<Verified<Claims>>, Refusal>,
    ) -> Result<(), Response<B>> {
        let caller = decision.map_err(|refusal| self.refuse(&refusal, None))?;
        self.guard
            .verifier()
            .permit(&caller, self.permission.as_ref())
            .map_err(|rejection| self.refuse(&rejection.into(), Some(&caller)))?;
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
        // Nobody before this layer can have verified a caller.
        request.extensions_mut().remove::<VerifiedCaller>();
        let token = match bearer_token(request.headers()) {
            Ok(token) => token,
            Err(error) => return GuardFuture::refused(self.rule.refuse(&error.into(), None)),
        };
        match self.rule.guard.verifier().authenticate_now(token) {
            Some(decision) => match self.rule.admit(&mut request, decision) {
                Ok(()) => GuardFuture { state: State::Inner { future: self.inner.call(request) } },
                Err(response) => GuardFuture::refused(response),
            },
            None => {
                let (token, rule) = (token.to_owned(), Arc::clone(&self.rule));
                let verifying =
                    Box::pin(async move { rule.guard.verifier().authenticate_waiting(&token).await });
                // The service that is ready waits with the request; its clone takes its place.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                let waiting = Waiting { verifying, request, inner, rule: Arc::clone(&self.rule) };
                GuardFuture { state: State::Waiting { waiting: Some(waiting) } }
            }
        }
    }
}

type Verifying = Pin<Box<dyn Future<Output = Result<Arc<Verified<Claims>>, Refusal>> + Send>>;

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

impl<S: Service<Request<ReqBody>>, ReqBody, ResBody> GuardFuture<S, ReqBody, ResBody> {
    fn refused(response: Response<ResBody>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Refused { response: Option<Response<ResBody>> },
        Waiting { waiting: Option<Waiting<S, ReqBody>> },
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
                    let Waiting { mut request, mut inner, rule, .. } = waiting.take().expect("just polled");
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
