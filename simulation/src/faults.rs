//! What goes wrong next, and what is put right next: decided from the seed and from how the ring is.
//!
//! Invariant: where losses are checked, no fault makes more than `replicas - 1` members' copies unreachable before the
//! ring is whole again.

use crate::random::Random;
use crate::scenario::{Scenario, Weather};

/// No pause is longer.
pub const LONGEST_PAUSE_MS: u64 = 6_400;

/// A thing that happens to the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process is stopped for so long.
    Pause {
        /// Which.
        member: usize,
        /// Milliseconds.
        for_ms: u64,
    },
    /// A process ends without a word and is started again, empty, so much later.
    Crash {
        /// Which.
        member: usize,
        /// Milliseconds.
        for_ms: u64,
    },
    /// A process is asked to leave, and started again so long after it has.
    Leave {
        /// Which.
        member: usize,
        /// Milliseconds.
        for_ms: u64,
    },
    /// Nothing gets through on these ways for so long.
    Cut {
        /// From whom, to whom.
        ways: Vec<(usize, usize)>,
        /// Milliseconds.
        for_ms: u64,
    },
    /// Messages on these ways are late, lost and doubled for so long.
    Noise {
        /// From whom, to whom.
        ways: Vec<(usize, usize)>,
        /// Of a thousand, how many are lost.
        loss_permille: u64,
        /// How much longer each takes.
        slower_ms: u64,
        /// Milliseconds.
        for_ms: u64,
    },
    /// The member list becomes this, on one node after the other, within so long.
    Members {
        /// All members.
        members: Vec<usize>,
        /// Milliseconds.
        within_ms: u64,
    },
}

/// How the ring is, as far as faults depend on it.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The members, by the latest list.
    pub members: Vec<usize>,
    /// Those of them whose process runs, is not paused, and is not leaving.
    pub running: Vec<usize>,
    /// Members whose copies could not be reached at some time since the ring was last whole.
    pub lost: usize,
    /// Whether all members have handed each other everything and send each other requests.
    pub is_whole: bool,
}

/// Decides what goes wrong.
#[derive(Debug)]
pub struct Faults {
    random: Random,
    weather: Weather,
    replicas: usize,
    machines: usize,
}

impl Faults {
    /// Of a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario, random: Random) -> Self {
        let replicas = scenario.setup.replicas.min(scenario.members);
        Self { random, weather: scenario.weather, replicas, machines: scenario.machines.len() }
    }

    /// How long until the next fault is thought about.
    pub fn rest_ms(&mut self) -> u64 {
        match self.weather {
            Weather::Storm => self.random.between(200, 3_000),
            _ => self.random.between(500, 5_000),
        }
    }

    /// The next fault; nothing when none is allowed now.
    pub fn next(&mut self, ring: &Condition) -> Option<Fault> {
        match self.weather {
            Weather::Calm => None,
            Weather::Pauses => self.within_promise(ring).then(|| self.pause(ring)).flatten(),
            Weather::Crashes => {
                let paused = self.random.chance(250);
                let allowed = self.within_promise(ring);
                allowed.then(|| if paused { self.pause(ring) } else { self.crash(ring) }).flatten()
            }
            Weather::Rolling => ring.is_whole.then(|| self.leave(ring)).flatten(),
            Weather::Changes => ring.is_whole.then(|| self.change(ring)).flatten(),
            Weather::Partitions | Weather::Guarded => self.separate(ring),
            Weather::Storm => match self.random.below(8) {
                0 => self.pause(ring),
                1 => self.crash(ring),
                2 => self.leave(ring),
                3 => self.change(ring),
                _ => self.separate(ring),
            },
        }
    }

    fn within_promise(&self, ring: &Condition) -> bool {
        ring.lost + 1 < self.replicas || ring.is_whole
    }

    fn member(&mut self, ring: &Condition) -> Option<usize> {
        (ring.running.len() > 1).then(|| self.random.pick(&ring.running).copied()).flatten()
    }

    fn pause(&mut self, ring: &Condition) -> Option<Fault> {
        let for_ms =
            self.random.one_of(&[100, 400, 800, 2_000, LONGEST_PAUSE_MS - 400]) + self.random.below(400);
        Some(Fault::Pause { member: self.member(ring)?, for_ms })
    }

    fn crash(&mut self, ring: &Condition) -> Option<Fault> {
        let for_ms = self.random.one_of(&[0, 100, 1_000, 4_000]) + self.random.below(500);
        Some(Fault::Crash { member: self.member(ring)?, for_ms })
    }

    fn leave(&mut self, ring: &Condition) -> Option<Fault> {
        let for_ms = self.random.one_of(&[0, 500, 3_000]);
        Some(Fault::Leave { member: self.member(ring)?, for_ms })
    }

    fn separate(&mut self, ring: &Condition) -> Option<Fault> {
        let for_ms = self.random.one_of(&[300, 1_500, 4_000, 8_000]) + self.random.below(1_000);
        let members = &ring.members;
        let all = || members.iter().flat_map(|one| members.iter().map(move |other| (*one, *other)));
        let all: Vec<_> = all().filter(|(one, other)| one != other).collect();
        let fault = match self.random.below(4) {
            0 => {
                let mut sides = members.clone();
                self.random.shuffle(&mut sides);
                let left = self.random.between(1, sides.len().saturating_sub(1).max(1) as u64) as usize;
                let is_left = |member: &usize| sides.iter().take(left).any(|other| other == member);
                let ways = all.into_iter().filter(|(one, other)| is_left(one) != is_left(other)).collect();
                Fault::Cut { ways, for_ms }
            }
            1 => {
                let pairs = self.random.between(1, 2);
                let ways = (0..pairs).filter_map(|_| self.random.pick(&all).copied());
                let ways = ways.flat_map(|(one, other)| [(one, other), (other, one)]).collect();
                Fault::Cut { ways, for_ms }
            }
            2 => {
                let count = self.random.between(1, 3);
                Fault::Cut {
                    ways: (0..count).filter_map(|_| self.random.pick(&all).copied()).collect(),
                    for_ms,
                }
            }
            _ => {
                let chosen = self.random.one_of(&[200, 600, 1000]);
                let ways = all.into_iter().filter(|_| self.random.chance(chosen)).collect();
                let (loss_permille, slower_ms) =
                    (self.random.one_of(&[0, 20, 200]), self.random.one_of(&[0, 50, 300]));
                Fault::Noise { ways, loss_permille, slower_ms, for_ms }
            }
        };
        Some(fault)
    }

    fn change(&mut self, ring: &Condition) -> Option<Fault> {
        let mut members = ring.members.clone();
        let spare: Vec<_> = (0..self.machines).filter(|machine| !members.contains(machine)).collect();
        let may_shrink = members.len() > self.replicas.max(3);
        if may_shrink && (spare.is_empty() || self.random.chance(500)) {
            let gone = self.random.pick(&members).copied()?;
            members.retain(|member| *member != gone);
        }
        if members.len() == ring.members.len() || self.random.chance(300) {
            members.extend(self.random.pick(&spare).copied());
        }
        members.sort_unstable();
        let within_ms = self.random.one_of(&[0, 1_000, 8_000]);
        (members != ring.members).then_some(Fault::Members { members, within_ms })
    }
}
