//! The hashes of what was evicted lately: about as many as there are objects, two bytes each.
//!
//! A set of small buckets; a new hash pushes the oldest of its bucket out. One answer in some thousands is
//! wrong, which costs an object an undeserved place in the main queue, no more.

const WAYS: usize = 8;
type Bucket = [u16; WAYS];

/// Fewer buckets are not worth resizing for.
const MIN_BUCKETS: usize = 8;

/// A bounded memory of hashes. It is empty, and takes nothing, until something is evicted.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    buckets: Box<[Bucket]>,
}

impl Ghosts {
    /// Remembers `hash`, in a memory sized for `objects`.
    pub(super) fn add(&mut self, hash: u64, objects: usize) {
        let wanted = (objects / WAYS).next_power_of_two().max(MIN_BUCKETS);
        if self.buckets.len() < wanted {
            self.resize(wanted);
        }
        if let Some(bucket) = self.bucket(hash) {
            bucket.rotate_right(1);
            bucket[0] = mark(hash);
        }
    }

    /// Whether `hash` is remembered; it no longer is then.
    pub(super) fn take(&mut self, hash: u64) -> bool {
        let Some(bucket) = self.bucket(hash) else { return false };
        let Some(found) = bucket.iter_mut().find(|ghost| **ghost == mark(hash)) else { return false };
        *found = 0;
        true
    }

    /// Gives memory back when there are far fewer `objects` than there were.
    pub(super) fn shrink(&mut self, objects: usize) {
        if self.buckets.len() > MIN_BUCKETS && self.buckets.len() * WAYS > objects.saturating_mul(8) {
            self.buckets = Box::default();
        }
    }

    /// The buckets of a larger memory are chosen by one more bit of the hash, which is not known any more:
    /// what was remembered is put into both.
    fn resize(&mut self, buckets: usize) {
        let old = std::mem::take(&mut self.buckets);
        self.buckets = (0..buckets)
            .map(|index| if old.is_empty() { Bucket::default() } else { old[index & (old.len() - 1)] })
            .collect();
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the bucket")]
    fn bucket(&mut self, hash: u64) -> Option<&mut Bucket> {
        let index = hash as usize & self.buckets.len().wrapping_sub(1);
        self.buckets.get_mut(index)
    }
}

/// What is kept of a hash; zero is nothing.
#[expect(clippy::cast_possible_truncation, reason = "the highest 16 bits are taken")]
fn mark(hash: u64) -> u16 {
    ((hash >> 48) as u16).max(1)
}
