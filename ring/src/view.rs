//! The ring and the health of its members at one moment: an immutable answer to "who executes this, and who else
//! keeps it?".
//!
//! Invariant: self is always addressable, so there is always somebody.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::placement::first_among;
use crate::set::MemberSet;
use crate::{Digest, Health, Incarnation, MemberAddress, MemberIndex, Ring};

/// A snapshot. A change of health makes a new one; no lookup allocates (`tests/allocations.rs` shows it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    ring: Arc<Ring>,
    other: Option<Arc<Ring>>,
    me: MemberIndex,
    addressable: MemberSet,
    receiving: MemberSet,
    reached: MemberSet,
    acting: MemberSet,
    ready: MemberSet,
    returned: MemberSet,
    incarnations: Vec<Option<Incarnation>>,
    leaving: bool,
}

/// Members to whom something is sent: nearly always few.
pub type FewMembers = SmallVec<[MemberIndex; 4]>;

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
    /// Every member of `ring` addressable, and taking copies.
    #[must_use]
    pub fn all_online(ring: Arc<Ring>, me: MemberIndex) -> Self {
        let addressable: MemberSet = ring.roster().map(|(index, _)| index).collect();
        Self::of(ring, me, addressable)
    }

    /// Self, and whoever `health` has online; the same members take copies.
    #[must_use]
    pub fn new(ring: Arc<Ring>, me: MemberIndex, health: &Health) -> Self {
        let online = ring.roster().map(|(index, _)| index).filter(|index| health.is_online(*index));
        let addressable: MemberSet = online.chain([me]).collect();
        Self::of(ring, me, addressable)
    }

    fn of(ring: Arc<Ring>, me: MemberIndex, addressable: MemberSet) -> Self {
        let (receiving, reached, acting, ready) = (addressable, addressable, addressable, addressable);
        let returned = MemberSet::EMPTY;
        Self {
            ring,
            other: None,
            me,
            addressable,
            receiving,
            reached,
            acting,
            ready,
            returned,
            incarnations: Vec::new(),
            leaving: false,
        }
    }

    /// The same with members last heard of in these incarnations, in the order of the roster; self is in its own.
    #[must_use]
    pub fn in_incarnations(self, incarnations: impl IntoIterator<Item = Option<Incarnation>>) -> Self {
        Self { incarnations: incarnations.into_iter().collect(), ..self }
    }

    /// The same with `members` ready, and in possession of all that they should keep, though they are not addressable
    /// yet: where copies are kept, they are asked rather than a stand-in.
    #[must_use]
    pub fn returned(self, members: impl IntoIterator<Item = MemberIndex>) -> Self {
        let returned =
            if self.ring.replicas() > 1 { members.into_iter().collect() } else { MemberSet::EMPTY };
        Self { returned, ..self }
    }

    /// The same while `other` (on the same roster) is on its way in or out: its home members keep copies too.
    #[must_use]
    pub fn beside(self, other: Option<Arc<Ring>>) -> Self {
        Self { other, ..self }
    }

    /// The same with `members` taking copies besides those that are addressable: those that are being handed what
    /// they have missed.
    #[must_use]
    pub fn receiving(mut self, members: impl IntoIterator<Item = MemberIndex>) -> Self {
        members.into_iter().for_each(|member| self.receiving.insert(member));
        self
    }

    /// The same with `members` there, whether they take copies yet or not: they may act in place of self.
    #[must_use]
    pub fn reaching(mut self, members: impl IntoIterator<Item = MemberIndex>) -> Self {
        members.into_iter().for_each(|member| self.reached.insert(member));
        self
    }

    /// The same with `members` executing requests, besides those that are addressable.
    #[must_use]
    pub fn acting(mut self, members: impl IntoIterator<Item = MemberIndex>) -> Self {
        members.into_iter().for_each(|member| self.acting.insert(member));
        self
    }

    /// The same with these `members`, of whom self may be one, in possession of what they should keep, and nobody else that
    /// does not act.
    #[must_use]
    pub fn ready(self, members: impl IntoIterator<Item = MemberIndex>) -> Self {
        Self { ready: members.into_iter().collect(), ..self }
    }

    /// The same with this member on its way out: others keep what it keeps, as if it were gone.
    #[must_use]
    pub fn leaving(self) -> Self {
        Self { leaving: true, ..self }
    }

    /// Whether this member is on its way out.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// The ring by which requests are sent to members.
    #[must_use]
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// The ring that is on its way in or out, while one is.
    #[must_use]
    pub fn other(&self) -> Option<&Arc<Ring>> {
        self.other.as_ref()
    }

    /// This member.
    #[must_use]
    pub const fn me(&self) -> MemberIndex {
        self.me
    }

    /// The incarnation in which `member` was last heard of.
    #[must_use]
    pub fn incarnation(&self, member: MemberIndex) -> Option<Incarnation> {
        self.incarnations.get(member.as_usize()).copied().flatten()
    }

    /// Whether requests are sent to `member`.
    #[must_use]
    pub const fn is_addressable(&self, member: MemberIndex) -> bool {
        self.addressable.contains(member)
    }

    /// Whether requests are sent to the member with this address.
    #[must_use]
    pub fn is_addressable_at(&self, address: &MemberAddress) -> bool {
        self.ring.index_of(address).is_some_and(|member| self.is_addressable(member))
    }

    /// Whether new writes are copied to `member` where it is a home member.
    #[must_use]
    pub const fn is_receiving(&self, member: MemberIndex) -> bool {
        self.receiving.contains(member)
    }

    /// How many members of the ring are addressable, self included.
    #[must_use]
    pub fn addressable(&self) -> usize {
        self.ring.indices().iter().filter(|member| self.is_addressable(**member)).count()
    }

    /// Whether there is nobody but self, on the roster of either ring.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.ring.roster().len() == 1
    }

    /// Who executes requests for `digest` now.
    ///
    /// In a ring of 200 this takes 40 ns with modulo and 450 ns with rendezvous, 100 ns and 650 ns with half of the
    /// members damaged (one core of a 2023 server; `benches/lookup.rs`). With nobody but self online, modulo walks
    /// half of the list on average, 5 microseconds; rendezvous takes 750 ns.
    #[must_use]
    pub fn lookup(&self, digest: Digest) -> Lookup {
        // Self is addressable, so something is found, unless self is not in this ring and nobody of it is there.
        let nobody = (self.ring.len(), self.me);
        let (rank, member) = first_among(&self.ring, digest, &self.addressable).unwrap_or(nobody);
        if rank >= self.ring.replicas()
            && let Some(member) = self.homes(digest).find(|home| self.returned.contains(*home))
        {
            return Lookup { member, role: Role::Owner };
        }
        Lookup { member, role: if rank < self.ring.replicas() { Role::Owner } else { Role::StandIn } }
    }

    /// The same as if `absent` were not addressable.
    #[must_use]
    pub fn lookup_without(&self, digest: Digest, absent: Option<MemberIndex>) -> Lookup {
        let mut list = self.ring.preference_list(digest).enumerate();
        let found = list.find(|(_, member)| self.is_addressable(*member) && Some(*member) != absent);
        let (rank, member) = found.unwrap_or((self.ring.len(), self.me));
        let mut returned = self.homes(digest).filter(|home| self.returned.contains(*home));
        if rank >= self.ring.replicas()
            && let Some(member) = returned.find(|home| Some(*home) != absent)
        {
            return Lookup { member, role: Role::Owner };
        }
        Lookup { member, role: if rank < self.ring.replicas() { Role::Owner } else { Role::StandIn } }
    }

    /// Who better executes requests than self, which must not act; nobody: self does. `absent` does not act either: it has
    /// asked self to.
    ///
    /// A home member that acts comes first, then one that has everything, then a stand-in that acts; of several, the first
    /// of the preference list, so that members that see the same agree. Where there is one copy, what was written while its
    /// home member was away is with the stand-in.
    #[must_use]
    pub fn substitute(&self, digest: Digest, absent: Option<MemberIndex>) -> Option<Lookup> {
        let (me, replicas) = (self.me, self.ring.replicas());
        let fitness = |(rank, member): &(usize, MemberIndex)| {
            let (is_home, is_ready) = (*rank < replicas, self.ready.contains(*member));
            let acts = *member != me && Some(*member) != absent && self.acting.contains(*member);
            match (is_home, acts) {
                (true, true) => 0,
                (true, false) if is_ready && replicas > 1 => 1,
                (false, true) => 2,
                (true, false) if is_ready => 3,
                (false, false) if is_ready => 4,
                (_, false) => 5,
            }
        };
        let list = self.ring.preference_list(digest).enumerate();
        let there = list.filter(|(_, member)| *member == me || self.reached.contains(*member));
        let (rank, member) = there.min_by_key(fitness)?;
        let role = if rank < replicas { Role::Owner } else { Role::StandIn };
        (member != me).then_some(Lookup { member, role })
    }

    /// Whether self executes requests for `digest` as a stand-in, and `member` would in place of self if it were
    /// addressable. What self holds of other keys without being a home member may be old.
    #[must_use]
    pub fn gives_way(&self, digest: Digest, member: MemberIndex) -> bool {
        self.lookup(digest).member == self.me && self.would_stand_in(digest, member)
    }

    /// Whether `member` would execute requests for `digest` if it were addressable: no home member is, and it stands
    /// before every other that is.
    fn would_stand_in(&self, digest: Digest, member: MemberIndex) -> bool {
        let mut list = self.ring.preference_list(digest).enumerate();
        let first = list.find(|(_, other)| *other == member || self.is_addressable(*other));
        first.is_some_and(|(rank, first)| first == member && rank >= self.ring.replicas())
    }

    /// Whether `member` will execute requests for `digest`, which self keeps, once the ring beside this one is used: it
    /// is to have what is stored there by then, home member or not.
    #[must_use]
    pub fn is_next(&self, digest: Digest, member: MemberIndex) -> bool {
        let is_kept = || self.homes(digest).chain([self.lookup(digest).member]).any(|kept| kept == self.me);
        self.next(digest) == Some(member) && is_kept()
    }

    /// Who will execute requests for `digest` once the ring beside this one is used: by then, who takes copies is
    /// addressable.
    #[must_use]
    pub fn next(&self, digest: Digest) -> Option<MemberIndex> {
        let is_there = |member: &MemberIndex| self.is_addressable(*member) || self.is_receiving(*member);
        self.other.as_ref()?.preference_list(digest).find(is_there)
    }

    /// The home members of `digest`, whatever their health.
    pub fn homes(&self, digest: Digest) -> impl Iterator<Item = MemberIndex> {
        self.ring.preference_list(digest).take(self.ring.replicas())
    }

    /// Whether `member` is a home member of `digest`, in either ring.
    #[must_use]
    pub fn is_home(&self, digest: Digest, member: MemberIndex) -> bool {
        self.rings().any(|ring| ring.preference_list(digest).take(ring.replicas()).any(|home| home == member))
    }

    /// Who else is to keep what is stored under `digest`, whatever their health: the home members in both rings, and
    /// when self leaves, who is a home member without it.
    #[must_use]
    pub fn keepers(&self, digest: Digest) -> FewMembers {
        let mut keepers = FewMembers::new();
        for ring in self.rings() {
            let stays = |member: &MemberIndex| *member != self.me && self.is_addressable(*member);
            let homes = ring.preference_list(digest).take(ring.replicas());
            add(&mut keepers, homes.filter(|home| *home != self.me));
            if self.leaving {
                add(&mut keepers, ring.preference_list(digest).filter(stays).take(ring.replicas()));
            }
        }
        keepers
    }

    /// To whom self copies a new write: the other keepers that take copies, and in place of those that do not, the
    /// next in the preference list, so that as many members hold it as there are home members.
    #[must_use]
    pub fn receivers(&self, digest: Digest) -> FewMembers {
        let mut receivers = FewMembers::new();
        let takes = |member: &MemberIndex| *member != self.me && self.is_receiving(*member);
        for ring in self.rings() {
            let mut list = ring.preference_list(digest);
            let mut missing = ring.replicas() - usize::from(!self.leaving);
            for home in list.by_ref().take(ring.replicas()).filter(takes) {
                missing = missing.saturating_sub(1);
                add(&mut receivers, [home]);
            }
            // Nearly always nobody else does: then the rest of the list, as long as the ring, is left alone.
            if missing > 0 {
                let stands_in = |member: &MemberIndex| *member != self.me && self.is_addressable(*member);
                add(&mut receivers, list.clone().filter(stands_in).take(missing));
            }
            if self.receiving != self.addressable {
                // Who is being handed what it will stand in for, before self does again.
                let comes_back = |member: &MemberIndex| {
                    takes(member) && !self.is_addressable(*member) && self.would_stand_in(digest, *member)
                };
                add(&mut receivers, list.filter(comes_back).take(1));
            }
        }
        add(&mut receivers, self.next(digest).filter(|next| *next != self.me));
        receivers
    }

    fn rings(&self) -> impl Iterator<Item = &Arc<Ring>> {
        std::iter::once(&self.ring).chain(&self.other)
    }
}

/// Appends what is not there yet.
fn add(to: &mut FewMembers, members: impl IntoIterator<Item = MemberIndex>) {
    for member in members {
        if !to.contains(&member) {
            to.push(member);
        }
    }
}

#[cfg(test)]
mod tests;
