//! What a node says of itself: logs and metrics; traces will live beside them.

mod gate;
pub mod metrics;

use std::io::IsTerminal;

use ringhold_config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

pub use gate::Gate;

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `log.filter` does not parse.
    #[error(
        "log.filter \"{filter}\" is not a filter ({why}); write for example \"info\" or \"warn,ringhold_server=debug\""
    )]
    Filter {
        /// What was given.
        filter: String,
        /// The parser's words.
        why: String,
    },
    /// The process has set a logger already.
    #[error("the process has a logger already")]
    AlreadySet,
}

/// Checks `log.filter`, whose language the configuration does not know.
///
/// # Errors
/// [`LogError::Filter`]
pub fn check(settings: &Log) -> Result<(), LogError> {
    filter(settings).map(drop)
}

fn filter(settings: &Log) -> Result<EnvFilter, LogError> {
    let filter = &settings.filter;
    EnvFilter::try_new(filter)
        .map_err(|error| LogError::Filter { filter: filter.clone(), why: error.to_string() })
}

/// Sends the process's log to standard error. A program that embeds a node may use its own subscriber instead.
///
/// # Errors
/// [`LogError`] for a filter that does not parse, or a second call.
pub fn log_to_stderr(settings: &Log) -> Result<(), LogError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(settings)?)
        .with_writer(std::io::stderr)
        // What cannot be written is lost. To say so, on the same stderr, would panic: a node would die with its
        // log's reader, or when the log's disk is full.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    match settings.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(|_| LogError::AlreadySet)
}
