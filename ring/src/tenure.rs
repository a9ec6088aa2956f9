//! Whether this member may act as owner: a state machine without clock or network, fed with what other members say.
//!
//! A member that starts, or that others have taken out, takes copies but must not answer for its keys: others have
//! newer ones, and one of them answers instead. It acts once everybody it can reach has handed it what it missed and
//! sends it requests again. From then on it acts until it must assume that others took its place:
//!
//! - it finds that it was stopped for a while ([`Tenure::stalled`]), and somebody took it out meanwhile, or is gone and
//!   cannot be asked while a third member knows what was written;
//! - more than half of the members that it can reach, itself included, say that they took it out;
//! - it turns out to be on the smaller side of a partition ([`Tenure::yields`]).
//!
//! Then it begins a new incarnation. Invariant: with no partition, whoever acts for a key is the only one: a member
//! acts only after all who could have acted in its place have said that they send it its requests.

use std::time::Duration;

use crate::{Heartbeat, Incarnation, MemberIndex, MemberState, Standing, Term, Timestamp};

/// What this member may do with requests for keys whose first addressable member it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mandate {
    /// Execute them.
    Acting,
    /// Let them wait, and others' too: it has just started or was stopped, and asks others how they are and whether
    /// they took its place. What it knows of them is nothing, or old.
    Doubting,
    /// Pass them to the next in the preference list.
    Passive,
}

impl Mandate {
    /// Its name in answers, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acting => "acting",
            Self::Doubting => "doubting",
            Self::Passive => "passive",
        }
    }
}

/// The state of this member.
#[derive(Clone, Debug)]
pub struct Tenure {
    me: MemberIndex,
    incarnation: Incarnation,
    term: u32,
    phase: Phase,
    patience: Duration,
    peers: Vec<Peer>,
    /// When it was last stopped: whether a third member keeps what this one and another do.
    has_heirs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    /// Others hand it what it lacks.
    Syncing {
        since: Timestamp,
    },
    /// It has everything; others begin to send it requests.
    Granted {
        since: Timestamp,
    },
    Acting,
    Doubting,
    /// It acts, and hands its objects to others.
    Leaving,
    Left,
}

/// What another member last said.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    /// Whether it answered the last time that one of the two tried.
    reachable: bool,
    said: Option<Said>,
    /// Whether that was after this member last began to doubt.
    fresh: bool,
    /// It was there when this member was stopped, and has not said since what it did meanwhile.
    owes: bool,
    /// How often it had found this member damaged when this member began to act; who starts anew counts anew.
    damages: u32,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    incarnation: Incarnation,
    state: MemberState,
    knows: Option<Incarnation>,
    sees: Standing,
    damages: u32,
    handed: bool,
    /// To how many members it sends requests, itself included and this one not.
    others: usize,
}

impl Tenure {
    /// A member that has just started, on a roster of `members`. It waits at most `patience` to be handed what it
    /// lacks, and then once more for requests.
    #[must_use]
    pub fn new(members: usize, me: MemberIndex, incarnation: Incarnation, patience: Duration) -> Self {
        let peers = vec![Peer::default(); members];
        Self { me, incarnation, term: 0, phase: Phase::Starting, patience, peers, has_heirs: false }
    }

    /// The same on another roster, where `from` tells where each of its `members` was before.
    #[must_use]
    pub fn on(
        &self,
        members: usize,
        me: MemberIndex,
        from: impl Fn(MemberIndex) -> Option<MemberIndex>,
    ) -> Self {
        let peer = |at| from(MemberIndex::new(at)).map(|old| self.peers[old.as_usize()]).unwrap_or_default();
        Self { me, peers: (0..members).map(peer).collect(), ..self.clone() }
    }

    /// Which start of this member it is.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The present stretch of it.
    #[must_use]
    pub const fn term(&self) -> Term {
        Term { incarnation: self.incarnation, number: self.term }
    }

    /// What this member tells others that it is.
    #[must_use]
    pub const fn state(&self) -> MemberState {
        match self.phase {
            Phase::Starting => MemberState::Starting,
            Phase::Syncing { .. } => MemberState::Syncing,
            Phase::Granted { .. } | Phase::Acting | Phase::Doubting | Phase::Leaving => MemberState::Ready,
            Phase::Left => MemberState::Draining,
        }
    }

    /// Since when others are handing it what it lacks, while they are.
    #[must_use]
    pub const fn syncing_since(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Syncing { since } => Some(since),
            _ => None,
        }
    }

    /// What it may do with requests.
    #[must_use]
    pub const fn mandate(&self) -> Mandate {
        match self.phase {
            Phase::Acting | Phase::Leaving => Mandate::Acting,
            Phase::Starting | Phase::Doubting => Mandate::Doubting,
            Phase::Syncing { .. } | Phase::Granted { .. } | Phase::Left => Mandate::Passive,
        }
    }

    /// Whether it is on its way out, or has left.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving | Phase::Left)
    }

    /// Every other member has answered once, or failed to.
    pub fn introduced(&mut self, now: Timestamp) {
        if self.phase == Phase::Starting {
            self.enter(Phase::Syncing { since: now });
            self.settle(now);
        }
    }

    /// Another member has said this, asked or unasked.
    pub fn heard(&mut self, from: MemberIndex, beat: &Heartbeat, now: Timestamp) {
        let Heartbeat { incarnation, state, knows, sees, damages, handed, .. } = *beat;
        let peer = &mut self.peers[from.as_usize()];
        if peer.said.is_none_or(|said| said.incarnation != incarnation) {
            peer.damages = 0;
        }
        let others = usize::from(beat.online).saturating_sub(usize::from(sees == Standing::Online));
        let said = Some(Said { incarnation, state, knows, sees, damages, handed, others });
        *peer = Peer { reachable: true, said, ..*peer };
        self.settle(now);
    }

    /// What a member said last, it said after this one last began to doubt: it was asked after that.
    pub fn confirmed(&mut self, by: MemberIndex, now: Timestamp) {
        let peer = &mut self.peers[by.as_usize()];
        (peer.fresh, peer.owes) = (true, false);
        self.settle(now);
    }

    /// Whether it is yet to be heard what `member` says since this one last began to doubt.
    #[must_use]
    pub fn awaits(&self, member: MemberIndex) -> bool {
        !self.peers[member.as_usize()].fresh
    }

    /// Another member did not answer.
    pub fn lost(&mut self, member: MemberIndex, now: Timestamp) {
        self.peers[member.as_usize()].reachable = false;
        self.settle(now);
    }

    /// This process did not run for so long that others may have taken its place. Each key has `replicas` home members.
    pub fn stalled(&mut self, replicas: usize, now: Timestamp) {
        self.has_heirs = replicas > 2;
        for peer in &mut self.peers {
            peer.fresh = false;
            peer.owes |= peer.reachable;
        }
        if self.phase == Phase::Acting {
            self.enter(Phase::Doubting);
        }
        self.settle(now);
    }

    /// Whether `member` sends this incarnation no requests: it took it out, or never put it back.
    #[must_use]
    pub fn is_out_for(&self, member: MemberIndex) -> bool {
        let peer = &self.peers[member.as_usize()];
        peer.reachable && self.said_of_this(peer).is_some_and(|said| said.sees == Standing::Offline)
    }

    /// A member that acts in this one's place is there again, and others hold with it.
    pub fn yields(&mut self, now: Timestamp) {
        if self.phase == Phase::Acting {
            let next = self.reincarnate(now);
            self.enter(next);
            self.settle(now);
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp) {
        self.settle(now);
    }

    /// Begins to leave: it goes on acting while its objects are handed to others.
    pub fn leave(&mut self) {
        if matches!(self.phase, Phase::Acting | Phase::Doubting) {
            self.enter(Phase::Leaving);
        } else if self.phase != Phase::Leaving {
            self.enter(Phase::Left);
        }
    }

    /// Its objects are with others, who may act in its place from now on.
    pub fn left(&mut self) {
        if self.phase != Phase::Left {
            self.enter(Phase::Left);
        }
    }

    /// Draws the conclusions from what is known; each step may allow the next.
    fn settle(&mut self, now: Timestamp) {
        loop {
            let next = match self.phase {
                Phase::Syncing { .. } | Phase::Granted { .. } | Phase::Doubting if self.is_forsaken() => {
                    self.reincarnate(now)
                }
                Phase::Syncing { since } if self.is_handed_all() || now.since(since) >= self.patience => {
                    Phase::Granted { since: now }
                }
                Phase::Granted { since } if self.is_seen_by_all() || now.since(since) >= self.patience => {
                    self.peers.iter_mut().for_each(Peer::begin);
                    Phase::Acting
                }
                Phase::Doubting if self.replaced().next().is_some() => self.reincarnate(now),
                Phase::Doubting if self.reachable().all(|peer| peer.fresh) => Phase::Acting,
                Phase::Acting if 2 * self.replaced().count() > self.reachable().count() + 1 => {
                    self.reincarnate(now)
                }
                _ => return,
            };
            self.enter(next);
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.term = self.term.wrapping_add(1);
    }

    fn reincarnate(&mut self, now: Timestamp) -> Phase {
        self.incarnation = self.incarnation.next();
        self.term = 0;
        self.peers.iter_mut().for_each(|peer| peer.owes = false);
        Phase::Syncing { since: now }
    }

    fn reachable(&self) -> impl Iterator<Item = &Peer> {
        let me = self.me.as_usize();
        self.peers
            .iter()
            .enumerate()
            .filter(move |(at, peer)| *at != me && peer.reachable)
            .map(|(_, peer)| peer)
    }

    /// Those who speak of this incarnation; others have not heard of it yet.
    fn informed(&self) -> impl Iterator<Item = (&Peer, Option<&Said>)> {
        self.reachable().map(|peer| (peer, self.said_of_this(peer)))
    }

    fn said_of_this<'a>(&self, peer: &'a Peer) -> Option<&'a Said> {
        peer.said.as_ref().filter(|said| said.knows == Some(self.incarnation))
    }

    /// Whether everybody that is there has handed over what this member lacks: also those that only others reach, as when a
    /// partition heals and not all at once.
    #[must_use]
    pub fn is_handed_all(&self) -> bool {
        let has_handed = |said: &Said| said.handed;
        !self.misses_somebody()
            && self
                .informed()
                .all(|(peer, said)| peer.has_nothing() || !peer.owes && said.is_some_and(has_handed))
    }

    /// Whether somebody that it reaches sends requests to more members than it reaches itself.
    #[must_use]
    pub fn misses_somebody(&self) -> bool {
        let reached = self.reachable().count();
        let reaches_more = |said: &Said| said.others > reached;
        self.informed().any(|(peer, said)| !peer.has_nothing() && said.is_some_and(reaches_more))
    }

    /// Whether somebody is gone who was there when this member was stopped: it may have taken this one out and written
    /// since, and a third member has what this one missed without knowing that it did.
    fn is_forsaken(&self) -> bool {
        let may_have_written = |peer: &Peer| peer.owes && !peer.reachable && !peer.has_nothing();
        self.has_heirs && self.peers.iter().any(may_have_written)
    }

    fn is_seen_by_all(&self) -> bool {
        let sees = |said: &Said| said.sees == Standing::Online;
        self.informed().all(|(peer, said)| peer.has_nothing() || !peer.owes && said.is_some_and(sees))
    }

    /// Those who took this incarnation out since it began to act.
    fn replaced(&self) -> impl Iterator<Item = &Peer> {
        self.reachable().filter(|peer| self.has_taken_out(peer))
    }

    fn has_taken_out(&self, peer: &Peer) -> bool {
        let took_out = |said: &Said| said.sees == Standing::Offline && said.damages != peer.damages;
        self.said_of_this(peer).is_some_and(took_out)
    }
}

impl Peer {
    fn begin(&mut self) {
        self.damages = self.said.map_or(0, |said| said.damages);
    }

    /// Whether it neither acts in anybody's place nor sends anybody requests: it has just started, or has left.
    fn has_nothing(&self) -> bool {
        self.said.is_some_and(|said| matches!(said.state, MemberState::Starting | MemberState::Draining))
    }
}

#[cfg(test)]
mod tests;
