//! [`RedisCache`]: Redis or Valkey as a [`SharedCache`].
//!
//! One string per entry (`SET … PX`), one per right to refresh (`SET … NX PX`), given back only by its owner. Whoever
//! keeps tokens there encrypts the way too: an address `rediss://` needs a `redis` built with TLS by the application; what
//! is written is sealed in any case. The connection is made when it is first needed and made anew when it breaks.

use std::fmt;
use std::time::Duration;

use countersign_discovery::{BoxFuture, Cause};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};

use crate::shared::SharedCache;

/// Reconnecting is not waited for; the next operation finds the connection or fails.
const CONNECT: Duration = Duration::from_millis(400);

/// Gives a right back if it is still the caller's: to compare and to delete must be one step.
const UNLOCK: &str =
    r"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";

/// A Redis or Valkey server. Clones share the connection.
#[derive(Clone)]
pub struct RedisCache {
    connection: ConnectionManager,
    prefix: String,
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may hold a password.
        f.debug_struct("RedisCache").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisCache {
    /// The server at `address`, `redis://[user:password@]host[:port][/database]`; names of entries begin with `prefix`.
    /// Nothing is sent yet. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`RedisError`] for an address that is none.
    pub fn new(address: &str, prefix: impl Into<String>) -> Result<Self, RedisError> {
        let client = Client::open(address)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(CONNECT));
        let connection = ConnectionManager::new_lazy_with_config(client, config)?;
        Ok(Self { connection, prefix: prefix.into() })
    }

    fn entry(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn right(&self, name: &str) -> String {
        format!("{}{name}:refresh", self.prefix)
    }
}

fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl SharedCache for RedisCache {
    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<Vec<u8>>, Cause>> {
        let (mut connection, key) = (self.connection.clone(), self.entry(name));
        Box::pin(async move { Ok(redis::cmd("GET").arg(key).query_async(&mut connection).await?) })
    }

    fn put(&self, name: &str, value: Vec<u8>, life: Duration) -> BoxFuture<'_, Result<(), Cause>> {
        let (mut connection, key) = (self.connection.clone(), self.entry(name));
        Box::pin(async move {
            Ok(redis::cmd("SET").arg(key).arg(value).arg("PX").arg(millis(life)).query_async(&mut connection).await?)
        })
    }

    fn remove(&self, name: &str) -> BoxFuture<'_, Result<(), Cause>> {
        let (mut connection, key) = (self.connection.clone(), self.entry(name));
        Box::pin(async move {
            let _: i64 = redis::cmd("DEL").arg(key).query_async(&mut connection).await?;
            Ok(())
        })
    }

    fn lock(&self, name: &str, owner: &str, life: Duration) -> BoxFuture<'_, Result<bool, Cause>> {
        let (mut connection, key, owner) = (self.connection.clone(), self.right(name), owner.to_owned());
        Box::pin(async move {
            let mut set = redis::cmd("SET");
            let set = set.arg(key).arg(owner).arg("NX").arg("PX").arg(millis(life));
            let done: Option<String> = set.query_async(&mut connection).await?;
            Ok(done.is_some())
        })
    }

    fn unlock(&self, name: &str, owner: &str) -> BoxFuture<'_, Result<(), Cause>> {
        let (mut connection, key, owner) = (self.connection.clone(), self.right(name), owner.to_owned());
        Box::pin(async move {
            let _: i64 = Script::new(UNLOCK).key(key).arg(owner).invoke_async(&mut connection).await?;
            Ok(())
        })
    }
}
