//! On-behalf-of: a web API calls the next API in its caller's name.
//!
//! For the length of a request, the user's token is exchanged each time it is new, and what comes is kept under its
//! SHA-256, until it ends ([`ConfidentialClient::acquire_token_on_behalf_of`]). For a process that outlives the request,
//! the first exchange opens a session with a refresh token under a key of the application's
//! ([`ConfidentialClient::start_long_running`]).
//!
//! Source: Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow; RFC 7523 §2.1.

use countersign_protocol::ScopeSet;

use crate::access_token::AccessToken;
use crate::client::ConfidentialClient;
use crate::error::AcquireError;
use crate::options::{NO_OPTIONS, RequestOptions};
use crate::question::Grant;
use crate::renewal;
use crate::sessions::SessionKey;
use crate::user_assertion::UserAssertion;

impl ConfidentialClient {
    /// A token for another API in the name of the user whose token this application was called with.
    ///
    /// What is kept is kept for this one assertion: another user's token, and the same user's next token, are another
    /// question. It is handed out no longer than the assertion lives.
    ///
    /// ```no_run
    /// use countersign_client::{ConfidentialClient, UserAssertion};
    /// use countersign_protocol::ScopeSet;
    ///
    /// # async fn example(client: ConfidentialClient, incoming: String) -> Result<(), Box<dyn std::error::Error>> {
    /// // After the guard has let the request in:
    /// let assertion = UserAssertion::new(incoming).map_err(|fault| fault.to_string())?;
    /// let scopes = ScopeSet::parse("https://graph.microsoft.com/User.Read")?;
    /// let token = client.acquire_token_on_behalf_of(&assertion, &scopes).await?;
    /// # drop(token); Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ConfidentialClient::acquire_token_for_client`]. If [`AcquireError::needs_user`], the API answers its caller
    /// with a challenge that carries [`AcquireError::claims`].
    pub async fn acquire_token_on_behalf_of(
        &self,
        assertion: &UserAssertion,
        scopes: &ScopeSet,
    ) -> Result<AccessToken, AcquireError> {
        self.acquire_token_on_behalf_of_with(assertion, scopes, &NO_OPTIONS).await
    }

    /// As [`ConfidentialClient::acquire_token_on_behalf_of`], with options.
    ///
    /// # Errors
    /// As there.
    pub async fn acquire_token_on_behalf_of_with(
        &self,
        assertion: &UserAssertion,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<AccessToken, AcquireError> {
        let grant = || Grant::OnBehalfOf { assertion: assertion.clone(), session: None };
        self.cached(scopes, options, *assertion.subject(), grant).await
    }

    /// Begins a long-running process: exchanges the assertion, and keeps a refresh token under `key`, so that
    /// [`ConfidentialClient::acquire_token_in_session`] goes on when the assertion has long ended.
    ///
    /// The key is the application's; [`UserAssertion::session_key`] makes one of the assertion. A session of the same
    /// key is taken over: its tokens are forgotten, and nothing is answered from memory unless the session began with this
    /// very assertion, since a key that is used twice may be another user's.
    ///
    /// # Errors
    /// As [`ConfidentialClient::acquire_token_on_behalf_of`].
    pub async fn start_long_running(
        &self,
        assertion: &UserAssertion,
        key: &SessionKey,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<AccessToken, AcquireError> {
        let subject = key.subject();
        let session = Some(self.exchange().session(&subject));
        let question =
            self.question(scopes, options, subject, Grant::OnBehalfOf { assertion: assertion.clone(), session });
        self.fetch(question).await
    }

    /// A token in a long-running process: the one at hand, or one got with the session's refresh token, for whatever
    /// scopes the user has consented to.
    ///
    /// # Errors
    /// [`AcquireError::NotSignedIn`] if there is no such session or it has ended; otherwise as
    /// [`ConfidentialClient::acquire_token_on_behalf_of`].
    pub async fn acquire_token_in_session(
        &self,
        key: &SessionKey,
        scopes: &ScopeSet,
        options: &RequestOptions,
    ) -> Result<AccessToken, AcquireError> {
        let subject = key.subject();
        self.cached(scopes, options, subject, || Grant::RefreshToken { session: self.exchange().session(&subject) })
            .await
    }

    /// Ends a long-running process: its refresh token and its tokens are forgotten. Whether there was one.
    ///
    /// With [`crate::SharedTokens`] it ends in every process, as [`ConfidentialClient::sign_out`] does.
    pub async fn end_session(&self, key: &SessionKey) -> bool {
        renewal::end(self.exchange(), &key.subject()).await
    }
}
