//! What goes with what is removed.

use super::*;
use std::time::Duration;

use countersign_directory::{
    AppRoleAssignment, Credentials, FamilyRow, FederatedCredential, Grants, Group, Groups, KeyOwner, MICROSOFT_GRAPH,
    PermissionGrant, Principal, Record, Rotation, SignInStanding, SigningKeys, StoreError, User, Users,
};
use uuid::Uuid;

use super::keys_and_users::signing_key;

const ALICE: &str = "11111111-1111-4111-8111-111111111111";
const STAFF: &str = "aaaaaaaa-0000-4000-8000-000000000001";

/// Contoso with everything; the client, which is multi-tenant, also holds a role in Fabrikam and is in a group there.
async fn full(directory: &impl Directory) -> (ServicePrincipal, ServicePrincipal) {
    let (resource, client) = furnish(directory).await;
    let mut tx = directory.begin().await.unwrap();
    tx.insert_user(&User::new(id(ALICE), id(CONTOSO), "alice@contoso.com")).await.unwrap();
    tx.insert_group(&Group::new(id(STAFF), id(CONTOSO), "Staff")).await.unwrap();
    let federated = FederatedCredential {
        id: id(READ),
        name: "k8s".to_owned(),
        issuer: "https://i/".to_owned(),
        subject: "s".to_owned(),
        audience: "a".to_owned(),
        description: None,
    };
    tx.add_federated_credential(id(CLIENT), &federated).await.unwrap();
    let abroad = ServicePrincipal::of(&client_app(), id(FABRIKAM));
    tx.insert_service_principal(&abroad).await.unwrap();
    let resource_abroad = ServicePrincipal::of(&resource_app(), id(FABRIKAM));
    tx.insert_service_principal(&resource_abroad).await.unwrap();
    let group_abroad = Group::new(id(WRITE), id(FABRIKAM), "Abroad");
    tx.insert_group(&group_abroad).await.unwrap();
    tx.add_member(id(FABRIKAM), id(WRITE), Principal::ServicePrincipal(abroad.object_id)).await.unwrap();
    let daemon = Principal::ServicePrincipal(client.object_id);
    for (tenant, principal, at) in [
        (CONTOSO, daemon, resource.object_id),
        (CONTOSO, Principal::User(id(ALICE)), resource.object_id),
        (CONTOSO, Principal::Group(id(STAFF)), resource.object_id),
        (FABRIKAM, Principal::ServicePrincipal(abroad.object_id), resource_abroad.object_id),
    ] {
        tx.assign_app_role(&AppRoleAssignment::new(id(tenant), principal, at, id(READ), NOW)).await.unwrap();
    }
    for member in [daemon, Principal::User(id(ALICE))] {
        tx.add_member(id(CONTOSO), id(STAFF), member).await.unwrap();
    }
    for user in [None, Some(id(ALICE))] {
        let scopes = ["access_as_user".to_owned()];
        let grant = PermissionGrant::new(id(CONTOSO), client.object_id, resource.object_id, user, scopes);
        tx.put_permission_grant(&grant).await.unwrap();
    }
    tx.insert_signing_key(&signing_key("everybody", KeyOwner::Everybody, 1)).await.unwrap();
    tx.insert_signing_key(&signing_key("tenant", KeyOwner::Tenant(id(CONTOSO)), 1)).await.unwrap();
    tx.insert_signing_key(&signing_key("client", KeyOwner::Application(id(CLIENT)), 1)).await.unwrap();
    tx.insert_signing_key(&signing_key("resource", KeyOwner::Application(id(RESOURCE)), 1)).await.unwrap();
    tx.commit().await.unwrap();
    (resource, client)
}

async fn key_ids(tx: &mut impl SigningKeys) -> Vec<String> {
    tx.signing_keys().await.unwrap().into_iter().map(|key| key.key_id).collect()
}

pub(crate) async fn a_user_takes_grants_and_memberships_along(directory: impl Directory) {
    let (resource, client) = full(&directory).await;
    let before = directory.revision();
    let mut tx = directory.begin().await.unwrap();
    assert!(!tx.remove_user(id(FABRIKAM), id(ALICE)).await.unwrap(), "B80: another tenant's");
    assert!(tx.remove_user(id(CONTOSO), id(ALICE)).await.unwrap());
    assert!(!tx.remove_user(id(CONTOSO), id(ALICE)).await.unwrap());
    tx.commit().await.unwrap();
    assert_ne!(directory.revision(), before);
    let mut tx = directory.begin().await.unwrap();
    assert_eq!(tx.user(id(CONTOSO), id(ALICE)).await.unwrap(), None);
    assert_eq!(tx.app_role_assigned_to(id(CONTOSO), resource.object_id).await.unwrap().len(), 2);
    assert_eq!(tx.permission_grants_of(id(CONTOSO), client.object_id).await.unwrap().len(), 1);
    let members = tx.members_of(id(CONTOSO), id(STAFF)).await.unwrap();
    assert_eq!(members, [Principal::ServicePrincipal(client.object_id)]);
    // Somebody who comes later under the same id inherits nothing.
    tx.insert_user(&User::new(id(ALICE), id(CONTOSO), "eve@contoso.com")).await.unwrap();
    assert!(!tx.is_assigned(id(CONTOSO), id(ALICE), resource.object_id).await.unwrap());
}

pub(crate) async fn a_service_principal_takes_what_it_holds_and_grants_along(directory: impl Directory) {
    let (resource, client) = full(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    assert!(!tx.remove_service_principal(id(FABRIKAM), client.object_id).await.unwrap(), "B80: another tenant's");
    assert!(tx.remove_service_principal(id(CONTOSO), client.object_id).await.unwrap());
    assert!(!tx.remove_service_principal(id(CONTOSO), client.object_id).await.unwrap());
    assert!(tx.application(id(CLIENT)).await.unwrap().is_some(), "the registration stays");
    assert_eq!(tx.app_role_assigned_to(id(CONTOSO), resource.object_id).await.unwrap().len(), 2);
    assert!(tx.permission_grants_of(id(CONTOSO), client.object_id).await.unwrap().is_empty());
    assert_eq!(tx.members_of(id(CONTOSO), id(STAFF)).await.unwrap(), [Principal::User(id(ALICE))]);
    assert!(tx.remove_service_principal(id(CONTOSO), resource.object_id).await.unwrap());
    assert!(tx.app_role_assignments_of(id(CONTOSO), id(ALICE)).await.unwrap().is_empty());
    let graph = tx.service_principal(id(CONTOSO), MICROSOFT_GRAPH).await.unwrap().unwrap();
    let error = tx.remove_service_principal(id(CONTOSO), graph.object_id).await.unwrap_err();
    assert!(matches!(error, StoreError::Permanent(Record::ServicePrincipal)), "{error:?}");
    assert!(tx.service_principal(id(CONTOSO), MICROSOFT_GRAPH).await.unwrap().is_some());
}

pub(crate) async fn an_application_takes_its_instances_everywhere_along(directory: impl Directory) {
    full(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    assert!(!tx.remove_application(id(FABRIKAM), id(CLIENT)).await.unwrap(), "B80: it is at home elsewhere");
    assert!(tx.remove_application(id(CONTOSO), id(CLIENT)).await.unwrap());
    assert!(!tx.remove_application(id(CONTOSO), id(CLIENT)).await.unwrap());
    assert!(tx.application(id(CLIENT)).await.unwrap().is_none());
    for tenant in [CONTOSO, FABRIKAM] {
        assert!(tx.service_principal(id(tenant), id(CLIENT)).await.unwrap().is_none(), "{tenant}");
    }
    assert!(tx.federated_credentials(id(CLIENT)).await.unwrap().is_empty());
    assert!(tx.members_of(id(FABRIKAM), id(WRITE)).await.unwrap().is_empty());
    let abroad = tx.service_principal(id(FABRIKAM), id(RESOURCE)).await.unwrap().unwrap();
    assert!(tx.app_role_assigned_to(id(FABRIKAM), abroad.object_id).await.unwrap().is_empty());
    assert_eq!(key_ids(&mut tx).await, ["everybody", "tenant", "resource"]);
    let error = tx.remove_application(id(CONTOSO), MICROSOFT_GRAPH).await.unwrap_err();
    assert!(matches!(error, StoreError::Permanent(Record::Application)), "{error:?}");
    // It can be registered anew, and holds nothing.
    tx.insert_application(&client_app()).await.unwrap();
    let client = ServicePrincipal::of(&client_app(), id(CONTOSO));
    tx.insert_service_principal(&client).await.unwrap();
    assert!(tx.app_role_assignments_of(id(CONTOSO), client.object_id).await.unwrap().is_empty());
}

pub(crate) async fn a_tenant_takes_everything_along(directory: impl Directory) {
    full(&directory).await;
    let family = FamilyRow { id: Uuid::from_u128(1), tenant: id(CONTOSO), until: NOW.plus(Duration::from_secs(60)) };
    directory.start_family(family).await.unwrap();
    directory.start_family(FamilyRow { id: Uuid::from_u128(2), tenant: id(FABRIKAM), ..family }).await.unwrap();
    for _ in 0..10 {
        directory.record_sign_in_failure(id(CONTOSO), &[1; 32], NOW).await.unwrap();
    }
    let mut tx = directory.begin().await.unwrap();
    assert!(tx.remove_tenant(id(CONTOSO)).await.unwrap());
    assert!(!tx.remove_tenant(id(CONTOSO)).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = directory.begin().await.unwrap();
    assert_eq!(tx.tenants().await.unwrap(), [fabrikam()]);
    assert_eq!(tx.tenant_by_domain("contoso.com").await.unwrap(), None);
    for application in [CLIENT, RESOURCE] {
        assert!(tx.application(id(application)).await.unwrap().is_none());
        assert!(tx.service_principal(id(FABRIKAM), id(application)).await.unwrap().is_none());
    }
    assert_eq!(tx.service_principals_of(id(FABRIKAM)).await.unwrap().len(), 1, "Microsoft Graph");
    assert!(tx.members_of(id(FABRIKAM), id(WRITE)).await.unwrap().is_empty());
    assert_eq!(key_ids(&mut tx).await, ["everybody"]);
    drop(tx);
    assert_eq!(directory.rotate_family(family.id, 0, NOW).await.unwrap(), Rotation::Ended);
    assert_eq!(directory.rotate_family(Uuid::from_u128(2), 0, NOW).await.unwrap(), Rotation::Rotated);
    let standing = directory.sign_in_standing(id(CONTOSO), &[1; 32], NOW).await.unwrap();
    assert_eq!(standing, SignInStanding::Open);
    // The same again, which needs every name and id to be free.
    let mut tx = directory.begin().await.unwrap();
    tx.insert_tenant(&contoso()).await.unwrap();
    for application in [client_app(), resource_app()] {
        tx.insert_application(&application).await.unwrap();
        tx.insert_service_principal(&ServicePrincipal::of(&application, id(CONTOSO))).await.unwrap();
    }
    tx.insert_user(&User::new(id(ALICE), id(CONTOSO), "alice@contoso.com")).await.unwrap();
    tx.insert_group(&Group::new(id(STAFF), id(CONTOSO), "Staff")).await.unwrap();
    assert!(tx.members_of(id(CONTOSO), id(STAFF)).await.unwrap().is_empty());
    tx.commit().await.unwrap();
}
