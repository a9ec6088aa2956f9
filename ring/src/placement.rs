//! The rule that turns a digest into a preference list: every member, the most preferred first.
//!
//! A list is an iterator that allocates nothing: who asks for the owner pays for one step. Both rules are part of
//! what members agree on (see [`crate::RingId`]): to change one is to make a new placement with a new name.

use std::iter::FusedIterator;

use crate::set::MemberSet;
use crate::{Digest, MemberIndex, Ring};

/// How keys are given to members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Digest modulo the number of members, repeated on what is left. The owner is the one of Repose's addressing
    /// over all members, and with some of them damaged the one of Repose's addressing after taking out, one by
    /// one, those that stood in the way. So only the keys of damaged members move; in Repose most of all keys do.
    ///
    /// First and second entries are spread evenly. From the third on a share can be a third off the mean
    /// (with four members the third entries are 1 : 2 : 2 : 1), because a remainder modulo 4 determines the one
    /// modulo 2.
    #[default]
    Modulo,
    /// Highest random weight (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998): a
    /// change of one member in n moves 1/n of the keys, and only to or from that member.
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
#[derive(Clone, Debug)]
pub struct PreferenceList<'a> {
    ring: &'a Ring,
    left: usize,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Modulo { value: i128, taken: MemberSet },
    Rendezvous { scores: Scores, below: u64 },
}

impl<'a> PreferenceList<'a> {
    pub(crate) fn new(ring: &'a Ring, digest: Digest) -> Self {
        let rule = match ring.placement() {
            Placement::Modulo => Rule::Modulo { value: digest.value(), taken: MemberSet::EMPTY },
            Placement::Rendezvous => Rule::Rendezvous { scores: Scores::of(digest), below: u64::MAX },
        };
        Self { ring, left: ring.len(), rule }
    }
}

impl Iterator for PreferenceList<'_> {
    type Item = MemberIndex;

    fn next(&mut self) -> Option<MemberIndex> {
        if self.left == 0 {
            return None;
        }
        let member = match &mut self.rule {
            Rule::Modulo { value, taken } => {
                let nth = remainder(*value, self.left);
                // Of all, it is that one itself.
                let place = if self.left == self.ring.len() { nth } else { taken.nth_absent(nth) };
                taken.insert(MemberIndex::new(place));
                self.ring.at(place)
            }
            Rule::Rendezvous { scores, below } => {
                let lower = scores.all(self.ring).map(|score| if score < *below { score } else { 0 });
                *below = lower.fold(0, u64::max);
                self.ring.at(place_of(*below))
            }
        };
        self.left -= 1;
        Some(member)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for PreferenceList<'_> {}
impl FusedIterator for PreferenceList<'_> {}

/// The first of `members` in `digest`'s preference list, and its rank there, from 0. Nothing when the set is empty.
pub(crate) fn first_among(ring: &Ring, digest: Digest, members: &MemberSet) -> Option<(usize, MemberIndex)> {
    match ring.placement() {
        Placement::Modulo => {
            ring.preference_list(digest).enumerate().find(|(_, member)| members.contains(*member))
        }
        // Walking the list would weigh every member again at each step; this weighs them twice, however many
        // are not in the set.
        Placement::Rendezvous => {
            let scores = Scores::of(digest);
            let masks = ring.indices().iter().map(|member| members.mask(member.as_usize()));
            let masked = scores.all(ring).zip(masks).map(|(score, mask)| (score, score & mask));
            let (first, found) = masked.fold((0, 0), |(a, b), (c, d)| (u64::max(a, c), u64::max(b, d)));
            let rank =
                if first == found { 0 } else { scores.all(ring).filter(|score| *score > found).count() };
            (found != 0).then(|| (rank, ring.at(place_of(found))))
        }
    }
}

/// `value` modulo `members`, never negative.
fn remainder(value: i128, members: usize) -> usize {
    const PART_BITS: u32 = 48;
    const _: () =
        assert!((crate::MAX_MEMBERS as u64) < 1 << (u64::BITS - PART_BITS), "a remainder fits above a part");
    // In parts, as processors divide: dividing 128 bits at once takes a loop.
    let members = members as u64;
    let magnitude = if value < 0 { !value } else { value };
    let rest = [2 * PART_BITS, PART_BITS, 0].into_iter().fold(0, |rest, shift| {
        let part = (magnitude >> shift) as u64 & ((1 << PART_BITS) - 1);
        (rest << PART_BITS | part) % members
    });
    // A negative number's complement is one less than its magnitude.
    (if value < 0 { members - 1 - rest } else { rest }) as usize
}

/// The scores that one digest gives to members: the higher is preferred, and no two are equal.
#[derive(Clone, Copy, Debug)]
struct Scores(u64);

/// The lowest bits of a score tell whose it is: on equal weights the member that sorts first is preferred.
const PLACE: u64 = 0x7ff;
const _: () = assert!(crate::MAX_MEMBERS as u64 <= PLACE, "no score may be zero: zero means nobody");

impl Scores {
    const fn of(digest: Digest) -> Self {
        let value = digest.value() as u128;
        Self(value as u64 ^ ((value >> 64) as u64).rotate_left(32))
    }

    /// Every member's score, in the order of members.
    fn all(self, ring: &Ring) -> impl Iterator<Item = u64> {
        let places = (0..=PLACE).rev();
        ring.seeds().iter().zip(places).map(move |(seed, place)| self.weight(*seed) & !PLACE | place)
    }

    /// The output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
    /// 2014), which lets every bit of digest and seed change every bit of the weight with even chance.
    const fn weight(self, seed: u64) -> u64 {
        let mut mixed = self.0 ^ seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn place_of(score: u64) -> usize {
    (PLACE - (score & PLACE)) as usize
}

#[cfg(test)]
mod tests;
