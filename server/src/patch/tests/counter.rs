//! Counter.

use proptest::prelude::*;

use super::*;

const COUNTER: &str = "application/vnd.ringhold.counter+json";

#[test]
fn it_adds_to_what_is_there_and_answers_the_count() {
    for (stored, document, count) in [
        (None, r#"{"add":1}"#, "1"),
        (None, r#"{"add":-1}"#, "-1"),
        (None, r#"{"add":5,"initial":100}"#, "105"),
        (None, r#"{"add":0}"#, "0"),
        (Some("41"), r#"{"add":1,"initial":100}"#, "42"),
        (Some(" 41\n"), r#"{"add":-50}"#, "-9"),
        (Some("9"), r#"{"add":1,"ceiling":10,"floor":0}"#, "10"),
        (Some("1"), r#"{"add":-1,"ceiling":10,"floor":0}"#, "0"),
        (Some("9223372036854775806"), r#"{"add":1}"#, "9223372036854775807"),
        (Some("-9223372036854775808"), r#"{"add":0}"#, "-9223372036854775808"),
    ] {
        let stored = stored.map(json);
        let made = patch(stored.as_ref(), COUNTER, document).unwrap();
        assert_eq!(
            (made.value.as_ref(), made.content_type),
            (count.as_bytes(), ContentType::Json),
            "{document}"
        );
    }
}

#[test]
fn a_result_outside_the_bounds_or_64_bits_is_a_conflict_that_names_both() {
    for (stored, document, why) in [
        (
            Some("9"),
            r#"{"add":5,"ceiling":10}"#,
            "the count is 9, and adding 5 makes 14, above the ceiling of 10",
        ),
        (
            Some("1"),
            r#"{"add":-2,"floor":0}"#,
            "the count is 1, and adding -2 makes -1, below the floor of 0",
        ),
        (
            None,
            r#"{"add":1,"initial":7,"ceiling":7}"#,
            "the count would start at 7, and adding 1 makes 8, above the ceiling of 7",
        ),
        (
            Some("9223372036854775807"),
            r#"{"add":1}"#,
            "the count is 9223372036854775807, and adding 1 would leave the range of a 64-bit whole number",
        ),
        (
            Some("-2"),
            r#"{"add":-9223372036854775807}"#,
            "the count is -2, and adding -9223372036854775807 would leave the range of a 64-bit whole number",
        ),
    ] {
        assert_eq!(conflict(patch(stored.map(json).as_ref(), COUNTER, document)), why);
    }
}

#[test]
fn other_documents_are_malformed_and_told_what_is_right() {
    for (document, begin) in [
        ("{}", "missing field `add` at line 1 column 2; a counter patch is"),
        (r#"{"add":1.0}"#, "invalid type: floating point `1.0`, expected i64 at line 1 column 10; a counter"),
        (r#"{"add":"1"}"#, "invalid type: string \"1\", expected i64"),
        (r#"{"add":1,"step":2}"#, "unknown field `step`"),
        (r#"{"add":1,"add":2}"#, "duplicate field `add`"),
        (r#"{"add":1,"floor":null}"#, "invalid type: null"),
        (r#"{"add":9223372036854775808}"#, "invalid value: integer `9223372036854775808`"),
        (r#"{"add":1,"floor":2,"ceiling":1}"#, "the floor, 2, is above the ceiling, 1"),
        ("1", "invalid type: integer `1`, expected an object"),
        ("[1,0,5,0]", "invalid type: sequence, expected an object"),
        ("", "EOF while parsing a value at line 1 column 0"),
        (r#"{"add":1} x"#, "trailing characters at line 1 column 11"),
    ] {
        let why = malformed(patch(None, COUNTER, document));
        assert!(why.starts_with(begin), "{document}: {why}");
    }
}

#[test]
fn a_stored_value_that_is_no_count_is_a_conflict_that_says_what_it_is() {
    for (stored, end) in [
        ("1.5", "this is a JSON number of 3 bytes, stored as application/json"),
        ("{\"add\":1}", "this is a JSON object of 9 bytes, stored as application/json"),
        (
            "",
            "this is not JSON (EOF while parsing a value at line 1 column 0) but 0 bytes stored as application/json",
        ),
        ("99999999999999999999", "this is a JSON number of 20 bytes, stored as application/json"),
    ] {
        let why = conflict(patch(Some(&json(stored)), COUNTER, r#"{"add":1}"#));
        assert!(why.ends_with(end), "{stored}: {why}");
    }
}

fn any_amount() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -20_i64..20, Just(i64::MAX), Just(i64::MIN)]
}

proptest! {
    #[test]
    fn it_counts_as_wide_integers_do(
        adds in prop::collection::vec(any_amount(), 0..20),
        initial in any_amount(),
        floor in prop::option::of(any_amount()),
        ceiling in prop::option::of(any_amount()),
    ) {
        prop_assume!(floor.zip(ceiling).is_none_or(|(floor, ceiling)| floor <= ceiling));
        let bounds = i128::from(floor.unwrap_or(i64::MIN))..=i128::from(ceiling.unwrap_or(i64::MAX));
        let (mut stored, mut model): (Option<Object>, Option<i128>) = (None, None);
        for add in adds {
            let mut document = serde_json::json!({"add": add, "initial": initial});
            for (name, bound) in [("floor", floor), ("ceiling", ceiling)] {
                if let Some(bound) = bound {
                    document[name] = bound.into();
                }
            }
            let sum = model.unwrap_or(i128::from(initial)) + i128::from(add);
            let result = patch(stored.as_ref(), COUNTER, document.to_string());
            if bounds.contains(&sum) {
                let made = result.unwrap();
                prop_assert_eq!(std::str::from_utf8(&made.value).unwrap(), sum.to_string());
                (stored, model) = (Some(json(made.value)), Some(sum));
            } else {
                prop_assert!(matches!(result, Err(PatchError::Conflict(_))));
            }
        }
    }
}
