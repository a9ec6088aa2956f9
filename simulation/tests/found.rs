//! Seeds that found what no smaller test shows. A change of the scenarios makes other runs of them: then they are runs
//! like any other.

use ringhold_simulation::real::Real;
use ringhold_simulation::scenario::Weather;
use ringhold_simulation::seeds::Verdict;

fn passes(weather: Weather, seed: u64) {
    let verdict = Verdict::of::<Real>(seed, &[weather]);
    assert!(verdict.violations.is_empty(), "{}", verdict.explain::<Real>(&[weather]));
}

#[test]
fn a_write_under_way_is_handed_to_every_member_of_the_next_ring() {
    passes(Weather::Changes, 136);
}

#[test]
fn a_member_that_is_taken_back_before_it_is_told_that_it_was_removed_goes_with_the_others() {
    passes(Weather::Changes, 105);
}

#[test]
fn a_member_list_that_is_taken_back_while_some_use_it_leaves_nobody_waiting() {
    passes(Weather::Storm, 24);
}
