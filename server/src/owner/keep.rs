//! Keeping what other members copy here, and telling them what is here.

use ringhold_ring::{Digest, Key, Mandate, MemberAddress, MemberIndex, Version};
use tracing::warn;

use super::Owner;
use crate::object::{OperationId, Record};
use crate::peer::network::{Copied, CopyOf, Copying};
use crate::store::{Applied, Room};
use crate::telemetry::Gate;

static SKEWED: Gate = Gate::new();

/// A record, and the latest operations that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What is stored.
    pub record: Record,
    /// At most [`crate::peer::network::MAX_IDS`]; what made a later version is not part of it.
    pub ids: Vec<(OperationId, Version)>,
}

impl Owner {
    /// Keeps a copy that `from` sends, unless what is here is newer, or this member acts as owner of its key itself.
    pub async fn keep(&self, from: &MemberAddress, copy: CopyOf) -> Copied {
        let CopyOf { key, record, copying, ring, ids } = copy;
        let now = self.clock.now();
        if let Err(skew) = self.versions.observe(record.version(), now) {
            if let Some(more) = SKEWED.pass(now) {
                warn!(member = %from, %skew, more, "a copy was refused");
            }
            return Copied::Skewed;
        }
        let digest = key.digest();
        let room = match (copying, &record) {
            // What replaces an older record must find room: the older one would be served else.
            (Copying::Handoff, Record::Object(_)) if self.store.newest(&key).is_none() => Room::Spare,
            _ => Room::Evict,
        };
        let _turn = match copying {
            Copying::Handoff => self.order.turn(&key).await,
            Copying::Write(term) => {
                self.membership.saw_ring(from, ring);
                let is_heard = self.membership.hear_out(from).await;
                if self.membership.observe_term(from, term).is_err() {
                    return Copied::NotOwner;
                }
                // Who takes `from` for gone cannot say that it is not to act.
                let acts_here = || is_heard && self.is_owner(digest, None, &self.membership.view());
                // A turn that is taken is that of a write of this member's own, which may wait for `from`: of two that
                // act in the place of a third, the first goes first.
                let turn = match self.order.try_turn(&key) {
                    Some(turn) => turn,
                    None if acts_here() || self.goes_before(from, digest) => return Copied::NotOwner,
                    None => self.order.turn(&key).await,
                };
                if acts_here() {
                    return Copied::NotOwner;
                }
                turn
            }
        };
        let version = record.version();
        match self.store.apply(&key, record, room) {
            Ok(Applied::Stale(newer)) if newer > version => Copied::Newer(newer),
            Ok(Applied::Stale(_)) => {
                self.repeats.merge(digest, version, &ids, now);
                Copied::Kept
            }
            Ok(Applied::Created | Applied::Replaced) => {
                self.note_stray(&key, &self.membership.view());
                self.repeats.replace(digest, version, &ids, now);
                Copied::Kept
            }
            Err(_) => {
                // Rather nothing than something that is known to be old.
                let old = self.store.newest(&key).filter(|old| *old < version);
                let _ = old.is_some_and(|old| self.store.remove_if(&key, old));
                Copied::Full
            }
        }
    }

    /// Whether this member acts, and stands before `other` in the preference list.
    fn goes_before(&self, other: &MemberAddress, digest: Digest) -> bool {
        let view = self.membership.view();
        let mut list = view.ring().preference_list(digest);
        let is_either = |member: &MemberIndex| *member == view.me() || view.ring().address(*member) == other;
        self.membership.mandate() == Mandate::Acting && list.find(is_either) == Some(view.me())
    }

    /// What is here under `key`, and the latest operations that it comes from: for another member, which must not run those
    /// again, and no others.
    #[must_use]
    pub fn held(&self, key: &Key<'_>) -> Option<Held> {
        let record = self.store.record(key)?;
        Some(Held { record, ids: self.repeats.of(key.digest()) })
    }

    /// Which of these versions are newer than what is here.
    #[must_use]
    pub fn wants(&self, offers: &[(Key<'static>, ringhold_ring::Version)]) -> Vec<bool> {
        let is_newer =
            |(key, version): &(Key<'static>, _)| self.store.newest(key).is_none_or(|here| here < *version);
        offers.iter().map(is_newer).collect()
    }
}
