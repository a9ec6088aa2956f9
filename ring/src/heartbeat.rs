//! What two members tell each other of themselves and of each other, again and again.
//!
//! Every probe carries one and every answer to a probe another, so nothing in it has to arrive: what matters is said
//! until it is no longer true.

use crate::RingId;

/// Which start of a member it is; a member that must assume that others took its place begins a new one too. Compared
/// for equality only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(u64);

impl Incarnation {
    /// A random number, chosen at start.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, as it travels between members.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Whether `other` followed it, in the same process: one that starts anew has a random number, far away.
    const fn is_before(self, other: Self) -> bool {
        let steps = other.0.wrapping_sub(self.0);
        steps != 0 && steps < 1 << 32
    }

    /// The one that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl std::fmt::Display for Incarnation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A stretch of one incarnation in which a member acts as owner, or does not. Copies and requests that are passed down
/// carry their sender's, so that one that was overtaken by a change is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Of whom.
    pub incarnation: Incarnation,
    /// Counts the stretches of the incarnation.
    pub number: u32,
}

impl Term {
    /// Whether `self` is known to be over for one who has heard of `other`.
    #[must_use]
    pub fn is_before(self, other: Self) -> bool {
        self.incarnation == other.incarnation && self.number < other.number
    }
}

/// What a member can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It has just begun; nothing yet.
    Starting,
    /// It takes replicated writes; others are handing its objects back.
    Syncing,
    /// Everything.
    Ready,
    /// It finishes what it has and takes nothing new.
    Draining,
}

impl MemberState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Starting, Self::Syncing, Self::Ready, Self::Draining];

    /// Its name in answers, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Syncing => "syncing",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// How a member sees the one it tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was never ready, as far as the teller knows.
    Unmet,
    /// It gets requests.
    Online,
    /// It gets none.
    Offline,
}

/// What a member says to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Which start of the teller it is.
    pub incarnation: Incarnation,
    /// Counts what the teller says, so that what arrives late is recognised.
    pub number: u32,
    /// How it is.
    pub state: MemberState,
    /// Whether it executes what it owns; else it asks others to do so in its place.
    pub acts: bool,
    /// The ring by which it sends requests.
    pub ring: RingId,
    /// The ring it is to change to, if it is.
    pub target: Option<RingId>,
    /// Whether everything it holds is also where `target` wants it.
    pub prepared: bool,
    /// The hearer's incarnation, as far as the teller knows.
    pub knows: Option<Incarnation>,
    /// How the teller sees the hearer.
    pub sees: Standing,
    /// How often the teller has found the hearer damaged.
    pub damages: u32,
    /// To how many members the teller sends requests, itself included.
    pub online: u16,
    /// Whether the teller may hold records that others lack, or that belong elsewhere: somebody is not there, was not
    /// handed everything, or the teller stood in for a member.
    pub unsettled: bool,
    /// Whether the teller has handed the hearer, in the incarnation it knows, everything that the hearer should keep.
    pub handed: bool,
}

impl Heartbeat {
    /// Whether its teller said it before `other`: two that cross on their way are not to be taken for a change.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        let is_older = || other.number.wrapping_sub(self.number).wrapping_sub(1) < u32::MAX / 2;
        self.incarnation.is_before(other.incarnation) || self.incarnation == other.incarnation && is_older()
    }
}

#[cfg(test)]
mod tests;
