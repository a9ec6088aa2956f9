//! Counters of the object path: a copy for each thread, so that threads do not take a cache line from each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Copies. Threads beyond as many share; they lose time then, and no count.
const STRIPES: usize = 16;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which copy is this thread's; none yet.
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Counters in copies.
#[derive(Debug, Default)]
pub struct Striped<T>([Stripe<T>; STRIPES]);

/// Two cache lines, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe<T>(T);

impl<T> Striped<T> {
    /// This thread's copy.
    #[must_use]
    pub fn mine(&self) -> &T {
        let stripe = STRIPE.get();
        let stripe = if stripe < STRIPES { stripe } else { claim() };
        &self.0[stripe].0
    }

    /// A number over all copies; read while others count, it may be from different moments.
    pub fn sum(&self, number: impl Fn(&T) -> u64) -> u64 {
        self.0.iter().map(|stripe| number(&stripe.0)).sum()
    }
}

#[cold]
fn claim() -> usize {
    let stripe = NEXT.fetch_add(1, Relaxed) % STRIPES;
    STRIPE.set(stripe);
    stripe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Counter;

    #[test]
    fn more_threads_than_copies_lose_no_count() {
        let counter = Striped::<Counter>::default();
        std::thread::scope(|scope| {
            for _ in 0..3 * STRIPES {
                scope.spawn(|| (0..1000).for_each(|_| counter.mine().raise()));
            }
        });
        assert_eq!(counter.sum(Counter::get), 3000 * STRIPES as u64);
    }
}
