//! The rate-limit patch: counts one use against windowed limits, in order, up to the first that is over.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Patch, from_json, to_json};
use crate::{Error, Object};

/// How often something may happen within a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// What the limit is called; unique within a patch.
    pub name: String,
    /// How many uses a window has.
    pub maximum: u64,
    /// How long a window is, in seconds; it starts with its first use.
    pub window_seconds: u64,
}

/// Counts one use against each of these limits in order, up to the first that is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RateLimitPatch {
    /// The limits, in the order in which they are counted.
    pub limits: Vec<RateLimit>,
}

/// How the limits stand after a [`RateLimitPatch`]: those of the patch first, then others that the object holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimitAnswer {
    /// Each limit.
    pub limits: Vec<RateLimitState>,
    /// The name of the first limit that is over; none: the use is within all limits.
    #[serde(default)]
    pub over: Option<String>,
}

/// How one limit stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimitState {
    /// What the limit is called.
    pub name: String,
    /// How many uses a window has.
    pub maximum: u64,
    /// How long a window is, in seconds.
    pub window_seconds: u64,
    /// Uses counted in this window.
    pub used: u64,
    /// Uses left in this window.
    pub remaining: u64,
    /// When the window ends: milliseconds since the Unix epoch; none: no window is open.
    pub window_ends_ms: Option<u64>,
}

impl RateLimitAnswer {
    /// Whether the use was within all limits.
    #[must_use]
    pub const fn is_within(&self) -> bool {
        self.over.is_none()
    }
}

impl Patch for RateLimitPatch {
    type Answer = RateLimitAnswer;

    fn content_type(&self) -> &str {
        "application/vnd.ringhold.rate-limit+json"
    }

    fn document(&self) -> Result<Bytes, Error> {
        to_json(self)
    }

    fn read(&self, object: Object) -> Result<RateLimitAnswer, Error> {
        from_json(&object, "the state of the limits")
    }
}
