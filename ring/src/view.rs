//! The ring and the health of its members at one moment: an immutable answer to "who executes this?".
//!
//! Invariant: self is always addressable, so there is always somebody.

use std::sync::Arc;

use crate::member::MAX_MEMBERS;
use crate::{Digest, Health, MemberIndex, Ring};

/// A snapshot. A change of health makes a new one; a lookup allocates nothing.
#[derive(Clone, Debug)]
pub struct View {
    ring: Arc<Ring>,
    me: MemberIndex,
    addressable: [u64; MAX_MEMBERS / 64],
}

/// In what capacity a member executes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is the first home member that is addressable.
    Owner,
    /// No home member is addressable; it is the next in the preference list.
    StandIn,
}

/// Who executes requests for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The member to ask.
    pub member: MemberIndex,
    /// As what it acts.
    pub role: Role,
}

impl View {
    /// Every member of `ring` addressable.
    #[must_use]
    pub fn all_online(ring: Arc<Ring>, me: MemberIndex) -> Self {
        Self { ring, me, addressable: [u64::MAX; MAX_MEMBERS / 64] }
    }

    /// Self, and whoever `health` has online.
    #[must_use]
    pub fn new(ring: Arc<Ring>, me: MemberIndex, health: &Health) -> Self {
        let mut addressable = [0; MAX_MEMBERS / 64];
        for (index, _) in ring.members().filter(|(index, _)| *index == me || health.is_online(*index)) {
            addressable[index.as_usize() / 64] |= 1 << (index.as_usize() % 64);
        }
        Self { ring, me, addressable }
    }

    /// The ring this is a view of.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// This member.
    #[must_use]
    pub const fn me(&self) -> MemberIndex {
        self.me
    }

    /// Whether requests are sent to `member`.
    #[must_use]
    pub const fn is_addressable(&self, member: MemberIndex) -> bool {
        self.addressable[member.as_usize() / 64] & 1 << (member.as_usize() % 64) != 0
    }

    /// Who executes requests for `digest` now.
    #[must_use]
    pub fn lookup(&self, digest: Digest) -> Lookup {
        let mut list = self.ring.preference_list(digest).enumerate();
        let found = list.find(|(_, member)| self.is_addressable(*member));
        // Self is addressable, so something was found.
        let (rank, member) = found.unwrap_or((0, self.me));
        Lookup { member, role: if rank < self.ring.replicas() { Role::Owner } else { Role::StandIn } }
    }

    /// The home members of `digest`, whatever their health.
    pub fn homes(&self, digest: Digest) -> impl Iterator<Item = MemberIndex> {
        self.ring.preference_list(digest).take(self.ring.replicas())
    }

    /// Whether `member` is a home member of `digest`.
    #[must_use]
    pub fn is_home(&self, digest: Digest, member: MemberIndex) -> bool {
        self.homes(digest).any(|home| home == member)
    }

    /// Who would execute in place of home members, in order: the addressable rest of the preference list.
    pub fn stand_ins(&self, digest: Digest) -> impl Iterator<Item = MemberIndex> {
        let rest = self.ring.preference_list(digest).skip(self.ring.replicas());
        rest.filter(|member| self.is_addressable(*member))
    }
}
