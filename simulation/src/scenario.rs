//! What a seed stands for: the ring, its settings, the machines' clocks, the network, the clients and the faults.
//!
//! Settings are shorter than a user's, so that much happens in a minute; their proportions are a user's. The weather
//! says which faults there are, and with that, what is promised.

use std::time::Duration;

use ringhold_ring::{MemberAddress, Placement};

use crate::fabric::Delays;
use crate::faults::LONGEST_PAUSE_MS;
use crate::host::Skew;
use crate::node::Setup;
use crate::random::Random;

/// Which faults there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weather {
    /// None.
    Calm,
    /// Processes are stopped for a while and go on.
    Pauses,
    /// Processes crash and start again, empty; others are paused. At most `replicas - 1` at a time.
    Crashes,
    /// Processes leave and start again, one by one.
    Rolling,
    /// The member list grows and shrinks; nodes disagree about it for a while.
    Changes,
    /// Members are cut off from each other, fully, in part, or in one direction; messages are lost and late.
    Partitions,
    /// The same with `majority_guard`.
    Guarded,
    /// All of it at once.
    Storm,
}

impl Weather {
    /// Every weather.
    pub const ALL: [Self; 8] = [
        Self::Calm,
        Self::Pauses,
        Self::Crashes,
        Self::Rolling,
        Self::Changes,
        Self::Partitions,
        Self::Guarded,
        Self::Storm,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Pauses => "pauses",
            Self::Crashes => "crashes",
            Self::Rolling => "rolling",
            Self::Changes => "changes",
            Self::Partitions => "partitions",
            Self::Guarded => "guarded",
            Self::Storm => "storm",
        }
    }

    /// What is promised in it.
    #[must_use]
    pub const fn promise(self) -> Promise {
        match self {
            Self::Calm | Self::Rolling | Self::Changes => Promise::Everything,
            Self::Pauses | Self::Crashes => Promise::Linearizable,
            Self::Partitions | Self::Guarded => Promise::NothingLost,
            Self::Storm => Promise::Convergence,
        }
    }
}

/// What is promised, each including those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// After the faults all members agree, and nothing that was deleted comes back.
    Convergence,
    /// What was acknowledged last, by version, is there in the end.
    NothingLost,
    /// Each key behaves as if there were one copy of it.
    Linearizable,
    /// And no request fails.
    Everything,
}

/// A run to make.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where everything else follows from.
    pub seed: u64,
    /// Which faults there are.
    pub weather: Weather,
    /// All machines: members, and those that may become members.
    pub machines: Vec<MemberAddress>,
    /// How many of them, from the first, are members at the beginning.
    pub members: usize,
    /// Each machine's clock.
    pub skews: Vec<Skew>,
    /// What every node is configured with; address and members are a node's own.
    pub setup: Setup,
    /// How long messages take.
    pub delays: Delays,
    /// How many clients ask at the same time.
    pub clients: usize,
    /// How long a client rests between two requests, at most.
    pub rest_ms: u64,
    /// How long there are clients and faults.
    pub busy_ms: u64,
    /// How long the ring has to become whole after the last fault.
    pub healing_ms: u64,
}

impl Scenario {
    /// What `seed` stands for, in one of `weathers`.
    #[must_use]
    pub fn new(seed: u64, weathers: &[Weather]) -> Self {
        let mut random = Random::new(seed);
        let at = usize::try_from(random.below(weathers.len() as u64)).unwrap_or_default();
        let weather = weathers.get(at).copied().unwrap_or(Weather::Calm);
        let members = between(&mut random, 3, 7);
        let spare = match weather {
            Weather::Changes | Weather::Storm => between(&mut random, 1, 2),
            _ => 0,
        };
        // Who is paused counts as lost while it is.
        let least = if matches!(weather, Weather::Crashes | Weather::Pauses) { 2 } else { 1 };
        let replicas = between(&mut random, least, 3);
        let delays = delays(&mut random, weather);
        let setup = setup(&mut random, weather, replicas);
        let machines: Vec<_> = (0..members + spare).filter_map(machine).collect();
        let ahead_ms = random.one_of(&[0, 0, 2_000, 120_000]);
        let skews = machines.iter().map(|_| Skew {
            ahead_ms: random.below(ahead_ms + 1),
            drift_ppm: random.between(0, 400) as i64 - 200,
        });
        let skews = skews.collect();
        Self {
            seed,
            weather,
            members,
            skews,
            delays,
            clients: between(&mut random, 3, 8),
            rest_ms: random.one_of(&[40, 100, 250]),
            busy_ms: random.between(15_000, 40_000),
            healing_ms: healing_ms(&setup, machines.len()),
            machines,
            setup,
        }
    }

    /// What the machine with this index is configured with, when `members` are the members.
    #[must_use]
    pub fn setup_of(&self, machine: usize, members: &[usize]) -> Setup {
        let addresses = members.iter().filter_map(|member| self.machines.get(*member)).cloned();
        let members: Vec<_> = addresses.collect();
        let replicas = self.setup.replicas.min(members.len());
        Setup { address: self.machines[machine].clone(), members, replicas, ..self.setup.clone() }
    }

    /// How far apart two clocks that were equal once may be at the end of the run.
    #[must_use]
    pub const fn most_drift_ms(&self) -> u64 {
        (self.busy_ms + self.healing_ms) / 2_000
    }

    /// How long a message may wait for a receiver that is stopped.
    #[must_use]
    pub const fn longest_pause_ms(&self) -> u64 {
        match self.weather {
            Weather::Pauses | Weather::Crashes | Weather::Storm => LONGEST_PAUSE_MS,
            Weather::Calm | Weather::Rolling | Weather::Changes | Weather::Partitions | Weather::Guarded => 0,
        }
    }

    /// It in a line, for reports.
    #[must_use]
    pub fn summary(&self) -> String {
        let Setup { placement, replicas, majority_guard, .. } = &self.setup;
        let guard = if *majority_guard { ", majority guard" } else { "" };
        format!(
            "{}, {} members, {placement}, {replicas} replicas{guard}, {} clients",
            self.weather.name(),
            self.members,
            self.clients
        )
    }
}

fn between(random: &mut Random, low: u64, high: u64) -> usize {
    usize::try_from(random.between(low, high)).unwrap_or_default()
}

/// Where the machine with this index is.
pub(crate) fn machine(index: usize) -> Option<MemberAddress> {
    format!("10.0.0.{}:9999", index + 1).parse().ok()
}

/// Where linearizability is promised, no answer may be later than members wait for it: that is a partition.
fn delays(random: &mut Random, weather: Weather) -> Delays {
    let least_ms = random.one_of(&[2, 4, 5]);
    let spread_ms = random.one_of(&[0, 2, 8]);
    let stragglers_permille = match weather {
        Weather::Partitions | Weather::Guarded | Weather::Storm => 10,
        _ => random.one_of(&[0, 5]),
    };
    Delays { least_ms, spread_ms, stragglers_permille }
}

fn setup(random: &mut Random, weather: Weather, replicas: usize) -> Setup {
    let placement = if random.chance(500) { Placement::Modulo } else { Placement::Rendezvous };
    Setup {
        address: MemberAddress::from(std::net::SocketAddr::from(([10, 0, 0, 1], 9999))),
        members: Vec::new(),
        placement,
        replicas,
        majority_guard: weather == Weather::Guarded,
        probe_interval: Duration::from_millis(random.one_of(&[200, 500])),
        peer_timeout: Duration::from_millis(500),
        rest: Duration::from_millis(random.one_of(&[500, 2_000])),
        validation_passes: random.one_of(&[1, 2, 4]),
        sync_timeout: Duration::from_secs(10),
        sweep_interval: Duration::from_secs(5),
        tombstone_ttl: Duration::from_secs(600),
    }
}

/// A member that was found damaged just before the last fault ended must pass its probes, be handed what it lacks,
/// and be compared with; and a change of members takes that twice.
fn healing_ms(setup: &Setup, machines: usize) -> u64 {
    let validation = setup.rest * (1 + setup.validation_passes);
    let each = validation + setup.sync_timeout + 2 * setup.sweep_interval + 4 * setup.probe_interval;
    let total = 2 * each + setup.peer_timeout * u32::try_from(machines).unwrap_or(1);
    u64::try_from(total.as_millis()).unwrap_or(u64::MAX)
}
