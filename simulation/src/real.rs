//! The real node, but for its sockets: what seeds are run for.

use std::sync::Arc;
use std::time::Duration;

use ringhold_config::Config;
use ringhold_ring::{Incarnation, Key, MemberState};
use ringhold_server::clock::Clock;
use ringhold_server::core::{Core, EXPIRE_EVERY};
use ringhold_server::object::{Answer, Delivery, Operation, Record};
use ringhold_server::peer::network::Network;
use ringhold_server::routing::Objects;
use ringhold_server::store::Cursor;

use crate::node::{Node, Setup};

/// How long a leaving node tries to hand everything over.
const PATIENCE: Duration = Duration::from_secs(30);
/// A store that has room for everything: what is evicted is not lost by mistake.
const MAX_BYTES: u64 = 64 << 20;
/// Records shown by one call of a scan.
const SCANNED_AT_ONCE: usize = 256;

/// A node without sockets.
#[derive(Debug)]
pub struct Real(Core);

impl Node for Real {
    type Handler = Objects;

    fn start(setup: &Setup, network: Arc<dyn Network>, clock: Clock, seed: u64) -> Result<Self, String> {
        let incarnation = Incarnation::new(seed.rotate_left(32));
        let core = Core::new(&configuration(setup)?, incarnation, network, clock, seed);
        core.map(Self).map_err(|error| error.to_string())
    }

    async fn execute(&self, key: &Key<'static>, operation: Operation, delivery: Delivery) -> Answer {
        self.0.objects().execute(key, operation, delivery).await
    }

    fn handler(&self) -> Arc<Self::Handler> {
        Arc::new(self.0.objects().clone())
    }

    async fn run(&self) {
        let expire = async {
            loop {
                tokio::time::sleep(EXPIRE_EVERY).await;
                self.0.expire();
            }
        };
        futures_util::future::join(self.0.run(), expire).await;
    }

    async fn leave(&self) {
        self.0.leave(PATIENCE).await;
    }

    fn is_ready(&self) -> bool {
        self.0.membership().own_state() == MemberState::Ready
    }

    fn reload(&self, setup: &Setup) -> Result<(), String> {
        self.0.reload(&configuration(setup)?).map_err(|error| error.to_string())
    }

    fn records(&self) -> Vec<(Key<'static>, Record)> {
        let store = self.0.store();
        let mut keys = Vec::new();
        let mut cursor = Some(Cursor::default());
        while let Some(from) = cursor {
            cursor = store.scan(from, SCANNED_AT_ONCE, |key, _| keys.push(key.clone().into_owned()));
        }
        keys.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        keys.dedup();
        keys.into_iter().filter_map(|key| store.record(&key).map(|record| (key, record))).collect()
    }
}

fn configuration(setup: &Setup) -> Result<Config, String> {
    let address = setup.address.to_string();
    let mut config = Config::alone(address.parse().map_err(|error| format!("{address}: {error}"))?);
    config.store.max_bytes = MAX_BYTES;
    let cluster = &mut config.cluster;
    cluster.members.clone_from(&setup.members);
    cluster.placement = setup.placement;
    cluster.replicas = setup.replicas;
    cluster.majority_guard = setup.majority_guard;
    cluster.probe_interval = setup.probe_interval;
    cluster.peer_timeout = setup.peer_timeout;
    cluster.rest = setup.rest;
    cluster.validation_passes = setup.validation_passes;
    cluster.sync_timeout = setup.sync_timeout;
    cluster.sweep_interval = setup.sweep_interval;
    cluster.tombstone_ttl = setup.tombstone_ttl;
    Ok(config)
}
