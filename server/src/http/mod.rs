//! The HTTP side of a node: its listeners, the object API, the Repose dialect, and the endpoints about the node.
//!
//! - [`serve`] accepts connections, plain or TLS, and speaks HTTP/1.1 and HTTP/2 on them.
//! - [`guard`] is asked about every request ahead of everything else.
//! - `objects` and `repose` translate requests into operations for [`Objects`], each in its own dialect.
//! - [`report`] holds the documents about the node; [`problem`] the catalogue of errors.
//! - [`traffic`] is what listeners count.
//!
//! Nothing here knows where an object lives or how it is kept: `routing` and everything behind it do.

mod answer;
mod bell;
mod body;
mod eager;
mod endpoints;
mod express;
mod gathered;
pub mod guard;
mod headers;
mod listener;
mod objects;
mod origin;
pub mod problem;
mod range;
pub mod report;
mod repose;
mod secured;
mod service;
#[cfg(test)]
mod tests;
pub mod traffic;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ringhold_config::Limits;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::peer::Channel;
use crate::routing::Objects;
use body::Budget;
use guard::Guard;
use report::NodeStatus;
use traffic::Traffic;

pub use answer::Body;
pub use endpoints::PEER_PROTOCOL;
pub use express::{PlainRequest, plain_request};
pub use listener::{IDLE_TIMEOUT, serve};
pub use origin::Place;

/// Takes over a connection that a member has opened; it must not block.
pub type AcceptMember = Arc<dyn Fn(AcceptedMember) + Send + Sync>;

/// A connection that speaks the member stream from here on. With a shared secret its other side has proved nothing
/// yet: that is the stream's first task.
#[derive(Debug)]
pub struct AcceptedMember {
    /// The connection.
    pub stream: TokioIo<Upgraded>,
    /// What it runs over: the member's proof is bound to it.
    pub channel: Channel,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Keep it until the other side has proved to be a member: a stranger's connections stay limited by it.
    pub place: Place,
}

/// What the listeners of one node share.
pub struct App {
    objects: Objects,
    status: Arc<dyn NodeStatus>,
    clock: Clock,
    limits: Limits,
    max_object_bytes: usize,
    accept_member: AcceptMember,
    guard: Arc<Guard>,
    connections: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    bodies: Budget,
    max_connections: usize,
    traffic: Arc<Traffic>,
    is_leaving: AtomicBool,
}

/// Connections beyond `limits.max_connections`, on which only members are served, and nobody is for long.
const RESERVED_CONNECTIONS: usize = 64;

impl App {
    /// An app whose limits hold over all listeners that serve it.
    #[must_use]
    pub fn new(
        objects: Objects,
        status: Arc<dyn NodeStatus>,
        clock: Clock,
        limits: &Limits,
        max_object_bytes: usize,
        accept_member: AcceptMember,
        guard: Arc<Guard>,
    ) -> Self {
        let max_connections = limits.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        let traffic = Arc::<Traffic>::default();
        Self {
            objects,
            status,
            clock,
            limits: limits.clone(),
            max_object_bytes,
            accept_member,
            guard,
            connections: Arc::new(Semaphore::new(max_connections)),
            reserve: Arc::new(Semaphore::new(RESERVED_CONNECTIONS)),
            bodies: Budget::new(limits.max_body_bytes_in_flight, Arc::clone(&traffic)),
            max_connections,
            traffic,
            is_leaving: AtomicBool::new(false),
        }
    }

    /// From now on every answer over HTTP/1 says that its connection ends with it, so that clients go elsewhere
    /// with their next request, before connections are closed.
    pub fn leave(&self) {
        self.is_leaving.store(true, Relaxed);
    }

    fn is_leaving(&self) -> bool {
        self.is_leaving.load(Relaxed)
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("limits", &self.limits).finish_non_exhaustive()
    }
}
