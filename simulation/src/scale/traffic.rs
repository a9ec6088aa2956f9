//! What members send each other for the requests of clients: counted in whole simulated rings without faults.

use ringhold_config::Config;

use crate::fabric::{Delays, Sent};
use crate::history::{Action, Operation, Told};
use crate::host::Skew;
use crate::node::Setup;
use crate::real::Real;
use crate::scenario::{Scenario, Weather, machine};
use crate::world::World;

const CLIENTS: usize = 40;
const BUSY_MS: u64 = 30_000;

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Requests of clients.
    pub requests: u64,
    /// Those that changed an object.
    pub writes: u64,
    /// Of one member.
    pub heartbeats_a_second: f64,
    sent: Sent,
}

impl Traffic {
    /// How often a request was forwarded, on average.
    #[must_use]
    pub fn forwards_each(&self) -> f64 {
        self.sent.forwards as f64 / self.requests as f64
    }

    /// To how many members a write was copied, on average.
    #[must_use]
    pub fn copies_each(&self) -> f64 {
        self.sent.copies as f64 / self.writes as f64
    }
}

/// Lets clients work at a ring of so many members.
#[must_use]
pub fn measure(members: usize, replicas: usize) -> Traffic {
    let scenario = scenario(members, replicas);
    let run = World::<Real>::new(&scenario, None).run();
    let asked = || run.history.0.iter().filter(|operation| operation.invoked_ms < run.quiet_ms);
    let seconds = run.quiet_ms as f64 / 1000.0;
    Traffic {
        requests: asked().count() as u64,
        writes: asked().filter(|operation| has_written(operation)).count() as u64,
        heartbeats_a_second: run.sent.heartbeats as f64 / seconds / members as f64,
        sent: run.sent,
    }
}

fn has_written(operation: &Operation) -> bool {
    operation.action != Action::Get && matches!(operation.told(), Some(Told::Written(_) | Told::Count(..)))
}

/// With the default settings.
fn scenario(members: usize, replicas: usize) -> Scenario {
    let machines: Vec<_> = (0..members).filter_map(machine).collect();
    let cluster = Config::default().cluster;
    Scenario {
        seed: 1,
        weather: Weather::Calm,
        members,
        skews: machines.iter().map(|_| Skew { ahead_ms: 0, drift_ppm: 0 }).collect(),
        setup: Setup {
            address: machines[0].clone(),
            members: Vec::new(),
            placement: cluster.placement,
            replicas,
            majority_guard: cluster.majority_guard,
            probe_interval: cluster.probe_interval,
            peer_timeout: cluster.peer_timeout,
            rest: cluster.rest,
            validation_passes: cluster.validation_passes,
            sync_timeout: cluster.sync_timeout,
            sweep_interval: cluster.sweep_interval,
            tombstone_ttl: cluster.tombstone_ttl,
        },
        delays: Delays { least_ms: 2, spread_ms: 0, stragglers_permille: 0 },
        clients: CLIENTS,
        rest_ms: 100,
        busy_ms: BUSY_MS,
        healing_ms: 1_000,
        machines,
    }
}
