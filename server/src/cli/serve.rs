//! `ringhold serve`: one node, until it is told to stop.

use std::io::Read;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::output;
use crate::{Node, telemetry};

/// Run one node.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file, TOML or YAML [default: the RINGHOLD_CONFIG variable, or none: a single plain node on
    /// 127.0.0.1:9999]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one value, above file and environment; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Stop when standard input ends: for a program that starts nodes and must not leave any behind
    #[arg(long, hide = true)]
    stop_at_stdin_end: bool,
}

/// Runs the node; ends when it has stopped.
///
/// # Errors
/// A configuration that does not hold, an address that cannot be bound.
pub async fn run(args: Args) -> Result<(), super::Failure> {
    let config = super::config::load(args.config.as_deref(), &args.set)?;
    telemetry::log_to_stderr(&config.log)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let node = Node::start(config).await?;
    for address in node.addresses() {
        // A courtesy to whoever started it: a node whose stdout nobody reads any more, or is full, goes on.
        if output::print(format!("ringhold is ready on {address}\n")).is_err() {
            tracing::debug!(%address, "nobody could be told on stdout that the node is ready");
        }
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_end(), if args.stop_at_stdin_end => {}
    }
    node.stop().await;
    Ok(())
}

/// Completes when standard input ends. A thread, because a blocked read of it cannot be cancelled.
async fn stdin_end() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
        ended.send(())
    });
    let _ = end.await;
}
