//! The conditions of a request as bytes: flags, then what they announce, in one fixed order.

use ringhold_ring::{Timestamp, Version};

use super::frame::{Fields, Violation};
use super::message::MAX_TAGS;
use crate::object::{Conditions, Tags};

const IF_MATCH_ANY: u8 = 1;
const IF_MATCH_OF: u8 = 2;
const IF_NONE_MATCH_ANY: u8 = 4;
const IF_NONE_MATCH_OF: u8 = 8;
const IF_MODIFIED_SINCE: u8 = 16;
const IF_UNMODIFIED_SINCE: u8 = 32;

/// Appends them; there is at least one.
pub(super) fn put_conditions(to: &mut Vec<u8>, conditions: &Conditions) {
    let tags = |tags: &Option<Tags>, any, of| match tags {
        None => 0,
        Some(Tags::Any) => any,
        Some(Tags::Of(_)) => of,
    };
    let since = |since: Option<Timestamp>, flag| if since.is_some() { flag } else { 0 };
    to.push(
        tags(&conditions.if_match, IF_MATCH_ANY, IF_MATCH_OF)
            | tags(&conditions.if_none_match, IF_NONE_MATCH_ANY, IF_NONE_MATCH_OF)
            | since(conditions.if_modified_since, IF_MODIFIED_SINCE)
            | since(conditions.if_unmodified_since, IF_UNMODIFIED_SINCE),
    );
    for tags in [&conditions.if_match, &conditions.if_none_match].into_iter().flatten() {
        if let Tags::Of(versions) = tags {
            debug_assert!(versions.len() <= MAX_TAGS);
            to.extend_from_slice(&(versions.len() as u16).to_be_bytes());
            versions.iter().for_each(|version| to.extend_from_slice(&version.to_bytes()));
        }
    }
    for since in [conditions.if_modified_since, conditions.if_unmodified_since].into_iter().flatten() {
        to.extend_from_slice(&since.as_millis().to_be_bytes());
    }
}

/// The inverse of [`put_conditions`].
pub(super) fn take_conditions(fields: &mut Fields<'_>) -> Result<Conditions, Violation> {
    let flags = fields.u8()?;
    if flags == 0 || flags > 63 {
        return Err(Violation::Malformed("condition flags"));
    }
    let if_match = take_tags(fields, flags & IF_MATCH_ANY != 0, flags & IF_MATCH_OF != 0)?;
    let if_none_match = take_tags(fields, flags & IF_NONE_MATCH_ANY != 0, flags & IF_NONE_MATCH_OF != 0)?;
    let mut since = |flag| match flags & flag {
        0 => Ok(None),
        _ => fields.u64().map(|millis| Some(Timestamp::from_millis(millis))),
    };
    Ok(Conditions {
        if_match,
        if_none_match,
        if_modified_since: since(IF_MODIFIED_SINCE)?,
        if_unmodified_since: since(IF_UNMODIFIED_SINCE)?,
    })
}

fn take_tags(fields: &mut Fields<'_>, any: bool, of: bool) -> Result<Option<Tags>, Violation> {
    match (any, of) {
        (false, false) => Ok(None),
        (true, false) => Ok(Some(Tags::Any)),
        (true, true) => Err(Violation::Malformed("condition flags")),
        (false, true) => {
            let count = usize::from(fields.u16()?);
            if count > MAX_TAGS {
                return Err(Violation::OverLimit("entity tags"));
            }
            let (tags, _) = fields.take(count * Version::BYTES)?.as_chunks::<{ Version::BYTES }>();
            Ok(Some(Tags::Of(tags.iter().map(|tag| Version::from_bytes(*tag)).collect())))
        }
    }
}
