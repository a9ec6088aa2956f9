//! Numbers that only rise, one alone or one for each value of a label.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only rises, from zero at the start of the node.
#[derive(Debug, Default)]
pub struct Counter(pub(super) AtomicU64);

impl Counter {
    /// One more.
    pub fn raise(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// So many more, by the only thread that raises it: no other processor has to be asked.
    pub(super) fn add_alone(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// What it has come to.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The values that a label may have: few, and known beforehand. Made by `labels!`.
pub trait Label: Copy + 'static {
    /// All of them, in the order of their indexes.
    const ALL: &'static [Self];

    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;

    /// The value as it is written.
    fn name(self) -> &'static str;
}

/// Declares an enum of a label's values, each with its name.
macro_rules! labels {
    ($(#[$doc:meta])* $visibility:vis enum $name:ident { $($(#[$of:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name { $($(#[$of])* $value,)* }

        impl $crate::telemetry::metrics::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value),*];

            fn index(self) -> usize {
                self as usize
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $text),*
                }
            }
        }
    };
}
pub(crate) use labels;

/// A counter for each value of a label.
#[derive(Debug)]
pub struct Counters<L> {
    each: Box<[Counter]>,
    label: PhantomData<L>,
}

impl<L: Label> Default for Counters<L> {
    fn default() -> Self {
        Self { each: L::ALL.iter().map(|_| Counter::default()).collect(), label: PhantomData }
    }
}

impl<L: Label> Counters<L> {
    /// The counter of one value.
    #[must_use]
    pub fn of(&self, value: L) -> &Counter {
        &self.each[value.index()]
    }

    /// Every value with what it has come to.
    pub fn all(&self) -> impl Iterator<Item = (L, u64)> {
        L::ALL.iter().map(|value| (*value, self.of(*value).get()))
    }
}
