//! One byte range of a value (RFC 9110 section 14). Several ranges, other units and nonsense get the whole value.

use ringhold_ring::{Timestamp, Version};

/// What part of a value an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    Whole,
    /// From `first` to `last`, both within the value.
    Part {
        first: usize,
        last: usize,
    },
    Unsatisfiable,
}

/// The part of a value of `length` bytes that a `Range` field asks for.
pub(super) fn select(range: &[u8], length: usize) -> Selected {
    match parse(range) {
        Some(Asked::Last(0)) => Selected::Unsatisfiable,
        // A part of nothing cannot be written as a Content-Range.
        Some(Asked::Last(_)) if length == 0 => Selected::Whole,
        Some(Asked::Last(count)) => Selected::Part { first: length.saturating_sub(count), last: length - 1 },
        Some(Asked::From(first, _)) if first >= length => Selected::Unsatisfiable,
        Some(Asked::From(first, last)) => Selected::Part { first, last: last.min(length - 1) },
        None => Selected::Whole,
    }
}

enum Asked {
    From(usize, usize),
    Last(usize),
}

fn parse(range: &[u8]) -> Option<Asked> {
    let text = std::str::from_utf8(range).ok()?;
    let (unit, spec) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    match (first, last) {
        ("", last) => Some(Asked::Last(number(last)?)),
        (first, "") => Some(Asked::From(number(first)?, usize::MAX)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::From(first, last))
        }
    }
}

/// Digits only; a number too large to count is as good as the largest.
fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(usize::MAX))
}

/// Whether an `If-Range` field (RFC 9110 section 13.1.5) lets a range be served from this version.
pub(super) fn permits(if_range: &[u8], version: Version, now: Timestamp) -> bool {
    if if_range.first() == Some(&b'"') {
        return if_range == version.to_entity_tag();
    }
    let date = std::str::from_utf8(if_range).ok().and_then(super::headers::parse_date);
    let written_second = version.written_at().as_millis() / 1000;
    // A second write within the same second would carry the same date, so only a past second proves anything.
    date.is_some_and(|date| {
        date.as_millis() / 1000 == written_second && now.as_millis() / 1000 > written_second
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_range_selects_its_bytes() {
        let of_ten = |range: &str| select(range.as_bytes(), 10);
        assert_eq!(of_ten("bytes=0-0"), Selected::Part { first: 0, last: 0 });
        assert_eq!(of_ten("bytes=2-5"), Selected::Part { first: 2, last: 5 });
        assert_eq!(of_ten("Bytes= 2-"), Selected::Part { first: 2, last: 9 });
        assert_eq!(of_ten("bytes=-3"), Selected::Part { first: 7, last: 9 });
        assert_eq!(of_ten("bytes=-99"), Selected::Part { first: 0, last: 9 });
        assert_eq!(of_ten("bytes=9-99999999999999999999999"), Selected::Part { first: 9, last: 9 });
    }

    #[test]
    fn a_range_outside_the_value_cannot_be_satisfied() {
        for range in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(select(range.as_bytes(), 10), Selected::Unsatisfiable, "{range}");
        }
        assert_eq!(select(b"bytes=0-", 0), Selected::Unsatisfiable);
        assert_eq!(select(b"bytes=-1", 0), Selected::Whole);
    }

    #[test]
    fn several_ranges_other_units_and_nonsense_get_the_whole_value() {
        for range in [
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
        ] {
            assert_eq!(select(range.as_bytes(), 10), Selected::Whole, "{range}");
        }
    }
}
