use proptest::prelude::*;

use super::*;

#[test]
fn a_key_is_1_to_1024_bytes_long() {
    assert_eq!(Key::new(""), Err(KeyError::Empty));
    assert_eq!(Key::from_path(""), Err(KeyError::Empty));
    assert_eq!(Key::from_bytes(b""), Err(KeyError::Empty));
    assert!(Key::new("k").is_ok());
    assert!(Key::new("k".repeat(1024)).is_ok());
    assert_eq!(Key::new("k".repeat(1025)), Err(KeyError::TooLong { bytes: 1025 }));
    assert!(Key::new("ü".repeat(512)).is_ok(), "bytes are counted, not characters");
    assert_eq!(Key::new("ü".repeat(513)), Err(KeyError::TooLong { bytes: 1026 }));
}

#[test]
fn the_length_of_a_path_is_counted_after_decoding() {
    assert!(Key::from_path(&"%41".repeat(1024)).is_ok());
    assert_eq!(Key::from_path(&"%41".repeat(1025)), Err(KeyError::TooLong { bytes: 1025 }));
}

#[test]
fn every_control_character_is_refused_and_named() {
    for character in ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}') {
        let text = format!("a{character}b");
        let refusal = Err(KeyError::ControlCharacter { character });
        assert_eq!(Key::new(text.as_str()), refusal);
        assert_eq!(Key::from_bytes(text.as_bytes()), refusal);
        assert_eq!(Key::from_path(&utf8_percent_encode(&text, PATH).to_string()), refusal);
    }
    assert!(Key::new("a\u{a0}b \u{200b}\u{feff}").is_ok(), "only category Cc is refused");
    assert_eq!(
        Key::new("\u{85}").unwrap_err().to_string(),
        "the key holds the control character U+0085; control characters are not allowed"
    );
}

#[test]
fn every_broken_escape_is_refused() {
    for path in
        ["%", "a%", "%4", "a%4", "%%", "%%41", "%g1", "%1g", "%-1", "%+1", "% 1", "%41%", "%ü1", "%4ü"]
    {
        assert_eq!(Key::from_path(path), Err(KeyError::BadEscape), "{path}");
    }
}

#[test]
fn an_escape_is_any_two_hexadecimal_digits_in_either_case() {
    for byte in 0x20..0x7f_u8 {
        let expected = Key::new(char::from(byte).to_string()).unwrap();
        assert_eq!(Key::from_path(&format!("%{byte:02x}")).unwrap(), expected);
        assert_eq!(Key::from_path(&format!("%{byte:02X}")).unwrap(), expected);
    }
}

#[test]
fn a_path_is_decoded_once_and_a_plus_is_a_plus() {
    let cases =
        [("a+b", "a+b"), ("%2541", "%41"), ("a%2Fb", "a/b"), ("a/b", "a/b"), ("%C3%BC", "ü"), ("ü", "ü")];
    for (path, key) in cases {
        assert_eq!(Key::from_path(path).unwrap().as_str(), key, "{path}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    // A lone byte, a lone continuation, an over-long form, a surrogate, beyond Unicode, a truncated character.
    for path in ["%FF", "%80", "%C0%AF", "%ED%A0%80", "%F4%90%80%80", "%E2%82"] {
        assert_eq!(Key::from_path(path), Err(KeyError::NotUtf8), "{path}");
    }
    assert_eq!(Key::from_bytes(&[b'a', 0xff]), Err(KeyError::NotUtf8));
}

#[test]
fn a_path_holds_only_what_rfc_3986_allows_in_one() {
    let every_printable: String = (' '..='~').collect();
    assert_eq!(
        Key::new(every_printable).unwrap().to_path(),
        "%20!%22%23$%25&'()*+,-./0123456789:;%3C=%3E%3F@ABCDEFGHIJKLMNOPQRSTUVWXYZ\
         %5B%5C%5D%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~"
    );
}

#[test]
fn a_path_has_no_dot_segments_to_remove() {
    let cases = [
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("../cluster", "..%2Fcluster"),
        ("a/./b", "a%2F.%2Fb"),
        ("a/..", "a%2F.."),
        ("a/.../b", "a/.../b"),
        ("a..b/.c", "a..b/.c"),
    ];
    for (key, path) in cases {
        assert_eq!(Key::new(key).unwrap().to_path(), path);
        assert_eq!(Key::from_path(path).unwrap().as_str(), key);
    }
}

#[test]
fn a_key_borrows_its_text_until_it_must_own_it() {
    let text = String::from("sessions/7");
    assert!(matches!(Key::from_path(&text).unwrap().text, Text::Borrowed(_)));
    assert!(matches!(Key::from_bytes(text.as_bytes()).unwrap().text, Text::Borrowed(_)));
    let owned: Key<'static> = Key::new(&*text).unwrap().into_owned();
    assert_eq!(owned, Key::new(text).unwrap());
}

proptest! {
    #[test]
    fn a_key_survives_the_way_through_a_path(text in "\\PC{1,60}|[./%a]{1,12}") {
        let key = Key::new(text.as_str()).unwrap();
        let path = key.to_path();
        prop_assert!(path.is_ascii());
        prop_assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
        let back = Key::from_path(&path).unwrap();
        prop_assert_eq!(back.as_str(), text.as_str());
        prop_assert_eq!(back.digest(), Digest::of(text.as_bytes()));
    }

    #[test]
    fn any_text_is_a_key_or_is_refused_for_what_is_wrong_with_it(path in "[%0-9a-fü/\\x00-\\x20]{0,8}") {
        match Key::from_path(&path) {
            Ok(key) => prop_assert!(!key.as_str().is_empty() && !key.as_str().contains(char::is_control)),
            Err(KeyError::Empty) => prop_assert!(path.is_empty()),
            Err(KeyError::BadEscape | KeyError::NotUtf8) => prop_assert!(path.contains('%')),
            Err(KeyError::ControlCharacter { character }) => prop_assert!(character.is_control()),
            Err(KeyError::TooLong { .. }) => prop_assert!(false, "eight characters are not too long"),
        }
    }
}

#[test]
fn a_key_is_its_text_whether_its_digest_was_taken_or_not() {
    let (fresh, used) = (Key::new("key").unwrap(), Key::new("key").unwrap());
    assert_eq!(used.digest(), Digest::of(b"key"));
    assert_eq!(fresh, used);
    assert_eq!(used.clone().into_owned().digest(), fresh.digest());
    assert_eq!(format!("{fresh:?}"), format!("{used:?}"));
}
