//! Which operations have run: so that a repeat of one, after a lost answer, is recognised and not run again.
//!
//! A side table, not part of the store: for the latest operations of a key, the version that each made. Invariant: it
//! never holds more than 65,536 ids, nor more than [`MAX_IDS`] of a key; the oldest go first, and each is forgotten
//! [`KEPT`] after this member has heard of it. Keys without ids take nothing. It reads no clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;
use ringhold_ring::{Digest, Timestamp, Version};

use crate::object::OperationId;
use crate::peer::network::MAX_IDS;

/// How long a repeat is recognised.
pub const KEPT: Duration = Duration::from_secs(300);

const SHARDS: usize = 16;
/// A sixteenth of all: digests are spread evenly.
const MAX_SHARD_IDS: usize = 65_536 / SHARDS;

/// The latest operations, by the digests of their keys.
#[derive(Debug, Default)]
pub struct Repeats {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    /// When each id was first heard of; those of a key stand together, the latest version first.
    known: BTreeMap<Entry, Timestamp>,
    /// The same, the oldest first.
    by_age: BTreeSet<(Timestamp, Entry)>,
}

type Entry = (Digest, Reverse<Version>, u128);

impl Repeats {
    /// The version that operation `id` made of the key with `digest`; none: it has not run, as far as is known.
    #[must_use]
    pub fn seen(&self, digest: Digest, id: OperationId) -> Option<Version> {
        self.shard(digest).lock().find(digest, id)
    }

    /// Remembers that operation `id` made `version`.
    pub fn note(&self, digest: Digest, id: OperationId, version: Version, now: Timestamp) {
        self.merge(digest, &[(id, version)], now);
    }

    /// What is known of a key's operations, to be told to others: the latest first, at most [`MAX_IDS`].
    #[must_use]
    pub fn of(&self, digest: Digest) -> Vec<(OperationId, Version)> {
        self.shard(digest).lock().of(digest).collect()
    }

    /// Remembers what another member knows of a key's operations.
    pub fn merge(&self, digest: Digest, ids: &[(OperationId, Version)], now: Timestamp) {
        if ids.is_empty() {
            return;
        }
        let mut shard = self.shard(digest).lock();
        for (id, version) in ids {
            shard.note(digest, *id, *version, now);
        }
        shard.forget(now);
    }

    fn shard(&self, digest: Digest) -> &Mutex<Shard> {
        &self.shards[usize::from(digest.as_bytes()[0]) % SHARDS]
    }
}

impl Shard {
    fn of(&self, digest: Digest) -> impl Iterator<Item = (OperationId, Version)> {
        let first = (digest, Reverse(Version::from_bytes([u8::MAX; Version::BYTES])), 0);
        self.known
            .range(first..)
            .map(|(entry, _)| *entry)
            .take_while(move |(of, ..)| *of == digest)
            .map(|(_, Reverse(version), id)| (OperationId::from_u128(id), version))
    }

    fn find(&self, digest: Digest, id: OperationId) -> Option<Version> {
        self.of(digest).find(|(known, _)| *known == id).map(|(_, version)| version)
    }

    /// An operation that is known keeps its age, or members that tell each other of it would never forget it.
    fn note(&mut self, digest: Digest, id: OperationId, version: Version, now: Timestamp) {
        let known = self.find(digest, id);
        if known.is_some_and(|known| known >= version) {
            return;
        }
        let heard = known.and_then(|known| self.remove((digest, Reverse(known), id.as_u128())));
        let (heard, entry) = (heard.unwrap_or(now), (digest, Reverse(version), id.as_u128()));
        self.known.insert(entry, heard);
        self.by_age.insert((heard, entry));
        let too_many = self.of(digest).nth(MAX_IDS);
        if let Some((id, version)) = too_many {
            self.remove((digest, Reverse(version), id.as_u128()));
        }
    }

    /// Lets go of what is too old, and of the oldest where there are too many.
    fn forget(&mut self, now: Timestamp) {
        while let Some((heard, entry)) = self.by_age.first().copied() {
            if now.since(heard) < KEPT && self.by_age.len() <= MAX_SHARD_IDS {
                return;
            }
            self.remove(entry);
        }
    }

    fn remove(&mut self, entry: Entry) -> Option<Timestamp> {
        let heard = self.known.remove(&entry)?;
        self.by_age.remove(&(heard, entry));
        Some(heard)
    }
}
