//! How many instructions a request takes in the server, counted by callgrind: the one measure of speed that does not
//! depend on what else the machine does, so the one that a test can hold to.
//!
//! The program runs as users run it, on one thread, and is asked over one connection. What is counted is everything that
//! it executes from the first request to the last, system calls left out. Counts differ a little between processors
//! and C libraries, so what is recorded is exceeded only by more than [`TOLERANCE_PERCENT`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, doing};
use crate::load::{Dialect, Missing, Operation, Pace, Plan, Sizes, Span};
use crate::process::{Cores, Server, addresses};
use crate::programs::Lab;
use crate::programs::settings::Node;

/// How much more than recorded is no failure. What a change of the code costs is more, or not worth a word.
const TOLERANCE_PERCENT: u64 = 10;

const REQUESTS: usize = 4000;
const OBJECTS: usize = 64;
const VALUE_BYTES: usize = 100;

/// What is counted: its name, what is done, and how many requests are under way at once.
const WORKS: [(&str, Operation, usize); 4] = [
    ("GET", Operation::Get, 1),
    ("GET, 16 pipelined", Operation::Get, 16),
    ("PUT", Operation::Put, 1),
    ("PUT, 16 pipelined", Operation::Put, 16),
];

/// Instructions for each request, by work.
type Counts = BTreeMap<String, u64>;

/// Counts, and compares with what `file` has recorded or, with `record`, writes it.
pub fn run(program: &Path, file: &Path, record: bool) -> Result<(), Error> {
    let counts = count(program)?;
    if record {
        let text = serde_json::to_string_pretty(&counts)? + "\n";
        std::fs::write(file, text).map_err(doing(format!("writing {}", file.display())))?;
        println!("recorded in {}:\n{}", file.display(), table(&counts, &counts));
        return Ok(());
    }
    let text = std::fs::read(file).map_err(doing(format!("reading {}", file.display())))?;
    let recorded: Counts = serde_json::from_slice(&text)?;
    println!("{}", table(&counts, &recorded));
    match excess(&counts, &recorded) {
        Some(what) => Err(Error::Program { program: "ringhold".into(), what }),
        None => Ok(()),
    }
}

/// The works that take more than they may.
fn excess(counts: &Counts, recorded: &Counts) -> Option<String> {
    let limit = |work: &String| recorded.get(work).map_or(0, |count| count * (100 + TOLERANCE_PERCENT) / 100);
    let works: Vec<_> =
        counts.iter().filter(|(work, count)| **count > limit(work)).map(|(work, _)| work).collect();
    (!works.is_empty()).then(|| {
        format!(
            "{works:?}: more than {TOLERANCE_PERCENT} % more instructions than recorded, or nothing recorded; find out why, \
             or if the price is right, record it: cargo xtask instructions --record"
        )
    })
}

fn table(counts: &Counts, recorded: &Counts) -> String {
    let line = |(work, count): (&String, &u64)| {
        let before = recorded.get(work).copied().unwrap_or(0);
        let change = (*count as f64 / before.max(1) as f64 - 1.0) * 100.0;
        format!(
            "{work:<20} {count:>8} instructions for each request, recorded {before:>8} ({change:+.1} %)\n"
        )
    };
    counts.iter().map(line).collect::<String>().trim_end().into()
}

fn count(program: &Path) -> Result<Counts, Error> {
    let lab = Lab::new(program)?;
    let home = lab.home()?;
    let [address] = addresses()?;
    let out = home.join("counts");
    let node = lab.serve(&Node::of(address, &[address]), Cores::Any, &home)?;
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
    command.env("TOKIO_WORKER_THREADS", "1").arg(node.get_program()).args(node.get_args());
    let mut server = Server::start("ringhold", command, &home)?;
    server.wait_until_ready(address, Some("/readyz"), &home)?;
    let mut parts = Parts { server: &server, out, taken: 0 };
    load(address, Operation::Put, 1, OBJECTS)?;
    let mut counts = Counts::new();
    for (work, operation, depth) in WORKS {
        // Once to get everything going.
        load(address, operation, depth, OBJECTS)?;
        parts.take()?;
        load(address, operation, depth, REQUESTS)?;
        counts.insert(work.into(), parts.take()? / REQUESTS as u64);
    }
    Ok(counts)
}

fn load(address: SocketAddr, operation: Operation, depth: usize, requests: usize) -> Result<(), Error> {
    let plan = Plan {
        address,
        dialect: Dialect::Objects,
        operation,
        keys: (0..requests).map(|number| format!("{:016}", number % OBJECTS)).collect(),
        sizes: Sizes::Same(VALUE_BYTES),
        missing: Missing::Fails,
        identity: None,
        ttl_seconds: None,
        connections: 1,
        pace: Pace::Closed { depth },
        span: Span::Once,
    };
    plan.run(Cores::Any).map(|_| ())
}

/// The parts into which callgrind cuts its count.
struct Parts<'a> {
    server: &'a Server,
    out: PathBuf,
    taken: usize,
}

impl Parts<'_> {
    /// How many instructions there were since the last call.
    fn take(&mut self) -> Result<u64, Error> {
        let mut control = Command::new("callgrind_control");
        control.arg("--dump").arg(self.server.id().to_string());
        let output = control.output().map_err(doing("asking callgrind for a count"))?;
        self.taken += 1;
        let part = PathBuf::from(format!("{}.{}", self.out.display(), self.taken));
        let text = std::fs::read_to_string(&part).map_err(doing(format!("reading {}", part.display())))?;
        total(&text).ok_or_else(|| Error::Program {
            program: "callgrind_control".into(),
            what: format!("no total in what it wrote; it said: {}", String::from_utf8_lossy(&output.stderr)),
        })
    }
}

fn total(part: &str) -> Option<u64> {
    part.lines().find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(all: &[(&str, u64)]) -> Counts {
        all.iter().map(|(work, count)| ((*work).to_owned(), *count)).collect()
    }

    #[test]
    fn a_count_beyond_the_tolerance_fails_and_one_within_it_does_not() {
        let recorded = counts(&[("GET", 1000), ("PUT", 1000)]);
        assert_eq!(excess(&counts(&[("GET", 1100), ("PUT", 10)]), &recorded), None);
        let what = excess(&counts(&[("GET", 1101), ("PUT", 1000)]), &recorded).unwrap();
        assert!(what.contains("GET") && !what.contains("PUT"), "{what}");
        assert!(excess(&counts(&[("new", 1)]), &recorded).is_some());
    }

    #[test]
    fn a_part_has_its_total() {
        assert_eq!(total("desc: Trigger: dump\nevents: Ir\nsummary: 30756410\n\nfl=x\n"), Some(30_756_410));
        assert_eq!(total("events: Ir\n"), None);
    }
}
