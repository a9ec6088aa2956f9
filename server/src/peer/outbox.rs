//! What one side of a stream has to write, and the loop that writes it.
//!
//! Small frames of all callers are gathered in one buffer and leave in one write; pieces of large values follow
//! behind them, in turn, a few at a time, as far as their receiver has granted. Invariant: a request whose last
//! byte was not handed to the transport is known to be unsent, and can still be withdrawn without a trace.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use super::batch::{Batch, PIECES_PER_WRITE, Piece};
use super::frame::{self, CHUNK_BYTES, Kind, WINDOW_BYTES};
use super::macs::FrameWriter;

/// Bytes of small frames that may wait; who has more waits outside.
pub(super) const SMALL_LIMIT: usize = 1 << 20;

/// Large values that take turns; the others wait for one to be through.
const MAX_ACTIVE: usize = 64;

/// What is to be written.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    /// Until the writing loop takes it.
    frames: Mutex<Option<FrameWriter>>,
    /// Bytes of small frames that the transport has taken, since the stream began.
    written: AtomicU64,
    wake: Notify,
    room: Notify,
}

#[derive(Debug)]
struct Queue {
    small: Vec<u8>,
    /// The room behind each frame of `small`, for its MAC.
    tag_bytes: usize,
    /// Bytes of small frames before `small`, since the stream began.
    base: u64,
    active: VecDeque<Value>,
    waiting: VecDeque<Value>,
    /// How many bytes of values the other side will still put together.
    budget: usize,
    phase: Phase,
    /// Whether a batch is being handed to the transport now; how much of it will be taken is not known yet.
    writing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Nothing more is taken; what is there is written, then the stream ends.
    Finishing,
    Closed,
}

/// A large value on its way, and the frame that announces it while it waits.
#[derive(Debug)]
struct Value {
    id: u64,
    announcement: Vec<u8>,
    announced_at: u64,
    bytes: Bytes,
    sent: usize,
    credit: usize,
}

/// Where a request was put, for the case that it is withdrawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    id: u64,
    start: u64,
    end: u64,
}

/// What became of a request that is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It never left; its receiver has executed nothing.
    Unsent,
    /// It left, and may have been executed.
    Sent,
}

/// How much is waiting to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Large values not yet written out.
    pub(super) values: usize,
    /// Bytes of small frames.
    pub(super) small_bytes: usize,
}

/// The outbox takes nothing any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed;

impl Outbox {
    /// An outbox towards a side that puts together at most `assembly_bytes` of values. Its frames leave through
    /// `frames`.
    pub(super) fn new(assembly_bytes: usize, frames: FrameWriter) -> Self {
        let queue = Queue {
            small: Vec::new(),
            tag_bytes: frames.tag_bytes(),
            base: 0,
            active: VecDeque::new(),
            waiting: VecDeque::new(),
            budget: assembly_bytes,
            phase: Phase::Open,
            writing: false,
        };
        let (queue, frames) = (queue.into(), Some(frames).into());
        Self { queue, frames, written: AtomicU64::new(0), wake: Notify::new(), room: Notify::new() }
    }

    /// Puts a frame whose payload `fill` appends; a value that `fill` returns follows in pieces.
    pub(super) fn put(
        &self,
        kind: Kind,
        id: u64,
        fill: impl FnOnce(&mut Vec<u8>) -> Option<Bytes>,
    ) -> Result<Ticket, Closed> {
        let mut queue = self.queue.lock();
        if queue.phase != Phase::Open {
            return Err(Closed);
        }
        let start = queue.small.len();
        let mut value = None;
        queue.put(kind, id, |payload| value = fill(payload));
        let ticket =
            Ticket { id, start: queue.base + start as u64, end: queue.base + queue.small.len() as u64 };
        if let Some(bytes) = value {
            let announcement = queue.small.split_off(start);
            queue.waiting.push_back(Value {
                id,
                announcement,
                announced_at: 0,
                credit: bytes.len().min(WINDOW_BYTES),
                bytes,
                sent: 0,
            });
            queue.promote();
        }
        drop(queue);
        self.wake.notify_one();
        Ok(ticket)
    }

    /// Waits until there is room for one more small frame.
    pub(super) async fn room(&self) {
        self.wait_until(|| {
            let queue = self.queue.lock();
            queue.small.len() < SMALL_LIMIT || queue.phase != Phase::Open
        })
        .await;
    }

    /// Waits until `condition` holds; it is looked at whenever something was written or [`Outbox::nudge`]d.
    pub(super) async fn wait_until(&self, condition: impl Fn() -> bool) {
        // Nearly always it does already.
        while !condition() {
            let mut changed = std::pin::pin!(self.room.notified());
            changed.as_mut().enable();
            if condition() {
                return;
            }
            changed.await;
        }
    }

    /// Lets [`Outbox::wait_until`] look again.
    pub(super) fn nudge(&self) {
        self.room.notify_waiters();
    }

    /// The other side will take `bytes` more of the value of `id`. It may be through already.
    pub(super) fn grant(&self, id: u64, bytes: u32) {
        let mut queue = self.queue.lock();
        if let Some(value) = queue.active.iter_mut().find(|value| value.id == id) {
            value.credit = value.credit.saturating_add(bytes as usize);
            drop(queue);
            self.wake.notify_one();
        }
    }

    /// Takes a request back. If it has left already, its receiver is told that nobody waits for the answer.
    pub(super) fn withdraw(&self, ticket: Ticket) -> Fate {
        let mut queue = self.queue.lock();
        let queue = &mut *queue;
        if let Some(at) = queue.waiting.iter().position(|value| value.id == ticket.id) {
            queue.waiting.remove(at);
            return Fate::Unsent;
        }
        let (start, fate) = match queue.active.iter().position(|value| value.id == ticket.id) {
            // An operation whose value is not all there is never executed.
            Some(at) => (queue.drop_active(at).unwrap_or(ticket.start), Fate::Unsent),
            None if queue.will_write_no_more() && self.written.load(Ordering::Acquire) < ticket.end => {
                return Fate::Unsent;
            }
            None if ticket.start >= queue.base => (ticket.start, Fate::Unsent),
            None => (ticket.start, Fate::Sent),
        };
        if let Some(at) = start.checked_sub(queue.base) {
            frame::void(&mut queue.small, usize::try_from(at).unwrap_or(usize::MAX));
        } else if queue.phase == Phase::Open {
            queue.put(Kind::Cancel, ticket.id, |_| {});
            self.wake.notify_one();
        }
        queue.promote();
        fate
    }

    /// Forgets the value of `id`: its receiver does not want it any more.
    pub(super) fn forget(&self, id: u64) {
        let mut queue = self.queue.lock();
        queue.waiting.retain(|value| value.id != id);
        if let Some(at) = queue.active.iter().position(|value| value.id == id) {
            queue.drop_active(at);
            queue.promote();
        }
    }

    /// How much is waiting.
    pub(super) fn load(&self) -> Load {
        let queue = self.queue.lock();
        Load { values: queue.active.len() + queue.waiting.len(), small_bytes: queue.small.len() }
    }

    /// Nothing more is taken; the writing loop ends when everything is written.
    pub(super) fn finish(&self) {
        let mut queue = self.queue.lock();
        if queue.phase == Phase::Open {
            queue.phase = Phase::Finishing;
        }
        drop(queue);
        self.wake.notify_one();
        self.nudge();
    }

    /// One last frame, in place of whatever large values are left.
    pub(super) fn finish_with(&self, last: impl FnOnce(&mut Vec<u8>)) {
        let mut queue = self.queue.lock();
        if queue.phase == Phase::Open {
            queue.active.clear();
            queue.waiting.clear();
            last(&mut queue.small);
            queue.make_room();
        }
        drop(queue);
        self.finish();
    }

    /// Nothing more is taken and nothing more is written.
    pub(super) fn close(&self) {
        self.queue.lock().phase = Phase::Closed;
        self.wake.notify_one();
        self.nudge();
    }

    /// Writes until the outbox is finished or closed, or the transport fails.
    pub(super) async fn write_to<W: AsyncWrite + Unpin>(&self, transport: &mut W) -> std::io::Result<()> {
        let Some(mut frames) = self.frames.lock().take() else { return Ok(()) };
        let mut batch = Batch::default();
        let _end = WritingEnds(self);
        loop {
            let (taken, phase) = {
                let mut queue = self.queue.lock();
                if queue.phase == Phase::Closed {
                    return Ok(());
                }
                queue.writing = queue.take(&mut batch);
                (queue.writing, queue.phase)
            };
            match (taken, phase) {
                (true, _) => {
                    self.nudge();
                    batch.seal(&mut frames);
                    batch.write_to(transport, &self.written).await?;
                }
                (false, Phase::Finishing) => return transport.shutdown().await,
                (false, _) => self.wake.notified().await,
            }
        }
    }
}

/// However the writing loop ends, nothing more leaves then.
struct WritingEnds<'a>(&'a Outbox);

impl Drop for WritingEnds<'_> {
    fn drop(&mut self) {
        self.0.queue.lock().writing = false;
    }
}

impl Queue {
    /// Appends a small frame.
    fn put(&mut self, kind: Kind, id: u64, fill: impl FnOnce(&mut Vec<u8>)) {
        frame::put(&mut self.small, kind, id, fill);
        self.make_room();
    }

    /// For the MAC of the frame that was appended. It is made when the frame leaves; until then the frame may change.
    fn make_room(&mut self) {
        self.small.resize(self.small.len() + self.tag_bytes, 0);
    }

    /// Whether what was not written by now never will be.
    fn will_write_no_more(&self) -> bool {
        self.phase == Phase::Closed && !self.writing
    }

    /// Announces waiting values while the other side has memory for them.
    fn promote(&mut self) {
        while self.active.len() < MAX_ACTIVE
            && let Some(next) = self.waiting.front()
            && next.bytes.len() <= self.budget
            && let Some(mut next) = self.waiting.pop_front()
        {
            self.budget -= next.bytes.len();
            next.announced_at = self.base + self.small.len() as u64;
            self.small.append(&mut next.announcement);
            self.active.push_back(next);
        }
    }

    /// Where the dropped value was announced.
    fn drop_active(&mut self, at: usize) -> Option<u64> {
        let value = self.active.remove(at)?;
        self.budget += value.bytes.len();
        Some(value.announced_at)
    }

    /// Moves what is to be written next into `batch`; says whether that is anything.
    fn take(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        batch.base = self.base;
        std::mem::swap(&mut self.small, &mut batch.small);
        self.base += batch.small.len() as u64;
        let mut looked_at = 0;
        while looked_at < self.active.len() && batch.pieces.len() < PIECES_PER_WRITE {
            let Some(mut value) = self.active.pop_front() else { break };
            let length = CHUNK_BYTES.min(value.credit).min(value.bytes.len() - value.sent);
            if length == 0 {
                looked_at += 1;
                self.active.push_back(value);
                continue;
            }
            looked_at = 0;
            let piece = value.bytes.slice(value.sent..value.sent + length);
            batch.pieces.push(Piece {
                header: frame::header(Kind::Body, value.id, length),
                piece,
                tag: None,
            });
            value.sent += length;
            value.credit -= length;
            if value.sent < value.bytes.len() {
                self.active.push_back(value);
            } else {
                self.budget += value.bytes.len();
            }
        }
        // Only now: a piece must not leave with the batch before its announcement.
        self.promote();
        !batch.small.is_empty() || !batch.pieces.is_empty()
    }
}
