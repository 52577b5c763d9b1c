//! The guard in front of a plain hyper service, whatever its executor.
//!
//! hyper's own `Service` takes `&self` and knows no layers; the rules are those of [`crate::GuardLayer`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::service::Service;

use crate::layer::VerifiedCaller;
use crate::{Guard, PolicyError, RegisteredRule, Rule, bypass};

/// Lets requests in to a hyper service by a rule; the caller is in the request's extensions as [`VerifiedCaller`].
///
/// ```
/// # let policy = serde_json::from_str(r#"{"tenants": [], "issuers": [], "audiences": []}"#)?;
/// # let keys = countersign_token::KeySet::parse(br#"{"keys":[]}"#)?;
/// use countersign_guard::{Guard, GuardedHyperService, Permission, VerifiedCaller};
/// use http::{Request, Response};
///
/// let guard = Guard::builder(countersign_discovery::KeySource::fixed(keys), &policy)?.build();
/// let list = hyper::service::service_fn(async |request: Request<hyper::body::Incoming>| {
///     let caller = request.extensions().get::<VerifiedCaller>().map(|caller| caller.client().to_string());
///     Ok::<_, std::convert::Infallible>(Response::new(caller.unwrap_or_default()))
/// });
/// // hyper::server::conn::http1::Builder::new().serve_connection(io, guarded)
/// let guarded = GuardedHyperService::new(list, guard, Permission::any_app_role(["Orders.Read"]))?;
/// # drop(guarded);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GuardedHyperService<S> {
    service: Arc<S>,
    guard: Guard,
    rule: RegisteredRule,
}

impl<S> fmt::Debug for GuardedHyperService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedHyperService").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl<S> Clone for GuardedHyperService<S> {
    fn clone(&self) -> Self {
        Self { service: Arc::clone(&self.service), guard: self.guard.clone(), rule: self.rule.clone() }
    }
}

impl<S> GuardedHyperService<S> {
    /// A service behind a rule.
    ///
    /// # Errors
    /// [`PolicyError::UnknownPermission`] for a rule by a name that the policy does not have.
    pub fn new(service: S, guard: Guard, rule: impl Into<Rule>) -> Result<Self, PolicyError> {
        let rule = guard.verifier().register(rule)?;
        Ok(Self { service: Arc::new(service), guard, rule })
    }
}

impl<S, B, R> Service<Request<B>> for GuardedHyperService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: Default + Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let Self { service, guard, rule } = self.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let mut response = match guard.check_parts(&parts, &rule).await {
                Ok(caller) => {
                    parts.extensions.insert(VerifiedCaller::new(caller));
                    service.call(Request::from_parts(parts, body)).await?
                }
                Err(answer) => answer.into_response(),
            };
            bypass::mark(&guard, &mut response);
            Ok(response)
        })
    }
}
