//! [`GuardInterceptor`]: the guard as a `tonic` interceptor.
//!
//! An interceptor cannot wait. A token under a key that must be fetched first is answered `UNAVAILABLE`, which clients try
//! again, while the fetch goes on; a user whose groups are too many for the token is refused where a group is wanted. [`crate::GuardLayer::grpc`] waits instead; prefer it where the server takes a layer.

use std::sync::Arc;

use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::{Code, Request, Status};

use crate::binding::Sent;
use crate::guard::First;
use crate::{Answer, Guard, PolicyError, RegisteredRule, Rule, VerifiedCaller};

/// Lets gRPC requests in by a rule; the caller is in the request's extensions as [`VerifiedCaller`].
///
/// ```
/// # let policy = serde_json::from_str(r#"{"tenants": [], "issuers": [], "audiences": []}"#)?;
/// # let keys = countersign_token::KeySet::parse(br#"{"keys":[]}"#)?;
/// use countersign_guard::{Guard, GuardInterceptor, Permission};
/// use tonic::service::Interceptor;
///
/// let guard = Guard::builder(countersign_discovery::KeySource::fixed(keys), &policy)?.build();
/// let mut interceptor = GuardInterceptor::new(guard, Permission::any_app_role(["Orders.Read"]))?;
/// // OrdersServer::with_interceptor(Orders, interceptor)
/// let refused = interceptor.call(tonic::Request::new(())).unwrap_err();
/// assert_eq!(refused.code(), tonic::Code::Unauthenticated);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct GuardInterceptor {
    guard: Guard,
    rule: RegisteredRule,
}

impl GuardInterceptor {
    /// An interceptor that applies a rule.
    ///
    /// # Errors
    /// [`PolicyError::UnknownPermission`] for a rule by a name that the policy does not have.
    pub fn new(guard: Guard, rule: impl Into<Rule>) -> Result<Self, PolicyError> {
        let rule = guard.verifier().register(rule)?;
        Ok(Self { guard, rule })
    }
}

impl Interceptor for GuardInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        // tonic parts the extensions from the headers, so both are asked for by themselves.
        let headers = request.metadata().clone().into_headers();
        let decision = match self.guard.decide(&headers, &self.rule) {
            First::Decided(decision) => decision,
            First::Ask(waiting) => match waiting.without_groups() {
                // Asking for them would bring an answer that nobody waits for.
                Some(refused) => refused,
                None => {
                    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                        let Self { guard, rule } = self.clone();
                        runtime.spawn(async move { drop(guard.decide_waiting(waiting, &rule).await) });
                    }
                    return Err(Status::unavailable("Service Unavailable"));
                }
            },
        };
        let sent = Sent::headers(&headers, request.extensions());
        let caller = self.guard.settle(decision, sent, &self.rule).map_err(status)?;
        request.extensions_mut().insert(VerifiedCaller::new(Arc::clone(&caller)));
        Ok(request)
    }
}

fn status(answer: Answer) -> Status {
    let message = answer.status.canonical_reason().unwrap_or_default();
    let code = Code::from(i32::from(answer.grpc_code()));
    let response = answer.into_response::<()>();
    Status::with_metadata(code, message, MetadataMap::from_headers(response.into_parts().0.headers))
}
