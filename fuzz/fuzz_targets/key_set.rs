//! Key sets: whatever is published, only sound keys get in, and joining sets frees no key of what was said about it.

#![no_main]

use countersign_token::{KeySet, MAX_KEYS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(set) = KeySet::parse(input) else { return };
    assert!(set.len() <= MAX_KEYS);
    for key in set.keys() {
        assert!((256..=1024).contains(&key.public_key().modulus().len()));
        assert!(!key.key_id().is_empty() && key.key_id().len() <= 128);
        assert!(set.find(key.key_id()).unwrap().public_key().same_key(key.public_key()));
    }
    for skipped in set.skipped() {
        assert!(skipped.key_id.as_ref().is_none_or(|id| id.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
    }
    assert!(set.for_cloud("microsoftonline.com").len() <= set.len());
    let union = set.union(&set);
    assert!(union.key_ids().eq(set.key_ids()));
    assert!(union.keys().zip(set.keys()).all(|(one, other)| one.issuer() == other.issuer()));
});
