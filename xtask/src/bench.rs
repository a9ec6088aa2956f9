//! Measures Ringhold beside what a user would pick instead, and writes docs/benchmarks.md and .json.
//!
//! Not a test: nothing fails because something is slow, and what is not here is not compared.

use crate::command::CommandLine;
use crate::error::Error;
use crate::{Flag, test, tools};

/// The programs that it compares with, or measures with, and Debian's packages of them.
const PEERS: &[(&str, &str)] = &[
    ("h2load", "nghttp2-client"),
    ("haproxy", "haproxy"),
    ("memcached", "memcached"),
    ("nginx", "nginx-light"),
    ("redis-server", "redis-server"),
    ("webdis", "webdis"),
];

/// Builds what is measured and what measures, and runs it; with the flag, as briefly as shows that it works.
pub fn run(quick: Flag) -> Result<(), Error> {
    tools::offer(PEERS);
    let program = test::build_program()?;
    let quick = if quick == Flag::Given { "--quick" } else { "" };
    CommandLine::cargo(&format!(
        "run --release --package ringhold-bench --locked -- run {quick} --program {}",
        program.display()
    ))
    .run()
}
