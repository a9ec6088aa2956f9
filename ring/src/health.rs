//! Which members are online, as this member sees it: a state machine without clock or network.
//!
//! A failure takes a member out at once. It rests, then must pass a number of probes in a row, each after a
//! shorter rest; one failure and it starts over. With the default policy a member that works again is back
//! 28.3 seconds after its last failure: 10 s of rest, then probes at 10, 20, 25 and 28.3 s. The constants are
//! Repose's; unlike there a pass is a probe that the member itself answered, and an idle ring heals too.
//! Only a member that was there before can fail: one that was never ready is online with its first good answer.
//!
//! Invariant: a probe counts only if nothing was learnt about its member since the probe was sent.

use std::time::Duration;

use crate::{MemberIndex, Timestamp};

/// How members are probed, rested and validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Between two probes of a member that is online.
    pub probe_interval: Duration,
    /// How long a damaged member rests before its first probe; after pass `n` it rests `rest / n`.
    pub rest: Duration,
    /// How many probes in a row a damaged member must pass; zero is taken as one.
    pub validation_passes: u32,
}

impl HealthPolicy {
    /// Between two probes of a member that was never ready: members that start together find each other within it.
    fn introduction_interval(&self) -> Duration {
        self.probe_interval / 4
    }
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self { probe_interval: Duration::from_secs(1), rest: Duration::from_secs(10), validation_passes: 4 }
    }
}

/// How a member is seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberHealth {
    /// It gets requests.
    Online,
    /// It failed and rests; nothing is sent to it.
    Damaged,
    /// Its rest is over and it is being probed; it gets no requests yet.
    Validating {
        /// Probes passed in a row.
        passes: u32,
    },
}

impl MemberHealth {
    /// Its name in answers, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Damaged => "damaged",
            Self::Validating { .. } => "validating",
        }
    }
}

/// What a probe's answer said of the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It may be asked for its keys.
    Ready,
    /// It lives, but must not be asked for its keys: it starts, is handed its objects, or drains.
    NotReady,
}

/// A change that moves keys: a new [`crate::View`] is due.
#[must_use = "the view has to follow"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The member was online and is not any more.
    WentOffline(MemberIndex),
    /// The member is online again.
    CameOnline(MemberIndex),
}

/// A probe to send now. It comes back with its answer, so that a late answer cannot be taken for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whom to probe.
    pub member: MemberIndex,
    attempt: u32,
}

/// The health of every other member.
#[derive(Clone, Debug)]
pub struct Health {
    policy: HealthPolicy,
    me: MemberIndex,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    standing: Standing,
    /// When the next probe is due; nothing while one is under way.
    probe_at: Option<Timestamp>,
    /// The attempt whose answer counts; raised by everything that is learnt.
    attempt: u32,
    /// Whether it was ever ready since this state machine was made. Members that start together do not find each
    /// other at once; who was never there has not failed.
    met: bool,
    /// How often it failed.
    damages: u32,
}

impl Member {
    const fn new(now: Timestamp) -> Self {
        Self { standing: Standing::Online, probe_at: Some(now), attempt: 0, met: false, damages: 0 }
    }

    const fn unmet(now: Timestamp) -> Self {
        Self { standing: Standing::Offline { passes: 0, rests_until: now }, ..Self::new(now) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Online,
    Offline { passes: u32, rests_until: Timestamp },
}

impl Health {
    /// All `members` of a ring online, the first probes due at once. `me` is never probed and never damaged.
    ///
    /// Every method that takes a [`MemberIndex`] panics when it comes from another, longer ring.
    #[must_use]
    pub fn new(members: usize, me: MemberIndex, policy: HealthPolicy, now: Timestamp) -> Self {
        Self { policy, me, members: vec![Member::new(now); members] }
    }

    /// The same on another roster of `members`, where `from` tells where each of them was before. New ones are offline
    /// until they have shown themselves; probes under way come back to nobody.
    #[must_use]
    pub fn on(
        &self,
        members: usize,
        me: MemberIndex,
        now: Timestamp,
        from: impl Fn(MemberIndex) -> Option<MemberIndex>,
    ) -> Self {
        let member = |at| match from(MemberIndex::new(at)) {
            None => Member::unmet(now),
            Some(old) => {
                let old = self.members[old.as_usize()];
                // Another attempt: the index that a probe under way brings back is another member's.
                let attempt = old.attempt.wrapping_add(1 << 16);
                Member { probe_at: Some(old.probe_at.unwrap_or(now)), attempt, ..old }
            }
        };
        Self { policy: self.policy, me, members: (0..members).map(member).collect() }
    }

    /// How `member` is seen at `now`.
    #[must_use]
    pub fn of(&self, member: MemberIndex, now: Timestamp) -> MemberHealth {
        match self.members[member.as_usize()].standing {
            Standing::Online => MemberHealth::Online,
            Standing::Offline { passes: 0, rests_until } if now < rests_until => MemberHealth::Damaged,
            Standing::Offline { passes, .. } => MemberHealth::Validating { passes },
        }
    }

    /// Whether `member` gets requests.
    #[must_use]
    pub fn is_online(&self, member: MemberIndex) -> bool {
        self.members[member.as_usize()].standing == Standing::Online
    }

    /// Whether `member` was ever ready.
    #[must_use]
    pub fn has_met(&self, member: MemberIndex) -> bool {
        self.members[member.as_usize()].met
    }

    /// How `member` is to be told that it is seen.
    #[must_use]
    pub fn standing(&self, member: MemberIndex) -> crate::Standing {
        let state = &self.members[member.as_usize()];
        match state.standing {
            Standing::Online if state.met => crate::Standing::Online,
            Standing::Offline { .. } if state.met => crate::Standing::Offline,
            Standing::Online | Standing::Offline { .. } => crate::Standing::Unmet,
        }
    }

    /// How often `member` failed.
    #[must_use]
    pub fn damages(&self, member: MemberIndex) -> u32 {
        self.members[member.as_usize()].damages
    }

    /// `member` has shown itself: if it was never ready, it is probed at once.
    pub fn contacted(&mut self, member: MemberIndex, now: Timestamp) {
        let state = &mut self.members[member.as_usize()];
        if !state.met && state.probe_at.is_some() {
            state.probe_at = Some(now);
        }
    }

    /// `member` began anew, or leaves: it lives, but must not be asked for its keys until it is ready again.
    pub fn suspended(&mut self, member: MemberIndex, now: Timestamp) -> Option<Transition> {
        let interval = self.policy.introduction_interval();
        let state = &mut self.members[member.as_usize()];
        if member == self.me || state.standing != Standing::Online {
            return None;
        }
        state.learn(Standing::Offline { passes: 0, rests_until: now }, now + interval);
        Some(Transition::WentOffline(member))
    }

    /// Nothing was learnt from `probe`; it is due again at `at`.
    pub fn repeat(&mut self, probe: Probe, at: Timestamp) {
        if let Some(state) = self.current(probe) {
            state.probe_at = Some(at);
        }
    }

    /// A request to `member` failed in a way that says it is unreachable, or not a member of this ring.
    pub fn failed(&mut self, member: MemberIndex, now: Timestamp) -> Option<Transition> {
        if member == self.me {
            return None;
        }
        let policy = self.policy;
        let state = &mut self.members[member.as_usize()];
        let was_online = state.standing == Standing::Online;
        if state.met {
            state.damages = state.damages.wrapping_add(u32::from(was_online));
            let rests_until = now + policy.rest;
            state.learn(Standing::Offline { passes: 0, rests_until }, rests_until);
        } else {
            state.learn(
                Standing::Offline { passes: 0, rests_until: now },
                now + policy.introduction_interval(),
            );
        }
        was_online.then_some(Transition::WentOffline(member))
    }

    /// The probes to send at `now`. None is handed out twice before its answer or another event.
    #[must_use = "a probe that is not sent is never due again"]
    pub fn due(&mut self, now: Timestamp) -> Vec<Probe> {
        let me = self.me.as_usize();
        let others = self.members.iter_mut().enumerate().filter(|(index, _)| *index != me);
        let due = others.filter(|(_, state)| state.probe_at.is_some_and(|at| at <= now));
        due.map(|(index, state)| {
            state.probe_at = None;
            Probe { member: MemberIndex::new(index), attempt: state.attempt }
        })
        .collect()
    }

    /// When [`Health::due`] will next have something; nothing while every probe is under way.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let me = self.me.as_usize();
        let others = self.members.iter().enumerate().filter(|(index, _)| *index != me);
        others.filter_map(|(_, state)| state.probe_at).min()
    }

    /// `probe` was answered.
    pub fn answered(&mut self, probe: Probe, readiness: Readiness, now: Timestamp) -> Option<Transition> {
        let policy = self.policy;
        let state = self.current(probe)?;
        let had_met = state.met;
        state.met |= readiness == Readiness::Ready;
        let interval = if state.met { policy.probe_interval } else { policy.introduction_interval() };
        match (state.standing, readiness) {
            (Standing::Online, Readiness::Ready) => {
                state.learn(Standing::Online, now + interval);
                None
            }
            (Standing::Online, Readiness::NotReady) => {
                state.learn(Standing::Offline { passes: 0, rests_until: now }, now + interval);
                Some(Transition::WentOffline(probe.member))
            }
            // It lives: what it has passed stays passed, but the next pass waits until it is ready.
            (standing @ Standing::Offline { .. }, Readiness::NotReady) => {
                state.learn(standing, now + interval);
                None
            }
            (Standing::Offline { passes, .. }, Readiness::Ready)
                if !had_met || passes + 1 >= policy.validation_passes =>
            {
                state.learn(Standing::Online, now + interval);
                Some(Transition::CameOnline(probe.member))
            }
            (Standing::Offline { passes, .. }, Readiness::Ready) => {
                let rests_until = now + policy.rest / (passes + 1);
                state.learn(Standing::Offline { passes: passes + 1, rests_until }, rests_until);
                None
            }
        }
    }

    /// Whether every other member has answered a probe or failed to: before that, a member that has just started
    /// knows nobody.
    #[must_use]
    pub fn knows_all(&self) -> bool {
        let me = self.me.as_usize();
        self.members.iter().enumerate().all(|(index, state)| index == me || state.attempt != 0)
    }

    /// `probe` was not answered in time, or not by a member of this ring.
    pub fn unanswered(&mut self, probe: Probe, now: Timestamp) -> Option<Transition> {
        self.current(probe)?;
        self.failed(probe.member, now)
    }

    fn current(&mut self, probe: Probe) -> Option<&mut Member> {
        self.members.get_mut(probe.member.as_usize()).filter(|state| state.attempt == probe.attempt)
    }
}

impl Member {
    fn learn(&mut self, standing: Standing, probe_at: Timestamp) {
        self.standing = standing;
        self.probe_at = Some(probe_at);
        self.attempt = self.attempt.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests;
