//! JSON patch: the vectors of RFC 6902 appendix A, its rules, and another implementation beside it.

use proptest::prelude::*;
use serde_json::{Value, json as value};

use super::bounds::any_json;
use super::*;
use crate::patch::json_patch::MAX_OPERATIONS;

const PATCH: &str = "application/json-patch+json";

fn as_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_vectors_of_rfc_6902_appendix_a_give_their_results() {
    for (section, original, document, result) in [
        (
            "A.1",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/baz","value":"qux"}]"#,
            r#"{"baz":"qux","foo":"bar"}"#,
        ),
        (
            "A.2",
            r#"{"foo":["bar","baz"]}"#,
            r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
            r#"{"foo":["bar","qux","baz"]}"#,
        ),
        ("A.3", r#"{"baz":"qux","foo":"bar"}"#, r#"[{"op":"remove","path":"/baz"}]"#, r#"{"foo":"bar"}"#),
        (
            "A.4",
            r#"{"foo":["bar","qux","baz"]}"#,
            r#"[{"op":"remove","path":"/foo/1"}]"#,
            r#"{"foo":["bar","baz"]}"#,
        ),
        (
            "A.5",
            r#"{"baz":"qux","foo":"bar"}"#,
            r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
            r#"{"baz":"boo","foo":"bar"}"#,
        ),
        (
            "A.6",
            r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
            r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#,
        ),
        (
            "A.7",
            r#"{"foo":["all","grass","cows","eat"]}"#,
            r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
            r#"{"foo":["all","cows","eat","grass"]}"#,
        ),
        (
            "A.8",
            r#"{"baz":"qux","foo":["a",2,"c"]}"#,
            r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
            r#"{"baz":"qux","foo":["a",2,"c"]}"#,
        ),
        (
            "A.10",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
            r#"{"foo":"bar","child":{"grandchild":{}}}"#,
        ),
        (
            "A.11",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#,
            r#"{"foo":"bar","baz":"qux"}"#,
        ),
        ("A.14", r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":10}]"#, r#"{"/":9,"~1":10}"#),
        (
            "A.16",
            r#"{"foo":["bar"]}"#,
            r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
            r#"{"foo":["bar",["abc","def"]]}"#,
        ),
    ] {
        let made = text(patch(Some(&json(original)), PATCH, document));
        assert_eq!(as_value(&made), as_value(result), "{section}");
    }
}

#[test]
fn the_error_vectors_of_rfc_6902_appendix_a_are_refused() {
    for (section, original, document, why) in [
        (
            "A.9",
            r#"{"baz":"qux"}"#,
            r#"[{"op":"test","path":"/baz","value":"bar"}]"#,
            r#"operation 0, test at "/baz": the test fails: a JSON string is there, and not equal"#,
        ),
        (
            "A.12",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#,
            r#"operation 0, add at "/baz/bat": there is no object or array that could hold it"#,
        ),
        (
            "A.15",
            r#"{"/":9,"~1":10}"#,
            r#"[{"op":"test","path":"/~01","value":"10"}]"#,
            r#"operation 0, test at "/~01": the test fails: a JSON number is there, and not equal"#,
        ),
    ] {
        assert_eq!(conflict(patch(Some(&json(original)), PATCH, document)), why, "{section}");
    }
    let why = malformed(patch(
        Some(&json(r#"{"foo":"bar"}"#)),
        PATCH,
        r#"[{"op":"add","path":"/baz","value":"qux","op":"remove"}]"#,
    ));
    assert_eq!(why, "operation 0: \"op\" is there twice", "A.13");
}

#[test]
fn operations_run_in_order_on_what_those_before_them_made() {
    for (original, document, result) in [
        (
            r#"{"a":[1,2]}"#,
            r#"[{"op":"copy","from":"/a","path":"/b"},{"op":"add","path":"/b/0","value":0}]"#,
            r#"{"a":[1,2],"b":[0,1,2]}"#,
        ),
        (r#"[1,2,3]"#, r#"[{"op":"move","from":"/0","path":"/-"},{"op":"remove","path":"/0"}]"#, "[3,1]"),
        (
            r#"{"a":1}"#,
            r#"[{"op":"replace","path":"","value":[]},{"op":"add","path":"/0","value":{}}]"#,
            "[{}]",
        ),
        (
            r#"{"a":1,"b":2,"c":3}"#,
            r#"[{"op":"remove","path":"/a"},{"op":"add","path":"/a","value":4}]"#,
            r#"{"b":2,"c":3,"a":4}"#,
        ),
        (r#"{"a":1,"b":2}"#, r#"[{"op":"add","path":"/a","value":3}]"#, r#"{"a":3,"b":2}"#),
        (r#"{"a":{"b":1}}"#, r#"[{"op":"move","from":"/a/b","path":"/a"}]"#, r#"{"a":1}"#),
        (
            r#"{"a":1}"#,
            r#"[{"op":"move","from":"/a","path":"/a"},{"op":"move","from":"","path":""}]"#,
            r#"{"a":1}"#,
        ),
        (
            r#"{"":{"":1}}"#,
            r#"[{"op":"test","path":"//","value":1.0},{"op":"replace","path":"//","value":null}]"#,
            r#"{"":{"":null}}"#,
        ),
        (
            r#"{ "n": 1.10, "big": 12345678901234567890123 }"#,
            r#"[{"op":"copy","from":"/n","path":"/m"}]"#,
            r#"{"n":1.10,"big":12345678901234567890123,"m":1.10}"#,
        ),
        (r#" [ ] "#, "[]", "[]"),
    ] {
        assert_eq!(text(patch(Some(&json(original)), PATCH, document)), result, "{document}");
    }
}

#[test]
fn an_operation_that_the_stored_value_cannot_take_is_named() {
    for (original, document, why) in [
        (
            r#"{"a":1}"#,
            r#"[{"op":"test","path":"/a","value":1},{"op":"remove","path":"/b"}]"#,
            r#"operation 1, remove at "/b": there is nothing at "/b""#,
        ),
        (
            "[1]",
            r#"[{"op":"add","path":"/2","value":1}]"#,
            r#"operation 0, add at "/2": "2" names no place in the array there, which has 1 elements"#,
        ),
        (
            "[1]",
            r#"[{"op":"add","path":"/01","value":1}]"#,
            r#"operation 0, add at "/01": "01" names no place in the array there, which has 1 elements"#,
        ),
        (
            "[1]",
            r#"[{"op":"remove","path":"/-"}]"#,
            r#"operation 0, remove at "/-": "-" names no place in the array there, which has 1 elements"#,
        ),
        (
            "[1]",
            r#"[{"op":"replace","path":"/-","value":1}]"#,
            r#"operation 0, replace at "/-": there is nothing at "/-""#,
        ),
        (
            "[1]",
            r#"[{"op":"add","path":"/0/a","value":1}]"#,
            r#"operation 0, add at "/0/a": a JSON number is where an object or an array should be"#,
        ),
        (
            "[1]",
            r#"[{"op":"copy","from":"/a","path":"/0"}]"#,
            r#"operation 0, copy at "/0": there is nothing at "/a""#,
        ),
        (
            "[1]",
            r#"[{"op":"remove","path":""}]"#,
            r#"operation 0, remove at "": the whole value cannot be removed by a patch; DELETE the object"#,
        ),
        (
            "hi",
            "[]",
            "this patch needs a stored JSON text, and this is not JSON: expected value at line 1 column 1",
        ),
    ] {
        assert_eq!(conflict(patch(Some(&json(original)), PATCH, document)), why, "{document}");
    }
}

#[test]
fn where_nothing_is_stored_only_an_add_of_the_whole_creates_a_value() {
    let made = patch(
        None,
        PATCH,
        r#"[{"op":"add","path":"","value":{"a":[]}},{"op":"add","path":"/a/-","value":1}]"#,
    )
    .unwrap();
    assert_eq!((made.value.as_ref(), made.content_type), (&br#"{"a":[1]}"#[..], ContentType::Json));
    for document in [
        "[]",
        r#"[{"op":"add","path":"/a","value":1}]"#,
        r#"[{"op":"test","path":"","value":null}]"#,
        r#"[{"op":"replace","path":"","value":1}]"#,
        r#"[{"op":"remove","path":""}]"#,
        r#"[{"op":"copy","from":"","path":""}]"#,
        r#"[{"op":"move","from":"","path":""}]"#,
    ] {
        let why = conflict(patch(None, PATCH, document));
        assert!(why.ends_with(r#"nothing is stored yet, and only an "add" at "" creates a value"#), "{why}");
    }
}

#[test]
fn other_documents_are_malformed_and_told_what_is_right() {
    for (document, why) in [
        ("{}", "a JSON patch is an array of operations, and this is a JSON object"),
        ("[1]", "operation 0: an operation is an object, and this is a JSON number"),
        (r#"[{"op":"remove","path":"/a"},{}]"#, "operation 1: \"path\" is missing"),
        (r#"[{"path":""}]"#, "operation 0: \"op\" is missing"),
        (r#"[{"op":1,"path":""}]"#, "operation 0: \"op\" is a JSON number, and must be a string"),
        (
            r#"[{"op":"Add","path":"","value":1}]"#,
            "operation 0: there is no operation \"Add\"; it is add, remove, replace, move, copy or test",
        ),
        (r#"[{"op":"add","path":""}]"#, "operation 0: \"value\" is missing"),
        (r#"[{"op":"copy","path":""}]"#, "operation 0: \"from\" is missing"),
        (
            r#"[{"op":"remove","path":"a"}]"#,
            "operation 0: \"path\": the pointer \"a\" does not begin with \"/\"",
        ),
        (
            r#"[{"op":"remove","path":"/~2"}]"#,
            "operation 0: \"path\": in the pointer \"/~2\" a \"~\" is not \"~0\" or \"~1\"",
        ),
        (
            r#"[{"op":"move","from":"/a","path":"/a/b"}]"#,
            "operation 0: \"/a\" cannot be moved to \"/a/b\", which is inside of it",
        ),
        ("[", "EOF while parsing a list at line 1 column 1"),
    ] {
        assert_eq!(malformed(patch(Some(&json(r#"{"a":{}}"#)), PATCH, document)), why, "{document}");
    }
}

#[test]
fn a_patch_has_at_most_ten_thousand_operations() {
    let of = |operations: usize| {
        let operation = r#"{"op":"replace","path":"/a","value":1}"#;
        format!("[{}]", vec![operation; operations].join(","))
    };
    let stored = json(r#"{"a":0}"#);
    assert_eq!(text(patch(Some(&stored), PATCH, of(MAX_OPERATIONS))), r#"{"a":1}"#);
    let why = malformed(patch(Some(&stored), PATCH, of(MAX_OPERATIONS + 1)));
    assert_eq!(why, "a JSON patch has at most 10000 operations");
}

#[test]
fn copies_of_copies_end_at_the_largest_object() {
    let operation = r#"{"op":"copy","from":"/a","path":"/a/-"}"#;
    let doubling = format!("[{}]", vec![operation; 60].join(","));
    assert_eq!(
        patch(Some(&json(r#"{"a":["0123456789"]}"#)), PATCH, doubling),
        Err(PatchError::TooLarge { limit: MAX_BYTES })
    );
}

#[test]
fn nesting_ends_at_128_levels() {
    let deeper = r#"{"op":"copy","from":"","path":"/a"}"#;
    let why = conflict(patch(Some(&json(r#"{"b":1}"#)), PATCH, format!("[{}]", vec![deeper; 200].join(","))));
    assert_eq!(why, "operation 127, copy at \"/a\": the value would nest deeper than 128 levels");
}

#[test]
fn small_patches_cannot_cause_much_work() {
    let large = json(format!("{{\"a\":[{}0]}}", "0,".repeat(100_000)));
    for operation in [
        r#"{"op":"add","path":"/a/0","value":1},{"op":"remove","path":"/a/0"}"#,
        r#"{"op":"copy","from":"/a","path":"/a"},{"op":"test","path":"/a/0","value":0}"#,
        r#"{"op":"test","path":"/a","value":[0]},{"op":"test","path":"","value":{"a":0}}"#,
    ] {
        let document = format!("[{}]", vec![operation; 5000].join(","));
        let result = patch(Some(&large), PATCH, document);
        let why = match result {
            Err(PatchError::Conflict(why)) => why,
            other => panic!("{operation}: {:?}", other.map(|made| made.value.len())),
        };
        assert!(why.contains("more work than one request") || why.contains("the test fails"), "{why}");
    }
}

fn any_pointer() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["[abc]", "[0-3]", Just("-".to_owned()), Just("~0".to_owned())], 0..4)
        .prop_map(|tokens| tokens.iter().fold(String::new(), |path, token| path + "/" + token))
}

fn any_operation() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        4 => Just("add"),
        2 => Just("replace"),
        2 => Just("copy"),
        2 => Just("move"),
        1 => Just("remove"),
        1 => Just("test"),
    ];
    (names, any_pointer(), any_pointer(), any_json())
        .prop_map(|(op, path, from, value)| value!({"op": op, "path": path, "from": from, "value": value}))
}

proptest! {
    #[test]
    fn another_implementation_gives_the_same(
        target in any_json(),
        operations in prop::collection::vec(any_operation(), 0..6),
    ) {
        // It refuses to move the whole onto itself, where RFC 6902 section 4.4 makes that no change.
        prop_assume!(!operations.iter().any(|operation| operation["op"] == "move" && operation["from"] == ""));
        let mut expected = target.clone();
        let operations = Value::from(operations);
        let theirs: ::json_patch::Patch = serde_json::from_value(operations.clone()).unwrap();
        let agreed = ::json_patch::patch(&mut expected, &theirs);
        match patch(Some(&json(target.to_string())), PATCH, operations.to_string()) {
            Ok(made) => {
                prop_assert!(agreed.is_ok(), "{:?}", agreed);
                prop_assert_eq!(as_value(std::str::from_utf8(&made.value).unwrap()), expected);
            }
            Err(error) => prop_assert!(agreed.is_err(), "{:?}", error),
        }
    }

    #[test]
    fn it_is_too_large_exactly_when_a_growing_step_or_the_end_is(
        target in any_json(),
        operations in prop::collection::vec(any_operation(), 1..20),
        max_bytes in 0_usize..150,
    ) {
        let (mut expected, mut fits, mut applied) = (target.clone(), true, Vec::new());
        for operation in operations {
            let before = expected.to_string().len();
            let alone: ::json_patch::Patch = serde_json::from_value(value!([operation])).unwrap();
            if operation["op"] != "move" && ::json_patch::patch(&mut expected, &alone).is_ok() {
                let after = expected.to_string().len();
                fits &= after <= before || after <= max_bytes;
                applied.push(operation);
            }
        }
        fits &= expected.to_string().len() <= max_bytes;
        let (document, media_type) = (Value::from(applied).to_string().into(), content_type(PATCH));
        let stored = json(target.to_string());
        let now = Timestamp::from_millis(NOW_MS);
        let result = apply(PatchKind::Json, Some(&stored), &document, &media_type, now, max_bytes);
        match result {
            Ok(made) => {
                prop_assert!(fits);
                prop_assert_eq!(as_value(std::str::from_utf8(&made.value).unwrap()), expected);
            }
            Err(error) => {
                prop_assert!(!fits);
                prop_assert_eq!(error, PatchError::TooLarge { limit: max_bytes });
            }
        }
    }
}
