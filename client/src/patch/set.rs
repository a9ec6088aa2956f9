//! The set patch: adds members to a stored set of texts and removes others.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Patch, from_json, to_json};
use crate::{Error, Object};

/// Adds and removes members of a stored set; answers the set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SetPatch {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    add: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remove: Vec<String>,
}

/// A stored set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetValue {
    /// Its members.
    pub members: Vec<String>,
    /// How many there are.
    pub size: u64,
}

impl SetPatch {
    /// Adds these members too.
    #[must_use]
    pub fn with(mut self, members: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.add.extend(members.into_iter().map(Into::into));
        self
    }

    /// Removes these members too.
    #[must_use]
    pub fn without(mut self, members: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.remove.extend(members.into_iter().map(Into::into));
        self
    }
}

impl Patch for SetPatch {
    type Answer = SetValue;

    fn content_type(&self) -> &str {
        "application/vnd.ringhold.set+json"
    }

    fn document(&self) -> Result<Bytes, Error> {
        to_json(self)
    }

    fn read(&self, object: Object) -> Result<SetValue, Error> {
        from_json(&object, "a set with its members and size")
    }
}
