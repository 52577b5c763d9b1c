//! Why a handler does not get its caller, whatever the framework.

/// Why a caller could not be extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallerRejection {
    /// No guard stands in front of this handler: a fault of the service, not of the caller.
    #[error("no countersign_guard::GuardLayer stands in front of this handler")]
    NoGuard,
    /// The caller lacks what the handler asks for: this app role or scope, where the requirement names one.
    #[error("the caller lacks the permission that this handler asks for{}", .0.map(|it| format!(": {it}")).unwrap_or_default())]
    Lacking(Option<&'static str>),
}
