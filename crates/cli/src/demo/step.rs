//! A step of the story, what was seen when it was played, and whether that is what should have been.

use std::pin::Pin;

use serde_json::{Map, Value};

use super::error::DemoError;
use super::wire::{Exchange, Field};
use super::world::World;

/// What playing a step returns.
pub(crate) type Played<'a> = Pin<Box<dyn Future<Output = Result<Scene, DemoError>> + Send + 'a>>;

/// One step: all of it is data but [`Step::play`].
pub(crate) struct Step {
    /// A short name for programs, stable.
    pub(crate) name: &'static str,
    /// The heading.
    pub(crate) title: &'static str,
    /// One or two plain sentences for somebody who never saw OAuth.
    pub(crate) story: &'static str,
    /// What [`Scene::got`] must be, letter for letter.
    pub(crate) expected: &'static str,
    /// Does it.
    pub(crate) play: for<'a> fn(&'a mut World) -> Played<'a>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    /// What was sent and came back; a step may put in what it shortened, the rest is added from the wire.
    pub(crate) exchanges: Vec<Exchange>,
    /// What else is worth seeing.
    pub(crate) details: Vec<Detail>,
    /// The outcome in a few words, made from what came back.
    pub(crate) got: String,
}

/// Something to show beside what travelled.
#[derive(Debug)]
pub(crate) enum Detail {
    /// Names and values under a heading.
    Fields(&'static str, Vec<Field>),
    /// A token's claims, each explained.
    Claims(Map<String, Value>),
    /// A remark.
    Note(String),
}

impl Scene {
    /// A scene with this outcome.
    pub(crate) fn new(got: impl Into<String>) -> Self {
        Self { got: got.into(), ..Self::default() }
    }

    /// Adds something to show.
    pub(crate) fn with(mut self, detail: Detail) -> Self {
        self.details.push(detail);
        self
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) got: String,
}

impl Outcome {
    /// Whether the step came out as it should.
    pub(crate) fn is_ok(&self) -> bool {
        self.got == self.expected
    }
}

/// Whether the whole story went as it should: every step was played and came out as expected.
pub(crate) fn all_went_well(outcomes: &[Outcome], steps: usize) -> bool {
    outcomes.len() == steps && outcomes.iter().all(Outcome::is_ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(expected: &'static str, got: &str) -> Outcome {
        Outcome { name: "call", title: "A call", expected, got: got.to_owned() }
    }

    #[test]
    fn one_wrong_outcome_is_a_failure() {
        let right = outcome("401", "401");
        assert!(all_went_well(&[right.clone(), right.clone()], 2));
        assert!(!all_went_well(&[right.clone(), outcome("401", "200")], 2), "a wrong outcome");
        assert!(!all_went_well(&[right.clone(), outcome("401", "401 ")], 2), "letter for letter");
        assert!(!all_went_well(&[right], 2), "a step that was not played");
        assert!(!all_went_well(&[], 1));
    }
}
