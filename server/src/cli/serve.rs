//! `ringhold serve`: one node, until it is told to stop.

use std::path::PathBuf;

use super::Failure;

/// Run one node.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file, TOML or YAML [default: the RINGHOLD_CONFIG variable, or none]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one value, above file and environment; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// Runs the node; ends when it has stopped.
pub async fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::general("this build has no node to serve"))
}
