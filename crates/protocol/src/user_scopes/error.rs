//! What is wrong with a request's scope, and which code says so where.

use super::MAX_SCOPES;
use crate::aadsts::AadSts;
use crate::scope::ResourceIdentifierError;

/// A `scope` or `resource` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserScopeError {
    /// v2.0 without `scope`.
    #[error("no scope was given")]
    Missing,
    /// Characters that no scope may hold, a resource without a permission, or a scope that is too long.
    #[error("a scope is malformed")]
    Malformed(String),
    /// More than [`MAX_SCOPES`].
    #[error("there are more than {MAX_SCOPES} scopes")]
    TooMany,
    /// `.default` beside named scopes of the same resource.
    #[error("the .default scope is combined with named scopes of its resource")]
    DefaultCombined(String),
    /// More than one resource.
    #[error("the scope names more than one resource")]
    SeveralResources(String),
    /// `resource` at the v2.0 endpoint.
    #[error("the parameter 'resource' belongs to the v1.0 endpoint")]
    ResourceParameter,
    /// v1.0's `resource` is no identifier.
    #[error("the resource is malformed")]
    Resource(#[source] ResourceIdentifierError),
}

impl UserScopeError {
    /// What the token endpoint answers.
    #[must_use]
    pub const fn aadsts(&self) -> &'static AadSts {
        match self {
            Self::Missing => AadSts::MISSING_PARAMETER,
            Self::Malformed(_) => AadSts::INVALID_SCOPE,
            Self::TooMany => AadSts::TOO_MANY_SCOPES,
            Self::DefaultCombined(_) => AadSts::DEFAULT_SCOPE_COMBINED,
            Self::SeveralResources(_) => AadSts::SEVERAL_RESOURCES,
            Self::ResourceParameter => AadSts::RESOURCE_PARAMETER_NOT_SUPPORTED,
            Self::Resource(_) => AadSts::RESOURCE_NOT_FOUND,
        }
    }

    /// What the authorization endpoint answers: AADSTS700022 in place of 28000.
    #[must_use]
    pub const fn aadsts_at_authorize(&self) -> &'static AadSts {
        match self {
            Self::SeveralResources(_) => AadSts::SEVERAL_RESOURCES_AT_AUTHORIZE,
            _ => self.aadsts(),
        }
    }

    /// The insertion that goes with both, if the text has one that is known here. That of an unknown resource needs the
    /// tenant too.
    #[must_use]
    pub fn insertion(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Missing => Some(("name", "scope")),
            Self::Malformed(scope) | Self::DefaultCombined(scope) | Self::SeveralResources(scope) => {
                Some(("scope", scope))
            }
            Self::TooMany | Self::ResourceParameter | Self::Resource(_) => None,
        }
    }
}
