//! What is wrong in a history of one key: acknowledged writes that are lost, and whether it is linearizable.
//!
//! Linearizability is judged by `todc-utils`, an implementation of the algorithm of Wing, Gong and Lowe that is not ours. An
//! operation whose outcome is unknown may take effect at any later time: its response comes after everything else.

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action as Event, History};
use todc_utils::specifications::Specification;

use crate::faults::history::{Action, Operation, Outcome};

/// How many acknowledged changes of a key are missing from what was found in the end.
#[must_use]
pub fn lost(operations: &[Operation], found: Option<u64>) -> usize {
    let acknowledged =
        || operations.iter().filter(|operation| operation.is_change() && operation.is_answered());
    if operations.iter().any(|operation| matches!(operation.action, Action::Add(_))) {
        let sum = usize::try_from(found.unwrap_or(0)).expect("a small number");
        return acknowledged().count().saturating_sub(sum);
    }
    // Whatever left what was found: a change that began after all of these were settled should have been found instead.
    let leaves_it = |operation: &&Operation| match operation.action {
        Action::Write(value) | Action::Replace { value, .. } => found == Some(value),
        Action::Remove => found.is_none(),
        Action::Read(_) | Action::Add(_) => false,
    };
    let left = operations.iter().filter(|operation| operation.is_change()).filter(leaves_it);
    let settled = left.map(Operation::settled).max();
    acknowledged().filter(|operation| settled.is_none_or(|settled| operation.start > settled)).count()
}

/// How many additions too many there are in what was found of a counter in the end: patches that ran twice.
#[must_use]
pub fn ran_twice(operations: &[Operation], found: Option<u64>) -> usize {
    let additions = operations.iter().filter(|operation| operation.is_change());
    let additions = additions.filter(|operation| matches!(operation.action, Action::Add(_))).count();
    let is_counter = operations.iter().any(|operation| matches!(operation.action, Action::Add(_)));
    let sum = usize::try_from(found.unwrap_or(0)).expect("a small number");
    if is_counter { sum.saturating_sub(additions) } else { 0 }
}

/// Whether the operations of one key could have happened one after the other, each between its start and its end.
#[must_use]
pub fn is_linearizable(operations: &[Operation]) -> bool {
    let tells = |operation: &&Operation| match &operation.outcome {
        Outcome::Answered => true,
        Outcome::Unknown(_) => operation.is_change(),
        Outcome::Unsent(_) => false,
    };
    let mut events = Vec::new();
    for (number, operation) in operations.iter().filter(tells).enumerate() {
        events.push((operation.start, 0, number, Event::Call(operation.action)));
        events.push((operation.settled(), 1, number, Event::Response(operation.action)));
    }
    // At the same moment, calls come first: such operations count as concurrent.
    events.sort_by_key(|(time, order, number, _)| (*time, *order, *number));
    let events: Vec<_> = events.into_iter().map(|(_, _, number, event)| (number, event)).collect();
    events.is_empty() || WGLChecker::<Object>::is_linearizable(History::from_actions(events))
}

/// One object: a number, or nothing.
struct Object;

impl Specification for Object {
    type State = Option<u64>;
    type Operation = Action;

    fn init() -> Self::State {
        None
    }

    fn apply(action: &Action, state: &Self::State) -> (bool, Self::State) {
        match *action {
            Action::Read(found) => (found == *state, *state),
            Action::Write(value) => (true, Some(value)),
            Action::Remove => (true, None),
            Action::Add(sum) => {
                let next = state.unwrap_or(0) + 1;
                (sum.is_none_or(|sum| sum == next), Some(next))
            }
            Action::Replace { expected, value, replaced } => {
                let replaces = *state == Some(expected);
                let next = if replaces { Some(value) } else { *state };
                (replaced.is_none_or(|replaced| replaced == replaces), next)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn operation(action: Action, start: u64, end: u64) -> Operation {
        let (start, end) = (Duration::from_millis(start), Duration::from_millis(end));
        Operation { key: 0, through: 0, executor: None, action, start, end, outcome: Outcome::Answered }
    }

    fn unknown(action: Action, start: u64, end: u64) -> Operation {
        Operation { outcome: Outcome::Unknown("no answer".into()), ..operation(action, start, end) }
    }

    #[test]
    fn a_write_that_a_later_read_does_not_see_is_lost_and_not_linearizable() {
        let mut operations = vec![operation(Action::Write(1), 0, 1), operation(Action::Write(2), 2, 3)];
        assert_eq!(lost(&operations, Some(2)), 0);
        assert_eq!(lost(&operations, Some(1)), 1);
        assert_eq!(lost(&operations, None), 2);
        operations.push(operation(Action::Read(Some(1)), 4, 5));
        assert!(!is_linearizable(&operations));
    }

    #[test]
    fn a_write_of_unknown_outcome_may_come_to_light_late_and_only_once() {
        let mut operations = vec![
            unknown(Action::Write(1), 0, 1),
            operation(Action::Write(2), 2, 3),
            operation(Action::Read(Some(2)), 4, 5),
            operation(Action::Read(Some(1)), 6, 7),
        ];
        assert!(is_linearizable(&operations));
        assert_eq!(lost(&operations, Some(1)), 0);
        operations.push(operation(Action::Read(Some(2)), 8, 9));
        assert!(!is_linearizable(&operations), "what was overwritten came back");
    }

    #[test]
    fn concurrent_writes_leave_either_value() {
        let operations = [operation(Action::Write(1), 0, 5), operation(Action::Write(2), 1, 4)];
        for found in [1, 2] {
            assert_eq!(lost(&operations, Some(found)), 0);
        }
        assert_eq!(lost(&operations, None), 2);
    }

    #[test]
    fn additions_count_once_each() {
        let operations = [operation(Action::Add(Some(1)), 0, 1), unknown(Action::Add(None), 2, 3)];
        assert_eq!([0, 1, 2, 3].map(|sum| lost(&operations, Some(sum))), [1, 0, 0, 0]);
        assert_eq!([0, 1, 2, 3].map(|sum| ran_twice(&operations, Some(sum))), [0, 0, 0, 1]);
        let twice = [operations[0].clone(), operation(Action::Read(Some(2)), 4, 5)];
        assert!(!is_linearizable(&twice));
    }

    #[test]
    fn two_conditional_writes_on_one_value_do_not_both_succeed() {
        let replace = |value| Action::Replace { expected: 1, value, replaced: Some(true) };
        let operations =
            [operation(Action::Write(1), 0, 1), operation(replace(2), 2, 5), operation(replace(3), 2, 5)];
        assert!(is_linearizable(&operations[..2]));
        assert!(!is_linearizable(&operations));
    }
}
