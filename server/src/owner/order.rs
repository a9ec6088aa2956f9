//! One write at a time for each key. Only keys with a write in flight take any memory.

use std::sync::Arc;

use dashmap::DashMap;
use ringhold_ring::{Digest, Key};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The queues of the keys that are being written.
#[derive(Debug, Default)]
pub(super) struct Order {
    queues: DashMap<Digest, Arc<Mutex<()>>>,
}

/// The right to write one key; the next in its queue gets it when this is dropped.
#[must_use = "without its turn held, a write has no order"]
pub(super) struct Turn<'a> {
    order: &'a Order,
    digest: Digest,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Order {
    /// Waits for the turn of a write to `key`; first come, first served.
    pub(super) async fn turn(&self, key: &Key<'_>) -> Turn<'_> {
        let digest = key.digest();
        let queue = Arc::clone(&self.queues.entry(digest).or_default());
        // Made before the wait, so that a request that gives up in the queue tidies up as well.
        let mut turn = Turn { order: self, digest, guard: None };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl Order {
    /// The turn of a write to `key`, if nobody has it or waits for it.
    pub(super) fn try_turn(&self, key: &Key<'_>) -> Option<Turn<'_>> {
        let digest = key.digest();
        let queue = Arc::clone(&self.queues.entry(digest).or_default());
        let mut turn = Turn { order: self, digest, guard: None };
        turn.guard = Some(queue.try_lock_owned().ok()?);
        Some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        // Whoever waits holds a second reference; a new arrival takes one under the same shard lock.
        self.order.queues.remove_if(&self.digest, |_, queue| Arc::strong_count(queue) == 1);
    }
}
