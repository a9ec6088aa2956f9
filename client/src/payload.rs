//! What a request carries: nothing, bytes, or a stream that is read once, as fast as the node takes it.
//!
//! Invariant: a stream is sent to a second node only if not one byte of it was taken for the first.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use tokio::io::AsyncRead;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

/// How much of a reader is read at once, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

type Chunks = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// A value to store: bytes in memory, or a stream of them.
///
/// A value in memory can be sent again when a node fails; a stream cannot once it has been read from.
#[derive(Debug)]
pub struct Value(pub(crate) Payload);

impl Value {
    /// Everything that `reader` yields. Its `length`, if it is known, spares the node a chunked body; then no more
    /// than that is read, and a reader that yields less fails the PUT.
    #[must_use]
    pub fn reader(reader: impl AsyncRead + Send + 'static, length: Option<u64>) -> Self {
        Self::stream(ReaderStream::with_capacity(reader, CHUNK_BYTES), length)
    }

    /// Everything that `stream` yields; `length` as with [`Value::reader`].
    #[must_use]
    pub fn stream(
        stream: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
        length: Option<u64>,
    ) -> Self {
        Self(Payload::Stream(Source::new(Box::pin(stream), length)))
    }
}

impl<T: Into<Bytes>> From<T> for Value {
    fn from(bytes: T) -> Self {
        Self(Payload::Whole(bytes.into()))
    }
}

#[derive(Debug)]
pub(crate) enum Payload {
    Empty,
    Whole(Bytes),
    Stream(Source),
}

impl Payload {
    /// Whether it can be sent from its beginning now.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Empty | Self::Whole(_) => true,
            Self::Stream(source) => !source.lock().started,
        }
    }

    /// A body that sends it.
    pub(crate) fn to_body(&self) -> reqwest::Body {
        match self {
            Self::Empty => reqwest::Body::default(),
            Self::Whole(bytes) => bytes.clone().into(),
            Self::Stream(source) => reqwest::Body::wrap(SourceBody(source.clone())),
        }
    }

    /// Why the stream could not be read, if that is what ended the request; asking takes it.
    pub(crate) fn take_failure(&self) -> Option<std::io::Error> {
        match self {
            Self::Stream(source) => source.lock().failure.take(),
            Self::Empty | Self::Whole(_) => None,
        }
    }

    /// Since when the node owes something: it takes no body bytes, or does not answer. `None` while it is the
    /// caller's own stream that has nothing to give.
    pub(crate) fn waiting_since(&self, start: Instant) -> Option<Instant> {
        match self {
            Self::Stream(source) => {
                let state = source.lock();
                (!state.awaits_source).then(|| state.last_taken.map_or(start, |taken| taken.max(start)))
            }
            Self::Empty | Self::Whole(_) => Some(start),
        }
    }
}

/// A stream that outlives the request it is sent with, so that another can take it over untouched.
#[derive(Clone)]
pub(crate) struct Source(Arc<Mutex<State>>);

struct State {
    chunks: Chunks,
    remaining: Option<u64>,
    started: bool,
    ended: bool,
    awaits_source: bool,
    last_taken: Option<Instant>,
    failure: Option<std::io::Error>,
}

impl Source {
    fn new(chunks: Chunks, length: Option<u64>) -> Self {
        Self(Arc::new(Mutex::new(State {
            chunks,
            remaining: length,
            started: false,
            ended: length == Some(0),
            awaits_source: false,
            last_taken: None,
            failure: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("Source")
            .field("remaining", &state.remaining)
            .field("started", &state.started)
            .finish()
    }
}

impl State {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.awaits_source = true;
        let polled = self.chunks.as_mut().poll_next(context);
        let Poll::Ready(chunk) = polled else { return Poll::Pending };
        self.awaits_source = false;
        self.started = true;
        self.last_taken = Some(Instant::now());
        let checked = self.check(chunk);
        self.ended = !matches!(checked, Some(Ok(_))) || self.remaining == Some(0);
        Poll::Ready(checked)
    }

    /// Holds the stream to the length that was announced for it.
    fn check(&mut self, chunk: Option<std::io::Result<Bytes>>) -> Option<std::io::Result<Bytes>> {
        let result = match (chunk, &mut self.remaining) {
            (Some(Ok(mut chunk)), Some(remaining)) => {
                chunk.truncate(usize::try_from(*remaining).unwrap_or(usize::MAX));
                *remaining -= chunk.len() as u64;
                Ok(chunk)
            }
            (None, Some(missing @ 1..)) => {
                let why = format!("it ended {missing} bytes before the length that was announced");
                Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, why))
            }
            (None, _) => return None,
            (Some(result), _) => result,
        };
        Some(result.map_err(|error| {
            let copy = std::io::Error::new(error.kind(), error.to_string());
            self.failure = Some(error);
            copy
        }))
    }
}

struct SourceBody(Source);

impl http_body::Body for SourceBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.lock().poll_chunk(context).map(|chunk| chunk.map(|result| result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().ended
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
