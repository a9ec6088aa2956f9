//! Tombstones hold older writes off, take little, and go in time.

use super::super::parts::OVERHEAD_BYTES;
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_deleted_object_cannot_be_read_and_does_not_come_back() {
    let (store, clock) = store(ROOMY);
    store.put(&key("a"), object("x")).unwrap();
    assert_eq!(store.apply(&key("a"), tombstone(5, 1000), Room::Evict), Ok(Applied::Replaced));
    assert_eq!((store.get(&key("a")), store.version(&key("a"))), (None, None));
    assert_eq!(store.record(&key("a")), Some(tombstone(5, 1000)));
    let older = Record::Object(Object { version: version(4), ..object("older") });
    assert_eq!(store.apply(&key("a"), older.clone(), Room::Evict), Ok(Applied::Stale(version(5))));
    clock.advance(Duration::from_millis(1000));
    store.expire(None);
    assert_eq!(store.newest(&key("a")), None, "its time is over");
    assert_eq!(store.apply(&key("a"), older, Room::Evict), Ok(Applied::Created));
}

#[test]
fn objects_and_tombstones_are_counted_apart_and_their_bytes_together() {
    let (store, clock) = store(ROOMY);
    store.put(&key("kept"), object("12345")).unwrap();
    store.put(&key("deleted"), object(vec![1; 10_000])).unwrap();
    store.apply(&key("deleted"), tombstone(5, 1000), Room::Evict).unwrap();
    assert_eq!(store.apply(&key("never"), tombstone(5, 1000), Room::Evict), Ok(Applied::Created));
    let usage = store.usage();
    assert_eq!((usage.objects, usage.tombstones), (1, 2));
    assert_eq!(usage.bytes as usize, 3 * OVERHEAD_BYTES + "kept12345deletednever".len());
    clock.advance(Duration::from_millis(1000));
    store.expire(Some(MINUTE));
    let usage = store.usage();
    assert_eq!((usage.objects, usage.tombstones, usage.expired, usage.evicted), (1, 0, 0, 0));
    assert_eq!(usage.bytes as usize, OVERHEAD_BYTES + "kept12345".len());
}

#[test]
fn what_expires_can_leave_a_tombstone_of_its_version() {
    let (store, clock) = store(ROOMY);
    let sizes = [0, 10, 300, 2000, 10_000];
    for size in sizes {
        let content_type = ContentType::Other("x".repeat(200).into());
        let object = Object { content_type, version: version(7), ..until(10, vec![1; size]) };
        store.put(&key(&size.to_string()), object).unwrap();
    }
    clock.advance(Duration::from_millis(15));
    store.expire(Some(MINUTE));
    for size in sizes {
        assert_eq!(store.get(&key(&size.to_string())), None);
        assert_eq!(store.record(&key(&size.to_string())), Some(tombstone(7, 15 + 60_000)));
    }
    let usage = store.usage();
    assert_eq!((usage.objects, usage.tombstones, usage.expired), (0, sizes.len() as u64, sizes.len() as u64));
    clock.advance(MINUTE);
    store.expire(Some(MINUTE));
    let usage = store.usage();
    assert_eq!((usage.tombstones, usage.bytes, usage.expired), (0, 0, sizes.len() as u64));
}

#[test]
fn a_scan_shows_tombstones_until_their_time_is_over() {
    let (store, clock) = store(ROOMY);
    store.put(&key("kept"), object("x")).unwrap();
    store.apply(&key("deleted"), tombstone(5, 1000), Room::Evict).unwrap();
    let mut keys = all_keys(&store, 1);
    keys.sort();
    assert_eq!(keys, ["deleted", "kept"]);
    clock.advance(Duration::from_millis(1000));
    assert_eq!(all_keys(&store, 1), ["kept"]);
}

#[test]
fn tombstones_make_room_like_anything_else() {
    let max_bytes = 64 << 10;
    let (store, _) = store(max_bytes);
    for number in 0..5000 {
        store.apply(&key(&format!("gone {number}")), tombstone(5, 100_000), Room::Evict).unwrap();
        assert!(store.usage().bytes <= max_bytes);
    }
    let tombstones = store.usage().tombstones;
    assert_eq!(tombstones + store.usage().evicted, 5000);
    for number in 0..5000 {
        store.put(&key(&number.to_string()), object(vec![1; 100])).unwrap();
        assert!(store.usage().bytes <= max_bytes);
    }
    let usage = store.usage();
    assert!(usage.tombstones < tombstones / 4, "{usage:?}");
    assert_eq!(usage.objects + usage.tombstones + usage.evicted, 10_000);
}

#[test]
fn a_hundred_thousand_deletes_take_little_memory_and_none_in_the_end() {
    const OBJECTS: u64 = 100_000;
    let (store, clock) = store(ROOMY);
    let empty = store.allocated_bytes();
    for number in 0..OBJECTS {
        store.put(&key(&format!("{number:016}")), until(1000, vec![1; 500])).unwrap();
    }
    clock.advance(Duration::from_secs(1));
    store.expire(Some(MINUTE));
    assert_eq!((store.usage().objects, store.usage().tombstones), (0, OBJECTS));
    let beyond = store.allocated_bytes() as f64 / OBJECTS as f64 - 16.0;
    assert!(beyond <= 64.0, "a tombstone takes {beyond} bytes beyond its key");
    clock.advance(MINUTE);
    store.expire(Some(MINUTE));
    assert_eq!(store.usage().tombstones, 0);
    assert_eq!(store.allocated_bytes(), empty);
}
