//! What a node asks of other members, whoever carries it: the framed stream in production, a simulated network in
//! simulations. Words only; how they travel is in `message`, `reply`, `ask`, `told` and `heartbeat`.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use ringhold_ring::{Heartbeat, Incarnation, Key, MemberAddress, Placement, RingId, Term, Version};

use super::PeerError;
use crate::object::{Operation, OperationId, Outcome, Record, Refusal};

/// The most members that an operation goes through, the one that executes it included.
pub const MAX_HOPS: u8 = 4;

/// How an operation comes to the member that is to execute it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// How many members it has been through: 1 when it was forwarded by the one that its client asked.
    pub hops: u8,
    /// The hearer's incarnation, as far as its sender knows: in another one it is not executed, for its sender has given
    /// it up.
    pub to: Option<Incarnation>,
    /// Its sender's ring.
    pub ring: RingId,
    /// Its sender is the owner but must not act, and asks the hearer to act in its place. The sender's term: by one
    /// who has heard of a later one the operation is refused.
    pub instead_of: Option<Term>,
    /// Its sender has just found a member damaged that stands before the hearer in the key's preference list.
    pub after_failure: bool,
    /// Any home member may answer, though what it has may be older than what the owner has. Reads only.
    pub any_copy: bool,
    /// What a repeat of the operation is recognised by.
    pub id: Option<OperationId>,
}

impl Passage {
    /// Through so many members, the last of which uses `ring` and has nothing else to say.
    #[must_use]
    pub const fn through(hops: u8, ring: RingId) -> Self {
        Self { hops, to: None, ring, instead_of: None, after_failure: false, any_copy: false, id: None }
    }
}

/// What came of an operation that another member was asked to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// It was carried out or refused.
    Done(Result<Outcome, Refusal>),
    /// By what the hearer knows, it is for another member to execute.
    NotOwner {
        /// Whether some member may keep what came of it nevertheless, so that it comes to light later.
        may_have_run: bool,
    },
}

/// Why a member is sent a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// It is a write that is under way at the sender, which acts as owner of the key in this term.
    Write(Term),
    /// The sender has it and the hearer should.
    Handoff,
}

/// A record for another member to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOf {
    /// Its key.
    pub key: Key<'static>,
    /// What is stored there.
    pub record: Record,
    /// Why it is sent.
    pub copying: Copying,
    /// The sender's ring.
    pub ring: RingId,
    /// The latest operations that must not run again, as far as the sender knows them: at most [`MAX_IDS`].
    pub ids: Vec<(OperationId, Version)>,
}

/// The most operations that travel with a copy.
pub const MAX_IDS: usize = 32;

/// What a member did with a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It keeps it, or had it already.
    Kept,
    /// It has a newer one, of this version, and keeps that.
    Newer(Version),
    /// It acts as owner of the key itself; nothing has changed. Answers [`Copying::Write`] only.
    NotOwner,
    /// There is no room for it.
    Full,
    /// Its version is further ahead of the hearer's clock than is sane.
    Skewed,
}

/// What another member can be asked besides executing an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// How are you? This is how I am.
    Heartbeat(Heartbeat),
    /// Keep this.
    Copy(CopyOf),
    /// What do you have under this key, object or tombstone?
    Record(Key<'static>),
    /// Which of these do you lack, or have older? At most [`MAX_OFFERS`].
    Offer(Vec<(Key<'static>, Version)>),
    /// A sum for each of 2^`bits` parts of the key space over all records that both of us are to keep.
    Sums {
        /// 0 to [`MAX_SUM_BITS`].
        bits: u8,
    },
    /// Which ring is it that you call this?
    Ring(RingId),
}

/// The most keys in an offer.
pub const MAX_OFFERS: usize = 256;
/// The most parts of the key space, as a power of two.
pub const MAX_SUM_BITS: u8 = 16;

/// The answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// To [`Ask::Heartbeat`].
    Heartbeat(Heartbeat),
    /// To [`Ask::Copy`].
    Copied(Copied),
    /// To [`Ask::Record`]: what is there, and the latest operations of the key, at most [`MAX_IDS`].
    Record(Option<Record>, Vec<(OperationId, Version)>),
    /// To [`Ask::Offer`]: for each key, in order, whether it is wanted.
    Wanted(Vec<bool>),
    /// To [`Ask::Sums`]: 2^`bits` times eight bytes, big-endian, in the order of the parts.
    Sums(Bytes),
    /// To [`Ask::Ring`].
    Ring(RingDescription),
    /// The member cannot answer that now: it is busy with another of the kind, or has just begun.
    Busy,
}

/// A ring as one member tells another of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingDescription {
    /// Its members.
    pub members: Vec<MemberAddress>,
    /// How it places keys.
    pub placement: Placement,
    /// How many home members a key has.
    pub replicas: usize,
}

/// The asking side: the way to all other members.
pub trait Network: Debug + Send + Sync + 'static {
    /// Has `to` execute `operation`, and waits at most `timeout` for what comes of it. Dropping the future withdraws
    /// the request, if it was not begun.
    ///
    /// # Errors
    /// [`PeerError`] when there is no answer; it says whether the operation may have been executed.
    fn execute<'a>(
        &'a self,
        to: &'a MemberAddress,
        key: &'a Key<'_>,
        operation: &'a Operation,
        passage: &'a Passage,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Executed, PeerError>>;

    /// Asks `to` something else, and waits at most `timeout` for the answer, which is of the kind that was asked for.
    ///
    /// # Errors
    /// [`PeerError`] when there is no answer.
    fn ask<'a>(
        &'a self,
        to: &'a MemberAddress,
        ask: &'a Ask,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Told, PeerError>>;

    /// Drops what leads to `member`; everything under way to it fails now.
    fn disconnect(&self, member: &MemberAddress);

    /// From now on these are the members; what leads to others is dropped.
    fn set_members(&self, members: &[MemberAddress]);
}

/// The answering side: what every other member reaches of this one.
pub trait Handler: Send + Sync + 'static {
    /// What an operation comes to, if nothing is unusual about it and nothing has to be waited for; all else is for
    /// [`Handler::execute`].
    fn execute_at_once(
        &self,
        _from: &MemberAddress,
        _key: &Key<'_>,
        _operation: &Operation,
        _passage: &Passage,
    ) -> Option<Executed> {
        None
    }

    /// Carries out an operation for `from`, which waits at most `time_left`. A read may be dropped when its time is
    /// over; a write runs to its end.
    fn execute(
        &self,
        from: &MemberAddress,
        key: Key<'static>,
        operation: Operation,
        passage: Passage,
        time_left: Duration,
    ) -> impl Future<Output = Executed> + Send;

    /// Answers `from` anything else, if nothing has to be waited for; otherwise gives it back, for [`Handler::answer`].
    fn answer_at_once(&self, _from: &MemberAddress, ask: Ask) -> ControlFlow<Told, Ask> {
        ControlFlow::Continue(ask)
    }

    /// Answers `from` anything else.
    fn answer(&self, from: &MemberAddress, ask: Ask) -> impl Future<Output = Told> + Send;
}
