//! Randomness as a type: the system's in production, a seeded one where a test wants the same bytes twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::base64url_encode;

/// Where random bytes come from.
pub trait Randomness: Send + Sync + std::fmt::Debug + 'static {
    /// Fills the slice with random bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// A random UUID, version 4 (RFC 9562 §5.4).
    fn uuid_v4(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// `byte_count` random bytes as base64url without padding.
    fn base64url(&self, byte_count: usize) -> String {
        let mut bytes = vec![0; byte_count];
        self.fill(&mut bytes);
        base64url_encode(&bytes)
    }
}

impl<R: Randomness + ?Sized> Randomness for Arc<R> {
    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

/// The crypto library's generator, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[expect(
        clippy::expect_used,
        reason = "aws-lc's generator fails only where the operating system has none; going on would mean guessable keys"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the operating system provides random bytes");
    }
}

/// The same bytes for the same seed. **For tests only**: whoever knows the seed knows every byte.
#[derive(Debug)]
pub struct SeededRandomness(AtomicU64);

impl SeededRandomness {
    /// A generator that starts at `seed`.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            // SplitMix64 (Steele, Lea, Flood 2014): one addition and three mixes, good enough for reproducible tests.
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_seed_others() {
        let bytes = |seed| {
            let mut out = [0; 20];
            SeededRandomness::from_seed(seed).fill(&mut out);
            out
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        assert_ne!(SystemRandomness.uuid_v4(), SystemRandomness.uuid_v4());
        assert_eq!(SystemRandomness.uuid_v4().get_version_num(), 4);
    }
}
