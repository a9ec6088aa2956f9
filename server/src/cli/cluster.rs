//! `ringhold cluster`: a whole ring of real processes on loopback, to try and to show.

use std::net::Ipv4Addr;

use super::Failure;

/// Run a whole ring of local processes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub nodes: u16,
    /// The loopback address to listen on
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    pub host: Ipv4Addr,
    /// The first node's port; the others take the ones above it
    #[arg(long, default_value_t = 9999)]
    pub port: u16,
    /// Set one value on every node; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// Runs the ring until Ctrl-C.
pub async fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::general("this build has no node to start a ring of"))
}
