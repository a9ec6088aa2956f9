//! Who is asked next when a node fails, and how a repeat is told from a new request.

use std::time::{Duration, Instant};

use ringhold_client::{
    Client, Condition, Counter, DeleteOptions, Error, GetOptions, IdempotencyKey, PatchOptions, PutOptions,
    Value,
};

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

fn if_present() -> DeleteOptions {
    DeleteOptions::default().condition(Condition::IfPresent)
}

/// A patch and the two kinds of conditional writes, each through a client of its own.
async fn unrepeatable(nodes: &[std::net::SocketAddr]) -> [Result<(), Error>; 3] {
    [
        client(nodes).patch("k", &Counter::add(1)).await.map(drop),
        client(nodes).put_with("k", "v", &if_absent()).await.map(drop),
        client(nodes).delete_with("k", &if_present()).await.map(drop),
    ]
}

fn losses() -> [Step; 4] {
    [
        Step::Cut(vec![]),
        Step::Answer(problem(503, "outcome-unknown")),
        Step::Answer(problem(503, "too-few-copies")),
        Step::Answer(answer(504, &[], "")),
    ]
}

#[tokio::test]
async fn what_must_not_run_twice_is_repeated_under_the_same_name() {
    for loss in losses() {
        let first = Node::start([loss.clone(), loss.clone(), loss.clone()]).await;
        let tag = [("etag", crate::support::TAG)];
        let second = Node::start([
            Step::Answer(answer(200, &tag, "1")),
            Step::Answer(answer(201, &tag, "")),
            Step::Answer(answer(204, &[], "")),
        ])
        .await;
        for done in unrepeatable(&[first.address, second.address]).await {
            done.unwrap();
        }
        let names = |node: &Node| -> Vec<String> {
            let requests = node.requests();
            requests.iter().map(|request| request.header("idempotency-key").unwrap().to_owned()).collect()
        };
        assert_eq!(names(&first), names(&second), "{loss:?}");
        let different: std::collections::HashSet<_> = names(&first).into_iter().collect();
        assert_eq!(different.len(), 3, "each operation has a name of its own");
    }
}

#[tokio::test]
async fn what_no_node_answered_for_has_an_unknown_outcome() {
    for loss in losses() {
        let nodes = [Node::start(vec![loss.clone(); 3]).await, Node::start(vec![loss.clone(); 3]).await];
        for done in unrepeatable(&[nodes[0].address, nodes[1].address]).await {
            assert!(matches!(done, Err(Error::OutcomeUnknown { .. })), "{loss:?}: {done:?}");
        }
        assert!(nodes.iter().all(|node| node.requests().len() == 3), "{loss:?}");
    }
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_the_outcome() {
    let first = Node::start([Step::Cut(vec![])]).await;
    let second = Node::start([Step::Answer(problem(409, "patch-conflict"))]).await;
    let error = client(&[first.address, second.address]).patch("k", &Counter::add(1)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(_)), "{error}");
}

#[tokio::test]
async fn an_operation_keeps_the_name_that_its_caller_gave_it() {
    let tag = [("etag", crate::support::TAG)];
    let node = Node::start([
        Step::Answer(answer(200, &tag, "1")),
        Step::Answer(replaced()),
        Step::Answer(answer(204, &[], "")),
        Step::Answer(replaced()),
        Step::Answer(answer(204, &[], "")),
    ])
    .await;
    let client = client(&[node.address]);
    let name = IdempotencyKey::new("order-17").unwrap();
    let options = PatchOptions::default().idempotency_key(name.clone());
    client.patch_with("k", &Counter::add(1), &options).await.unwrap();
    client.put_with("k", "v", &PutOptions::default().idempotency_key(name.clone())).await.unwrap();
    client.delete_with("k", &DeleteOptions::default().idempotency_key(name)).await.unwrap();
    client.put("k", "v").await.unwrap();
    client.delete("k").await.unwrap();
    let requests = node.requests();
    let names: Vec<_> = requests.iter().map(|request| request.header("idempotency-key")).collect();
    assert_eq!(names, [Some("order-17"), Some("order-17"), Some("order-17"), None, None]);
}

#[tokio::test]
async fn a_node_that_cannot_serve_moves_a_patch_on() {
    for code in ["no-majority", "unavailable"] {
        let first = Node::start([Step::Answer(problem(503, code))]).await;
        let second = Node::start([Step::Answer(answer(200, &[("etag", crate::support::TAG)], "1"))]).await;
        let nodes = [first.address, second.address];
        assert_eq!(client(&nodes).patch("k", &Counter::add(1)).await.unwrap(), 1, "{code}");
        let alone = Node::start([Step::Answer(problem(503, code))]).await;
        let error = client(&[alone.address]).patch("k", &Counter::add(1)).await.unwrap_err();
        assert!(matches!(&error, Error::Unavailable { problem, .. } if problem.code == code), "{error}");
    }
}

#[tokio::test]
async fn a_stale_copy_is_asked_for_by_its_reader_only() {
    let node = Node::start([Step::Answer(found("old")), Step::Answer(found("new"))]).await;
    let client = client(&[node.address]);
    client.get_with("k", &GetOptions::default().max_stale()).await.unwrap();
    client.get("k").await.unwrap();
    let requests = node.requests();
    let asked: Vec<_> = requests.iter().map(|request| request.header("cache-control")).collect();
    assert_eq!(asked, [Some("max-stale"), None]);
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
