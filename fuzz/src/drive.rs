//! Runs a target over its samples and over what the mutator makes of them.
//!
//! An input whose answer was not seen before joins the pool of samples. Invariant: the pool is bounded, and one seed
//! with a number of inputs is one and the same run.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::mutate::Mutator;
use crate::targets::Target;

/// The processor time that one input may take.
pub const SLOW: Duration = Duration::from_secs(2);
/// The most inputs that are kept; beyond them a new one takes the place of an older one, but not of a sample.
const MAX_POOL: usize = 4096;
/// The most answers that are told apart.
const MAX_ANSWERS: usize = 1 << 16;
/// Time is looked at once in so many inputs.
const STRIDE: u64 = 64;

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// So many inputs beyond the samples.
    Inputs(u64),
    /// So long.
    Time(Duration),
}

/// What a run did.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// How many inputs were tried, samples among them.
    pub inputs: u64,
    /// How many different answers came.
    pub answers: usize,
}

/// An input that breaks its target.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the target {target} breaks: {what}")]
pub struct Finding {
    /// Which target.
    pub target: &'static str,
    /// What happened.
    pub what: String,
    /// With which input.
    pub input: Vec<u8>,
}

/// A folder of samples that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read samples at {}: {reason}", path.display())]
pub struct NoSamples {
    path: PathBuf,
    reason: std::io::Error,
}

/// Runs `target`; `before` sees each input before it is tried.
///
/// # Errors
/// The first [`Finding`].
pub fn run(
    target: &Target,
    samples: Vec<Vec<u8>>,
    seed: u64,
    bound: Bound,
    before: impl Fn(&[u8]),
) -> Result<Report, Finding> {
    let sample_count = samples.len();
    let mut pool = samples;
    let mut answers = HashSet::new();
    let mut inputs = 0;
    for sample in &pool {
        before(sample);
        answers.insert(try_one(target, sample)?);
        inputs += 1;
    }
    let start = Instant::now();
    let mut mutator = Mutator::new(seed, target.words, target.max_bytes);
    for made in 0_u64.. {
        let is_over = match bound {
            Bound::Inputs(count) => made >= count,
            Bound::Time(time) => made.is_multiple_of(STRIDE) && start.elapsed() >= time,
        };
        if is_over {
            break;
        }
        let input = mutator.next(&pool);
        before(&input);
        let answer = try_one(target, &input)?;
        inputs += 1;
        if answers.len() < MAX_ANSWERS && answers.insert(answer) {
            keep(&mut pool, sample_count, made, input);
        }
    }
    Ok(Report { inputs, answers: answers.len() })
}

fn keep(pool: &mut Vec<Vec<u8>>, sample_count: usize, number: u64, input: Vec<u8>) {
    if pool.len() < MAX_POOL {
        return pool.push(input);
    }
    let replaceable = pool.get_mut(sample_count..).unwrap_or_default();
    let place = number as usize % replaceable.len().max(1);
    if let Some(older) = replaceable.get_mut(place) {
        *older = input;
    }
}

/// Gives `target` one input.
///
/// # Errors
/// A [`Finding`] when it panics or is slow.
pub fn try_one(target: &Target, input: &[u8]) -> Result<String, Finding> {
    let found = |what: String| Finding { target: target.name, what, input: input.to_vec() };
    let before = processor_time();
    let answer = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let took = processor_time().saturating_sub(before);
    let answer = answer.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        found(text.or_else(|| panic.downcast_ref().copied()).unwrap_or("a panic without a text").to_owned())
    })?;
    if took > SLOW {
        return Err(found(format!("one input takes {took:?} of processor time, more than {SLOW:?}")));
    }
    Ok(answer)
}

/// The samples of a target: those in its code, then the files in its folder by name.
///
/// # Errors
/// [`NoSamples`] when the folder is there and cannot be read.
pub fn samples(target: &Target) -> Result<Vec<Vec<u8>>, NoSamples> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(target.name);
    let mut samples = (target.samples)();
    if !folder.exists() {
        return Ok(samples);
    }
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |reason| NoSamples { path, reason }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed(&folder))? {
        paths.push(entry.map_err(failed(&folder))?.path());
    }
    paths.sort_unstable();
    for path in paths {
        samples.push(std::fs::read(&path).map_err(failed(&path))?);
    }
    Ok(samples)
}

/// Of this thread, so that a busy machine makes nothing look slow.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
