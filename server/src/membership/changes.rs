//! Waiting for a change: a count that everybody may wait for to go on.
//!
//! Tokio's `watch` would do, but it wakes those who wait in a random order, and a simulation could not be replayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts changes, and wakes who waits for one, first come first served.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: AtomicU64,
    more: Notify,
}

/// Waits for changes. Those before it was made do not count.
#[derive(Debug)]
pub struct Waiter {
    changes: Changes,
    seen: u64,
}

impl Changes {
    /// There is one.
    pub fn add(&self) {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        self.0.more.notify_waiters();
    }

    /// Somebody who waits from now on.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        Waiter { changes: self.clone(), seen: self.0.count.load(Ordering::Acquire) }
    }
}

impl Waiter {
    /// Waits for a change that it has not seen. Several at once are one.
    pub async fn changed(&mut self) {
        loop {
            // From here on no change is missed: it is counted first and told then.
            let more = self.changes.0.more.notified();
            let count = self.changes.0.count.load(Ordering::Acquire);
            if count != self.seen {
                self.seen = count;
                return;
            }
            more.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_change_is_seen_once_by_everybody_and_also_when_it_came_before_the_wait() {
        let changes = Changes::default();
        let (mut one, mut other) = (changes.waiter(), changes.waiter());
        changes.add();
        changes.add();
        one.changed().await;
        other.changed().await;
        let again = tokio::time::timeout(Duration::from_millis(20), one.changed()).await;
        assert!(again.is_err());
        let waits = tokio::spawn(async move { one.changed().await });
        tokio::task::yield_now().await;
        changes.add();
        waits.await.unwrap();
    }
}
