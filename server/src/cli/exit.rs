//! How a command ends: one exit code for each thing that a script may want to tell apart.

use std::io::Write as _;
use std::process::ExitCode;

use ringhold_client::{BuildError, Error};

use crate::StartError;
use crate::telemetry::LogError;

/// The codes, as `--help` shows them. `docs/cli.md` has the same table.
pub const HELP: &str = "\
Exit codes:
  0  done
  1  failed: the node refused, or a file could not be read or written
  2  the command line is wrong
  3  there is no such object
  4  the stored object is not as --if-match or --if-absent demands
  5  no node can be reached, or none can serve the request now
  6  the outcome is unknown: the write was sent, and no answer came";

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    PreconditionFailed = 4,
    Unavailable = 5,
    OutcomeUnknown = 6,
    /// Stopped by Ctrl-C: 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// Ends with `exit`, and tells `message` to the person.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Something failed that has nothing to do with the command line.
    pub fn general(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// There is no object under `key`.
    pub fn not_found(key: &str) -> Self {
        Self::new(Exit::NotFound, format!("there is no object under \"{key}\""))
    }

    /// Nobody reads stdout any more: the reader had enough, so this is an end, not a failure.
    pub fn reader_gone() -> Self {
        Self::new(Exit::Ok, "")
    }

    /// Tells the person, and gives the code to end with.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            let _ = writeln!(std::io::stderr(), "ringhold: {}", self.message);
        }
        self.exit.into()
    }

    #[cfg(test)]
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::BadKey(_) | Error::UnsendableKey(_) | Error::BadArgument(_) => Exit::Usage,
            Error::PreconditionFailed(_) => Exit::PreconditionFailed,
            Error::Unavailable { .. } | Error::Unreachable { .. } | Error::BrokenOff { .. } => {
                Exit::Unavailable
            }
            Error::OutcomeUnknown { .. } => Exit::OutcomeUnknown,
            _ => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::general(error.to_string())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::general(error.to_string())
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::general(error.to_string())
    }
}
