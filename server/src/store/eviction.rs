//! Which object goes when room is needed: S3-FIFO (Yang et al., SOSP 2023).
//!
//! New objects wait in a short probation queue, and those that are used again there move to the main queue; so
//! a scan passes through without pushing anything out. The hashes of what left probation are remembered for a
//! while: an object that comes back within that time goes to the main queue at once. A read only raises a
//! counter in the entry; order is touched by writes and evictions alone.

use super::cells::Cells;
use super::entry::{Cell, End, Link, Links};
use super::ghosts::Ghosts;

/// The part of the shard's bytes that may be on probation.
const PROBATION_SHARE: u64 = 10;
/// After this many entries were given another chance, the next goes whatever its use: a bound on how long a
/// lock is held.
const MAX_CHANCES: usize = 256;

/// A shard's order of eviction. Both queues together hold every entry exactly once.
#[derive(Debug, Default)]
pub(super) struct Eviction {
    probation: Queue,
    main: Queue,
    ghosts: Ghosts,
}

#[derive(Debug)]
struct Queue {
    newest: Link,
    oldest: Link,
    bytes: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { newest: Link::NOTHING, oldest: Link::NOTHING, bytes: 0 }
    }
}

impl Eviction {
    /// Lets a new entry in.
    pub(super) fn admit(&mut self, cells: &mut Cells, cell: Cell, hash: u64) {
        if self.ghosts.take(hash) {
            cells.entry_mut(cell).heat.enter_main();
        }
        self.push(cells, cell);
    }

    /// Lets an entry go.
    pub(super) fn take(&mut self, cells: &mut Cells, cell: Cell) {
        let bytes = cells.cost(cell);
        let Links { before, after } = std::mem::replace(&mut cells.entry_mut(cell).queue, Links::NONE);
        let queue = self.queue(cells, cell);
        queue.bytes -= bytes;
        queue.lead_after(cells, before, after);
        queue.lead_before(cells, after, before);
    }

    /// Remembers an entry that is about to be evicted; the shard has `objects`.
    pub(super) fn remember(&mut self, cells: &Cells, cell: Cell, hash: u64, objects: usize) {
        if !cells.entry(cell).heat.is_in_main() {
            self.ghosts.add(hash, objects);
        }
    }

    /// The entry that is now in `cell` was elsewhere: its neighbours learn of it.
    pub(super) fn moved(&mut self, cells: &mut Cells, cell: Cell) {
        let Links { before, after } = cells.entry(cell).queue;
        let queue = self.queue(cells, cell);
        queue.lead_after(cells, before, Link::cell(cell));
        queue.lead_before(cells, after, Link::cell(cell));
    }

    /// The object in `cell` counted for `old` bytes, and counts for `new` now.
    pub(super) fn resized(&mut self, cells: &Cells, cell: Cell, old: u64, new: u64) {
        let queue = self.queue(cells, cell);
        queue.bytes = queue.bytes - old + new;
    }

    /// Who is to go next, but not `spared`.
    pub(super) fn victim(&mut self, cells: &mut Cells, spared: Option<Cell>) -> Option<Cell> {
        for chance in 0.. {
            let from_probation = self.probation.bytes * PROBATION_SHARE
                > self.main.bytes + self.probation.bytes
                || self.main.oldest == Link::NOTHING;
            let queue = if from_probation { &self.probation } else { &self.main };
            let End::Cell(oldest) = queue.oldest.end() else { return None };
            let entry = cells.entry(oldest);
            let heat = entry.heat.get();
            let is_spared = spared == Some(oldest);
            if is_spared && self.is_alone(oldest) {
                return None;
            }
            if !is_spared && (heat == 0 || chance >= MAX_CHANCES) {
                return Some(oldest);
            }
            self.take(cells, oldest);
            let entry = cells.entry_mut(oldest);
            if from_probation {
                entry.heat.set(0);
                entry.heat.enter_main();
            } else {
                entry.heat.set(heat.saturating_sub(1));
            }
            self.push(cells, oldest);
        }
        None
    }

    /// What all entries count for.
    pub(super) const fn bytes(&self) -> u64 {
        self.probation.bytes + self.main.bytes
    }

    /// Gives back the memory of the past that `objects` have no use for.
    pub(super) fn tidy(&mut self, objects: usize) {
        self.ghosts.shrink(objects);
    }

    fn is_alone(&self, cell: Cell) -> bool {
        let cell = Link::cell(cell);
        let only = |queue: &Queue| queue.oldest == cell && queue.newest == cell;
        let none = |queue: &Queue| queue.oldest == Link::NOTHING;
        only(&self.main) && none(&self.probation) || only(&self.probation) && none(&self.main)
    }

    fn queue(&mut self, cells: &Cells, cell: Cell) -> &mut Queue {
        if cells.entry(cell).heat.is_in_main() { &mut self.main } else { &mut self.probation }
    }

    /// Makes an entry the newest of its queue.
    fn push(&mut self, cells: &mut Cells, cell: Cell) {
        let bytes = cells.cost(cell);
        let queue = self.queue(cells, cell);
        queue.bytes += bytes;
        let after = std::mem::replace(&mut queue.newest, Link::cell(cell));
        queue.lead_before(cells, after, Link::cell(cell));
        cells.entry_mut(cell).queue = Links { before: Link::NOTHING, after };
    }
}

impl Queue {
    /// Makes what stands before an entry lead to `to`.
    fn lead_after(&mut self, cells: &mut Cells, before: Link, to: Link) {
        match before.end() {
            End::Cell(before) => cells.entry_mut(before).queue.after = to,
            _ => self.newest = to,
        }
    }

    /// Makes what stands after an entry lead back to `to`.
    fn lead_before(&mut self, cells: &mut Cells, after: Link, to: Link) {
        match after.end() {
            End::Cell(after) => cells.entry_mut(after).queue.before = to,
            _ => self.oldest = to,
        }
    }
}
