//! `ringhold-bench`: Ringhold beside what a user would pick instead, alternated in one run.
//!
//! It starts every program as a real process with stated settings, loads one at a time, and writes tables and raw
//! results. It is no test: a program that is not here is named and its rows are left out. `cargo xtask bench`
//! builds and calls it. The major parts:
//!
//! - `suites`: what is measured, as data; `programs`: how each program is started;
//! - `load`: the load generator, which runs as a process of its own; `h2load`: the one for HTTP/2;
//! - `rounds`: programs alternated, samples and their ratios; `moments`: memory, expiry and start of a node;
//! - `instructions`: what a request costs by callgrind's count, which tests hold to;
//! - `bare`, `trivial`: the servers that say what hyper and this machine can do at best;
//! - `report`: `benchmarks.md` and `benchmarks.json`.

mod bare;
mod error;
mod h2load;
mod instructions;
mod load;
mod machine;
mod moments;
mod process;
mod programs;
mod report;
mod rounds;
mod suites;
mod trivial;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::Error;

#[derive(Debug, Parser)]
#[command(name = "ringhold-bench", about = "Measures Ringhold beside what a user would pick instead.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, and write benchmarks.md and benchmarks.json.
    Run(RunArgs),
    /// Count the instructions of a request, and compare them with what is recorded.
    Instructions(InstructionsArgs),
    /// Generate the load that standard input describes.
    #[command(hide = true)]
    Load,
    /// Serve objects from a plain map: hyper and nothing else.
    #[command(hide = true)]
    Bare { address: SocketAddr },
    /// Answer every request with the same bytes.
    #[command(hide = true)]
    Trivial { address: SocketAddr },
}

/// What to measure, with what, and where to write it.
#[derive(Debug, clap::Args)]
struct RunArgs {
    /// The release build of ringhold
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// Two short rounds, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Only what has this in its name; nothing is written then
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Where benchmarks.md and benchmarks.json go
    #[arg(long, value_name = "DIRECTORY", default_value = "docs")]
    out: PathBuf,
}

/// What to count, and against what.
#[derive(Debug, clap::Args)]
struct InstructionsArgs {
    /// The release build of ringhold
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// What is recorded
    #[arg(long, value_name = "FILE", default_value = "bench/instructions.json")]
    file: PathBuf,
    /// Record the counts instead of comparing them
    #[arg(long)]
    record: bool,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Instructions(args) => instructions::run(&args.program, &args.file, args.record),
        Command::Load => load::main(),
        Command::Bare { address } => bare::main(address),
        Command::Trivial { address } => trivial::main(address),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringhold-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &RunArgs) -> Result<(), Error> {
    let lab = programs::Lab::new(&args.program)?;
    let effort = if args.quick { rounds::Effort::QUICK } else { rounds::Effort::FULL };
    let wanted = |name: &str| args.only.as_ref().is_none_or(|text| name.contains(text));
    let mut results = Vec::new();
    for suite in suites::SUITES.iter().filter(|suite| wanted(suite.name)) {
        eprintln!("\n{}", suite.title);
        results.push(rounds::run(suite, &lab, effort)?);
    }
    let mut moments = Vec::new();
    for moment in moments::MOMENTS.iter().filter(|moment| wanted(moment.name)) {
        eprintln!("\n{}", moment.title);
        moments.push((moment.run)(&lab, effort)?);
    }
    let report = report::Report { machine: machine::facts(&lab), effort, suites: results, moments };
    if args.only.is_some() {
        println!("{}", report.tables());
        return Ok(());
    }
    report.write(&args.out)
}
