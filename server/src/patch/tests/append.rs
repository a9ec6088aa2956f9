//! Append.

use super::*;

#[test]
fn bytes_go_behind_what_is_there_and_the_type_stays() {
    let stored = object("text/csv", "a,b\n");
    let made = patch(Some(&stored), "text/plain", "c,d\n").unwrap();
    assert_eq!((made.value.as_ref(), made.content_type.as_str()), (&b"a,b\nc,d\n"[..], "text/csv"));
    let made =
        patch(Some(&object("image/png", &b"\xff"[..])), "application/octet-stream", &b"\xfe"[..]).unwrap();
    assert_eq!(made.value.as_ref(), b"\xff\xfe");
}

#[test]
fn what_it_makes_has_the_type_of_the_patch() {
    let made = patch(None, "text/plain; charset=UTF-8", "hallo").unwrap();
    assert_eq!(
        (made.value.as_ref(), made.content_type.as_str()),
        (&b"hallo"[..], "text/plain; charset=UTF-8")
    );
    assert!(patch(None, "application/octet-stream", "").unwrap().value.is_empty());
}

#[test]
fn text_is_utf_8_unless_its_charset_says_otherwise() {
    for media_type in ["text/plain", "Text/Plain; a=b; Charset=\"utf-8\"", "text/plain;charset=UTF-8"] {
        let why = malformed(patch(None, media_type, &b"a\xe4"[..]));
        assert!(why.starts_with("byte 1 of this text is not UTF-8"), "{why}");
    }
    for media_type in ["text/plain; charset=iso-8859-1", "application/octet-stream; charset=utf-8"] {
        assert_eq!(patch(None, media_type, &b"a\xe4"[..]).unwrap().value.as_ref(), b"a\xe4");
    }
}

#[test]
fn nothing_goes_behind_a_json_text() {
    for stored_as in
        ["application/json", "Application/Json; charset=utf-8", "application/ld+json", "text/json"]
    {
        let why = conflict(patch(Some(&object(stored_as, "1")), "text/plain", "2"));
        assert!(why.contains("use a merge patch"), "{why}");
    }
    assert_eq!(text(patch(Some(&object("application/jsonl", "1\n")), "text/plain", "2\n")), "1\n2\n");
}

#[test]
fn a_value_grows_to_the_limit_and_not_beyond() {
    let stored = object("text/plain", vec![b'a'; MAX_BYTES - 3]);
    assert_eq!(patch(Some(&stored), "text/plain", "123").unwrap().value.len(), MAX_BYTES);
    assert_eq!(patch(Some(&stored), "text/plain", "1234"), Err(PatchError::TooLarge { limit: MAX_BYTES }));
    let large = vec![b'a'; MAX_BYTES + 1];
    assert_eq!(patch(None, "text/plain", large), Err(PatchError::TooLarge { limit: MAX_BYTES }));
}
