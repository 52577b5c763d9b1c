//! The accounts of a browser, looked up: who they are, and whether their sessions are still worth something.

use std::sync::Arc;

use countersign_directory::{Directory, Purpose, Tenant, User};
use countersign_protocol::TenantSegment;
use countersign_token::{ObjectId, TenantId, Timestamp};
use uuid::Uuid;

use super::sessions::Entry;
use super::visit::Visit;
use crate::core::Core;
use crate::grants::digest::digest;
use crate::pages;
use crate::refused::Refused;
use crate::subject::{SessionFacts, Subject};

/// An account of the browser that is still there.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) tenant: Arc<Tenant>,
    pub(super) user: Arc<User>,
    /// Its session, if that is good.
    pub(super) session: Option<SessionFacts>,
    /// The session's key.
    pub(super) key: Uuid,
    id: String,
}

impl Account {
    pub(super) fn object_id(&self) -> ObjectId {
        self.user.object_id
    }

    /// As a page shows it.
    pub(super) fn view(&self) -> pages::Account<'_> {
        pages::Account {
            id: &self.id,
            name: &self.user.display_name,
            upn: &self.user.user_principal_name,
            signed_in: self.session.is_some(),
        }
    }

    /// Who acts, for those who sign in.
    pub(super) fn subject(&self) -> Option<Subject> {
        Some(Subject { user: Arc::clone(&self.user), session: self.session.clone()? })
    }

    /// Whether a name or an id that a client remembers means this account.
    pub(super) fn is_meant_by(&self, hint: &str) -> bool {
        hint.eq_ignore_ascii_case(&self.user.user_principal_name) || hint.eq_ignore_ascii_case(&self.id)
    }
}

impl<D: Directory> Visit<'_, D> {
    /// The browser's accounts, the one that was used last first.
    pub(super) async fn accounts(&self) -> Result<Vec<Account>, Refused> {
        let mut accounts = Vec::with_capacity(self.sessions.0.len());
        for entry in &self.sessions.0 {
            let Some(tenant) = enabled_tenant(self.core, entry.tenant).await? else { continue };
            let Some(user) = self.core.registry.user(tenant.id, entry.user).await? else { continue };
            let good = is_good(self, entry, &user).await?;
            accounts.push(Account {
                tenant,
                session: entry.session.clone().filter(|_| good),
                key: entry.key,
                id: user.object_id.to_string(),
                user,
            });
        }
        Ok(accounts)
    }

    /// Ends a session for good: a copy of the cookie is worth nothing from now on.
    pub(super) async fn spend_session(&self, entry: &Entry) -> Result<(), Refused> {
        self.spend_key(entry.key, entry.expires).await
    }

    pub(super) async fn spend_key(&self, key: Uuid, expires: i64) -> Result<(), Refused> {
        let until = Timestamp::from_unix_seconds(expires);
        self.core.registry.directory().spend(Purpose::Session, &self.digest("session", key), until).await?;
        Ok(())
    }
}

/// The tenant with this id, unless it is switched off.
pub(super) async fn enabled_tenant<D: Directory>(core: &Core<D>, id: TenantId) -> Result<Option<Arc<Tenant>>, Refused> {
    let tenant = core.registry.tenant(&TenantSegment::Id(id)).await?;
    Ok(tenant.filter(|tenant| tenant.enabled))
}

/// Names a user's password without telling anything about it.
pub(super) fn password_name<D: Directory>(core: &Core<D>, user: &User) -> String {
    let Some(hash) = &user.password_hash else { return String::new() };
    let digest = digest(&core.vault, "password", hash.as_phc());
    countersign_token::base64url_encode(&digest[..9])
}

/// Whether a session is worth something: of this time, not ended, and its user as they were.
async fn is_good<D: Directory>(visit: &Visit<'_, D>, entry: &Entry, user: &User) -> Result<bool, Refused> {
    let Some(session) = &entry.session else { return Ok(false) };
    let revoked = Timestamp::from_unix_seconds(session.auth_time) < user.tokens_valid_from;
    let as_before = password_name(visit.core, user) == entry.password;
    if entry.expires <= visit.now() || !user.account_enabled || revoked || !as_before {
        return Ok(false);
    }
    let spent = visit.core.registry.directory().is_spent(Purpose::Session, &visit.digest("session", entry.key)).await?;
    Ok(!spent)
}
