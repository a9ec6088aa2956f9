//! Hit rates against an exact LRU and against published policies, on the same traces.
//!
//! Every cache holds a tenth of the keys. Objects are of one size, so that a number of objects and a number of
//! bytes are the same bound.

use std::collections::{BTreeMap, HashMap};

use super::super::parts::OVERHEAD_BYTES;
use super::*;

const KEYS: u64 = 10_000;
const CACHED: u64 = KEYS / 10;
const REQUESTS: usize = 100_000;

/// A sequence of numbers that looks random, and is the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Zipf-distributed keys with exponent 0.99.
fn zipf(requests: usize) -> Vec<u64> {
    let weights = (1..=KEYS).scan(0.0, |sum, rank| {
        *sum += (rank as f64).powf(-0.99);
        Some(*sum)
    });
    let sums: Vec<f64> = weights.collect();
    let mut dice = Dice(7);
    (0..requests)
        .map(|_| {
            let point = dice.roll() as f64 / u64::MAX as f64 * sums[sums.len() - 1];
            sums.partition_point(|sum| *sum < point) as u64
        })
        .collect()
}

/// The same, interrupted by scans of twice as many keys as the caches hold, half of all requests.
fn scans() -> Vec<u64> {
    let scan_keys = 2 * CACHED;
    let mut fresh = KEYS;
    let mut trace = Vec::new();
    for part in zipf(REQUESTS / 2).chunks(scan_keys as usize) {
        trace.extend_from_slice(part);
        trace.extend(fresh..fresh + scan_keys);
        fresh += scan_keys;
    }
    trace
}

/// The part of the requests that `read` finds, after a miss has `write`n; the first fifth warms up.
fn hit_rate(trace: &[u64], mut access: impl FnMut(u64) -> bool) -> f64 {
    let (warm, counted) = trace.split_at(trace.len() / 5);
    for key in warm {
        access(*key);
    }
    counted.iter().filter(|key| access(**key)).count() as f64 / counted.len() as f64
}

fn ours(trace: &[u64]) -> f64 {
    const SIZE: usize = 84;
    let (store, _) = store(CACHED * (SIZE + 16 + OVERHEAD_BYTES) as u64);
    hit_rate(trace, |number| {
        let name = format!("{number:016}");
        let hit = store.get(&key(&name)).is_some();
        if !hit {
            store.put(&key(&name), object(vec![1; SIZE])).unwrap();
        }
        hit
    })
}

fn lru(trace: &[u64]) -> f64 {
    let mut used_at = HashMap::new();
    let mut by_use = BTreeMap::new();
    let mut time = 0_u64;
    hit_rate(trace, |key| {
        time += 1;
        let before = used_at.insert(key, time);
        by_use.insert(time, key);
        if let Some(before) = before {
            by_use.remove(&before);
        } else if used_at.len() as u64 > CACHED {
            let (_, oldest) = by_use.pop_first().unwrap();
            used_at.remove(&oldest);
        }
        before.is_some()
    })
}

/// Moka: TinyLFU admission in front of an LRU.
fn tiny_lfu(trace: &[u64]) -> f64 {
    let cache = moka::sync::Cache::new(CACHED);
    hit_rate(trace, |key| {
        let hit = cache.get(&key).is_some();
        if !hit {
            cache.insert(key, ());
        }
        cache.run_pending_tasks();
        hit
    })
}

/// Quick cache: CLOCK-Pro's kin of S3-FIFO.
fn clock_pro(trace: &[u64]) -> f64 {
    let cache = quick_cache::unsync::Cache::new(CACHED as usize);
    let mut cache: quick_cache::unsync::Cache<u64, ()> = cache;
    hit_rate(trace, |key| {
        let hit = cache.get(&key).is_some();
        if !hit {
            cache.insert(key, ());
        }
        hit
    })
}

fn compare(name: &str, trace: &[u64], margin: f64) {
    let (ours, lru) = (ours(trace), lru(trace));
    let (tiny_lfu, clock_pro) = (tiny_lfu(trace), clock_pro(trace));
    println!("{name}: ours {ours:.4}, LRU {lru:.4}, moka {tiny_lfu:.4}, quick_cache {clock_pro:.4}");
    assert!(ours > lru + margin, "{ours} is not {margin} above LRU's {lru}");
    let best = tiny_lfu.max(clock_pro);
    assert!(ours > best - 0.02, "{ours} is not within two points of {best}");
}

#[test]
fn on_a_skewed_load_more_is_found_than_with_lru() {
    compare("zipf 0.99", &zipf(REQUESTS), 0.02);
}

#[test]
fn scans_push_little_out() {
    compare("zipf with scans", &scans(), 0.02);
}
