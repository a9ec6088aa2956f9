//! The sections of a configuration, as types. What their values may be is said in `settings`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ringhold_ring::{HealthPolicy, MemberAddress, Placement, Ttl};

/// `[node]`
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The address under which the other members know this node.
    pub address: MemberAddress,
}

/// `[cluster]`
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Keeps rings apart: members of another name are refused.
    pub name: String,
    /// Every member, this node among them.
    pub members: Vec<MemberAddress>,
    /// How keys are placed on members.
    pub placement: Placement,
    /// How many home members a key has.
    pub replicas: usize,
    /// How many members must hold a write before it is acknowledged.
    pub min_copies: usize,
    /// Whether a node that reaches no majority of the members refuses requests for objects.
    pub majority_guard: bool,
    /// Between two probes of a member that is online.
    pub probe_interval: Duration,
    /// How long a forwarded request or a probe may take; a copy may take half of it. A member that answers no probe and
    /// no copy in its time counts as damaged; one that leaves a request waiting is probed first.
    pub peer_timeout: Duration,
    /// How long a damaged member rests.
    pub rest: Duration,
    /// How many probes in a row a damaged member must pass.
    pub validation_passes: u32,
    /// How long a member waits to be handed what it missed, and then once more for requests.
    pub sync_timeout: Duration,
    /// The most bytes a second that this node hands to other members.
    pub handoff_rate: u64,
    /// How long the memory of a deleted object is kept.
    pub tombstone_ttl: Duration,
    /// How often two members that are online compare what both keep.
    pub sweep_interval: Duration,
}

impl Cluster {
    /// What `cluster.replicas` is in a ring of `members` when nothing says it.
    #[must_use]
    pub const fn default_replicas(members: usize) -> usize {
        if members > 1 { 2 } else { 1 }
    }

    /// The part of it that the health state machine needs.
    #[must_use]
    pub fn health_policy(&self) -> HealthPolicy {
        HealthPolicy {
            probe_interval: self.probe_interval,
            rest: self.rest,
            validation_passes: self.validation_passes,
        }
    }
}

/// `[[listener]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address to bind.
    pub address: SocketAddr,
    /// Whether it speaks TLS, and nothing else.
    pub tls: bool,
}

impl Listener {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// Whether what is sent to `node` arrives here, when nothing between translates addresses. Of a node that has a
    /// name only the port can be compared.
    pub(crate) fn is_bound_for(&self, node: &MemberAddress) -> bool {
        let ip = self.address.ip().to_canonical();
        let is_it = |node: IpAddr| ip.is_unspecified() || ip == node.to_canonical();
        self.address.port() == node.port() && node.ip().is_none_or(is_it)
    }
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The most bytes the store may hold: keys, values and overhead.
    pub max_bytes: u64,
    /// The largest value, in bytes.
    pub max_object_bytes: usize,
    /// The time to live of objects stored without `X-TTL`; none: they never expire.
    pub default_ttl: Option<Ttl>,
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Client connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// The largest request head, in bytes.
    pub max_header_bytes: usize,
    /// Request body bytes in memory at once, over all connections; further bodies wait.
    pub max_body_bytes_in_flight: usize,
    /// Concurrent HTTP/2 streams on one connection.
    pub max_http2_streams: u32,
    /// How long a client may take to send a request head.
    pub header_timeout: Duration,
    /// How long a client may go without sending any byte of a body it has announced.
    pub body_timeout: Duration,
    /// After `/readyz` has turned 503: how long until the node stops accepting.
    pub drain: Duration,
    /// How long requests in flight may take to finish at shutdown.
    pub shutdown_timeout: Duration,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A `tracing` filter: `info`, or `warn,ringhold_server=debug`.
    pub filter: String,
    /// One line of text, or one JSON object, an event.
    pub format: LogFormat,
}

/// How a log event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For collectors.
    Json,
}

impl LogFormat {
    /// Every format.
    pub(crate) const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// Its name in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}
