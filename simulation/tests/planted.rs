//! The checks find planted bugs, and nothing in a node that has none.

use ringhold_simulation::node::Node;
use ringhold_simulation::scenario::Weather;
use ringhold_simulation::seeds::Summary;
use ringhold_simulation::toy::{LOSES_WRITES, RESURRECTS, RUNS_TWICE, SOUND, Toy};

const WEATHERS: &[Weather] = &[Weather::Calm, Weather::Pauses, Weather::Partitions];

fn found<N: Node>(seeds: u64) -> Vec<String> {
    let summary = Summary::of::<N>(1, seeds, WEATHERS, |_| (), |_| std::process::exit(1));
    let failed = summary.failed.iter();
    failed
        .map(|verdict| format!("seed {} ({}): {:?}", verdict.seed, verdict.summary, verdict.violations))
        .collect()
}

#[test]
fn a_sound_node_passes() {
    assert_eq!(found::<Toy<SOUND>>(8), [] as [String; 0]);
}

#[test]
fn lost_writes_are_found() {
    let found = found::<Toy<LOSES_WRITES>>(4);
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn deleted_objects_that_come_back_are_found() {
    assert!(!found::<Toy<RESURRECTS>>(6).is_empty());
}

#[test]
fn patches_that_run_twice_are_found() {
    let found = found::<Toy<RUNS_TWICE>>(12);
    assert!(found.iter().any(|verdict| verdict.contains("one ran twice")), "{found:#?}");
}
