//! What clients asked, and what they were answered: the only thing that most invariants are checked on.

use ringhold_ring::{Key, Version};

/// What an operation does. Values are numbers: every write of a register has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reads.
    Get,
    /// Stores a value.
    Put {
        /// Which.
        value: u64,
        /// How long it lives, in seconds; none: for ever.
        ttl: Option<u32>,
    },
    /// Stores a value where another one is.
    Replace {
        /// The value that must be there, read before with its entity tag.
        expected: u64,
        /// The new one.
        value: u64,
    },
    /// Stores a value where none is.
    Create {
        /// Which.
        value: u64,
    },
    /// Removes whatever is there.
    Delete,
    /// Adds one to a counter.
    Add,
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It found this, or nothing.
    Found(Option<u64>),
    /// It was written, as this version where it is known.
    Written(Option<Version>),
    /// The counter is now this, as this version.
    Count(u64, Version),
    /// Its condition did not hold: nothing was done.
    ConditionFailed,
    /// Nothing was done.
    Refused,
}

/// One operation of one client, over all its repeats.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Whose it is.
    pub client: usize,
    /// Of which key.
    pub key: Key<'static>,
    /// What it does.
    pub action: Action,
    /// When it was first sent.
    pub invoked_ms: u64,
    /// When it was answered, and how; none: what came of it is not known.
    pub returned: Option<(u64, Told)>,
    /// How often it was sent.
    pub attempts: u32,
    /// Whether one of the times that it was sent it may have been executed without anybody knowing.
    pub is_doubtful: bool,
    /// Who executed it, if that is known.
    pub executor: Option<usize>,
}

impl Operation {
    /// When it was answered; never, if it was not.
    #[must_use]
    pub fn returned_ms(&self) -> u64 {
        self.returned.map_or(u64::MAX, |(at_ms, _)| at_ms)
    }

    /// What it was told, if that is known.
    #[must_use]
    pub fn told(&self) -> Option<Told> {
        self.returned.map(|(_, told)| told)
    }

    /// Whether a client knows that it has happened.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        matches!(self.told(), Some(Told::Found(_) | Told::Written(_) | Told::Count(..)))
    }

    /// Whether it may have happened, and may still.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.returned.is_none()
    }

    /// It in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let returned = match self.returned {
            Some((at_ms, told)) => format!("{:>9.3} s  {told:?}", at_ms as f64 / 1000.0),
            None => "  never     outcome unknown".to_owned(),
        };
        let executor = self.executor.map(|member| format!(" by {member}")).unwrap_or_default();
        let invoked = self.invoked_ms as f64 / 1000.0;
        let Self { client, action, attempts, .. } = self;
        format!(
            "{invoked:>9.3} s .. {returned}{executor}  <- client {client}: {action:?}, sent {attempts} times"
        )
    }
}

/// All operations of a run, in the order in which they were first sent.
#[derive(Clone, Debug, Default)]
pub struct History(pub Vec<Operation>);

impl History {
    /// The operations of each key, in the order of keys.
    #[must_use]
    pub fn by_key(&self) -> Vec<(&Key<'static>, Vec<&Operation>)> {
        let mut keys: Vec<&Key<'static>> = self.0.iter().map(|operation| &operation.key).collect();
        keys.sort_unstable_by_key(|key| key.as_str());
        keys.dedup();
        let of = |key: &Key<'static>| self.0.iter().filter(|operation| operation.key == *key).collect();
        keys.into_iter().map(|key| (key, of(key))).collect()
    }
}

/// What kind of operations a key gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads, writes, conditional writes and deletes.
    Register,
    /// Reads and additions.
    Counter,
    /// Reads, and writes that expire.
    Expiring,
}

impl Kind {
    /// Of the key with this name.
    #[must_use]
    pub fn of(key: &Key<'_>) -> Self {
        match key.as_bytes().first() {
            Some(b'c') => Self::Counter,
            Some(b't') => Self::Expiring,
            _ => Self::Register,
        }
    }
}
