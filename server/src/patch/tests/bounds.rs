//! What holds for every kind: no bytes make it panic, and inputs stay as they are.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// JSON values with few names, so that paths and names meet.
pub fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        "[ab\"\\\\~/]{0,3}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[abc~]", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Bytes that are nothing, nearly something, or something that a kind knows.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "d800",
        "null",
        "true",
        "1",
        "-",
        "1e9",
        ".5",
        " ",
        "\n",
        "\"add\"",
        "\"remove\"",
        "\"op\"",
        "\"path\"",
        "\"value\"",
        "\"limits\"",
        "\"members\"",
        "\"name\"",
        "\"\"",
        "\"/a\"",
        "\u{e9}",
        "[[[[[[[[",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat().into_bytes()),
        any_json().prop_map(|value| value.to_string().into_bytes()),
        Just(br#"[{"op":"add","path":"","value":[]},{"op":"copy","from":"","path":"/-"}]"#.to_vec()),
        Just(br#"{"add":1,"floor":0}"#.to_vec()),
        Just(br#"{"add":["a"],"remove":["b"]}"#.to_vec()),
        Just(br#"{"members":["a"],"size":1}"#.to_vec()),
        Just(br#"{"limits":[{"name":"a","maximum":1,"window_seconds":1}]}"#.to_vec()),
        Just(
            br#"{"limits":[{"name":"a","maximum":1,"window_seconds":1,"used":1,"window_ends_ms":18446744073709551615}]}"#
                .to_vec()
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_any_kind_panic_or_change_its_inputs(
        kind in prop::sample::select(PatchKind::ALL.to_vec()),
        stored in prop::option::of((any_bytes(), prop::sample::select(vec!["application/json", "text/plain", "a"]))),
        document in any_bytes(),
        now_ms in prop_oneof![Just(0), Just(NOW_MS), Just(u64::MAX)],
        max_bytes in 0_usize..200,
    ) {
        let media_type = content_type(kind.media_types()[0]);
        let current = stored.map(|(value, stored_as)| object(stored_as, value));
        // A static copy shares no allocation with what is handed in.
        let before = current.as_ref().map(|object| object.value.to_vec());
        let handed_in = Bytes::from(document.clone());
        let now = Timestamp::from_millis(now_ms);
        let result = apply(kind, current.as_ref(), &handed_in, &media_type, now, max_bytes);
        prop_assert_eq!(current.map(|object| object.value.to_vec()), before);
        prop_assert_eq!(handed_in.to_vec(), document);
        match result {
            Ok(made) => prop_assert!(made.value.len() <= max_bytes),
            Err(PatchError::TooLarge { limit }) => prop_assert_eq!(limit, max_bytes),
            Err(PatchError::Malformed(why) | PatchError::Conflict(why)) => {
                prop_assert!(!why.is_empty() && why.len() < 2000, "{}", why);
            }
        }
    }
}

#[test]
fn deep_documents_and_values_are_refused_by_every_json_kind() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    for kind in PatchKind::ALL.into_iter().filter(|kind| *kind != PatchKind::Append) {
        let media_type = kind.media_types()[0];
        let why = malformed(patch(None, media_type, deep.clone()));
        assert!(why.starts_with("nested deeper than 128 levels at line 1 column 129"), "{why}");
    }
    let why = conflict(patch(Some(&json(deep)), "application/merge-patch+json", "{}"));
    assert!(why.ends_with("nested deeper than 128 levels at line 1 column 129"), "{why}");
}

#[test]
fn messages_do_not_grow_with_what_a_client_sends() {
    let long = "x".repeat(1_000_000);
    for (media_type, document) in [
        ("application/json-patch+json", format!(r#"[{{"op":"{long}","path":""}}]"#)),
        ("application/json-patch+json", format!(r#"[{{"op":"remove","path":"/{long}"}}]"#)),
        ("application/json-patch+json", format!(r#"[{{"op":"remove","path":"{long}"}}]"#)),
        ("application/vnd.ringhold.counter+json", format!(r#"{{"add":"{long}"}}"#)),
        ("application/vnd.ringhold.counter+json", format!(r#"{{"{long}":1}}"#)),
        ("application/vnd.ringhold.set+json", format!(r#"{{"add":["{long}"]}}"#)),
        (
            "application/vnd.ringhold.rate-limit+json",
            format!(r#"{{"limits":[{{"name":"{long}","maximum":1,"window_seconds":1}}]}}"#),
        ),
    ] {
        let error = patch(Some(&json("{}")), media_type, document).unwrap_err();
        assert!(error.to_string().len() < 1000, "{media_type}: {} bytes", error.to_string().len());
    }
}
