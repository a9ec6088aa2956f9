//! What a node knows of its members and of itself, and what follows from it. No I/O, no locks: the owner of a `Known`
//! serialises it.

use std::cmp::Reverse;
use std::time::Duration;

use ringhold_config::Cluster as Settings;
use ringhold_ring::{
    Changeover, Health, Heartbeat, Incarnation, Mandate, MemberAddress, MemberHealth, MemberIndex,
    MemberState, Probe, Readiness, Ring, RingId, Standing, Step, Tenure, Term, Timestamp, Transition, View,
};
use tracing::info;

use super::HandingOutcome;

/// After a failure to hand a member what it should keep, it is tried again so much later.
const RETRY_HANDING: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Known {
    pub(super) health: Health,
    pub(super) tenure: Tenure,
    pub(super) rings: Changeover,
    pub(super) me: MemberIndex,
    pub(super) members: Vec<Member>,
    /// Whether there may be records here that belong elsewhere.
    pub(super) has_strays: bool,
    /// How often there was reason to think so.
    pub(super) strays: u64,
    /// Handovers begun so far.
    errands: u64,
    /// What is to be aimed at when the present change is complete.
    pub(super) next: Option<Ring>,
    /// What this node's own configuration says, whatever ring it goes by.
    pub(super) configured: RingId,
    /// Raised whenever this node begins to doubt: an answer to an older question settles nothing.
    pub(super) doubts: u64,
    /// When it last began to.
    pub(super) doubts_since: Option<Timestamp>,
    /// The number of its last heartbeat.
    last_number: u32,
}

/// What is known of one member.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    pub(super) beat: Option<Heartbeat>,
    pub(super) last_failure: Option<String>,
    /// Whether it answered the last time that one of the two tried.
    pub(super) reachable: bool,
    /// Whether it answers, but does not know this node for a member.
    pub(super) ignores_us: bool,
    pub(super) handing: Handing,
    retry_at: Option<Timestamp>,
    /// The latest of its terms that was seen.
    term: Option<Term>,
    /// What it was last told.
    pub(super) told: Option<Heartbeat>,
}

/// Whether a member, in one of its incarnations, was handed what it should keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Handing {
    #[default]
    Due,
    /// The errand with this number, none before it.
    Running(u64),
    Done(Incarnation),
}

/// What is known of one member, for people.
#[derive(Clone, Debug)]
pub struct MemberKnown {
    /// Its index in the roster.
    pub index: MemberIndex,
    /// Its address.
    pub address: MemberAddress,
    /// How it is seen.
    pub health: MemberHealth,
    /// What it last said.
    pub beat: Option<Heartbeat>,
    /// Why it was last taken out.
    pub last_failure: Option<String>,
    /// How often it was taken out.
    pub damages: u32,
    /// Whether it was handed everything it should keep, as far as this node has it.
    pub handed: bool,
}

/// What others are told, and what is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) incarnation: Incarnation,
    pub(super) state: MemberState,
    pub(super) mandate: Mandate,
    pub(super) ring: RingId,
}

impl Known {
    pub(super) fn new(
        ring: Ring,
        address: &MemberAddress,
        incarnation: Incarnation,
        settings: &Settings,
        now: Timestamp,
    ) -> Option<Self> {
        let me = ring.index_of(address)?;
        let members = ring.roster().len();
        Some(Self {
            health: Health::new(members, me, settings.health_policy(), now),
            tenure: Tenure::new(members, me, incarnation, settings.sync_timeout),
            configured: ring.id(),
            rings: Changeover::new(ring),
            me,
            members: vec![Member::default(); members],
            has_strays: false,
            strays: 0,
            errands: 0,
            next: None,
            doubts: 0,
            doubts_since: None,
            last_number: 0,
        })
    }

    pub(super) fn index_of(&self, address: &MemberAddress) -> Option<MemberIndex> {
        self.rings.current().index_of(address).filter(|index| *index != self.me)
    }

    pub(super) fn others(&self) -> impl Iterator<Item = (MemberIndex, &Member)> {
        let roster = self.rings.current().roster().map(|(index, _)| index);
        roster.zip(&self.members).filter(|(index, _)| *index != self.me)
    }

    pub(super) fn view(&self) -> View {
        let receiving =
            self.others().filter(|(_, member)| member.reachable && member.handing != Handing::Due);
        let receiving = receiving.map(|(index, _)| index);
        let reached = self.others().filter(|(_, member)| member.reachable).map(|(index, _)| index);
        let acting =
            self.others().filter(|(_, member)| member.reachable && member.beat.is_some_and(|beat| beat.acts));
        let is_ready = |member: &Member| member.beat.is_some_and(|beat| beat.state == MemberState::Ready);
        let ready = self.others().filter(|(_, member)| is_ready(member)).map(|(index, _)| index);
        let own = (self.tenure.state() == MemberState::Ready).then_some(self.me);
        let incarnation = |(at, member): (usize, &Member)| match at == self.me.as_usize() {
            true => Some(self.tenure.incarnation()),
            false => member.beat.map(|beat| beat.incarnation),
        };
        let view = View::new(self.rings.current().clone(), self.me, &self.health)
            .beside(self.rings.other().cloned())
            .receiving(receiving)
            .reaching(reached)
            .acting(acting.map(|(index, _)| index))
            .ready(ready.chain(own))
            .in_incarnations(self.members.iter().enumerate().map(incarnation))
            .returned(self.returned());
        if self.tenure.is_leaving() { view.leaving() } else { view }
    }

    /// Members that have everything, and only have to pass their probes.
    fn returned(&self) -> impl Iterator<Item = MemberIndex> {
        let has_all = |member: &Member| {
            let beat = member.beat.filter(|beat| beat.state == MemberState::Ready);
            member.reachable && beat.is_some_and(|beat| member.handing == Handing::Done(beat.incarnation))
        };
        self.others().filter(move |(_, member)| has_all(member)).map(|(index, _)| index)
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            incarnation: self.tenure.incarnation(),
            state: self.tenure.state(),
            mandate: self.tenure.mandate(),
            ring: self.rings.current().id(),
        }
    }

    /// A member has said this. What it says may take it out of the way of requests at once.
    pub(super) fn heard(
        &mut self,
        from: MemberIndex,
        beat: &Heartbeat,
        now: Timestamp,
    ) -> Option<Transition> {
        let member = &mut self.members[from.as_usize()];
        if member.beat.is_some_and(|latest| beat.is_before(&latest)) {
            return None;
        }
        let began_anew = member.beat.is_some_and(|before| before.incarnation != beat.incarnation);
        let goes_elsewhere = member
            .beat
            .is_some_and(|before| before.target != beat.target && before.target != Some(beat.ring));
        if began_anew || goes_elsewhere {
            // What it was handed before, it may have dropped for not being a home member.
            member.handing = Handing::Due;
        }
        member.beat = Some(*beat);
        member.reachable = true;
        member.ignores_us = false;
        // By another member list, others count others.
        let is_comparable = beat.ring == self.rings.current().id() && beat.target == self.target();
        let online = if is_comparable { beat.online } else { 0 };
        self.tenure.heard(from, &Heartbeat { online, ..*beat }, now);
        // Who has just begun goes by a member list that nobody may have heard of yet.
        match beat.state {
            MemberState::Starting => {}
            MemberState::Syncing | MemberState::Ready => self.rings.heard(from, beat),
            MemberState::Draining => self.rings.lost(from),
        }
        self.health.contacted(from, now);
        let must_not_be_asked = matches!(beat.state, MemberState::Syncing | MemberState::Draining);
        if began_anew || must_not_be_asked && self.health.has_met(from) {
            return self.health.suspended(from, now);
        }
        None
    }

    /// A probe was answered, with what was just heard.
    pub(super) fn answered(&mut self, probe: Probe, now: Timestamp) -> Option<Transition> {
        let member = &self.members[probe.member.as_usize()];
        let beat = member.beat.as_ref()?;
        let is_handed = member.handing == Handing::Done(beat.incarnation);
        let may_be_asked = is_handed || self.health.is_online(probe.member);
        let readiness = match beat.state {
            MemberState::Ready if may_be_asked => Readiness::Ready,
            _ => Readiness::NotReady,
        };
        self.health.answered(probe, readiness, now)
    }

    /// A member could not be reached.
    pub(super) fn lose(&mut self, member: MemberIndex, now: Timestamp) {
        let known = &mut self.members[member.as_usize()];
        let was_reachable = std::mem::replace(&mut known.reachable, false);
        known.handing = Handing::Due;
        known.told = None;
        self.rings.lost(member);
        self.tenure.lost(member, now);
        if was_reachable {
            self.went_away();
        }
    }

    pub(super) fn stalled(&mut self, now: Timestamp) {
        self.doubts += 1;
        self.doubts_since = Some(now);
        self.tenure.stalled(self.rings.current().replicas(), now);
    }

    pub(super) fn observe_term(&mut self, from: MemberIndex, term: Term) -> Result<(), Term> {
        let known = &mut self.members[from.as_usize()].term;
        match *known {
            Some(later) if term.is_before(later) => Err(later),
            _ => {
                *known = Some(term);
                Ok(())
            }
        }
    }

    /// A member that is there and does not know this node yet: it goes by a ring without it, and executes requests
    /// that this node would take for those of a member that is lost.
    pub(super) fn ignored_by(&self) -> Option<&MemberAddress> {
        let (index, _) = self.others().find(|(_, member)| member.ignores_us)?;
        Some(self.rings.current().address(index))
    }

    /// Members that can be reached and were not handed what they should keep.
    pub(super) fn to_hand(&self, now: Timestamp) -> impl Iterator<Item = MemberIndex> {
        // Who executes requests by the target hangs on who is there.
        let knows_who = self.rings.target().is_none() || self.health.knows_all();
        self.others().filter_map(move |(index, member)| {
            let takes = member.beat.is_some_and(|beat| beat.state != MemberState::Draining);
            let is_due = member.handing == Handing::Due && member.retry_at.is_none_or(|at| at <= now);
            (knows_who && member.reachable && takes && is_due).then_some(index)
        })
    }

    /// Takes care of a member that was not handed what it should keep; the number is that of the errand.
    pub(super) fn begin_handing(&mut self, member: MemberIndex) -> u64 {
        self.errands += 1;
        self.members[member.as_usize()].handing = Handing::Running(self.errands);
        self.errands
    }

    pub(super) fn end_handing(
        &mut self,
        member: MemberIndex,
        errand: u64,
        outcome: HandingOutcome,
        now: Timestamp,
    ) {
        let known = &mut self.members[member.as_usize()];
        if known.handing != Handing::Running(errand) {
            // What the member should keep has changed since, or it began anew.
            return;
        }
        match (outcome, known.beat) {
            (HandingOutcome::Complete, Some(beat)) => {
                (known.handing, known.retry_at) = (Handing::Done(beat.incarnation), None);
            }
            _ => {
                (known.handing, known.retry_at) = (Handing::Due, Some(now + RETRY_HANDING));
            }
        }
    }

    /// What members should keep has changed.
    pub(super) fn hand_again(&mut self) {
        self.members.iter_mut().for_each(|member| member.handing = Handing::Due);
        self.note_strays();
    }

    /// A member is asked for nothing any more: others will execute requests for its keys when the target is used, and
    /// are to be handed what they lack.
    pub(super) fn went_away(&mut self) {
        if self.rings.target().is_some() {
            self.hand_again();
        }
    }

    /// With other rings other records belong elsewhere.
    fn note_strays(&mut self) {
        self.has_strays = true;
        self.strays += 1;
    }

    pub(super) fn has_handed_all(&self) -> bool {
        self.others().all(|(_, member)| {
            let leaves = member.beat.is_some_and(|beat| beat.state == MemberState::Draining);
            !member.reachable || leaves || matches!(member.handing, Handing::Done(_))
        })
    }

    /// Whether every member is there and was handed all that it should keep, as far as this node has it, and says the
    /// same of the others: two that do not reach each other may hold different records, which a third knows from them.
    pub(super) fn is_settled(&self) -> bool {
        let is_too = |member: &Member| member.beat.is_some_and(|beat| !beat.unsettled);
        !self.is_unsettled() && self.others().all(|(_, member)| is_too(member))
    }

    /// Whether somebody may lack what is here, or what is here may belong elsewhere.
    fn is_unsettled(&self) -> bool {
        let is_served = |(index, member): (MemberIndex, &Member)| {
            self.health.is_online(index) && matches!(member.handing, Handing::Done(_))
        };
        self.rings.other().is_some()
            || self.tenure.is_leaving()
            || self.has_strays
            || !self.others().all(is_served)
    }

    pub(super) fn is_let_go(&self) -> bool {
        let mine = Some(self.tenure.incarnation());
        self.others().filter(|(_, member)| member.reachable).all(|(_, member)| {
            member.beat.is_some_and(|beat| beat.knows == mine && beat.sees != Standing::Online)
        })
    }

    /// Draws the conclusions that reach from one state machine to another.
    pub(super) fn settle(&mut self, now: Timestamp) {
        if self.is_outnumbered() {
            self.tenure.yields(now);
        }
        if self.follows_nobody() {
            info!(ring = %self.rings.current().id(), "the others have changed their minds: staying with this ring");
            self.rings.stay();
            self.hand_again();
        }
        if let Some(rings) = self.turns_back() {
            info!(ring = %self.rings.current().id(), "others keep to the ring before: going back to it first");
            self.move_to(rings, now);
            self.hand_again();
        }
        let counts = self.counting();
        let counts = |member: MemberIndex| counts[member.as_usize()];
        let is_served = |member: MemberIndex| {
            let is_handed = matches!(self.members[member.as_usize()].handing, Handing::Done(_));
            is_handed && self.health.standing(member) == Standing::Online
        };
        let asked_all = self.health.knows_all();
        let me = self.me;
        self.rings.prepare(|member| member != me && (counts(member) || !asked_all), is_served);
        if let Some(Step::Completed) = self.rings.step(counts) {
            self.note_strays();
            if let Some(aimed) = self.next.take().and_then(|next| self.rings.aim(next).ok()) {
                self.move_to(aimed, now);
                self.hand_again();
            }
        }
        let is_gone = |member: MemberIndex| member != me && !self.members[member.as_usize()].reachable;
        let left_over = self.rings.left_over();
        if !left_over.is_empty() && left_over.into_iter().all(is_gone) {
            let tidied = self.rings.tidied();
            self.move_to(tidied, now);
        }
    }

    /// Whether this node was on the smaller side of a partition: neither it nor another member sends the other requests, and
    /// that one sends them to more members. Of equal sides the one whose member comes first in the roster goes on.
    fn is_outnumbered(&self) -> bool {
        self.others().any(|(index, member)| {
            let goes_on = |beat: Heartbeat| (beat.online, Reverse(index)) > (self.online(), Reverse(self.me));
            self.tenure.is_out_for(index)
                && self.health.standing(index) == Standing::Offline
                && member.beat.is_some_and(goes_on)
        })
    }

    /// To how many members this node sends requests, itself included.
    fn online(&self) -> u16 {
        let is_sent_requests = |index| self.health.standing(index) == Standing::Online;
        let online = self.others().filter(|(index, _)| is_sent_requests(*index)).count();
        u16::try_from(online + 1).unwrap_or(u16::MAX)
    }

    fn target(&self) -> Option<RingId> {
        self.rings.target().map(|ring| ring.id())
    }

    /// What `to` is to be told now.
    fn heartbeat(&self, to: MemberIndex, unsettled: bool) -> Heartbeat {
        let member = &self.members[to.as_usize()];
        let knows = member.beat.map(|beat| beat.incarnation);
        let syncs = member.beat.is_some_and(|beat| beat.state == MemberState::Syncing);
        Heartbeat {
            incarnation: self.tenure.incarnation(),
            state: self.tenure.state(),
            // Whoever leaves still acts, but what others drop for its sake is gone with it.
            acts: self.tenure.mandate() == Mandate::Acting && !self.tenure.is_leaving(),
            ring: self.rings.current().id(),
            target: self.target(),
            prepared: self.rings.is_prepared(),
            knows,
            sees: self.health.standing(to),
            damages: self.health.damages(to),
            // No news by itself: `tell` adds it.
            number: 0,
            // News to who waits for all that others send requests to, and to nobody else: in a large ring it changes often.
            online: if syncs { self.online() } else { 0 },
            unsettled,
            handed: knows.is_some_and(|incarnation| member.handing == Handing::Done(incarnation)),
        }
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        self.to_tell().next().is_some()
    }

    /// Members that can be reached and were last told something else, or have yet to answer since this node began to doubt:
    /// what it tells those who ask it brings no answer.
    pub(super) fn to_tell(&self) -> impl Iterator<Item = MemberIndex> {
        let unsettled = self.is_unsettled();
        let others = self.others().filter(|(_, member)| member.reachable);
        let is_due = move |(index, member): &(MemberIndex, &Member)| {
            self.tenure.awaits(*index) || member.told != Some(self.heartbeat(*index, unsettled))
        };
        others.filter(is_due).map(|(index, _)| index)
    }

    /// What `to` is told now; it is not told again before it changes.
    pub(super) fn tell(&mut self, to: MemberIndex) -> Heartbeat {
        let beat = self.heartbeat(to, self.is_unsettled());
        self.members[to.as_usize()].told = Some(beat);
        self.last_number = self.last_number.wrapping_add(1);
        Heartbeat { number: self.last_number, online: self.online(), ..beat }
    }

    pub(super) fn report(&self, now: Timestamp) -> Vec<MemberKnown> {
        let roster = self.rings.current().roster().zip(&self.members);
        let known = |((index, address), member): ((MemberIndex, &MemberAddress), &Member)| MemberKnown {
            index,
            address: address.clone(),
            health: self.health.of(index, now),
            beat: member.beat,
            last_failure: member.last_failure.clone(),
            damages: self.health.damages(index),
            handed: matches!(member.handing, Handing::Done(_)),
        };
        roster.map(known).collect()
    }
}
