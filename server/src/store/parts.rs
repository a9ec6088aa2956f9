//! The bytes of an object on their way into the store: in which order they are stored, in cells of which size,
//! and what they count for.

use bytes::Bytes;

/// Key, value and inline content type of a small object take at most this much together.
pub(super) const MAX_PACKED_BYTES: usize = 1024;

/// What an object takes beyond its bytes, as measured: its entry (40), its share of the table (6 to 12), the
/// unused end of its cell, its share of pages with room.
pub(super) const OVERHEAD_BYTES: usize = 64;
/// What a large object takes beyond that: two handles, two allocations, the count of a shared value.
pub(super) const LOOSE_OVERHEAD_BYTES: usize = 112;

/// Up to here sizes are told apart by 8 bytes, above by 32.
const FINE_BYTES: usize = 256;
const FINE_STEP: usize = 8;
const COARSE_STEP: usize = 32;
pub(super) const CLASSES: usize = 1 + FINE_BYTES / FINE_STEP + (MAX_PACKED_BYTES - FINE_BYTES) / COARSE_STEP;

/// Which pages an object belongs into: those of [`Class::LOOSE`], or those with room for its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    /// For objects whose bytes are outside the page.
    pub(super) const LOOSE: Self = Self(0);

    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 256 classes")]
    pub(super) const fn of(bytes: usize) -> Self {
        if bytes > MAX_PACKED_BYTES {
            Self::LOOSE
        } else if bytes > FINE_BYTES {
            Self((FINE_BYTES / FINE_STEP + (bytes - FINE_BYTES).div_ceil(COARSE_STEP)) as u8)
        } else {
            Self(bytes.div_ceil(FINE_STEP) as u8)
        }
    }

    pub(super) const fn cell_bytes(self) -> usize {
        let fine = FINE_BYTES / FINE_STEP;
        let class = self.0 as usize;
        if class <= fine { class * FINE_STEP } else { FINE_BYTES + (class - fine) * COARSE_STEP }
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

pub(super) const fn cost(class: Class, bytes: usize) -> u64 {
    let loose = if class.0 == Class::LOOSE.0 { LOOSE_OVERHEAD_BYTES } else { 0 };
    (bytes + OVERHEAD_BYTES + loose) as u64
}

/// The bytes of an object, in the order in which they are stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    /// The content type, if it has no number.
    pub(super) media: Option<&'a str>,
    pub(super) key: &'a [u8],
    pub(super) value: &'a Bytes,
}

impl Parts<'_> {
    /// How many bytes come before the value.
    pub(super) fn head_bytes(&self) -> usize {
        self.media.map_or(0, |media| 1 + media.len()) + self.key.len()
    }

    fn bytes(&self) -> usize {
        self.head_bytes() + self.value.len()
    }

    pub(super) fn class(&self) -> Class {
        Class::of(self.bytes())
    }

    /// What the object counts for in `store.max_bytes`: its bytes, and what keeping them takes.
    pub(super) fn cost(&self) -> u64 {
        cost(self.class(), self.bytes())
    }

    pub(super) fn write_head(&self, mut out: &mut [u8]) {
        let length = self.media.map(|media| [u8::try_from(media.len()).unwrap_or(u8::MAX)]);
        let pieces =
            [length.as_ref().map_or(&[][..], |length| length), self.media.unwrap_or("").as_bytes(), self.key];
        for piece in pieces {
            let (to, rest) = out.split_at_mut(piece.len());
            to.copy_from_slice(piece);
            out = rest;
        }
    }
}
