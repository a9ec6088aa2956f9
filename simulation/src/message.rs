//! What goes through the simulated network, and what members are told and say besides.

use ringhold_ring::Key;
use ringhold_server::object::{Answer, Delivery, Operation};
use ringhold_server::peer::network::{Ask, CopyOf, Executed, Passage, Told};

use crate::node::Setup;

/// What one member sends another.
#[derive(Clone, Debug)]
pub enum Payload {
    /// An operation to execute.
    Execute {
        /// Of which key.
        key: Key<'static>,
        /// What to do.
        operation: Operation,
        /// How it came there.
        passage: Passage,
        /// How long its sender waits.
        time_left_ms: u64,
    },
    /// Anything else.
    Ask(Ask),
}

impl Payload {
    /// No stream delivers twice, but members repeat what must not be lost; what carries no mark to know a repeat by is
    /// not repeated.
    pub const fn may_come_twice(&self) -> bool {
        match self {
            Self::Execute { passage, .. } => passage.id.is_some(),
            Self::Ask(_) => true,
        }
    }

    /// The key that it is about, if it is about one.
    pub const fn key(&self) -> Option<&Key<'static>> {
        match self {
            Self::Execute { key, .. } | Self::Ask(Ask::Copy(CopyOf { key, .. }) | Ask::Record(key)) => {
                Some(key)
            }
            Self::Ask(_) => None,
        }
    }

    /// For the log of a seed that is replayed.
    pub fn describe(&self) -> String {
        match self {
            Self::Execute { operation, passage, .. } => {
                let name = match operation {
                    Operation::Get { .. } => "get",
                    Operation::Put { .. } => "put",
                    Operation::Delete { .. } => "delete",
                    Operation::Patch { .. } => "patch",
                };
                let instead = if passage.instead_of.is_some() { " in its place" } else { "" };
                let failure = if passage.after_failure { " after a failure" } else { "" };
                format!("{name}, hop {}{instead}{failure}", passage.hops)
            }
            Self::Ask(Ask::Copy(copy)) => format!("copy {:?} of {}", copy.copying, copy.record.version()),
            Self::Ask(Ask::Heartbeat(beat)) => {
                format!("heartbeat: {}, sees {:?}, handed {}", beat.state.name(), beat.sees, beat.handed)
            }
            Self::Ask(Ask::Offer(keys)) => format!("offer of {}", keys.len()),
            Self::Ask(Ask::Sums { bits }) => format!("sums of {bits} bits"),
            Self::Ask(Ask::Ring(ring)) => format!("which ring is {ring}"),
            Self::Ask(Ask::Record(_)) => "which record".to_owned(),
        }
    }
}

/// What comes back.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To [`Payload::Execute`].
    Executed(Executed),
    /// To [`Payload::Ask`].
    Told(Told),
}

impl Reply {
    /// What the sender of a repeat may make of it: that this sending did nothing says nothing of the other.
    pub fn of_one_sending(self) -> Self {
        match self {
            Self::Executed(Executed::Done(Err(refusal))) => {
                Self::Executed(Executed::Done(Err(refusal.honest(true))))
            }
            Self::Executed(Executed::NotOwner { .. }) => {
                Self::Executed(Executed::NotOwner { may_have_run: true })
            }
            Self::Executed(Executed::Done(Ok(_))) | Self::Told(_) => self,
        }
    }
}

/// Why nothing comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was certainly not delivered.
    NotSent,
    /// It may have been.
    Lost,
}

/// Something that happens at a member.
#[derive(Debug)]
pub enum Arrival {
    /// Another member's message.
    Message {
        /// Who sent it.
        from: usize,
        /// What its answer is known by.
        call: u64,
        /// What it is.
        payload: Payload,
    },
    /// The end of a call of this member's.
    Reply {
        /// Which call.
        call: u64,
        /// How it ended.
        result: Result<Reply, Fate>,
    },
    /// A client's request.
    Request {
        /// What its answer is known by.
        attempt: u64,
        /// Of which key.
        key: Key<'static>,
        /// What to do.
        operation: Operation,
        /// How.
        delivery: Delivery,
    },
    /// A request to leave the ring.
    Leave,
    /// A new configuration.
    Reload(Box<Setup>),
}

/// What a member has to say to the world outside the ring.
#[derive(Debug)]
pub enum Notice {
    /// A client's request is answered.
    Answered {
        /// Which.
        attempt: u64,
        /// How.
        answer: Box<Answer>,
    },
    /// The member has left, and its process may end.
    Left,
    /// The member does not take its new configuration.
    Refused(String),
}
