//! At a member, while it lives, no key goes back to an older object: nothing that was overwritten, deleted or has
//! expired comes back. That an older deletion follows an object whose time is over is no matter: nothing is there.

use std::collections::BTreeMap;

use ringhold_ring::{Key, Timestamp, Version};
use ringhold_server::object::Record;

use super::Violation;

/// What was seen at each member so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    latest: BTreeMap<(usize, String), Latest>,
}

#[derive(Clone, Copy, Debug)]
struct Latest {
    version: Version,
    ends_at: Option<Timestamp>,
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
        for (key, record) in records.iter().filter(|(_, record)| !is_over(record, now)) {
            let version = record.version();
            let seen = Latest { version, ends_at: end_of(record) };
            let latest = self.latest.entry((member, key.as_str().to_owned())).or_insert(seen);
            if version >= latest.version {
                *latest = seen;
                continue;
            }
            let (what, is_wrong) = match record {
                Record::Object(_) => ("an object", true),
                Record::Tombstone { .. } => ("a deletion", latest.ends_at.is_none_or(|end| end > now)),
            };
            if is_wrong {
                let before = latest.version;
                let what =
                    format!("member {member} holds {what} of version {version} after it held {before}");
                violations.push(Violation::new(Some(key.clone()), what));
                // Once is enough.
                *latest = seen;
            }
        }
    }
}

/// When its time is over.
const fn end_of(record: &Record) -> Option<Timestamp> {
    match record {
        Record::Object(object) => object.expires_at,
        Record::Tombstone { expires_at, .. } => Some(*expires_at),
    }
}

/// Whether its time is over.
pub(super) fn is_over(record: &Record, now: Timestamp) -> bool {
    end_of(record).is_some_and(|end| end <= now)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ringhold_ring::{MemberAddress, VersionClock, WriterId};
    use ringhold_server::object::{ContentType, Object};

    use super::*;

    #[test]
    fn an_older_object_is_found_and_an_older_deletion_of_nothing_is_not() {
        let writer: MemberAddress = "10.0.0.1:9999".parse().unwrap();
        let clock = VersionClock::new(WriterId::of(&writer));
        let at = |ms: u64| Timestamp::from_millis(1_790_000_000_000 + ms);
        let (older, newer) = (clock.next(at(0)), clock.next(at(1)));
        let object = |version, expires_at| {
            let (value, content_type) = (Bytes::new(), ContentType::OctetStream);
            Record::Object(Object { value, content_type, version, expires_at })
        };
        let deletion = Record::Tombstone { version: older, expires_at: at(90_000) };
        let key = Key::new("r1").unwrap();
        let violations = |later: &Record| {
            let (mut seen, mut violations) = (Seen::default(), Vec::new());
            seen.look(0, at(10), &[(key.clone(), object(newer, Some(at(1_000))))], &mut violations);
            seen.look(0, at(2_000), &[(key.clone(), later.clone())], &mut violations);
            violations.len()
        };
        assert_eq!(violations(&object(older, None)), 1);
        assert_eq!(violations(&deletion), 0);
    }
}
