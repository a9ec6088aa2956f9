use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn clock(member: &str) -> VersionClock {
    VersionClock::new(WriterId::of(&member.parse().unwrap()))
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn any_version() -> impl Strategy<Value = Version> {
    any::<[u8; Version::BYTES]>().prop_map(Version::from_bytes)
}

#[test]
fn a_clock_that_stands_still_still_orders_writes() {
    let clock = clock("10.0.0.1:9999");
    let versions: Vec<_> = (0..200_000).map(|_| clock.next(at(1_000))).collect();
    assert!(versions.is_sorted_by(|earlier, later| earlier < later));
    assert_eq!(versions[0].written_at(), at(1_000));
    assert_eq!(versions[65_535].written_at(), at(1_000));
    assert_eq!(versions[65_536].written_at(), at(1_001), "the counter runs over into the milliseconds");
}

#[test]
fn a_clock_that_runs_back_still_orders_writes() {
    let clock = clock("10.0.0.1:9999");
    let before = clock.next(at(5_000));
    let after = clock.next(at(1_000));
    assert!(after > before);
    assert_eq!(after.written_at(), at(5_000));
}

#[test]
fn a_version_follows_the_clock() {
    let clock = clock("10.0.0.1:9999");
    for millis in [1, 2, 1_000, 1_790_000_000_000] {
        assert_eq!(clock.next(at(millis)).written_at(), at(millis));
    }
}

#[test]
fn what_was_observed_is_earlier_than_what_follows() {
    let (fast, slow) = (clock("10.0.0.1:9999"), clock("10.0.0.2:9999"));
    let seen = fast.next(at(60_000));
    slow.observe(seen, at(1_000)).unwrap();
    assert!(slow.next(at(1_000)) > seen);
}

#[test]
fn an_old_version_that_is_observed_changes_nothing() {
    let (old, new) = (clock("10.0.0.1:9999"), clock("10.0.0.2:9999"));
    let last = new.next(at(60_000));
    new.observe(old.next(at(1)), at(60_000)).unwrap();
    let next = new.next(at(0));
    assert!(next > last);
    assert_eq!(next.written_at(), at(60_000));
}

#[test]
fn a_version_over_an_hour_ahead_is_refused_and_not_learnt() {
    let (wrong, right) = (clock("10.0.0.1:9999"), clock("10.0.0.2:9999"));
    let hour = 3_600_000;
    let skew = right.observe(wrong.next(at(hour + 2)), at(1)).unwrap_err();
    assert_eq!(skew, ClockSkew { ahead: Duration::from_millis(hour + 1) });
    assert_eq!(
        skew.to_string(),
        "a version is 3600.001s ahead of this member's clock; at most 3600s is accepted: check the clocks"
    );
    assert_eq!(right.next(at(1)).written_at(), at(1));

    let limit = clock("10.0.0.3:9999").next(at(hour + 1));
    right.observe(limit, at(1)).unwrap();
    assert!(right.next(at(1)) > limit);
}

#[test]
fn the_end_of_time_does_not_wrap_around() {
    let clock = clock("10.0.0.1:9999");
    let last = clock.next(at(u64::MAX));
    assert!(clock.next(at(0)) >= last);
}

#[test]
fn threads_never_share_a_version_and_each_sees_its_own_grow() {
    const WRITES: usize = 20_000;
    let clock = Arc::new(clock("10.0.0.1:9999"));
    let write = |step: u64| {
        let clock = Arc::clone(&clock);
        // Each thread's time moves at its own pace, so that the clock is pushed and stands still in turns.
        move || (0..WRITES as u64).map(|n| clock.next(at(n * step / 1_000))).collect::<Vec<_>>()
    };
    let all: Vec<Vec<Version>> = std::thread::scope(|scope| {
        let threads: Vec<_> = [0, 1, 7, 50].map(|step| scope.spawn(write(step))).into();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|versions| versions.is_sorted_by(|earlier, later| earlier < later)));
    let distinct: HashSet<_> = all.iter().flatten().collect();
    assert_eq!(distinct.len(), 4 * WRITES);
}

#[test]
fn two_members_never_hand_out_the_same_version() {
    let (one, two) = (clock("10.0.0.1:9999"), clock("10.0.0.2:9999"));
    assert_ne!(one.next(at(1)), two.next(at(1)));
}

#[test]
fn the_entity_tag_is_24_lower_case_digits_in_quotes() {
    let version =
        Version::from_bytes([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98]);
    assert_eq!(version.to_entity_tag(), *b"\"0123456789abcdeffedcba98\"");
    assert_eq!(version.to_string(), "0123456789abcdeffedcba98");
}

#[test]
fn what_is_no_entity_tag_of_ours_is_refused() {
    let refused = [
        "",
        "\"",
        "\"\"",
        "*",
        "0123456789abcdeffedcba98",
        "\"0123456789abcdeffedcba98",
        "0123456789abcdeffedcba98\"",
        "W/\"0123456789abcdeffedcba98\"",
        "\"0123456789ABCDEFFEDCBA98\"",
        "\"0123456789abcdeffedcba9\"",
        "\"0123456789abcdeffedcba980\"",
        "\"0123456789abcdeffedcba9800\"",
        "\"0123456789abcdeffedcba9g\"",
        "\"+123456789abcdeffedcba98\"",
        "\" 0123456789abcdeffedcba98\"",
        "\"0123456789abcdeffedcba98\" ",
    ];
    for tag in refused {
        assert_eq!(Version::from_entity_tag(tag.as_bytes()), Err(EntityTagError), "{tag}");
    }
}

proptest! {
    #[test]
    fn the_order_of_versions_is_time_then_counter_then_writer(
        (a_time, b_time) in (0..3_u64, 0..3_u64), (a_count, b_count) in (0..3_u64, 0..3_u64), (a_id, b_id) in (0..3_u32, 0..3_u32),
    ) {
        let version = |time: u64, count: u64, id| Version { time: time << COUNTER_BITS | count, writer: WriterId(id) };
        let (a, b) = (version(a_time, a_count, a_id), version(b_time, b_count, b_id));
        prop_assert_eq!(a.cmp(&b), (a_time, a_count, a_id).cmp(&(b_time, b_count, b_id)));
    }

    #[test]
    fn versions_bytes_tags_and_texts_have_one_order(a in any_version(), b in any_version()) {
        prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
        prop_assert_eq!(a.cmp(&b), a.to_entity_tag().cmp(&b.to_entity_tag()));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn bytes_and_entity_tag_lead_back_to_the_version(version in any_version()) {
        prop_assert_eq!(Version::from_bytes(version.to_bytes()), version);
        prop_assert_eq!(Version::from_entity_tag(&version.to_entity_tag()), Ok(version));
    }

    #[test]
    fn an_entity_tag_is_ours_only_if_we_would_write_it(tag in "\"?[0-9a-fA-F]{23,25}\"?") {
        if let Ok(version) = Version::from_entity_tag(tag.as_bytes()) {
            prop_assert_eq!(&version.to_entity_tag()[..], tag.as_bytes());
        }
    }

    #[test]
    fn every_version_is_later_than_all_handed_out_or_observed_before(
        events in prop::collection::vec((0..9_000_000_u64, prop::option::of((0..9_000_000_u64, 0..=u64::from(u16::MAX)))), 1..50)
    ) {
        let clock = clock("10.0.0.1:9999");
        let mut latest = None;
        for (now, observed) in events {
            let observed = observed.map(|(millis, count)| Version { time: millis << COUNTER_BITS | count, writer: WriterId(9) });
            let learnt = observed.filter(|version| clock.observe(*version, at(now)).is_ok());
            latest = latest.max(learnt);
            let version = clock.next(at(now));
            prop_assert!(Some(version) > latest);
            prop_assert!(version.written_at() >= at(now));
            latest = Some(version);
        }
    }
}
