//! Carrying an operation out on this member: conditions, patch, version, per-key order, copies.
//!
//! A write takes its key's turn, makes the new record, has the other keepers keep it, and only then applies it here and
//! is answered. Invariant: what this member answers as owner is held by every member that it copies to; what could not
//! be copied to enough of them is not applied here.
//!
//! - `conditions`: whether a request's conditions hold; `change`: what a write makes of an object;
//! - `order`: one write at a time for each key; `copies`: having others keep a record; `repeats`: what has run already;
//! - `keep`: keeping what others copy here.

mod change;
mod conditions;
mod copies;
mod counts;
mod keep;
mod order;
pub mod repeats;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use ringhold_config::{Cluster, Store as Settings};
use ringhold_ring::{
    Digest, Key, Mandate, MemberAddress, MemberIndex, Term, Version, VersionClock, View, WriterId,
};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::membership::Membership;
use crate::object::{Conditions, Object, Operation, OperationId, Outcome, Record, Refusal};
use crate::peer::network::Network;
use crate::store::{Applied, Room, Store};
use crate::telemetry::metrics::{Counter, Striped};
use change::Change;
use conditions::Verdict;
use copies::{Copies, Placed, Placement};
pub use counts::CopyCounts;
pub use keep::Held;
use order::Order;
use repeats::Repeats;

/// How often a write starts over because another member turned out to have a newer record, or this one was stopped.
const ATTEMPTS: usize = 5;

/// Executes operations on the local store, one write at a time for each key.
#[derive(Debug)]
pub struct Owner {
    store: Store,
    versions: VersionClock,
    clock: Clock,
    settings: Settings,
    cluster: Cluster,
    order: Order,
    repeats: Repeats,
    membership: Arc<Membership>,
    copies: Copies,
    /// Misses and hits.
    reads: Striped<[Counter; 2]>,
    /// Writes in progress that began since the last [`Owner::barrier`].
    writes: ArcSwap<TaskTracker>,
    /// Those that began before: several barriers may wait for them at the same time.
    earlier_writes: Mutex<Vec<Arc<TaskTracker>>>,
}

/// Why this member may execute an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// It is the key's owner, as far as it knows.
    Owner,
    /// The owner asked it to act in its place, in this term of the owner's.
    InsteadOf(MemberAddress, Term),
    /// It was told to act on what it has, whoever owns the key. Nothing is copied; the sweep brings it home.
    Local,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It was carried out or refused.
    Done(Result<Outcome, Refusal>),
    /// It is for another member to execute.
    Elsewhere {
        /// That member, if it is known.
        to: Option<MemberAddress>,
        /// Whether some member may keep what came of it nevertheless.
        may_have_run: bool,
    },
}

impl Owner {
    /// An owner of `store`, in the ring that `membership` knows.
    #[must_use]
    pub fn new(
        settings: &Settings,
        cluster: &Cluster,
        store: Store,
        membership: Arc<Membership>,
        network: Arc<dyn Network>,
        clock: Clock,
    ) -> Self {
        Self {
            versions: VersionClock::new(WriterId::of(membership.address())),
            copies: Copies::new(network, Arc::clone(&membership), cluster.peer_timeout),
            store,
            clock,
            settings: settings.clone(),
            cluster: cluster.clone(),
            order: Order::default(),
            repeats: Repeats::default(),
            membership,
            reads: Striped::default(),
            writes: ArcSwap::default(),
            earlier_writes: Mutex::default(),
        }
    }

    /// The store underneath.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Reads that found nothing, and that found an object.
    #[must_use]
    pub fn reads(&self) -> [u64; 2] {
        [0, 1].map(|found| self.reads.sum(|reads| &reads[found]))
    }

    /// What became of copies.
    #[must_use]
    pub const fn copies(&self) -> &CopyCounts {
        self.copies.counts()
    }

    /// Which operations have run.
    #[must_use]
    pub const fn repeats(&self) -> &Repeats {
        &self.repeats
    }

    /// Carries a read out: the one operation that waits for nothing.
    ///
    /// # Errors
    /// [`Refusal::PreconditionFailed`]
    pub fn get(&self, key: &Key<'_>, conditions: &Conditions) -> Result<Outcome, Refusal> {
        let found = self.store.get(key);
        self.reads.raise(|reads| &reads[usize::from(found.is_some())]);
        match (conditions.check_read(found.as_ref().map(|object| object.version)), found) {
            (Verdict::Failed, _) => Err(Refusal::PreconditionFailed),
            (_, None) => Ok(Outcome::Missing),
            (Verdict::NotModified, Some(object)) => {
                Ok(Outcome::NotModified(Object { value: Bytes::new(), ..object }))
            }
            (Verdict::Proceed, Some(object)) => Ok(Outcome::Found(object)),
        }
    }

    /// Carries a write out like [`Owner::execute`], if nothing has to be waited for: neither its turn nor a copy elsewhere.
    pub fn write_at_once(
        &self,
        key: &Key<'_>,
        operation: &Operation,
        id: Option<OperationId>,
        authority: &Authority,
    ) -> Option<Result<Outcome, Refusal>> {
        // Before the view is looked at: whoever waits for all writes that may have seen an older one waits for this.
        let _write = self.writes.load().token();
        let view = self.membership.view();
        let needs_nobody = || match authority {
            Authority::Local => true,
            _ if view.is_alone() => true,
            _ => view.ring().replicas() == 1 && view.receivers(key.digest()).is_empty(),
        };
        if !needs_nobody() || !self.may(key, authority, &view) {
            return None;
        }
        let _turn = self.order.try_turn(key)?;
        let has_run = self.has_run(key, id);
        match self.change(key, operation, has_run, &view) {
            Ok(change) => self.settle(key, id, &change, &view),
            Err(refusal) => Some(Err(refusal.honest(has_run.is_some()))),
        }
    }

    /// Carries `operation` out, if `authority` still holds when its turn has come. Must run to its end: what others
    /// keep of it already would come to light later.
    pub async fn execute(
        &self,
        key: &Key<'_>,
        operation: &Operation,
        id: Option<OperationId>,
        authority: &Authority,
    ) -> Execution {
        if let Operation::Get { conditions } = operation {
            return match self.may(key, authority, &self.membership.view()) {
                true => Execution::Done(self.get(key, conditions)),
                false => Execution::Elsewhere { to: None, may_have_run: false },
            };
        }
        let _write = self.writes.load().token();
        let _turn = self.order.turn(key).await;
        let mut may_have_run = false;
        for _ in 0..ATTEMPTS {
            let view = Arc::clone(&self.membership.view());
            if !self.may(key, authority, &view) {
                return Execution::Elsewhere { to: None, may_have_run };
            }
            let has_run = self.has_run(key, id);
            may_have_run |= has_run.is_some();
            let change = match self.change(key, operation, has_run, &view) {
                Ok(change) => change,
                Err(refusal) => return Execution::Done(Err(refusal.honest(may_have_run))),
            };
            let placement = match authority {
                Authority::Local => Placement::HERE,
                _ if view.is_alone() => Placement::HERE,
                Authority::Owner | Authority::InsteadOf(..) => {
                    self.copies.place(key, &change, || self.ids(key.digest(), id, &change), &view).await
                }
            };
            may_have_run |= placement.may_be_kept;
            match placement.placed {
                Placed::Held(held) if held < self.wanted(&view, authority) => {
                    let wanted = self.cluster.min_copies;
                    return Execution::Done(Err(Refusal::TooFewCopies { held, wanted }));
                }
                Placed::Held(_) => {
                    if let Some(done) = self.settle(key, id, &change, &self.membership.view()) {
                        return Execution::Done(done);
                    }
                }
                Placed::NotOwner(member) => return Execution::Elsewhere { to: Some(member), may_have_run },
                Placed::Newer(member) => Box::pin(self.fetch(key, &member)).await,
                Placed::Unheard => {}
            }
        }
        let refusal = Refusal::Unavailable(
            "other members had newer objects, or did not answer, again and again".to_owned(),
        );
        Execution::Done(Err(refusal.honest(may_have_run)))
    }

    /// Waits until every write that is in progress now has ended: what it did not copy to a member that has become a
    /// receiver since, it has applied here.
    pub async fn barrier(&self) {
        let before = {
            let mut earlier = self.earlier_writes.lock();
            earlier.retain(|writes| !writes.is_empty());
            let latest = self.writes.swap(Arc::new(TaskTracker::new()));
            latest.close();
            earlier.push(latest);
            earlier.clone()
        };
        for writes in before {
            writes.wait().await;
        }
    }

    /// What the operation made, if it ran before.
    fn has_run(&self, key: &Key<'_>, id: Option<OperationId>) -> Option<Version> {
        id.and_then(|id| self.repeats.seen(key.digest(), id))
    }

    /// Whether `authority` holds now.
    fn may(&self, key: &Key<'_>, authority: &Authority, view: &View) -> bool {
        match authority {
            Authority::Local => true,
            // Nobody else could be asked about anything.
            Authority::Owner if view.is_alone() => true,
            Authority::Owner => self.is_owner(key.digest(), None, view),
            Authority::InsteadOf(owner, term) => {
                self.membership.observe_term(owner, *term).is_ok()
                    && self.is_owner(key.digest(), view.ring().index_of(owner), view)
            }
        }
    }

    /// Whether this member acts as owner of the key with this digest, when `absent` does not.
    fn is_owner(&self, digest: Digest, absent: Option<MemberIndex>, view: &View) -> bool {
        let stands_first = || view.lookup_without(digest, absent).member == view.me();
        match self.membership.mandate() {
            Mandate::Acting => stands_first(),
            Mandate::Doubting => false,
            Mandate::Passive => stands_first() && view.substitute(digest, absent).is_none(),
        }
    }

    /// Applies a change that others keep already. Nothing when what is here is newer after all.
    fn settle(
        &self,
        key: &Key<'_>,
        id: Option<OperationId>,
        change: &Change,
        view: &View,
    ) -> Option<Result<Outcome, Refusal>> {
        let applied = match &change.record {
            // Nobody can bring an older version back where nobody else is.
            Record::Tombstone { .. } if view.is_alone() => {
                let removed =
                    self.store.newest(key).is_some_and(|version| self.store.remove_if(key, version));
                if removed { Applied::Replaced } else { Applied::Created }
            }
            record => match self.store.apply(key, record.clone(), Room::Evict) {
                Ok(applied) => applied,
                Err(full) => return Some(Err(full.into())),
            },
        };
        if let Applied::Stale(newer) = applied
            && newer > change.record.version()
        {
            return None;
        }
        self.note_stray(key, view);
        if let Some(id) = id {
            self.repeats.note(key.digest(), id, change.made, self.clock.now());
        }
        Some(Ok(change.outcome(applied)))
    }

    /// A record was stored here; perhaps it belongs elsewhere.
    fn note_stray(&self, key: &Key<'_>, view: &View) {
        if !view.is_alone() && !view.is_home(key.digest(), view.me()) {
            self.membership.note_stray();
        }
    }

    /// Takes over the newer record that `member` has; whoever starts over sees it.
    async fn fetch(&self, key: &Key<'_>, member: &MemberAddress) {
        let Some((record, ids)) = self.copies.fetch(key, member).await else { return };
        let (now, version) = (self.clock.now(), record.version());
        let _ = self.versions.observe(version, now);
        if let Ok(Applied::Created | Applied::Replaced) = self.store.apply(key, record, Room::Evict) {
            self.repeats.replace(key.digest(), version, &ids, now);
            self.note_stray(key, &self.membership.view());
        }
    }

    /// The operations that whoever keeps the change must not run again.
    fn ids(
        &self,
        digest: Digest,
        id: Option<OperationId>,
        change: &Change,
    ) -> Vec<(OperationId, ringhold_ring::Version)> {
        let own = id.map(|id| (id, change.made));
        let mut ids: Vec<_> = own.into_iter().chain(self.repeats.of(digest)).collect();
        ids.truncate(crate::peer::network::MAX_IDS);
        ids
    }

    fn wanted(&self, view: &View, authority: &Authority) -> usize {
        match authority {
            Authority::Local => 1,
            Authority::Owner | Authority::InsteadOf(..) => {
                self.cluster.min_copies.min(view.ring().replicas())
            }
        }
    }
}
