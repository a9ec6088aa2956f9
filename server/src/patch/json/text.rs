//! JSON texts: checking them, stripping their blanks, and cutting a container into its parts.
//!
//! The parser that checks the grammar is `serde_json`; what follows here relies on texts that it let through, and
//! on other texts gives useless answers but never panics.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// How many arrays and objects may be inside one another.
pub(in super::super) const MAX_DEPTH: usize = 128;

/// Why bytes are not a JSON text that we handle, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in super::super) struct NotJson(String);

/// Checks that `bytes` are UTF-8, one JSON value, nested no deeper than [`MAX_DEPTH`], every string decodable.
pub(in super::super) fn check(bytes: &[u8]) -> Result<&str, NotJson> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| NotJson(format!("byte {} is not UTF-8", error.valid_up_to())))?;
    let _: IgnoredAny = serde_json::from_str(text).map_err(|error| NotJson(error.to_string()))?;
    if let Some((offset, _)) = openings(text).find(|(_, depth)| *depth > MAX_DEPTH) {
        return Err(NotJson(format!("nested deeper than {MAX_DEPTH} levels at {}", position(text, offset))));
    }
    match undecodable(text) {
        Some(offset) => {
            Err(NotJson(format!("half of a surrogate pair in the string at {}", position(text, offset))))
        }
        None => Ok(text),
    }
}

/// `text` without blanks between its tokens.
pub(in super::super) fn compact(text: &str) -> Cow<'_, str> {
    let blanks = outside_strings(text).filter(|(_, byte)| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    let (mut out, mut start) = (String::new(), 0);
    for (offset, _) in blanks {
        out.push_str(text.get(start..offset).unwrap_or_default());
        start = offset + 1;
    }
    if start == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(start..).unwrap_or_default());
    Cow::Owned(out)
}

/// How many levels `text` nests: 0 for a scalar, 1 for `[]`.
pub(super) fn depth(text: &str) -> usize {
    openings(text).map(|(_, depth)| depth).max().unwrap_or_default()
}

/// The elements of an array, or the members of an object, without blanks.
pub(in super::super) fn children(container: &str) -> impl Iterator<Item = &str> {
    let inner = container.len().checked_sub(1).and_then(|end| container.get(1..end)).unwrap_or_default();
    let mut rest = (!inner.is_empty()).then_some(inner);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = child_end(text);
        rest = text.get(end + 1..);
        text.get(..end)
    })
}

/// An object's member as its decoded name and its value.
pub(in super::super) fn member(text: &str) -> (Cow<'_, str>, &str) {
    let end = literal_end(text);
    let name = text.get(..end).and_then(decode).unwrap_or_default();
    (name, text.get(end + 1..).unwrap_or_default())
}

/// The string that a literal, quotes and all, stands for.
pub(in super::super) fn decode(literal: &str) -> Option<Cow<'_, str>> {
    if literal.contains('\\') {
        serde_json::from_str(literal).ok().map(Cow::Owned)
    } else {
        literal.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
    }
}

/// Bytes that are no string's content; the quote that opens a string is among them, the one that ends it is not.
fn outside_strings(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let (mut inside, mut escaped) = (false, false);
    text.bytes().enumerate().filter(move |&(_, byte)| {
        if !inside {
            inside = byte == b'"';
            return true;
        }
        if escaped {
            escaped = false;
        } else {
            escaped = byte == b'\\';
            inside = byte != b'"';
        }
        false
    })
}

/// Where each array and object opens, and how deep inside it is.
fn openings(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut depth = 0_usize;
    outside_strings(text).filter_map(move |(offset, byte)| match byte {
        b'[' | b'{' => {
            depth += 1;
            Some((offset, depth))
        }
        b']' | b'}' => {
            depth = depth.saturating_sub(1);
            None
        }
        _ => None,
    })
}

fn child_end(text: &str) -> usize {
    let mut depth = 0_usize;
    outside_strings(text)
        .find(|(_, byte)| {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            *byte == b',' && depth == 0
        })
        .map_or(text.len(), |(offset, _)| offset)
}

/// The length of the string literal that `text` begins with.
fn literal_end(text: &str) -> usize {
    outside_strings(text).nth(1).map_or(text.len(), |(offset, _)| offset)
}

/// Where a string literal begins that no decoder takes; the grammar allows halves of surrogate pairs.
fn undecodable(text: &str) -> Option<usize> {
    if !text.contains("\\u") {
        return None;
    }
    outside_strings(text).filter(|(_, byte)| *byte == b'"').map(|(offset, _)| offset).find(|offset| {
        let rest = text.get(*offset..).unwrap_or_default();
        rest.get(..literal_end(rest)).and_then(decode).is_none()
    })
}

fn position(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
    format!("line {line} column {column}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn a_text_may_nest_128_levels_and_not_129() {
        assert!(check(nested(128).as_bytes()).is_ok());
        let fault = check(nested(129).as_bytes()).unwrap_err();
        assert_eq!(fault.to_string(), "nested deeper than 128 levels at line 1 column 129");
        assert!(check(nested(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        let text = format!(r#"["{}", "\"{}"]"#, "[".repeat(500), "{".repeat(500));
        assert_eq!(check(text.as_bytes()), Ok(text.as_str()));
        assert_eq!(depth(&text), 1);
    }

    #[test]
    fn faults_name_their_place() {
        for (bytes, fault) in [
            (&b""[..], "EOF while parsing a value at line 1 column 0"),
            (b"{\"a\":\n 1,}", "key must be a string at line 2 column 4"),
            (b"[1] 2", "trailing characters at line 1 column 5"),
            (b"[1,\n \"\\ud800\"]", "half of a surrogate pair in the string at line 2 column 2"),
            (b"\"\xff\"", "byte 1 is not UTF-8"),
            (b"01", "invalid number at line 1 column 2"),
        ] {
            assert_eq!(check(bytes).unwrap_err().to_string(), fault);
        }
    }

    #[test]
    fn only_blanks_between_tokens_go() {
        let text = " { \"a b\" :\t[ 1 , \"\\\" x\" ,\r\n{ } ] } ";
        assert_eq!(compact(text), r#"{"a b":[1,"\" x",{}]}"#);
        assert!(matches!(compact("[1,\"a b\"]"), Cow::Borrowed(_)));
    }

    #[test]
    fn containers_are_cut_at_their_own_commas() {
        let parts: Vec<_> = children(r#"[1,[2,3],{"a":4,"b":5},"6,7","\",]"]"#).collect();
        assert_eq!(parts, ["1", "[2,3]", r#"{"a":4,"b":5}"#, r#""6,7""#, r#""\",]""#]);
        assert_eq!(children("[]").count(), 0);
        assert_eq!(member(r#""a\u003a\"":[":"]"#), (Cow::Borrowed("a:\""), r#"[":"]"#));
    }

    proptest! {
        #[test]
        fn any_text_is_handled_without_panic(text in "[\\[\\]{}\",:\\\\u 0-9a-f\n]{0,60}") {
            let _ = check(text.as_bytes());
            let _ = (compact(&text), depth(&text), children(&text).count(), member(&text), decode(&text));
        }
    }
}
