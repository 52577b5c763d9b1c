//! The guard as middleware of actix-web 4, and the caller as an extractor.
//!
//! actix-web has `http` types of its own, so what the guard reads is copied: the `Authorization` and `DPoP` headers, the
//! trusted proxy's header if there is one, method and path, the peer's address, and a [`ClientCertificate`] from the request's or the connection's
//! data.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse};
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap};

use crate::layer::VerifiedCaller;
use crate::{
    Answer, CallerRejection, ClientCertificate, Guard, PolicyError, RegisteredRule, RequestTarget, Rule, bypass,
};

/// Lets requests in by a rule; handlers take the caller as [`VerifiedCaller`].
///
/// ```
/// # let policy = serde_json::from_str(r#"{"tenants": [], "issuers": [], "audiences": []}"#)?;
/// # let keys = countersign_token::KeySet::parse(br#"{"keys":[]}"#)?;
/// use actix_web::{App, web};
/// use countersign_guard::{Guard, GuardMiddleware, Permission, VerifiedCaller};
///
/// async fn list(caller: VerifiedCaller) -> String {
///     format!("hello, {}", caller.client())
/// }
///
/// let guard = Guard::builder(countersign_discovery::KeySource::fixed(keys), &policy)?.build();
/// let read = GuardMiddleware::new(guard, Permission::any_app_role(["Orders.Read"]))?;
/// let app = App::new().service(web::scope("/orders").wrap(read).route("", web::get().to(list)));
/// # drop(app);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct GuardMiddleware {
    guard: Guard,
    rule: RegisteredRule,
}

impl GuardMiddleware {
    /// Middleware that applies a rule.
    ///
    /// # Errors
    /// [`PolicyError::UnknownPermission`] for a rule by a name that the policy does not have.
    pub fn new(guard: Guard, rule: impl Into<Rule>) -> Result<Self, PolicyError> {
        let rule = guard.verifier().register(rule)?;
        Ok(Self { guard, rule })
    }
}

impl<S, B> Transform<S, ServiceRequest> for GuardMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = GuardedActixService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(GuardedActixService { service: Rc::new(service), guard: self.clone() }))
    }
}

/// A guarded service of actix-web.
#[derive(Debug)]
pub struct GuardedActixService<S> {
    service: Rc<S>,
    guard: GuardMiddleware,
}

impl<S, B> Service<ServiceRequest> for GuardedActixService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, GuardMiddleware { guard, rule }) = (Rc::clone(&self.service), self.guard.clone());
        Box::pin(async move {
            let (headers, extensions) = copied(&request, &guard);
            let mut response = match guard.check(&headers, &extensions, &rule).await {
                Ok(caller) => {
                    request.extensions_mut().insert(VerifiedCaller::new(caller));
                    // An error of the handler's becomes an answer further out; where it does, the mark is missing.
                    service.call(request).await?.map_into_left_body()
                }
                Err(answer) => request.into_response(refused(answer)).map_into_right_body(),
            };
            if let Some((name, value)) = bypass::header(&guard) {
                response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            Ok(response)
        })
    }
}

fn copied(request: &ServiceRequest, guard: &Guard) -> (HeaderMap, Extensions) {
    let mut headers = HeaderMap::new();
    let dpop = http::HeaderName::from_static("dpop");
    for name in [Some(&AUTHORIZATION), Some(&dpop), guard.proxy_header()].into_iter().flatten() {
        for value in request.headers().get_all(name.as_str()) {
            // Both types take the same bytes; one that is refused must not be left out, so that two stay two.
            let value = http::HeaderValue::from_bytes(value.as_bytes());
            headers.append(name, value.unwrap_or(http::HeaderValue::from_static("")));
        }
    }
    let mut extensions = Extensions::new();
    if let Ok(method) = http::Method::from_bytes(request.method().as_str().as_bytes()) {
        extensions.insert(RequestTarget::new(method, request.uri().path()));
    }
    if let Some(peer) = request.request().peer_addr() {
        extensions.insert(peer);
    }
    let certificate = request.extensions().get::<ClientCertificate>().cloned();
    if let Some(certificate) = certificate.or_else(|| request.request().conn_data().cloned()) {
        extensions.insert::<ClientCertificate>(certificate);
    }
    (headers, extensions)
}

fn refused(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(challenge) = answer.www_authenticate {
        response.insert_header(("www-authenticate", challenge.as_bytes()));
    }
    if let Some(seconds) = answer.retry_after {
        response.insert_header(("retry-after", seconds.to_string()));
    }
    response.finish()
}

/// The caller whom the middleware let in. Where none stands in front of the handler, the answer is 500.
impl FromRequest for VerifiedCaller {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(caller.ok_or_else(|| actix_web::error::ErrorInternalServerError(CallerRejection::NoGuard)))
    }
}
