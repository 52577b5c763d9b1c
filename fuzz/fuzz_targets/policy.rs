//! Policies: what parses is written as it was read, and what compiles keeps its bounds.

#![no_main]

use countersign_token::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(policy) = serde_json::from_slice::<Policy>(input) else { return };
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    let Ok(validator) = policy.compile() else { return };
    assert!((0..=300).contains(&validator.clock_skew_seconds()));
    assert!(!policy.allow_without_permission || policy.clients.is_some());
});
