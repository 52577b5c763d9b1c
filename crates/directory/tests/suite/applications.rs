use super::*;
use countersign_directory::{Record, ServicePrincipalKind, StoreError};
use countersign_token::TokenVersion;

pub(crate) async fn a_registration_is_kept_whole(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let read = tx.application(id(RESOURCE)).await.unwrap().unwrap();
    assert_eq!(read.document(), resource_app().document());
    assert_eq!(read.document()["memberOfTomorrow"], json!({"kept": true}));
    assert_eq!((read.tenant(), read.object_id()), (id(CONTOSO), resource_app().object_id()));
    assert_eq!(read.display_name(), "DemoResourceApp");
    assert_eq!(read.access_token_version(), TokenVersion::V2);
    assert_eq!(tx.application(id(CLIENT)).await.unwrap().unwrap().access_token_version(), TokenVersion::V1);
    assert!(tx.application(id(CONTOSO)).await.unwrap().is_none());
    let of: Vec<_> =
        tx.applications_of(id(CONTOSO)).await.unwrap().iter().map(|app| app.app_id().to_string()).collect();
    assert_eq!(of, [CLIENT, RESOURCE]);
    assert!(tx.applications_of(id(FABRIKAM)).await.unwrap().is_empty());
}

pub(crate) async fn an_identifier_uri_is_found_exactly_and_in_its_tenant(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let found = tx.application_by_identifier_uri(id(CONTOSO), "https://contoso.com/orders").await.unwrap().unwrap();
    assert_eq!(found.app_id(), id(RESOURCE));
    for (tenant, uri) in [
        (CONTOSO, "https://contoso.com/orders/"),
        (CONTOSO, "https://contoso.com/Orders"),
        (FABRIKAM, "https://contoso.com/orders"),
    ] {
        assert!(tx.application_by_identifier_uri(id(tenant), uri).await.unwrap().is_none(), "{uri}");
    }
}

pub(crate) async fn ids_and_uris_are_unique(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let error = tx.insert_application(&client_app()).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::Application)), "{error:?}");
    let same_uri = json!({"appId": READ, "identifierUris": ["https://contoso.com/orders"]});
    // Another tenant may have it: identifier URIs are unique where an application is at home.
    tx.insert_application(&application(FABRIKAM, same_uri.clone())).await.unwrap();
    let mut same_uri = same_uri;
    same_uri["appId"] = json!(WRITE);
    let error = tx.insert_application(&application(CONTOSO, same_uri)).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::IdentifierUri)), "{error:?}");
    let nowhere = application(WRITE, json!({"appId": "33333333-3333-4333-8333-333333333333"}));
    let error = tx.insert_application(&nowhere).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Tenant)), "{error:?}");
}

pub(crate) async fn an_update_replaces_the_document_and_its_uris(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let changed = json!({"appId": RESOURCE, "displayName": "New", "identifierUris": ["api://new"], "isDisabled": true});
    tx.update_application(&application(CONTOSO, changed.clone())).await.unwrap();
    let read = tx.application(id(RESOURCE)).await.unwrap().unwrap();
    assert!(read.is_disabled() && read.display_name() == "New" && read.app_roles().is_empty());
    assert!(tx.resource(id(CONTOSO), "https://contoso.com/orders").await.unwrap().is_none());
    assert!(tx.resource(id(CONTOSO), "api://new").await.unwrap().is_some());
    let error = tx.update_application(&application(FABRIKAM, changed)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Application)), "not at home there: {error:?}");
}

pub(crate) async fn a_resource_is_resolved_by_every_name_it_has(directory: impl Directory) {
    let (resource, client) = furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let named = ServicePrincipal { names: vec!["spn-one".to_owned(), "spn-two".to_owned()], ..client.clone() };
    tx.update_service_principal(&named).await.unwrap();
    let api_uri = format!("api://{RESOURCE}");
    for (text, expected) in [
        (RESOURCE, Some(&resource)),
        (&RESOURCE.to_uppercase(), Some(&resource)),
        (&api_uri, Some(&resource)),
        ("https://contoso.com/orders", Some(&resource)),
        ("spn-two", Some(&named)),
        (CLIENT, Some(&named)),
        ("https://contoso.com/orders/", None),
        ("https://contoso.com", None),
        (&api_uri.to_uppercase(), None),
        (&format!("api://{CLIENT}"), None),
        ("DemoResourceApp", None),
        ("' OR 1=1 --", None),
        ("", None),
    ] {
        assert_eq!(tx.resource(id(CONTOSO), text).await.unwrap().as_ref(), expected, "{text}");
    }
    assert_eq!(tx.resource(id(FABRIKAM), RESOURCE).await.unwrap(), None, "no instance there");
    assert_eq!(tx.resource(id(FABRIKAM), "https://contoso.com/orders").await.unwrap(), None);
}

pub(crate) async fn an_application_from_elsewhere_yields_to_the_one_at_home(directory: impl Directory) {
    furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let guest = ServicePrincipal::of(&resource_app(), id(FABRIKAM));
    tx.insert_service_principal(&guest).await.unwrap();
    let found = tx.resource(id(FABRIKAM), "https://contoso.com/orders").await.unwrap();
    assert_eq!(found.as_ref(), Some(&guest));
    let own = application(FABRIKAM, json!({"appId": WRITE, "identifierUris": ["https://contoso.com/orders"]}));
    tx.insert_application(&own).await.unwrap();
    let own = ServicePrincipal::of(&own, id(FABRIKAM));
    tx.insert_service_principal(&own).await.unwrap();
    let found = tx.resource(id(FABRIKAM), "https://contoso.com/orders").await.unwrap();
    assert_eq!(found.as_ref(), Some(&own));
    let of: Vec<_> = tx.service_principals_of(id(FABRIKAM)).await.unwrap();
    assert_eq!(of.len(), 3, "Microsoft Graph, the guest and the own one");
}

pub(crate) async fn a_service_principal_is_one_per_application_and_tenant(directory: impl Directory) {
    let (resource, client) = furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let twin = ServicePrincipal { object_id: id(WRITE), ..client.clone() };
    let error = tx.insert_service_principal(&twin).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::ServicePrincipal)), "{error:?}");
    let orphan = ServicePrincipal { object_id: id(WRITE), app_id: id(WRITE), ..client.clone() };
    let error = tx.insert_service_principal(&orphan).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Application)), "{error:?}");
    let elsewhere = ServicePrincipal { tenant: id(FABRIKAM), ..client.clone() };
    let error = tx.update_service_principal(&elsewhere).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::ServicePrincipal)), "{error:?}");

    let changed = ServicePrincipal {
        kind: ServicePrincipalKind::ManagedIdentity,
        own_signing_key: true,
        display_name: "New".to_owned(),
        account_enabled: false,
        app_role_assignment_required: true,
        names: vec!["taken".to_owned()],
        ..client.clone()
    };
    tx.update_service_principal(&changed).await.unwrap();
    assert_eq!(tx.service_principal_by_id(id(CONTOSO), client.object_id).await.unwrap(), Some(changed));
    assert_eq!(tx.service_principal_by_id(id(FABRIKAM), client.object_id).await.unwrap(), None);
    let thief = ServicePrincipal { names: vec!["taken".to_owned()], ..resource };
    let error = tx.update_service_principal(&thief).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::ServicePrincipal)), "{error:?}");
}
