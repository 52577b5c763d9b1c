//! Tokens of a user who has signed in before: at hand, or by the account's refresh token.

use countersign_protocol::ScopeSet;

use crate::access_token::AccessToken;
use crate::account::{Account, SignedIn, sign_in};
use crate::client::ConfidentialClient;
use crate::error::AcquireError;
use crate::key::Subject;
use crate::options::RequestOptions;
use crate::question::Grant;
use crate::renewal;

use secrecy::SecretString;

impl ConfidentialClient {
    /// A token of an account that has signed in: the one at hand, or one got with its refresh token, for whatever scopes
    /// the user has consented to. Renewed in the background as an application's are.
    ///
    /// Where an alias such as `organizations` would be asked, the account's own tenant is: the one the user signed in to,
    /// or the home tenant if only the home account id is known.
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
        let asked = options.tenant_or(self.tenant());
        let home = account.tenant_at(self.authority()?, asked);
        let grant = || Grant::RefreshToken { session: self.exchange().session(&subject) };
        self.cached_in(home.as_ref().unwrap_or(asked), scopes, options, subject, grant).await
    }

    /// Forgets the account's tokens and its refresh token. Whether there was one. The authority's own session in the
    /// user's browser goes on until it is ended there.
    ///
    /// With [`crate::SharedTokens`] the account is signed out in every process: a token that another one has at hand
    /// serves there until its renewal is due, at half its life or so, and nothing comes after it. If the shared cache is
    /// away, the others are told when this process is asked about the account again and the cache is back.
    pub async fn sign_out(&self, account: &Account) -> bool {
        renewal::end(self.exchange(), &account.subject()).await
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
