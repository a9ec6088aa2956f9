//! What is not a matter of requests a second: memory for each object, a million objects that expire at once, start.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::Error;
use crate::load::{Operation, Outcome, Pace, Plan, Span};
use crate::process::{GENERATOR, SERVERS, SERVERS_AHEAD, Server, addresses, is_ready};
use crate::programs::{Kind, Lab, Setup, is_here};
use crate::rounds::{Effort, median};

/// One of them.
pub struct Moment {
    /// For `--only`.
    pub name: &'static str,
    /// Above the table.
    pub title: &'static str,
    /// Measures it.
    pub run: fn(&Lab, Effort) -> Result<Findings, Error>,
}

/// What came of it: a table of its own form.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// Above the table.
    pub title: String,
    /// Its first line.
    pub columns: Vec<&'static str>,
    /// The others.
    pub rows: Vec<Vec<String>>,
    /// Below it.
    pub note: String,
}

/// All of them.
pub const MOMENTS: &[Moment] = &[
    Moment { name: "memory", title: "Memory for each object", run: memory },
    Moment { name: "expiry", title: "Many objects expiring within one second", run: expiry },
    Moment { name: "start", title: "From nothing to ready", run: start },
];

const KEY_BYTES: u64 = 16;
const VALUE_BYTES: usize = 100;

fn memory(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let kinds = [
        ("ringhold", Kind::Ringhold),
        ("ringhold, mimalloc", Kind::RingholdMimalloc),
        ("redis", Kind::Redis),
        ("memcached", Kind::Memcached),
    ];
    let mut rows = Vec::new();
    for (name, kind) in kinds {
        if kind.needs().is_some_and(|(program, _)| !is_here(program)) {
            continue;
        }
        let setup = lab.start(kind, SERVERS)?;
        let server = setup.servers.first().ok_or_else(|| nothing_runs(name))?;
        let empty = server.resident_bytes()?;
        let beyond = |objects: usize| {
            let resident = server.resident_bytes()?.saturating_sub(empty) as f64;
            Ok::<_, Error>(resident / objects as f64 - (KEY_BYTES + VALUE_BYTES as u64) as f64)
        };
        // The table doubles somewhere between half of the objects and all: the worst count is a user's, too.
        let mut counts = Vec::new();
        let steps = 8;
        let mut stored = 0;
        for step in steps / 2..=steps {
            let objects = effort.objects * step / steps;
            let keys = setup.keys(objects, VALUE_BYTES).split_off(stored);
            stored = objects;
            once(&setup, Operation::Put, &keys, None)?;
            counts.push(beyond(objects)?);
        }
        let keys = setup.keys(stored, VALUE_BYTES);
        once(&setup, Operation::Get, &keys, None)?;
        let read = beyond(stored)?;
        once(&setup, Operation::Put, &keys, None)?;
        let rewritten = beyond(stored)?;
        let worst = counts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        eprintln!("  {name}: worst {worst:.0} B, read {read:.0} B, rewritten {rewritten:.0} B");
        rows.push(
            [name.into()]
                .into_iter()
                .chain([worst, read, rewritten].map(|bytes| format!("{bytes:.0}")))
                .collect(),
        );
    }
    Ok(Findings {
        title: format!("Resident bytes for each object beyond its key (16 B) and value (100 B), {} objects", effort.objects),
        columns: vec!["what", "worst count from half to all", "all, after reading each", "all, after rewriting each"],
        rows,
        note: "Resident memory of the process less what it had when empty. Ringhold's figure includes version, expiry \
               and content type; Redis and memcached hold no version, and here no expiry."
            .into(),
    })
}

fn expiry(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    const RATE: u32 = 5_000;
    const CHUNKS: usize = 10;
    let setup = lab.start(Kind::Ringhold, SERVERS_AHEAD)?;
    let server = setup.servers.first().ok_or_else(|| nothing_runs("ringhold"))?;
    let lasting: Vec<_> = (0..1024).map(|number| format!("lasting-{number:08}")).collect();
    once(&setup, Operation::Put, &lasting, None)?;
    let watch = |time| {
        let pace = Pace::Open { per_second: RATE };
        let span = Span::Timed { warm_up: Duration::ZERO, measured: time };
        Plan { connections: 32, pace, span, ..plan(&setup, Operation::Get, &lasting, None) }.run(GENERATOR)
    };
    let quiet = watch(Duration::from_secs(4))?;
    let empty = server.resident_bytes()?;
    // Lives are whole seconds: each chunk gets as many as bring its end into the same second.
    let end = Instant::now() + Duration::from_secs(12);
    for chunk in setup.keys(effort.objects, VALUE_BYTES).chunks(effort.objects.div_ceil(CHUNKS)) {
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        let seconds = u32::try_from(left).unwrap_or(u32::MAX).max(1);
        once(&setup, Operation::Put, chunk, Some(seconds))?;
    }
    let full = server.resident_bytes()?;
    let first = end.checked_sub(Duration::from_millis(1500)).unwrap_or(end);
    std::thread::sleep(first.saturating_duration_since(Instant::now()));
    let during = watch(Duration::from_secs(4))?;
    let after = server.resident_bytes()?;
    let row = |name: &str, outcome: &Outcome, resident: u64| {
        let Outcome { p50_us, p99_us, p999_us, .. } = outcome;
        vec![
            name.into(),
            format!("{p50_us:.0}"),
            format!("{p99_us:.0}"),
            format!("{p999_us:.0}"),
            format!("{:.0} MiB", resident as f64 / f64::from(1 << 20)),
        ]
    };
    eprintln!(
        "  p99 {:.0} us before, {:.0} us meanwhile; {full} bytes before, {after} after",
        quiet.p99_us, during.p99_us
    );
    Ok(Findings {
        title: format!(
            "{} objects of 100 B expiring within one second, GET of others at {RATE} a second",
            effort.objects
        ),
        columns: vec!["when", "p50 us", "p99 us", "p99.9 us", "resident"],
        rows: vec![row("before they are stored", &quiet, empty), row("while they expire", &during, after)],
        note: format!(
            "Resident with all of them: {:.0} MiB; the last figure is taken 2 to 3 s after the last has expired. \
             Wanted: p99 at most 2 ms, memory back within 2 s.",
            full as f64 / f64::from(1 << 20)
        ),
    })
}

fn start(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let mut times = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..effort.rounds * 4 {
        let [address] = addresses()?;
        let home = lab.home()?;
        let command = lab.node(address, &[address], SERVERS, &home)?;
        let begun = Instant::now();
        let server = Server::start("ringhold", command, &home)?;
        while !is_ready(address, Some("/readyz")) {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(nothing_runs("ringhold"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        resident.push(server.resident_bytes()? as f64 / f64::from(1 << 20));
    }
    let most = times.iter().copied().fold(0.0, f64::max);
    let (middle, resident) = (median(times.clone()), median(resident));
    eprintln!("  {middle:.1} ms, at most {most:.1} ms");
    Ok(Findings {
        title: "From starting the process to its first 200 on /readyz, an empty node alone".into(),
        columns: vec!["starts", "median ms", "most ms", "resident MiB"],
        rows: vec![vec![
            times.len().to_string(),
            format!("{middle:.1}"),
            format!("{most:.1}"),
            format!("{resident:.1}"),
        ]],
        note: "Wanted: at most 50 ms.".into(),
    })
}

fn once(setup: &Setup, operation: Operation, keys: &[String], ttl_seconds: Option<u32>) -> Result<(), Error> {
    plan(setup, operation, keys, ttl_seconds).run(GENERATOR).map(drop)
}

fn plan(setup: &Setup, operation: Operation, keys: &[String], ttl_seconds: Option<u32>) -> Plan {
    Plan {
        address: setup.target,
        dialect: setup.dialect,
        operation,
        keys: keys.to_vec(),
        value_bytes: VALUE_BYTES,
        ttl_seconds,
        connections: 8,
        pace: Pace::Closed { depth: 16 },
        span: Span::Once,
    }
}

fn nothing_runs(program: &str) -> Error {
    Error::Program { program: program.into(), what: "it does not run; its log is in its directory".into() }
}
