//! The programs of a suite, alternated in rounds: what each did in each round, medians, and ratios within rounds.

use std::time::Duration;

use crate::error::Error;
use crate::h2load;
use crate::handshakes::{self, Sessions};
use crate::load::{Missing, Operation, Outcome, Pace, Plan, Sizes, Span};
use crate::process::{BEHIND, Cores, GENERATOR, SERVERS, SERVERS_AHEAD};
use crate::programs::{Lab, Setup, is_here};
use crate::suites::{Bound, Client, Figure, Goal, Places, Row, Suite, Work};
use crate::table::{Least, Measured, Reached, Sample, Table, Verdict};
use crate::worker::Worker;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Each program has a turn in each.
    pub rounds: usize,
    /// Of each turn; does not count.
    pub warm_up: Duration,
    /// Of each turn; counts.
    pub measured: Duration,
    /// Objects in the measurements of memory and expiry.
    pub objects: usize,
}

impl Effort {
    /// For figures.
    pub const FULL: Self = Self {
        rounds: 5,
        warm_up: Duration::from_millis(500),
        measured: Duration::from_secs(2),
        objects: 1_000_000,
    };
    /// To see that everything works.
    pub const QUICK: Self = Self {
        rounds: 2,
        warm_up: Duration::from_millis(300),
        measured: Duration::from_secs(1),
        objects: 100_000,
    };

    /// For the report.
    pub fn text(self) -> String {
        let Self { rounds, warm_up, measured, .. } = self;
        format!("{rounds} rounds, in each {measured:?} of each program after {warm_up:?} of warm-up")
    }
}

struct Contestant<'a> {
    row: &'a Row,
    setup: Setup,
    samples: Vec<Sample>,
    failed: Option<String>,
}

/// Measures a suite. What goes wrong takes its row out, never the others.
pub fn run(suite: &'static Suite, lab: &Lab, effort: Effort) -> Table {
    let (servers, generator) = match suite.places {
        Places::Pinned => (SERVERS, GENERATOR),
        Places::PinnedAhead => (SERVERS_AHEAD, GENERATOR),
        Places::Unpinned => (Cores::Any, Cores::Any),
    };
    let (mut skipped, mut failed, mut contestants) = (Vec::new(), Vec::new(), Vec::new());
    for row in suite.rows {
        match prepare(row, lab, servers, generator) {
            Ok(Ok(setup)) => contestants.push(Contestant { row, setup, samples: Vec::new(), failed: None }),
            Ok(Err(why)) => leave_out(row, &why, &mut skipped),
            Err(error) => leave_out(row, &error.to_string(), &mut failed),
        }
    }
    for round in 0..effort.rounds {
        for contestant in contestants.iter_mut().filter(|contestant| contestant.failed.is_none()) {
            match turn(contestant, suite.places, effort, generator) {
                Ok(sample) => {
                    say(round, contestant.row, &sample);
                    contestant.samples.push(sample);
                }
                Err(error) => contestant.failed = Some(error.to_string()),
            }
        }
    }
    let mut rows = Vec::new();
    for Contestant { row, samples, failed: why, .. } in contestants {
        match why {
            // A row with a round missing has no ratios.
            Some(why) if row.kind.is_unreliable() => {
                leave_out(row, &format!("its answers went wrong under load ({why})"), &mut skipped);
            }
            Some(why) => leave_out(row, &why, &mut failed),
            None => rows.push(Measured { name: row.name.into(), samples }),
        }
    }
    let goals = suite.goals.iter().filter_map(|goal| judge(goal, &rows)).collect();
    let (name, title) = (suite.name.into(), suite.title.into());
    Table { name, title, measured: effort.text(), places: suite.places, rows, goals, skipped, failed }
}

fn leave_out(row: &Row, why: &str, list: &mut Vec<String>) {
    eprintln!("  {}: left out, {why}", row.name);
    list.push(format!("{}: {why}", row.name));
}

fn say(round: usize, row: &Row, sample: &Sample) {
    let Outcome { per_second, p50_us, p99_us, generator_cpu, .. } = &sample.outcome;
    eprintln!(
        "  round {round}: {:<36} {per_second:>9.0}/s  p50 {p50_us:>6.0}  p99 {p99_us:>6.0}  cpu {:>6.2}  generator {generator_cpu:.2}",
        row.name,
        sample.cpu(),
    );
}

/// Starts a row's programs and stores its objects; inside, why it cannot be measured here.
fn prepare(row: &Row, lab: &Lab, servers: Cores, generator: Cores) -> Result<Result<Setup, String>, Error> {
    let is_h2load_missing = matches!(row.work.client, Client::Http2(_)) && !is_here("h2load");
    if is_h2load_missing {
        return Ok(Err("h2load is not here (Debian package nghttp2-client)".into()));
    }
    if let Some(why) = lab.why_not(row.kind)? {
        return Ok(Err(why));
    }
    let setup = lab.start(row.kind, servers)?;
    for work in [Some(row.work), row.beside].into_iter().flatten() {
        fill(&setup, work, generator)?;
    }
    Ok(Ok(setup))
}

/// Stores what will be read, and what will be written too: the first write of an object is answered otherwise.
fn fill(setup: &Setup, work: Work, generator: Cores) -> Result<(), Error> {
    let Some(address) = setup.filled else { return Ok(()) };
    let plan = Plan {
        address,
        identity: None,
        operation: Operation::Put,
        connections: 1,
        pace: Pace::Closed { depth: 1 },
        span: Span::Once,
        ..plan(setup, work, Span::Once)
    };
    plan.run(generator).map(drop)
}

fn plan(setup: &Setup, work: Work, span: Span) -> Plan {
    let (connections, pace) = match work.client {
        Client::Own { connections, pace } => (connections, pace),
        Client::Http2(shape) => (shape.connections, Pace::Closed { depth: shape.streams }),
        Client::New(_) => (1, Pace::Closed { depth: 1 }),
    };
    Plan {
        address: setup.target,
        dialect: setup.dialect,
        operation: work.operation,
        keys: setup.keys(work.keys, work.value_bytes),
        sizes: Sizes::Same(work.value_bytes),
        missing: Missing::Fails,
        identity: setup.identity.clone(),
        ttl_seconds: None,
        connections,
        pace,
        span,
    }
}

fn turn(
    contestant: &Contestant<'_>,
    places: Places,
    effort: Effort,
    generator: Cores,
) -> Result<Sample, Error> {
    let Contestant { row, setup, .. } = contestant;
    let span = Span::Timed { warm_up: effort.warm_up, measured: effort.measured };
    let plan = plan(setup, row.work, span);
    // Beside a generator whose latencies count, another one would be what is measured.
    let aside = if places == Places::PinnedAhead { BEHIND } else { generator };
    let beside = row.beside.map(|work| self::plan(setup, work, span).start(aside)).transpose()?;
    let before = cpu(setup)?;
    let outcome = match row.work.client {
        Client::Own { .. } => plan.run(generator)?,
        Client::Http2(shape) => {
            let paths: Vec<_> = plan.keys.iter().take(64).map(|key| format!("/objects/{key}")).collect();
            h2load::run(plan.address, &paths, shape, effort.measured, generator)?
        }
        Client::New(sessions) => connect(plan, sessions, row, effort, generator)?,
    };
    if outcome.per_second <= 0.0 {
        let what = "nothing was answered in time; a row without answers is none".into();
        return Err(Error::Answer { from: row.name.into(), what });
    }
    let after = cpu(setup)?;
    if let Some(beside) = beside {
        beside.wait::<Outcome>()?;
    }
    let cpu_us: Vec<_> = setup
        .servers
        .iter()
        .zip(before.iter().zip(&after))
        .map(|(server, (before, after))| {
            let used = after.saturating_sub(*before).as_secs_f64() * 1e6;
            (server.name.to_owned(), used / outcome.answers.max(1) as f64)
        })
        .collect();
    check_busy(row, &cpu_us)?;
    Ok(Sample { outcome, cpu_us })
}

fn connect(
    plan: Plan,
    sessions: Sessions,
    row: &Row,
    effort: Effort,
    generator: Cores,
) -> Result<Outcome, Error> {
    let none =
        || Error::Answer { from: row.name.into(), what: "new connections are measured with mTLS".into() };
    let plan = handshakes::Plan {
        address: plan.address,
        identity: plan.identity.ok_or_else(none)?,
        sessions,
        key: plan.keys.into_iter().next().unwrap_or_default(),
        value_bytes: row.work.value_bytes,
        warm_up: effort.warm_up,
        measured: effort.measured,
    };
    Worker::start("connect", &plan, generator)?.wait()
}

fn cpu(setup: &Setup) -> Result<Vec<Duration>, Error> {
    setup.servers.iter().map(crate::process::Server::cpu).collect()
}

/// A server that did nothing was not what answered.
fn check_busy(row: &Row, cpu_us: &[(String, f64)]) -> Result<(), Error> {
    match cpu_us.iter().find(|(_, cpu)| *cpu <= 0.05) {
        Some((name, _)) if row.kind.is_busy_all_over() => Err(Error::Answer {
            from: row.name.into(),
            what: format!("{name} did nothing; each program of a row must work for its answers"),
        }),
        _ => Ok(()),
    }
}

fn judge(goal: &Goal, rows: &[Measured]) -> Option<Verdict> {
    let find = |name| rows.iter().find(|row| row.name == name);
    let (of, against) = (find(goal.of)?, find(goal.against)?);
    let ratio = of.ratio(against, |sample| sample.figure(goal.figure));
    let is_within = |ratio: f64| match goal.bound {
        Bound::AtLeast(bound) => ratio >= bound,
        Bound::AtMost(bound) => ratio <= bound,
    };
    let by_cpu = (goal.figure == Figure::Rate).then(|| against.ratio(of, Sample::cpu));
    let reached = match (is_within(ratio), by_cpu.is_none_or(is_within)) {
        (true, true) => Reached::Yes,
        (true, false) => Reached::ByRate,
        (false, true) if by_cpu.is_some() => Reached::ByCpu,
        (false, _) => Reached::No,
    };
    let verdict = Verdict {
        what: format!("{} to {}", goal.of, goal.against),
        figure: match goal.figure {
            Figure::Rate => "requests a second",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
        }
        .into(),
        wanted: match goal.bound {
            Bound::AtLeast(bound) => format!("at least {bound}"),
            Bound::AtMost(bound) => format!("at most {bound}"),
        },
        found: format!("{ratio:.2}"),
        by_cpu,
        bound: match goal.bound {
            Bound::AtLeast(ratio) if goal.figure == Figure::Rate => {
                Some(Least { of: goal.of.into(), against: goal.against.into(), ratio })
            }
            _ => None,
        },
        reached,
    };
    eprintln!("  {}", verdict.text());
    Some(verdict)
}
