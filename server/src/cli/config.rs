//! `ringhold config`: what a node would be told; and the one place where the program loads a configuration.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ringhold_config::{Config, Sources};

use super::{Failure, output};
use crate::telemetry;

/// The commands under `ringhold config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration, and print it as it takes effect.
    Check(CheckArgs),
}

/// Arguments of `ringhold config check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file, TOML or YAML [default: the RINGHOLD_CONFIG variable, or none]
    file: Option<PathBuf>,
    /// Set one value, above file and environment; may be given several times
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

/// Carries it out.
pub fn run(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(args) => output::print(load(args.file.as_deref(), &args.set)?.to_toml()),
    }
}

/// The variable that names the configuration file when the command line does not.
const FILE: &str = "RINGHOLD_CONFIG";

/// The file to load: `given`, else the one that the environment names, if it does.
pub fn file(given: Option<&Path>) -> Option<PathBuf> {
    let named = || std::env::var_os(FILE).filter(|name| !name.is_empty()).map(PathBuf::from);
    given.map(PathBuf::from).or_else(named)
}

/// The configuration of `file` (none: the one that the environment names, if it does), the environment and `settings`.
pub fn load(file: Option<&Path>, settings: &[String]) -> Result<Config, Failure> {
    let file = self::file(file);
    // A variable that is not UTF-8 is no setting of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let sources = Sources { file: file.as_deref(), environment, overrides: settings };
    let config = Config::load(sources).map_err(|error| Failure::general(error.to_string()))?;
    telemetry::check(&config.log)?;
    Ok(config)
}
