//! What the frames of a request carry: operations, outcomes, refusals, probes and their answers.
//!
//! Pure functions between words of [`crate::object`] and bytes. Times to come travel as milliseconds left, so
//! members' clocks need not agree. Every length is checked against a limit before anything is allocated.

use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{Key, RingId, Timestamp, Ttl, Version};

use super::frame::{Fields, INLINE_BYTES, Violation, cut};
use super::{MemberState, ProbeAnswer};
use crate::object::{Conditions, ContentType, Object, Operation, Outcome, Refusal, Tags};
use crate::patch::PatchKind;

/// The most entity tags in one `If-Match` or `If-None-Match`.
pub const MAX_TAGS: usize = 4096;

/// The longest text of a refusal, in bytes; longer ones are cut.
pub const MAX_TEXT_BYTES: usize = 1024;

const GET: u8 = 1;
const PUT: u8 = 2;
const DELETE: u8 = 3;
const PATCH: u8 = 4;

const HAS_TTL: u8 = 1;
const HAS_CONDITIONS: u8 = 2;
const BODY_FOLLOWS: u8 = 4;

const FOUND: u8 = 0x01;
const NOT_MODIFIED: u8 = 0x02;
const MISSING: u8 = 0x03;
const CREATED: u8 = 0x04;
const REPLACED: u8 = 0x05;
const DELETED: u8 = 0x06;
const PATCHED: u8 = 0x07;
const PATCHED_CREATED: u8 = 0x08;
const PRECONDITION_FAILED: u8 = 0x81;
const TOO_LARGE: u8 = 0x82;
const STORE_FULL: u8 = 0x83;
const MALFORMED_PATCH: u8 = 0x84;
const PATCH_CONFLICT: u8 = 0x85;
const OUTCOME_UNKNOWN: u8 = 0x86;
const STALE: u8 = 0xc0;
const FAILED: u8 = 0xc1;

const HAS_EXPIRY: u8 = 1;

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

/// What a member answers to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was carried out or refused.
    Done(Result<Outcome, Refusal>),
    /// Its time was over before it was begun; nothing has changed.
    Stale,
    /// The member gave up in the middle; what has changed is unknown.
    Failed,
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

/// Appends the payload of an `ANSWER`. A value over [`INLINE_BYTES`] is left out, announced and returned.
pub fn encode_reply(to: &mut Vec<u8>, reply: &Reply, now: Timestamp) -> Option<Bytes> {
    let result = match reply {
        Reply::Stale => return put_code(to, STALE),
        Reply::Failed => return put_code(to, FAILED),
        Reply::Done(result) => result,
    };
    match result {
        Ok(Outcome::Found(object)) => put_object(to, FOUND, object, now),
        Ok(Outcome::NotModified(object)) => put_object(to, NOT_MODIFIED, object, now),
        Ok(Outcome::Patched { object, created: false }) => put_object(to, PATCHED, object, now),
        Ok(Outcome::Patched { object, created: true }) => put_object(to, PATCHED_CREATED, object, now),
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
    }
}

/// The inverse of [`encode_reply`]; values over `max_value_bytes` are refused.
///
/// # Errors
/// [`Violation`] for anything that [`encode_reply`] does not write.
pub fn decode_reply(
    payload: &[u8],
    max_value_bytes: usize,
    now: Timestamp,
) -> Result<(Reply, Body), Violation> {
    let mut fields = Fields::new(payload, "ANSWER");
    let mut body = Body::Here;
    let mut object = |fields: &mut Fields<'_>| {
        let (object, whereabouts) = take_object(fields, max_value_bytes, now)?;
        body = whereabouts;
        Ok::<_, Violation>(object)
    };
    let result = match fields.u8()? {
        STALE => return fields.end().map(|()| (Reply::Stale, Body::Here)),
        FAILED => return fields.end().map(|()| (Reply::Failed, Body::Here)),
        FOUND => Ok(Outcome::Found(object(&mut fields)?)),
        NOT_MODIFIED => Ok(Outcome::NotModified(object(&mut fields)?)),
        PATCHED => Ok(Outcome::Patched { object: object(&mut fields)?, created: false }),
        PATCHED_CREATED => Ok(Outcome::Patched { object: object(&mut fields)?, created: true }),
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
        _ => return Err(Violation::Malformed("ANSWER code")),
    };
    fields.end()?;
    Ok((Reply::Done(result), body))
}

/// How large the value of a reply is.
#[must_use]
pub fn reply_value_bytes(reply: &Reply) -> usize {
    match reply {
        Reply::Done(Ok(
            Outcome::Found(object) | Outcome::NotModified(object) | Outcome::Patched { object, .. },
        )) => object.value.len(),
        _ => 0,
    }
}

/// The reply with the bytes that were still to come.
#[must_use]
pub fn reply_with_value(mut reply: Reply, bytes: Bytes) -> Reply {
    if let Reply::Done(Ok(
        Outcome::Found(object) | Outcome::NotModified(object) | Outcome::Patched { object, .. },
    )) = &mut reply
    {
        object.value = bytes;
    }
    reply
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
fn put_short(to: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() <= usize::from(u16::MAX));
    to.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    to.extend_from_slice(bytes);
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

fn put_version(to: &mut Vec<u8>, code: u8, version: Version) -> Option<Bytes> {
    to.push(code);
    to.extend_from_slice(&version.to_bytes());
    None
}

/// One byte of length, then the text; 0 is the default type.
fn put_content_type(to: &mut Vec<u8>, content_type: &ContentType) {
    let text = match content_type {
        ContentType::OctetStream => "",
        other => cut(other.as_str(), ContentType::MAX_BYTES),
    };
    to.push(text.len() as u8);
    to.extend_from_slice(text.as_bytes());
}

fn take_content_type(fields: &mut Fields<'_>) -> Result<ContentType, Violation> {
    match usize::from(fields.u8()?) {
        0 => Ok(ContentType::OctetStream),
        length => ContentType::parse(fields.take(length)?).map_err(|_| Violation::Malformed("content type")),
    }
}

/// The length, then the bytes unless they are too many for the frame.
fn put_value(to: &mut Vec<u8>, value: &Bytes) -> Option<Bytes> {
    to.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    if value.len() > INLINE_BYTES {
        return Some(value.clone());
    }
    to.extend_from_slice(value);
    None
}

/// The value, copied out of the read buffer: a stored value must not keep that alive.
fn take_value(fields: &mut Fields<'_>, follows: bool, limit: usize) -> Result<(Bytes, Body), Violation> {
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

fn put_object(to: &mut Vec<u8>, code: u8, object: &Object, now: Timestamp) -> Option<Bytes> {
    let mut flags = if object.expires_at.is_some() { HAS_EXPIRY } else { 0 };
    flags |= if object.value.len() > INLINE_BYTES { BODY_FOLLOWS } else { 0 };
    to.extend_from_slice(&[code, flags]);
    to.extend_from_slice(&object.version.to_bytes());
    if let Some(at) = object.expires_at {
        to.extend_from_slice(&at.as_millis().saturating_sub(now.as_millis()).to_be_bytes());
    }
    put_content_type(to, &object.content_type);
    put_value(to, &object.value)
}

fn take_object(fields: &mut Fields<'_>, limit: usize, now: Timestamp) -> Result<(Object, Body), Violation> {
    let flags = fields.u8()?;
    if flags & !(HAS_EXPIRY | BODY_FOLLOWS) != 0 {
        return Err(Violation::Malformed("ANSWER flags"));
    }
    let version = Version::from_bytes(fields.array()?);
    let expires_at = match flags & HAS_EXPIRY {
        0 => None,
        _ => Some(now + Duration::from_millis(fields.u64()?)),
    };
    let content_type = take_content_type(fields)?;
    let (value, body) = take_value(fields, flags & BODY_FOLLOWS != 0, limit)?;
    Ok((Object { value, content_type, version, expires_at }, body))
}

const IF_MATCH_ANY: u8 = 1;
const IF_MATCH_OF: u8 = 2;
const IF_NONE_MATCH_ANY: u8 = 4;
const IF_NONE_MATCH_OF: u8 = 8;
const IF_MODIFIED_SINCE: u8 = 16;
const IF_UNMODIFIED_SINCE: u8 = 32;

fn put_conditions(to: &mut Vec<u8>, conditions: &Conditions) {
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

fn take_conditions(fields: &mut Fields<'_>) -> Result<Conditions, Violation> {
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
