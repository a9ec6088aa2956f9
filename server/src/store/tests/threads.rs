//! Many threads at once.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn threads_at_once_see_whole_objects_and_leave_exact_counts() {
    let max_bytes = 8 << 20;
    let (store, clock) = store(max_bytes);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4_u64)
            .map(|thread| {
                let (store, clock) = (&store, &clock);
                scope.spawn(move || {
                    let mut dice = thread + 1;
                    for _ in 0..20_000 {
                        dice = dice
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let name = format!("{}", (dice >> 33) % 5000);
                        match (dice >> 20) % 10 {
                            0 => drop(store.remove(&key(&name))),
                            1..4 => {
                                if let Some(object) = store.get(&key(&name)) {
                                    let first = object.value[0];
                                    assert!(object.value.iter().all(|byte| *byte == first), "a torn value");
                                }
                            }
                            _ => {
                                let value = vec![dice as u8; 1 + (dice >> 40) as usize % 6000];
                                let expires_at =
                                    Some(clock.now() + Duration::from_millis((dice >> 25) % 400));
                                store.put(&key(&name), Object { expires_at, ..object(value) }).unwrap();
                            }
                        }
                        assert!(store.usage().bytes <= max_bytes);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                clock.advance(Duration::from_millis(1));
                store.expire(None);
                let _ = all_keys(&store, 50);
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Release);
    });
    clock.advance(Duration::from_millis(400));
    store.expire(None);
    assert_eq!((store.usage().objects, store.usage().bytes), (0, 0));
}

#[test]
fn the_latest_version_stays_whichever_thread_comes_last() {
    const VERSIONS: u64 = 20_000;
    const KEYS: u64 = 50;
    let (store, clock) = store(ROOMY);
    let record = |number: u64| match number % 4 {
        0 => tombstone(number, 1_000_000_000),
        1 => Record::Object(Object { version: version(number), ..until(number / 100, "short-lived") }),
        _ => Record::Object(Object { version: version(number), ..object(vec![1; number as usize % 2000]) }),
    };
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (store, clock) = (&store, &clock);
            scope.spawn(move || {
                let mut newest = vec![None; KEYS as usize];
                for step in 0..VERSIONS {
                    // Every thread writes all versions, each in another order.
                    let number = (step * [1, 7, 7919][thread as usize] + thread * 1000) % VERSIONS;
                    let name = (number % KEYS).to_string();
                    store.apply(&key(&name), record(number), Room::Evict).unwrap();
                    let found = store.newest(&key(&name));
                    assert!(found >= newest[(number % KEYS) as usize], "a version went backwards");
                    newest[(number % KEYS) as usize] = found;
                    if step % 100 == 0 {
                        clock.advance(Duration::from_millis(1));
                        store.expire(Some(Duration::from_secs(1_000_000)));
                    }
                }
            });
        }
    });
    let newest = |name: u64| store.newest(&key(&name.to_string()));
    assert!((0..KEYS).all(|name| newest(name) == Some(version(VERSIONS - KEYS + name))));
}
