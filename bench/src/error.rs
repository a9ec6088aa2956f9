//! What can go wrong while measuring. A figure that cannot be trusted is an error, never a row.

use std::io;

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, a socket or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// An answer that is not what was asked for.
    #[error("wrong answer from {from}: {what}")]
    Answer {
        /// Who gave it.
        from: String,
        /// What it was, and what would be right.
        what: String,
    },
    /// A program that did not start, or did not say what it should.
    #[error("{program}: {what}")]
    Program {
        /// Its name.
        program: String,
        /// What happened.
        what: String,
    },
    /// A name that no table has.
    #[error("no table has \"{text}\" in its name; --list names them all")]
    NoSuchTable {
        /// What was asked for.
        text: String,
    },
    /// Rows that could not be measured; the others were.
    #[error("{} could not be measured, the rest was:\n{}", .0.len(), .0.join("\n"))]
    Failures(Vec<String>),
    /// Text of another process that is no JSON.
    #[error("not JSON of a plan or an outcome: {0}")]
    Json(#[from] serde_json::Error),
}

/// Turns an error of the system into one that says what was attempted.
pub fn doing<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
    move |source| Error::Io { what: what.into(), source: source.into() }
}
