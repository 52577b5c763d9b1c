//! base64url as JOSE wants it (RFC 7515 §2, RFC 4648 §5): no padding, no other alphabet, no unused bits set.

/// The text is not base64 in the form asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64url without padding")]
pub struct Base64Error;

/// Encodes without padding.
#[must_use]
pub fn base64url_encode(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Encodes in the standard alphabet with padding, as `x5c` members are (RFC 7515 §4.1.6).
#[must_use]
pub fn base64_encode_standard(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

/// Decodes the one canonical spelling of some bytes.
///
/// # Errors
/// [`Base64Error`] for padding, white space, `+` or `/`, an impossible length, and set bits past the last byte: a second
/// spelling of the same bytes must not pass, or a token's text would not identify it (`pitfalls` A47 to A50).
pub fn base64url_decode_strict(text: &str) -> Result<Vec<u8>, Base64Error> {
    decode_strict(text.as_bytes())
}

pub(crate) fn decode_strict(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| Base64Error)
}

/// Decodes base64 of either alphabet, padded or not, with white space anywhere.
///
/// For what real clients send in place of base64url: thumbprints, `x5c` entries and padded assertions
/// (observed November 2026 in MSAL Python, MSAL Go and `azure_identity`). Never used on access tokens.
///
/// # Errors
/// [`Base64Error`] if anything but the two alphabets remains, or if bits past the last byte are set.
pub fn base64_decode_lenient(text: &str) -> Result<Vec<u8>, Base64Error> {
    let mut canonical: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        })
        .collect();
    while canonical.last() == Some(&b'=') {
        canonical.pop();
    }
    decode_strict(&canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_decodes() {
        assert_eq!(base64url_decode_strict("Zm9v").unwrap(), b"foo");
        assert_eq!(base64url_decode_strict("Zg").unwrap(), b"f");
        assert_eq!(base64url_decode_strict("-_8").unwrap(), [0xfb, 0xff]);
        for text in ["Zg==", "Zh", "Zm9", "Z", "Zm 9v", "Zm9v\n", "+/8", "Zm9v=", "Zm9.v", "\u{0}"] {
            assert_eq!(base64url_decode_strict(text), Err(Base64Error), "{text:?}");
        }
    }

    #[test]
    fn every_set_unused_bit_is_refused() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let accepted = alphabet.iter().filter(|&&last| decode_strict(&[b'Z', last]).is_ok()).count();
        assert_eq!(accepted, 4, "one byte leaves four unused bits: 4 of 64 letters are canonical");
        let accepted = alphabet.iter().filter(|&&last| decode_strict(&[b'Z', b'm', last]).is_ok()).count();
        assert_eq!(accepted, 16, "two bytes leave two unused bits: 16 of 64 letters are canonical");
    }

    #[test]
    fn the_four_thumbprint_spellings_seen_decode_to_one() {
        let bytes = base64_decode_lenient("i_lajEuLlvJL4BwEh27hN5IC-bk").unwrap();
        assert_eq!(bytes.len(), 20);
        for text in ["i/lajEuLlvJL4BwEh27hN5IC+bk=", "i_lajEuLlvJL4BwEh27hN5IC-bk=", "i/lajEuLlvJL4\nBwEh27hN5IC+bk"] {
            assert_eq!(base64_decode_lenient(text).unwrap(), bytes);
        }
        assert_eq!(base64_decode_lenient("i*la"), Err(Base64Error));
    }
}
