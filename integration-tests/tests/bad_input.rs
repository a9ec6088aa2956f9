//! What no client should send: each gets its documented answer, the connection stays sane, and nothing grows.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use ringhold_integration_tests::{Member, RawAnswer, Ring, wait_until};

const LIMIT: usize = 2 << 20;
const MIB: u64 = 1 << 20;

/// What the client is told of a problem: status and code.
fn problem(answer: &RawAnswer) -> (u16, String) {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("a problem is JSON");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    (answer.status, body["code"].as_str().expect("a problem has a code").to_owned())
}

async fn send(member: &Member, bytes: impl AsRef<[u8]>) -> RawAnswer {
    let mut connection = member.connect().await;
    connection.send(bytes).await;
    connection.answer().await.expect("an answer")
}

fn expect(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

/// After all that was done to it, a member answers as ever.
async fn assert_well(member: &Member) {
    member.object("PUT", "well").body("well").send().await;
    assert_eq!(member.object("GET", "well").send().await.text(), "well");
}

#[tokio::test]
async fn texts_that_are_no_keys() {
    let ring = Ring::start(3).await;
    let long = "k".repeat(1025);
    let escaped = "%6b".repeat(1025);
    let bad = [
        "",
        "%",
        "a%4",
        "%zz",
        "%+1",
        "%00",
        "a%0Ab",
        "%7f",
        "%c2%85",
        "%ff",
        "%c3",
        "%ed%a0%80",
        &long,
        &escaped,
    ];
    for member in ring.members() {
        // One connection for all: a bad key must not end it.
        let mut connection = member.connect().await;
        for key in bad {
            for method in ["GET", "PUT", "DELETE", "PATCH"] {
                let target = format!("/objects/{key}");
                connection
                    .send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"))
                    .await;
                let answer = connection.answer().await.expect("an answer");
                assert_eq!(problem(&answer), expect(400, "bad-key"), "{method} {key:?}");
            }
        }
        connection.send("GET /objects/absent HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(problem(&connection.answer().await.expect("an answer")), expect(404, "object-not-found"));
    }
}

#[tokio::test]
async fn times_to_live_that_are_none() {
    let ring = Ring::start(3).await;
    for way in ring.ways("bad-ttl") {
        for ttl in
            ["0", "-1", "1.5", "1e3", "0x10", "2147483648", "99999999999999999999999", "ten", "1 2", ","]
        {
            for method in ["PUT", "PATCH"] {
                let answer = way.request(method).header("X-TTL", ttl).body("value").send().await;
                answer.assert_problem(400, "bad-ttl");
            }
        }
        let twice = way.request("PUT").header("X-TTL", 5).header("X-TTL", 6).body("value").send().await;
        twice.assert_problem(400, "bad-ttl");
        way.request("GET").send().await.assert_status(404);
    }
}

#[tokio::test]
async fn conditions_and_types_that_are_malformed() {
    let ring = Ring::start(3).await;
    for way in ring.ways("bad-headers") {
        for (header, value, code) in [
            ("If-Match", "unquoted", "bad-condition"),
            ("If-None-Match", "\"open", "bad-condition"),
            ("If-Match", "", "bad-condition"),
            ("Content-Type", &"x".repeat(300), "bad-content-type"),
            ("Content-Range", "bytes 0-1/2", "partial-put"),
        ] {
            let answer = way.request("PUT").header(header, value).body("value").send().await;
            answer.assert_problem(400, code);
        }
        let encoded = way.request("PUT").header("Content-Encoding", "gzip").body("value").send().await;
        encoded.assert_problem(415, "unsupported-content-encoding");
        // A well-formed tag that no object of ours can have matches nothing.
        way.request("PUT")
            .header("If-Match", "\"other\"")
            .body("value")
            .send()
            .await
            .assert_problem(412, "precondition-failed");
        way.request("GET").send().await.assert_status(404);
    }
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let ring = Ring::start(3).await;
    for way in ring.ways("oversize") {
        let target = format!("/objects/{}", way.key);
        // Announced: refused before a byte of it is sent.
        let head = format!("PUT {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", LIMIT + 1);
        assert_eq!(problem(&send(way.asked, head).await), expect(413, "too-large"));
        let head = format!("PUT {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", u64::MAX / 2);
        assert_eq!(problem(&send(way.asked, head).await), expect(413, "too-large"));

        // Not announced: refused once it is.
        let mut bytes =
            format!("PUT {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
        for _ in 0..LIMIT / 65_536 + 1 {
            bytes.extend_from_slice(b"10000\r\n");
            bytes.resize(bytes.len() + 65_536, b'x');
            bytes.extend_from_slice(b"\r\n");
        }
        assert_eq!(problem(&send(way.asked, bytes).await), expect(413, "too-large"));

        // Asked first: not invited.
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            LIMIT + 1
        );
        assert_eq!(problem(&send(way.asked, head).await), expect(413, "too-large"));
        way.request("GET").send().await.assert_status(404);
    }
}

#[tokio::test]
async fn bodies_that_end_early_store_nothing() {
    let ring = Ring::start(3).await;
    for way in ring.ways("truncated") {
        for framing in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n10\r\nhalf"] {
            let mut connection = way.asked.connect().await;
            connection.send(format!("PUT /objects/{} HTTP/1.1\r\nHost: a\r\n{framing}", way.key)).await;
            connection.finish_sending().await;
            if let Some(answer) = connection.answer().await {
                assert_eq!(problem(&answer), expect(400, "bad-body"));
            }
            assert!(connection.is_closed_within(Duration::from_secs(5)).await, "{framing}");
            way.request("GET").send().await.assert_status(404);
        }
        let bad_chunk = format!(
            "PUT /objects/{} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot-hex\r\nvalue",
            way.key
        );
        let answer = send(way.asked, bad_chunk).await;
        assert_eq!(problem(&answer), expect(400, "bad-body"));
        way.request("GET").send().await.assert_status(404);
    }
}

#[tokio::test]
async fn slow_clients_are_not_waited_for() {
    let ring = Ring::builder(3)
        .set("limits.body_timeout", "300ms")
        .set("limits.header_timeout", "300ms")
        .start()
        .await;
    for way in ring.ways("slow") {
        let mut slow_body = way.asked.connect().await;
        slow_body
            .send(format!("PUT /objects/{} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf", way.key))
            .await;
        let answer = slow_body.answer().await.expect("an answer");
        assert_eq!(problem(&answer), expect(408, "body-timeout"));
        assert!(slow_body.is_closed_within(Duration::from_secs(5)).await);
        way.request("GET").send().await.assert_status(404);

        let mut slow_head = way.asked.connect().await;
        slow_head.send(format!("GET /objects/{} HTTP/1.1\r\nHo", way.key)).await;
        if let Some(answer) = slow_head.answer().await {
            assert_eq!(answer.status, 408);
        }
        assert!(slow_head.is_closed_within(Duration::from_secs(5)).await);
    }
}

#[tokio::test]
async fn requests_that_could_be_read_in_two_ways() {
    let ring = Ring::start(3).await;
    for way in ring.ways("smuggling") {
        for headers in [
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 6\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked, identity\r\n",
            "Content-Length: 99999999999999999999999999\r\n",
            "Content-Length : 5\r\n",
        ] {
            let mut connection = way.asked.connect().await;
            let target = format!("/objects/{}", way.key);
            let smuggled = "GET /objects/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
            connection
                .send(format!("PUT {target} HTTP/1.1\r\nHost: a\r\n{headers}\r\nvalue{smuggled}"))
                .await;
            let answer = connection.answer().await;
            assert_eq!(answer.map(|answer| answer.status), Some(400), "{headers:?}");
            assert!(connection.is_closed_within(Duration::from_secs(5)).await, "{headers:?} left it open");
            way.request("GET").send().await.assert_status(404);
        }
    }
}

#[tokio::test]
async fn requests_that_are_no_http() {
    let ring = Ring::start(1).await;
    let long_path = format!("GET /objects/{} HTTP/1.1\r\nHost: a\r\n\r\n", "k".repeat(100_000));
    let long_header = format!("GET /objects/a HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "v".repeat(100_000));
    let many_headers = format!("GET /objects/a HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: v\r\n".repeat(2000));
    for (bytes, statuses) in [
        ("hello\r\n\r\n", &[400][..]),
        ("GET /objects/a HTTP/1.1\r\nHost a\r\n\r\n", &[400]),
        ("GET /objects/\u{0}a HTTP/1.1\r\nHost: a\r\n\r\n", &[400]),
        ("GET /objects/a HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n", &[400]),
        ("GET /objects/a HTTP/1.1\r\n\r\n", &[400]),
        ("GET /objects/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]),
        ("GET /objects/a HTTP/9.9\r\nHost: a\r\n\r\n", &[400, 505]),
        (&long_path, &[400, 414, 431]),
        (&long_header, &[431]),
        (&many_headers, &[431]),
    ] {
        let answer = send(&ring[0], bytes).await;
        let shown: String = bytes.chars().take(60).collect();
        assert!(statuses.contains(&answer.status), "{} to {shown:?}", answer.status);
    }
    assert_well(&ring[0]).await;
}

#[tokio::test]
async fn patches_that_are_malformed_or_deep() {
    let ring = Ring::start(3).await;
    let deep_array = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_object = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let kinds = [
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/vnd.ringhold.counter+json",
        "application/vnd.ringhold.set+json",
        "application/vnd.ringhold.rate-limit+json",
    ];
    for way in ring.ways("malformed") {
        for kind in kinds {
            for document in ["", "{", "\u{0}", "{} {}", &deep_array, &deep_object] {
                let request = way.request("PATCH").header("Content-Type", kind).body(document.to_owned());
                request.send().await.assert_problem(400, "malformed-patch");
            }
            let bytes = way.request("PATCH").header("Content-Type", kind).body(vec![0xff, 0xfe]);
            bytes.send().await.assert_problem(400, "malformed-patch");
        }
        way.request("GET").send().await.assert_status(404);
    }
}

#[tokio::test]
async fn nothing_grows_and_nobody_ends() {
    let mut ring = Ring::start(3).await;
    let large = format!(
        "PUT /objects/a HTTP/1.1\r\nHost: a\r\nContent-Length: {LIMIT}\r\n\r\n{}",
        "x".repeat(LIMIT / 2)
    );
    let round = async |ring: &Ring| {
        for turn in 0..60 {
            let mut connection = ring[turn % 3].connect().await;
            match turn % 4 {
                0 => connection.send(&large).await,
                1 => connection.send("\u{0}".repeat(5000)).await,
                2 => connection.send(format!("GET /objects/{} HTTP/1.1\r\n", "k".repeat(50_000))).await,
                _ => {
                    connection
                        .send("PATCH /objects/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nf")
                        .await;
                }
            }
        }
    };
    // The first rounds fill the pools that every process keeps.
    for _ in 0..3 {
        round(&ring).await;
    }
    let before: Vec<_> = ring.members().iter().map(Member::resident_bytes).collect();
    for _ in 0..12 {
        round(&ring).await;
    }
    for (member, before) in ring.members().iter().zip(before) {
        let what = format!("{} to give memory back", member.address());
        let small = async || member.resident_bytes() < before + 64 * MIB;
        wait_until(Duration::from_secs(15), &what, small).await;
        assert_well(member).await;
        assert!(!member.log().contains("panicked"), "{} panicked", member.address());
    }
    assert!((0..3).all(|member| ring[member].is_running()));
}
