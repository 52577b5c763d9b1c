//! A40 to A46 and A105: one message, one signature, of one length.

use countersign_token::{base64url_decode_strict, base64url_encode};
use num_bigint::BigUint;

use crate::kit::forge::{NULL, RawKey, SHA256_OID, der, digest_info, padded, sha256, sound_info, token_with};
use crate::kit::{API, Kit, attacker, genuine, genuine_pkcs8, jwk, segments, with};
use crate::{Family, bases, two_bases};

const INVALID: &str = "signature_invalid";

pub(crate) fn families() -> Vec<Family> {
    vec![lengths(), leading_zeros(), numbers(), paddings(), digest_infos(), cubes(), changed(), two_faults()]
}

/// What is signed of the kit's token, and the signature.
fn parts(kit: &Kit) -> (String, Vec<u8>) {
    let token = kit.token();
    let (input, signature) = token.rsplit_once('.').unwrap();
    (input.to_owned(), base64url_decode_strict(signature).unwrap())
}

fn lengths() -> Family {
    let mut family = Family::new(40, "signature cut, extended, doubled", 28, &[INVALID, "not_compact_jws"]);
    for kit in bases() {
        let (input, signature) = parts(&kit);
        let whole = signature.as_slice();
        for bytes in [&whole[..255], &whole[1..], &whole[..1], &whole[..128], &[whole, &[0]].concat(), &whole.repeat(2)]
        {
            family.push_token(&kit, token_with(&input, bytes));
        }
        family.push_token(&kit, format!("{input}."));
    }
    family
}

fn leading_zeros() -> Family {
    let mut family = Family::new(41, "a leading zero added or left out", 8, &[INVALID]);
    for base in bases() {
        let (input, signature) = parts(&base);
        family.push_token(&base, token_with(&input, &[&[0], signature.as_slice()].concat()));
        // About one signature in 256 begins with a zero byte.
        let mut kits = (0..).map(|number: u32| base.clone().claim("uti", number.to_string()));
        let (kit, input, signature) = kits
            .find_map(|kit| {
                let (input, signature) = parts(&kit);
                (signature[0] == 0).then_some((kit, input, signature))
            })
            .unwrap();
        family.push_token(&kit, token_with(&input, &signature[1..]));
    }
    family
}

fn numbers() -> Family {
    let mut family = Family::new(42, "signatures that are special numbers", 28, &[INVALID]);
    let key = RawKey::from_pkcs8(genuine_pkcs8());
    let one = BigUint::from(1_u8);
    for kit in bases() {
        let (input, signature) = parts(&kit);
        let s = BigUint::from_bytes_be(&signature);
        // s + n verifies wherever the range of s is not checked.
        for number in
            [BigUint::ZERO, one.clone(), &key.n - &one, key.n.clone(), &key.n + &one, &key.n - &s, &key.n + &s]
        {
            family.push_token(&kit, token_with(&input, &key.bytes(&number)));
        }
    }
    family
}

/// Encoded messages of 256 bytes that `encode` makes of what is signed, under the genuine key.
fn encoded(family: &mut Family, encode: impl Fn(&str) -> Vec<Vec<u8>>) {
    let key = RawKey::from_pkcs8(genuine_pkcs8());
    for kit in two_bases() {
        let (input, _) = parts(&kit);
        for encoded in encode(&input) {
            assert_eq!(encoded.len(), key.length, "the encoded message fills the modulus");
            family.push_token(&kit, token_with(&input, &key.sign_raw(&encoded)));
        }
    }
}

fn paddings() -> Family {
    let mut family = Family::new(43, "padding of another form", 24, &[INVALID]);
    encoded(&mut family, |input| {
        let info = sound_info(input.as_bytes());
        let (sound, zero) = (padded(&info, 256), 256 - info.len() - 1);
        let places = [(1, 2), (1, 0), (0, 1), (2, 0xfe), (zero - 1, 0), (zero, 0xff)];
        let altered = places.map(|(at, byte)| {
            let mut encoded = sound.clone();
            encoded[at] = byte;
            encoded
        });
        let short = [0, 1, 8, 100].map(|ones| {
            let mut encoded = [&[0, 1], vec![0xff; ones].as_slice(), &[0], &info].concat();
            encoded.resize(256, 0xab);
            encoded
        });
        let bare = [padded(&sha256(input.as_bytes()), 256), padded(&[], 256)];
        altered.into_iter().chain(short).chain(bare).collect()
    });
    family
}

fn digest_infos() -> Family {
    let mut family = Family::new(44, "a DigestInfo that is not DER, or not SHA-256's", 20, &[INVALID]);
    encoded(&mut family, |input| {
        let digest = sha256(input.as_bytes());
        let algorithm = |parameters: &[u8]| der(0x30, &[der(0x06, &SHA256_OID).as_slice(), parameters].concat());
        let octets = der(0x04, &digest);
        let sha512_oid = [&SHA256_OID[..8], &[3]].concat();
        let infos = [
            digest_info(&sha512_oid, &NULL, &digest),
            digest_info(&[], &NULL, &digest),
            digest_info(&SHA256_OID, &[], &digest),
            digest_info(&SHA256_OID, &[NULL, NULL].concat(), &digest),
            digest_info(&SHA256_OID, &der(0x04, &[0; 20]), &digest),
            digest_info(&SHA256_OID, &NULL, &digest[..31]),
            [&[0x30, 0x81, 0x31], &sound_info(input.as_bytes())[2..]].concat(),
            [&[0x30, 0x80], algorithm(&NULL).as_slice(), &octets, &[0, 0]].concat(),
            der(0x30, &[algorithm(&NULL), octets.clone(), der(0x05, &[])].concat()),
            [der(0x30, &[algorithm(&NULL), octets].concat()), vec![0]].concat(),
        ];
        infos.iter().map(|info| padded(info, 256)).collect()
    });
    family
}

/// Under the exponent three, a cube root is a signature to whoever does not look at the whole of it.
fn cubes() -> Family {
    let mut family = Family::new(45, "cube roots for signatures", 8, &[INVALID]);
    let key = with(with(jwk(genuine()), "e", base64url_encode(&[3])), "kid", "cube");
    for base in bases() {
        let mut kit = base.header("kid", "cube").keys([key.clone()]);
        kit.header.as_object_mut().unwrap().remove("x5t");
        let (input, _) = parts(&kit);
        // Garbage behind the digest (CVE-2006-4339).
        let mut wanted = [&[0, 1], [0xff; 8].as_slice(), &[0], &sound_info(input.as_bytes())].concat();
        wanted.resize(256, 0xff);
        family.push_token(&kit, token_with(&input, &signature(&BigUint::from_bytes_be(&wanted).cbrt())));
        // Garbage before it: odd numbers have a cube root modulo a power of two, found bit by bit.
        let mut kits = (0..).map(|number: u32| kit.clone().claim("uti", number.to_string()));
        let (kit, input, info) = kits
            .find_map(|kit| {
                let (input, _) = parts(&kit);
                let info = sound_info(input.as_bytes());
                (info.last().unwrap() % 2 == 1).then_some((kit, input, info))
            })
            .unwrap();
        let suffix = [&[0], info.as_slice()].concat();
        let target = BigUint::from_bytes_be(&suffix);
        let mut root = BigUint::from(1_u8);
        for bit in 1..u64::try_from(suffix.len() * 8).unwrap() {
            let wrong = (root.pow(3) ^ &target).bit(bit);
            root.set_bit(bit, wrong);
        }
        assert!(root.pow(3).to_bytes_be().ends_with(&suffix), "the forgery is one that a lax verifier takes");
        family.push_token(&kit, token_with(&input, &signature(&root)));
    }
    family
}

/// A number as 256 bytes.
fn signature(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; 256 - bytes.len()], bytes].concat()
}

fn changed() -> Family {
    let mut family = Family::new(46, "payload, header or signature of another token", 52, &[INVALID]);
    for kit in bases() {
        let token = kit.token();
        let (header, payload, signature) = segments(&token);
        let encoded = |kit: &Kit| base64url_encode(kit.claims.to_string().as_bytes());
        for altered in [
            encoded(&kit.clone().claim("roles", vec!["Resource.Read", "Resource.Write"])),
            encoded(&kit.clone().claim("scp", "access_as_user everything")),
            encoded(&kit.clone().claim("exp", kit.now + 999_999)),
            encoded(&kit.clone().claim("aud", format!("{API} "))),
            base64url_encode(format!("{} ", kit.claims).as_bytes()),
            base64url_encode(b"{}"),
            base64url_encode(b"no JSON"),
            "A".to_owned(),
            payload[..payload.len() - 1].to_owned(),
        ] {
            family.push_token(&kit, format!("{header}.{altered}.{signature}"));
        }
        for altered in [kit.clone().without_header("typ"), kit.clone().header("x", 1)] {
            let header = base64url_encode(altered.header.to_string().as_bytes());
            family.push_token(&kit, format!("{header}.{payload}.{signature}"));
        }
        let other = kit.clone().claim("uti", "another");
        for other in [other.clone(), other.signed_by(attacker())] {
            family.push_token(&kit, format!("{header}.{payload}.{}", segments(&other.token()).2));
        }
    }
    family
}

fn two_faults() -> Family {
    let mut family = Family::new(105, "a bad signature and another fault", 16, &[INVALID]);
    for kit in bases() {
        let forged = kit.signed_by(attacker());
        let now = forged.now;
        family.claims(&forged, "exp", [now - 7_200]);
        family.claims(&forged, "nbf", [now + 7_200]);
        family.claims(&forged, "aud", ["api://other"]);
        family.claims(&forged, "roles", [1]);
    }
    family
}
