use proptest::prelude::*;

use super::*;

const ME: usize = 0;
const START: u64 = 1_790_000_000_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

fn member(place: usize) -> MemberIndex {
    MemberIndex::new(place)
}

/// A state machine that has met nobody yet.
fn stranger(members: usize) -> Health {
    Health::new(members, member(ME), HealthPolicy::default(), at(0))
}

/// All members have been ready once, and are to be probed at once.
fn health(members: usize) -> Health {
    let mut health = stranger(members);
    for state in &mut health.members {
        state.met = true;
    }
    health
}

/// The probe of the only member that is due.
fn probe(health: &mut Health, now: Timestamp) -> Probe {
    let due = health.due(now);
    assert_eq!(due.len(), 1, "{due:?}");
    due[0]
}

/// Two members, the other one failed at 0.
fn damaged() -> Health {
    let mut health = health(2);
    assert_eq!(health.failed(member(1), at(0)), Some(Transition::WentOffline(member(1))));
    health
}

/// Passes the probes that are due at these moments, the last one too.
fn pass(health: &mut Health, moments: &[u64]) -> Option<Transition> {
    let mut last = None;
    for moment in moments {
        assert_eq!(last, None);
        let probe = probe(health, at(*moment));
        last = health.answered(probe, Readiness::Ready, at(*moment));
    }
    last
}

#[test]
fn at_the_start_every_member_is_online_and_every_other_one_is_probed() {
    let mut health = health(4);
    assert!((0..4).all(|place| health.of(member(place), at(0)) == MemberHealth::Online));
    let probed: Vec<_> = health.due(at(0)).into_iter().map(|probe| probe.member.as_usize()).collect();
    assert_eq!(probed, [1, 2, 3]);
}

#[test]
fn a_member_that_was_never_there_does_not_rest_and_is_online_with_its_first_good_answer() {
    let mut health = stranger(2);
    let first = probe(&mut health, at(0));
    assert_eq!(health.unanswered(first, at(5)), Some(Transition::WentOffline(member(1))));
    assert_eq!(health.of(member(1), at(5)), MemberHealth::Validating { passes: 0 });
    assert_eq!(health.next_due(), Some(at(255)));
    let second = probe(&mut health, at(255));
    assert_eq!(health.answered(second, Readiness::NotReady, at(260)), None);
    let third = probe(&mut health, at(510));
    assert_eq!(health.answered(third, Readiness::Ready, at(511)), Some(Transition::CameOnline(member(1))));
    // From now on it can fail, and then it rests.
    assert_eq!(health.failed(member(1), at(600)), Some(Transition::WentOffline(member(1))));
    assert_eq!(health.of(member(1), at(601)), MemberHealth::Damaged);
}

#[test]
fn all_are_known_when_each_has_answered_or_failed_to() {
    let mut health = stranger(3);
    let probes = health.due(at(0));
    assert!(!health.knows_all());
    assert_eq!(health.answered(probes[0], Readiness::Ready, at(1)), None);
    assert!(!health.knows_all());
    assert!(health.unanswered(probes[1], at(2)).is_some());
    assert!(health.knows_all());
    assert!(stranger(1).knows_all(), "a ring of one knows all its members");
}

#[test]
fn a_probe_is_handed_out_once() {
    let mut health = health(3);
    assert_eq!(health.due(at(0)).len(), 2);
    assert_eq!(health.due(at(60_000)), []);
    assert_eq!(health.next_due(), None);
}

#[test]
fn an_online_member_is_probed_again_an_interval_after_its_answer() {
    let mut health = health(2);
    let first = probe(&mut health, at(0));
    assert_eq!(health.answered(first, Readiness::Ready, at(300)), None);
    assert_eq!(health.next_due(), Some(at(1_300)));
    assert_eq!(health.due(at(1_299)), []);
    assert_eq!(probe(&mut health, at(1_300)).member, member(1));
}

#[test]
fn a_failed_request_takes_a_member_out_at_once_and_once() {
    let mut health = health(2);
    assert_eq!(health.failed(member(1), at(5)), Some(Transition::WentOffline(member(1))));
    assert_eq!(health.of(member(1), at(5)), MemberHealth::Damaged);
    assert!(!health.is_online(member(1)));
    assert_eq!(health.failed(member(1), at(6)), None);
}

#[test]
fn an_unanswered_probe_takes_a_member_out() {
    let mut health = health(2);
    let first = probe(&mut health, at(0));
    assert_eq!(health.unanswered(first, at(1_000)), Some(Transition::WentOffline(member(1))));
    assert_eq!(health.next_due(), Some(at(11_000)));
}

#[test]
fn a_damaged_member_is_probed_only_after_its_rest() {
    let mut health = damaged();
    assert_eq!(health.due(at(9_999)), []);
    assert_eq!(health.of(member(1), at(9_999)), MemberHealth::Damaged);
    assert_eq!(health.next_due(), Some(at(10_000)));
    assert_eq!(health.of(member(1), at(10_000)), MemberHealth::Validating { passes: 0 });
    assert_eq!(health.due(at(10_000)).len(), 1);
}

#[test]
fn a_further_failure_starts_the_rest_over() {
    let mut health = damaged();
    assert_eq!(health.failed(member(1), at(7_000)), None);
    assert_eq!(health.due(at(16_999)), []);
    assert_eq!(health.due(at(17_000)).len(), 1);
}

#[test]
fn a_member_that_works_again_is_back_28_seconds_after_its_failure() {
    let mut health = damaged();
    for (passes, (moment, next)) in (1..).zip([(10_000, 20_000), (20_000, 25_000), (25_000, 28_333)]) {
        assert_eq!(pass(&mut health, &[moment]), None);
        assert_eq!(health.of(member(1), at(moment)), MemberHealth::Validating { passes });
        assert!(!health.is_online(member(1)));
        assert_eq!(health.due(at(next - 1)), []);
        assert_eq!(health.next_due(), Some(at(next)));
    }
    assert_eq!(pass(&mut health, &[28_333]), Some(Transition::CameOnline(member(1))));
    assert_eq!(health.of(member(1), at(28_333)), MemberHealth::Online);
    assert_eq!(health.next_due(), Some(at(29_333)));
}

#[test]
fn a_member_that_came_back_can_fail_again_and_passes_everything_again() {
    let mut health = damaged();
    assert!(pass(&mut health, &[10_000, 20_000, 25_000, 28_333]).is_some());
    assert_eq!(health.failed(member(1), at(30_000)), Some(Transition::WentOffline(member(1))));
    let back = pass(&mut health, &[40_000, 50_000, 55_000, 58_333]);
    assert_eq!(back, Some(Transition::CameOnline(member(1))));
}

#[test]
fn one_failure_starts_validation_over() {
    let mut health = damaged();
    assert_eq!(pass(&mut health, &[10_000, 20_000, 25_000]), None);
    let last = probe(&mut health, at(28_333));
    assert_eq!(health.unanswered(last, at(29_333)), None, "it was offline all the time");
    assert_eq!(health.of(member(1), at(29_333)), MemberHealth::Damaged);
    let back = pass(&mut health, &[39_333, 49_333, 54_333, 57_666]);
    assert_eq!(back, Some(Transition::CameOnline(member(1))));
}

#[test]
fn a_late_answer_to_an_old_probe_counts_for_nothing() {
    let mut health = health(2);
    let old = probe(&mut health, at(0));
    assert!(health.failed(member(1), at(10)).is_some());
    assert_eq!(health.answered(old, Readiness::Ready, at(20)), None);
    assert_eq!(health.of(member(1), at(20)), MemberHealth::Damaged);
    assert_eq!(health.next_due(), Some(at(10_010)), "the rest is not cut short");

    let current = probe(&mut health, at(10_010));
    assert_eq!(health.answered(old, Readiness::Ready, at(10_020)), None);
    assert_eq!(health.unanswered(old, at(10_020)), None);
    assert_eq!(health.of(member(1), at(10_020)), MemberHealth::Validating { passes: 0 });
    assert_eq!(health.answered(current, Readiness::Ready, at(10_030)), None);
    assert_eq!(health.of(member(1), at(10_030)), MemberHealth::Validating { passes: 1 });
    assert_eq!(health.answered(current, Readiness::Ready, at(10_040)), None, "an answer counts once");
    assert_eq!(health.of(member(1), at(10_040)), MemberHealth::Validating { passes: 1 });
}

#[test]
fn a_late_failure_of_an_old_probe_does_not_damage_a_member_that_came_back() {
    let mut health = health(2);
    let old = probe(&mut health, at(0));
    assert!(health.failed(member(1), at(0)).is_some());
    assert!(pass(&mut health, &[10_000, 20_000, 25_000, 28_333]).is_some());
    assert_eq!(health.unanswered(old, at(28_400)), None);
    assert!(health.is_online(member(1)));
}

#[test]
fn self_is_never_damaged_and_never_probed() {
    let mut health = health(2);
    assert_eq!(health.failed(member(ME), at(0)), None);
    assert!(health.is_online(member(ME)));
    assert!(health.due(at(60_000)).iter().all(|probe| probe.member != member(ME)));
    assert_eq!(Health::new(1, member(ME), HealthPolicy::default(), at(0)).next_due(), None);
}

#[test]
fn a_member_that_is_not_ready_is_taken_out_and_comes_back() {
    let mut health = health(2);
    let first = probe(&mut health, at(0));
    let gone = health.answered(first, Readiness::NotReady, at(0));
    assert_eq!(gone, Some(Transition::WentOffline(member(1))));
    assert_eq!(
        health.of(member(1), at(0)),
        MemberHealth::Validating { passes: 0 },
        "it lives: it needs no rest"
    );
    let second = probe(&mut health, at(1_000));
    assert_eq!(health.answered(second, Readiness::NotReady, at(1_000)), None);
    let back = pass(&mut health, &[2_000, 12_000, 17_000, 20_333]);
    assert_eq!(back, Some(Transition::CameOnline(member(1))));
}

#[test]
fn a_member_that_is_not_ready_keeps_what_it_has_passed_but_passes_nothing() {
    let mut health = damaged();
    assert_eq!(pass(&mut health, &[10_000, 20_000, 25_000]), None);
    for moment in [28_333, 29_333, 30_333] {
        let probe = probe(&mut health, at(moment));
        assert_eq!(health.answered(probe, Readiness::NotReady, at(moment)), None);
        assert_eq!(health.of(member(1), at(moment)), MemberHealth::Validating { passes: 3 });
    }
    assert_eq!(pass(&mut health, &[31_333]), Some(Transition::CameOnline(member(1))));
}

#[test]
fn one_members_failure_says_nothing_of_another() {
    let mut health = health(3);
    let _ = health.due(at(0));
    assert!(health.failed(member(1), at(0)).is_some());
    assert!(health.is_online(member(2)));
    assert_eq!(health.next_due(), Some(at(10_000)));
}

#[test]
fn the_number_of_passes_is_configurable_and_at_least_one() {
    for passes in [0, 1] {
        let policy = HealthPolicy { validation_passes: passes, ..HealthPolicy::default() };
        let mut health = Health::new(2, member(ME), policy, at(0));
        assert!(health.failed(member(1), at(0)).is_some());
        assert_eq!(pass(&mut health, &[10_000]), Some(Transition::CameOnline(member(1))));
    }
}

#[test]
fn a_health_has_the_name_that_answers_and_metrics_use() {
    let all = [MemberHealth::Online, MemberHealth::Damaged, MemberHealth::Validating { passes: 2 }];
    assert_eq!(all.map(MemberHealth::name), ["online", "damaged", "validating"]);
}

/// The rules once more, in other words: a member is what happened since its last failure. Nothing is stored but
/// that story and the one probe whose answer would count.
#[derive(Clone, Debug)]
struct Story {
    met: bool,
    online: bool,
    since: Vec<Happened>,
    /// The number of the probe under way that counts, if there is one.
    awaited: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happened {
    Started(u64),
    Failed(u64),
    WasNotReady(u64),
    WasReady(u64),
}

impl Story {
    fn passes(&self) -> u64 {
        if self.online {
            0
        } else {
            self.since.iter().filter(|event| matches!(event, Happened::WasReady(_))).count() as u64
        }
    }

    fn next_probe(&self, policy: &HealthPolicy) -> u64 {
        let interval = policy.probe_interval.as_millis() as u64;
        let rest = policy.rest.as_millis() as u64;
        match *self.since.last().unwrap() {
            Happened::Started(now) => now,
            Happened::WasNotReady(now) | Happened::Failed(now) if !self.met => now + interval / 4,
            Happened::WasNotReady(now) => now + interval,
            Happened::WasReady(now) if self.online => now + interval,
            Happened::Failed(now) => now + rest,
            Happened::WasReady(now) => now + rest / self.passes(),
        }
    }

    fn health(&self, policy: &HealthPolicy, now: u64) -> MemberHealth {
        match self.since[..] {
            _ if self.online => MemberHealth::Online,
            [Happened::Failed(_)] if self.met && now < self.next_probe(policy) => MemberHealth::Damaged,
            _ => MemberHealth::Validating { passes: self.passes() as u32 },
        }
    }

    /// Whether the member came online (`Some(true)`) or went offline (`Some(false)`).
    fn happens(&mut self, event: Happened, policy: &HealthPolicy) -> Option<bool> {
        let was_online = self.online;
        self.awaited = None;
        match event {
            Happened::Failed(_) => (self.online, self.since) = (false, vec![event]),
            Happened::WasNotReady(_) if was_online => (self.online, self.since) = (false, vec![event]),
            _ => self.since.push(event),
        }
        let is_ready = matches!(event, Happened::WasReady(_));
        let is_introduced = is_ready && !self.met;
        self.met |= is_ready;
        if !self.online && (is_introduced || self.passes() >= u64::from(policy.validation_passes)) {
            self.online = true;
        }
        (self.online != was_online).then_some(self.online)
    }
}

#[derive(Clone, Debug)]
enum Event {
    TimePasses(u64),
    RequestFails(usize),
    ProbesAreSent,
    /// Of all probes ever sent, old ones too.
    ProbeIsAnswered(prop::sample::Index, Readiness),
    LatestProbeIsAnswered(Readiness),
    ProbeIsUnanswered(prop::sample::Index),
}

fn any_event() -> impl Strategy<Value = Event> {
    let readiness = || prop_oneof![4 => Just(Readiness::Ready), 1 => Just(Readiness::NotReady)];
    prop_oneof![
        4 => (0..6_000_u64).prop_map(Event::TimePasses),
        1 => (0..4_usize).prop_map(Event::RequestFails),
        6 => Just(Event::ProbesAreSent),
        3 => (any::<prop::sample::Index>(), readiness()).prop_map(|(at, readiness)| Event::ProbeIsAnswered(at, readiness)),
        6 => readiness().prop_map(Event::LatestProbeIsAnswered),
        1 => any::<prop::sample::Index>().prop_map(Event::ProbeIsUnanswered),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_story_ends_as_the_rules_say(
        events in prop::collection::vec(any_event(), 1..120), rest in 1..12_000_u64, interval in 1..3_000_u64, passes in 1..6_u32,
    ) {
        let policy = HealthPolicy {
            probe_interval: Duration::from_millis(interval),
            rest: Duration::from_millis(rest),
            validation_passes: passes,
        };
        let mut health = Health::new(4, member(ME), policy, at(0));
        let mut stories = vec![Story { met: false, online: true, since: vec![Happened::Started(0)], awaited: None }; 4];
        let mut sent: Vec<Probe> = Vec::new();
        let mut now = 0;
        for event in events {
            let mut answer = |place: usize, awaited: Option<usize>, happened: Happened| {
                let story: &mut Story = &mut stories[place];
                let counts = awaited.is_none() || story.awaited == awaited;
                let change = counts.then(|| story.happens(happened, &policy)).flatten();
                change.map(|online| match online {
                    true => Transition::CameOnline(member(place)),
                    false => Transition::WentOffline(member(place)),
                })
            };
            let happened = |readiness| match readiness {
                Readiness::Ready => Happened::WasReady(now),
                Readiness::NotReady => Happened::WasNotReady(now),
            };
            match event {
                Event::TimePasses(by) => now += by,
                Event::RequestFails(ME) => prop_assert_eq!(health.failed(member(ME), at(now)), None),
                Event::RequestFails(place) => {
                    let expected = answer(place, None, Happened::Failed(now));
                    prop_assert_eq!(health.failed(member(place), at(now)), expected);
                }
                Event::ProbesAreSent => {
                    let due = health.due(at(now));
                    let expected: Vec<usize> = (1..4)
                        .filter(|place| stories[*place].awaited.is_none() && stories[*place].next_probe(&policy) <= now)
                        .collect();
                    prop_assert_eq!(due.iter().map(|probe| probe.member.as_usize()).collect::<Vec<_>>(), expected);
                    for probe in due {
                        stories[probe.member.as_usize()].awaited = Some(sent.len());
                        sent.push(probe);
                    }
                }
                Event::ProbeIsAnswered(_, _) | Event::LatestProbeIsAnswered(_) | Event::ProbeIsUnanswered(_) if sent.is_empty() => {}
                Event::ProbeIsAnswered(number, readiness) => {
                    let number = number.index(sent.len());
                    let expected = answer(sent[number].member.as_usize(), Some(number), happened(readiness));
                    prop_assert_eq!(health.answered(sent[number], readiness, at(now)), expected);
                }
                Event::LatestProbeIsAnswered(readiness) => {
                    let number = sent.len() - 1;
                    let expected = answer(sent[number].member.as_usize(), Some(number), happened(readiness));
                    prop_assert_eq!(health.answered(sent[number], readiness, at(now)), expected);
                }
                Event::ProbeIsUnanswered(number) => {
                    let number = number.index(sent.len());
                    let expected = answer(sent[number].member.as_usize(), Some(number), Happened::Failed(now));
                    prop_assert_eq!(health.unanswered(sent[number], at(now)), expected);
                }
            }
            for (place, story) in stories.iter().enumerate() {
                prop_assert_eq!(health.of(member(place), at(now)), story.health(&policy, now), "member {}", place);
                prop_assert_eq!(health.is_online(member(place)), story.online);
            }
            let next = stories[1..].iter().filter(|story| story.awaited.is_none()).map(|story| story.next_probe(&policy)).min();
            prop_assert_eq!(health.next_due(), next.map(at));
        }
    }
}

#[test]
fn a_member_that_a_change_brings_is_offline_until_it_is_ready() {
    let same = |index: MemberIndex| (index.as_usize() < 2).then_some(index);
    let mut health = health(2).on(3, member(ME), at(0), same);
    assert!(health.is_online(member(1)));
    assert!(!health.is_online(member(2)));
    assert!(!health.knows_all());
    let probes = health.due(at(0));
    let probe = *probes.iter().find(|probe| probe.member == member(2)).unwrap();
    assert_eq!(health.answered(probe, Readiness::Ready, at(1)), Some(Transition::CameOnline(member(2))));
}
