//! One exchange with the token endpoint: the request as bytes, and what its answer means.
//!
//! The endpoint is built from the configured authority, never read from a document: no discovery precedes a token, and an
//! assertion's audience cannot be turned against another authority (`pitfalls` C16, CVE-2025-27370). An exchange that
//! broke off or met a fault of the server's is tried once more after a moment; there is no other retry in this house
//! (C30).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{Limits, Transport, TransportError, retry_after};
use countersign_protocol::form::FORM_CONTENT_TYPE;
use countersign_protocol::{
    ClientAuthentication, ClientCredentialsRequest, ScopeSet, TenantSegment, TokenError, TokenResponse,
};
use countersign_token::{Clock, Randomness, Timestamp};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::access_token::AccessToken;
use crate::acquisition::Store;
use crate::assertion::AssertionRequest;
use crate::credential::Credential;
use crate::error::{AcquireError, Refusal, UnusableAnswer};
use crate::key::Identity;
use crate::lifetime::{Lifetime, fraction};
use crate::sanitise::Secrets;

/// Largest answer accepted, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Everything that getting tokens needs; what the clones of a client share.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) identity: Arc<Identity>,
    pub(crate) credential: Credential,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) store: Arc<Store>,
    pub(crate) timeout: Duration,
}

impl Exchange {
    /// After this long a request is taken for lost, whatever became of its task: two attempts and the pause between.
    pub(crate) fn overdue_after(&self) -> Duration {
        self.timeout * 2 + Duration::from_secs(2)
    }

    /// Asks for a token, twice if the first attempt deserves it.
    pub(crate) async fn request_token(
        &self,
        tenant: &TenantSegment,
        scopes: &ScopeSet,
    ) -> Result<AccessToken, AcquireError> {
        let error = match self.attempt(tenant, scopes).await {
            Err(error) if error.deserves_second_attempt() => error,
            outcome => return outcome,
        };
        let pause = Duration::from_millis(500).mul_f64(1.0 + fraction(&*self.randomness));
        tracing::debug!(%error, ?pause, "asking for a token once more");
        tokio::time::sleep(pause).await;
        self.attempt(tenant, scopes).await
    }

    async fn attempt(&self, tenant: &TenantSegment, scopes: &ScopeSet) -> Result<AccessToken, AcquireError> {
        let resource = scopes.client_credentials_resource().map_err(AcquireError::Scopes)?;
        let endpoint = self.identity.authority.token_endpoint(tenant, self.identity.version);
        let asked_at = self.clock.now();
        let begun = Instant::now();
        let assertion = self.assertion(&endpoint, asked_at).await?;
        let authentication = match (&self.credential, &assertion) {
            (_, Some(assertion)) => ClientAuthentication::Assertion(assertion),
            (Credential::Secret { secret, .. }, None) => ClientAuthentication::Secret(secret),
            (Credential::Certificate(_) | Credential::Federated(_), None) => return Err(AcquireError::Abandoned),
        };
        let request = ClientCredentialsRequest::new(&self.identity.client_id, &resource, authentication);
        let request = self.http_request(&endpoint, request.to_form(self.identity.version))?;
        // Waiting for somebody else's assertion is part of the request's time; ours take none.
        let timeout = match &self.credential {
            Credential::Federated(_) => self.timeout.saturating_sub(begun.elapsed()),
            _ => self.timeout,
        };
        let limits = Limits { timeout, max_body_bytes: MAX_BODY_BYTES };
        // The transport keeps both limits; whatever it is made of, this room holds it to them.
        let response = tokio::time::timeout(timeout, self.transport.send(request, limits))
            .await
            .unwrap_or(Err(TransportError::Timeout { after: self.timeout }))
            .and_then(TransportError::refuse_redirect)
            .and_then(|response| match response.body().len() {
                length if length > MAX_BODY_BYTES => Err(TransportError::TooLarge { limit: MAX_BODY_BYTES }),
                _ => Ok(response),
            })
            .map_err(|error| AcquireError::Transport(Arc::new(error)))?;
        let secrets = match &assertion {
            // A form encodes nothing of a compact JWS.
            Some(assertion) => Secrets { plain: assertion.expose_secret(), encoded: "" },
            None => self.credential.secrets(),
        };
        self.read(&response, asked_at, secrets)
    }

    /// An assertion for this request alone, if that is how the client proves itself.
    async fn assertion(&self, endpoint: &str, now: Timestamp) -> Result<Option<SecretString>, AcquireError> {
        let client_id = self.identity.client_id;
        match &self.credential {
            Credential::Secret { .. } => Ok(None),
            Credential::Certificate(signer) => signer
                .sign(client_id, endpoint, now, self.randomness.uuid_v4())
                .map(|assertion| Some(assertion.into()))
                .map_err(|error| AcquireError::Assertion(Arc::new(error))),
            Credential::Federated(source) => source
                .assertion(AssertionRequest::new(endpoint, client_id), &*self.clock, self.timeout)
                .await
                .map(Some)
                .map_err(|error| AcquireError::NoAssertion(Arc::new(error))),
        }
    }

    fn http_request(&self, endpoint: &str, form: Vec<u8>) -> Result<Request<Bytes>, AcquireError> {
        Request::post(endpoint)
            .header(CONTENT_TYPE, FORM_CONTENT_TYPE)
            .header(ACCEPT, "application/json")
            .header("client-request-id", self.randomness.uuid_v4().to_string())
            .header("x-client-sku", "Countersign")
            .header("x-client-ver", env!("CARGO_PKG_VERSION"))
            .header("x-ms-lib-capability", "retry-after, h429")
            .body(Bytes::from(form))
            .map_err(|error| AcquireError::Transport(Arc::new(TransportError::Request(error.into()))))
    }

    fn read(
        &self,
        response: &Response<Bytes>,
        asked_at: Timestamp,
        secrets: Secrets<'_>,
    ) -> Result<AccessToken, AcquireError> {
        let status = response.status();
        if status != StatusCode::OK {
            return Err(self.refusal(response, secrets));
        }
        let unusable = |cause| UnusableAnswer::of_body(status.as_u16(), response.body(), secrets, cause);
        let answer = TokenResponse::from_json(response.body()).map_err(unusable)?;
        Lifetime::new(asked_at, answer.expires_in, answer.refresh_in, &*self.randomness)
            .and_then(|lifetime| AccessToken::new(&answer.access_token, lifetime))
            .ok_or_else(|| UnusableAnswer::of_dead_token(status.as_u16()))
    }

    /// What an answer other than 200 means.
    fn refusal(&self, response: &Response<Bytes>, secrets: Secrets<'_>) -> AcquireError {
        let status = response.status();
        let refusal = TokenError::from_json(response.body())
            .map(|error| Arc::new(Refusal::new(status.as_u16(), &error, secrets, self.credential.looks_like_id())));
        let throttled = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        match (retry_after(response.headers(), self.clock.now()), refusal) {
            (Some(retry_after), refusal) if throttled => {
                AcquireError::Throttled { status: status.as_u16(), retry_after, refusal: refusal.ok() }
            }
            (_, Ok(refusal)) => AcquireError::Refused(refusal),
            (_, Err(error)) => UnusableAnswer::of_body(status.as_u16(), response.body(), secrets, error),
        }
    }
}
