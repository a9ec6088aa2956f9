//! How long something took: counts of durations up to fixed bounds.
//!
//! For what costs far more than the two looks at a clock that it needs.

use std::time::Duration;

use super::count::Counter;

/// The bounds, microseconds: from a frame to a neighbour to beyond any `cluster.peer_timeout` that makes sense.
const BOUNDS_US: [u64; 15] = [
    50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000,
];

/// Durations, counted.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Those up to each bound and above the one before it.
    counts: [Counter; BOUNDS_US.len()],
    beyond: Counter,
    total_ns: Counter,
}

impl Histogram {
    /// One more that took as long as this.
    pub fn note(&self, took: Duration) {
        let bound = BOUNDS_US.partition_point(|bound| Duration::from_micros(*bound) < took);
        self.counts.get(bound).unwrap_or(&self.beyond).raise();
        self.total_ns.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Each bound in seconds, with how many took no longer; how many there were; and their sum in seconds.
    pub(super) fn read(&self) -> (Vec<(f64, u64)>, u64, f64) {
        let mut so_far = 0;
        let up_to = BOUNDS_US.iter().zip(&self.counts).map(|(bound, count)| {
            so_far += count.get();
            (Duration::from_micros(*bound).as_secs_f64(), so_far)
        });
        let up_to = up_to.collect();
        (up_to, so_far + self.beyond.get(), Duration::from_nanos(self.total_ns.get()).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_for_its_own_bound_and_all_above() {
        let histogram = Histogram::default();
        for micros in [1, 50, 51, 2_500_000, 2_500_001] {
            histogram.note(Duration::from_micros(micros));
        }
        let (up_to, all, seconds) = histogram.read();
        assert_eq!(up_to[..2], [(0.00005, 2), (0.0001, 3)]);
        assert_eq!((up_to.last(), all), (Some(&(2.5, 4)), 5));
        assert!((seconds - 5.000_103).abs() < 1e-9, "{seconds}");
    }
}
