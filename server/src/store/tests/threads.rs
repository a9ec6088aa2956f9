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
