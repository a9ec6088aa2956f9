//! Which operations have run: so that a repeat of one, after a lost answer, is recognised and not run again.
//!
//! A side table, not part of the store: for the latest operations that the stored record of a key comes from, the version
//! that each made. What ran on a record that lost to a later one has not run. Invariant: it
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
        self.merge(digest, version, &[(id, version)], now);
    }

    /// What is known of a key's operations, to be told to others: the latest first, at most [`MAX_IDS`].
    #[must_use]
    pub fn of(&self, digest: Digest) -> Vec<(OperationId, Version)> {
        self.shard(digest).lock().of(digest).collect()
    }

    /// Another member has the record of `version` too, and knows of these operations that it comes from.
    pub fn merge(&self, digest: Digest, version: Version, ids: &[(OperationId, Version)], now: Timestamp) {
        self.shard(digest).lock().merge(digest, version, ids, now);
    }

    /// The record of `version` has taken the place of what was stored, and with it come the operations that it comes from:
    /// what else was known of the key made something that is gone.
    pub fn replace(&self, digest: Digest, version: Version, ids: &[(OperationId, Version)], now: Timestamp) {
        let mut shard = self.shard(digest).lock();
        let is_told = |id| ids.iter().any(|(told, _)| *told == id);
        let gone: Vec<_> = shard.of(digest).filter(|(id, _)| !is_told(*id)).collect();
        for (id, version) in gone {
            shard.remove((digest, Reverse(version), id.as_u128()));
        }
        shard.merge(digest, version, ids, now);
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

    /// Operations that made something later than `version` are not among those that it comes from.
    fn merge(&mut self, digest: Digest, version: Version, ids: &[(OperationId, Version)], now: Timestamp) {
        for (id, made) in ids.iter().filter(|(_, made)| *made <= version) {
            self.note(digest, *id, *made, now);
        }
        self.forget(now);
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

#[cfg(test)]
mod tests {
    use ringhold_ring::{MemberAddress, VersionClock, WriterId};

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn digest(number: u32) -> Digest {
        Digest::of(&number.to_be_bytes())
    }

    fn id(number: u64) -> OperationId {
        OperationId::from_u128(number.into())
    }

    fn version(number: u64) -> Version {
        let member: MemberAddress = "127.0.0.1:1".parse().unwrap();
        VersionClock::new(WriterId::of(&member)).next(Timestamp::from_millis(number))
    }

    fn held(repeats: &Repeats) -> usize {
        let count = |shard: &Mutex<Shard>| {
            let shard = shard.lock();
            assert_eq!(shard.known.len(), shard.by_age.len());
            shard.known.len()
        };
        repeats.shards.iter().map(count).sum()
    }

    #[test]
    fn an_operation_that_has_run_is_known_under_its_key_only() {
        let repeats = Repeats::default();
        assert_eq!(repeats.seen(digest(1), id(7)), None);
        repeats.note(digest(1), id(7), version(1), START);
        assert_eq!(repeats.seen(digest(1), id(7)), Some(version(1)));
        assert_eq!(repeats.seen(digest(1), id(8)), None);
        assert_eq!(repeats.seen(digest(2), id(7)), None);
        assert!(repeats.of(digest(2)).is_empty());
    }

    #[test]
    fn of_a_key_the_latest_are_known_the_latest_first() {
        let repeats = Repeats::default();
        // Not in the order of their versions, as they come from several members.
        let count = MAX_IDS as u64 + 3;
        for number in (0..count).map(|place| (place * 2) % count) {
            repeats.note(digest(1), id(number), version(number), START);
        }
        let latest: Vec<_> = (3..count).rev().map(|number| (id(number), version(number))).collect();
        assert_eq!(repeats.of(digest(1)), latest);
        assert_eq!(repeats.seen(digest(1), id(2)), None);
        assert_eq!(held(&repeats), MAX_IDS);
    }

    #[test]
    fn who_takes_anothers_record_knows_the_operations_that_made_it_and_no_others() {
        let (one, other) = (Repeats::default(), Repeats::default());
        for number in 0..5 {
            one.note(digest(1), id(number), version(number), START);
        }
        other.note(digest(1), id(9), version(3), START);
        other.note(digest(2), id(9), version(3), START);
        other.replace(digest(1), version(4), &one.of(digest(1)), START);
        assert_eq!(other.of(digest(1)), one.of(digest(1)));
        assert_eq!(other.seen(digest(2), id(9)), Some(version(3)), "it made another key");
        other.replace(digest(1), version(5), &[], START);
        assert_eq!(held(&other), 1);
    }

    #[test]
    fn an_operation_that_made_a_later_record_than_the_one_that_is_taken_has_not_run_here() {
        let repeats = Repeats::default();
        repeats.replace(digest(1), version(4), &[(id(5), version(5)), (id(4), version(4))], START);
        assert_eq!(repeats.of(digest(1)), [(id(4), version(4))]);
    }

    #[test]
    fn an_operation_that_ran_at_two_members_made_the_later_version() {
        let repeats = Repeats::default();
        for number in [4, 6, 5] {
            repeats.note(digest(1), id(1), version(number), START);
        }
        assert_eq!(repeats.of(digest(1)), [(id(1), version(6))]);
    }

    #[test]
    fn an_operation_is_forgotten_after_its_time_however_often_it_is_told_again() {
        let repeats = Repeats::default();
        repeats.note(digest(1), id(1), version(1), START);
        let almost = START + (KEPT - Duration::from_millis(1));
        repeats.replace(digest(1), version(2), &[(id(1), version(1)), (id(2), version(2))], almost);
        repeats.note(digest(1), id(1), version(4), almost);
        assert!(repeats.seen(digest(1), id(1)).is_some());
        repeats.note(digest(1), id(3), version(3), START + KEPT);
        assert_eq!(repeats.of(digest(1)), [(id(3), version(3)), (id(2), version(2))]);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let repeats = Repeats::default();
        let operations = 200_000;
        for number in 0..operations {
            let now = START + Duration::from_millis(number.into());
            repeats.note(digest(number), id(number.into()), version(number.into()), now);
        }
        assert_eq!(held(&repeats), 65_536);
        assert!(repeats.seen(digest(0), id(0)).is_none());
        let known = |number: &u32| repeats.seen(digest(*number), id((*number).into())).is_some();
        assert!((operations - 50_000..operations).all(|number| known(&number)));
    }

    #[test]
    fn one_busy_key_pushes_no_other_out() {
        let repeats = Repeats::default();
        repeats.note(digest(0), id(0), version(1), START);
        for number in 0..100_000 {
            repeats.note(digest(1), id(number), version(number), START);
        }
        assert!(repeats.seen(digest(0), id(0)).is_some());
        assert_eq!(held(&repeats), 1 + MAX_IDS);
    }
}
