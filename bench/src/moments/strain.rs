//! Clients that behave badly while others read: by how much the node's memory grows, and what the others notice.

use std::time::Duration;

use super::{Findings, MIB, bulk, goal, once, server};
use crate::error::Error;
use crate::load::{Dialect, Operation, Outcome, Pace, Plan, Sizes, Span};
use crate::process::{BEHIND, GENERATOR, SERVERS_AHEAD, Server, addresses};
use crate::programs::{Lab, Node, Setup};
use crate::rounds::Effort;
use crate::strain::{self, Manner};
use crate::table::median;
use crate::worker::Worker;

const RATE: u32 = 5_000;
/// `store.max_object_bytes` as it is without a setting.
const BODY_BYTES: usize = 2 << 20;
const LARGE_BYTES: usize = 1 << 20;
/// `limits.max_body_bytes_in_flight` as it is without a setting: by so much may memory grow.
const BOUND_MIB: f64 = 256.0;
/// `limits.max_connections` is 10,000 without a setting; others want to come in, too.
const LIMITS: &str = "\n[limits]\nmax_connections = 20000\n";
/// Until nearly all of them are there.
const GATHERING: Duration = Duration::from_secs(20);
const NEARLY_ALL: f64 = 0.95;
const WATCHED: Duration = Duration::from_secs(1);
const LOOKED_AT: Duration = Duration::from_millis(20);

const STRAINS: [(&str, Manner, usize); 6] = [
    ("10,000 idle connections", Manner::Idle, 10_000),
    ("1,000 that send half of a head", Manner::HalfOpen, 1_000),
    ("500 that read 1 MiB by 1 KiB a second", Manner::SlowReader, 500),
    ("500 that write a body by 1 byte a second", Manner::SlowWriter, 500),
    ("64 that ask for 1 MiB again and again and never read", Manner::NeverReads, 64),
    ("100 with bodies of 2 MiB, again each second", Manner::LargeBodies, 100),
];

pub fn run(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let (mut rows, mut goals, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, manner, connections) in STRAINS {
        let Strained { quiet, during, ratio, grown_mib } =
            match strained(lab, manner, connections, effort.rounds) {
                Ok(strained) => strained,
                Err(error) => {
                    eprintln!("  {name}: {error}");
                    failed.push(format!("{name}: {error}"));
                    continue;
                }
            };
        eprintln!("  {name}: p99 {:.0} to {:.0} us, {grown_mib:.1} MiB more", quiet.p99_us, during.p99_us);
        goals.push(goal(
            name,
            "p99 of others, to that without them",
            "at most 2",
            format!("{ratio:.2}"),
            ratio <= 2.0,
        ));
        let grown = format!("{grown_mib:.1} MiB");
        goals.push(goal(name, "resident memory, grown by", "at most 256 MiB", grown, grown_mib <= BOUND_MIB));
        let latencies =
            [quiet.p50_us, during.p50_us, quiet.p99_us, during.p99_us].map(|us| format!("{us:.0}"));
        let [p50, p50_then, p99, p99_then] = latencies;
        rows.push([
            name.into(),
            p50,
            p50_then,
            p99,
            p99_then,
            format!("{ratio:.2}"),
            format!("{grown_mib:.1}"),
            format!("{:.1}", grown_mib * 1024.0 / connections as f64),
        ]);
    }
    let columns = [
        "who",
        "p50 us of others before",
        "meanwhile",
        "p99 us before",
        "meanwhile",
        "ratio",
        "most MiB more",
        "KiB for each connection",
    ];
    Ok(Findings {
        measured: format!(
            "GET 100 B by others at {RATE} a second, open loop; {} rounds, in each {WATCHED:?} before and {WATCHED:?} \
             meanwhile; medians, also of the ratios",
            effort.rounds
        ),
        note: "Connections that the node ends are opened again after a second. The bound of memory is \
               `limits.max_body_bytes_in_flight`. Bodies go to keys that are stored before."
            .into(),
        goals,
        failed,
        ..Findings::of(columns, rows)
    })
}

struct Strained {
    quiet: Latencies,
    during: Latencies,
    /// Of p99, within each round.
    ratio: f64,
    grown_mib: f64,
}

/// What others wait, the median of all rounds.
struct Latencies {
    p50_us: f64,
    p99_us: f64,
}

impl Latencies {
    fn of(rounds: &[Outcome]) -> Self {
        let middle = |of: fn(&Outcome) -> f64| median(rounds.iter().map(of).collect());
        Self { p50_us: middle(|round| round.p50_us), p99_us: middle(|round| round.p99_us) }
    }
}

fn strained(lab: &Lab, manner: Manner, connections: usize, rounds: usize) -> Result<Strained, Error> {
    let [address] = addresses()?;
    let node = Node { more: LIMITS, ..Node::of(address, &[address]) };
    let setup = Setup::one(lab.ringhold(&node, SERVERS_AHEAD)?, address, Dialect::Objects, Some(address));
    let server = server(&setup)?;
    let others: Vec<_> = (0..1024).map(|number| format!("other-{number:010}")).collect();
    once(&setup, Operation::Put, &others)?;
    let large_key = "large".to_owned();
    let stored = |keys: &[String], bytes| {
        let connections = 1;
        Plan { sizes: Sizes::Same(bytes), connections, ..bulk(&setup, Operation::Put, keys) }.run(GENERATOR)
    };
    stored(std::slice::from_ref(&large_key), LARGE_BYTES)?;
    if manner == Manner::LargeBodies {
        let keys: Vec<_> = (0..connections).map(|number| format!("body-{number:011}")).collect();
        stored(&keys, BODY_BYTES)?;
    }
    let reads = Plan {
        connections: 32,
        pace: Pace::Open { per_second: RATE },
        span: Span::Timed { warm_up: Duration::from_millis(300), measured: WATCHED },
        ..bulk(&setup, Operation::Get, &others)
    };
    let plan = strain::Plan { address, manner, connections, large_key, body_bytes: BODY_BYTES };
    let (before, idle) = (server.resident_bytes()?, server.open_files()?);
    let nearly_all = (connections as f64 * NEARLY_ALL) as usize;
    // Those of the round before are gone when few are left.
    let are_open = |wanted: bool| {
        let what = if wanted { "too few" } else { "still some" };
        move |passed: Duration| match server.open_files()?.saturating_sub(idle) {
            open if passed > GATHERING => {
                let what =
                    format!("{what} of {connections} connections were open after {GATHERING:?}: {open}");
                Err(Error::Answer { from: "bad clients".into(), what })
            }
            open => Ok(if wanted { open < nearly_all } else { open > connections - nearly_all }),
        }
    };
    let (mut quiet, mut during, mut most) = (Vec::new(), Vec::new(), before);
    for _ in 0..rounds {
        most = most_resident(server, most, are_open(false))?;
        quiet.push(reads.run(GENERATOR)?);
        let straining = Worker::start("strain", &plan, BEHIND)?;
        most = most_resident(server, most, are_open(true))?;
        let mut reading = reads.start(GENERATOR)?;
        most = most_resident(server, most, |_| Ok(!reading.is_done()?))?;
        during.push(reading.wait::<Outcome>()?);
        drop(straining);
    }
    let ratios = during.iter().zip(&quiet).map(|(during, quiet)| during.p99_us / quiet.p99_us);
    let ratio = median(ratios.collect());
    let grown_mib = (most - before) as f64 / MIB;
    Ok(Strained { quiet: Latencies::of(&quiet), during: Latencies::of(&during), ratio, grown_mib })
}

/// The most that it has, or `most`, until `goes_on` says no.
fn most_resident(
    server: &Server,
    mut most: u64,
    mut goes_on: impl FnMut(Duration) -> Result<bool, Error>,
) -> Result<u64, Error> {
    let begun = std::time::Instant::now();
    while goes_on(begun.elapsed())? {
        most = most.max(server.resident_bytes()?);
        std::thread::sleep(LOOKED_AT);
    }
    Ok(most)
}
