//! `cargo xtask simulate`: whole rings over a simulated network and clock, many times, each time with other faults.
//!
//! It only builds and runs the package `simulation`, optimised; what is simulated and what must hold is there.

use crate::command::CommandLine;
use crate::error::Error;

/// How many seeds `cargo xtask test` runs.
pub const TESTED_SEEDS: &str = "500";

/// Hands `arguments` over to the simulation.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    let build = "run --quiet --release --locked --package ringhold-simulation --";
    CommandLine::cargo(build).followed_by(arguments).run()
}
