use super::*;
use countersign_directory::{
    AppRoleAssignment, Grants, Group, Groups, PermissionGrant, Principal, Record, StoreError, User, Users,
};
use countersign_token::ObjectId;

const ALICE: &str = "11111111-1111-4111-8111-111111111111";
const STAFF: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const BOARD: &str = "aaaaaaaa-0000-4000-8000-000000000002";
const EVERYBODY: &str = "aaaaaaaa-0000-4000-8000-000000000003";

fn group(object_id: &str) -> Group {
    Group::new(id(object_id), id(CONTOSO), format!("group {object_id}"))
}

fn ids(groups: &[Group]) -> Vec<ObjectId> {
    groups.iter().map(|group| group.object_id).collect()
}

/// Contoso with Alice and three groups.
async fn with_groups(directory: &impl Directory) -> (ServicePrincipal, ServicePrincipal) {
    let principals = furnish(directory).await;
    let mut tx = directory.begin().await.unwrap();
    tx.insert_user(&User::new(id(ALICE), id(CONTOSO), "alice@contoso.com")).await.unwrap();
    for object_id in [STAFF, BOARD, EVERYBODY] {
        tx.insert_group(&group(object_id)).await.unwrap();
    }
    tx.commit().await.unwrap();
    principals
}

pub(crate) async fn a_group_reads_back_and_can_be_changed(directory: impl Directory) {
    with_groups(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    assert_eq!(tx.groups_of(id(CONTOSO)).await.unwrap(), [group(STAFF), group(BOARD), group(EVERYBODY)]);
    assert!(tx.groups_of(id(FABRIKAM)).await.unwrap().is_empty());
    assert_eq!(tx.group(id(FABRIKAM), id(STAFF)).await.unwrap(), None, "B80: another tenant's");
    let changed = Group { description: Some("new".to_owned()), security_enabled: false, ..group(STAFF) };
    tx.update_group(&changed).await.unwrap();
    assert_eq!(tx.group(id(CONTOSO), id(STAFF)).await.unwrap(), Some(changed.clone()));
    let error = tx.update_group(&Group { tenant: id(FABRIKAM), ..changed }).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Group)), "{error:?}");
    let error = tx.insert_group(&group(STAFF)).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::Group)), "{error:?}");
    let error = tx.insert_group(&Group::new(id(WRITE), id(WRITE), "x")).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Tenant)), "{error:?}");
}

pub(crate) async fn members_come_and_go(directory: impl Directory) {
    let (_, client) = with_groups(&directory).await;
    let alice = Principal::User(id(ALICE));
    let daemon = Principal::ServicePrincipal(client.object_id);
    let mut tx = directory.begin().await.unwrap();
    for member in [alice, daemon, Principal::Group(id(BOARD))] {
        tx.add_member(id(CONTOSO), id(STAFF), member).await.unwrap();
    }
    let mut expected = vec![alice, daemon, Principal::Group(id(BOARD))];
    expected.sort_by_key(|member| member.object_id().to_string());
    assert_eq!(tx.members_of(id(CONTOSO), id(STAFF)).await.unwrap(), expected);
    assert!(tx.members_of(id(FABRIKAM), id(STAFF)).await.unwrap().is_empty());
    for (group, member, expected) in [
        (STAFF, alice, StoreError::AlreadyExists(Record::GroupMember)),
        (STAFF, Principal::Group(id(STAFF)), StoreError::AlreadyExists(Record::GroupMember)),
        (STAFF, Principal::User(id(WRITE)), StoreError::NotFound(Record::User)),
        (STAFF, Principal::ServicePrincipal(id(ALICE)), StoreError::NotFound(Record::ServicePrincipal)),
        (STAFF, Principal::Group(id(ALICE)), StoreError::NotFound(Record::Group)),
        (WRITE, alice, StoreError::NotFound(Record::Group)),
    ] {
        let error = tx.add_member(id(CONTOSO), id(group), member).await.unwrap_err();
        assert_eq!(error.to_string(), expected.to_string(), "{group} {member:?}");
    }
    let error = tx.add_member(id(FABRIKAM), id(STAFF), alice).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Group)), "B80: another tenant's: {error:?}");
    assert!(!tx.remove_member(id(FABRIKAM), id(STAFF), alice).await.unwrap(), "B80: another tenant's");
    assert!(!tx.remove_member(id(CONTOSO), id(STAFF), Principal::Group(id(ALICE))).await.unwrap(), "no group");
    assert!(tx.remove_member(id(CONTOSO), id(STAFF), alice).await.unwrap());
    assert!(!tx.remove_member(id(CONTOSO), id(STAFF), alice).await.unwrap());
}

pub(crate) async fn groups_within_groups_contain_and_circles_end(directory: impl Directory) {
    with_groups(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    tx.add_member(id(CONTOSO), id(BOARD), Principal::User(id(ALICE))).await.unwrap();
    tx.add_member(id(CONTOSO), id(STAFF), Principal::Group(id(BOARD))).await.unwrap();
    tx.add_member(id(CONTOSO), id(EVERYBODY), Principal::Group(id(STAFF))).await.unwrap();
    tx.add_member(id(CONTOSO), id(EVERYBODY), Principal::User(id(ALICE))).await.unwrap();
    assert_eq!(ids(&tx.memberships_of(id(CONTOSO), id(ALICE)).await.unwrap()), [id(BOARD), id(EVERYBODY)]);
    let all = [id(STAFF), id(BOARD), id(EVERYBODY)];
    assert_eq!(ids(&tx.groups_containing(id(CONTOSO), id(ALICE)).await.unwrap()), all);
    tx.add_member(id(CONTOSO), id(BOARD), Principal::Group(id(EVERYBODY))).await.unwrap();
    assert_eq!(ids(&tx.groups_containing(id(CONTOSO), id(ALICE)).await.unwrap()), all);
    assert!(tx.groups_containing(id(FABRIKAM), id(ALICE)).await.unwrap().is_empty());
    assert!(tx.groups_containing(id(CONTOSO), id(WRITE)).await.unwrap().is_empty());
}

pub(crate) async fn a_group_holds_roles_for_its_direct_members(directory: impl Directory) {
    let (resource, client) = with_groups(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    for app_role in [READ, WRITE] {
        let group = Principal::Group(id(STAFF));
        let assignment = AppRoleAssignment::new(id(CONTOSO), group, resource.object_id, id(app_role), NOW);
        tx.assign_app_role(&assignment).await.unwrap();
        assert!(tx.app_role_assigned_to(id(CONTOSO), resource.object_id).await.unwrap().contains(&assignment));
    }
    assert!(!tx.is_assigned(id(CONTOSO), id(ALICE), resource.object_id).await.unwrap());
    tx.add_member(id(CONTOSO), id(BOARD), Principal::User(id(ALICE))).await.unwrap();
    tx.add_member(id(CONTOSO), id(STAFF), Principal::Group(id(BOARD))).await.unwrap();
    assert!(!tx.is_assigned(id(CONTOSO), id(ALICE), resource.object_id).await.unwrap(), "groups within groups do not");
    tx.add_member(id(CONTOSO), id(STAFF), Principal::User(id(ALICE))).await.unwrap();
    tx.add_member(id(CONTOSO), id(STAFF), Principal::ServicePrincipal(client.object_id)).await.unwrap();
    assert!(tx.is_assigned(id(CONTOSO), id(ALICE), resource.object_id).await.unwrap());
    assert!(!tx.is_assigned(id(FABRIKAM), id(ALICE), resource.object_id).await.unwrap());
    assert!(!tx.is_assigned(id(CONTOSO), id(ALICE), client.object_id).await.unwrap(), "another resource");
    // Each gets what its own kind may hold, whatever the group is for.
    let values = tx.app_role_values(id(CONTOSO), id(ALICE), resource.object_id).await.unwrap();
    assert_eq!(values, ["Resource.Read"]);
    let values = tx.app_role_values(id(CONTOSO), client.object_id, resource.object_id).await.unwrap();
    assert_eq!(values, ["Resource.Read", "Resource.Write"]);
    assert!(tx.app_role_assignments_of(id(CONTOSO), id(ALICE)).await.unwrap().is_empty(), "it is the group's");
    let error = AppRoleAssignment::new(id(CONTOSO), Principal::Group(id(ALICE)), resource.object_id, id(READ), NOW);
    let error = tx.assign_app_role(&error).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Record::Group)), "{error:?}");
    assert!(tx.remove_group(id(CONTOSO), id(STAFF)).await.unwrap());
    assert!(!tx.is_assigned(id(CONTOSO), id(ALICE), resource.object_id).await.unwrap());
}

pub(crate) async fn granted_scopes_are_everybodys_and_ones_own(directory: impl Directory) {
    let (resource, client) = with_groups(&directory).await;
    let mut tx = directory.begin().await.unwrap();
    let grant = |resource: ObjectId, user, scopes: &[&str]| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned());
        PermissionGrant::new(id(CONTOSO), client.object_id, resource, user, scopes)
    };
    tx.put_permission_grant(&grant(resource.object_id, None, &["a", "b"])).await.unwrap();
    tx.put_permission_grant(&grant(resource.object_id, Some(id(ALICE)), &["b", "c"])).await.unwrap();
    tx.put_permission_grant(&grant(client.object_id, None, &["d"])).await.unwrap();
    for (tenant, user, expected) in [
        (CONTOSO, None, vec!["a", "b"]),
        (CONTOSO, Some(id(ALICE)), vec!["a", "b", "c"]),
        (CONTOSO, Some(id(WRITE)), vec!["a", "b"]),
        (FABRIKAM, Some(id(ALICE)), vec![]),
    ] {
        let scopes = tx.granted_scopes(id(tenant), client.object_id, resource.object_id, user).await.unwrap();
        assert_eq!(scopes.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{tenant} {user:?}");
    }
}
