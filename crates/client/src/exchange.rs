//! One exchange with the token endpoint: the request as bytes, and what its answer means.
//!
//! The endpoint is built from the configured authority, never read from a document: no discovery precedes a token, and an
//! assertion's audience cannot be turned against another authority (`pitfalls` C16, CVE-2025-27370). An exchange that
//! broke off or met a fault of the server's is tried once more after a moment; there is no other retry in this house
//! (C30). A credential of which two generations live is tried with the older one, when the newer is not known yet.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{Limits, Transport, TransportError, retry_after};
use countersign_protocol::form::FORM_CONTENT_TYPE;
use countersign_protocol::{AuthorityHost, ClientAuthentication, TenantSegment, TokenError, TokenResponse};
use countersign_token::{Clock, Randomness, Timestamp};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::access_token::AccessToken;
use crate::acquisition::Store;
use crate::assertion::{AssertionError, AssertionRequest};
use crate::authority::Authority;
use crate::bound::{self, Bound};
use crate::claims;
use crate::credential::{Attempt, Credential, Proof, encoded};
use crate::error::AcquireError;
use crate::health::{Health, Hosts};
use crate::key::{Identity, Subject};
use crate::lifetime::{Lifetime, fraction};
use crate::managed_identity::ManagedIdentity;
use crate::options::with_query;
use crate::question::{Grant, Granted, Question};
use crate::refusal::Refusal;
use crate::sanitise::Secrets;
use crate::sessions::{Held, SessionId};
use crate::shared::SharedTokens;
use crate::telemetry::{self, TokenSource};
use crate::token_form::token_form;
use crate::unusable::{NoResponse, UnusableAnswer};

/// Largest answer accepted, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Whom tokens come from.
#[derive(Debug)]
pub(crate) enum Issuer {
    /// With how its hosts fare.
    Authority(Box<Authority>, Hosts),
    ManagedIdentity(ManagedIdentity, Arc<Health>),
}

const CLIENT_REQUEST_ID: &str = "client-request-id";

/// A response's note of the id that its request was sent with.
#[derive(Clone)]
struct SentId(Arc<str>);

/// The `client-request-id` of the request that this answers.
pub(crate) fn sent_id(response: &Response<Bytes>) -> Option<&str> {
    response.extensions().get().map(|SentId(id)| &**id)
}

/// What a cache that processes share may take of a request's time, beyond the wait for another process.
const SHARED: Duration = Duration::from_secs(4);

/// Everything that getting tokens needs; what the clones of a client share.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) identity: Arc<Identity>,
    /// The application at its authority, whatever proves it: whose sessions are whose.
    pub(crate) application: String,
    pub(crate) issuer: Issuer,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) store: Arc<Store>,
    /// What processes share, if they do; to be asked for by [`Exchange::shared`].
    pub(crate) shared: Option<Arc<SharedTokens>>,
    pub(crate) timeout: Duration,
}

/// What authenticates one request, and must not be seen in what comes back.
struct Authenticated {
    own: Option<Arc<Proof>>,
    assertion: Option<SecretString>,
}

impl Exchange {
    /// After this long a request is taken for lost, whatever became of its task: two attempts and the pause between, each
    /// with both generations of a credential; or the wait for another process and one attempt.
    pub(crate) fn overdue_after(&self) -> Duration {
        let attempts = match &self.issuer {
            Issuer::Authority(authority, _) if matches!(authority.credential, Credential::File(_)) => 4,
            Issuer::Authority(..) => 2,
            Issuer::ManagedIdentity(..) => return ManagedIdentity::LONGEST,
        };
        let shared = if self.shared().is_some() { SHARED } else { Duration::ZERO };
        self.timeout * attempts + Duration::from_secs(2) + shared
    }

    /// How the host fares that a question of this grant goes to.
    pub(crate) fn health(&self, grant: &Grant) -> &Health {
        match &self.issuer {
            Issuer::Authority(authority, hosts) => hosts.at(authority.asked(grant)),
            Issuer::ManagedIdentity(_, health) => health,
        }
    }

    /// How this host of the authority's fares.
    pub(crate) fn health_at(&self, host: &AuthorityHost) -> &Health {
        match &self.issuer {
            Issuer::Authority(_, hosts) => hosts.at(host),
            Issuer::ManagedIdentity(_, health) => health,
        }
    }

    /// The id that a request is sent with unless its caller has named one. Managed identities know none.
    pub(crate) fn request_id(&self) -> Option<Uuid> {
        matches!(self.issuer, Issuer::Authority(..)).then(|| self.randomness.uuid_v4())
    }

    /// What tokens must be bound to, if they must.
    pub(crate) fn bound(&self) -> Option<&Bound> {
        match &self.issuer {
            Issuer::Authority(authority, _) => authority.bound.as_ref(),
            Issuer::ManagedIdentity(..) => None,
        }
    }

    /// What processes share. A bound token stays with the process that has its key, and so does what it was got with.
    pub(crate) fn shared(&self) -> Option<&SharedTokens> {
        self.shared.as_deref().filter(|_| self.bound().is_none())
    }

    /// A subject's session.
    pub(crate) fn session(&self, subject: &Subject) -> SessionId {
        SessionId::of(&self.application, subject)
    }

    /// The tenant that an alias stands for in this question, if that is known: the one where the user's token was
    /// issued, or the session began.
    pub(crate) fn home_of(&self, question: &Question, held: Option<&Held>) -> Option<TenantSegment> {
        let Issuer::Authority(authority, _) = &self.issuer else { return None };
        let known = match &question.grant {
            Grant::OnBehalfOf { assertion, .. } => assertion.tenant().map(TenantSegment::Id),
            _ => held.and_then(|held| held.tenant.clone()),
        };
        known.filter(|known| authority.may_narrow(&question.tenant, known))
    }

    /// The token at hand for a question, unless it is the one that was refused, or that of a session which began with
    /// another assertion: of another user's, perhaps.
    pub(crate) fn at_hand(&self, question: &Question, now: Timestamp) -> Option<AccessToken> {
        if let Grant::OnBehalfOf { assertion, session: Some(session) } = &question.grant
            && !self.store.sessions.began_with(session, assertion.digest())
        {
            return None;
        }
        let token = self.store.tokens.find(&question.lookup(&self.identity), now)?;
        let refused = question.refused.as_ref().is_some_and(|refused| refused.same_as(&token));
        (!refused).then_some(token)
    }

    /// Asks, twice if the first attempt deserves it, and notes how the endpoint fares. A probe asks once: the next comes
    /// soon. `held` is what a session is renewed with.
    pub(crate) async fn request(
        &self,
        question: &Question,
        held: Option<&Held>,
        probe: bool,
    ) -> Result<Granted, AcquireError> {
        let mut outcome = self.attempt(question, held).await;
        if let Err(error) = &outcome
            && !probe
            && error.deserves_second_attempt()
        {
            let pause = Duration::from_millis(500).mul_f64(1.0 + fraction(&*self.randomness));
            tracing::debug!(%error, ?pause, "asking for a token once more");
            tokio::time::sleep(pause).await;
            outcome = self.attempt(question, held).await;
        }
        self.health(&question.grant).note(outcome.as_ref().map(|_| ()), self.clock.now());
        outcome
    }

    async fn attempt(&self, question: &Question, held: Option<&Held>) -> Result<Granted, AcquireError> {
        match &self.issuer {
            Issuer::ManagedIdentity(source, _) => {
                let token = source.request(self, question).await?;
                Ok(Granted::token(token, TokenSource::IdentityProvider))
            }
            Issuer::Authority(authority, _) => self.ask_authority(authority, question, held).await,
        }
    }

    async fn ask_authority(
        &self,
        authority: &Authority,
        question: &Question,
        held: Option<&Held>,
    ) -> Result<Granted, AcquireError> {
        authority.admit(&question.tenant)?;
        let home = self.home_of(question, held);
        let tenant = home.as_ref().unwrap_or(&question.tenant);
        let refresh_token = held.map(|held| &held.refresh_token);
        let mut first = None;
        for attempt in authority.credential.attempts(self.timeout).await {
            match self.ask_as(authority, question, tenant, refresh_token, attempt).await {
                Err(AcquireError::Refused(refusal)) if refusal.error() == "invalid_client" => {
                    // If none is known, the newest one's refusal is the one to act on.
                    first.get_or_insert(AcquireError::Refused(refusal));
                }
                outcome => return outcome,
            }
        }
        Err(first.unwrap_or(AcquireError::NoCredential))
    }

    async fn ask_as(
        &self,
        authority: &Authority,
        question: &Question,
        tenant: &TenantSegment,
        refresh_token: Option<&SecretString>,
        attempt: Attempt,
    ) -> Result<Granted, AcquireError> {
        let asked_at = self.clock.now();
        let begun = Instant::now();
        let proof = self.authenticate(authority, tenant, attempt, asked_at).await?;
        let authentication = match (&proof.assertion, proof.own.as_deref()) {
            (Some(assertion), _) => Some(ClientAuthentication::Assertion(assertion)),
            (None, Some(Proof::Secret { secret, .. })) => Some(ClientAuthentication::Secret(secret)),
            (None, _) => None,
        };
        let claims = claims::merged(question.claims.as_deref(), authority.capable);
        let form = token_form(
            &authority.client_id,
            authority.version,
            question,
            authentication,
            refresh_token,
            claims.as_deref(),
            authority.bound.is_some(),
        )?;
        let endpoint = authority.endpoint(tenant, &question.grant);
        let request =
            self.post(&with_query(&endpoint, &[&authority.query, &question.query]), form, question.correlation_id)?;
        // Waiting for somebody else's assertion is part of the request's time; ours take none.
        let timeout = match &authority.credential {
            Credential::Federated(_) | Credential::External(_) => self.timeout.saturating_sub(begun.elapsed()),
            _ => self.timeout,
        };
        let response = self.send(request, timeout).await?;
        let encoded_secrets = more_secrets(&question.grant, refresh_token);
        let mut secrets: Vec<&str> = proof.own.as_deref().map_or(Vec::new(), |own| own.secrets().to_vec());
        // A form encodes nothing of a compact JWS.
        secrets.extend(proof.assertion.as_ref().map(ExposeSecret::expose_secret));
        secrets.extend(encoded_secrets.iter().map(ExposeSecret::expose_secret));
        let looks_like_id = proof.own.as_deref().is_some_and(Proof::looks_like_id);
        self.read(&response, asked_at, question, Secrets(&secrets), looks_like_id)
    }

    /// An assertion for this request alone, if that is how the client proves itself.
    async fn authenticate(
        &self,
        authority: &Authority,
        tenant: &TenantSegment,
        attempt: Attempt,
        now: Timestamp,
    ) -> Result<Authenticated, AcquireError> {
        let audience = authority.audience(tenant);
        let (client_id, jti) = (authority.client_id, || self.randomness.uuid_v4());
        let foreign = |error| AcquireError::NoAssertion(Arc::new(error));
        let (own, assertion) = match (attempt, &authority.credential) {
            (Attempt::Own(proof), _) => {
                let assertion = match &*proof {
                    Proof::Secret { .. } => None,
                    Proof::Certificate(signer) => {
                        let signed = signer.sign(client_id, &audience, now, jti());
                        Some(signed.map_err(|error| AcquireError::Assertion(Arc::new(error)))?.into())
                    }
                };
                (Some(proof), assertion)
            }
            (_, Credential::External(signer)) => {
                let signing = signer.assertion(client_id, &audience, now, jti());
                let late = |_| foreign(AssertionError::Timeout { after: self.timeout });
                let signed = tokio::time::timeout(self.timeout, signing).await.map_err(late)?;
                (None, Some(signed.map_err(foreign)?))
            }
            (_, Credential::Federated(source)) => {
                let request = AssertionRequest::new(&audience, client_id);
                let given = source.assertion(request, &*self.clock, self.timeout).await;
                (None, Some(given.map_err(foreign)?))
            }
            _ => (None, None),
        };
        Ok(Authenticated { own, assertion })
    }

    /// A form, on its way to an endpoint of the authority.
    pub(crate) fn post(
        &self,
        endpoint: &str,
        form: Vec<u8>,
        correlation_id: Option<Uuid>,
    ) -> Result<Request<Bytes>, AcquireError> {
        let id = correlation_id.unwrap_or_else(|| self.randomness.uuid_v4());
        Request::post(endpoint)
            .header(CONTENT_TYPE, FORM_CONTENT_TYPE)
            .header(ACCEPT, "application/json")
            .header(CLIENT_REQUEST_ID, id.to_string())
            .header("x-client-sku", "Countersign")
            .header("x-client-ver", env!("CARGO_PKG_VERSION"))
            .header("x-ms-lib-capability", "retry-after, h429")
            // Wiped when the last part of the connection lets go of it; what TLS has copied is beyond reach.
            .body(Bytes::from_owner(Zeroizing::new(form)))
            .map_err(|error| NoResponse::because(TransportError::Request(error.into()), None))
    }

    /// As [`Exchange::transmit`]; answer and error know the id of the request.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, AcquireError> {
        let sent = request.headers().get(CLIENT_REQUEST_ID).and_then(|id| id.to_str().ok()).map(Arc::from);
        match self.transmit(request, timeout).await {
            Ok(mut response) => {
                sent.map(|id| response.extensions_mut().insert(SentId(id)));
                Ok(response)
            }
            Err(cause) => Err(NoResponse::because(cause, sent.as_deref())),
        }
    }

    /// The transport keeps both limits; whatever it is made of, this room holds it to them. No answer is asked for, nor
    /// taken, that is compressed: nothing here could read it (`pitfalls` C13).
    pub(crate) async fn transmit(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, TransportError> {
        let limits = Limits { timeout, max_body_bytes: MAX_BODY_BYTES };
        let begun = Instant::now();
        let response = tokio::time::timeout(timeout, self.transport.send(request, limits)).await;
        telemetry::sent(begun.elapsed(), response.as_ref().ok().and_then(|response| response.as_ref().ok()));
        response
            .unwrap_or(Err(TransportError::Timeout { after: self.timeout }))
            .and_then(TransportError::refuse_redirect)
            .and_then(|response| match response.body().len() {
                length if length > MAX_BODY_BYTES => Err(TransportError::TooLarge { limit: MAX_BODY_BYTES }),
                _ => Ok(response),
            })
    }

    fn read(
        &self,
        response: &Response<Bytes>,
        asked_at: Timestamp,
        question: &Question,
        secrets: Secrets<'_>,
        looks_like_id: bool,
    ) -> Result<Granted, AcquireError> {
        let status = response.status();
        if status != StatusCode::OK {
            return Err(self.refusal(response, secrets, looks_like_id));
        }
        let sent = sent_id(response);
        let unusable = |cause| UnusableAnswer::of_body(status.as_u16(), response.body(), secrets, cause, sent);
        let (answer, scheme, bound_to) = match self.bound() {
            None => (TokenResponse::from_json(response.body()).map_err(unusable)?, "Bearer", None),
            Some(bound) => {
                let (answer, kind) = bound::read_answer(response.body()).map_err(unusable)?;
                let scheme = bound.scheme(&answer, kind).ok_or(AcquireError::NotBound)?;
                (answer, scheme, Some(bound.identity.clone()))
            }
        };
        let token = Lifetime::new(asked_at, answer.expires_in, answer.refresh_in, &*self.randomness)
            .and_then(|life| {
                let life = life.ending(question.grant.ends());
                AccessToken::with_scheme(scheme, &answer.access_token, life, bound_to)
            })
            .ok_or_else(|| UnusableAnswer::of_dead_token(status.as_u16(), sent))?;
        Ok(Granted {
            token,
            refresh_token: answer.refresh_token.filter(|token| !token.expose_secret().is_empty()),
            id_token: answer.id_token,
            client_info: answer.client_info,
            scope: answer.scope,
            source: TokenSource::IdentityProvider,
            family: None,
        })
    }

    /// What an answer other than 200 means.
    pub(crate) fn refusal(
        &self,
        response: &Response<Bytes>,
        secrets: Secrets<'_>,
        looks_like_id: bool,
    ) -> AcquireError {
        let (status, sent) = (response.status(), sent_id(response));
        let refusal = TokenError::from_json(response.body())
            .map(|error| Arc::new(Refusal::new(status.as_u16(), &error, secrets, looks_like_id, sent)));
        let throttled = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        match (retry_after(response.headers(), self.clock.now()), refusal) {
            (Some(retry_after), refusal) if throttled => {
                let correlation_id = sent.map(Arc::from);
                AcquireError::Throttled { status: status.as_u16(), retry_after, refusal: refusal.ok(), correlation_id }
            }
            (_, Ok(refusal)) => AcquireError::Refused(refusal),
            (_, Err(error)) => UnusableAnswer::of_body(status.as_u16(), response.body(), secrets, error, sent),
        }
    }
}

/// What a grant sends that is nobody else's business, as it is and as a form encodes it.
fn more_secrets(grant: &Grant, refresh_token: Option<&SecretString>) -> Vec<SecretString> {
    let sent = match grant {
        Grant::ClientCredentials => return Vec::new(),
        Grant::OnBehalfOf { assertion, .. } => assertion.secret(),
        Grant::RefreshToken { .. } => refresh_token.map_or("", |token| token.expose_secret()),
        Grant::AuthorizationCode { code, .. } | Grant::DeviceCode { code } => code.expose_secret(),
        Grant::Password { password, .. } => password.expose_secret(),
    };
    vec![sent.into(), encoded(sent).into()]
}
