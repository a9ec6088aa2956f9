//! What became of the copies that this member sent as owner.

use crate::peer::network::Copied;
use crate::telemetry::metrics::{Counters, Page, family, labels};

labels! {
    /// What another member did with a copy.
    enum Placing {
        /// It keeps it.
        Kept = "kept",
        /// It has a newer record.
        Newer = "newer",
        /// It acts as owner itself.
        NotOwner = "not-owner",
        /// It has no room.
        Full = "full",
        /// The version is too far ahead of its clock.
        Skewed = "skewed",
        /// It gave no answer, or one to something else.
        Failed = "failed",
    }
}

/// Copies by what became of them.
#[derive(Debug, Default)]
pub struct CopyCounts(Counters<Placing>);

impl CopyCounts {
    /// One more; nothing when there was no answer.
    pub(super) fn note(&self, copied: Option<Copied>) {
        let placing = match copied {
            Some(Copied::Kept) => Placing::Kept,
            Some(Copied::Newer(_)) => Placing::Newer,
            Some(Copied::NotOwner) => Placing::NotOwner,
            Some(Copied::Full) => Placing::Full,
            Some(Copied::Skewed) => Placing::Skewed,
            None => Placing::Failed,
        };
        self.0.of(placing).raise();
    }

    /// Copies that another member keeps.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.0.of(Placing::Kept).get()
    }

    /// All others.
    #[must_use]
    pub fn not_kept(&self) -> u64 {
        self.0.all().filter(|(placing, _)| *placing != Placing::Kept).map(|(_, count)| count).sum()
    }

    /// Writes them down.
    pub fn collect(&self, page: &mut Page) {
        page.put_each(&family::COPIES, &self.0);
    }
}
