use super::*;
use std::time::Duration;

use countersign_directory::{
    Credentials, FamilyRow, FederatedCredential, Purpose, Rotation, Snapshot, StoreError, User, Users,
};
use uuid::Uuid;

const ALICE: &str = "11111111-1111-4111-8111-111111111111";

pub(crate) async fn a_snapshot_brings_everything_back(directory: impl Directory) {
    let (resource, _) = furnish(&directory).await;
    let family = FamilyRow { id: Uuid::from_u128(1), tenant: id(CONTOSO), until: NOW.plus(Duration::from_secs(60)) };
    directory.start_family(family).await.unwrap();
    let first = directory.snapshot().await.unwrap();
    let kept = directory.revision();

    let mut tx = directory.begin().await.unwrap();
    tx.insert_user(&User::new(id(ALICE), id(CONTOSO), "alice@contoso.com")).await.unwrap();
    let renamed = Tenant::new(id(FABRIKAM), "Renamed").with_domain("new.example");
    let renamed = Tenant { trusted_certificate_authorities: vec![vec![1, 2]], ..renamed };
    tx.update_tenant(&renamed).await.unwrap();
    let federated = FederatedCredential {
        id: id(READ),
        name: "k8s".to_owned(),
        issuer: "https://i/".to_owned(),
        subject: "s".to_owned(),
        audience: "a".to_owned(),
        description: None,
    };
    tx.add_federated_credential(id(CLIENT), &federated).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(directory.rotate_family(family.id, 0, NOW).await.unwrap(), Rotation::Rotated);
    assert!(directory.spend(Purpose::Session, &[1; 32], NOW).await.unwrap());
    let second = directory.snapshot().await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    assert!(tx.remove_tenant(id(CONTOSO)).await.unwrap());
    tx.commit().await.unwrap();

    let changed = directory.revision();
    directory.restore(&first).await.unwrap();
    assert!(directory.revision() != changed && directory.revision() != kept, "nothing remembered is good");
    let mut tx = directory.begin().await.unwrap();
    assert_eq!(tx.tenants().await.unwrap(), [contoso(), fabrikam()]);
    assert_eq!(tx.user(id(CONTOSO), id(ALICE)).await.unwrap(), None);
    assert!(tx.federated_credentials(id(CLIENT)).await.unwrap().is_empty());
    let found = tx.resource(id(CONTOSO), "https://contoso.com/orders").await.unwrap();
    assert_eq!(found, Some(resource));
    drop(tx);
    assert!(!directory.is_spent(Purpose::Session, &[1; 32]).await.unwrap());
    assert_eq!(directory.rotate_family(family.id, 0, NOW).await.unwrap(), Rotation::Rotated);

    directory.restore(&second).await.unwrap();
    directory.restore(&second).await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    assert_eq!(tx.tenants().await.unwrap(), [contoso(), renamed]);
    assert!(tx.user(id(CONTOSO), id(ALICE)).await.unwrap().is_some());
    assert_eq!(tx.federated_credentials(id(CLIENT)).await.unwrap(), [federated]);
    drop(tx);
    assert!(directory.is_spent(Purpose::Session, &[1; 32]).await.unwrap());
    // What was given up is cleared, and the others stay.
    drop(second);
    let third = directory.snapshot().await.unwrap();
    directory.restore(&first).await.unwrap();
    assert_eq!(directory.begin().await.unwrap().tenants().await.unwrap(), [contoso(), fabrikam()]);
    directory.restore(&third).await.unwrap();
}

pub(crate) async fn a_snapshot_of_another_directory_is_refused(directory: impl Directory, foreign: &Snapshot) {
    furnish(&directory).await;
    let before = directory.revision();
    let error = directory.restore(foreign).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported(_)), "{error:?}");
    assert_eq!(directory.revision(), before);
    assert_eq!(directory.begin().await.unwrap().tenants().await.unwrap(), [contoso(), fabrikam()]);
}
