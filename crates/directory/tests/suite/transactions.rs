use super::keys_and_users::signing_key;
use super::*;
use countersign_directory::{KeyOwner, KeySchedule, SigningKeys};

pub(crate) async fn dropping_undoes_and_committing_keeps(directory: impl Directory) {
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    drop(tx);
    let mut tx = directory.begin().await.unwrap();
    assert_eq!(tx.tenant(id(CONTOSO)).await.unwrap(), None);
    assert!(tx.service_principals_of(id(CONTOSO)).await.unwrap().is_empty());
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = directory.clone().begin().await.unwrap();
    assert!(tx.tenant(id(CONTOSO)).await.unwrap().is_some(), "clones share it");
}

pub(crate) async fn a_failed_write_writes_nothing_and_the_transaction_goes_on(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let thief = Tenant::new(id(WRITE), "Thief").with_domain("thief.example").with_domain("contoso.com");
    tx.insert_tenant(&thief).await.unwrap_err();
    assert_eq!(tx.tenant(id(WRITE)).await.unwrap(), None);
    assert_eq!(tx.tenant_by_domain("thief.example").await.unwrap(), None);
    tx.update_tenant(&Tenant { id: id(FABRIKAM), ..thief }).await.unwrap_err();
    assert_eq!(tx.tenant(id(FABRIKAM)).await.unwrap(), Some(fabrikam()));

    let uris = json!({"appId": WRITE, "identifierUris": ["api://new", "https://contoso.com/orders"]});
    tx.insert_application(&application(CONTOSO, uris.clone())).await.unwrap_err();
    assert!(tx.application(id(WRITE)).await.unwrap().is_none());
    let mut uris = uris;
    uris["appId"] = json!(CLIENT);
    tx.update_application(&application(CONTOSO, uris)).await.unwrap_err();
    assert_eq!(tx.application(id(CLIENT)).await.unwrap().unwrap().document(), client_app().document());

    tx.update_tenant(&Tenant { strict: true, ..fabrikam() }).await.unwrap();
    tx.commit().await.unwrap();
    let all = directory.begin().await.unwrap().tenants().await.unwrap();
    assert_eq!(all, [contoso(), Tenant { strict: true, ..fabrikam() }]);
}

pub(crate) async fn the_revision_changes_with_every_committed_write_only(directory: impl Directory) {
    let start = directory.revision();
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    assert_eq!(directory.revision(), start, "nothing is committed yet");
    drop(tx);
    assert_eq!(directory.revision(), start, "nothing ever was");

    let mut tx = directory.begin().await.unwrap();
    tx.tenants().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(directory.revision(), start, "reading is not writing");

    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.commit().await.unwrap();
    let second = directory.revision();
    assert_ne!(second, start);
    assert_eq!(directory.clone().revision(), second, "clones share it");

    let mut tx = directory.begin().await.unwrap();
    assert!(!tx.remove_signing_key("none").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(directory.revision(), second, "a write that touched nothing");
}

/// E24: replicas that decide at the same moment. `other` is a second way to the same store, or a clone.
pub(crate) async fn of_many_at_once_one_wins(directory: impl Directory, other: impl Directory) {
    let mut tx = directory.begin().await.unwrap();
    tx.insert_signing_key(&signing_key("first", KeyOwner::Everybody, 1)).await.unwrap();
    tx.commit().await.unwrap();
    let expected = KeySchedule { activates_at: NOW, retires_at: None };
    async fn decide(directory: impl Directory, number: i64, expected: KeySchedule) -> (bool, bool) {
        let new = KeySchedule { retires_at: Some(Timestamp::from_unix_seconds(number)), ..expected };
        let mut tx = directory.begin().await.unwrap();
        let rescheduled = tx.reschedule_signing_key("first", expected, new).await.unwrap();
        let made =
            tx.insert_signing_key(&signing_key(&format!("second by {number}"), KeyOwner::Everybody, 2)).await.unwrap();
        tx.commit().await.unwrap();
        (rescheduled, made)
    }
    let mut deciding = tokio::task::JoinSet::new();
    for number in 0..8 {
        deciding.spawn(decide(directory.clone(), number, expected));
        deciding.spawn(decide(other.clone(), number + 100, expected));
    }
    let outcomes = deciding.join_all().await;
    assert_eq!(outcomes.iter().filter(|(rescheduled, _)| *rescheduled).count(), 1);
    assert_eq!(outcomes.iter().filter(|(_, made)| *made).count(), 1);
    let keys = directory.begin().await.unwrap().signing_keys().await.unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].schedule.retires_at.is_some());
}
