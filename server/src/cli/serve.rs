//! `ringhold serve`: a node of a ring.

use std::path::PathBuf;

use clap::Args;

use super::Failure;

/// Arguments of `ringhold serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file, TOML or YAML [default: the RINGHOLD_CONFIG variable, or none]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A setting that wins over file and environment, such as store.max_bytes=1GiB; repeat it for more
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

/// Carries it out.
pub fn run(_args: ServeArgs) -> Result<(), Failure> {
    Err(Failure::failed("this build has no node to serve"))
}
