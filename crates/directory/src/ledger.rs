//! What must be settled once, whichever replica is asked: codes, replays, refresh families, device codes, failed sign-ins.
//!
//! Each call of a [`Ledger`] is atomic by itself and lasting when it returns; it needs no transaction and takes no right
//! to write. None of it changes [`Directory::revision`](crate::Directory::revision): what callers remember of the
//! directory stays good while thousands of tokens are refreshed. Races are settled by the database, by compare-and-set on
//! one row: of any number of callers, through any number of replicas, one wins.
//!
//! Nothing here is a secret in clear. Codes and assertions are kept as digests, a device request as bytes that the caller
//! has sealed. Times come from the caller, and nothing is forgotten before its time: only [`Ledger::sweep`] removes.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use countersign_token::{ClientId, TenantId, Timestamp};
use uuid::Uuid;

use crate::StoreError;

/// The name space of what is spent: a digest spent for one purpose is not spent for another (pitfall B26), so a code can
/// never pass for an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Authorization codes.
    AuthorizationCode,
    /// `jti` and text of client assertions, where they may be sent once only.
    ClientAssertion,
    /// Sessions that were signed out.
    Session,
    /// Steps of a sign-in: a form may be sent once.
    Interaction,
    /// Assertions of external issuers, where they may be sent once only.
    FederatedAssertion,
}

impl Purpose {
    /// Its name in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientAssertion => "client_assertion",
            Self::Session => "session",
            Self::Interaction => "interaction",
            Self::FederatedAssertion => "federated_assertion",
        }
    }
}

/// A family of refresh tokens: all that descend from one sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyRow {
    /// Its id; random.
    pub id: Uuid,
    /// The tenant of its tokens.
    pub tenant: TenantId,
    /// When its last token is dead. It is remembered at least until then.
    pub until: Timestamp,
}

impl FamilyRow {
    /// The generation of a family's first token.
    pub const FIRST_GENERATION: i64 = 0;
}

/// What became of a token of a family that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// It was the youngest; the one after it is now.
    Rotated,
    /// It was not the youngest: somebody has used it before. The family has ended with this call.
    Replayed,
    /// The family had ended before, or was never there.
    Ended,
}

/// A device's request for a sign-in that happens elsewhere (RFC 8628).
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCodeRow {
    /// SHA-256 of the device code.
    pub device_digest: [u8; 32],
    /// What the person types, in its one canonical form; unique among those that are remembered.
    pub user_code: String,
    /// The tenant, where the request named one; `None` for `common` and its kin.
    pub tenant: Option<TenantId>,
    /// The application that asks.
    pub client_id: ClientId,
    /// What was asked for, sealed by the caller.
    pub request: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
    /// From here on it is worth nothing.
    pub expires_at: Timestamp,
}

impl fmt::Debug for DeviceCodeRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCodeRow")
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .field("created", &self.created)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// How far a device's request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceStatus {
    /// Nobody has decided.
    Pending,
    /// Somebody has signed in for it.
    Approved,
    /// Somebody has refused it.
    Declined,
    /// Its tokens were handed out.
    Redeemed,
}

/// A device's request, as the page sees it on which a person types the user code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCodeState {
    /// The request. It may have expired.
    pub row: DeviceCodeRow,
    /// How far it has come.
    pub status: DeviceStatus,
}

/// What a person decides about a device's request.
#[derive(Clone, PartialEq, Eq)]
pub enum DeviceDecision {
    /// Yes; the bytes, sealed by the caller, say who.
    Approved(Vec<u8>),
    /// No.
    Declined,
}

impl fmt::Debug for DeviceDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approved(_) => "Approved",
            Self::Declined => "Declined",
        })
    }
}

/// What a device is told that asks whether somebody has decided.
#[derive(Clone, PartialEq, Eq)]
pub enum DevicePoll {
    /// There is no such device code.
    Unknown,
    /// Nobody has decided yet.
    Pending,
    /// Nobody has decided yet, and the device asks too often.
    SlowDown,
    /// Somebody has refused.
    Declined,
    /// It was too late.
    Expired,
    /// Yes: what [`DeviceDecision::Approved`] said, and the request. One caller is told so, ever.
    Approved {
        /// The bytes of the decision.
        decision: Vec<u8>,
        /// The bytes of the request.
        request: Vec<u8>,
    },
    /// Somebody was told [`DevicePoll::Approved`] before.
    Redeemed,
}

impl fmt::Debug for DevicePoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Pending => "Pending",
            Self::SlowDown => "SlowDown",
            Self::Declined => "Declined",
            Self::Expired => "Expired",
            Self::Approved { .. } => "Approved",
            Self::Redeemed => "Redeemed",
        })
    }
}

/// Whether an account may try a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignInStanding {
    /// It may.
    Open,
    /// Too many were wrong; it may again from then on (AADSTS50053).
    Locked {
        /// The end of the lock.
        until: Timestamp,
    },
}

/// When wrong passwords lock an account.
///
/// The window begins with the first failure in it, so a row is of constant size. Failures while it is locked count for
/// nothing, or others could keep somebody out for ever at no cost. The first failure after a lock locks again, twice as
/// long, up to [`LOCK_AT_MOST`](Self::LOCK_AT_MOST). A success forgets everything, and so does a
/// [`WINDOW`](Self::WINDOW) without failure after the last lock.
///
/// Source: "Protect user accounts from attacks with Microsoft Entra smart lockout": ten attempts, one minute at first,
/// longer later. How long it is later, Microsoft does not say.
#[derive(Debug, Clone, Copy)]
pub struct Lockout;

impl Lockout {
    /// So many failures lock.
    pub const FAILURES: i64 = 10;
    /// Within so long.
    pub const WINDOW: Duration = Duration::from_secs(600);
    /// The first lock.
    pub const FIRST_LOCK: Duration = Duration::from_secs(60);
    /// The longest lock.
    pub const LOCK_AT_MOST: Duration = Duration::from_secs(3600);
}

/// The result of a call, awaited.
macro_rules! settled {
    ($output:ty) => { impl Future<Output = Result<$output, StoreError>> + Send };
}

/// What is settled once. Every call may fail as a commit may ([`StoreError::Busy`], [`StoreError::Io`] and others); then
/// it is open whether it happened, and the caller refuses.
///
/// End your transaction first: a directory with one connection would make this call wait for it, and then give up.
///
/// ```
/// use countersign_directory::{FamilyRow, Ledger, Purpose, Rotation, SqliteDirectory};
/// use countersign_token::{Randomness, SystemRandomness, Timestamp};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let directory = SqliteDirectory::in_memory().await?;
/// let until = Timestamp::from_unix_seconds(1_767_225_600).plus(Duration::from_secs(600));
/// let digest = [7; 32]; // SHA-256 of the code
/// assert!(directory.spend(Purpose::AuthorizationCode, &digest, until).await?);
/// assert!(!directory.spend(Purpose::AuthorizationCode, &digest, until).await?);
///
/// let family = FamilyRow { id: SystemRandomness.uuid_v4(), tenant: "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse()?, until };
/// directory.start_family(family).await?;
/// assert_eq!(directory.rotate_family(family.id, FamilyRow::FIRST_GENERATION, until).await?, Rotation::Rotated);
/// assert_eq!(directory.rotate_family(family.id, FamilyRow::FIRST_GENERATION, until).await?, Rotation::Replayed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Ledger {
    /// Spends a digest for a purpose; `true` for the first caller ever, `false` for all others. It is remembered at least
    /// until `until` (pitfall B102).
    fn spend(&self, purpose: Purpose, digest: &[u8; 32], until: Timestamp) -> settled!(bool);

    /// Whether a digest was spent for a purpose.
    fn is_spent(&self, purpose: Purpose, digest: &[u8; 32]) -> settled!(bool);

    /// Begins a family whose youngest token is of [`FamilyRow::FIRST_GENERATION`].
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] for the id.
    fn start_family(&self, family: FamilyRow) -> settled!(());

    /// Hands in a family's token of a generation. If it is the youngest, the generation after it is from now on, and the
    /// family is remembered until `until` or longer. If it is not, the family ends: one of two that have it has stolen it
    /// (RFC 9700 §4.14.2).
    fn rotate_family(&self, id: Uuid, generation: i64, until: Timestamp) -> settled!(Rotation);

    /// Ends a family; answers whether this call did.
    fn end_family(&self, id: Uuid) -> settled!(bool);

    /// Adds a device's request; `false` if the user code (or the device code) is taken.
    fn insert_device_code(&self, row: &DeviceCodeRow) -> settled!(bool);

    /// The request with this user code, expired or not.
    fn device_code_by_user_code(&self, user_code: &str) -> settled!(Option<DeviceCodeState>);

    /// Decides about a request; `false` unless it was pending and had not expired at `now`. The first decision stays.
    fn decide_device_code(&self, user_code: &str, decision: DeviceDecision, now: Timestamp) -> settled!(bool);

    /// Asks for a decision. Two questions about a pending request that are less than `min_interval` apart are
    /// [too many](DevicePoll::SlowDown).
    fn poll_device_code(
        &self,
        device_digest: &[u8; 32],
        now: Timestamp,
        min_interval: Duration,
    ) -> settled!(DevicePoll);

    /// Counts a wrong password for an account, of whose existence nothing is known here: the digest is of the name that
    /// was typed. Answers what holds from now on. See [`Lockout`].
    fn record_sign_in_failure(&self, tenant: TenantId, account: &[u8; 32], now: Timestamp) -> settled!(SignInStanding);

    /// Whether an account may try a password now.
    fn sign_in_standing(&self, tenant: TenantId, account: &[u8; 32], now: Timestamp) -> settled!(SignInStanding);

    /// Forgets an account's failures, after a success.
    fn clear_sign_in_failures(&self, tenant: TenantId, account: &[u8; 32]) -> settled!(());

    /// Removes what ended more than a day before `now`. The caller decides when.
    fn sweep(&self, now: Timestamp) -> settled!(());
}
