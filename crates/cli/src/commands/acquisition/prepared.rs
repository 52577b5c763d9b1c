//! A client that is ready to ask: how each grant asks, and how it asks again after a claims challenge.

use std::sync::Arc;

use countersign_client::{
    AccessToken, Account, AcquireError, ClaimsRequest, ConfidentialClient, ManagedIdentityClient, RequestOptions,
    SignedIn, UserAssertion,
};
use countersign_discovery::Transport;
use countersign_protocol::ScopeSet;
use secrecy::SecretString;

use crate::error::CliError;
use crate::{instant, report};

/// What is asked with.
pub(super) enum Grant {
    /// The application for itself.
    ClientCredentials,
    /// The user whose token this is.
    OnBehalfOf(UserAssertion),
    /// A user at another screen.
    DeviceCode,
    /// A user whose password is at hand.
    Password { username: String, password: SecretString },
}

/// Who asks.
pub(super) enum Asker {
    Application { client: ConfidentialClient, grant: Grant },
    ManagedIdentity(ManagedIdentityClient),
}

/// A client that is ready to ask, and what it asks for.
pub(crate) struct Prepared {
    pub(super) asker: Asker,
    pub(super) scopes: ScopeSet,
    pub(super) claims: Option<ClaimsRequest>,
    /// With the correlation id, and no claims.
    pub(super) options: RequestOptions,
    /// The id that is sent, where one is.
    pub(super) correlation_id: Option<String>,
    /// What requests travel through.
    pub(crate) transport: Arc<dyn Transport>,
}

/// A token and what was said with it.
pub(crate) struct Acquired {
    pub(crate) token: AccessToken,
    /// What the authority says was granted, or else what was asked for.
    pub(crate) scopes: Vec<String>,
    /// The user who signed in.
    pub(crate) account: Option<Account>,
    pub(crate) correlation_id: Option<String>,
}

impl Prepared {
    /// Asks.
    pub(crate) async fn acquire(&self) -> Result<Acquired, CliError> {
        let options = match &self.claims {
            Some(claims) => self.options.clone().claims(claims.clone()),
            None => self.options.clone(),
        };
        self.ask(&options).await
    }

    /// Asks again, with the claims that an API wants to see and did not find in `refused`.
    pub(crate) async fn answer(&self, refused: &Acquired, claims: ClaimsRequest) -> Result<Acquired, CliError> {
        let options = self.options.clone();
        let client = match &self.asker {
            // It understands no claims; a new token may have what the old one had not.
            Asker::ManagedIdentity(_) => return self.ask(&options.instead_of(&refused.token)).await,
            Asker::Application { client, .. } => client,
        };
        let Some(account) = &refused.account else { return self.ask(&options.challenge(claims, &refused.token)).await };
        // A user who has signed in is asked again only if the refresh token does not do.
        let silently = options.clone().challenge(claims.clone(), &refused.token);
        match client.acquire_token_silent(account, &self.scopes, &silently).await {
            Ok(token) => Ok(self.acquired(token, None, Some(account.clone()))),
            Err(error) if error.needs_user() => self.ask(&options.claims(claims)).await,
            Err(error) => Err(CliError::Acquire(error)),
        }
    }

    async fn ask(&self, options: &RequestOptions) -> Result<Acquired, CliError> {
        let (client, grant) = match &self.asker {
            Asker::ManagedIdentity(identity) => {
                let token = identity.acquire_token_for(&self.scopes, options).await.map_err(CliError::Acquire)?;
                return Ok(self.acquired(token, None, None));
            }
            Asker::Application { client, grant } => (client, grant),
        };
        let token = match grant {
            Grant::ClientCredentials => client.acquire_token_for_client_with(&self.scopes, options).await,
            Grant::OnBehalfOf(user) => client.acquire_token_on_behalf_of_with(user, &self.scopes, options).await,
            Grant::DeviceCode => return self.by_device_code(client, options).await,
            Grant::Password { username, password } => {
                let password = password.clone();
                let signed_in = client.acquire_token_by_password(username, password, &self.scopes, options).await;
                return self.signed_in(signed_in);
            }
        };
        Ok(self.acquired(token.map_err(CliError::Acquire)?, None, None))
    }

    async fn by_device_code(
        &self,
        client: &ConfidentialClient,
        options: &RequestOptions,
    ) -> Result<Acquired, CliError> {
        let code = client.start_device_code(&self.scopes, options).await.map_err(CliError::Acquire)?;
        if code.message().is_empty() {
            report::note(&format!("open {} and enter the code {}", code.verification_uri(), code.user_code()));
        } else {
            report::note(code.message());
        }
        report::note(&format!("waiting until {}; Ctrl-C gives up", instant::utc(code.expires_on().as_unix_seconds())));
        self.signed_in(client.acquire_token_by_device_code(&code).await)
    }

    fn signed_in(&self, outcome: Result<SignedIn, AcquireError>) -> Result<Acquired, CliError> {
        let signed_in = outcome.map_err(CliError::Acquire)?;
        Ok(self.acquired(signed_in.token().clone(), signed_in.scope(), Some(signed_in.account().clone())))
    }

    fn acquired(&self, token: AccessToken, granted: Option<&str>, account: Option<Account>) -> Acquired {
        let asked = || self.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
        let scopes =
            granted.map_or_else(asked, |granted| granted.split_ascii_whitespace().map(str::to_owned).collect());
        Acquired { token, scopes, account, correlation_id: self.correlation_id.clone() }
    }
}
