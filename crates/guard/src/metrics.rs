//! One counter for decisions, in the words of the decision log.
//!
//! With the feature `opentelemetry` it is `countersign.guard.decisions` of the program's global meter provider, with the
//! attributes `decision` (`admitted`, `refused`, `unavailable`) and `reason` (the stable code). Nothing that a stranger
//! sends becomes an attribute, so that nobody can make series up. Set the provider before the first request: the counter
//! belongs to the one that is global then. Without the feature nothing is counted.

#[cfg(feature = "opentelemetry")]
mod instrument {
    use std::sync::LazyLock;

    use opentelemetry::KeyValue;
    use opentelemetry::metrics::Counter;

    pub(super) struct Decisions {
        pub(super) counter: Counter<u64>,
        /// Those of nearly every request, made once.
        pub(super) admitted: [KeyValue; 1],
    }

    pub(super) static DECISIONS: LazyLock<Decisions> = LazyLock::new(|| Decisions {
        counter: opentelemetry::global::meter("countersign-guard")
            .u64_counter("countersign.guard.decisions")
            .with_description("Requests that were decided about, by decision and reason")
            .build(),
        admitted: [KeyValue::new("decision", "admitted")],
    });
}

/// Somebody was let in.
#[cfg(feature = "opentelemetry")]
pub(crate) fn admitted() {
    let decisions = &*instrument::DECISIONS;
    decisions.counter.add(1, &decisions.admitted);
}

/// Somebody was not.
#[cfg(feature = "opentelemetry")]
pub(crate) fn turned_away(decision: &'static str, reason: &'static str) {
    use opentelemetry::KeyValue;
    let attributes = [KeyValue::new("decision", decision), KeyValue::new("reason", reason)];
    instrument::DECISIONS.counter.add(1, &attributes);
}

#[cfg(not(feature = "opentelemetry"))]
#[inline]
pub(crate) fn admitted() {}

#[cfg(not(feature = "opentelemetry"))]
#[inline]
pub(crate) fn turned_away(_decision: &'static str, _reason: &'static str) {}
