//! What a client can send that is wrong: each gets its documented answer, and the connection stays sane.

use std::time::Duration;

use super::Node;

#[tokio::test]
async fn a_bad_key_is_refused_and_the_connection_goes_on() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    let long = "a".repeat(1025);
    for key in
        ["", long.as_str(), "%", "a%2", "a%zz", "%00", "a%0Ab", "%7F", "%C2%85", "%FF", "%C3%28", "%ED%A0%80"]
    {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let refused = client.ask(&format!("{method} /objects/{key}\n\nbody")).await;
            assert_eq!((refused.status, refused.code().as_str()), (400, "bad-key"), "{method} {key:?}");
        }
    }
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn a_bad_time_to_live_is_refused_and_nothing_is_stored() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    for ttl in [
        "",
        "0",
        "-1",
        "2147483648",
        "5.0",
        "0x10",
        "1e3",
        "nan",
        "1 2",
        "1\nX-TTL: 1",
        "99999999999999999999",
    ] {
        for method in ["PUT", "PATCH"] {
            let request = format!("{method} /objects/a\nContent-Type: text/plain\nX-TTL: {ttl}\n\nbody");
            let refused = client.ask(&request).await;
            assert_eq!((refused.status, refused.code().as_str()), (400, "bad-ttl"), "{ttl:?}");
        }
    }
    assert_eq!(client.ask("GET /objects/a\nX-TTL: nonsense").await.status, 404, "it means nothing to a read");
    assert_eq!(client.ask("PUT /objects/a\nX-TTL: 2147483647\n\nbody").await.status, 201);
}

#[tokio::test]
async fn bodies_that_could_not_be_read_back_as_they_are_get_refused() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    for (header, status, code) in [
        ("Content-Encoding: gzip", 415, "unsupported-content-encoding"),
        ("Content-Encoding: identity\nContent-Encoding: gzip", 415, "unsupported-content-encoding"),
        ("Content-Range: bytes 0-3/10", 400, "partial-put"),
        ("Content-Type: a\nContent-Type: b", 400, "bad-content-type"),
        ("Content-Type: ", 400, "bad-content-type"),
        ("Content-Type: t\u{e9}xt/plain", 400, "bad-content-type"),
    ] {
        let refused = client.ask(&format!("PUT /objects/a\n{header}\n\nbody")).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{header}");
    }
    let long = "a".repeat(256);
    assert_eq!(client.ask(&format!("PUT /objects/a\nContent-Type: {long}\n\nbody")).await.status, 400);
    assert_eq!(client.ask("GET /objects/a").await.status, 404);
    assert_eq!(client.ask("PUT /objects/a\nContent-Encoding: identity\n\nbody").await.status, 201);
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_comes() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    client.send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nContent-Length: 100001\r\n\r\n").await;
    let refused = client.response().await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "too-large"));
    client.send(&vec![b'x'; 100_001]).await;
    assert!(client.is_usable().await, "a body a little too large is read and dropped");
    assert_eq!(client.ask("GET /objects/a").await.status, 404);
}

#[tokio::test]
async fn a_body_of_absurd_length_is_not_waited_for() {
    let node = Node::start().await;
    for length in ["18446744073709551613", "9223372036854775807", "100000000000"] {
        let mut client = node.connect().await;
        let head = format!("PUT /objects/a HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n");
        client.send(head.as_bytes()).await;
        assert_eq!(client.response().await.status, 413, "{length}");
    }
}

#[tokio::test]
async fn a_client_that_goes_on_sending_a_refused_body_loses_its_connection() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    client.send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nContent-Length: 100000000\r\n\r\n").await;
    assert_eq!(client.response().await.status, 413);
    let piece = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while tokio::io::AsyncWriteExt::write_all(&mut client.stream, &piece).await.is_ok() {
        sent += piece.len();
        assert!(sent < 90_000_000, "the node reads without end");
    }
}

#[tokio::test]
async fn a_chunked_body_is_refused_where_it_grows_too_large() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    client.send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for _ in 0..11 {
        client.send(format!("2710\r\n{}\r\n", "x".repeat(10_000)).as_bytes()).await;
    }
    let refused = client.response().await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "too-large"));
    client.send(b"0\r\n\r\n").await;
    assert!(client.is_usable().await);
    assert_eq!(client.ask("GET /objects/a").await.status, 404);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_before_it_sends() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    client
        .send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n")
        .await;
    let refused = client.response().await;
    assert_eq!((refused.status, refused.header("connection")), (413, Some("close")));
    assert!(client.is_closed().await);

    let mut client = node.connect().await;
    client
        .send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .await;
    assert_eq!(client.head_response().await.status, 100);
    client.send(b"body").await;
    assert_eq!(client.response().await.status, 201);
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let node = Node::start().await;
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let mut client = node.connect().await;
        let head = format!("PUT /objects/a HTTP/1.1\r\nHost: t\r\n{framing}\r\n\r\n4\r\nbo");
        client.send(head.as_bytes()).await;
        tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
        let refused = client.response().await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad-body"), "{framing}");
        assert_eq!(refused.header("connection"), Some("close"));
        assert!(client.is_closed().await);
    }
    assert_eq!(node.ask("GET /objects/a").await.status, 404);
}

#[tokio::test]
async fn malformed_chunks_are_refused() {
    let node = Node::start().await;
    for chunks in
        ["zz\r\nbody\r\n0\r\n\r\n", "4\r\nbodyX\r\n0\r\n\r\n", "-4\r\nbody\r\n", "ffffffffffffffffff\r\n"]
    {
        let mut client = node.connect().await;
        client.send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        client.send(chunks.as_bytes()).await;
        let refused = client.response().await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad-body"), "{chunks:?}");
        assert!(client.is_closed().await);
    }
    assert_eq!(node.ask("GET /objects/a").await.status, 404);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let node = Node::limited(|limits| limits.body_timeout = Duration::from_millis(100)).await;
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let mut client = node.connect().await;
        client
            .send(format!("PUT /objects/a HTTP/1.1\r\nHost: t\r\n{framing}\r\n\r\n4\r\nbo").as_bytes())
            .await;
        let refused = client.response().await;
        assert_eq!((refused.status, refused.code().as_str()), (408, "body-timeout"), "{framing}");
        assert_eq!(refused.header("connection"), Some("close"));
        assert!(client.is_closed().await);
    }
    assert_eq!(node.ask("GET /objects/a").await.status, 404);
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_too() {
    let node = Node::limited(|limits| limits.body_timeout = Duration::from_millis(200)).await;
    let mut client = node.connect().await;
    client.send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n").await;
    let mut trickle = tokio::time::interval(Duration::from_millis(20));
    let trickling = async {
        loop {
            trickle.tick().await;
            client.stream.writable().await.unwrap();
            if client.stream.try_write(b"x").is_err() || client.stream.try_read_buf(&mut client.read).is_ok()
            {
                return;
            }
        }
    };
    tokio::time::timeout(super::DEADLINE, trickling).await.expect("an answer before the body has come");
    assert_eq!(client.response().await.status, 408);
}

#[tokio::test]
async fn bodies_wait_for_their_share_of_memory_and_not_for_ever() {
    let node = Node::limited(|limits| {
        limits.max_body_bytes_in_flight = 50_000;
        limits.body_timeout = Duration::from_millis(300);
    })
    .await;
    let head = "PUT /objects/a HTTP/1.1\r\nHost: t\r\nContent-Length: 40000\r\n\r\n";
    let mut holder = node.connect().await;
    holder.send(head.as_bytes()).await;
    holder.send(&vec![b'x'; 39_999]).await;
    // Small bodies need no share, so this is answered; by then the holder's head has been read.
    assert_eq!(node.ask("PUT /objects/small\n\nbody").await.status, 201);
    let mut waiting = node.connect().await;
    waiting.send(head.as_bytes()).await;
    waiting.send(&vec![b'y'; 40_000]).await;
    let (held, waited) = tokio::join!(holder.response(), waiting.response());
    assert_eq!((held.status, held.code().as_str()), (408, "body-timeout"));
    let outcome = waited.status;
    assert!(outcome == 201 || outcome == 503 && waited.header("retry-after") == Some("1"), "{waited:?}");
    assert_eq!(
        node.ask(&format!("PUT /objects/b\n\n{}", "z".repeat(40_000))).await.status,
        201,
        "all is given back"
    );
}

#[tokio::test]
async fn conflicting_lengths_are_refused_and_end_the_connection() {
    let node = Node::start().await;
    for lengths in [
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4, 5",
        "Content-Length: -4",
        "Content-Length: x",
    ] {
        let mut client = node.connect().await;
        client.send(format!("PUT /objects/a HTTP/1.1\r\nHost: t\r\n{lengths}\r\n\r\nbody").as_bytes()).await;
        assert_eq!(client.response().await.status, 400, "{lengths}");
        assert!(client.is_closed().await);
    }
    let mut client = node.connect().await;
    let both =
        "PUT /objects/b HTTP/1.1\r\nHost: t\r\nContent-Length: 400\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(both.as_bytes()).await;
    client.send(b"4\r\nbody\r\n0\r\n\r\n").await;
    assert_eq!(client.response().await.status, 201, "chunks win");
    assert!(client.is_closed().await, "and nothing that follows is taken for a request");
    assert_eq!(node.ask("GET /objects/a").await.status, 404);
}

#[tokio::test]
async fn a_transfer_encoding_that_is_not_chunked_is_refused() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    client.send(b"PUT /objects/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\nbody").await;
    assert_eq!(client.response().await.status, 400);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused() {
    let node = Node::limited(|limits| limits.max_header_bytes = 16 << 10).await;
    let many: String = (0..101).map(|at| format!("X-{at}: a\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "a".repeat(20_000));
    for flood in [many, long] {
        let mut client = node.connect().await;
        client.send(format!("GET /objects/a HTTP/1.1\r\nHost: t\r\n{flood}\r\n").as_bytes()).await;
        assert_eq!(client.response().await.status, 431);
        assert!(client.is_closed().await);
    }
    let fine: String = (0..99).map(|at| format!("\nX-{at}: a")).collect();
    assert_eq!(node.ask(&format!("GET /healthz{fine}")).await.status, 200);
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let node = Node::start().await;
    for garbage in [
        "\u{1}\u{2}\u{3} nothing\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/3.7\r\n\r\n",
        "GET /objects/a b HTTP/1.1\r\n\r\n",
    ] {
        let mut client = node.connect().await;
        client.send(garbage.as_bytes()).await;
        assert_eq!(client.response().await.status, 400, "{garbage:?}");
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        client.send(format!("GET /healthz HTTP/1.1\r\n{hosts}\r\n").as_bytes()).await;
        let refused = client.response().await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad-host"));
    }
    assert!(client.is_usable().await);
    client.send(b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.response().await.status, 200, "HTTP/1.0 knows no Host");
}
