//! Texts of client secrets: making them, and knowing one that was mistaken for another thing.

use countersign_token::Randomness;
use secrecy::SecretString;
use zeroize::Zeroizing;

/// What Entra's generated secrets are made of, as seen in 2026.
const ALPHABET: &[u8; 65] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
const LENGTH: usize = 40;
/// Three characters in, every secret of today carries a mark that scanners look for.
const MARK: &[u8; 3] = b"8Q~";

/// Makes a text of 40 characters: three random ones (the hint), the mark, 34 random ones.
///
/// 37 characters out of 65 are 222 bits; the hint, which everybody may see, gives away 18 of them.
pub(crate) fn generate(randomness: &dyn Randomness) -> SecretString {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH));
    let mut pool = Zeroizing::new([0u8; 64]);
    while text.len() < LENGTH {
        randomness.fill(pool.as_mut());
        // A byte is used only below the largest multiple of the alphabet's size, so that no character is likelier.
        for byte in pool.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < ALPHABET.len() * 3) {
            match text.len() {
                3 => text.extend(MARK.iter().map(|mark| char::from(*mark))),
                LENGTH => break,
                _ => text.push(char::from(ALPHABET[byte % ALPHABET.len()])),
            }
        }
    }
    SecretString::from(text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::{SeededRandomness, SystemRandomness};
    use secrecy::ExposeSecret;
    use std::collections::HashSet;

    #[test]
    fn a_text_looks_like_entras() {
        for seed in 0..200 {
            let text = generate(&SeededRandomness::from_seed(seed));
            let text = text.expose_secret();
            assert_eq!(text.len(), 40, "{text}");
            assert_eq!(&text[3..6], "8Q~");
            assert!(text.bytes().all(|byte| ALPHABET.contains(&byte) || byte == b'~'), "{text}");
        }
    }

    #[test]
    fn no_two_are_alike() {
        let texts: HashSet<_> = (0..500).map(|_| generate(&SystemRandomness).expose_secret().to_owned()).collect();
        assert_eq!(texts.len(), 500);
    }

    #[test]
    fn every_character_occurs() {
        let mut seen = HashSet::new();
        for seed in 0..200 {
            seen.extend(generate(&SeededRandomness::from_seed(seed)).expose_secret().bytes());
        }
        assert_eq!(seen.len(), ALPHABET.len() + 1, "the alphabet and the mark's tilde");
    }
}
