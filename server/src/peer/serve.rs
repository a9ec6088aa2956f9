//! The answering end of a stream: reads what is asked and has it carried out; `answers` sends what came of it.
//!
//! The answers of one read leave in one write. Invariant: what a stream may hold (requests in progress, values being
//! put together, bytes waiting to be written) is bounded, whoever asks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hashbrown::HashMap;
use ringhold_ring::{MemberAddress, Timestamp};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::answers::{Answers, Asked};
use super::ask::AskHead;
use super::body::{Assembly, Progress};
use super::channel::Channel;
use super::connection::{FAREWELL_TIMEOUT, READ_BYTES, put_credit};
use super::frame::{self, Frame, Kind, Violation};
use super::handshake::{self, Agreed, CloseCode, HandshakeError};
use super::macs::{FrameReader, FrameWriter};
use super::message::{self, Body, RequestHead};
use super::network::{Ask, Handler};
use super::outbox::Outbox;
use super::reply::Reply;
use super::{Identity, ask, heartbeat};
use crate::telemetry::Gate;

/// How long the other side may take for its part of the handshake.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// A stream on which nothing has come for so long is ended.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long the other side may take to end the stream after `GOAWAY`.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a heartbeat may take to be answered: no member waits longer for one.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(60);

static OTHER_RING: Gate = Gate::new();

/// Why a stream ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It never began.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The transport failed.
    #[error("the stream of member {member} broke: {error}")]
    Io {
        /// Whose stream.
        member: MemberAddress,
        /// How.
        error: io::Error,
    },
    /// The member does not keep to the protocol, and was told so.
    #[error("member {member} does not keep to the protocol: {violation}")]
    Violation {
        /// Whose stream.
        member: MemberAddress,
        /// What it did.
        violation: Violation,
    },
    /// The member ended the stream and said why.
    #[error("member {member} closed the stream: {reason}")]
    Refused {
        /// Whose stream.
        member: MemberAddress,
        /// Its words.
        reason: String,
    },
    /// It has proved to be a member's, and there are too many of those.
    #[error("the stream of member {member} was refused: there are too many members' streams")]
    TooMany {
        /// Whose stream.
        member: MemberAddress,
    },
    /// It was idle, or did not end the stream when it was asked to.
    #[error("the stream of member {member} was ended: nothing came from it for too long")]
    Idle {
        /// Whose stream.
        member: MemberAddress,
    },
}

impl ServeError {
    /// Whether the other side is just gone, as when its process was ended: nothing that anybody has to mend.
    #[must_use]
    pub fn is_end_of_stream(&self) -> bool {
        let gone = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        matches!(self, Self::Io { error, .. } if gone.contains(&error.kind()))
    }
}

/// Serves a stream that came in over `channel` until the member ends it. When `shutdown` is cancelled the member is
/// asked to end it, and what it has asked until then is still answered.
///
/// `admit` is called once the other side has proved to be a member; what it answers is kept as long as the stream is
/// served. None: there is no room for another.
///
/// # Errors
/// [`ServeError`] when it ends otherwise; worth a line in the log, nothing more. A stranger can cause as many as it
/// likes: log those of one address once in a while ([`crate::security::refusals`]).
pub async fn serve<S, H, Place>(
    mut stream: S,
    handler: Arc<H>,
    identity: Arc<Identity>,
    channel: Channel,
    admit: impl FnOnce() -> Option<Place>,
    shutdown: CancellationToken,
) -> Result<(), ServeError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
    H: Handler,
{
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let Agreed { remote, macs } = handshake::answer(&mut stream, &mut buffer, &identity, &channel).await?;
    if remote.ring_id != identity.ring_id() {
        let (member, theirs, ours) = (&remote.member, remote.ring_id, identity.ring_id());
        if let Some(more) = OTHER_RING.pass(identity.clock().now()) {
            tracing::warn!(%member, %theirs, %ours, more, "a member with another ring opened a stream");
        }
    }
    let member = remote.member.clone();
    let Some(_place) = admit() else { return Err(ServeError::TooMany { member }) };
    let (sealer, opener) = macs.unzip();
    let outbox = Outbox::new(remote.assembly_bytes, FrameWriter::new(sealer));
    let answers = Arc::new(Answers::new(handler, outbox, remote, identity));
    let serving = Serving { answers, heard: AtomicU64::new(0) };
    let (reader, writer) = tokio::io::split(stream);
    let result = serving.run(reader, writer, buffer, FrameReader::new(opener), &shutdown).await;
    serving.answers.outbox.close();
    result.map_err(|end| end.of(member))
}

struct Serving<H> {
    answers: Arc<Answers<H>>,
    /// Counts reads, for the idle limit.
    heard: AtomicU64,
}

/// Values of requests that are being put together.
#[derive(Default)]
struct Partial {
    requests: HashMap<u64, PartialRequest, foldhash::fast::RandomState>,
    assembling: usize,
}

struct PartialRequest {
    asked: Asked,
    assembly: Assembly,
    stale_at: Timestamp,
}

enum End {
    Io(io::Error),
    Violation(Violation),
    Refused(String),
    Idle,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Violation> for End {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl End {
    fn of(self, member: MemberAddress) -> ServeError {
        match self {
            Self::Io(error) => ServeError::Io { member, error },
            Self::Violation(violation) => ServeError::Violation { member, violation },
            Self::Refused(reason) => ServeError::Refused { member, reason },
            Self::Idle => ServeError::Idle { member },
        }
    }
}

impl<H: Handler> Serving<H> {
    async fn run<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        mut reader: R,
        mut writer: W,
        mut buffer: BytesMut,
        frames: FrameReader,
        shutdown: &CancellationToken,
    ) -> Result<(), End> {
        let outbox = &self.answers.outbox;
        let reading = async {
            let result = self.read_from(&mut reader, &mut buffer, frames).await;
            match &result {
                Err(End::Violation(violation)) => {
                    let (code, reason) = (CloseCode::from(violation), violation.to_string());
                    outbox.finish_with(|last| handshake::put_close(last, code, &reason));
                }
                _ => {
                    // The other side may have ended its half only; what it asked is still answered.
                    outbox.wait_until(|| self.answers.in_progress() == 0).await;
                    outbox.finish();
                }
            }
            result
        };
        let writing = outbox.write_to(&mut writer);
        tokio::pin!(writing);
        tokio::select! {
            biased;
            result = reading => {
                let farewell = tokio::time::timeout(FAREWELL_TIMEOUT, writing).await;
                match (result, farewell) {
                    (Ok(()), Ok(Err(error))) => Err(error.into()),
                    (result, _) => result,
                }
            }
            result = &mut writing => Ok(result?),
            end = self.see_out(shutdown) => Err(end),
        }
    }

    /// Asks the other side to end the stream, at shutdown or when it is idle; ends only if it does not. A side that
    /// no longer takes its answers counts as idle too: nothing is read from it then.
    async fn see_out(&self, shutdown: &CancellationToken) -> End {
        let mut heard = 0;
        while tokio::time::timeout(IDLE_TIMEOUT, shutdown.cancelled()).await.is_err() {
            let now = self.heard.load(Ordering::Relaxed);
            if now == heard {
                break;
            }
            heard = now;
        }
        let _ = self.answers.outbox.put(Kind::GoAway, 0, |_| None);
        tokio::time::sleep(DRAIN_TIMEOUT).await;
        End::Idle
    }

    async fn read_from<R: AsyncRead + Unpin>(
        &self,
        reader: &mut R,
        buffer: &mut BytesMut,
        mut frames: FrameReader,
    ) -> Result<(), End> {
        let mut partial = Partial::default();
        loop {
            while let Some((frame, length)) = frames.first(buffer)? {
                let kind = frame.kind;
                if !self.answers.has_room(kind) {
                    self.answers.outbox.wait_until(|| self.answers.has_room(kind)).await;
                }
                self.take(frame, &mut partial)?;
                buffer.advance(length);
            }
            buffer.reserve(READ_BYTES);
            if reader.read_buf(buffer).await? == 0 {
                return Ok(());
            }
            self.heard.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self, frame: Frame<'_>, partial: &mut Partial) -> Result<(), End> {
        let Frame { kind, id, payload } = frame;
        match kind {
            Kind::Request => self.take_request(id, payload, partial)?,
            Kind::Body => self.take_piece(id, payload, partial)?,
            Kind::Ask => self.take_ask(id, payload, partial)?,
            Kind::Probe => {
                let asked = Asked::Answer(Ask::Heartbeat(heartbeat::decode(payload)?));
                self.answers.begin(id, asked, HEARTBEAT_TIMEOUT);
            }
            Kind::Cancel => {
                partial.remove(id);
                self.answers.outbox.forget(id);
            }
            Kind::Credit => {
                let mut fields = frame::Fields::new(payload, "CREDIT");
                let bytes = fields.u32()?;
                fields.end()?;
                self.answers.outbox.grant(id, bytes);
            }
            Kind::Void => {}
            Kind::Close => return Err(End::Refused(handshake::close_reason(payload))),
            Kind::Hello | Kind::Proof | Kind::Answer | Kind::ProbeAnswer | Kind::GoAway => {
                return Err(Violation::Unexpected("frame from the asking side").into());
            }
        }
        Ok(())
    }

    fn take_request(&self, id: u64, payload: &[u8], partial: &mut Partial) -> Result<(), Violation> {
        let limit = self.answers.identity.max_object_bytes();
        let RequestHead { key, operation, body, time_left, passage } =
            message::decode_request(payload, limit)?;
        partial.check_is_new(id)?;
        let Answers { handler, remote, .. } = &*self.answers;
        // Neither a task nor a future.
        if matches!(body, Body::Here)
            && let Some(executed) = handler.execute_at_once(&remote.member, &key, &operation, &passage)
        {
            self.answers.send(id, executed.into());
            return Ok(());
        }
        let asked = Asked::Execute { key: key.into_owned(), operation, passage };
        self.take_asked(id, asked, body, time_left, partial)
    }

    fn take_ask(&self, id: u64, payload: &[u8], partial: &mut Partial) -> Result<(), Violation> {
        let identity = &self.answers.identity;
        let AskHead { ask, body, time_left } =
            ask::decode(payload, identity.max_object_bytes(), identity.clock().now())?;
        partial.check_is_new(id)?;
        self.take_asked(id, Asked::Answer(ask), body, time_left, partial)
    }

    fn take_asked(
        &self,
        id: u64,
        asked: Asked,
        body: Body,
        time_left: Duration,
        partial: &mut Partial,
    ) -> Result<(), Violation> {
        let Body::Follows(length) = body else {
            self.answers.begin(id, asked, time_left);
            return Ok(());
        };
        let identity = &self.answers.identity;
        if partial.assembling + length > identity.assembly_bytes() {
            return Err(Violation::OverLimit("values under way"));
        }
        partial.assembling += length;
        let stale_at = identity.clock().now() + time_left;
        partial.requests.insert(id, PartialRequest { asked, assembly: Assembly::new(length), stale_at });
        Ok(())
    }

    fn take_piece(&self, id: u64, piece: &[u8], partial: &mut Partial) -> Result<(), Violation> {
        let Some(waiting) = partial.requests.get_mut(&id) else {
            return Err(Violation::Unexpected("BODY without an announced value"));
        };
        match waiting.assembly.add(piece)? {
            Progress::Waiting => {}
            Progress::Grant(bytes) => put_credit(&self.answers.outbox, id, bytes),
            Progress::Complete => {
                let Some(PartialRequest { asked, assembly, stale_at }) = partial.remove(id) else {
                    return Ok(());
                };
                let now = self.answers.identity.clock().now();
                if stale_at <= now {
                    self.answers.send(id, Reply::Stale);
                    return Ok(());
                }
                let asked = asked.with_value(assembly.into_bytes())?;
                self.answers.begin(id, asked, stale_at.since(now));
            }
        }
        Ok(())
    }
}

impl Partial {
    fn check_is_new(&self, id: u64) -> Result<(), Violation> {
        match id == 0 || self.requests.contains_key(&id) {
            true => Err(Violation::Unexpected("request with the id of another")),
            false => Ok(()),
        }
    }

    fn remove(&mut self, id: u64) -> Option<PartialRequest> {
        let removed = self.requests.remove(&id)?;
        self.assembling -= removed.assembly.length();
        Some(removed)
    }
}
