//! A byte stream whose writes are gathered until its connection has nothing more to do, and then sent at once.
//!
//! So the answers to pipelined requests share one system call. HTTP's own way to do so holds answers back for as
//! long as any input is left unparsed: behind half a request, behind one it refuses, behind the first bytes of an
//! upgraded stream. Here the invariant is: whenever the connection's task waits, nothing is held back.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is gathered; beyond it the sender waits for the client.
const MAX_BYTES: usize = 64 << 10;

/// Writes from this size on are sent as they are: copying them would cost more than a system call.
const DIRECT_BYTES: usize = 16 << 10;

/// What an idle connection may keep for the next answers: enough for some tens of small ones.
const KEPT_BYTES: usize = 16 << 10;

/// How long, and for how many bytes, a client may go on sending on a connection that the node has ended.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// One of two handles: HTTP reads and writes through the one, the connection's task sends through the other.
#[derive(Debug)]
pub(super) struct Gathered<S>(Arc<Mutex<Inner<S>>>);

#[derive(Debug)]
struct Inner<S> {
    stream: S,
    gathered: Vec<u8>,
    sent: usize,
    is_open: bool,
    // TLS may hold back what it was given until it is flushed.
    is_flushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gathered<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            stream,
            gathered: Vec::new(),
            sent: 0,
            is_open: true,
            is_flushed: true,
        })))
    }

    /// The handle for HTTP.
    pub(super) fn handle(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Sends what is gathered.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_send(cx)
    }

    /// Ends the gathering. A stream that HTTP has let go of is closed in such a way that the last answer arrives:
    /// closing a socket with bytes unread would reset the connection.
    pub(super) async fn finish(self) {
        self.0.lock().is_open = false;
        // The other handle lives on in a stream that was upgraded, and is its owner's to close.
        let is_upgraded = Arc::strong_count(&self.0) > 1;
        let closing = async {
            std::future::poll_fn(|cx| self.poll_send(cx)).await?;
            if is_upgraded { Ok(()) } else { self.linger().await }
        };
        if let Ok(Err(error)) = tokio::time::timeout(LINGER, closing).await {
            tracing::debug!(%error, "a connection broke while it was closed");
        }
    }

    async fn linger(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| Pin::new(&mut self.0.lock().stream).poll_shutdown(cx)).await?;
        let mut left = LINGER_BYTES;
        while left > 0 {
            let read = std::future::poll_fn(|cx| self.0.lock().poll_discard(cx)).await?;
            if read == 0 {
                break;
            }
            left = left.saturating_sub(read);
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inner<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.gathered.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        if !self.gathered.is_empty() {
            self.sent = 0;
            self.gathered.clear();
            self.gathered.shrink_to(KEPT_BYTES);
            self.is_flushed = false;
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether `bytes` more are gathered, rather than sent behind what already is.
    fn gathers(&self, bytes: usize) -> bool {
        self.is_open && bytes < DIRECT_BYTES && self.gathered.len() + bytes <= MAX_BYTES
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = [0; 4096];
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.0.lock();
        if inner.gathers(buf.len()) {
            inner.gathered.extend_from_slice(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        ready!(inner.poll_send(cx))?;
        inner.is_flushed = false;
        Pin::new(&mut inner.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.lock();
        let bytes = bufs.iter().map(|buf| buf.len()).sum();
        if inner.gathers(bytes) {
            bufs.iter().for_each(|buf| inner.gathered.extend_from_slice(buf));
            return Poll::Ready(Ok(bytes));
        }
        ready!(inner.poll_send(cx))?;
        inner.is_flushed = false;
        Pin::new(&mut inner.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        if inner.is_open {
            return Poll::Ready(Ok(()));
        }
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn small_writes_are_held_until_they_are_sent_and_large_ones_push_them_out_in_order() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let gathered = Gathered::new(server);
        let mut handle = gathered.handle();
        handle.write_all(b"one ").await.unwrap();
        handle.flush().await.unwrap();
        let mut read = [0; 4];
        assert!(futures_util::FutureExt::now_or_never(client.read(&mut read)).is_none());
        std::future::poll_fn(|cx| gathered.poll_send(cx)).await.unwrap();
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one ");
        handle.write_all(b"two ").await.unwrap();
        handle.write_all(&[b'x'; DIRECT_BYTES]).await.unwrap();
        let mut read = vec![0; 4 + DIRECT_BYTES];
        client.read_exact(&mut read).await.unwrap();
        assert!(read.starts_with(b"two xxx"));
    }

    /// Takes everything and, as TLS may, sends it only when it is flushed.
    #[derive(Default)]
    struct Reluctant {
        held: usize,
        sent: usize,
    }

    impl AsyncRead for Reluctant {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Reluctant {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.held += buf.len();
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.sent += std::mem::take(&mut self.held);
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll_flush(cx)
        }
    }

    #[tokio::test]
    async fn whenever_the_task_waits_nothing_is_held_back_by_the_stream_below_either() {
        let gathered = Gathered::new(Reluctant::default());
        let mut handle = gathered.handle();
        let mut expected = 0;
        for bytes in [1, DIRECT_BYTES, 1, DIRECT_BYTES * 3] {
            handle.write_all(&vec![b'x'; bytes]).await.unwrap();
            std::future::poll_fn(|cx| gathered.poll_send(cx)).await.unwrap();
            expected += bytes;
            assert_eq!(gathered.0.lock().stream.sent, expected, "after {bytes} more");
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_makes_the_sender_wait() {
        let (_client, server) = tokio::io::duplex(1);
        let mut handle = Gathered::new(server);
        let flood = async {
            loop {
                handle.write_all(&[b'x'; 1000]).await.unwrap();
            }
        };
        assert!(futures_util::FutureExt::now_or_never(flood).is_none());
        assert!(handle.0.lock().gathered.len() <= MAX_BYTES);
    }
}
