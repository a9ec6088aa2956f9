//! Keeping what other members copy here, and telling them what is here.

use std::ops::ControlFlow::{self, Break, Continue};

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
        if let Err(refused) = self.check_version(from, &copy) {
            return refused;
        }
        let _turn = match copy.copying {
            Copying::Handoff => self.order.turn(&copy.key).await,
            Copying::Write(term) => {
                self.membership.saw_ring(from, copy.ring);
                let is_heard = self.membership.hear_out(from).await;
                if self.membership.observe_term(from, term).is_err() {
                    return Copied::NotOwner;
                }
                let digest = copy.key.digest();
                // Who takes `from` for gone cannot say that it is not to act.
                let acts_here = || is_heard && self.is_owner(digest, None, &self.membership.view());
                // A turn that is taken is that of a write of this member's own, which may wait for `from`: of two that
                // act in the place of a third, the first goes first.
                let turn = match self.order.try_turn(&copy.key) {
                    Some(turn) => turn,
                    None if acts_here() || self.goes_before(from, digest) => return Copied::NotOwner,
                    None => self.order.turn(&copy.key).await,
                };
                if acts_here() {
                    return Copied::NotOwner;
                }
                turn
            }
        };
        self.take_in(copy)
    }

    /// [`Owner::keep`], if nothing is unusual about the copy and nothing has to be waited for; otherwise gives it back.
    pub fn keep_at_once(&self, from: &MemberAddress, copy: CopyOf) -> ControlFlow<Copied, CopyOf> {
        let Copying::Write(term) = copy.copying else { return Continue(copy) };
        let Some(_turn) = self.order.try_turn(&copy.key) else { return Continue(copy) };
        let view = self.membership.view();
        if copy.ring != view.ring().id() || !view.is_addressable_at(from) {
            return Continue(copy);
        }
        if let Err(refused) = self.check_version(from, &copy) {
            return Break(refused);
        }
        if self.membership.observe_term(from, term).is_err() || self.is_owner(copy.key.digest(), None, &view)
        {
            return Break(Copied::NotOwner);
        }
        Break(self.take_in(copy))
    }

    /// Stores a copy, whose key nobody else writes meanwhile, unless what is here is newer.
    fn take_in(&self, copy: CopyOf) -> Copied {
        let CopyOf { key, record, copying, ids, .. } = copy;
        let (digest, version, now) = (key.digest(), record.version(), self.clock.now());
        let room = match (copying, &record) {
            // What replaces an older record must find room: the older one would be served else.
            (Copying::Handoff, Record::Object(_)) if self.store.newest(&key).is_none() => Room::Spare,
            _ => Room::Evict,
        };
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

    /// Whether the copy's version is sane; later ones of this member will be after it.
    fn check_version(&self, from: &MemberAddress, copy: &CopyOf) -> Result<(), Copied> {
        let now = self.clock.now();
        let observed = self.versions.observe(copy.record.version(), now);
        observed.map_err(|skew| {
            if let Some(more) = SKEWED.pass(now) {
                warn!(member = %from, %skew, more, "a copy was refused");
            }
            Copied::Skewed
        })
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
