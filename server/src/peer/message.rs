//! An operation on its way to the member that is to execute it, as bytes: the payload of a `REQUEST`. What comes back
//! is in `reply`; what else members ask each other is in `ask`.
//!
//! Pure functions between words of [`crate::object`] and bytes. Times to come travel as
//! milliseconds left, so members' clocks need not agree. Every length is checked against a limit before anything is allocated.

use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{Incarnation, Key, RingId, Term, Ttl};

use super::conditions::{put_conditions, take_conditions};
use super::frame::{Fields, INLINE_BYTES, Violation, cut};
use super::network::{MAX_HOPS, Passage};
use crate::object::{Conditions, ContentType, Operation, OperationId, Tags};
use crate::patch::PatchKind;

/// The most entity tags in one `If-Match` or `If-None-Match`.
pub const MAX_TAGS: usize = 4096;

const GET: u8 = 1;
const PUT: u8 = 2;
const DELETE: u8 = 3;
const PATCH: u8 = 4;

const HAS_TTL: u8 = 1;
const HAS_CONDITIONS: u8 = 2;
const INSTEAD_OF: u8 = 4;
const AFTER_FAILURE: u8 = 8;
const ANY_COPY: u8 = 16;
const HAS_ID: u8 = 32;
const HAS_HOPS: u8 = 64;
const HAS_INCARNATION: u8 = 128;

/// Where the value of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// In the message, if it has one.
    Here,
    /// So many bytes follow in `BODY` frames.
    Follows(usize),
}

/// The front of a request, its value perhaps still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// The key.
    pub key: Key<'a>,
    /// What to do; its value is empty while it is still to come.
    pub operation: Operation,
    /// Whether it is.
    pub body: Body,
    /// How long the requester waits, from now.
    pub time_left: Duration,
    /// How it comes here.
    pub passage: Passage,
}

/// Appends the payload of a `REQUEST`. A value over [`INLINE_BYTES`] is left out and announced.
pub fn encode_request(
    to: &mut Vec<u8>,
    key: &Key<'_>,
    operation: &Operation,
    passage: Passage,
    time_left: Duration,
) {
    let (code, kind, conditions, ttl) = match operation {
        Operation::Get { conditions } => (GET, 0, conditions, None),
        Operation::Put { conditions, ttl, .. } => (PUT, 0, conditions, *ttl),
        Operation::Delete { conditions } => (DELETE, 0, conditions, None),
        Operation::Patch { kind, conditions, ttl, .. } => (PATCH, patch_code(*kind), conditions, *ttl),
    };
    let mut flags = passage_flags(passage);
    flags |= if ttl.is_some() { HAS_TTL } else { 0 };
    flags |= if conditions.is_empty() { 0 } else { HAS_CONDITIONS };
    to.extend_from_slice(&[code, flags, kind]);
    put_millis(to, time_left);
    put_passage(to, passage);
    put_short(to, key.as_bytes());
    if let Some(ttl) = ttl {
        to.extend_from_slice(&ttl.as_seconds().to_be_bytes());
    }
    if !conditions.is_empty() {
        put_conditions(to, conditions);
    }
    if let Some((value, content_type)) = value_of(operation) {
        put_content_type(to, content_type);
        put_value(to, value);
    }
}

/// The inverse of [`encode_request`]; values over `max_object_bytes` are refused.
///
/// # Errors
/// [`Violation`] for anything that [`encode_request`] does not write.
pub fn decode_request(payload: &[u8], max_object_bytes: usize) -> Result<RequestHead<'_>, Violation> {
    let mut fields = Fields::new(payload, "REQUEST");
    let [code, flags, kind] = fields.array()?;
    let time_left = take_millis(&mut fields)?;
    let passage = take_passage(&mut fields, flags)?;
    let key = take_key(&mut fields)?;
    let ttl = match flags & HAS_TTL {
        0 => None,
        _ => Some(Ttl::from_seconds(fields.u32()?.into()).map_err(|_| Violation::Malformed("TTL"))?),
    };
    let conditions = match flags & HAS_CONDITIONS {
        0 => Conditions::default(),
        _ => take_conditions(&mut fields)?,
    };
    let carries_value = matches!(code, PUT | PATCH);
    let unknown = if carries_value { 0 } else { HAS_TTL };
    if flags & unknown != 0 || (code != PATCH && kind != 0) {
        return Err(Violation::Malformed("REQUEST flags"));
    }
    let mut body = Body::Here;
    let operation = match code {
        GET => Operation::Get { conditions },
        DELETE => Operation::Delete { conditions },
        PUT | PATCH => {
            let content_type = take_content_type(&mut fields)?;
            let (value, whereabouts) = take_value(&mut fields, max_object_bytes)?;
            body = whereabouts;
            if code == PUT {
                Operation::Put { value, content_type, ttl, conditions }
            } else {
                let kind = patch_kind(kind).ok_or(Violation::Malformed("patch kind"))?;
                Operation::Patch { kind, document: value, content_type, ttl, conditions }
            }
        }
        _ => return Err(Violation::Malformed("operation")),
    };
    fields.end()?;
    Ok(RequestHead { key, operation, body, time_left, passage })
}

/// Whether every list in `operation` is within its limit.
#[must_use]
pub fn is_encodable(operation: &Operation) -> bool {
    let (Operation::Get { conditions }
    | Operation::Put { conditions, .. }
    | Operation::Delete { conditions }
    | Operation::Patch { conditions, .. }) = operation;
    let fits = |tags: &Option<Tags>| !matches!(tags, Some(Tags::Of(versions)) if versions.len() > MAX_TAGS);
    fits(&conditions.if_match) && fits(&conditions.if_none_match)
}

/// The bytes an operation brings along, if it brings any.
#[must_use]
pub fn value_of(operation: &Operation) -> Option<(&Bytes, &ContentType)> {
    match operation {
        Operation::Put { value, content_type, .. } => Some((value, content_type)),
        Operation::Patch { document, content_type, .. } => Some((document, content_type)),
        Operation::Get { .. } | Operation::Delete { .. } => None,
    }
}

/// The operation with the bytes that were still to come.
#[must_use]
pub fn with_value(mut operation: Operation, bytes: Bytes) -> Operation {
    if let Operation::Put { value, .. } | Operation::Patch { document: value, .. } = &mut operation {
        *value = bytes;
    }
    operation
}

fn passage_flags(passage: Passage) -> u8 {
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    flag(passage.instead_of.is_some(), INSTEAD_OF)
        | flag(passage.after_failure, AFTER_FAILURE)
        | flag(passage.any_copy, ANY_COPY)
        | flag(passage.id.is_some(), HAS_ID)
        | flag(passage.hops > 1, HAS_HOPS)
        | flag(passage.to.is_some(), HAS_INCARNATION)
}

fn put_passage(to: &mut Vec<u8>, passage: Passage) {
    let Passage { hops, to: hearer, ring, instead_of, id, after_failure: _, any_copy: _ } = passage;
    debug_assert!((1..=MAX_HOPS).contains(&hops));
    to.extend_from_slice(&ring.as_u64().to_be_bytes());
    if let Some(incarnation) = hearer {
        to.extend_from_slice(&incarnation.as_u64().to_be_bytes());
    }
    if hops > 1 {
        to.push(hops);
    }
    if let Some(term) = instead_of {
        put_term(to, term);
    }
    if let Some(id) = id {
        put_id(to, id);
    }
}

fn take_passage(fields: &mut Fields<'_>, flags: u8) -> Result<Passage, Violation> {
    let ring = RingId::from_u64(fields.u64()?);
    let to = if flags & HAS_INCARNATION == 0 { None } else { Some(Incarnation::new(fields.u64()?)) };
    let hops = if flags & HAS_HOPS == 0 { 1 } else { fields.u8()? };
    if flags & HAS_HOPS != 0 && !(2..=MAX_HOPS).contains(&hops) {
        return Err(Violation::OverLimit("hops"));
    }
    Ok(Passage {
        hops,
        to,
        ring,
        instead_of: if flags & INSTEAD_OF == 0 { None } else { Some(take_term(fields)?) },
        after_failure: flags & AFTER_FAILURE != 0,
        any_copy: flags & ANY_COPY != 0,
        id: if flags & HAS_ID == 0 { None } else { Some(take_id(fields)?) },
    })
}

const fn patch_code(kind: PatchKind) -> u8 {
    match kind {
        PatchKind::Merge => 1,
        PatchKind::Json => 2,
        PatchKind::Append => 3,
        PatchKind::Counter => 4,
        PatchKind::Set => 5,
        PatchKind::RateLimit => 6,
    }
}

fn patch_kind(code: u8) -> Option<PatchKind> {
    use PatchKind::{Append, Counter, Json, Merge, RateLimit, Set};
    [Merge, Json, Append, Counter, Set, RateLimit].into_iter().find(|kind| patch_code(*kind) == code)
}

/// A time to wait, in milliseconds.
pub(super) fn put_millis(to: &mut Vec<u8>, time_left: Duration) {
    to.extend_from_slice(&u32::try_from(time_left.as_millis()).unwrap_or(u32::MAX).to_be_bytes());
}

pub(super) fn take_millis(fields: &mut Fields<'_>) -> Result<Duration, Violation> {
    Ok(Duration::from_millis(u64::from(fields.u32()?)))
}

pub(super) fn put_term(to: &mut Vec<u8>, term: Term) {
    to.extend_from_slice(&term.incarnation.as_u64().to_be_bytes());
    to.extend_from_slice(&term.number.to_be_bytes());
}

pub(super) fn take_term(fields: &mut Fields<'_>) -> Result<Term, Violation> {
    Ok(Term { incarnation: Incarnation::new(fields.u64()?), number: fields.u32()? })
}

pub(super) fn put_id(to: &mut Vec<u8>, id: OperationId) {
    to.extend_from_slice(&id.as_u128().to_be_bytes());
}

pub(super) fn take_id(fields: &mut Fields<'_>) -> Result<OperationId, Violation> {
    Ok(OperationId::from_u128(u128::from_be_bytes(fields.array()?)))
}

pub(super) fn take_key<'a>(fields: &mut Fields<'a>) -> Result<Key<'a>, Violation> {
    let length = usize::from(fields.u16()?);
    Key::from_bytes(fields.take(length)?).map_err(|_| Violation::Malformed("key"))
}

/// Bytes behind their length as a `u16`; every caller's are shorter than that by their type.
pub(super) fn put_short(to: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() <= usize::from(u16::MAX));
    to.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    to.extend_from_slice(bytes);
}

/// One byte of length, then the text; 0 is the default type.
pub(super) fn put_content_type(to: &mut Vec<u8>, content_type: &ContentType) {
    let text = match content_type {
        ContentType::OctetStream => "",
        other => cut(other.as_str(), ContentType::MAX_BYTES),
    };
    to.push(text.len() as u8);
    to.extend_from_slice(text.as_bytes());
}

pub(super) fn take_content_type(fields: &mut Fields<'_>) -> Result<ContentType, Violation> {
    match usize::from(fields.u8()?) {
        0 => Ok(ContentType::OctetStream),
        length => ContentType::parse(fields.take(length)?).map_err(|_| Violation::Malformed("content type")),
    }
}

/// The length, then the bytes unless they are too many for the frame.
pub(super) fn put_value(to: &mut Vec<u8>, value: &Bytes) -> Option<Bytes> {
    to.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    if value.len() > INLINE_BYTES {
        return Some(value.clone());
    }
    to.extend_from_slice(value);
    None
}

/// The value, copied out of the read buffer: a stored value must not keep that alive. Empty if it follows.
pub(super) fn take_value(fields: &mut Fields<'_>, limit: usize) -> Result<(Bytes, Body), Violation> {
    let length = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    if length > limit {
        return Err(Violation::OverLimit("value"));
    }
    if length > INLINE_BYTES {
        return Ok((Bytes::new(), Body::Follows(length)));
    }
    Ok((Bytes::copy_from_slice(fields.take(length)?), Body::Here))
}
