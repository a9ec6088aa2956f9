//! `ringhold serve`: one node, until it is told to stop.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::output;
use crate::node::Reload;
use crate::{Node, store, telemetry};

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
    store::allocator::keep_freed();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let node = Node::start_reloading(config, Some(reload(&args))).await?;
    for address in node.addresses() {
        // A courtesy to whoever started it: a node whose stdout nobody reads any more, or is full, goes on.
        if output::print(format!("ringhold is ready on {address}\n")).is_err() {
            tracing::debug!(%address, "nobody could be told on stdout that the node is ready");
        }
    }
    let mut told_to_stop = std::pin::pin!(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stdin_end(), if args.stop_at_stdin_end => {}
        }
    });
    loop {
        tokio::select! {
            () = &mut told_to_stop => break,
            _ = hang_up.recv() => node.reload(),
        }
    }
    node.stop().await;
    Ok(())
}

/// The configuration as the command line has it, read again.
fn reload(args: &Args) -> Reload {
    let (file, set) = (super::config::file(args.config.as_deref()), args.set.clone());
    let files = file.iter().cloned().collect();
    let read = move || super::config::load(file.as_deref(), &set).map_err(|failure| failure.to_string());
    Reload { files, read: Arc::new(read) }
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
