use proptest::prelude::*;

use super::*;
use crate::MemberAddress;

const BOTH: [Placement; 2] = [Placement::Modulo, Placement::Rendezvous];

fn ring_of(members: &[usize], placement: Placement) -> Ring {
    let address = |number: &usize| format!("10.0.0.1:{}", number + 1).parse::<MemberAddress>().unwrap();
    Ring::new(members.iter().map(address), placement, 1).unwrap()
}

fn ring(members: usize, placement: Placement) -> Ring {
    ring_of(&(0..members).collect::<Vec<_>>(), placement)
}

fn list(ring: &Ring, digest: Digest) -> Vec<usize> {
    ring.preference_list(digest).map(MemberIndex::as_usize).collect()
}

fn owner(ring: &Ring, digest: Digest) -> &MemberAddress {
    ring.address(ring.preference_list(digest).next().unwrap())
}

fn digests(count: usize) -> impl Iterator<Item = Digest> {
    (0..count).map(|number| Digest::of(format!("key-{number}").as_bytes()))
}

fn any_digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 16]>().prop_map(Digest::from_bytes)
}

/// The members that a key has in turn when Repose's addressing meets a damaged member and takes it out: modulus of
/// the signed number over the members left, written with a list to remove from.
fn by_repose(digest: Digest, members: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..members).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let count = left.len() as i128;
        let at = ((digest.value() % count) + count) % count;
        order.push(left.remove(at as usize));
    }
    order
}

/// Whether members' shares of keys are as equal as chance makes them: chi-squared with p > 0.001, its bound by the
/// approximation of Wilson and Hilferty (1931), which is within 1% from three members on.
fn is_even(shares: &[usize]) -> bool {
    let expected = shares.iter().sum::<usize>() as f64 / shares.len() as f64;
    let statistic: f64 = shares.iter().map(|share| (*share as f64 - expected).powi(2) / expected).sum();
    let freedom = (shares.len() - 1) as f64;
    let spread = 2.0 / (9.0 * freedom);
    statistic < freedom * (1.0 - spread + 3.09 * spread.sqrt()).powi(3)
}

proptest! {
    #[test]
    fn the_remainder_is_that_of_euclid(value: i128, members in 1..=crate::MAX_MEMBERS) {
        for value in [value, 0, -1, i128::MIN, i128::MAX] {
            prop_assert_eq!(remainder(value, members), value.rem_euclid(members as i128) as usize);
        }
    }
}

#[test]
fn one_byte_ids_fall_on_four_members_in_turn() {
    let ring = ring(4, Placement::Modulo);
    for id in 0..127_u8 {
        let mut bytes = [0; 16];
        bytes[15] = id;
        assert_eq!(list(&ring, Digest::from_bytes(bytes))[0], usize::from(id % 4), "{id}");
    }
}

#[test]
fn a_single_member_owns_every_key() {
    for placement in BOTH {
        let ring = ring(1, placement);
        assert!(digests(1_000).all(|digest| list(&ring, digest) == [0]));
    }
}

#[test]
fn modulo_owners_are_those_of_reposes_tables() {
    let owners = [
        ("object-key", [0, 0, 2, 1]),
        ("", [0, 2, 2, 0]),
        ("a", [1, 1, 1, 2]),
        ("foo", [0, 0, 0, 4]),
        ("bar", [0, 0, 2, 0]),
        ("user1", [1, 1, 1, 0]),
        ("test", [0, 1, 2, 4]),
        ("hello", [0, 1, 2, 4]),
        ("Grüße", [1, 0, 3, 0]),
        ("1", [1, 0, 3, 0]),
        ("3", [1, 0, 3, 2]),
    ];
    let owners = owners.map(|(key, owners)| (Digest::of(key.as_bytes()), owners));
    let uuids = [
        ("00000000-0000-0000-0000-000000000001", [0, 1, 0, 1]),
        ("80000000-0000-0000-0000-000000000000", [0, 2, 0, 3]),
        ("00000000-0000-0080-0000-000000000000", [0, 1, 0, 2]),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", [1, 2, 3, 4]),
        ("3ae04e3f-164e-ab96-04d2-51aa51104daa", [0, 2, 0, 2]),
    ];
    let uuids = uuids.map(|(uuid, owners)| (Digest::from_uuid(uuid.parse().unwrap()), owners));
    for (digest, owners) in owners.into_iter().chain(uuids) {
        for (members, owner) in (2..).zip(owners) {
            assert_eq!(list(&ring(members, Placement::Modulo), digest)[0], owner, "{digest} of {members}");
        }
    }
}

/// Both orders were computed by another program from the definition alone. They may never change: during a
/// rolling upgrade old and new members must send a key to the same place.
#[test]
fn preference_lists_are_the_same_in_every_release() {
    let lists = [
        ("object-key", [1, 3, 0, 2, 4], [1, 4, 0, 3, 2]),
        ("", [0, 3, 4, 1, 2], [1, 0, 3, 4, 2]),
        ("a", [2, 1, 3, 4, 0], [1, 2, 3, 0, 4]),
        ("foo", [4, 0, 1, 2, 3], [0, 2, 1, 3, 4]),
        ("user1", [0, 2, 3, 4, 1], [0, 3, 4, 1, 2]),
        ("Grüße", [0, 4, 1, 3, 2], [3, 4, 0, 1, 2]),
    ];
    let members = (1..=5).map(|last| format!("10.0.0.{last}:9999").parse().unwrap());
    let [modulo, rendezvous] = BOTH.map(|placement| Ring::new(members.clone(), placement, 2).unwrap());
    for (key, by_modulo, by_weight) in lists {
        assert_eq!(list(&modulo, Digest::of(key.as_bytes())), by_modulo, "{key}");
        assert_eq!(list(&rendezvous, Digest::of(key.as_bytes())), by_weight, "{key}");
    }
}

#[test]
fn every_size_of_ring_lists_every_member_once() {
    for placement in BOTH {
        for members in (1..=130).chain([511, 512, 513, 1023, 1024]) {
            let ring = ring(members, placement);
            let mut order = list(&ring, Digest::of(&members.to_be_bytes()));
            order.sort_unstable();
            assert!(order.into_iter().eq(0..members), "{placement} of {members}");
        }
    }
}

#[test]
fn modulo_spreads_keys_evenly_over_owners_and_over_second_homes() {
    assert_even(Placement::Modulo, &[2, 3, 5, 20, 200]);
}

#[test]
fn rendezvous_spreads_keys_evenly_over_owners_and_over_second_homes() {
    assert_even(Placement::Rendezvous, &[2, 3, 5, 20, 64]);
}

fn assert_even(placement: Placement, sizes: &[usize]) {
    let keys: Vec<Digest> = digests(200_000).collect();
    for members in sizes.iter().copied() {
        let ring = ring(members, placement);
        let mut shares = [vec![0; members], vec![0; members]];
        for digest in &keys {
            for (rank, member) in ring.preference_list(*digest).take(2).enumerate() {
                shares[rank][member.as_usize()] += 1;
            }
        }
        for (rank, shares) in shares.iter().enumerate() {
            assert!(is_even(shares), "{placement} of {members}, rank {rank}: {shares:?}");
        }
    }
}

#[test]
fn shares_that_chance_would_not_make_are_not_even() {
    assert!(is_even(&[1000, 1030, 970]));
    assert!(!is_even(&[1000, 1100, 900]));
    assert!(!is_even(&[10_000, 10_000, 0]));
}

#[test]
fn rendezvous_moves_a_new_members_share_and_nothing_else() {
    const KEYS: usize = 50_000;
    for members in [2, 3, 10, 50] {
        let (before, after) =
            (ring(members, Placement::Rendezvous), ring(members + 1, Placement::Rendezvous));
        let newcomer = ring_of(&[members], Placement::Rendezvous).address(MemberIndex::new(0)).clone();
        let moved = digests(KEYS).filter(|digest| owner(&before, *digest) != owner(&after, *digest));
        let moved: Vec<_> = moved.collect();
        assert!(moved.iter().all(|digest| *owner(&after, *digest) == newcomer));
        // Keys that move are drawn with chance 1 / (members + 1): within four standard deviations of their mean.
        let chance = 1.0 / (members + 1) as f64;
        let mean = KEYS as f64 * chance;
        assert!((moved.len() as f64 - mean).abs() < 4.0 * (mean * (1.0 - chance)).sqrt(), "{}", moved.len());
    }
}

#[test]
fn the_name_of_a_placement_leads_back_to_it() {
    for placement in BOTH {
        assert_eq!(placement.name().parse(), Ok(placement));
        assert_eq!(placement.to_string(), placement.name());
    }
    for text in ["", "Modulo", "modulo ", "ring"] {
        assert_eq!(text.parse::<Placement>(), Err(PlacementError), "{text}");
    }
    assert_eq!(Placement::default(), Placement::Modulo);
}

proptest! {
    #[test]
    fn a_list_holds_every_member_once_and_knows_its_length(digest in any_digest(), members in 1..=200_usize, taken in 0..200_usize) {
        for placement in BOTH {
            let ring = ring(members, placement);
            let mut rest = ring.preference_list(digest);
            prop_assert_eq!(rest.by_ref().take(taken).count(), taken.min(members));
            prop_assert_eq!(rest.len(), members.saturating_sub(taken));
            let mut order = list(&ring, digest);
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..members));
        }
    }

    #[test]
    fn modulo_lists_are_reposes_addressing_repeated(digest in any_digest(), members in 1..=200_usize) {
        prop_assert_eq!(list(&ring(members, Placement::Modulo), digest), by_repose(digest, members));
    }

    #[test]
    fn the_first_among_some_members_is_the_first_that_the_list_names(
        digest in any_digest(), members in 1..=200_usize, some in prop::collection::vec(0..200_usize, 0..200),
    ) {
        let some: MemberSet = some.into_iter().filter(|at| *at < members).map(MemberIndex::new).collect();
        for placement in BOTH {
            let ring = ring(members, placement);
            let expected = ring.preference_list(digest).enumerate().find(|(_, member)| some.contains(*member));
            prop_assert_eq!(first_among(&ring, digest, &some), expected);
        }
    }

    #[test]
    fn a_member_that_leaves_a_rendezvous_ring_changes_no_other_members_order(
        digest in any_digest(), members in 2..=60_usize, leaver in 0..60_usize,
    ) {
        let leaver = leaver % members;
        let stay: Vec<usize> = (0..members).filter(|member| *member != leaver).collect();
        let before = list(&ring(members, Placement::Rendezvous), digest);
        let after = list(&ring_of(&stay, Placement::Rendezvous), digest);
        let expected: Vec<usize> = before.into_iter().filter(|member| *member != leaver).collect();
        prop_assert_eq!(after.into_iter().map(|at| stay[at]).collect::<Vec<_>>(), expected);
    }
}
