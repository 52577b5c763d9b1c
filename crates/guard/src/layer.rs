//! The guard as a `tower` layer: it speaks only `http` types, so it stands in front of any server.
//!
//! A token whose key is at hand is decided at once; only a token that names an unknown key waits for a fetch. The inner
//! service never sees a request that was refused, and its body is not read before.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use countersign_token::{Claims, Verified};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::binding::Sent;
use crate::bypass;
use crate::guard::First;
use crate::verifier::Decision;
use crate::{Answer, Guard, RegisteredRule};

/// The verified caller, as the guard leaves it in the request's extensions.
#[derive(Debug, Clone)]
pub struct VerifiedCaller(Arc<Verified<Claims>>);

impl VerifiedCaller {
    #[cfg(any(feature = "tonic", feature = "actix-web", feature = "hyper"))]
    pub(crate) fn new(caller: Arc<Verified<Claims>>) -> Self {
        Self(caller)
    }

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

/// Puts the guard in front of a service. Made by [`Guard::layer`], [`Guard::layer_for`] and [`Guard::layer_under`].
#[derive(Debug, Clone)]
pub struct GuardLayer(Arc<Applied>);

/// What one layer applies.
struct Applied {
    guard: Guard,
    rule: RegisteredRule,
    manner: Manner,
}

/// How refusals are written.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Plain,
    /// With an empty `Allow`, which says that no method is allowed, so that no router adds those that exist.
    #[cfg(feature = "axum")]
    HidesMethods,
    /// As gRPC has them: 200, and the status in a header of its own.
    Grpc,
}

impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl GuardLayer {
    pub(crate) fn new(guard: Guard, rule: RegisteredRule) -> Self {
        Self(Arc::new(Applied { guard, rule, manner: Manner::Plain }))
    }

    /// For gRPC services, `tonic`'s for instance: refusals are `UNAUTHENTICATED`, `PERMISSION_DENIED`, `INVALID_ARGUMENT`
    /// or `UNAVAILABLE`, and a caller who is let in is in the request's extensions as [`VerifiedCaller`].
    ///
    /// Source: gRPC over HTTP/2, "Responses" (Trailers-Only).
    #[must_use]
    pub fn grpc(self) -> Self {
        let Applied { guard, rule, .. } = &*self.0;
        Self(Arc::new(Applied { guard: guard.clone(), rule: rule.clone(), manner: Manner::Grpc }))
    }

    /// For a router's route: refusals keep its methods to themselves.
    #[cfg(feature = "axum")]
    pub(crate) fn for_route(guard: Guard, rule: RegisteredRule) -> Self {
        Self(Arc::new(Applied { guard, rule, manner: Manner::HidesMethods }))
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService { inner, applied: Arc::clone(&self.0) }
    }
}

/// A guarded service.
#[derive(Debug, Clone)]
pub struct GuardService<S> {
    inner: S,
    applied: Arc<Applied>,
}

impl Applied {
    /// Writes the caller into the request, or the answer that it gets instead. A [`VerifiedCaller`] that stood there
    /// before is replaced: nobody in front of this layer can speak for it.
    fn admit<ReqBody, B: Default>(
        &self,
        request: &mut Request<ReqBody>,
        decision: Decision,
    ) -> Result<(), Response<B>> {
        match self.guard.settle(decision, Sent::request(request), &self.rule) {
            Ok(caller) => {
                request.extensions_mut().insert(VerifiedCaller(caller));
                Ok(())
            }
            Err(answer) => {
                let mut response = match self.manner {
                    Manner::Grpc => answer.into_grpc_response(),
                    Manner::Plain => answer.into_response(),
                    #[cfg(feature = "axum")]
                    Manner::HidesMethods => {
                        let mut response: Response<B> = answer.into_response();
                        response.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static(""));
                        response
                    }
                };
                bypass::mark(&self.guard, &mut response);
                Err(response)
            }
        }
    }
}

impl Answer {
    /// The response: an empty body, since RFC 6750 says all of it in the header.
    #[must_use]
    pub fn into_response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status;
        if let Some(challenge) = self.www_authenticate {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    /// The number of the gRPC status that says the same.
    #[must_use]
    pub fn grpc_code(&self) -> u8 {
        match self.status.as_u16() {
            400 => 3,
            401 => 16,
            403 => 7,
            _ => 14,
        }
    }

    /// The response to a gRPC request that is refused: all of it in the headers (Trailers-Only), with the challenge as
    /// metadata.
    #[must_use]
    pub fn into_grpc_response<B: Default>(self) -> Response<B> {
        let (code, message) = (self.grpc_code(), self.status.canonical_reason().unwrap_or_default());
        let mut response = self.into_response();
        *response.status_mut() = http::StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", u16::from(code).into());
        // Percent-encoded by its specification; these texts have letters and blanks alone.
        headers.insert("grpc-message", HeaderValue::from_static(message));
        response
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
        let applied = &self.applied;
        let state = match applied.guard.decide(request.headers(), &applied.rule) {
            First::Decided(decision) => match applied.admit(&mut request, decision) {
                Ok(()) => State::inner(applied, self.inner.call(request)),
                Err(response) => State::Refused { response: Some(response) },
            },
            First::Ask(waiting) => {
                let asking = Arc::clone(applied);
                let verifying = Box::pin(async move { asking.guard.decide_waiting(waiting, &asking.rule).await });
                // The service that is ready waits with the request; its clone takes its place.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                let waiting = Waiting { verifying, request, inner, applied: Arc::clone(applied) };
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
    applied: Arc<Applied>,
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
        // Of a bypassed guard the answer is marked, so the guard comes along; of every other it does not.
        Inner { #[pin] future: S::Future, bypassed: Option<Guard> },
    }
}

impl<S: Service<Request<ReqBody>>, ReqBody, ResBody> State<S, ReqBody, ResBody> {
    fn inner(applied: &Applied, future: S::Future) -> Self {
        Self::Inner { future, bypassed: applied.guard.is_bypassed().then(|| applied.guard.clone()) }
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
                StateProjection::Inner { future, bypassed } => {
                    let mut response = ready!(future.poll(context))?;
                    if let Some(guard) = bypassed {
                        bypass::mark(guard, &mut response);
                    }
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Refused { response } => {
                    return Poll::Ready(Ok(response.take().expect("polled after completion")));
                }
                StateProjection::Waiting { waiting } => {
                    let decision =
                        ready!(waiting.as_mut().expect("polled after completion").verifying.as_mut().poll(context));
                    let Waiting { mut request, mut inner, applied, .. } = *waiting.take().expect("just polled");
                    match applied.admit(&mut request, decision) {
                        Ok(()) => State::inner(&applied, inner.call(request)),
                        Err(response) => State::Refused { response: Some(response) },
                    }
                }
            };
            self.as_mut().project().state.set(next);
        }
    }
}
