//! What comes back for a request, as bytes: an outcome, a refusal, what was told, or that it was never begun.
//!
//! Pure functions, as in `message`. Expiries travel as milliseconds left.

use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{Timestamp, Version};

use super::frame::{Fields, Kind, Violation, cut};
use super::message::{Body, put_content_type, put_short, put_value, take_content_type, take_value};
use super::network::{Executed, Told};
use super::{heartbeat, told};
use crate::object::{Object, Outcome, PatchEffect, Refusal};

/// The longest text of a refusal, in bytes; longer ones are cut.
pub const MAX_TEXT_BYTES: usize = 1024;

const FOUND: u8 = 0x01;
const NOT_MODIFIED: u8 = 0x02;
const MISSING: u8 = 0x03;
const CREATED: u8 = 0x04;
const REPLACED: u8 = 0x05;
const DELETED: u8 = 0x06;
const PATCHED: u8 = 0x07;
const PATCHED_CREATED: u8 = 0x08;
const PATCHED_BEFORE: u8 = 0x09;
const PRECONDITION_FAILED: u8 = 0x81;
const TOO_LARGE: u8 = 0x82;
const STORE_FULL: u8 = 0x83;
const MALFORMED_PATCH: u8 = 0x84;
const PATCH_CONFLICT: u8 = 0x85;
const OUTCOME_UNKNOWN: u8 = 0x86;
const UNAVAILABLE: u8 = 0x87;
const TOO_FEW_COPIES: u8 = 0x88;
const NO_MAJORITY: u8 = 0x89;
const STALE: u8 = 0xc0;
const FAILED: u8 = 0xc1;
const NOT_OWNER: u8 = 0xc2;
const NOT_OWNER_IN_DOUBT: u8 = 0xc3;

const HAS_EXPIRY: u8 = 1;

/// What a member answers to a request, or when it is asked something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The operation was carried out or refused.
    Done(Result<Outcome, Refusal>),
    /// The operation is for another member to execute.
    NotOwner {
        /// Whether some member may keep what came of it nevertheless.
        may_have_run: bool,
    },
    /// The answer to an [`super::network::Ask`].
    Told(Told),
    /// Its time was over before it was begun; nothing has changed.
    Stale,
    /// The member gave up in the middle; what has changed is unknown.
    Failed,
}

impl From<Executed> for Reply {
    fn from(executed: Executed) -> Self {
        match executed {
            Executed::Done(result) => Self::Done(result),
            Executed::NotOwner { may_have_run } => Self::NotOwner { may_have_run },
        }
    }
}

/// Which frame carries it.
#[must_use]
pub const fn kind(reply: &Reply) -> Kind {
    match reply {
        Reply::Told(Told::Heartbeat(_)) => Kind::ProbeAnswer,
        Reply::Done(_) | Reply::NotOwner { .. } | Reply::Told(_) | Reply::Stale | Reply::Failed => {
            Kind::Answer
        }
    }
}

/// Appends the payload of the frame that [`kind`] names. A value too large for it is left out, announced and returned.
pub fn encode(to: &mut Vec<u8>, reply: &Reply, now: Timestamp) -> Option<Bytes> {
    let result = match reply {
        Reply::Told(Told::Heartbeat(heartbeat)) => {
            heartbeat::encode(to, heartbeat);
            return None;
        }
        Reply::Told(told) => return told::encode(to, told, now),
        Reply::NotOwner { may_have_run: false } => return put_code(to, NOT_OWNER),
        Reply::NotOwner { may_have_run: true } => return put_code(to, NOT_OWNER_IN_DOUBT),
        Reply::Stale => return put_code(to, STALE),
        Reply::Failed => return put_code(to, FAILED),
        Reply::Done(result) => result,
    };
    match result {
        Ok(Outcome::Found(object)) => put_found(to, FOUND, object, now),
        Ok(Outcome::NotModified(object)) => put_found(to, NOT_MODIFIED, object, now),
        Ok(Outcome::Patched { object, effect }) => put_found(to, patched_code(*effect), object, now),
        Ok(Outcome::Missing) => put_code(to, MISSING),
        Ok(Outcome::Deleted) => put_code(to, DELETED),
        Ok(Outcome::Created(version)) => put_version(to, CREATED, *version),
        Ok(Outcome::Replaced(version)) => put_version(to, REPLACED, *version),
        Err(Refusal::PreconditionFailed) => put_code(to, PRECONDITION_FAILED),
        Err(Refusal::TooLarge { limit }) => {
            to.push(TOO_LARGE);
            to.extend_from_slice(&(*limit as u64).to_be_bytes());
            None
        }
        Err(Refusal::StoreFull) => put_code(to, STORE_FULL),
        Err(Refusal::MalformedPatch(text)) => put_text(to, MALFORMED_PATCH, text),
        Err(Refusal::PatchConflict(text)) => put_text(to, PATCH_CONFLICT, text),
        Err(Refusal::OutcomeUnknown(text)) => put_text(to, OUTCOME_UNKNOWN, text),
        Err(Refusal::Unavailable(text)) => put_text(to, UNAVAILABLE, text),
        Err(Refusal::TooFewCopies { held, wanted }) => put_counts(to, TOO_FEW_COPIES, *held, *wanted),
        Err(Refusal::NoMajority { reached, members }) => put_counts(to, NO_MAJORITY, *reached, *members),
    }
}

/// The inverse of [`encode`] for an `ANSWER`; values over `max_value_bytes` are refused.
///
/// # Errors
/// [`Violation`] for anything that [`encode`] does not write.
pub fn decode(payload: &[u8], max_value_bytes: usize, now: Timestamp) -> Result<(Reply, Body), Violation> {
    let mut fields = Fields::new(payload, "ANSWER");
    let mut body = Body::Here;
    let mut object = |fields: &mut Fields<'_>| {
        let (object, whereabouts) = take_object(fields, max_value_bytes, now)?;
        body = whereabouts;
        Ok::<_, Violation>(object)
    };
    let code = fields.u8()?;
    if let Some((told, body)) = told::decode(code, &mut fields, max_value_bytes, now)? {
        return fields.end().map(|()| (Reply::Told(told), body));
    }
    let result = match code {
        NOT_OWNER | NOT_OWNER_IN_DOUBT => {
            let may_have_run = code == NOT_OWNER_IN_DOUBT;
            return fields.end().map(|()| (Reply::NotOwner { may_have_run }, Body::Here));
        }
        STALE => return fields.end().map(|()| (Reply::Stale, Body::Here)),
        FAILED => return fields.end().map(|()| (Reply::Failed, Body::Here)),
        FOUND => Ok(Outcome::Found(object(&mut fields)?)),
        NOT_MODIFIED => Ok(Outcome::NotModified(object(&mut fields)?)),
        PATCHED => Ok(Outcome::Patched { object: object(&mut fields)?, effect: PatchEffect::Changed }),
        PATCHED_CREATED => {
            Ok(Outcome::Patched { object: object(&mut fields)?, effect: PatchEffect::Created })
        }
        PATCHED_BEFORE => {
            Ok(Outcome::Patched { object: object(&mut fields)?, effect: PatchEffect::Overtaken })
        }
        MISSING => Ok(Outcome::Missing),
        DELETED => Ok(Outcome::Deleted),
        CREATED => Ok(Outcome::Created(Version::from_bytes(fields.array()?))),
        REPLACED => Ok(Outcome::Replaced(Version::from_bytes(fields.array()?))),
        PRECONDITION_FAILED => Err(Refusal::PreconditionFailed),
        TOO_LARGE => Err(Refusal::TooLarge { limit: usize::try_from(fields.u64()?).unwrap_or(usize::MAX) }),
        STORE_FULL => Err(Refusal::StoreFull),
        MALFORMED_PATCH => Err(Refusal::MalformedPatch(take_text(&mut fields)?)),
        PATCH_CONFLICT => Err(Refusal::PatchConflict(take_text(&mut fields)?)),
        OUTCOME_UNKNOWN => Err(Refusal::OutcomeUnknown(take_text(&mut fields)?)),
        UNAVAILABLE => Err(Refusal::Unavailable(take_text(&mut fields)?)),
        TOO_FEW_COPIES => {
            let (held, wanted) = take_counts(&mut fields)?;
            Err(Refusal::TooFewCopies { held, wanted })
        }
        NO_MAJORITY => {
            let (reached, members) = take_counts(&mut fields)?;
            Err(Refusal::NoMajority { reached, members })
        }
        _ => return Err(Violation::Malformed("ANSWER code")),
    };
    fields.end()?;
    Ok((Reply::Done(result), body))
}

/// How large the value of an object in a reply is.
#[must_use]
pub fn value_bytes(reply: &Reply) -> usize {
    match reply {
        Reply::Done(Ok(
            Outcome::Found(object) | Outcome::NotModified(object) | Outcome::Patched { object, .. },
        )) => object.value.len(),
        _ => 0,
    }
}

/// The reply with the bytes that were still to come.
///
/// # Errors
/// [`Violation`] when they are not what was announced.
pub fn with_value(mut reply: Reply, bytes: Bytes) -> Result<Reply, Violation> {
    if let Reply::Told(told) = reply {
        return Ok(Reply::Told(told::with_value(told, bytes)?));
    }
    if let Reply::Done(Ok(
        Outcome::Found(object) | Outcome::NotModified(object) | Outcome::Patched { object, .. },
    )) = &mut reply
    {
        object.value = bytes;
    }
    Ok(reply)
}

const fn patched_code(effect: PatchEffect) -> u8 {
    match effect {
        PatchEffect::Changed => PATCHED,
        PatchEffect::Created => PATCHED_CREATED,
        PatchEffect::Overtaken => PATCHED_BEFORE,
    }
}

fn put_code(to: &mut Vec<u8>, code: u8) -> Option<Bytes> {
    to.push(code);
    None
}

fn put_text(to: &mut Vec<u8>, code: u8, text: &str) -> Option<Bytes> {
    to.push(code);
    put_short(to, cut(text, MAX_TEXT_BYTES).as_bytes());
    None
}

fn take_text(fields: &mut Fields<'_>) -> Result<String, Violation> {
    let length = usize::from(fields.u16()?);
    if length > MAX_TEXT_BYTES {
        return Err(Violation::OverLimit("text"));
    }
    let text = std::str::from_utf8(fields.take(length)?).map_err(fields.malformed())?;
    Ok(text.into())
}

fn put_counts(to: &mut Vec<u8>, code: u8, one: usize, other: usize) -> Option<Bytes> {
    to.push(code);
    for count in [one, other] {
        to.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }
    None
}

fn take_counts(fields: &mut Fields<'_>) -> Result<(usize, usize), Violation> {
    Ok((fields.u32()? as usize, fields.u32()? as usize))
}

fn put_version(to: &mut Vec<u8>, code: u8, version: Version) -> Option<Bytes> {
    to.push(code);
    to.extend_from_slice(&version.to_bytes());
    None
}

fn put_found(to: &mut Vec<u8>, code: u8, object: &Object, now: Timestamp) -> Option<Bytes> {
    to.push(code);
    put_object(to, object, now)
}

pub(super) fn put_object(to: &mut Vec<u8>, object: &Object, now: Timestamp) -> Option<Bytes> {
    let flags = if object.expires_at.is_some() { HAS_EXPIRY } else { 0 };
    to.push(flags);
    to.extend_from_slice(&object.version.to_bytes());
    if let Some(at) = object.expires_at {
        to.extend_from_slice(&at.as_millis().saturating_sub(now.as_millis()).to_be_bytes());
    }
    put_content_type(to, &object.content_type);
    put_value(to, &object.value)
}

pub(super) fn take_object(
    fields: &mut Fields<'_>,
    limit: usize,
    now: Timestamp,
) -> Result<(Object, Body), Violation> {
    let flags = fields.u8()?;
    if flags & !HAS_EXPIRY != 0 {
        return Err(Violation::Malformed("ANSWER flags"));
    }
    let version = Version::from_bytes(fields.array()?);
    let expires_at = match flags & HAS_EXPIRY {
        0 => None,
        _ => Some(now + Duration::from_millis(fields.u64()?)),
    };
    let content_type = take_content_type(fields)?;
    let (value, body) = take_value(fields, limit)?;
    Ok((Object { value, content_type, version, expires_at }, body))
}
