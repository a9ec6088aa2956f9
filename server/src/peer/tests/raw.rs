//! One end of a stream, frame by frame, for playing a member that behaves as no member of ours would.

use bytes::{Buf, BytesMut};
use ringhold_ring::MemberAddress;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{address, identity};
use crate::peer::frame::{self, Kind};
use crate::peer::hello::Hello;

pub(super) struct Raw<S> {
    pub(super) stream: S,
    buffer: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// Shakes hands as the answering side.
    pub(super) async fn answer_hello(&mut self, member: &MemberAddress) {
        assert_eq!(self.next().await.unwrap().0, Kind::Hello);
        self.send_hello(&hello(member)).await;
    }

    /// Shakes hands as the asking side.
    pub(super) async fn ask_hello(&mut self) {
        self.send_hello(&Hello::of(&identity("127.0.0.1:1"))).await;
        assert_eq!(self.next().await.unwrap().0, Kind::Hello);
    }

    pub(super) async fn send_hello(&mut self, hello: &Hello) {
        let mut payload = Vec::new();
        hello.encode(&mut payload);
        self.send(Kind::Hello, 0, &payload).await;
    }

    pub(super) async fn send(&mut self, kind: Kind, id: u64, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame::put(&mut bytes, kind, id, |to| to.extend_from_slice(payload));
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The next frame; none at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<(Kind, u64, Vec<u8>)> {
        loop {
            if let Some((frame, length)) = frame::first(&self.buffer).unwrap() {
                let owned = (frame.kind, frame.id, frame.payload.to_vec());
                self.buffer.advance(length);
                return Some(owned);
            }
            if super::patiently(self.stream.read_buf(&mut self.buffer)).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// The next frame, which must be a `CLOSE`: its reason.
    pub(super) async fn closed_with(&mut self) -> String {
        let (kind, _, payload) = self.next().await.expect("a CLOSE before the end");
        assert_eq!(kind, Kind::Close);
        String::from_utf8(payload[2..].to_vec()).unwrap()
    }
}

/// What the member at `member` says.
pub(super) fn hello(member: &MemberAddress) -> Hello {
    Hello::of(&super::identity_in("test", member.clone()))
}

pub(super) fn far() -> MemberAddress {
    address("127.0.0.1:2")
}
