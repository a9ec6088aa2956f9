use super::*;
use crate::{Incarnation, MemberState, Placement, Standing};

fn ring(ports: &[u16]) -> Ring {
    let members = ports.iter().map(|port| format!("10.0.0.1:{port}").parse().unwrap());
    Ring::new(members, Placement::Modulo, 1).unwrap()
}

fn beat(ring: &Ring, target: Option<&Ring>, prepared: bool) -> Heartbeat {
    Heartbeat {
        incarnation: Incarnation::new(1),
        number: 0,
        state: MemberState::Ready,
        acts: true,
        unsettled: false,
        ring: ring.id(),
        target: target.map(Ring::id),
        prepared,
        knows: None,
        sees: Standing::Online,
        damages: 0,
        online: 1,
        handed: false,
    }
}

/// Member 1 of members 1 and 2, on its way to 1, 2 and 3.
fn growing() -> (Changeover, Ring, Ring) {
    let (old, new) = (ring(&[1, 2]), ring(&[1, 2, 3]));
    (Changeover::new(old.clone()).aim(new.clone()).unwrap(), old, new)
}

fn index(changeover: &Changeover, port: u16) -> MemberIndex {
    changeover.current().index_of(&format!("10.0.0.1:{port}").parse().unwrap()).unwrap()
}

fn others(changeover: &Changeover) -> impl Fn(MemberIndex) -> bool + use<> {
    let me = index(changeover, 1);
    move |member| member != me
}

#[test]
fn a_target_is_adopted_once_everybody_is_prepared_for_it() {
    let (mut changeover, old, new) = growing();
    let (two, three) = (index(&changeover, 2), index(&changeover, 3));
    let counts = others(&changeover);
    assert_eq!(changeover.current().id(), old.id());
    changeover.heard(two, &beat(&old, Some(&new), true));
    changeover.heard(three, &beat(&old, Some(&new), true));
    assert_eq!(changeover.step(&counts), None, "it is not prepared itself");
    changeover.prepare(&counts, |_| true);
    changeover.heard(two, &beat(&old, None, false));
    assert_eq!(changeover.step(&counts), None, "one does not know the target");
    assert_eq!(changeover.waiting_for(&counts), [two]);
    changeover.heard(two, &beat(&old, Some(&new), true));
    assert_eq!(changeover.step(&counts), Some(Step::Adopted));
    assert_eq!(changeover.current().id(), new.id());
    assert_eq!(changeover.other().unwrap().id(), old.id());
}

#[test]
fn a_target_that_somebody_uses_is_adopted_at_once() {
    let (mut changeover, _, new) = growing();
    let three = index(&changeover, 3);
    changeover.saw(three, new.id());
    let counts = others(&changeover);
    assert_eq!(changeover.step(counts), Some(Step::Adopted));
}

#[test]
fn a_request_that_comes_late_says_nothing_of_the_ring_that_its_sender_uses_now() {
    let (mut changeover, old, new) = growing();
    let (two, three) = (index(&changeover, 2), index(&changeover, 3));
    changeover.heard(three, &beat(&new, None, false));
    assert_eq!(changeover.step(others(&changeover)), Some(Step::Adopted));
    changeover.heard(two, &beat(&new, None, false));
    changeover.saw(two, old.id());
    assert_eq!(changeover.step(others(&changeover)), Some(Step::Completed));
    // And back: were what it saw late still there, the old ring would be adopted before anything is where that wants it.
    let mut back = changeover.aim(old).unwrap();
    assert_eq!(back.step(others(&back)), None);
}

#[test]
fn the_old_ring_is_forgotten_when_everybody_uses_the_new_one() {
    let (mut changeover, old, new) = growing();
    let (two, three) = (index(&changeover, 2), index(&changeover, 3));
    let counts = others(&changeover);
    changeover.heard(two, &beat(&old, Some(&new), true));
    changeover.heard(three, &beat(&new, None, false));
    assert_eq!(changeover.step(&counts), Some(Step::Adopted));
    assert_eq!(changeover.step(&counts), None);
    changeover.heard(two, &beat(&new, None, false));
    assert_eq!(changeover.step(&counts), Some(Step::Completed));
    assert!(changeover.other().is_none());
}

#[test]
fn a_member_that_is_not_reached_keeps_nobody_waiting() {
    let (mut changeover, _, _) = growing();
    changeover.prepare(|_| false, |_| false);
    assert_eq!(changeover.step(|_| false), Some(Step::Adopted));
    assert_eq!(changeover.step(|_| false), Some(Step::Completed));
}

#[test]
fn back_to_the_current_ring_is_no_change() {
    let (changeover, old, _) = growing();
    let back = changeover.aim(old.clone()).unwrap();
    assert!(back.other().is_none());
    assert_eq!(back.current().roster().len(), 2);
}

#[test]
fn a_target_that_is_given_up_is_not_adopted_when_another_uses_it() {
    let (mut changeover, old, new) = growing();
    changeover.stay();
    changeover.heard(index(&changeover, 3), &beat(&new, None, false));
    assert_eq!(changeover.step(others(&changeover)), None);
    assert_eq!((changeover.current().id(), changeover.other()), (old.id(), None));
}

#[test]
fn a_node_that_starts_takes_the_ring_of_those_that_are_there() {
    let (old, new) = (ring(&[1, 2]), ring(&[2, 3]));
    let changeover = Changeover::new(new.clone()).join(old.clone()).unwrap();
    assert_eq!(changeover.current().id(), old.id());
    assert_eq!(changeover.target().unwrap().id(), new.id());
    assert_eq!(changeover.current().roster().len(), 3);
}

#[test]
fn a_node_that_starts_keeps_its_own_list_whatever_rings_it_is_shown() {
    let (one, other, own) = (ring(&[1, 2]), ring(&[1, 3]), ring(&[1, 2, 3]));
    let changeover = Changeover::new(own.clone()).join(one).unwrap().join(other.clone()).unwrap();
    assert_eq!(changeover.current().id(), other.id());
    assert_eq!(changeover.target().unwrap().id(), own.id());
}

#[test]
fn a_node_is_prepared_while_all_whom_it_reaches_have_the_target_and_are_served() {
    let (mut changeover, old, new) = growing();
    let (two, three) = (index(&changeover, 2), index(&changeover, 3));
    let counts = others(&changeover);
    changeover.heard(two, &beat(&old, None, false));
    changeover.heard(three, &beat(&old, Some(&new), false));
    changeover.prepare(&counts, |_| true);
    assert!(!changeover.is_prepared(), "one may drop what it is sent, for it has no target");
    changeover.heard(two, &beat(&old, Some(&new), false));
    changeover.prepare(&counts, |member| member != three);
    assert!(!changeover.is_prepared(), "one has not all that it should be sent");
    changeover.prepare(&counts, |_| true);
    assert!(changeover.is_prepared());
    changeover.prepare(&counts, |member| member != three);
    assert!(!changeover.is_prepared(), "one began anew");
}

/// Member 1, while 1, 2 and 3 have become 1 and 2: it and 2 use the new ring.
fn shrunk() -> (Changeover, Ring, Ring) {
    let (old, new) = (ring(&[1, 2, 3]), ring(&[1, 2]));
    let mut changeover = Changeover::new(old.clone()).aim(new.clone()).unwrap();
    changeover.heard(index(&changeover, 2), &beat(&new, None, false));
    assert_eq!(changeover.step(others(&changeover)), Some(Step::Adopted));
    (changeover, old, new)
}

#[test]
fn the_old_ring_is_kept_while_a_removed_member_goes_by_it() {
    let (mut changeover, old, new) = shrunk();
    let three = index(&changeover, 3);
    let counts = others(&changeover);
    changeover.heard(three, &beat(&old, Some(&new), true));
    assert_eq!(changeover.step(&counts), None);
    changeover.heard(three, &beat(&new, None, false));
    assert_eq!(changeover.step(&counts), Some(Step::Completed));
}

#[test]
fn nobody_waits_for_a_member_that_goes_from_the_old_ring_to_a_third() {
    let (mut changeover, old, _) = shrunk();
    let three = index(&changeover, 3);
    let counts = others(&changeover);
    changeover.heard(three, &beat(&old, None, false));
    assert_eq!(changeover.step(&counts), None, "it may be told yet");
    changeover.heard(three, &beat(&old, Some(&ring(&[1, 3])), false));
    assert_eq!(changeover.step(&counts), Some(Step::Completed));
}

#[test]
fn a_removed_member_is_known_until_it_is_tidied_away_through_further_changes() {
    let (mut changeover, _, new) = shrunk();
    let three = index(&changeover, 3);
    assert!(changeover.left_over().is_empty(), "the old ring has it");
    changeover.heard(three, &beat(&new, None, false));
    assert_eq!(changeover.step(others(&changeover)), Some(Step::Completed));
    assert_eq!(changeover.left_over(), [three]);
    let next = changeover.aim(ring(&[1, 2, 4])).unwrap();
    assert_eq!(next.current().roster().len(), 4);
    let tidied = changeover.tidied();
    assert_eq!(tidied.current().roster().len(), 2);
    assert!(tidied.left_over().is_empty());
}

#[test]
fn what_a_lost_member_used_before_is_no_reason_to_adopt_it() {
    let (old, new) = (ring(&[1, 2]), ring(&[1, 2, 3]));
    let mut changeover = Changeover::new(old);
    let two = index(&changeover, 2);
    changeover.heard(two, &beat(&new, None, false));
    changeover.lost(two);
    let mut changeover = changeover.aim(new).unwrap();
    assert_eq!(changeover.step(others(&changeover)), None);
}
