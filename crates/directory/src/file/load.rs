//! From a sound file into a directory, in one transaction.

use std::sync::Arc;
use std::time::Duration;

use countersign_token::{ClientId, TenantId, Timestamp, Vault};
use secrecy::{ExposeSecret, SecretString};

use super::application::{ApplicationEntry, PrincipalEntry};
use super::issue::{At, Issues};
use super::tenant::TenantEntry;
use super::users::UserEntry;
use super::{DirectoryFile, DirectoryFileError};
use crate::{
    ClientSecret, Commit, Directory, PasswordError, PasswordHash, PasswordHasher, ServicePrincipal, StoreError,
    Transaction,
};

/// How long a secret is valid whose end the file does not state; Graph's default.
const SECRET_LIFE: Duration = Duration::from_secs(2 * 365 * 86_400);

/// What loading needs beside the file.
#[derive(Debug, Clone)]
pub struct LoadContext<'a> {
    /// Hashes client secrets.
    pub vault: &'a Vault,
    /// Hashes passwords; asked only if the file has some. See [`Argon2id`](crate::Argon2id).
    pub passwords: Arc<dyn PasswordHasher>,
    /// The time now: the start of what has no stated start.
    pub now: Timestamp,
}

/// How much a file said. Counts what the file names, changed or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Tenants.
    pub tenants: usize,
    /// Users.
    pub users: usize,
    /// Groups.
    pub groups: usize,
    /// Registrations, managed identities among them.
    pub applications: usize,
    /// Client secrets.
    pub secrets: usize,
    /// Certificates.
    pub certificates: usize,
    /// Federated credentials.
    pub federated_credentials: usize,
    /// App-role assignments.
    pub app_role_assignments: usize,
    /// Delegated permission grants.
    pub permission_grants: usize,
}

/// A file was not loaded; nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file names something that neither it nor the directory has, or clashes with what the directory has.
    #[error(transparent)]
    File(#[from] DirectoryFileError),
    /// The store failed.
    #[error("the directory could not be written")]
    Store(#[from] StoreError),
    /// A password could not be hashed.
    #[error("a user's password could not be hashed")]
    Password(#[from] PasswordError),
}

impl DirectoryFile {
    /// Writes the file's contents into a directory and commits. Loading the same file again changes nothing; see the
    /// notes on altered files at the top of this module.
    ///
    /// # Errors
    /// [`LoadError`]; nothing was written then.
    pub async fn load(&self, directory: &impl Directory, context: &LoadContext<'_>) -> Result<LoadReport, LoadError> {
        let mut tx = directory.begin().await?;
        let report = self.load_into(&mut tx, context).await?;
        tx.commit().await?;
        Ok(report)
    }

    /// As [`load`](Self::load), as part of a transaction that the caller commits: several files, all or none.
    ///
    /// # Errors
    /// [`LoadError`]; drop the transaction then, parts of the file may be in it.
    pub async fn load_into<T: Transaction>(
        &self,
        tx: &mut T,
        context: &LoadContext<'_>,
    ) -> Result<LoadReport, LoadError> {
        let mut loading = Loading { tx, context, issues: Issues::of(&self.name), report: LoadReport::default() };
        // Applications of all tenants first: any of them may have an instance in any other.
        for entry in &self.tenants {
            loading.tenant(entry).await?;
        }
        for entry in &self.tenants {
            loading.tenants_grants(entry).await?;
        }
        let Loading { issues, report, .. } = loading;
        issues.finish()?;
        Ok(report)
    }
}

/// A file on its way into a transaction; the second half of it is in [`super::load_grants`].
pub(super) struct Loading<'l, T> {
    pub(super) tx: &'l mut T,
    pub(super) context: &'l LoadContext<'l>,
    pub(super) issues: Issues,
    pub(super) report: LoadReport,
}

impl<T: Transaction> Loading<'_, T> {
    /// A clash with what the directory has is the file's to mend; anything else is the store's.
    pub(super) fn settle(&mut self, at: &At, outcome: Result<(), StoreError>) -> Result<bool, StoreError> {
        match outcome {
            Ok(()) => Ok(true),
            Err(StoreError::AlreadyExists(record)) => {
                let what = format!("the directory has this {record} already, under another owner");
                self.issues.error(at, what, "change it here, or remove it there");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn tenant(&mut self, entry: &TenantEntry) -> Result<(), LoadError> {
        let stored = self.tx.tenant(entry.tenant.id).await?;
        let tenant = entry.stated.over(&entry.tenant, stored.as_ref());
        let outcome = match &stored {
            None => self.tx.insert_tenant(&tenant).await,
            Some(stored) if *stored != tenant => self.tx.update_tenant(&tenant).await,
            Some(_) => Ok(()),
        };
        if !self.settle(&entry.at, outcome)? {
            return Ok(());
        }
        self.report.tenants += 1;
        for user in &entry.users {
            self.user(user).await?;
        }
        for application in &entry.applications {
            self.application(entry.tenant.id, application).await?;
        }
        Ok(())
    }

    async fn user(&mut self, entry: &UserEntry) -> Result<(), LoadError> {
        let stored = self.tx.user(entry.user.tenant, entry.user.object_id).await?;
        let mut user = entry.stated.over(&entry.user, stored.as_ref());
        let stored_hash = stored.as_ref().and_then(|stored| stored.password_hash.clone());
        user.password_hash = match &entry.password {
            Some(password) => Some(hashed(&self.context.passwords, password, stored_hash.clone()).await?),
            None => stored_hash.clone(),
        };
        if stored_hash.is_some() && user.password_hash != stored_hash {
            // Whoever had got in with the old one is out: sessions, codes and refresh tokens (pitfalls B48).
            user.tokens_valid_from = self.context.now;
        }
        let outcome = match &stored {
            None => self.tx.insert_user(&user).await,
            Some(stored) if *stored != user => self.tx.update_user(&user).await,
            Some(_) => Ok(()),
        };
        if self.settle(&entry.at, outcome)? {
            self.report.users += 1;
        }
        Ok(())
    }

    async fn application(&mut self, tenant: TenantId, entry: &ApplicationEntry) -> Result<(), LoadError> {
        let application = &entry.application;
        let app_id = application.app_id();
        let outcome = match self.tx.application(app_id).await? {
            None => self.tx.insert_application(application).await,
            Some(stored) if stored.tenant() != tenant => {
                let what = format!("{app_id} is registered in the tenant {}", stored.tenant());
                self.issues.error(&entry.at, what, "give it another appId, or name it there");
                return Ok(());
            }
            Some(stored) if stored.document() != application.document() => {
                self.tx.update_application(application).await
            }
            Some(_) => Ok(()),
        };
        if !self.settle(&entry.at, outcome)? {
            return Ok(());
        }
        self.report.applications += 1;
        self.credentials(app_id, entry).await?;
        if let Some(principal) = &entry.principal {
            self.principal(tenant, principal).await?;
        }
        Ok(())
    }

    async fn credentials(&mut self, app_id: ClientId, entry: &ApplicationEntry) -> Result<(), LoadError> {
        let stored = self.tx.secrets(app_id).await?;
        for secret in &entry.credentials.secrets {
            let known = stored.iter().find(|known| known.key_id == secret.key_id);
            let hash = self.context.vault.hash_secret(secret.text.expose_secret());
            let same = known.filter(|known| known.matches(&hash));
            let starts_at = secret.starts_at.or(same.map(|same| same.starts_at)).unwrap_or_else(|| {
                // An end in the past belongs to a secret that was valid once.
                secret.ends_at.map_or(self.context.now, |end| end.min(self.context.now))
            });
            let ends_at =
                secret.ends_at.or(same.map(|same| same.ends_at)).unwrap_or_else(|| starts_at.plus(SECRET_LIFE));
            let name = secret.display_name.clone();
            if same
                .is_some_and(|same| same.starts_at == starts_at && same.ends_at == ends_at && same.display_name == name)
            {
                continue;
            }
            self.tx.remove_secret(app_id, secret.key_id).await?;
            let secret =
                ClientSecret::from_text(self.context.vault, secret.key_id, name, &secret.text, starts_at..ends_at);
            self.tx.add_secret(app_id, &secret).await?;
        }
        let stored = self.tx.certificates(app_id).await?;
        for certificate in &entry.credentials.certificates {
            if !stored.contains(certificate) {
                self.tx.remove_certificate(app_id, certificate.key_id).await?;
                self.tx.add_certificate(app_id, certificate).await?;
            }
        }
        let stored = self.tx.federated_credentials(app_id).await?;
        for (at, credential) in &entry.credentials.federated {
            if stored.contains(credential) {
                continue;
            }
            if let Some(known) = stored.iter().find(|known| known.id == credential.id || known.name == credential.name)
            {
                self.tx.remove_federated_credential(app_id, known.id).await?;
            }
            let outcome = self.tx.add_federated_credential(app_id, credential).await;
            self.settle(at, outcome)?;
        }
        self.report.secrets += entry.credentials.secrets.len();
        self.report.certificates += entry.credentials.certificates.len();
        self.report.federated_credentials += entry.credentials.federated.len();
        Ok(())
    }

    pub(super) async fn principal(&mut self, tenant: TenantId, entry: &PrincipalEntry) -> Result<(), LoadError> {
        let Some(application) = self.tx.application(entry.app_id).await? else {
            let what = format!("{} is not the appId of a known application", entry.app_id);
            self.issues.error(&entry.at, what, "register it in its home tenant first");
            return Ok(());
        };
        if !application.is_available_in(tenant) {
            let what = format!("`{}` is for its home tenant only", application.display_name());
            self.issues.error(&entry.at, what, "set its `signInAudience` to AzureADMultipleOrgs, or remove the entry");
            return Ok(());
        }
        let stored = self.tx.service_principal(tenant, entry.app_id).await?;
        if let (Some(stored), Some(id)) = (&stored, entry.object_id)
            && stored.object_id != id
        {
            let what = format!("the directory has this service principal under the id {}", stored.object_id);
            self.issues.error(&entry.at, what, "write that id, or leave it out");
            return Ok(());
        }
        let mut principal = stored.clone().unwrap_or_else(|| ServicePrincipal::of(&application, tenant));
        principal.object_id = entry.object_id.unwrap_or(principal.object_id);
        // A name that was never stated follows the registration's.
        principal.display_name = entry.display_name.clone().unwrap_or_else(|| application.display_name().to_owned());
        principal.account_enabled = entry.account_enabled.unwrap_or(principal.account_enabled);
        principal.app_role_assignment_required =
            entry.app_role_assignment_required.unwrap_or(principal.app_role_assignment_required);
        principal.kind = entry.kind.unwrap_or(principal.kind);
        principal.own_signing_key = entry.own_signing_key.unwrap_or(principal.own_signing_key);
        if let Some(names) = &entry.names {
            principal.names =
                names.iter().filter(|name| !application.identifier_uris().contains(name)).cloned().collect();
        }
        let outcome = match &stored {
            None => self.tx.insert_service_principal(&principal).await,
            Some(stored) if *stored != principal => self.tx.update_service_principal(&principal).await,
            Some(_) => Ok(()),
        };
        self.settle(&entry.at, outcome)?;
        Ok(())
    }
}

/// The stored hash if it is the password's, a fresh one otherwise; off the threads that must not wait.
async fn hashed(
    hasher: &Arc<dyn PasswordHasher>,
    password: &SecretString,
    stored: Option<PasswordHash>,
) -> Result<PasswordHash, PasswordError> {
    let (hasher, password) = (Arc::clone(hasher), password.clone());
    let hashing = move || match stored {
        Some(stored) if hasher.verify(&password, &stored) => Ok(stored),
        _ => hasher.hash(&password),
    };
    tokio::task::spawn_blocking(hashing).await.unwrap_or(Err(PasswordError::Failed))
}
