use proptest::prelude::*;

use super::*;
use crate::{HealthPolicy, Placement, Timestamp};

const BOTH: [Placement; 2] = [Placement::Modulo, Placement::Rendezvous];

fn ring(members: usize, placement: Placement, replicas: usize) -> Arc<Ring> {
    let addresses = (1..=members).map(|port| format!("10.0.0.1:{port}").parse().unwrap());
    Arc::new(Ring::new(addresses, placement, replicas).unwrap())
}

fn view(ring: &Arc<Ring>, me: usize, damaged: &[usize]) -> View {
    let (me, now) = (MemberIndex::new(me), Timestamp::default());
    let mut health = Health::new(ring.len(), me, HealthPolicy::default(), now);
    for member in damaged {
        let _ = health.failed(MemberIndex::new(*member), now);
    }
    View::new(Arc::clone(ring), me, &health)
}

fn digests(count: usize) -> impl Iterator<Item = Digest> {
    (0..count).map(|number| Digest::of(format!("key-{number}").as_bytes()))
}

fn places(members: impl Iterator<Item = MemberIndex>) -> Vec<usize> {
    members.map(MemberIndex::as_usize).collect()
}

#[test]
fn with_every_member_online_the_first_home_is_the_owner() {
    for placement in BOTH {
        let ring = ring(5, placement, 2);
        for view in [view(&ring, 3, &[]), View::all_online(Arc::clone(&ring), MemberIndex::new(3))] {
            for digest in digests(500) {
                let first = ring.preference_list(digest).next().unwrap();
                assert_eq!(view.lookup(digest), Lookup { member: first, role: Role::Owner });
            }
        }
    }
}

#[test]
fn who_is_there_acts_in_place_of_self_before_it_takes_requests_or_copies() {
    let ring = ring(3, Placement::Modulo, 2);
    for digest in digests(100) {
        let homes: Vec<_> = ring.preference_list(digest).collect();
        let cut_off = view(&ring, homes[0].as_usize(), &[homes[1].as_usize(), homes[2].as_usize()]);
        assert_eq!(cut_off.substitute(digest, None), None);
        let healed = cut_off.reaching([homes[1]]).acting([homes[1]]);
        assert_eq!(healed.lookup(digest).member, homes[0], "it is not sent requests yet");
        let substitute = Lookup { member: homes[1], role: Role::Owner };
        assert_eq!(healed.substitute(digest, None), Some(substitute));
    }
}

#[test]
fn members_of_whom_none_may_act_agree_on_the_one_that_does() {
    for replicas in [1, 2, 3] {
        let ring = ring(5, Placement::Modulo, replicas);
        let all: Vec<_> = ring.roster().map(|(index, _)| index).collect();
        for digest in digests(100) {
            let list: Vec<_> = ring.preference_list(digest).collect();
            for ready in [&all[..], &list[1..], &[]] {
                let of = |me: MemberIndex| {
                    let others =
                        all.iter().map(|other| other.as_usize()).filter(|other| *other != me.as_usize());
                    let view = view(&ring, me.as_usize(), &others.collect::<Vec<_>>());
                    view.reaching(all.iter().copied()).ready(ready.iter().copied())
                };
                let acts = if ready.len() == 4 { list[1] } else { list[0] };
                for (me, asks) in all.iter().flat_map(|me| all.iter().map(move |asks| (*me, *asks))) {
                    let asked = of(me).substitute(digest, (asks != me).then_some(asks));
                    assert_eq!(asked.map_or(me, |lookup| lookup.member), acts, "{me:?}, asked by {asks:?}");
                }
            }
        }
    }
}

#[test]
fn a_home_member_that_has_everything_leaves_it_to_one_that_acts_and_not_to_a_stand_in_unless_there_is_one_copy()
 {
    for (replicas, digest) in
        [1, 2].into_iter().flat_map(|replicas| digests(100).map(move |digest| (replicas, digest)))
    {
        let ring = ring(4, Placement::Modulo, replicas);
        let list: Vec<_> = ring.preference_list(digest).collect();
        let damaged: Vec<_> = list[1..].iter().map(|member| member.as_usize()).collect();
        let healed = view(&ring, list[0].as_usize(), &damaged).reaching(list[1..].iter().copied());
        let substitute = |acting: usize| {
            let view = healed.clone().ready(list.iter().copied()).acting([list[acting]]);
            view.substitute(digest, None).map(|lookup| lookup.member)
        };
        assert_eq!(substitute(3), (replicas == 1).then_some(list[3]));
        assert_eq!(substitute(1), Some(list[1]));
    }
}

#[test]
fn a_home_member_behind_a_damaged_one_is_the_owner_and_others_stand_in() {
    let ring = ring(5, Placement::Modulo, 2);
    let digest = Digest::of(b"object-key");
    assert_eq!(places(ring.preference_list(digest)), [1, 3, 0, 2, 4]);
    let lookup = |damaged: &[usize]| {
        let Lookup { member, role } = view(&ring, 4, damaged).lookup(digest);
        (member.as_usize(), role)
    };
    assert_eq!(lookup(&[]), (1, Role::Owner));
    assert_eq!(lookup(&[0, 2, 3]), (1, Role::Owner));
    assert_eq!(lookup(&[1]), (3, Role::Owner));
    assert_eq!(lookup(&[1, 3]), (0, Role::StandIn));
    assert_eq!(lookup(&[1, 3, 0]), (2, Role::StandIn));
    assert_eq!(lookup(&[0, 1, 2, 3]), (4, Role::StandIn));
}

#[test]
fn a_stand_in_gives_way_to_an_earlier_one_that_returns_and_nobody_else_does() {
    let ring = ring(5, Placement::Modulo, 2);
    let digest = Digest::of(b"object-key");
    assert_eq!(places(ring.preference_list(digest)), [1, 3, 0, 2, 4]);
    let gives_way = |me: usize, damaged: &[usize], to: usize| {
        view(&ring, me, damaged).gives_way(digest, MemberIndex::new(to))
    };
    assert!(gives_way(2, &[1, 3, 0], 0));
    assert!(!gives_way(0, &[1, 3, 2], 2), "it stands behind");
    assert!(!gives_way(4, &[1, 3, 0], 0), "2 stands in, not 4");
    assert!(!gives_way(2, &[1, 0], 0), "a home member is there");
    assert!(!gives_way(2, &[1, 3, 0], 1), "it is a home member");
}

#[test]
fn a_member_cut_off_from_all_others_serves_every_key_itself() {
    for placement in BOTH {
        let ring = ring(4, placement, 2);
        let view = view(&ring, 2, &[0, 1, 3]);
        let me = view.me();
        for digest in digests(500) {
            let role = if view.is_home(digest, me) { Role::Owner } else { Role::StandIn };
            assert_eq!(view.lookup(digest), Lookup { member: me, role });
        }
    }
}

#[test]
fn with_one_member_damaged_only_its_keys_move() {
    for placement in BOTH {
        let ring = ring(6, placement, 1);
        let whole = View::all_online(Arc::clone(&ring), MemberIndex::new(0));
        let without = view(&ring, 0, &[4]);
        for digest in digests(5_000) {
            let (before, after) = (whole.lookup(digest).member, without.lookup(digest).member);
            assert_eq!(before != after, before == MemberIndex::new(4));
        }
    }
}

#[test]
fn homes_are_the_same_in_any_health() {
    for placement in BOTH {
        let ring = ring(6, placement, 3);
        let (healthy, ill) = (view(&ring, 0, &[]), view(&ring, 0, &[1, 2, 3, 4, 5]));
        for digest in digests(500) {
            let homes = places(healthy.homes(digest));
            assert_eq!(homes, places(ring.preference_list(digest).take(3)));
            assert_eq!(homes, places(ill.homes(digest)));
            for (member, _) in ring.members() {
                assert_eq!(ill.is_home(digest, member), homes.contains(&member.as_usize()));
            }
        }
    }
}

#[test]
fn a_view_says_who_is_addressable() {
    let ring = ring(3, Placement::Modulo, 1);
    let view = view(&ring, 1, &[0, 1]);
    let addressable = ring.members().map(|(member, _)| view.is_addressable(member)).collect::<Vec<_>>();
    assert_eq!(addressable, [false, true, true], "self is always addressable");
}

/// Repose's choice when members fail one after the other: while the modulus over those left points at a damaged
/// member, that member is taken out.
fn by_repose(digest: Digest, members: usize, damaged: &[usize]) -> usize {
    let mut left: Vec<usize> = (0..members).collect();
    loop {
        let at = digest.value().rem_euclid(left.len() as i128) as usize;
        if !damaged.contains(&left[at]) {
            return left[at];
        }
        left.remove(at);
    }
}

proptest! {
    #[test]
    fn modulo_sends_a_key_where_repose_would_with_the_damaged_members_removed_one_by_one(
        bytes: [u8; 16], members in 1..=64_usize, damaged in prop::collection::vec(0..64_usize, 0..80), me in 0..64_usize,
    ) {
        let me = me % members;
        let damaged: Vec<usize> = damaged.into_iter().filter(|member| *member < members && *member != me).collect();
        let digest = Digest::from_bytes(bytes);
        let view = view(&ring(members, Placement::Modulo, 1), me, &damaged);
        prop_assert_eq!(view.lookup(digest).member.as_usize(), by_repose(digest, members, &damaged));
    }

    #[test]
    fn a_damaged_member_moves_nobody_elses_keys(
        bytes: [u8; 16], members in 2..=64_usize, damaged in prop::collection::vec(1..64_usize, 0..80), next in 1..64_usize,
    ) {
        let damaged: Vec<usize> = damaged.into_iter().filter(|member| *member < members).collect();
        let next = 1 + next % (members - 1);
        let digest = Digest::from_bytes(bytes);
        for placement in BOTH {
            let ring = ring(members, placement, 1);
            let before = view(&ring, 0, &damaged).lookup(digest).member;
            let after = view(&ring, 0, &[&*damaged, &[next]].concat()).lookup(digest).member;
            prop_assert_eq!(before != after, before.as_usize() == next && !damaged.contains(&next));
        }
    }

    #[test]
    fn a_write_is_copied_to_all_homes_that_take_it_and_to_as_many_stand_ins_as_homes_are_missing(
        bytes: [u8; 16],
        members in 1..=20_usize,
        replicas in 1..=20_usize,
        me in 0..20_usize,
        damaged in prop::collection::vec(0..20_usize, 0..20),
        returning in prop::collection::vec(0..20_usize, 0..5),
        leaving: bool,
    ) {
        let (me, replicas) = (me % members, 1 + replicas % members);
        let others = |some: Vec<usize>| some.into_iter().filter(|at| *at < members && *at != me);
        let damaged: Vec<usize> = others(damaged).collect();
        let (digest, me) = (Digest::from_bytes(bytes), MemberIndex::new(me));
        for placement in BOTH {
            let view = view(&ring(members, placement, replicas), me.as_usize(), &damaged);
            let view = view.receiving(others(returning.clone()).map(MemberIndex::new));
            let view = if leaving { view.leaving() } else { view };
            let receivers = view.receivers(digest);
            let is_other = |member: &MemberIndex| *member != me;
            let (homes, rest): (Vec<_>, Vec<_>) =
                view.ring().preference_list(digest).filter(is_other).partition(|member| view.homes(digest).any(|home| home == *member));
            let homes: Vec<_> = homes.into_iter().filter(|home| view.is_receiving(*home)).collect();
            let missing = replicas.saturating_sub(homes.len() + usize::from(!leaving));
            let stand_ins = rest.iter().filter(|member| view.is_addressable(**member)).take(missing);
            let comes_back = |member: &&MemberIndex| {
                view.is_receiving(**member) && !view.is_addressable(**member) && view.would_stand_in(digest, **member)
            };
            let mut expected: Vec<_> = homes.iter().chain(stand_ins).copied().collect();
            expected.extend(rest.iter().find(comes_back));
            prop_assert_eq!(&*receivers, &*expected);
        }
    }

    #[test]
    fn the_owner_is_the_first_addressable_home_and_else_the_first_stand_in(
        bytes: [u8; 16], members in 1..=40_usize, replicas in 1..=40_usize, damaged in prop::collection::vec(0..40_usize, 0..80),
    ) {
        let replicas = 1 + replicas % members;
        let damaged: Vec<usize> = damaged.into_iter().filter(|member| *member < members && *member != 0).collect();
        let digest = Digest::from_bytes(bytes);
        for placement in BOTH {
            let view = view(&ring(members, placement, replicas), 0, &damaged);
            let home = view.homes(digest).find(|home| view.is_addressable(*home));
            let expected = match home {
                Some(member) => Lookup { member, role: Role::Owner },
                None => {
                    let mut rest = view.ring().preference_list(digest).skip(view.ring().replicas());
                    let member = rest.find(|member| view.is_addressable(*member)).unwrap();
                    Lookup { member, role: Role::StandIn }
                }
            };
            prop_assert_eq!(view.lookup(digest), expected);
        }
    }
}

#[test]
fn who_stands_in_for_an_absent_home_member_of_the_next_ring_is_given_what_it_will_be_asked_for() {
    let (current, target) = rings_of(5, 4, 1);
    let [me, gone] = [0, 3].map(MemberIndex::new);
    let mut is_found = false;
    for digest in digests(200) {
        let (owner, home) = (current.preference_list(digest).next(), target.preference_list(digest).next());
        let present = |absent| {
            let everybody = View::all_online(Arc::clone(&current), me).beside(Some(Arc::clone(&target)));
            View { addressable: without(everybody.addressable, absent), ..everybody }
        };
        let (whole, broken) = (present(None), present(Some(gone)));
        let broken = View { receiving: broken.addressable, ..broken };
        if owner != Some(me) || home != Some(gone) {
            continue;
        }
        let stands_in = target.preference_list(digest).nth(1).unwrap();
        assert!(whole.is_next(digest, gone) && !whole.is_next(digest, stands_in));
        assert!(broken.is_next(digest, stands_in) && !broken.is_next(digest, gone));
        assert_eq!(*whole.receivers(digest), [gone]);
        assert_eq!(*broken.receivers(digest), *if stands_in == me { vec![] } else { vec![stands_in] });
        is_found |= stands_in != me;
    }
    assert!(is_found);
}

/// Rings of so many members on one roster.
fn rings_of(members: usize, others: usize, replicas: usize) -> (Arc<Ring>, Arc<Ring>) {
    let ring = |members| Ring::clone(&ring(members, Placement::Modulo, replicas));
    let (one, other) = ring(members).joined(ring(others)).unwrap();
    (Arc::new(one), Arc::new(other))
}

fn without(members: MemberSet, absent: Option<MemberIndex>) -> MemberSet {
    (0..5)
        .map(MemberIndex::new)
        .filter(|member| members.contains(*member) && Some(*member) != absent)
        .collect()
}
