//! [`Refusal`]: what an authority says when it says no, read once and kept without what no log may have.

use std::fmt;

use countersign_protocol::{AadSts, TokenError};

use crate::claims::ClaimsRequest;
use crate::error::is_servers_fault;
use crate::sanitise::{Secrets, sanitise};

/// What an authority said when it said no. `Display` is the error word, the number and the sanitised message.
#[derive(Debug, Clone)]
pub struct Refusal {
    status: u16,
    error: String,
    code: Option<u32>,
    message: Option<String>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
    entry: Option<&'static AadSts>,
    retryable: bool,
    secret_id_sent: bool,
    suberror: Option<String>,
    claims: Option<ClaimsRequest>,
}

/// The commonest mistake with client secrets, which the authority's own text only hints at.
const SECRET_ID_SENT: &str = "the configured client secret has the form of a GUID: this looks like the secret's ID; \
    configure its value, which is shown once, when the secret is created";

impl Refusal {
    /// `sent` is the request's id, which stands in for the one that an answer leaves out.
    pub(crate) fn new(
        status: u16,
        error: &TokenError,
        secrets: Secrets<'_>,
        secret_looks_like_id: bool,
        sent: Option<&str>,
    ) -> Self {
        let clean = |text: &str| sanitise(text, secrets);
        let entry = error.entry();
        Self {
            status,
            error: clean(error.error()),
            code: error.aadsts(),
            message: error.message().map(clean).filter(|message| !message.is_empty()),
            trace_id: error.trace_id().map(clean),
            correlation_id: error.correlation_id().map(clean).or_else(|| sent.map(str::to_owned)),
            entry,
            retryable: error.is_retryable(),
            secret_id_sent: secret_looks_like_id
                && entry.is_some_and(|entry| entry.code == AadSts::INVALID_CLIENT_SECRET.code),
            suberror: error.suberror().map(clean),
            claims: error.claims().and_then(|claims| ClaimsRequest::from_json(claims).ok()),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The OAuth error word: `invalid_client`.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The AADSTS number.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.code
    }

    /// Entra's finer word: `consent_required`, `bad_token`, `basic_action`.
    #[must_use]
    pub fn suberror(&self) -> Option<&str> {
        self.suberror.as_deref()
    }

    pub(crate) fn meaning(&self) -> Option<&'static str> {
        self.entry.map(|entry| entry.text)
    }

    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    pub(crate) fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    pub(crate) fn claims(&self) -> Option<&ClaimsRequest> {
        self.claims.as_ref()
    }

    pub(crate) fn is_retryable(&self) -> bool {
        self.retryable || is_servers_fault(self.status) || self.status == 429
    }

    /// As MSAL decides it: by the error's word, and for a grant that has ended.
    pub(crate) fn needs_user(&self) -> bool {
        const WORDS: [&str; 4] = ["interaction_required", "consent_required", "login_required", "invalid_grant"];
        WORDS.contains(&self.error.as_str()) || self.suberror.as_deref().is_some_and(|word| WORDS.contains(&word))
    }

    /// Whether a refresh token that met this refusal is of no use any more. Entra also says `invalid_grant` when the session
    /// is in order and the user has to do something for *this* token: consent, or pass what Conditional Access asks for.
    /// So a session ends by the codes and the word that say so, and by an `invalid_grant` of a server that has neither
    /// (RFC 6749 §5.2). Where that keeps a dead one, each further use meets the same refusal, and the user signs in.
    ///
    /// Source: Microsoft identity platform, Handling errors in MSAL (the values of `suberror`); Microsoft Entra
    /// authentication and authorization error codes.
    pub(crate) fn ends_session(&self) -> bool {
        /// Malformed or not ours; expired, inactive, of a page's 24 hours; revoked; password changed, session ended.
        const DEAD: [u32; 8] = [70_000, 70_008, 70_043, 700_082, 700_084, 50_132, 50_133, 50_173];
        let says_so = match (self.suberror.as_deref(), self.code) {
            (Some("bad_token"), _) | (None, None) => true,
            (_, code) => code.is_some_and(|code| DEAD.contains(&code)),
        };
        self.error == "invalid_grant" && says_so
    }

    /// The authority's own words, escaped, cut, and without the credential.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Who must do what.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        if self.secret_id_sent { Some(SECRET_ID_SENT) } else { self.entry.map(|entry| entry.who) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        if let Some(code) = self.code {
            write!(f, ", AADSTS{code}")?;
        }
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}
