//! Merge patch: the vectors of RFC 7396 appendix A, and what it says about everything around them.

use proptest::prelude::*;
use serde_json::Value;

use super::bounds::any_json;
use super::*;

const MERGE: &str = "application/merge-patch+json";

#[test]
fn the_vectors_of_rfc_7396_appendix_a_give_their_results() {
    for (original, document, result) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, r#"null"#, r#"null"#),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        assert_eq!(text(patch(Some(&json(original)), MERGE, document)), result, "{original} and {document}");
    }
}

#[test]
fn the_example_of_rfc_7396_section_3_gives_its_result() {
    let original = r#"{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},
        "tags":["example","sample"],"content":"This will be unchanged"}"#;
    let document = r#"{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},
        "tags":["example"]}"#;
    assert_eq!(
        text(patch(Some(&json(original)), MERGE, document)),
        r#"{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}"#
    );
}

#[test]
fn where_nothing_is_stored_a_json_object_is_made_without_its_nulls() {
    let made = patch(None, MERGE, r#"{"a":1,"b":null,"c":{"d":null}}"#).unwrap();
    assert_eq!(made.value, r#"{"a":1,"c":{}}"#);
    assert_eq!(made.content_type, ContentType::Json);
    assert_eq!(text(patch(None, MERGE, " 5 ")), "5");
}

#[test]
fn a_stored_type_stays_what_it_is() {
    let stored = object("application/problem+json; v=1", "{}");
    let made = patch(Some(&stored), MERGE, "{}").unwrap();
    assert_eq!(made.content_type, stored.content_type);
}

#[test]
fn untouched_parts_keep_their_numbers_escapes_and_order() {
    let stored =
        json(r#"{ "z": 123456789012345678901234567890, "a": 1.10, "s": "\u0041", "t": 1, "e": 1e400 }"#);
    assert_eq!(
        text(patch(Some(&stored), MERGE, r#"{"t": 2.0}"#)),
        r#"{"z":123456789012345678901234567890,"a":1.10,"s":"\u0041","t":2.0,"e":1e400}"#
    );
}

#[test]
fn of_repeated_members_the_last_counts() {
    assert_eq!(text(patch(None, MERGE, r#"{"a":1,"b":2,"a":{"c":3}}"#)), r#"{"a":{"c":3},"b":2}"#);
    assert_eq!(text(patch(Some(&json(r#"{"a":1,"a":2}"#)), MERGE, "{}")), r#"{"a":2}"#);
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    assert_eq!(malformed(patch(None, MERGE, "{\"a\":\n1,}")), "key must be a string at line 2 column 3");
    assert_eq!(malformed(patch(None, MERGE, "")), "EOF while parsing a value at line 1 column 0");
    assert_eq!(
        malformed(patch(None, MERGE, "[".repeat(200) + &"]".repeat(200))),
        "nested deeper than 128 levels at line 1 column 129"
    );
    let why = conflict(patch(Some(&object("text/plain", "hello")), MERGE, "{}"));
    assert_eq!(
        why,
        "this patch needs a stored JSON text, and this is not JSON: expected value at line 1 column 1"
    );
}

/// RFC 7396 section 2, written again on another representation.
fn merged(target: Option<Value>, change: &Value) -> Value {
    let Value::Object(change) = change else { return change.clone() };
    let mut members = match target {
        Some(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    for (name, value) in change {
        if value.is_null() {
            members.shift_remove(name);
        } else {
            let merged = merged(members.get(name).cloned(), value);
            members.insert(name.clone(), merged);
        }
    }
    Value::Object(members)
}

proptest! {
    #[test]
    fn it_merges_as_the_rfc_does(target in any_json(), change in any_json()) {
        let result = text(patch(Some(&json(target.to_string())), MERGE, change.to_string()));
        prop_assert_eq!(result, merged(Some(target), &change).to_string());
    }

    #[test]
    fn applying_it_twice_is_applying_it_once(target in any_json(), change in any_json()) {
        let once = text(patch(Some(&json(target.to_string())), MERGE, change.to_string()));
        let twice = text(patch(Some(&json(once.clone())), MERGE, change.to_string()));
        prop_assert_eq!(once, twice);
    }
}
