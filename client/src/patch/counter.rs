//! The counter patch: adds to a number, within bounds.

use bytes::Bytes;
use serde::Serialize;

use super::{Patch, from_json, to_json};
use crate::{Error, Object};

/// Adds to a stored number; answers the new count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counter {
    add: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ceiling: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial: Option<i64>,
}

impl Counter {
    /// Adds `amount`, which may be negative.
    #[must_use]
    pub const fn add(amount: i64) -> Self {
        Self { add: amount, floor: None, ceiling: None, initial: None }
    }

    /// With a lower bound for the count.
    #[must_use]
    pub const fn floor(mut self, floor: i64) -> Self {
        self.floor = Some(floor);
        self
    }

    /// With an upper bound for the count.
    #[must_use]
    pub const fn ceiling(mut self, ceiling: i64) -> Self {
        self.ceiling = Some(ceiling);
        self
    }

    /// With a count to start from when there is none; 0 otherwise.
    #[must_use]
    pub const fn initial(mut self, initial: i64) -> Self {
        self.initial = Some(initial);
        self
    }
}

impl Patch for Counter {
    type Answer = i64;

    fn content_type(&self) -> &str {
        "application/vnd.ringhold.counter+json"
    }

    fn document(&self) -> Result<Bytes, Error> {
        to_json(self)
    }

    fn read(&self, object: Object) -> Result<i64, Error> {
        from_json(&object, "a whole number")
    }
}
