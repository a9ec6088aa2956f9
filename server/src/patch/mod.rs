//! Patches: pure functions from a value and a patch document to a new value. One file per kind.
//!
//! Nothing here reads a clock, touches the store or panics, whatever the bytes; recursion, work and memory are
//! bounded by constants and by the sizes of what comes in. The page `proto-docs/patches.md` defines every kind, and
//! its examples are run as tests.

mod append;
mod counter;
mod json;
mod json_patch;
mod merge;
mod rate_limit;
mod set;
#[cfg(test)]
mod tests;

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
    /// The patched value would be larger than an object may be.
    #[error("the patched value would be larger than {limit} bytes")]
    TooLarge {
        /// The most bytes that it may have.
        limit: usize,
    },
}

impl PatchKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Merge, Self::Json, Self::Append, Self::Counter, Self::Set, Self::RateLimit];

    /// Every media type a patch may have, as `Accept-Patch` lists them (RFC 5789 section 3.1).
    pub const ACCEPT_PATCH: &'static str = "application/merge-patch+json, application/json-patch+json, \
        text/plain, application/octet-stream, application/vnd.ringhold.counter+json, \
        application/vnd.ringhold.set+json, application/vnd.ringhold.rate-limit+json";

    /// The media types that name this kind.
    #[must_use]
    pub const fn media_types(self) -> &'static [&'static str] {
        match self {
            Self::Merge => &["application/merge-patch+json"],
            Self::Json => &["application/json-patch+json"],
            Self::Append => &["text/plain", "application/octet-stream"],
            Self::Counter => &["application/vnd.ringhold.counter+json"],
            Self::Set => &["application/vnd.ringhold.set+json"],
            Self::RateLimit => &["application/vnd.ringhold.rate-limit+json"],
        }
    }

    /// The kind that a `Content-Type` names, parameters and case ignored.
    #[must_use]
    pub fn from_content_type(content_type: &ContentType) -> Option<Self> {
        let essence = content_type.essence();
        Self::ALL
            .into_iter()
            .find(|kind| kind.media_types().iter().any(|name| name.eq_ignore_ascii_case(essence)))
    }
}

/// Applies `document`, which came as `content_type`, to `current` (none: there is no such object yet).
///
/// # Errors
/// [`PatchError`]; nothing has changed then. A result of more than `max_bytes` is [`PatchError::TooLarge`].
pub fn apply(
    kind: PatchKind,
    current: Option<&Object>,
    document: &Bytes,
    content_type: &ContentType,
    now: Timestamp,
    max_bytes: usize,
) -> Result<Patched, PatchError> {
    let patched = match kind {
        PatchKind::Merge => merge::apply(current, document),
        PatchKind::Json => json_patch::apply(current, document, max_bytes),
        PatchKind::Append => append::apply(current, document, content_type, max_bytes),
        PatchKind::Counter => counter::apply(current, document),
        PatchKind::Set => set::apply(current, document),
        PatchKind::RateLimit => rate_limit::apply(current, document, now),
    }?;
    if patched.value.len() > max_bytes {
        return Err(PatchError::TooLarge { limit: max_bytes });
    }
    Ok(patched)
}

impl Patched {
    /// A value that its kind alone gives a shape to: always `application/json`.
    fn json(text: String) -> Self {
        Self { value: text.into(), content_type: ContentType::Json }
    }
}
