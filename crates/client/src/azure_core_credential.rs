//! [`AzureCoreCredential`]: this crate's tokens for the Azure SDK's clients.
//!
//! The SDK asks for scopes and gets a token of the application, from the cache like everybody else. It keeps a copy for a
//! while itself; that copy is not renewed ahead, ours is.

use std::time::Duration;

use azure_core::credentials::{AccessToken as AzureToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::time::OffsetDateTime;
use countersign_protocol::{Scope, ScopeSet};

use crate::client::ConfidentialClient;
use crate::error::AcquireError;
use crate::managed_identity_client::ManagedIdentityClient;
use crate::options::NO_OPTIONS;

/// A client as azure_core's `TokenCredential`.
///
/// ```no_run
/// use std::sync::Arc;
/// use azure_core::credentials::TokenCredential;
/// use countersign_client::{AzureCoreCredential, ConfidentialClient};
///
/// # fn example(client: ConfidentialClient) {
/// let credential: Arc<dyn TokenCredential> = Arc::new(AzureCoreCredential::from(client));
/// # drop(credential);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AzureCoreCredential(Source);

#[derive(Debug, Clone)]
enum Source {
    Application(ConfidentialClient),
    ManagedIdentity(ManagedIdentityClient),
}

impl From<ConfidentialClient> for AzureCoreCredential {
    fn from(client: ConfidentialClient) -> Self {
        Self(Source::Application(client))
    }
}

impl From<ManagedIdentityClient> for AzureCoreCredential {
    fn from(client: ManagedIdentityClient) -> Self {
        Self(Source::ManagedIdentity(client))
    }
}

fn credential_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Credential, error)
}

#[async_trait::async_trait]
impl TokenCredential for AzureCoreCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AzureToken> {
        let scopes: Result<Vec<Scope>, _> = scopes.iter().map(|scope| Scope::parse(scope)).collect();
        let scopes = scopes.and_then(ScopeSet::new).map_err(credential_error)?;
        let token = match &self.0 {
            Source::Application(client) => client.acquire_token_for_client(&scopes).await,
            Source::ManagedIdentity(client) => client.acquire_token_for(&scopes, &NO_OPTIONS).await,
        };
        let token = token.map_err(|error: AcquireError| credential_error(error))?;
        if token.is_bound() {
            let reason = "the Azure SDK cannot send certificate-bound tokens";
            return Err(Error::with_message(ErrorKind::Credential, reason));
        }
        let seconds = token.expires_on().as_unix_seconds();
        let expires_on = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Ok(AzureToken::new(token.secret().to_owned(), expires_on))
    }
}
