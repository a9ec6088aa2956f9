//! The object API, every line of it, through every node and for keys of every owner. Patches are in `patches`.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::{Duration, SystemTime};

use ringhold_integration_tests::{Answer, Ring, wait_until};

const MIB: usize = 1 << 20;

/// The value under the key of `way`, read through every member, is `expected`.
async fn assert_everywhere(ring: &Ring, key: &str, expected: &[u8]) {
    for member in ring.members() {
        let answer = member.object("GET", key).send().await;
        answer.assert_status(200);
        assert_eq!(answer.body, expected, "through {}", member.address());
    }
}

fn ttl(answer: &Answer) -> Option<u64> {
    answer.header("x-ttl").map(|seconds| seconds.parse().expect("whole seconds"))
}

#[tokio::test]
async fn what_is_put_through_one_node_is_read_through_every_node() {
    let ring = Ring::start(3).await;
    for way in ring.ways("put") {
        way.request("GET").send().await.assert_problem(404, "object-not-found");

        let created = way.request("PUT").body("one").send().await;
        created.assert_status(201);
        assert!(created.body.is_empty());
        assert_everywhere(&ring, &way.key, b"one").await;

        let replaced = way.request("PUT").body("two").send().await;
        replaced.assert_status(204);
        assert_ne!(created.etag(), replaced.etag());
        assert_everywhere(&ring, &way.key, b"two").await;
    }
}

#[tokio::test]
async fn a_read_tells_type_version_and_age() {
    let ring = Ring::start(3).await;
    for way in ring.ways("read") {
        let put = way.request("PUT").body("value").send().await;
        for member in ring.members() {
            let get = member.object("GET", &way.key).send().await;
            get.assert_status(200);
            assert_eq!(get.header("content-type"), Some("application/octet-stream"));
            assert_eq!(get.header("content-length"), Some("5"));
            assert_eq!(get.etag(), put.etag());
            assert_eq!(ttl(&get), None);
            assert!(get.header("last-modified").is_some_and(|date| date.ends_with(" GMT")), "{get:?}");

            let head = member.object("HEAD", &way.key).send().await;
            head.assert_status(200);
            assert!(head.body.is_empty());
            for name in ["content-type", "content-length", "etag", "last-modified", "x-ringhold-member"] {
                assert_eq!(head.header(name), get.header(name), "{name}");
            }
        }
        way.asked.object("HEAD", &format!("{}-missing", way.key)).send().await.assert_status(404);
    }
}

#[tokio::test]
async fn the_type_that_was_put_is_read() {
    let ring = Ring::start(3).await;
    for way in ring.ways("type") {
        for content_type in ["application/json", "text/plain; charset=utf-8", "image/x-of-our-own"] {
            way.request("PUT").header("Content-Type", content_type).body("{}").send().await;
            for member in ring.members() {
                let get = member.object("GET", &way.key).send().await;
                assert_eq!(get.header("content-type"), Some(content_type));
            }
        }
        way.request("PUT").body("{}").send().await;
        assert_eq!(way.request("GET").send().await.header("content-type"), Some("application/octet-stream"));
    }
}

#[tokio::test]
async fn an_answer_says_who_executed_and_how_it_got_there() {
    let ring = Ring::start(3).await;
    for way in ring.ways("route") {
        let owner = way.owner.address().to_string();
        for method in ["PUT", "GET", "HEAD", "DELETE", "GET"] {
            let answer = way.request(method).send().await;
            assert_eq!(answer.header("x-ringhold-member"), Some(owner.as_str()), "{method} {answer:?}");
            let route = if way.is_local() { "local" } else { "forwarded" };
            assert_eq!(answer.header("x-ringhold-route"), Some(route), "{method} {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_object_lives_as_long_as_its_ttl() {
    let ring = Ring::start(3).await;
    let ways = ring.ways("ttl");
    for way in &ways {
        way.request("PUT").header("X-TTL", 2).body("brief").send().await.assert_status(201);
        let left = ttl(&way.request("GET").send().await).expect("it expires");
        assert!((1..=2).contains(&left), "{left}");
    }
    for way in &ways {
        wait_until(Duration::from_secs(4), "expiry", async || way.request("GET").send().await.status == 404)
            .await;
        way.request("PUT").body("again").send().await.assert_status(201);
        assert_eq!(ttl(&way.request("GET").send().await), None);

        way.request("PUT").header("X-TTL", i32::MAX).body("long").send().await.assert_status(204);
        let left = ttl(&way.request("GET").send().await).expect("it expires");
        assert!(left > i32::MAX as u64 - 60, "{left}");
    }
}

#[tokio::test]
async fn without_a_ttl_the_default_of_the_store_applies() {
    let ring = Ring::builder(3).set("store.default_ttl", "100s").start().await;
    for way in ring.ways("default-ttl") {
        way.request("PUT").body("value").send().await;
        let left = ttl(&way.request("GET").send().await).expect("it expires");
        assert!((90..=100).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn a_reader_that_has_the_object_is_told_so() {
    let ring = Ring::start(3).await;
    for way in ring.ways("not-modified") {
        let tag = way.request("PUT").body("value").send().await.etag().to_owned();
        let other = way.request("PUT").body("newer").send().await.etag().to_owned();

        for known in [other.clone(), format!("W/{other}"), format!("{tag}, {other}"), "*".to_owned()] {
            let answer = way.request("GET").header("If-None-Match", &known).send().await;
            answer.assert_status(304);
            assert!(answer.body.is_empty());
            assert_eq!(answer.etag(), other);
        }
        let answer = way.request("GET").header("If-None-Match", &tag).send().await;
        answer.assert_status(200);
        assert_eq!(answer.body, "newer");

        let date = answer.header("last-modified").expect("it has a date").to_owned();
        way.request("GET").header("If-Modified-Since", &date).send().await.assert_status(304);
        way.request("GET").header("If-Match", &tag).send().await.assert_problem(412, "precondition-failed");
        way.request("GET").header("If-Match", &other).send().await.assert_status(200);
    }
}

#[tokio::test]
async fn a_write_happens_only_when_its_conditions_hold() {
    let ring = Ring::start(3).await;
    for way in ring.ways("conditions") {
        let failed = |answer: Answer| answer.assert_problem(412, "precondition-failed");
        failed(way.request("PUT").header("If-Match", "*").body("no").send().await);
        way.request("GET").send().await.assert_status(404);

        let created = way.request("PUT").header("If-None-Match", "*").body("one").send().await;
        created.assert_status(201);
        failed(way.request("PUT").header("If-None-Match", "*").body("no").send().await);

        let replaced = way.request("PUT").header("If-Match", created.etag()).body("two").send().await;
        replaced.assert_status(204);
        failed(way.request("PUT").header("If-Match", created.etag()).body("no").send().await);
        failed(way.request("DELETE").header("If-Match", created.etag()).send().await);
        failed(way.request("PATCH").header("If-Match", created.etag()).body("no").send().await);
        assert_everywhere(&ring, &way.key, b"two").await;

        way.request("DELETE").header("If-Match", replaced.etag()).send().await.assert_status(204);
        way.request("GET").send().await.assert_status(404);
    }
}

#[tokio::test]
async fn one_range_is_answered_in_part() {
    let ring = Ring::start(3).await;
    for way in ring.ways("range") {
        let tag = way.request("PUT").body("0123456789").send().await.etag().to_owned();
        for (range, part, content_range) in [
            ("bytes=0-0", "0", "bytes 0-0/10"),
            ("bytes=2-4", "234", "bytes 2-4/10"),
            ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=5-500", "56789", "bytes 5-9/10"),
        ] {
            let answer = way.request("GET").header("Range", range).send().await;
            answer.assert_status(206);
            assert_eq!(answer.text(), part, "{range}");
            assert_eq!(answer.header("content-range"), Some(content_range), "{range}");
            assert_eq!(answer.etag(), tag);
        }
        let answer = way.request("GET").header("Range", "bytes=10-").send().await;
        answer.assert_problem(416, "range-not-satisfiable");
        assert_eq!(answer.header("content-range"), Some("bytes */10"));

        for whole in ["bytes=0-1,3-4", "lines=1-2", "bytes=4-2"] {
            let answer = way.request("GET").header("Range", whole).send().await;
            answer.assert_status(200);
            assert_eq!(answer.text(), "0123456789", "{whole}");
        }
    }
}

#[tokio::test]
async fn an_object_is_as_large_as_the_limit_and_no_larger() {
    let ring = Ring::start(3).await;
    for way in ring.ways("size") {
        let largest: Vec<u8> = (0..2 * MIB).map(|at| (at * 31 % 251) as u8).collect();
        way.request("PUT").body(largest.clone()).send().await.assert_status(201);
        assert_everywhere(&ring, &way.key, &largest).await;

        way.request("PUT").body(vec![0; 2 * MIB + 1]).send().await.assert_problem(413, "too-large");
        assert_everywhere(&ring, &way.key, &largest).await;

        way.request("PUT").body("").send().await.assert_status(204);
        assert_everywhere(&ring, &way.key, b"").await;
    }
}

#[tokio::test]
async fn a_delete_leaves_nothing_whether_or_not_something_was_there() {
    let ring = Ring::start(3).await;
    for way in ring.ways("delete") {
        way.request("DELETE").send().await.assert_status(204);
        way.request("PUT").body("value").send().await.assert_status(201);
        let deleted = way.request("DELETE").send().await;
        deleted.assert_status(204);
        assert!(deleted.body.is_empty());
        for member in ring.members() {
            member.object("GET", &way.key).send().await.assert_problem(404, "object-not-found");
        }
        way.request("DELETE").send().await.assert_status(204);
        way.request("PUT").body("value").send().await.assert_status(201);
    }
}

#[tokio::test]
async fn methods_are_told_truthfully() {
    let ring = Ring::start(3).await;
    for way in ring.ways("methods") {
        let options = way.request("OPTIONS").send().await;
        options.assert_status(204);
        let allowed = options.header("allow").expect("it says what is allowed").to_owned();
        let mut allowed: Vec<_> = allowed.split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"]);

        for method in ["POST", "TRACE", "PROPFIND", "put", "X"] {
            let answer = way.request(method).send().await;
            answer.assert_problem(405, "method-not-allowed");
            assert_eq!(answer.header("allow"), options.header("allow"), "{method}");
        }
    }
}

#[tokio::test]
async fn a_request_that_must_not_be_forwarded_acts_on_the_local_store() {
    let ring = Ring::start(3).await;
    let behavior = "X-PP-Datastore-Behavior";
    for way in ring.ways("behavior") {
        way.request("PUT")
            .header(behavior, "disallow_forwarding")
            .body("here")
            .send()
            .await
            .assert_status(201);
        let answer = way.request("GET").header(behavior, "DISALLOW_FORWARDING").send().await;
        assert_eq!(answer.text(), "here");
        assert_eq!(answer.header("x-ringhold-member"), Some(way.asked.address().to_string().as_str()));

        let status = way.request("GET").header(behavior, "Allow_Forwarding").send().await.status;
        assert_eq!(status, if way.is_local() { 200 } else { 404 });
        for method in ["GET", "PUT", "DELETE"] {
            let answer = way.request(method).header(behavior, "SOMETIMES").send().await;
            answer.assert_problem(400, "bad-behavior");
        }
    }
}

#[tokio::test]
async fn every_key_is_a_key_of_its_own() {
    let ring = Ring::start(3).await;
    let longest = "k".repeat(1024);
    let keys = [
        "a", "A", "a/", "a//", "a//b", "/a", "a/../b", "a/./b", "a b", "a+b", "a%b", "a%2fb", "a?b", "a#b",
        "a;b", "ä", "漢字", "🦀", "~", "a:b@c", &longest,
    ];
    for (turn, key) in keys.into_iter().enumerate() {
        let path = encode(key);
        let asked = &ring[turn % 3];
        let mut connection = asked.connect().await;
        let head =
            format!("PUT /objects/{path} HTTP/1.1\r\nHost: ring\r\nContent-Length: {}\r\n\r\n", key.len());
        connection.send(head + key).await;
        assert_eq!(connection.answer().await.expect("an answer").status, 201, "{key:?}");
    }
    for member in ring.members() {
        let mut connection = member.connect().await;
        for key in keys {
            let path = encode(key);
            connection.send(format!("GET /objects/{path}?a=b&c HTTP/1.1\r\nHost: ring\r\n\r\n")).await;
            let answer = connection.answer().await.expect("an answer");
            assert_eq!((answer.status, answer.text()), (200, key.to_owned()));
        }
    }
}

/// Every byte but the plainest escaped, so that no library can have an opinion; `/` stays as it is.
fn encode(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'.';
    key.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[tokio::test]
async fn http2_answers_the_same() {
    let ring = Ring::start(3).await;
    for way in ring.ways("http2") {
        let path = format!("/objects/{}", way.key);
        let value = vec![7; MIB];
        way.asked.http2("PUT", &path).body(value.clone()).send().await.assert_status(201);
        let get = way.asked.http2("GET", &path).send().await;
        get.assert_status(200);
        assert_eq!(get.body, value);
        assert_eq!(get.etag(), way.request("GET").send().await.etag());
        way.asked.http2("GET", &path).header("If-None-Match", get.etag()).send().await.assert_status(304);
        way.asked.http2("DELETE", &path).send().await.assert_status(204);
        way.asked.http2("GET", &path).send().await.assert_problem(404, "object-not-found");
        way.asked.http2("POST", &path).send().await.assert_problem(405, "method-not-allowed");
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let ring = Ring::start(3).await;
    for way in ring.ways("pipeline") {
        let mut connection = way.asked.connect().await;
        let path = &way.key;
        let put = |value: usize| {
            format!("PUT /objects/{path} HTTP/1.1\r\nHost: ring\r\nContent-Length: 3\r\n\r\n{value:03}")
        };
        let get = format!("GET /objects/{path} HTTP/1.1\r\nHost: ring\r\n\r\n");
        connection.send((0..32).map(|value| put(value) + &get).collect::<String>()).await;
        for value in 0..32 {
            let answer = connection.answer().await.expect("an answer");
            assert_eq!(answer.status, if value == 0 { 201 } else { 204 });
            assert_eq!(connection.answer().await.expect("an answer").text(), format!("{value:03}"));
        }
    }
}

#[tokio::test]
async fn a_node_tells_of_itself_and_of_its_ring() {
    let ring = Ring::start(3).await;
    let mut ring_ids = Vec::new();
    for member in ring.members() {
        for path in ["/healthz", "/readyz"] {
            member.request("GET", path).send().await.assert_status(200);
        }
        let report = member.request("GET", "/cluster").send().await.json();
        assert_eq!(report["self"], member.address().to_string());
        assert_eq!(report["placement"], "modulo");
        assert_eq!(report["members"].as_array().map(Vec::len), Some(3));
        ring_ids.push(report["ring_id"].as_str().expect("a ring has an id").to_owned());
        member.request("GET", "/no/such/path").send().await.assert_problem(404, "no-such-path");
    }
    ring_ids.dedup();
    assert_eq!(ring_ids.len(), 1, "{ring_ids:?}");
}

#[tokio::test]
async fn a_write_is_dated_by_the_clock_of_today() {
    let ring = Ring::start(1).await;
    ring[0].object("PUT", "dated").body("value").send().await;
    let date =
        ring[0].object("GET", "dated").send().await.header("last-modified").expect("a date").to_owned();
    let year = date.split(' ').nth(3).and_then(|year| year.parse::<u64>().ok()).expect("a year");
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let now = 1970 + elapsed.as_secs() / 31_556_952;
    assert!(year.abs_diff(now) <= 1, "{date}");
}

#[tokio::test]
async fn a_node_that_is_asked_to_stop_ends_well() {
    let mut ring = Ring::start(2).await;
    assert!(ring.stop(0).await.success());
    ring.restart(0).await;
    ring.wait_until_all_online().await;
}
