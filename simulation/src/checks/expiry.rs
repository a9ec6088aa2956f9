//! What has expired does not come back, and nothing is gone before its time.
//!
//! A copy carries what is left of its life, so that members' clocks differ does not matter. But each runs at a pace of its
//! own, and what is left is counted from when the copy is taken: it may be on its way to a stopped member for long.

use crate::history::{Action, Operation, Told};

/// Rounding, and the time that an answer takes to arrive.
const MARGIN_MS: u64 = 1_000;

/// How far the end of an object may be off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slack {
    /// How far apart two clocks may have come.
    pub(super) drift_ms: u64,
    /// How long a copy may be on its way to who keeps it: it lives longer there by so much.
    pub(super) on_its_way_ms: u64,
}

/// What is wrong with a key whose objects expire.
pub(super) fn check(operations: &[&Operation], slack: Slack, is_one_copy: bool) -> Option<String> {
    let slack_ms = 2 * slack.drift_ms + MARGIN_MS;
    for read in operations.iter().filter(|operation| operation.action == Action::Get) {
        match read.told() {
            Some(Told::Found(Some(value))) => {
                let Some((write, ttl_ms)) = written(operations, value) else { continue };
                let late_ms = slack_ms + slack.on_its_way_ms;
                let last_ms = write.returned_ms().saturating_add(ttl_ms).saturating_add(late_ms);
                if read.invoked_ms > last_ms {
                    return Some(format!(
                        "{value} was read at {} ms, after its end at {last_ms} ms",
                        read.invoked_ms
                    ));
                }
            }
            Some(Told::Found(None)) if is_one_copy => {
                let alive = operations.iter().find(|write| {
                    let Action::Put { ttl: Some(ttl), .. } = write.action else { return false };
                    let end_ms = (write.invoked_ms + u64::from(ttl) * 1_000).saturating_sub(slack_ms);
                    write.is_acknowledged() && write.returned_ms() < read.invoked_ms && read.returned_ms() < end_ms
                        // A later one may have a shorter life.
                        && !operations.iter().any(|other| is_later_write(other, write))
                });
                if let Some(write) = alive {
                    return Some(format!(
                        "nothing was read at {} ms: {:?} is lost",
                        read.invoked_ms, write.action
                    ));
                }
            }
            _ => {}
        }
    }
    None
}

fn written<'a>(operations: &[&'a Operation], wanted: u64) -> Option<(&'a Operation, u64)> {
    operations.iter().find_map(|operation| match operation.action {
        Action::Put { value, ttl: Some(ttl) } if value == wanted => {
            Some((*operation, u64::from(ttl) * 1_000))
        }
        _ => None,
    })
}

fn is_later_write(other: &Operation, write: &Operation) -> bool {
    matches!(other.action, Action::Put { .. })
        && other.returned_ms() >= write.invoked_ms
        && other.action != write.action
}

#[cfg(test)]
mod tests {
    use ringhold_ring::Key;

    use super::*;

    fn operation(action: Action, from_ms: u64, told: Told) -> Operation {
        Operation {
            client: 0,
            key: Key::new("t1").unwrap(),
            action,
            invoked_ms: from_ms,
            returned: Some((from_ms + 5, told)),
            attempts: 1,
            is_doubtful: false,
            executor: None,
        }
    }

    #[test]
    fn what_is_over_is_not_read_again_and_what_is_not_is_there() {
        let put = operation(Action::Put { value: 7, ttl: Some(10) }, 0, Told::Written(None));
        let read = |at_ms, value| operation(Action::Get, at_ms, Told::Found(value));
        let exact = Slack { drift_ms: 0, on_its_way_ms: 0 };
        assert_eq!(check(&[&put, &read(5_000, Some(7)), &read(12_000, None)], exact, true), None);
        assert!(check(&[&put, &read(12_000, Some(7))], exact, false).is_some());
        assert!(check(&[&put, &read(5_000, None)], exact, true).is_some());
        let slow = Slack { on_its_way_ms: 6_000, ..exact };
        assert_eq!(check(&[&put, &read(12_000, Some(7))], slow, false), None);
        assert!(check(&[&put, &read(18_000, Some(7))], slow, false).is_some());
        assert!(check(&[&put, &read(5_000, None)], slow, true).is_some());
        assert_eq!(check(&[&put, &read(5_000, None)], Slack { drift_ms: 5_000, ..exact }, true), None);
    }
}
