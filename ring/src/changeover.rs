//! From one ring to the next: when a node may begin to send requests by a new member list, and when it may forget the
//! old one. A state machine without clock or network.
//!
//! A node with a target keeps to its current ring, but copies every write to the home members of both and sends what
//! it holds to those of the target. It is prepared when all whom it reaches have the same target (before that they may
//! drop what it sends them), have all it should send them, and get requests from it. Once everybody it reaches is
//! prepared, or somebody uses the target already, the target becomes the current ring; the old one stays beside it until
//! everybody uses the new one. Members of the old ring only stay known until they are gone. Invariant: whoever uses a new
//! ring knows that every member it reaches has sent what it holds to where the new ring wants it, and still copies what it
//! writes there.

use std::sync::Arc;

use crate::{Heartbeat, MemberIndex, Ring, RingError, RingId};

/// The rings of one node.
#[derive(Clone, Debug)]
pub struct Changeover {
    current: Arc<Ring>,
    beside: Beside,
    peers: Vec<Option<Seen>>,
}

#[derive(Clone, Debug)]
enum Beside {
    Nothing,
    Target { ring: Arc<Ring>, prepared: bool },
    Previous(Arc<Ring>),
}

/// What another member last said of its rings.
#[derive(Clone, Copy, Debug)]
struct Seen {
    ring: RingId,
    target: Option<RingId>,
    prepared: bool,
}

/// What has become of a change.
#[must_use = "requests go other ways now"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The target is the current ring now; the one before it stays beside it.
    Adopted,
    /// Everybody uses the current ring; there is no other any more.
    Completed,
}

impl Changeover {
    /// A node that knows one ring.
    #[must_use]
    pub fn new(ring: Ring) -> Self {
        let peers = vec![None; ring.roster().len()];
        Self { current: Arc::new(ring), beside: Beside::Nothing, peers }
    }

    /// The ring by which requests are sent.
    #[must_use]
    pub const fn current(&self) -> &Arc<Ring> {
        &self.current
    }

    /// The ring beside it, whose home members keep copies too.
    #[must_use]
    pub const fn other(&self) -> Option<&Arc<Ring>> {
        match &self.beside {
            Beside::Nothing => None,
            Beside::Target { ring, .. } | Beside::Previous(ring) => Some(ring),
        }
    }

    /// The ring that this node is to change to.
    #[must_use]
    pub const fn target(&self) -> Option<&Arc<Ring>> {
        match &self.beside {
            Beside::Target { ring, .. } => Some(ring),
            Beside::Nothing | Beside::Previous(_) => None,
        }
    }

    /// The ring that was used before, while somebody may still use it.
    #[must_use]
    pub const fn previous(&self) -> Option<&Arc<Ring>> {
        match &self.beside {
            Beside::Previous(ring) => Some(ring),
            Beside::Nothing | Beside::Target { .. } => None,
        }
    }

    /// Whether everything this node holds is also where the target wants it.
    #[must_use]
    pub const fn is_prepared(&self) -> bool {
        matches!(self.beside, Beside::Target { prepared: true, .. })
    }

    /// Whether everything this node holds is where the target wants it, as far as it knows by now. `counts` tells which
    /// other members are reached, `is_served` which of them have all that this node should send them, and get requests.
    pub fn prepare(&mut self, counts: impl Fn(MemberIndex) -> bool, is_served: impl Fn(MemberIndex) -> bool) {
        let Some(id) = self.target().map(|ring| ring.id()) else { return };
        let goes_there =
            |seen: &Option<Seen>| seen.is_some_and(|seen| seen.ring == id || seen.target == Some(id));
        let unserved = |member| counts(member) && !is_served(member);
        let all = self.all(&counts, goes_there) && !self.all_indices().any(unserved);
        if let Beside::Target { prepared, .. } = &mut self.beside {
            *prepared = all;
        }
    }

    /// A member cannot be reached: what it said last is no longer so when it comes back.
    pub fn lost(&mut self, member: MemberIndex) {
        self.peers[member.as_usize()] = None;
    }

    /// Members that are known and belong to neither ring any more.
    #[must_use]
    pub fn left_over(&self) -> Vec<MemberIndex> {
        let is_nothing = matches!(self.beside, Beside::Nothing);
        self.all_indices().filter(|member| is_nothing && !self.current.has(*member)).collect()
    }

    /// The same without members that belong to neither ring. Indices change.
    #[must_use]
    pub fn tidied(&self) -> Self {
        match &self.beside {
            Beside::Nothing => self.on(Ring::clone(&self.current).alone(), |_| Beside::Nothing),
            Beside::Target { .. } | Beside::Previous(_) => self.clone(),
        }
    }

    fn all_indices(&self) -> impl Iterator<Item = MemberIndex> + use<> {
        (0..self.peers.len()).map(MemberIndex::new)
    }

    /// The same on its way to `target`, whatever it was on its way to before. Members' indices change: what is known
    /// of them is to be looked up by their addresses.
    ///
    /// # Errors
    /// [`RingError::TooManyMembers`] when both rings together have more members than there can be.
    pub fn aim(&self, target: Ring) -> Result<Self, RingError> {
        let current = Ring::clone(&self.current);
        if current.id() == target.id() {
            return Ok(self.on(current.alone(), |_| Beside::Nothing));
        }
        let (current, target) = current.joined(target)?;
        Ok(self.on(current, |_| Beside::Target { ring: Arc::new(target), prepared: false }))
    }

    /// Gives the target up.
    pub fn stay(&mut self) {
        if self.target().is_some() {
            self.beside = Beside::Nothing;
        }
    }

    /// The same as a node that uses `current` and is on its way to its own ring, its target if it has one: one that
    /// starts, and finds that the members that are there use another ring.
    ///
    /// # Errors
    /// [`RingError::TooManyMembers`] when both rings together have more members than there can be.
    pub fn join(&self, current: Ring) -> Result<Self, RingError> {
        let own = self.target().unwrap_or(&self.current);
        let (current, own) = current.joined(Ring::clone(own))?;
        Ok(self.on(current, |_| Beside::Target { ring: Arc::new(own), prepared: false }))
    }

    fn on(&self, current: Ring, beside: impl FnOnce(&Ring) -> Beside) -> Self {
        let seen = |address| self.current.index_of(address).and_then(|index| self.peers[index.as_usize()]);
        let peers = current.roster().map(|(_, address)| seen(address)).collect();
        let beside = beside(&current);
        Self { current: Arc::new(current), beside, peers }
    }

    /// Another member has said this.
    pub fn heard(&mut self, from: MemberIndex, beat: &Heartbeat) {
        let Heartbeat { ring, target, prepared, .. } = *beat;
        self.peers[from.as_usize()] = Some(Seen { ring, target, prepared });
    }

    /// A request shows by which ring `from` sent it. Of interest is only that somebody uses the target: a request may come
    /// late, and what was said since is newer.
    pub fn saw(&mut self, from: MemberIndex, ring: RingId) {
        if self.target().is_some_and(|target| target.id() == ring) {
            self.peers[from.as_usize()] = Some(Seen { ring, target: None, prepared: false });
        }
    }

    /// Takes the next step, if it is time for it. `counts` tells which other members are reached.
    pub fn step(&mut self, counts: impl Fn(MemberIndex) -> bool) -> Option<Step> {
        let id = self.target().unwrap_or(&self.current).id();
        let uses = |seen: &Option<Seen>| seen.is_some_and(|seen| seen.ring == id);
        let is_prepared =
            |seen: &Option<Seen>| seen.is_some_and(|seen| seen.target == Some(id) && seen.prepared);
        match &self.beside {
            Beside::Nothing => None,
            Beside::Target { ring, prepared } => {
                let everybody = || self.all(&counts, |seen| uses(seen) || is_prepared(seen));
                if !(self.peers.iter().any(uses) || *prepared && everybody()) {
                    return None;
                }
                let target = Arc::clone(ring);
                self.beside = Beside::Previous(std::mem::replace(&mut self.current, target));
                Some(Step::Adopted)
            }
            Beside::Previous(previous) => {
                // Who goes elsewhere by now will never use this ring, and keeps nobody waiting.
                let may_come = |seen: &Seen| {
                    seen.target == Some(id) || seen.target.is_none() && seen.ring == previous.id()
                };
                let is_past =
                    |seen: &Option<Seen>| seen.is_some_and(|seen| seen.ring == id || !may_come(&seen));
                if !self.all(counts, is_past) {
                    return None;
                }
                self.beside = Beside::Nothing;
                Some(Step::Completed)
            }
        }
    }

    /// The ring before, where somebody keeps to it who is not on the way to the current one. `counts` tells which other
    /// members are reached.
    pub fn kept_to(&self, counts: impl Fn(MemberIndex) -> bool) -> Option<&Arc<Ring>> {
        let previous = self.previous()?;
        let goes_elsewhere =
            |seen: &Option<Seen>| seen.is_none_or(|seen| seen.ring != previous.id() || seen.target.is_some());
        (!self.all(counts, goes_elsewhere)).then_some(previous)
    }

    /// Members that are reached and keep the target waiting.
    pub fn waiting_for(&self, counts: impl Fn(MemberIndex) -> bool) -> Vec<MemberIndex> {
        let Some(target) = self.target().map(|ring| ring.id()) else { return Vec::new() };
        let keeps_waiting =
            |seen: &Option<Seen>| !seen.is_some_and(|seen| seen.target == Some(target) && seen.prepared);
        let peers = self.peers.iter().enumerate().map(|(at, seen)| (MemberIndex::new(at), seen));
        peers
            .filter(|(member, seen)| counts(*member) && keeps_waiting(seen))
            .map(|(member, _)| member)
            .collect()
    }

    fn all(&self, counts: impl Fn(MemberIndex) -> bool, holds: impl Fn(&Option<Seen>) -> bool) -> bool {
        let peers = self.peers.iter().enumerate().filter(|(at, _)| counts(MemberIndex::new(*at)));
        peers.into_iter().all(|(_, seen)| holds(seen))
    }
}

#[cfg(test)]
mod tests;
