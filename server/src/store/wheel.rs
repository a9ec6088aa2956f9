//! What expires when: a hierarchical timer wheel (Varghese and Lauck, 1987) whose lists run through the entries.
//!
//! Eight levels of 64 buckets split an expiry's 48 bits, six by six: an entry waits at the level of the highest
//! bits in which its expiry differs from the wheel's time, and comes down a level when the time reaches its
//! bucket. Adding and taking out touch one bucket; nothing is ever scanned. To the millisecond.

use ringhold_ring::Timestamp;

use super::cells::Cells;
use super::entry::{Cell, End, Expiry, Link, Links};

const LEVEL_BITS: u32 = 6;
const BUCKETS: usize = 1 << LEVEL_BITS;
const LEVELS: usize = (Expiry::BITS / LEVEL_BITS) as usize;

/// A shard's timers.
#[derive(Debug)]
pub(super) struct Wheel {
    /// Milliseconds; no bucket that starts earlier holds an entry, but for one that is being emptied.
    time: u64,
    /// A bit for each bucket that holds an entry.
    occupied: [u64; LEVELS],
    /// The first of each bucket.
    buckets: Box<[Link]>,
}

/// What the wheel came upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// This entry's time is over; it is no longer in the wheel.
    Over(Cell),
    /// An entry came down a level.
    Down,
    /// Nothing else is due.
    Rest,
}

impl Wheel {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            time: now.as_millis(),
            occupied: [0; LEVELS],
            buckets: vec![Link::NOTHING; LEVELS * BUCKETS].into_boxed_slice(),
        }
    }

    /// Puts an entry in, if it ever expires.
    pub(super) fn add(&mut self, cells: &mut Cells, cell: Cell) {
        let Some(at) = cells.entry(cell).expiry.at() else { return };
        let bucket = bucket_of(self.time, at.as_millis().max(self.time));
        let after = std::mem::replace(&mut self.buckets[usize::from(bucket)], Link::cell(cell));
        if let End::Cell(after) = after.end() {
            cells.entry_mut(after).timer.before = Link::cell(cell);
        }
        cells.entry_mut(cell).timer = Links { before: Link::list(bucket), after };
        self.occupied[usize::from(bucket) / BUCKETS] |= 1 << (usize::from(bucket) % BUCKETS);
    }

    /// Takes an entry out, if it is in.
    pub(super) fn take(&mut self, cells: &mut Cells, cell: Cell) {
        let Links { before, after } = std::mem::replace(&mut cells.entry_mut(cell).timer, Links::NONE);
        if let End::Cell(after) = after.end() {
            cells.entry_mut(after).timer.before = before;
        }
        self.lead(cells, before, after);
        if let (End::List(bucket), End::Nothing) = (before.end(), after.end()) {
            self.occupied[usize::from(bucket) / BUCKETS] &= !(1 << (usize::from(bucket) % BUCKETS));
        }
    }

    /// The entry that is now in `cell` was elsewhere: its neighbours learn of it.
    pub(super) fn moved(&mut self, cells: &mut Cells, cell: Cell) {
        let Links { before, after } = cells.entry(cell).timer;
        if let End::Cell(after) = after.end() {
            cells.entry_mut(after).timer.before = Link::cell(cell);
        }
        self.lead(cells, before, Link::cell(cell));
    }

    /// Takes one step towards `now`; bounded, however much is due.
    pub(super) fn turn(&mut self, cells: &mut Cells, now: Timestamp) -> Turn {
        let due = self.next_bucket().filter(|(_, start)| *start <= now.as_millis());
        let Some((bucket, start)) = due else {
            self.time = self.time.max(now.as_millis());
            return Turn::Rest;
        };
        self.time = self.time.max(start);
        let End::Cell(cell) = self.buckets[bucket].end() else {
            debug_assert!(false, "an occupied bucket has an entry");
            self.occupied[bucket / BUCKETS] &= !(1 << (bucket % BUCKETS));
            return Turn::Down;
        };
        self.take(cells, cell);
        if cells.entry(cell).expiry.is_over(now) {
            return Turn::Over(cell);
        }
        self.add(cells, cell);
        Turn::Down
    }

    /// The occupied bucket that starts first, and when.
    fn next_bucket(&self) -> Option<(usize, u64)> {
        // Whatever is in a level agrees with the time in all higher bits, so no level wraps around.
        let start = |(level, occupied): (usize, &u64)| {
            let shift = LEVEL_BITS * u32::try_from(level).unwrap_or_default();
            let index = occupied.trailing_zeros();
            let higher = self.time >> shift >> LEVEL_BITS << LEVEL_BITS;
            (level * BUCKETS + index as usize, (higher | u64::from(index)) << shift)
        };
        self.occupied
            .iter()
            .enumerate()
            .filter(|(_, occupied)| **occupied != 0)
            .map(start)
            .min_by_key(|(_, start)| *start)
    }

    /// Makes what stands before an entry lead to `to`.
    fn lead(&mut self, cells: &mut Cells, before: Link, to: Link) {
        match before.end() {
            End::Cell(before) => cells.entry_mut(before).timer.after = to,
            End::List(bucket) => self.buckets[usize::from(bucket)] = to,
            End::Nothing => {}
        }
    }
}

/// Where an entry that expires at `at` waits when it is `time`, which is not later.
#[expect(clippy::cast_possible_truncation, reason = "there are 512 buckets")]
fn bucket_of(time: u64, at: u64) -> u16 {
    let highest_bit = u64::BITS - 1 - ((time ^ at) | 1).leading_zeros();
    let level = (highest_bit / LEVEL_BITS).min(LEVELS as u32 - 1);
    let index = at >> (LEVEL_BITS * level) & (BUCKETS as u64 - 1);
    level as u16 * BUCKETS as u16 + index as u16
}
