//! Counts the instructions that a request takes in the server, and fails when they are clearly more than recorded in
//! bench/instructions.json. `--record` writes the counts down: a change that costs more on purpose says so there.

use std::path::Path;

use crate::command::CommandLine;
use crate::error::Error;
use crate::{test, tools};

/// Builds the program and counts.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    tools::ensure()?;
    count(&test::build_program()?, arguments)
}

/// Counts the requests of `program`.
pub fn count(program: &Path, arguments: &[String]) -> Result<(), Error> {
    CommandLine::cargo(&format!(
        "run --package ringhold-bench --locked -- instructions --program {}",
        program.display()
    ))
    .followed_by(arguments)
    .run()
}
