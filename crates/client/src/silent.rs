//! Tokens of a user who has signed in before: at hand, or by the account's refresh token.

use countersign_protocol::ScopeSet;

use crate::access_token::AccessToken;
use crate::account::{Account, SignedIn, sign_in};
use crate::client::ConfidentialClient;
use crate::error::AcquireError;
use crate::key::Subject;
use crate::options::RequestOptions;
use crate::question::Grant;
use crate::sessions::SessionId;

use secrecy::SecretString;

impl ConfidentialClient {
    /// A token of an account that has signed in: the one at hand, or one got with its refresh token, for whatever scopes
    /// the user has consented to. Renewed in the background as an application's are.
    ///
    /// # Errors
    /// [`AcquireError::NotSignedIn`] if nobody has, or the refresh token has ended; whenever
    /// [`AcquireError::needs_user`], the user is sent through [`ConfidentialClient::authorization_url`] again.
    pub async fn acquire_token_silent(
        &self,
        account: &Account,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<AccessToken, AcquireError> {
        let subject = account.subject();
        let session = SessionId::of(&self.exchange().identity, &subject);
        self.cached(scopes, options, subject, || Grant::RefreshToken { session }).await
    }

    /// Forgets the account's tokens and its refresh token. Whether there was one. The authority's own session in the
    /// user's browser goes on until it is ended there.
    pub fn sign_out(&self, account: &Account) -> bool {
        let subject = account.subject();
        let exchange = self.exchange();
        exchange.store.end(&SessionId::of(&exchange.identity, &subject), &subject)
    }

    /// Signs a user in by name and password, for tests and for tools that nothing better is open to: it knows no
    /// multi-factor authentication, no federation, and the application sees the password.
    ///
    /// # Errors
    /// [`AcquireError::Refused`] (AADSTS50126 for a wrong password, 50076 where more than a password is asked), and as
    /// [`ConfidentialClient::acquire_token_for_client`].
    ///
    /// Source: Microsoft identity platform and OAuth 2.0 Resource Owner Password Credentials; RFC 6749 §4.3.
    pub async fn acquire_token_by_password(
        &self,
        username: &str,
        password: SecretString,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<SignedIn, AcquireError> {
        let grant = Grant::Password { username: username.to_owned(), password };
        let question = self.question(scopes, options, Subject::APPLICATION, grant);
        Box::pin(sign_in(self.exchange(), question, None)).await
    }
}
