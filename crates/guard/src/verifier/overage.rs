//! Users who are in more groups than a token holds: somebody else is asked which, and then is decided.
//!
//! Asking takes time, and what was true before may not be after: keys, policies and clock are looked at again. A token
//! whose ground has shifted meanwhile is decided about by nobody; its sender is told to come again.

use std::sync::Arc;

use countersign_token::{Claims, NumericDate, Rejection, Verified};

use super::decision::{Decision, Denied, Facts, Pending, Stamp};
use super::{RegisteredRule, Verifier};
use crate::Refusal;

/// A genuine user whose groups are elsewhere, where a group is wanted.
pub(crate) struct Overage {
    pub(super) caller: Arc<Verified<Claims>>,
    pub(super) facts: Facts,
    pub(super) stamp: Stamp,
}

impl Overage {
    fn denied(self, refusal: impl Into<Refusal>) -> Denied {
        Denied { refusal: refusal.into(), caller: Some(self.caller), authority: self.stamp.authority }
    }
}

impl Pending {
    /// The refusal for those who cannot wait for groups; none if it is a key that is waited for.
    #[cfg(feature = "tonic")]
    pub(crate) fn without_groups(&self) -> Option<Denied> {
        match self {
            Self::Key(_) => None,
            Self::Groups(overage) => Some(Denied {
                refusal: Rejection::GroupOverage.into(),
                caller: Some(Arc::clone(&overage.caller)),
                authority: overage.stamp.authority,
            }),
        }
    }
}

impl Verifier {
    /// Asks for a user's groups and decides.
    pub(super) async fn resolve(&self, overage: Overage, rule: &RegisteredRule) -> Decision {
        // Nobody is asked about strangers.
        if !self.takes_tenant(&overage.caller, overage.facts) {
            return Err(overage.denied(Rejection::TenantNotAllowed));
        }
        let Some(resolver) = &self.hooks.groups else { return Err(overage.denied(Rejection::GroupOverage)) };
        let Some(groups) = resolver.groups(&overage.caller).await else {
            return Err(overage.denied(Refusal::GroupsUnavailable));
        };
        let now = self.clock.now();
        let policies = self.policies();
        let Stamp { authority, keys, revision } = overage.stamp;
        if policies.revision != revision || self.authorities[authority].keys.generation_at(now) != Some(keys) {
            return Err(overage.denied(Refusal::GroupsUnavailable));
        }
        let validator = policies.validator(authority);
        if let Err(rejection) = validator.check_times(&overage.caller, NumericDate(now.as_unix_seconds())) {
            return Err(overage.denied(rejection));
        }
        match rule.rule.check_with_groups(validator, &overage.caller, &groups) {
            Ok(()) => self.ask_hooks(Arc::clone(&overage.caller), overage.facts, authority, rule),
            Err(rejection) => Err(overage.denied(rejection)),
        }
    }
}
