//! Which of two writes is the later one: a hybrid logical clock (Kulkarni et al., 2014).
//!
//! A version is 48 bits of milliseconds, 16 bits of counter and 32 bits of writer. The counter runs over into the
//! milliseconds when a clock stands still. Invariant: a member never hands out a version twice, and each is later
//! than every version that the member had seen; so a version is a strong entity tag too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{MemberAddress, Timestamp};

/// How many writes of one millisecond are told apart before the clock runs ahead of `now`.
const COUNTER_BITS: u32 = 16;

/// The order of writes. Compare with `<` and `>`; there is no other rule for conflicts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    time: u64,
    writer: WriterId,
}

/// Who wrote: the first four bytes of the MD5 of the member's address. It only breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterId(u32);

impl WriterId {
    /// The id of the member at `address`.
    #[must_use]
    pub fn of(address: &MemberAddress) -> Self {
        let digest = crate::Digest::of(address.to_string().as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self(u32::from_be_bytes([a, b, c, d]))
    }

    /// The id as a number.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

/// Why a text is not an entity tag of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entity tag of a stored object is 24 hexadecimal digits in double quotes")]
pub struct EntityTagError;

impl Version {
    /// How long [`Version::to_bytes`] is.
    pub const BYTES: usize = 12;

    /// The millisecond in which the write was made, for `Last-Modified`.
    #[must_use]
    pub const fn written_at(self) -> Timestamp {
        Timestamp::from_millis(self.time >> COUNTER_BITS)
    }

    /// Twelve bytes, big-endian: their order as bytes is the order of versions.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (time, writer) = bytes.split_at_mut(8);
        time.copy_from_slice(&self.time.to_be_bytes());
        writer.copy_from_slice(&self.writer.0.to_be_bytes());
        bytes
    }

    /// The inverse of [`Version::to_bytes`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self {
            time: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            writer: WriterId(u32::from_be_bytes([i, j, k, l])),
        }
    }

    /// How long an entity tag is, with its quotes.
    pub const ENTITY_TAG_BYTES: usize = Self::BYTES * 2 + 2;

    /// The strong entity tag (RFC 9110 section 8.8.3): 24 hexadecimal digits in double quotes.
    #[must_use]
    pub fn to_entity_tag(self) -> [u8; Self::ENTITY_TAG_BYTES] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut tag = [b'"'; Self::ENTITY_TAG_BYTES];
        let (pairs, _) = tag[1..].as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.to_bytes()) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        }
        tag
    }

    /// The version whose entity tag this is, quotes included; weak tags are not ours.
    ///
    /// # Errors
    /// [`EntityTagError`] for anything [`Version::to_entity_tag`] does not produce.
    pub fn from_entity_tag(tag: &[u8]) -> Result<Self, EntityTagError> {
        let digits =
            tag.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or(EntityTagError)?;
        let mut bytes = [0; Self::BYTES];
        let (pairs, odd) = digits.as_chunks::<2>();
        if pairs.len() != Self::BYTES || !odd.is_empty() {
            return Err(EntityTagError);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = lower_hex(*high)? << 4 | lower_hex(*low)?;
        }
        Ok(Self::from_bytes(bytes))
    }
}

fn lower_hex(digit: u8) -> Result<u8, EntityTagError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(EntityTagError),
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:08x}", self.time, self.writer.0)
    }
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Version({self})")
    }
}

/// A version from further ahead than a sane clock allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a version is {ahead:?} ahead of this member's clock; at most {:?} is accepted: check the clocks",
    VersionClock::MAX_AHEAD
)]
pub struct ClockSkew {
    /// How far ahead it is.
    pub ahead: Duration,
}

/// Hands out versions, each later than any handed out or observed before.
#[derive(Debug)]
pub struct VersionClock {
    last: AtomicU64,
    writer: WriterId,
}

impl VersionClock {
    /// How far ahead of our own clock an observed version may be.
    pub const MAX_AHEAD: Duration = Duration::from_secs(3600);

    /// A clock of `writer`'s.
    #[must_use]
    pub const fn new(writer: WriterId) -> Self {
        Self { last: AtomicU64::new(0), writer }
    }

    /// The next version: later than all before, and not before `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Version {
        let floor = now.as_millis().saturating_mul(1 << COUNTER_BITS);
        let step = |last: u64| floor.max(last.saturating_add(1));
        let last = self.last.update(Ordering::AcqRel, Ordering::Acquire, step);
        Version { time: step(last), writer: self.writer }
    }

    /// Learns of another member's version, so that ours will be later.
    ///
    /// # Errors
    /// [`ClockSkew`] when it is more than [`VersionClock::MAX_AHEAD`] ahead of `now`; it is then not learnt.
    pub fn observe(&self, version: Version, now: Timestamp) -> Result<(), ClockSkew> {
        let ahead = version.written_at().since(now);
        if ahead > Self::MAX_AHEAD {
            return Err(ClockSkew { ahead });
        }
        self.last.fetch_max(version.time, Ordering::AcqRel);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
