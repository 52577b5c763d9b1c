//! [`Policies`]: what every authority's policy and every route's rule say at one moment, replaced whole.

use std::sync::Arc;

use countersign_token::{Claims, PolicyError, Rejection, Validator};

use crate::Rule;
use crate::rule::Kind;

pub(crate) struct Policies {
    pub(crate) revision: u64,
    /// One for each authority, in the same order.
    validators: Box<[Validator]>,
    /// Every rule that was registered; the first is the policy's own.
    rules: Vec<Arc<Rule>>,
}

impl Policies {
    pub(super) fn new(validators: Box<[Validator]>, own: Arc<Rule>) -> Self {
        Self { revision: 1, validators, rules: vec![own] }
    }

    pub(super) fn with_rule(&self, rule: Arc<Rule>) -> Result<Self, PolicyError> {
        self.validators.iter().try_for_each(|validator| resolves(&rule, validator))?;
        let mut rules = self.rules.clone();
        rules.push(rule);
        Ok(Self { revision: self.revision + 1, validators: self.validators.clone(), rules })
    }

    pub(super) fn with_validators(&self, validators: Box<[Validator]>) -> Result<Self, PolicyError> {
        if validators.len() != self.validators.len() {
            return Err(PolicyError::Count { wanted: self.validators.len(), given: validators.len() });
        }
        for rule in &self.rules {
            validators.iter().try_for_each(|validator| resolves(rule, validator))?;
        }
        Ok(Self { revision: self.revision + 1, validators, rules: self.rules.clone() })
    }

    pub(super) fn rules(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn validators(&self) -> &[Validator] {
        &self.validators
    }

    pub(crate) fn validator(&self, authority: usize) -> &Validator {
        &self.validators[authority]
    }

    /// Whether nobody can pass under any authority's policy.
    #[cfg(feature = "axum")]
    pub(crate) fn lets_nobody_in(&self, rule: &Rule) -> bool {
        self.validators.iter().all(|validator| rule.lets_nobody_in(validator))
    }

    /// The number of a rule without conditions of its own that was registered before.
    pub(super) fn known(&self, rule: &Rule) -> Option<(usize, &Arc<Rule>)> {
        self.rules.iter().enumerate().find(|(_, known)| known.is_same(rule))
    }

    /// What the rule and the policy say. The policy's demands on who calls bind under every rule.
    pub(super) fn check(&self, authority: usize, rule: &Rule, caller: &Claims) -> Result<(), Rejection> {
        rule.check(&self.validators[authority], caller)
    }
}

fn resolves(rule: &Rule, validator: &Validator) -> Result<(), PolicyError> {
    match &rule.kind {
        Kind::Named(name) if validator.named(name).is_none() => Err(PolicyError::UnknownPermission(name.to_string())),
        _ => Ok(()),
    }
}
