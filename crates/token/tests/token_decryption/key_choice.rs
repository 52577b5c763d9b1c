//! Which key a header means.

use countersign_token::{Certificate, DecryptionKey, DecryptionKeys, Rejection, base64url_encode};

use crate::kit::encrypt::Envelope;
use crate::{Owner, decrypts, envelope, next, own, refused, stranger};

fn thumbprints(owner: &Owner) -> (String, String, String) {
    let Owner { certificate, .. } = owner;
    let (sha1, sha256) = (certificate.sha1_thumbprint(), certificate.sha256_thumbprint());
    (base64url_encode(&sha1), base64url_encode(&sha256), certificate.thumbprint_hex())
}

fn rollover() -> DecryptionKeys {
    DecryptionKeys::new(vec![own().key(), next().key()]).unwrap()
}

#[test]
fn a_certificate_has_four_names_as_kid_and_two_as_thumbprint() {
    let (sha1, sha256, hex) = thumbprints(own());
    assert_eq!((sha1.len(), sha256.len(), hex.len()), (27, 43, 40));
    for key_id in [&sha1, &sha256, &hex, &hex.to_lowercase()] {
        decrypts(&envelope().header("kid", key_id.as_str()).seal("a.b.c"), "a.b.c");
    }
    let by_thumbprint = envelope().header("x5t", sha1.as_str());
    decrypts(&by_thumbprint.seal("a.b.c"), "a.b.c");
    decrypts(&by_thumbprint.clone().header("kid", hex).seal("a.b.c"), "a.b.c");
    decrypts(&by_thumbprint.header("x5t#S256", sha256.as_str()).seal("a.b.c"), "a.b.c");
    decrypts(&envelope().header("x5t#S256", sha256).seal("a.b.c"), "a.b.c");
}

#[test]
fn a_name_that_is_nobodys_is_refused_even_if_the_key_would_fit() {
    let (sha1, sha256, hex) = thumbprints(stranger());
    for key_id in [sha1.as_str(), &sha256, &hex, "x", "RSA"] {
        refused(&envelope().header("kid", key_id).seal("a.b.c"), Rejection::DecryptionKeyUnknown);
    }
    let (own_sha1, own_sha256, own_hex) = thumbprints(own());
    for (name, value) in [
        ("x5t", sha1.as_str()),
        ("x5t#S256", &sha256),
        // The right digest in the wrong place, alphabet or case.
        ("x5t", &own_hex),
        ("x5t", &own_sha256),
        ("x5t#S256", &own_sha1),
        ("x5t", &own_sha1.to_lowercase()),
        ("kid", &own_sha1.to_lowercase()),
        ("kid", &own_hex[..39]),
        ("x5t", ""),
    ] {
        refused(&envelope().header(name, value).seal("a.b.c"), Rejection::DecryptionKeyUnknown);
    }
    // One thumbprint right, the other wrong: no key has both.
    let torn = envelope().header("x5t", own_sha1).header("x5t#S256", sha256);
    refused(&torn.seal("a.b.c"), Rejection::DecryptionKeyUnknown);
}

#[test]
fn a27_a_thumbprint_that_contradicts_the_kid() {
    let (sha1, sha256, hex) = thumbprints(own());
    let named = envelope().header("kid", hex);
    for (name, value) in [("x5t", thumbprints(next()).0), ("x5t#S256", thumbprints(next()).1), ("x5t", String::new())] {
        let jwe = named.clone().header(name, value).seal("a.b.c");
        assert_eq!(rollover().decrypt(&jwe).unwrap_err(), Rejection::ThumbprintMismatch);
    }
    decrypts(&named.header("x5t", sha1).header("x5t#S256", sha256).seal("a.b.c"), "a.b.c");
}

#[test]
fn a31_the_name_of_another_key_of_ours_does_not_open() {
    let jwe = envelope().header("kid", thumbprints(next()).2).seal("a.b.c");
    assert_eq!(rollover().decrypt(&jwe).unwrap_err(), Rejection::DecryptionFailed);
}

#[test]
fn during_a_rollover_both_keys_open_named_or_not() {
    for owner in [own(), next()] {
        let envelope = owner.envelope("RSA-OAEP", "A128GCM");
        assert_eq!(rollover().decrypt(&envelope.seal("a.b.c")).unwrap().as_str(), "a.b.c");
        let named = envelope.header("x5t", thumbprints(owner).0).seal("a.b.c");
        assert_eq!(rollover().decrypt(&named).unwrap().as_str(), "a.b.c");
    }
    let foreign = stranger().envelope("RSA-OAEP", "A128GCM").seal("a.b.c");
    assert_eq!(rollover().decrypt(&foreign).unwrap_err(), Rejection::DecryptionFailed);
}

#[test]
fn the_old_key_is_forgotten_once_it_is_taken_out() {
    let jwe = |envelope: Envelope| envelope.seal("a.b.c");
    let keys = DecryptionKeys::new(vec![next().key()]).unwrap();
    let named = envelope().header("x5t", thumbprints(own()).0);
    assert_eq!(keys.decrypt(&jwe(named)).unwrap_err(), Rejection::DecryptionKeyUnknown);
    assert_eq!(keys.decrypt(&jwe(envelope())).unwrap_err(), Rejection::DecryptionFailed);
}

#[test]
fn explicit_names_are_compared_byte_by_byte() {
    let key = own().key().with_key_id("53095330-1680-4a8d-bf0d-8d0d042fe88b").unwrap().with_key_id("Second").unwrap();
    let keys = DecryptionKeys::new(vec![key]).unwrap();
    for key_id in ["53095330-1680-4a8d-bf0d-8d0d042fe88b", "Second", thumbprints(own()).2.as_str()] {
        assert!(keys.decrypt(&envelope().header("kid", key_id).seal("a.b.c")).is_ok(), "{key_id}");
    }
    for key_id in ["second", "Second2", "Secon", "53095330-1680-4A8D-BF0D-8D0D042FE88B"] {
        let refusal = keys.decrypt(&envelope().header("kid", key_id).seal("a.b.c")).unwrap_err();
        assert_eq!(refusal, Rejection::DecryptionKeyUnknown, "{key_id}");
    }
}

#[test]
fn a_key_without_a_certificate_answers_to_its_kid_alone() {
    let key = DecryptionKey::without_certificate(&own().private_key, "k").unwrap();
    let keys = DecryptionKeys::new(vec![key]).unwrap();
    let decrypt = |envelope: Envelope| keys.decrypt(&envelope.seal("a.b.c")).map(|_| ());
    assert_eq!(decrypt(envelope()), Ok(()));
    assert_eq!(decrypt(envelope().header("kid", "k")), Ok(()));
    // A thumbprint beside it cannot be checked and contradicts nothing.
    assert_eq!(decrypt(envelope().header("kid", "k").header("x5t", thumbprints(own()).0)), Ok(()));
    let refused = Err(Rejection::DecryptionKeyUnknown);
    assert_eq!(decrypt(envelope().header("kid", thumbprints(own()).2)), refused);
    assert_eq!(decrypt(envelope().header("x5t", thumbprints(own()).0)), refused);
}

#[test]
fn a_renewed_certificate_over_the_same_key_is_another_name() {
    let pkcs8 = countersign_token::PrivateKey::generate_pkcs8().unwrap();
    let private_key = countersign_token::PrivateKey::from_pkcs8_der(&pkcs8).unwrap();
    let [first, second] = [1, 2].map(|serial| {
        Certificate::from_der(crate::kit::forge::certificate_with_serial(&pkcs8, "api", serial)).unwrap()
    });
    let keys = |certificates: &[&Certificate]| {
        let key = |certificate: &&Certificate| DecryptionKey::new(&private_key, certificate).unwrap();
        DecryptionKeys::new(certificates.iter().map(key).collect()).unwrap()
    };
    let envelope = Envelope::new("RSA-OAEP", "A128GCM", private_key.public_key()).header("x5t", second.key_id());
    let jwe = envelope.seal("a.b.c");
    assert_eq!(keys(&[&first]).decrypt(&jwe).unwrap_err(), Rejection::DecryptionKeyUnknown);
    assert_eq!(keys(&[&first, &second]).decrypt(&jwe).unwrap().as_str(), "a.b.c");
}
