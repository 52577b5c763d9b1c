//! PKCS#12 containers that hold something else than one key with its certificate: each fault by its name.
#![expect(clippy::unwrap_used, reason = "tests")]

use countersign_client::{PfxError, read_pfx};
use countersign_token::{Certificate, PrivateKeyError};
use p12_keystore::{Certificate as StoreCertificate, KeyStore, KeyStoreEntry, PrivateKey as StoreKey, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize,
};

const PASSWORD: &str = "the-containers-own";

fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn self_signed(name: &str, key: &KeyPair) -> StoreCertificate {
    StoreCertificate::from_der(named(name).self_signed(key).unwrap().der()).unwrap()
}

fn chain(id: u8, key: &KeyPair, certificates: impl IntoIterator<Item = StoreCertificate>) -> KeyStoreEntry {
    let key = StoreKey::from_der(&key.serialize_der()).unwrap();
    KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(vec![id], key, certificates))
}

fn container(entries: Vec<(&str, KeyStoreEntry)>) -> Vec<u8> {
    let mut store = KeyStore::new();
    for (alias, entry) in entries {
        store.add_entry(alias, entry);
    }
    store.writer(PASSWORD).write().unwrap()
}

fn fault(entries: Vec<(&str, KeyStoreEntry)>) -> PfxError {
    read_pfx(&container(entries), PASSWORD).unwrap_err()
}

#[test]
fn each_fault_of_a_container_has_its_name() {
    let (one, two) = (rsa(), rsa());
    let error = fault(vec![
        ("one", chain(1, &one, [self_signed("one", &one)])),
        ("two", chain(2, &two, [self_signed("two", &two)])),
    ]);
    assert!(matches!(error, PfxError::SeveralKeys), "{error:?}");
    let error = fault(vec![("one", KeyStoreEntry::Certificate(self_signed("one", &one)))]);
    assert!(matches!(error, PfxError::NoKey), "{error:?}");
    assert!(matches!(fault(Vec::new()), PfxError::NoKey));
    let error = fault(vec![("one", chain(1, &one, []))]);
    assert!(matches!(error, PfxError::NoCertificate), "{error:?}");
    let error = fault(vec![("one", chain(1, &one, [self_signed("two", &two)]))]);
    assert!(matches!(error, PfxError::NoCertificate), "another key's is none: {error:?}");
    let elliptic = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let error = fault(vec![("one", chain(1, &elliptic, [self_signed("one", &elliptic)]))]);
    assert!(matches!(error, PfxError::Key(PrivateKeyError::NotRsa)), "{error:?}");
    let good = container(vec![("one", chain(1, &one, [self_signed("one", &one)]))]);
    assert!(matches!(read_pfx(&good, "another"), Err(PfxError::Unreadable(_))));
    assert!(read_pfx(&good, PASSWORD).is_ok());
}

#[test]
fn of_a_container_with_a_chain_the_keys_own_certificate_is_taken() {
    let mut authority = named("Contoso CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // An authority whose key is of a kind that is of no use here is passed over, too.
    for root_key in [rsa(), KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()] {
        let root = CertifiedIssuer::self_signed(authority.clone(), root_key).unwrap();
        let key = rsa();
        let leaf = named("daemon.contoso.com").signed_by(&key, &root).unwrap();
        let of = |der: &[u8]| StoreCertificate::from_der(der).unwrap();
        let entry = chain(1, &key, [of(leaf.der()), of(root.der())]);
        let (read_key, read) = read_pfx(&container(vec![("daemon", entry)]), PASSWORD).unwrap();
        let expected = Certificate::from_der(leaf.der().to_vec()).unwrap();
        assert_eq!(read.sha256_thumbprint(), expected.sha256_thumbprint());
        assert!(read_key.public_key().same_key(expected.public_key()));
    }
}
