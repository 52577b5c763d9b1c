//! A password against the directory.
//!
//! Hashing is slow on purpose: it runs on threads that may block, a few at a time, so that guessing at passwords keeps
//! nobody else from getting tokens. A name that nobody has costs as much as a wrong password. Which of the two it was,
//! Entra tells (AADSTS50034, AADSTS50126, recorded 2021 and 2022); a strict tenant does not (pitfalls B86).
//!
//! What is counted is the name that was typed, folded as the directory folds it, in the ledger that all replicas share:
//! one count per account however it is spelled (pitfalls B87), and the same for names that nobody has.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use countersign_directory::{Argon2id, Directory, PasswordHash, PasswordHasher, SignInStanding, Tenant, User};
use countersign_protocol::AadSts;
use countersign_token::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::digest::digest;
use crate::core::Core;
use crate::refused::Refused;

/// So many passwords are hashed at a time. Each takes 19 MiB and a core for some hundredths of a second.
static HASHING: Semaphore = Semaphore::const_new(2);

/// How long a password waits for its turn, so that a crowd of guesses costs its senders an answer and nobody a minute.
const PATIENCE: Duration = Duration::from_secs(3);

/// The hash of a random text that nobody knows, made at the process's first check, whoever that is for.
static NOBODYS_HASH: OnceLock<PasswordHash> = OnceLock::new();

/// The user with this sign-in name and password.
///
/// # Errors
/// AADSTS50053 while the account is locked, whatever the password; AADSTS50034 and AADSTS50126, which count; AADSTS50056
/// for a user who has no password. What else keeps a user out is for [`admit`](super::admission::admit) to say, after
/// the password was right.
pub(crate) async fn check_password<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    login: &str,
    password: &SecretString,
    now: Timestamp,
) -> Result<Arc<User>, Refused> {
    let account = account_digest(core, login);
    let ledger = core.registry.directory();
    // Names that are locked do not even queue.
    if let SignInStanding::Locked { .. } = ledger.sign_in_standing(tenant.id, &account, now).await? {
        return Err(Refused::new(AadSts::ACCOUNT_LOCKED));
    }
    // A permit before the question: of many guesses at once, only so many can have asked before one was counted.
    let permit = turn(&HASHING).await?;
    if let SignInStanding::Locked { .. } = ledger.sign_in_standing(tenant.id, &account, now).await? {
        return Err(Refused::new(AadSts::ACCOUNT_LOCKED));
    }
    let user = core.registry.user_named(tenant.id, login).await?;
    let (right, _permit) = verify(core, user.as_deref(), password, permit).await?;
    let refused = match user {
        Some(user) if right => {
            ledger.clear_sign_in_failures(tenant.id, &account).await?;
            return Ok(user);
        }
        // A strict tenant says the same to everybody.
        _ if tenant.strict => Refused::new(AadSts::WRONG_PASSWORD),
        None => {
            Refused::new(AadSts::USER_NOT_FOUND).with("user", login.to_owned()).with("tenant", tenant.id.to_string())
        }
        Some(user) if user.password_hash.is_none() => Refused::new(AadSts::NO_PASSWORD),
        Some(_) => Refused::new(AadSts::WRONG_PASSWORD),
    };
    ledger.record_sign_in_failure(tenant.id, &account, now).await?;
    Err(refused)
}

/// Whether the account of this name may try passwords, and whoever used one to get a code may go on (pitfalls B88).
pub(crate) async fn refuse_if_locked<D: Directory>(
    core: &Core<D>,
    tenant: &Tenant,
    user: &User,
    now: Timestamp,
) -> Result<(), Refused> {
    let account = account_digest(core, &user.user_principal_name);
    match core.registry.directory().sign_in_standing(tenant.id, &account, now).await? {
        SignInStanding::Open => Ok(()),
        SignInStanding::Locked { .. } => Err(Refused::new(AadSts::ACCOUNT_LOCKED)),
    }
}

/// A password's turn to be hashed, if it comes in time.
async fn turn(hashing: &'static Semaphore) -> Result<SemaphorePermit<'static>, Refused> {
    let permit = timeout(PATIENCE, hashing.acquire()).await;
    permit.ok().and_then(Result::ok).ok_or_else(|| Refused::transient("too many passwords at once"))
}

fn account_digest<D: Directory>(core: &Core<D>, login: &str) -> [u8; 32] {
    digest(&core.vault, "sign-in name", &login.to_lowercase())
}

/// Whether the password is the user's. Without user, or without password, a hash is computed all the same. The permit goes
/// along, because a thread hashes on when its request was given up, and comes back.
async fn verify<D: Directory>(
    core: &Core<D>,
    user: Option<&User>,
    password: &SecretString,
    permit: SemaphorePermit<'static>,
) -> Result<(bool, SemaphorePermit<'static>), Refused> {
    // Refused unhashed, whoever is asked for (pitfalls B89).
    if password.expose_secret().len() > Argon2id::MAX_BYTES {
        return Ok((false, permit));
    }
    let kept = user.and_then(|user| user.password_hash.clone());
    let hasher = Argon2id::new(Arc::clone(&core.randomness));
    let random: SecretString = core.randomness.base64url(32).into();
    let password = password.clone();
    let checking = tokio::task::spawn_blocking(move || {
        // Should hashing fail here, it fails below too, and nobody gets in.
        let nobodys = NOBODYS_HASH.get_or_init(|| hasher.hash(&random).unwrap_or(PasswordHash::from_phc("")));
        let right = hasher.verify(&password, kept.as_ref().unwrap_or(nobodys));
        (right && kept.is_some(), permit)
    });
    checking.await.map_err(|_| Refused::transient("a password check was given up"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn b42_a_password_waits_for_its_turn_and_not_for_ever() {
        static CROWDED: Semaphore = Semaphore::const_new(1);
        let held = turn(&CROWDED).await.unwrap();
        let start = Instant::now();
        let refused = turn(&CROWDED).await.unwrap_err();
        assert_eq!((refused.aadsts.code, refused.status, start.elapsed()), (90_033, Some(503), PATIENCE));
        drop(held);
        assert!(turn(&CROWDED).await.is_ok());
    }
}
