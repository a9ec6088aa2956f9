//! Of two records the one with the higher version wins, whenever it comes.

use super::*;

fn written(number: u64, value: &'static str) -> Record {
    Record::Object(Object { version: version(number), ..object(value) })
}

fn apply(store: &Store, record: Record) -> Applied {
    store.apply(&key("a"), record, Room::Evict).unwrap()
}

#[test]
fn an_older_or_equal_write_changes_nothing() {
    let (store, _) = store(ROOMY);
    assert_eq!(apply(&store, written(5, "five")), Applied::Created);
    assert_eq!(apply(&store, written(4, "four")), Applied::Stale(version(5)));
    assert_eq!(apply(&store, written(5, "again")), Applied::Stale(version(5)));
    assert_eq!(apply(&store, tombstone(4, 1000)), Applied::Stale(version(5)));
    assert_eq!(store.record(&key("a")), Some(written(5, "five")));
    assert_eq!(apply(&store, written(6, "six")), Applied::Replaced);
    assert_eq!(store.record(&key("a")), Some(written(6, "six")));
}

#[test]
fn records_in_any_order_leave_the_same() {
    let records = [written(1, "one"), tombstone(2, 1000), written(3, "three"), tombstone(4, 1000)];
    for first in 0..4 {
        for second in 0..4 {
            let (store, _) = store(ROOMY);
            for at in [first, second, 0, 1, 2, 3] {
                apply(&store, records[at].clone());
            }
            assert_eq!(store.record(&key("a")), Some(records[3].clone()));
        }
    }
}

#[test]
fn a_stale_record_is_stale_however_large_it_is() {
    let (store, _) = store(64 << 10);
    apply(&store, written(5, "five"));
    let huge = Record::Object(Object { version: version(4), ..object(vec![1; 100 << 10]) });
    assert_eq!(apply(&store, huge), Applied::Stale(version(5)));
}

#[test]
fn what_is_over_still_holds_older_writes_off_until_it_is_collected() {
    let (store, clock) = store(ROOMY);
    apply(&store, Record::Object(Object { version: version(5), ..until(10, "x") }));
    clock.advance(Duration::from_millis(10));
    assert_eq!((store.get(&key("a")), store.newest(&key("a"))), (None, Some(version(5))));
    // Other members may have an older one that lives longer: they are shown it as it is.
    assert_eq!(store.record(&key("a")).map(|record| record.version()), Some(version(5)));
    assert_eq!(all_keys(&store, 7), ["a"]);
    assert_eq!(apply(&store, written(4, "four")), Applied::Stale(version(5)));
    assert_eq!(apply(&store, written(6, "six")), Applied::Created);
    assert_eq!((store.usage().objects, store.usage().expired), (1, 1));
}

#[test]
fn only_the_version_that_is_meant_is_removed() {
    let (store, clock) = store(ROOMY);
    assert!(!store.remove_if(&key("a"), version(1)));
    for record in [written(1, "one"), tombstone(2, 1000)] {
        let at = record.version();
        apply(&store, record);
        assert!(!store.remove_if(&key("a"), version(9)));
        assert_eq!(store.newest(&key("a")), Some(at));
        assert!(store.remove_if(&key("a"), at));
        assert_eq!(store.newest(&key("a")), None);
    }
    apply(&store, Record::Object(until(10, "x")));
    clock.advance(Duration::from_millis(10));
    assert!(store.remove_if(&key("a"), version(1)), "what is over goes as well");
    let usage = store.usage();
    assert_eq!((usage.objects, usage.tombstones, usage.bytes, usage.expired), (0, 0, 0, 1));
}

#[test]
fn without_leave_to_evict_nothing_is_evicted() {
    let max_bytes = 16 << 20;
    let (store, clock) = store(max_bytes);
    let offer = |number: u64| {
        let object = Object { version: version(2), ..until(1000, vec![1; 20_000]) };
        store.apply(&key(&number.to_string()), Record::Object(object), Room::Spare)
    };
    let kept = (0..2000).take_while(|number| offer(*number) == Ok(Applied::Created)).count() as u64;
    assert_eq!((store.usage().objects, store.usage().evicted), (kept, 0));
    assert!(store.usage().bytes > max_bytes - 21_000, "all room is used: {:?}", store.usage());
    // Nothing is dropped for a larger value of the same key either, nor what is over.
    store.put(&key("0"), until(1000, vec![2; 20_000])).unwrap();
    let newer = Record::Object(Object { version: version(9), ..object(vec![3; 60_000]) });
    assert_eq!(store.apply(&key("0"), newer, Room::Spare), Err(Full));
    assert_eq!(store.get(&key("0")).unwrap().value[0], 2);
    clock.advance(Duration::from_millis(1000));
    assert_eq!(offer(kept), Err(Full));
    store.expire(None);
    assert_eq!(offer(kept), Ok(Applied::Created));
    assert_eq!(store.usage().evicted, 0);
}

#[test]
fn without_leave_to_evict_what_takes_no_more_room_is_stored() {
    let (store, _) = store(64 << 10);
    for number in 0..2000 {
        store.put(&key(&number.to_string()), object(vec![1; 100])).unwrap();
    }
    let evicted = store.usage().evicted;
    let newer = Record::Object(Object { version: version(9), ..object(vec![2; 100]) });
    assert_eq!(store.apply(&key("1999"), newer, Room::Spare), Ok(Applied::Replaced));
    assert_eq!(store.apply(&key("1998"), tombstone(9, 1000), Room::Spare), Ok(Applied::Replaced));
    assert_eq!(store.usage().evicted, evicted);
}

#[test]
fn looking_at_a_record_does_not_keep_it() {
    let survives = |look: fn(&Store)| {
        let (store, _) = store(64 << 10);
        store.put(&key("watched"), object("x")).unwrap();
        for number in 0..2000 {
            look(&store);
            store.put(&key(&number.to_string()), object(vec![1; 100])).unwrap();
        }
        store.version(&key("watched")).is_some()
    };
    assert!(survives(|store| drop(store.get(&key("watched")))));
    assert!(!survives(|store| drop(store.record(&key("watched")))));
}
