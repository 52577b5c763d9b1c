//! A43 to A45: PKCS#1 v1.5 paddings that a lax parser takes. The key's owner signs them here, or nobody needs to.

use countersign_token::{Rejection, base64url_encode};
use num_bigint::BigUint;

use crate::kit::forge::{NULL, RawKey, SHA256_OID, der, digest_info, padded, sha256, sound_info, token_with};
use crate::kit::{Kit, genuine, genuine_pkcs8, jwk, with};

/// The genuine key's signature over an encoded message that `encode` makes of the signing input.
struct Forger {
    kit: Kit,
    key: RawKey,
    input: String,
}

impl Forger {
    fn new() -> Self {
        let kit = Kit::v2_app();
        let input = kit.token().rsplit_once('.').unwrap().0.to_owned();
        Self { kit, key: RawKey::from_pkcs8(genuine_pkcs8()), input }
    }

    #[track_caller]
    fn refused(&self, encoded: &[u8]) {
        assert_eq!(encoded.len(), self.key.length, "the encoded message fills the modulus");
        let token = token_with(&self.input, &self.key.sign_raw(encoded));
        self.kit.refuses(&token, Rejection::SignatureInvalid);
    }
}

#[test]
fn a43_padding_of_another_block_type_or_form() {
    let forger = Forger::new();
    let info = sound_info(forger.input.as_bytes());
    let sound = padded(&info, 256);
    // The forger's tools are in order: the sound padding is accepted.
    assert!(forger.kit.judge(&token_with(&forger.input, &forger.key.sign_raw(&sound))).is_ok());
    let altered = |at: usize, byte: u8| {
        let mut encoded = sound.clone();
        encoded[at] = byte;
        encoded
    };
    let zero = 256 - info.len() - 1;
    for encoded in
        [altered(1, 2), altered(1, 0), altered(0, 1), altered(2, 0xfe), altered(zero - 1, 0), altered(zero, 0xff)]
    {
        forger.refused(&encoded);
    }
}

#[test]
fn a43_short_padding_and_garbage() {
    let forger = Forger::new();
    let info = sound_info(forger.input.as_bytes());
    for ones in [0, 1, 8, 100] {
        let mut encoded = vec![0, 1];
        encoded.resize(2 + ones, 0xff);
        encoded.push(0);
        encoded.extend(&info);
        encoded.resize(256, 0xab);
        forger.refused(&encoded);
    }
    // No DigestInfo at all, and nothing behind the padding.
    forger.refused(&padded(&sha256(forger.input.as_bytes()), 256));
    forger.refused(&padded(&[], 256));
}

#[test]
fn a44_digest_infos_that_are_not_der() {
    let forger = Forger::new();
    let digest = sha256(forger.input.as_bytes());
    let algorithm = |parameters: &[u8]| [der(0x06, &SHA256_OID).as_slice(), parameters].concat();
    let sequence = |content: &[u8]| der(0x30, content);
    let octets = der(0x04, &digest);
    let sha512_oid = [&SHA256_OID[..8], &[3]].concat();
    let long_form = [&[0x30, 0x81, 0x31], &sound_info(forger.input.as_bytes())[2..]].concat();
    let indefinite = [&[0x30, 0x80], sequence(&algorithm(&NULL)).as_slice(), &octets, &[0, 0]].concat();
    for info in [
        // Another digest's name, or none.
        digest_info(&sha512_oid, &NULL, &digest),
        digest_info(&[], &NULL, &digest),
        // Without parameters (old BouncyCastle), and with others.
        digest_info(&SHA256_OID, &[], &digest),
        digest_info(&SHA256_OID, &[NULL, NULL].concat(), &digest),
        digest_info(&SHA256_OID, &der(0x04, &[0; 20]), &digest),
        // Lengths in another form.
        long_form,
        indefinite,
        // Something more behind it, and a digest of another length.
        sequence(&[sequence(&algorithm(&NULL)), octets.clone(), der(0x05, &[])].concat()),
        digest_info(&SHA256_OID, &NULL, &digest[..31]),
        [sequence(&[sequence(&algorithm(&NULL)), octets].concat()), vec![0]].concat(),
    ] {
        forger.refused(&padded(&info, 256));
    }
}

/// The genuine modulus with the exponent 3; nobody has the private key to that, nor needs it.
fn cube_kit() -> (Kit, BigUint) {
    let key = with(with(jwk(genuine()), "e", base64url_encode(&[3])), "kid", "cube");
    let n = BigUint::from_bytes_be(genuine().private_key().public_key().modulus());
    (Kit::v2_app().header("kid", "cube").keys([key]), n)
}

#[test]
fn a45_cube_root_with_garbage_behind_the_digest() {
    let (kit, n) = cube_kit();
    let token = kit.token();
    let (input, _) = token.rsplit_once('.').unwrap();
    // 00 01 FF…FF 00 DigestInfo and then whatever the cube makes of it (CVE-2006-4339).
    let prefix = [&[0, 1], [0xff; 8].as_slice(), &[0], &sound_info(input.as_bytes())].concat();
    let mut wanted = prefix.clone();
    wanted.resize(256, 0xff);
    let root = BigUint::from_bytes_be(&wanted).cbrt();
    let cube = root.pow(3).to_bytes_be();
    assert!(root.pow(3) < n);
    assert_eq!(cube[..prefix.len() - 1], prefix[1..], "the forgery is one that a lax verifier takes");
    kit.refuses(&token_with(input, &signature(&root)), Rejection::SignatureInvalid);
}

#[test]
fn a45_cube_root_with_garbage_before_the_digest() {
    let (kit, n) = cube_kit();
    // Odd numbers have a cube root modulo 2^k, found bit by bit: try until the digest is odd.
    let (input, info) = (0..)
        .map(|number: u32| kit.clone().claim("uti", number.to_string()).token())
        .map(|token| token.rsplit_once('.').unwrap().0.to_owned())
        .map(|input| (sound_info(input.as_bytes()), input))
        .find_map(|(info, input)| (info.last().unwrap() % 2 == 1).then_some((input, info)))
        .unwrap();
    let suffix = [&[0], info.as_slice()].concat();
    let target = BigUint::from_bytes_be(&suffix);
    let mut root = BigUint::from(1_u8);
    for bit in 1..u64::try_from(suffix.len() * 8).unwrap() {
        let wrong = (root.pow(3) ^ &target).bit(bit);
        root.set_bit(bit, wrong);
    }
    let cube = root.pow(3).to_bytes_be();
    assert!(root.pow(3) < n && cube.ends_with(&suffix), "the forgery is one that a lax verifier takes");
    kit.refuses(&token_with(&input, &signature(&root)), Rejection::SignatureInvalid);
}

/// A number as 256 bytes.
fn signature(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut padded = vec![0; 256 - bytes.len()];
    padded.extend(bytes);
    padded
}
