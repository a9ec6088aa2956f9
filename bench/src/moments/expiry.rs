//! As many objects as the effort has, all of which expire within one second: what readers of others notice, and when
//! the memory is back.

use std::time::{Duration, Instant};

use super::{Findings, MIB, VALUE_BYTES, bulk, goal, once, server};
use crate::error::Error;
use crate::load::{Operation, Outcome, Pace, Plan, Span};
use crate::process::{GENERATOR, SERVERS_AHEAD};
use crate::programs::{Kind, Lab, Link};
use crate::replay::held;
use crate::rounds::Effort;

const RATE: u32 = 5_000;
const CHUNKS: usize = 10;
/// Storing them must be over by then.
const LIFE: Duration = Duration::from_secs(20);
/// Watching begins so long before the last of them expires, and ends two seconds after.
const BEFORE: Duration = Duration::from_millis(1500);
const WATCHED: Duration = Duration::from_millis(3500);
/// Of what the objects took, so much must be given back.
const GIVEN_BACK: f64 = 0.9;

pub fn run(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let setup = lab.start(Kind::Ringhold(Link::Plain), SERVERS_AHEAD)?;
    let server = server(&setup)?;
    let lasting: Vec<_> = (0..1024).map(|number| format!("lasting-{number:08}")).collect();
    once(&setup, Operation::Put, &lasting)?;
    let watch = || {
        let pace = Pace::Open { per_second: RATE };
        let span = Span::Timed { warm_up: Duration::ZERO, measured: WATCHED };
        Plan { connections: 32, pace, span, ..bulk(&setup, Operation::Get, &lasting) }.run(GENERATOR)
    };
    let quiet = watch()?;
    let empty = server.resident_bytes()? as f64;
    let end = Instant::now() + LIFE;
    // Lives are whole seconds: each chunk gets as many as bring its end into the last second.
    for chunk in setup.keys(effort.objects, VALUE_BYTES).chunks(effort.objects.div_ceil(CHUNKS)) {
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        let ttl_seconds = Some(u32::try_from(left).unwrap_or(u32::MAX).max(1));
        Plan { ttl_seconds, ..bulk(&setup, Operation::Put, chunk) }.run(GENERATOR)?;
    }
    let full = server.resident_bytes()? as f64;
    let first = end.checked_sub(BEFORE).unwrap_or(end);
    if Instant::now() >= first {
        let what =
            format!("storing the objects took longer than they live, {LIFE:?}: the machine is too busy");
        return Err(Error::Program { program: "the load generator".into(), what });
    }
    std::thread::sleep(first.saturating_duration_since(Instant::now()));
    let during = watch()?;
    std::thread::sleep((end + Duration::from_secs(2)).saturating_duration_since(Instant::now()));
    let after = server.resident_bytes()? as f64;
    let left = held(setup.target)?;
    if left != lasting.len() {
        let what = format!("{left} objects are left 2 s after all but {} have expired", lasting.len());
        return Err(Error::Answer { from: "ringhold".into(), what });
    }
    let back = (full - after) / (full - empty).max(1.0);

    let row = |when: &str, outcome: &Outcome, resident: f64| {
        let Outcome { p50_us, p99_us, p999_us, .. } = outcome;
        let [p50, p99, p999] = [p50_us, p99_us, p999_us].map(|latency| format!("{latency:.0}"));
        [when.into(), p50, p99, p999, format!("{:.1}", resident / MIB)]
    };
    Ok(Findings {
        measured: format!(
            "{} objects of 100 B; GET of 1,024 others at {RATE} a second, open loop",
            effort.objects
        ),
        note: format!(
            "With all of them the node had {:.1} MiB. The last figure of resident memory is taken 2 s after the last \
             object has expired.",
            full / MIB
        ),
        goals: vec![
            goal(
                "GET while objects expire",
                "p99",
                "at most 2 ms",
                format!("{:.2} ms", during.p99_us / 1000.0),
                during.p99_us <= 2000.0,
            ),
            goal(
                "their memory",
                "given back within 2 s",
                "at least 90 %",
                format!("{:.0} %", back * 100.0),
                back >= GIVEN_BACK,
            ),
        ],
        ..Findings::of(
            ["when", "p50 us", "p99 us", "p99.9 us", "resident MiB at its end"],
            vec![row("before they are stored", &quiet, empty), row("while they expire", &during, after)],
        )
    })
}
