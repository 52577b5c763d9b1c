//! The authorization request, from a query or from a posted form.

use std::fmt;

use secrecy::SecretString;
use uuid::Uuid;

use super::refusal::request_id;
use super::{AuthorizeError, AuthorizeRefusal, ReplyTo, ResponseMode, ResponseTypes};
use crate::claims_request::ClaimsRequest;
use crate::form::Form;
use crate::pkce::{CodeChallenge, PkceError};

/// Every parameter that means something here. One that stands there twice is an error.
const PARAMETERS: &[&str] = &[
    "claims",
    "client-request-id",
    "client_id",
    "client_info",
    "code_challenge",
    "code_challenge_method",
    "domain_hint",
    "id_token_hint",
    "login_hint",
    "max_age",
    "mkt",
    "nonce",
    "prompt",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "ui_locales",
];

/// The longest `max_age` taken, in seconds: a year.
const MAX_AGE: u32 = 366 * 24 * 3600;

/// What the user is to be asked, whatever the session says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Prompt {
    /// `login`: the credentials, again.
    Login,
    /// `none`: nothing; where something would have to be asked, the client gets an error.
    None,
    /// `consent`: the permissions, again.
    Consent,
    /// `select_account`: which account.
    SelectAccount,
    /// `create`: a new account.
    Create,
    /// `admin_consent`: the consent of an administrator for the whole tenant (v1.0).
    AdminConsent,
}

impl Prompt {
    /// Reads `prompt`. Entra takes one word, not the list of OpenID Connect.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "login" => Some(Self::Login),
            "none" => Some(Self::None),
            "consent" => Some(Self::Consent),
            "select_account" => Some(Self::SelectAccount),
            "create" => Some(Self::Create),
            "admin_consent" => Some(Self::AdminConsent),
            _ => None,
        }
    }
}

/// An authorization request. `Debug` shows neither state, nonce, challenge nor anything about the user.
///
/// ```
/// use countersign_protocol::AuthorizeRequest;
///
/// let request = AuthorizeRequest::parse(
///     b"client_id=a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11&response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb\
///       &scope=openid+api%3A%2F%2Forders%2Faccess_as_user&state=12345",
/// )?;
/// assert!(request.response_types.code);
/// assert_eq!(request.redirect_uri.as_deref(), Some("https://app.example/cb"));
/// # Ok::<(), Box<countersign_protocol::AuthorizeRefusal>>(())
/// ```
#[non_exhaustive]
pub struct AuthorizeRequest {
    /// `client_id`
    pub client_id: String,
    /// `redirect_uri`; without one the only registered one is meant.
    pub redirect_uri: Option<String>,
    /// `response_type`
    pub response_types: ResponseTypes,
    /// `response_mode`, or the default of the types.
    pub response_mode: ResponseMode,
    /// `scope`; see [`crate::UserScopes`].
    pub scope: Option<String>,
    /// `resource`, v1.0's question.
    pub resource: Option<String>,
    /// `state`
    pub state: Option<String>,
    /// `nonce`; there whenever an id_token is asked for.
    pub nonce: Option<String>,
    /// `prompt`
    pub prompt: Option<Prompt>,
    /// `login_hint`: a user name, or the value of the claim of that name.
    pub login_hint: Option<String>,
    /// `domain_hint`: `organizations`, `consumers` or a domain.
    pub domain_hint: Option<String>,
    /// `code_challenge` and `code_challenge_method`
    pub code_challenge: Option<CodeChallenge>,
    /// `claims`
    pub claims: Option<ClaimsRequest>,
    /// Whether `client_info=1` was sent.
    pub client_info: bool,
    /// `max_age`, in seconds: an older sign-in must be repeated.
    pub max_age: Option<u32>,
    /// `id_token_hint`: an id_token of the user; a hint, its signature is not checked here.
    pub id_token_hint: Option<SecretString>,
    /// `client-request-id`. Only a GUID is taken.
    pub client_request_id: Option<Uuid>,
    /// `mkt`, else `ui_locales`: the languages to speak, best first.
    pub languages: Option<String>,
}

impl AuthorizeRequest {
    /// Reads a query, without its question mark, or a form's body.
    ///
    /// # Errors
    /// [`AuthorizeRefusal`], with what is wrong and where the refusal might go. The first fault counts, in the order:
    /// unreadable, repeated, `request` and `request_uri`, `client_id`, `response_type`, the rest.
    ///
    /// Source: RFC 6749 §3.1 and §4.1.1; OpenID Connect Core §3.1.2.1, §3.2.2.1; RFC 7636 §4.3.
    pub fn parse(query_or_form: &[u8]) -> Result<Self, Box<AuthorizeRefusal>> {
        let (form, repeated) = match Form::parse_noting(query_or_form, PARAMETERS) {
            Ok(read) => read,
            Err(fault) => {
                let reply_to = ReplyTo::nowhere();
                return Err(Box::new(AuthorizeRefusal { error: AuthorizeError::Form(fault), reply_to }));
            }
        };
        let reply_to = ReplyTo::read(&form, &repeated);
        Self::read(&form, &repeated, reply_to.response_mode)
            .map_err(|error| Box::new(AuthorizeRefusal { error, reply_to }))
    }

    fn read(form: &Form, repeated: &[&'static str], mode: ResponseMode) -> Result<Self, AuthorizeError> {
        let text = |name| form.get(name).map(str::to_owned);
        if let Some(&name) = repeated.first() {
            return Err(AuthorizeError::Duplicate(name));
        }
        if let Some(name) = ["request", "request_uri"].into_iter().find(|name| form.get(name).is_some()) {
            return Err(AuthorizeError::NotSupported(name));
        }
        let client_id = text("client_id").ok_or(AuthorizeError::Missing("client_id"))?;
        let types = form.get("response_type").ok_or(AuthorizeError::Missing("response_type"))?;
        let response_types =
            ResponseTypes::parse(types).ok_or_else(|| AuthorizeError::ResponseType(types.to_owned()))?;
        if let Some(asked) = form.get("response_mode").filter(|&asked| ResponseMode::parse(asked) != Some(mode)) {
            return Err(AuthorizeError::ResponseMode(asked.to_owned()));
        }
        let nonce = text("nonce");
        if response_types.id_token && nonce.is_none() {
            return Err(AuthorizeError::Missing("nonce"));
        }
        let prompt = form.get("prompt").map(|text| Prompt::parse(text).ok_or(AuthorizeError::Prompt)).transpose()?;
        let code_challenge = match (form.get("code_challenge"), form.get("code_challenge_method")) {
            (Some(challenge), method) => Some(CodeChallenge::parse(challenge, method).map_err(AuthorizeError::Pkce)?),
            (None, Some(_)) => return Err(AuthorizeError::Pkce(PkceError::ChallengeMissing)),
            (None, None) => None,
        };
        let claims = form.get("claims").map(ClaimsRequest::parse).transpose().map_err(AuthorizeError::Claims)?;
        Ok(Self {
            client_id,
            redirect_uri: text("redirect_uri"),
            response_types,
            response_mode: mode,
            scope: text("scope"),
            resource: text("resource"),
            state: text("state"),
            nonce,
            prompt,
            login_hint: text("login_hint"),
            domain_hint: text("domain_hint"),
            code_challenge,
            claims,
            client_info: form.get("client_info") == Some("1"),
            max_age: form.get("max_age").map(max_age).transpose()?,
            id_token_hint: form.secret("id_token_hint").cloned(),
            client_request_id: request_id(form),
            languages: text("mkt").or_else(|| text("ui_locales")),
        })
    }

    /// Where the answer to this request goes, once client and redirect URI are known to belong together.
    #[must_use]
    pub fn reply_to(&self) -> ReplyTo {
        ReplyTo {
            client_id: Some(self.client_id.clone()),
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            response_mode: self.response_mode,
            client_request_id: self.client_request_id,
            is_ambiguous: false,
        }
    }
}

/// Seconds, digits only.
fn max_age(text: &str) -> Result<u32, AuthorizeError> {
    let seconds = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    seconds.filter(|seconds| *seconds <= MAX_AGE).ok_or(AuthorizeError::Invalid("max_age"))
}

impl fmt::Debug for AuthorizeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeRequest")
            .field("client_id", &self.client_id)
            .field("redirect_uri", &self.redirect_uri)
            .field("response_types", &self.response_types)
            .field("response_mode", &self.response_mode)
            .field("scope", &self.scope)
            .field("resource", &self.resource)
            .field("state", &self.state.is_some())
            .field("nonce", &self.nonce.is_some())
            .field("prompt", &self.prompt)
            .field("login_hint", &self.login_hint.is_some())
            .field("code_challenge", &self.code_challenge)
            .field("id_token_hint", &self.id_token_hint.is_some())
            .field("client_request_id", &self.client_request_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::FormError;
    use crate::pkce::CodeChallengeMethod;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const WHO: &str = "client_id=abc&redirect_uri=https%3A%2F%2Fa.example%2Fcb&state=s1";

    fn parse(more: &str) -> Result<AuthorizeRequest, Box<AuthorizeRefusal>> {
        AuthorizeRequest::parse(format!("{WHO}&{more}").as_bytes())
    }

    fn refused(more: &str) -> (AuthorizeError, ReplyTo) {
        let refusal = parse(more).unwrap_err();
        (refusal.error, refusal.reply_to)
    }

    #[test]
    fn what_msal_sends_is_read() {
        let request = parse(&format!(
            "response_type=code&response_mode=query&scope=openid+api%3A%2F%2Fx%2FRead&code_challenge={CHALLENGE}\
             &code_challenge_method=S256&nonce=n1&client_info=1&clidata=1&x-client-SKU=msal.js.node&prompt=select_account\
             &login_hint=alice%40contoso.com&domain_hint=contoso.com&max_age=0&id_token_hint=hunter2&mkt=de-DE\
             &client-request-id=0A1B2C3D-0000-4000-8000-000000000001&ui_locales=fr\
             &claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22CP1%22%5D%7D%7D%7D"
        ))
        .unwrap();
        assert_eq!((request.client_id.as_str(), request.state.as_deref()), ("abc", Some("s1")));
        assert_eq!(request.redirect_uri.as_deref(), Some("https://a.example/cb"));
        assert_eq!(request.response_mode, ResponseMode::Query);
        assert_eq!(request.code_challenge.as_ref().unwrap().method(), CodeChallengeMethod::S256);
        assert!(request.claims.as_ref().unwrap().has_capability("cp1") && request.client_info);
        assert_eq!((request.prompt, request.max_age), (Some(Prompt::SelectAccount), Some(0)));
        assert_eq!((request.login_hint.as_deref(), request.nonce.as_deref()), (Some("alice@contoso.com"), Some("n1")));
        assert_eq!(request.languages.as_deref(), Some("de-DE"));
        assert_eq!(request.client_request_id, Some(Uuid::from_u128(0x0a1b_2c3d_0000_4000_8000_0000_0000_0001)));
        let shown = format!("{request:?} {:?}", request.reply_to());
        for hidden in ["hunter2", "alice", "n1", "s1", CHALLENGE] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn every_prompt_is_known_and_two_are_one_too_many() {
        for (text, prompt) in [
            ("login", Prompt::Login),
            ("none", Prompt::None),
            ("consent", Prompt::Consent),
            ("select_account", Prompt::SelectAccount),
            ("create", Prompt::Create),
            ("admin_consent", Prompt::AdminConsent),
        ] {
            assert_eq!(parse(&format!("response_type=code&prompt={text}")).unwrap().prompt, Some(prompt));
        }
        for text in ["Login", "login+consent", "register", "login,none"] {
            assert_eq!(refused(&format!("response_type=code&prompt={text}")).0, AuthorizeError::Prompt, "{text}");
        }
    }

    #[test]
    fn b38_what_stands_there_twice_is_refused_and_not_followed() {
        for name in PARAMETERS {
            let twice = format!("response_type=code&nonce=n&{name}=1&{name}=1");
            let (error, reply_to) = refused(&twice);
            let decides = matches!(*name, "client_id" | "redirect_uri");
            assert_eq!(reply_to.is_ambiguous, decides, "{name}");
            let back = if decides { None } else { Some("https://a.example/cb") };
            assert_eq!(reply_to.redirect_uri.as_deref(), back, "{name}");
            assert_eq!(error, AuthorizeError::Duplicate(name));
            assert_eq!((error.aadsts().code, error.insertion()), (9_000_411, Some(("name", *name))));
        }
        assert_eq!(refused("response_type=code&state=s1").1.state, None, "which of two states is not for us to choose");
    }

    #[test]
    fn b60_a_token_never_travels_in_a_query() {
        for (types, mode, expected) in [
            ("code", "", Ok(ResponseMode::Query)),
            ("code", "fragment", Ok(ResponseMode::Fragment)),
            ("code", "form_post", Ok(ResponseMode::FormPost)),
            ("id_token", "", Ok(ResponseMode::Fragment)),
            ("id_token code", "form_post", Ok(ResponseMode::FormPost)),
            ("id_token", "query", Err(ResponseMode::Fragment)),
            ("code id_token", "query", Err(ResponseMode::Fragment)),
            ("token", "query", Err(ResponseMode::Fragment)),
            ("code", "web_message", Err(ResponseMode::Query)),
            ("id_token", "Fragment", Err(ResponseMode::Fragment)),
        ] {
            let read = parse(&format!("response_type={}&response_mode={mode}&nonce=n", types.replace(' ', "+")));
            match (read, expected) {
                (Ok(request), Ok(mode)) => assert_eq!(request.response_mode, mode, "{types} {mode:?}"),
                (Err(refusal), Err(back)) => {
                    assert_eq!(refusal.error, AuthorizeError::ResponseMode(mode.to_owned()), "{types} {mode}");
                    assert_eq!(refusal.error.aadsts().error, "invalid_request");
                    assert_eq!(refusal.reply_to.response_mode, back, "{types} {mode}");
                }
                (read, _) => panic!("{types} {mode}: {read:?}"),
            }
        }
        let (error, reply_to) = refused("response_type=code+id_token");
        assert_eq!((error, reply_to.response_mode), (AuthorizeError::Missing("nonce"), ResponseMode::Fragment));
    }

    #[test]
    fn b61_a_request_object_is_neither_read_nor_fetched() {
        for name in ["request", "request_uri"] {
            let (error, _) = refused(&format!("response_type=code&{name}=https%3A%2F%2Fevil.example%2Fr"));
            assert_eq!(error, AuthorizeError::NotSupported(name));
            assert_eq!((error.aadsts().code, error.insertion()), (901_002, Some(("name", name))));
        }
    }

    #[test]
    fn b29_a_challenge_is_checked_before_anybody_signs_in() {
        for (more, fault) in [
            ("code_challenge=short", PkceError::ChallengeInvalid),
            ("code_challenge_method=S256", PkceError::ChallengeMissing),
            (&format!("code_challenge={CHALLENGE}&code_challenge_method=S1"), PkceError::MethodUnknown),
        ] {
            assert_eq!(refused(&format!("response_type=code&{more}")).0, AuthorizeError::Pkce(fault), "{more}");
        }
        let plain = parse(&format!("response_type=code&code_challenge={CHALLENGE}")).unwrap();
        assert_eq!(plain.code_challenge.unwrap().method(), CodeChallengeMethod::Plain);
    }

    #[test]
    fn each_other_fault_has_its_code() {
        for (more, code, word) in [
            ("", 900_144, "invalid_request"),
            ("response_type=", 900_144, "invalid_request"),
            ("response_type=code+token", 70_005, "unsupported_response_type"),
            ("response_type=device", 70_005, "unsupported_response_type"),
            ("response_type=code&max_age=-1", 90_100, "invalid_request"),
            ("response_type=code&max_age=%2B1", 90_100, "invalid_request"),
            ("response_type=code&max_age=99999999999", 90_100, "invalid_request"),
            ("response_type=code&claims=cp1", 90_100, "invalid_request"),
        ] {
            let (error, _) = refused(more);
            assert_eq!((error.aadsts().code, error.aadsts().error), (code, word), "{more}");
            assert_eq!(error.aadsts().insertions().next(), error.insertion().map(|(name, _)| name), "{more}");
        }
        let refusal = AuthorizeRequest::parse(b"response_type=code&redirect_uri=https://a.example").unwrap_err();
        assert_eq!((&refusal.error, refusal.reply_to.client_id), (&AuthorizeError::Missing("client_id"), None));
        let (error, reply_to) = refused("response_type=%zz");
        assert_eq!(error, AuthorizeError::Form(FormError::InvalidPercentEncoding));
        assert!(reply_to.is_ambiguous && reply_to.redirect_uri.is_none(), "what cannot be read is redirected nowhere");
    }
}
