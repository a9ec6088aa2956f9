//! One line for many: lets the first of a burst of like messages into the log, and later tells how many there were.
//!
//! For what others can cause as often as they like. Invariant: at most one passes in each [`PERIOD`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ringhold_ring::Timestamp;

/// The time between two lines.
pub const PERIOD: Duration = Duration::from_secs(10);

/// Counts one kind of message.
#[derive(Debug)]
pub struct Gate {
    /// Milliseconds; when the next may pass.
    opens_at: AtomicU64,
    held_back: AtomicU64,
}

impl Gate {
    /// A gate that the first message passes.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is made in statics, where a default cannot be called")]
    pub const fn new() -> Self {
        Self { opens_at: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }

    /// Whether a message may be logged at `now`; then how many were held back since the last.
    pub fn pass(&self, now: Timestamp) -> Option<u64> {
        let opens_at = self.opens_at.load(Relaxed);
        let next = (now + PERIOD).as_millis();
        let passes = now.as_millis() >= opens_at
            && self.opens_at.compare_exchange(opens_at, next, Relaxed, Relaxed).is_ok();
        if !passes {
            self.held_back.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.held_back.swap(0, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_passes_in_each_period_and_counts_the_others() {
        let gate = Gate::new();
        let at = |seconds: u64| gate.pass(Timestamp::from_millis(1_000_000 + seconds * 1000));
        assert_eq!([0, 0, 9, 10, 10, 25].map(at), [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
