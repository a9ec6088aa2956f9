//! Rate limit: counters with windows, each incremented in the order of the document, up to the first that is over.
//!
//! A window is fixed: it starts with its first increment, and ends `window_seconds` later. What is stored is what is
//! answered. Limits that the document does not name stay until their window ends, so the value stays small.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use ringhold_ring::{Timestamp, Ttl};
use serde::{Deserialize, Serialize};

use super::json::{Record, describe, excerpt, read, read_stored, write};
use super::{PatchError, Patched};
use crate::object::Object;

/// The most limits of one patch.
pub(super) const MAX_PATCH_LIMITS: usize = 32;
/// The most limits of one object.
pub(super) const MAX_LIMITS: usize = 1000;
/// The longest name of a limit, in bytes of UTF-8.
pub(super) const MAX_NAME_BYTES: usize = 128;
/// The largest maximum, and where a count stops: above it not every JSON reader is exact.
pub(super) const MAX_COUNT: u64 = 1 << 53;

const SHAPE: &str = r#"a rate limit patch is {"limits": [{"name": "minute", "maximum": 10, "window_seconds": 60}]} with 1 to 32 limits, names of 1 to 128 bytes, maximum up to 2^53, window_seconds from 1 to 2147483647"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(borrow)]
    limits: Vec<Record<Limit<'a>>>,
}

/// A limit as the document gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    maximum: u64,
    window_seconds: u64,
}

/// What is stored and answered.
#[derive(Serialize)]
struct Answer<'a> {
    limits: Vec<Counter<'a>>,
    over: Option<Cow<'a, str>>,
}

/// What is read back of it: all else follows.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    limits: Vec<Record<Counter<'a>>>,
}

/// A limit and its use.
#[derive(Clone, Serialize, Deserialize)]
struct Counter<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    maximum: u64,
    window_seconds: u64,
    used: u64,
    #[serde(skip_deserializing)]
    remaining: u64,
    /// None: no window is open, and nothing is used.
    window_ends_ms: Option<u64>,
}

pub(super) fn apply(
    current: Option<&Object>,
    document: &Bytes,
    now: Timestamp,
) -> Result<Patched, PatchError> {
    let limits = parse(document)?;
    let now = now.as_millis();
    let mut before = current.map_or_else(|| Ok(Vec::new()), stored)?;
    before.retain(|counter| counter.window_ends_ms.is_some_and(|ends| ends > now));

    let places: HashMap<&str, usize> =
        before.iter().enumerate().map(|(place, counter)| (counter.name.as_ref(), place)).collect();
    let mut named = HashSet::new();
    let (mut counters, mut over) = (Vec::with_capacity(limits.len()), None);
    for limit in limits {
        let place = places.get(limit.name.as_ref()).copied();
        named.extend(place);
        let mut counter = Counter::new(limit, place.and_then(|place| before.get(place)), now);
        if over.is_none() {
            counter.increment(now);
            over = (counter.used > counter.maximum).then(|| counter.name.clone());
        }
        counters.push(counter.with_remaining());
    }
    let others = before.iter().enumerate().filter(|(place, _)| !named.contains(place));
    counters.extend(others.map(|(_, counter)| counter.clone().with_remaining()));
    if counters.len() > MAX_LIMITS {
        return Err(PatchError::Conflict(format!(
            "it would hold {} limits, and one object holds at most {MAX_LIMITS}; those whose window has ended are \
             dropped, so use other keys or wait",
            counters.len()
        )));
    }
    write(&Answer { limits: counters, over })
}

impl<'a> Counter<'a> {
    /// `limit` with what was used of it before. A window keeps its start when its length changes.
    fn new(limit: Limit<'a>, before: Option<&Counter<'_>>, now: u64) -> Self {
        let Limit { name, maximum, window_seconds } = limit;
        let open = before.and_then(|before| {
            let longer_ms = signed(window_seconds).saturating_sub(signed(before.window_seconds)) * 1000;
            let ends = before.window_ends_ms?.saturating_add_signed(longer_ms);
            (ends > now).then_some((before.used, ends))
        });
        let used = open.map_or(0, |(used, _)| used);
        let window_ends_ms = open.map(|(_, ends)| ends);
        Self { name, maximum, window_seconds, used, remaining: 0, window_ends_ms }
    }

    fn increment(&mut self, now: u64) {
        self.used = (self.used + 1).min(MAX_COUNT);
        self.window_ends_ms.get_or_insert(now.saturating_add(self.window_seconds.saturating_mul(1000)));
    }

    fn with_remaining(self) -> Self {
        Self { remaining: self.maximum.saturating_sub(self.used), ..self }
    }

    fn is_sound(&self) -> bool {
        is_sound(&self.name, self.maximum, self.window_seconds) && self.used <= MAX_COUNT
    }
}

/// A checked number of seconds; a thousand times as many still fit.
fn signed(seconds: u64) -> i64 {
    i64::from(u32::try_from(seconds).unwrap_or(Ttl::MAX_SECONDS))
}

fn is_sound(name: &str, maximum: u64, window_seconds: u64) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && maximum <= MAX_COUNT
        && (1..=u64::from(Ttl::MAX_SECONDS)).contains(&window_seconds)
}

fn parse(document: &Bytes) -> Result<Vec<Limit<'_>>, PatchError> {
    let malformed = |why: String| Err(PatchError::Malformed(format!("{why}; {SHAPE}")));
    let Document { limits } = read(document, SHAPE)?;
    let limits: Vec<_> = limits.into_iter().map(|Record(limit)| limit).collect();
    if !(1..=MAX_PATCH_LIMITS).contains(&limits.len()) {
        return malformed(format!("it has {} limits", limits.len()));
    }
    let mut names = HashSet::new();
    for limit in &limits {
        if !is_sound(&limit.name, limit.maximum, limit.window_seconds) {
            return malformed(format!("the limit {} is out of range", excerpt(&limit.name)));
        }
        if !names.insert(limit.name.as_ref()) {
            return malformed(format!("two limits are named {}", excerpt(&limit.name)));
        }
    }
    Ok(limits)
}

fn are_distinct(counters: &[Counter<'_>]) -> bool {
    let mut names = HashSet::new();
    counters.iter().all(|counter| names.insert(counter.name.as_ref()))
}

fn stored(object: &Object) -> Result<Vec<Counter<'_>>, PatchError> {
    let counters = read_stored(object)
        .map(|Stored { limits }| limits.into_iter().map(|Record(counter)| counter).collect::<Vec<_>>());
    match counters {
        Some(counters) if counters.iter().all(Counter::is_sound) && are_distinct(&counters) => Ok(counters),
        _ => Err(PatchError::Conflict(format!(
            r#"rate limits are stored as {{"limits": [{{"name", "maximum", "window_seconds", "used", "remaining", "window_ends_ms"}}], "over": null}}, and this is {}"#,
            describe(object)
        ))),
    }
}
