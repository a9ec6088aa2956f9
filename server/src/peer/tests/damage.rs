//! Members that are gone, stopped or cut off.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::raw::{Raw, far};
use super::*;
use crate::peer::connection::{Connection, Trace};
use crate::peer::frame::Kind;
use crate::peer::outbox::Fate;
use crate::peer::reply::Reply;

const BRIEFLY: Duration = Duration::from_millis(100);

async fn connection_to_raw(pipe: usize) -> (Arc<Connection>, Raw<DuplexStream>) {
    let (near, far_end) = tokio::io::duplex(pipe);
    let mut raw = Raw::new(far_end);
    let (member, us) = (far(), identity("127.0.0.1:1"));
    let (connection, ()) = tokio::join!(
        Connection::start(near, Default::default(), us, &member, &Channel::Plain),
        raw.answer_hello(&member)
    );
    (connection.unwrap(), raw)
}

#[tokio::test]
async fn nobody_listening_means_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = MemberAddress::from(listener.local_addr().unwrap());
    drop(listener);
    let error = peers().forward(&member, &key("k"), &put("x"), PATIENCE).await.unwrap_err();
    let PeerError::NotSent(text) = error else { panic!("{error}") };
    assert!(text.contains(&member.to_string()) && text.contains("cannot connect"), "{text}");
}

#[tokio::test]
async fn a_member_that_dies_in_the_middle_may_have_executed() {
    let (node, peers) = (Node::start().await, peers());
    let member = node.address.clone();
    let waiting = tokio::spawn({
        let (peers, member) = (Arc::clone(&peers), member.clone());
        async move { peers.forward(&member, &key("slow"), &put("x"), PATIENCE).await }
    });
    eventually("it has begun", || node.memory.begun.load(Ordering::Acquire) == 1).await;
    node.kill().await;
    assert!(matches!(patiently(waiting).await.unwrap(), Err(PeerError::Lost(_))));
    let after = peers.forward(&member, &key("k"), &get(), PATIENCE).await;
    assert!(matches!(after, Err(PeerError::NotSent(_))), "{after:?}");
}

#[tokio::test]
async fn disconnecting_fails_everything_under_way_at_once() {
    let (node, peers) = (Node::start().await, peers());
    let waiting: Vec<_> = (0..50)
        .map(|number| {
            let (peers, member) = (Arc::clone(&peers), node.address.clone());
            tokio::spawn(async move {
                peers.forward(&member, &key(&format!("slow {number}")), &put("x"), PATIENCE * 10).await
            })
        })
        .collect();
    eventually("all have begun", || node.memory.begun.load(Ordering::Acquire) == 50).await;
    peers.disconnect(&node.address);
    for one in waiting {
        assert!(matches!(patiently(one).await.unwrap(), Err(PeerError::Lost(_))));
    }
    let again = peers.forward(&node.address, &key("quick"), &get(), PATIENCE).await;
    assert_eq!(again, Ok(Ok(Outcome::Missing)), "the next request opens a new stream");
}

#[tokio::test]
async fn disconnecting_ends_an_attempt_to_connect() {
    let peers = Arc::new(Peers::new(identity("127.0.0.1:1"), Silent(Mutex::default())));
    let waiting = tokio::spawn({
        let peers = Arc::clone(&peers);
        async move { peers.heartbeat(&far(), PATIENCE * 10).await }
    });
    eventually("it is under way", || peers.is_connecting(&far())).await;
    peers.disconnect(&far());
    assert!(matches!(patiently(waiting).await.unwrap(), Err(PeerError::NotSent(_))));
}

#[tokio::test]
async fn a_member_that_never_answers_costs_no_more_than_the_timeout() {
    let peers = Peers::new(identity("127.0.0.1:1"), Silent(Mutex::default()));
    let error = peers.forward(&far(), &key("k"), &put("x"), BRIEFLY).await.unwrap_err();
    assert!(matches!(error, PeerError::NotSent(text) if text.contains("no answer within 100 ms")));
}

#[tokio::test]
async fn a_request_given_up_on_is_cancelled_and_forgotten() {
    let (connection, mut raw) = connection_to_raw(64 << 10).await;
    let trace = Trace::default();
    let (k, operation) = (key("k"), put("x"));
    let asked = connection.execute(&k, &operation, &FORWARDED, BRIEFLY, &trace);
    assert!(tokio::time::timeout(BRIEFLY, asked).await.is_err());
    assert_eq!(trace.fate(), Fate::Sent);
    let (kind, id, _) = raw.next().await.unwrap();
    assert_eq!(kind, Kind::Request);
    let (kind, cancelled, _) = raw.next().await.unwrap();
    assert_eq!((kind, cancelled), (Kind::Cancel, id));
    assert_eq!(connection.in_flight(), 0);
    // Its answer comes late; the stream bears it.
    raw.send(Kind::Answer, id, &[0x03]).await;
    let trace = Trace::default();
    let probing = tokio::spawn({
        let connection = Arc::clone(&connection);
        async move {
            let ask = Ask::Heartbeat(heartbeat(MemberState::Ready));
            connection.ask(&ask, PATIENCE, &trace).await.map_err(|lost| lost.cause)
        }
    });
    let (kind, id, _) = raw.next().await.unwrap();
    assert_eq!(kind, Kind::Probe);
    let mut answer = Vec::new();
    crate::peer::heartbeat::encode(&mut answer, &heartbeat(MemberState::Syncing));
    raw.send(Kind::ProbeAnswer, id, &answer).await;
    let told = Reply::Told(Told::Heartbeat(heartbeat(MemberState::Syncing)));
    assert_eq!(patiently(probing).await.unwrap().unwrap(), told);
}

#[tokio::test]
async fn a_request_that_a_stopped_member_never_read_is_withdrawn_without_a_trace() {
    // The pipe is smaller than the first value, so the second request cannot leave.
    let (connection, mut raw) = connection_to_raw(2048).await;
    let ask = |name: &'static str, size: usize| {
        let connection = Arc::clone(&connection);
        async move {
            let trace = Trace::default();
            let (k, operation) = (key(name), put(vec![1; size]));
            let asked = connection.execute(&k, &operation, &FORWARDED, BRIEFLY, &trace);
            assert!(tokio::time::timeout(BRIEFLY, asked).await.is_err(), "{name}");
            trace.fate()
        }
    };
    let (stuck, behind) = tokio::join!(ask("stuck", 10_000), async {
        tokio::task::yield_now().await;
        ask("behind", 10).await
    });
    assert_eq!((stuck, behind), (Fate::Sent, Fate::Unsent));
    let kinds = [raw.next().await, raw.next().await, raw.next().await].map(|frame| frame.unwrap().0);
    assert_eq!(kinds, [Kind::Request, Kind::Void, Kind::Cancel], "the second one left as nothing");
}

#[tokio::test]
async fn requests_that_never_left_a_cut_stream_are_known_to_be_unsent() {
    let (connection, raw) = connection_to_raw(2048).await;
    let ask = |name: &'static str, size: usize| {
        let connection = Arc::clone(&connection);
        async move {
            let (k, operation, trace) = (key(name), put(vec![1; size]), Trace::default());
            connection.execute(&k, &operation, &FORWARDED, PATIENCE, &trace).await.unwrap_err().fate
        }
    };
    let cut = async {
        eventually("both wait", || connection.in_flight() == 2).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        drop(raw);
    };
    let (small, large, ()) =
        patiently(async { tokio::join!(ask("small", 10), ask("large", 10_000), cut) }).await;
    assert_eq!((small, large), (Fate::Sent, Fate::Unsent), "only the small one fits the pipe");
}

#[tokio::test]
async fn a_request_that_never_left_a_cut_stream_is_sent_on_a_new_one() {
    let (streams, mut opened) = tokio::sync::mpsc::unbounded_channel();
    let peers = Peers::new(identity("127.0.0.1:1"), Scripted(streams));
    let member = far();
    let (k, operation) = (key("k"), put(vec![1; 10_000]));
    let asked = peers.forward(&member, &k, &operation, PATIENCE);
    let script = async {
        // The first stream reads no further than the handshake, then is cut.
        let first = opened.recv().await.unwrap();
        take_stream(first, |upgraded| async move {
            let mut raw = Raw::new(upgraded);
            raw.answer_hello(&far()).await;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let memory = Arc::new(Memory::default());
        let serving = Arc::clone(&memory);
        take_stream(opened.recv().await.unwrap(), move |upgraded| async move {
            let _ = serve(
                upgraded,
                serving,
                identity("127.0.0.1:2"),
                Channel::Plain,
                || Some(()),
                CancellationToken::new(),
            )
            .await;
        })
        .await;
        memory
    };
    let (answer, memory) = patiently(async { tokio::join!(asked, script) }).await;
    assert!(matches!(answer, Ok(Ok(Outcome::Created(_)))), "{answer:?}");
    assert_eq!(memory.begun.load(Ordering::Acquire), 1);
}
