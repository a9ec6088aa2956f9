//! The store through its own door, on a clock that the tests turn.

mod eviction;
mod expiry;
mod memory;
mod model;
mod policy;
mod records;
mod seeded;
mod threads;
mod tombstones;

use std::time::Duration;

use bytes::Bytes;
use ringhold_config::Store as Settings;
use ringhold_ring::{Key, MemberAddress, Timestamp, Version, VersionClock, WriterId};

use super::{Applied, COPIED_BYTES, Cursor, Full, Room, Store};
use crate::clock::Clock;
use crate::object::{ContentType, Object, Record};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_123);
const ROOMY: u64 = 4 << 30;

fn store(max_bytes: u64) -> (Store, Clock) {
    let clock = Clock::manual(START);
    let settings = Settings { max_bytes, max_object_bytes: usize::MAX, default_ttl: None };
    (Store::new(&settings, clock.clone()), clock)
}

fn key(text: &str) -> Key<'_> {
    Key::new(text).unwrap()
}

fn version(number: u64) -> Version {
    let member: MemberAddress = "127.0.0.1:1".parse().unwrap();
    VersionClock::new(WriterId::of(&member)).next(Timestamp::from_millis(number))
}

fn object(value: impl Into<Bytes>) -> Object {
    Object {
        value: value.into(),
        content_type: ContentType::OctetStream,
        version: version(1),
        expires_at: None,
    }
}

fn until(millis: u64, value: impl Into<Bytes>) -> Object {
    Object { expires_at: Some(START + Duration::from_millis(millis)), ..object(value) }
}

fn tombstone(number: u64, millis: u64) -> Record {
    Record::Tombstone { version: version(number), expires_at: START + Duration::from_millis(millis) }
}

/// What an owner does: whatever it writes is newer than what is there.
trait Owned {
    fn put(&self, key: &Key<'_>, object: Object) -> Result<Applied, Full>;
    fn remove(&self, key: &Key<'_>) -> bool;
}

impl Owned for Store {
    fn put(&self, key: &Key<'_>, mut object: Object) -> Result<Applied, Full> {
        if let Some(newest) = self.newest(key).filter(|newest| *newest >= object.version) {
            object.version = version(newest.written_at().as_millis() + 1);
        }
        self.apply(key, Record::Object(object), Room::Evict)
    }

    fn remove(&self, key: &Key<'_>) -> bool {
        let live = self.version(key).is_some();
        let removed = self.newest(key).is_some_and(|newest| self.remove_if(key, newest));
        live && removed
    }
}

/// Every key, by the cursor, in steps of `limit`.
fn all_keys(store: &Store, limit: usize) -> Vec<String> {
    let mut keys = Vec::new();
    let mut cursor = Some(Cursor::default());
    while let Some(from) = cursor {
        cursor = store.scan(from, limit, |key, _| keys.push(key.as_str().to_owned()));
    }
    keys
}

#[test]
fn what_was_put_is_read_until_it_is_removed() {
    let (store, _) = store(ROOMY);
    assert_eq!(store.get(&key("a")), None);
    assert_eq!(store.put(&key("a"), object("one")), Ok(Applied::Created));
    assert_eq!(store.put(&key("a"), Object { version: version(2), ..object("two") }), Ok(Applied::Replaced));
    assert_eq!(store.get(&key("a")), Some(Object { version: version(2), ..object("two") }));
    assert_eq!(store.version(&key("a")), Some(version(2)));
    assert!(store.remove(&key("a")));
    assert!(!store.remove(&key("a")));
    assert_eq!(store.get(&key("a")), None);
    assert_eq!((store.usage().objects, store.usage().bytes), (0, 0));
}

#[test]
fn every_size_comes_back_as_it_was() {
    let (store, _) = store(ROOMY);
    let long = "k".repeat(Key::MAX_BYTES);
    for name in ["k", "a key of some length", &long] {
        for size in (0..1200).chain([COPIED_BYTES - 1, COPIED_BYTES, COPIED_BYTES + 1, 100_000]) {
            let value: Vec<u8> = (0..size).map(|at| (at * 7 + size) as u8).collect();
            store.put(&key(name), object(value.clone())).unwrap();
            assert_eq!(store.get(&key(name)).unwrap().value, value);
        }
    }
}

#[test]
fn every_content_type_comes_back_as_it_was() {
    let (store, _) = store(ROOMY);
    let types: Vec<_> = ["application/json", "text/plain", "application/octet-stream"]
        .map(String::from)
        .into_iter()
        .chain((0..300).map(|number| format!("application/vnd.{number}; {}", "x".repeat(number % 200))))
        .map(|text| ContentType::parse(text.as_bytes()).unwrap())
        .collect();
    for size in [5, 900, 2000, 10_000] {
        for (number, content_type) in types.iter().enumerate() {
            let object = Object { content_type: content_type.clone(), ..object(vec![7; size]) };
            store.put(&key(&format!("{number}")), object).unwrap();
        }
        for (number, content_type) in types.iter().enumerate() {
            let found = store.get(&key(&format!("{number}"))).unwrap();
            assert_eq!((&found.content_type, found.value.len()), (content_type, size));
        }
    }
}

#[test]
fn a_small_value_never_keeps_the_buffer_that_it_came_in() {
    let (store, _) = store(ROOMY);
    for size in [1, 100, 1024, COPIED_BYTES] {
        let buffer = Bytes::from(vec![1; 64 << 10]);
        store.put(&key(&format!("{size}")), object(buffer.slice(..size))).unwrap();
        assert!(buffer.is_unique(), "a value of {size} bytes is still part of its buffer");
    }
}

#[test]
fn a_large_value_is_neither_copied_in_nor_out() {
    let (store, _) = store(ROOMY);
    let value = Bytes::from(vec![1; COPIED_BYTES + 1]);
    store.put(&key("large"), object(value.clone())).unwrap();
    assert_eq!(store.get(&key("large")).unwrap().value.as_ptr(), value.as_ptr());
}

#[test]
fn a_scan_shows_every_object_that_is_there_all_the_while() {
    let (store, clock) = store(ROOMY);
    for number in 0..2000 {
        store.put(&key(&format!("stays {number}")), object("x")).unwrap();
    }
    store.put(&key("over"), until(1, "x")).unwrap();
    store.apply(&key("buried"), tombstone(1, 1), Room::Evict).unwrap();
    clock.advance(Duration::from_millis(1));
    let mut shown = std::collections::HashSet::new();
    let mut cursor = Some(Cursor::default());
    let mut step = 0;
    while let Some(from) = cursor {
        cursor = store.scan(from, 7, |key, _| {
            shown.insert(key.as_str().to_owned());
        });
        // Tables grow, and objects change their sizes, in between.
        for number in step * 5..(step + 1) * 5 {
            store.put(&key(&format!("new {number}")), object("x")).unwrap();
            store.put(&key(&format!("stays {}", number % 2000)), object(vec![1; number % 600])).unwrap();
        }
        step += 1;
        assert!(step < 20_000, "the scan does not end");
    }
    assert_eq!(shown.iter().filter(|key| key.starts_with("stays")).count(), 2000);
    // An object whose time is over outdates older ones until it is buried; a tombstone's time is the end of it.
    assert!(shown.contains("over") && !shown.contains("buried"));
}
