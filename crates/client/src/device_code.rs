//! Device code: a tool without a browser shows a code, the user types it elsewhere.
//!
//! The authority is polled at its own pace, no faster than it says, and no longer than the code lives. Entra grants this
//! to public clients (`isFallbackPublicClient`); a client with a credential sends it along.
//!
//! Source: RFC 8628; Microsoft identity platform and the OAuth 2.0 device authorization grant flow.

use std::time::Duration;

use countersign_protocol::{DeviceAuthorization, FormEncoder, ScopeSet, TenantSegment};
use countersign_token::Timestamp;
use http::StatusCode;

use crate::account::{SignedIn, sign_in};
use crate::client::ConfidentialClient;
use crate::error::AcquireError;
use crate::exchange::sent_id;
use crate::key::Subject;
use crate::options::{RequestOptions, with_query};
use crate::question::{Grant, Question};
use crate::sanitise::Secrets;
use crate::token_form::asked;
use crate::unusable::UnusableAnswer;

/// Polls are never closer than this, whatever the authority says.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// What `slow_down` adds to the interval (RFC 8628 §3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// A device code that waits for its user. `Debug` shows nothing that only this client may know.
#[derive(Debug)]
pub struct DeviceCode {
    answer: DeviceAuthorization,
    expires: Timestamp,
    scopes: ScopeSet,
    tenant: TenantSegment,
    options: RequestOptions,
}

impl DeviceCode {
    /// What the user types.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.answer.user_code
    }

    /// The page that the user opens.
    #[must_use]
    pub fn verification_uri(&self) -> &str {
        &self.answer.verification_uri
    }

    /// The sentence to show, in the authority's words. It came from outside: show it as text, on a terminal escaped.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.answer.message
    }

    /// When the code ends.
    #[must_use]
    pub fn expires_on(&self) -> Timestamp {
        self.expires
    }
}

impl ConfidentialClient {
    /// Asks for a device code.
    ///
    /// # Errors
    /// As [`ConfidentialClient::acquire_token_for_client`].
    pub async fn start_device_code(
        &self,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<DeviceCode, AcquireError> {
        let (exchange, authority) = (self.exchange(), self.authority()?);
        let tenant = options.tenant_or(self.tenant()).clone();
        authority.admit(&tenant)?;
        let health = exchange.health_at(&authority.host);
        health.admit(exchange.clock.now(), &*exchange.randomness)?;
        let form = FormEncoder::new().field("client_id", &authority.client_id.to_string());
        let form = asked(form, authority.version, scopes, &["openid", "profile", "offline_access"])?;
        let claims = crate::claims::merged(options.parting_claims(), authority.capable);
        let form = form.optional("claims", claims.as_deref()).finish();
        let endpoint = authority.host.device_authorization_endpoint(&tenant, authority.version);
        let address = with_query(&endpoint, &[&authority.query, &options.query]);
        let now = exchange.clock.now();
        let outcome = async {
            let request = exchange.post(&address, form, options.correlation_id)?;
            let response = exchange.send(request, exchange.timeout).await?;
            if response.status() != StatusCode::OK {
                return Err(exchange.refusal(&response, Secrets::default(), false));
            }
            DeviceAuthorization::from_json(response.body()).map_err(|cause| {
                UnusableAnswer::of_body(200, response.body(), Secrets::default(), cause, sent_id(&response))
            })
        }
        .await;
        health.note(outcome.as_ref().map(|_| ()), exchange.clock.now());
        let answer = outcome?;
        let expires = now.plus(answer.expires_in);
        Ok(DeviceCode { answer, expires, scopes: scopes.clone(), tenant, options: options.clone() })
    }

    /// Waits until the user has typed the code, declined, or let it end.
    ///
    /// # Errors
    /// [`AcquireError::DeviceCodeExpired`]; [`AcquireError::Refused`] with `authorization_declined` when the user said no;
    /// and as [`ConfidentialClient::acquire_token_for_client`]. A poll that meets a stumbling server is followed by the
    /// next.
    pub async fn acquire_token_by_device_code(&self, code: &DeviceCode) -> Result<SignedIn, AcquireError> {
        let exchange = self.exchange();
        let mut interval = code.answer.interval.max(SHORTEST_INTERVAL);
        let mut last = None;
        loop {
            tokio::time::sleep(interval).await;
            if exchange.clock.now() >= code.expires {
                return Err(last.unwrap_or(AcquireError::DeviceCodeExpired));
            }
            let question = Question {
                tenant: code.tenant.clone(),
                scopes: code.scopes.clone(),
                grant: Grant::DeviceCode { code: code.answer.device_code.clone() },
                subject: Subject::APPLICATION,
                claims: code.options.claims.as_ref().map(|claims| claims.as_json().into()),
                query: code.options.query.clone(),
                correlation_id: code.options.correlation_id,
                refused: None,
            };
            match Box::pin(sign_in(exchange, question, None)).await {
                Err(AcquireError::Refused(refusal)) => match refusal.error() {
                    "authorization_pending" => last = None,
                    "slow_down" => interval += SLOW_DOWN,
                    "expired_token" => return Err(AcquireError::DeviceCodeExpired),
                    _ => return Err(AcquireError::Refused(refusal)),
                },
                Err(error) if error.is_retryable() => {
                    interval = interval.max(error.retry_after().unwrap_or_default());
                    last = Some(error);
                }
                outcome => return outcome,
            }
        }
    }
}
