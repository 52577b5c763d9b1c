//! [`DevelopmentBypass`]: a guard that takes every request for that of one made-up caller, on a laptop.
//!
//! It is a type of its own, so that a review finds it and no flag turns it on. What the made-up caller may do is decided
//! like everybody's: its token is signed by a key of this process and verified under the service's own policy, so a 403
//! stays a 403. A release build refuses it unless a variable with an ugly name is set; it says what it is at start and in
//! every answer, 200 and 403 alike.

use countersign_token::{Clock as _, Policy, PolicyError, SystemClock, TokenKind};
use http::header::HeaderName;
use http::{HeaderValue, Response};
use serde_json::Value;

use crate::Guard;
use crate::forge::{Forge, ForgeError};
use crate::guard::Bypass;

/// The variable that a release build asks for, and the value it must have.
const VARIABLE: &str = "COUNTERSIGN_LET_EVERYBODY_IN_WITHOUT_A_TOKEN";
const VALUE: &str = "yes, everybody";

/// The header in every answer.
const MARK: &str = "x-countersign-bypass";
const MARK_VALUE: &str = "development: no caller was authenticated";

/// The bypass was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BypassError {
    /// This is a release build, and nobody set the variable.
    #[error("a release build does not let everybody in; who means it sets {VARIABLE}={VALUE:?}")]
    ReleaseBuild,
    /// The policy cannot be kept.
    #[error("the policy cannot be kept")]
    Policy(#[from] PolicyError),
    /// No token fits the policy, or none could be made.
    #[error("no token can be made for the made-up caller")]
    Token(#[from] ForgeError),
}

/// The made-up caller of a bypassed guard.
///
/// ```
/// use countersign_guard::{DevelopmentBypass, Policy};
///
/// let policy: Policy = serde_json::from_str(r#"{
///     "tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"],
///     "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0"],
///     "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
///     "app_roles": ["Orders.Read"]
/// }"#)?;
/// let guard = DevelopmentBypass::as_application(&["Orders.Read"]).build(&policy)?;
/// # drop(guard);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct DevelopmentBypass {
    kind: TokenKind,
    granted: Vec<String>,
    claims: Vec<(String, Value)>,
}

impl DevelopmentBypass {
    /// Every request is an application's with these app roles.
    pub fn as_application(roles: &[&str]) -> Self {
        Self::new(TokenKind::App, roles)
    }

    /// Every request is a user's with these scopes.
    pub fn as_user(scopes: &[&str]) -> Self {
        Self::new(TokenKind::User, scopes)
    }

    fn new(kind: TokenKind, granted: &[&str]) -> Self {
        Self { kind, granted: granted.iter().map(|&text| text.to_owned()).collect(), claims: Vec::new() }
    }

    /// With another claim, `oid` for instance.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.push((name.to_owned(), value.into()));
        self
    }

    /// Builds the guard, and says so as a warning. Credentials that requests bring are not looked at.
    ///
    /// # Errors
    /// [`BypassError::ReleaseBuild`] in a release build, unless the variable that it names is set.
    pub fn build(self, policy: &Policy) -> Result<Guard, BypassError> {
        #[expect(clippy::disallowed_methods, reason = "the one variable that a library of this house reads")]
        let meant = std::env::var(VARIABLE).is_ok_and(|value| value == VALUE);
        self.build_if(!cfg!(debug_assertions), meant, policy)
    }

    fn build_if(self, is_release: bool, meant: bool, policy: &Policy) -> Result<Guard, BypassError> {
        if is_release && !meant {
            return Err(BypassError::ReleaseBuild);
        }
        let forge = Forge::new(policy)?;
        let mut claims = forge.claims(self.kind, SystemClock.now().as_unix_seconds())?;
        match self.kind {
            TokenKind::App => claims.insert("roles".to_owned(), self.granted.into()),
            TokenKind::User => claims.insert("scp".to_owned(), self.granted.join(" ").into()),
        };
        claims.insert("exp".to_owned(), 253_402_300_799_i64.into());
        claims.extend(self.claims);
        let token = forge.sign(&claims)?;
        tracing::warn!(
            target: "countersign_guard::bypass",
            "THE GUARD IS BYPASSED: every request is let in as one made-up caller. Never do this where anybody else can \
             reach the service."
        );
        Ok(Guard::builder(forge.keys()?, policy)?.build_with(Some(Bypass { token })))
    }
}

/// Says in an answer of a bypassed guard what it is.
pub(crate) fn mark<B>(guard: &Guard, response: &mut Response<B>) {
    if let Some((name, value)) = header(guard) {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// The header that says so.
pub(crate) fn header(guard: &Guard) -> Option<(&'static str, &'static str)> {
    guard.is_bypassed().then_some((MARK, MARK_VALUE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_build_refuses_unless_somebody_means_it() {
        let policy: Policy = serde_json::from_value(serde_json::json!({
            "tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"], "audiences": ["api://x"],
            "issuers": ["https://sts.windows.net/{tenantid}/"]
        }))
        .unwrap();
        let bypass = || DevelopmentBypass::as_application(&["r"]);
        let error = bypass().build_if(true, false, &policy).unwrap_err();
        assert!(matches!(error, BypassError::ReleaseBuild));
        assert!(error.to_string().contains(VARIABLE) && error.to_string().contains(VALUE), "{error}");
        assert!(bypass().build_if(true, true, &policy).is_ok());
        assert!(bypass().build_if(false, false, &policy).is_ok());
        let nobody = bypass().build_if(false, false, &Policy { tenants: Vec::new(), ..policy }).unwrap_err();
        assert!(matches!(nobody, BypassError::Token(ForgeError::Nobody("tenants"))), "{nobody:?}");
    }
}
