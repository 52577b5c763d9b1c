use super::*;
use std::time::Duration;

use countersign_directory::{
    KeyOwner, KeySchedule, PasswordHash, Record, SigningKeys, StoreError, StoredSigningKey, User, UserType, Users,
};

pub(crate) fn signing_key(key_id: &str, owner: KeyOwner, generation: i64) -> StoredSigningKey {
    StoredSigningKey {
        key_id: key_id.to_owned(),
        owner,
        generation,
        certificate: vec![1, 2, 3],
        sealed_private_key: vec![0, 255],
        created: NOW,
        schedule: KeySchedule { activates_at: NOW, retires_at: None },
    }
}

pub(crate) async fn a_key_reads_back_whole(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let retiring = StoredSigningKey {
        schedule: KeySchedule { activates_at: NOW, retires_at: Some(NOW.plus(Duration::from_nanos(1))) },
        ..signing_key("own", KeyOwner::Tenant(id(CONTOSO)), 1)
    };
    assert!(tx.insert_signing_key(&signing_key("second", KeyOwner::Everybody, 2)).await.unwrap());
    assert!(tx.insert_signing_key(&retiring).await.unwrap());
    assert!(tx.insert_signing_key(&signing_key("first", KeyOwner::Everybody, 1)).await.unwrap());
    let keys = tx.signing_keys().await.unwrap();
    assert_eq!(keys.iter().map(|key| key.key_id.as_str()).collect::<Vec<_>>(), ["first", "second", "own"]);
    assert_eq!((keys[0].owner, keys[2].owner), (KeyOwner::Everybody, KeyOwner::Tenant(id(CONTOSO))));
    assert_eq!(keys[2].schedule, retiring.schedule);
    assert_eq!((&keys[2].certificate, &keys[2].sealed_private_key), (&vec![1, 2, 3], &vec![0, 255]));
    assert_eq!((keys[1].generation, keys[1].created), (2, NOW));
    assert!(tx.remove_signing_key("first").await.unwrap());
    assert!(!tx.remove_signing_key("first").await.unwrap());
}

pub(crate) async fn of_two_keys_of_one_generation_the_first_wins(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    assert!(tx.insert_signing_key(&signing_key("a", KeyOwner::Everybody, 1)).await.unwrap());
    assert!(!tx.insert_signing_key(&signing_key("b", KeyOwner::Everybody, 1)).await.unwrap(), "same generation");
    assert!(!tx.insert_signing_key(&signing_key("a", KeyOwner::Everybody, 2)).await.unwrap(), "same kid");
    assert!(tx.insert_signing_key(&signing_key("c", KeyOwner::Tenant(id(CONTOSO)), 1)).await.unwrap(), "another owner");
    let error = tx.insert_signing_key(&signing_key("d", KeyOwner::Tenant(id(WRITE)), 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Tenant)), "{error:?}");
    let application = KeyOwner::Application(id(RESOURCE));
    assert!(tx.insert_signing_key(&signing_key("e", application, 1)).await.unwrap(), "an application's own");
    assert_eq!(tx.signing_keys().await.unwrap()[2].owner, application);
    let nobody = KeyOwner::Application(id(CONTOSO));
    let error = tx.insert_signing_key(&signing_key("f", nobody, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Application)), "{error:?}");
}

pub(crate) async fn a_schedule_is_changed_by_compare_and_set(directory: impl Directory) {
    let mut tx = directory.begin().await.unwrap();
    tx.insert_signing_key(&signing_key("a", KeyOwner::Everybody, 1)).await.unwrap();
    let original = KeySchedule { activates_at: NOW, retires_at: None };
    let retired = KeySchedule { retires_at: Some(NOW), ..original };
    let later = KeySchedule { activates_at: NOW.plus(Duration::from_nanos(1)), ..original };
    assert!(!tx.reschedule_signing_key("a", retired, later).await.unwrap(), "it has no end yet");
    assert!(!tx.reschedule_signing_key("a", later, retired).await.unwrap(), "it begins earlier");
    assert!(!tx.reschedule_signing_key("b", original, later).await.unwrap(), "there is none");
    assert!(tx.reschedule_signing_key("a", original, retired).await.unwrap());
    assert!(!tx.reschedule_signing_key("a", original, later).await.unwrap(), "somebody was faster");
    assert!(tx.reschedule_signing_key("a", retired, original).await.unwrap(), "an end can be taken back");
    assert_eq!(tx.signing_keys().await.unwrap()[0].schedule, original);
}

fn user(name: &str, object_id: &str) -> User {
    User {
        object_id: id(object_id),
        tenant: id(CONTOSO),
        user_principal_name: name.to_owned(),
        display_name: "Ämilie".to_owned(),
        user_type: UserType::Guest,
        is_administrator: true,
        password_expired: true,
        mfa_required: true,
        blocked_by_policy: true,
        tokens_valid_from: NOW,
        given_name: Some("Ä".to_owned()),
        surname: Some("M".to_owned()),
        mail: Some("a@b.example".to_owned()),
        account_enabled: true,
        password_hash: Some(PasswordHash::from_phc("$argon2id$…")),
    }
}

pub(crate) async fn a_user_is_found_by_id_and_by_name_in_any_case(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let amilie = user("Ämilie@contoso.com", READ);
    tx.insert_user(&amilie).await.unwrap();
    assert_eq!(tx.user(id(CONTOSO), id(READ)).await.unwrap().as_ref(), Some(&amilie));
    assert_eq!(tx.user_by_principal_name(id(CONTOSO), "äMILIE@CONTOSO.COM").await.unwrap().as_ref(), Some(&amilie));
    assert_eq!(tx.user(id(FABRIKAM), id(READ)).await.unwrap(), None);
    assert_eq!(tx.user_by_principal_name(id(FABRIKAM), "Ämilie@contoso.com").await.unwrap(), None);
    assert_eq!(tx.users_of(id(CONTOSO)).await.unwrap(), [amilie]);
}

pub(crate) async fn a_user_is_unique_and_can_be_changed(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    tx.insert_user(&user("a@contoso.com", READ)).await.unwrap();
    for twin in [user("A@CONTOSO.COM", WRITE), user("b@contoso.com", READ)] {
        let error = tx.insert_user(&twin).await.unwrap_err();
        assert!(matches!(error, StoreError::AlreadyExists(Record::User)), "{error:?}");
    }
    let changed = User { account_enabled: false, password_hash: None, given_name: None, ..user("c@contoso.com", READ) };
    tx.update_user(&changed).await.unwrap();
    assert_eq!(tx.user(id(CONTOSO), id(READ)).await.unwrap(), Some(changed));
    let error = tx.update_user(&user("d@contoso.com", WRITE)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::User)), "{error:?}");
    let stray = User { tenant: id(WRITE), ..user("e@contoso.com", WRITE) };
    let error = tx.insert_user(&stray).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Tenant)), "{error:?}");
}
