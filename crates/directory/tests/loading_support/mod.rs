//! A directory to load files into, and the ids that the files use.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_directory::{
    DirectoryFile, LoadContext, LoadError, LoadReport, PasswordError, PasswordHash, PasswordHasher, SqliteDirectory,
};
use countersign_token::{ClientId, RootKey, TenantId, Timestamp, Vault};
use secrecy::{ExposeSecret, SecretString};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// Counts what it is asked, and asks the real one with cheap eyes.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(crate) hashed: AtomicUsize,
}

impl PasswordHasher for Counting {
    fn hash(&self, password: &SecretString) -> Result<PasswordHash, PasswordError> {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        Ok(PasswordHash::from_phc(password.expose_secret().chars().rev().collect::<String>()))
    }

    fn verify(&self, password: &SecretString, hash: &PasswordHash) -> bool {
        hash.as_phc().chars().rev().eq(password.expose_secret().chars())
    }
}

pub(crate) struct Bench {
    pub(crate) directory: SqliteDirectory,
    pub(crate) vault: Vault,
    pub(crate) hasher: Arc<Counting>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let vault = Vault::new(&RootKey::from_bytes([7; 32])).unwrap();
        Self { directory: SqliteDirectory::in_memory().await.unwrap(), vault, hasher: Arc::default() }
    }

    pub(crate) async fn load_at(&self, text: &str, now: Timestamp) -> Result<LoadReport, LoadError> {
        let file = DirectoryFile::parse("f.yaml", text).unwrap().file;
        let passwords = Arc::clone(&self.hasher) as Arc<dyn PasswordHasher>;
        file.load(&self.directory, &LoadContext { vault: &self.vault, passwords, now }).await
    }

    pub(crate) async fn load(&self, text: &str) -> Result<LoadReport, LoadError> {
        self.load_at(text, NOW).await
    }

    /// What loading refuses, one line each.
    pub(crate) async fn refused(&self, text: &str) -> Vec<String> {
        match self.load(text).await.unwrap_err() {
            LoadError::File(error) => error.issues().iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn tenant() -> TenantId {
    "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap()
}

pub(crate) fn fabrikam() -> TenantId {
    "7c9b2d1e-1c1a-4a5b-8d0f-2a4f6b8c0d1e".parse().unwrap()
}

pub(crate) fn client() -> ClientId {
    "22222222-2222-4222-8222-222222222222".parse().unwrap()
}

pub(crate) fn resource() -> ClientId {
    "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11".parse().unwrap()
}
