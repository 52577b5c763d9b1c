//! The generic suite over each backend.
#![expect(clippy::unwrap_used, reason = "tests")]

#[cfg(unix)]
mod postgres;
#[cfg(unix)]
mod postgres_server;
mod suite;

use countersign_directory::SqliteDirectory;

/// Each test of the suite, once per backend.
macro_rules! over {
    ($backend:ident: $($area:ident :: { $($test:ident),+ $(,)? }),+ $(,)?) => {
        mod $backend {
            $($(
                #[tokio::test]
                async fn $test() {
                    let (directory, _keep) = super::$backend().await;
                    super::suite::$area::$test(directory).await;
                }
            )+)+
        }
    };
}

macro_rules! every_backend {
    ($($tests:tt)+) => {
        over!(sqlite_in_memory: $($tests)+);
        over!(sqlite_in_a_file: $($tests)+);
        #[cfg(unix)]
        over!(postgresql: $($tests)+);
    };
}

async fn sqlite_in_memory() -> (SqliteDirectory, ()) {
    (SqliteDirectory::in_memory().await.unwrap(), ())
}

async fn sqlite_in_a_file() -> (SqliteDirectory, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (SqliteDirectory::open(folder.path().join("directory.db")).await.unwrap(), folder)
}

#[cfg(unix)]
async fn postgresql() -> (countersign_directory::PostgresDirectory, ()) {
    let server = postgres_server::shared();
    let url = server.url(&server.database());
    (countersign_directory::PostgresDirectory::open(&url).await.unwrap(), ())
}

every_backend! {
    tenants::{
        a_tenant_is_found_by_id_and_by_domain_in_any_case,
        a_domain_belongs_to_one_tenant,
        a_tenants_properties_and_domains_are_replaced,
        b101_what_a_tenant_allows_reads_back,
        microsoft_graph_is_in_every_tenant,
        the_token_exchange_is_in_every_tenant,
    },
    applications::{
        a_registration_is_kept_whole,
        an_identifier_uri_is_found_exactly_and_in_its_tenant,
        ids_and_uris_are_unique,
        an_update_replaces_the_document_and_its_uris,
        a_resource_is_resolved_by_every_name_it_has,
        an_application_from_elsewhere_yields_to_the_one_at_home,
        a_service_principal_is_one_per_application_and_tenant,
    },
    credentials::{
        a_secret_is_matched_by_its_hash,
        a_secret_needs_its_application_and_an_id_of_its_own,
        certificates_come_and_go,
        federated_credentials_are_unique_by_name_and_by_subject,
    },
    grants::{
        values_are_sorted_and_only_what_was_granted,
        a_disabled_or_vanished_role_is_not_issued,
        default_access_is_an_assignment_without_a_value,
        a_user_holds_users_roles_only,
        an_assignment_needs_principal_resource_and_role_in_one_tenant,
        graphs_roles_are_granted_like_any,
        there_is_one_permission_grant_per_client_resource_and_user,
    },
    keys_and_users::{
        a_key_reads_back_whole,
        of_two_keys_of_one_generation_the_first_wins,
        a_schedule_is_changed_by_compare_and_set,
        a_user_is_found_by_id_and_by_name_in_any_case,
        a_user_is_unique_and_can_be_changed,
    },
    groups::{
        a_group_reads_back_and_can_be_changed,
        members_come_and_go,
        groups_within_groups_contain_and_circles_end,
        a_group_holds_roles_for_its_direct_members,
        granted_scopes_are_everybodys_and_ones_own,
    },
    removal::{
        a_user_takes_grants_and_memberships_along,
        a_service_principal_takes_what_it_holds_and_grants_along,
        an_application_takes_its_instances_everywhere_along,
        a_tenant_takes_everything_along,
    },
    ledger::{
        b26_a_digest_is_spent_once_for_each_purpose,
        b102_sweeping_forgets_only_what_ended_a_day_ago,
        a_family_rotates_until_a_token_comes_back,
        a_family_is_ended_once,
        a_device_code_is_approved_and_handed_out_once,
        a_device_code_is_declined_or_expires,
        a_device_that_asks_too_often_is_told_so,
        ten_wrong_passwords_lock_and_each_further_one_longer,
        nine_wrong_passwords_are_forgotten_with_their_window,
        the_ledger_does_not_change_the_revision,
    },
    transactions::{
        dropping_undoes_and_committing_keeps,
        a_failed_write_writes_nothing_and_the_transaction_goes_on,
        the_revision_changes_with_every_committed_write_only,
    },
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clones_settle_a_race() {
    let directory = SqliteDirectory::in_memory().await.unwrap();
    suite::transactions::of_many_at_once_one_wins(directory.clone(), directory.clone()).await;
    suite::ledger::of_eight_at_once_one_wins(directory.clone(), directory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_openings_of_one_file_settle_a_race() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.db");
    let (one, other) = tokio::join!(SqliteDirectory::open(&path), SqliteDirectory::open(&path));
    let (one, other) = (one.unwrap(), other.unwrap());
    suite::transactions::of_many_at_once_one_wins(one.clone(), other.clone()).await;
    suite::ledger::of_eight_at_once_one_wins(one, other).await;
}

/// SQLite only: a database that replicas share has no snapshots.
mod snapshots {
    use super::{sqlite_in_a_file, sqlite_in_memory, suite};
    use countersign_directory::Directory;

    #[tokio::test]
    async fn in_memory() {
        suite::snapshots::a_snapshot_brings_everything_back(sqlite_in_memory().await.0).await;
    }

    #[tokio::test]
    async fn in_a_file() {
        let (directory, _keep) = sqlite_in_a_file().await;
        suite::snapshots::a_snapshot_brings_everything_back(directory).await;
    }

    #[tokio::test]
    async fn of_another_directory() {
        let foreign = sqlite_in_memory().await.0.snapshot().await.unwrap();
        suite::snapshots::a_snapshot_of_another_directory_is_refused(sqlite_in_memory().await.0, &foreign).await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn on_postgresql_there_are_none() {
        let (directory, ()) = super::postgresql().await;
        let error = directory.snapshot().await.unwrap_err();
        assert!(matches!(error, countersign_directory::StoreError::Unsupported(_)), "{error:?}");
        let foreign = sqlite_in_memory().await.0.snapshot().await.unwrap();
        suite::snapshots::a_snapshot_of_another_directory_is_refused(directory, &foreign).await;
    }
}
