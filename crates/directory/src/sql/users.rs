//! People.

use countersign_token::{ObjectId, TenantId};

use super::columns::{Cells, column, each, named, parsed, time};
use super::failure::writing;
use super::groups::forget_principal;
use super::{Query, Session};
use crate::{PasswordHash, Record, StoreError, User, UserType, Users};

/// Sign-in names are compared without regard to case, other alphabets included.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn read(row: &impl Cells) -> Result<User, StoreError> {
    let password_hash: Option<String> = column(row, "password_hash")?;
    Ok(User {
        object_id: parsed(row, "object_id")?,
        tenant: parsed(row, "tenant_id")?,
        user_principal_name: column(row, "user_principal_name")?,
        display_name: column(row, "display_name")?,
        given_name: column(row, "given_name")?,
        surname: column(row, "surname")?,
        mail: column(row, "mail")?,
        user_type: named(row, "user_type", UserType::from_name)?,
        account_enabled: column(row, "account_enabled")?,
        is_administrator: column(row, "is_administrator")?,
        password_expired: column(row, "password_expired")?,
        mfa_required: column(row, "mfa_required")?,
        blocked_by_policy: column(row, "blocked_by_policy")?,
        tokens_valid_from: time(row, "tokens_valid_from")?,
        password_hash: password_hash.map(PasswordHash::from_phc),
    })
}

/// Binds the columns in the order in which both statements name them.
macro_rules! bound {
    ($sql:literal, $user:ident) => {
        Query::new($sql)
            .bind($user.object_id.to_string())
            .bind($user.tenant.to_string())
            .bind($user.user_principal_name.clone())
            .bind(folded(&$user.user_principal_name))
            .bind($user.display_name.clone())
            .bind($user.given_name.clone())
            .bind($user.surname.clone())
            .bind($user.mail.clone())
            .bind($user.account_enabled)
            .bind($user.password_hash.as_ref().map(|hash| hash.as_phc().to_owned()))
            .bind($user.user_type.as_str().to_owned())
            .bind($user.is_administrator)
            .bind($user.password_expired)
            .bind($user.mfa_required)
            .bind($user.blocked_by_policy)
            .bind($user.tokens_valid_from.as_nanos())
    };
}

async fn remove_user_rows<S: Session>(session: &mut S, tenant: TenantId, id: ObjectId) -> Result<bool, StoreError> {
    let query = Query::new("DELETE FROM users WHERE tenant_id = $1 AND object_id = $2")
        .bind(tenant.to_string())
        .bind(id.to_string());
    if session.write(query).await? == 0 {
        return Ok(false);
    }
    let query = Query::new("DELETE FROM permission_grants WHERE user_id = $1").bind(id.to_string());
    session.write(query).await?;
    forget_principal(session, id).await?;
    Ok(true)
}

impl<S: Session> Users for S {
    async fn insert_user(&mut self, user: &User) -> Result<(), StoreError> {
        let query = bound!(
            "INSERT INTO users (object_id, tenant_id, user_principal_name, user_principal_name_folded, display_name, \
             given_name, surname, mail, account_enabled, password_hash, user_type, is_administrator, password_expired, \
             mfa_required, blocked_by_policy, tokens_valid_from) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            user
        );
        self.write(query).await.map(drop).map_err(writing(Record::User, Record::Tenant))
    }

    async fn update_user(&mut self, user: &User) -> Result<(), StoreError> {
        let query = bound!(
            "UPDATE users SET user_principal_name = $3, user_principal_name_folded = $4, display_name = $5, \
             given_name = $6, surname = $7, mail = $8, account_enabled = $9, password_hash = $10, \
             user_type = $11, is_administrator = $12, password_expired = $13, mfa_required = $14, \
             blocked_by_policy = $15, tokens_valid_from = $16 \
             WHERE object_id = $1 AND tenant_id = $2",
            user
        );
        match self.write(query).await.map_err(writing(Record::User, Record::Tenant))? {
            0 => Err(StoreError::NotFound(Record::User)),
            _ => Ok(()),
        }
    }

    async fn user(&mut self, tenant: TenantId, id: ObjectId) -> Result<Option<User>, StoreError> {
        let row = self
            .optional(
                Query::new("SELECT * FROM users WHERE tenant_id = $1 AND object_id = $2")
                    .bind(tenant.to_string())
                    .bind(id.to_string()),
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    async fn user_by_principal_name(&mut self, tenant: TenantId, name: &str) -> Result<Option<User>, StoreError> {
        let row = self
            .optional(
                Query::new("SELECT * FROM users WHERE tenant_id = $1 AND user_principal_name_folded = $2")
                    .bind(tenant.to_string())
                    .bind(folded(name)),
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    async fn users_of(&mut self, tenant: TenantId) -> Result<Vec<User>, StoreError> {
        let rows = self
            .all(
                Query::new("SELECT * FROM users WHERE tenant_id = $1 ORDER BY user_principal_name_folded")
                    .bind(tenant.to_string()),
            )
            .await?;
        each(&rows, read)
    }

    async fn remove_user(&mut self, tenant: TenantId, id: ObjectId) -> Result<bool, StoreError> {
        self.begin_write().await?;
        let outcome = remove_user_rows(self, tenant, id).await;
        self.whole(outcome).await
    }
}
