//! A client's connection under watch: what it opened with, and whether anything moves on it.
//!
//! HTTP's own parser has a timer for request heads, but it also runs while a kept-alive connection is idle, and
//! costs an allocation for each request. Here a connection keeps three marks, and one slow tick looks at them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::traffic::Traffic;

/// What a client sends first that speaks HTTP/2 with prior knowledge (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which protocol a connection opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// The marks of one connection. They are only ever compared with themselves, so no order is needed.
#[derive(Debug, Default)]
pub(super) struct Activity {
    moved: AtomicBool,
    in_head: AtomicBool,
    requests: AtomicUsize,
    in_service: AtomicUsize,
    traffic: Arc<Traffic>,
}

/// A request in service; no clock runs against the client's connection meanwhile.
#[derive(Debug)]
pub(super) struct InService<'a>(&'a Activity);

impl Activity {
    /// The marks of a new connection, whose bytes count in `traffic`.
    pub(super) fn of(traffic: &Arc<Traffic>) -> Arc<Self> {
        Arc::new(Self { traffic: Arc::clone(traffic), ..Self::default() })
    }

    pub(super) fn request_begins(&self) -> InService<'_> {
        self.requests.fetch_add(1, Relaxed);
        self.in_service.fetch_add(1, Relaxed);
        self.in_head.store(false, Relaxed);
        InService(self)
    }

    /// Requests were answered as they came, so that none was ever in service; `up_to_here` means that no other has
    /// begun.
    pub(super) fn answered(&self, up_to_here: bool) {
        self.requests.fetch_add(1, Relaxed);
        self.in_head.store(!up_to_here, Relaxed);
    }

    fn received(&self, bytes: usize) {
        self.traffic.received(bytes);
        self.moved.store(true, Relaxed);
        if self.in_service.load(Relaxed) == 0 {
            self.in_head.store(true, Relaxed);
        }
    }

    fn sent(&self, bytes: usize) {
        self.traffic.sent(bytes);
        self.moved.store(true, Relaxed);
    }
}

impl Drop for InService<'_> {
    fn drop(&mut self) {
        self.0.in_service.fetch_sub(1, Relaxed);
    }
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// A request head was begun and not finished.
    Head,
    /// Nothing moved, and nothing was being worked on.
    Idle,
}

/// Looks at an [`Activity`] at every tick.
#[derive(Debug)]
pub(super) struct Watch {
    protocol: Protocol,
    head: Option<(usize, u32)>,
    still: u32,
    max_head_ticks: u32,
    max_still_ticks: u32,
}

impl Watch {
    pub(super) const fn new(protocol: Protocol, max_head_ticks: u32, max_still_ticks: u32) -> Self {
        Self { protocol, head: None, still: 0, max_head_ticks, max_still_ticks }
    }

    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the connection should be given up at this tick.
    pub(super) fn tick(&mut self, activity: &Activity) -> Option<Stall> {
        let moved = activity.moved.swap(false, Relaxed) || activity.in_service.load(Relaxed) > 0;
        self.still = if moved { 0 } else { self.still + 1 };
        if self.still > self.max_still_ticks {
            return Some(Stall::Idle);
        }
        // Over HTTP/2 other frames come between requests; a head there is bounded by the keep-alive pings.
        let in_head = self.protocol == Protocol::Http1 && activity.in_head.load(Relaxed);
        let request = activity.requests.load(Relaxed);
        self.head = match self.head {
            _ if !in_head => None,
            Some((same, ticks)) if same == request => Some((same, ticks + 1)),
            _ => Some((request, 1)),
        };
        self.head.filter(|(_, ticks)| *ticks > self.max_head_ticks).map(|_| Stall::Head)
    }
}

/// A byte stream that leaves its marks in an [`Activity`], and from which what was read can be read again.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    again: Vec<u8>,
    again_from: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    /// Reads just enough of `stream` to tell the protocol.
    pub(super) async fn open(mut stream: S, activity: Arc<Activity>) -> io::Result<(Protocol, Self)> {
        let mut opening = [0; PREFACE.len()];
        let mut read = 0;
        let protocol = loop {
            let count = stream.read(opening.get_mut(read..).unwrap_or_default()).await?;
            read += count;
            let seen = opening.get(..read).unwrap_or_default();
            if count == 0 || !PREFACE.starts_with(seen) {
                break Protocol::Http1;
            }
            if read == PREFACE.len() {
                break Protocol::Http2;
            }
        };
        activity.received(read);
        let again = opening.get(..read).unwrap_or_default().to_vec();
        Ok((protocol, Self { stream, activity, again, again_from: 0 }))
    }

    /// Has `bytes` read next, which were read last.
    pub(super) fn read_again(&mut self, bytes: Vec<u8>) {
        debug_assert!(self.again.is_empty(), "what was given back before has been read");
        (self.again, self.again_from) = (bytes, 0);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.again.is_empty() {
            let left = this.again.get(this.again_from..).unwrap_or_default();
            let count = left.len().min(buf.remaining());
            buf.put_slice(left.get(..count).unwrap_or_default());
            this.again_from += count;
            if this.again_from == this.again.len() {
                (this.again, this.again_from) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        if read > 0 {
            this.activity.received(read);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        if let Poll::Ready(sent) = &polled {
            this.activity.sent(*sent.as_ref().unwrap_or(&0));
        }
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(sent) = &polled {
            this.activity.sent(*sent.as_ref().unwrap_or(&0));
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(protocol: Protocol) -> (Activity, Watch) {
        (Activity::default(), Watch::new(protocol, 2, 5))
    }

    #[test]
    fn a_head_that_does_not_end_is_given_up_after_its_ticks() {
        let (activity, mut watch) = watch(Protocol::Http1);
        let stalls = [(); 3].map(|()| {
            activity.received(1);
            watch.tick(&activity)
        });
        assert_eq!(stalls, [None, None, Some(Stall::Head)]);
    }

    #[test]
    fn many_heads_one_after_another_are_no_stall() {
        let (activity, mut watch) = watch(Protocol::Http1);
        for _ in 0..20 {
            drop(activity.request_begins());
            activity.received(1);
            assert_eq!(watch.tick(&activity), None);
        }
    }

    #[test]
    fn an_idle_connection_is_kept_for_a_while_and_then_given_up() {
        let (activity, mut watch) = watch(Protocol::Http2);
        activity.received(1);
        let stalls = [(); 7].map(|()| watch.tick(&activity));
        assert_eq!(stalls, [None, None, None, None, None, None, Some(Stall::Idle)]);
    }

    #[test]
    fn a_request_in_service_is_never_a_stall() {
        let (activity, mut watch) = watch(Protocol::Http1);
        activity.received(1);
        let _request = activity.request_begins();
        activity.received(1);
        assert!((0..50).all(|_| watch.tick(&activity).is_none()));
    }

    #[tokio::test]
    async fn what_was_read_to_tell_the_protocol_is_read_again() {
        for (sent, protocol) in [
            (&b"PUT / HTTP/1.1\r\n"[..], Protocol::Http1),
            (b"PRI * HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nframes", Protocol::Http2),
            (b"PR", Protocol::Http1),
        ] {
            let (mut client, server) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut client, sent).await.unwrap();
            drop(client);
            let (told, mut stream) = Watched::open(server, Arc::default()).await.unwrap();
            let mut read = Vec::new();
            stream.read_to_end(&mut read).await.unwrap();
            assert_eq!((told, read.as_slice()), (protocol, sent));
        }
    }
}
