//! A set of members of one ring: one bit each, so that it lives on the stack and a lookup allocates nothing.
//!
//! Invariant: only places below [`MAX_MEMBERS`] are ever in it.

use crate::{MAX_MEMBERS, MemberIndex};

const WORD_BITS: usize = u64::BITS as usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberSet([u64; MAX_MEMBERS / WORD_BITS]);

impl MemberSet {
    pub(crate) const EMPTY: Self = Self([0; MAX_MEMBERS / WORD_BITS]);

    pub(crate) const fn contains(&self, member: MemberIndex) -> bool {
        let at = member.as_usize();
        self.0[at / WORD_BITS] & 1 << (at % WORD_BITS) != 0
    }

    pub(crate) const fn insert(&mut self, member: MemberIndex) {
        let at = member.as_usize();
        self.0[at / WORD_BITS] |= 1 << (at % WORD_BITS);
    }

    /// All ones when the member at this place is in the set, else zero: for arithmetic without branches.
    pub(crate) const fn mask(&self, at: usize) -> u64 {
        // The second modulus changes nothing and spares the check of bounds: this runs for every member of a ring.
        (self.0[at / WORD_BITS % (MAX_MEMBERS / WORD_BITS)] >> (at % WORD_BITS) & 1).wrapping_neg()
    }

    /// The place of the `nth` member that is not in the set, counting from zero.
    pub(crate) fn nth_absent(&self, nth: usize) -> usize {
        let mut left = nth;
        for (word, at) in self.0.iter().zip((0..).step_by(WORD_BITS)) {
            let absent = word.count_zeros() as usize;
            if left < absent {
                return at + nth_one(!word, left);
            }
            left -= absent;
        }
        unreachable!("asked for member {nth} of those not in a set that lacks fewer")
    }
}

impl FromIterator<MemberIndex> for MemberSet {
    fn from_iter<I: IntoIterator<Item = MemberIndex>>(members: I) -> Self {
        let mut set = Self::EMPTY;
        members.into_iter().for_each(|member| set.insert(member));
        set
    }
}

/// The place of the `nth` one bit, counting from zero: halves the word until one bit is left.
fn nth_one(word: u64, nth: usize) -> usize {
    let (mut word, mut nth, mut at) = (word, nth, 0);
    for half in [32, 16, 8, 4, 2, 1] {
        let ones = (word & ((1 << half) - 1)).count_ones() as usize;
        if nth >= ones {
            nth -= ones;
            word >>= half;
            at += half;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(members: &[usize]) -> MemberSet {
        members.iter().map(|at| MemberIndex::new(*at)).collect()
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let some = set(&[0, 63, 64, 1023]);
        for at in 0..MAX_MEMBERS {
            let expected = [0, 63, 64, 1023].contains(&at);
            assert_eq!(some.contains(MemberIndex::new(at)), expected, "{at}");
            assert_eq!(some.mask(at), if expected { u64::MAX } else { 0 }, "{at}");
        }
    }

    proptest! {
        #[test]
        fn the_nth_absent_member_is_the_nth_in_a_plain_list(present in prop::collection::btree_set(0..MAX_MEMBERS, 0..MAX_MEMBERS)) {
            let members = set(&present.iter().copied().collect::<Vec<_>>());
            let absent = (0..MAX_MEMBERS).filter(|at| !present.contains(at));
            for (nth, at) in absent.enumerate() {
                prop_assert_eq!(members.nth_absent(nth), at);
            }
        }
    }
}
