//! Puts rings of processes through real faults, several times each, and writes docs/faults.md.
//!
//! What is promised and not kept is an error; how long things take is not.

use crate::command::CommandLine;
use crate::error::Error;
use crate::{test, tools};

/// How often each fault happens, and for how long.
const LENGTH: &str = "--rounds 5 --seconds 3 --replicas 2,3";

/// Where the results go, unless only a part of them was asked for.
const PAGE: &str = "--page docs/faults.md";

/// Builds what is broken and what breaks it, and runs it. With `arguments`, of `ringhold-faults`, nothing is written unless they
/// say so.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    tools::ensure()?;
    let program = test::build_program()?;
    let usual = if arguments.is_empty() { format!("{LENGTH} {PAGE}") } else { String::new() };
    CommandLine::cargo(&format!(
        "run --package ringhold-integration-tests --bin ringhold-faults --locked -- {usual}"
    ))
    .with("RINGHOLD_BIN", program)
    .followed_by(arguments)
    .run()
}
