//! Which keys may decrypt, and that nothing of them is shown.

use countersign_token::{
    Certificate, DecryptionKey, DecryptionKeyError, DecryptionKeys, MAX_DECRYPTION_KEYS, PrivateKey, PrivateKeyError,
    Rejection, base64url_encode,
};

use crate::kit::forge::{certificate, pem};
use crate::{envelope, next, own, own_keys};

/// RSA of 1024 bits, sound but for its length, PKCS#8; made with openssl for this test.
const SHORT_KEY: &str = concat!(
    "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBANLRj5CnlNHeMi7Fo0UxVK6GgsCYiIP5PucQVVDb1HdwSU5I7JKJ8O0OkJ",
    "RUKSqvCs8cMLPBfrw1vMmKMbHRgsH3Phnkdbor9FqTaGquv3KL+X7PEJ8RRvmiopchtz/k+Qsz30+4WcWM6Q4xxdGloziczm8kAjK3kBhL",
    "hbFEWhZHAgMBAAECgYEAnLFj+smEJIT5WahOVVR4M4wIzSvSc/0i0s1iDEqIXgoYglZTeAuNBjWIIqd3PaGC8DNsw36zOyLZ4haUHy2w+C",
    "7FDoEPC3GMz75qbTxOxkre5JqZaqNxCaE0cd1ZOzSJvDxkWChJTPjq0yNE/IgpGi/C5Q25yISOB/mcp2kwEuECQQDwnCTLmnkG+OcRwH6z",
    "5tPkUXi8GXfab91lc516mUQWZ8dADOqOl5REoUEZaKniF2f5QxOpICGPWqwJCXz0uHP3AkEA4E2Zo/i4Jt4bt7aF+5enTVL2EDNxYAjTq4",
    "LzxzufJLSGk1gGBmWx0Iu5B3uMgWhkJTJgr1gdTlQ/sJbtqZI8MQJASaEOpXuc46RRWZ5VZ4oQd4Ly9mS4x5CJ6JzLqROzwUN6tr/9GyuJ",
    "hMLv3+2mZviQqbd8EboyauLtWEqeAWlcmwJBAMDJ0fl+iIFXvEkeB3DkuzaZzMbGAHeDfrNW3cLrevCofVbdfGg5NilCPqmwxmZf3FugPj",
    "vXp3CwtwFH6EQsXbECQBg+q4HRvmOQVjcDFKItrFkxg6ywXmmks9H0VDO7iWg4r4kvDEdN/zYg1+n8G23fRfla6HJibXprWTA52fGPbB4=",
);

#[test]
fn a36_a_key_of_1024_bits_is_refused() {
    let der = countersign_token::base64_decode_lenient(SHORT_KEY).unwrap();
    assert_eq!(PrivateKey::from_pkcs8_der(&der).unwrap_err(), PrivateKeyError::NotRsa);
    assert_eq!(PrivateKey::from_pem(&pem("PRIVATE KEY", &der, "\n")).unwrap_err(), PrivateKeyError::NotRsa);
}

#[test]
fn pem_of_key_and_certificate_makes_a_key() {
    let pkcs8 = PrivateKey::generate_pkcs8().unwrap();
    let text = pem("PRIVATE KEY", &pkcs8, "\n") + &pem("CERTIFICATE", &certificate(&pkcs8, "api"), "\n");
    let private_key = PrivateKey::from_pem(&text).unwrap();
    let key = DecryptionKey::new(&private_key, &Certificate::from_pem(&text).unwrap()).unwrap();
    let keys = DecryptionKeys::new(vec![key]).unwrap();
    let jwe = crate::kit::encrypt::Envelope::new("RSA-OAEP", "A128GCM", private_key.public_key()).seal("a.b.c");
    assert_eq!(keys.decrypt(&jwe).unwrap().as_str(), "a.b.c");
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let refusal = DecryptionKey::new(&own().private_key, &next().certificate).unwrap_err();
    assert_eq!(refusal, DecryptionKeyError::CertificateMismatch);
}

#[test]
fn names_that_no_header_could_give_are_refused() {
    for key_id in ["", "a b", "\n", "\u{e9}", &"k".repeat(129)] {
        let refusal = DecryptionKey::without_certificate(&own().private_key, key_id).unwrap_err();
        assert_eq!(refusal, DecryptionKeyError::KeyIdMalformed, "{key_id:?}");
        assert_eq!(own().key().with_key_id(key_id).unwrap_err(), DecryptionKeyError::KeyIdMalformed, "{key_id:?}");
    }
}

#[test]
fn a_set_has_one_to_eight_keys() {
    let keys = |count: usize| DecryptionKeys::new((0..count).map(|_| own().key()).collect());
    assert_eq!(keys(0).unwrap_err(), DecryptionKeyError::NoKeys);
    assert_eq!(keys(MAX_DECRYPTION_KEYS + 1).unwrap_err(), DecryptionKeyError::TooManyKeys);
    let all = keys(MAX_DECRYPTION_KEYS).unwrap();
    assert_eq!(all.decrypt(&envelope().seal("a.b.c")).unwrap().as_str(), "a.b.c");
    assert!(DecryptionKeyError::TooManyKeys.to_string().contains(&MAX_DECRYPTION_KEYS.to_string()));
}

#[test]
fn a103_debug_and_refusals_show_nothing() {
    let hex = own().certificate.thumbprint_hex();
    assert_eq!(format!("{:?}", own().key()), format!("DecryptionKey(RSA, 2048 bits, \"{hex}\", [redacted])"));
    let keys = own_keys();
    let modulus = base64url_encode(own().private_key.public_key().modulus());
    let jwe = envelope().header("kid", "other-kid").seal("secret.secret.secret");
    let mut parts: Vec<_> = jwe.split('.').map(str::to_owned).collect();
    parts[0] = base64url_encode(br#"{"alg":"RSA-OAEP","enc":"A256CBC-HS512"}"#);
    let decrypted = keys.decrypt(&envelope().seal("secret.secret.secret")).unwrap();
    let refusals = [keys.decrypt(&jwe).unwrap_err(), keys.decrypt(&parts.join(".")).unwrap_err()];
    assert_eq!(refusals, [Rejection::DecryptionKeyUnknown, Rejection::DecryptionFailed]);
    let text = format!("{keys:?} {decrypted:?} {refusals:?} {} {}", refusals[0], refusals[1]);
    for secret in [&modulus[..16], &parts[1][..16], &parts[3][..16], "other-kid", "secret"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn keys_are_shared_among_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let keys = own_keys();
    shared(&keys);
    let jwe = envelope().seal("a.b.c");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (keys, jwe) = (keys.clone(), jwe.clone());
            std::thread::spawn(move || (0..20).all(|_| keys.decrypt(&jwe).is_ok()))
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}
