//! One part of the store, under one lock: a table of cells, their timers and their order of eviction.
//!
//! Every entry is in the table, in one queue of eviction and, if it ever expires, in the wheel; here is where
//! all of them change together. Everything called under the lock does a bounded amount of work.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use ringhold_ring::{Key, Timestamp, Version};

use super::Put;
use super::cells::{Cells, Parts};
use super::entry::{Cell, Entry, Expiry};
use super::eviction::Eviction;
use super::ledger::{Gone, Ledger};
use super::media::Media;
use super::wheel::{Turn, Wheel};
use crate::object::Object;

/// The most objects dropped under one hold of the lock.
pub(super) const BATCH: usize = 500;

/// A key, with its hash in this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashed<'a> {
    pub(super) key: &'a [u8],
    pub(super) hash: u64,
}

/// What is to be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct New<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) media: u8,
    pub(super) version: Version,
    pub(super) expiry: Expiry,
}

/// So many bytes must be freed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short(pub(super) u64);

/// A part of the store.
#[derive(Debug)]
pub(super) struct Shard {
    table: HashTable<Cell>,
    /// Changes whenever objects may have changed places in the table.
    layout: u64,
    cells: Cells,
    wheel: Wheel,
    eviction: Eviction,
    hasher: RandomState,
    ledger: Arc<Ledger>,
}

impl Shard {
    pub(super) fn new(hasher: RandomState, ledger: Arc<Ledger>, now: Timestamp) -> Self {
        Self {
            table: HashTable::new(),
            layout: 0,
            cells: Cells::default(),
            wheel: Wheel::new(now),
            eviction: Eviction::default(),
            hasher,
            ledger,
        }
    }

    /// The object under `key`, which counts as used.
    pub(super) fn get(&self, key: Hashed<'_>, now: Timestamp, media: &Media) -> Option<Object> {
        let cell = self.find(key)?;
        let entry = self.live(cell, now)?;
        entry.heat.rise();
        Some(Object {
            value: self.cells.value(cell),
            content_type: media.content_type(entry.media, self.cells.media(cell)),
            version: entry.version(),
            expires_at: entry.expiry.at(),
        })
    }

    pub(super) fn version(&self, key: Hashed<'_>, now: Timestamp) -> Option<Version> {
        self.live(self.find(key)?, now).map(Entry::version)
    }

    /// Stores `new` under `key`; on [`Short`], nothing has changed.
    pub(super) fn put(&mut self, key: Hashed<'_>, new: &New<'_>, now: Timestamp) -> Result<Put, Short> {
        let found = self.find(key);
        if let Some(cell) = found {
            if self.live(cell, now).is_some() {
                self.replace(cell, key, new)?;
                return Ok(Put::Replaced);
            }
            self.drop_object(cell, key.hash, Gone::Expired);
        }
        self.insert(key, new)?;
        Ok(Put::Created)
    }

    /// Removes the object under `key`; says whether there was one.
    pub(super) fn remove(&mut self, key: Hashed<'_>, now: Timestamp) -> bool {
        let Some(cell) = self.find(key) else { return false };
        let live = self.live(cell, now).is_some();
        self.drop_object(cell, key.hash, if live { Gone::Removed } else { Gone::Expired });
        live
    }

    /// Drops up to [`BATCH`] objects, but not `spared`: first what has expired, then, while the shard holds
    /// more than `floor` bytes, what eviction chooses. Returns how many bytes that freed.
    pub(super) fn make_room(&mut self, bytes: u64, floor: u64, spared: Hashed<'_>, now: Timestamp) -> u64 {
        let mut freed = 0;
        for _ in 0..BATCH {
            if freed >= bytes {
                break;
            }
            match self.wheel.turn(&mut self.cells, now) {
                Turn::Over(cell) => freed += self.drop_hashed(cell, Gone::Expired),
                Turn::Down => {}
                Turn::Rest => {
                    if self.eviction.bytes() <= floor {
                        break;
                    }
                    let spared = self.find(spared);
                    let Some(cell) = self.eviction.victim(&mut self.cells, spared) else { break };
                    let hash = self.hash_of(cell);
                    self.eviction.remember(&self.cells, cell, hash, self.table.len());
                    freed += self.drop_object(cell, hash, Gone::Evicted);
                }
            }
        }
        freed
    }

    /// Drops what has expired, up to [`BATCH`] objects; says whether there may be more.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        for _ in 0..BATCH {
            match self.wheel.turn(&mut self.cells, now) {
                Turn::Over(cell) => drop(self.drop_hashed(cell, Gone::Expired)),
                Turn::Down => {}
                Turn::Rest => return false,
            }
        }
        true
    }

    /// Gives back some memory that lies idle; says whether there may be more.
    pub(super) fn tidy(&mut self) -> bool {
        self.eviction.tidy(self.table.len());
        if self.table.is_empty() {
            self.table = HashTable::new();
            self.layout += 1;
            self.cells = Cells::default();
            return false;
        }
        if self.table.capacity() / 8 > self.table.len() {
            let Self { table, cells, hasher, .. } = self;
            table.shrink_to(table.len() * 2, |cell| hasher.hash_one(cells.key(*cell)));
            self.layout += 1;
        }
        let Some(sparse) = self.cells.sparse_page() else { return false };
        // All targets are found before any cell is released, for a page with a vacant cell may be a target.
        let moves: Vec<_> =
            sparse.cells().map_while(|from| Some((from, self.cells.allocate(sparse.class)?))).collect();
        for (from, to) in moves {
            let hash = self.hash_of(from);
            self.cells.move_bytes(from, to);
            self.rehouse(from, to, hash);
        }
        true
    }

    /// Shows up to `limit` places of the table, from `bucket` on; returns where to go on, if anywhere.
    pub(super) fn scan(
        &self,
        bucket: usize,
        limit: usize,
        now: Timestamp,
        visit: &mut impl FnMut(&Key<'_>, Version),
    ) -> Option<usize> {
        let end = self.table.num_buckets().min(bucket.saturating_add(limit));
        for cell in (bucket..end).filter_map(|bucket| self.table.get_bucket(bucket)) {
            if let (Some(entry), Ok(key)) = (self.live(*cell, now), Key::from_bytes(self.cells.key(*cell))) {
                visit(&key, entry.version());
            }
        }
        (end < self.table.num_buckets()).then_some(end)
    }

    /// Which layout the places of [`Shard::scan`] belong to.
    pub(super) const fn layout(&self) -> u64 {
        self.layout
    }

    /// Bytes allocated for pages and table.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.cells.allocated_bytes() + self.table.allocation_size()
    }

    fn find(&self, key: Hashed<'_>) -> Option<Cell> {
        self.table.find(key.hash, |cell| self.cells.key(*cell) == key.key).copied()
    }

    fn live(&self, cell: Cell, now: Timestamp) -> Option<&Entry> {
        Some(self.cells.entry(cell)).filter(|entry| !entry.expiry.is_over(now))
    }

    fn hash_of(&self, cell: Cell) -> u64 {
        self.hasher.hash_one(self.cells.key(cell))
    }

    fn insert(&mut self, key: Hashed<'_>, new: &New<'_>) -> Result<(), Short> {
        let cost = new.parts.cost();
        self.ledger.reserve(cost).map_err(Short)?;
        let Some(cell) = self.cells.allocate(new.parts.class()) else {
            self.ledger.release(cost);
            return Err(Short(cost));
        };
        self.ledger.came();
        *self.cells.entry_mut(cell) = Entry::vacant();
        self.write(cell, new);
        self.eviction.admit(&mut self.cells, cell, key.hash);
        let Self { table, cells, hasher, .. } = self;
        if table.len() == table.capacity() {
            self.layout += 1;
        }
        table.insert_unique(key.hash, cell, |cell| hasher.hash_one(cells.key(*cell)));
        Ok(())
    }

    /// Puts `new` in the place of what is in `cell`, which keeps its standing with eviction.
    fn replace(&mut self, cell: Cell, key: Hashed<'_>, new: &New<'_>) -> Result<(), Short> {
        let (old_cost, cost) = (self.cells.cost(cell), new.parts.cost());
        self.ledger.reserve(cost.saturating_sub(old_cost)).map_err(Short)?;
        let mut home = cell;
        if self.cells.class(cell) != new.parts.class() {
            let Some(other) = self.cells.allocate(new.parts.class()) else {
                self.ledger.release(cost.saturating_sub(old_cost));
                return Err(Short(cost));
            };
            self.rehouse(cell, other, key.hash);
            home = other;
        }
        self.wheel.take(&mut self.cells, home);
        self.write(home, new);
        self.cells.entry(home).heat.rise();
        self.eviction.resized(&self.cells, home, old_cost, cost);
        self.ledger.release(old_cost.saturating_sub(cost));
        Ok(())
    }

    /// Fills `cell`, which is in no bucket of the wheel, and sets its timer.
    fn write(&mut self, cell: Cell, new: &New<'_>) {
        let entry = self.cells.entry_mut(cell);
        entry.set_version(new.version);
        entry.expiry = new.expiry;
        entry.media = new.media;
        self.cells.write(cell, &new.parts);
        self.wheel.add(&mut self.cells, cell);
    }

    /// Gives the entry in `from` a new cell, and everybody who knows of the old one the new one's number.
    fn rehouse(&mut self, from: Cell, to: Cell, hash: u64) {
        self.cells.move_entry(from, to);
        self.wheel.moved(&mut self.cells, to);
        self.eviction.moved(&mut self.cells, to);
        if let Some(known) = self.table.find_mut(hash, |known| *known == from) {
            *known = to;
        }
        self.cells.release(from);
    }

    fn drop_hashed(&mut self, cell: Cell, gone: Gone) -> u64 {
        let hash = self.hash_of(cell);
        self.drop_object(cell, hash, gone)
    }

    /// Takes the object in `cell` out of everything; returns what it counted for.
    fn drop_object(&mut self, cell: Cell, hash: u64, gone: Gone) -> u64 {
        let cost = self.cells.cost(cell);
        self.wheel.take(&mut self.cells, cell);
        self.eviction.take(&mut self.cells, cell);
        if let Ok(known) = self.table.find_entry(hash, |known| *known == cell) {
            known.remove();
        }
        self.cells.release(cell);
        self.ledger.went(cost, gone);
        cost
    }
}
