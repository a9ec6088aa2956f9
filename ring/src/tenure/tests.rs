use super::*;
use crate::RingId;

const PATIENCE: Duration = Duration::from_secs(30);
const FIRST: Incarnation = Incarnation::new(7);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

fn member(place: usize) -> MemberIndex {
    MemberIndex::new(place)
}

fn beat(tenure: &Tenure, sees: Standing, damages: u32, handed: bool) -> Heartbeat {
    Heartbeat {
        incarnation: Incarnation::new(99),
        number: 0,
        state: MemberState::Ready,
        acts: true,
        unsettled: false,
        ring: RingId::from_u64(1),
        target: None,
        prepared: false,
        knows: Some(tenure.incarnation()),
        sees,
        damages,
        online: 2,
        handed,
    }
}

/// Member 0 of three, just started.
fn started() -> Tenure {
    Tenure::new(3, member(0), FIRST, PATIENCE)
}

fn hear(tenure: &mut Tenure, from: usize, sees: Standing, damages: u32, handed: bool) {
    let beat = beat(tenure, sees, damages, handed);
    tenure.heard(member(from), &beat, at(0));
    tenure.confirmed(member(from), at(0));
}

fn acting() -> Tenure {
    let mut tenure = started();
    tenure.introduced(at(0));
    for peer in [1, 2] {
        hear(&mut tenure, peer, Standing::Online, 0, true);
    }
    assert_eq!(tenure.mandate(), Mandate::Acting);
    tenure
}

#[test]
fn a_member_that_reaches_nobody_acts_as_soon_as_it_knows_that() {
    let mut tenure = started();
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Starting, Mandate::Doubting));
    tenure.introduced(at(0));
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Ready, Mandate::Acting));
}

#[test]
fn a_member_syncs_until_everybody_it_reaches_has_handed_it_everything() {
    let mut tenure = started();
    hear(&mut tenure, 1, Standing::Unmet, 0, false);
    hear(&mut tenure, 2, Standing::Unmet, 0, true);
    tenure.introduced(at(0));
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Syncing, Mandate::Passive));
    hear(&mut tenure, 1, Standing::Unmet, 0, true);
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Ready, Mandate::Passive));
}

#[test]
fn it_waits_for_a_member_that_only_others_reach_and_not_for_ever() {
    let mut tenure = started();
    tenure.lost(member(2), at(0));
    hear(&mut tenure, 1, Standing::Offline, 1, true);
    tenure.introduced(at(0));
    assert_eq!(tenure.mandate(), Mandate::Passive, "member 1 sends requests to member 2");
    let mut both = tenure.clone();
    hear(&mut both, 2, Standing::Offline, 1, true);
    assert_eq!(both.state(), MemberState::Ready);
    tenure.tick(at(0) + PATIENCE);
    assert_eq!(tenure.state(), MemberState::Ready);
}

#[test]
fn it_acts_once_everybody_it_reaches_sends_it_requests() {
    let mut tenure = started();
    hear(&mut tenure, 1, Standing::Online, 0, true);
    hear(&mut tenure, 2, Standing::Offline, 1, true);
    tenure.introduced(at(0));
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Ready, Mandate::Passive));
    hear(&mut tenure, 2, Standing::Online, 1, true);
    assert_eq!(tenure.mandate(), Mandate::Acting);
}

#[test]
fn what_is_said_of_another_incarnation_counts_for_nothing() {
    let mut tenure = started();
    let beat = Heartbeat { knows: Some(Incarnation::new(6)), ..beat(&tenure, Standing::Online, 0, true) };
    tenure.heard(member(1), &beat, at(0));
    tenure.introduced(at(0));
    assert_eq!(tenure.state(), MemberState::Syncing);
}

#[test]
fn it_does_not_wait_for_ever() {
    let mut tenure = started();
    hear(&mut tenure, 1, Standing::Unmet, 0, false);
    tenure.introduced(at(0));
    tenure.tick(at(29_999));
    assert_eq!(tenure.state(), MemberState::Syncing);
    tenure.tick(at(30_000));
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Ready, Mandate::Passive));
    tenure.tick(at(60_000));
    assert_eq!(tenure.mandate(), Mandate::Acting);
}

#[test]
fn a_member_that_was_stopped_asks_everybody_before_it_goes_on() {
    let mut tenure = acting();
    let term = tenure.term();
    tenure.stalled(3, at(0));
    assert_eq!(tenure.mandate(), Mandate::Doubting);
    hear(&mut tenure, 1, Standing::Online, 0, true);
    assert_eq!(tenure.mandate(), Mandate::Doubting);
    hear(&mut tenure, 2, Standing::Online, 0, true);
    assert_eq!(tenure.mandate(), Mandate::Acting);
    assert!(term.is_before(tenure.term()));
    assert_eq!(tenure.incarnation(), FIRST);
}

#[test]
fn a_member_that_was_stopped_and_taken_out_begins_anew() {
    let mut tenure = acting();
    tenure.stalled(3, at(0));
    hear(&mut tenure, 1, Standing::Offline, 1, true);
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Syncing, Mandate::Passive));
    assert_eq!(tenure.incarnation(), FIRST.next());
}

#[test]
fn a_member_that_starts_anew_counts_anew_how_often_it_took_this_one_out() {
    let mut tenure = started();
    tenure.introduced(at(0));
    for peer in [1, 2] {
        hear(&mut tenure, peer, Standing::Online, 1, true);
    }
    assert_eq!(tenure.mandate(), Mandate::Acting);
    let online = beat(&tenure, Standing::Online, 0, true);
    tenure.heard(member(1), &Heartbeat { incarnation: Incarnation::new(100), ..online }, at(0));
    tenure.stalled(3, at(0));
    let offline = beat(&tenure, Standing::Offline, 1, true);
    tenure.heard(member(1), &Heartbeat { incarnation: Incarnation::new(100), ..offline }, at(0));
    assert_eq!((tenure.state(), tenure.incarnation()), (MemberState::Syncing, FIRST.next()));
}

#[test]
fn a_member_that_was_stopped_does_not_wait_for_who_was_gone_before() {
    let mut tenure = acting();
    tenure.lost(member(2), at(0));
    tenure.stalled(3, at(0));
    hear(&mut tenure, 1, Standing::Online, 0, true);
    assert_eq!((tenure.mandate(), tenure.incarnation()), (Mandate::Acting, FIRST));
}

#[test]
fn a_member_that_was_stopped_begins_anew_when_somebody_went_meanwhile_who_may_have_taken_it_out() {
    let mut tenure = acting();
    tenure.stalled(3, at(0));
    hear(&mut tenure, 1, Standing::Online, 0, true);
    tenure.lost(member(2), at(0));
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Syncing, Mandate::Passive));
    assert_eq!(tenure.incarnation(), FIRST.next());
    hear(&mut tenure, 1, Standing::Online, 0, true);
    assert_eq!(tenure.mandate(), Mandate::Acting);
}

#[test]
fn who_holds_the_only_copy_that_is_left_goes_on() {
    let mut tenure = acting();
    tenure.stalled(2, at(0));
    hear(&mut tenure, 1, Standing::Online, 0, true);
    assert!(tenure.awaits(member(2)) && !tenure.awaits(member(1)));
    tenure.lost(member(2), at(0));
    assert_eq!((tenure.mandate(), tenure.incarnation()), (Mandate::Acting, FIRST));
}

#[test]
fn who_has_left_takes_nobody_out() {
    let mut tenure = acting();
    let beat = Heartbeat { state: MemberState::Draining, ..beat(&tenure, Standing::Online, 0, true) };
    tenure.heard(member(2), &beat, at(0));
    tenure.stalled(3, at(0));
    tenure.lost(member(2), at(0));
    hear(&mut tenure, 1, Standing::Online, 0, true);
    assert_eq!((tenure.mandate(), tenure.incarnation()), (Mandate::Acting, FIRST));
}

#[test]
fn what_a_member_was_told_before_it_was_stopped_on_its_way_back_is_asked_again() {
    for sees in [Standing::Offline, Standing::Online] {
        let mut tenure = started();
        hear(&mut tenure, 1, Standing::Online, 0, true);
        hear(&mut tenure, 2, sees, 0, sees == Standing::Offline);
        tenure.introduced(at(0));
        assert_eq!(tenure.mandate(), Mandate::Passive);
        tenure.stalled(3, at(0));
        hear(&mut tenure, 2, Standing::Online, 0, true);
        assert_eq!(tenure.mandate(), Mandate::Passive);
        hear(&mut tenure, 1, Standing::Online, 0, true);
        assert_eq!((tenure.mandate(), tenure.incarnation()), (Mandate::Acting, FIRST));
    }
}

#[test]
fn a_member_that_was_stopped_on_its_way_back_begins_anew_when_somebody_went_meanwhile() {
    let mut tenure = started();
    hear(&mut tenure, 1, Standing::Online, 0, true);
    hear(&mut tenure, 2, Standing::Offline, 0, true);
    tenure.introduced(at(0));
    tenure.stalled(3, at(0));
    hear(&mut tenure, 2, Standing::Online, 0, true);
    tenure.lost(member(1), at(0));
    assert_eq!((tenure.state(), tenure.incarnation()), (MemberState::Syncing, FIRST.next()));
}

#[test]
fn one_of_three_that_cannot_reach_it_does_not_end_its_tenure_but_two_do() {
    let mut tenure = acting();
    hear(&mut tenure, 1, Standing::Offline, 1, true);
    assert_eq!(tenure.mandate(), Mandate::Acting);
    hear(&mut tenure, 2, Standing::Offline, 1, true);
    assert_eq!((tenure.state(), tenure.incarnation()), (MemberState::Syncing, FIRST.next()));
}

#[test]
fn a_member_that_leaves_acts_until_it_has_left() {
    let mut tenure = acting();
    tenure.leave();
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Ready, Mandate::Acting));
    tenure.left();
    assert_eq!((tenure.state(), tenure.mandate()), (MemberState::Draining, Mandate::Passive));
}

#[test]
fn it_is_out_for_who_never_put_it_back_as_for_who_took_it_out() {
    let mut tenure = acting();
    assert!(!tenure.is_out_for(member(1)));
    hear(&mut tenure, 1, Standing::Offline, 1, true);
    assert!(tenure.is_out_for(member(1)));
    // It acts again without having been heard by member 2, which took it out long before.
    let mut alone = started();
    hear(&mut alone, 2, Standing::Offline, 1, true);
    alone.lost(member(2), at(0));
    alone.introduced(at(0));
    alone.tick(at(0) + PATIENCE);
    assert_eq!(alone.mandate(), Mandate::Acting);
    hear(&mut alone, 2, Standing::Offline, 1, true);
    assert!(alone.is_out_for(member(2)) && alone.mandate() == Mandate::Acting);
}
