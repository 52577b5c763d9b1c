//! One event per decision, with a stable reason and never the token.

use countersign_token::{Claims, Verified};

use crate::Refusal;

pub(crate) fn admitted(caller: &Verified<Claims>) {
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
    let subject = match refusal {
        Refusal::Token(rejection) => rejection.subject(),
        _ => None,
    };
    if let Refusal::Keys(unavailable) = refusal {
        tracing::error!(
            target: "countersign_guard::decision",
            decision = "unavailable",
            reason = refusal.code(),
            cause = %unavailable,
        );
        return;
    }
    tracing::info!(
        target: "countersign_guard::decision",
        decision = "refused",
        reason = refusal.code(),
        subject,
        tenant = caller.map(|caller| tracing::field::display(caller.tenant())),
        client = caller.map(|caller| tracing::field::display(caller.client())),
        token_id = caller.and_then(|caller| caller.token_id()).map(tracing::field::debug),
    );
}
