//! What is kept about an object besides its key and value, in 40 bytes; of a tombstone there is nothing else.
//!
//! An entry never moves on its own: whoever moves it repairs the lists that it is linked into.

use std::sync::atomic::{AtomicU8, Ordering};

use ringhold_ring::{Timestamp, Version};

use super::media::Media;

/// Where an entry is, within its shard: the page, and the place in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell(u32);

/// Bits of a [`Cell`] that count within the page.
const PLACE_BITS: u32 = 6;

impl Cell {
    /// The most entries in a page: one bit each in a `u64`.
    pub(super) const PER_PAGE: usize = 1 << PLACE_BITS;
    /// The most pages in a shard; it leaves the highest bit of a [`Link`] free.
    pub(super) const MAX_PAGES: usize = 1 << (31 - PLACE_BITS);

    #[expect(
        clippy::cast_possible_truncation,
        reason = "pages and places are bounded by the constants above"
    )]
    pub(super) const fn new(page: usize, place: usize) -> Self {
        debug_assert!(page < Self::MAX_PAGES && place < Self::PER_PAGE);
        Self((page as u32) << PLACE_BITS | place as u32)
    }

    pub(super) const fn page(self) -> usize {
        (self.0 >> PLACE_BITS) as usize
    }

    pub(super) const fn place(self) -> usize {
        (self.0 & (Self::PER_PAGE as u32 - 1)) as usize
    }
}

/// One end of an entry in a list: nothing, another entry, or the list itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link(u32);

/// What a [`Link`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The entry is in no list, or the last of it.
    Nothing,
    /// A neighbour.
    Cell(Cell),
    /// The entry is the first of this list.
    List(u16),
}

impl Link {
    pub(super) const NOTHING: Self = Self(u32::MAX);
    const LIST: u32 = 1 << 31;

    pub(super) const fn cell(cell: Cell) -> Self {
        Self(cell.0)
    }

    pub(super) const fn list(list: u16) -> Self {
        Self(Self::LIST | list as u32)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a list's number was a u16")]
    pub(super) const fn end(self) -> End {
        match self.0 {
            u32::MAX => End::Nothing,
            list if list & Self::LIST != 0 => End::List(list as u16),
            cell => End::Cell(Cell(cell)),
        }
    }
}

/// An entry's two neighbours in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) before: Link,
    pub(super) after: Link,
}

impl Links {
    pub(super) const NONE: Self = Self { before: Link::NOTHING, after: Link::NOTHING };
}

/// When an object ceases to exist, in six bytes of milliseconds; all ones: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiry([u8; 6]);

impl Expiry {
    /// How many bits count milliseconds. That is enough until the year 10889.
    pub(super) const BITS: u32 = 48;
    const NEVER_MILLIS: u64 = (1 << Self::BITS) - 1;
    pub(super) const NEVER: Self = Self([0xff; 6]);

    /// Later than can be told apart is the last moment before "never".
    pub(super) fn new(at: Option<Timestamp>) -> Self {
        at.map_or(Self::NEVER, |at| {
            let [a, b, c, d, e, f, ..] = at.as_millis().min(Self::NEVER_MILLIS - 1).to_le_bytes();
            Self([a, b, c, d, e, f])
        })
    }

    const fn as_millis(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    pub(super) fn at(self) -> Option<Timestamp> {
        (self != Self::NEVER).then(|| Timestamp::from_millis(self.as_millis()))
    }

    pub(super) fn is_over(self, now: Timestamp) -> bool {
        self != Self::NEVER && self.as_millis() <= now.as_millis()
    }
}

/// How often an object was used lately, in few steps, and which queue it stands in. Readers raise it under a
/// shared lock; a lost step is of no consequence.
#[derive(Debug, Default)]
pub(super) struct Heat(AtomicU8);

impl Heat {
    /// More use than this is not told apart.
    pub(super) const MAX: u8 = 3;
    const MAIN: u8 = 0x80;

    pub(super) fn rise(&self) {
        let heat = self.0.load(Ordering::Relaxed);
        // A hot object's byte is left alone, so that its cache line is not bounced between cores.
        if heat & !Self::MAIN < Self::MAX {
            self.0.store(heat + 1, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed) & !Self::MAIN
    }

    pub(super) fn set(&mut self, heat: u8) {
        let byte = self.0.get_mut();
        *byte = *byte & Self::MAIN | heat;
    }

    pub(super) fn is_in_main(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::MAIN != 0
    }

    pub(super) fn enter_main(&mut self) {
        *self.0.get_mut() |= Self::MAIN;
    }
}

/// What an entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Tombstone,
}

impl Kind {
    pub(super) const fn of(media: u8) -> Self {
        if media == Media::TOMBSTONE { Self::Tombstone } else { Self::Object }
    }
}

/// What is kept about an object besides its bytes.
#[derive(Debug)]
pub(super) struct Entry {
    version: [u8; Version::BYTES],
    pub(super) expiry: Expiry,
    /// Length of the key.
    pub(super) key_bytes: u16,
    /// Length of the value, when it lies in the same page.
    pub(super) value_bytes: u16,
    /// The content type, as [`Media`] knows it.
    pub(super) media: u8,
    pub(super) heat: Heat,
    /// Neighbours among those that expire at about the same time.
    pub(super) timer: Links,
    /// Neighbours in the order of eviction.
    pub(super) queue: Links,
}

impl Entry {
    /// What a place in a page holds that no object is in.
    pub(super) fn vacant() -> Self {
        Self {
            version: [0; Version::BYTES],
            expiry: Expiry::NEVER,
            key_bytes: 0,
            value_bytes: 0,
            media: 0,
            heat: Heat::default(),
            timer: Links::NONE,
            queue: Links::NONE,
        }
    }

    pub(super) const fn kind(&self) -> Kind {
        Kind::of(self.media)
    }

    pub(super) const fn version(&self) -> Version {
        Version::from_bytes(self.version)
    }

    pub(super) fn set_version(&mut self, version: Version) {
        self.version = version.to_bytes();
    }
}

const _: () = assert!(size_of::<Entry>() == 40, "an object's entry has grown");
