//! What the simulation needs of a node: to be started on a network and a clock, asked, told and looked into.
//!
//! Everything of a node is made and runs inside a tokio runtime of its own, whose time is simulated.

use std::sync::Arc;
use std::time::Duration;

use ringhold_ring::{Key, MemberAddress, Placement};
use ringhold_server::clock::Clock;
use ringhold_server::object::{Answer, Delivery, Operation, Record};
use ringhold_server::peer::network::{Handler, Network};

/// What a node is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The node itself.
    pub address: MemberAddress,
    /// All members, as this node is told.
    pub members: Vec<MemberAddress>,
    /// How keys are placed.
    pub placement: Placement,
    /// How many home members a key has.
    pub replicas: usize,
    /// Whether a node that reaches no majority refuses everything.
    pub majority_guard: bool,
    /// Between two probes.
    pub probe_interval: Duration,
    /// How long a member may take to answer.
    pub peer_timeout: Duration,
    /// How long a damaged member rests.
    pub rest: Duration,
    /// Probes in a row that it must then pass.
    pub validation_passes: u32,
    /// How long a node waits to be handed what it lacks.
    pub sync_timeout: Duration,
    /// How often two members compare what both keep.
    pub sweep_interval: Duration,
    /// How long a deletion is remembered.
    pub tombstone_ttl: Duration,
}

/// A node that can be simulated.
pub trait Node: Send + Sync + Sized + 'static {
    /// Its answering side.
    type Handler: Handler;

    /// A node that has just started and holds nothing. Whatever is random in it follows from `seed`.
    ///
    /// # Errors
    /// Why it cannot start.
    fn start(setup: &Setup, network: Arc<dyn Network>, clock: Clock, seed: u64) -> Result<Self, String>;

    /// What a client's request becomes at this node.
    fn execute(
        &self,
        key: &Key<'static>,
        operation: Operation,
        delivery: Delivery,
    ) -> impl Future<Output = Answer> + Send;

    /// What other members reach of it.
    fn handler(&self) -> Arc<Self::Handler>;

    /// Does what goes on by itself, as long as it is polled.
    fn run(&self) -> impl Future<Output = ()> + Send;

    /// Leaves the ring: returns when the process may end.
    fn leave(&self) -> impl Future<Output = ()> + Send;

    /// Whether clients may ask it, as a load balancer would be told.
    fn is_ready(&self) -> bool;

    /// Takes another configuration; only the members differ.
    ///
    /// # Errors
    /// Why it cannot.
    fn reload(&self, setup: &Setup) -> Result<(), String>;

    /// Everything it holds, in any order.
    fn records(&self) -> Vec<(Key<'static>, Record)>;
}
