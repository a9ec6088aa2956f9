//! What the shards of a store hold together, counted as it changes.
//!
//! Bytes are reserved before they are used, so the sum is never over `store.max_bytes`, not even for a moment.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Usage;

/// The counts. Each is exact; read together while writes go on, they may be from different moments.
#[derive(Debug)]
pub(super) struct Ledger {
    max_bytes: u64,
    bytes: AtomicU64,
    objects: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
    refused: AtomicU64,
}

/// Why an object went, as far as anybody counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    Removed,
    Evicted,
    Expired,
}

impl Ledger {
    pub(super) const fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            bytes: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    pub(super) const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Takes `bytes`, if there are so many left.
    ///
    /// # Errors
    /// How many bytes are missing.
    pub(super) fn reserve(&self, bytes: u64) -> Result<(), u64> {
        let step = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.max_bytes);
        self.bytes
            .try_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .map(|_| ())
            .map_err(|held| held.saturating_add(bytes) - self.max_bytes)
    }

    /// Gives `bytes` back.
    pub(super) fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// One object more; its bytes were reserved.
    pub(super) fn came(&self) {
        self.objects.fetch_add(1, Ordering::Relaxed);
    }

    /// One object less, and its bytes.
    pub(super) fn went(&self, bytes: u64, gone: Gone) {
        self.release(bytes);
        self.objects.fetch_sub(1, Ordering::Relaxed);
        match gone {
            Gone::Removed => {}
            Gone::Evicted => drop(self.evicted.fetch_add(1, Ordering::Relaxed)),
            Gone::Expired => drop(self.expired.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// There was no room for an object, and none could be made.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            objects: self.objects.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            max_bytes: self.max_bytes,
            evicted: self.evicted.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
