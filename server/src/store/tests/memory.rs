//! Memory follows what is stored.

use super::*;

const OBJECTS: u64 = 100_000;

fn fill(store: &Store, lifetime: impl Fn(u64) -> u64) {
    for number in 0..OBJECTS {
        store.put(&key(&format!("{number:016}")), until(lifetime(number), vec![1; 100])).unwrap();
    }
}

#[test]
fn an_object_takes_at_most_64_bytes_beyond_its_own() {
    let (store, _) = store(ROOMY);
    for number in 0..OBJECTS {
        store.put(&key(&format!("{number:016}")), until(number, vec![1; 100])).unwrap();
        if number >= OBJECTS / 2 && number % 1000 == 0 {
            let beyond = store.allocated_bytes() as f64 / (number + 1) as f64 - 116.0;
            assert!(beyond <= 64.0, "{beyond} bytes with {number} objects");
        }
    }
}

#[test]
fn when_everything_has_expired_nothing_is_kept() {
    let (store, clock) = store(ROOMY);
    let empty = store.allocated_bytes();
    fill(&store, |_| 1000);
    clock.advance(Duration::from_secs(1));
    store.expire(None);
    assert_eq!(store.usage().objects, 0);
    assert_eq!(store.allocated_bytes(), empty);
}

#[test]
fn a_few_survivors_do_not_hold_the_memory_of_the_many() {
    let (store, clock) = store(ROOMY);
    fill(&store, |number| if number % 20 == 0 { 1_000_000 } else { 1000 });
    let full = store.allocated_bytes();
    clock.advance(Duration::from_secs(1));
    store.expire(None);
    assert_eq!(store.usage().objects, OBJECTS / 20);
    let kept = store.allocated_bytes();
    assert!(kept < full / 8, "{kept} of {full} bytes are kept");
    for number in (0..OBJECTS).step_by(20) {
        assert!(store.get(&key(&format!("{number:016}"))).is_some());
    }
    clock.advance(Duration::from_secs(1000));
    store.expire(None);
    assert_eq!(store.usage().objects, 0, "timers have followed the objects to where they moved");
}

#[test]
fn overwriting_with_other_sizes_does_not_let_memory_grow() {
    let (store, _) = store(8 << 20);
    let mut dice = 1_u64;
    for round in 0..200_000_u64 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Sizes drift, so that the pages of the first ones empty slowly.
        let size = (dice >> 40) % 100 + round / 1000;
        store.put(&key(&format!("{:016}", (dice >> 20) % 20_000)), object(vec![1; size as usize])).unwrap();
        if round % 1000 == 0 {
            store.expire(None);
        }
    }
    let (allocated, held) = (store.allocated_bytes() as u64, store.usage().bytes);
    assert!(allocated < held * 5 / 4, "{allocated} bytes are allocated for {held}");
}
