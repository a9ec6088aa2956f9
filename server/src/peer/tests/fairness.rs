//! Large values beside small requests: flow control, order, limits.

use std::time::Duration;

use bytes::Bytes;

use super::raw::{Raw, far, hello};
use super::*;
use crate::peer::connection::{Connection, Trace};
use crate::peer::frame::{CHUNK_BYTES, Kind, WINDOW_BYTES};
use crate::peer::message;
use crate::peer::reply::Reply;

/// Far below the socket buffers of any machine: whatever is ahead of a frame delays it.
const NARROW: usize = 4096;

async fn pair(memory: &Arc<Memory>) -> Arc<Connection> {
    let (near, far_end) = tokio::io::duplex(NARROW);
    let serving = serve(
        far_end,
        Arc::clone(memory),
        identity("127.0.0.1:2"),
        Channel::Plain,
        || Some(()),
        CancellationToken::new(),
    );
    tokio::spawn(serving);
    Connection::start(near, Default::default(), identity("127.0.0.1:1"), &far(), &Channel::Plain)
        .await
        .unwrap()
}

fn in_background(connection: &Arc<Connection>, operation: Operation) -> JoinHandle<Reply> {
    let connection = Arc::clone(connection);
    tokio::spawn(async move {
        let trace = Trace::default();
        connection.execute(&key("large"), &operation, &FORWARDED, PATIENCE, &trace).await.unwrap()
    })
}

/// One after the other, so that each is in the queue behind what is being written. In a task of their own: the
/// test's own future is polled too rarely.
async fn small_requests(connection: &Arc<Connection>) {
    let connection = Arc::clone(connection);
    let requests = tokio::spawn(async move {
        for _ in 0..SMALL_REQUESTS {
            let trace = Trace::default();
            let reply =
                connection.execute(&key("small"), &get(), &FORWARDED, PATIENCE, &trace).await.unwrap();
            assert_eq!(reply, Reply::Done(Ok(Outcome::Missing)));
        }
        connection.in_flight()
    });
    assert_eq!(patiently(requests).await.unwrap(), 1, "the small ones waited for the large one");
}

/// A small frame waits for at most one write of 64 KiB in each direction: sixteen of them are through
/// before two megabytes are.
const SMALL_REQUESTS: usize = 16;

#[tokio::test]
async fn a_large_value_being_sent_delays_no_small_request() {
    let memory = Arc::default();
    let connection = pair(&memory).await;
    let large = in_background(&connection, put(vec![1; 2 << 20]));
    eventually("it is under way", || connection.in_flight() == 1).await;
    small_requests(&connection).await;
    assert!(matches!(patiently(large).await.unwrap(), Reply::Done(Ok(Outcome::Created(_)))));
    assert_eq!(memory.objects.lock()["large"].value.len(), 2 << 20);
}

#[tokio::test]
async fn a_large_value_being_received_delays_no_small_request() {
    let memory = Arc::<Memory>::default();
    let connection = pair(&memory).await;
    let value = Bytes::from(vec![7; 2 << 20]);
    let reply = in_background(&connection, put(value.clone())).await.unwrap();
    assert!(matches!(reply, Reply::Done(Ok(_))));
    let large = in_background(&connection, get());
    eventually("it is under way", || connection.in_flight() == 1).await;
    small_requests(&connection).await;
    let reply = patiently(large).await.unwrap();
    assert!(matches!(reply, Reply::Done(Ok(Outcome::Found(object))) if object.value == value));
}

#[tokio::test]
async fn no_more_of_a_value_is_sent_than_was_granted() {
    let (near, far_end) = tokio::io::duplex(4 << 20);
    let mut raw = Raw::new(far_end);
    let (member, us) = (far(), identity("127.0.0.1:1"));
    let (connection, ()) = tokio::join!(
        Connection::start(near, Default::default(), us, &member, &Channel::Plain),
        raw.answer_hello(&member)
    );
    let connection = connection.unwrap();
    let large = in_background(&connection, put(vec![1; 1 << 20]));
    let (kind, id, _) = raw.next().await.unwrap();
    assert_eq!(kind, Kind::Request);
    for _ in 0..WINDOW_BYTES / CHUNK_BYTES {
        let (kind, of, piece) = raw.next().await.unwrap();
        assert_eq!((kind, of, piece.len()), (Kind::Body, id, CHUNK_BYTES));
    }
    let pause = tokio::time::timeout(Duration::from_millis(100), raw.next()).await;
    assert!(pause.is_err(), "sent without a grant: {pause:?}");
    raw.send(Kind::Credit, id, &10_u32.to_be_bytes()).await;
    let (kind, _, piece) = raw.next().await.unwrap();
    assert_eq!((kind, piece.len()), (Kind::Body, 10));
    large.abort();
}

#[tokio::test]
async fn values_beyond_the_announced_memory_end_the_stream_with_the_reason() {
    let (near, far_end) = tokio::io::duplex(1 << 20);
    let us = identity("127.0.0.1:2");
    let too_many = us.assembly_bytes() / us.max_object_bytes() + 1;
    let value = put(vec![1; us.max_object_bytes()]);
    let serving = tokio::spawn(serve(
        far_end,
        Arc::new(Memory::default()),
        us,
        Channel::Plain,
        || Some(()),
        CancellationToken::new(),
    ));
    let mut raw = Raw::new(near);
    raw.ask_hello().await;
    let mut request = Vec::new();
    message::encode_request(&mut request, &key("k"), &value, FORWARDED, PATIENCE);
    for id in 1..=too_many {
        raw.send(Kind::Request, id as u64, &request).await;
    }
    assert!(raw.closed_with().await.contains("values under way"));
    assert!(matches!(patiently(serving).await.unwrap(), Err(ServeError::Violation { .. })));
}

#[tokio::test]
async fn a_sender_keeps_to_the_announced_memory_and_to_its_turn() {
    let (near, far_end) = tokio::io::duplex(1 << 20);
    let mut raw = Raw::new(far_end);
    let (member, us) = (far(), identity("127.0.0.1:1"));
    let limits = async {
        assert_eq!(raw.next().await.unwrap().0, Kind::Hello);
        let hello = hello(&member);
        let assembly_bytes = crate::peer::MIN_ASSEMBLY_BYTES;
        raw.send_hello(&crate::peer::Hello { max_object_bytes: assembly_bytes, assembly_bytes, ..hello })
            .await;
    };
    let (connection, ()) =
        tokio::join!(Connection::start(near, Default::default(), us, &member, &Channel::Plain), limits);
    let connection = connection.unwrap();
    let sizes = [1_000_000, 50_000];
    let asked = sizes.map(|size| in_background(&connection, put(vec![1; size])));
    eventually("both are asked", || connection.in_flight() == 2).await;
    raw.send(Kind::Credit, 1, &1_000_000_u32.to_be_bytes()).await;
    // Together they would be over what the member puts together.
    for (id, size) in (1..).zip(sizes) {
        assert_eq!(raw.next().await.map(|(kind, of, _)| (kind, of)), Some((Kind::Request, id)));
        for _ in 0..usize::div_ceil(size, CHUNK_BYTES) {
            assert_eq!(raw.next().await.map(|(kind, of, _)| (kind, of)), Some((Kind::Body, id)));
        }
    }
    asked.iter().for_each(JoinHandle::abort);
}
