//! A seed is the whole of a run: the same seed does the same, in this process and in another.

use std::process::Command;

use ringhold_simulation::scenario::Weather;
use ringhold_simulation::seeds::Verdict;
use ringhold_simulation::toy::{SOUND, Toy};

const WEATHERS: &[Weather] = &[Weather::Partitions];

#[test]
fn the_same_seed_does_the_same_and_another_does_not() {
    let sum = |seed| Verdict::of::<Toy<SOUND>>(seed, WEATHERS).sum;
    assert_eq!(sum(5), sum(5));
    assert_ne!(sum(5), sum(6));
}

#[test]
fn another_process_does_the_same() {
    let run = || {
        let program = env!("CARGO_BIN_EXE_ringhold-simulate");
        let output = Command::new(program).args(["--seed", "7", "--weather", "pauses"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let first = run();
    assert!(first.starts_with("seed 7 (pauses, "), "{first}");
    assert_eq!(run(), first);
}
