//! [`AuthorizeLayer`] as a middleware of `reqwest-middleware`: the same value, the same rules.
//!
//! A request whose body is a stream cannot be sent twice: its challenge is the caller's to read. The user on whose behalf
//! is asked stands among the extensions (`RequestBuilder::with_extension`). reqwest follows redirects by itself, and takes
//! the header off only when the host changes: build it with `redirect::Policy::none()`.

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{Extensions, StatusCode, Uri};
use reqwest_middleware::reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::access_token::AccessToken;
use crate::claims::ClaimsRequest;
use crate::error::AcquireError;
use crate::options::{NO_OPTIONS, RequestOptions};
use crate::service::{AuthorizeError, AuthorizeLayer};
use crate::user_assertion::UserAssertion;

/// Without an inner error: that is reqwest's own, and travels as it is.
type Refused = AuthorizeError<AcquireError>;

fn authorize(request: &mut Request, token: &AccessToken) {
    // In place of whatever the caller left there: one credential, not two.
    request.headers_mut().insert(AUTHORIZATION, token.authorization().clone());
}

#[async_trait]
impl Middleware for AuthorizeLayer {
    /// # Errors
    /// [`AuthorizeError::ForeignOrigin`] and [`AuthorizeError::Acquire`] as `reqwest_middleware::Error::Middleware`.
    async fn handle(&self, mut request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let config = self.config();
        if !request.url().as_str().parse::<Uri>().is_ok_and(|uri| config.is_ours(&uri)) {
            return Err(Error::middleware(Refused::ForeignOrigin));
        }
        let user = extensions.get::<UserAssertion>().cloned();
        let token = config.token(user.as_ref(), &NO_OPTIONS).await;
        let token = token.map_err(|error| Error::middleware(Refused::Acquire(error)))?;
        let again = request.try_clone();
        authorize(&mut request, &token);
        let response = next.clone().run(request, extensions).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let (Some(mut again), Some(claims)) = (again, ClaimsRequest::from_headers(response.headers())) else {
            return Ok(response);
        };
        match config.token(user.as_ref(), &RequestOptions::new().challenge(claims, &token)).await {
            Ok(token) => {
                authorize(&mut again, &token);
                next.run(again, extensions).await
            }
            Err(error) => {
                // The API's own answer tells the caller more than that we could not do better.
                let cause: &(dyn std::error::Error + 'static) = &error;
                tracing::warn!(error = cause, "an API's claims challenge could not be met");
                Ok(response)
            }
        }
    }
}
