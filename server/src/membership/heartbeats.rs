//! What is said to other members and heard from them, and when: probes when they are due, and whatever changed at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use ringhold_ring::{Heartbeat, MemberAddress, MemberState, Probe, Timestamp};
use tokio::time::Instant;
use tracing::debug;

use super::{Membership, Waiter, Why};
use crate::peer::PeerError;
use crate::peer::network::{Ask, Told};

/// What changes within so short a time is said at once.
const GATHER: Duration = Duration::from_millis(5);

/// Who is asked whether it lives does if it answers within this part of `cluster.peer_timeout`. Who is stopped for so long
/// notices it, so that nobody is given up who does not know.
const QUICK: u32 = 4;

/// A question that brought no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) why: String,
    /// The count of doubts when it was asked.
    pub(super) doubts: u64,
}

impl Membership {
    /// Probes members, tells them what changed and keeps the mandate from running out, for as long as it is polled.
    pub async fn run(self: &Arc<Self>) {
        futures_util::join!(
            self.probe_forever(),
            self.announce_forever(),
            self.tick_forever(),
            self.introduce()
        );
    }

    /// What a member says when it asks, and what it is told.
    #[must_use]
    pub fn answer(&self, from: &MemberAddress, beat: &Heartbeat) -> Option<Heartbeat> {
        self.heard(from, beat, None);
        let mut known = self.known.lock();
        let index = known.index_of(from)?;
        Some(known.tell(index))
    }

    /// Waits for the answer of `member` to a request that has all of `cluster.peer_timeout` since it `began`. When half of
    /// that is over, `member` is asked whether it lives. Who lives is not blamed for being slow: it may wait for somebody who is damaged
    /// itself.
    pub async fn watch<T>(
        &self,
        member: &MemberAddress,
        began: Instant,
        answer: impl Future<Output = T>,
    ) -> T {
        let half = began + self.settings.peer_timeout / 2;
        let mut answer = std::pin::pin!(answer);
        if let Ok(answer) = tokio::time::timeout_at(half, &mut answer).await {
            return answer;
        }
        // Boxed: nearly no request comes to that, and all would be as large.
        let verified = Box::pin(self.verify(member));
        match futures_util::future::select(answer, verified).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, answer)) => answer.await,
        }
    }

    /// Hears `member` out if it was out of reach and now sends something: it may act in this node's place. Whether this node
    /// knows how it is; if not, `member` reaches this node, and this node not `member`.
    pub async fn hear_out(&self, member: &MemberAddress) -> bool {
        if self.view().is_addressable_at(member) {
            return true;
        }
        let is_lost = {
            let known = self.known.lock();
            known.index_of(member).is_some_and(|index| !known.members[index.as_usize()].reachable)
        };
        !is_lost || self.exchange(member, self.settings.peer_timeout / 8).await.is_ok()
    }

    /// Whether `member` lives, by a quick question; if it does not, it is damaged.
    pub async fn verify(&self, member: &MemberAddress) -> bool {
        match self.exchange(member, self.settings.peer_timeout / QUICK).await {
            Ok(()) => true,
            Err(Unanswered { why, doubts }) => {
                self.damage(member, &why, doubts);
                false
            }
        }
    }

    async fn probe_forever(&self) {
        let mut probes = FuturesUnordered::new();
        loop {
            let (due, next) = {
                let mut known = self.known.lock();
                let due = known.health.due(self.clock.now());
                let address = |probe: &Probe| known.rings.current().address(probe.member).clone();
                let due: Vec<_> = due.into_iter().map(|probe| (probe, address(&probe))).collect();
                (due, known.health.next_due())
            };
            probes.extend(due.into_iter().map(|(probe, address)| self.probe(probe, address)));
            tokio::select! {
                biased;
                Some(()) = probes.next(), if !probes.is_empty() => {}
                () = self.probe.notified() => {}
                () = self.until(next) => {}
            }
        }
    }

    async fn until(&self, moment: Option<Timestamp>) {
        match moment {
            Some(moment) => tokio::time::sleep(moment.since(self.clock.now())).await,
            None => std::future::pending().await,
        }
    }

    async fn probe(&self, probe: Probe, address: MemberAddress) {
        let result = self.exchange(&address, self.settings.peer_timeout).await;
        let now = self.clock.now();
        let was_stopped = self.was_stopped(now);
        self.change(now, |known| {
            // The roster may be another one by now: then nothing waits for this probe.
            let member = known.index_of(&address).filter(|member| *member == probe.member)?;
            match &result {
                Ok(()) => {
                    let state = known.members[member.as_usize()].beat.map(|beat| beat.state)?;
                    known.answered(probe, now).map(|transition| (transition, Why::Said(state)))
                }
                Err(unanswered) if was_stopped || unanswered.doubts != known.doubts => {
                    known.health.repeat(probe, now + self.stall());
                    None
                }
                Err(Unanswered { why, .. }) => {
                    known.lose(member, now);
                    known.health.unanswered(probe, now).map(|transition| (transition, Why::Failed(why)))
                }
            }
        });
    }

    async fn announce_forever(&self) {
        loop {
            self.announce.notified().await;
            tokio::time::sleep(GATHER).await;
            let to_tell: Vec<_> = {
                let known = self.known.lock();
                known.to_tell().map(|member| known.rings.current().address(member).clone()).collect()
            };
            let timeout = self.settings.peer_timeout / 4;
            let telling: FuturesUnordered<_> = to_tell
                .iter()
                .map(|member| async move { (member, self.exchange(member, timeout).await) })
                .collect();
            telling.for_each(|(member, result)| self.told(member, result.err())).await;
        }
    }

    /// A member that did not answer what it was told is out of reach for whoever waits for its answer; whether it is
    /// damaged, probes and requests find out.
    pub(super) async fn told(&self, member: &MemberAddress, failure: Option<Unanswered>) {
        let Some(Unanswered { why, doubts }) = failure else { return };
        debug!(%member, why, "not told");
        let now = self.clock.now();
        self.change(now, |known| {
            // What was asked before this node was stopped failed because it was.
            let member = known.index_of(member).filter(|_| known.doubts == doubts)?;
            let beat = known.members[member.as_usize()].beat;
            let has_left = beat.is_some_and(|beat| beat.state == MemberState::Draining);
            // Doubt is to be settled by answers: it is asked again, unless it was about to stop and never answers.
            if self.is_in_doubt(known, now) && !has_left {
                return None;
            }
            if !known.health.is_online(member) {
                known.lose(member, now);
            } else {
                known.tenure.lost(member, now);
            }
            None
        });
    }

    /// Tells `member` how this node is, and hears how it is.
    async fn exchange(&self, member: &MemberAddress, timeout: Duration) -> Result<(), Unanswered> {
        let (beat, doubts) = {
            let mut known = self.known.lock();
            let doubts = known.doubts;
            let unknown = || Unanswered { why: "it is no longer a member".to_owned(), doubts };
            let index = known.index_of(member).ok_or_else(unknown)?;
            (known.tell(index), doubts)
        };
        match self.network.ask(member, &Ask::Heartbeat(beat), timeout).await {
            Ok(Told::Heartbeat(beat)) => {
                self.heard(member, &beat, Some(doubts));
                Ok(())
            }
            Ok(_) => {
                let now = self.clock.now();
                self.change(now, |known| {
                    let member = known.index_of(member)?;
                    known.members[member.as_usize()].ignores_us = true;
                    None
                });
                let why =
                    "it does not count this node among its members yet: reload its configuration".to_owned();
                Err(Unanswered { why, doubts })
            }
            Err(PeerError::NotSent(why) | PeerError::Lost(why)) => {
                let mut known = self.known.lock();
                if let Some(member) = known.index_of(member) {
                    known.members[member.as_usize()].ignores_us = false;
                }
                Err(Unanswered { why, doubts })
            }
        }
    }

    /// `asked_at` is the count of doubts when the question was asked to which this is the answer.
    pub(super) fn heard(&self, from: &MemberAddress, beat: &Heartbeat, asked_at: Option<u64>) {
        let now = self.clock.now();
        self.change(now, |known| {
            let member = known.index_of(from)?;
            let transition = known.heard(member, beat, now);
            if asked_at == Some(known.doubts) {
                known.tenure.confirmed(member, now);
            }
            transition.map(|transition| (transition, Why::Said(beat.state)))
        });
    }

    /// Lets this node begin once it has heard of everybody, or knows that it cannot.
    async fn introduce(&self) {
        let mut changes = self.changes();
        self.look_around(&mut changes).await;
        // Once: where several rings are in use, those who use one wait for this node to go by any.
        if self.join_others().await {
            self.look_around(&mut changes).await;
        }
        let now = self.clock.now();
        self.change(now, |known| {
            known.tenure.introduced(now);
            None
        });
        let mut looked_at = None;
        loop {
            self.follow_others(&mut looked_at).await;
            changes.changed().await;
        }
    }

    async fn look_around(&self, changes: &mut Waiter) {
        while !self.knows_its_place() {
            changes.changed().await;
        }
    }

    /// Whether everybody has been heard of, and knows this node for a member.
    fn knows_its_place(&self) -> bool {
        let known = self.known.lock();
        known.health.knows_all() && known.ignored_by().is_none()
    }

    /// Waits until this node may be asked for its keys.
    pub async fn ready(&self) {
        let mut changes = self.changes();
        while self.own_state() != MemberState::Ready {
            changes.changed().await;
        }
    }
}
