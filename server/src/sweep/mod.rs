//! Bringing every record to where it belongs: the one mechanism behind returning members, changed member lists, leaving
//! nodes and copies that were missed.
//!
//! For another member it goes through the store once and offers what that member should keep; what is wanted is sent.
//! Where both are to keep records, sums over parts of the key space are compared first, and only parts that differ
//! are offered. Invariant: memory, requests under way and bytes a second are bounded, however much there is to send;
//! what was sent once is not wanted again, so a sweep that broke off goes on where it was.
//!
//! - `sums`: what two members compare; `handover`: offering and sending; `strays`: records that belong elsewhere.

mod handover;
mod progress;
mod strays;
mod sums;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ringhold_config::Cluster as Settings;
use tracing::{debug, info};

use crate::clock::Clock;
use crate::membership::{Errand, HandingOutcome, Membership};
use crate::peer::network::Network;
use crate::routing::Objects;
use crate::telemetry::metrics::Page;
pub use progress::Handover;
use progress::Progress;
pub use sums::sums;

/// Records looked at before others get a turn.
const SCAN: usize = 512;

/// Between two looks for records that belong elsewhere.
const STRAYS_EVERY: Duration = Duration::from_secs(2);

/// The background pass of one node.
#[derive(Debug)]
pub struct Sweep {
    objects: Objects,
    membership: Arc<Membership>,
    network: Arc<dyn Network>,
    settings: Settings,
    progress: Progress,
    rate: handover::Rate,
    clock: Clock,
}

impl Sweep {
    /// A sweep over what `objects` holds.
    #[must_use]
    pub fn new(
        objects: Objects,
        membership: Arc<Membership>,
        network: Arc<dyn Network>,
        settings: &Settings,
        clock: Clock,
    ) -> Self {
        let rate = handover::Rate::new(settings.handoff_rate);
        let (settings, progress) = (settings.clone(), Progress::default());
        Self { objects, membership, network, settings, progress, rate, clock }
    }

    /// Hands members what they should keep whenever one needs it, for as long as it is polled.
    pub async fn run(&self) {
        futures_util::join!(self.hand_over_forever(), self.compare_forever(), self.look_for_strays_forever());
    }

    /// What is being handed over now, and to whom.
    #[must_use]
    pub fn report(&self) -> Vec<Handover> {
        self.progress.report()
    }

    /// Writes down what was handed over since the start.
    pub fn collect(&self, page: &mut Page) {
        self.progress.collect(page);
    }

    async fn hand_over_forever(&self) {
        let mut changes = self.membership.changes();
        let mut handing = FuturesUnordered::new();
        loop {
            let begun = self.membership.begin_handing();
            handing.extend(begun.into_iter().map(|errand| self.hand(errand)));
            tokio::select! {
                biased;
                Some(()) = handing.next(), if !handing.is_empty() => {}
                () = changes.changed() => {}
                // One that failed is due again after a while, of which nobody is told.
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn hand(&self, errand: Errand) {
        let member = &errand.member;
        let began = self.clock.now();
        // What writes in progress do not copy to the member they have applied here after this.
        self.objects.owner().barrier().await;
        let outcome = match self.hand_over(member).await {
            Ok(handover) => {
                let took = self.clock.now().since(began);
                if handover.objects_sent > 0 {
                    info!(%member, objects = handover.objects_sent, bytes = handover.bytes_sent, ?took, "handed over");
                }
                HandingOutcome::Complete
            }
            Err(error) => {
                debug!(%member, %error, "handing over broke off");
                HandingOutcome::Failed
            }
        };
        self.progress.ended(outcome);
        self.membership.end_handing(&errand, outcome);
    }

    /// Compares with every member that is online, now and then: a write may have found too few receivers.
    async fn compare_forever(&self) {
        loop {
            tokio::time::sleep(self.settings.sweep_interval).await;
            for known in self.membership.report() {
                let is_me = known.address == *self.membership.address();
                if !is_me
                    && known.health == ringhold_ring::MemberHealth::Online
                    && let Err(error) = self.hand_over(&known.address).await
                {
                    debug!(member = %known.address, %error, "comparing broke off");
                }
            }
        }
    }

    async fn look_for_strays_forever(&self) {
        loop {
            tokio::time::sleep(STRAYS_EVERY).await;
            self.bring_strays_home().await;
        }
    }
}
