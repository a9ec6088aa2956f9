//! `cargo xtask faults`: puts rings through real faults, and says what became of them.
//!
//! `ringhold-faults [--rounds N] [--seconds N] [--replicas N,N] [--only NAME,NAME] [--page FILE]`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a harness fails by panicking")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ringhold_integration_tests::faults::enclosure;
use ringhold_integration_tests::faults::lan::Lan;
use ringhold_integration_tests::faults::page::{Page, Row};
use ringhold_integration_tests::faults::scenario::Scenario;
use ringhold_integration_tests::faults::stage::{MEMBERS, Stage, Terms};

/// How long members may take to answer at most, on a machine that stands still now and then.
const MOST_PATIENCE: Duration = Duration::from_secs(3);

/// What is asked for.
struct Arguments {
    rounds: usize,
    time: Duration,
    replicas: Vec<usize>,
    only: Vec<Scenario>,
    page: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("ringhold-faults: {wrong}");
            return ExitCode::from(2);
        }
    };
    if let Some(obstacle) = enclosure::obstacle() {
        eprintln!("ringhold-faults: {obstacle}");
        return ExitCode::FAILURE;
    }
    enclosure::enter();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let rows = runtime.block_on(play(&arguments));
    let page = Page::of(rows, arguments.rounds, arguments.time);
    println!("\n{}", page.table());
    if let Some(file) = &arguments.page {
        std::fs::write(file, page.text()).expect("the page can be written");
    }
    // Last, behind all that members logged: where a reader begins.
    let broken = page.broken();
    broken.iter().for_each(|promise| eprintln!("BROKEN: {promise}"));
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn play(arguments: &Arguments) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut hall = Hall { lan: Some(Lan::build(MEMBERS)), stage: None, time: arguments.time };
    let mut patience = Duration::ZERO;
    for replicas in &arguments.replicas {
        for scenario in &arguments.only {
            let mut row = Row::new(*scenario, *replicas);
            while row.rounds() < arguments.rounds {
                let terms = scenario.terms().patient(patience);
                let stage = hall.stage(*replicas, terms).await;
                let effect = scenario.play(stage).await;
                let broken = row.broken(&effect);
                let is_whole = effect.repair.is_some();
                if !broken.is_empty()
                    && terms.are_broken_by(effect.stall)
                    && terms.peer_timeout < MOST_PATIENCE
                {
                    // Who is slow counts as lost, so more members were lost than may be: no promise holds.
                    println!(
                        "{}: the machine stood still for {:?}; again, more patiently",
                        scenario.name(),
                        effect.stall
                    );
                    patience = terms.peer_timeout * 2;
                } else {
                    if !broken.is_empty() {
                        println!("{} broke a promise; what members said:\n{}", scenario.name(), stage.logs());
                    }
                    row.add(effect, terms);
                }
                if !is_whole {
                    // The next fault needs a ring that is whole.
                    hall.strike();
                }
            }
            println!("{}", row.line());
            rows.push(row);
        }
    }
    rows
}

/// The network, and what stands on it.
struct Hall {
    lan: Option<Lan>,
    stage: Option<Stage>,
    time: Duration,
}

impl Hall {
    /// A ring as this one: the one that stands there, if it is.
    async fn stage(&mut self, replicas: usize, terms: Terms) -> &mut Stage {
        if !self.stage.as_ref().is_some_and(|stage| stage.is(replicas, terms)) {
            self.strike();
            let lan = self.lan.take().expect("it is here when no stage has it");
            self.stage = Some(Stage::set(lan, replicas, self.time, terms).await);
        }
        self.stage.as_mut().expect("it was set")
    }

    fn strike(&mut self) {
        if let Some(stage) = self.stage.take() {
            self.lan = Some(stage.strike());
        }
    }
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            rounds: 1,
            time: Duration::from_secs(2),
            replicas: vec![2],
            only: Scenario::ALL.to_vec(),
            page: None,
        };
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let number = |text: &str| {
                text.parse::<usize>()
                    .ok()
                    .filter(|number| *number > 0)
                    .ok_or_else(|| format!("{text} is no number from 1"))
            };
            match &*word {
                "--rounds" => arguments.rounds = number(&value)?,
                "--seconds" => arguments.time = Duration::from_secs(number(&value)? as u64),
                "--replicas" => {
                    arguments.replicas = value.split(',').map(number).collect::<Result<_, _>>()?;
                }
                "--only" => arguments.only = value.split(',').map(scenario).collect::<Result<_, _>>()?,
                "--page" => arguments.page = Some(value.into()),
                _ => {
                    return Err(format!(
                        "there is no {word}; there are --rounds, --seconds, --replicas, --only and --page"
                    ));
                }
            }
        }
        Ok(arguments)
    }
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let found = Scenario::ALL.into_iter().find(|scenario| scenario.name() == name);
    found.ok_or_else(|| {
        let names: Vec<_> = Scenario::ALL.into_iter().map(Scenario::name).collect();
        format!("there is no fault {name}; there are {}", names.join(", "))
    })
}
