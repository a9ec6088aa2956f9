//! At a member, while it lives, no key's version goes backwards: nothing that was overwritten or deleted comes back.

use std::collections::BTreeMap;

use ringhold_ring::{Key, Timestamp, Version};
use ringhold_server::object::Record;

use super::Violation;

/// What was seen at each member so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    latest: BTreeMap<(usize, String), Version>,
}

impl Seen {
    /// Member `member` has started again, empty.
    pub fn forget(&mut self, member: usize) {
        self.latest.retain(|(of, _), _| *of != member);
    }

    /// What `member` holds at `now`, by its own clock.
    pub fn look(
        &mut self,
        member: usize,
        now: Timestamp,
        records: &[(Key<'static>, Record)],
        violations: &mut Vec<Violation>,
    ) {
        for (key, record) in records {
            if is_over(record, now) {
                continue;
            }
            let version = record.version();
            let latest = self.latest.entry((member, key.as_str().to_owned())).or_insert(version);
            if version < *latest {
                let what = match record {
                    Record::Object(_) => "an object",
                    Record::Tombstone { .. } => "a deletion",
                };
                let what =
                    format!("member {member} holds {what} of version {version} after it held {latest}");
                violations.push(Violation::new(Some(key.clone()), what));
            }
            *latest = version;
        }
    }
}

/// Whether its time is over.
pub(super) fn is_over(record: &Record, now: Timestamp) -> bool {
    match record {
        Record::Object(object) => object.expires_at.is_some_and(|expires_at| expires_at <= now),
        Record::Tombstone { expires_at, .. } => *expires_at <= now,
    }
}
