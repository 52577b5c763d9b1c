use super::*;
use std::time::Duration;

use countersign_directory::{ClientCertificate, ClientSecret, Credentials, FederatedCredential, Record, StoreError};
use countersign_token::SeededRandomness;
use secrecy::ExposeSecret;
use uuid::Uuid;

pub(crate) async fn a_secret_is_matched_by_its_hash(directory: impl Directory) {
    furnish(&directory).await;
    let (vault, randomness) = (vault(), SeededRandomness::from_seed(1));
    let valid = |days: u64| NOW..NOW.plus(Duration::from_secs(days * 86_400));
    let (first, first_text) = ClientSecret::generate(&vault, &randomness, Some("first".to_owned()), valid(1));
    let (second, second_text) = ClientSecret::generate(&vault, &randomness, None, valid(2));
    let mut tx = directory.begin().await.unwrap();
    tx.add_secret(id(CLIENT), &first).await.unwrap();
    tx.add_secret(id(CLIENT), &second).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = directory.begin().await.unwrap();
    let secrets = tx.secrets(id(CLIENT)).await.unwrap();
    assert_eq!(secrets.len(), 2);
    assert!(tx.secrets(id(RESOURCE)).await.unwrap().is_empty());
    for (secret, text) in [(&first, &first_text), (&second, &second_text)] {
        let presented = vault.hash_secret(text.expose_secret());
        let matching: Vec<_> = secrets.iter().filter(|stored| stored.matches(&presented)).collect();
        assert_eq!(matching.len(), 1);
        assert_eq!(matching[0].key_id, secret.key_id);
        assert_eq!(matching[0].hint, &text.expose_secret()[..3]);
        assert_eq!((matching[0].starts_at, matching[0].ends_at), (secret.starts_at, secret.ends_at));
        assert_eq!(matching[0].display_name, secret.display_name);
    }
    assert!(tx.remove_secret(id(CLIENT), first.key_id).await.unwrap());
    assert!(!tx.remove_secret(id(CLIENT), first.key_id).await.unwrap(), "it is gone");
    assert!(!tx.remove_secret(id(RESOURCE), second.key_id).await.unwrap(), "it is another application's");
    assert_eq!(tx.secrets(id(CLIENT)).await.unwrap().len(), 1);
}

pub(crate) async fn a_secret_needs_its_application_and_an_id_of_its_own(directory: impl Directory) {
    furnish(&directory).await;
    let (secret, _) = ClientSecret::generate(&vault(), &SeededRandomness::from_seed(1), None, NOW..NOW);
    let mut tx = directory.begin().await.unwrap();
    let error = tx.add_secret(id(WRITE), &secret).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Application)), "{error:?}");
    tx.add_secret(id(CLIENT), &secret).await.unwrap();
    let error = tx.add_secret(id(CLIENT), &secret).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::ClientSecret)), "{error:?}");
}

pub(crate) async fn certificates_come_and_go(directory: impl Directory) {
    furnish(&directory).await;
    let certificate = |byte: u8| ClientCertificate {
        key_id: Uuid::from_bytes([byte; 16]),
        display_name: Some(format!("CN={byte}")),
        certificate: vec![byte, 0, 255],
        starts_at: NOW.plus(Duration::from_secs(byte.into())),
        ends_at: NOW.plus(Duration::from_secs(100)),
    };
    let mut tx = directory.begin().await.unwrap();
    tx.add_certificate(id(CLIENT), &certificate(2)).await.unwrap();
    tx.add_certificate(id(CLIENT), &certificate(1)).await.unwrap();
    assert_eq!(tx.certificates(id(CLIENT)).await.unwrap(), [certificate(1), certificate(2)], "the newest last");
    let error = tx.add_certificate(id(CLIENT), &certificate(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::ClientCertificate)), "{error:?}");
    assert!(tx.remove_certificate(id(CLIENT), certificate(1).key_id).await.unwrap());
    assert!(!tx.remove_certificate(id(CLIENT), certificate(1).key_id).await.unwrap());
    assert_eq!(tx.certificates(id(CLIENT)).await.unwrap(), [certificate(2)]);
}

pub(crate) async fn federated_credentials_are_unique_by_name_and_by_subject(directory: impl Directory) {
    furnish(&directory).await;
    let credential = |byte: u8, name: &str, subject: &str| FederatedCredential {
        id: Uuid::from_bytes([byte; 16]),
        name: name.to_owned(),
        issuer: "https://issuer.example/".to_owned(),
        subject: subject.to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
        description: None,
    };
    let mut tx = directory.begin().await.unwrap();
    tx.add_federated_credential(id(CLIENT), &credential(1, "k8s", "a")).await.unwrap();
    for clash in [credential(2, "k8s", "b"), credential(3, "other", "a"), credential(1, "another", "c")] {
        let error = tx.add_federated_credential(id(CLIENT), &clash).await.unwrap_err();
        assert!(matches!(error, StoreError::AlreadyExists(Record::FederatedCredential)), "{error:?}");
    }
    // Subjects are compared exactly, and another application may trust the same one.
    tx.add_federated_credential(id(CLIENT), &credential(4, "upper", "A")).await.unwrap();
    tx.add_federated_credential(id(RESOURCE), &credential(5, "k8s", "a")).await.unwrap();
    let read = tx.federated_credentials(id(CLIENT)).await.unwrap();
    assert_eq!(read, [credential(1, "k8s", "a"), credential(4, "upper", "A")]);
    assert!(tx.remove_federated_credential(id(CLIENT), read[0].id).await.unwrap());
    assert!(!tx.remove_federated_credential(id(CLIENT), read[0].id).await.unwrap());
}
