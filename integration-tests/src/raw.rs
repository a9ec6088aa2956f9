//! Bytes on a socket: requests that no client library would send, and the answers to them.
//!
//! It reads just enough HTTP/1.1 to tell answers apart; it is no client.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One TCP connection to a member.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, without chunk framing.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// The first header of this name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, as far as it is any.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl RawConnection {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the member listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes. That the member has closed already is no failure: its answer says why.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Sends nothing more, and still reads.
    pub async fn finish_sending(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next answer; none when the connection ends before it begins.
    ///
    /// # Panics
    /// When it does not come, or is not HTTP/1.1.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        self.read_answer(true).await
    }

    /// The next answer when it answers a `HEAD`, and so has no body.
    ///
    /// # Panics
    /// When it does not come, or is not HTTP/1.1.
    pub async fn answer_to_head(&mut self) -> Option<RawAnswer> {
        self.read_answer(false).await
    }

    /// Whether the member closes the connection, without a byte more, before `deadline`.
    pub async fn is_closed_within(&mut self, deadline: Duration) -> bool {
        self.unread.is_empty() && matches!(timeout(deadline, self.fill()).await, Ok(false))
    }

    async fn read_answer(&mut self, has_body: bool) -> Option<RawAnswer> {
        let read = async {
            let head = self.take_until(b"\r\n\r\n").await?;
            let (status, headers) = parse_head(&head);
            let mut answer = RawAnswer { status, headers, body: Vec::new() };
            if has_body && !matches!(status, 100..=199 | 204 | 304) {
                answer.body = self.read_body(&answer).await;
            }
            Some(answer)
        };
        timeout(PATIENCE, read).await.expect("the member answers in time")
    }

    async fn read_body(&mut self, answer: &RawAnswer) -> Vec<u8> {
        if let Some(length) = answer.header("content-length") {
            return self.take(length.parse().expect("a length is a number")).await;
        }
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            let mut body = Vec::new();
            loop {
                let size = self.take_until(b"\r\n").await.expect("a chunk has a size");
                let size = String::from_utf8(size).expect("a chunk's size is text");
                let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size is hexadecimal");
                let chunk = self.take(size + 2).await;
                if size == 0 {
                    return body;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        while self.fill().await {}
        std::mem::take(&mut self.unread)
    }

    async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(self.fill().await, "the connection ended within a body");
        }
        let rest = self.unread.split_off(count);
        std::mem::replace(&mut self.unread, rest)
    }

    /// Everything up to `end`, which is taken too; none when the connection ends before a first byte.
    async fn take_until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return Some(self.take(at + end.len()).await);
            }
            if !self.fill().await {
                assert!(self.unread.is_empty(), "the connection ended within a head: {:?}", self.unread);
                return None;
            }
        }
    }

    /// Reads more; false when there is no more. A reset ends a connection as well.
    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.unread).await.is_ok_and(|count| count > 0)
    }
}

fn parse_head(head: &[u8]) -> (u16, Vec<(String, String)>) {
    let head = std::str::from_utf8(head).expect("a head is text");
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).expect("a status line");
    let status = status.get(..3).and_then(|code| code.parse().ok()).expect("a status code");
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').expect("a header has a colon");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    (status, headers.collect())
}
