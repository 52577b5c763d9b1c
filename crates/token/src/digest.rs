//! SHA-256, for rooms that may not use a cryptography library of their own.

/// The SHA-256 digest of some bytes: a certificate's `x5t#S256` is that of its DER form (RFC 8705 §3.1).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    // The algorithm's output is 32 bytes long.
    digest.as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url_encode;

    #[test]
    fn it_is_sha_256() {
        // FIPS 180-4's own example, "abc".
        assert_eq!(base64url_encode(&sha256(b"abc")), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
