//! What came of one token, as JSON writes it.

use std::borrow::Cow;

use countersign_guard::Refusal;
use countersign_token::{Claims, ClientId, ObjectId, Rejection, TenantId, TokenKind, TokenVersion, Verified};
use serde::Serialize;

use crate::exit::Exit;

/// One answer. Of a refused token it says nothing but the rule: its claims are a stranger's words.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict<'a> {
    pub(crate) valid: bool,
    /// The stable code: `ok`, a [`Rejection::code`], `keys_unavailable`, or `line_…` for lines without a token.
    pub(crate) reason: &'static str,
    /// The rule in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<Cow<'static, str>>,
    /// The claim or member that the rule is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<&'static str>,
    /// What a guard would answer: 401, 403, 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<Caller<'a>>,
}

/// Who calls, from verified claims.
#[derive(Debug, Serialize)]
pub(crate) struct Caller<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) client: ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) object_id: Option<ObjectId>,
    pub(crate) kind: TokenKind,
    pub(crate) version: TokenVersion,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) scopes: Vec<&'a str>,
    pub(crate) expires_at: i64,
    pub(crate) key_id: &'a str,
}

impl<'a> Verdict<'a> {
    pub(crate) fn valid(claims: &'a Verified<Claims>) -> Self {
        let caller = Caller {
            tenant: claims.tenant(),
            client: claims.client(),
            object_id: claims.object_id(),
            kind: claims.kind(),
            version: claims.version(),
            roles: claims.roles().collect(),
            scopes: claims.scopes().collect(),
            expires_at: claims.expires_at().0,
            key_id: claims.key_id(),
        };
        Self { valid: true, reason: "ok", detail: None, subject: None, status: None, caller: Some(caller) }
    }

    fn refused(reason: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { valid: false, reason, detail: Some(detail.into()), subject: None, status: None, caller: None }
    }

    pub(crate) fn rejected(rejection: &Rejection) -> Self {
        let status = if rejection.is_forbidden() { 403 } else { 401 };
        Self {
            subject: rejection.subject(),
            status: Some(status),
            ..Self::refused(rejection.code(), rejection.to_string())
        }
    }

    pub(crate) fn of_guard(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Token(rejection) => Self::rejected(rejection),
            other => Self { status: Some(other.status().as_u16()), ..Self::refused(other.code(), other.to_string()) },
        }
    }

    pub(crate) fn line_empty() -> Self {
        Self::refused("line_empty", "the line is empty")
    }

    pub(crate) fn line_not_utf8() -> Self {
        Self::refused("line_not_utf8", "the line is not text in UTF-8")
    }

    pub(crate) fn line_malformed() -> Self {
        Self::refused("line_malformed", "the line is not a JSON object with one member token that is a string")
    }

    pub(crate) fn line_too_long() -> Self {
        Self { status: Some(401), ..Self::refused(Rejection::TooLarge.code(), "the line is longer than 1 MiB") }
    }

    pub(crate) fn exit(&self) -> Exit {
        match (self.valid, self.status) {
            (true, _) => Exit::Done,
            (false, Some(503)) => Exit::Unreachable,
            (false, _) => Exit::Refused,
        }
    }
}
