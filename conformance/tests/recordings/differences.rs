//! The known differences, each with its reason.

use std::path::Path;

use serde_json::Value;

use crate::exchange::Exchange;

/// The entries of `differences.json`, and which of them were met.
pub(crate) struct Differences(Vec<(Value, bool)>);

impl Differences {
    pub(crate) fn read() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/differences.json");
        let text = std::fs::read_to_string(file).unwrap();
        let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
        for entry in &entries {
            assert!(entry["reason"].as_str().is_some_and(|reason| reason.len() > 20), "a reason is missing: {entry}");
        }
        Self(entries.into_iter().map(|entry| (entry, false)).collect())
    }

    /// Whether an entry explains this difference: its `what` is how the difference begins, and the recording is one of
    /// `ids`, if there are any, of the `topic`, and older than `before`, if those are there. An empty `what` stands for
    /// every difference of its `ids`.
    pub(crate) fn explain(&mut self, exchange: &Exchange, found: &str) -> bool {
        let date = exchange.date();
        let fitting = self.0.iter_mut().find(|(entry, _)| {
            let what = entry["what"].as_str().unwrap_or_default();
            let ids = entry["ids"].as_array();
            found.starts_with(what)
                && (!what.is_empty() || ids.is_some())
                && ids.is_none_or(|ids| ids.iter().any(|id| id == exchange.id()))
                && entry["before"].as_str().is_none_or(|before| date.as_str() < before)
                && entry["topic"].as_str().is_none_or(|topic| topic == exchange.topic())
        });
        fitting.map(|(_, met)| *met = true).is_some()
    }

    /// Entries that explained nothing.
    pub(crate) fn unused(&self) -> Vec<&Value> {
        self.0.iter().filter(|(_, met)| !met).map(|(entry, _)| entry).collect()
    }
}
