//! Requests that go well.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::Version;

use super::*;

#[tokio::test]
async fn what_is_put_is_read_back() {
    let (node, peers) = (Node::start().await, peers());
    for size in [0, 1, 4096, 16 << 10, (16 << 10) + 1, 100_000, 4 << 20] {
        let value = Bytes::from((0..size).map(|at| (at % 251) as u8).collect::<Vec<_>>());
        let key = key(&format!("of {size} bytes"));
        let stored = peers.forward(&node.address, &key, &put(value.clone()), PATIENCE).await.unwrap();
        assert_eq!(stored, Ok(Outcome::Created(Version::from_bytes([9; 12]))));
        let found = peers.forward(&node.address, &key, &get(), PATIENCE).await.unwrap();
        let Ok(Outcome::Found(object)) = found else { panic!("{found:?}") };
        assert_eq!((object.value, object.content_type), (value, ContentType::Text), "{size} bytes");
    }
    assert_eq!(node.accepted.load(Ordering::Acquire), 1, "one stream serves all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_requests_at_once_get_their_own_answers() {
    let (node, peers) = (Node::start().await, peers());
    let tasks: Vec<_> = (0..4000)
        .map(|number: usize| {
            let (peers, member) = (Arc::clone(&peers), node.address.clone());
            tokio::spawn(async move {
                let key = key(&format!("key {number}"));
                // Every hundredth is large enough to travel in pieces.
                let size = if number.is_multiple_of(100) { 50_000 } else { number % 300 };
                let value = Bytes::from(vec![number as u8; size]);
                peers.forward(&member, &key, &put(value.clone()), PATIENCE).await.unwrap().unwrap();
                let found = peers.forward(&member, &key, &get(), PATIENCE).await.unwrap();
                assert!(matches!(found, Ok(Outcome::Found(object)) if object.value == value), "{number}");
            })
        })
        .collect();
    for task in tasks {
        patiently(task).await.unwrap();
    }
    assert_eq!(node.accepted.load(Ordering::Acquire), 1, "callers share the first attempt to connect");
}

#[tokio::test]
async fn an_answer_that_has_to_wait_holds_nobody_up() {
    let (node, peers) = (Node::start().await, peers());
    let slow = tokio::spawn({
        let (peers, member) = (Arc::clone(&peers), node.address.clone());
        async move { peers.forward(&member, &key("slow"), &put("x"), PATIENCE).await }
    });
    eventually("the slow one has begun", || node.memory.begun.load(Ordering::Acquire) == 1).await;
    for _ in 0..10 {
        let quick = peers.forward(&node.address, &key("quick"), &get(), PATIENCE).await;
        assert_eq!(quick, Ok(Ok(Outcome::Missing)));
    }
    assert!(!slow.is_finished());
    node.memory.gate.add_permits(1);
    assert!(matches!(patiently(slow).await.unwrap(), Ok(Ok(Outcome::Created(_)))));
}

#[tokio::test]
async fn refusals_arrive_as_they_were_given() {
    let (node, peers) = (Node::start().await, peers());
    let patch = Operation::Patch {
        kind: crate::patch::PatchKind::Counter,
        document: Bytes::from_static(b"{}"),
        content_type: ContentType::Json,
        ttl: None,
        conditions: Conditions::default(),
    };
    let refused = peers.forward(&node.address, &key("k"), &patch, PATIENCE).await.unwrap();
    assert_eq!(refused, Err(Refusal::PatchConflict("no patches here".into())));
    let limit = node.identity.max_object_bytes();
    let refused = peers.forward(&node.address, &key("k"), &put(vec![0; limit + 1]), PATIENCE).await.unwrap();
    assert_eq!(refused, Err(Refusal::TooLarge { limit }));
}

#[tokio::test]
async fn a_draining_member_answers_everything_it_was_asked() {
    let (node, peers) = (Node::start().await, peers());
    let waiting: Vec<_> = (0..20)
        .map(|number| {
            let (peers, member) = (Arc::clone(&peers), node.address.clone());
            tokio::spawn(async move {
                peers.forward(&member, &key(&format!("slow {number}")), &put("x"), PATIENCE).await
            })
        })
        .collect();
    eventually("all have begun", || node.memory.begun.load(Ordering::Acquire) == 20).await;
    node.drain.cancel();
    // New requests meanwhile go to a new stream, and none of them fails.
    let reopened = async {
        while node.accepted.load(Ordering::Acquire) < 2 {
            let answer = peers.forward(&node.address, &key("quick"), &get(), PATIENCE).await;
            assert_eq!(answer, Ok(Ok(Outcome::Missing)));
        }
    };
    patiently(reopened).await;
    node.memory.gate.add_permits(20);
    for one in waiting {
        assert!(matches!(patiently(one).await.unwrap(), Ok(Ok(Outcome::Created(_)))));
    }
    eventually("the old stream has ended well", || node.ended.lock().iter().any(Result::is_ok)).await;
}

#[tokio::test]
async fn a_stream_that_has_ended_is_reopened_unnoticed() {
    let peers = peers();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let first = Node::start_in("test", listener);
    peers.forward(&first.address, &key("k"), &put("old"), PATIENCE).await.unwrap().unwrap();
    let member = first.address.clone();
    first.kill().await;
    eventually("the end of the stream is seen", || !peers.is_connected(&member)).await;
    let second = Node::start_in("test", TcpListener::bind(at).await.unwrap());
    let answer = peers.forward(&member, &key("k"), &get(), Duration::from_secs(5)).await;
    assert_eq!(answer, Ok(Ok(Outcome::Missing)), "the new start knows nothing");
    assert_eq!(second.accepted.load(Ordering::Acquire), 1);
}
