//! The rule that turns a digest into a preference list: every member, the most preferred first.
//!
//! A list is an iterator that allocates nothing: who asks for the owner pays for one step.

use crate::Digest;
use crate::member::{MAX_MEMBERS, MemberIndex, Ring};

/// How keys are given to members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Digest modulo the number of members, repeated on what is left (Repose's addressing).
    #[default]
    Modulo,
    /// Highest random weight (Thaler and Ravishankar, 1998): a change of one member in n moves 1/n of the keys.
    Rendezvous,
}

/// Not the name of a placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a placement is \"modulo\" or \"rendezvous\"")]
pub struct PlacementError;

impl Placement {
    /// Its name in configuration, metrics and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Modulo => "modulo",
            Self::Rendezvous => "rendezvous",
        }
    }
}

impl std::fmt::Display for Placement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Placement {
    type Err = PlacementError;

    fn from_str(text: &str) -> Result<Self, PlacementError> {
        [Self::Modulo, Self::Rendezvous].into_iter().find(|known| known.name() == text).ok_or(PlacementError)
    }
}

/// Every member of a ring once, in one key's order of preference.
#[derive(Debug)]
pub struct PreferenceList<'a> {
    ring: &'a Ring,
    digest: Digest,
    taken: Taken,
}

impl<'a> PreferenceList<'a> {
    pub(crate) fn new(ring: &'a Ring, digest: Digest) -> Self {
        Self { ring, digest, taken: Taken::default() }
    }

    /// The digest's remainder selects among the members not yet taken, in their sorted order.
    fn next_by_modulo(&self, left: usize) -> usize {
        let remainder = self.digest.value().rem_euclid(left as i128) as usize;
        self.taken.nth_free(remainder)
    }

    fn next_by_weight(&self) -> Option<usize> {
        let seeds = self.ring.seeds().iter().enumerate();
        let free = seeds.filter(|(index, _)| !self.taken.contains(*index));
        // On equal weights the member that sorts first is preferred: `max_by_key` keeps the last, so reversed.
        free.rev().max_by_key(|(_, seed)| weight(self.digest, **seed)).map(|(index, _)| index)
    }
}

impl Iterator for PreferenceList<'_> {
    type Item = MemberIndex;

    fn next(&mut self) -> Option<MemberIndex> {
        let left = self.ring.len() - self.taken.count;
        let index = match self.ring.placement() {
            _ if left == 0 => return None,
            Placement::Modulo => self.next_by_modulo(left),
            Placement::Rendezvous => self.next_by_weight()?,
        };
        self.taken.insert(index);
        Some(MemberIndex::new(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.ring.len() - self.taken.count;
        (left, Some(left))
    }
}

impl ExactSizeIterator for PreferenceList<'_> {}

/// Mixes a digest with a member's seed; the finalizer is SplitMix64's, which spreads every input bit.
fn weight(digest: Digest, seed: u64) -> u64 {
    let value = digest.value() as u128;
    let mut mixed = (value as u64) ^ ((value >> 64) as u64).rotate_left(32) ^ seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The members already listed: one bit each, so that a list needs no allocation.
#[derive(Debug, Default)]
struct Taken {
    words: [u64; MAX_MEMBERS / 64],
    count: usize,
}

impl Taken {
    fn contains(&self, index: usize) -> bool {
        self.words[index / 64] & 1 << (index % 64) != 0
    }

    fn insert(&mut self, index: usize) {
        self.words[index / 64] |= 1 << (index % 64);
        self.count += 1;
    }

    /// The index of the `nth` member that is not taken, counting from zero.
    fn nth_free(&self, nth: usize) -> usize {
        let mut left = nth;
        for (at, word) in self.words.iter().enumerate() {
            let free = word.count_zeros() as usize;
            if left < free {
                let mut bits = !word;
                for _ in 0..left {
                    bits &= bits - 1;
                }
                return at * 64 + bits.trailing_zeros() as usize;
            }
            left -= free;
        }
        unreachable!("the caller asks for fewer members than are free")
    }
}
