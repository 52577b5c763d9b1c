//! A password against the directory.
//!
//! Hashing is slow on purpose: it runs on threads that may block, a few at a time, so that guessing at passwords keeps
//! nobody else from getting tokens. A name that nobody has costs as much as a wrong password. Which of the two it was,
//! Entra tells (AADSTS50034, AADSTS50126, recorded 2021 and 2022); a strict tenant does not (pitfalls B86).
//!
//! What is counted is the name that was typed, folded as the directory folds it, in the ledger that all replicas share:
//! one count per account however it is spelled (pitfalls B87), and the same for names that nobody has.

use std::sync::Arc;

use countersign_directory::{Argon2id, Directory, PasswordHash, PasswordHasher, SignInStanding, Tenant, User};
use countersign_protocol::AadSts;
use countersign_token::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::digest::digest;
use crate::core::Core;
use crate::refused::Refused;

/// So many passwords are hashed at a time. Each takes 19 MiB and a core for some hundredths of a second.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Longer names are nobody's (RFC 5321 §4.5.3.1), in bytes.
const MAX_NAME_BYTES: usize = 320;

/// The hash of a random text that nobody knows, with the cost of all others.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5cy1zYWx0LTAwMQ$0S8mVVnTtD5nQ1RybnVHTkVJb1V1WkxlaHZ4bUNhVnk";

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
    // A permit before the question: of many guesses at once, only so many can have asked before one was counted.
    let _permit = HASHING.acquire().await.map_err(|_| Refused::new(AadSts::TRANSIENT_ERROR).status(503))?;
    if let SignInStanding::Locked { .. } = ledger.sign_in_standing(tenant.id, &account, now).await? {
        return Err(Refused::new(AadSts::ACCOUNT_LOCKED));
    }
    let user = if login.len() > MAX_NAME_BYTES { None } else { core.registry.user_named(tenant.id, login).await? };
    let right = verify(core, user.as_deref(), password).await?;
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

fn account_digest<D: Directory>(core: &Core<D>, login: &str) -> [u8; 32] {
    digest(&core.vault, "sign-in name", &login.to_lowercase())
}

/// Whether the password is the user's. Without user, or without password, a hash is computed all the same.
async fn verify<D: Directory>(core: &Core<D>, user: Option<&User>, password: &SecretString) -> Result<bool, Refused> {
    // Refused unhashed, whoever is asked for (pitfalls B89).
    if password.expose_secret().len() > Argon2id::MAX_BYTES {
        return Ok(false);
    }
    let kept = user.and_then(|user| user.password_hash.clone());
    let exists = kept.is_some();
    let hash = kept.unwrap_or_else(|| PasswordHash::from_phc(NOBODYS_HASH));
    let hasher = Argon2id::new(Arc::clone(&core.randomness));
    let password = password.clone();
    let right = tokio::task::spawn_blocking(move || hasher.verify(&password, &hash))
        .await
        .map_err(|_| Refused::new(AadSts::TRANSIENT_ERROR).because("a password check was given up").status(503))?;
    Ok(right && exists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SystemRandomness;

    #[test]
    fn b86_nobodys_hash_is_one_that_costs_what_others_cost() {
        let own = Argon2id::new(SystemRandomness).hash(&"x".into()).unwrap();
        let parameters = |phc: &str| phc.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(NOBODYS_HASH), parameters(own.as_phc()));
        let lengths = |phc: &str| phc.split('$').map(str::len).collect::<Vec<_>>();
        assert_eq!(lengths(NOBODYS_HASH), lengths(own.as_phc()));
    }
}
