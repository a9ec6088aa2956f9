//! Measures Ringhold beside what a user would pick instead, and writes docs/benchmarks.md and .json.
//!
//! Not a test: nothing fails because something is slow, and what is not here is not compared.

use crate::command::CommandLine;
use crate::error::Error;
use crate::{test, tools};

/// The programs that it compares with, or measures with, and Debian's packages of them.
const PEERS: &[(&str, &str)] = &[
    ("etcd", "etcd-server"),
    ("h2load", "nghttp2-client"),
    ("haproxy", "haproxy"),
    ("memcached", "memcached"),
    ("nginx", "nginx-light"),
    ("redis-server", "redis-server"),
    ("webdis", "webdis"),
];

/// Builds what is measured and what measures, and runs it with `arguments`: `--quick`, as briefly as shows that it works;
/// `--list`, what there is; `--only NAME`, a part of it, and with `--update` into the page.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    tools::offer(PEERS);
    let program = test::build_program()?;
    CommandLine::cargo(&format!(
        "run --release --package ringhold-bench --locked -- run --program {}",
        program.display()
    ))
    .followed_by(arguments)
    .run()
}
