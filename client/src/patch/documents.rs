//! The kinds whose answer is the whole new value: merge, JSON patch, append; and any kind in its raw form.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Patch, to_json};
use crate::{Error, Object};

/// RFC 7396: members of the document replace those of the stored JSON object; `null` removes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MergePatch<'a>(pub &'a Value);

impl Patch for MergePatch<'_> {
    type Answer = Object;

    fn content_type(&self) -> &str {
        "application/merge-patch+json"
    }

    fn document(&self) -> Result<Bytes, Error> {
        to_json(self.0)
    }

    fn read(&self, object: Object) -> Result<Object, Error> {
        Ok(object)
    }
}

/// RFC 6902: operations that are applied in order, all or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonPatch(pub Vec<PatchOperation>);

/// One operation of a [`JsonPatch`]; paths are JSON pointers (RFC 6901).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOperation {
    /// Adds `value` at `path`, or replaces what an object has there.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Removes what is at `path`.
    Remove {
        /// Where.
        path: String,
    },
    /// Replaces what is at `path`.
    Replace {
        /// Where.
        path: String,
        /// By what.
        value: Value,
    },
    /// Moves what is at `from`.
    Move {
        /// Whence.
        from: String,
        /// Whither.
        path: String,
    },
    /// Copies what is at `from`.
    Copy {
        /// Whence.
        from: String,
        /// Whither.
        path: String,
    },
    /// Fails the whole patch unless `value` is at `path`.
    Test {
        /// Where.
        path: String,
        /// What has to be there.
        value: Value,
    },
}

impl Patch for JsonPatch {
    type Answer = Object;

    fn content_type(&self) -> &str {
        "application/json-patch+json"
    }

    fn document(&self) -> Result<Bytes, Error> {
        to_json(&self.0)
    }

    fn read(&self, object: Object) -> Result<Object, Error> {
        Ok(object)
    }
}

/// Bytes or text behind what is stored; creates the object when there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    content_type: &'static str,
    document: Bytes,
}

impl Append {
    /// Appends bytes; an object that it creates is `application/octet-stream`.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { content_type: "application/octet-stream", document: bytes.into() }
    }

    /// Appends text; an object that it creates is `text/plain`.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { content_type: "text/plain", document: text.into().into() }
    }
}

impl Patch for Append {
    type Answer = Object;

    fn content_type(&self) -> &str {
        self.content_type
    }

    fn document(&self) -> Result<Bytes, Error> {
        Ok(self.document.clone())
    }

    fn read(&self, object: Object) -> Result<Object, Error> {
        Ok(object)
    }
}

/// A patch document as it is, of the kind that its media type names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPatch {
    /// The media type.
    pub content_type: String,
    /// The document.
    pub document: Bytes,
}

impl Patch for RawPatch {
    type Answer = Object;

    fn content_type(&self) -> &str {
        &self.content_type
    }

    fn document(&self) -> Result<Bytes, Error> {
        Ok(self.document.clone())
    }

    fn read(&self, object: Object) -> Result<Object, Error> {
        Ok(object)
    }
}
