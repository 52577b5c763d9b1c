//! [`ConfidentialClient`]: an application that can keep a secret asks for tokens in its own name.

use std::sync::Arc;

use countersign_protocol::{AuthorityHost, ResourceIdentifier, ScopeSet, TenantSegment};
use countersign_token::ClientId;

use crate::access_token::AccessToken;
use crate::acquisition;
use crate::authority::Authority;
use crate::builder::ConfidentialClientBuilder;
use crate::error::AcquireError;
use crate::exchange::{Exchange, Issuer};
use crate::key::{Lookup, Subject};
use crate::options::{NO_OPTIONS, RequestOptions};
use crate::question::{Grant, Question};
use crate::telemetry;

/// Acquires tokens by client credentials (RFC 6749 §4.4) and keeps them. Clones share everything; make one per
/// application and keep it, since the tokens live in it.
///
/// A token at hand is returned without a lock, without waiting and without an allocation. Otherwise exactly one request
/// per question is sent, however many ask, and none waits for another question's answer. From the refresh time on the
/// successor is fetched in the background; the token at hand is served until shortly before it expires (5 s, or a tenth
/// of its life if that is less), whatever becomes of the renewal.
///
/// No instance discovery and no metadata precede a token: the endpoint follows from the authority that was configured.
/// Needs a tokio runtime with time and I/O wherever it is used.
///
/// ```no_run
/// use countersign_client::ConfidentialClient;
/// use countersign_protocol::{AuthorityHost, ScopeSet, TenantSegment};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = ConfidentialClient::builder(
///     AuthorityHost::parse("https://login.microsoftonline.com")?,
///     TenantSegment::parse("6babcaad-604b-40ac-a9d7-9fd97c0b779f")?,
///     "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11".parse()?,
/// )
/// .secret(std::fs::read_to_string("/run/secrets/client")?.trim().to_owned())
/// .build()?;
///
/// let scopes = ScopeSet::parse("api://orders/.default")?;
/// let token = client.acquire_token_for_client(&scopes).await?;
/// let request = http::Request::get("https://orders.contoso.com/")
///     .header(http::header::AUTHORIZATION, token.authorization())
///     .body(())?;
/// # drop(request); Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ConfidentialClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tenant: TenantSegment,
    exchange: Arc<Exchange>,
}

impl ConfidentialClient {
    /// Starts to configure a client. `tenant` is the one asked for unless a call names another.
    ///
    /// An application that signs in users of many tenants may have an alias here, `organizations` for example. What it asks
    /// in its own name needs one tenant, since it has roles in tenants and not in an alias: name it with the call.
    pub fn builder(authority: AuthorityHost, tenant: TenantSegment, client_id: ClientId) -> ConfidentialClientBuilder {
        ConfidentialClientBuilder::new(authority, tenant, client_id)
    }

    pub(crate) fn new(tenant: TenantSegment, exchange: Exchange) -> Self {
        Self(Arc::new(Inner { tenant, exchange: Arc::new(exchange) }))
    }

    /// A token for what the application was granted at one resource.
    ///
    /// `scopes` names that resource as `{resource}/.default`, for the v1.0 endpoint too, which is sent the resource alone.
    /// Keep the [`ScopeSet`] and pass it again: its normal form is the cache's key.
    ///
    /// # Errors
    /// [`AcquireError::Refused`] when the authority says no, [`AcquireError::Throttled`] when it says not now,
    /// [`AcquireError::Transport`] and [`AcquireError::Unusable`] when nothing or nonsense came back,
    /// [`AcquireError::NoAssertion`] when a federated credential has nothing to send, [`AcquireError::Scopes`] for scopes
    /// that client credentials cannot ask for, [`AcquireError::TenantAlias`] if the client's own tenant is an alias.
    pub async fn acquire_token_for_client(&self, scopes: &ScopeSet) -> Result<AccessToken, AcquireError> {
        match self.at_hand(&self.0.tenant, scopes) {
            Some(token) => Ok(token),
            None => self.acquire(&self.0.tenant, scopes, &NO_OPTIONS).await,
        }
    }

    /// As [`ConfidentialClient::acquire_token_for_client`], with options: claims, another tenant, a correlation id.
    ///
    /// # Errors
    /// As there.
    pub async fn acquire_token_for_client_with(
        &self,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<AccessToken, AcquireError> {
        self.acquire(options.tenant_or(&self.0.tenant), scopes, options).await
    }

    /// As [`ConfidentialClient::acquire_token_for_client`], in another tenant than the client's own.
    ///
    /// # Errors
    /// As there, and [`AcquireError::TenantAlias`] for `common`, `organizations` and `consumers`.
    pub async fn acquire_token_in_tenant(
        &self,
        tenant: &TenantSegment,
        scopes: &ScopeSet,
    ) -> Result<AccessToken, AcquireError> {
        match self.at_hand(tenant, scopes) {
            Some(token) => Ok(token),
            None => self.acquire(tenant, scopes, &NO_OPTIONS).await,
        }
    }

    /// As [`ConfidentialClient::acquire_token_for_client`], for a resource by its identifier or its `appId`.
    ///
    /// # Errors
    /// As there.
    pub async fn acquire_token_for_resource(&self, resource: &ResourceIdentifier) -> Result<AccessToken, AcquireError> {
        self.acquire_token_for_client(&ScopeSet::default_of(resource)).await
    }

    /// The application's own token at hand, without ever waiting; starts its refresh in the background when that is due.
    #[inline]
    fn at_hand(&self, tenant: &TenantSegment, scopes: &ScopeSet) -> Option<AccessToken> {
        let exchange = &self.0.exchange;
        let now = exchange.clock.now();
        let subject = &Subject::APPLICATION;
        let token =
            exchange.store.tokens.find(&Lookup { identity: &exchange.identity, tenant, scopes, subject }, now)?;
        if token.refresh_due(now) {
            let options = &NO_OPTIONS;
            let question = question(tenant, scopes, options, Subject::APPLICATION, Grant::ClientCredentials);
            acquisition::refresh(exchange, question, &token, now);
        }
        telemetry::hit(&token, now);
        Some(token)
    }

    /// The slow way, boxed so that the future of a hit stays small.
    async fn acquire(
        &self,
        tenant: &TenantSegment,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<AccessToken, AcquireError> {
        if tenant.alias().is_some() {
            return Err(AcquireError::TenantAlias);
        }
        scopes.client_credentials_resource().map_err(AcquireError::Scopes)?;
        self.cached_in(tenant, scopes, options, Subject::APPLICATION, || Grant::ClientCredentials).await
    }

    /// The token at hand for a subject, or one got by `grant`.
    pub(crate) async fn cached(
        &self,
        scopes: &ScopeSet,
        options: &RequestOptions,
        subject: Subject,
        grant: impl Fn() -> Grant,
    ) -> Result<AccessToken, AcquireError> {
        self.cached_in(options.tenant_or(&self.0.tenant), scopes, options, subject, grant).await
    }

    /// As [`Self::cached`], in this tenant.
    pub(crate) async fn cached_in(
        &self,
        tenant: &TenantSegment,
        scopes: &ScopeSet,
        options: &RequestOptions,
        subject: Subject,
        grant: impl Fn() -> Grant,
    ) -> Result<AccessToken, AcquireError> {
        let exchange = &self.0.exchange;
        let now = exchange.clock.now();
        let subject = subject.asked_with(options.parting_claims(), &options.query);
        let lookup = Lookup { identity: &exchange.identity, tenant, scopes, subject: &subject };
        if let Some(token) = exchange.store.tokens.find(&lookup, now)
            && !options.refused.as_ref().is_some_and(|refused| refused.same_as(&token))
        {
            if token.refresh_due(now) {
                // A refresh asks what the token was got with; that somebody refuses another token is nothing to it.
                let mut again = question(tenant, scopes, options, subject, grant());
                again.refused = None;
                again.claims = options.parting_claims().map(Into::into);
                acquisition::refresh(exchange, again, &token, now);
            }
            telemetry::hit(&token, now);
            return Ok(token);
        }
        self.fetch(question(tenant, scopes, options, subject, grant())).await
    }

    /// Asks for what is not at hand. A client without credential is told so before anything is sent.
    pub(crate) async fn fetch(&self, question: Question) -> Result<AccessToken, AcquireError> {
        let needs_credential = matches!(question.grant, Grant::ClientCredentials | Grant::OnBehalfOf { .. });
        if needs_credential && matches!(self.authority()?.credential, crate::credential::Credential::None) {
            return Err(AcquireError::NoCredential);
        }
        Box::pin(acquisition::acquire(&self.0.exchange, question)).await
    }

    /// A question in the tenant of the options, under `subject` asked with their claims.
    pub(crate) fn question(
        &self,
        scopes: &ScopeSet,
        options: &RequestOptions,
        subject: Subject,
        grant: Grant,
    ) -> Question {
        let subject = subject.asked_with(options.parting_claims(), &options.query);
        question(options.tenant_or(&self.0.tenant), scopes, options, subject, grant)
    }

    pub(crate) fn exchange(&self) -> &Arc<Exchange> {
        &self.0.exchange
    }

    pub(crate) fn tenant(&self) -> &TenantSegment {
        &self.0.tenant
    }

    /// The authority; a client always has one.
    pub(crate) fn authority(&self) -> Result<&Authority, AcquireError> {
        match &self.0.exchange.issuer {
            Issuer::Authority(authority, _) => Ok(authority),
            Issuer::ManagedIdentity(..) => Err(AcquireError::NoCredential),
        }
    }

    /// Forgets every token and every session at hand, of every client that shares the cache: after the application was
    /// re-consented or its roles were changed, the next tokens say so. What processes share is left as it is
    /// ([`crate::SharedTokens`]).
    pub fn forget_tokens(&self) {
        self.0.exchange.store.clear();
    }

    /// How many tokens are at hand, expired ones that nobody has replaced yet included.
    #[must_use]
    pub fn cached_tokens(&self) -> usize {
        self.0.exchange.store.tokens.len()
    }
}

fn question(
    tenant: &TenantSegment,
    scopes: &ScopeSet,
    options: &RequestOptions,
    subject: Subject,
    grant: Grant,
) -> Question {
    Question {
        tenant: tenant.clone(),
        scopes: scopes.clone(),
        grant,
        subject,
        claims: options.claims.as_ref().map(|claims| claims.as_json().into()),
        query: options.query.clone(),
        correlation_id: options.correlation_id,
        refused: options.refused.clone(),
    }
}
