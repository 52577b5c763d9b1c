//! [`Caller`]: the verified caller as an axum extractor, with what it must hold as a type.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use countersign_protocol::{BearerChallenge, BearerError};
use countersign_token::{Claims, TokenKind, Verified};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::{CallerRejection, VerifiedCaller, decision_log};

/// What a handler asks of its caller, beyond the route's permission.
///
/// Implemented for every [`AppRole`], for [`Scope`] by way of [`ByScope`], and for `()`, which asks nothing more.
pub trait Requirement {
    /// Whether the caller meets it.
    fn is_met_by(caller: &Verified<Claims>) -> bool;

    /// The app role or scope that a refused caller is told to come back with; none if no single one would help.
    fn value() -> Option<&'static str> {
        None
    }
}

/// An application permission, as a type. Only applications' own tokens meet it.
pub trait AppRole {
    /// The role's `value`, as it stands in `roles`.
    const VALUE: &'static str;
}

/// A delegated permission, as a type. Only users' tokens meet it; use it as `Caller<ByScope<MyScope>>`.
pub trait Scope {
    /// The scope's `value`, as it stands in `scp`.
    const VALUE: &'static str;
}

/// The [`Requirement`] of a [`Scope`].
#[derive(Debug)]
pub struct ByScope<S>(PhantomData<S>);

impl Requirement for () {
    fn is_met_by(_: &Verified<Claims>) -> bool {
        true
    }
}

impl<R: AppRole> Requirement for R {
    fn is_met_by(caller: &Verified<Claims>) -> bool {
        caller.kind() == TokenKind::App && caller.roles().any(|role| role == R::VALUE)
    }

    fn value() -> Option<&'static str> {
        Some(R::VALUE)
    }
}

impl<S: Scope> Requirement for ByScope<S> {
    fn is_met_by(caller: &Verified<Claims>) -> bool {
        caller.kind() == TokenKind::User && caller.scopes().any(|scope| scope == S::VALUE)
    }

    fn value() -> Option<&'static str> {
        Some(S::VALUE)
    }
}

/// The caller whom the guard let in, and who meets `P`.
///
/// Extracting it where no guard stands answers 500 and names the missing layer; a caller that lacks `P` gets 403 with the role or scope that is
/// missing.
pub struct Caller<P = ()> {
    caller: VerifiedCaller,
    requirement: PhantomData<P>,
}

impl<P> fmt::Debug for Caller<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(&*self.caller).finish()
    }
}

impl<P> Deref for Caller<P> {
    type Target = Verified<Claims>;

    fn deref(&self) -> &Verified<Claims> {
        &self.caller
    }
}

impl IntoResponse for CallerRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NoGuard => (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response(),
            Self::Lacking(value) => {
                let text = match value {
                    Some(value) => format!("The caller needs one of: {value}."),
                    None => "The API does not admit this caller here.".to_owned(),
                };
                let challenge = BearerChallenge::new().error(BearerError::InsufficientScope).error_description(&text);
                let challenge = HeaderValue::try_from(challenge.to_header_value())
                    .unwrap_or_else(|_| HeaderValue::from_static("Bearer error=\"insufficient_scope\""));
                (StatusCode::FORBIDDEN, [(http::header::WWW_AUTHENTICATE, challenge)]).into_response()
            }
        }
    }
}

impl<S: Send + Sync, P: Requirement> FromRequestParts<S> for Caller<P> {
    type Rejection = CallerRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, CallerRejection> {
        let Some(caller) = parts.extensions.get::<VerifiedCaller>().cloned() else {
            decision_log::no_guard();
            return Err(CallerRejection::NoGuard);
        };
        if !P::is_met_by(&caller) {
            decision_log::lacking(&caller);
            return Err(CallerRejection::Lacking(P::value()));
        }
        Ok(Self { caller, requirement: PhantomData })
    }
}
