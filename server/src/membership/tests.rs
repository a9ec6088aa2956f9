//! What follows from what is heard: `Known` without its lock and its network, and both around it.

use std::sync::Arc;
use std::time::Duration;

use ringhold_config::Config;
use ringhold_ring::{
    Heartbeat, Incarnation, Mandate, MemberAddress, MemberIndex, MemberState, Placement, Probe, Ring, RingId,
    Standing, Timestamp,
};

use super::heartbeats::Unanswered;
use super::known::{Handing, Known};
use super::{HandingOutcome, Membership};
use crate::clock::Clock;
use crate::core::Nobody;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn address(port: u16) -> MemberAddress {
    format!("10.0.0.1:{port}").parse().unwrap()
}

fn ring(ports: &[u16]) -> Ring {
    Ring::new(ports.iter().map(|port| address(*port)), Placement::Modulo, 1).unwrap()
}

/// Member 1 of the ring of `ports`.
fn member_one(ports: &[u16]) -> Known {
    let settings = Config::alone("10.0.0.1:1".parse().unwrap()).cluster;
    Known::new(ring(ports), &address(1), Incarnation::new(1), &settings, NOW).unwrap()
}

fn beat(ring: RingId, target: Option<RingId>, prepared: bool) -> Heartbeat {
    Heartbeat {
        incarnation: Incarnation::new(2),
        number: 0,
        state: MemberState::Ready,
        acts: true,
        ring,
        target,
        prepared,
        knows: Some(Incarnation::new(1)),
        sees: Standing::Online,
        damages: 0,
        online: 1,
        unsettled: false,
        handed: true,
    }
}

impl Known {
    fn index(&self, port: u16) -> MemberIndex {
        self.index_of(&address(port)).unwrap()
    }

    /// Member `port` says `beat`, as an answer to a probe if one is due.
    fn hears(&mut self, port: u16, beat: &Heartbeat) {
        let member = self.index(port);
        let _ = self.heard(member, beat, NOW);
        let probes = self.health.due(NOW).into_iter();
        for probe in probes.filter(|probe: &Probe| probe.member == member) {
            let _ = self.answered(probe, NOW);
        }
        self.settle(NOW);
    }

    fn hands_all(&mut self) {
        for member in self.to_hand(NOW).collect::<Vec<_>>() {
            let errand = self.begin_handing(member);
            self.end_handing(member, errand, HandingOutcome::Complete, NOW);
        }
        self.settle(NOW);
    }

    fn is_told(&mut self, target: &Ring) {
        self.configured = target.id();
        self.aims(target);
    }

    fn aims(&mut self, target: &Ring) {
        let rings = self.rings.aim(target.clone()).unwrap();
        self.move_to(rings, NOW);
        self.hand_again();
        self.settle(NOW);
    }

    fn handing_of(&self, port: u16) -> Handing {
        self.members[self.index(port).as_usize()].handing
    }
}

#[test]
fn a_handover_that_was_overtaken_by_a_change_counts_for_nothing() {
    let mut known = member_one(&[1, 2]);
    let old = known.rings.current().id();
    known.hears(2, &beat(old, None, false));
    let two = known.index(2);
    let before = known.begin_handing(two);
    known.hand_again();
    let after = known.begin_handing(two);
    known.end_handing(two, before, HandingOutcome::Complete, NOW);
    assert_eq!(known.handing_of(2), Handing::Running(after));
    known.end_handing(two, after, HandingOutcome::Complete, NOW);
    assert_eq!(known.handing_of(2), Handing::Done(Incarnation::new(2)));
}

#[test]
fn a_member_that_takes_the_target_is_handed_everything_once_more_before_this_one_is_prepared() {
    let mut known = member_one(&[1, 2]);
    let (old, new) = (known.rings.current().id(), ring(&[1, 2, 3]));
    known.hears(2, &beat(old, None, false));
    known.hands_all();
    known.is_told(&new);
    known.hears(3, &beat(old, Some(new.id()), true));
    known.hands_all();
    known.hears(3, &beat(old, Some(new.id()), true));
    assert!(!known.rings.is_prepared(), "member 2 has no target yet");
    known.hears(2, &beat(old, Some(new.id()), false));
    assert_eq!(known.handing_of(2), Handing::Due);
    assert!(!known.rings.is_prepared());
    known.hands_all();
    assert!(known.rings.is_prepared());
    assert_eq!(known.rings.current().id(), old, "member 2 is not prepared");
    known.hears(2, &beat(old, Some(new.id()), true));
    assert_eq!(known.rings.current().id(), new.id());
}

#[test]
fn a_member_that_does_not_count_this_one_yet_keeps_it_from_changing() {
    let mut known = member_one(&[1, 3]);
    let (old, new) = (known.rings.current().id(), ring(&[1, 2, 3]));
    known.is_told(&new);
    let two = known.index(2);
    known.members[two.as_usize()].ignores_us = true;
    known.lose(two, NOW);
    let _ = known.health.failed(two, NOW);
    known.hears(3, &beat(old, Some(new.id()), true));
    known.hands_all();
    assert!(!known.rings.is_prepared());
    known.members[two.as_usize()].ignores_us = false;
    known.settle(NOW);
    assert_eq!(known.rings.current().id(), new.id(), "it is not there at all: nobody waits for it");
}

#[test]
fn a_new_member_waits_for_the_last_one_that_does_not_count_it_yet() {
    let mut known = member_one(&[1, 2, 3]);
    let three = known.index(3);
    known.members[three.as_usize()].ignores_us = true;
    known.hears(2, &beat(known.rings.current().id(), None, false));
    assert!(known.ignored_by().is_some(), "member 2 alone does not know what member 3 executes");
    known.hears(3, &beat(known.rings.current().id(), None, false));
    assert!(known.ignored_by().is_none());
}

#[test]
fn when_a_change_is_complete_strays_are_looked_for_and_the_next_change_begins() {
    let mut known = member_one(&[1, 2]);
    let (old, new) = (known.rings.current().id(), ring(&[1, 2, 3]));
    known.hears(2, &beat(old, None, false));
    known.is_told(&new);
    known.hears(2, &beat(new.id(), None, false));
    assert_eq!(known.rings.current().id(), new.id());
    known.next = Some(ring(&[1, 2, 4]));
    known.has_strays = false;
    let strays = known.strays;
    known.hears(3, &beat(old, Some(new.id()), true));
    assert!(known.rings.target().is_none(), "member 3 does not use the new ring yet");
    known.hears(3, &beat(new.id(), None, false));
    assert!(known.has_strays);
    assert!(known.strays > strays);
    assert_eq!(known.rings.target().unwrap().id(), ring(&[1, 2, 4]).id());
}

#[test]
fn where_each_side_waits_for_the_other_before_a_third_list_the_one_with_the_greater_ring_id_goes_back() {
    let lists: [&[u16]; 2] = [&[1, 2], &[1, 2, 3]];
    let ids = lists.map(|list| ring(list).id());
    for (before, after) in [(0, 1), (1, 0)] {
        let mut known = member_one(lists[before]);
        known.hears(2, &beat(ids[before], None, false));
        known.configured = ids[after];
        known.aims(&ring(lists[after]));
        known.hears(2, &beat(ids[after], None, false));
        assert_eq!(known.rings.previous().map(|ring| ring.id()), Some(ids[before]));
        known.next = Some(ring(&[1, 2, 4]));
        known.hears(2, &beat(ids[before], None, false));
        let smaller = ids.iter().min_by_key(|id| id.as_u64()).unwrap();
        assert_eq!(known.rings.current().id(), *smaller);
        assert!(known.next.is_some(), "it goes on from there");
    }
}

#[test]
fn a_member_that_followed_others_into_a_ring_goes_back_when_they_all_have() {
    let (own, without) = (ring(&[1, 2]), ring(&[2, 3]));
    let mut known = member_one(&[1, 2]);
    known.hears(2, &beat(own.id(), Some(without.id()), false));
    known.aims(&without);
    known.hears(2, &beat(without.id(), None, false));
    assert_eq!(known.rings.current().id(), without.id());
    known.hears(2, &beat(own.id(), None, false));
    assert_eq!(known.rings.current().id(), own.id());
}

#[test]
fn a_node_is_settled_only_when_others_say_that_they_are() {
    let mut known = member_one(&[1, 2, 3]);
    let quiet = beat(known.rings.current().id(), None, false);
    known.hears(2, &quiet);
    known.hears(3, &quiet);
    assert!(!known.is_settled(), "nobody was handed anything yet");
    known.hands_all();
    assert!(known.is_settled());
    // Members 2 and 3 do not reach each other.
    known.hears(2, &Heartbeat { unsettled: true, ..quiet });
    assert!(!known.is_settled());
    let three = known.index(3);
    assert!(!known.tell(three).unsettled, "what one says of itself, others do not repeat");
}

#[test]
fn of_two_members_that_took_each_other_out_the_one_with_fewer_others_lets_the_other_act() {
    for (online, mandate) in [(1, Mandate::Acting), (2, Mandate::Passive)] {
        let mut known = member_one(&[1, 2, 3]);
        let quiet = beat(known.rings.current().id(), None, false);
        known.hears(2, &quiet);
        known.hears(3, &quiet);
        known.tenure.introduced(NOW);
        assert_eq!(known.tenure.mandate(), Mandate::Acting);
        for gone in [2, 3].map(|port| known.index(port)) {
            known.lose(gone, NOW);
            let _ = known.health.failed(gone, NOW);
        }
        known.hears(2, &Heartbeat { sees: Standing::Offline, damages: 1, online, ..quiet });
        assert_eq!(known.tenure.mandate(), mandate, "the other sends requests to {online}");
    }
}

#[test]
fn what_a_member_said_before_does_not_take_it_out_when_it_arrives_later() {
    let mut known = member_one(&[1, 2]);
    let ready = Heartbeat { number: 6, ..beat(known.rings.current().id(), None, false) };
    known.hears(2, &ready);
    let two = known.index(2);
    assert!(known.health.is_online(two));
    known.hears(2, &Heartbeat { number: 5, state: MemberState::Syncing, ..ready });
    assert!(known.health.is_online(two));
    known.hears(2, &Heartbeat { number: 7, state: MemberState::Syncing, ..ready });
    assert!(!known.health.is_online(two));
}

#[test]
fn a_removed_member_is_known_until_it_is_gone() {
    let mut known = member_one(&[1, 2, 3]);
    let (old, new) = (known.rings.current().id(), ring(&[1, 2]));
    known.hears(2, &beat(old, None, false));
    known.hears(3, &beat(old, None, false));
    known.is_told(&new);
    known.hears(2, &beat(new.id(), None, false));
    known.hears(3, &beat(new.id(), None, false));
    assert!(known.rings.other().is_none());
    assert!(known.index_of(&address(3)).is_some());
    let three = known.index(3);
    known.lose(three, NOW);
    known.settle(NOW);
    assert!(known.index_of(&address(3)).is_none());
}

#[test]
fn a_member_follows_the_others_out_of_the_ring_and_back_into_the_one_it_is_configured_for() {
    let (own, without) = (ring(&[1, 2]), ring(&[2, 3]));
    let mut known = member_one(&[1, 2]);
    assert!(known.follows_to(&without));
    assert!(!known.follows_to(&ring(&[1, 2, 3])), "its own configuration is to say so");
    known.aims(&without);
    known.hears(2, &beat(without.id(), None, false));
    assert_eq!(known.rings.current().id(), without.id());
    assert!(known.follows_to(&own));
}

#[test]
fn a_member_that_follows_the_others_stays_when_they_have_changed_their_minds() {
    let without = ring(&[2, 3]);
    let mut known = member_one(&[1, 2]);
    let own = known.rings.current().id();
    known.hears(2, &beat(own, Some(without.id()), false));
    known.aims(&without);
    assert_eq!(known.rings.target().unwrap().id(), without.id());
    known.has_strays = false;
    known.hears(2, &beat(own, None, false));
    assert!(known.rings.other().is_none());
    assert!(known.has_strays, "what was copied to member 3 is with who was not to have it");
}

#[test]
fn what_a_node_hears_right_after_it_was_stopped_does_not_renew_its_mandate() {
    let ports = [1, 2, 3];
    let settings = Config::alone("10.0.0.1:1".parse().unwrap()).cluster;
    let (clock, me) = (Clock::manual(NOW), Incarnation::new(1));
    let membership =
        Membership::new(ring(&ports), &address(1), me, &settings, Arc::new(Nobody), clock.clone()).unwrap();
    let hear_of_all = |number| {
        for port in [2, 3] {
            let beat = Heartbeat { number, ..beat(ring(&ports).id(), None, false) };
            let _ = membership.answer(&address(port), &beat);
        }
    };
    hear_of_all(1);
    membership.change(NOW, |known| {
        known.tenure.introduced(NOW);
        None
    });
    assert_eq!(membership.mandate(), Mandate::Acting);
    clock.advance(Duration::from_secs(1));
    // Said while it was stopped, before anybody noticed.
    hear_of_all(2);
    assert_eq!(membership.mandate(), Mandate::Doubting);
}

#[tokio::test]
async fn a_node_in_doubt_does_not_wait_for_who_has_left() {
    for (state, mandate) in
        [(MemberState::Ready, Mandate::Doubting), (MemberState::Draining, Mandate::Acting)]
    {
        let ports = [1, 2, 3];
        let settings = Config::alone("10.0.0.1:1".parse().unwrap()).cluster;
        let (clock, me) = (Clock::manual(NOW), Incarnation::new(1));
        let membership =
            Membership::new(ring(&ports), &address(1), me, &settings, Arc::new(Nobody), clock.clone());
        let membership = membership.unwrap();
        for (port, state) in [(2, MemberState::Ready), (3, state)] {
            let beat = Heartbeat { state, ..beat(ring(&ports).id(), None, false) };
            let _ = membership.answer(&address(port), &beat);
        }
        membership.change(NOW, |known| {
            known.tenure.introduced(NOW);
            None
        });
        clock.advance(Duration::from_secs(1));
        assert_eq!(membership.mandate(), Mandate::Doubting);
        let doubts = membership.stops();
        let beat = Heartbeat { number: 1, ..beat(ring(&ports).id(), None, false) };
        membership.heard(&address(2), &beat, Some(doubts));
        let unanswered = Unanswered { why: "refused".to_owned(), doubts };
        membership.told(&address(3), Some(unanswered)).await;
        assert_eq!(membership.mandate(), mandate, "the third was {state:?}");
    }
}
