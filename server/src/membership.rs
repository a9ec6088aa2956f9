//! Who is online, as this node sees it: drives the ring's health state machine with probes and with the
//! failures of forwards, and publishes a new view whenever keys move.
//!
//! Invariant: the published view and the state machine change together, under one lock.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use parking_lot::Mutex;
use ringhold_config::Cluster as Settings;
use ringhold_ring::{
    Health, MemberHealth, MemberIndex, Probe, Readiness, Ring, RingId, Timestamp, Transition, View,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::peer::{MemberState, Peers, ProbeAnswer};

/// The members of the ring and what is known of them.
#[derive(Debug)]
pub struct Membership {
    view: ArcSwap<View>,
    known: Mutex<Known>,
    /// The address of each member as text, by its index.
    labels: Vec<Bytes>,
    own_label: Bytes,
    own_state: Mutex<MemberState>,
    wake: Notify,
    knows_all: watch::Sender<bool>,
    peers: Arc<Peers>,
    clock: Clock,
    timeout: Duration,
}

#[derive(Debug)]
struct Known {
    health: Health,
    reports: Vec<Reported>,
}

/// What a member last said of itself, and why it last failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// From its latest answer to a probe.
    pub answer: Option<ProbeAnswer>,
    /// Why it was last taken out.
    pub last_failure: Option<String>,
    /// How often it was taken out.
    pub damaged: u64,
}

impl Membership {
    /// Everyone online; `me` starting.
    #[must_use]
    pub fn new(ring: Ring, me: MemberIndex, settings: &Settings, peers: Arc<Peers>, clock: Clock) -> Self {
        let health = Health::new(ring.len(), me, settings.health_policy(), clock.now());
        let is_alone = health.knows_all();
        let known = Known { health, reports: vec![Reported::default(); ring.len()] };
        let labels: Vec<_> = ring.members().map(|(_, address)| Bytes::from(address.to_string())).collect();
        Self {
            view: ArcSwap::from_pointee(View::all_online(Arc::new(ring), me)),
            known: Mutex::new(known),
            own_label: labels[me.as_usize()].clone(),
            labels,
            own_state: Mutex::new(MemberState::Starting),
            wake: Notify::new(),
            knows_all: watch::Sender::new(is_alone),
            peers,
            clock,
            timeout: settings.peer_timeout,
        }
    }

    /// Members and health at this moment.
    #[must_use]
    pub fn view(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    /// The address of a member as text.
    #[must_use]
    pub fn label(&self, member: MemberIndex) -> Bytes {
        self.labels[member.as_usize()].clone()
    }

    /// This node's own address as text.
    #[must_use]
    pub fn own_label(&self) -> Bytes {
        self.own_label.clone()
    }

    /// What this node answers when it is probed.
    #[must_use]
    pub fn own_state(&self) -> MemberState {
        *self.own_state.lock()
    }

    /// Changes what this node answers when it is probed.
    pub fn set_own_state(&self, state: MemberState) {
        *self.own_state.lock() = state;
    }

    /// A forward to `member` failed: takes it out and lets go of every request that waits on it.
    pub fn damage(&self, member: MemberIndex, why: &str) {
        let now = self.clock.now();
        self.change(member, why, |health| health.failed(member, now));
    }

    /// What is known of every member at this moment, in the ring's order.
    #[must_use]
    pub fn report(&self) -> Vec<(MemberIndex, MemberHealth, Reported)> {
        let now = self.clock.now();
        let view = self.view.load_full();
        let known = self.known.lock();
        let members = view.ring().members().zip(&known.reports);
        members.map(|((index, _), reported)| (index, known.health.of(index, now), reported.clone())).collect()
    }

    /// Waits until every other member has answered a probe or failed to: at most `cluster.peer_timeout` after
    /// probing has begun.
    pub async fn introduced(&self) {
        // The sender is a part of self, so it is there as long as anybody waits.
        let _ = self.knows_all.subscribe().wait_for(|knows_all| *knows_all).await;
    }

    /// Probes members whenever a probe is due, for as long as it is polled.
    pub async fn probe_forever(self: Arc<Self>) {
        let mut probes = JoinSet::new();
        loop {
            let (due, next) = {
                let mut known = self.known.lock();
                (known.health.due(self.clock.now()), known.health.next_due())
            };
            for probe in due {
                let this = Arc::clone(&self);
                probes.spawn(async move { this.probe(probe).await });
            }
            tokio::select! {
                () = self.until(next) => {}
                () = self.wake.notified() => {}
                Some(_) = probes.join_next() => {}
            }
        }
    }

    async fn until(&self, moment: Option<Timestamp>) {
        match moment {
            Some(moment) => tokio::time::sleep(moment.since(self.clock.now())).await,
            None => std::future::pending().await,
        }
    }

    async fn probe(&self, probe: Probe) {
        let address = self.view.load().ring().address(probe.member).clone();
        let answer = self.peers.probe(&address, self.timeout).await;
        let now = self.clock.now();
        match answer {
            Ok(answer) => {
                let readiness = match answer.state {
                    MemberState::Ready => Readiness::Ready,
                    MemberState::Starting | MemberState::Syncing | MemberState::Draining => {
                        Readiness::NotReady
                    }
                };
                let why = format!("it says that it is {}", answer.state.name());
                self.note(probe.member, answer);
                self.change(probe.member, &why, |health| health.answered(probe, readiness, now));
            }
            Err(error) => {
                self.change(probe.member, &error.to_string(), |health| health.unanswered(probe, now));
            }
        }
    }

    /// Keeps what a member says of itself; a ring id that differs from ours is worth a warning when it appears.
    fn note(&self, member: MemberIndex, answer: ProbeAnswer) {
        let ours = self.view.load().ring().id();
        let before = self.known.lock().reports[member.as_usize()].answer.replace(answer);
        let differs = |answer: ProbeAnswer| answer.ring_id.filter(|theirs| *theirs != ours);
        match (before.and_then(differs), differs(answer)) {
            (None, Some(theirs)) => self.warn_of_other_ring(member, ours, theirs),
            (Some(_), None) => info!(member = %self.name(member), "the member has our ring id again"),
            _ => {}
        }
    }

    fn warn_of_other_ring(&self, member: MemberIndex, ours: RingId, theirs: RingId) {
        warn!(
            member = %self.name(member), %ours, %theirs,
            "the member has another ring id: compare members, placement and replicas in both configurations"
        );
    }

    fn change(&self, member: MemberIndex, why: &str, event: impl FnOnce(&mut Health) -> Option<Transition>) {
        let mut known = self.known.lock();
        let transition = event(&mut known.health);
        let knows_all = known.health.knows_all();
        if transition.is_some() {
            let view = self.view.load_full();
            self.view.store(Arc::new(View::new(Arc::clone(view.ring()), view.me(), &known.health)));
        }
        let is_new = !known.health.has_met(member);
        if matches!(transition, Some(Transition::WentOffline(_))) && !is_new {
            let reported = &mut known.reports[member.as_usize()];
            reported.last_failure = Some(why.to_owned());
            reported.damaged += 1;
        }
        drop(known);
        match transition {
            Some(Transition::WentOffline(_)) => {
                if is_new {
                    info!(member = %self.name(member), why, "the member is not there yet");
                } else {
                    warn!(member = %self.name(member), why, "member damaged; others serve its keys");
                }
                self.peers.disconnect(self.view.load().ring().address(member));
            }
            Some(Transition::CameOnline(_)) => info!(member = %self.name(member), "member online"),
            None => {}
        }
        self.knows_all.send_if_modified(|before| !std::mem::replace(before, knows_all) && knows_all);
        // A failure moves the next probe; the prober may be waiting for an earlier or a later moment.
        self.wake.notify_one();
    }

    fn name(&self, member: MemberIndex) -> String {
        String::from_utf8_lossy(&self.labels[member.as_usize()]).into_owned()
    }
}
