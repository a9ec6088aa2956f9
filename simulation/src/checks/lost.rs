//! No acknowledged write is lost: in the end a key's version is not before any that a client was told of.

use ringhold_ring::Key;

use super::Agreement;
use crate::history::{Operation, Told};

/// What is wrong with a key that does not expire.
pub(super) fn check(key: &Key<'_>, operations: &[&Operation], agreement: &Agreement) -> Option<String> {
    let version = |operation: &Operation| match operation.told() {
        Some(Told::Written(version)) => version,
        Some(Told::Count(_, version)) => Some(version),
        _ => None,
    };
    let acknowledged = operations.iter().filter_map(|operation| version(operation)).max()?;
    match agreement.latest(key) {
        Some(held) if held >= acknowledged => None,
        Some(held) => Some(format!("version {acknowledged} was acknowledged, and {held} is what is left")),
        None => Some(format!("version {acknowledged} was acknowledged, and nothing is left")),
    }
}

#[cfg(test)]
mod tests {
    use ringhold_ring::{Timestamp, VersionClock, WriterId};
    use ringhold_server::object::Record;

    use super::*;
    use crate::checks::Holding;
    use crate::history::Action;
    use crate::scenario::{Scenario, Weather};

    #[test]
    fn an_acknowledged_write_that_nobody_holds_is_found() {
        let key = Key::new("r1").unwrap();
        let scenario = Scenario::new(1, &[Weather::Partitions]);
        let setup = scenario.setup_of(0, &[0, 1, 2]);
        let clock = VersionClock::new(WriterId::of(&setup.address));
        let now = Timestamp::from_millis(1_790_000_000_000);
        let (earlier, later) = (clock.next(now), clock.next(now));
        let operation = Operation {
            client: 0,
            key: key.clone(),
            action: Action::Put { value: 1, ttl: None },
            invoked_ms: 10,
            returned: Some((20, Told::Written(Some(later)))),
            attempts: 1,
            is_doubtful: false,
            executor: None,
        };
        let tombstone = |version| Record::Tombstone { version, expires_at: now };
        let holding =
            |records| Agreement::of(&setup, vec![Holding { member: setup.address.clone(), now, records }]);
        assert!(check(&key, &[&operation], &holding(vec![])).is_some());
        assert!(check(&key, &[&operation], &holding(vec![(key.clone(), tombstone(earlier))])).is_some());
        assert_eq!(check(&key, &[&operation], &holding(vec![(key.clone(), tombstone(later))])), None);
    }
}
