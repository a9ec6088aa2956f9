//! Counter: a whole number that is added to, between an optional floor and an optional ceiling.
//!
//! The stored value is the bare number, so a reader needs no schema. A result outside the bounds changes nothing.

use bytes::Bytes;
use serde::Deserialize;

use super::json::{describe, given, read};
use super::{PatchError, Patched};
use crate::object::Object;

const SHAPE: &str = r#"a counter patch is {"add": n, "floor": n, "ceiling": n, "initial": n}, whole numbers of 64 bits, all but "add" optional"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    add: i64,
    #[serde(default, deserialize_with = "given")]
    floor: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    ceiling: Option<i64>,
    #[serde(default)]
    initial: i64,
}

pub(super) fn apply(current: Option<&Object>, document: &Bytes) -> Result<Patched, PatchError> {
    let Document { add, floor, ceiling, initial } = read(document, SHAPE)?;
    if let (Some(floor), Some(ceiling)) = (floor, ceiling)
        && floor > ceiling
    {
        return Err(PatchError::Malformed(format!("the floor, {floor}, is above the ceiling, {ceiling}")));
    }
    let (count, origin) = match current {
        Some(object) => (stored(object)?, "the count is"),
        None => (initial, "the count would start at"),
    };
    let refuse = |why: String| Err(PatchError::Conflict(format!("{origin} {count}, and adding {add} {why}")));
    let Some(sum) = count.checked_add(add) else {
        return refuse("would leave the range of a 64-bit whole number".to_owned());
    };
    if let Some(floor) = floor.filter(|floor| sum < *floor) {
        return refuse(format!("makes {sum}, below the floor of {floor}"));
    }
    if let Some(ceiling) = ceiling.filter(|ceiling| sum > *ceiling) {
        return refuse(format!("makes {sum}, above the ceiling of {ceiling}"));
    }
    Ok(Patched::json(sum.to_string()))
}

fn stored(object: &Object) -> Result<i64, PatchError> {
    serde_json::from_slice(&object.value).map_err(|_| {
        PatchError::Conflict(format!(
            "a counter is stored as one JSON whole number of 64 bits, such as 42, and this is {}",
            describe(object)
        ))
    })
}
