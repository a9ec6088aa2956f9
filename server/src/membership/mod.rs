//! Who is online as this node sees it, which ring it goes by, and whether it may act as owner: drives the state
//! machines of `ring` with heartbeats and with the failures of requests, and publishes a view whenever anything moves.
//!
//! Invariant: the published view, the mandate and the state machines change together, under one lock.
//!
//! - `known`: what is known, and what follows from it;
//! - `heartbeats`: what is said and heard, and when;
//! - `rings`: from one member list to the next;
//! - `handing`: what other members are to be handed, and what belongs elsewhere.

mod changes;
mod handing;
mod heartbeats;
mod known;
mod rings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::{Mutex, MutexGuard};
use ringhold_config::Cluster as Settings;
use ringhold_ring::{
    Incarnation, Mandate, MemberAddress, MemberState, Ring, RingId, Term, Timestamp, Transition, View,
};
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::peer::network::Network;
use crate::telemetry::Gate;
use crate::telemetry::metrics::Counter;
use changes::Changes;
use known::Known;

pub use changes::Waiter;
pub use handing::{Errand, HandingOutcome};
pub use known::MemberKnown;
pub use rings::ReloadError;

/// Nodes that are short of time are stopped many times a second.
static STOPPED: Gate = Gate::new();

/// How many of its ticks fit into the shortest stop that a node must notice.
const TICKS_A_STALL: u32 = 5;

/// The members of the ring and what is known of them.
#[derive(Debug)]
pub struct Membership {
    view: ArcSwap<View>,
    known: Mutex<Known>,
    address: MemberAddress,
    /// Until when the mandate to act holds unless it is renewed, in milliseconds; 0: there is none.
    acting_until: AtomicU64,
    /// When this node last found itself running.
    ran_at: AtomicU64,
    /// How often it has found that it was stopped.
    stops: AtomicU64,
    /// Incarnations that followed the one of the start.
    begun: Counter,
    /// Raised by every change of what is known.
    changes: Changes,
    /// Something is to be said to others.
    announce: Notify,
    /// The next probe may be due earlier.
    probe: Notify,
    network: Arc<dyn Network>,
    clock: Clock,
    settings: Settings,
}

impl Membership {
    /// The member at `address` of `ring`; everyone online, itself starting as `incarnation`.
    #[must_use]
    pub fn new(
        ring: Ring,
        address: &MemberAddress,
        incarnation: Incarnation,
        settings: &Settings,
        network: Arc<dyn Network>,
        clock: Clock,
    ) -> Option<Self> {
        let now = clock.now();
        let known = Known::new(ring, address, incarnation, settings, now)?;
        let view = known.view();
        Some(Self {
            view: ArcSwap::from_pointee(view),
            known: Mutex::new(known),
            address: address.clone(),
            acting_until: AtomicU64::new(0),
            ran_at: AtomicU64::new(now.as_millis()),
            stops: AtomicU64::new(0),
            begun: Counter::default(),
            changes: Changes::default(),
            announce: Notify::new(),
            probe: Notify::new(),
            network,
            clock,
            settings: settings.clone(),
        })
    }

    /// Members, rings and health at this moment.
    #[must_use]
    pub fn view(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    /// This node's own address.
    #[must_use]
    pub const fn address(&self) -> &MemberAddress {
        &self.address
    }

    /// What this node says of itself.
    #[must_use]
    pub fn own_state(&self) -> MemberState {
        self.known.lock().tenure.state()
    }

    /// Whether this node is on its way out, or has left.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.known.lock().tenure.is_leaving()
    }

    /// Which start of this node it is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.known.lock().tenure.incarnation()
    }

    /// How often it has begun another one since.
    #[must_use]
    pub fn incarnations_begun(&self) -> u64 {
        self.begun.get()
    }

    /// What this node may do with requests for keys that it stands first for.
    #[must_use]
    pub fn mandate(&self) -> Mandate {
        if self.clock.now().as_millis() < self.acting_until.load(Ordering::Acquire) {
            return Mandate::Acting;
        }
        self.tick()
    }

    /// The present term.
    #[must_use]
    pub fn term(&self) -> Term {
        self.known.lock().tenure.term()
    }

    /// Waits until this node knows whether it may act.
    pub async fn resolved(&self) -> Mandate {
        let mut changes = self.changes.waiter();
        let mut mandate = self.mandate();
        while mandate == Mandate::Doubting {
            // To ask `mandate` again would itself be a change: all who wait here would
            // wake each other without end.
            changes.changed().await;
            mandate = self.known.lock().tenure.mandate();
        }
        mandate
    }

    /// How often this node has found that it was stopped: what was begun before says nothing of others after.
    #[must_use]
    pub fn stops(&self) -> u64 {
        self.stops.load(Ordering::Acquire)
    }

    /// A request to `member`, begun after so many [`Membership::stops`], failed: takes it out and lets go of every
    /// request that waits on it.
    pub fn damage(&self, member: &MemberAddress, why: &str, stops: u64) {
        let now = self.clock.now();
        if self.was_stopped(now) || self.stops() != stops {
            // Whoever did not run has heard nobody; that says nothing of the others.
            debug!(%member, why, "not blamed: this node was stopped");
            return;
        }
        self.change(now, |known| {
            let member = known.index_of(member)?;
            known.lose(member, now);
            known.health.failed(member, now).map(|transition| (transition, Why::Failed(why)))
        });
    }

    /// A member has shown its term, by a copy or by a request that it passes down.
    ///
    /// # Errors
    /// The later term that is known already.
    pub fn observe_term(&self, member: &MemberAddress, term: Term) -> Result<(), Term> {
        let mut known = self.known.lock();
        let Some(index) = known.index_of(member) else { return Ok(()) };
        known.observe_term(index, term)
    }

    /// A request has shown by which ring `member` sends.
    pub fn saw_ring(&self, member: &MemberAddress, ring: RingId) {
        if self.view.load().ring().id() == ring {
            return;
        }
        let now = self.clock.now();
        self.change(now, |known| {
            let member = known.index_of(member)?;
            known.rings.saw(member, ring);
            None
        });
    }

    /// Whether `member` gets requests and executes them itself.
    #[must_use]
    pub fn acts(&self, member: &MemberAddress) -> bool {
        let known = self.known.lock();
        let Some(member) = known.index_of(member) else { return false };
        known.health.is_online(member) && known.members[member.as_usize()].beat.is_some_and(|beat| beat.acts)
    }

    /// Whether every member is there and was handed all that it should keep: then nobody can bring back anything old.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.known.lock().is_settled()
    }

    /// What is known of every member at this moment, in the order of the roster.
    #[must_use]
    pub fn report(&self) -> Vec<MemberKnown> {
        self.known.lock().report(self.clock.now())
    }

    /// Since when others are handing this node what it lacks, while they are.
    #[must_use]
    pub fn syncing_since(&self) -> Option<Timestamp> {
        self.known.lock().tenure.syncing_since()
    }

    /// Whether others send requests to members that this node does not reach: it waits for those too.
    #[must_use]
    pub fn misses_somebody(&self) -> bool {
        self.known.lock().tenure.misses_somebody()
    }

    /// The ring that this node is to change to, if it is.
    #[must_use]
    pub fn target(&self) -> Option<RingId> {
        self.known.lock().rings.target().map(|ring| ring.id())
    }

    /// Members that keep it waiting: they do not know of that ring yet, or have not handed over what it places elsewhere.
    #[must_use]
    pub fn target_waits_for(&self) -> Vec<MemberAddress> {
        self.known.lock().target_waits_for()
    }

    /// A member that is there and does not count this node among its members yet: a node does not begin before.
    #[must_use]
    pub fn ignored_by(&self) -> Option<MemberAddress> {
        self.known.lock().ignored_by().cloned()
    }

    /// Is told of every change of what is known.
    #[must_use]
    pub fn changes(&self) -> Waiter {
        self.changes.waiter()
    }

    /// Begins to leave: others keep what this node keeps, as if it were gone. It acts until [`Membership::left`].
    pub fn leave(&self) {
        let now = self.clock.now();
        self.change(now, |known| {
            known.tenure.leave();
            known.hand_again();
            None
        });
    }

    /// Whether everybody that is online has been handed all that it should keep.
    #[must_use]
    pub fn has_handed_all(&self) -> bool {
        self.known.lock().has_handed_all()
    }

    /// Others act in this node's place from now on.
    pub fn left(&self) {
        let now = self.clock.now();
        self.change(now, |known| {
            known.tenure.left();
            None
        });
    }

    /// Whether nobody that can be reached sends requests here any more.
    #[must_use]
    pub fn is_let_go(&self) -> bool {
        self.known.lock().is_let_go()
    }

    /// Whether this node did not run for so long that it must not judge others.
    fn was_stopped(&self, now: Timestamp) -> bool {
        let ran_at = Timestamp::from_millis(self.ran_at.load(Ordering::Acquire));
        now.since(ran_at) > self.stall() || self.is_in_doubt(&self.known.lock(), now)
    }

    /// Whether this node has just found that it was stopped, and asks others. What fails meanwhile is tried again; but
    /// not for ever, since who is gone never answers.
    fn is_in_doubt(&self, known: &Known, now: Timestamp) -> bool {
        let is_new = |since: Timestamp| now.since(since) < self.settings.peer_timeout * 2;
        known.tenure.mandate() == Mandate::Doubting && known.doubts_since.is_some_and(is_new)
    }

    /// Others may take this node's place after it was silent for a quarter of `cluster.peer_timeout`; it notices half of
    /// that.
    fn stall(&self) -> Duration {
        (self.settings.peer_timeout / 8).max(Duration::from_millis(20))
    }

    /// Finds this node running, or that it was not: before anything else is concluded, or what others said before it was
    /// stopped would renew its mandate.
    fn find_running(&self, known: &mut Known, now: Timestamp) {
        let ran_at = Timestamp::from_millis(self.ran_at.fetch_max(now.as_millis(), Ordering::AcqRel));
        let silence = now.since(ran_at);
        if silence <= self.stall() || known.members.len() == 1 {
            return;
        }
        if let Some(more) = STOPPED.pass(now) {
            warn!(
                ?silence,
                more, "this node did not run for a while: asking the others whether they took its place"
            );
        }
        known.stalled(now);
    }

    /// Finds this node running, and draws the conclusions that time brings.
    fn tick(&self) -> Mandate {
        let now = self.clock.now();
        self.change(now, |known| {
            known.tenure.tick(now);
            None
        });
        self.known.lock().tenure.mandate()
    }

    /// Keeps the mandate to act from running out, for as long as it is polled.
    async fn tick_forever(&self) {
        loop {
            self.tick();
            tokio::time::sleep(self.stall() / TICKS_A_STALL).await;
        }
    }

    /// Lets `event` change what is known, and draws every conclusion.
    fn change<'a>(&self, now: Timestamp, event: impl FnOnce(&mut Known) -> Option<(Transition, Why<'a>)>) {
        let mut known = self.known.lock();
        let (before, ring) = (known.summary(), Arc::clone(known.rings.current()));
        self.find_running(&mut known, now);
        let transition = event(&mut known);
        if let Some((transition, why)) = transition {
            self.tell(&mut known, transition, why);
            if let Transition::WentOffline(_) = transition {
                known.went_away();
            }
        }
        known.settle(now);
        let after = known.summary();
        if before != after {
            log_changes(&before, &after);
            let is_synced = before.state == MemberState::Syncing && after.state == MemberState::Ready;
            if is_synced && !known.tenure.is_handed_all() {
                let misses_somebody = known.tenure.misses_somebody();
                warn!(
                    waited = ?self.settings.sync_timeout,
                    misses_somebody,
                    "not everything was handed to this node: it goes on with what it has"
                );
            }
            self.begun.add(u64::from(before.incarnation != after.incarnation));
        }
        if !Arc::ptr_eq(&ring, known.rings.current()) {
            let members: Vec<_> =
                known.rings.current().roster().map(|(_, address)| address.clone()).collect();
            self.network.set_members(&members);
        }
        self.publish(&known, now);
        let something_to_say = known.has_something_to_say();
        drop(known);
        if something_to_say {
            self.announce.notify_one();
        }
        self.changes.add();
        // A failure moves the next probe; the prober may be waiting for an earlier or a later moment.
        self.probe.notify_one();
    }

    fn publish(&self, known: &MutexGuard<'_, Known>, now: Timestamp) {
        let until = match known.tenure.mandate() {
            Mandate::Acting if known.members.len() == 1 => u64::MAX,
            Mandate::Acting => (now + self.stall()).as_millis(),
            Mandate::Doubting | Mandate::Passive => 0,
        };
        self.acting_until.store(until, Ordering::Release);
        self.stops.store(known.doubts, Ordering::Release);
        let view = known.view();
        if **self.view.load() != view {
            self.view.store(Arc::new(view));
        }
    }

    /// Says what became of a member, and lets go of who was found damaged.
    fn tell(&self, known: &mut Known, transition: Transition, why: Why<'_>) {
        let (Transition::WentOffline(member) | Transition::CameOnline(member)) = transition;
        let address = known.rings.current().address(member).clone();
        match (transition, why) {
            (Transition::CameOnline(_), _) => info!(member = %address, "member online"),
            (Transition::WentOffline(_), Why::Said(state)) => {
                info!(member = %address, state = state.name(), "others serve the member's keys");
            }
            (Transition::WentOffline(_), Why::Failed(why)) => {
                if known.health.has_met(member) {
                    warn!(member = %address, why, "member damaged; others serve its keys");
                    known.members[member.as_usize()].last_failure = Some(why.to_owned());
                } else {
                    info!(member = %address, why, "the member is not there yet");
                }
                self.network.disconnect(&address);
            }
        }
    }
}

/// Why a member comes or goes.
#[derive(Clone, Copy, Debug)]
enum Why<'a> {
    Failed(&'a str),
    Said(MemberState),
}

fn log_changes(before: &known::Summary, after: &known::Summary) {
    if before.state != after.state || before.mandate != after.mandate {
        info!(state = after.state.name(), mandate = ?after.mandate, incarnation = %after.incarnation, "this node");
    }
    if before.ring != after.ring {
        info!(ring = %after.ring, before = %before.ring, "requests go by another ring now");
    }
}
