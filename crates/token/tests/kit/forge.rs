//! What a forger has at hand: raw RSA, hand-made PKCS#1 paddings, HMAC under public values.

#![allow(dead_code, reason = "each test binary uses a part of the kit")]
#![expect(clippy::unwrap_used, reason = "tests")]

use aws_lc_rs::{digest, hmac};
use countersign_token::{PublicKey, base64url_encode};
use num_bigint::BigUint;

/// The numbers of an RSA key.
pub(crate) struct RawKey {
    pub(crate) n: BigUint,
    pub(crate) e: BigUint,
    d: BigUint,
    pub(crate) length: usize,
}

impl RawKey {
    /// Reads PKCS#8 (RFC 5208) and the PKCS#1 key inside (RFC 8017 §A.1.2).
    pub(crate) fn from_pkcs8(der: &[u8]) -> Self {
        let (_, info, _) = der_value(der);
        let (_, _version, rest) = der_value(info);
        let (_, _algorithm, rest) = der_value(rest);
        let (_, key, _) = der_value(rest);
        let (_, numbers, _) = der_value(key);
        let (_, _version, rest) = der_value(numbers);
        let (_, n, rest) = der_value(rest);
        let (_, e, rest) = der_value(rest);
        let (_, d, _) = der_value(rest);
        let n = BigUint::from_bytes_be(n);
        let length = n.to_bytes_be().len();
        Self { n, e: BigUint::from_bytes_be(e), d: BigUint::from_bytes_be(d), length }
    }

    /// The private operation on any encoded message, sound or not.
    pub(crate) fn sign_raw(&self, encoded: &[u8]) -> Vec<u8> {
        self.bytes(&BigUint::from_bytes_be(encoded).modpow(&self.d, &self.n))
    }

    /// A number as a signature of the key's length.
    pub(crate) fn bytes(&self, number: &BigUint) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        let mut padded = vec![0; self.length.saturating_sub(bytes.len())];
        padded.extend(bytes);
        padded
    }
}

/// Tag, content and rest of one DER value.
fn der_value(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, first) = (der[0], usize::from(der[1]));
    let (length, start) = if first < 0x80 {
        (first, 2)
    } else {
        let count = first & 0x7f;
        (der[2..2 + count].iter().fold(0, |sum, &byte| (sum << 8) | usize::from(byte)), 2 + count)
    };
    (tag, &der[start..start + length], &der[start + length..])
}

/// A DER value with a length in its shortest form.
pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        length @ 0..0x80 => out.push(length as u8),
        length @ 0x80..0x100 => out.extend([0x81, length as u8]),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

pub(crate) const SHA256_OID: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
pub(crate) const SHA1_OID: [u8; 5] = [0x2b, 0x0e, 0x03, 0x02, 0x1a];
pub(crate) const NULL: [u8; 2] = [0x05, 0x00];

pub(crate) fn sha256(message: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, message).as_ref().to_vec()
}

pub(crate) fn sha1(message: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message).as_ref().to_vec()
}

/// `DigestInfo` (RFC 8017 §9.2) for an algorithm and whatever stands for its parameters.
pub(crate) fn digest_info(oid: &[u8], parameters: &[u8], digest: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &[der(0x06, oid).as_slice(), parameters].concat());
    der(0x30, &[algorithm, der(0x04, digest)].concat())
}

/// The sound `DigestInfo` of SHA-256.
pub(crate) fn sound_info(message: &[u8]) -> Vec<u8> {
    digest_info(&SHA256_OID, &NULL, &sha256(message))
}

/// `00 01 FF…FF 00` and the `DigestInfo`: EMSA-PKCS1-v1_5 (RFC 8017 §9.2).
pub(crate) fn padded(info: &[u8], length: usize) -> Vec<u8> {
    let mut encoded = vec![0, 1];
    encoded.resize(length - info.len() - 1, 0xff);
    encoded.push(0);
    encoded.extend(info);
    encoded
}

/// A token with these segments as signing input, and a signature of one's own making.
pub(crate) fn token_with(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", base64url_encode(signature))
}

/// `header` and `claims` under an HMAC with `secret` as key.
pub(crate) fn hmac_token(algorithm: hmac::Algorithm, header: &str, claims: &str, secret: &[u8]) -> String {
    let input = format!("{}.{}", base64url_encode(header.as_bytes()), base64url_encode(claims.as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    token_with(&input, tag.as_ref())
}

/// `SubjectPublicKeyInfo` and `RSAPublicKey` of a key, DER.
pub(crate) fn public_der(key: &PublicKey) -> (Vec<u8>, Vec<u8>) {
    let integer = |bytes: &[u8]| {
        let sign: &[u8] = if bytes[0] & 0x80 == 0 { &[] } else { &[0] };
        der(0x02, &[sign, bytes].concat())
    };
    let pkcs1 = der(0x30, &[integer(key.modulus()), integer(key.exponent())].concat());
    let rsa_encryption = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let algorithm = der(0x30, &[der(0x06, &rsa_encryption).as_slice(), &NULL].concat());
    let bits = der(0x03, &[&[0], pkcs1.as_slice()].concat());
    (der(0x30, &[algorithm, bits].concat()), pkcs1)
}

/// PEM with lines of 64 characters.
pub(crate) fn pem(label: &str, der: &[u8], newline: &str) -> String {
    let body = countersign_token::base64_encode_standard(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----{newline}{}{newline}-----END {label}-----{newline}", lines.join(newline))
}

/// A self-signed certificate for an RSA key given as PKCS#8, DER.
pub(crate) fn certificate(pkcs8: &[u8], common_name: &str) -> Vec<u8> {
    certificate_with_serial(pkcs8, common_name, 1)
}

/// The same under another serial number, and so with another thumbprint.
pub(crate) fn certificate_with_serial(pkcs8: &[u8], common_name: &str, serial: u64) -> Vec<u8> {
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from(pkcs8);
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    params.serial_number = Some(serial.into());
    params.self_signed(&key).unwrap().der().to_vec()
}
