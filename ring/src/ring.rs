//! The ring: the configured members in their order, and how keys are placed on them.
//!
//! It knows nothing of health and never changes; a new configuration makes a new ring. Invariant: members are
//! sorted, distinct, 1 to [`MAX_MEMBERS`], and every key has 1 to that many home members.
//!
//! Members are known by their index in a roster: a sorted list that holds the ring's members and, while one ring
//! takes another's place, those of the other ring too. So both rings speak of a member by the same index.

use std::sync::Arc;

use crate::{Digest, MemberAddress, Placement, PreferenceList};

/// The most members a ring may have.
pub const MAX_MEMBERS: usize = 1024;

/// A member's place in the sorted list of all members that a node knows of: the roster of a [`Ring`].
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
    /// The ring's members, and perhaps others.
    roster: Arc<[MemberAddress]>,
    /// The members in their order.
    members: Vec<MemberIndex>,
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
        let roster = members.into();
        let members = (0..names.len()).map(MemberIndex::new).collect();
        Ok(Self { roster, members, seeds, placement, replicas, id })
    }

    /// The same rings with one roster, all of both: an index of either means the same member in both.
    ///
    /// # Errors
    /// [`RingError::TooManyMembers`] when together they have more than [`MAX_MEMBERS`].
    pub fn joined(self, other: Self) -> Result<(Self, Self), RingError> {
        let mut roster: Vec<_> = self.roster.iter().chain(other.roster.iter()).cloned().collect();
        roster.sort_unstable();
        roster.dedup();
        if roster.len() > MAX_MEMBERS {
            return Err(RingError::TooManyMembers(roster.len()));
        }
        let roster: Arc<[_]> = roster.into();
        Ok((self.on(&roster), other.on(&roster)))
    }

    /// The same ring with no members but its own in the roster.
    #[must_use]
    pub fn alone(self) -> Self {
        let roster = self.addresses().cloned().collect();
        self.on(&roster)
    }

    /// The same ring on another roster, which has all its members.
    fn on(self, roster: &Arc<[MemberAddress]>) -> Self {
        let places = self.addresses().filter_map(|address| roster.binary_search(address).ok());
        Self { members: places.map(MemberIndex::new).collect(), roster: Arc::clone(roster), ..self }
    }

    /// How many members there are: 1 to [`MAX_MEMBERS`].
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a ring is never empty")]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Every member, in order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (MemberIndex, &MemberAddress)> {
        self.members.iter().map(|index| (*index, &self.roster[index.as_usize()]))
    }

    fn addresses(&self) -> impl Iterator<Item = &MemberAddress> {
        self.members().map(|(_, address)| address)
    }

    /// Every address that has an index: this ring's members, and those of the ring it was joined with.
    pub fn roster(&self) -> impl ExactSizeIterator<Item = (MemberIndex, &MemberAddress)> {
        self.roster.iter().enumerate().map(|(index, address)| (MemberIndex::new(index), address))
    }

    /// The address with this index in the roster.
    ///
    /// # Panics
    /// When the index comes from another, longer roster.
    #[must_use]
    pub fn address(&self, index: MemberIndex) -> &MemberAddress {
        &self.roster[index.as_usize()]
    }

    /// The index of an address in the roster, if it is there.
    #[must_use]
    pub fn index_of(&self, address: &MemberAddress) -> Option<MemberIndex> {
        self.roster.binary_search(address).ok().map(MemberIndex::new)
    }

    /// Whether this ring, and not just the roster, has the member.
    #[must_use]
    pub fn has(&self, member: MemberIndex) -> bool {
        self.members.binary_search(&member).is_ok()
    }

    /// Which member stands at this place of the ring.
    pub(crate) fn at(&self, place: usize) -> MemberIndex {
        self.members[place]
    }

    /// The members' indices, in the order of the ring.
    pub(crate) fn indices(&self) -> &[MemberIndex] {
        &self.members
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
