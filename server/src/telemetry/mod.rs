//! What a node says of itself: logs; metrics and traces will live beside them.

use std::io::IsTerminal;

use ringhold_config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

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

/// Sends the process's log to standard error. A program that embeds a node may use its own subscriber instead.
///
/// # Errors
/// [`LogError`] for a filter that does not parse, or a second call.
pub fn log_to_stderr(settings: &Log) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| LogError::Filter { filter: settings.filter.clone(), why: error.to_string() })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match settings.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(|_| LogError::AlreadySet)
}
