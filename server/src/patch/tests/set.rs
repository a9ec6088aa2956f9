//! Set.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const SET: &str = "application/vnd.ringhold.set+json";

#[test]
fn it_adds_and_removes_and_answers_sorted_members_and_their_number() {
    for (stored, document, result) in [
        (None, r#"{"add":["b","a","b"]}"#, r#"{"members":["a","b"],"size":2}"#),
        (None, r#"{"remove":["a"]}"#, r#"{"members":[],"size":0}"#),
        (None, r#"{"add":[]}"#, r#"{"members":[],"size":0}"#),
        (
            Some(r#"{"members":["a","b"],"size":2}"#),
            r#"{"add":["c","a"],"remove":["b","x"]}"#,
            r#"{"members":["a","c"],"size":2}"#,
        ),
        (Some(r#"{"members":["a"],"size":1}"#), r#"{"remove":["a"]}"#, r#"{"members":[],"size":0}"#),
        (
            Some(r#"{"size":9,"members":["b","a","b"],"note":{}}"#),
            r#"{"add":["\u00e9\n"]}"#,
            r#"{"members":["a","b","é\n"],"size":3}"#,
        ),
    ] {
        let stored = stored.map(json);
        let made = patch(stored.as_ref(), SET, document).unwrap();
        assert_eq!(std::str::from_utf8(&made.value).unwrap(), result, "{document}");
        assert_eq!(made.content_type, ContentType::Json);
    }
}

#[test]
fn members_have_1_to_1024_bytes() {
    let of_length = |bytes: usize| format!(r#"{{"add":["{}"]}}"#, "x".repeat(bytes));
    assert!(patch(None, SET, of_length(1024)).is_ok());
    assert!(
        malformed(patch(None, SET, of_length(1025))).starts_with("a member has 1025 bytes; a set patch is")
    );
    assert!(malformed(patch(None, SET, r#"{"remove":[""]}"#)).starts_with("a member has 0 bytes"));
}

#[test]
fn other_documents_are_malformed_and_told_what_is_right() {
    for (document, begin) in [
        ("{}", "it neither adds nor removes; a set patch is"),
        (r#"{"add":["a","b"],"remove":["b"]}"#, "\"b\" is both added and removed"),
        (r#"{"add":"a"}"#, "invalid type: string \"a\", expected a sequence"),
        (r#"{"add":[1]}"#, "invalid type: integer `1`, expected a string"),
        (r#"{"add":null}"#, "invalid type: null, expected a sequence"),
        (r#"{"add":["a"],"clear":true}"#, "unknown field `clear`"),
        (r#"[["a"],["b"]]"#, "invalid type: sequence, expected an object"),
        (r#"{"add":["\udc00"]}"#, "half of a surrogate pair in the string at line 1 column 9"),
    ] {
        let why = malformed(patch(None, SET, document));
        assert!(why.starts_with(begin), "{document}: {why}");
    }
}

#[test]
fn a_stored_value_that_is_no_set_is_a_conflict_that_says_what_it_is() {
    for stored in
        ["[]", "[[\"a\"]]", "{}", r#"{"members":"a"}"#, r#"{"members":[1]}"#, r#"{"members":[""]}"#, "a"]
    {
        let why = conflict(patch(Some(&json(stored)), SET, r#"{"add":["a"]}"#));
        assert!(
            why.starts_with("a set is stored as {\"members\": [\"member\"], \"size\": 1}"),
            "{stored}: {why}"
        );
    }
}

#[test]
fn a_set_grows_to_the_limit_of_an_object_and_not_beyond() {
    let members: Vec<_> = (0..MAX_BYTES / 1000).map(|index| format!("{index:0>1000}")).collect();
    let document = serde_json::json!({"add": members}).to_string();
    assert_eq!(patch(None, SET, document), Err(PatchError::TooLarge { limit: MAX_BYTES }));
}

proptest! {
    #[test]
    fn it_is_a_set(changes in prop::collection::vec(
        (prop::collection::btree_set("[a-e\u{e9}\"]{1,2}", 0..5), prop::collection::btree_set("[a-e\"]{1,2}", 0..5)),
        1..12,
    )) {
        let (mut stored, mut model): (Option<Object>, BTreeSet<String>) = (None, BTreeSet::new());
        for (add, remove) in changes {
            let document = serde_json::json!({"add": add, "remove": remove}).to_string();
            let result = patch(stored.as_ref(), SET, document);
            if add.intersection(&remove).next().is_some() {
                malformed(result);
                continue;
            }
            model.retain(|member| !remove.contains(member));
            model.extend(add);
            let made = result.unwrap();
            let expected = serde_json::json!({"members": model, "size": model.len()}).to_string();
            prop_assert_eq!(std::str::from_utf8(&made.value).unwrap(), expected);
            stored = Some(json(made.value));
        }
    }
}
