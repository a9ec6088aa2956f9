//! What the shards of a store hold together, counted as it changes.
//!
//! Bytes are reserved before they are used, so the sum is never over `store.max_bytes`, not even for a moment.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Usage;
use super::entry::Kind;

/// The counts. Each is exact; read together while writes go on, they may be from different moments.
#[derive(Debug)]
pub(super) struct Ledger {
    max_bytes: u64,
    bytes: AtomicU64,
    objects: AtomicU64,
    tombstones: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
    refused: AtomicU64,
    /// The most bytes held since [`Ledger::has_shrunk`] last said so, as far as anybody looked.
    peak: AtomicU64,
}

/// A store has shrunk when it holds less by this part of what it held,
const SHRUNK_PART: u64 = 32;
/// but not by less than is worth the search for what could be given back,
const LEAST_SHRUNK_BYTES: u64 = 4 << 20;
/// and need not by more than this, however large it is: others wait while it is given back.
const MOST_SHRUNK_BYTES: u64 = 64 << 20;

/// Why an entry went, as far as anybody counts it.
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
            tombstones: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            peak: AtomicU64::new(0),
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

    /// One entry more; its bytes were reserved.
    pub(super) fn came(&self, kind: Kind) {
        self.count(kind).fetch_add(1, Ordering::Relaxed);
    }

    /// One entry less. Its bytes are released by themselves, for others may take over some of them.
    pub(super) fn went(&self, kind: Kind, gone: Gone) {
        self.count(kind).fetch_sub(1, Ordering::Relaxed);
        match (gone, kind) {
            (Gone::Removed, _) | (Gone::Expired, Kind::Tombstone) => {}
            (Gone::Evicted, _) => drop(self.evicted.fetch_add(1, Ordering::Relaxed)),
            (Gone::Expired, Kind::Object) => drop(self.expired.fetch_add(1, Ordering::Relaxed)),
        }
    }

    const fn count(&self, kind: Kind) -> &AtomicU64 {
        match kind {
            Kind::Object => &self.objects,
            Kind::Tombstone => &self.tombstones,
        }
    }

    /// There was no room for an object, and none could be made.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether clearly less is held than at some time since this last said so.
    pub(super) fn has_shrunk(&self) -> bool {
        let (held, peak) = (self.bytes.load(Ordering::Relaxed), self.peak.load(Ordering::Relaxed));
        let shrunk = (peak / SHRUNK_PART).clamp(LEAST_SHRUNK_BYTES, MOST_SHRUNK_BYTES);
        let has_shrunk = peak.saturating_sub(held) >= shrunk;
        self.peak.store(if has_shrunk { held } else { held.max(peak) }, Ordering::Relaxed);
        has_shrunk
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            objects: self.objects.load(Ordering::Relaxed),
            tombstones: self.tombstones.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            max_bytes: self.max_bytes,
            evicted: self.evicted.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_shrunk_once_for_each_part_below_the_most_that_it_held() {
        let ledger = Ledger::new(u64::MAX);
        let mut held = 0;
        let mut hold = |mebibytes: u64| {
            ledger.release(held);
            held = mebibytes << 20;
            ledger.reserve(held).unwrap();
            ledger.has_shrunk()
        };
        assert_eq!([80, 160, 156].map(&mut hold), [false; 3]);
        assert_eq!([155, 155, 151, 150].map(&mut hold), [true, false, false, true]);
        assert_eq!([4, 0, 3, 0].map(&mut hold), [true, true, false, false]);
        assert_eq!([1 << 20, (1 << 20) - 63, (1 << 20) - 64].map(&mut hold), [false, false, true]);
    }
}
