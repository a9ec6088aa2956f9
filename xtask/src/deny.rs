//! `cargo xtask deny`: may we use, and do we want, every dependency we have? The rules are in `deny.toml`.

use crate::command::CommandLine;
use crate::error::Error;
use crate::tools;

/// Runs the checks that need nothing but this clone; known vulnerabilities need a database of their own.
pub fn run() -> Result<(), Error> {
    tools::find("cargo-deny").ok_or(Error::NoCargoDeny)?;
    CommandLine::cargo("deny --locked check bans licenses sources").run()
}
