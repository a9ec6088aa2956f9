//! `ringhold cluster`: a whole ring of real processes on loopback, to try and to show; it grows and shrinks while it runs.
//!
//! Every node's standard input is a pipe from here: when this process ends, however it ends, they stop too.

mod command;
mod local;
mod ring;
mod view;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use command::{Command, Commands};
use ring::LocalRing;
use view::View;

use super::{Failure, output};
use crate::security::tools;

/// The most nodes that one ring on one machine may have.
const MAX_NODES: u16 = 64;

/// Run a whole ring of local processes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_NODES)))]
    nodes: u16,
    /// The loopback address to listen on
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    host: Ipv4Addr,
    /// The first node's port; the others take the ones above it
    #[arg(long, default_value_t = 9999)]
    port: u16,
    /// Members speak TLS to each other, made from a secret that is generated for this ring; each node has a plain
    /// listener for applications besides
    #[arg(long)]
    secure: bool,
    /// How many nodes keep each object [default: 2, of a single node 1]
    #[arg(long, value_name = "N")]
    replicas: Option<u16>,
    /// Set one value on every node; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

/// Runs the ring until Ctrl-C.
///
/// # Errors
/// A port that is in use, a value that no node takes, a node that does not become ready.
pub async fn run(mut args: Args) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("ringhold-").tempdir()?;
    let secret = if args.secure { Some(write_secret(folder.path())?) } else { None };
    let copies = args.replicas.map(|replicas| format!("cluster.replicas={replicas}"));
    args.set.extend(copies);
    let mut ring = LocalRing::start(&args, folder.path(), secret)?;
    let ended = tokio::select! {
        ended = show(&mut ring) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    ring.stop().await;
    ended
}

async fn show(ring: &mut LocalRing) -> Result<(), Failure> {
    ring.wait_until_ready().await?;
    output::print(view::introduction(ring))?;
    let (mut view, mut commands) = (View::default(), Commands::of_stdin());
    loop {
        tokio::select! {
            () = view.next_look() => {}
            command = commands.next() => {
                view.begin_anew();
                obey(ring, &command);
            }
        }
        for member in ring.see_off()? {
            view.begin_anew();
            output::tell(&format!("{member} has left"));
        }
        view.print(ring).await?;
    }
}

/// Carries out what was typed. What cannot be done is said, and the ring goes on as it was.
fn obey(ring: &mut LocalRing, command: &Result<Command, String>) {
    let done = match command {
        Ok(Command::Add) => ring.add(),
        Ok(Command::Remove) => ring.remove_last(),
        Err(hint) => Err(Failure::usage(hint)),
    };
    match done {
        Ok(what) => output::tell(&what),
        Err(failure) => output::tell(&failure.to_string()),
    }
}

/// A secret for this ring alone, in a file that only its owner reads.
fn write_secret(folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join("secret");
    let secret = tools::secret_generate().map_err(|error| Failure::general(error.to_string()))?;
    tools::write_new(&path, secret.expose().as_bytes())
        .map_err(|error| Failure::general(error.to_string()))?;
    Ok(path)
}
