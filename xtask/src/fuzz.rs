//! `cargo xtask fuzz`: broken input for every parser, for a minute each unless told otherwise.
//!
//! It only builds and runs the package `fuzz`, optimised and with every check in; what is fuzzed and how is there.

use crate::command::CommandLine;
use crate::error::Error;

/// Hands `arguments` over to the fuzzer.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    let run = "run --quiet --profile fuzz --locked --package ringhold-fuzz --";
    CommandLine::cargo(run).followed_by(arguments).run()
}

/// Builds it, so that a run that follows takes as long as its inputs.
pub fn build() -> Result<(), Error> {
    CommandLine::cargo("build --profile fuzz --locked --package ringhold-fuzz").run()
}
