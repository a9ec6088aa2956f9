//! The short way of plain object requests over HTTP/1.1: recognised, carried out and answered here.
//!
//! What is not plain is not touched: the connection goes to hyper with every byte from that request on, and stays
//! there. So nothing is decided here about errors of the protocol, upgrades, chunks, closing or refusals: `request`
//! says what is plain, and operations and answers are those of `objects`.
//!
//! Invariants: whenever the connection's task waits, nothing is held back; at most [`RECEIVED_BYTES`] of requests and
//! [`GATHERED_BYTES`] of answers are kept, none of either by a connection that waits for its next request, and beside
//! them one value on its way out and one, with its share of the memory for bodies, on its way in.

mod reply;
mod request;
mod spare;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut as _, Bytes};
use http::Method;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::io::poll_read_buf;

use super::objects;
use super::service::Exchange;
use super::watched::Watched;
use crate::store::COPIED_BYTES;
use reply::Replies;
use request::{Limits, Recognised, recognise};
use spare::Buffers;

/// What may lie here unanswered: one request with a small body, or some tens of pipelined ones.
const RECEIVED_BYTES: usize = 8 << 10;

/// Answers are sent once there is so much of them.
const GATHERED_BYTES: usize = 32 << 10;

/// Values from this size on are sent from where they are: copying them would cost more than it saves.
const DIRECT_BYTES: usize = 16 << 10;

/// After so much of a large body or value other connections have their turn. With a quarter of it each byte costs twice as
/// much: while others move theirs, what has come is gone from the processor's cache.
const TURN_BYTES: usize = 512 << 10;

/// How long a body may take, and again for each [`BYTES_PER_PATIENCE`] of it. hyper takes over from clients that need
/// longer, and gives them all of `limits.body_timeout`.
const BODY_PATIENCE: Duration = Duration::from_millis(100);
const BYTES_PER_PATIENCE: usize = 64 << 10;

/// A connection whose requests have all been plain so far.
#[derive(Debug)]
pub(super) struct Express<S> {
    stream: Watched<S>,
    exchange: Arc<Exchange>,
    limits: Limits,
    received: Vec<u8>,
    replies: Replies,
}

/// Where a connection goes from here.
pub(super) enum Onward<S> {
    /// The client has closed it.
    Closed(Watched<S>),
    /// The next request is not plain, or there should be none: what is unread is read again.
    Hyper(Watched<S>),
}

/// What is missing once all that can be answered is answered.
enum Missing {
    Head,
    Body { request_bytes: usize },
    LargeBody { head_bytes: usize, body_bytes: usize },
    Hyper,
}

#[derive(PartialEq, Eq)]
enum Received {
    Some,
    End,
    Nothing,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Express<S> {
    pub(super) fn new(stream: Watched<S>, exchange: Arc<Exchange>) -> Self {
        let app = &exchange.app;
        let limits = Limits {
            head_bytes: app.limits.max_header_bytes.min(RECEIVED_BYTES - COPIED_BYTES),
            body_bytes: app.max_object_bytes,
        };
        Self { stream, exchange, limits, received: Vec::new(), replies: Replies::default() }
    }

    /// Serves while all is plain; with `is_leaving` set, only to the end of what has come.
    pub(super) async fn serve(mut self, is_leaving: &AtomicBool) -> io::Result<Onward<S>> {
        loop {
            let received = match self.answer_all().await? {
                Missing::Hyper => Received::Nothing,
                Missing::Head => self.receive(is_leaving).await?,
                Missing::Body { request_bytes } => {
                    // A request is being worked on: the time for a head does not run.
                    let exchange = Arc::clone(&self.exchange);
                    let _in_service = exchange.activity.request_begins();
                    let receiving = self.receive_up_to(request_bytes, is_leaving);
                    timeout(BODY_PATIENCE, receiving).await.unwrap_or(Ok(Received::Nothing))?
                }
                Missing::LargeBody { head_bytes, body_bytes } => {
                    self.answer_large(head_bytes, body_bytes).await?
                }
            };
            match received {
                Received::Some => {}
                Received::End if self.received.is_empty() => return Ok(Onward::Closed(self.stream)),
                Received::End | Received::Nothing => {
                    self.stream.read_again(self.received);
                    return Ok(Onward::Hyper(self.stream));
                }
            }
        }
    }

    /// Answers every plain request that is here whole, and sends the answers.
    async fn answer_all(&mut self) -> io::Result<Missing> {
        let Self { stream, exchange, limits, received, replies } = self;
        replies.date(exchange.app.clock.wall());
        let (mut begin, mut may_serve) = (0, exchange.serves_unseen());
        let missing = loop {
            let unread = received.get(begin..).unwrap_or_default();
            if unread.is_empty() {
                break Missing::Head;
            }
            if !may_serve {
                break Missing::Hyper;
            }
            let recognised = recognise(unread, *limits);
            let plain = match &recognised {
                Recognised::Plain(plain) => plain,
                Recognised::Partial if unread.len() < limits.head_bytes => break Missing::Head,
                Recognised::Partial | Recognised::Other => break Missing::Hyper,
            };
            if plain.body_bytes > COPIED_BYTES {
                let (head_bytes, body_bytes) = (plain.head_bytes, plain.body_bytes);
                break Missing::LargeBody { head_bytes, body_bytes };
            }
            let request_bytes = plain.head_bytes + plain.body_bytes;
            let Some(body) = unread.get(plain.head_bytes..request_bytes) else {
                break Missing::Body { request_bytes };
            };
            let (app, asked) = (&*exchange.app, plain.asked());
            let result = match objects::sound(&asked) {
                Err(problem) => Err(problem),
                Ok(mut sound) => {
                    sound.take_body(|| Bytes::copy_from_slice(body));
                    Ok(match sound.carry_out_at_once(app) {
                        Some(answer) => answer,
                        None => {
                            let _in_service = exchange.activity.request_begins();
                            send(stream, replies, &[]).await?;
                            let answer = sound.carry_out_in_time(app).await;
                            // Time has passed.
                            may_serve = exchange.serves_unseen();
                            answer
                        }
                    })
                }
            };
            let value = replies.add(app, &asked, result)?;
            if value.len() >= DIRECT_BYTES {
                send(stream, replies, &value).await?;
            } else {
                replies.extend(&value);
                if replies.unsent().len() >= GATHERED_BYTES {
                    send(stream, replies, &[]).await?;
                }
            }
            begin += request_bytes;
        };
        received.drain(..begin);
        exchange.activity.answered(received.is_empty());
        send(stream, replies, &[]).await?;
        Ok(missing)
    }

    /// Receives a body straight into its own memory, and answers its request, whose head is what was received first.
    async fn answer_large(&mut self, head_bytes: usize, body_bytes: usize) -> io::Result<Received> {
        let exchange = Arc::clone(&self.exchange);
        let _in_service = exchange.activity.request_begins();
        // Who must wait for memory waits the long way.
        let Some(share) = exchange.app.allowance().take_now(body_bytes) else { return Ok(Received::Nothing) };
        let mut body = Vec::with_capacity(body_bytes);
        let here = self.received.len().min(head_bytes + body_bytes);
        body.extend_from_slice(self.received.get(head_bytes..here).unwrap_or_default());
        self.received.drain(head_bytes..here);
        let periods = u32::try_from(1 + body_bytes / BYTES_PER_PATIENCE).unwrap_or(u32::MAX);
        let receiving = async {
            let mut turn = Turn::default();
            while body.len() < body_bytes {
                let missing = body_bytes - body.len();
                let mut rest = (&mut body).limit(missing.min(turn.left()));
                match poll_fn(|cx| poll_read_buf(Pin::new(&mut self.stream), cx, &mut rest)).await? {
                    0 => break,
                    count => turn.moved(count).await,
                }
            }
            Ok::<_, io::Error>(())
        };
        if let Ok(received) = timeout(BODY_PATIENCE.saturating_mul(periods), receiving).await {
            received?;
        }
        if body.len() < body_bytes {
            self.received.extend(body);
            exchange.keep(share);
            return Ok(Received::Nothing);
        }
        let head = self.received.get(..head_bytes).unwrap_or_default();
        let Recognised::Plain(plain) = recognise(head, self.limits) else { return Ok(Received::Nothing) };
        let (app, asked) = (&*exchange.app, plain.asked());
        let result = match objects::sound(&asked) {
            Ok(mut sound) => {
                sound.take_body(|| body.into());
                Ok(sound.carry_out(app).await)
            }
            Err(problem) => Err(problem),
        };
        drop(share);
        let value = self.replies.add(app, &asked, result)?;
        send(&mut self.stream, &mut self.replies, &value).await?;
        self.received.drain(..head_bytes);
        exchange.activity.answered(self.received.is_empty());
        Ok(Received::Some)
    }

    async fn receive_up_to(&mut self, bytes: usize, is_leaving: &AtomicBool) -> io::Result<Received> {
        while self.received.len() < bytes {
            let received = self.receive(is_leaving).await?;
            if received != Received::Some {
                return Ok(received);
            }
        }
        Ok(Received::Some)
    }

    async fn receive(&mut self, is_leaving: &AtomicBool) -> io::Result<Received> {
        poll_fn(|cx| {
            if self.received.capacity() == 0 {
                self.wake_up();
            }
            let polled = poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.received);
            match polled {
                Poll::Pending if is_leaving.load(Relaxed) => Poll::Ready(Ok(Received::Nothing)),
                Poll::Pending => {
                    if self.received.is_empty() {
                        self.rest();
                    }
                    Poll::Pending
                }
                Poll::Ready(read) => Poll::Ready(read.map(|read| match read {
                    0 => Received::End,
                    _ => Received::Some,
                })),
            }
        })
        .await
    }
}

impl<S> Express<S> {
    fn wake_up(&mut self) {
        let Buffers { requests, answers } = spare::take();
        self.received = requests;
        self.received.reserve(RECEIVED_BYTES);
        self.replies.use_memory(answers);
    }

    /// Nothing is unanswered and nothing unsent: other connections may have the memory.
    fn rest(&mut self) {
        let requests = std::mem::take(&mut self.received);
        spare::give_back(Buffers { requests, answers: self.replies.take_memory() });
    }
}

/// A request that is served the short way, for whoever looks for bytes that would be read differently the long way.
#[derive(Debug)]
pub struct PlainRequest<'a> {
    /// What is asked.
    pub method: Method,
    /// Of which object, percent-encoded.
    pub raw_key: &'a str,
    /// What was sent along.
    pub body: &'a [u8],
    /// Where the next request begins.
    pub end: usize,
}

/// The plain request that `bytes` begin with, if they do and it is whole.
#[must_use]
pub fn plain_request(bytes: &[u8]) -> Option<PlainRequest<'_>> {
    let limits = Limits { head_bytes: RECEIVED_BYTES - COPIED_BYTES, body_bytes: COPIED_BYTES };
    let Recognised::Plain(plain) = recognise(bytes, limits) else { return None };
    let end = plain.head_bytes + plain.body_bytes;
    let body = bytes.get(plain.head_bytes..end)?;
    Some(PlainRequest { method: plain.method, raw_key: plain.raw_key, body, end })
}

/// How much of a large body or value was moved since others had their turn.
#[derive(Debug, Default)]
struct Turn {
    bytes: usize,
}

impl Turn {
    const fn left(&self) -> usize {
        TURN_BYTES - self.bytes
    }

    /// At most what was [`left`](Self::left).
    async fn moved(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= TURN_BYTES {
            self.bytes = 0;
            yield_now().await;
        }
    }
}

/// Sends the answers that are gathered, and `value` behind them.
async fn send<S>(stream: &mut Watched<S>, replies: &mut Replies, mut value: &[u8]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if replies.unsent().is_empty() && value.is_empty() {
        return Ok(());
    }
    let mut turn = Turn::default();
    while !(replies.unsent().is_empty() && value.is_empty()) {
        let head = replies.unsent();
        let mut stream = Pin::new(&mut *stream);
        let count = poll_fn(|cx| match value.get(..turn.left()).unwrap_or(value) {
            [] => stream.as_mut().poll_write(cx, head),
            value => stream.as_mut().poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(value)]),
        })
        .await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let of_head = count.min(head.len());
        replies.sent(of_head);
        value = value.get(count - of_head..).unwrap_or_default();
        if !value.is_empty() {
            turn.moved(count - of_head).await;
        }
    }
    // TLS may hold back what it was given.
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn others_have_their_turns_while_a_large_value_is_sent() {
        const TURNS: usize = 8;
        let (mut client, server) = tokio::io::duplex(2 * TURNS * TURN_BYTES);
        tokio::io::AsyncWriteExt::write_all(&mut client, b"GET").await.unwrap();
        let (_, mut stream) = Watched::open(server, Arc::default()).await.unwrap();
        let turns = Arc::new(AtomicUsize::new(0));
        let others = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                others.fetch_add(1, Relaxed);
                yield_now().await;
            }
        });
        let value = vec![b'x'; TURNS * TURN_BYTES];
        send(&mut stream, &mut Replies::default(), &value).await.unwrap();
        assert!((TURNS - 1..=TURNS + 1).contains(&turns.load(Relaxed)), "{turns:?} turns");
        other.abort();
        drop(stream);
        let mut received = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut client, &mut received).await.unwrap();
        assert_eq!(received, value);
    }
}
