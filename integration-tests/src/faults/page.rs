//! The results as a table: a row for each fault and number of copies, and the machine that they come from.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::faults::enclosure::run;
use crate::faults::load::KEYS;
use crate::faults::scenario::Scenario;
use crate::faults::stage::{Effect, MEMBERS, Terms};

/// How many examples of what is broken are shown.
const SHOWN: usize = 3;

/// One fault, once or several times.
#[derive(Debug)]
pub struct Row {
    scenario: Scenario,
    replicas: usize,
    peer_timeout: Duration,
    effects: Vec<Effect>,
}

/// All of them.
#[derive(Debug)]
pub struct Page {
    rows: Vec<Row>,
    rounds: usize,
    time: Duration,
}

impl Row {
    /// A fault that has not happened yet.
    #[must_use]
    pub const fn new(scenario: Scenario, replicas: usize) -> Self {
        Self { scenario, replicas, peer_timeout: Duration::ZERO, effects: Vec::new() }
    }

    /// It happened, on these terms, and this is what it did.
    pub fn add(&mut self, effect: Effect, terms: Terms) {
        self.peer_timeout = self.peer_timeout.max(terms.peer_timeout);
        self.effects.push(effect);
    }

    /// How often it happened.
    #[must_use]
    pub const fn rounds(&self) -> usize {
        self.effects.len()
    }

    /// It as a line of the table.
    #[must_use]
    pub fn line(&self) -> String {
        let sum = |count: fn(&Effect) -> usize| self.effects.iter().map(count).sum::<usize>();
        let longest =
            |time: fn(&Effect) -> Duration| millis(self.effects.iter().map(time).max().unwrap_or_default());
        let repairs: Option<Vec<_>> = self.effects.iter().map(|effect| effect.repair).collect();
        let repair = repairs.map_or_else(
            || "never".to_owned(),
            |mut times| {
                times.sort_unstable();
                let middle = times.get(times.len() / 2).copied().unwrap_or_default();
                format!("{} ({})", millis(middle), millis(times.last().copied().unwrap_or_default()))
            },
        );
        let broken = sum(|effect| effect.not_linearizable.len());
        let linearizable = match (broken, self.scenario.promises_linearizable()) {
            (0, true) => "yes".to_owned(),
            (0, false) => "yes, though not promised".to_owned(),
            (keys, true) => format!("NO: {keys} keys"),
            (keys, false) => format!("not promised: {keys} keys are not"),
        };
        format!(
            "| {} | {} | {} | {} | {} | {} | {linearizable} | {} | {} | {} | {} | {repair} |",
            self.scenario.title(),
            self.replicas,
            millis(self.peer_timeout),
            sum(|effect| effect.operations),
            sum(|effect| effect.lost.len()),
            sum(|effect| effect.ran_twice.len()),
            sum(|effect| effect.failed.len()),
            sum(|effect| effect.broken_off),
            longest(|effect| effect.longest_gap),
            longest(|effect| effect.longest_answer),
        )
    }

    /// Which promises something breaks that it did, and how.
    #[must_use]
    pub fn broken(&self, effect: &Effect) -> Vec<String> {
        let (scenario, replicas) = (self.scenario, self.replicas);
        let name = scenario.name();
        let mut found = vec![
            ("acknowledged writes are lost", &effect.lost),
            ("copies differ after repair", &effect.unequal),
        ];
        if scenario.promises_linearizable() {
            found.push(("keys are not linearizable", &effect.not_linearizable));
            found.push(("patches ran twice", &effect.ran_twice));
        }
        if scenario.fails_nobody() {
            found.push(("requests failed", &effect.failed));
        }
        let complain = |(what, examples): (&str, &Vec<String>)| {
            let shown: Vec<_> = examples.iter().take(SHOWN).map(String::as_str).collect();
            format!("{name}, {replicas} replicas: {what}: {}\n  {}", examples.len(), shown.join("\n  "))
        };
        let mut broken: Vec<_> =
            found.into_iter().filter(|(_, examples)| !examples.is_empty()).map(complain).collect();
        if effect.repair.is_none() {
            broken.push(format!("{name}, {replicas} replicas: never whole again"));
        }
        broken
    }
}

impl Page {
    /// The results of `rounds` of each fault, each lasting `time`.
    #[must_use]
    pub const fn of(rows: Vec<Row>, rounds: usize, time: Duration) -> Self {
        Self { rows, rounds, time }
    }

    /// The table alone.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| fault | replicas | `peer_timeout` | operations | lost | twice | linearizable | failed | broken off | longest gap | longest answer | whole \
             again (longest) |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let _ = writeln!(table, "{}", row.line());
        }
        table
    }

    /// The whole page.
    ///
    /// # Panics
    /// When a program of the machine cannot say its version.
    #[must_use]
    pub fn text(&self) -> String {
        let mut facts = String::new();
        for (name, value) in machine() {
            let _ = writeln!(facts, "| {name} | {value} |");
        }
        format!(
            "{HEAD}\n## Results\n\nEach fault {} times, for {} s; {MEMBERS} members, {KEYS} keys.\n\n{}\n{COLUMNS}\n## Machine\n\n| | |\n|---|---|\n{facts}",
            self.rounds,
            self.time.as_secs(),
            self.table(),
        )
    }

    /// Which promises were broken, if any.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        let of_row = |row: &Row| row.effects.iter().flat_map(|effect| row.broken(effect)).collect::<Vec<_>>();
        self.rows.iter().flat_map(of_row).collect()
    }
}

const HEAD: &str = "# Real faults

What clients of a ring notice when its members are killed, paused, cut off, slowed down and changed. The members are
processes of `ringhold serve`, each in a network namespace of its own, with `rest` 1 s, `probe_interval` 200 ms,
`validation_passes` 2 and the `peer_timeout` of the table: shorter than the defaults, so that the times below are shorter too. A
machine that stands still for a part of `peer_timeout` makes members doubt each other that nothing is wrong with; a promise that
looks broken then is looked at again with twice the time. Eight clients put, replace (`If-Match`), delete, read, and count
(`PATCH` with `Idempotency-Key`) through all members that are not lost, and never stop. What is promised in each case
stands in [Consistency](consistency.md).

This page is written by

    cargo xtask faults

which needs Linux, and root or a kernel that lets everyone make namespaces. The tests run a shorter round of the same.
";

const COLUMNS: &str = "- **lost**: keys of which an acknowledged change was missing after the ring was whole again, read through every member.
  What a member acknowledged after it was cut off does not count: the others may have gone on without it.
- **twice**: counters that counted a patch twice.
- **linearizable**: whether the history of every key is, judged by `todc-utils`.
- **failed**: operations that failed through members that were not lost; their outcome is unknown to the client, who may repeat them.
  **Broken off**: operations that failed because the member they went through was lost just then.
- **longest gap**: the longest time without any successful operation; **longest answer**: the longest time that one took, repeats included.
- **whole again**: from the end of the fault until every member acts, sees every other online and has handed it everything:
  the middle one of all times, and the longest.
";

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// What the results depend on.
fn machine() -> BTreeMap<&'static str, String> {
    let first = |words: &[&str]| {
        let said = run(words);
        said.lines().find(|line| !line.is_empty()).unwrap_or_default().to_owned()
    };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (processors, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or("0 kB").trim();
    let kilobytes: u64 = kilobytes.trim_end_matches(" kB").parse().unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let program = crate::program::binary().display().to_string();
    BTreeMap::from([
        ("processor", format!("{}, {cores} cores", model.trim_start_matches([':', ' ', '\t']))),
        ("memory", format!("{} GiB", kilobytes >> 20)),
        ("kernel", first(&["uname", "-sr"])),
        ("ringhold", first(&[&program, "--version"])),
        ("nftables", first(&["nft", "--version"])),
        ("iproute2", first(&["ip", "-V"])),
        ("libfaketime", first(&["faketime", "--version"])),
    ])
}
