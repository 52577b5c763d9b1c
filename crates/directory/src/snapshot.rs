//! Everything as it was: for tests that begin with the same directory each time.

use std::sync::{Arc, Mutex, PoisonError};

use crate::StoreError;

/// What a directory held at one moment; see [`Directory::snapshot`](crate::Directory::snapshot). It lives in memory as long
/// as the directory, and is given up when dropped.
#[derive(Debug)]
pub struct Snapshot {
    number: u64,
    shelf: Shelf,
}

/// The snapshots of one directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<Numbers>>);

#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    given_up: Vec<u64>,
}

impl Shelf {
    fn with<T>(&self, act: impl FnOnce(&mut Numbers) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number for a new snapshot. Nothing is kept under it yet.
    pub(crate) fn place(&self) -> Snapshot {
        let number = self.with(|numbers| {
            numbers.last += 1;
            numbers.last
        });
        Snapshot { number, shelf: self.clone() }
    }

    /// The numbers of snapshots that nobody has any more, each told once.
    pub(crate) fn given_up(&self) -> Vec<u64> {
        self.with(|numbers| std::mem::take(&mut numbers.given_up))
    }

    /// A snapshot's number, if it is one of these.
    pub(crate) fn number(&self, snapshot: &Snapshot) -> Result<u64, StoreError> {
        if Arc::ptr_eq(&self.0, &snapshot.shelf.0) {
            return Ok(snapshot.number);
        }
        Err(StoreError::Unsupported("the snapshot is of another directory"))
    }
}

impl Snapshot {
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.shelf.with(|numbers| numbers.given_up.push(self.number));
    }
}
