//! A keyed digest of a token's text, by which verdicts are found again without keeping the text.
//!
//! This is NH, the hash of UMAC, over 64-bit words (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC: Fast and Secure
//! Message Authentication", 1999, Theorem 4.2; RFC 4418 §5.2 has it over 32-bit words). Two different texts of one length
//! have the same digest with a probability of at most 2⁻⁶⁴, over the choice of the key. Length and last 16 bytes, which are
//! 96 bits of the signature, are compared besides, so that an altered token can only ever be tried against the one that it
//! was made from: a million altered tokens a second for a hundred years succeed with a probability of 2⁻¹², if the process
//! lives that long. The key is drawn at start, and neither it nor any digest ever leaves the process, so that whoever makes
//! up texts learns nothing from being refused. A plain checksum would not do here: what is found by it is believed
//! (GHSA-rp9m-7r4c-75qg).
//!
//! A token of 1.6 kB costs 50 ns, a fifteenth of SHA-256 on a machine that has instructions for that; and since no text
//! is kept, a cache of a hundred thousand tokens is half as large, and a hit does not read the text from memory.

use countersign_token::{MAX_TOKEN_BYTES, Randomness};

const BLOCK: usize = 16;
/// A pair of words for each block.
const KEY_PAIRS: usize = MAX_TOKEN_BYTES / BLOCK;

/// The digest of one text. Comparing two compares the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextDigest {
    sum: u128,
    tail: [u8; BLOCK],
    length: usize,
}

impl TextDigest {
    /// A number to find the digest by in a table: any part of it will do.
    pub(crate) fn bucket(&self) -> u64 {
        (self.sum as u64) ^ ((self.sum >> 64) as u64).rotate_left(32)
    }
}

/// Digests texts of at most [`MAX_TOKEN_BYTES`].
pub(crate) struct TextDigester(Box<[[u64; 2]; KEY_PAIRS]>);

impl TextDigester {
    pub(crate) fn new(randomness: &dyn Randomness) -> Self {
        let mut key = Box::new([[0; 2]; KEY_PAIRS]);
        for word in key.iter_mut().flatten() {
            let mut bytes = [0; 8];
            randomness.fill(&mut bytes);
            *word = u64::from_le_bytes(bytes);
        }
        Self(key)
    }

    /// The digest; none for a text that is too long to be a token.
    pub(crate) fn digest(&self, text: &[u8]) -> Option<TextDigest> {
        if text.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        let keys = &self.0[..blocks.len()];
        // Four sums, because one would wait for itself at every block; the order of an addition makes no difference.
        let ((fours, last), (four_keys, last_keys)) = (blocks.as_chunks::<4>(), keys.as_chunks::<4>());
        let mut sums = [0_u128; 4];
        for (blocks, keys) in fours.iter().zip(four_keys) {
            for lane in 0..4 {
                sums[lane] = sums[lane].wrapping_add(product(&blocks[lane], &keys[lane]));
            }
        }
        let mut sum = sums.into_iter().fold(0_u128, u128::wrapping_add);
        for (block, key) in last.iter().zip(last_keys) {
            sum = sum.wrapping_add(product(block, key));
        }
        if !rest.is_empty() {
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            sum = sum.wrapping_add(product(&block, &self.0[blocks.len()]));
        }
        let tail = text.last_chunk().copied().unwrap_or_default();
        Some(TextDigest { sum, tail, length: text.len() })
    }
}

#[inline]
fn product(block: &[u8; BLOCK], key: &[u64; 2]) -> u128 {
    let words = u128::from_le_bytes(*block);
    let (left, right) = (words as u64, (words >> 64) as u64);
    u128::from(left.wrapping_add(key[0])) * u128::from(right.wrapping_add(key[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SeededRandomness;

    fn digester(seed: u64) -> TextDigester {
        TextDigester::new(&SeededRandomness::from_seed(seed))
    }

    /// NH by its definition, without any of the shortcuts above.
    fn by_definition(digester: &TextDigester, text: &[u8]) -> u128 {
        let mut padded = text.to_vec();
        padded.resize(text.len().next_multiple_of(16), 0);
        let words: Vec<u64> = padded.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        words.chunks(2).zip(digester.0.iter()).fold(0_u128, |sum, (pair, key)| {
            sum.wrapping_add(u128::from(pair[0].wrapping_add(key[0])) * u128::from(pair[1].wrapping_add(key[1])))
        })
    }

    #[test]
    fn the_digest_is_nh_at_every_length() {
        let digester = digester(1);
        let text: Vec<u8> = (0..MAX_TOKEN_BYTES).map(|number| (number * 7 % 251) as u8).collect();
        for length in (0..200).chain([1_595, MAX_TOKEN_BYTES - 1, MAX_TOKEN_BYTES]) {
            let digest = digester.digest(&text[..length]).unwrap();
            assert_eq!((digest.sum, digest.length), (by_definition(&digester, &text[..length]), length), "{length}");
        }
        assert_eq!(digester.digest(&vec![0; MAX_TOKEN_BYTES + 1]), None);
    }

    #[test]
    fn a101_any_change_of_a_text_changes_its_digest() {
        let digester = digester(2);
        let text = vec![b'x'; 300];
        let mut seen = vec![digester.digest(&text).unwrap()];
        let mut is_new = |text: &[u8]| {
            let digest = digester.digest(text).unwrap();
            let is_new = !seen.contains(&digest);
            seen.push(digest);
            is_new
        };
        for at in 0..300 {
            for byte in [b'w', b'y', 0] {
                let mut other = text.clone();
                other[at] = byte;
                assert!(is_new(&other), "{at} {byte}");
            }
            // Padding is zeros; a text that ends in zeros has another length.
            assert!(is_new(&text[..at]), "{at}");
            assert!(is_new(&[&text[..at], &[0; 7]].concat()), "{at}");
        }
        // Blocks that changed places, though not the last.
        let mut swapped: Vec<u8> = (0..64).collect();
        let before = digester.digest(&swapped).unwrap();
        swapped[..48].rotate_left(16);
        assert_ne!(digester.digest(&swapped).unwrap(), before);
    }

    #[test]
    fn another_key_gives_other_digests() {
        assert_ne!(digester(3).digest(b"token").unwrap().sum, digester(4).digest(b"token").unwrap().sum);
    }
}
