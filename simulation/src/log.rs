//! What happened in a simulation, in its order: a running sum of everything, and, when asked for, the text of what
//! concerns one key.
//!
//! Invariant: two runs of one seed have equal sums; that is how a replay is known to be exact.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use ringhold_ring::Key;

/// The most lines that are kept; the first of them go.
const MAX_LINES: usize = 20_000;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message left a member.
    Sent {
        /// Which.
        from: usize,
        /// Where to.
        to: usize,
        /// What it is.
        what: String,
        /// What it is about.
        key: Option<Key<'static>>,
    },
    /// What the world, or a client, did.
    Noted {
        /// What.
        what: String,
        /// What it is about; nothing: everything.
        key: Option<Key<'static>>,
    },
}

/// The log of one run, shared by those who write it.
#[derive(Clone, Debug)]
pub struct Log(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    sum: DefaultHasher,
    kept: Option<String>,
    lines: std::collections::VecDeque<String>,
}

impl Log {
    /// An empty log, which keeps the text of what concerns the key named `kept`.
    #[must_use]
    pub fn new(kept: Option<&str>) -> Self {
        let lines = std::collections::VecDeque::new();
        Self(Arc::new(Mutex::new(Inner { sum: DefaultHasher::new(), kept: kept.map(Into::into), lines })))
    }

    /// Something happened at `at_ms`.
    pub fn add(&self, at_ms: u64, event: impl FnOnce() -> Event) {
        let event = event();
        let mut inner = self.0.lock();
        at_ms.hash(&mut inner.sum);
        let (text, key) = match event {
            Event::Sent { from, to, what, key } => {
                (from, to, &what).hash(&mut inner.sum);
                let concerns_one = key.is_some();
                if inner.kept.is_none() || !concerns_one {
                    return;
                }
                (format!("{from} -> {to}: {what}"), key)
            }
            Event::Noted { what, key } => {
                what.hash(&mut inner.sum);
                (what, key)
            }
        };
        let Some(kept) = &inner.kept else { return };
        if key.is_some_and(|key| key.as_str() != kept) {
            return;
        }
        inner.keep(at_ms, &text);
    }

    /// Whether the text of anything is kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.lock().kept.is_some()
    }

    /// A line that is no part of what happened, but explains it.
    pub fn remark(&self, at_ms: u64, text: &str) {
        self.0.lock().keep(at_ms, text);
    }

    /// The sum of all that happened so far.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.lock().sum.finish()
    }

    /// The lines that were kept.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().lines.iter().cloned().collect()
    }
}

impl Inner {
    fn keep(&mut self, at_ms: u64, text: &str) {
        let mut line = String::new();
        // Writing to a String cannot fail.
        let _ = write!(line, "{:>9.3} s  {text}", at_ms as f64 / 1000.0);
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}
