//! One write at a time for each key. Only keys with a write in flight take any memory.
//!
//! Keys are told apart by a hash: the few that share one wait for each other, which costs time and nothing else.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use dashmap::DashMap;
use foldhash::quality::RandomState;
use ringhold_ring::Key;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The queues of the keys that are being written.
#[derive(Debug, Default)]
pub(super) struct Order {
    hasher: RandomState,
    queues: DashMap<u64, Arc<Mutex<()>>, RandomState>,
}

/// The right to write one key; the next in its queue gets it when this is dropped.
#[must_use = "without its turn held, a write has no order"]
pub(super) struct Turn<'a> {
    order: &'a Order,
    hash: u64,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Order {
    /// Waits for the turn of a write to `key`; first come, first served.
    pub(super) async fn turn(&self, key: &Key<'_>) -> Turn<'_> {
        let hash = self.hasher.hash_one(key.as_bytes());
        let queue = Arc::clone(&self.queues.entry(hash).or_default());
        // Made before the wait, so that a request that gives up in the queue tidies up as well.
        let mut turn = Turn { order: self, hash, guard: None };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }

    /// The turn of a write to `key`, if nobody has it or waits for it.
    pub(super) fn try_turn(&self, key: &Key<'_>) -> Option<Turn<'_>> {
        let hash = self.hasher.hash_one(key.as_bytes());
        let queue = Arc::clone(&self.queues.entry(hash).or_default());
        let mut turn = Turn { order: self, hash, guard: None };
        turn.guard = Some(queue.try_lock_owned().ok()?);
        Some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        // Whoever waits holds a second reference; a new arrival takes one under the same shard lock.
        self.order.queues.remove_if(&self.hash, |_, queue| Arc::strong_count(queue) == 1);
    }
}
