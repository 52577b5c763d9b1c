//! Signing users in: the authorization code flow with PKCE, for a web app's back end.
//!
//! [`ConfidentialClient::authorization_url`] makes the address that the browser is sent to, and a [`SignInAttempt`] that
//! the web app keeps in the user's session; [`ConfidentialClient::redeem`] takes the callback's query and that attempt, and
//! refuses whatever does not belong to it (`pitfalls` C26): another state, nonce or issuer, a repeated parameter. An
//! attempt is used up by redeeming it.
//!
//! Source: RFC 6749 §4.1; RFC 7636; RFC 9207; OpenID Connect Core §3.1.

use std::fmt;

use countersign_protocol::{Form, FormEncoder, FormError, ScopeSet, TenantSegment, TenantSegmentError};
use countersign_token::base64url_encode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::account::{SignedIn, sign_in};
use crate::claims::{self, ClaimsRequest};
use crate::client::ConfidentialClient;
use crate::digest::sha256;
use crate::error::AcquireError;
use crate::key::Subject;
use crate::options::RequestOptions;
use crate::question::{Grant, Question};
use crate::sanitise::{Secrets, sanitise};
use crate::token_form::asked;

/// Why a callback is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The query cannot be read, or names a parameter twice.
    #[error("the query cannot be read")]
    Query(#[source] FormError),
    /// `state` is missing, or that of another sign-in: of another browser, or forged.
    #[error("the state is not the one of this sign-in")]
    State,
    /// `iss` is another issuer (RFC 9207): the answer of one authority was handed in as another's.
    #[error("the answer comes from another issuer")]
    Issuer,
    /// The authority or the user has refused.
    #[error("the authority answered '{error}': {description}")]
    Refused {
        /// The OAuth error word: `access_denied`, `login_required`.
        error: String,
        /// The authority's words, escaped and cut.
        description: String,
    },
    /// There is neither a code nor an error.
    #[error("there is no code")]
    NoCode,
    /// The redirect URI is not one that a code may be sent to: https, or http to this machine; no fragment.
    #[error("the redirect URI is not https, nor http to this machine")]
    RedirectUri,
    /// A text that is not what [`SignInAttempt::to_secret`] made.
    #[error("this is no sign-in attempt")]
    NotAnAttempt,
}

/// What a sign-in asks for.
#[derive(Debug, Clone)]
#[must_use]
pub struct AuthorizationRequest {
    redirect_uri: String,
    scopes: ScopeSet,
    options: RequestOptions,
    parameters: Vec<(&'static str, String)>,
}

impl AuthorizationRequest {
    /// A sign-in that comes back to `redirect_uri`, exactly as it is registered, and asks for a token to `scopes`.
    pub fn new(redirect_uri: impl Into<String>, scopes: ScopeSet) -> Self {
        Self { redirect_uri: redirect_uri.into(), scopes, options: RequestOptions::new(), parameters: Vec::new() }
    }

    fn parameter(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, value.into()));
        self
    }

    /// `prompt`: `login`, `none`, `consent`, `select_account` or `create`.
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.parameter("prompt", prompt)
    }

    /// `login_hint`: the user name to fill in.
    pub fn login_hint(self, hint: impl Into<String>) -> Self {
        self.parameter("login_hint", hint)
    }

    /// `domain_hint`: `organizations`, `consumers` or a domain.
    pub fn domain_hint(self, hint: impl Into<String>) -> Self {
        self.parameter("domain_hint", hint)
    }

    /// `response_mode`: `query` otherwise; `form_post` keeps the code out of addresses.
    pub fn response_mode(self, mode: impl Into<String>) -> Self {
        self.parameter("response_mode", mode)
    }

    /// Tenant, claims, correlation id and further parameters, for the page and for the redemption.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = options;
        self
    }
}

/// A sign-in that is under way: what the web app keeps, in the user's own session, until the browser comes back.
///
/// `Debug` shows nothing. [`SignInAttempt::to_secret`] makes a text of it for a session store that several processes share.
pub struct SignInAttempt {
    url: String,
    state: String,
    nonce: String,
    verifier: SecretString,
    redirect_uri: String,
    scopes: ScopeSet,
    tenant: TenantSegment,
    claims: Option<ClaimsRequest>,
    query: Vec<(String, String)>,
    correlation_id: Option<Uuid>,
}

impl fmt::Debug for SignInAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInAttempt([redacted])")
    }
}

impl SignInAttempt {
    /// The address that the browser is sent to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `state`, by which the web app finds the attempt again if it keeps several.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Everything that [`SignInAttempt::restore`] needs, as JSON text. It holds the code verifier: it belongs on the
    /// server, or into a cookie that is encrypted.
    #[must_use]
    pub fn to_secret(&self) -> SecretString {
        let json = json!({
            "state": self.state, "nonce": self.nonce, "verifier": self.verifier.expose_secret(),
            "redirect_uri": self.redirect_uri, "scopes": self.scopes.to_string(), "tenant": self.tenant.to_string(),
            "claims": self.claims.as_ref().map(ClaimsRequest::as_json),
            "query": self.query, "correlation_id": self.correlation_id.map(|id| id.to_string()),
        });
        json.to_string().into()
    }

    /// What [`SignInAttempt::to_secret`] was made of; the address is not kept.
    ///
    /// # Errors
    /// [`CallbackError::NotAnAttempt`].
    pub fn restore(secret: &SecretString) -> Result<Self, CallbackError> {
        let json: Value = serde_json::from_str(secret.expose_secret()).map_err(|_| CallbackError::NotAnAttempt)?;
        let read = || {
            let text = |name: &str| json.get(name)?.as_str();
            let tenant: Result<TenantSegment, TenantSegmentError> = text("tenant")?.parse();
            Some(Self {
                url: String::new(),
                state: text("state")?.to_owned(),
                nonce: text("nonce")?.to_owned(),
                verifier: text("verifier")?.into(),
                redirect_uri: text("redirect_uri")?.to_owned(),
                scopes: ScopeSet::parse(text("scopes")?).ok()?,
                tenant: tenant.ok()?,
                claims: text("claims").and_then(|claims| ClaimsRequest::from_json(claims).ok()),
                // Absent from what an earlier version of this library has made.
                query: json.get("query").map_or(Some(Vec::new()), pairs)?,
                correlation_id: text("correlation_id").map(Uuid::try_parse).transpose().ok()?,
            })
        };
        read().ok_or(CallbackError::NotAnAttempt)
    }
}

/// Names with values, from an array of arrays.
fn pairs(json: &Value) -> Option<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pair = |pair: &Value| match pair.as_array()?.as_slice() {
        [name, value] => Some((text(name)?, text(value)?)),
        _ => None,
    };
    json.as_array()?.iter().map(pair).collect()
}

/// https, or http to this machine, without fragment (RFC 6749 §3.1.2; RFC 8252 §7.3).
fn is_redirect_uri(uri: &str) -> bool {
    let local = ["http://localhost", "http://127.0.0.1", "http://[::1]"]
        .iter()
        .any(|host| uri.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?'])));
    let plain = uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\');
    plain && (local || uri.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()))
}

/// Random bytes of state, nonce and verifier: the verifier has 43 characters (RFC 7636 §4.1).
const RANDOM_BYTES: usize = 32;

impl ConfidentialClient {
    /// Begins a sign-in: makes the address of the authorization page, with a fresh state, nonce and code challenge.
    /// Nothing is sent.
    ///
    /// ```no_run
    /// use countersign_client::{AuthorizationRequest, ConfidentialClient};
    /// use countersign_protocol::ScopeSet;
    ///
    /// # async fn example(client: ConfidentialClient, query: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let scopes = ScopeSet::parse("https://graph.microsoft.com/User.Read")?;
    /// let attempt = client.authorization_url(&AuthorizationRequest::new("https://app.contoso.com/callback", scopes))?;
    /// // The browser is sent to attempt.url(), and comes back with a query:
    /// let signed_in = client.redeem(attempt, query).await?;
    /// println!("{:?}", signed_in.account().username());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AcquireError::Callback`] for a redirect URI that no code may be sent to; [`AcquireError::Scopes`] for scopes that
    /// the v1.0 endpoint cannot be asked for.
    pub fn authorization_url(&self, request: &AuthorizationRequest) -> Result<SignInAttempt, AcquireError> {
        if !is_redirect_uri(&request.redirect_uri) {
            return Err(AcquireError::Callback(CallbackError::RedirectUri.into()));
        }
        let authority = self.authority()?;
        let randomness = &self.exchange().randomness;
        let random = || randomness.base64url(RANDOM_BYTES);
        let (state, nonce, verifier) = (random(), random(), random());
        let tenant = request.options.tenant_or(self.tenant());
        authority.admit(tenant)?;
        let claims = request.options.claims.as_ref().map(ClaimsRequest::as_json);
        let form = FormEncoder::new()
            .field("client_id", &authority.client_id.to_string())
            .field("response_type", "code")
            .field("redirect_uri", &request.redirect_uri);
        let form = asked(form, authority.version, &request.scopes, &["openid", "profile", "offline_access"])?
            .field("state", &state)
            .field("nonce", &nonce)
            .field("code_challenge", &base64url_encode(&sha256(verifier.as_bytes())))
            .field("code_challenge_method", "S256")
            .field("client_info", "1")
            .optional("claims", claims::merged(claims, authority.capable).as_deref())
            .optional("client-request-id", request.options.correlation_id.map(|id| id.to_string()).as_deref());
        let form = request.parameters.iter().fold(form, |form, (name, value)| form.field(name, value));
        let form = request.options.query.iter().fold(form, |form, (name, value)| form.field(name, value));
        let page = authority.host.authorization_endpoint(tenant, authority.version);
        Ok(SignInAttempt {
            url: format!("{page}?{}", String::from_utf8_lossy(&form.finish())),
            state,
            nonce,
            verifier: verifier.into(),
            redirect_uri: request.redirect_uri.clone(),
            scopes: request.scopes.clone(),
            tenant: tenant.clone(),
            claims: request.options.claims.clone(),
            query: request.options.query.clone(),
            correlation_id: request.options.correlation_id,
        })
    }

    /// Ends a sign-in: `callback` is what came back behind `?`, or the body of a form post. The tokens are kept for the
    /// account that signed in, and renewed by [`ConfidentialClient::acquire_token_silent`].
    ///
    /// # Errors
    /// [`AcquireError::Callback`] for a callback that is not this attempt's, [`AcquireError::IdToken`] for an id_token that
    /// is not, and as [`ConfidentialClient::acquire_token_for_client`].
    pub async fn redeem(&self, attempt: SignInAttempt, callback: &str) -> Result<SignedIn, AcquireError> {
        let code = self.code_of(&attempt, callback).map_err(|error| AcquireError::Callback(error.into()))?;
        let question = Question {
            tenant: attempt.tenant,
            scopes: attempt.scopes,
            grant: Grant::AuthorizationCode { code, redirect_uri: attempt.redirect_uri, verifier: attempt.verifier },
            subject: Subject::APPLICATION,
            claims: attempt.claims.map(|claims| claims.as_json().into()),
            query: attempt.query,
            correlation_id: attempt.correlation_id,
            refused: None,
        };
        Box::pin(sign_in(self.exchange(), question, Some(&attempt.nonce))).await
    }

    fn code_of(&self, attempt: &SignInAttempt, callback: &str) -> Result<SecretString, CallbackError> {
        const PARAMETERS: &[&str] = &["code", "state", "iss", "error", "error_description"];
        let callback = callback.strip_prefix('?').unwrap_or(callback);
        let form = Form::parse(callback.as_bytes(), PARAMETERS).map_err(CallbackError::Query)?;
        // Before anything else is believed. Digests are compared, so that no time tells how much was right.
        let state = form.get("state").map(|state| sha256(state.as_bytes()));
        if state != Some(sha256(attempt.state.as_bytes())) {
            return Err(CallbackError::State);
        }
        if let (Some(iss), Ok(authority)) = (form.get("iss"), self.authority()) {
            let of_host = iss.strip_prefix(authority.host.origin()).is_some_and(|rest| rest.starts_with('/'));
            if !of_host {
                return Err(CallbackError::Issuer);
            }
        }
        if let Some(error) = form.get("error") {
            let clean = |text: &str| sanitise(text, Secrets::default());
            let description = clean(form.get("error_description").unwrap_or_default());
            return Err(CallbackError::Refused { error: clean(error), description });
        }
        form.secret("code").cloned().ok_or(CallbackError::NoCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_redirect_uris() {
        for good in
            ["https://app.contoso.com/callback", "http://localhost:3000/cb", "http://127.0.0.1/", "http://[::1]:1/"]
        {
            assert!(is_redirect_uri(good), "{good}");
        }
        for bad in [
            "http://app.contoso.com/",
            "http://localhost.evil.com/",
            "https://",
            "https://a/#x",
            "myapp:/x",
            "",
            "https://a b",
        ] {
            assert!(!is_redirect_uri(bad), "{bad}");
        }
    }
}
