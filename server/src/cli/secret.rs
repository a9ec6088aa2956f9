//! `ringhold secret`: makes shared secrets and bearer tokens that nobody guesses.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::{Failure, output};
use crate::security::tools;

/// The commands under `ringhold secret`.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Make a new secret: 512 random bits, one line.
    Generate(GenerateArgs),
}

/// Arguments of `ringhold secret generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Write to this new file, which only its owner can read [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Carries it out.
pub fn run(command: SecretCommand) -> Result<(), Failure> {
    let SecretCommand::Generate(args) = command;
    let secret = tools::secret_generate().map_err(|error| Failure::general(error.to_string()))?;
    let line = Zeroizing::new(format!("{}\n", secret.expose()));
    match args.output {
        Some(path) => Ok(tools::write_new(&path, line.as_bytes())?),
        None => output::print(line.as_bytes()),
    }
}
