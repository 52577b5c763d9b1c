//! What is settled once.

use super::*;
use std::time::Duration;

use countersign_directory::{
    DeviceCodeRow, DeviceDecision, DevicePoll, DeviceStatus, FamilyRow, Lockout, Purpose, Record, Rotation,
    SignInStanding, StoreError,
};
use uuid::Uuid;

const EVERY_PURPOSE: [Purpose; 5] = [
    Purpose::AuthorizationCode,
    Purpose::ClientAssertion,
    Purpose::Session,
    Purpose::Interaction,
    Purpose::FederatedAssertion,
];
const INTERVAL: Duration = Duration::from_secs(5);

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn family(number: u128) -> FamilyRow {
    FamilyRow { id: Uuid::from_u128(number), tenant: id(CONTOSO), until: after(3600) }
}

fn device_code(number: u8) -> DeviceCodeRow {
    DeviceCodeRow {
        device_digest: [number; 32],
        user_code: format!("CODE{number}"),
        tenant: Some(id(CONTOSO)),
        client_id: id(CLIENT),
        request: vec![number, 0, 255],
        created: NOW,
        expires_at: after(900),
    }
}

/// B26: what is spent for one purpose is not spent for another.
pub(crate) async fn b26_a_digest_is_spent_once_for_each_purpose(directory: impl Directory) {
    for purpose in EVERY_PURPOSE {
        assert!(!directory.is_spent(purpose, &[1; 32]).await.unwrap(), "{purpose:?}");
        assert!(directory.spend(purpose, &[1; 32], after(60)).await.unwrap(), "{purpose:?}");
    }
    for purpose in EVERY_PURPOSE {
        assert!(!directory.spend(purpose, &[1; 32], after(600)).await.unwrap(), "{purpose:?}");
        assert!(directory.is_spent(purpose, &[1; 32]).await.unwrap(), "{purpose:?}");
        assert!(!directory.is_spent(purpose, &[2; 32]).await.unwrap(), "{purpose:?}");
    }
}

/// B102: nothing is forgotten before its end, nor for a day after.
pub(crate) async fn b102_sweeping_forgets_only_what_ended_a_day_ago(directory: impl Directory) {
    const DAY: u64 = 86_400;
    directory.spend(Purpose::ClientAssertion, &[1; 32], after(60)).await.unwrap();
    directory.start_family(family(1)).await.unwrap();
    assert!(directory.insert_device_code(&device_code(1)).await.unwrap());
    directory.record_sign_in_failure(id(CONTOSO), &[1; 32], NOW).await.unwrap();
    directory.sweep(after(DAY + 60)).await.unwrap();
    assert!(directory.is_spent(Purpose::ClientAssertion, &[1; 32]).await.unwrap());
    // A family lives as long as its youngest token, not as its first.
    assert_eq!(directory.rotate_family(family(1).id, 0, after(10 * DAY)).await.unwrap(), Rotation::Rotated);
    assert_eq!(directory.rotate_family(family(1).id, 1, after(60)).await.unwrap(), Rotation::Rotated);
    directory.sweep(after(2 * DAY)).await.unwrap();
    assert!(!directory.is_spent(Purpose::ClientAssertion, &[1; 32]).await.unwrap());
    assert_eq!(directory.device_code_by_user_code("CODE1").await.unwrap(), None);
    assert_eq!(directory.rotate_family(family(1).id, 2, after(60)).await.unwrap(), Rotation::Rotated);
    directory.sweep(after(12 * DAY)).await.unwrap();
    assert_eq!(directory.rotate_family(family(1).id, 3, after(60)).await.unwrap(), Rotation::Ended);
}

pub(crate) async fn a_family_rotates_until_a_token_comes_back(directory: impl Directory) {
    let id = family(1).id;
    assert_eq!(directory.rotate_family(id, 0, after(60)).await.unwrap(), Rotation::Ended, "there is none");
    directory.start_family(family(1)).await.unwrap();
    directory.start_family(family(2)).await.unwrap();
    let error = directory.start_family(family(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists(Record::RefreshFamily)), "{error:?}");
    for generation in FamilyRow::FIRST_GENERATION..3 {
        assert_eq!(directory.rotate_family(id, generation, after(60)).await.unwrap(), Rotation::Rotated);
    }
    assert_eq!(directory.rotate_family(id, 1, after(60)).await.unwrap(), Rotation::Replayed);
    assert_eq!(directory.rotate_family(id, 3, after(60)).await.unwrap(), Rotation::Ended, "nor does the youngest work");
    assert_eq!(directory.rotate_family(family(2).id, 0, after(60)).await.unwrap(), Rotation::Rotated, "another family");
    assert_eq!(directory.rotate_family(family(2).id, 7, after(60)).await.unwrap(), Rotation::Replayed, "never issued");
}

pub(crate) async fn a_family_is_ended_once(directory: impl Directory) {
    directory.start_family(family(1)).await.unwrap();
    assert!(directory.end_family(family(1).id).await.unwrap());
    assert!(!directory.end_family(family(1).id).await.unwrap());
    assert!(!directory.end_family(family(2).id).await.unwrap());
    assert_eq!(directory.rotate_family(family(1).id, 0, after(60)).await.unwrap(), Rotation::Ended);
}

pub(crate) async fn a_device_code_is_approved_and_handed_out_once(directory: impl Directory) {
    let row = device_code(1);
    assert!(directory.insert_device_code(&row).await.unwrap());
    let homeless = DeviceCodeRow { tenant: None, ..device_code(2) };
    assert!(directory.insert_device_code(&homeless).await.unwrap());
    let taken = DeviceCodeRow { user_code: row.user_code.clone(), ..device_code(3) };
    assert!(!directory.insert_device_code(&taken).await.unwrap());
    let again = DeviceCodeRow { user_code: "OTHER".to_owned(), ..device_code(1) };
    assert!(!directory.insert_device_code(&again).await.unwrap());

    let seen = directory.device_code_by_user_code("CODE1").await.unwrap().unwrap();
    assert_eq!((&seen.row, seen.status), (&row, DeviceStatus::Pending));
    assert_eq!(directory.device_code_by_user_code("CODE2").await.unwrap().unwrap().row, homeless);
    assert_eq!(directory.device_code_by_user_code("code1").await.unwrap(), None);
    assert_eq!(directory.device_code_by_user_code("CODE1\0").await.unwrap(), None);

    let poll = async |seconds| directory.poll_device_code(&[1; 32], after(seconds), INTERVAL).await.unwrap();
    assert_eq!(poll(1).await, DevicePoll::Pending);
    let approved = DeviceDecision::Approved(vec![7, 0]);
    assert!(directory.decide_device_code("CODE1", approved.clone(), after(2)).await.unwrap());
    assert!(!directory.decide_device_code("CODE1", DeviceDecision::Declined, after(3)).await.unwrap(), "once");
    assert!(!directory.decide_device_code("NONE", approved, after(3)).await.unwrap());
    assert_eq!(directory.device_code_by_user_code("CODE1").await.unwrap().unwrap().status, DeviceStatus::Approved);
    assert_eq!(poll(3).await, DevicePoll::Approved { decision: vec![7, 0], request: row.request }, "however soon");
    assert_eq!(poll(4).await, DevicePoll::Redeemed);
    assert_eq!(poll(10_000).await, DevicePoll::Redeemed);
    assert_eq!(directory.device_code_by_user_code("CODE1").await.unwrap().unwrap().status, DeviceStatus::Redeemed);
    assert_eq!(directory.poll_device_code(&[9; 32], NOW, INTERVAL).await.unwrap(), DevicePoll::Unknown);
}

pub(crate) async fn a_device_code_is_declined_or_expires(directory: impl Directory) {
    for number in 1..=3 {
        assert!(directory.insert_device_code(&device_code(number)).await.unwrap());
    }
    let poll = async |number, at| directory.poll_device_code(&[number; 32], at, INTERVAL).await.unwrap();
    assert!(directory.decide_device_code("CODE1", DeviceDecision::Declined, NOW).await.unwrap());
    assert_eq!(poll(1, after(5)).await, DevicePoll::Declined);
    assert_eq!(poll(1, after(5)).await, DevicePoll::Declined);
    let approve = DeviceDecision::Approved(vec![1]);
    assert!(!directory.decide_device_code("CODE2", approve.clone(), after(900)).await.unwrap(), "too late");
    assert_eq!(poll(2, after(900)).await, DevicePoll::Expired);
    assert!(directory.decide_device_code("CODE3", approve, after(899)).await.unwrap());
    assert_eq!(poll(3, after(900)).await, DevicePoll::Expired, "decided in time, asked for too late");
    assert_eq!(poll(3, after(899)).await, DevicePoll::Approved { decision: vec![1], request: vec![3, 0, 255] });
}

pub(crate) async fn a_device_that_asks_too_often_is_told_so(directory: impl Directory) {
    directory.insert_device_code(&device_code(1)).await.unwrap();
    let poll = async |seconds| directory.poll_device_code(&[1; 32], after(seconds), INTERVAL).await.unwrap();
    assert_eq!(poll(10).await, DevicePoll::Pending);
    assert_eq!(poll(14).await, DevicePoll::SlowDown);
    assert_eq!(poll(19).await, DevicePoll::Pending, "five seconds after the last question");
    assert_eq!(poll(3).await, DevicePoll::Pending, "the clock was set back");
}

pub(crate) async fn ten_wrong_passwords_lock_and_each_further_one_longer(directory: impl Directory) {
    let fail = async |at| directory.record_sign_in_failure(id(CONTOSO), &[1; 32], at).await.unwrap();
    let standing = async |at| directory.sign_in_standing(id(CONTOSO), &[1; 32], at).await.unwrap();
    let locked = |until| SignInStanding::Locked { until };
    assert_eq!(standing(NOW).await, SignInStanding::Open);
    for second in 0..9 {
        assert_eq!(fail(after(second)).await, SignInStanding::Open, "{second}");
    }
    assert_eq!(fail(after(9)).await, locked(after(69)), "the tenth");
    assert_eq!(fail(after(10)).await, locked(after(69)), "while it is locked nothing counts");
    assert_eq!(standing(after(68)).await, locked(after(69)));
    assert_eq!(standing(after(69)).await, SignInStanding::Open);
    let others = directory.sign_in_standing(id(CONTOSO), &[2; 32], after(10)).await.unwrap();
    assert_eq!(others, SignInStanding::Open, "another account");
    let elsewhere = directory.sign_in_standing(id(FABRIKAM), &[1; 32], after(10)).await.unwrap();
    assert_eq!(elsewhere, SignInStanding::Open, "another tenant");

    let mut at = 69;
    for lock in [120, 240, 480, 960, 1920, 3600, 3600] {
        assert_eq!(fail(after(at)).await, locked(after(at + lock)), "{lock}");
        at += lock;
    }
    // Forgotten after ten quiet minutes, and after a success.
    at += Lockout::WINDOW.as_secs();
    for _ in 0..9 {
        assert_eq!(fail(after(at)).await, SignInStanding::Open);
    }
    assert_eq!(fail(after(at)).await, locked(after(at + 60)));
    directory.clear_sign_in_failures(id(CONTOSO), &[1; 32]).await.unwrap();
    assert_eq!(standing(after(at)).await, SignInStanding::Open);
    assert_eq!(fail(after(at)).await, SignInStanding::Open);
}

pub(crate) async fn nine_wrong_passwords_are_forgotten_with_their_window(directory: impl Directory) {
    let fail = async |at| directory.record_sign_in_failure(id(CONTOSO), &[1; 32], at).await.unwrap();
    for round in 0..3 {
        for _ in 0..9 {
            assert_eq!(fail(after(round * 600)).await, SignInStanding::Open);
        }
    }
}

/// Caches of the directory stay good while tokens are refreshed.
pub(crate) async fn the_ledger_does_not_change_the_revision(directory: impl Directory) {
    furnish(&directory).await;
    let before = directory.revision();
    directory.spend(Purpose::Session, &[1; 32], after(60)).await.unwrap();
    directory.start_family(family(1)).await.unwrap();
    directory.rotate_family(family(1).id, 0, after(60)).await.unwrap();
    directory.insert_device_code(&device_code(1)).await.unwrap();
    directory.poll_device_code(&[1; 32], NOW, INTERVAL).await.unwrap();
    directory.record_sign_in_failure(id(CONTOSO), &[1; 32], NOW).await.unwrap();
    directory.sweep(NOW).await.unwrap();
    assert_eq!(directory.revision(), before);
    let mut tx = directory.begin().await.unwrap();
    tx.tenants().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(directory.revision(), before);
}

/// B23, E24: eight at once, through two ways to the same store; one wins.
pub(crate) async fn of_eight_at_once_one_wins(directory: impl Directory, other: impl Directory) {
    #[derive(Debug, PartialEq)]
    struct Won {
        spent: bool,
        rotated: Rotation,
        polled: bool,
        decided: bool,
    }
    async fn race(directory: impl Directory, round: u8) -> Won {
        let spent = directory.spend(Purpose::AuthorizationCode, &[round; 32], after(60)).await.unwrap();
        let rotated = directory.rotate_family(family(round.into()).id, 0, after(60)).await.unwrap();
        let polled = directory.poll_device_code(&[round; 32], after(10), INTERVAL).await.unwrap();
        let undecided = format!("CODE{}", round + 100);
        let decided = directory.decide_device_code(&undecided, DeviceDecision::Declined, NOW).await.unwrap();
        Won { spent, rotated, polled: matches!(polled, DevicePoll::Approved { .. }), decided }
    }
    for round in 1..=8 {
        directory.start_family(family(round.into())).await.unwrap();
        directory.insert_device_code(&device_code(round)).await.unwrap();
        directory.insert_device_code(&device_code(round + 100)).await.unwrap();
        let approved = DeviceDecision::Approved(vec![round]);
        assert!(directory.decide_device_code(&format!("CODE{round}"), approved, NOW).await.unwrap());
        let mut racing = tokio::task::JoinSet::new();
        for _ in 0..4 {
            racing.spawn(race(directory.clone(), round));
            racing.spawn(race(other.clone(), round));
        }
        let outcomes = racing.join_all().await;
        let count = |won: fn(&Won) -> bool| outcomes.iter().filter(|outcome| won(outcome)).count();
        assert_eq!(count(|won| won.spent), 1);
        assert_eq!(count(|won| won.rotated == Rotation::Rotated), 1);
        assert_eq!(count(|won| won.rotated == Rotation::Replayed), 1, "the second ends the family, {outcomes:?}");
        assert_eq!(count(|won| won.polled), 1);
        assert_eq!(count(|won| won.decided), 1);
    }
}
