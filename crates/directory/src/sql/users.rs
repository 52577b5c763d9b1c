//! People.

use countersign_token::{ObjectId, TenantId};

use super::columns::{Cells, column, each, parsed};
use super::failure::writing;
use super::{Query, Session};
use crate::{PasswordHash, Record, StoreError, User, Users};

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
        account_enabled: column(row, "account_enabled")?,
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
    };
}

impl<S: Session> Users for S {
    async fn insert_user(&mut self, user: &User) -> Result<(), StoreError> {
        let query = bound!(
            "INSERT INTO users (object_id, tenant_id, user_principal_name, user_principal_name_folded, display_name, \
             given_name, surname, mail, account_enabled, password_hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            user
        );
        self.write(query).await.map(drop).map_err(writing(Record::User, Record::Tenant))
    }

    async fn update_user(&mut self, user: &User) -> Result<(), StoreError> {
        let query = bound!(
            "UPDATE users SET user_principal_name = $3, user_principal_name_folded = $4, display_name = $5, \
             given_name = $6, surname = $7, mail = $8, account_enabled = $9, password_hash = $10 \
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
}
