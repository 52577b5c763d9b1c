//! One event per decision, with a stable reason and never the token; and one count, see `metrics.rs`.

use countersign_token::{Claims, Verified};

use crate::{Refusal, metrics};

pub(crate) fn admitted(caller: &Verified<Claims>) {
    metrics::admitted();
    tracing::debug!(
        target: "countersign_guard::decision",
        decision = "admitted",
        tenant = %caller.tenant(),
        client = %caller.client(),
        token_id = caller.token_id().map(tracing::field::debug),
    );
}

/// `caller` is known when a genuine token lacked a permission.
pub(crate) fn refused(refusal: &Refusal, caller: Option<&Verified<Claims>>) {
    match refusal {
        Refusal::Keys(unavailable) => unavailable_event(refusal.code(), unavailable),
        Refusal::KeyUnconfirmed(_) | Refusal::GroupsUnavailable | Refusal::ForeignRule => {
            unavailable_event(refusal.code(), refusal);
        }
        Refusal::Binding(error) if error.is_ours() => unavailable_event(refusal.code(), error),
        Refusal::Token(rejection) => refusal_event(refusal.code(), rejection.subject(), caller),
        Refusal::Predicate(name) => refusal_event(refusal.code(), Some(name), caller),
        Refusal::Credential(_) | Refusal::Binding(_) | Refusal::Revoked(_) => {
            refusal_event(refusal.code(), None, caller);
        }
    }
}

/// A caller who passed the guard and lacks what a handler asks for besides.
#[cfg(feature = "axum")]
pub(crate) fn lacking(caller: &Verified<Claims>) {
    refusal_event("requirement_unmet", None, Some(caller));
}

/// A handler that asks for a caller where no guard stands.
#[cfg(feature = "axum")]
pub(crate) fn no_guard() {
    tracing::error!(
        target: "countersign_guard::decision",
        decision = "refused",
        reason = "no_guard",
        "a handler asks for its caller, and no countersign_guard::GuardLayer stands in front of it"
    );
}

fn unavailable_event(reason: &'static str, cause: &dyn std::fmt::Display) {
    metrics::turned_away("unavailable", reason);
    tracing::error!(target: "countersign_guard::decision", decision = "unavailable", reason, %cause);
}

fn refusal_event(reason: &'static str, subject: Option<&'static str>, caller: Option<&Verified<Claims>>) {
    metrics::turned_away("refused", reason);
    tracing::info!(
        target: "countersign_guard::decision",
        decision = "refused",
        reason,
        subject,
        tenant = caller.map(|caller| tracing::field::display(caller.tenant())),
        client = caller.map(|caller| tracing::field::display(caller.client())),
        token_id = caller.and_then(|caller| caller.token_id()).map(tracing::field::debug),
    );
}
