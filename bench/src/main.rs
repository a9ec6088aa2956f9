//! `ringhold-bench`: Ringhold beside what a user would pick instead, alternated in one run.
//!
//! It starts every program as a real process with stated settings, loads one at a time, and writes tables and raw
//! results. It is no test: a program that is not here is named and its rows are left out. `cargo xtask bench`
//! builds and calls it. The major parts:
//!
//! - `suites`: what is measured, as data; `rounds`: programs alternated; `table`: what came of it;
//! - `moments`: what is no matter of programs side by side: memory, expiry, size, bad clients;
//! - `programs`: how each program is started; `identity`: who they are over TLS;
//! - `load`: the load generator; `h2load`: the one for HTTP/2; `handshakes`: the one of new connections; `strain`:
//!   clients that behave badly; `replay`: a cache's user. The first and those after the second are a `worker`: a
//!   process of its own;
//! - `instructions`: what a request costs by callgrind's count, which tests hold to;
//! - `bare`, `trivial`: the servers that say what hyper and this machine can do at best;
//! - `report`: `benchmarks.md`, `benchmarks.json` and plots.

mod bare;
mod error;
mod h2load;
mod handshakes;
mod identity;
mod instructions;
mod load;
mod machine;
mod moments;
mod process;
mod programs;
mod replay;
mod report;
mod rounds;
mod strain;
mod suites;
mod table;
mod trivial;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

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
    /// Make the new connections that standard input describes.
    #[command(hide = true)]
    Connect,
    /// Behave as badly as standard input says, until killed.
    #[command(hide = true)]
    Strain,
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
    /// Only tables with this in their name; they are printed, and nothing is written
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// With --only: write them in place of the old ones
    #[arg(long, requires = "only")]
    update: bool,
    /// Name every table, and measure none
    #[arg(long)]
    list: bool,
    /// Where benchmarks.md, benchmarks.json and the plots go
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
        Command::Connect => handshakes::main(),
        Command::Strain => strain::main(),
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
    let wanted = |name: &str| args.only.as_ref().is_none_or(|text| name.contains(text));
    let suites = || suites::all().filter(|suite| wanted(suite.name));
    let moments = || moments::MOMENTS.iter().filter(|moment| wanted(moment.name));
    let named = suites()
        .map(|suite| (suite.name, suite.title))
        .chain(moments().map(|moment| (moment.name, moment.title)));
    if args.list {
        named.for_each(|(name, title)| println!("{name:<28} {title}"));
        return Ok(());
    }
    if named.count() == 0 {
        return Err(Error::NoSuchTable { text: args.only.clone().unwrap_or_default() });
    }
    process::allow_many_files();
    let lab = programs::Lab::new(&args.program)?;
    let effort = if args.quick { rounds::Effort::QUICK } else { rounds::Effort::FULL };
    let begun = Instant::now();
    let mut report = report::Report::default();
    for suite in suites() {
        eprintln!("\n{}: {}", suite.name, suite.title);
        report.suites.push(rounds::run(suite, &lab, effort));
    }
    for moment in moments() {
        eprintln!("\n{}: {}", moment.name, moment.title);
        report.moments.push(moment.measure(&lab, effort));
    }
    eprintln!("\nmeasured for {:.1} minutes", begun.elapsed().as_secs_f64() / 60.0);
    report.machine = machine::facts(&lab);
    let failures = report.failures();
    match (&args.only, args.update) {
        (None, _) => report.write(&args.out)?,
        (Some(_), true) => report::Report::read(&args.out)?.updated(report).write(&args.out)?,
        (Some(_), false) => println!("{}", report.tables()),
    }
    if failures.is_empty() { Ok(()) } else { Err(Error::Failures(failures)) }
}
