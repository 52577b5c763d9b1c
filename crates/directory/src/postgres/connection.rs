//! What only PostgreSQL needs: what its address may say, and how a connection is set up.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, PgPool};
use tokio::time::timeout;
use url::Url;

use crate::StoreError;
use crate::sql::failure::general;

/// Every transaction reads one state of the database, the one of its first statement.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";

/// Connections for transactions. Callers cache what they read, so a handful serves many requests.
const CONNECTIONS: u32 = 8;

/// A replica that stands still in the middle of a transaction is cut off after this: it may hold the right to write.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);

/// What the address may carry after `?`. The driver would log others, values and all.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Reads the address. No error quotes it: a password with an unescaped `@`, `/` or `?` may turn up anywhere in it.
pub(super) fn options(url: &SecretString) -> Result<PgConnectOptions, StoreError> {
    let parsed = Url::parse(url.expose_secret().trim()).map_err(|_| {
        StoreError::Address("a URL was expected, postgres://USER@HOST/DATABASE, special characters percent-encoded")
    })?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err(StoreError::Address("it begins with postgres://"));
    }
    for (name, value) in parsed.query_pairs() {
        if !PARAMETERS.contains(&&*name) {
            return Err(StoreError::Address(
                "a parameter is not known (sslmode, sslrootcert, sslcert, sslkey, host, options and the like are), or a \
                 special character in the password is not percent-encoded",
            ));
        }
        // The driver takes `allow` for `disable`.
        if matches!(&*name, "sslmode" | "ssl-mode") && value.eq_ignore_ascii_case("allow") {
            return Err(StoreError::Address(
                "sslmode=allow is not offered; say disable, prefer, require or verify-full",
            ));
        }
    }
    let options = PgConnectOptions::from_str(parsed.as_str())
        .map_err(|_| StoreError::Address("a part of it or a parameter cannot be read"))?;
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("countersign"),
    };
    // Statements are logged nowhere else either.
    Ok(options.disable_statement_logging())
}

/// One connection, and why there is none: a pool keeps trying and keeps the reason to itself. It waits for locks as long as
/// `patience`.
pub(super) async fn connect(options: &PgConnectOptions, patience: Duration) -> Result<PgConnection, StoreError> {
    let connecting = async {
        let mut connection = options.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(settings(patience))).execute(&mut connection).await?;
        Ok(connection)
    };
    timeout(patience, connecting).await.map_err(|elapsed| StoreError::Io(elapsed.into()))?.map_err(general)
}

/// The pool that transactions come from. Nothing is connected yet.
pub(super) fn pool(options: PgConnectOptions, patience: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(patience)
        .after_connect(move |connection, _| {
            let settings = AssertSqlSafe(settings(patience));
            Box::pin(async move { sqlx::raw_sql(settings).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options)
}

/// The isolation level is that of statements by themselves, as the ledger's are: of two on one row the second waits for the
/// first and then looks again.
fn settings(patience: Duration) -> String {
    format!(
        "SET lock_timeout = {}; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SET default_transaction_isolation = 'read committed'",
        patience.as_millis().max(1),
        patience.as_millis().max(1) * 2,
        IDLE_IN_TRANSACTION.as_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        let error = options(&url.into()).unwrap_err();
        assert!(matches!(error, StoreError::Address(_)), "{error:?}");
        format!("{error} {error:?}")
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_being_quoted() {
        for url in [
            "s3cret",
            "mysql://u:s3cret@h/d",
            "postgres://u:p?s3cret@h/d",
            "postgres://u:s3cret/@h/d",
            "postgres://u@h/d?pasword=s3cret",
            "postgres://u:s3cret@h/d?sslmode=allow",
            "postgres://u:s3cret@h/d?sslmode=verify",
            "postgres://u:s3cret@h:s3cret/d",
        ] {
            assert!(!refusal(url).contains("s3cret"), "{url}");
        }
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        use sqlx::postgres::PgSslMode;
        let read = options(&"postgres://u:p%40ss@db.example:5433/d?sslmode=verify-full\n".into()).unwrap();
        assert_eq!((read.get_host(), read.get_port(), read.get_database()), ("db.example", 5433, Some("d")));
        assert!(matches!(read.get_ssl_mode(), PgSslMode::VerifyFull));
        let read = options(&"postgresql://u@localhost/d?host=/run/postgresql".into()).unwrap();
        assert_eq!(read.get_socket().unwrap().to_str(), Some("/run/postgresql"));
    }
}
