//! Sides that do not belong together, and sides that do not keep to the protocol.

use std::sync::Arc;

use super::raw::{Raw, far, hello};
use super::*;
use crate::peer::connection::Connection;
use crate::peer::frame::Kind;
use crate::peer::{HandshakeError, Hello};

fn served(pipe: usize) -> (Raw<DuplexStream>, JoinHandle<Result<(), ServeError>>) {
    let (near, far_end) = tokio::io::duplex(pipe);
    let memory = Arc::new(Memory::default());
    let serving = serve(
        far_end,
        memory,
        identity("127.0.0.1:2"),
        Channel::Plain,
        || Some(()),
        CancellationToken::new(),
    );
    (Raw::new(near), tokio::spawn(serving))
}

#[tokio::test]
async fn another_cluster_is_refused_and_both_sides_know_why() {
    let node = Node::start_in("other", TcpListener::bind("127.0.0.1:0").await.unwrap());
    let error = peers().forward(&node.address, &key("k"), &get(), PATIENCE).await.unwrap_err();
    let PeerError::NotSent(text) = error else { panic!("{error}") };
    assert!(text.contains("cluster \"test\", this side to \"other\""), "{text}");
    eventually("it is over there too", || !node.ended.lock().is_empty()).await;
    let ended = node.ended.lock().remove(0).unwrap_err();
    assert!(matches!(ended, ServeError::Handshake(HandshakeError::Cluster { .. })), "{ended}");
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_refused() {
    let (mut raw, serving) = served(4096);
    raw.send_hello(&Hello { versions: (2, 9), ..hello(&far()) }).await;
    assert!(raw.closed_with().await.contains("versions 2 to 9"));
    let ended = patiently(serving).await.unwrap();
    assert!(matches!(ended, Err(ServeError::Handshake(HandshakeError::Version((2, 9))))), "{ended:?}");
}

#[tokio::test]
async fn a_newer_side_that_still_speaks_version_one_is_served() {
    let (mut raw, _serving) = served(4096);
    raw.send_hello(&Hello { versions: (1, 9), features: u64::MAX, ..hello(&far()) }).await;
    assert_eq!(raw.next().await.unwrap().0, Kind::Hello);
}

#[tokio::test]
async fn a_different_ring_is_served() {
    let node = Node::start().await;
    node.identity.set_ring_id(RingId::from_u64(8));
    let peers = peers();
    assert_eq!(peers.forward(&node.address, &key("k"), &get(), PATIENCE).await, Ok(Ok(Outcome::Missing)));
}

#[tokio::test]
async fn another_member_at_the_address_is_refused() {
    let (near, far_end) = tokio::io::duplex(4096);
    let mut raw = Raw::new(far_end);
    let (asked_for, found) = (address("127.0.0.1:3"), far());
    let (connection, ()) = tokio::join!(
        Connection::start(near, Default::default(), identity("127.0.0.1:1"), &asked_for, &Channel::Plain),
        raw.answer_hello(&found)
    );
    let error = connection.unwrap_err();
    assert!(matches!(&error, HandshakeError::Member(member) if *member == found), "{error}");
    assert!(raw.closed_with().await.contains("not who was asked for"));
}

#[tokio::test]
async fn garbage_ends_the_handshake() {
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0]]
    {
        let (mut raw, serving) = served(4096);
        tokio::io::AsyncWriteExt::write_all(&mut raw.stream, garbage).await.unwrap();
        let ended = patiently(serving).await.unwrap();
        assert!(matches!(ended, Err(ServeError::Handshake(HandshakeError::Violation(_)))), "{ended:?}");
    }
}

#[tokio::test]
async fn every_frame_that_may_not_come_ends_the_stream_with_the_reason() {
    let hello: (Kind, &[u8]) = (Kind::Hello, b"again");
    let wrong_way: (Kind, &[u8]) = (Kind::Answer, &[0x03]);
    let unannounced: (Kind, &[u8]) = (Kind::Body, b"piece");
    let empty: (Kind, &[u8]) = (Kind::Request, b"");
    let short: (Kind, &[u8]) = (Kind::Credit, b"abc");
    let late: (Kind, &[u8]) = (Kind::Proof, &[0; 32]);
    for (kind, payload) in [hello, wrong_way, unannounced, empty, short, late] {
        let (mut raw, serving) = served(64 << 10);
        raw.ask_hello().await;
        raw.send(kind, 1, payload).await;
        let reason = raw.closed_with().await;
        assert!(reason.starts_with("unexpected") || reason.starts_with("malformed"), "{kind:?}: {reason}");
        let ended = patiently(serving).await.unwrap();
        assert!(matches!(ended, Err(ServeError::Violation { .. })), "{kind:?}: {ended:?}");
    }
}

#[tokio::test]
async fn an_answer_to_nothing_ends_the_stream() {
    let (near, far_end) = tokio::io::duplex(4096);
    let mut raw = Raw::new(far_end);
    let member = far();
    let (connection, ()) = tokio::join!(
        Connection::start(near, Default::default(), identity("127.0.0.1:1"), &member, &Channel::Plain),
        raw.answer_hello(&member)
    );
    let connection = connection.unwrap();
    raw.send(Kind::Answer, 99, &[0x03]).await;
    assert!(raw.closed_with().await.contains("never sent"));
    eventually("the connection is closed", || !connection.is_open()).await;
}

#[tokio::test]
async fn something_that_does_not_speak_http_is_not_a_member() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = MemberAddress::from(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let error = peers().forward(&member, &key("k"), &get(), PATIENCE).await.unwrap_err();
    assert!(
        matches!(&error, PeerError::NotSent(text) if text.contains("not a member of this ring")),
        "{error}"
    );
}

/// What was logged, for `tracing_subscriber`.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refusal_is_logged_once_a_minute_for_each_member() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    // One thread runs the test and everything that it starts.
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let nodes = [
        Node::start_in("other", TcpListener::bind("127.0.0.1:0").await.unwrap()),
        Node::start_in("other", TcpListener::bind("127.0.0.1:0").await.unwrap()),
    ];
    let us = identity("127.0.0.1:1");
    let peers = Peers::new(Arc::clone(&us), Tcp);
    let mut lines = Vec::new();
    for _ in 0..2 {
        for _ in 0..5 {
            for node in &nodes {
                assert!(peers.forward(&node.address, &key("k"), &get(), PATIENCE).await.is_err());
            }
        }
        us.clock().advance(Duration::from_secs(60));
        let text = String::from_utf8(std::mem::take(&mut *log.0.lock())).unwrap();
        lines.extend(text.lines().filter(|line| line.contains("no stream to a member")).map(str::to_owned));
    }
    let expected = [(0, "unlogged=0"), (1, "unlogged=0"), (0, "unlogged=4"), (1, "unlogged=4")];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (node, unlogged)) in lines.iter().zip(expected) {
        assert!(line.contains(&nodes[node].address.to_string()) && line.contains(unlogged), "{line}");
        assert!(line.contains("belongs to cluster"), "{line}");
    }
}
