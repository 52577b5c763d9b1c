use super::*;
use countersign_directory::{Record, StoreError};

pub(crate) async fn a_tenant_is_found_by_id_and_by_domain_in_any_case(directory: impl Directory) {
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.insert_tenant(&Tenant { region_scope: "EU".to_owned(), strict: true, ..fabrikam() }).await.unwrap();
    assert_eq!(tx.tenant(id(CONTOSO)).await.unwrap(), Some(contoso()));
    assert_eq!(tx.tenant_by_domain("CONTOSO.COM").await.unwrap(), Some(contoso()));
    assert_eq!(tx.tenant_by_domain("contoso.onmicrosoft.com").await.unwrap(), Some(contoso()));
    assert_eq!(tx.tenant_by_domain("com").await.unwrap(), None);
    assert_eq!(tx.tenant(id(RESOURCE)).await.unwrap(), None);
    let all = tx.tenants().await.unwrap();
    assert_eq!(all.iter().map(|tenant| tenant.id.to_string()).collect::<Vec<_>>(), [CONTOSO, FABRIKAM]);
    assert_eq!(all[0], contoso());
    assert!(all[1].strict && all[1].region_scope == "EU");
}

pub(crate) async fn a_domain_belongs_to_one_tenant(directory: impl Directory) {
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    let again = tx.insert_tenant(&contoso()).await.unwrap_err();
    assert!(matches!(again, StoreError::AlreadyExists(Record::Tenant)), "{again:?}");
    let thief = tx.insert_tenant(&fabrikam().with_domain("CONTOSO.com")).await.unwrap_err();
    assert!(matches!(thief, StoreError::AlreadyExists(Record::Domain)), "{thief:?}");
}

pub(crate) async fn a_tenants_properties_and_domains_are_replaced(directory: impl Directory) {
    let mut tx = directory.begin().await.unwrap();
    let unknown = tx.update_tenant(&contoso()).await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound(Record::Tenant)), "{unknown:?}");
    tx.insert_tenant(&contoso()).await.unwrap();
    let changed = Tenant::new(id(CONTOSO), "New").with_domain("new.example").with_domain("contoso.com");
    tx.update_tenant(&changed).await.unwrap();
    assert_eq!(tx.tenant(id(CONTOSO)).await.unwrap(), Some(changed));
    assert_eq!(tx.tenant_by_domain("contoso.onmicrosoft.com").await.unwrap(), None);
}

/// B101: the flag reads back; authorities refuse by it.
pub(crate) async fn b101_what_a_tenant_allows_reads_back(directory: impl Directory) {
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    let closed = Tenant {
        enabled: false,
        user_consent_allowed: false,
        own_signing_keys: true,
        trusted_certificate_authorities: vec![vec![1, 0], vec![255]],
        ..fabrikam()
    };
    tx.insert_tenant(&closed).await.unwrap();
    assert_eq!(tx.tenant(id(FABRIKAM)).await.unwrap().as_ref(), Some(&closed));
    assert_eq!(tx.tenant_by_domain("fabrikam.com").await.unwrap().as_ref(), Some(&closed));
    assert_eq!(tx.tenants().await.unwrap(), [contoso(), closed.clone()]);
    let reopened = Tenant { enabled: true, trusted_certificate_authorities: vec![vec![255]], ..closed };
    tx.update_tenant(&reopened).await.unwrap();
    assert_eq!(tx.tenant(id(FABRIKAM)).await.unwrap(), Some(reopened));
}

pub(crate) async fn microsoft_graph_is_in_every_tenant(directory: impl Directory) {
    use countersign_directory::MICROSOFT_GRAPH;
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.insert_tenant(&fabrikam()).await.unwrap();
    let here = tx.service_principal(id(CONTOSO), MICROSOFT_GRAPH).await.unwrap().unwrap();
    let there = tx.service_principal(id(FABRIKAM), MICROSOFT_GRAPH).await.unwrap().unwrap();
    assert_ne!(here.object_id, there.object_id);
    let texts = ["https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-C000-000000000000"];
    for text in texts {
        assert_eq!(tx.resource(id(CONTOSO), text).await.unwrap().as_ref(), Some(&here), "{text}");
    }
    let application = tx.application(MICROSOFT_GRAPH).await.unwrap().unwrap();
    assert!(application.app_roles().iter().any(|role| role.value.as_deref() == Some("Directory.Read.All")));
    let impostor = application.clone();
    let refused = tx.insert_application(&impostor).await.unwrap_err();
    assert!(matches!(refused, StoreError::AlreadyExists(Record::Application)), "{refused:?}");
    let impostor =
        super::application(CONTOSO, json!({"appId": CLIENT, "identifierUris": ["https://graph.microsoft.com"]}));
    let refused = tx.insert_application(&impostor).await.unwrap_err();
    assert!(matches!(refused, StoreError::AlreadyExists(Record::IdentifierUri)), "{refused:?}");
}

pub(crate) async fn the_token_exchange_is_in_every_tenant(directory: impl Directory) {
    use countersign_directory::{TOKEN_EXCHANGE, token_exchange};
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    tx.insert_tenant(&fabrikam()).await.unwrap();
    let here = tx.service_principal(id(CONTOSO), TOKEN_EXCHANGE).await.unwrap().unwrap();
    let there = tx.service_principal(id(FABRIKAM), TOKEN_EXCHANGE).await.unwrap().unwrap();
    assert_ne!(here.object_id, there.object_id);
    for text in
        ["api://AzureADTokenExchange", "api://AzureADTokenExchangeChina", "FB60F99C-7a34-4190-8149-302f77469936"]
    {
        assert_eq!(tx.resource(id(CONTOSO), text).await.unwrap().as_ref(), Some(&here), "{text}");
    }
    let application = tx.application(TOKEN_EXCHANGE).await.unwrap().unwrap();
    assert_eq!(application.document(), token_exchange().document());
    // Nobody else takes its place or its names.
    let refused = tx.insert_application(token_exchange()).await.unwrap_err();
    assert!(matches!(refused, StoreError::AlreadyExists(Record::Application)), "{refused:?}");
    let impostor =
        super::application(CONTOSO, json!({"appId": CLIENT, "identifierUris": ["api://AzureADTokenExchange"]}));
    let refused = tx.insert_application(&impostor).await.unwrap_err();
    assert!(matches!(refused, StoreError::AlreadyExists(Record::IdentifierUri)), "{refused:?}");
    let refused = tx.remove_application(id(CONTOSO), TOKEN_EXCHANGE).await.unwrap_err();
    assert!(matches!(refused, StoreError::Permanent(Record::Application)), "{refused:?}");
}
