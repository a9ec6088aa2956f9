//! The Repose dialect, `/powerapi/dist-datastore/objects/{key}`: Repose's own cases, with opaque bytes in place of
//! Java streams.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use ringhold_integration_tests::{Answer, Member, RawAnswer, Request, Ring, wait_until};
use ringhold_ring::Digest;

const PREFIX: &str = "/powerapi/dist-datastore/objects/";
const BAD_KEY: &str = "Cache key specified is invalid";
const BAD_TTL: &str = "X-TTL must be a valid, positive integer number";
const BAD_BEHAVIOR: &str = "X-PP-Datastore-Behavior header is not an expected value";
const TOO_LARGE: &str = "Object is too large to store into the cache.";
const LIMIT: usize = 2_097_152;

/// A key in Repose's form that nothing else in its ring uses.
fn key(name: &str) -> String {
    Digest::of(name.as_bytes()).to_uuid().to_string()
}

fn object(member: &Member, method: &str, key: &str) -> Request {
    member.request(method, &format!("{PREFIX}{key}"))
}

/// Sends a target exactly as it is written.
async fn raw(member: &Member, method: &str, target: &str, headers: &str, body: &str) -> RawAnswer {
    let mut connection = member.connect().await;
    let length = body.len();
    connection
        .send(format!(
            "{method} {target} HTTP/1.1\r\nHost: ring\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
        .await;
    connection.answer().await.expect("an answer")
}

/// As Repose answers: without a body, a type or a name of the server.
fn assert_bare(answer: &Answer, status: u16) {
    answer.assert_status(status);
    assert!(answer.body.is_empty(), "{answer:?}");
    assert_eq!(answer.header("server"), None);
}

#[tokio::test]
async fn put_get_delete() {
    let ring = Ring::start(3).await;
    for (turn, asked) in ring.members().iter().enumerate() {
        for number in 0..10 {
            let key = key(&format!("crud-{turn}-{number}"));
            assert_bare(&object(asked, "GET", &key).send().await, 404);
            let value = format!("\u{0}value {number}");
            assert_bare(
                &object(asked, "PUT", &key).header("X-TTL", 10).body(value.clone()).send().await,
                202,
            );
            for member in ring.members() {
                let get = object(member, "GET", &key).send().await;
                get.assert_status(200);
                assert_eq!(get.text(), value);
                assert_eq!(get.header("server"), None);
                let head = object(member, "HEAD", &key).send().await;
                head.assert_status(200);
                assert_eq!(head.header("content-length"), get.header("content-length"));
            }
            assert_bare(&object(asked, "PUT", &key).body("newer").send().await, 202);
            assert_eq!(object(asked, "GET", &key).send().await.text(), "newer");
            assert_bare(&object(asked, "DELETE", &key).send().await, 204);
            assert_bare(&object(asked, "DELETE", &key).send().await, 204);
            assert_bare(&object(asked, "GET", &key).send().await, 404);
        }
    }
}

#[tokio::test]
async fn the_query_is_no_part_of_the_key() {
    let ring = Ring::start(3).await;
    let key = key("query");
    object(&ring[0], "PUT", &format!("{key}?foo=bar")).body("value").send().await.assert_status(202);
    assert_eq!(object(&ring[1], "GET", &key).send().await.text(), "value");
}

#[tokio::test]
async fn a_key_is_thirty_six_raw_characters() {
    let ring = Ring::start(3).await;
    let uuid = key("bad");
    let bad = [
        format!("{uuid}///"),
        "foo/bar/?assd=adff".into(),
        "foo".into(),
        format!("{uuid}a"),
        format!("////////{uuid}"),
        String::new(),
        "%20foo%20".into(),
        "%2F%2D%20".into(),
    ];
    for member in ring.members() {
        for bad in &bad {
            let target = format!("{PREFIX}{bad}");
            for (method, status, text) in
                [("PUT", 400, BAD_KEY), ("PATCH", 400, BAD_KEY), ("GET", 404, BAD_KEY), ("DELETE", 204, "")]
            {
                let answer = raw(member, method, &target, "X-TTL: 10\r\n", "").await;
                assert_eq!((answer.status, answer.text().as_str()), (status, text), "{method} {target}");
            }
        }
        let answer = raw(member, "HEAD", PREFIX, "", "").await;
        assert_eq!(answer.status, 404);
    }
}

#[tokio::test]
async fn thirty_six_characters_of_any_kind_are_a_key() {
    let ring = Ring::start(3).await;
    let upper = key("case").to_uppercase();
    for odd in ["%41".repeat(12), "a/../b;c=d/./".repeat(3)[..36].into(), upper.clone(), "-".repeat(36)] {
        let target = format!("{PREFIX}{odd}");
        assert_eq!(raw(&ring[0], "PUT", &target, "", &odd).await.status, 202, "{odd}");
        let answer = raw(&ring[1], "GET", &target, "", "").await;
        assert_eq!((answer.status, answer.text()), (200, odd));
    }
    assert_eq!(raw(&ring[0], "GET", &format!("{PREFIX}{}", upper.to_lowercase()), "", "").await.status, 404);
    assert_eq!(raw(&ring[0], "GET", &format!("{PREFIX}{}", "A".repeat(12)), "", "").await.status, 404);
}

#[tokio::test]
async fn a_ttl_is_a_positive_java_integer() {
    let ring = Ring::start(3).await;
    for member in ring.members() {
        for (turn, bad) in ["nan", "-1", "0", "2147483648", "5.0", "0x10", "1e3"].into_iter().enumerate() {
            let key = key(&format!("bad-ttl-{turn}"));
            let answer = object(member, "PUT", &key).header("X-TTL", bad).body("value").send().await;
            assert_eq!((answer.status, answer.text()), (400, BAD_TTL), "{bad}");
            object(member, "GET", &key).send().await.assert_status(404);
        }
        for (turn, good) in ["+5", "007", " 5 ", "2147483647", ""].into_iter().enumerate() {
            let target = format!("{PREFIX}{}", key(&format!("ttl-{turn}")));
            let answer = raw(member, "PUT", &target, &format!("x-ttl: {good}\r\n"), "value").await;
            assert_eq!(answer.status, 202, "{good:?}");
        }
    }
}

#[tokio::test]
async fn objects_expire_and_live_a_minute_by_default() {
    let ring = Ring::start(3).await;
    let (brief, default) = (key("brief"), key("default"));
    object(&ring[0], "PUT", &brief).header("X-TTL", 2).body("foo").send().await.assert_status(202);
    object(&ring[0], "PUT", &default).body("foo").send().await.assert_status(202);
    assert_eq!(object(&ring[1], "GET", &brief).send().await.text(), "foo");
    let gone = async || object(&ring[2], "GET", &brief).send().await.status == 404;
    wait_until(Duration::from_secs(4), "expiry after two seconds", gone).await;

    // The same object under its other path tells how long it has left.
    let left = ring[1].object("GET", &default).send().await;
    let left = left.header("x-ttl").and_then(|left| left.parse::<u64>().ok()).expect("it expires");
    assert!((50..=60).contains(&left), "{left}");
}

#[tokio::test]
async fn two_mebibytes_are_the_limit() {
    let ring = Ring::start(3).await;
    for member in ring.members() {
        let (largest, larger) = (key("largest"), key("larger"));
        object(member, "PUT", &largest).body(vec![1; LIMIT]).send().await.assert_status(202);
        assert_eq!(object(&ring[0], "GET", &largest).send().await.body.len(), LIMIT);
        let answer = object(member, "PUT", &larger).body(vec![1; LIMIT + 1]).send().await;
        assert_eq!((answer.status, answer.text()), (413, TOO_LARGE));
        object(member, "GET", &larger).send().await.assert_status(404);
    }
}

#[tokio::test]
async fn the_first_mistake_in_order_is_answered() {
    let ring = Ring::start(3).await;
    let target = |key: &str| format!("{PREFIX}{key}");
    let large = "x".repeat(LIMIT + 1);
    for member in ring.members() {
        let key = key("precedence");
        for (path, headers, body, status, text) in [
            ("short", "X-TTL: no\r\nX-PP-Datastore-Behavior: no\r\n", large.as_str(), 400, BAD_KEY),
            (&key, "X-TTL: no\r\nX-PP-Datastore-Behavior: no\r\n", &large, 400, BAD_TTL),
            (&key, "X-PP-Datastore-Behavior: no\r\n", &large, 413, TOO_LARGE),
            (&key, "X-PP-Datastore-Behavior: no\r\n", "small", 400, BAD_BEHAVIOR),
            (&key, "X-PP-Datastore-Behavior: disallow_Forwarding\r\n", "small", 202, ""),
        ] {
            let answer = raw(member, "PUT", &target(path), headers, body).await;
            assert_eq!((answer.status, answer.text().as_str()), (status, text), "{path} {headers}");
        }
        for method in ["GET", "DELETE"] {
            let answer = raw(member, method, &target(&key), "X-PP-Datastore-Behavior: no\r\n", "").await;
            assert_eq!((answer.status, answer.text().as_str()), (400, ""), "{method}");
        }
    }
}

#[tokio::test]
async fn methods_and_paths_it_does_not_know() {
    let ring = Ring::start(3).await;
    let target = format!("{PREFIX}{}", key("methods"));
    for member in ring.members() {
        let options = raw(member, "OPTIONS", PREFIX, "", "").await;
        assert_eq!(options.status, 200);
        let allowed = options.header("allow").expect("it says what is allowed").to_owned();
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            assert!(allowed.split(',').any(|allowed| allowed.trim() == method), "{method} in {allowed}");
        }
        for (method, status) in
            [("POST", 405), ("TRACE", 405), ("CUSTOM", 501), ("BOGUS", 501), ("PROPFIND", 501), ("put", 501)]
        {
            let answer = raw(member, method, &target, "", "").await;
            assert_eq!(answer.status, status, "{method}");
        }
        assert_eq!(raw(member, "DELETE", "/invalid/target", "", "").await.status, 404);
        assert_eq!(raw(member, "GET", PREFIX.trim_end_matches('/'), "", "").await.status, 404);
    }
}

#[tokio::test]
async fn a_patch_appends_and_answers_the_whole() {
    let ring = Ring::start(3).await;
    for (turn, member) in ring.members().iter().enumerate() {
        let key = key(&format!("patch-{turn}"));
        let first = object(member, "PATCH", &key).header("X-TTL", 10).body("original value").send().await;
        assert_eq!((first.status, first.text()), (200, "original value"));
        let second = object(&ring[0], "PATCH", &key).body(" patched on value").send().await;
        assert_eq!((second.status, second.text()), (200, "original value patched on value"));
        assert_eq!(object(&ring[2], "GET", &key).send().await.body, second.body);
        let large = object(member, "PATCH", &key).body(vec![1; LIMIT + 1]).send().await;
        assert_eq!((large.status, large.text()), (413, TOO_LARGE));
    }
}
