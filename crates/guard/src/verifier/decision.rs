//! From a token to a decision, in three attempts: what is known already, what can be decided with the keys at hand, and
//! what must wait for keys, or for somebody's groups (`overage.rs`).
//!
//! Of several authorities each gives one of three answers: accepted, refused, or not mine. What an authority refuses after
//! it recognised the token as its own is final; what is nobody's is refused for the first reason given.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign_token::{Claims, KeySet, NumericDate, Rejection, Timestamp, UnverifiedJws, Verified, authenticate};

use super::overage::Overage;
use super::{RegisteredRule, Verifier};
use crate::Refusal;
use crate::text_digest::TextDigest;
use crate::verdict_cache::Verdict;

/// What one token and one rule come to.
pub(crate) type Decision = Result<Admitted, Denied>;

/// A caller who may pass.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) caller: Arc<Verified<Claims>>,
    /// Whether the token is bound to a key, which remains to be proven.
    pub(crate) bound: bool,
}

/// A refusal, and the caller, if it is known who was refused.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) refusal: Refusal,
    pub(crate) caller: Option<Arc<Verified<Claims>>>,
    /// Which authority recognised the caller.
    pub(crate) authority: usize,
}

impl<R: Into<Refusal>> From<R> for Denied {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), caller: None, authority: 0 }
    }
}

/// What comes of looking a token up.
pub(crate) enum Known {
    Decided(Decision),
    /// It was verified before, and the user's groups are elsewhere.
    Overage(Overage),
    /// It was not verified before, or not with these keys and policies. The digest finds it again once it was.
    Not(Option<TextDigest>),
}

/// What comes of deciding with what is at hand.
pub(crate) enum Now {
    Decided(Decision),
    Pending(Pending),
}

/// What must be asked for before a token can be decided about.
pub(crate) enum Pending {
    /// The key that it names. The digest finds the verdict again.
    Key(Option<TextDigest>),
    /// The user's groups.
    Groups(Overage),
}

/// What one authority makes of a token.
enum Judged {
    Decided(Decision),
    Overage(Overage),
}

/// Whose keys and which policies a verdict rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) authority: usize,
    pub(crate) keys: u64,
    pub(crate) revision: u64,
}

/// A token as it was sent, or as it was inside an encrypted one.
enum Opened<'a> {
    AsSent(&'a str),
    #[cfg(feature = "token-decryption")]
    Inside(countersign_token::DecryptedToken),
}

impl Opened<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::AsSent(token) => token,
            #[cfg(feature = "token-decryption")]
            Self::Inside(token) => token.as_str(),
        }
    }
}

/// Whether a refusal says that the token is another authority's, or nobody's.
fn is_not_mine(denied: &Denied) -> bool {
    matches!(
        denied.refusal,
        Refusal::Token(
            Rejection::UnknownKey
                | Rejection::SignatureInvalid
                | Rejection::AlgorithmNotAllowed
                | Rejection::KeyAlgorithmMismatch
                | Rejection::ThumbprintMismatch
                | Rejection::VersionNotAllowed
                | Rejection::TenantNotAllowed
                | Rejection::IssuerMismatch
                | Rejection::KeyIssuerMismatch
        )
    )
}

fn is_unknown_key(denied: &Denied) -> bool {
    matches!(denied.refusal, Refusal::Token(Rejection::UnknownKey))
}

/// Of two refusals by authorities that did not recognise the token, the one to report: that nobody can tell weighs most,
/// that nobody knows the key least.
fn weightier(first: Option<Denied>, second: Denied) -> Denied {
    let weight = |denied: &Denied| match denied.refusal {
        Refusal::Keys(_) | Refusal::KeyUnconfirmed(_) => 2,
        Refusal::Token(Rejection::UnknownKey) => 0,
        _ => 1,
    };
    match first {
        Some(first) if weight(&first) >= weight(&second) => first,
        _ => second,
    }
}

impl Verifier {
    /// Decides about a token that was verified before. Expiry, key and permission are asked anew.
    ///
    /// `token` may be any bytes: they only matter if they are a verified token's.
    pub(crate) fn decide_known(&self, token: &[u8], rule: &RegisteredRule) -> Known {
        if rule.verifier != self.id {
            return Known::Decided(Err(Refusal::ForeignRule.into()));
        }
        let Some(digest) = self.cache.digest(token) else { return Known::Not(None) };
        let Some(verdict) = self.cache.find(&digest) else { return Known::Not(Some(digest)) };
        let now = self.clock.now();
        let authority = verdict.authority as usize;
        if self.authorities[authority].keys.generation_at(now) != Some(verdict.keys)
            || self.revision.load(Ordering::Acquire) != verdict.revision
        {
            return Known::Not(Some(digest));
        }
        let seconds = now.as_unix_seconds();
        if seconds < verdict.valid_from || seconds >= verdict.valid_until {
            self.cache.forget(&digest);
            // The whole check says which of its times the token is out of.
            let times = self.policies().validator(authority).check_times(&verdict.caller, NumericDate(seconds));
            return match times {
                Err(rejection) => Known::Decided(Err(rejection.into())),
                Ok(()) => Known::Not(Some(digest)),
            };
        }
        if rule.id < 64 && verdict.granted >> rule.id & 1 == 1 {
            return Known::Decided(self.ask_hooks(verdict.caller, verdict.facts, authority, rule));
        }
        let policies = self.policies();
        if policies.revision != verdict.revision {
            return Known::Not(Some(digest));
        }
        let checked = policies.check(authority, &rule.rule, &verdict.caller);
        if checked.is_ok() && rule.id < 64 {
            // Of two threads that add a bit at once one may lose its own, and adds it the next time.
            self.cache.insert(digest, Verdict { granted: verdict.granted | 1 << rule.id, ..verdict.clone() });
        }
        let stamp = Stamp { authority, keys: verdict.keys, revision: verdict.revision };
        match self.conclude(checked, stamp, verdict.caller, verdict.facts, rule) {
            Judged::Overage(overage) => Known::Overage(overage),
            Judged::Decided(decision) => Known::Decided(decision),
        }
    }

    /// Decides with the keys at hand, unless others would have to be fetched first, or somebody's groups.
    ///
    /// Without any keys a token that no key could save is still refused as what it is, and costs nobody a fetch.
    pub(crate) fn decide_now(&self, token: &str, digest: Option<TextDigest>, rule: &RegisteredRule) -> Now {
        let opened = match self.open(token) {
            Ok(opened) => opened,
            Err(rejection) => return Now::Decided(Err(rejection.into())),
        };
        let token = opened.as_str();
        let now = self.clock.now();
        let mut first = None;
        let mut unknown = false;
        for (index, authority) in self.authorities.iter().enumerate() {
            let judged = match authority.keys.current() {
                Some(keys) => self.decide_with(token, digest, (index, &keys, keys.generation()), now, rule),
                None => self.decide_with(token, digest, (index, &KeySet::default(), 0), now, rule),
            };
            match judged {
                Judged::Overage(overage) => return Now::Pending(Pending::Groups(overage)),
                Judged::Decided(Err(denied)) if is_unknown_key(&denied) => unknown = true,
                Judged::Decided(Err(denied)) if is_not_mine(&denied) => first = Some(first.unwrap_or(denied)),
                Judged::Decided(decision) => return Now::Decided(decision),
            }
        }
        match first.filter(|_| !unknown) {
            Some(denied) => Now::Decided(Err(denied)),
            // A key that one authority does not have may be another's next one.
            None => Now::Pending(Pending::Key(digest)),
        }
    }

    /// Decides after asking for what was missing.
    pub(crate) async fn decide_pending(&self, token: &str, pending: Pending, rule: &RegisteredRule) -> Decision {
        match pending {
            Pending::Key(digest) => self.decide_waiting(token, digest, rule).await,
            Pending::Groups(overage) => self.resolve(overage, rule).await,
        }
    }

    /// Decides after asking every authority for the key that the token names.
    async fn decide_waiting(&self, token: &str, digest: Option<TextDigest>, rule: &RegisteredRule) -> Decision {
        let opened = self.open(token)?;
        let token = opened.as_str();
        let key_id = UnverifiedJws::parse(token)?.key_id().ok_or(Rejection::KeyIdMissing)?.to_owned();
        let mut refused = None;
        for (index, authority) in self.authorities.iter().enumerate() {
            let judged = match authority.keys.keys_for(&key_id).await {
                Ok(keys) => {
                    let now = self.clock.now();
                    self.decide_with(token, digest, (index, &keys, keys.generation()), now, rule)
                }
                Err(unavailable) => {
                    refused = Some(weightier(refused, unavailable.into()));
                    continue;
                }
            };
            match judged {
                Judged::Overage(overage) => return self.resolve(overage, rule).await,
                Judged::Decided(Err(denied)) if is_not_mine(&denied) => refused = Some(weightier(refused, denied)),
                Judged::Decided(decision) => return decision,
            }
        }
        Err(refused.unwrap_or_else(|| Rejection::UnknownKey.into()))
    }

    /// Takes a token out of its encryption, if it has one and there are keys for it.
    #[cfg_attr(not(feature = "token-decryption"), expect(clippy::unnecessary_wraps, reason = "as with the feature"))]
    fn open<'a>(&self, token: &'a str) -> Result<Opened<'a>, Rejection> {
        #[cfg(feature = "token-decryption")]
        if let Some(keys) = &self.decryption
            && countersign_token::is_encrypted(token)
        {
            return keys.decrypt(token).map(Opened::Inside);
        }
        Ok(Opened::AsSent(token))
    }

    /// Decides from the signature up. The policies are loaded once: what they say about genuineness and what they say
    /// about permission are never taken from two revisions.
    fn decide_with(
        &self,
        token: &str,
        digest: Option<TextDigest>,
        (authority, keys, generation): (usize, &KeySet, u64),
        now: Timestamp,
        rule: &RegisteredRule,
    ) -> Judged {
        let policies = self.policies();
        let validator = policies.validator(authority);
        let caller = match authenticate(token, keys, validator, now) {
            Ok(caller) => Arc::new(caller),
            Err(rejection) => return Judged::Decided(Err(rejection.into())),
        };
        let facts = Facts {
            bound: caller.is_bound(),
            unlisted_tenant: validator.takes_any_tenant() && !validator.lists_tenant(caller.tenant()),
        };
        let stamp = Stamp { authority, keys: generation, revision: policies.revision };
        let checked = policies.check(authority, &rule.rule, &caller);
        if let Some(digest) = digest {
            let (valid_from, valid_until) = validator.valid_between(&caller);
            let verdict = Verdict {
                caller: Arc::clone(&caller),
                authority: authority as u32,
                keys: generation,
                revision: policies.revision,
                valid_from,
                valid_until,
                granted: if checked.is_ok() && rule.id < 64 { 1 << rule.id } else { 0 },
                facts,
            };
            self.cache.insert(digest, verdict);
        }
        self.conclude(checked, stamp, caller, facts, rule)
    }

    /// Lets a genuine caller pass or not, by what the rule and the policy say; or finds that the groups are elsewhere, and
    /// that there is somebody to be asked for them.
    fn conclude(
        &self,
        checked: Result<(), Rejection>,
        stamp: Stamp,
        caller: Arc<Verified<Claims>>,
        facts: Facts,
        rule: &RegisteredRule,
    ) -> Judged {
        match checked {
            Ok(()) => Judged::Decided(self.ask_hooks(caller, facts, stamp.authority, rule)),
            Err(Rejection::GroupOverage) if self.hooks.groups.is_some() => {
                Judged::Overage(Overage { caller, facts, stamp })
            }
            Err(rejection) => Judged::Decided(Err(Denied {
                refusal: rejection.into(),
                caller: Some(caller),
                authority: stamp.authority,
            })),
        }
    }

    /// Whether the service takes callers of this tenant, where the policy takes any.
    pub(super) fn takes_tenant(&self, caller: &Verified<Claims>, facts: Facts) -> bool {
        !facts.unlisted_tenant || self.hooks.tenant.as_ref().is_some_and(|admits| admits(caller.tenant()))
    }

    /// What the service itself says.
    pub(super) fn ask_hooks(
        &self,
        caller: Arc<Verified<Claims>>,
        facts: Facts,
        authority: usize,
        rule: &RegisteredRule,
    ) -> Decision {
        let refusal = if !self.takes_tenant(&caller, facts) {
            Some(Rejection::TenantNotAllowed.into())
        } else if let Some(since) = self.hooks.revocation.as_ref().and_then(|revoked| revoked(&caller)) {
            Some(Refusal::Revoked(since))
        } else {
            let conditions = self.hooks.predicates.iter().chain(&rule.rule.predicates);
            conditions.into_iter().find(|it| !it.admits(&caller)).map(|it| Refusal::Predicate(it.name()))
        };
        match refusal {
            None => Ok(Admitted { caller, bound: facts.bound }),
            Some(refusal) => Err(Denied { refusal, caller: Some(caller), authority }),
        }
    }
}

/// What hits must know of a caller without looking at the claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// The token is bound to a key.
    pub(crate) bound: bool,
    /// The policy takes the tenant only because it takes any.
    pub(crate) unlisted_tenant: bool,
}
