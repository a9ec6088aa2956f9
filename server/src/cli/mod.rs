//! The command line: what can be typed, and who carries it out. One file a command.
//!
//! Invariants: stdout carries data only, everything said to a person goes to stderr; every way to end has its exit code.

mod cluster;
mod completions;
mod config;
mod connection;
mod credentials;
mod delete;
mod encode_key;
mod exit;
mod get;
mod input;
mod keystore;
mod locate;
mod output;
mod password;
mod patch;
mod put;
mod secret;
mod serve;
mod status;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use connection::Connection;
use exit::Exit;
pub(crate) use exit::Failure;

/// A distributed hash-ring object store: one small process beside each node of an application.
#[derive(Debug, Parser)]
#[command(name = "ringhold", version, after_help = exit::HELP, max_term_width = 100)]
#[command(arg_required_else_help = true, subcommand_required = true)]
struct Cli {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node of a ring.
    Serve(serve::Args),
    /// Run a whole ring on this machine, to try things out.
    Cluster(cluster::Args),
    /// Read an object.
    Get(get::GetArgs),
    /// Store an object.
    Put(put::PutArgs),
    /// Remove an object.
    Delete(delete::DeleteArgs),
    /// Change an object in place, atomically.
    Patch(patch::PatchArgs),
    /// Show which members a key lives on.
    Locate(locate::LocateArgs),
    /// Show the ring: its members, their health, their shares of the keys.
    Status(status::StatusArgs),
    /// Show where a key is placed and how it is written in a URL, without asking anyone.
    EncodeKey(encode_key::EncodeKeyArgs),
    /// Look at configurations.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Make and look at keystores.
    #[command(subcommand)]
    Keystore(keystore::KeystoreCommand),
    /// Make shared secrets and bearer tokens.
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    /// Print a script that completes commands in a shell.
    Completions(completions::CompletionsArgs),
}

impl Command {
    const fn talks_to_a_node(&self) -> bool {
        matches!(
            self,
            Self::Get(_)
                | Self::Put(_)
                | Self::Delete(_)
                | Self::Patch(_)
                | Self::Locate(_)
                | Self::Status(_)
        )
    }
}

/// Parses the command line, carries it out, and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout; that nobody reads them is no failure.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    match run(cli) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => failure.report(),
    }
}

/// A node uses every core; what only talks to one needs a single thread. Where there is a single core, threads that
/// hand work to each other only cost time.
fn on_all_cores(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let mut runtime = match std::thread::available_parallelism() {
        Ok(cores) if cores.get() == 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(command)
}

fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { connection, command } = cli;
    if !command.talks_to_a_node() {
        connection.refuse_credentials()?;
    }
    match command {
        Command::Serve(args) => on_all_cores(serve::run(args)),
        Command::Cluster(args) => on_all_cores(cluster::run(args)),
        Command::EncodeKey(args) => encode_key::run(&args),
        Command::Config(command) => config::run(command),
        Command::Keystore(command) => keystore::run(command),
        Command::Secret(command) => secret::run(command),
        Command::Completions(args) => completions::run(&args),
        Command::Get(args) => connection.run(async |ring| get::run(&ring, &args).await),
        Command::Put(args) => connection.run(async |ring| put::run(&ring, &args).await),
        Command::Delete(args) => connection.run(async |ring| delete::run(&ring, &args).await),
        Command::Patch(args) => connection.run(async |ring| patch::run(&ring, &args).await),
        Command::Locate(args) => connection.run(async |ring| locate::run(&ring, &args).await),
        Command::Status(args) => connection.run(async |ring| status::run(&ring, &args).await),
    }
}
