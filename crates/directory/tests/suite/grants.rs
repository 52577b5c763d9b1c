use super::*;
use countersign_directory::{
    AppRoleAssignment, DEFAULT_ACCESS, Grants, PermissionGrant, Principal, Record, StoreError, User, Users,
};
use countersign_token::ObjectId;
use uuid::Uuid;

fn role(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn alice() -> User {
    User::new(id("11111111-1111-4111-8111-111111111111"), id(CONTOSO), "Alice@contoso.com")
}

fn assignment(client: Principal, resource: ObjectId, app_role: &str) -> AppRoleAssignment {
    AppRoleAssignment::new(id(CONTOSO), client, resource, role(app_role), NOW)
}

pub(crate) async fn values_are_sorted_and_only_what_was_granted(directory: impl Directory) {
    let (resource, client) = furnish(&directory).await;
    let principal = Principal::ServicePrincipal(client.object_id);
    let mut tx = directory.begin().await.unwrap();
    assert!(!tx.is_assigned(id(CONTOSO), client.object_id, resource.object_id).await.unwrap());
    for app_role in [WRITE, READ] {
        tx.assign_app_role(&assignment(principal, resource.object_id, app_role)).await.unwrap();
    }
    let of = |tenant, who, what| (id(tenant), who, what);
    for ((tenant, who, what), expected) in [
        (of(CONTOSO, client.object_id, resource.object_id), vec!["Resource.Read", "Resource.Write"]),
        (of(CONTOSO, resource.object_id, client.object_id), vec![]),
        (of(CONTOSO, client.object_id, client.object_id), vec![]),
        // B56: a role granted in one tenant is none in another.
        (of(FABRIKAM, client.object_id, resource.object_id), vec![]),
    ] {
        assert_eq!(tx.app_role_values(tenant, who, what).await.unwrap(), expected);
    }
    let held = tx.app_role_assignments_of(id(CONTOSO), client.object_id).await.unwrap();
    assert_eq!(held.len(), 2);
    assert_eq!(tx.app_role_assigned_to(id(CONTOSO), resource.object_id).await.unwrap(), held);
    assert!(tx.is_assigned(id(CONTOSO), client.object_id, resource.object_id).await.unwrap());
    assert!(!tx.is_assigned(id(FABRIKAM), client.object_id, resource.object_id).await.unwrap());
    assert!(tx.app_role_assigned_to(id(FABRIKAM), resource.object_id).await.unwrap().is_empty());
    let write = held.iter().find(|held| held.app_role_id == role(WRITE)).unwrap();
    assert!(!tx.remove_app_role_assignment(id(FABRIKAM), write.id).await.unwrap(), "B80: another tenant's");
    assert!(tx.remove_app_role_assignment(id(CONTOSO), write.id).await.unwrap());
    let left = tx.app_role_values(id(CONTOSO), client.object_id, resource.object_id).await.unwrap();
    assert_eq!(left, ["Resource.Read"]);
}

pub(crate) async fn a_disabled_or_vanished_role_is_not_issued(directory: impl Directory) {
    let (resource, client) = furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    for app_role in [WRITE, READ] {
        let assignment = assignment(Principal::ServicePrincipal(client.object_id), resource.object_id, app_role);
        tx.assign_app_role(&assignment).await.unwrap();
    }
    let roles =
        json!([{"id": READ, "value": "Resource.Read", "allowedMemberTypes": ["Application"], "isEnabled": false}]);
    tx.update_application(&application(CONTOSO, json!({"appId": RESOURCE, "appRoles": roles}))).await.unwrap();
    let values = tx.app_role_values(id(CONTOSO), client.object_id, resource.object_id).await.unwrap();
    assert!(values.is_empty(), "{values:?}");
    assert!(tx.is_assigned(id(CONTOSO), client.object_id, resource.object_id).await.unwrap());
}

pub(crate) async fn default_access_is_an_assignment_without_a_value(directory: impl Directory) {
    let (resource, client) = furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let principal = Principal::ServicePrincipal(client.object_id);
    let default = AppRoleAssignment::new(id(CONTOSO), principal, resource.object_id, DEFAULT_ACCESS, NOW);
    tx.assign_app_role(&default).await.unwrap();
    assert!(tx.is_assigned(id(CONTOSO), client.object_id, resource.object_id).await.unwrap());
    assert!(tx.app_role_values(id(CONTOSO), client.object_id, resource.object_id).await.unwrap().is_empty());
}

pub(crate) async fn a_user_holds_users_roles_only(directory: impl Directory) {
    let (resource, _) = furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    tx.insert_user(&alice()).await.unwrap();
    for app_role in [WRITE, READ] {
        let assignment = assignment(Principal::User(alice().object_id), resource.object_id, app_role);
        tx.assign_app_role(&assignment).await.unwrap();
    }
    let values = tx.app_role_values(id(CONTOSO), alice().object_id, resource.object_id).await.unwrap();
    assert_eq!(values, ["Resource.Read"]);
}

pub(crate) async fn an_assignment_needs_principal_resource_and_role_in_one_tenant(directory: impl Directory) {
    let (resource, client) = furnish(&directory).await;
    let principal = Principal::ServicePrincipal(client.object_id);
    let mut tx = directory.begin().await.unwrap();
    tx.insert_service_principal(&ServicePrincipal::of(&resource_app(), id(FABRIKAM))).await.unwrap();
    let nobody: ObjectId = id(WRITE);
    for (assignment, missing) in [
        (assignment(Principal::ServicePrincipal(nobody), resource.object_id, READ), Record::ServicePrincipal),
        (assignment(Principal::User(nobody), resource.object_id, READ), Record::User),
        (assignment(principal, nobody, READ), Record::ServicePrincipal),
        (assignment(principal, resource.object_id, CLIENT), Record::AppRole),
        (
            AppRoleAssignment { tenant: id(FABRIKAM), ..assignment(principal, resource.object_id, READ) },
            Record::ServicePrincipal,
        ),
    ] {
        let error = tx.assign_app_role(&assignment).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound(record) if record == missing), "{missing}: {error:?}");
    }
    tx.assign_app_role(&assignment(principal, resource.object_id, READ)).await.unwrap();
    let again = AppRoleAssignment { id: role(CLIENT), ..assignment(principal, resource.object_id, READ) };
    let error = tx.assign_app_role(&again).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::AppRoleAssignment)), "{error:?}");
}

pub(crate) async fn graphs_roles_are_granted_like_any(directory: impl Directory) {
    use countersign_directory::{MICROSOFT_GRAPH, microsoft_graph};
    let (_, client) = furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let graph = tx.service_principal(id(CONTOSO), MICROSOFT_GRAPH).await.unwrap().unwrap();
    let role =
        microsoft_graph().app_roles().iter().find(|role| role.value.as_deref() == Some("User.Read.All")).unwrap();
    let principal = Principal::ServicePrincipal(client.object_id);
    tx.assign_app_role(&AppRoleAssignment::new(id(CONTOSO), principal, graph.object_id, role.id, NOW)).await.unwrap();
    let values = tx.app_role_values(id(CONTOSO), client.object_id, graph.object_id).await.unwrap();
    assert_eq!(values, ["User.Read.All"]);
}

pub(crate) async fn there_is_one_permission_grant_per_client_resource_and_user(directory: impl Directory) {
    let (resource, client) = furnish(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    tx.insert_user(&alice()).await.unwrap();
    let grant = |user, scopes: &[&str]| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned());
        PermissionGrant::new(id(CONTOSO), client.object_id, resource.object_id, user, scopes)
    };
    tx.put_permission_grant(&grant(None, &["b", "a"])).await.unwrap();
    tx.put_permission_grant(&grant(Some(alice().object_id), &["c"])).await.unwrap();
    tx.put_permission_grant(&grant(None, &["d"])).await.unwrap();
    let grants = tx.permission_grants_of(id(CONTOSO), client.object_id).await.unwrap();
    assert_eq!(grants, [grant(None, &["d"]), grant(Some(alice().object_id), &["c"])]);
    let error = tx.put_permission_grant(&grant(Some(id(WRITE)), &["c"])).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::User)), "{error:?}");
    let foreign = PermissionGrant { tenant: id(FABRIKAM), ..grant(None, &["d"]) };
    let error = tx.put_permission_grant(&foreign).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::ServicePrincipal)), "{error:?}");
    assert!(tx.remove_permission_grant(id(CONTOSO), grants[0].id).await.unwrap());
    assert!(!tx.remove_permission_grant(id(CONTOSO), grants[0].id).await.unwrap());
}
