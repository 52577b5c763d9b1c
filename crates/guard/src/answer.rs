//! [`Answer`]: what a refused caller is told.

use countersign_protocol::{BearerChallenge, BearerError};
use countersign_token::Rejection;
use http::{HeaderValue, StatusCode};

use crate::credential::CredentialError;
use crate::verifier::Denied;
use crate::{Refusal, RegisteredRule, Verifier};

/// What a refused caller is told: a status, and the one header that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 400, 401, 403 or 503.
    pub status: StatusCode,
    /// `WWW-Authenticate`; none with 503.
    pub www_authenticate: Option<HeaderValue>,
    /// `Retry-After`, in seconds; with 503 only.
    pub retry_after: Option<u32>,
}

/// What every `WWW-Authenticate` value begins with, and those that are always the same, written once. Their texts tell a
/// caller what to do, not what the guard found.
pub(crate) struct Challenges {
    opening: BearerChallenge,
    missing: HeaderValue,
    malformed: HeaderValue,
    invalid: HeaderValue,
    expired: HeaderValue,
    stranger: HeaderValue,
    /// What stands behind `Bearer` in each: the other schemes that the API takes.
    others: String,
}

/// Whether the client announced that it understands claims challenges (`xms_cc` with `cp1`). Others must not be sent one.
///
/// Source: Microsoft identity platform, "Claims challenges, claims requests, and client capabilities".
fn answers_challenges(denied: &Denied) -> bool {
    let Some(serde_json::Value::Array(capabilities)) = denied.caller.as_deref().and_then(|it| it.claim("xms_cc"))
    else {
        return false;
    };
    capabilities.iter().any(|it| it.as_str().is_some_and(|it| it.eq_ignore_ascii_case("cp1")))
}

impl Challenges {
    pub(crate) fn new(opening: BearerChallenge, others: String) -> Self {
        let bare = |error, text| write(opening.clone(), error, text, &others);
        Self {
            missing: bare(None, ""),
            malformed: bare(
                Some(BearerError::InvalidRequest),
                "Send exactly one Authorization header: the word Bearer and one access token.",
            ),
            invalid: bare(Some(BearerError::InvalidToken), "The access token is not valid for this API."),
            expired: bare(Some(BearerError::InvalidToken), "The access token has expired."),
            stranger: bare(Some(BearerError::InsufficientScope), "The API does not admit this caller here."),
            opening,
            others,
        }
    }

    /// What the caller is told of a refusal. It names permissions that would help, and nothing else that the guard found.
    pub(crate) fn answer(&self, verifier: &Verifier, denied: &Denied, rule: &RegisteredRule) -> Answer {
        let status = denied.refusal.status();
        let told = |status, value| Answer { status, www_authenticate: Some(value), retry_after: None };
        match &denied.refusal {
            Refusal::Credential(CredentialError::Missing) => told(status, self.missing.clone()),
            Refusal::Credential(_) => told(status, self.malformed.clone()),
            Refusal::Token(Rejection::Expired) => told(status, self.expired.clone()),
            Refusal::Token(Rejection::RoleMissing | Rejection::ScopeMissing | Rejection::NoPermission) => {
                told(status, self.forbidden(verifier, denied, rule))
            }
            Refusal::Token(Rejection::AuthenticationContextMissing) => {
                match Self::context_challenge(verifier, denied, rule) {
                    Some(claims) => told(status, self.claims(&claims)),
                    // Nothing that this caller could understand would help him.
                    None => told(StatusCode::FORBIDDEN, self.stranger.clone()),
                }
            }
            Refusal::Revoked(since) if answers_challenges(denied) => {
                let since = since.0;
                let claims = format!(r#"{{"access_token":{{"nbf":{{"essential":true,"value":"{since}"}}}}}}"#);
                told(status, self.claims(&claims))
            }
            Refusal::Predicate(_) => told(status, self.stranger.clone()),
            Refusal::Binding(error) if error.is_ours() => {
                Answer { status, www_authenticate: None, retry_after: Some(5) }
            }
            // No permission would help these callers: it is they who are not wanted.
            Refusal::Token(rejection) if rejection.is_forbidden() => told(status, self.stranger.clone()),
            Refusal::Token(_) | Refusal::Binding(_) | Refusal::Revoked(_) => told(status, self.invalid.clone()),
            Refusal::ForeignRule => Answer { status, www_authenticate: None, retry_after: None },
            Refusal::Keys(_) | Refusal::KeyUnconfirmed(_) | Refusal::GroupsUnavailable => {
                Answer { status, www_authenticate: None, retry_after: Some(5) }
            }
        }
    }

    /// The challenge for callers that lack what the rule wants.
    fn forbidden(&self, verifier: &Verifier, denied: &Denied, rule: &RegisteredRule) -> HeaderValue {
        let policies = verifier.policies();
        let Some(permission) = rule.rule().permission(policies.validator(denied.authority)) else {
            return self.stranger.clone();
        };
        let any: Vec<&str> = permission.scopes.iter().chain(&permission.app_roles).map(String::as_str).collect();
        let all: Vec<&str> =
            permission.all_scopes.iter().chain(&permission.all_app_roles).map(String::as_str).collect();
        let text = match (any.as_slice(), all.as_slice()) {
            ([], []) => return self.stranger.clone(),
            (any, []) => format!("The caller needs one of: {}.", any.join(", ")),
            ([], all) => format!("The caller needs all of: {}.", all.join(", ")),
            (any, all) => format!("The caller needs one of: {}; and all of: {}.", any.join(", "), all.join(", ")),
        };
        self.write(Some(BearerError::InsufficientScope), &text)
    }

    /// What the next token request must ask for so that the sign-in satisfies the context that was missing.
    fn context_challenge(verifier: &Verifier, denied: &Denied, rule: &RegisteredRule) -> Option<String> {
        let caller = denied.caller.as_deref().filter(|_| answers_challenges(denied))?;
        let policies = verifier.policies();
        let validator = policies.validator(denied.authority);
        let missing = validator.permission().missing_context(caller);
        let context = missing.or_else(|| rule.rule().permission(validator)?.missing_context(caller))?;
        let claims = serde_json::json!({"access_token": {"acrs": {"essential": true, "value": context}}});
        Some(claims.to_string())
    }

    fn write(&self, error: Option<BearerError>, text: &str) -> HeaderValue {
        write(self.opening.clone(), error, text, &self.others)
    }

    /// A claims challenge, as Entra's own APIs write it.
    fn claims(&self, claims: &str) -> HeaderValue {
        let challenge = self.opening.clone().error(BearerError::InsufficientClaims).claims(claims);
        HeaderValue::try_from(challenge.to_header_value()).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }
}

fn write(mut challenge: BearerChallenge, error: Option<BearerError>, text: &str, others: &str) -> HeaderValue {
    if let Some(error) = error {
        challenge = challenge.error(error).error_description(text);
    }
    // Challenges are written from our own texts; a role with letters that no header can carry loses the description.
    let challenge = format!("{}{others}", challenge.to_header_value());
    HeaderValue::try_from(challenge).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}
