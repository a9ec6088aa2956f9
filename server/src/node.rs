//! Builds a node from its configuration, starts it and stops it: the one place where the parts meet.

pub(crate) mod protection;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringhold_config::{Config, Limits};
use ringhold_ring::{MemberAddress, Ring, RingError};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::http::guard::{Guard, Refused};
use crate::http::report::{MemberReport, NodeStatus};
use crate::http::{AcceptMember, AcceptedMember, App};
use crate::membership::Membership;
use crate::owner::Owner;
use crate::peer::{
    ClusterNameError, HandshakeError, Identity, MemberState, Peers, ServeError, Tcp, TlsConnect,
};
use crate::routing::Objects;
use crate::security::refusals::Refusals;
use crate::status::Status;
use crate::store::Store;
use protection::Protection;

pub use protection::{ProtectionError, ReadConfig, Reload};

/// How often expired objects are dropped from memory. No reader sees one in between.
const EXPIRE_EVERY: Duration = Duration::from_millis(250);

/// Streams that members may have open to this node: each needs one, and a few while it opens others anew.
const STREAMS_OF_A_MEMBER: usize = 4;
const MIN_MEMBER_STREAMS: usize = 64;

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configured members do not form a ring.
    #[error("cluster.members: {0}")]
    Ring(#[from] RingError),
    /// The cluster's name does not travel between members.
    #[error("cluster.name: {0}")]
    ClusterName(#[from] ClusterNameError),
    /// This node is not one of the members.
    #[error("node.address {address} is not in cluster.members; add it there, on every node")]
    NotAMember {
        /// `node.address`
        address: MemberAddress,
    },
    /// Keystores, secrets and what they protect.
    #[error(transparent)]
    Protection(#[from] ProtectionError),
    /// A listener could not be bound.
    #[error("cannot listen on {address}: {why}{}", hint(.why))]
    Bind {
        /// The listener's address.
        address: SocketAddr,
        /// The system's answer.
        why: std::io::Error,
    },
}

fn hint(why: &std::io::Error) -> &'static str {
    match why.kind() {
        std::io::ErrorKind::AddrInUse => "; another program listens there: stop it or choose another port",
        std::io::ErrorKind::AddrNotAvailable => "; it is not an address of this machine",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: choose a higher one",
        _ => "",
    }
}

/// A running node. Dropping it stops it at once; [`Node::stop`] does so without failing a request.
#[derive(Debug)]
pub struct Node {
    objects: Objects,
    membership: Arc<Membership>,
    status: Arc<Status>,
    addresses: Vec<SocketAddr>,
    limits: Limits,
    /// What the listeners share.
    app: Arc<App>,
    protection: Arc<Protection>,
    /// Ends everything but requests in flight.
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Node {
    /// Binds every listener and starts the node. It takes requests when this returns.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_reloading(config, None).await
    }

    /// The same; keystores, secrets and access lists are read again when their files change, and, with `reload`, when
    /// the configuration does. Everything else in it takes effect with a restart.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start_reloading(config: Config, reload: Option<Reload>) -> Result<Self, StartError> {
        config.warnings().iter().for_each(|warning| warn!("{warning}"));
        let listeners = bind(&config).await?;
        let addresses = listeners.iter().map(|(address, _)| *address).collect();
        let cluster = &config.cluster;
        let ring = Ring::new(cluster.members.iter().cloned(), cluster.placement, cluster.replicas)?;
        let address = config.node.address.clone();
        let me = ring.index_of(&address).ok_or(StartError::NotAMember { address: address.clone() })?;

        let clock = Clock::system();
        let incarnation = uuid::Uuid::new_v4().as_u64_pair().0;
        let identity = Identity::new(
            &cluster.name,
            address.clone(),
            ring.id(),
            incarnation,
            config.store.max_object_bytes,
            clock.clone(),
        )?;
        let identity = Arc::new(identity);
        let protection = Protection::load(&config, reload, &identity, &clock).await?;
        let peers = Arc::new(match protection.tls().filter(|_| config.members_speak_tls()) {
            Some(tls) => Peers::new(Arc::clone(&identity), TlsConnect::new(Arc::clone(tls))),
            None => Peers::new(Arc::clone(&identity), Tcp),
        });
        let store = Store::new(&config.store, clock.clone());
        let owner = Owner::new(&address, &config.store, store, clock.clone());
        let membership = Arc::new(Membership::new(ring, me, cluster, Arc::clone(&peers), clock.clone()));
        let objects = Objects::new(owner, Arc::clone(&membership), Arc::clone(&peers), cluster.peer_timeout);

        let status =
            Arc::new(Status::new(&config, incarnation, clock.wall(), &objects, &membership, &protection));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let app = Arc::new(App::new(
            objects.clone(),
            Arc::clone(&status) as Arc<dyn NodeStatus>,
            clock,
            &config.limits,
            config.store.max_object_bytes,
            accept_member(&config, &objects, &identity, &protection.guard, &stop, &tasks),
            Arc::clone(&protection.guard),
        ));
        let limits = config.limits.clone();
        protection.keep(&tasks, &stop);
        let node = Self { objects, membership, status, addresses, limits, app, protection, stop, tasks };
        for ((_, listener), settings) in listeners.into_iter().zip(&config.listeners) {
            let tls = node.protection.tls().filter(|_| settings.tls).cloned();
            node.tasks.spawn(crate::http::serve(listener, tls, Arc::clone(&node.app), node.stop.clone()));
        }
        node.keep_house();
        node.membership.introduced().await;
        node.membership.set_own_state(MemberState::Ready);
        info!(member = %address, listeners = ?node.addresses, members = cluster.members.len(), "node is ready");
        Ok(node)
    }

    /// The ring's objects, reached without a socket.
    #[must_use]
    pub const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// How this node sees the members of its ring, as `/cluster` shows them.
    #[must_use]
    pub fn members(&self) -> Vec<MemberReport> {
        self.status.cluster().members
    }

    /// Where the node listens, with the ports that the system chose for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Reads keystores, secrets and access lists again, soon; what comes of it is in the log and in `/cluster`.
    pub fn reload(&self) {
        self.protection.demand();
    }

    /// Stops without failing a request: says that it is not ready any more, waits `limits.drain`, stops
    /// accepting, and waits up to `limits.shutdown_timeout` for requests in flight.
    pub async fn stop(self) {
        self.membership.set_own_state(MemberState::Draining);
        self.app.leave();
        info!(drain = ?self.limits.drain, "draining");
        tokio::time::sleep(self.limits.drain).await;
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.limits.shutdown_timeout, self.tasks.wait()).await.is_err() {
            warn!(timeout = ?self.limits.shutdown_timeout, "requests were still in flight at shutdown");
        }
        info!("node has stopped");
    }

    /// What a node does without being asked: probing its members, dropping what has expired.
    fn keep_house(&self) {
        let (membership, stop) = (Arc::clone(&self.membership), self.stop.clone());
        self.tasks.spawn(async move {
            stop.run_until_cancelled(membership.probe_forever()).await;
        });
        let (objects, stop) = (self.objects.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            stop.run_until_cancelled(expire_forever(objects)).await;
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What happens to a stream that a member has opened.
fn accept_member(
    config: &Config,
    objects: &Objects,
    identity: &Arc<Identity>,
    guard: &Arc<Guard>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> AcceptMember {
    let (objects, identity, guard) = (objects.clone(), Arc::clone(identity), Arc::clone(guard));
    let (stop, tasks) = (stop.clone(), tasks.clone());
    let max_streams = MIN_MEMBER_STREAMS.max(STREAMS_OF_A_MEMBER * config.cluster.members.len());
    let slots = Arc::new(Semaphore::new(max_streams));
    // A member that is configured wrongly comes back for ever, and so may anybody.
    let refusals = Arc::new(Refusals::default());
    Arc::new(move |accepted: AcceptedMember| {
        let (objects, identity, stop) = (Arc::new(objects.clone()), Arc::clone(&identity), stop.clone());
        let (slots, refusals, guard) = (Arc::clone(&slots), Arc::clone(&refusals), Arc::clone(&guard));
        tasks.spawn(async move {
            let now = identity.clock().now();
            let AcceptedMember { stream, channel, peer, place } = accepted;
            // Until it has proved to be a member's it counts as what it may be: a stranger's connection.
            let admit = move || {
                drop(place);
                slots.try_acquire_owned().ok()
            };
            let served = crate::peer::serve(stream, objects, identity, channel, admit, stop).await;
            match served {
                Ok(()) => {}
                // A process that ends, ends its streams as it may.
                Err(error) if error.is_end_of_stream() => debug!(%peer, %error, "a member's stream ended"),
                Err(error) => {
                    if let Some(reason) = refused(&error) {
                        guard.refusals().of(reason).raise();
                    }
                    if let Some(unlogged) = refusals.note(peer.ip(), now) {
                        warn!(%peer, %error, unlogged, "a member's stream ended");
                    }
                }
            }
        });
    })
}

/// As what the end of a stream counts, if nobody let it in.
fn refused(error: &ServeError) -> Option<Refused> {
    match error {
        ServeError::Handshake(
            HandshakeError::NoProof | HandshakeError::Proof(_) | HandshakeError::Channel,
        ) => Some(Refused::StreamProof),
        ServeError::Handshake(_) => Some(Refused::StreamHandshake),
        ServeError::TooMany { .. } => Some(Refused::MemberStreams),
        _ => None,
    }
}

async fn expire_forever(objects: Objects) {
    let mut ticks = tokio::time::interval(EXPIRE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let objects = objects.clone();
        // Off the runtime's workers: a million objects may expire in one tick.
        let _ = tokio::task::spawn_blocking(move || objects.owner().store().expire()).await;
    }
}

async fn bind(config: &Config) -> Result<Vec<(SocketAddr, TcpListener)>, StartError> {
    let mut bound = Vec::with_capacity(config.listeners.len());
    for listener in &config.listeners {
        let address = listener.address;
        let failed = |why| StartError::Bind { address, why };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        bound.push((socket.local_addr().map_err(failed)?, socket));
    }
    Ok(bound)
}
