//! A key's place in the key space: the 128-bit MD5 of its bytes, and its two other forms.
//!
//! MD5 is an address here, never a protection. The rules are Repose's, so that both systems send a key to
//! the same member.

use md5::{Digest as _, Md5};
use uuid::Uuid;

/// The MD5 digest of a key's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of `key`, any bytes of any length.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Md5::digest(key).into())
    }

    /// A digest known from elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes in MD5's own order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The digest as a number: signed, two's complement, big-endian. Unsigned would send every key whose
    /// first bit is set to another member, unless the number of members is a power of two.
    #[must_use]
    pub const fn value(&self) -> i128 {
        i128::from_be_bytes(self.0)
    }

    /// The UUID form that Repose's client puts into a request path: each half of the digest reversed.
    #[must_use]
    pub fn to_uuid(&self) -> Uuid {
        Uuid::from_bytes(reverse_halves(self.0))
    }

    /// The digest whose UUID form this is; the exact inverse of [`Digest::to_uuid`].
    #[must_use]
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(reverse_halves(uuid.into_bytes()))
    }
}

const fn reverse_halves(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
    [h, g, f, e, d, c, b, a, p, o, n, m, l, k, j, i]
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests;
