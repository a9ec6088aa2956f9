//! Seeds that once broke a promise of docs/consistency.md, each for a cause of its own; they keep it now.
//!
//! What runs under a seed changes with every change of the node, so these are examples, and no proof that the causes stay
//! mended: `cargo xtask simulate` looks for all of them.

use ringhold_simulation::real::Real;
use ringhold_simulation::scenario::Weather;
use ringhold_simulation::seeds::Verdict;

#[track_caller]
fn assert_keeps_its_promises(seed: u64, weather: Weather) {
    let verdict = Verdict::of::<Real>(seed, &[weather]);
    assert!(verdict.violations.is_empty(), "{}", verdict.explain::<Real>(&[weather]));
}

#[test]
fn who_must_not_act_for_itself_acts_for_nobody_else() {
    assert_keeps_its_promises(11, Weather::Pauses);
}

#[test]
fn a_copy_that_somebody_keeps_is_not_denied() {
    assert_keeps_its_promises(16, Weather::Guarded);
}

#[test]
fn a_node_that_has_just_started_sends_nothing_to_whom_it_does_not_know() {
    assert_keeps_its_promises(71, Weather::Crashes);
}

#[test]
fn a_slow_member_is_not_taken_out() {
    assert_keeps_its_promises(69, Weather::Crashes);
}

#[test]
fn who_was_taken_out_by_members_that_had_restarted_notices() {
    assert_keeps_its_promises(290, Weather::Crashes);
}

#[test]
fn a_named_write_that_is_sent_again_runs_once() {
    assert_keeps_its_promises(115, Weather::Crashes);
}

#[test]
fn a_write_under_way_is_handed_to_every_member_of_the_next_ring() {
    assert_keeps_its_promises(136, Weather::Changes);
}

#[test]
fn a_member_that_is_taken_back_before_it_is_told_that_it_was_removed_goes_with_the_others() {
    assert_keeps_its_promises(105, Weather::Changes);
}

#[test]
fn a_member_list_that_is_taken_back_while_some_use_it_leaves_nobody_waiting() {
    assert_keeps_its_promises(24, Weather::Storm);
}

#[test]
fn what_expired_does_not_give_way_to_an_older_object_of_two_that_did_not_reach_each_other() {
    assert_keeps_its_promises(195, Weather::Guarded);
}

#[test]
fn what_expired_at_who_has_not_heard_of_a_change_does_not_give_way_to_an_older_object() {
    assert_keeps_its_promises(43, Weather::Changes);
}

#[test]
fn a_patch_on_a_copy_that_lost_to_another_is_not_taken_for_done() {
    assert_keeps_its_promises(1960, Weather::Pauses);
}

#[test]
fn a_record_is_handed_with_the_operations_that_it_comes_from() {
    assert_keeps_its_promises(307, Weather::Partitions);
}

#[test]
fn a_member_is_not_given_up_after_a_silence_that_it_would_not_notice() {
    assert_keeps_its_promises(817, Weather::Pauses);
}

#[test]
fn a_member_that_was_stopped_on_its_way_back_asks_again_whether_it_has_everything() {
    assert_keeps_its_promises(2125, Weather::Pauses);
}

#[test]
fn whose_question_is_answered_is_still_to_be_asked() {
    assert_keeps_its_promises(1630, Weather::Pauses);
}

#[test]
fn what_a_stand_in_fetched_for_a_condition_goes_home() {
    assert_keeps_its_promises(1229, Weather::Guarded);
}
