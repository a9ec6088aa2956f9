//! What members ask each other besides operations, as bytes: the payload of an `ASK`. What they tell is in `told`.
//!
//! Pure functions, as in `message`; expiries travel as milliseconds left. An object's value and the list of an offer
//! are values to the stream: large ones follow in pieces.

use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{Key, RingId, Timestamp, Version};

use super::frame::{Fields, Kind, Violation};
use super::heartbeat;
use super::hello::MIN_ASSEMBLY_BYTES;
use super::message::{
    Body, put_content_type, put_id, put_millis, put_short, put_term, put_value, take_content_type, take_id,
    take_key, take_millis, take_term, take_value,
};
use super::network::{Ask, CopyOf, Copying, MAX_IDS, MAX_OFFERS, MAX_SUM_BITS};
use crate::object::{Object, Record};

/// The longest list of an offer, in bytes.
pub const MAX_OFFER_BYTES: usize = MAX_OFFERS * (2 + Key::MAX_BYTES + Version::BYTES);

const _: () = assert!(MAX_OFFER_BYTES <= MIN_ASSEMBLY_BYTES, "every member can be sent one");

const COPY: u8 = 1;
const OFFER: u8 = 2;
const SUMS: u8 = 3;
const RING: u8 = 4;
const RECORD: u8 = 5;

const HAS_EXPIRY: u8 = 1;
const TOMBSTONE: u8 = 2;
const WRITE: u8 = 4;
const HAS_IDS: u8 = 8;

/// The front of an `ASK`, its value perhaps still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskHead {
    /// What is asked; the object's value, or the offer, is empty while it is still to come.
    pub ask: Ask,
    /// Whether it is.
    pub body: Body,
    /// How long the asking member waits, from now.
    pub time_left: Duration,
}

/// Which frame carries it.
#[must_use]
pub const fn kind(ask: &Ask) -> Kind {
    match ask {
        Ask::Heartbeat(_) => Kind::Probe,
        Ask::Copy(_) | Ask::Offer(_) | Ask::Record(_) | Ask::Sums { .. } | Ask::Ring(_) => Kind::Ask,
    }
}

/// Whether every list and number in it is within its limit.
#[must_use]
pub const fn is_encodable(ask: &Ask) -> bool {
    match ask {
        Ask::Copy(copy) => copy.ids.len() <= MAX_IDS,
        Ask::Offer(keys) => keys.len() <= MAX_OFFERS,
        Ask::Sums { bits } => *bits <= MAX_SUM_BITS,
        Ask::Heartbeat(_) | Ask::Record(_) | Ask::Ring(_) => true,
    }
}

/// Appends the payload of the frame that [`kind`] names. A value too large for it is left out, announced and returned.
pub fn encode(to: &mut Vec<u8>, ask: &Ask, time_left: Duration, now: Timestamp) -> Option<Bytes> {
    let mut begin = |code| {
        to.push(code);
        put_millis(to, time_left);
    };
    match ask {
        Ask::Heartbeat(heartbeat) => heartbeat::encode(to, heartbeat),
        Ask::Copy(copy) => {
            begin(COPY);
            return put_copy(to, copy, now);
        }
        Ask::Offer(keys) => {
            begin(OFFER);
            let mut list = Vec::with_capacity(keys.len() * 64);
            for (key, version) in keys {
                put_short(&mut list, key.as_bytes());
                list.extend_from_slice(&version.to_bytes());
            }
            return put_value(to, &list.into());
        }
        Ask::Sums { bits } => {
            begin(SUMS);
            to.push(*bits);
        }
        Ask::Record(key) => {
            begin(RECORD);
            put_short(to, key.as_bytes());
        }
        Ask::Ring(id) => {
            begin(RING);
            to.extend_from_slice(&id.as_u64().to_be_bytes());
        }
    }
    None
}

/// The inverse of [`encode`] for an `ASK`; objects over `max_object_bytes` are refused.
///
/// # Errors
/// [`Violation`] for anything that [`encode`] does not write.
pub fn decode(payload: &[u8], max_object_bytes: usize, now: Timestamp) -> Result<AskHead, Violation> {
    let mut fields = Fields::new(payload, "ASK");
    let code = fields.u8()?;
    let time_left = take_millis(&mut fields)?;
    let (ask, body) = match code {
        COPY => {
            let (copy, body) = take_copy(&mut fields, max_object_bytes, now)?;
            (Ask::Copy(copy), body)
        }
        OFFER => {
            let (list, body) = take_value(&mut fields, MAX_OFFER_BYTES)?;
            (Ask::Offer(take_offer(&list)?), body)
        }
        SUMS => {
            let bits = fields.u8()?;
            if bits > MAX_SUM_BITS {
                return Err(Violation::OverLimit("parts of the key space"));
            }
            (Ask::Sums { bits }, Body::Here)
        }
        RING => (Ask::Ring(RingId::from_u64(fields.u64()?)), Body::Here),
        RECORD => (Ask::Record(take_key(&mut fields)?.into_owned()), Body::Here),
        _ => return Err(Violation::Malformed("ASK code")),
    };
    fields.end()?;
    Ok(AskHead { ask, body, time_left })
}

/// What is asked, with the bytes that were still to come.
///
/// # Errors
/// [`Violation`] when they are no offer.
pub fn with_value(mut ask: Ask, bytes: Bytes) -> Result<Ask, Violation> {
    match &mut ask {
        Ask::Copy(CopyOf { record: Record::Object(object), .. }) => object.value = bytes,
        Ask::Offer(keys) => *keys = take_offer(&bytes)?,
        Ask::Copy(_) | Ask::Heartbeat(_) | Ask::Record(_) | Ask::Sums { .. } | Ask::Ring(_) => {}
    }
    Ok(ask)
}

/// How large the value that it brings along is.
#[must_use]
pub const fn object_bytes(ask: &Ask) -> usize {
    match ask {
        Ask::Copy(CopyOf { record: Record::Object(object), .. }) => object.value.len(),
        _ => 0,
    }
}

fn put_copy(to: &mut Vec<u8>, copy: &CopyOf, now: Timestamp) -> Option<Bytes> {
    let CopyOf { key, record, copying, ring, ids } = copy;
    let (object, expires_at) = match record {
        Record::Object(object) => (Some(object), object.expires_at),
        Record::Tombstone { expires_at, .. } => (None, Some(*expires_at)),
    };
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    to.push(
        flag(expires_at.is_some(), HAS_EXPIRY)
            | flag(object.is_none(), TOMBSTONE)
            | flag(matches!(copying, Copying::Write(_)), WRITE)
            | flag(!ids.is_empty(), HAS_IDS),
    );
    to.extend_from_slice(&ring.as_u64().to_be_bytes());
    to.extend_from_slice(&record.version().to_bytes());
    if let Some(at) = expires_at {
        to.extend_from_slice(&at.as_millis().saturating_sub(now.as_millis()).to_be_bytes());
    }
    if let Copying::Write(term) = copying {
        put_term(to, *term);
    }
    put_short(to, key.as_bytes());
    if !ids.is_empty() {
        put_ids(to, ids);
    }
    let object = object?;
    put_content_type(to, &object.content_type);
    put_value(to, &object.value)
}

fn take_copy(fields: &mut Fields<'_>, limit: usize, now: Timestamp) -> Result<(CopyOf, Body), Violation> {
    let flags = fields.u8()?;
    let is_tombstone = flags & TOMBSTONE != 0;
    let is_endless = flags & HAS_EXPIRY == 0;
    if flags & !(HAS_EXPIRY | TOMBSTONE | WRITE | HAS_IDS) != 0 || is_tombstone && is_endless {
        return Err(Violation::Malformed("ASK flags"));
    }
    let ring = RingId::from_u64(fields.u64()?);
    let version = Version::from_bytes(fields.array()?);
    let expires_at = if is_endless { None } else { Some(now + Duration::from_millis(fields.u64()?)) };
    let copying = match flags & WRITE {
        0 => Copying::Handoff,
        _ => Copying::Write(take_term(fields)?),
    };
    let key = take_key(fields)?.into_owned();
    let ids = match flags & HAS_IDS {
        0 => Vec::new(),
        _ => match take_ids(fields)? {
            ids if ids.is_empty() => return Err(Violation::Malformed("number of ids")),
            ids => ids,
        },
    };
    let (record, body) = match expires_at {
        Some(expires_at) if is_tombstone => (Record::Tombstone { version, expires_at }, Body::Here),
        expires_at => {
            let content_type = take_content_type(fields)?;
            let (value, body) = take_value(fields, limit)?;
            (Record::Object(Object { value, content_type, version, expires_at }), body)
        }
    };
    Ok((CopyOf { key, record, copying, ring, ids }, body))
}

/// Their number, then each with the version it made.
pub(super) fn put_ids(to: &mut Vec<u8>, ids: &[(crate::object::OperationId, Version)]) {
    debug_assert!(ids.len() <= MAX_IDS);
    to.push(ids.len() as u8);
    for (id, version) in ids {
        put_id(to, *id);
        to.extend_from_slice(&version.to_bytes());
    }
}

pub(super) fn take_ids(
    fields: &mut Fields<'_>,
) -> Result<Vec<(crate::object::OperationId, Version)>, Violation> {
    let count = usize::from(fields.u8()?);
    if count > MAX_IDS {
        return Err(Violation::OverLimit("ids of operations"));
    }
    (0..count).map(|_| Ok((take_id(fields)?, Version::from_bytes(fields.array()?)))).collect()
}

fn take_offer(list: &[u8]) -> Result<Vec<(Key<'static>, Version)>, Violation> {
    let mut fields = Fields::new(list, "offer");
    let mut keys = Vec::new();
    while !fields.is_empty() {
        if keys.len() == MAX_OFFERS {
            return Err(Violation::OverLimit("keys of an offer"));
        }
        let key = take_key(&mut fields)?.into_owned();
        keys.push((key, Version::from_bytes(fields.array()?)));
    }
    Ok(keys)
}
