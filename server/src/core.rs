//! A node without sockets: store, owner, routing, membership and sweep over any network. What `Node` puts behind
//! listeners, and what simulations run.

use std::sync::Arc;
use std::time::Duration;

use ringhold_config::Config;
use ringhold_ring::{Incarnation, MemberAddress};
use tracing::{info, warn};

use crate::clock::Clock;
use crate::membership::{Membership, ReloadError};
use crate::node::StartError;
use crate::owner::Owner;
use crate::peer::network::Network;
use crate::routing::Objects;
use crate::store::Store;
use crate::sweep::Sweep;

/// How often expired objects are dropped from memory. No reader sees one in between.
pub const EXPIRE_EVERY: Duration = Duration::from_millis(250);

/// The parts of a node that need no sockets.
#[derive(Debug)]
pub struct Core {
    objects: Objects,
    membership: Arc<Membership>,
    sweep: Arc<Sweep>,
    tombstone_ttl: Duration,
}

impl Core {
    /// The node that `config` describes, starting as `incarnation`; both it and `seed` are random numbers.
    ///
    /// # Errors
    /// [`StartError::Ring`] and [`StartError::NotAMember`].
    pub fn new(
        config: &Config,
        incarnation: Incarnation,
        network: Arc<dyn Network>,
        clock: Clock,
        seed: u64,
    ) -> Result<Self, StartError> {
        let (cluster, address) = (&config.cluster, &config.node.address);
        let ring = config.ring()?;
        let membership =
            Membership::new(ring, address, incarnation, cluster, Arc::clone(&network), clock.clone())
                .ok_or_else(|| StartError::NotAMember { address: address.clone() })?;
        let membership = Arc::new(membership);
        let store = Store::seeded(&config.store, clock.clone(), seed);
        let owner = Owner::new(
            &config.store,
            cluster,
            store,
            Arc::clone(&membership),
            Arc::clone(&network),
            clock.clone(),
        );
        let objects = Objects::new(owner, Arc::clone(&membership), Arc::clone(&network), cluster, seed);
        let sweep = Sweep::new(objects.clone(), Arc::clone(&membership), network, cluster, clock);
        let tombstone_ttl = cluster.tombstone_ttl;
        Ok(Self { objects, membership, sweep: Arc::new(sweep), tombstone_ttl })
    }

    /// The door to the ring's objects, and what other members reach of this one.
    #[must_use]
    pub const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Who is there.
    #[must_use]
    pub const fn membership(&self) -> &Arc<Membership> {
        &self.membership
    }

    /// The background pass.
    #[must_use]
    pub const fn sweep(&self) -> &Arc<Sweep> {
        &self.sweep
    }

    /// What this node holds.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.objects.owner().store()
    }

    /// What a node does without being asked, but for [`Core::expire`]: for as long as it is polled.
    pub async fn run(&self) {
        futures_util::join!(self.membership.run(), self.sweep.run());
    }

    /// Drops what has expired. It may take a while when a million objects do at once: it is for a thread that may block.
    pub fn expire(&self) {
        let alone = self.membership.view().is_alone();
        let keep = (!alone && !self.membership.is_settled()).then_some(self.tombstone_ttl);
        self.store().expire(keep);
    }

    /// Waits until this node may be asked for its keys.
    pub async fn ready(&self) {
        self.membership.ready().await;
    }

    /// Takes the member list of `config` for the ring that this node is to change to.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub fn reload(&self, config: &Config) -> Result<(), ReloadError> {
        self.membership.reload(config.ring()?)
    }

    /// Hands what this node keeps to others, who act in its place when this returns; at most `patience` is waited for
    /// that. It takes copies no more then.
    pub async fn leave(&self, patience: Duration) {
        self.membership.leave();
        let handed = self.wait_until(patience, || self.membership.has_handed_all()).await;
        if !handed {
            warn!(?patience, "not everything could be handed to other members");
        }
        self.membership.left();
        let let_go =
            self.wait_until(patience.min(Duration::from_secs(5)), || self.membership.is_let_go()).await;
        info!(handed, let_go, "others act in this node's place");
    }

    async fn wait_until(&self, patience: Duration, condition: impl Fn() -> bool) -> bool {
        let mut changes = self.membership.changes();
        let wait = async {
            while !condition() {
                changes.changed().await;
            }
        };
        tokio::time::timeout(patience, wait).await.is_ok()
    }
}

/// A network without anybody else.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Network for Nobody {
    fn execute<'a>(
        &'a self,
        to: &'a MemberAddress,
        _: &'a ringhold_ring::Key<'_>,
        _: &'a crate::object::Operation,
        _: &'a crate::peer::network::Passage,
        _: Duration,
    ) -> futures_util::future::BoxFuture<'a, Result<crate::peer::network::Executed, crate::peer::PeerError>>
    {
        Box::pin(async move { Err(crate::peer::PeerError::NotSent(format!("there is no {to}"))) })
    }

    fn ask<'a>(
        &'a self,
        to: &'a MemberAddress,
        _: &'a crate::peer::network::Ask,
        _: Duration,
    ) -> futures_util::future::BoxFuture<'a, Result<crate::peer::network::Told, crate::peer::PeerError>> {
        Box::pin(async move { Err(crate::peer::PeerError::NotSent(format!("there is no {to}"))) })
    }

    fn disconnect(&self, _: &MemberAddress) {}

    fn set_members(&self, _: &[MemberAddress]) {}
}
