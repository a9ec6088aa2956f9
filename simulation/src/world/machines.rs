//! What happens to the machines of a world and to the ways between them: processes start, read their lists, leave, crash and
//! are stopped; links are cut and mended. Which faults there are, `faults` decides.

use super::{Act, World};
use crate::checks::Violation;
use crate::fabric::Link;
use crate::faults::{Condition, Fault};
use crate::message::Arrival;
use crate::node::Node;

/// How long a leaving process may take.
const LEAVING_MS: u64 = 60_000;
/// How often a process that has left looks whether it has given its last answers.
const LAST_ANSWERS_EVERY_MS: u64 = 5;

impl<N: Node> World<'_, N> {
    pub(super) fn start(&mut self, machine: usize) {
        let setup = self.scenario.setup_of(machine, &self.members);
        self.told[machine].clone_from(&self.members);
        let seed = self.random.number();
        self.note(format!("{machine} starts"));
        if let Err(why) = self.hosts[machine].start(&setup, seed, self.now_ms) {
            self.violations.push(Violation::new(None, format!("member {machine} does not start: {why}")));
        }
        self.leaving[machine] = None;
        self.seen.forget(machine);
        self.changed_ms = self.now_ms;
        self.survey();
    }

    pub(super) fn reload(&mut self, machine: usize, members: &[usize]) {
        self.told[machine] = members.to_vec();
        if self.hosts[machine].is_alive() {
            self.note(format!("{machine} is told that the members are {members:?}"));
            let setup = self.scenario.setup_of(machine, members);
            self.fabric.post(machine, Arrival::Reload(Box::new(setup)));
            self.changed_ms = self.now_ms;
        }
    }

    pub(super) fn crash(&mut self, machine: usize) {
        self.note(format!("{machine} ends"));
        self.hosts[machine].crash();
        self.leaving[machine] = None;
        let broken: Vec<_> =
            self.attempts.iter().filter(|(_, (_, at))| *at == machine).map(|(id, _)| *id).collect();
        for attempt in broken {
            if let Some((client, _)) = self.attempts.remove(&attempt) {
                let next = self.clients.unanswered(client, "the connection broke", self.now_ms);
                self.go_on(client, next, self.now_ms);
            }
        }
        self.changed_ms = self.now_ms;
        self.survey();
    }

    /// `for_ms` is how long until it is started again; nothing: never.
    pub(super) fn leave(&mut self, machine: usize, for_ms: Option<u64>) {
        if self.hosts[machine].is_alive() && self.leaving[machine].is_none() {
            self.note(format!("{machine} is asked to leave"));
            self.leaving[machine] = Some(for_ms);
            self.fabric.post(machine, Arrival::Leave);
            let life = self.hosts[machine].life();
            self.at(self.now_ms + LEAVING_MS, Act::StillLeaving { machine, life });
        }
    }

    /// A process that has left ends when whoever asked it something has an answer, or after a while.
    pub(super) fn stop(&mut self, machine: usize, life: u64, until_ms: u64) {
        let Some(for_ms) = self.leaving[machine].filter(|_| self.hosts[machine].life() == life) else {
            return;
        };
        let is_asked = self.attempts.values().any(|(_, at)| *at == machine) || self.fabric.is_asked(machine);
        if is_asked && self.now_ms < until_ms {
            self.at(self.now_ms + LAST_ANSWERS_EVERY_MS, Act::Stop { machine, life, until_ms });
            return;
        }
        self.crash(machine);
        // Who was removed starts only if it was taken back while it left.
        self.at(self.now_ms + for_ms.unwrap_or_default(), Act::Start { machine });
    }

    pub(super) fn fault(&mut self) {
        if !self.is_busy {
            return;
        }
        let ring = self.condition();
        if let Some(fault) = self.faults.next(&ring) {
            self.tally.faults += 1;
            self.note(format!("{fault:?}"));
            self.begin(fault);
            // Noise on a way that was cut lets something through again.
            self.survey();
        }
        let next_ms = self.now_ms + self.faults.rest_ms();
        self.at(next_ms, Act::Fault);
    }

    pub(super) fn condition(&mut self) -> Condition {
        let is_up = |machine: &usize| {
            let host = &self.hosts[*machine];
            host.is_alive() && !host.is_paused() && self.leaving[*machine].is_none()
        };
        let running: Vec<_> = self.members.iter().copied().filter(is_up).collect();
        let agreed = self.members.iter().all(|member| self.told[*member] == self.members);
        let all_run = running.len() == self.members.len();
        let is_whole = all_run && agreed && self.fabric.is_whole(&self.members, self.changed_ms + 1);
        if is_whole {
            self.lost.fill(false);
        }
        let lost = self.lost.iter().filter(|lost| **lost).count();
        Condition { members: self.members.clone(), running, lost, is_whole }
    }

    fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Pause { member, for_ms } => {
                self.lost[member] = true;
                self.hosts[member].pause();
                self.changed_ms = self.now_ms + for_ms;
                let life = self.hosts[member].life();
                self.at(self.now_ms + for_ms, Act::Resume { machine: member, life });
            }
            Fault::Crash { member, for_ms } => {
                self.lost[member] = true;
                self.crash(member);
                self.at(self.now_ms + for_ms, Act::Start { machine: member });
            }
            Fault::Leave { member, for_ms } => self.leave(member, Some(for_ms)),
            Fault::Cut { ways, for_ms } => {
                for (from, to) in &ways {
                    self.fabric.set_link(*from, *to, Link { is_cut: true, ..Link::default() });
                }
                self.at(self.now_ms + for_ms, Act::Mend { ways });
            }
            Fault::Noise { ways, loss_permille, slower_ms, for_ms } => {
                let link = Link { loss_permille, slower_ms, duplicates_permille: 50, is_cut: false };
                for (from, to) in &ways {
                    self.fabric.set_link(*from, *to, link);
                }
                self.at(self.now_ms + for_ms, Act::Mend { ways });
            }
            Fault::Members { members, within_ms } => self.change_members(members, within_ms),
        }
    }

    /// New members start with the new list; all that run are told of it in any order; who is no member any more
    /// leaves last.
    fn change_members(&mut self, members: Vec<usize>, within_ms: u64) {
        let gone: Vec<_> = self.members.iter().copied().filter(|old| !members.contains(old)).collect();
        let new: Vec<_> = members.iter().copied().filter(|new| !self.members.contains(new)).collect();
        self.members.clone_from(&members);
        for machine in 0..self.hosts.len() {
            if new.contains(&machine) && !self.hosts[machine].is_alive() {
                self.start(machine);
            } else if self.hosts[machine].is_alive() {
                let at_ms = self.now_ms + self.random.below(within_ms + 1);
                self.at(at_ms, Act::Reload { machine, members: members.clone() });
            }
        }
        for machine in gone {
            self.at(self.now_ms + within_ms + 1_000, Act::Leave { machine, for_ms: None });
        }
    }

    /// Who is on the smaller side, and since when.
    pub(super) fn survey(&mut self) {
        let members = &self.members;
        let runs = |machine: usize| self.hosts[machine].is_alive() && !self.hosts[machine].is_paused();
        for machine in 0..self.hosts.len() {
            let reaches = |other: &&usize| {
                **other == machine || (runs(**other) && self.fabric.is_open(machine, **other))
            };
            let is_minority = 2 * members.iter().filter(reaches).count() <= members.len();
            let since = &mut self.minority_since[machine];
            *since = if is_minority { since.or(Some(self.now_ms)) } else { None };
        }
    }
}
