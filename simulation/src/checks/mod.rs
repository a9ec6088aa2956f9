//! What must hold of every run, each rule in a file of its own.
//!
//! - `seen`: at a member, no version goes backwards where it is a home member; looked at while the run goes on.
//! - `agreement`: after the faults, all home members hold the same, and nobody else holds anything.
//! - `lost`: what was acknowledged last is there.
//! - `order`: each register behaves as if there were one copy of it.
//! - `counters`: no addition is lost, none runs twice.
//! - `expiry`: what is over is over, and not before its time.
//!
//! Which of them are promised depends on the weather.

mod agreement;
mod counters;
mod expiry;
mod lost;
mod order;
mod seen;

use ringhold_ring::Key;

use crate::history::{Action, Kind, Operation, Told};
use crate::scenario::{Promise, Scenario};
use crate::world::Run;

pub use agreement::{Agreement, Holding};
pub use seen::Seen;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Of which key, if of one.
    pub key: Option<Key<'static>>,
    /// What is wrong.
    pub what: String,
}

impl Violation {
    /// It, of a key or of the ring.
    #[must_use]
    pub fn new(key: Option<Key<'static>>, what: impl Into<String>) -> Self {
        Self { key, what: what.into() }
    }
}

/// Everything that is wrong with a run.
#[must_use]
pub fn violations(scenario: &Scenario, run: &Run) -> Vec<Violation> {
    let promise = scenario.weather.promise();
    let mut found = run.violations.clone();
    found.extend(run.agreement.violations().iter().cloned());
    if promise >= Promise::Everything {
        let failed =
            run.failures.iter().map(|failure| Violation::new(None, format!("a request failed: {failure}")));
        found.extend(failed);
    }
    for (key, operations) in run.history.by_key() {
        let wrong = of_key(scenario, run, key, &operations, promise);
        found.extend(wrong.map(|what| Violation::new(Some(key.clone()), what)));
    }
    found
}

fn of_key(
    scenario: &Scenario,
    run: &Run,
    key: &Key<'static>,
    operations: &[&Operation],
    promise: Promise,
) -> Option<String> {
    let is_one_copy = promise >= Promise::Linearizable;
    let kind = Kind::of(key);
    let ordered = match kind {
        Kind::Register if is_one_copy => order::check(operations),
        Kind::Register => None,
        Kind::Counter => counters::check(operations, is_one_copy),
        Kind::Expiring => {
            let slack = expiry::Slack {
                drift_ms: scenario.most_drift_ms(),
                on_its_way_ms: scenario.longest_pause_ms(),
            };
            expiry::check(operations, slack, is_one_copy)
        }
    };
    let kept = || match kind {
        Kind::Expiring => None,
        _ => last_reads(operations, run.quiet_ms),
    };
    let lost = || match kind {
        Kind::Register | Kind::Counter if promise >= Promise::NothingLost => {
            lost::check(key, operations, &run.agreement)
        }
        _ => None,
    };
    ordered.or_else(lost).or_else(kept)
}

/// When all is quiet, every member reads the same.
fn last_reads(operations: &[&Operation], quiet_ms: u64) -> Option<String> {
    let last = operations.iter().filter(|operation| operation.invoked_ms >= quiet_ms);
    let mut found =
        last.clone().filter(|operation| operation.action == Action::Get).map(|operation| operation.told());
    let first = found.next()?;
    if let Some(other) = found.find(|other| *other != first) {
        return Some(format!("when all is quiet, one node answers {first:?} and another {other:?}"));
    }
    (!matches!(first, Some(Told::Found(_)))).then(|| format!("when all is quiet, a node answers {first:?}"))
}
