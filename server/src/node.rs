//! Builds a node from its configuration, starts it and stops it: the one place where the parts meet.

pub(crate) mod protection;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use ringhold_config::{Config, Limits};
use ringhold_ring::{Incarnation, MemberAddress, RingError};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::core::{Core, EXPIRE_EVERY};
use crate::http::guard::{Guard, Refused};
use crate::http::report::{MemberReport, NodeStatus};
use crate::http::{AcceptMember, AcceptedMember, App};
use crate::peer::network::Network;
use crate::peer::{ClusterNameError, HandshakeError, Identity, Peers, ServeError, Tcp, TlsConnect};
use crate::routing::Objects;
use crate::security::refusals::Refusals;
use crate::status::Status;
use protection::Protection;

pub use protection::{ProtectionError, ReadConfig, Reload};

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
    core: Arc<Core>,
    identity: Arc<Identity>,
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
        let (ring, address) = (config.ring()?, config.node.address.clone());

        let clock = Clock::system();
        let (incarnation, seed) = uuid::Uuid::new_v4().as_u64_pair();
        let identity = Identity::new(
            &cluster.name,
            address.clone(),
            ring.id(),
            incarnation,
            config.store.max_object_bytes,
            clock.clone(),
        )?;
        let identity = Arc::new(identity);
        // A new member list is for the core, which needs what is loaded here.
        let core = Arc::new(OnceLock::<Arc<Core>>::new());
        let protection = Protection::load(&config, reload, &identity, &clock, {
            let core = Arc::clone(&core);
            move |config| core.get().map_or(Ok(()), |core| core.reload(config))
        })
        .await?;
        let network: Arc<dyn Network> =
            Arc::new(match protection.tls().filter(|_| config.members_speak_tls()) {
                Some(tls) => Peers::new(Arc::clone(&identity), TlsConnect::new(Arc::clone(tls))),
                None => Peers::new(Arc::clone(&identity), Tcp),
            });
        let built = Core::new(&config, Incarnation::new(incarnation), network, clock.clone(), seed)?;
        let core = Arc::clone(core.get_or_init(|| Arc::new(built)));

        let status = Arc::new(Status::new(&config, clock.wall(), &core, &protection));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let app = Arc::new(App::new(
            core.objects().clone(),
            Arc::clone(&status) as Arc<dyn NodeStatus>,
            clock,
            &config.limits,
            config.store.max_object_bytes,
            accept_member(&config, core.objects(), &identity, &protection.guard, &stop, &tasks),
            Arc::clone(&protection.guard),
        ));
        let limits = config.limits.clone();
        protection.keep(&tasks, &stop);
        let node = Self { core, identity, status, addresses, limits, app, protection, stop, tasks };
        for ((_, listener), settings) in listeners.into_iter().zip(&config.listeners) {
            let tls = node.protection.tls().filter(|_| settings.tls).cloned();
            node.tasks.spawn(crate::http::serve(listener, tls, Arc::clone(&node.app), node.stop.clone()));
        }
        node.keep_house();
        node.core.ready().await;
        info!(member = %address, listeners = ?node.addresses, members = cluster.members.len(), "node is ready");
        Ok(node)
    }

    /// The ring's objects, reached without a socket.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        self.core.objects()
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

    /// Reads keystores, secrets, access lists and the member list again, soon; what comes of it is in the log and in `/cluster`.
    pub fn reload(&self) {
        self.protection.demand();
    }

    /// Stops without failing a request or losing an object: says that it is not ready any more, hands what it holds to
    /// other members, who then act in its place, waits until `limits.drain` is over, stops accepting, and waits up to
    /// `limits.shutdown_timeout` for requests in flight.
    pub async fn stop(self) {
        self.app.leave();
        info!(drain = ?self.limits.drain, "draining");
        let leave = self.core.leave(self.limits.shutdown_timeout);
        tokio::join!(leave, tokio::time::sleep(self.limits.drain));
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.limits.shutdown_timeout, self.tasks.wait()).await.is_err() {
            warn!(timeout = ?self.limits.shutdown_timeout, "requests were still in flight at shutdown");
        }
        info!("node has stopped");
    }

    /// What a node does without being asked.
    fn keep_house(&self) {
        let (core, stop) = (Arc::clone(&self.core), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(core.run()).await });
        let (core, stop) = (Arc::clone(&self.core), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(expire_forever(core)).await });
        let (core, identity, stop) = (Arc::clone(&self.core), Arc::clone(&self.identity), self.stop.clone());
        self.tasks.spawn(async move { stop.run_until_cancelled(show_ring(core, identity)).await });
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

/// Keeps what new streams say of the ring up to date.
async fn show_ring(core: Arc<Core>, identity: Arc<Identity>) {
    let mut changes = core.membership().changes();
    loop {
        changes.changed().await;
        identity.set_ring_id(core.membership().view().ring().id());
    }
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

async fn expire_forever(core: Arc<Core>) {
    let mut ticks = tokio::time::interval(EXPIRE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let core = Arc::clone(&core);
        // Off the runtime's workers: a million objects may expire in one tick.
        let _ = tokio::task::spawn_blocking(move || core.expire()).await;
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
