//! Who is asked next when a node fails, and what must never be asked twice.

use std::time::{Duration, Instant};

use ringhold_client::{Client, Condition, Counter, Error, PutOptions, Value};

use crate::support::{Node, Step, answer, found, nobody, problem, replaced};

/// A client that fails fast enough for a test and slowly enough for a busy machine.
fn client(nodes: &[std::net::SocketAddr]) -> Client {
    Client::builder()
        .nodes(nodes)
        .timeout(Duration::from_secs(20))
        .rest(Duration::from_secs(600))
        .build()
        .unwrap()
}

fn if_absent() -> PutOptions {
    PutOptions::default().condition(Condition::IfAbsent)
}

#[tokio::test]
async fn the_first_node_is_asked_as_long_as_it_works() {
    let first =
        Node::start([Step::Answer(found("1")), Step::Answer(found("2")), Step::Answer(replaced())]).await;
    let second = Node::start([]).await;
    let client = client(&[first.address, second.address]);
    client.get("k").await.unwrap();
    client.get("k").await.unwrap();
    client.put("k", "v").await.unwrap();
    assert_eq!(first.requests().len(), 3);
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn a_refused_connection_moves_every_operation_on() {
    let second = Node::start([
        Step::Answer(found("v")),
        Step::Answer(answer(201, &[("etag", crate::support::TAG)], "")),
        Step::Answer(answer(200, &[("etag", crate::support::TAG)], "1")),
    ])
    .await;
    let nodes = [nobody().await, second.address];
    assert_eq!(client(&nodes).get("k").await.unwrap().unwrap().value, "v");
    assert!(client(&nodes).put_with("k", "v", &if_absent()).await.unwrap().created);
    assert_eq!(client(&nodes).patch("k", &Counter::add(1)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_node_that_has_done_nothing_moves_every_operation_on() {
    let first = Node::start(["not-ready", "overloaded"].map(|code| Step::Answer(problem(503, code)))).await;
    let second = Node::start([
        Step::Answer(answer(200, &[("etag", crate::support::TAG)], "1")),
        Step::Answer(replaced()),
    ])
    .await;
    let nodes = [first.address, second.address];
    assert_eq!(client(&nodes).patch("k", &Counter::add(1)).await.unwrap(), 1);
    client(&nodes).put("k", "v").await.unwrap();
    assert_eq!((first.requests().len(), second.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_node_that_failed_is_left_alone_while_it_rests() {
    let first = Node::start([Step::Answer(problem(503, "not-ready"))]).await;
    let second = Node::start([Step::Answer(found("1")), Step::Answer(found("2"))]).await;
    let client = client(&[first.address, second.address]);
    client.get("k").await.unwrap();
    client.get("k").await.unwrap();
    assert_eq!((first.requests().len(), second.requests().len()), (1, 2));
}

#[tokio::test]
async fn what_is_repeatable_is_repeated_after_a_lost_answer() {
    let whole = found("0123456789");
    let cuts = [Vec::new(), b"HTTP/1.1 200".to_vec(), whole[..whole.len() - 4].to_vec()];
    for cut in cuts {
        let first = Node::start([Step::Cut(cut)]).await;
        let second = Node::start([Step::Answer(found("0123456789"))]).await;
        let object = client(&[first.address, second.address]).get("k").await.unwrap().unwrap();
        assert_eq!(object.value, "0123456789");
        assert_eq!(first.requests().len(), 1);
    }
    let first = Node::start([Step::Cut(vec![])]).await;
    let second = Node::start([Step::Answer(replaced()), Step::Answer(answer(204, &[], ""))]).await;
    let client = client(&[first.address, second.address]);
    client.put("k", "v").await.unwrap();
    client.delete("k").await.unwrap();
    assert_eq!(second.requests()[0].body, b"v");
}

#[tokio::test]
async fn what_is_not_repeatable_is_never_sent_twice() {
    let losses = [
        Step::Cut(vec![]),
        Step::Answer(problem(503, "outcome-unknown")),
        Step::Answer(answer(504, &[], "")),
    ];
    for loss in losses {
        let first = Node::start([loss.clone(), loss.clone(), loss.clone()]).await;
        let second = Node::start([]).await;
        let nodes = [first.address, second.address];
        let errors = [
            client(&nodes).patch("k", &Counter::add(1)).await.unwrap_err(),
            client(&nodes).put_with("k", "v", &if_absent()).await.unwrap_err(),
            client(&nodes).delete_if("k", &Condition::IfPresent).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, Error::OutcomeUnknown { .. }), "{loss:?}: {error}");
        }
        assert_eq!(first.requests().len(), 3, "{loss:?}");
        assert!(second.requests().is_empty(), "{loss:?}");
    }
}

#[tokio::test]
async fn a_patch_refused_for_another_reason_is_not_taken_elsewhere() {
    let first = Node::start([Step::Answer(problem(503, "majority-lost"))]).await;
    let second = Node::start([]).await;
    let error = client(&[first.address, second.address]).patch("k", &Counter::add(1)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable { problem, .. } if problem.code == "majority-lost"),
        "{error}"
    );
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn a_node_that_hangs_leaves_time_for_the_next() {
    let first = Node::start([Step::Hang(vec![])]).await;
    let second = Node::start([Step::Answer(found("v"))]).await;
    let nodes = [first.address, second.address];
    let client = Client::builder().nodes(nodes).timeout(Duration::from_secs(4)).build().unwrap();
    let start = Instant::now();
    assert_eq!(client.get("k").await.unwrap().unwrap().value, "v");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_operation_ends_at_its_timeout() {
    let first = Node::start([Step::Hang(vec![]), Step::Hang(vec![])]).await;
    let client =
        Client::builder().nodes([first.address]).timeout(Duration::from_millis(100)).build().unwrap();
    let error = client.get("k").await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { tried } if tried.len() == 1), "{error}");
    let error = client.patch("k", &Counter::add(1)).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
}

#[tokio::test]
async fn every_node_is_asked_once_and_named_in_the_error() {
    let nodes = [nobody().await, nobody().await, nobody().await];
    let error = client(&nodes).put_with("k", "v", &if_absent()).await.unwrap_err();
    let Error::Unreachable { tried } = &error else { panic!("{error}") };
    assert_eq!(tried.len(), 3);
    for node in nodes {
        assert!(error.to_string().contains(&node.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_write_whose_every_answer_was_lost_has_an_unknown_outcome() {
    let nodes = [Node::start([Step::Cut(vec![])]).await, Node::start([Step::Cut(vec![])]).await];
    let error = client(&[nodes[0].address, nodes[1].address]).put("k", "v").await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert!(nodes.iter().all(|node| node.requests().len() == 1));
}

#[tokio::test]
async fn an_untouched_stream_moves_on_and_a_touched_one_does_not() {
    let second = Node::start([Step::Answer(replaced())]).await;
    let value = Value::reader(&b"streamed"[..], Some(8));
    client(&[nobody().await, second.address]).put("k", value).await.unwrap();
    assert_eq!(second.request().body, b"streamed");

    let first = Node::start([Step::Cut(vec![])]).await;
    let value = Value::reader(&b"streamed"[..], Some(8));
    let error = client(&[first.address, second.address]).put("k", value).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert_eq!(second.requests().len(), 1);
}
