//! Patches of every kind, through every node and for keys of every owner.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use ringhold_integration_tests::{Answer, Request, Ring, Way};

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

fn patch(way: &Way<'_>, kind: &str, document: &str) -> Request {
    way.request("PATCH").header("Content-Type", kind).body(document.to_owned())
}

const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const COUNTER: &str = "application/vnd.ringhold.counter+json";
const SET: &str = "application/vnd.ringhold.set+json";
const RATE_LIMIT: &str = "application/vnd.ringhold.rate-limit+json";

#[tokio::test]
async fn every_kind_of_patch_creates_then_patches_and_answers_the_whole_value() {
    let ring = Ring::start(3).await;
    for way in ring.ways("patch") {
        for (kind, first, created, second, patched) in [
            (MERGE, r#"{"a":1}"#, r#"{"a":1}"#, r#"{"b":{"c":null},"a":null}"#, r#"{"b":{}}"#),
            (
                JSON_PATCH,
                r#"[{"op":"add","path":"","value":{"a":[1]}}]"#,
                r#"{"a":[1]}"#,
                r#"[{"op":"add","path":"/a/-","value":2}]"#,
                r#"{"a":[1,2]}"#,
            ),
            (COUNTER, r#"{"add":5,"initial":10}"#, "15", r#"{"add":-7}"#, "8"),
        ] {
            way.request("DELETE").send().await;
            let answer = patch(&way, kind, first).send().await;
            answer.assert_status(201);
            assert_eq!(answer.json(), json(created), "{kind}");
            let tag = answer.etag().to_owned();

            let answer = patch(&way, kind, second).header("If-Match", &tag).send().await;
            answer.assert_status(200);
            assert_eq!(answer.json(), json(patched), "{kind}");
            assert_ne!(answer.etag(), tag);
            assert_everywhere(&ring, &way.key, &answer.body).await;
        }
        for kind in ["text/plain", "application/octet-stream"] {
            way.request("DELETE").send().await;
            patch(&way, kind, "one").send().await.assert_status(201);
            let answer = patch(&way, kind, " two").send().await;
            answer.assert_status(200);
            assert_eq!(answer.text(), "one two");
            let get = way.request("GET").send().await;
            assert_eq!(get.header("content-type"), Some(kind));
            assert_everywhere(&ring, &way.key, b"one two").await;
        }
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn sets_and_rate_limits_answer_what_they_hold() {
    let ring = Ring::start(3).await;
    for way in ring.ways("kinds") {
        patch(&way, SET, r#"{"add":["b","a","b"]}"#).send().await.assert_status(201);
        let answer = patch(&way, SET, r#"{"add":["c"],"remove":["a"]}"#).send().await;
        answer.assert_status(200);
        assert_eq!(answer.json()["members"], json(r#"["b","c"]"#));
        assert_eq!(answer.json()["size"], 2);
        way.request("DELETE").send().await;

        let limits = r#"{"limits":[
            {"name":"day","maximum":3,"window_seconds":86400},
            {"name":"minute","maximum":1,"window_seconds":60}]}"#;
        let answer = patch(&way, RATE_LIMIT, limits).send().await;
        answer.assert_status(201);
        assert_eq!(answer.json()["over"], serde_json::Value::Null);
        assert_eq!(answer.json()["limits"][0]["remaining"], 2);
        assert_eq!(answer.json()["limits"][1]["remaining"], 0);
        let answer = patch(&way, RATE_LIMIT, limits).send().await;
        answer.assert_status(200);
        assert_eq!(answer.json()["over"], "minute");
        assert_eq!(answer.json()["limits"][0]["used"], 2);
    }
}

#[tokio::test]
async fn a_patch_that_cannot_be_applied_changes_nothing() {
    let ring = Ring::start(3).await;
    for way in ring.ways("bad-patch") {
        way.request("PUT").header("Content-Type", "text/plain").body("not json").send().await;
        for kind in [MERGE, JSON_PATCH, COUNTER, SET, RATE_LIMIT] {
            patch(&way, kind, "{").send().await.assert_problem(400, "malformed-patch");
        }
        for (kind, document) in [
            (JSON_PATCH, r#"[{"op":"add","path":"/a","value":1}]"#),
            (COUNTER, r#"{"add":1}"#),
            (SET, r#"{"add":["a"]}"#),
        ] {
            patch(&way, kind, document).send().await.assert_problem(409, "patch-conflict");
        }
        let unsupported = patch(&way, "application/x-unheard-of", "?").send().await;
        unsupported.assert_problem(415, "unsupported-patch");
        let accepted = unsupported.header("accept-patch").expect("it says what is accepted").to_owned();
        for kind in [MERGE, JSON_PATCH, COUNTER, SET, RATE_LIMIT, "text/plain", "application/octet-stream"] {
            assert!(accepted.split(',').any(|accepted| accepted.trim() == kind), "{kind} in {accepted}");
        }
        assert_everywhere(&ring, &way.key, b"not json").await;

        let largest = vec![b'x'; 2 * MIB];
        way.request("PUT").header("Content-Type", "text/plain").body(largest.clone()).send().await;
        patch(&way, "text/plain", "!").send().await.assert_problem(413, "too-large");
        assert_everywhere(&ring, &way.key, &largest).await;
    }
}

#[tokio::test]
async fn a_patch_keeps_the_expiry_unless_it_brings_one() {
    let ring = Ring::start(3).await;
    for way in ring.ways("patch-ttl") {
        way.request("PUT").header("X-TTL", 1000).header("Content-Type", "text/plain").body("a").send().await;
        patch(&way, "text/plain", "b").send().await.assert_status(200);
        let left = ttl(&way.request("GET").send().await).expect("it still expires");
        assert!((900..=1000).contains(&left), "{left}");

        patch(&way, "text/plain", "c").header("X-TTL", 5000).send().await.assert_status(200);
        let left = ttl(&way.request("GET").send().await).expect("it expires");
        assert!((4900..=5000).contains(&left), "{left}");
        assert_everywhere(&ring, &way.key, b"abc").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_concurrent_increments_add_a_thousand() {
    let ring = Ring::start(3).await;
    for way in ring.ways("increments").into_iter().filter(Way::is_local) {
        let clients = (0..20).map(|client| {
            let requests: Vec<_> = (0..50)
                .map(|turn| {
                    let request = ring[(client + turn) % 3].object("PATCH", &way.key);
                    request.header("Content-Type", COUNTER).body(r#"{"add":1}"#)
                })
                .collect();
            tokio::spawn(async move {
                for request in requests {
                    let answer = request.send().await;
                    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("every increment is answered");
        }
        assert_everywhere(&ring, &way.key, b"1000").await;
    }
}
