//! One part of the store, under one lock: a table of cells, their timers and their order of eviction.
//!
//! Every entry is in the table, in one queue of eviction and, if it ever expires, in the wheel; here is where
//! all of them change together. Everything called under the lock does a bounded amount of work.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foldhash::quality::SeedableRandomState;
use hashbrown::HashTable;
use ringhold_ring::{Key, Timestamp, Version};

use super::Applied;
use super::cells::Cells;
use super::entry::{Cell, Entry, Expiry, Kind};
use super::eviction::Eviction;
use super::ledger::{Gone, Ledger};
use super::media::Media;
use super::parts::Parts;
use super::wheel::{Turn, Wheel};
use crate::object::{Object, Record};

/// The most entries dropped under one hold of the lock.
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

impl New<'_> {
    const fn kind(&self) -> Kind {
        Kind::of(self.media)
    }
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
    hasher: SeedableRandomState,
    ledger: Arc<Ledger>,
}

impl Shard {
    pub(super) fn new(hasher: SeedableRandomState, ledger: Arc<Ledger>, now: Timestamp) -> Self {
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
        Some(self.object(cell, entry, media))
    }

    pub(super) fn version(&self, key: Hashed<'_>, now: Timestamp) -> Option<Version> {
        self.live(self.find(key)?, now).map(Entry::version)
    }

    /// What is under `key`, without counting as use of it.
    pub(super) fn record(&self, key: Hashed<'_>, now: Timestamp, media: &Media) -> Option<Record> {
        let cell = self.find(key)?;
        let entry = self.telling(cell, now)?;
        Some(match entry.kind() {
            Kind::Object => Record::Object(self.object(cell, entry, media)),
            Kind::Tombstone => {
                Record::Tombstone { version: entry.version(), expires_at: entry.expiry.at().unwrap_or(now) }
            }
        })
    }

    /// The version of whatever is under `key`, its time over or not.
    pub(super) fn newest(&self, key: Hashed<'_>) -> Option<Version> {
        self.find(key).map(|cell| self.cells.entry(cell).version())
    }

    /// Stores `new` under `key` unless what is there is as new; on [`Short`], nothing has changed.
    pub(super) fn apply(&mut self, key: Hashed<'_>, new: &New<'_>, now: Timestamp) -> Result<Applied, Short> {
        let Some(cell) = self.find(key) else {
            self.insert(key, new)?;
            return Ok(Applied::Created);
        };
        let newest = self.cells.entry(cell).version();
        if new.version <= newest {
            return Ok(Applied::Stale(newest));
        }
        let live = self.live(cell, now).is_some();
        let gone = self.why_gone(cell, now);
        let cell = self.replace(cell, key, new, gone)?;
        self.cells.entry(cell).heat.rise();
        Ok(if live { Applied::Replaced } else { Applied::Created })
    }

    /// Drops what is under `key` if it is of `version`; says whether it was.
    pub(super) fn remove_if(&mut self, key: Hashed<'_>, version: Version, now: Timestamp) -> bool {
        let Some(cell) = self.find(key) else { return false };
        let is_it = self.cells.entry(cell).version() == version;
        if is_it {
            self.drop_entry(cell, key.hash, self.why_gone(cell, now));
        }
        is_it
    }

    /// Drops up to [`BATCH`] entries, but not `spared`: first what has expired, which leaves nothing then, and
    /// while the shard holds more than `floor` bytes, what eviction chooses. Returns how many bytes that freed.
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
                    freed += self.drop_entry(cell, hash, Gone::Evicted);
                }
            }
        }
        freed
    }

    /// Drops what has expired, up to [`BATCH`] entries; says whether there may be more. Objects leave tombstones
    /// that live for `keep`, if it is given.
    pub(super) fn expire(&mut self, now: Timestamp, keep: Option<Duration>) -> bool {
        for _ in 0..BATCH {
            match self.wheel.turn(&mut self.cells, now) {
                Turn::Over(cell) => match (keep, self.cells.entry(cell).kind()) {
                    (Some(keep), Kind::Object) => self.bury(cell, now + keep),
                    _ => drop(self.drop_hashed(cell, Gone::Expired)),
                },
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
            if let (Some(entry), Ok(key)) = (self.telling(*cell, now), Key::from_bytes(self.cells.key(*cell)))
            {
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

    /// The entry in `cell`, unless its time is over.
    fn timely(&self, cell: Cell, now: Timestamp) -> Option<&Entry> {
        Some(self.cells.entry(cell)).filter(|entry| !entry.expiry.is_over(now))
    }

    /// The entry in `cell`, unless it is a tombstone whose time is over. An object whose time is over, and of which there
    /// is no tombstone yet, still says that older ones are.
    fn telling(&self, cell: Cell, now: Timestamp) -> Option<&Entry> {
        let entry = self.cells.entry(cell);
        Some(entry).filter(|entry| entry.kind() == Kind::Object || !entry.expiry.is_over(now))
    }

    /// The entry in `cell`, if it is of an object that can be read.
    fn live(&self, cell: Cell, now: Timestamp) -> Option<&Entry> {
        self.timely(cell, now).filter(|entry| entry.kind() == Kind::Object)
    }

    fn object(&self, cell: Cell, entry: &Entry, media: &Media) -> Object {
        Object {
            value: self.cells.value(cell),
            content_type: media.content_type(entry.media, self.cells.media(cell)),
            version: entry.version(),
            expires_at: entry.expiry.at(),
        }
    }

    /// Why the entry in `cell` goes if a caller of the store has it go.
    fn why_gone(&self, cell: Cell, now: Timestamp) -> Gone {
        if self.cells.entry(cell).expiry.is_over(now) { Gone::Expired } else { Gone::Removed }
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
        self.ledger.came(new.kind());
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

    /// Puts `new` in the place of what is in `cell`, which keeps its standing with eviction and is `gone` then.
    /// Returns the cell that it is in.
    fn replace(&mut self, cell: Cell, key: Hashed<'_>, new: &New<'_>, gone: Gone) -> Result<Cell, Short> {
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
        self.ledger.went(self.cells.entry(home).kind(), gone);
        self.ledger.came(new.kind());
        self.wheel.take(&mut self.cells, home);
        self.write(home, new);
        self.eviction.resized(&self.cells, home, old_cost, cost);
        self.ledger.release(old_cost.saturating_sub(cost));
        Ok(home)
    }

    /// Puts a tombstone of the same version in the place of the object in `cell`, whose time is over.
    fn bury(&mut self, cell: Cell, expires_at: Timestamp) {
        let key: Box<[u8]> = self.cells.key(cell).into();
        let new = New {
            parts: Parts { media: None, key: &key, value: &Bytes::new() },
            media: Media::TOMBSTONE,
            version: self.cells.entry(cell).version(),
            expiry: Expiry::new(Some(expires_at)),
        };
        let key = Hashed { key: &key, hash: self.hasher.hash_one(&*key) };
        // A tombstone is never the larger one; only the numbers of pages may run out.
        if self.replace(cell, key, &new, Gone::Expired).is_err() {
            self.drop_entry(cell, key.hash, Gone::Expired);
        }
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
        self.drop_entry(cell, hash, gone)
    }

    /// Takes the entry in `cell` out of everything; returns what it counted for.
    fn drop_entry(&mut self, cell: Cell, hash: u64, gone: Gone) -> u64 {
        let cost = self.cells.cost(cell);
        self.wheel.take(&mut self.cells, cell);
        self.eviction.take(&mut self.cells, cell);
        if let Ok(known) = self.table.find_entry(hash, |known| *known == cell) {
            known.remove();
        }
        self.ledger.went(self.cells.entry(cell).kind(), gone);
        self.ledger.release(cost);
        self.cells.release(cell);
        cost
    }
}
