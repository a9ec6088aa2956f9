//! With one seed, all that happens is the same every time: what is evicted, and in which order a scan shows it.

use super::*;

/// What is left of many writes, in the order of a scan.
fn history(seed: u64) -> Vec<String> {
    let settings = Settings { max_bytes: 256 << 10, max_object_bytes: usize::MAX, default_ttl: None };
    let clock = Clock::manual(START);
    let store = Store::seeded(&settings, clock.clone(), seed);
    for number in 0..5000_u64 {
        let name = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 3000;
        store.put(&key(&name.to_string()), until(2000 + number, vec![1; (number % 300) as usize])).unwrap();
        let _ = store.get(&key(&(name / 2).to_string()));
        if number % 100 == 0 {
            clock.advance(Duration::from_millis(50));
            store.expire(Some(Duration::from_secs(1)));
        }
    }
    assert!(store.usage().evicted > 0);
    all_keys(&store, 10)
}

#[test]
fn a_seed_repeats_a_history_exactly() {
    assert_eq!(history(1), history(1));
    assert_ne!(history(1), history(2));
}

#[test]
fn without_a_seed_no_two_stores_are_alike() {
    let order = || {
        let (store, _) = store(ROOMY);
        for number in 0..1000 {
            store.put(&key(&number.to_string()), object("x")).unwrap();
        }
        all_keys(&store, 10)
    };
    assert_ne!(order(), order());
}
