//! The one clock of a node: milliseconds since the Unix epoch that never run backwards.
//!
//! The wall clock is read once, at start; from there a monotonic clock counts. So a stepped wall clock changes
//! no expiry, no rest and no version of a running node. Tests turn a manual clock; simulations follow tokio's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use ringhold_ring::Timestamp;

/// A clock, cheap to clone; clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { wall_at_start: Timestamp, start: Instant },
    Manual(Arc<AtomicU64>),
    Virtual { at_start: Timestamp, start: tokio::time::Instant },
}

impl Clock {
    /// The machine's time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    pub fn system() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall_at_start = Timestamp::default() + wall;
        Self(Source::System { wall_at_start, start: Instant::now() })
    }

    /// A clock that stands at `now` until it is advanced.
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(now.as_millis()))))
    }

    /// A clock that stands at `now` and goes as tokio's does, which a simulation's runtime stops and turns.
    #[must_use]
    pub fn virtual_at(now: Timestamp) -> Self {
        Self(Source::Virtual { at_start: now, start: tokio::time::Instant::now() })
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { wall_at_start, start } => *wall_at_start + start.elapsed(),
            Source::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::Acquire)),
            Source::Virtual { at_start, start } => *at_start + start.elapsed(),
        }
    }

    /// The machine's wall clock as it is now, corrections included: for certificates and tokens, whose times other
    /// machines read; never for order, rests or expiry. Other clocks tell their one time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => {
                let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Timestamp::default() + wall
            }
            Source::Manual(_) | Source::Virtual { .. } => self.now(),
        }
    }

    /// Turns a manual clock forward; does nothing to others.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(millis) = &self.0 {
            millis.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::AcqRel);
        }
    }
}
