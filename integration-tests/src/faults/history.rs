//! What clients asked and what they were told, with the times: all that a ring is judged by.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What an operation does, and what it said where it says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read this, or that nothing is there.
    Read(Option<u64>),
    /// Stored a value, which nothing else stores.
    Write(u64),
    /// Stored a value if another was there.
    Replace {
        /// What had to be there.
        expected: u64,
        /// What was stored then.
        value: u64,
        /// Whether it was; none: that is not known.
        replaced: Option<bool>,
    },
    /// Removed whatever was there.
    Remove,
    /// Added one; what the counter was then, if that is known.
    Add(Option<u64>),
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered as it should be.
    Answered,
    /// It may have happened, may yet happen, or never will.
    Unknown(String),
    /// It did not happen: it reached nobody.
    Unsent(String),
}

/// One operation of one client.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Of which key.
    pub key: usize,
    /// Which member was asked.
    pub through: usize,
    /// Who says that it carried it out.
    pub executor: Option<String>,
    /// What it did.
    pub action: Action,
    /// When it was first sent.
    pub start: Duration,
    /// When it was answered or given up.
    pub end: Duration,
    /// What came of it.
    pub outcome: Outcome,
}

impl Operation {
    /// Whether the client knows that it happened.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.outcome == Outcome::Answered
    }

    /// From when on nothing can come of it any more: never, when nobody knows what came of it.
    #[must_use]
    pub fn settled(&self) -> Duration {
        if self.is_answered() { self.end } else { Duration::MAX }
    }

    /// Whether it changed the object, or may have.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        match (&self.outcome, self.action) {
            (Outcome::Unsent(_), _)
            | (_, Action::Read(_) | Action::Replace { replaced: Some(false), .. }) => false,
            (_, Action::Write(_) | Action::Remove | Action::Add(_) | Action::Replace { .. }) => true,
        }
    }
}

/// Everything that was asked since it was made.
#[derive(Debug)]
pub struct History {
    began: Instant,
    operations: Mutex<Vec<Operation>>,
}

impl Default for History {
    fn default() -> Self {
        Self { began: Instant::now(), operations: Mutex::default() }
    }
}

impl History {
    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes an operation down that has just ended.
    ///
    /// # Panics
    /// Never.
    pub fn add(&self, operation: Operation) {
        self.operations.lock().expect("nobody panics with it").push(operation);
    }

    /// All of them, in the order in which they ended.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.operations.lock().expect("nobody panics with it").clone()
    }
}
