//! Typed configuration of a Ringhold node. Later wins: defaults, file, `RINGHOLD_*` environment, command line.
//!
//! - [`Config`] and its sections: what a node is told, valid once [`Config::load`] has returned it.
//! - `settings`: the one table of every setting; reading, printing and the documentation follow from it.
//! - [`Secret`]: what no output shows, and where it comes from.
//! - `given`, `kind`, `trust`, `units`: what the values of a setting may look like.
//! - `layers`: files, environment and command line as figment providers.
//! - `load`, `rules`: from merged layers to a [`Config`], with every mistake named by its place.

mod addresses;
mod error;
mod file;
mod given;
mod kind;
mod layers;
mod load;
mod memory;
mod print;
mod protection;
mod rules;
mod secret;
mod sections;
mod settings;
mod trust;
mod units;

#[cfg(test)]
mod tests;

pub use addresses::{AddressError, AddressRange, MAX_RANGES};
pub use error::{ConfigError, Mistake, Mistakes, SyntaxPlace};
pub use layers::{IGNORED_VARIABLES, Sources};
pub use print::reference;
pub use protection::{Access, Auth, ClientAuth, ClientToken, ForwardedHeader, Scope, Tls};
pub use secret::{MAX_SECRET_BYTES, Secret, SecretError, SecretSource};
pub use sections::{Cluster, Limits, Listener, Log, LogFormat, Node, Store};

use std::net::SocketAddr;
use std::time::Duration;

use ringhold_ring::{Placement, Ring, RingError};

/// Everything a node is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// This node.
    pub node: Node,
    /// The ring it belongs to.
    pub cluster: Cluster,
    /// Where it listens; at least one.
    pub listeners: Vec<Listener>,
    /// What it keeps.
    pub store: Store,
    /// What it speaks TLS with.
    pub tls: Tls,
    /// What members and clients prove.
    pub auth: Auth,
    /// Whom it lets in.
    pub access: Access,
    /// What it bears.
    pub limits: Limits,
    /// What it says.
    pub log: Log,
}

impl Config {
    /// The ring that this node is configured to belong to.
    ///
    /// # Errors
    /// [`RingError`] when the members do not form one; a loaded configuration has been checked for that.
    pub fn ring(&self) -> Result<Ring, RingError> {
        Ring::new(self.cluster.members.iter().cloned(), self.cluster.placement, self.cluster.replicas)
    }
}

impl Default for Config {
    /// [`Config::alone`] on `127.0.0.1:9999`.
    fn default() -> Self {
        Self::alone(SocketAddr::from(([127, 0, 0, 1], 9999)))
    }
}

impl Config {
    /// One node, plain, one copy, listening on `address`. `store.max_bytes` is 1 GiB here; [`Config::load`]
    /// replaces it by a quarter of the machine's memory.
    #[must_use]
    pub fn alone(address: SocketAddr) -> Self {
        Self {
            node: Node { address: address.into() },
            cluster: Cluster {
                name: "ringhold".into(),
                members: vec![address.into()],
                placement: Placement::Modulo,
                replicas: 1,
                min_copies: 1,
                majority_guard: false,
                probe_interval: Duration::from_secs(1),
                peer_timeout: Duration::from_secs(1),
                rest: Duration::from_secs(10),
                validation_passes: 4,
                sync_timeout: Duration::from_secs(30),
                handoff_rate: 64 << 20,
                tombstone_ttl: Duration::from_secs(600),
                sweep_interval: Duration::from_secs(600),
            },
            listeners: vec![Listener { address, tls: false }],
            store: Store { max_bytes: 1 << 30, max_object_bytes: 2 << 20, default_ttl: None },
            tls: Tls::default(),
            auth: Auth::default(),
            access: Access::default(),
            limits: Limits {
                max_connections: 10_000,
                max_header_bytes: 16 << 10,
                max_body_bytes_in_flight: 256 << 20,
                max_http2_streams: 256,
                header_timeout: Duration::from_secs(10),
                body_timeout: Duration::from_secs(10),
                drain: Duration::ZERO,
                shutdown_timeout: Duration::from_secs(10),
            },
            log: Log { filter: "info".into(), format: LogFormat::Text },
        }
    }
}
