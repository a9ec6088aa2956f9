//! What the store's operations cost with 1,000,000 objects of 100 bytes: `cargo bench -p ringhold-server store`.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use divan::{Bencher, black_box};
use ringhold_config::Store as Settings;
use ringhold_ring::{Key, MemberAddress, VersionClock, WriterId};
use ringhold_server::clock::Clock;
use ringhold_server::object::{ContentType, Object, Record};
use ringhold_server::store::{Room, Store};

const OBJECTS: u64 = 1_000_000;
const THREADS: [usize; 2] = [1, 2];

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::system);
static VERSIONS: LazyLock<VersionClock> = LazyLock::new(|| {
    let member: MemberAddress = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
    VersionClock::new(WriterId::of(&member))
});
/// Room for everything.
static ROOMY: LazyLock<Store> = LazyLock::new(|| filled(8 << 30));
/// Room for half of it: nearly every put of a new key evicts.
static FULL: LazyLock<Store> = LazyLock::new(|| filled(OBJECTS * 90));

fn main() {
    divan::main();
}

fn filled(max_bytes: u64) -> Store {
    let store =
        Store::new(&Settings { max_bytes, max_object_bytes: 1 << 20, default_ttl: None }, CLOCK.clone());
    for number in 0..OBJECTS {
        put(&store, number, 100);
    }
    store
}

fn put(store: &Store, number: u64, bytes: usize) {
    static ZEROS: [u8; 4096] = [0; 4096];
    let text = format!("{number:016}");
    if let Ok(key) = Key::new(text.as_str()) {
        let now = CLOCK.now();
        let object = Object {
            value: Bytes::from_static(&ZEROS[..bytes]),
            content_type: ContentType::Json,
            version: VERSIONS.next(now),
            expires_at: Some(now + Duration::from_secs(3600)),
        };
        let _ = black_box(store.apply(&key, Record::Object(object), Room::Evict));
    }
}

/// Numbers in an order that no cache foresees.
fn scattered() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mixed = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
}

/// What making the key costs, which every other figure contains.
#[divan::bench(threads = THREADS, sample_count = 100, sample_size = 1000)]
fn key_only(bencher: Bencher<'_, '_>) {
    bencher.bench(|| black_box(Key::new(format!("{:016}", scattered() % OBJECTS)).is_ok()));
}

#[divan::bench(threads = THREADS, sample_count = 100, sample_size = 1000)]
fn get(bencher: Bencher<'_, '_>) {
    let store = &*ROOMY;
    bencher.bench(|| {
        let text = format!("{:016}", scattered() % OBJECTS);
        Key::new(text.as_str()).ok().and_then(|key| store.get(&key))
    });
}

#[divan::bench(threads = THREADS, sample_count = 100, sample_size = 1000)]
fn overwrite(bencher: Bencher<'_, '_>) {
    let store = &*ROOMY;
    bencher.bench(|| put(store, scattered() % OBJECTS, 100));
}

#[divan::bench(threads = THREADS, sample_count = 100, sample_size = 1000)]
fn overwrite_with_other_sizes(bencher: Bencher<'_, '_>) {
    let store = &*ROOMY;
    bencher.bench(|| {
        let number = scattered();
        put(store, number % OBJECTS, (number >> 20) as usize % 1000);
    });
}

#[divan::bench(threads = THREADS, sample_count = 100, sample_size = 1000)]
fn put_and_evict(bencher: Bencher<'_, '_>) {
    let store = &*FULL;
    bencher.bench(|| put(store, OBJECTS + scattered(), 100));
}

/// 1,000,000 objects that expire at once: all of the work that the wheel leaves to be done.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn expire_all(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| {
            let clock = Clock::manual(CLOCK.now());
            let settings = Settings { max_bytes: 8 << 30, max_object_bytes: 1 << 20, default_ttl: None };
            let store = Store::new(&settings, clock.clone());
            for number in 0..OBJECTS {
                put(&store, number, 100);
            }
            clock.advance(Duration::from_secs(7200));
            store
        })
        .bench_values(|store| {
            store.expire(None);
            assert_eq!(store.usage().objects, 0);
        });
}
