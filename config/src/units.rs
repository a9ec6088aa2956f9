//! Durations and sizes as people write them: a whole number and a unit, without a blank.
//!
//! Printing picks the largest unit that is exact, so what is printed reads back as the same value.

use std::time::Duration;

const SIZES: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

const DURATIONS_MS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// A duration from `250ms`, `10s`, `2m` or `1h`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let (_, millis) = DURATIONS_MS.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(millis).map(Duration::from_millis)
}

/// The shortest text that [`parse_duration`] reads back; below a millisecond nothing is kept.
pub(crate) fn print_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let exact = DURATIONS_MS.into_iter().rev().find(|(_, unit)| millis != 0 && millis.is_multiple_of(*unit));
    let (name, unit) = exact.unwrap_or(("s", 1_000));
    format!("{}{name}", millis / unit)
}

/// A number of bytes from `1GiB`, `2MiB`, `512KiB`, `5MB` or `100000`.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    if unit.is_empty() {
        return Some(number);
    }
    let (_, bytes) = SIZES.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(bytes)
}

/// The shortest binary size that [`parse_size`] reads back.
pub(crate) fn print_size(bytes: u64) -> String {
    let binary = SIZES.into_iter().take(4);
    match binary.into_iter().find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_duration("1h"), Some(Duration::from_secs(3600)));
        for wrong in ["", "5", "s", "1.5s", "-1s", "1 s", "1S", "1d", "18446744073709551615h", "१s"] {
            assert_eq!(parse_duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal() {
        assert_eq!(parse_size("1GiB"), Some(1 << 30));
        assert_eq!(parse_size("2MiB"), Some(2 << 20));
        assert_eq!(parse_size("512KiB"), Some(512 << 10));
        assert_eq!(parse_size("100000"), Some(100_000));
        assert_eq!(parse_size("3B"), Some(3));
        assert_eq!(parse_size("1KB"), Some(1_000));
        assert_eq!(parse_size("2MB"), Some(2_000_000));
        assert_eq!(parse_size("1GB"), Some(1_000_000_000));
        for wrong in ["", "GiB", "1.5GiB", "-1", "1 GiB", "1gib", "1PiB", "99999999999GiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(millis in 0..u64::MAX / 2, bytes: u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&print_duration(duration)), Some(duration));
            prop_assert_eq!(parse_size(&print_size(bytes)), Some(bytes));
        }
    }

    #[test]
    fn printing_picks_the_largest_exact_unit() {
        assert_eq!(print_duration(Duration::from_secs(120)), "2m");
        assert_eq!(print_duration(Duration::from_millis(1500)), "1500ms");
        assert_eq!(print_duration(Duration::ZERO), "0s");
        assert_eq!(print_size(2 << 20), "2MiB");
        assert_eq!(print_size(100_000), "100000B");
    }
}
