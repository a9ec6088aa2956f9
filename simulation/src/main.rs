//! `cargo xtask simulate`: runs seeds and says what went wrong in which.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use ringhold_simulation::real::Real;
use ringhold_simulation::scale;
use ringhold_simulation::scenario::Weather;
use ringhold_simulation::seeds::{Summary, Verdict};

/// Runs whole rings over a simulated network and clock, and checks what they promise.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask simulate", max_term_width = 100)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Run this seed alone, and show what happened in it if something is wrong.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// Only scenarios of this weather; may be given several times. A seed means another scenario then.
    #[arg(long, value_parser = weather)]
    weather: Vec<Weather>,
    /// Measure rings of 3 to 500 members instead, and write docs/scale.md.
    #[arg(long, conflicts_with_all = ["seeds", "first", "seed", "weather"])]
    scale: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.scale {
        return scale();
    }
    let weathers = if arguments.weather.is_empty() { &Weather::ALL[..] } else { &arguments.weather };
    let is_fine = match arguments.seed {
        Some(seed) => one(seed, weathers),
        None => many(&arguments, weathers),
    };
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn scale() -> ExitCode {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs");
    match scale::write(&docs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write the figures into {}: {error}", docs.display());
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64, weathers: &[Weather]) -> bool {
    let verdict = Verdict::of::<Real>(seed, weathers);
    if verdict.violations.is_empty() {
        println!(
            "seed {seed} ({}): nothing is wrong; the sum of its log is {:016x}",
            verdict.summary, verdict.sum
        );
        return true;
    }
    println!("{}", verdict.explain::<Real>(weathers));
    false
}

fn many(arguments: &Arguments, weathers: &[Weather]) -> bool {
    let chosen: String =
        arguments.weather.iter().map(|weather| format!(" --weather {}", weather.name())).collect();
    let give_up = |seed| {
        println!("seed {seed} does not end; replay: cargo xtask simulate --seed {seed}{chosen}");
        std::process::exit(1);
    };
    let show = |verdict: &Verdict| {
        let Verdict { seed, summary, violations, .. } = verdict;
        let first = violations.first().map(|violation| violation.what.as_str()).unwrap_or_default();
        println!(
            "seed {seed} failed ({summary}): {first}; replay: cargo xtask simulate --seed {seed}{chosen}"
        );
    };
    let summary = Summary::of::<Real>(arguments.first, arguments.seeds, weathers, show, give_up);
    println!("{}", summary.table());
    summary.failed.is_empty()
}

fn weather(name: &str) -> Result<Weather, String> {
    let names = || Weather::ALL.map(Weather::name).join(", ");
    let known = Weather::ALL.into_iter().find(|weather| weather.name() == name);
    known.ok_or_else(|| format!("there is no weather \"{name}\"; one of {}", names()))
}
