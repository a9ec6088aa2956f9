//! What a member has asked for on one stream and has no answer to yet, and where answers go.
//!
//! Most of what is asked is complete when it is first polled, so everything is polled once where it was read; only
//! what has to wait gets a task. Invariant: what is begun is answered, if only by saying that it failed.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use ringhold_ring::Key;

use super::frame::{Kind, Violation};
use super::hello::{Hello, MAX_REQUESTS};
use super::network::{Ask, Handler, Passage};
use super::outbox::{Outbox, SMALL_LIMIT};
use super::reply::{self, Reply};
use super::{Identity, ask, message};
use crate::object::{Operation, Refusal};

/// Heartbeats in progress beside as many requests as the other side may have: being busy must not look like being
/// dead.
const MAX_PROBES: usize = 16;

/// What a member has asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// An operation.
    Execute {
        /// On what.
        key: Key<'static>,
        /// What to do.
        operation: Operation,
        /// How it came here.
        passage: Passage,
    },
    /// Anything else.
    Answer(Ask),
}

impl Asked {
    /// With the bytes that were still to come.
    pub(super) fn with_value(self, bytes: Bytes) -> Result<Self, Violation> {
        Ok(match self {
            Self::Execute { key, operation, passage } => {
                Self::Execute { key, operation: message::with_value(operation, bytes), passage }
            }
            Self::Answer(ask) => Self::Answer(ask::with_value(ask, bytes)?),
        })
    }

    /// Whether it changes anything. Nothing that does is dropped in the middle.
    const fn is_write(&self) -> bool {
        match self {
            Self::Execute { operation, .. } => !operation.is_read(),
            Self::Answer(ask) => matches!(ask, Ask::Copy(_)),
        }
    }
}

/// The answering end of a stream, shared with the tasks of what has to wait.
#[derive(Debug)]
pub(super) struct Answers<H> {
    pub(super) handler: Arc<H>,
    pub(super) outbox: Outbox,
    pub(super) remote: Hello,
    pub(super) identity: Arc<Identity>,
    executing: AtomicUsize,
}

impl<H: Handler> Answers<H> {
    pub(super) const fn new(handler: Arc<H>, outbox: Outbox, remote: Hello, identity: Arc<Identity>) -> Self {
        Self { handler, outbox, remote, identity, executing: AtomicUsize::new(0) }
    }

    /// How much has been asked and is not written out yet.
    pub(super) fn in_progress(&self) -> usize {
        self.executing.load(Ordering::Acquire) + self.outbox.load().values
    }

    /// Whether a frame of this kind may be taken.
    pub(super) fn has_room(&self, kind: Kind) -> bool {
        let load = self.outbox.load();
        let in_progress = self.executing.load(Ordering::Acquire) + load.values;
        let allowed = match kind {
            Kind::Request | Kind::Ask => MAX_REQUESTS as usize,
            Kind::Probe => MAX_REQUESTS as usize + MAX_PROBES,
            _ => return load.small_bytes < SMALL_LIMIT,
        };
        in_progress < allowed && load.small_bytes < SMALL_LIMIT
    }

    /// Does what is asked, if that can be done at once, or polls it once; what is not done then goes on in a task of its own.
    pub(super) fn begin(self: &Arc<Self>, id: u64, mut asked: Asked, time_left: Duration) {
        if let Asked::Answer(ask) = asked {
            match self.handler.answer_at_once(&self.remote.member, ask) {
                ControlFlow::Break(told) => return self.send(id, Reply::Told(told)),
                ControlFlow::Continue(ask) => asked = Asked::Answer(ask),
            }
        }
        let is_write = asked.is_write();
        let this = Arc::clone(self);
        let mut work: Pin<Box<dyn Future<Output = Reply> + Send>> =
            Box::pin(async move { this.carry_out(asked, time_left).await });
        // Outside the cooperative budget: an exhausted one would make everything else of this read a task.
        if let Some(reply) = tokio::task::coop::unconstrained(work.as_mut()).now_or_never() {
            return self.send(id, reply);
        }
        let unanswered = Unanswered::new(Arc::clone(self), id);
        tokio::spawn(async move {
            let reply = if is_write {
                work.await
            } else {
                tokio::time::timeout(time_left, work).await.unwrap_or(Reply::Stale)
            };
            unanswered.answer(reply);
        });
    }

    async fn carry_out(&self, asked: Asked, time_left: Duration) -> Reply {
        let from = &self.remote.member;
        match asked {
            Asked::Execute { key, operation, passage } => {
                self.handler.execute(from, key, operation, passage, time_left).await.into()
            }
            Asked::Answer(ask) => Reply::Told(self.handler.answer(from, ask).await),
        }
    }
}

impl<H> Answers<H> {
    pub(super) fn send(&self, id: u64, reply: Reply) {
        let limit = self.remote.assembly_bytes;
        let reply = if reply::value_bytes(&reply) > limit {
            Reply::Done(Err(Refusal::TooLarge { limit }))
        } else {
            reply
        };
        let now = self.identity.clock().now();
        // When the stream has ended meanwhile, nobody waits for the answer.
        let _ = self.outbox.put(reply::kind(&reply), id, |payload| reply::encode(payload, &reply, now));
    }
}

/// Something that was begun and has a task of its own. A task that dies in the middle answers that it failed.
struct Unanswered<H> {
    answers: Arc<Answers<H>>,
    id: u64,
    reply: Reply,
}

impl<H> Unanswered<H> {
    fn new(answers: Arc<Answers<H>>, id: u64) -> Self {
        answers.executing.fetch_add(1, Ordering::AcqRel);
        Self { answers, id, reply: Reply::Failed }
    }

    fn answer(mut self, reply: Reply) {
        self.reply = reply;
    }
}

impl<H> Drop for Unanswered<H> {
    fn drop(&mut self) {
        self.answers.send(self.id, std::mem::replace(&mut self.reply, Reply::Failed));
        self.answers.executing.fetch_sub(1, Ordering::AcqRel);
        self.answers.outbox.nudge();
    }
}
