//! [`AuthorizeLayer`]: attaches tokens to a tower client's requests, and answers a claims challenge.
//!
//! A token goes to the origins that were named and nowhere else (`pitfalls` D14): a request to another origin is refused
//! before it is sent. When the API answers 401 with a claims challenge, a token with those claims is asked for and the
//! request is sent once more (C23); any other 401 is the caller's to read. The inner client must not follow redirects
//! with credentials; this layer does not.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use countersign_protocol::{AuthorityHost, AuthorityHostError, ScopeSet};
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode, Uri};
use tower_layer::Layer;
use tower_service::Service;

use crate::access_token::AccessToken;
use crate::claims::ClaimsRequest;
use crate::client::ConfidentialClient;
use crate::error::AcquireError;
use crate::options::{NO_OPTIONS, RequestOptions};
use crate::user_assertion::UserAssertion;

/// A request was not sent, or the inner client failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError<E: Error + 'static> {
    /// The request goes to an origin that tokens are not sent to.
    #[error("tokens are not sent to this origin")]
    ForeignOrigin,
    /// No token could be had.
    #[error("no token could be had")]
    Acquire(#[source] AcquireError),
    /// The inner client's error.
    #[error(transparent)]
    Inner(E),
}

/// Attaches tokens: the application's own, or those of the user whose [`UserAssertion`] is among the request's extensions.
///
/// Works with any tower client of `http` requests. With the feature `reqwest-middleware` the same value is a middleware
/// of that crate: `reqwest_middleware::ClientBuilder::new(client).with(layer)`, around a reqwest client whose redirect
/// policy is `none`.
///
/// ```
/// use countersign_client::{AuthorizeLayer, ConfidentialClient};
/// use countersign_protocol::ScopeSet;
///
/// # fn example(client: ConfidentialClient) -> Result<(), Box<dyn std::error::Error>> {
/// let layer = AuthorizeLayer::new(client, ScopeSet::parse("api://orders/.default")?, "https://orders.contoso.com")?;
/// # drop(layer); Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AuthorizeLayer(Arc<Config>);

#[derive(Debug)]
pub(crate) struct Config {
    client: ConfidentialClient,
    scopes: ScopeSet,
    origins: Vec<AuthorityHost>,
}

impl AuthorizeLayer {
    /// Attaches tokens for `scopes` to requests to `origin`, scheme, host and port of an API: `https://orders.contoso.com`.
    ///
    /// # Errors
    /// [`AuthorityHostError`] if `origin` is no https origin.
    pub fn new(client: ConfidentialClient, scopes: ScopeSet, origin: &str) -> Result<Self, AuthorityHostError> {
        let origins = vec![AuthorityHost::parse(origin)?];
        Ok(Self(Arc::new(Config { client, scopes, origins })))
    }

    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn config(&self) -> &Config {
        &self.0
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = AuthorizeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthorizeService { inner, config: Arc::clone(&self.0) }
    }
}

/// The service that [`AuthorizeLayer`] makes.
#[derive(Clone)]
pub struct AuthorizeService<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> fmt::Debug for AuthorizeService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeService").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Config {
    pub(crate) fn is_ours(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
        let origin = AuthorityHost::parse(&format!("{scheme}://{authority}"));
        origin.is_ok_and(|origin| self.origins.contains(&origin))
    }

    pub(crate) async fn token(
        &self,
        user: Option<&UserAssertion>,
        options: &RequestOptions,
    ) -> Result<AccessToken, AcquireError> {
        match user {
            Some(user) => self.client.acquire_token_on_behalf_of_with(user, &self.scopes, options).await,
            None => self.client.acquire_token_for_client_with(&self.scopes, options).await,
        }
    }
}

fn authorized<B>(mut request: Request<B>, token: &AccessToken) -> Request<B> {
    // In place of whatever the caller left there: one credential, not two.
    request.headers_mut().insert(AUTHORIZATION, token.authorization().clone());
    request
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S, B, R> Service<Request<B>> for AuthorizeService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Error + Send + 'static,
    B: Clone + Send + 'static,
    R: Send,
{
    type Response = Response<R>;
    type Error = AuthorizeError<S::Error>;
    type Future = BoxFuture<Result<Response<R>, AuthorizeError<S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(AuthorizeError::Inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let spare = self.inner.clone();
        // The one that was ready is the one that is used.
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let config = Arc::clone(&self.config);
        Box::pin(async move {
            if !config.is_ours(request.uri()) {
                return Err(AuthorizeError::ForeignOrigin);
            }
            let user = request.extensions().get::<UserAssertion>().cloned();
            let token = config.token(user.as_ref(), &NO_OPTIONS).await.map_err(AuthorizeError::Acquire)?;
            let again = request.clone();
            let response = inner.call(authorized(request, &token)).await.map_err(AuthorizeError::Inner)?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            let Some(claims) = ClaimsRequest::from_headers(response.headers()) else { return Ok(response) };
            let options = RequestOptions::new().challenge(claims, &token);
            match config.token(user.as_ref(), &options).await {
                Ok(token) => {
                    std::future::poll_fn(|context| inner.poll_ready(context)).await.map_err(AuthorizeError::Inner)?;
                    inner.call(authorized(again, &token)).await.map_err(AuthorizeError::Inner)
                }
                Err(error) => {
                    // The API's own answer tells the caller more than that we could not do better.
                    tracing::warn!(
                        error = &error as &(dyn Error + 'static),
                        "an API's claims challenge could not be met"
                    );
                    Ok(response)
                }
            }
        })
    }
}
