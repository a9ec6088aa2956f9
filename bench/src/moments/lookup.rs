//! What it costs to find a key's owner in rings of many members; in this process, nothing else.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ringhold_ring::{Digest, MemberAddress, Placement, Ring, View};

use super::{Findings, Series, goal};
use crate::error::Error;
use crate::programs::Lab;
use crate::rounds::Effort;

const MEMBERS: [usize; 5] = [3, 10, 50, 200, 1000];
/// The largest ring that the goal is about.
const LARGE: usize = 200;
/// Few enough that a round is rarely interrupted.
const LOOKUPS: u64 = 5_000;
const ROUNDS: usize = 40;

pub fn run(_lab: &Lab, _effort: Effort) -> Result<Findings, Error> {
    let (mut rows, mut points, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    for members in MEMBERS {
        let [modulo, rendezvous] =
            [Placement::Modulo, Placement::Rendezvous].map(|placement| nanos(placement, members));
        let (modulo, rendezvous) = (modulo?, rendezvous?);
        if members <= LARGE {
            worst = worst.max(modulo).max(rendezvous);
        }
        points.push((format!("{members}, modulo"), modulo));
        points.push((format!("{members}, rendezvous"), rendezvous));
        rows.push([members.to_string(), format!("{modulo:.0}"), format!("{rendezvous:.0}")]);
    }
    Ok(Findings {
        measured: format!("the quickest of {ROUNDS} rounds of {LOOKUPS} keys, each once; all members online"),
        goals: vec![goal(
            "owner of a key, up to 200 members",
            "time",
            "below 1,000 ns",
            format!("{worst:.0} ns"),
            worst < 1000.0,
        )],
        series: Some(Series { label: "nanoseconds to find an owner, by members".into(), points }),
        ..Findings::of(["members", "modulo, ns", "rendezvous, ns"], rows)
    })
}

fn nanos(placement: Placement, members: usize) -> Result<f64, Error> {
    let failed = |what: String| Error::Program { program: "the ring".into(), what };
    let address = |at: usize| format!("10.0.{}.{}:9999", at / 250, at % 250 + 1).parse::<MemberAddress>();
    let addresses: Result<Vec<_>, _> = (0..members).map(address).collect();
    let addresses = addresses.map_err(|error| failed(error.to_string()))?;
    let ring = Ring::new(addresses, placement, 1).map_err(|error| failed(error.to_string()))?;
    let (me, _) = ring.members().next().ok_or_else(|| failed("it is empty".into()))?;
    let view = View::all_online(Arc::new(ring), me);
    let mut rounds = Vec::new();
    for round in 0..ROUNDS as u64 {
        // A new key each time: one key over and over would teach the processor its members.
        let digests: Vec<_> =
            (0..LOOKUPS).map(|number| Digest::of(&(round * LOOKUPS + number).to_be_bytes())).collect();
        let begun = Instant::now();
        for digest in digests {
            black_box(view.lookup(black_box(digest)));
        }
        rounds.push(begun.elapsed().as_nanos() as f64 / LOOKUPS as f64);
    }
    // What else the machine does only adds.
    Ok(rounds.into_iter().fold(f64::INFINITY, f64::min))
}
