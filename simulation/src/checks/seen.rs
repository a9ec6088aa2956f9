//! At a home member, while it lives, no key goes back to an older object: nothing that was overwritten, deleted or has
//! expired comes back. That an older deletion follows a newer one, or an object whose time is over, is no matter:
//! nothing is there.
//! Nor is an object older that was first stored anywhere when the other was there already, if it is seen only when the
//! other's time is over: that its version is lower only says that its writer's clock is behind.
//!
//! Who is no home member drops what it holds once the home members have it, deletions too, and knows of nothing then:
//! another that stood in at an earlier time may hand it what it still has. Whether that is ever answered after
//! something newer is for the checks of what clients saw.

use std::collections::BTreeMap;
use std::time::Duration;

use ringhold_ring::{Key, MemberAddress, Ring, Timestamp, Version};
use ringhold_server::object::Record;

use super::Violation;
use crate::node::Setup;

/// What was seen at each member so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    latest: BTreeMap<(usize, String), Latest>,
    /// When each version of a key was first seen, at any member.
    began_ms: BTreeMap<(String, Version), u64>,
}

#[derive(Clone, Copy, Debug)]
struct Latest {
    version: Version,
    is_object: bool,
    /// When it was first seen, at any member.
    began_ms: u64,
    ends_at: Option<Timestamp>,
    /// When it is over, by the world's clock.
    ends_ms: Option<u64>,
}

impl Seen {
    /// Member `member` has started again, empty.
    pub fn forget(&mut self, member: usize) {
        self.latest.retain(|(of, _), _| *of != member);
    }

    /// What `member`, which is configured with `setup`, holds at `now_ms`, which is `now` by its own clock.
    pub fn look(
        &mut self,
        member: usize,
        setup: &Setup,
        (now_ms, now): (u64, Timestamp),
        records: &[(Key<'static>, Record)],
        violations: &mut Vec<Violation>,
    ) {
        let Ok(ring) = Ring::new(setup.members.iter().cloned(), setup.placement, setup.replicas) else {
            return;
        };
        let is_home = |key: &Key<'_>| is_home(&ring, key, &setup.address);
        self.latest
            .retain(|(of, key), _| *of != member || Key::new(key.as_str()).is_ok_and(|key| is_home(&key)));
        let records = records.iter().filter(|(key, record)| !is_over(record, now) && is_home(key));
        for (key, record) in records {
            let version = record.version();
            let began_ms = *self.began_ms.entry((key.as_str().to_owned(), version)).or_insert(now_ms);
            let ends_at = end_of(record);
            let seen = Latest {
                version,
                is_object: matches!(record, Record::Object(_)),
                began_ms,
                ends_at,
                ends_ms: ends_at.map(|end| now_ms + millis(end.since(now))),
            };
            let latest = self.latest.entry((member, key.as_str().to_owned())).or_insert(seen);
            if version >= latest.version {
                *latest = seen;
                continue;
            }
            let (what, is_wrong) = match record {
                Record::Object(_) => {
                    let was_overwritten = began_ms < latest.began_ms;
                    let is_alive = latest.ends_ms.is_none_or(|end_ms| end_ms >= now_ms);
                    ("an object", was_overwritten || is_alive)
                }
                Record::Tombstone { .. } => {
                    ("a deletion", latest.is_object && latest.ends_at.is_none_or(|end| end > now))
                }
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

fn is_home(ring: &Ring, key: &Key<'_>, member: &MemberAddress) -> bool {
    let mut homes = ring.preference_list(key.digest()).take(ring.replicas());
    homes.any(|home| ring.address(home) == member)
}

/// When its time is over.
const fn end_of(record: &Record) -> Option<Timestamp> {
    match record {
        Record::Object(object) => object.expires_at,
        Record::Tombstone { expires_at, .. } => Some(*expires_at),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whether its time is over.
pub(super) fn is_over(record: &Record, now: Timestamp) -> bool {
    end_of(record).is_some_and(|end| end <= now)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ringhold_ring::{VersionClock, WriterId};
    use ringhold_server::object::{ContentType, Object};

    use super::*;
    use crate::scenario::{Scenario, Weather};

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000 + ms)
    }

    fn object(version: Version, expires_at: Option<Timestamp>) -> Record {
        let (value, content_type) = (Bytes::new(), ContentType::OctetStream);
        Record::Object(Object { value, content_type, version, expires_at })
    }

    #[test]
    fn an_older_object_is_found_and_an_older_deletion_of_nothing_is_not() {
        let setup = Scenario::new(1, &[Weather::Calm]).setup_of(0, &[0]);
        let clock = VersionClock::new(WriterId::of(&setup.address));
        let (older, newer) = (clock.next(at(0)), clock.next(at(1)));
        let deletion = Record::Tombstone { version: older, expires_at: at(90_000) };
        let key = Key::new("r1").unwrap();
        let violations = |later: &Record| {
            let (mut seen, mut violations) = (Seen::default(), Vec::new());
            // Another member holds the older one all the time.
            let (held, stored) = (object(older, None), object(newer, Some(at(1_000))));
            seen.look(1, &setup, (10, at(10)), &[(key.clone(), held)], &mut violations);
            seen.look(0, &setup, (10, at(10)), &[(key.clone(), stored)], &mut violations);
            seen.look(0, &setup, (2_000, at(2_000)), &[(key.clone(), later.clone())], &mut violations);
            violations.len()
        };
        assert_eq!(violations(&object(older, None)), 1);
        assert_eq!(violations(&deletion), 0);
    }

    #[test]
    fn an_object_that_was_stored_after_the_other_is_older_only_while_that_one_lives() {
        let setup = Scenario::new(1, &[Weather::Calm]).setup_of(0, &[0]);
        let clock = VersionClock::new(WriterId::of(&setup.address));
        let (lower, higher) = (clock.next(at(0)), clock.next(at(1)));
        let key = Key::new("t1").unwrap();
        let held = |version, expires_at| [(key.clone(), object(version, expires_at))];
        for (stored_ms, seen_ms, found) in [(10, 2_000, 1), (600, 900, 1), (600, 2_000, 0)] {
            let (mut seen, mut violations) = (Seen::default(), Vec::new());
            let mut look = |member, ms, held: &[_]| {
                seen.look(member, &setup, (ms, at(ms)), held, &mut violations);
            };
            if stored_ms < 300 {
                look(1, stored_ms, &held(lower, None));
            }
            look(0, 300, &held(higher, Some(at(1_000))));
            look(1, 600, &held(lower, None));
            look(0, seen_ms, &held(lower, None));
            assert_eq!(violations.len(), found, "stored at {stored_ms} ms, seen at {seen_ms} ms");
        }
    }

    #[test]
    fn what_a_stand_in_dropped_may_come_back_to_it() {
        let scenario = Scenario::new(1, &[Weather::Calm]);
        let setup = Setup { replicas: 1, ..scenario.setup_of(0, &[0, 1, 2]) };
        let clock = VersionClock::new(WriterId::of(&setup.address));
        let now = at(0);
        let (older, newer) = (clock.next(now), clock.next(now));
        let ring = Ring::new(setup.members.iter().cloned(), setup.placement, 1).unwrap();
        let key_of = |wanted: bool| {
            let mut keys = (0..).map(|number| Key::new(format!("r{number}")).unwrap());
            keys.find(|key| is_home(&ring, key, &setup.address) == wanted).unwrap()
        };
        for (key, found) in [(key_of(true), 1), (key_of(false), 0)] {
            let (mut seen, mut violations) = (Seen::default(), Vec::new());
            seen.look(0, &setup, (0, now), &[(key.clone(), object(newer, None))], &mut violations);
            seen.look(0, &setup, (0, now), &[], &mut violations);
            seen.look(0, &setup, (0, now), &[(key, object(older, None))], &mut violations);
            assert_eq!(violations.len(), found);
        }
    }
}
