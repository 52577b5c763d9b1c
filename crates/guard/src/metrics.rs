//! One counter for decisions, in the words of the decision log.
//!
//! With the feature `opentelemetry` it is `countersign.guard.decisions` of the program's global meter provider, with the
//! attributes `decision` (`admitted`, `refused`, `unavailable`) and `reason` (the stable code). Nothing that a stranger
//! sends becomes an attribute, so that nobody can make series up. Set the provider before the first request: the counter
//! belongs to the one that is global then. Without the feature nothing is counted.

#[cfg(feature = "opentelemetry")]
pub(crate) fn count(decision: &'static str, reason: &'static str) {
    use opentelemetry::KeyValue;
    use opentelemetry::metrics::Counter;
    use std::sync::LazyLock;

    static DECISIONS: LazyLock<Counter<u64>> = LazyLock::new(|| {
        opentelemetry::global::meter("countersign-guard")
            .u64_counter("countersign.guard.decisions")
            .with_description("Requests that were decided about, by decision and reason")
            .build()
    });
    if reason.is_empty() {
        DECISIONS.add(1, &[KeyValue::new("decision", decision)]);
    } else {
        DECISIONS.add(1, &[KeyValue::new("decision", decision), KeyValue::new("reason", reason)]);
    }
}

#[cfg(not(feature = "opentelemetry"))]
#[inline]
pub(crate) fn count(_decision: &'static str, _reason: &'static str) {}
