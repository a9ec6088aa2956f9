//! Rate limit.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Value, json as value};

use super::*;
use crate::patch::rate_limit::{MAX_COUNT, MAX_LIMITS};

const RATE_LIMIT: &str = "application/vnd.ringhold.rate-limit+json";

fn limit(name: &str, maximum: u64, window_seconds: u64) -> Value {
    value!({"name": name, "maximum": maximum, "window_seconds": window_seconds})
}

fn counter(name: &str, maximum: u64, window_seconds: u64, used: u64, window_ends_ms: Option<u64>) -> Value {
    value!({
        "name": name, "maximum": maximum, "window_seconds": window_seconds,
        "used": used, "remaining": maximum.saturating_sub(used), "window_ends_ms": window_ends_ms,
    })
}

/// One object, patched again and again.
#[derive(Default)]
struct Limited(Option<Object>);

impl Limited {
    #[track_caller]
    fn hit(&mut self, now_ms: u64, limits: &[Value]) -> Value {
        let made =
            patch_at(now_ms, self.0.as_ref(), RATE_LIMIT, value!({"limits": limits}).to_string()).unwrap();
        let answer = serde_json::from_slice(&made.value).unwrap();
        assert_eq!(made.content_type, ContentType::Json);
        self.0 = Some(json(made.value));
        answer
    }
}

#[test]
fn it_counts_up_to_its_maximum_and_is_over_beyond() {
    let (mut limited, minute) = (Limited::default(), [limit("minute", 2, 60)]);
    let ends = Some(NOW_MS + 60_000);
    for (now_ms, used, over) in [
        (NOW_MS, 1, Value::Null),
        (NOW_MS + 1, 2, Value::Null),
        (NOW_MS + 59_999, 3, "minute".into()),
        (NOW_MS + 59_999, 4, "minute".into()),
    ] {
        let answer = limited.hit(now_ms, &minute);
        assert_eq!(answer, value!({"limits": [counter("minute", 2, 60, used, ends)], "over": over}));
    }
}

#[test]
fn a_window_that_has_ended_starts_again_with_the_next_increment() {
    let (mut limited, minute) = (Limited::default(), [limit("minute", 1, 60)]);
    limited.hit(NOW_MS, &minute);
    assert_eq!(limited.hit(NOW_MS + 59_999, &minute)["over"], "minute");
    let answer = limited.hit(NOW_MS + 60_000, &minute);
    assert_eq!(answer["limits"][0], counter("minute", 1, 60, 1, Some(NOW_MS + 120_000)));
    assert_eq!(answer["over"], Value::Null);
}

#[test]
fn limits_behind_the_first_that_is_over_are_shown_and_not_counted() {
    let mut limited = Limited::default();
    let limits =
        [limit("second", 1, 1), limit("day", 10, 86_400), limit("none", 0, 5), limit("year", 9, 31_536_000)];
    let answer = limited.hit(NOW_MS, &limits);
    assert_eq!(answer["over"], "none");
    assert_eq!(answer["limits"][2], counter("none", 0, 5, 1, Some(NOW_MS + 5000)));
    assert_eq!(answer["limits"][3], counter("year", 9, 31_536_000, 0, None));
    let answer = limited.hit(NOW_MS + 1, &limits);
    assert_eq!(answer["over"], "second");
    assert_eq!(answer["limits"][1], counter("day", 10, 86_400, 1, Some(NOW_MS + 86_400_000)));
}

#[test]
fn other_limits_stay_behind_those_of_the_patch_until_their_window_ends() {
    let mut limited = Limited::default();
    limited.hit(NOW_MS, &[limit("a", 5, 10), limit("b", 5, 20), limit("c", 5, 30)]);
    let answer = limited.hit(NOW_MS + 10_000, &[limit("c", 5, 30)]);
    assert_eq!(
        answer["limits"],
        value!([
            counter("c", 5, 30, 2, Some(NOW_MS + 30_000)),
            counter("b", 5, 20, 1, Some(NOW_MS + 20_000))
        ])
    );
}

#[test]
fn a_new_maximum_or_window_counts_at_once_from_the_start_of_the_window() {
    let mut limited = Limited::default();
    limited.hit(NOW_MS, &[limit("a", 5, 10)]);
    let answer = limited.hit(NOW_MS + 5000, &[limit("a", 1, 60)]);
    assert_eq!(answer["limits"][0], counter("a", 1, 60, 2, Some(NOW_MS + 60_000)));
    assert_eq!(answer["over"], "a");
    let answer = limited.hit(NOW_MS + 6000, &[limit("a", 3, 6)]);
    assert_eq!(answer["limits"][0], counter("a", 3, 6, 1, Some(NOW_MS + 12_000)), "six seconds are over");
}

#[test]
fn a_count_stops_where_json_readers_stop_being_exact() {
    let full = value!({"limits": [counter("a", MAX_COUNT, 60, MAX_COUNT, Some(NOW_MS + 1))], "over": null});
    let mut limited = Limited(Some(json(full.to_string())));
    let answer = limited.hit(NOW_MS, &[limit("a", MAX_COUNT, 60)]);
    assert_eq!(answer["limits"][0]["used"], MAX_COUNT);
}

#[test]
fn an_object_holds_at_most_a_thousand_limits() {
    let mut limited = Limited::default();
    let names: Vec<_> = (0..MAX_LIMITS).map(|index| limit(&format!("limit {index}"), 1, 60)).collect();
    for limits in names.chunks(20) {
        limited.hit(NOW_MS, limits);
    }
    let one_more = value!({"limits": [limit("one more", 1, 60)]}).to_string();
    let why = conflict(patch(limited.0.as_ref(), RATE_LIMIT, one_more.clone()));
    assert!(why.starts_with("it would hold 1001 limits, and one object holds at most 1000"), "{why}");
    assert!(patch_at(NOW_MS + 60_000, limited.0.as_ref(), RATE_LIMIT, one_more).is_ok());
}

#[test]
fn other_documents_are_malformed_and_told_what_is_right() {
    for (limits, begin) in [
        (value!([]), "it has 0 limits; a rate limit patch is"),
        (value!(vec![limit("a", 1, 1); 33]), "it has 33 limits"),
        (value!([limit("a", 1, 1), limit("a", 2, 2)]), "two limits are named \"a\""),
        (value!([limit("", 1, 1)]), "the limit \"\" is out of range"),
        (value!([limit(&"n".repeat(129), 1, 1)]), "the limit \"nnn"),
        (value!([limit("a", MAX_COUNT + 1, 1)]), "the limit \"a\" is out of range"),
        (value!([limit("a", 1, 0)]), "the limit \"a\" is out of range"),
        (value!([limit("a", 1, 2_147_483_648)]), "the limit \"a\" is out of range"),
        (value!([["a", 1, 1]]), "invalid type: sequence, expected an object"),
        (
            value!([{"name": "a", "maximum": -1, "window_seconds": 1}]),
            "invalid value: integer `-1`, expected u64",
        ),
        (value!([{"name": "a", "maximum": 1}]), "missing field `window_seconds`"),
        (value!([{"name": "a", "maximum": 1, "window_seconds": 1, "burst": 2}]), "unknown field `burst`"),
        (value!("a"), "invalid type: string \"a\""),
    ] {
        let why = malformed(patch(None, RATE_LIMIT, value!({"limits": limits}).to_string()));
        assert!(why.starts_with(begin), "{limits}: {why}");
    }
    let largest = value!({"limits": [limit(&"n".repeat(128), MAX_COUNT, 2_147_483_647)]});
    assert!(patch(None, RATE_LIMIT, largest.to_string()).is_ok());
}

#[test]
fn a_stored_value_that_is_no_rate_limits_is_a_conflict_that_says_what_it_is() {
    let twice = value!({"limits": [counter("a", 1, 1, 1, None), counter("a", 1, 1, 1, None)]}).to_string();
    let beyond = value!({"limits": [counter("a", 1, 1, MAX_COUNT + 1, None)]}).to_string();
    for stored in
        ["[]", "5", "hi", "{}", r#"{"limits":[{}]}"#, r#"{"limits":[["a",1,1,1,0,null]]}"#, &twice, &beyond]
    {
        let document = value!({"limits": [limit("a", 1, 1)]}).to_string();
        let why = conflict(patch(Some(&json(stored.to_owned())), RATE_LIMIT, document));
        assert!(why.starts_with("rate limits are stored as"), "{stored}: {why}");
    }
}

proptest! {
    #[test]
    fn it_counts_as_a_table_of_windows_does(
        hits in prop::collection::vec((0_u64..4000, prop::sample::subsequence(vec![0_usize, 1, 2, 3], 1..=4)), 1..40),
        definitions in prop::collection::vec((0_u64..5, 1_u64..8), 4),
    ) {
        let (mut limited, mut windows, mut now_ms) = (Limited::default(), HashMap::new(), NOW_MS);
        for (pause_ms, named) in hits {
            now_ms += pause_ms;
            windows.retain(|_, (_, ends)| *ends > now_ms);
            let limits: Vec<_> =
                named.iter().map(|name| limit(&name.to_string(), definitions[*name].0, definitions[*name].1)).collect();
            let answer = limited.hit(now_ms, &limits);
            let mut over = Value::Null;
            for name in &named {
                let (maximum, seconds) = definitions[*name];
                let (used, _) = windows.entry(*name).or_insert((0, now_ms + seconds * 1000));
                *used += 1;
                if *used > maximum {
                    over = name.to_string().into();
                    break;
                }
            }
            prop_assert_eq!(&answer["over"], &over);
            for (place, name) in named.iter().enumerate() {
                let (maximum, seconds) = definitions[*name];
                let (used, ends) = windows.get(name).map_or((0, None), |(used, ends)| (*used, Some(*ends)));
                let expected = counter(&name.to_string(), maximum, seconds, used, ends);
                prop_assert_eq!(&answer["limits"][place], &expected);
            }
            let shown = answer["limits"].as_array().unwrap().len();
            prop_assert_eq!(shown, named.len() + windows.keys().filter(|name| !named.contains(name)).count());
        }
    }
}
