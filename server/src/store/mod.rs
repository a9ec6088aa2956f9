//! Objects in memory, and tombstones of those that were: sharded, accounted in bytes, expiring without scans,
//! evicting when full.
//!
//! Invariant: of two records of a key, the one with the higher version wins, in whatever order they come. The store
//! knows no network and makes no versions: the owner does. Its locks are short and never held across an await. A
//! tombstone is an entry like any other, of a reserved content type and without a value. The major parts:
//!
//! - `shard`: the entries of one lock, and all that changes together;
//! - `cells`: where their bytes are, in pages of equal cells; `parts`: the bytes, and what they count for;
//! - `wheel`: what expires when; `eviction`, `ghosts`: what goes when room is needed;
//! - `ledger`: what all shards hold together, never more than `store.max_bytes`;
//! - `allocator`: keeping freed memory for the next values, and giving back to the system what many objects leave behind.

pub(crate) mod allocator;
mod cells;
mod entry;
mod eviction;
mod ghosts;
mod ledger;
mod media;
mod parts;
mod shard;
#[cfg(test)]
mod tests;
mod wheel;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use parking_lot::{RwLock, RwLockWriteGuard};
use ringhold_config::Store as Settings;
use ringhold_ring::{Key, Version};

use crate::clock::Clock;
use crate::object::{Object, Record};
use entry::Expiry;
use ledger::Ledger;
use media::Media;
use parts::{Class, Parts};
use shard::{Hashed, New, Shard, Short};

/// Values up to this many bytes are copied into the store's own memory; larger ones are kept as they come.
pub const COPIED_BYTES: usize = 4096;

/// Shards for each thread that the machine runs at once.
const SHARDS_PER_THREAD: usize = 32;
/// The most shards, whatever the machine.
const MAX_SHARDS: usize = 1024;
/// The shards of a seeded store, on any machine.
const SEEDED_SHARDS: usize = 4;
/// A shard is worth its cost from so many bytes on.
const MIN_SHARD_BYTES: u64 = 1 << 20;
/// Sparse pages that are emptied before others have the core: half a millisecond. With one, on a core that is busy, writes
/// leave more of them behind than are emptied.
const PAGES_IN_TURN: usize = 64;
/// How often a write tries to make room, against other writes that take it, before it gives up.
const MAX_ROUNDS: usize = 1000;

/// What a node holds.
#[derive(Debug)]
pub struct Store {
    shards: Box<[RwLock<Shard>]>,
    hasher: SeedableRandomState,
    ledger: Arc<Ledger>,
    media: Media,
    clock: Clock,
}

/// What a [`Store::apply`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The record is there now; no object that could be read was.
    Created,
    /// The record is there now, in place of an older object.
    Replaced,
    /// Nothing: a record of this version is there, which is as new or newer.
    Stale(Version),
}

/// What may be done to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Other entries may be evicted.
    Evict,
    /// Nothing: what does not fit as things are is refused.
    Spare,
}

/// The record does not fit, and no room may be made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is full")]
pub struct Full;

/// How full a store is, and what it has dropped since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Objects held, those included whose time is over but which [`Store::expire`] has not come to.
    pub objects: u64,
    /// Tombstones held.
    pub tombstones: u64,
    /// Bytes held, by both: keys, values and overhead.
    pub bytes: u64,
    /// `store.max_bytes`
    pub max_bytes: u64,
    /// Objects and tombstones dropped to make room.
    pub evicted: u64,
    /// Objects dropped because their time was over.
    pub expired: u64,
    /// Objects for which there was no room.
    pub refused: u64,
}

/// How far a [`Store::scan`] has come; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    shard: usize,
    layout: u64,
    bucket: usize,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(settings: &Settings, clock: Clock) -> Self {
        // Random: nobody outside can make keys that collide.
        Self::build(settings, clock, SeedableRandomState::random(), shard_count(settings.max_bytes))
    }

    /// An empty store for a simulation: with the same seed, the same calls have the same effects everywhere.
    #[must_use]
    pub fn seeded(settings: &Settings, clock: Clock, seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self::build(settings, clock, hasher, SEEDED_SHARDS)
    }

    fn build(settings: &Settings, clock: Clock, hasher: SeedableRandomState, shards: usize) -> Self {
        debug_assert!(shards.is_power_of_two());
        let ledger = Arc::new(Ledger::new(settings.max_bytes));
        let now = clock.now();
        let shard = |_| RwLock::new(Shard::new(hasher.clone(), Arc::clone(&ledger), now));
        let shards = (0..shards).map(shard).collect();
        Self { shards, hasher, ledger, media: Media::default(), clock }
    }

    /// The object under `key`, unless its time is over.
    #[must_use]
    pub fn get(&self, key: &Key<'_>) -> Option<Object> {
        let (shard, key) = self.locate(key);
        shard.read().get(key, self.clock.now(), &self.media)
    }

    /// The version of the object under `key`, unless its time is over.
    #[must_use]
    pub fn version(&self, key: &Key<'_>) -> Option<Version> {
        let (shard, key) = self.locate(key);
        shard.read().version(key, self.clock.now())
    }

    /// What is under `key`, object or tombstone, for another member to keep: an object though its time be over, for it
    /// outdates older ones until [`Store::expire`] comes to it. It does not count as use of an object.
    #[must_use]
    pub fn record(&self, key: &Key<'_>) -> Option<Record> {
        let (shard, key) = self.locate(key);
        shard.read().record(key, self.clock.now(), &self.media)
    }

    /// The version that [`Store::apply`] compares with: of the object or tombstone under `key`, though its time be
    /// over.
    #[must_use]
    pub fn newest(&self, key: &Key<'_>) -> Option<Version> {
        let (shard, key) = self.locate(key);
        shard.read().newest(key)
    }

    /// Stores `record` under `key`, unless what is there is as new or newer.
    ///
    /// # Errors
    /// [`Full`] when there is no room and none may be made; what could be read before still can.
    pub fn apply(&self, key: &Key<'_>, record: Record, room: Room) -> Result<Applied, Full> {
        self.apply_if_it_fits(key, record, room).inspect_err(|Full| self.ledger.refused())
    }

    fn apply_if_it_fits(&self, key: &Key<'_>, record: Record, room: Room) -> Result<Applied, Full> {
        let nothing = Bytes::new();
        let mut new = match &record {
            Record::Object(object) => {
                let media = self.media.number(&object.content_type);
                let inline = (media == Media::INLINE).then(|| object.content_type.as_str());
                New {
                    parts: Parts { media: inline, key: key.as_bytes(), value: &object.value },
                    media,
                    version: object.version,
                    expiry: Expiry::new(object.expires_at),
                }
            }
            Record::Tombstone { version, expires_at } => New {
                parts: Parts { media: None, key: key.as_bytes(), value: &nothing },
                media: Media::TOMBSTONE,
                version: *version,
                expiry: Expiry::new(Some(*expires_at)),
            },
        };
        // A value in a page is copied there; any other small one here, before the lock is taken.
        let copy: Bytes;
        if new.parts.class() == Class::LOOSE && new.parts.value.len() <= COPIED_BYTES {
            copy = Bytes::copy_from_slice(new.parts.value);
            new.parts.value = &copy;
        }
        let (shard, hashed) = self.locate(key);
        if room == Room::Spare || new.parts.cost() > self.ledger.max_bytes() {
            return shard.write().apply(hashed, &new, self.clock.now()).map_err(|_| Full);
        }
        for _ in 0..MAX_ROUNDS {
            match self.try_apply(shard, hashed, &new) {
                Ok(applied) => return Ok(applied),
                Err(short) => self.make_room(hashed, short),
            }
        }
        Err(Full)
    }

    /// Drops what is under `key`, leaving nothing, if it is of `version`; says whether it was.
    pub fn remove_if(&self, key: &Key<'_>, version: Version) -> bool {
        let (shard, key) = self.locate(key);
        shard.write().remove_if(key, version, self.clock.now())
    }

    /// How full it is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.ledger.usage()
    }

    /// Drops what has expired, and gives idle memory back; the node calls it a few times a second.
    ///
    /// With `keep`, an object leaves a tombstone of its version, which lives for so long; but not an object that is
    /// over and dropped earlier, by a write that needs the room.
    ///
    /// No lock is held for longer than some hundreds of objects take, but the call returns only when all is
    /// done: it is for a thread that may block.
    pub fn expire(&self, keep: Option<Duration>) {
        for shard in &self.shards {
            let now = self.clock.now();
            in_turns(shard, 1, |shard| shard.expire(now, keep));
            in_turns(shard, PAGES_IN_TURN, Shard::tidy);
        }
        // Once: whatever was given back before is looked at again each time.
        if self.ledger.has_shrunk() {
            allocator::give_back();
        }
    }

    /// Shows the keys and versions of some records, at most `limit`, to `visit`; returns where to go on, or nothing
    /// when it has shown all: those that [`Store::record`] gives.
    ///
    /// From the default cursor to the end, every record that is there all the while is shown at least once;
    /// some may be shown again. `visit` runs under a lock: it must be short, and not call the store.
    pub fn scan(
        &self,
        cursor: Cursor,
        limit: usize,
        mut visit: impl FnMut(&Key<'_>, Version),
    ) -> Option<Cursor> {
        let shard = self.shards.get(cursor.shard)?.read();
        // Objects that changed places in the table may have come to where the scan has been.
        let bucket = if cursor.layout == shard.layout() { cursor.bucket } else { 0 };
        let next = match shard.scan(bucket, limit.max(1), self.clock.now(), &mut visit) {
            Some(bucket) => Cursor { bucket, layout: shard.layout(), ..cursor },
            None => Cursor { shard: cursor.shard + 1, ..Cursor::default() },
        };
        (next.shard < self.shards.len()).then_some(next)
    }

    /// Bytes that the store has allocated for entries, small objects and its tables, in use or not.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().allocated_bytes()).sum()
    }

    fn locate<'a>(&self, key: &'a Key<'_>) -> (&RwLock<Shard>, Hashed<'a>) {
        let key = key.as_bytes();
        let hash = self.hasher.hash_one(key);
        // The table within the shard takes the lowest bits and the seven highest.
        let index = (hash >> 40) as usize & (self.shards.len() - 1);
        (&self.shards[index], Hashed { key, hash })
    }

    /// Tries it, and once more after making room in the record's own shard if that has its fair share.
    fn try_apply(&self, shard: &RwLock<Shard>, key: Hashed<'_>, new: &New<'_>) -> Result<Applied, Short> {
        let now = self.clock.now();
        let mut shard = shard.write();
        shard.apply(key, new, now).or_else(|short| {
            shard.make_room(short.0, self.share().saturating_sub(short.0), key, now);
            shard.apply(key, new, now)
        })
    }

    /// Frees bytes in whichever shards have more than their share, or else in any, but not the entry `spared`.
    fn make_room(&self, spared: Hashed<'_>, Short(bytes): Short) {
        let mut missing = bytes;
        for floor in [self.share().saturating_sub(bytes), 0] {
            for shard in &self.shards {
                if missing == 0 {
                    return;
                }
                let freed = shard.write().make_room(missing, floor, spared, self.clock.now());
                missing = missing.saturating_sub(freed);
            }
        }
    }

    fn share(&self) -> u64 {
        self.ledger.max_bytes() / self.shards.len() as u64
    }
}

/// Repeats `step` while it says that there is more to do, letting others have the lock in between, and the core after so
/// many `steps`.
fn in_turns(shard: &RwLock<Shard>, steps: usize, mut step: impl FnMut(&mut Shard) -> bool) {
    for done in 1_usize.. {
        let mut guard = shard.write();
        let more = step(&mut guard);
        RwLockWriteGuard::unlock_fair(guard);
        if !more {
            return;
        }
        // On one core, whoever waits for an answer would wait for the whole pass.
        if done.is_multiple_of(steps) {
            std::thread::yield_now();
        }
    }
}

/// A power of two.
fn shard_count(max_bytes: u64) -> usize {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let useful = usize::try_from(max_bytes / MIN_SHARD_BYTES).unwrap_or(MAX_SHARDS);
    let wanted = threads.saturating_mul(SHARDS_PER_THREAD).min(useful).clamp(1, MAX_SHARDS);
    // Rounded down.
    1 << wanted.ilog2()
}
