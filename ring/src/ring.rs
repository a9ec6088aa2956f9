//! The ring: the configured members in their order, and how keys are placed on them.
//!
//! It knows nothing of health and never changes; a new configuration makes a new ring. Invariant: members are
//! sorted, distinct, 1 to [`MAX_MEMBERS`], and every key has 1 to that many home members.

use crate::{Digest, MemberAddress, Placement, PreferenceList};

/// The most members a ring may have.
pub const MAX_MEMBERS: usize = 1024;

/// A member's place in the sorted member list of one [`Ring`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberIndex(u16);

impl MemberIndex {
    pub(crate) fn new(index: usize) -> Self {
        debug_assert!(index < MAX_MEMBERS);
        Self(index as u16)
    }

    /// The index as a number, from 0.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// What two nodes must agree on to send keys to the same places: a hash of members, placement and replicas.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RingId(u64);

impl RingId {
    /// The id as a number, as it travels between members.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// An id that another member sent.
    #[must_use]
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }
}

impl std::fmt::Display for RingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::fmt::Debug for RingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RingId({self})")
    }
}

/// The configured members in their order, and how keys are placed on them. It never changes; a new
/// configuration makes a new ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    members: Vec<MemberAddress>,
    /// What stands for each member in rendezvous: the first eight bytes of the MD5 of its address.
    seeds: Vec<u64>,
    placement: Placement,
    replicas: usize,
    id: RingId,
}

/// Why members do not form a ring.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// No member at all.
    #[error("a ring has at least one member")]
    NoMembers,
    /// More than [`MAX_MEMBERS`].
    #[error("a ring has at most {MAX_MEMBERS} members, not {0}")]
    TooManyMembers(usize),
    /// The same address twice.
    #[error("member {0} is listed twice; list each member once")]
    Duplicate(MemberAddress),
    /// `replicas` is zero or more than there are members.
    #[error("replicas is {replicas}; with {members} members it is 1 to {members}")]
    BadReplicas {
        /// What was asked for.
        replicas: usize,
        /// How many members there are.
        members: usize,
    },
}

impl Ring {
    /// A ring of these members, in any order; each key has `replicas` home members.
    ///
    /// # Errors
    /// [`RingError`] for an empty or over-long list, a duplicate, or more replicas than members.
    pub fn new(
        members: impl IntoIterator<Item = MemberAddress>,
        placement: Placement,
        replicas: usize,
    ) -> Result<Self, RingError> {
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_unstable();
        if members.is_empty() {
            return Err(RingError::NoMembers);
        }
        if members.len() > MAX_MEMBERS {
            return Err(RingError::TooManyMembers(members.len()));
        }
        if let Some([twice, _]) = members.array_windows().find(|[one, other]| one == other) {
            return Err(RingError::Duplicate(twice.clone()));
        }
        if !(1..=members.len()).contains(&replicas) {
            return Err(RingError::BadReplicas { replicas, members: members.len() });
        }
        let names: Vec<_> = members.iter().map(ToString::to_string).collect();
        let seeds = names.iter().map(|name| first_word(name)).collect();
        let id = RingId(first_word(&format!("{}|{placement}|{replicas}", names.join(","))));
        Ok(Self { members, seeds, placement, replicas, id })
    }

    /// How many members there are: 1 to [`MAX_MEMBERS`].
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a ring is never empty")]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Every member, in order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (MemberIndex, &MemberAddress)> {
        self.members.iter().enumerate().map(|(index, member)| (MemberIndex::new(index), member))
    }

    /// The address of a member of this ring.
    ///
    /// # Panics
    /// When the index comes from another, longer ring.
    #[must_use]
    pub fn address(&self, index: MemberIndex) -> &MemberAddress {
        &self.members[index.as_usize()]
    }

    /// Where a member stands, if it is one.
    #[must_use]
    pub fn index_of(&self, address: &MemberAddress) -> Option<MemberIndex> {
        self.members.binary_search(address).ok().map(MemberIndex::new)
    }

    /// How keys are placed.
    #[must_use]
    pub const fn placement(&self) -> Placement {
        self.placement
    }

    /// How many home members a key has.
    #[must_use]
    pub const fn replicas(&self) -> usize {
        self.replicas
    }

    /// What must be equal on every member.
    #[must_use]
    pub const fn id(&self) -> RingId {
        self.id
    }

    /// All members in `digest`'s order of preference; the first [`Ring::replicas`] are its home members.
    #[must_use]
    pub fn preference_list(&self, digest: Digest) -> PreferenceList<'_> {
        PreferenceList::new(self, digest)
    }

    pub(crate) fn seeds(&self) -> &[u64] {
        &self.seeds
    }
}

fn first_word(text: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(text.as_bytes()).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests;
