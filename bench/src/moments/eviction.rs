//! Hit rates on two traces: Ringhold's through its HTTP API, others' policies in this process, all holding as many
//! objects.
//!
//! Objects are of one size, so that a number of objects and a number of bytes are the same bound.

use std::collections::{BTreeMap, HashMap};

use super::{Findings, goal};
use crate::error::Error;
use crate::process::{SERVERS, addresses};
use crate::programs::{Lab, Node};
use crate::replay::{Cache, VALUE_BYTES, held};
use crate::rounds::Effort;

/// What a store accounts for each object of 16 bytes of key and a value: those, and 64 bytes.
const OBJECT_BYTES: usize = 16 + VALUE_BYTES + 64;
/// Keys, of which the cache holds one in so many.
const KEYS: usize = 100_000;
const SHARE: usize = 10;
/// So many requests at least: below, caches are still filling.
const REQUESTS: usize = 300_000;
/// Below the best of the others by so many points of a hundred.
const POINTS: f64 = 2.0;

pub fn run(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let requests = effort.objects.max(REQUESTS);
    let (mut rows, mut goals) = (Vec::new(), Vec::new());
    for (name, trace) in [("zipf 0.99", zipf(KEYS, requests)), ("zipf and scans", scans(KEYS, requests))] {
        let (ours, held) = ringhold(lab, &trace)?;
        let rates =
            [ours, lru(held, &trace), moka(held, &trace), quick_cache(held, &trace)].map(|rate| rate * 100.0);
        let [ours, lru, moka, quick] = rates;
        let best = moka.max(quick);
        eprintln!("  {name}: {rates:.1?} with {held} objects");
        let percent = |rate: f64| format!("{rate:.1} %");
        goals.push(goal(
            &format!("{name}, ringhold"),
            "hit rate",
            &format!("above LRU's {}", percent(lru)),
            percent(ours),
            ours > lru,
        ));
        let wanted = format!("at least {} (the best of the others less {POINTS})", percent(best - POINTS));
        goals.push(goal(
            &format!("{name}, ringhold"),
            "hit rate",
            &wanted,
            percent(ours),
            ours >= best - POINTS,
        ));
        let [ours, lru, moka, quick] = rates.map(|rate| format!("{rate:.1}"));
        rows.push([name.into(), held.to_string(), ours, lru, moka, quick]);
    }
    Ok(Findings {
        measured: format!("{requests} requests of each trace, the first fifth not counted"),
        note: format!(
            "{KEYS} keys, of which the store has room for a tenth; a miss is stored. The second trace is the first, with \
             scans of keys that never come back between, half of all requests. Others hold as many objects as Ringhold \
             held at the end. LRU is exact; moka is TinyLFU before an LRU; quick_cache is a kin of S3-FIFO and CLOCK-Pro."
        ),
        goals,
        ..Findings::of(["trace", "objects held", "ringhold, %", "LRU, %", "moka, %", "quick_cache, %"], rows)
    })
}

/// The hit rate, and how many objects the node held at the end.
fn ringhold(lab: &Lab, trace: &[u64]) -> Result<(f64, usize), Error> {
    let [address] = addresses()?;
    let max_bytes = (KEYS / SHARE * OBJECT_BYTES) as u64;
    let _server = lab.ringhold(&Node { max_bytes, ..Node::of(address, &[address]) }, SERVERS)?;
    let mut cache = Cache::connect(address)?;
    let (warm, counted) = trace.split_at(trace.len() / 5);
    cache.replay(warm)?;
    let hits = cache.replay(counted)?;
    Ok((hits as f64 / counted.len() as f64, held(address)?))
}

/// The part of the requests that hit; the first fifth warms up.
fn hit_rate(trace: &[u64], mut access: impl FnMut(u64) -> bool) -> f64 {
    let (warm, counted) = trace.split_at(trace.len() / 5);
    for key in warm {
        access(*key);
    }
    counted.iter().filter(|key| access(**key)).count() as f64 / counted.len() as f64
}

fn lru(held: usize, trace: &[u64]) -> f64 {
    let (mut used_at, mut by_use, mut time) = (HashMap::new(), BTreeMap::new(), 0_u64);
    hit_rate(trace, |key| {
        time += 1;
        let before = used_at.insert(key, time);
        by_use.insert(time, key);
        if let Some(before) = before {
            by_use.remove(&before);
        } else if used_at.len() > held
            && let Some((_, oldest)) = by_use.pop_first()
        {
            used_at.remove(&oldest);
        }
        before.is_some()
    })
}

fn moka(held: usize, trace: &[u64]) -> f64 {
    let cache = moka::sync::Cache::new(held as u64);
    hit_rate(trace, |key| {
        let hit = cache.get(&key).is_some();
        if !hit {
            cache.insert(key, ());
        }
        cache.run_pending_tasks();
        hit
    })
}

fn quick_cache(held: usize, trace: &[u64]) -> f64 {
    let mut cache: quick_cache::unsync::Cache<u64, ()> = quick_cache::unsync::Cache::new(held);
    hit_rate(trace, |key| {
        let hit = cache.get(&key).is_some();
        if !hit {
            cache.insert(key, ());
        }
        hit
    })
}

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

/// Keys by Zipf's law with exponent 0.99.
fn zipf(keys: usize, requests: usize) -> Vec<u64> {
    let weights = (1..=keys).scan(0.0, |sum, rank| {
        *sum += (rank as f64).powf(-0.99);
        Some(*sum)
    });
    let sums: Vec<f64> = weights.collect();
    let all = sums.last().copied().unwrap_or_default();
    let mut dice = Dice(7);
    let key = |_| {
        let point = dice.roll() as f64 / u64::MAX as f64 * all;
        sums.partition_point(|sum| *sum < point) as u64
    };
    (0..requests).map(key).collect()
}

/// The same, interrupted by scans of twice as many keys as fit, half of all requests.
fn scans(keys: usize, requests: usize) -> Vec<u64> {
    let scanned = keys / SHARE * 2;
    let mut fresh = keys as u64;
    let mut trace = Vec::with_capacity(requests);
    for part in zipf(keys, requests / 2).chunks(scanned.max(1)) {
        trace.extend_from_slice(part);
        trace.extend(fresh..fresh + scanned as u64);
        fresh += scanned as u64;
    }
    trace
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_lru_keeps_what_was_used_last() {
        // The first two warm up; then 1 is there, 3 drives 2 out, 1 is still there, 2 is not.
        let trace = [1, 2, 1, 3, 1, 2, 9, 9, 9, 9];
        let rate = lru(2, &trace);
        assert!((rate - 5.0 / 8.0).abs() < 1e-9, "{rate}");
    }

    #[test]
    fn half_of_a_trace_with_scans_are_keys_that_come_once() {
        let trace = scans(1000, 8000);
        let scanned: Vec<_> = trace.iter().filter(|key| **key >= 1000).collect();
        let mut once = scanned.clone();
        once.dedup();
        assert_eq!((scanned.len(), once.len(), trace.len()), (4000, 4000, 8000));
    }
}
