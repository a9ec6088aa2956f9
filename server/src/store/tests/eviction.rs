//! The store never holds more than it may, and refuses only what can never fit.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::parts::{LOOSE_OVERHEAD_BYTES, MAX_PACKED_BYTES, OVERHEAD_BYTES};
use super::*;

const SMALL: u64 = 64 << 10;

/// What the objects that can be read count for.
fn held(store: &Store) -> (u64, u64) {
    let cost = |name: String| {
        let object = store.get(&key(&name)).unwrap();
        let loose = if name.len() + object.value.len() > MAX_PACKED_BYTES { LOOSE_OVERHEAD_BYTES } else { 0 };
        (name.len() + object.value.len() + OVERHEAD_BYTES + loose) as u64
    };
    let keys = all_keys(store, usize::MAX);
    (keys.len() as u64, keys.into_iter().map(cost).sum())
}

#[test]
fn room_is_made_by_dropping_objects_not_by_refusing_them() {
    let (store, _) = store(SMALL);
    for number in 0..10_000 {
        assert_eq!(store.put(&key(&number.to_string()), object(vec![1; 100])), Ok(Applied::Created));
        assert!(store.usage().bytes <= SMALL);
    }
    let usage = store.usage();
    assert_eq!(usage.evicted + usage.objects, 10_000);
    assert!(usage.bytes > SMALL - 300, "room is not wasted: {usage:?}");
    assert_eq!(held(&store), (usage.objects, usage.bytes));
}

#[test]
fn an_object_larger_than_the_store_is_refused_and_the_old_one_stays() {
    let (store, _) = store(SMALL);
    store.put(&key("a"), object("old")).unwrap();
    store.put(&key("b"), object("other")).unwrap();
    assert_eq!(store.put(&key("a"), object(vec![1; SMALL as usize])), Err(Full));
    assert_eq!(store.get(&key("a")), Some(object("old")));
    assert_eq!(store.usage().objects, 2);
}

#[test]
fn an_object_as_large_as_the_store_is_replaced_in_place() {
    let (store, _) = store(SMALL);
    let nearly = SMALL as usize - 200;
    for number in 0..100 {
        store.put(&key(&number.to_string()), object("x")).unwrap();
    }
    assert_eq!(store.put(&key("a"), object(vec![1; nearly])), Ok(Applied::Created));
    assert_eq!(store.put(&key("a"), object(vec![2; nearly + 10])), Ok(Applied::Replaced));
    assert_eq!(store.get(&key("a")).unwrap().value[0], 2);
    assert_eq!(store.put(&key("b"), object(vec![3; nearly])), Ok(Applied::Created));
    assert_eq!(store.get(&key("a")), None);
}

#[test]
fn a_growing_object_pushes_others_out_and_never_itself() {
    let (store, _) = store(SMALL);
    for number in 0..200 {
        store.put(&key(&number.to_string()), object(vec![1; 200])).unwrap();
    }
    for size in (0..SMALL as usize - 200).step_by(500) {
        assert_ne!(store.put(&key("0"), object(vec![2; size])), Err(Full));
        assert_eq!(store.get(&key("0")).unwrap().value.len(), size);
        assert!(store.usage().bytes <= SMALL);
    }
}

#[test]
fn what_is_over_goes_before_what_is_not() {
    let (store, clock) = store(SMALL);
    let mut stored = 0;
    while store.usage().bytes + 400 < SMALL {
        let object = if stored % 2 == 0 { until(10, vec![1; 100]) } else { object(vec![1; 100]) };
        store.put(&key(&stored.to_string()), object).unwrap();
        stored += 1;
    }
    clock.advance(Duration::from_millis(10));
    for number in 0..stored / 2 {
        store.put(&key(&format!("new {number}")), object(vec![1; 90])).unwrap();
    }
    assert_eq!(store.usage().evicted, 0);
    assert!((1..stored).step_by(2).all(|number| store.get(&key(&number.to_string())).is_some()));
}

#[test]
fn many_shards_share_one_bound() {
    let max_bytes = 16 << 20;
    let (store, _) = store(max_bytes);
    assert!(store.shards.len() > 1);
    for number in 0..40_000_usize {
        let size = if number % 100 == 0 { 200_000 } else { number % 500 };
        store.put(&key(&number.to_string()), object(vec![1; size])).unwrap();
        assert!(store.usage().bytes <= max_bytes);
    }
    // One object that takes most of all shards' bytes.
    assert_eq!(store.put(&key("huge"), object(vec![1; 12 << 20])), Ok(Applied::Created));
    let usage = store.usage();
    assert_eq!(held(&store), (usage.objects, usage.bytes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn bytes_and_objects_are_those_of_what_can_be_read(
        writes in prop::collection::vec((0_u16..400, prop_oneof![0_usize..300, 900_usize..6000], 0_u8..10), 1..1500)
    ) {
        let (store, _) = store(SMALL);
        let mut latest = HashMap::new();
        for (name, size, dice) in writes {
            let name = name.to_string();
            if dice == 0 {
                store.remove(&key(&name));
                latest.remove(&name);
            } else {
                store.put(&key(&name), object(vec![dice; size])).unwrap();
                latest.insert(name, (dice, size));
            }
            prop_assert!(store.usage().bytes <= SMALL);
        }
        let usage = store.usage();
        prop_assert_eq!(held(&store), (usage.objects, usage.bytes));
        for name in all_keys(&store, 10) {
            let value = store.get(&key(&name)).unwrap().value;
            prop_assert_eq!(latest.get(&name), Some(&(value.first().copied().unwrap_or(latest[&name].0), value.len())));
        }
    }
}
