//! From one member list to the next: by a reload, by finding others with another ring at start, or by being removed; and
//! for whom that waits, and when it is given up.

use ringhold_ring::{
    Changeover, MemberAddress, MemberIndex, MemberState, Ring, RingError, RingId, Timestamp,
};
use tracing::{info, warn};

use super::Membership;
use super::known::{Known, Member};
use crate::peer::network::{Ask, RingDescription, Told};

/// How often a node that starts asks for the ring that others use.
const FETCHES: usize = 8;

/// Why a new member list was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// The members do not form a ring, or not together with the present ones.
    #[error("cluster.members: {0}")]
    Ring(#[from] RingError),
}

impl Membership {
    /// This node is configured to change to `target`; it begins to send what it holds to where `target` wants it.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub fn reload(&self, target: Ring) -> Result<(), ReloadError> {
        let rings = {
            let mut known = self.known.lock();
            let configured = target.id();
            let rings = known.aim(target)?;
            known.configured = configured;
            rings
        };
        self.go_on_with(rings);
        Ok(())
    }

    /// The ring called `id`, if this node knows it.
    #[must_use]
    pub fn describe(&self, id: RingId) -> Option<RingDescription> {
        let known = self.known.lock();
        let rings = [Some(known.rings.current()), known.rings.other()];
        let ring = rings.into_iter().flatten().find(|ring| ring.id() == id)?;
        let members = ring.members().map(|(_, address)| address.clone()).collect();
        Some(RingDescription { members, placement: ring.placement(), replicas: ring.replicas() })
    }

    /// At start: whether members that are there use another ring. Then theirs is used, and the own one aimed at.
    pub(super) async fn join_others(&self) -> bool {
        let mut fetched = None;
        for _ in 0..FETCHES {
            let found = self.other_ring(|own, state, ring, _| {
                (state != MemberState::Starting && ring != own).then_some(ring)
            });
            let Some((member, id)) = found else { return false };
            fetched = self.fetch(&member, id).await.map(|ring| (member, id, ring));
            if fetched.is_some() {
                break;
            }
            // Perhaps it has just gone on to another. To go by the own ring would tell the others to do so too.
            tokio::time::sleep(self.settings.peer_timeout / 4).await;
        }
        let Some((member, id, ring)) = fetched else {
            warn!("the members that are there use another ring, and none of them says which");
            return false;
        };
        let joined = self.known.lock().rings.join(ring);
        match joined {
            Ok(rings) => {
                info!(ring = %id, %member, "the members that are there use another ring: joining them");
                self.go_on_with(Some(rings));
                true
            }
            Err(error) => {
                warn!(%error, %member, "cannot join the ring of the members that are there");
                false
            }
        }
    }

    /// While running: whether others are on their way to a ring that this node follows them to. `looked_at` is the last
    /// ring of theirs that was not its own.
    pub(super) async fn follow_others(&self, looked_at: &mut Option<RingId>) {
        if self.target().is_some() {
            return;
        }
        let found = self.other_ring(|own, state, ring, target| {
            let elsewhere = target.or(Some(ring)).filter(|ring| *ring != own);
            elsewhere.filter(|_| state == MemberState::Ready)
        });
        if found.is_none() {
            *looked_at = None;
        }
        let Some((member, id)) = found.filter(|(_, id)| *looked_at != Some(*id)) else { return };
        let Some(ring) = self.fetch(&member, id).await else { return };
        *looked_at = Some(id);
        let aimed = {
            let mut known = self.known.lock();
            if !known.follows_to(&ring) {
                return;
            }
            info!(ring = %id, %member, members = ring.len(), "following the others to their ring");
            known.aim(ring)
        };
        match aimed {
            Ok(rings) => self.go_on_with(rings),
            Err(error) => warn!(%error, "cannot follow the others"),
        }
    }

    /// A member with a ring that `choose` names, and that ring.
    fn other_ring(
        &self,
        choose: impl Fn(RingId, MemberState, RingId, Option<RingId>) -> Option<RingId>,
    ) -> Option<(MemberAddress, RingId)> {
        let known = self.known.lock();
        let current = known.rings.current();
        let previous = known.rings.other().map(|ring| ring.id());
        let mut others = known.others().filter(|(_, member)| member.reachable);
        others.find_map(|(index, member)| {
            let beat = member.beat?;
            let id = choose(current.id(), beat.state, beat.ring, beat.target)?;
            (Some(id) != previous).then(|| (current.address(index).clone(), id))
        })
    }

    async fn fetch(&self, member: &MemberAddress, id: RingId) -> Option<Ring> {
        let told = self.network.ask(member, &Ask::Ring(id), self.settings.peer_timeout).await;
        let Ok(Told::Ring(RingDescription { members, placement, replicas })) = told else { return None };
        Ring::new(members, placement, replicas).ok().filter(|ring| ring.id() == id)
    }

    fn go_on_with(&self, rings: Option<Changeover>) {
        let Some(rings) = rings else { return };
        let now = self.clock.now();
        self.change(now, |known| {
            known.move_to(rings, now);
            known.hand_again();
            None
        });
    }
}

impl Known {
    /// Which members a change of the member list waits for: all that are reached and stay.
    pub(super) fn counting(&self) -> Vec<bool> {
        let belongs = self.rings.target().unwrap_or(self.rings.current()).has(self.me);
        let counts = |(at, known): (usize, &Member)| {
            let leaves = known.beat.is_some_and(|beat| beat.state == MemberState::Draining);
            // Who does not know this node for a member yet has to be told of the change first.
            let counts = known.ignores_us && belongs || known.reachable && !leaves;
            counts && at != self.me.as_usize()
        };
        self.members.iter().enumerate().map(counts).collect()
    }

    /// Members that keep this node from going by its target.
    pub(super) fn target_waits_for(&self) -> Vec<MemberAddress> {
        let counts = self.counting();
        let waited_for = self.rings.waiting_for(|member| counts[member.as_usize()]).into_iter();
        waited_for.map(|member| self.rings.current().address(member).clone()).collect()
    }

    /// The rings of a node that is to change to `target`, now or when the present change is complete; nothing when that
    /// changes nothing now.
    pub(super) fn aim(&mut self, target: Ring) -> Result<Option<Changeover>, RingError> {
        let (current, id) = (self.rings.current(), target.id());
        let aims_there = self.rings.target().map(|ring| ring.id()) == Some(id);
        let is_there = self.rings.target().is_none() && current.id() == id;
        if aims_there || is_there {
            self.next = None;
            return Ok(None);
        }
        let rings = self.rings.aim(target.clone())?;
        // Back to the ring before is no third ring: those who use it are still copied to.
        let waits = self.rings.previous().is_some_and(|previous| previous.id() != id);
        let when = if waits { ", for when the present change is complete" } else { "" };
        info!(ring = %current.id(), target = %id, members = target.len(), "new member list{when}");
        self.next = waits.then_some(target);
        Ok((!waits).then_some(rings))
    }

    /// The rings of a node that goes back to the one before, which others keep to, as each would wait for the other: it is
    /// to go on from here to a third, and of the two rings that of the smaller id is gone by; or it had only followed them,
    /// and they have all gone back.
    pub(super) fn turns_back(&self) -> Option<Changeover> {
        // Nearly always; asked with every change of what is known.
        self.rings.previous()?;
        let counts = self.counting();
        let kept_to = self.rings.kept_to(|member| counts[member.as_usize()])?;
        let current = self.rings.current();
        let goes_back = match &self.next {
            Some(_) => kept_to.id().as_u64() < current.id().as_u64(),
            None => kept_to.id() == self.configured && self.is_abandoned(current),
        };
        goes_back.then(|| self.rings.aim(Ring::clone(kept_to)).ok()).flatten()
    }

    /// Whether this node is on its way to a ring only because others were, who have changed their minds.
    pub(super) fn follows_nobody(&self) -> bool {
        let target = self.rings.target().filter(|ring| ring.id() != self.configured);
        target.is_some_and(|target| self.is_abandoned(target))
    }

    /// Whether those of the members of `ring` who are there go elsewhere.
    fn is_abandoned(&self, ring: &Ring) -> bool {
        let there = self.others().filter(|(index, member)| member.reachable && ring.has(*index));
        let beats = there.filter_map(|(_, member)| member.beat);
        let mut beats = beats.filter(|beat| beat.state == MemberState::Ready).peekable();
        beats.peek().is_some() && !beats.any(|beat| beat.ring == ring.id() || beat.target == Some(ring.id()))
    }

    /// Whether this node goes where others go without being told so: out of the ring, as nobody has to tell it that,
    /// and back into the one that it is configured for.
    pub(super) fn follows_to(&self, ring: &Ring) -> bool {
        let address = self.rings.current().address(self.me);
        ring.index_of(address).is_none() || ring.id() == self.configured
    }

    /// Goes on with other rings: everything that is known of members moves to their new indices.
    pub(super) fn move_to(&mut self, rings: Changeover, now: Timestamp) {
        let old = self.rings.current().clone();
        let new = rings.current().clone();
        let address = old.address(self.me);
        // A member that was removed keeps its place in the roster until it stops.
        let Some(me) = new.index_of(address) else { return };
        let from = |index: MemberIndex| old.index_of(new.address(index));
        let count = new.roster().len();
        self.health = self.health.on(count, me, now, from);
        self.tenure = self.tenure.on(count, me, from);
        let member =
            |(index, _)| from(index).map(|old| self.members[old.as_usize()].clone()).unwrap_or_default();
        self.members = new.roster().map(member).collect();
        self.me = me;
        self.rings = rings;
    }
}
