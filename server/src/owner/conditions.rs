//! Whether the conditions of a request hold, in the order of RFC 9110 section 13.2.2.

use ringhold_ring::{Timestamp, Version};

use crate::object::{Conditions, Tags};

/// What conditions say of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Proceed,
    NotModified,
    Failed,
}

impl Conditions {
    /// Whether a write to an object that is now at `current` (none: absent) may go on.
    pub(super) fn hold_for_write(&self, current: Option<Version>) -> bool {
        self.positive_hold(current)
            && !self.if_none_match.as_ref().is_some_and(|tags| tags.match_any(current))
    }

    /// What to do with a read of an object that is now at `current`.
    pub(super) fn check_read(&self, current: Option<Version>) -> Verdict {
        if !self.positive_hold(current) {
            return Verdict::Failed;
        }
        let unchanged = match (&self.if_none_match, self.if_modified_since, current) {
            (Some(tags), _, _) => tags.match_any(current),
            (None, Some(since), Some(version)) => whole_seconds(version) <= since.as_millis() / 1000,
            _ => false,
        };
        if unchanged { Verdict::NotModified } else { Verdict::Proceed }
    }

    /// `If-Match`, or without it `If-Unmodified-Since`.
    fn positive_hold(&self, current: Option<Version>) -> bool {
        match (&self.if_match, self.if_unmodified_since, current) {
            (Some(tags), _, _) => tags.match_any(current),
            (None, Some(since), Some(version)) => whole_seconds(version) <= since.as_millis() / 1000,
            // RFC 9110 section 13.1.4: without a modification date the field is ignored.
            _ => true,
        }
    }
}

impl Tags {
    fn match_any(&self, current: Option<Version>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Of(versions), Some(current)) => versions.contains(&current),
        }
    }
}

/// HTTP dates have whole seconds.
fn whole_seconds(version: Version) -> u64 {
    Timestamp::as_millis(version.written_at()) / 1000
}
