//! Each register is linearizable: there is an order of all operations, none before it was asked or after it was
//! answered, in which every answer is right. The search is Wing's, Gong's and Lowe's, by the crate `todc-utils`.

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action as Step, History};
use todc_utils::specifications::Specification;

use crate::history::{Action, Operation, Told};

/// With more operations that may happen at any time, the search takes too long.
const MAX_UNKNOWN: usize = 12;

/// A register that holds a value or nothing.
struct Register;

type Asked = (Action, Option<Told>);

impl Specification for Register {
    type State = Option<u64>;
    type Operation = Asked;

    fn init() -> Self::State {
        None
    }

    fn apply((action, told): &Asked, state: &Self::State) -> (bool, Self::State) {
        let (holds, after) = match action {
            Action::Get => return (*told == Some(Told::Found(*state)), *state),
            Action::Put { value, .. } => (true, Some(*value)),
            Action::Delete => (true, None),
            Action::Replace { expected, value } => (*state == Some(*expected), Some(*value)),
            Action::Create { value } => (state.is_none(), Some(*value)),
            Action::Add => return (false, *state),
        };
        match told {
            Some(Told::ConditionFailed) => (!holds, *state),
            Some(_) => (holds, after),
            None => (true, if holds { after } else { *state }),
        }
    }
}

/// What is wrong with a register.
pub(super) fn check(operations: &[&Operation]) -> Option<String> {
    let relevant: Vec<_> =
        operations.iter().copied().filter(|operation| matters(operation, operations)).collect();
    let unknown = relevant.iter().filter(|operation| operation.is_unknown()).count();
    if relevant.is_empty() || unknown > MAX_UNKNOWN {
        return None;
    }
    let mut steps = Vec::with_capacity(2 * relevant.len());
    for (process, operation) in relevant.iter().enumerate() {
        let asked = (operation.action, operation.told());
        steps.push((operation.invoked_ms, 0, process, Step::Call(asked)));
        steps.push((operation.returned_ms(), 1, process, Step::Response(asked)));
    }
    steps.sort_by_key(|(at_ms, end, process, _)| (*at_ms, *end, *process));
    let steps = steps.into_iter().map(|(_, _, process, step)| (process, step)).collect();
    let is_linearizable = WGLChecker::<Register>::is_linearizable(History::from_actions(steps));
    (!is_linearizable).then(|| {
        format!("no order of its {} operations explains the answers: it is not linearizable", relevant.len())
    })
}

/// An unknown write that nobody has read explains nothing, and an unknown read neither.
fn matters(operation: &Operation, all: &[&Operation]) -> bool {
    if operation.told() == Some(Told::Refused) {
        return false;
    }
    if !operation.is_unknown() {
        return true;
    }
    let was_read = |value: u64| {
        let expects = |action| matches!(action, Action::Replace { expected, .. } if expected == value);
        all.iter().any(|other| other.told() == Some(Told::Found(Some(value))) || expects(other.action))
    };
    match operation.action {
        Action::Get | Action::Add => false,
        // Nobody may have read it, but a condition may have failed because of it.
        Action::Put { value, .. } | Action::Replace { value, .. } | Action::Create { value } => {
            was_read(value) || all.iter().any(|other| other.told() == Some(Told::ConditionFailed))
        }
        Action::Delete => true,
    }
}

#[cfg(test)]
mod tests {
    use ringhold_ring::Key;

    use super::*;

    fn operation(action: Action, invoked_ms: u64, returned: Option<(u64, Told)>) -> Operation {
        Operation {
            client: 0,
            key: Key::new("r1").unwrap(),
            action,
            invoked_ms,
            returned,
            attempts: 1,
            is_doubtful: returned.is_none(),
            executor: None,
        }
    }

    fn put(value: u64, from_ms: u64, to_ms: u64) -> Operation {
        operation(Action::Put { value, ttl: None }, from_ms, Some((to_ms, Told::Written(None))))
    }

    fn get(value: Option<u64>, from_ms: u64, to_ms: u64) -> Operation {
        operation(Action::Get, from_ms, Some((to_ms, Told::Found(value))))
    }

    fn is_fine(operations: &[Operation]) -> bool {
        check(&operations.iter().collect::<Vec<_>>()).is_none()
    }

    #[test]
    fn a_read_returns_the_last_write_or_one_under_way() {
        assert!(is_fine(&[put(1, 0, 5), put(2, 10, 20), get(Some(1), 12, 14), get(Some(2), 15, 30)]));
        assert!(!is_fine(&[put(1, 0, 5), put(2, 10, 20), get(Some(1), 21, 22)]));
        assert!(!is_fine(&[put(1, 0, 5), put(2, 10, 20), get(Some(2), 11, 13), get(Some(1), 14, 16)]));
        assert!(!is_fine(&[put(1, 0, 5), get(None, 6, 7)]));
    }

    #[test]
    fn a_write_of_unknown_outcome_may_come_to_light_late_or_never() {
        let unknown = operation(Action::Put { value: 2, ttl: None }, 10, None);
        assert!(is_fine(&[put(1, 0, 5), unknown.clone(), get(Some(1), 20, 21), get(Some(2), 30, 31)]));
        assert!(is_fine(&[put(1, 0, 5), unknown.clone(), get(Some(1), 20, 21)]));
        assert!(!is_fine(&[put(1, 0, 5), unknown, get(Some(2), 20, 21), get(Some(1), 30, 31)]));
    }

    #[test]
    fn of_two_writes_with_one_condition_one_succeeds() {
        let replace = |value, told| operation(Action::Replace { expected: 1, value }, 10, Some((20, told)));
        let (done, failed) = (Told::Written(None), Told::ConditionFailed);
        assert!(is_fine(&[put(1, 0, 5), replace(2, done), replace(3, failed)]));
        assert!(!is_fine(&[put(1, 0, 5), replace(2, done), replace(3, done)]));
        assert!(!is_fine(&[put(1, 0, 5), replace(2, failed), replace(3, failed)]));
    }

    #[test]
    fn what_was_deleted_is_gone() {
        let delete = operation(Action::Delete, 10, Some((20, Told::Written(None))));
        assert!(is_fine(&[put(1, 0, 5), delete.clone(), get(None, 21, 22)]));
        assert!(!is_fine(&[put(1, 0, 5), delete, get(Some(1), 21, 22)]));
    }
}
