//! Keys that are proven request by request: DPoP (RFC 9449) and Microsoft's signed HTTP requests.
//!
//! What a proof must say is checked in `token`; here is what belongs to a server: which addresses are its own, how old a
//! proof may be, and that it is taken once. Each proof is remembered for as long as it could be taken again, a bounded
//! number of them; beyond that bound nothing is taken that could not be remembered. The memory is this process's:
//! replicas behind one address share none, so that a stolen proof could be used once at each within its short life.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use countersign_token::{
    Origin, PROOF_CLOCK_SKEW_SECONDS, ProofAlgorithm, ProofId, ProvenRequest, SignedHttpRequest, verify_dpop,
};
use http::HeaderMap;
use serde_json::{Map, Value};

use super::{BindingError, Bindings, Sent};
use crate::credential::{Credential, Scheme, credential};

/// Which proofs of possession an API takes.
///
/// ```
/// use countersign_guard::ProofPolicy;
///
/// let policy = ProofPolicy::at("https://orders.contoso.com".parse()?).max_age_seconds(120);
/// # drop(policy);
/// # Ok::<(), countersign_token::OriginError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ProofPolicy {
    origins: Vec<Origin>,
    max_age_seconds: u32,
    remembered: usize,
}

impl ProofPolicy {
    /// Proofs for requests to this origin, as clients call it: what a request says of its host is its sender's word. At
    /// most 300 seconds old; 100,000 of them are remembered, for about 6 MB.
    pub fn at(origin: Origin) -> Self {
        Self { origins: vec![origin], max_age_seconds: 300, remembered: 100_000 }
    }

    /// Proofs for requests to this origin too.
    pub fn also_at(mut self, origin: Origin) -> Self {
        self.origins.push(origin);
        self
    }

    /// How old a proof may be, in seconds: 1 to 3,600.
    pub fn max_age_seconds(mut self, seconds: u32) -> Self {
        self.max_age_seconds = seconds.clamp(1, 3_600);
        self
    }

    /// How many proofs are remembered; requests beyond that are answered 503 until the oldest have ended.
    pub fn remembered(mut self, proofs: usize) -> Self {
        self.remembered = proofs.max(1);
        self
    }
}

/// A policy with its memory.
#[derive(Debug)]
pub(crate) struct Proofs {
    policy: ProofPolicy,
    seen: Mutex<Seen>,
}

/// Proofs that were taken, in two spans of time: when the older one cannot hold any that could come again, it goes whole.
#[derive(Debug, Default)]
struct Seen {
    since: i64,
    current: HashSet<ProofId, foldhash::fast::RandomState>,
    previous: HashSet<ProofId, foldhash::fast::RandomState>,
}

impl Proofs {
    pub(crate) fn new(policy: ProofPolicy) -> Self {
        Self { policy, seen: Mutex::default() }
    }

    /// Takes a proof, once.
    fn take(&self, proof: ProofId, now: i64) -> Result<(), BindingError> {
        // Whoever was let in by it may come again until its time has passed, which at the latest began a skew from then.
        let span = i64::from(self.policy.max_age_seconds) + PROOF_CLOCK_SKEW_SECONDS;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= seen.since.saturating_add(span) {
            let is_over = now >= seen.since.saturating_add(2 * span);
            seen.previous = std::mem::take(&mut seen.current);
            if is_over {
                seen.previous = HashSet::default();
            }
            seen.since = now;
        }
        if seen.previous.contains(&proof) || seen.current.contains(&proof) {
            return Err(BindingError::Replayed);
        }
        if seen.current.len() + seen.previous.len() >= self.policy.remembered {
            return Err(BindingError::MemoryFull);
        }
        seen.current.insert(proof);
        Ok(())
    }

    fn request<'a>(&'a self, sent: Sent<'a>, now: i64) -> Result<ProvenRequest<'a>, BindingError> {
        let (method, path) = sent.target.ok_or(BindingError::NoProof)?;
        Ok(ProvenRequest {
            method: method.as_str(),
            path,
            origins: &self.policy.origins,
            now,
            max_age_seconds: i64::from(self.policy.max_age_seconds),
        })
    }
}

/// The one `DPoP` header (RFC 9449 §4.3, item 1).
fn dpop_header(headers: &HeaderMap) -> Result<&str, BindingError> {
    let mut values = headers.get_all("dpop").iter();
    let value = values.next().ok_or(BindingError::NoProof)?;
    if values.next().is_some() {
        return Err(BindingError::SeveralProofs);
    }
    value.to_str().map_err(|_| countersign_token::ProofError::Malformed.into())
}

impl Bindings {
    pub(super) fn check_possession(
        &self,
        confirmation: &Map<String, Value>,
        sent: Sent<'_>,
        now: i64,
    ) -> Result<(), BindingError> {
        // It was read before, or there would be no caller to check; the scheme says which proof there is.
        let Credential { scheme, text } =
            credential(sent.headers, self.schemes()).map_err(|_| BindingError::NoProof)?;
        let text = std::str::from_utf8(text).map_err(|_| BindingError::NoProof)?;
        let only = |name: &str| confirmation.len() == 1 && confirmation.contains_key(name);
        // Where the key is kept (`xms_ksl`) is a remark, not a demand.
        let by_kid =
            confirmation.contains_key("kid") && confirmation.keys().all(|name| name == "kid" || name == "xms_ksl");
        match (scheme, &self.dpop, &self.pop) {
            (Scheme::Dpop, Some(proofs), _) if only("jkt") => {
                let thumbprint = confirmation.get("jkt").and_then(Value::as_str).ok_or(BindingError::Unsupported)?;
                let proof = verify_dpop(dpop_header(sent.headers)?, text, thumbprint, &proofs.request(sent, now)?)?;
                proofs.take(proof, now)
            }
            (Scheme::Pop, _, Some(proofs)) if only("jkt") || only("jwk") || by_kid => {
                let proof = SignedHttpRequest::parse(text)?.verify(confirmation, &proofs.request(sent, now)?)?;
                proofs.take(proof, now)
            }
            // Bound to a key that a proof of the other kind, or none at all, was sent for.
            _ if only("jkt") || only("jwk") || by_kid => Err(BindingError::NoProof),
            _ => Err(BindingError::Unsupported),
        }
    }
}

/// The challenges for what this API takes beside `Bearer` (RFC 9449 §7.1).
pub(super) fn challenges(dpop: bool, pop: bool) -> String {
    let algorithms = ProofAlgorithm::ALL.map(ProofAlgorithm::name).join(" ");
    let mut challenges = String::new();
    if dpop {
        challenges.push_str(&format!(", DPoP algs=\"{algorithms}\""));
    }
    if pop {
        challenges.push_str(", PoP");
    }
    challenges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(seed: u64) -> ProofId {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&seed.to_le_bytes());
        ProofId::from_bytes(digest)
    }

    fn proofs(max_age: u32, remembered: usize) -> Proofs {
        let policy = ProofPolicy::at("https://a.test".parse().unwrap());
        Proofs::new(policy.max_age_seconds(max_age).remembered(remembered))
    }

    #[test]
    fn a_proof_is_taken_once_for_as_long_as_it_lives() {
        let proofs = proofs(100, 1_000);
        assert_eq!(proofs.take(id(1), 1_000), Ok(()));
        for now in [1_000, 1_001, 1_159, 1_160, 1_200] {
            assert_eq!(proofs.take(id(1), now), Err(BindingError::Replayed), "{now}");
        }
    }

    #[test]
    fn what_cannot_be_remembered_is_not_taken_and_room_comes_back() {
        let proofs = proofs(100, 2);
        assert_eq!(proofs.take(id(1), 0), Ok(()));
        assert_eq!(proofs.take(id(2), 0), Ok(()));
        assert_eq!(proofs.take(id(3), 0), Err(BindingError::MemoryFull));
        assert_eq!(proofs.take(id(1), 0), Err(BindingError::Replayed), "that much is known");
        assert_eq!(proofs.take(id(3), 320), Ok(()));
    }

    proptest! {
        /// However time goes on, no proof is taken twice within the time in which it could be sent.
        #[test]
        fn no_proof_is_taken_twice_within_its_life(steps in prop::collection::vec((0_i64..90, 0_u64..20), 1..200)) {
            let proofs = proofs(100, 10_000);
            let (mut now, mut taken) = (0, std::collections::HashMap::<u64, i64>::new());
            for (step, seed) in steps {
                now += step;
                let verdict = proofs.take(id(seed), now);
                match taken.get(&seed) {
                    Some(at) if now - at < 160 => prop_assert_eq!(verdict, Err(BindingError::Replayed)),
                    _ if verdict.is_ok() => { taken.insert(seed, now); }
                    _ => {}
                }
            }
        }
    }
}
