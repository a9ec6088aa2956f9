//! Objects in memory: sharded, accounted in bytes, expiring without scans, evicting when full.
//!
//! The store knows no network and takes no decisions about versions: the owner does. Its locks are short and
//! never held across an await. The major parts:
//!
//! - `shard`: the objects of one lock, and all that changes together;
//! - `cells`: where their bytes are, in pages of equal cells; `parts`: the bytes, and what they count for;
//! - `wheel`: what expires when; `eviction`, `ghosts`: what goes when room is needed;
//! - `ledger`: what all shards hold together, never more than `store.max_bytes`.

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

use bytes::Bytes;
use foldhash::quality::RandomState;
use parking_lot::{RwLock, RwLockWriteGuard};
use ringhold_config::Store as Settings;
use ringhold_ring::{Key, Version};

use crate::clock::Clock;
use crate::object::Object;
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
/// A shard is worth its cost from so many bytes on.
const MIN_SHARD_BYTES: u64 = 1 << 20;
/// How often a put tries to make room, against other puts that take it, before it gives up.
const MAX_ROUNDS: usize = 1000;

/// What a node holds.
#[derive(Debug)]
pub struct Store {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    ledger: Arc<Ledger>,
    media: Media,
    clock: Clock,
}

/// What a [`Store::put`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Nothing was there.
    Created,
    /// An older object was there.
    Replaced,
}

/// The object does not fit, and nothing may be evicted for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is full")]
pub struct Full;

/// How full a store is, and what it has dropped since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Objects held, those included whose time is over but which [`Store::expire`] has not come to.
    pub objects: u64,
    /// Bytes held: keys, values and overhead.
    pub bytes: u64,
    /// `store.max_bytes`
    pub max_bytes: u64,
    /// Objects dropped to make room.
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
        // Random per process: nobody outside can make keys that collide.
        let hasher = RandomState::default();
        let ledger = Arc::new(Ledger::new(settings.max_bytes));
        let now = clock.now();
        let shard = |_| RwLock::new(Shard::new(hasher.clone(), Arc::clone(&ledger), now));
        let shards = (0..shard_count(settings.max_bytes)).map(shard).collect();
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

    /// Stores `object` under `key`, in place of whatever is there.
    ///
    /// # Errors
    /// [`Full`] when there is no room and none can be made; the old object, if any, is still there.
    pub fn put(&self, key: &Key<'_>, object: Object) -> Result<Put, Full> {
        self.put_if_it_fits(key, object).inspect_err(|Full| self.ledger.refused())
    }

    fn put_if_it_fits(&self, key: &Key<'_>, object: Object) -> Result<Put, Full> {
        let media = self.media.number(&object.content_type);
        let inline = (media == Media::INLINE).then(|| object.content_type.as_str());
        let mut parts = Parts { media: inline, key: key.as_bytes(), value: &object.value };
        if parts.cost() > self.ledger.max_bytes() {
            return Err(Full);
        }
        // A value in a page is copied there; any other small one here, before the lock is taken.
        let copy: Bytes;
        if parts.class() == Class::LOOSE && object.value.len() <= COPIED_BYTES {
            copy = Bytes::copy_from_slice(&object.value);
            parts.value = &copy;
        }
        let new = New { parts, media, version: object.version, expiry: Expiry::new(object.expires_at) };
        let (shard, key) = self.locate(key);
        for _ in 0..MAX_ROUNDS {
            match self.try_put(shard, key, &new) {
                Ok(put) => return Ok(put),
                Err(short) => self.make_room(key, short),
            }
        }
        Err(Full)
    }

    /// Removes the object under `key`; says whether there was one.
    pub fn remove(&self, key: &Key<'_>) -> bool {
        let (shard, key) = self.locate(key);
        shard.write().remove(key, self.clock.now())
    }

    /// How full it is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.ledger.usage()
    }

    /// Drops what has expired, and gives idle memory back; the node calls it a few times a second.
    ///
    /// No lock is held for longer than some hundreds of objects take, but the call returns only when all is
    /// done: it is for a thread that may block.
    pub fn expire(&self) {
        for shard in &self.shards {
            let now = self.clock.now();
            in_turns(shard, |shard| shard.expire(now));
            in_turns(shard, Shard::tidy);
        }
    }

    /// Shows some objects' keys and versions, at most `limit`, to `visit`; returns where to go on, or nothing
    /// when it has shown all.
    ///
    /// From the default cursor to the end, every object that is there all the while is shown at least once;
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

    /// Tries it, and once more after making room in the object's own shard if that has its fair share.
    fn try_put(&self, shard: &RwLock<Shard>, key: Hashed<'_>, new: &New<'_>) -> Result<Put, Short> {
        let now = self.clock.now();
        let mut shard = shard.write();
        shard.put(key, new, now).or_else(|short| {
            shard.make_room(short.0, self.share().saturating_sub(short.0), key, now);
            shard.put(key, new, now)
        })
    }

    /// Frees bytes in whichever shards have more than their share, or else in any, but not the object `spared`.
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

/// Repeats `step` while it says that there is more to do, letting others have the lock in between.
fn in_turns(shard: &RwLock<Shard>, mut step: impl FnMut(&mut Shard) -> bool) {
    loop {
        let mut guard = shard.write();
        let more = step(&mut guard);
        RwLockWriteGuard::unlock_fair(guard);
        if !more {
            return;
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
