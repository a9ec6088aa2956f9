//! The programs of a suite, alternated in rounds: what each did in each round, medians, and ratios within rounds.

use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::h2load;
use crate::load::{Operation, Outcome, Pace, Plan, Span};
use crate::process::{Cores, GENERATOR, SERVERS, SERVERS_AHEAD};
use crate::programs::{Kind, Lab, Setup, is_here};
use crate::suites::{Bound, Client, Figure, Goal, Places, Row, Suite, Work};

/// How long and how often.
#[derive(Clone, Copy, Debug, Serialize)]
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
        measured: Duration::from_secs(3),
        objects: 1_000_000,
    };
    /// To see that everything works.
    pub const QUICK: Self = Self {
        rounds: 2,
        warm_up: Duration::from_millis(300),
        measured: Duration::from_secs(1),
        objects: 200_000,
    };
}

/// A suite's results.
#[derive(Debug, Serialize)]
pub struct Table {
    /// The suite's.
    pub name: &'static str,
    /// The suite's.
    pub title: &'static str,
    /// In the suite's order, those left out whose program is not here.
    pub rows: Vec<Measured>,
    /// What was to be shown.
    pub goals: Vec<Verdict>,
    /// What is missing and why.
    pub skipped: Vec<String>,
}

/// A row's results.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// The row's.
    pub name: &'static str,
    /// One for each round.
    pub samples: Vec<Sample>,
}

/// One turn of one program.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// What the generator saw.
    pub outcome: Outcome,
    /// Microseconds on a processor for each answer, by server.
    pub cpu_us: Vec<(&'static str, f64)>,
}

/// Whether a goal was reached.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// As a sentence.
    pub text: String,
    /// The median of the rounds' ratios.
    pub ratio: f64,
    /// Whether that is within the bound.
    pub reached: bool,
}

impl Sample {
    /// Of all servers.
    pub fn cpu(&self) -> f64 {
        self.cpu_us.iter().map(|(_, cpu)| cpu).sum()
    }

    fn figure(&self, figure: Figure) -> f64 {
        match figure {
            Figure::Rate => self.outcome.per_second,
            Figure::P50 => self.outcome.p50_us,
            Figure::P99 => self.outcome.p99_us,
        }
    }
}

impl Measured {
    /// The median over all rounds.
    pub fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(of).collect())
    }

    /// The median of the ratios to `base`, each within its round.
    pub fn ratio(&self, base: &Self, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().zip(&base.samples).map(|(this, base)| of(this) / of(base)).collect())
    }

    /// The least and the most.
    pub fn range(&self, of: impl Fn(&Sample) -> f64) -> (f64, f64) {
        let values = self.samples.iter().map(of);
        values.fold((f64::INFINITY, 0.0), |(least, most), value| (value.min(least), value.max(most)))
    }
}

/// The middle one; the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

struct Contestant<'a> {
    row: &'a Row,
    setup: Setup,
    samples: Vec<Sample>,
    failed: Option<String>,
}

/// Measures a suite. A wrong answer ends it, but for webdis, whose wrong answers are known: its row is left out.
pub fn run(suite: &'static Suite, lab: &Lab, effort: Effort) -> Result<Table, Error> {
    let (servers, generator) = match suite.places {
        Places::Pinned => (SERVERS, GENERATOR),
        Places::PinnedAhead => (SERVERS_AHEAD, GENERATOR),
        Places::Unpinned => (Cores::Any, Cores::Any),
    };
    let mut skipped = Vec::new();
    let mut contestants = Vec::new();
    for row in suite.rows {
        if let Some(why) = why_not(row) {
            eprintln!("  {}: left out, {why}", row.name);
            skipped.push(format!("{}: {why}", row.name));
            continue;
        }
        let setup = lab.start(row.kind, servers)?;
        fill(&setup, row.work, generator)?;
        if let Some(beside) = row.beside {
            fill(&setup, beside, generator)?;
        }
        contestants.push(Contestant { row, setup, samples: Vec::new(), failed: None });
    }
    for round in 0..effort.rounds {
        for contestant in &mut contestants {
            let sample = match (turn(contestant, effort, generator), contestant.row.kind) {
                (Ok(sample), _) => sample,
                (Err(error), Kind::Webdis) => {
                    contestant.failed = Some(error.to_string());
                    continue;
                }
                (Err(error), _) => return Err(error),
            };
            let Outcome { per_second, p50_us, p99_us, generator_cpu, .. } = &sample.outcome;
            eprintln!(
                "  round {round}: {:<36} {per_second:>9.0}/s  p50 {p50_us:>6.0}  p99 {p99_us:>6.0}  cpu {:>6.2}  generator {generator_cpu:.2}",
                contestant.row.name,
                sample.cpu(),
            );
            contestant.samples.push(sample);
        }
    }
    // webdis now and then answers a request twice; a row with a round missing has no ratios.
    contestants.retain(|contestant| match &contestant.failed {
        Some(why) => {
            eprintln!("  {}: left out, {why}", contestant.row.name);
            skipped.push(format!("{}: its answers went wrong under load ({why})", contestant.row.name));
            false
        }
        None => true,
    });
    let rows: Vec<_> = contestants
        .into_iter()
        .map(|contestant| Measured { name: contestant.row.name, samples: contestant.samples })
        .collect();
    let goals = suite.goals.iter().filter_map(|goal| judge(goal, &rows)).collect();
    Ok(Table { name: suite.name, title: suite.title, rows, goals, skipped })
}

fn why_not(row: &Row) -> Option<String> {
    let generator = matches!(row.work.client, Client::Http2(_)).then_some(("h2load", "nghttp2-client"));
    let mut needs = row.kind.needs().into_iter().chain(generator);
    let (program, package) = needs.find(|(program, _)| !is_here(program))?;
    Some(format!("{program} is not here (Debian package {package})"))
}

/// Stores what will be read, and what will be written too: the first write of an object is answered otherwise.
fn fill(setup: &Setup, work: Work, generator: Cores) -> Result<(), Error> {
    let Some(address) = setup.filled else { return Ok(()) };
    let plan = Plan {
        address,
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
    };
    Plan {
        address: setup.target,
        dialect: setup.dialect,
        operation: work.operation,
        keys: setup.keys(work.keys, work.value_bytes),
        value_bytes: work.value_bytes,
        ttl_seconds: None,
        connections,
        pace,
        span,
    }
}

fn turn(contestant: &Contestant<'_>, effort: Effort, generator: Cores) -> Result<Sample, Error> {
    let Contestant { row, setup, .. } = contestant;
    let span = Span::Timed { warm_up: effort.warm_up, measured: effort.measured };
    let plan = plan(setup, row.work, span);
    let beside = row.beside.map(|work| self::plan(setup, work, span).start(generator)).transpose()?;
    let before = cpu(setup)?;
    let outcome = match row.work.client {
        Client::Own { .. } => plan.run(generator)?,
        Client::Http2(shape) => {
            let paths: Vec<_> = plan.keys.iter().take(64).map(|key| format!("/objects/{key}")).collect();
            h2load::run(plan.address, &paths, shape, effort.measured, generator)?
        }
    };
    let after = cpu(setup)?;
    if let Some(beside) = beside {
        beside.wait()?;
    }
    let cpu_us: Vec<_> = setup
        .servers
        .iter()
        .zip(before.iter().zip(&after))
        .map(|(server, (before, after))| {
            let used = after.saturating_sub(*before).as_secs_f64() * 1e6;
            (server.name, used / outcome.answers.max(1) as f64)
        })
        .collect();
    check_busy(row, &cpu_us)?;
    Ok(Sample { outcome, cpu_us })
}

fn cpu(setup: &Setup) -> Result<Vec<Duration>, Error> {
    setup.servers.iter().map(crate::process::Server::cpu).collect()
}

/// A server that did nothing was not what answered. The right member of a ring leaves the other one in peace.
fn check_busy(row: &Row, cpu_us: &[(&'static str, f64)]) -> Result<(), Error> {
    let idle = cpu_us.iter().find(|(_, cpu)| *cpu <= 0.05);
    match idle {
        Some((name, _)) if row.kind != Kind::RightMember => Err(Error::Answer {
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
    let (bound, reached) = match goal.bound {
        Bound::AtLeast(bound) => (format!("at least {bound}"), ratio >= bound),
        Bound::AtMost(bound) => (format!("at most {bound}"), ratio <= bound),
    };
    let figure = match goal.figure {
        Figure::Rate => "requests a second",
        Figure::P50 => "p50",
        Figure::P99 => "p99",
    };
    let by_cpu = match goal.figure {
        Figure::Rate => format!(", by server CPU {:.2}", against.ratio(of, Sample::cpu)),
        Figure::P50 | Figure::P99 => String::new(),
    };
    let text = format!("{} to {}, {figure}: {ratio:.2}{by_cpu} ({bound} wanted)", goal.of, goal.against);
    eprintln!("  {text}: {}", if reached { "reached" } else { "NOT reached" });
    Some(Verdict { text, ratio, reached })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rates: &[f64]) -> Measured {
        let sample = |rate: &f64| Sample {
            outcome: Outcome { per_second: *rate, ..Outcome::default() },
            cpu_us: Vec::new(),
        };
        Measured { name: "row", samples: rates.iter().map(sample).collect() }
    }

    #[test]
    fn ratios_are_taken_within_rounds_before_their_median() {
        let (base, row) = (measured(&[100.0, 50.0, 10.0]), measured(&[100.0, 100.0, 30.0]));
        let ratio = row.ratio(&base, |sample| sample.outcome.per_second);
        assert!((ratio - 2.0).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
    }
}
