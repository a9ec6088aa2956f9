//! The asking end of a stream: sends requests, and gives each answer to who waits for it.
//!
//! Invariant: whatever ends a stream ends every request on it at once, and a request that nobody waits for any
//! more leaves nothing behind.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hashbrown::HashMap;
use parking_lot::Mutex;
use ringhold_ring::{Key, MemberAddress};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::body::{Assembly, Progress};
use super::channel::Channel;
use super::frame::{self, Frame, Kind, Violation};
use super::handshake::{self, Agreed, CloseCode, HandshakeError};
use super::hello::{Hello, MAX_REQUESTS};
use super::macs::{FrameReader, FrameWriter};
use super::message::{self, Body};
use super::network::{Ask, Passage, Told};
use super::outbox::{Fate, Outbox, Ticket};
use super::reply::{self, Reply};
use super::{Identity, ask, heartbeat};
use crate::object::Operation;

/// Room in a read buffer before each read.
pub(super) const READ_BYTES: usize = 64 << 10;

/// How long the last words of a side may take to be written.
pub(super) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// An open stream to a member.
#[derive(Debug)]
pub(super) struct Connection {
    identity: Arc<Identity>,
    remote: Hello,
    outbox: Outbox,
    inbox: Mutex<Inbox>,
    next_id: AtomicU64,
    /// Operations in progress.
    operations: Semaphore,
    /// Everything else in progress, but heartbeats: operations that wait for copies must not keep copies waiting.
    asks: Semaphore,
    /// Whether new requests may be put on it.
    open: AtomicBool,
    cause: Mutex<Option<Arc<str>>>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Inbox {
    pending: HashMap<u64, Pending, foldhash::fast::RandomState>,
    /// Bytes of values being put together.
    assembling: usize,
    /// Nobody new is let in.
    closed: bool,
}

#[derive(Debug)]
struct Pending {
    waiter: oneshot::Sender<Reply>,
    partial: Option<(Reply, Assembly)>,
}

/// Why a request brought nothing back.
#[derive(Debug)]
pub(super) struct Lost {
    /// Whether it may have been executed.
    pub(super) fate: Fate,
    /// Of what.
    pub(super) cause: Arc<str>,
}

/// Whether a request that is being dropped may have been executed; read when its caller's time is over.
#[derive(Debug, Default)]
pub(super) struct Trace(AtomicBool);

impl Trace {
    pub(super) fn set(&self, fate: Fate) {
        self.0.store(fate == Fate::Sent, Ordering::Release);
    }

    pub(super) fn fate(&self) -> Fate {
        if self.0.load(Ordering::Acquire) { Fate::Sent } else { Fate::Unsent }
    }
}

impl Connection {
    /// Shakes hands with the member behind `stream`, and starts the task that reads and writes it.
    pub(super) async fn start<S>(
        mut stream: S,
        mut buffer: BytesMut,
        identity: Arc<Identity>,
        member: &MemberAddress,
        channel: &Channel,
    ) -> Result<Arc<Self>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Agreed { remote, macs } =
            handshake::ask(&mut stream, &mut buffer, &identity, member, channel).await?;
        let (sealer, opener) = macs.unzip();
        // A side that takes one request at a time may let the second of the two wait.
        let half = (remote.max_requests.min(MAX_REQUESTS) as usize).div_ceil(2);
        let connection = Arc::new(Self {
            outbox: Outbox::new(remote.assembly_bytes, FrameWriter::new(sealer)),
            inbox: Mutex::default(),
            next_id: AtomicU64::new(1),
            operations: Semaphore::new(half),
            asks: Semaphore::new(half),
            open: AtomicBool::new(true),
            cause: Mutex::default(),
            stop: CancellationToken::new(),
            identity,
            remote,
        });
        tokio::spawn(Arc::clone(&connection).run(stream, buffer, FrameReader::new(opener)));
        Ok(connection)
    }

    /// Whether it takes new requests.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Requests that are waited for.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.inbox.lock().pending.len()
    }

    /// The largest value the member stores.
    pub(super) const fn max_object_bytes(&self) -> usize {
        self.remote.max_object_bytes
    }

    /// Ends the stream; every request on it fails now.
    pub(super) fn close(&self, cause: &str) {
        // First, so that whoever fails now knows what has left.
        self.outbox.close();
        self.abandon(cause);
        self.stop.cancel();
    }

    /// Fails every request, and lets nobody new in.
    fn abandon(&self, cause: &str) {
        self.open.store(false, Ordering::Release);
        self.cause.lock().get_or_insert_with(|| cause.into());
        let abandoned = {
            let mut inbox = self.inbox.lock();
            inbox.closed = true;
            inbox.assembling = 0;
            std::mem::take(&mut inbox.pending)
        };
        self.operations.close();
        self.asks.close();
        drop(abandoned);
    }

    /// Sends an operation and waits for its reply.
    pub(super) async fn execute(
        &self,
        key: &Key<'_>,
        operation: &Operation,
        passage: &Passage,
        time_left: Duration,
        trace: &Trace,
    ) -> Result<Reply, Lost> {
        let _slot = self.operations.acquire().await.map_err(|_| self.unsent())?;
        self.outbox.room().await;
        let value = message::value_of(operation).map(|(value, _)| value);
        let reply = self.exchange(trace, |id| {
            self.outbox.put(Kind::Request, id, |payload| {
                message::encode_request(payload, key, operation, *passage, time_left);
                value.filter(|value| value.len() > frame::INLINE_BYTES).cloned()
            })
        });
        reply.await
    }

    /// Asks something else and waits for the reply. A heartbeat waits for nothing that was asked before it.
    pub(super) async fn ask(&self, ask: &Ask, time_left: Duration, trace: &Trace) -> Result<Reply, Lost> {
        let kind = ask::kind(ask);
        let _slot = match kind {
            Kind::Probe => None,
            _ => Some(self.asks.acquire().await.map_err(|_| self.unsent())?),
        };
        if kind != Kind::Probe {
            self.outbox.room().await;
        }
        let now = self.identity.clock().now();
        let put = |id| self.outbox.put(kind, id, |payload| ask::encode(payload, ask, time_left, now));
        self.exchange(trace, put).await
    }

    async fn exchange(
        &self,
        trace: &Trace,
        put: impl FnOnce(u64) -> Result<Ticket, super::outbox::Closed>,
    ) -> Result<Reply, Lost> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (waiter, answer) = oneshot::channel();
        {
            let mut inbox = self.inbox.lock();
            if inbox.closed {
                return Err(self.unsent());
            }
            inbox.pending.insert(id, Pending { waiter, partial: None });
        }
        let Ok(ticket) = put(id) else {
            self.forget(id);
            return Err(self.unsent());
        };
        let mut in_flight = InFlight { connection: self, ticket, id, trace, answered: false };
        match answer.await {
            Ok(reply) => {
                in_flight.answered = true;
                Ok(reply)
            }
            Err(_) => {
                drop(in_flight);
                Err(Lost { fate: trace.fate(), cause: self.cause() })
            }
        }
    }

    fn unsent(&self) -> Lost {
        Lost { fate: Fate::Unsent, cause: self.cause() }
    }

    fn cause(&self) -> Arc<str> {
        self.cause.lock().clone().unwrap_or_else(|| "it takes no new requests on this stream".into())
    }

    fn forget(&self, id: u64) {
        let mut inbox = self.inbox.lock();
        inbox.remove(id);
        if inbox.pending.is_empty() && !self.is_open() {
            drop(inbox);
            self.outbox.nudge();
        }
    }

    async fn run<S>(self: Arc<Self>, stream: S, buffer: BytesMut, frames: FrameReader)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let cause = self.read_and_write(stream, buffer, frames).await;
        self.close(&cause);
    }

    /// Until the stream ends; why it did.
    async fn read_and_write<S>(&self, stream: S, mut buffer: BytesMut, frames: FrameReader) -> String
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let reading = async {
            let result = self.read_from(&mut reader, &mut buffer, frames).await;
            let is_violation = match &result {
                Err(ReadError::Violation(violation)) => {
                    let (code, reason) = (CloseCode::from(violation), violation.to_string());
                    self.outbox.finish_with(|last| handshake::put_close(last, code, &reason));
                    true
                }
                _ => false,
            };
            let cause = result.map_or_else(|error| error.to_string(), |()| "it closed the stream".to_owned());
            (cause, is_violation)
        };
        let writing = self.outbox.write_to(&mut writer);
        tokio::pin!(reading, writing);
        let drained = self.outbox.wait_until(|| self.is_drained());
        tokio::select! {
            biased;
            () = self.stop.cancelled() => "the stream was closed".to_owned(),
            (cause, farewell) = &mut reading => {
                if farewell {
                    self.abandon(&cause);
                    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, &mut writing).await;
                }
                cause
            }
            result = &mut writing => match result {
                Ok(()) => "this side ended the stream".to_owned(),
                Err(error) => format!("writing to it failed: {error}"),
            },
            () = drained => {
                self.outbox.finish();
                // A request may have slipped in before that; its answer still comes.
                let ended = tokio::time::timeout(FAREWELL_TIMEOUT, &mut writing).await;
                if ended.is_ok_and(|result| result.is_ok()) {
                    tokio::select! {
                        _ = &mut reading => {}
                        () = self.outbox.wait_until(|| self.is_drained()) => {}
                    }
                }
                "it is about to stop".to_owned()
            }
        }
    }

    /// After a `GOAWAY`: whether the last answer is there.
    fn is_drained(&self) -> bool {
        !self.is_open() && self.inbox.lock().pending.is_empty()
    }

    async fn read_from<R: AsyncRead + Unpin>(
        &self,
        reader: &mut R,
        buffer: &mut BytesMut,
        mut frames: FrameReader,
    ) -> Result<(), ReadError> {
        loop {
            while let Some((frame, length)) = frames.first(buffer)? {
                self.take(frame)?;
                buffer.advance(length);
            }
            buffer.reserve(READ_BYTES);
            if reader.read_buf(buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    fn take(&self, frame: Frame<'_>) -> Result<(), ReadError> {
        match frame.kind {
            Kind::Answer => Ok(self.take_answer(frame.id, frame.payload)?),
            Kind::Body => Ok(self.take_piece(frame.id, frame.payload)?),
            Kind::ProbeAnswer => {
                let heartbeat = heartbeat::decode(frame.payload)?;
                self.check_asked(frame.id)?;
                self.hand_over(frame.id, Reply::Told(Told::Heartbeat(heartbeat)));
                Ok(())
            }
            Kind::Credit => {
                let mut fields = frame::Fields::new(frame.payload, "CREDIT");
                let bytes = fields.u32()?;
                fields.end()?;
                self.outbox.grant(frame.id, bytes);
                Ok(())
            }
            Kind::GoAway => {
                self.open.store(false, Ordering::Release);
                self.outbox.nudge();
                Ok(())
            }
            Kind::Close => Err(ReadError::Refused(handshake::close_reason(frame.payload))),
            Kind::Void => Ok(()),
            Kind::Hello | Kind::Proof | Kind::Request | Kind::Cancel | Kind::Probe | Kind::Ask => {
                Err(Violation::Unexpected("frame from the answering side").into())
            }
        }
    }

    fn take_answer(&self, id: u64, payload: &[u8]) -> Result<(), Violation> {
        let limit = self.identity.assembly_bytes();
        let (reply, body) = reply::decode(payload, limit, self.identity.clock().now())?;
        self.check_asked(id)?;
        let Body::Follows(length) = body else {
            self.hand_over(id, reply);
            return Ok(());
        };
        let mut inbox = self.inbox.lock();
        let inbox = &mut *inbox;
        // Who has withdrawn a request is not there any more; its answer may still have been under way.
        let Some(pending) = inbox.pending.get_mut(&id) else { return Ok(()) };
        if pending.partial.is_some() {
            return Err(Violation::Unexpected("second ANSWER"));
        }
        if inbox.assembling + length > limit {
            return Err(Violation::OverLimit("values under way"));
        }
        inbox.assembling += length;
        pending.partial = Some((reply, Assembly::new(length)));
        Ok(())
    }

    fn take_piece(&self, id: u64, piece: &[u8]) -> Result<(), Violation> {
        self.check_asked(id)?;
        let mut inbox = self.inbox.lock();
        let Some(pending) = inbox.pending.get_mut(&id) else { return Ok(()) };
        let Some((_, assembly)) = &mut pending.partial else {
            return Err(Violation::Unexpected("BODY without an announced value"));
        };
        match assembly.add(piece)? {
            Progress::Waiting => {}
            Progress::Grant(bytes) => {
                drop(inbox);
                put_credit(&self.outbox, id, bytes);
            }
            Progress::Complete => {
                let complete = inbox.remove(id);
                drop(inbox);
                if let Some(Pending { waiter, partial: Some((reply, assembly)) }) = complete {
                    let _ = waiter.send(reply::with_value(reply, assembly.into_bytes())?);
                }
                self.outbox.nudge();
            }
        }
        Ok(())
    }

    fn check_asked(&self, id: u64) -> Result<(), Violation> {
        if id == 0 || id >= self.next_id.load(Ordering::Relaxed) {
            return Err(Violation::Unexpected("answer to a request that was never sent"));
        }
        Ok(())
    }

    fn hand_over(&self, id: u64, reply: Reply) {
        let pending = self.inbox.lock().remove(id);
        if let Some(pending) = pending {
            // It may just have stopped waiting.
            let _ = pending.waiter.send(reply);
        }
        if !self.is_open() {
            self.outbox.nudge();
        }
    }
}

impl Inbox {
    fn remove(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        if let Some((_, assembly)) = &pending.partial {
            self.assembling = self.assembling.saturating_sub(assembly.length());
        }
        Some(pending)
    }
}

/// Grants more of the value of `id`.
pub(super) fn put_credit(outbox: &Outbox, id: u64, bytes: u32) {
    // A closed outbox has no use for it.
    let _ = outbox.put(Kind::Credit, id, |payload| {
        payload.extend_from_slice(&bytes.to_be_bytes());
        None
    });
}

/// A request that is waited for. Dropped without an answer, it is withdrawn.
struct InFlight<'a> {
    connection: &'a Connection,
    ticket: Ticket,
    id: u64,
    trace: &'a Trace,
    answered: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.connection.forget(self.id);
            let fate = self.connection.outbox.withdraw(self.ticket);
            self.trace.set(fate);
        }
    }
}

/// Why reading a stream ended.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("reading from it failed: {0}")]
    Io(#[from] io::Error),
    #[error("it does not keep to the protocol: {0}")]
    Violation(#[from] Violation),
    #[error("it closed the stream: {0}")]
    Refused(String),
}
