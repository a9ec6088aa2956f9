//! What can go wrong, as a caller has to tell it apart. It is not a list of status codes.
//!
//! Invariant: a refusal, [`Error::Unavailable`] and [`Error::Unreachable`] mean that the request changed nothing; where
//! a write may have been carried out, the error is [`Error::OutcomeUnknown`].

use std::fmt;

use http::StatusCode;
use ringhold_ring::KeyError;
use serde::{Deserialize, Serialize};

/// The problem that a node reported (RFC 9457), or what its answer amounts to when it sent none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The status of the answer.
    #[serde(default)]
    pub status: u16,
    /// The stable code of the problem, for programs; empty when the answer was not a Ringhold node's.
    #[serde(default)]
    pub code: String,
    /// What kind of problem it is, for people.
    #[serde(default)]
    pub title: String,
    /// What was wrong with this request, and what would be right.
    #[serde(default)]
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        match (text.is_empty(), self.code.is_empty()) {
            (true, _) => write!(f, "the node answered {}", self.status),
            (false, true) => write!(f, "{text} (status {})", self.status),
            (false, false) => write!(f, "{text} ({})", self.code),
        }
    }
}

impl Problem {
    /// The code of a 404 for a path that no node has: it says nothing about an object.
    pub(crate) const NO_SUCH_PATH: &str = "no-such-path";
    /// The codes of a 503 after which a write may have been carried out.
    pub(crate) const MAYBE_DONE: [&str; 2] = ["outcome-unknown", "too-few-copies"];
    /// How much of the body of a refusal is read, in bytes.
    pub(crate) const MAX_BYTES: usize = 64 << 10;

    /// The problem in `body`; a body that is no problem document becomes its detail.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Self {
        let read: Option<Self> = serde_json::from_slice(body).ok();
        let mut problem = read.unwrap_or_else(|| Self { detail: first_line(body), ..Self::default() });
        problem.status = status.as_u16();
        if problem.title.is_empty() {
            problem.title = status.canonical_reason().unwrap_or_default().into();
        }
        problem
    }
}

/// The beginning of a text that is shown to a person: at most 200 characters of its first line, nothing of HTML.
fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.trim_start().lines().next().unwrap_or_default().trim();
    if line.starts_with('<') { String::new() } else { line.chars().take(200).collect() }
}

/// A node that was asked without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its base URL.
    pub node: String,
    /// What came of it.
    pub why: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.node, self.why)
    }
}

/// Why an operation did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a key; nothing was sent.
    #[error(transparent)]
    BadKey(#[from] KeyError),
    /// The key is `.` or `..`, which no URL can carry as its last segment; nothing was sent.
    #[error("the key \"{0}\" cannot be written in a URL, where it means a directory; use another key")]
    UnsendableKey(String),
    /// An argument cannot be sent; nothing was.
    #[error("{0}")]
    BadArgument(String),
    /// The stored object is not as the condition demands.
    #[error("{0}")]
    PreconditionFailed(Problem),
    /// The value, or what a patch would make of it, is over the limit of the ring.
    #[error("{0}")]
    TooLarge(Problem),
    /// The stored value cannot take this patch; it is unchanged.
    #[error("{0}")]
    Conflict(Problem),
    /// The node does not accept the request: a malformed patch, a bad TTL, an unknown patch kind.
    #[error("{0}")]
    BadRequest(Problem),
    /// The range lies outside the value.
    #[error("{0}")]
    RangeNotSatisfiable(Problem),
    /// This client may not do this (401, 403).
    #[error("{0}")]
    Denied(Problem),
    /// The store is full of data that may not be evicted.
    #[error("{0}")]
    StoreFull(Problem),
    /// No node could serve the request now; it changed nothing and may be sent again later.
    #[error("no node can serve the request now: {problem} [{}]", list(.tried))]
    Unavailable {
        /// What the last node said.
        problem: Problem,
        /// Every node that was asked.
        tried: Vec<Attempt>,
    },
    /// No node was reached, or none answered a read in time; nothing was changed.
    #[error("no node answered: {}", list(.tried))]
    Unreachable {
        /// Every node that was asked.
        tried: Vec<Attempt>,
    },
    /// The write was sent, and no answer says whether it was carried out. Read the object to see; or repeat the write,
    /// under the idempotency key that it had if it is a patch or conditional.
    #[error("the outcome is unknown: {why}; read the object to see")]
    OutcomeUnknown {
        /// What happened.
        why: String,
        /// What the node said, when it answered.
        problem: Option<Problem>,
    },
    /// The value is longer than this client reads into memory; stream it, or raise the limit.
    #[error(
        "the answer is longer than {limit} bytes, the most that is read into memory; read it as a stream"
    )]
    AnswerTooLong {
        /// The client's `max_object_bytes`.
        limit: usize,
    },
    /// The stream that a PUT was to send failed; nothing was stored.
    #[error("the value to store could not be read: {0}")]
    Source(#[source] std::io::Error),
    /// The stream of a GET broke off after its beginning had been handed out.
    #[error("the value from {node} broke off: {why}; read it again")]
    BrokenOff {
        /// Who was sending it.
        node: String,
        /// What happened.
        why: String,
    },
    /// The node failed in a way that it should not.
    #[error("the node failed: {0}")]
    ServerFailed(Problem),
    /// The answer makes no sense from a Ringhold node.
    #[error("{node} does not answer like a Ringhold node: {why}")]
    Protocol {
        /// Who answered.
        node: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl Error {
    /// What the node said, if it said something.
    #[must_use]
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::PreconditionFailed(problem)
            | Self::TooLarge(problem)
            | Self::Conflict(problem)
            | Self::BadRequest(problem)
            | Self::RangeNotSatisfiable(problem)
            | Self::Denied(problem)
            | Self::StoreFull(problem)
            | Self::ServerFailed(problem)
            | Self::Unavailable { problem, .. } => Some(problem),
            Self::OutcomeUnknown { problem, .. } => problem.as_ref(),
            _ => None,
        }
    }

    /// The error that a final answer with this status means; the fail-over has dealt with 502, 503 and 504.
    pub(crate) fn refused(node: &str, problem: Problem) -> Self {
        match problem.status {
            400 | 405 | 408 | 411 | 414 | 415 | 431 => Self::BadRequest(problem),
            401 | 403 => Self::Denied(problem),
            409 => Self::Conflict(problem),
            412 => Self::PreconditionFailed(problem),
            413 => Self::TooLarge(problem),
            416 => Self::RangeNotSatisfiable(problem),
            507 => Self::StoreFull(problem),
            500..600 => Self::ServerFailed(problem),
            _ => Self::Protocol { node: node.into(), why: problem.to_string() },
        }
    }
}

fn list(tried: &[Attempt]) -> String {
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
