//! What a member asks for, as bytes: operations on keys, probes and their answers. What comes back is in `reply`.
//!
//! Pure functions between words of [`crate::object`] and bytes. Times to come travel as
//! milliseconds left, so members' clocks need not agree. Every length is checked against a limit before anything is allocated.

use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{Key, RingId, Ttl};

use super::conditions::{put_conditions, take_conditions};
use super::frame::{Fields, INLINE_BYTES, Violation, cut};
use super::{MemberState, ProbeAnswer};
use crate::object::{Conditions, ContentType, Operation, Tags};
use crate::patch::PatchKind;

/// The most entity tags in one `If-Match` or `If-None-Match`.
pub const MAX_TAGS: usize = 4096;

const GET: u8 = 1;
const PUT: u8 = 2;
const DELETE: u8 = 3;
const PATCH: u8 = 4;

const HAS_TTL: u8 = 1;
const HAS_CONDITIONS: u8 = 2;
pub(super) const BODY_FOLLOWS: u8 = 4;

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
    /// The requester's ring.
    pub ring_id: RingId,
}

/// Appends the payload of a `REQUEST`. A value over [`INLINE_BYTES`] is left out and announced.
pub fn encode_request(
    to: &mut Vec<u8>,
    key: &Key<'_>,
    operation: &Operation,
    time_left: Duration,
    ring_id: RingId,
) {
    let (code, kind, conditions, ttl) = match operation {
        Operation::Get { conditions } => (GET, 0, conditions, None),
        Operation::Put { conditions, ttl, .. } => (PUT, 0, conditions, *ttl),
        Operation::Delete { conditions } => (DELETE, 0, conditions, None),
        Operation::Patch { kind, conditions, ttl, .. } => (PATCH, patch_code(*kind), conditions, *ttl),
    };
    let value = value_of(operation);
    let follows = value.is_some_and(|(value, _)| value.len() > INLINE_BYTES);
    let mut flags = 0;
    flags |= if ttl.is_some() { HAS_TTL } else { 0 };
    flags |= if conditions.is_empty() { 0 } else { HAS_CONDITIONS };
    flags |= if follows { BODY_FOLLOWS } else { 0 };
    to.extend_from_slice(&[code, flags, kind]);
    to.extend_from_slice(&u32::try_from(time_left.as_millis()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend_from_slice(&ring_id.as_u64().to_be_bytes());
    put_short(to, key.as_bytes());
    if let Some(ttl) = ttl {
        to.extend_from_slice(&ttl.as_seconds().to_be_bytes());
    }
    if !conditions.is_empty() {
        put_conditions(to, conditions);
    }
    if let Some((value, content_type)) = value {
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
    let time_left = Duration::from_millis(u64::from(fields.u32()?));
    let ring_id = RingId::from_u64(fields.u64()?);
    let key_length = usize::from(fields.u16()?);
    let key = Key::from_bytes(fields.take(key_length)?).map_err(|_| Violation::Malformed("key"))?;
    let ttl = match flags & HAS_TTL {
        0 => None,
        _ => Some(Ttl::from_seconds(fields.u32()?.into()).map_err(|_| Violation::Malformed("TTL"))?),
    };
    let conditions = match flags & HAS_CONDITIONS {
        0 => Conditions::default(),
        _ => take_conditions(&mut fields)?,
    };
    let carries_value = matches!(code, PUT | PATCH);
    let known = if carries_value { HAS_TTL | HAS_CONDITIONS | BODY_FOLLOWS } else { HAS_CONDITIONS };
    if flags & !known != 0 || (code != PATCH && kind != 0) {
        return Err(Violation::Malformed("REQUEST flags"));
    }
    let mut body = Body::Here;
    let operation = match code {
        GET => Operation::Get { conditions },
        DELETE => Operation::Delete { conditions },
        PUT | PATCH => {
            let content_type = take_content_type(&mut fields)?;
            let (value, whereabouts) = take_value(&mut fields, flags & BODY_FOLLOWS != 0, max_object_bytes)?;
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
    Ok(RequestHead { key, operation, body, time_left, ring_id })
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

/// Appends the payload of a `PROBE`.
pub fn encode_probe(to: &mut Vec<u8>, ring_id: RingId) {
    to.extend_from_slice(&ring_id.as_u64().to_be_bytes());
}

/// The inverse of [`encode_probe`].
///
/// # Errors
/// [`Violation`] when it is not one id.
pub fn decode_probe(payload: &[u8]) -> Result<RingId, Violation> {
    let mut fields = Fields::new(payload, "PROBE");
    let id = RingId::from_u64(fields.u64()?);
    fields.end().map(|()| id)
}

/// Appends the payload of a `PROBE_ANSWER`.
pub fn encode_probe_answer(to: &mut Vec<u8>, state: MemberState, ring_id: RingId, incarnation: u64) {
    to.push(match state {
        MemberState::Starting => 1,
        MemberState::Syncing => 2,
        MemberState::Ready => 3,
        MemberState::Draining => 4,
    });
    to.extend_from_slice(&ring_id.as_u64().to_be_bytes());
    to.extend_from_slice(&incarnation.to_be_bytes());
}

/// The inverse of [`encode_probe_answer`].
///
/// # Errors
/// [`Violation`] for anything else.
pub fn decode_probe_answer(payload: &[u8]) -> Result<ProbeAnswer, Violation> {
    let mut fields = Fields::new(payload, "PROBE_ANSWER");
    let state = match fields.u8()? {
        1 => MemberState::Starting,
        2 => MemberState::Syncing,
        3 => MemberState::Ready,
        4 => MemberState::Draining,
        _ => return Err(Violation::Malformed("member state")),
    };
    let answer = ProbeAnswer {
        state,
        ring_id: Some(RingId::from_u64(fields.u64()?)),
        incarnation: Some(fields.u64()?),
    };
    fields.end().map(|()| answer)
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

/// The value, copied out of the read buffer: a stored value must not keep that alive.
pub(super) fn take_value(
    fields: &mut Fields<'_>,
    follows: bool,
    limit: usize,
) -> Result<(Bytes, Body), Violation> {
    let length = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    if length > limit {
        return Err(Violation::OverLimit("value"));
    }
    match (follows, length > INLINE_BYTES) {
        (true, true) => Ok((Bytes::new(), Body::Follows(length))),
        (false, false) => Ok((Bytes::copy_from_slice(fields.take(length)?), Body::Here)),
        _ => Err(Violation::Malformed("value length")),
    }
}
