//! Request bodies on their way in: read once, within limits of size, time and memory over all connections.
//!
//! Invariant: a body longer than [`COPIED_BYTES`] leaves here in an allocation of its own, so that no stored
//! value keeps a connection's read buffer alive. A body that nobody read is dropped in an orderly way: see
//! [`Upload`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Version, request};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::guard::Caller;
use super::problem::{Code, Problem};
use super::traffic::{Limit, Traffic};
use crate::security::token::{BodyDigest, SignedHead};
use crate::store::COPIED_BYTES;

/// How much of a refused body is read and dropped, so that the answer reaches a client that is still sending.
/// A client that goes on beyond it loses its connection.
const DISCARDED_BYTES: usize = 4 << 20;

/// A body may take one `limits.body_timeout` for each of these, and one more. Otherwise a client could hold
/// its share of the memory for as long as it cares to send a byte now and then.
const BYTES_PER_TIMEOUT: usize = 64 << 10;

/// The memory for request bodies, over all connections of a node.
#[derive(Debug)]
pub(super) struct Budget {
    kibibytes: Arc<Semaphore>,
    total: u32,
    traffic: Arc<Traffic>,
}

impl Budget {
    pub(super) fn new(bytes: usize, traffic: Arc<Traffic>) -> Self {
        let total = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).max(1);
        let permits = (total as usize).min(Semaphore::MAX_PERMITS);
        Self { kibibytes: Arc::new(Semaphore::new(permits)), total, traffic }
    }
}

/// What a body may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance<'a> {
    pub(super) max_bytes: usize,
    pub(super) pause: Duration,
    pub(super) budget: &'a Budget,
}

/// A part of the budget; it is given back when this is dropped.
pub(super) type Share = OwnedSemaphorePermit;

impl Allowance<'_> {
    async fn take(self, bytes: usize) -> Result<Share, BodyError> {
        let share = Arc::clone(&self.budget.kibibytes).acquire_many_owned(self.share(bytes));
        timeout(self.pause, share).await.ok().and_then(Result::ok).ok_or(BodyError::Overloaded)
    }

    /// What a body of so many bytes takes, if it can be had at once.
    pub(super) fn take_now(self, bytes: usize) -> Option<Share> {
        Arc::clone(&self.budget.kibibytes).try_acquire_many_owned(self.share(bytes)).ok()
    }

    /// In KiB. A body larger than the whole budget may still come, alone.
    fn share(self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(self.budget.total)
    }
}

/// A body that has arrived, with its share of the budget: hold it until the request is done.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Bytes,
    _share: Option<Share>,
}

/// Why a body did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    TooLarge { limit: usize },
    Broken,
    TimedOut,
    Overloaded,
    Forged,
}

impl BodyError {
    const fn limit(self) -> Option<Limit> {
        match self {
            Self::TooLarge { .. } => Some(Limit::ObjectBytes),
            Self::TimedOut => Some(Limit::BodyTime),
            Self::Overloaded => Some(Limit::BodyMemory),
            Self::Broken | Self::Forged => None,
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => {
                Self::because(Code::TooLarge, format_args!("at most {limit} bytes are stored under one key"))
            }
            BodyError::Broken => Code::BadBody.into(),
            BodyError::TimedOut => Code::BodyTimeout.into(),
            BodyError::Forged => Code::Unauthenticated.into(),
            BodyError::Overloaded => Self::from(Code::Overloaded)
                .with(http::header::RETRY_AFTER, http::HeaderValue::from_static("1")),
        }
    }
}

/// Where a body is.
#[derive(Debug)]
enum Source {
    /// There is none, or it has been read, or it is lost.
    Nowhere,
    /// It may still be on its way.
    Incoming(Incoming),
}

/// A request's body before it is read.
///
/// Dropped unread over HTTP/1, up to [`DISCARDED_BYTES`] of it are read in the background: closing a socket
/// with bytes unread would reset the connection, and the client might never see the answer.
#[derive(Debug)]
pub(super) struct Upload {
    source: Source,
    share: Option<Share>,
    signed: Option<Box<SignedHead>>,
    pause: Duration,
    is_http1: bool,
    waits_for_continue: bool,
    is_lost: bool,
    is_forged: bool,
}

impl Upload {
    /// The body of a request from `caller`; `share` is its share of the budget, if it has one already.
    pub(super) fn from(
        caller: Caller,
        incoming: Incoming,
        head: &request::Parts,
        pause: Duration,
        share: Option<Share>,
    ) -> Self {
        let signed = if let Caller::Signer(signed) = caller { Some(signed) } else { None };
        let is_there = !incoming.is_end_stream();
        let source = if is_there { Source::Incoming(incoming) } else { Source::Nowhere };
        let is_http1 = head.version <= Version::HTTP_11;
        let waits_for_continue = is_there && head.headers.contains_key(EXPECT);
        let (is_lost, is_forged) = (false, false);
        Self { source, share, signed, pause, is_http1, waits_for_continue, is_lost, is_forged }
    }

    /// Whether the answer must say that the connection ends with it: the body broke off, or was refused before
    /// the client was told to send it, so nobody can tell where the next request would begin.
    pub(super) const fn ends_connection(&self) -> bool {
        self.is_http1
            && (self.is_lost || self.waits_for_continue && matches!(self.source, Source::Incoming(_)))
    }

    /// Whether the body was not the one that a member signed.
    pub(super) const fn is_forged(&self) -> bool {
        self.is_forged
    }

    /// The whole body. What a refusal leaves unread is dropped with `self`.
    pub(super) async fn receive(&mut self, allowance: Allowance<'_>) -> Result<Received, BodyError> {
        let received = match self.source {
            Source::Nowhere => Ok(Received { bytes: Bytes::new(), _share: self.share.take() }),
            // Boxed, so that whoever waits for less stays small.
            Source::Incoming(_) => Box::pin(self.receive_unchecked(allowance)).await,
        };
        if let Some(limit) = received.as_ref().err().and_then(|error| error.limit()) {
            allowance.budget.traffic.limits.of(limit).raise();
        }
        let received = received?;
        if let Some(signed) = self.signed.take() {
            self.is_forged = signed.accept_body(BodyDigest::of(&received.bytes)).is_err();
        }
        if self.is_forged { Err(BodyError::Forged) } else { Ok(received) }
    }

    async fn receive_unchecked(&mut self, allowance: Allowance<'_>) -> Result<Received, BodyError> {
        let Source::Incoming(incoming) = &mut self.source else {
            return Ok(Received { bytes: Bytes::new(), _share: None });
        };
        let length = Length::of(incoming, allowance.max_bytes)?;
        let share = match (length, self.share.take()) {
            (Length::Known(bytes), None) if bytes > COPIED_BYTES => Some(allowance.take(bytes).await?),
            (_, share) => share,
        };
        self.waits_for_continue = false;
        let received = receive(incoming, length, share, allowance).await;
        self.is_lost = matches!(received, Err(BodyError::Broken | BodyError::TimedOut));
        if self.is_lost || received.is_ok() {
            self.source = Source::Nowhere;
        }
        received
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Source::Incoming(incoming) = std::mem::replace(&mut self.source, Source::Nowhere) else { return };
        if self.is_http1
            && !self.waits_for_continue
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(discard(incoming, self.pause));
        }
    }
}

async fn discard(mut incoming: Incoming, patience: Duration) {
    let mut left = DISCARDED_BYTES;
    let reading = async {
        while let Some(Ok(frame)) = incoming.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(bytes) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // Too slow is as good as too long: either way the connection ends when the body is dropped.
    let _ = timeout(patience, reading).await;
}

/// How long a body says it is.
#[derive(Clone, Copy)]
enum Length {
    Known(usize),
    AtMost(usize),
}

impl Length {
    fn of(incoming: &Incoming, limit: usize) -> Result<Self, BodyError> {
        let Some(length) = incoming.size_hint().exact() else {
            return Ok(Self::AtMost(limit));
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= limit);
        length.map(Self::Known).ok_or(BodyError::TooLarge { limit })
    }

    /// How long it may take to arrive, pauses or not.
    fn patience(self, pause: Duration) -> Duration {
        let (Self::Known(bytes) | Self::AtMost(bytes)) = self;
        let periods = u32::try_from(1 + bytes.div_ceil(BYTES_PER_TIMEOUT)).unwrap_or(u32::MAX);
        pause.saturating_mul(periods)
    }
}

async fn receive(
    incoming: &mut Incoming,
    length: Length,
    mut share: Option<Share>,
    allowance: Allowance<'_>,
) -> Result<Received, BodyError> {
    let Allowance { max_bytes, pause, .. } = allowance;
    let deadline = Instant::now() + length.patience(pause);
    let mut bytes = Vec::new();
    loop {
        let frame = timeout_at(deadline.min(Instant::now() + pause), incoming.frame()).await;
        let Some(frame) = frame.map_err(|_| BodyError::TimedOut)? else { break };
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        match length {
            // The store copies what is as small as this.
            Length::Known(all) if all == data.len() && all <= COPIED_BYTES => {
                return Ok(Received { bytes: data, _share: share });
            }
            Length::Known(all) if bytes.is_empty() => bytes.reserve_exact(all),
            _ => {}
        }
        if data.len() > max_bytes - bytes.len() {
            return Err(BodyError::TooLarge { limit: max_bytes });
        }
        bytes.extend_from_slice(&data);
        if share.is_none() && bytes.len() > COPIED_BYTES {
            share = Some(allowance.take(max_bytes).await?);
        }
    }
    // Only a body of unknown length has room left over.
    bytes.shrink_to_fit();
    Ok(Received { bytes: bytes.into(), _share: share })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt as _;
    use tokio::sync::mpsc;

    use super::super::answer::Body;
    use super::*;

    /// The body of `request` as a handler gets it, with how much of the budget is left meanwhile.
    async fn receive(request: Vec<u8>) -> (Bytes, usize) {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let (sender, mut bodies) = mpsc::unbounded_channel();
        let service = service_fn(move |request: Request<Incoming>| {
            let sender = sender.clone();
            async move {
                let budget = Budget::new(100 << 10, Arc::default());
                let pause = Duration::from_secs(10);
                let (head, incoming) = request.into_parts();
                let mut upload = Upload::from(Caller::Client, incoming, &head, pause, None);
                let allowance = Allowance { max_bytes: 64 << 10, pause, budget: &budget };
                let received = upload.receive(allowance).await.unwrap();
                sender.send((received.bytes.clone(), budget.kibibytes.available_permits())).unwrap();
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service));
        client.write_all(&request).await.unwrap();
        bodies.recv().await.unwrap()
    }

    fn announced(bytes: usize) -> Vec<u8> {
        let head = format!("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: {bytes}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; bytes]].concat()
    }

    fn chunked(bytes: usize) -> Vec<u8> {
        let head = "PUT / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body = format!("1\r\nx\r\n{:x}\r\n{}\r\n0\r\n\r\n", bytes - 1, "x".repeat(bytes - 1));
        [head.as_bytes(), body.as_bytes()].concat()
    }

    #[tokio::test]
    async fn a_large_body_owns_exactly_its_own_memory() {
        for request in [announced, chunked] {
            let (body, _) = receive(request(COPIED_BYTES + 1)).await;
            assert_eq!(body.len(), COPIED_BYTES + 1);
            let owned = body.try_into_mut().expect("nobody else holds on to it");
            assert_eq!(owned.capacity(), COPIED_BYTES + 1);
        }
    }

    #[tokio::test]
    async fn a_body_takes_its_length_of_the_budget_and_at_most_a_value_when_it_names_none() {
        assert_eq!(receive(announced(COPIED_BYTES)).await.1, 100);
        assert_eq!(receive(announced(10 << 10)).await.1, 90);
        assert_eq!(receive(chunked(COPIED_BYTES)).await.1, 100);
        assert_eq!(receive(chunked(10 << 10)).await.1, 36);
    }
}
