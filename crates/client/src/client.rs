//! [`ConfidentialClient`]: an application that can keep a secret asks for tokens in its own name.

use std::sync::Arc;

use countersign_protocol::{AuthorityHost, ResourceIdentifier, ScopeSet, TenantSegment};
use countersign_token::ClientId;

use crate::access_token::AccessToken;
use crate::acquisition;
use crate::builder::ConfidentialClientBuilder;
use crate::error::AcquireError;
use crate::exchange::Exchange;
use crate::key::Lookup;

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
    /// Starts to configure a client. `tenant` is the one asked for unless a call names another; it cannot be `common`,
    /// `organizations` or `consumers`, since no application has roles there.
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
    /// that client credentials cannot ask for.
    pub async fn acquire_token_for_client(&self, scopes: &ScopeSet) -> Result<AccessToken, AcquireError> {
        match self.at_hand(&self.0.tenant, scopes) {
            Some(token) => Ok(token),
            None => self.acquire(&self.0.tenant, scopes).await,
        }
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
            None => self.acquire(tenant, scopes).await,
        }
    }

    /// As [`ConfidentialClient::acquire_token_for_client`], for a resource by its identifier or its `appId`.
    ///
    /// # Errors
    /// As there.
    pub async fn acquire_token_for_resource(&self, resource: &ResourceIdentifier) -> Result<AccessToken, AcquireError> {
        self.acquire_token_for_client(&ScopeSet::default_of(resource)).await
    }

    /// The token at hand, without ever waiting; starts its refresh in the background when that is due.
    fn at_hand(&self, tenant: &TenantSegment, scopes: &ScopeSet) -> Option<AccessToken> {
        let exchange = &self.0.exchange;
        let now = exchange.clock.now();
        let lookup = Lookup { identity: &exchange.identity, tenant, scopes };
        let token = exchange.store.tokens.find(&lookup, now)?;
        if token.refresh_due(now) {
            acquisition::refresh(exchange, lookup, &token, now);
        }
        Some(token)
    }

    /// The slow way, boxed so that the future of a hit stays small.
    async fn acquire(&self, tenant: &TenantSegment, scopes: &ScopeSet) -> Result<AccessToken, AcquireError> {
        if tenant.alias().is_some() {
            return Err(AcquireError::TenantAlias);
        }
        scopes.client_credentials_resource().map_err(AcquireError::Scopes)?;
        let lookup = Lookup { identity: &self.0.exchange.identity, tenant, scopes };
        Box::pin(acquisition::acquire(&self.0.exchange, lookup)).await
    }

    /// Forgets every token at hand, of every client that shares the cache: after the application was re-consented or its
    /// roles were changed, the next tokens say so.
    pub fn forget_tokens(&self) {
        self.0.exchange.store.tokens.clear();
    }

    /// How many tokens are at hand, expired ones that nobody has replaced yet included.
    #[must_use]
    pub fn cached_tokens(&self) -> usize {
        self.0.exchange.store.tokens.len()
    }
}
