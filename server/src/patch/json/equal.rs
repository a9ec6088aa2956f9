//! When two JSON values are equal (RFC 6902 section 4.6): members in any order, numbers by their value, strings by
//! their characters. Numbers of any size are compared exactly, digit by digit.

use std::borrow::Cow;

use super::{Json, Kind, TooMuchWork, Work, decode};

/// Whether two values are equal.
pub(in super::super) fn equal(
    left: &Json<'_>,
    right: &Json<'_>,
    work: &mut Work,
) -> Result<bool, TooMuchWork> {
    if let (Json::Text(left), Json::Text(right)) = (left, right)
        && left == right
    {
        work.charge(left.len())?;
        return Ok(true);
    }
    if left.kind() != right.kind() {
        return Ok(false);
    }
    match (opened(left, work)?.as_ref(), opened(right, work)?.as_ref()) {
        (Json::Array(left), Json::Array(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right) {
                if !equal(left, right, work)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Json::Object(left), Json::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (name, left) in left.in_order() {
                match right.get(name) {
                    Some(right) if equal(left, right, work)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Json::Text(left_text), Json::Text(right_text)) => {
            work.charge(left_text.len().saturating_add(right_text.len()))?;
            Ok(match left.kind() {
                Kind::String => decode(left_text) == decode(right_text),
                Kind::Number => {
                    let left = Decimal::of(left_text);
                    left.is_some() && left == Decimal::of(right_text)
                }
                _ => false,
            })
        }
        _ => Ok(false),
    }
}

fn opened<'b, 'a>(value: &'b Json<'a>, work: &mut Work) -> Result<Cow<'b, Json<'a>>, TooMuchWork> {
    work.charge(1)?;
    match value {
        Json::Text(text) => {
            let mut value = Json::new(text);
            value.open(work)?;
            Ok(Cow::Owned(value))
        }
        open => Ok(Cow::Borrowed(open)),
    }
}

/// A number as sign, digits without zeros at either end, and the power of ten of the last digit. Two number texts
/// have the same value exactly when these agree.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i128,
}

impl Decimal {
    /// `text` as a number; none when its exponent does not fit 64 bits.
    fn of(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_end_matches('0');
        let digits = significant.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let zeros = i128::try_from(all.len() - significant.len()).ok()?;
        let places = i128::try_from(fraction.len()).ok()?;
        let exponent = i128::from(exponent.parse::<i64>().ok()?) + zeros - places;
        Some(Self { negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_equal(left: &str, right: &str) -> bool {
        equal(&Json::new(left), &Json::new(right), &mut Work::for_input(0)).unwrap()
    }

    #[test]
    fn numbers_are_compared_by_value_and_exactly() {
        for (left, right) in [
            ("1", "1.0"),
            ("1", "10e-1"),
            ("100", "1E+2"),
            ("0", "-0.0e9"),
            ("0.00120", "12e-4"),
            ("123456789012345678901234567890", "123456789012345678901234567890.0"),
            ("1e400", "10e399"),
        ] {
            assert!(are_equal(left, right), "{left} == {right}");
        }
        for (left, right) in [
            ("1", "-1"),
            ("9007199254740993", "9007199254740992"),
            ("123456789012345678901234567890", "123456789012345678901234567891"),
            ("1", "\"1\""),
            ("0", "false"),
            ("0", "null"),
            ("10", "1"),
            ("1e99999999999999999999", "2e99999999999999999999"),
        ] {
            assert!(!are_equal(left, right), "{left} != {right}");
        }
    }

    #[test]
    fn containers_are_equal_when_their_parts_are() {
        assert!(are_equal(r#"{"a":[1,{}],"b":"\u0041"}"#, r#"{"b":"A","a":[1.0,{}]}"#));
        assert!(are_equal(r#"{"a":1,"a":2}"#, r#"{"a":2}"#));
        for (left, right) in [
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            ("{}", "[]"),
            ("true", "false"),
        ] {
            assert!(!are_equal(left, right), "{left} != {right}");
        }
    }
}
