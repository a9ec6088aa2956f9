//! A whole ring, its clients and its faults, from the first second to the last: what makes a run of a scenario.
//!
//! Time goes in steps no longer than the shortest message: first the world acts (faults, clients), then every machine
//! runs through the step, one after the other; none can feel another before the next step.
//!
//! - `machines`: what happens to machines and to the ways between them.

mod machines;

use std::collections::BTreeMap;
use std::sync::Arc;

use ringhold_ring::MemberAddress;

use crate::checks::{Agreement, Holding, Seen, Violation};
use crate::clients::{Clients, Next, Request, TIMEOUT};
use crate::fabric::{Fabric, Link, Sent};
use crate::faults::Faults;
use crate::history::History;
use crate::host::Host;
use crate::log::{Event, Log};
use crate::message::{Arrival, Notice};
use crate::node::Node;
use crate::random::Random;
use crate::scenario::{Scenario, Weather};

/// How often all members' records are looked at.
const LOOK_MS: u64 = 200;
/// How long a process that has left gives its last answers, to clients and to members.
const LAST_ANSWERS_MS: u64 = 1_000;
/// How often a client that found no node tries again.
const NO_NODE_MS: u64 = 100;

/// What the world does at some moment.
#[derive(Debug)]
enum Act {
    Ask { client: usize },
    Send { client: usize, request: Box<Request> },
    TimeOut { client: usize, attempt: u64 },
    Fault,
    Resume { machine: usize, life: u64 },
    Start { machine: usize },
    Stop { machine: usize, life: u64, until_ms: u64 },
    StillLeaving { machine: usize, life: u64 },
    Mend { ways: Vec<(usize, usize)> },
    Reload { machine: usize, members: Vec<usize> },
    Leave { machine: usize, for_ms: Option<u64> },
    Look,
}

/// What a run did, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Faults.
    pub faults: u64,
    /// Operations of clients.
    pub operations: u64,
    /// Those whose outcome is unknown.
    pub unknown: u64,
    /// Simulated time.
    pub simulated_ms: u64,
}

/// What is left of a run.
#[derive(Debug)]
pub struct Run {
    /// What was asked and answered.
    pub history: History,
    /// What was found to be wrong while it went on.
    pub violations: Vec<Violation>,
    /// From when on nobody writes any more, and all is whole or should be.
    pub quiet_ms: u64,
    /// What members sent each other until then.
    pub sent: Sent,
    /// What every living member holds in the end.
    pub agreement: Agreement,
    /// Requests that failed.
    pub failures: Vec<String>,
    /// Numbers.
    pub tally: Tally,
    /// The log.
    pub log: Log,
}

/// A run that goes on.
pub struct World<'a, N> {
    scenario: &'a Scenario,
    fabric: Arc<Fabric>,
    hosts: Vec<Host<N>>,
    clients: Clients,
    faults: Faults,
    random: Random,
    log: Log,
    now_ms: u64,
    acts: BTreeMap<(u64, u64), Act>,
    numbers: u64,
    /// Which client, at which machine, waits for the answer to an attempt.
    attempts: BTreeMap<u64, (usize, usize)>,
    members: Vec<usize>,
    /// What each machine is configured with.
    told: Vec<Vec<usize>>,
    leaving: Vec<Option<Option<u64>>>,
    lost: Vec<bool>,
    changed_ms: u64,
    minority_since: Vec<Option<u64>>,
    is_busy: bool,
    seen: Seen,
    violations: Vec<Violation>,
    tally: Tally,
}

impl<'a, N: Node> World<'a, N> {
    /// A ring whose members have just been started. The log keeps what concerns the key named `kept`.
    #[must_use]
    pub fn new(scenario: &'a Scenario, kept: Option<&str>) -> Self {
        let mut random = Random::new(scenario.seed ^ 0x5249_4e47_484f_4c44);
        let log = Log::new(kept);
        let fabric = Fabric::new(&scenario.machines, scenario.delays, random.fork(), log.clone());
        let machines = scenario.machines.len();
        let hosts = scenario.skews.iter().enumerate();
        let hosts = hosts.map(|(index, skew)| Host::new(index, *skew, Arc::clone(&fabric))).collect();
        let members: Vec<_> = (0..scenario.members).collect();
        Self {
            scenario,
            fabric,
            hosts,
            clients: Clients::new(random.fork()),
            faults: Faults::new(scenario, random.fork()),
            random,
            log,
            now_ms: 0,
            acts: BTreeMap::new(),
            numbers: 0,
            attempts: BTreeMap::new(),
            told: vec![members.clone(); machines],
            members,
            leaving: vec![None; machines],
            lost: vec![false; machines],
            changed_ms: 0,
            minority_since: vec![None; machines],
            is_busy: true,
            seen: Seen::default(),
            violations: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(mut self) -> Run {
        self.fabric.begin_step(0, self.scenario.delays.least_ms);
        for machine in self.members.clone() {
            self.start(machine);
        }
        // Clients come when the ring has found itself.
        for client in 0..self.scenario.clients {
            let first_ms = 3_000 + self.random.below(500);
            self.at(first_ms, Act::Ask { client });
        }
        let first_ms = 3_000 + self.faults.rest_ms();
        self.at(first_ms, Act::Fault);
        self.at(LOOK_MS, Act::Look);
        self.run_until(self.scenario.busy_ms);
        self.end_faults();
        let clients_end_ms = self.now_ms + 5 * u64::try_from(TIMEOUT.as_millis()).unwrap_or_default();
        while self.now_ms < clients_end_ms && !self.attempts.is_empty() {
            self.run_until(self.now_ms + LOOK_MS);
        }
        let agreement = self.heal();
        let (quiet_ms, sent) = (self.now_ms, self.fabric.sent());
        self.read_all();
        self.finish(quiet_ms, sent, agreement)
    }

    fn finish(mut self, quiet_ms: u64, sent: Sent, agreement: Agreement) -> Run {
        let history = self.clients.history().clone();
        self.tally.operations = history.0.len() as u64;
        self.tally.unknown = history.0.iter().filter(|operation| operation.is_unknown()).count() as u64;
        self.tally.simulated_ms = self.now_ms;
        let failures = self.clients.failures().to_vec();
        Run {
            history,
            violations: self.violations,
            quiet_ms,
            sent,
            agreement,
            failures,
            tally: self.tally,
            log: self.log,
        }
    }

    /// Everybody who should run runs, everything gets through, nobody asks any more.
    fn end_faults(&mut self) {
        self.is_busy = false;
        self.note("the last fault ends".into());
        let machines = self.hosts.len();
        for one in 0..machines {
            for other in 0..machines {
                self.fabric.set_link(one, other, Link::default());
            }
        }
        for machine in 0..machines {
            self.hosts[machine].resume();
        }
        for machine in self.members.clone() {
            if !self.hosts[machine].is_alive() {
                self.start(machine);
            } else if self.told[machine] != self.members {
                self.reload(machine, &self.members.clone());
            }
        }
        self.changed_ms = self.now_ms;
        self.survey();
    }

    /// Waits until all members agree and send each other requests, as long as they may take.
    fn heal(&mut self) -> Agreement {
        let end_ms = self.now_ms + self.scenario.healing_ms;
        loop {
            self.run_until(self.now_ms + 500);
            let agreement = self.agreement();
            let left = self.leaving.iter().all(Option::is_none);
            if (agreement.is_reached() && left && self.condition().is_whole) || self.now_ms >= end_ms {
                return agreement;
            }
        }
    }

    fn agreement(&self) -> Agreement {
        let living: Vec<_> =
            (0..self.hosts.len()).filter(|machine| self.hosts[*machine].is_alive()).collect();
        let held = living.into_iter().map(|machine| Holding {
            member: self.scenario.machines[machine].clone(),
            now: self.hosts[machine].clock(self.now_ms),
            records: self.hosts[machine].records(),
        });
        let setup = self.scenario.setup_of(0, &self.members);
        Agreement::of(&setup, held.collect())
    }

    /// Every key is read once more through every member.
    fn read_all(&mut self) {
        let machines = self.members.clone();
        for key in self.clients.keys() {
            for machine in &machines {
                let Some(request) = self.clients.read(0, key.clone(), self.now_ms) else { continue };
                self.send(0, *machine, request);
                let limit_ms = self.now_ms + 10_000;
                while !self.attempts.is_empty() && self.now_ms < limit_ms {
                    self.step();
                }
            }
        }
    }

    fn run_until(&mut self, end_ms: u64) {
        while self.now_ms < end_ms {
            self.step();
        }
    }

    fn step(&mut self) {
        let end_ms = self.now_ms + self.scenario.delays.least_ms;
        self.fabric.begin_step(self.now_ms, end_ms);
        let later = self.acts.split_off(&(self.now_ms + 1, 0));
        for (_, act) in std::mem::replace(&mut self.acts, later) {
            self.act(act);
        }
        for host in &self.hosts {
            host.step(end_ms);
        }
        for (at_ms, machine, notice) in self.fabric.notices() {
            self.hear(at_ms, machine, notice);
        }
        self.now_ms = end_ms;
    }

    fn at(&mut self, at_ms: u64, act: Act) {
        self.numbers += 1;
        self.acts.insert((at_ms, self.numbers), act);
    }

    fn note(&self, what: String) {
        self.log.add(self.now_ms, || Event::Noted { what, key: None });
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Ask { client } => self.ask(client),
            Act::Send { client, request } => self.send_anywhere(client, *request),
            Act::TimeOut { client, attempt } => {
                if self.attempts.remove(&attempt).is_some() {
                    let next = self.clients.unanswered(client, "no answer in time", self.now_ms);
                    self.go_on(client, next, self.now_ms);
                }
            }
            Act::Fault => self.fault(),
            Act::Resume { machine, life } => {
                if self.hosts[machine].life() == life && self.hosts[machine].is_paused() {
                    self.note(format!("{machine} goes on"));
                    self.hosts[machine].resume();
                    self.survey();
                }
            }
            Act::Start { machine } => {
                if !self.hosts[machine].is_alive() && self.members.contains(&machine) {
                    self.start(machine);
                }
            }
            Act::Stop { machine, life, until_ms } => self.stop(machine, life, until_ms),
            Act::StillLeaving { machine, life } => {
                if self.hosts[machine].life() == life && self.leaving[machine].is_some() {
                    self.violations
                        .push(Violation::new(None, format!("member {machine} does not end its leaving")));
                }
            }
            Act::Mend { ways } => {
                self.note(format!("mended: {ways:?}"));
                for (from, to) in ways {
                    self.fabric.set_link(from, to, Link::default());
                }
                self.survey();
            }
            Act::Reload { machine, members } => {
                // A later list may have come first.
                if members == self.members && self.told[machine] != members {
                    self.reload(machine, &members);
                }
            }
            Act::Leave { machine, for_ms } => {
                // Who was removed may have been taken back meanwhile.
                if for_ms.is_some() || !self.members.contains(&machine) {
                    self.leave(machine, for_ms);
                }
            }
            Act::Look => self.look(),
        }
    }

    fn look(&mut self) {
        for (machine, host) in self.hosts.iter().enumerate() {
            // Who is stopped holds what it held.
            if host.is_alive() {
                let now = (self.now_ms, host.clock(self.now_ms));
                let setup = self.scenario.setup_of(machine, &self.told[machine]);
                self.seen.look(machine, &setup, now, &host.records(), &mut self.violations);
            }
        }
        self.at(self.now_ms + LOOK_MS, Act::Look);
    }

    fn ask(&mut self, client: usize) {
        if !self.is_busy {
            return;
        }
        if let Some(request) = self.clients.ask(client, self.now_ms) {
            self.send_anywhere(client, request);
        }
    }

    fn send_anywhere(&mut self, client: usize, request: Request) {
        // Whoever is asked to leave says so, and gets no new clients; a node that was paused or has crashed does not.
        let open = |machine: &usize| self.leaving[*machine].is_none();
        // A new member may be asked once it says that it is ready: before, it may not know anybody who knows it.
        let up = |machine: &usize| match self.scenario.weather {
            Weather::Rolling => self.hosts[*machine].is_alive(),
            Weather::Changes => self.hosts[*machine].is_ready(),
            _ => true,
        };
        let open: Vec<_> =
            self.members.iter().copied().filter(|machine| open(machine) && up(machine)).collect();
        match self.random.pick(&open).copied() {
            Some(machine) => self.send(client, machine, request),
            None => self.at(self.now_ms + NO_NODE_MS, Act::Send { client, request: Box::new(request) }),
        }
    }

    fn send(&mut self, client: usize, machine: usize, request: Request) {
        if !self.hosts[machine].is_alive() {
            let next = self.clients.not_sent(client, self.now_ms);
            self.go_on(client, next, self.now_ms);
            return;
        }
        self.numbers += 1;
        let attempt = self.numbers;
        self.attempts.insert(attempt, (client, machine));
        let Request { key, operation, delivery } = request;
        let what = format!("client {client} asks {machine}: {:?}", self.clients.action_of(client));
        self.log.add(self.now_ms, || Event::Noted { what, key: Some(key.clone()) });
        self.fabric.post(machine, Arrival::Request { attempt, key, operation, delivery });
        let timeout_ms = u64::try_from(TIMEOUT.as_millis()).unwrap_or_default();
        self.at(self.now_ms + timeout_ms, Act::TimeOut { client, attempt });
    }

    fn go_on(&mut self, client: usize, next: Next, now_ms: u64) {
        let rest_ms = now_ms + 1 + self.random.below(self.scenario.rest_ms);
        match next {
            Next::Repeat(request) => self.at(rest_ms, Act::Send { client, request }),
            Next::Done => self.at(rest_ms, Act::Ask { client }),
        }
    }

    fn hear(&mut self, at_ms: u64, machine: usize, notice: Notice) {
        match notice {
            Notice::Answered { attempt, answer } => {
                let Some((client, _)) = self.attempts.remove(&attempt) else { return };
                let what = format!("client {client} is answered: {:?}", answer.result);
                self.log.add(at_ms, || Event::Noted { what, key: self.clients.key_of(client) });
                let machines: &[MemberAddress] = &self.scenario.machines;
                let next = self.clients.answered(client, &answer, machines, at_ms);
                if matches!(next, Next::Done) {
                    self.check_guard(at_ms);
                }
                self.go_on(client, next, at_ms);
            }
            Notice::Left => {
                self.note(format!("{machine} has left"));
                let life = self.hosts[machine].life();
                self.at(at_ms + 1, Act::Stop { machine, life, until_ms: at_ms + LAST_ANSWERS_MS });
            }
            Notice::Refused(why) => {
                let what = format!("member {machine} refuses its new members: {why}");
                self.violations.push(Violation::new(None, what));
            }
        }
    }

    /// With the majority guard, who has been on the smaller side for a while accepts nothing.
    fn check_guard(&mut self, now_ms: u64) {
        let setup = &self.scenario.setup;
        if !setup.majority_guard {
            return;
        }
        let notices_in = 2 * (setup.peer_timeout + setup.probe_interval) * self.members.len() as u32;
        let notices_in_ms = u64::try_from(notices_in.as_millis()).unwrap_or(u64::MAX);
        let Some(operation) = self.clients.last_answered() else { return };
        let Some(executor) = operation.executor.filter(|_| operation.is_acknowledged()) else { return };
        if let Some(since_ms) = self.minority_since[executor]
            && operation.invoked_ms > since_ms + notices_in_ms
        {
            let what = format!("member {executor} answers at {now_ms} ms, in a minority since {since_ms} ms");
            self.violations.push(Violation::new(Some(operation.key.clone()), what));
        }
    }
}
