//! Digests of several parts, in the one place where this crate makes them.
//!
//! Used for what only has to be compared: the assertion of an on-behalf-of call, a session's key, an account, a claims
//! request, and the code challenge of PKCE (RFC 7636 §4.2). No secret is protected by these digests.

pub(crate) use countersign_token::sha256;
use zeroize::Zeroizing;

/// The digest of several parts, each preceded by its length, so that no two lists of parts give the same text.
pub(crate) fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut text = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum()));
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    sha256(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::base64url_encode;

    #[test]
    fn the_example_of_rfc_7636_comes_out() {
        let challenge = base64url_encode(&sha256(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "RFC 7636 appendix B");
    }

    #[test]
    fn moving_a_byte_from_one_part_to_the_next_makes_another_digest() {
        assert_ne!(sha256_of(&[b"ab", b"c"]), sha256_of(&[b"a", b"bc"]));
        assert_ne!(sha256_of(&[b"ab"]), sha256_of(&[b"ab", b""]));
    }
}
