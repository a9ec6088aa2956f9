//! No addition to a counter is lost, and none runs twice.
//!
//! With one copy of it, an answer counts at least what was acknowledged before it was asked, and at most what was
//! asked before it came. During partitions additions may be lost, but still none runs twice.

use crate::history::{Action, Operation, Told};

/// What is wrong with a counter.
pub(super) fn check(operations: &[&Operation], is_one_copy: bool) -> Option<String> {
    let additions = || operations.iter().filter(|operation| operation.action == Action::Add);
    let added =
        || additions().filter(|addition| matches!(addition.told(), Some(Told::Count(..) | Told::Written(_))));
    for operation in operations {
        let (count, own) = match operation.told() {
            Some(Told::Found(value)) => (value.unwrap_or_default(), 0),
            Some(Told::Count(count, _)) => (count, 1),
            _ => continue,
        };
        let possible = additions().filter(|addition| {
            addition.invoked_ms <= operation.returned_ms() && addition.told() != Some(Told::Refused)
        });
        let most = possible.count() as u64;
        if count > most {
            return Some(format!("it is {count} when only {most} additions were asked for: one ran twice"));
        }
        let before = added().filter(|addition| addition.returned_ms() < operation.invoked_ms);
        let least = before.count() as u64 + own;
        if is_one_copy && count < least {
            return Some(format!(
                "it is {count} at {} ms when {least} additions were acknowledged: one is lost",
                operation.returned_ms()
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use ringhold_ring::{Key, MemberAddress, Timestamp, VersionClock, WriterId};

    use super::*;

    fn operation(action: Action, from_ms: u64, returned: Option<(u64, Told)>) -> Operation {
        Operation {
            client: 0,
            key: Key::new("c1").unwrap(),
            action,
            invoked_ms: from_ms,
            returned,
            attempts: 1,
            is_doubtful: returned.is_none(),
            executor: None,
        }
    }

    fn add(count: u64, from_ms: u64) -> Operation {
        let writer: MemberAddress = "10.0.0.1:9999".parse().unwrap();
        let version = VersionClock::new(WriterId::of(&writer)).next(Timestamp::from_millis(from_ms));
        operation(Action::Add, from_ms, Some((from_ms + 5, Told::Count(count, version))))
    }

    fn read(count: u64, from_ms: u64) -> Operation {
        operation(Action::Get, from_ms, Some((from_ms + 5, Told::Found(Some(count)))))
    }

    #[test]
    fn an_addition_that_is_missing_is_found_where_there_is_one_copy() {
        let (one, two, late) = (add(1, 0), add(2, 10), read(1, 20));
        assert!(check(&[&one, &two, &late], true).is_some());
        assert_eq!(check(&[&one, &two, &late], false), None);
        assert_eq!(check(&[&one, &two, &read(2, 20)], true), None);
    }

    #[test]
    fn an_addition_that_ran_twice_is_found_always() {
        let unknown = operation(Action::Add, 10, None);
        assert_eq!(check(&[&add(1, 0), &unknown, &read(2, 20)], false), None);
        assert!(check(&[&add(1, 0), &unknown, &read(3, 20)], false).is_some());
    }
}
