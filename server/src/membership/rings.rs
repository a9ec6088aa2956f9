//! From one member list to the next: by a reload, by finding others with another ring at start, or by being removed.

use ringhold_ring::{Changeover, MemberAddress, MemberState, Ring, RingError, RingId};
use tracing::{info, warn};

use super::Membership;
use crate::peer::network::{Ask, RingDescription, Told};

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
        let Some((member, id)) = self.other_ring(|own, state, ring, _| {
            (state != MemberState::Starting && ring != own).then_some(ring)
        }) else {
            return false;
        };
        let Some(ring) = self.fetch(&member, id).await else { return false };
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
        let told = self.network.ask(member, Ask::Ring(id), self.settings.peer_timeout).await;
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
