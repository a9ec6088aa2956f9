//! Objects end when they should, to the millisecond, however far away that is.

use super::*;

#[test]
fn an_object_is_there_until_the_very_millisecond_of_its_expiry() {
    let (store, clock) = store(ROOMY);
    store.put(&key("a"), until(1000, "x")).unwrap();
    clock.advance(Duration::from_millis(999));
    store.expire(None);
    assert!(store.get(&key("a")).is_some());
    clock.advance(Duration::from_millis(1));
    assert_eq!(store.get(&key("a")), None);
    assert_eq!(store.version(&key("a")), None);
    assert_eq!(store.usage().objects, 1, "reading does not drop it");
    store.expire(None);
    assert_eq!((store.usage().objects, store.usage().bytes, store.usage().expired), (0, 0, 1));
}

#[test]
fn an_object_that_is_over_counts_as_absent_for_writes() {
    let (store, clock) = store(ROOMY);
    store.put(&key("a"), until(5, "x")).unwrap();
    store.put(&key("b"), until(5, "x")).unwrap();
    clock.advance(Duration::from_millis(5));
    assert_eq!(store.put(&key("a"), object("y")), Ok(Applied::Created));
    assert!(!store.remove(&key("b")));
    assert_eq!((store.usage().objects, store.usage().expired), (1, 2));
}

#[test]
fn each_level_of_the_wheel_hands_down_in_time() {
    let (store, clock) = store(ROOMY);
    // Lifetimes on both sides of every boundary between levels, up to the longest time to live.
    let longest = u64::from(ringhold_ring::Ttl::MAX_SECONDS) * 1000;
    let mut lifetimes: Vec<u64> = (0..7)
        .flat_map(|level| {
            let span = 1_u64 << (6 * level);
            [1, 2, 31, 63, 64].map(|times| span * times).into_iter().flat_map(|at| [at - 1, at, at + 1])
        })
        .chain([longest - 1, longest])
        .filter(|lifetime| (1..=longest).contains(lifetime))
        .collect();
    lifetimes.sort_unstable();
    lifetimes.dedup();
    for lifetime in &lifetimes {
        store.put(&key(&lifetime.to_string()), until(*lifetime, "x")).unwrap();
    }
    let mut turned = 0;
    for (gone, lifetime) in lifetimes.iter().enumerate() {
        clock.advance(Duration::from_millis(lifetime - 1 - turned));
        store.expire(None);
        assert_eq!(store.usage().expired, gone as u64, "something left before {lifetime} ms");
        clock.advance(Duration::from_millis(1));
        store.expire(None);
        assert_eq!(store.usage().expired, gone as u64 + 1, "nothing left at {lifetime} ms");
        turned = *lifetime;
    }
    assert_eq!(store.usage().objects, 0);
}

#[test]
fn a_new_expiry_takes_the_place_of_the_old() {
    let (store, clock) = store(ROOMY);
    store.put(&key("longer"), until(10, "x")).unwrap();
    store.put(&key("longer"), until(100, "x")).unwrap();
    store.put(&key("shorter"), until(100_000, "x")).unwrap();
    store.put(&key("shorter"), until(10, "larger than before")).unwrap();
    store.put(&key("forever"), until(10, "x")).unwrap();
    store.put(&key("forever"), object("x")).unwrap();
    clock.advance(Duration::from_millis(10));
    store.expire(None);
    assert_eq!((store.usage().expired, store.usage().objects), (1, 2));
    clock.advance(Duration::from_millis(90));
    store.expire(None);
    assert_eq!((store.usage().expired, store.usage().objects), (2, 1));
    assert!(store.get(&key("forever")).is_some());
}

#[test]
fn a_late_caller_finds_everything_that_is_due_at_once() {
    let (store, clock) = store(ROOMY);
    for number in 0..20_000_u64 {
        store.put(&key(&number.to_string()), until(1 + number * 50, "x")).unwrap();
    }
    clock.advance(Duration::from_millis(1 + 15_000 * 50));
    store.expire(None);
    assert_eq!((store.usage().expired, store.usage().objects), (15_001, 4_999));
}

#[test]
fn an_object_stored_after_its_time_is_never_seen_and_soon_gone() {
    let (store, clock) = store(ROOMY);
    clock.advance(Duration::from_millis(500));
    store.put(&key("a"), until(100, "x")).unwrap();
    assert_eq!(store.get(&key("a")), None);
    store.expire(None);
    assert_eq!(store.usage().objects, 0);
}
