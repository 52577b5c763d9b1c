//! A refusal on its way to the wire: a code of the catalogue and what fills its text.

use std::borrow::Cow;

use countersign_directory::StoreError;
use countersign_protocol::AadSts;

use crate::StartError;

/// Why a request gets no token. The text for the caller comes from the catalogue; what only the operator should know is
/// in `detail` and goes to the log.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) aadsts: &'static AadSts,
    pub(crate) insertions: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) detail: Option<Cow<'static, str>>,
    /// Answered in place of the catalogue's status: 413 for oversize, 405 and the like.
    pub(crate) status: Option<u16>,
    /// A claims challenge, JSON text: what the next sign-in must bring for this request to pass.
    pub(crate) claims: Option<String>,
}

impl Refused {
    pub(crate) fn new(aadsts: &'static AadSts) -> Self {
        Self { aadsts, insertions: Vec::new(), detail: None, status: None, claims: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.insertions.push((name, value.into()));
        self
    }

    pub(crate) fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub(crate) fn challenge(mut self, claims: impl Into<String>) -> Self {
        self.claims = Some(claims.into());
        self
    }

    /// A fault of this program or its surroundings, worth another try.
    pub(crate) fn transient(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(AadSts::TRANSIENT_ERROR).because(detail).status(503)
    }

    pub(crate) fn missing(parameter: &'static str) -> Self {
        Self::new(AadSts::MISSING_PARAMETER).with("name", parameter)
    }
}

impl From<StoreError> for Refused {
    /// The store's troubles are nobody's business outside: a transient error, worth another try.
    fn from(error: StoreError) -> Self {
        Self::transient(chain(&error))
    }
}

impl From<StartError> for Refused {
    /// Without a key nothing is signed, and the caller may try again.
    fn from(error: StartError) -> Self {
        Self::transient(chain(&error))
    }
}

/// An error and its causes in one line, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut detail = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        detail = format!("{detail}: {cause}");
        source = cause.source();
    }
    detail
}
