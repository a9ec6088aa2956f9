//! Connections: how many, how long, and how they end.

use std::time::Duration;

use super::{DEADLINE, Node};

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    let requests: String = (0..16)
        .map(|at| match at % 2 {
            0 => super::framed(&format!("PUT /objects/{at}\n\nvalue {at}")),
            _ => super::framed(&format!("GET /objects/{}", at - 1)),
        })
        .collect();
    client.send(requests.as_bytes()).await;
    for at in 0..16 {
        let response = client.response().await;
        match at % 2 {
            0 => assert_eq!(response.status, 201),
            _ => assert_eq!(response.text(), format!("value {}", at - 1)),
        }
    }
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn an_error_among_pipelined_requests_costs_no_other() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    let too_large = "x".repeat(100_001);
    let requests: String = [
        "PUT /objects/a\n\none".to_owned(),
        format!("PUT /objects/b\n\n{too_large}"),
        "POST /objects/a\n\nbody".to_owned(),
        "PUT /objects/%zz\n\nbody".to_owned(),
        "PUT /nowhere\n\nbody".to_owned(),
        "GET /objects/a".to_owned(),
    ]
    .iter()
    .map(|request| super::framed(request))
    .collect();
    client.send(requests.as_bytes()).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(client.response().await.status);
    }
    assert_eq!(statuses, [201, 413, 405, 400, 404, 200]);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    let two = super::framed("PUT /objects/a\n\none") + &super::framed("GET /objects/a");
    let (first, rest) = two.split_at(two.len() - 5);
    client.send(first.as_bytes()).await;
    assert_eq!(client.response().await.status, 201);
    client.send(rest.as_bytes()).await;
    assert_eq!(client.response().await.text(), "one");
}

#[tokio::test]
async fn answers_before_a_malformed_request_arrive() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    let requests = super::framed("PUT /objects/a\n\none") + "\u{1}garbage\r\n\r\nmore garbage";
    client.send(requests.as_bytes()).await;
    assert_eq!(client.response().await.status, 201);
    assert_eq!(client.response().await.status, 400);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_connection_ends_when_the_client_says_so() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    assert_eq!(client.ask("GET /healthz\nConnection: close").await.status, 200);
    assert!(client.is_closed().await);
    let mut client = node.connect().await;
    client.send(b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.response().await.status, 200);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_client_that_has_shut_its_sending_side_is_still_answered() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    client.send(super::framed("PUT /objects/a\n\none").as_bytes()).await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
    assert_eq!(client.response().await.status, 201);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_cut_off() {
    let node = Node::limited(|limits| limits.header_timeout = Duration::from_millis(200)).await;
    for opening in ["", "G", "GET /healthz HTTP/1.1\r\nHost: t\r\nX-Slow"] {
        let mut client = node.connect().await;
        client.send(opening.as_bytes()).await;
        assert!(client.is_closed().await, "{opening:?}");
    }
    let mut client = node.connect().await;
    assert!(client.is_usable().await);
    client.send(b"GET /he").await;
    assert!(client.is_closed().await, "a later head has no more time than the first");
}

#[tokio::test]
async fn an_idle_connection_outlives_the_time_for_a_head() {
    let node = Node::limited(|limits| limits.header_timeout = Duration::from_millis(50)).await;
    let mut idle = node.connect().await;
    assert!(idle.is_usable().await);
    // A second connection shows that the time for a head has passed, many times over.
    for _ in 0..5 {
        assert!(node.connect().await.is_closed().await);
    }
    assert!(idle.is_usable().await);
}

#[tokio::test]
async fn a_client_beyond_the_limit_is_told_so_and_loses_its_connection() {
    let node = Node::limited(|limits| limits.max_connections = 1).await;
    let mut first = node.connect().await;
    assert!(first.is_usable().await);
    let mut second = node.connect().await;
    let refused = second.ask("PUT /objects/a\n\nvalue").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(second.is_closed().await);
    drop(first);
    // The node sees that in its own time.
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while node.connect().await.ask("GET /objects/a").await.status != 404 {
        assert!(tokio::time::Instant::now() < deadline, "there is room again");
    }
}

#[tokio::test]
async fn a_crowd_of_clients_cuts_the_node_off_from_nobody_who_looks_after_it() {
    let node = Node::limited(|limits| {
        limits.max_connections = 1;
        limits.header_timeout = Duration::from_millis(100);
    })
    .await;
    let mut first = node.connect().await;
    assert!(first.is_usable().await);
    // More than are let in at once, and none of them says anything.
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(node.connect().await);
    }
    assert_eq!(node.connect().await.ask("GET /healthz").await.status, 200);
    assert_eq!(node.connect().await.ask("GET /readyz").await.status, 200);
    let mut member = node.connect().await;
    let upgraded = member.ask("GET /internal/peer\nConnection: upgrade\nUpgrade: ringhold-peer/1").await;
    assert_eq!((upgraded.status, upgraded.header("connection")), (101, Some("upgrade")));
    assert!(first.is_usable().await);
}

#[tokio::test]
async fn a_node_that_leaves_says_so_before_it_closes_connections() {
    let mut node = Node::start().await;
    let (mut busy, mut other) = (node.connect().await, node.connect().await);
    assert!(busy.is_usable().await && other.is_usable().await);
    node.app.leave();
    let last = busy.ask("GET /healthz").await;
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert!(busy.is_closed().await);
    // The next request may be under way when the node stops.
    node.shutdown.cancel();
    let last = other.ask("PUT /objects/a\n\nvalue").await;
    assert_eq!((last.status, last.header("connection")), (201, Some("close")));
    assert!(other.is_closed().await);
    tokio::time::timeout(DEADLINE, &mut node.serving).await.expect("it returns").unwrap();
}

#[tokio::test]
async fn a_node_that_stops_finishes_what_it_has_begun() {
    let mut node = Node::start().await;
    let mut idle = node.connect().await;
    assert!(idle.is_usable().await);
    let mut busy = node.connect().await;
    busy.send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .await;
    assert_eq!(busy.head_response().await.status, 100);
    node.shutdown.cancel();
    assert!(idle.is_closed().await);
    assert!(!node.serving.is_finished());
    busy.send(b"body").await;
    assert_eq!(busy.response().await.status, 201);
    assert!(busy.is_closed().await);
    tokio::time::timeout(DEADLINE, &mut node.serving).await.expect("it returns").unwrap();
    assert!(tokio::net::TcpStream::connect(node.address).await.is_err());
}

#[tokio::test]
async fn whoever_connected_before_a_node_stops_is_answered() {
    let mut node = Node::start().await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        // Nothing else runs on this thread, so the node has not accepted it.
        let stream = std::net::TcpStream::connect(node.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        clients.push(super::Client::over(tokio::net::TcpStream::from_std(stream).unwrap()));
    }
    node.shutdown.cancel();
    for client in &mut clients {
        assert_eq!(client.ask("PUT /objects/a\n\nvalue").await.header("connection"), Some("close"));
        assert!(client.is_closed().await);
    }
    tokio::time::timeout(DEADLINE, &mut node.serving).await.expect("it returns").unwrap();
}

#[tokio::test]
async fn dropping_the_server_ends_every_connection() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    assert!(client.is_usable().await);
    node.serving.abort();
    assert!(client.is_closed().await);
}
