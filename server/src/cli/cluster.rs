//! `ringhold cluster`: a whole ring on this machine, one process a member.

use std::num::NonZeroU16;

use clap::Args;

use super::Failure;

/// Arguments of `ringhold cluster`.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// How many members the ring has
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub nodes: u16,
    /// The port of the first member; the others take the ports behind it
    #[arg(long, value_name = "PORT", default_value = "9999")]
    pub port: NonZeroU16,
    /// A setting for every member, such as cluster.replicas=2; repeat it for more
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

/// Carries it out.
pub fn run(_args: ClusterArgs) -> Result<(), Failure> {
    Err(Failure::failed("this build has no node to start a ring of"))
}
