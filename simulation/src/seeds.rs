//! Many seeds, on as many threads as there are cores, and what is said of them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::checks::{self, Violation};
use crate::node::Node;
use crate::panics;
use crate::scenario::{Scenario, Weather};
use crate::world::{Tally, World};

/// How often running seeds are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A seed that takes so long does not end: something runs without end in no time of the simulation.
const ENDLESS: Duration = Duration::from_secs(300);
/// The most violations of a seed that are shown.
const MAX_SHOWN: usize = 4;

/// One seed's run, judged.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Which seed.
    pub seed: u64,
    /// What it stands for.
    pub weather: Weather,
    /// It in a line.
    pub summary: String,
    /// What must not be.
    pub violations: Vec<Violation>,
    /// What it did.
    pub tally: Tally,
    /// The sum of its log: equal for every run of the seed.
    pub sum: u64,
}

impl Verdict {
    /// Runs a seed.
    #[must_use]
    pub fn of<N: Node>(seed: u64, weathers: &[Weather]) -> Self {
        let scenario = Scenario::new(seed, weathers);
        let panics = panics::count();
        let run = World::<N>::new(&scenario, None).run();
        let panics = panics::count() - panics;
        let mut violations = checks::violations(&scenario, &run);
        if panics > 0 {
            violations.push(Violation::new(None, format!("nodes panicked {panics} times")));
        }
        Self {
            seed,
            weather: scenario.weather,
            summary: scenario.summary(),
            violations,
            tally: run.tally,
            sum: run.log.sum(),
        }
    }

    /// What is wrong, and how the key that it is wrong with came to it: the seed is run once more.
    #[must_use]
    pub fn explain<N: Node>(&self, weathers: &[Weather]) -> String {
        let mut text = format!("seed {} ({}):\n", self.seed, self.summary);
        for Violation { key, what } in self.violations.iter().take(MAX_SHOWN) {
            let key = key.as_ref().map(|key| format!("{}: ", key.as_str())).unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {key}{what}");
        }
        if self.violations.len() > MAX_SHOWN {
            let _ = writeln!(text, "  and {} more", self.violations.len() - MAX_SHOWN);
        }
        let Some(key) = self.violations.iter().find_map(|violation| violation.key.as_ref()) else {
            return text;
        };
        let scenario = Scenario::new(self.seed, weathers);
        let run = World::<N>::new(&scenario, Some(key.as_str())).run();
        let _ = writeln!(text, "  what happened, and what concerned {}:", key.as_str());
        for line in run.log.lines() {
            let _ = writeln!(text, "    {line}");
        }
        let _ = writeln!(text, "  operations on {}:", key.as_str());
        for operation in run.history.0.iter().filter(|operation| operation.key == *key) {
            let _ = writeln!(text, "    {}", operation.line());
        }
        text
    }
}

/// Many seeds' verdicts, added up.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// One line a weather.
    rows: Vec<Row>,
    /// The seeds that failed.
    pub failed: Vec<Verdict>,
    /// How long it took.
    pub took: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    weather: Weather,
    seeds: u64,
    failed: u64,
    tally: Tally,
}

impl Summary {
    /// Runs `count` seeds from `first` on, and shows every failure as it comes. A seed that does not end is handed to
    /// `give_up`, as nothing else can be done about it.
    #[must_use]
    pub fn of<N: Node>(
        first: u64,
        count: u64,
        weathers: &[Weather],
        show: impl Fn(&Verdict) + Sync,
        give_up: impl Fn(u64),
    ) -> Self {
        let begun = Instant::now();
        let next = AtomicU64::new(0);
        let verdicts = Mutex::new(Vec::new());
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let running = Mutex::new(vec![None; threads]);
        std::thread::scope(|scope| {
            let (next, running, verdicts, show) = (&next, &running, &verdicts, &show);
            let worker = |thread: usize| {
                scope.spawn(move || {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        running.lock()[thread] =
                            (at < count).then(|| (first.wrapping_add(at), Instant::now()));
                        if at >= count {
                            return;
                        }
                        let verdict = Verdict::of::<N>(first.wrapping_add(at), weathers);
                        if !verdict.violations.is_empty() {
                            show(&verdict);
                        }
                        verdicts.lock().push(verdict);
                    }
                })
            };
            let workers: Vec<_> = (0..threads).map(worker).collect();
            while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                std::thread::sleep(LOOK_EVERY);
                let endless = |(_, since): &(u64, Instant)| since.elapsed() > ENDLESS;
                let endless = running.lock().iter().flatten().copied().find(endless);
                if let Some((seed, _)) = endless {
                    give_up(seed);
                }
            }
        });
        let mut summary = Self { took: begun.elapsed(), ..Self::default() };
        let mut verdicts = verdicts.into_inner();
        verdicts.sort_unstable_by_key(|verdict| verdict.seed);
        for verdict in verdicts {
            summary.add(verdict);
        }
        summary
    }

    fn add(&mut self, verdict: Verdict) {
        let Verdict { weather, tally, .. } = verdict;
        let at = self.rows.iter().position(|row| row.weather == weather).unwrap_or(self.rows.len());
        if at == self.rows.len() {
            self.rows.push(Row { weather, seeds: 0, failed: 0, tally: Tally::default() });
            self.rows.sort_unstable_by_key(|row| row.weather);
        }
        let Some(row) = self.rows.iter_mut().find(|row| row.weather == weather) else { return };
        row.seeds += 1;
        row.tally.faults += tally.faults;
        row.tally.operations += tally.operations;
        row.tally.unknown += tally.unknown;
        row.tally.simulated_ms += tally.simulated_ms;
        if !verdict.violations.is_empty() {
            row.failed += 1;
            self.failed.push(verdict);
        }
    }

    /// A table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<12}{:>8}{:>8}{:>9}{:>12}{:>10}{:>12}\n",
            "weather", "seeds", "failed", "faults", "operations", "unknown", "simulated"
        );
        let rows = self.rows.iter().map(|row| (row.weather.name(), *row));
        for (name, Row { seeds, failed, tally, .. }) in rows.chain([("all", self.total())]) {
            let hours = tally.simulated_ms as f64 / 3_600_000.0;
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{name:<12}{seeds:>8}{failed:>8}{:>9}{:>12}{:>10}{hours:>10.2} h",
                tally.faults, tally.operations, tally.unknown
            );
        }
        let _ = write!(text, "{:.1} s", self.took.as_secs_f64());
        text
    }

    fn total(&self) -> Row {
        let empty = Row { weather: Weather::Calm, seeds: 0, failed: 0, tally: Tally::default() };
        self.rows.iter().fold(empty, |sum, row| Row {
            weather: sum.weather,
            seeds: sum.seeds + row.seeds,
            failed: sum.failed + row.failed,
            tally: Tally {
                faults: sum.tally.faults + row.tally.faults,
                operations: sum.tally.operations + row.tally.operations,
                unknown: sum.tally.unknown + row.tally.unknown,
                simulated_ms: sum.tally.simulated_ms + row.tally.simulated_ms,
            },
        })
    }
}
