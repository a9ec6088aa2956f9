//! Counters of the object path: a copy for each thread, raised without the bus lock that sharing would take.
//!
//! Invariant: a copy belongs to one thread at a time, and only that thread writes it, so a plain addition loses nothing.
//! Threads that come when all copies are taken share one more, atomically.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};

use super::count::Counter;

/// Copies with an owner; a bit of [`TAKEN`] for each.
const STRIPES: usize = u64::BITS as usize;

static TAKEN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static STRIPE: Claim = const { Claim(Cell::new(None)) };
}

/// Counters in copies.
#[derive(Debug)]
pub struct Striped<T>(Box<[Stripe<T>]>);

/// Two cache lines, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe<T>(T);

/// Which copies this thread writes, of all counters of the process; none: it has not asked yet.
struct Claim(Cell<Option<usize>>);

impl Claim {
    fn stripe(&self) -> usize {
        self.0.get().unwrap_or_else(|| self.take())
    }

    #[cold]
    fn take(&self) -> usize {
        let next = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        let stripe = match TAKEN.try_update(AcqRel, Acquire, next) {
            Ok(before) => before.trailing_ones() as usize,
            Err(_) => STRIPES,
        };
        self.0.set(Some(stripe));
        stripe
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(stripe) = self.0.get().filter(|stripe| *stripe < STRIPES) {
            // Whoever takes it sees all that this thread has counted.
            TAKEN.fetch_and(!(1 << stripe), AcqRel);
        }
    }
}

impl<T: Default> Default for Striped<T> {
    fn default() -> Self {
        Self((0..=STRIPES).map(|_| Stripe::default()).collect())
    }
}

impl<T> Striped<T> {
    /// One more in this thread's copy of `counter`.
    pub fn raise(&self, counter: impl FnOnce(&T) -> &Counter) {
        self.add(counter, 1);
    }

    /// So many more in this thread's copy of `counter`.
    pub fn add(&self, counter: impl FnOnce(&T) -> &Counter, more: u64) {
        // A thread that is ending has given its copy back.
        let stripe = STRIPE.try_with(Claim::stripe).unwrap_or(STRIPES);
        let counter = counter(&self.0[stripe].0);
        if stripe == STRIPES {
            counter.add(more);
        } else {
            counter.add_alone(more);
        }
    }

    /// A counter over all copies; read while others count, it may be from different moments.
    pub fn sum(&self, counter: impl Fn(&T) -> &Counter) -> u64 {
        self.0.iter().map(|stripe| counter(&stripe.0).0.load(Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_than_copies_lose_no_count() {
        let counter = Striped::<Counter>::default();
        let all_there = std::sync::Barrier::new(2 * STRIPES);
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    counter.raise(|counter| counter);
                    all_there.wait();
                    (1..1000).for_each(|_| counter.raise(|counter| counter));
                });
            }
        });
        assert_eq!(counter.sum(|counter| counter), 2000 * STRIPES as u64);
    }

    #[test]
    fn a_copy_whose_thread_has_ended_is_taken_again_with_what_it_counts() {
        let counter = Striped::<Counter>::default();
        for _ in 0..4 * STRIPES {
            std::thread::scope(|scope| drop(scope.spawn(|| counter.raise(|counter| counter))));
        }
        assert_eq!(counter.sum(|counter| counter), 4 * STRIPES as u64);
        let used = counter.0.iter().filter(|stripe| stripe.0.get() > 0).count();
        assert!(used < 4 * STRIPES, "{used}");
    }
}
