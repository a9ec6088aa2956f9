//! What a member tells when it is asked, as bytes: the part of an `ANSWER` that answers an `ASK`.
//!
//! Pure functions, as in `reply`, which calls them. Sums and the members of a ring are values to the stream: large
//! ones follow in pieces.

use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{MAX_MEMBERS, MemberAddress, Placement, Timestamp, Version};

use super::ask::{put_ids, take_ids};
use super::frame::{Fields, Violation};
use super::hello::{MAX_ADDRESS_BYTES, MIN_ASSEMBLY_BYTES};
use super::message::{Body, put_short, put_value, take_value};
use super::network::{Ask, Copied, MAX_OFFERS, MAX_SUM_BITS, RingDescription, Told};
use super::reply::{put_object, take_object};
use crate::object::Record;

const KEPT: u8 = 0x21;
const NEWER: u8 = 0x22;
const NOT_OWNER: u8 = 0x23;
const FULL: u8 = 0x24;
const SKEWED: u8 = 0x25;
const WANTED: u8 = 0x31;
const SUMS: u8 = 0x32;
const RING: u8 = 0x33;
const BUSY: u8 = 0x34;
const NO_RECORD: u8 = 0x35;
const OBJECT: u8 = 0x36;
const TOMBSTONE: u8 = 0x37;

/// A sum, in bytes.
const SUM_BYTES: usize = 8;

/// The longest list of members, in bytes.
const MAX_RING_BYTES: usize = MAX_MEMBERS * (2 + MAX_ADDRESS_BYTES);

const _: () = assert!(MAX_RING_BYTES <= MIN_ASSEMBLY_BYTES, "every member can be told");
const _: () = assert!(SUM_BYTES << MAX_SUM_BITS <= MIN_ASSEMBLY_BYTES, "every member can be told");

/// Whether it is what `ask` asked for.
#[must_use]
pub const fn answers(told: &Told, ask: &Ask) -> bool {
    match (told, ask) {
        (Told::Wanted(wanted), Ask::Offer(keys)) => wanted.len() == keys.len(),
        (Told::Sums(sums), Ask::Sums { bits }) => sums.len() == SUM_BYTES << *bits,
        (Told::Heartbeat(_), Ask::Heartbeat(_))
        | (Told::Copied(_), Ask::Copy(_))
        | (Told::Ring(_), Ask::Ring(_))
        | (Told::Record(..), Ask::Record(_))
        | (Told::Busy, _) => true,
        _ => false,
    }
}

/// Appends its code and what belongs to that; a heartbeat travels in a frame of its own. A value too large for the
/// frame is left out, announced and returned.
pub(super) fn encode(to: &mut Vec<u8>, told: &Told, now: Timestamp) -> Option<Bytes> {
    match told {
        Told::Heartbeat(_) | Told::Busy => to.push(BUSY),
        Told::Copied(Copied::Kept) => to.push(KEPT),
        Told::Copied(Copied::NotOwner) => to.push(NOT_OWNER),
        Told::Copied(Copied::Full) => to.push(FULL),
        Told::Copied(Copied::Skewed) => to.push(SKEWED),
        Told::Copied(Copied::Newer(version)) => {
            to.push(NEWER);
            to.extend_from_slice(&version.to_bytes());
        }
        Told::Record(None, ids) => {
            to.push(NO_RECORD);
            put_ids(to, ids);
        }
        Told::Record(Some(Record::Object(object)), ids) => {
            to.push(OBJECT);
            put_ids(to, ids);
            return put_object(to, object, now);
        }
        Told::Record(Some(Record::Tombstone { version, expires_at }), ids) => {
            to.push(TOMBSTONE);
            put_ids(to, ids);
            to.extend_from_slice(&version.to_bytes());
            to.extend_from_slice(&expires_at.as_millis().saturating_sub(now.as_millis()).to_be_bytes());
        }
        Told::Wanted(wanted) => {
            to.push(WANTED);
            put_wanted(to, wanted);
        }
        Told::Sums(sums) => {
            to.push(SUMS);
            return put_value(to, sums);
        }
        Told::Ring(ring) => {
            to.push(RING);
            return put_ring(to, ring);
        }
    }
    None
}

/// The inverse of [`encode`]: what follows `code`. None for a code that answers no `ASK`.
pub(super) fn decode(
    code: u8,
    fields: &mut Fields<'_>,
    max_value_bytes: usize,
    now: Timestamp,
) -> Result<Option<(Told, Body)>, Violation> {
    let told = match code {
        KEPT => Told::Copied(Copied::Kept),
        NEWER => Told::Copied(Copied::Newer(Version::from_bytes(fields.array()?))),
        NOT_OWNER => Told::Copied(Copied::NotOwner),
        FULL => Told::Copied(Copied::Full),
        SKEWED => Told::Copied(Copied::Skewed),
        BUSY => Told::Busy,
        NO_RECORD => Told::Record(None, take_ids(fields)?),
        OBJECT => {
            let ids = take_ids(fields)?;
            let (object, body) = take_object(fields, max_value_bytes, now)?;
            return Ok(Some((Told::Record(Some(Record::Object(object)), ids), body)));
        }
        TOMBSTONE => {
            let ids = take_ids(fields)?;
            let version = Version::from_bytes(fields.array()?);
            let expires_at = now + Duration::from_millis(fields.u64()?);
            Told::Record(Some(Record::Tombstone { version, expires_at }), ids)
        }
        WANTED => Told::Wanted(take_wanted(fields)?),
        SUMS => {
            let (sums, body) = take_value(fields, SUM_BYTES << MAX_SUM_BITS)?;
            let length = if let Body::Follows(length) = body { length } else { sums.len() };
            if length < SUM_BYTES || !length.is_power_of_two() {
                return Err(Violation::Malformed("number of sums"));
            }
            return Ok(Some((Told::Sums(sums), body)));
        }
        RING => {
            let (ring, body) = take_ring(fields)?;
            return Ok(Some((Told::Ring(ring), body)));
        }
        _ => return Ok(None),
    };
    Ok(Some((told, Body::Here)))
}

/// What was told, with the bytes that were still to come.
pub(super) fn with_value(mut told: Told, bytes: Bytes) -> Result<Told, Violation> {
    match &mut told {
        Told::Sums(sums) => *sums = bytes,
        Told::Record(Some(Record::Object(object)), _) => object.value = bytes,
        Told::Ring(ring) => ring.members = take_members(&bytes)?,
        Told::Heartbeat(_) | Told::Copied(_) | Told::Record(..) | Told::Wanted(_) | Told::Busy => {}
    }
    Ok(told)
}

/// Their number, then a bit for each, the first one in the lowest place.
fn put_wanted(to: &mut Vec<u8>, wanted: &[bool]) {
    debug_assert!(wanted.len() <= MAX_OFFERS);
    to.extend_from_slice(&(wanted.len() as u16).to_be_bytes());
    to.extend(wanted.chunks(8).map(|eight| {
        eight.iter().enumerate().fold(0, |byte, (place, is_wanted)| byte | u8::from(*is_wanted) << place)
    }));
}

fn take_wanted(fields: &mut Fields<'_>) -> Result<Vec<bool>, Violation> {
    let count = usize::from(fields.u16()?);
    if count > MAX_OFFERS {
        return Err(Violation::OverLimit("keys that are wanted"));
    }
    let bytes = fields.take(count.div_ceil(8))?;
    let mut bits = bytes.iter().flat_map(|byte| (0..8).map(move |place| byte >> place & 1 == 1));
    let wanted = bits.by_ref().take(count).collect();
    if bits.any(|bit| bit) {
        return Err(Violation::Malformed("bits behind the last key"));
    }
    Ok(wanted)
}

fn put_ring(to: &mut Vec<u8>, ring: &RingDescription) -> Option<Bytes> {
    to.push(placement_code(ring.placement));
    to.extend_from_slice(&u32::try_from(ring.replicas).unwrap_or(u32::MAX).to_be_bytes());
    let mut list = Vec::new();
    for member in &ring.members {
        put_short(&mut list, member.to_string().as_bytes());
    }
    put_value(to, &list.into())
}

fn take_ring(fields: &mut Fields<'_>) -> Result<(RingDescription, Body), Violation> {
    let code = fields.u8()?;
    let placement = [Placement::Modulo, Placement::Rendezvous]
        .into_iter()
        .find(|known| placement_code(*known) == code)
        .ok_or(Violation::Malformed("placement"))?;
    let replicas = fields.u32()? as usize;
    let (list, body) = take_value(fields, MAX_RING_BYTES)?;
    Ok((RingDescription { members: take_members(&list)?, placement, replicas }, body))
}

fn take_members(list: &[u8]) -> Result<Vec<MemberAddress>, Violation> {
    let mut fields = Fields::new(list, "members of a ring");
    let mut members = Vec::new();
    while !fields.is_empty() {
        if members.len() == MAX_MEMBERS {
            return Err(Violation::OverLimit("members of a ring"));
        }
        let length = usize::from(fields.u16()?);
        let member = std::str::from_utf8(fields.take(length)?).map_err(fields.malformed())?;
        members.push(member.parse().map_err(fields.malformed())?);
    }
    Ok(members)
}

const fn placement_code(placement: Placement) -> u8 {
    match placement {
        Placement::Modulo => 1,
        Placement::Rendezvous => 2,
    }
}
