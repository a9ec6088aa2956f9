//! What can go wrong in a chore. Each message says what was attempted and what to do next.

use std::path::PathBuf;

/// Why a chore failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program of a command line could not be started.
    #[error("cannot start `{command}`: {source}")]
    CannotStart {
        /// The whole command line.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// A command ran and did not succeed.
    #[error("`{command}` failed ({status}); its output is above")]
    Failed {
        /// The whole command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// Programs that the tests use are not here and cannot be installed.
    #[error("the tests need programs that are not here: {commands}. {remedy}")]
    MissingTools {
        /// Their names.
        commands: String,
        /// What to do.
        remedy: String,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    CannotRead {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The build succeeded but said nothing of its program.
    #[error("`{command}` built no program named \"{program}\"; does its package still have that [[bin]]?")]
    NoProgram {
        /// The whole command line.
        command: String,
        /// What was looked for.
        program: &'static str,
    },
    /// Links that lead nowhere, one a line.
    #[error("links that lead nowhere: {count}:\n{list}")]
    DeadLinks {
        /// How many.
        count: usize,
        /// Where each is and what is wrong with it.
        list: String,
    },
    /// A chore was given what it does not take.
    #[error("it takes {right}; found \"{argument}\"")]
    Argument {
        /// What was found.
        argument: String,
        /// What it takes.
        right: &'static str,
    },
    /// cargo-deny is not installed.
    #[error("cargo-deny is not here; install it with `cargo install --locked cargo-deny`")]
    NoCargoDeny,
}
