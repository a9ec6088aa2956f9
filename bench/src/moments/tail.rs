//! The slowest of a thousand reads at half of what the node can do, while writes make it evict and expire.
//!
//! What it can do is found with those writes and in an open loop: requests that each come alone cost twice what they do
//! in a closed loop, and a server that is ahead of all else and never rests is stopped by the kernel for 50 ms of each second
//! (`sched_rt_runtime_us`), which is not what is to be measured.

use std::time::Duration;

use super::{Findings, VALUE_BYTES, bulk, goal, once};
use crate::error::Error;
use crate::load::{Dialect, Missing, Operation, Outcome, Pace, Plan, Span};
use crate::process::{BEHIND, GENERATOR, SERVERS_AHEAD, addresses};
use crate::programs::{Kind, Lab, Node, Setup};
use crate::rounds::Effort;
use crate::table::median;

/// Full with a third of a million objects.
const MAX_BYTES: u64 = 64 << 20;
const FILLING: usize = 500_000;
const READ: usize = 1024;
/// A rate is too high once a hundredth of the reads waits for longer.
const TOO_LONG_US: f64 = 5_000.0;
/// New objects that live for a second, each of which pushes another one out.
const WRITES: u32 = 5_000;

pub fn run(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let [address] = addresses()?;
    let node = Node { max_bytes: MAX_BYTES, ..Node::of(address, &[address]) };
    let server = lab.ringhold(&node, SERVERS_AHEAD)?;
    let setup = Setup::one(server, address, Dialect::Objects, Some(address));
    let hot: Vec<_> = (0..READ).map(|number| format!("hot-{number:012}")).collect();
    let span = Span::Timed { warm_up: effort.warm_up, measured: effort.measured };
    once(&setup, Operation::Put, &hot)?;
    let floor = lab.start(Kind::Trivial, SERVERS_AHEAD)?;
    let read = |from, pace| Plan {
        connections: 64,
        pace,
        span,
        missing: Missing::Counts,
        ..bulk(from, Operation::Get, &hot)
    };
    let most = read(&setup, Pace::Closed { depth: 1 }).run(GENERATOR)?.per_second;
    // Reads before and after, so that what is read is seen to be wanted while the store fills up.
    once(&setup, Operation::Put, &setup.keys(FILLING, VALUE_BYTES))?;
    once(&setup, Operation::Put, &hot)?;
    let fresh: Vec<_> = (0..50_000).map(|number| format!("fresh-{number:010}")).collect();
    let writes = Plan {
        connections: 16,
        pace: Pace::Open { per_second: WRITES },
        span: Span::Timed { warm_up: effort.warm_up, measured: effort.measured + Duration::from_millis(200) },
        ttl_seconds: Some(1),
        ..bulk(&setup, Operation::Put, &fresh)
    };
    let beside_writes = |pace| {
        let writing = writes.start(BEHIND)?;
        let outcome = read(&setup, pace).run(GENERATOR)?;
        writing.wait::<Outcome>()?;
        Ok::<_, Error>(outcome)
    };
    let mut sustained = most * 0.1;
    for tenths in (2..10).rev() {
        let rate = most * f64::from(tenths) / 10.0;
        if beside_writes(Pace::Open { per_second: rate as u32 })?.p99_us < TOO_LONG_US {
            sustained = rate;
            break;
        }
    }
    let half = Pace::Open { per_second: (sustained / 2.0) as u32 };
    let (mut nothing, mut alone, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        nothing.push(read(&floor, half).run(GENERATOR)?);
        alone.push(read(&setup, half).run(GENERATOR)?);
        beside.push(beside_writes(half)?);
    }
    let middle = |of: fn(&Outcome) -> f64, outcomes: &[Outcome]| median(outcomes.iter().map(of).collect());
    let row = |what: &str, outcomes: &[Outcome]| {
        let figures: [fn(&Outcome) -> f64; 4] = [|o| o.per_second, |o| o.p50_us, |o| o.p99_us, |o| o.p999_us];
        let [rate, p50, p99, p999] = figures.map(|of| format!("{:.0}", middle(of, outcomes)));
        let misses: u64 = outcomes.iter().map(|outcome| outcome.misses).sum();
        [what.into(), rate, p50, p99, p999, misses.to_string()]
    };
    // Where everything waits in line, p50 is no measure: the better one of both counts.
    let ratios =
        beside.iter().zip(&alone).map(|(beside, alone)| beside.p999_us / beside.p50_us.min(alone.p50_us));
    let ratio = median(ratios.collect());
    Ok(Findings {
        note: format!(
            "The maximum, {sustained:.0} a second, is the most in tenths of {most:.0}, what 64 connections reach in a closed \
             loop, that is answered with a p99 below 5 ms beside the writes. Reads are of {READ} objects in a store of \
             64 MiB that is full; {WRITES} writes a second of new objects that live for one second make it evict and \
             expire. The first row is what this machine and the generator do by themselves at that rate."
        ),
        goals: vec![goal(
            "GET at half of the maximum rate",
            "p99.9 to p50",
            "at most 5",
            format!("{ratio:.1}"),
            ratio <= 5.0,
        )],
        ..Findings::of(
            ["what", "requests/s", "p50 us", "p99 us", "p99.9 us", "misses"],
            vec![
                row("no parsing: the generator's floor", &nothing),
                row("reads alone", &alone),
                row("reads, and writes that evict and expire", &beside),
            ],
        )
    })
}
