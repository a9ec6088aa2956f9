//! The Repose dialect: statuses, precedence and texts as its servlet has them.

use std::time::Duration;

use super::{Client, Node, Response};

const PREFIX: &str = "/powerapi/dist-datastore/objects/";
const KEY: &str = "3ae04e3f-164e-ab96-04d2-51aa51104daa";
const BAD_KEY: &str = "Cache key specified is invalid";
const BAD_TTL: &str = "X-TTL must be a valid, positive integer number";
const BAD_BEHAVIOR: &str = "X-PP-Datastore-Behavior header is not an expected value";
const TOO_LARGE: &str = "Object is too large to store into the cache.";

async fn node() -> Node {
    Node::with(|config| config.store.max_object_bytes = 3 << 20).await
}

fn answered(response: &Response) -> (u16, &str) {
    assert_eq!(response.header("content-type"), None, "Repose names no type");
    assert_eq!(response.header("server"), None);
    (response.status, response.text())
}

async fn ask(client: &mut Client, method: &str, key: &str, rest: &str) -> Response {
    client.ask(&format!("{method} {PREFIX}{key}{rest}")).await
}

#[tokio::test]
async fn objects_are_put_got_and_deleted() {
    let node = node().await;
    let mut client = node.connect().await;
    for value in ["v1", "v2", ""] {
        let put = ask(&mut client, "PUT", KEY, &format!("?foo=bar\nx-ttl: 1000\n\n{value}")).await;
        assert_eq!(answered(&put), (202, ""));
        assert_eq!(answered(&ask(&mut client, "GET", KEY, "").await), (200, value));
    }
    for _ in 0..2 {
        assert_eq!(answered(&ask(&mut client, "DELETE", KEY, "").await), (204, ""));
        assert_eq!(answered(&ask(&mut client, "GET", KEY, "").await), (404, ""));
    }
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn patches_append_and_answer_the_resulting_value() {
    let node = node().await;
    let mut client = node.connect().await;
    let first = ask(&mut client, "PATCH", KEY, "?foo=bar\nX-TTL: 5\n\noriginal value").await;
    assert_eq!(answered(&first), (200, "original value"));
    let second = ask(&mut client, "PATCH", KEY, "\nX-TTL: 5\n\n patched on value").await;
    assert_eq!(answered(&second), (200, "original value patched on value"));
    assert_eq!(ask(&mut client, "GET", KEY, "").await.text(), "original value patched on value");
}

#[tokio::test]
async fn a_key_is_36_characters_that_are_not_decoded() {
    let node = node().await;
    let mut client = node.connect().await;
    let slashes = format!("////////{KEY}");
    let longer = format!("{KEY}a");
    let trailing = format!("{KEY}///");
    for key in ["", "foo", &slashes, &longer, &trailing, "foo/bar/?assd=adff", "%20foo%20", "%2F%2D%20"] {
        for method in ["PUT", "PATCH"] {
            let refused = ask(&mut client, method, key, "\nX-TTL: 10\n\nbody").await;
            assert_eq!(answered(&refused), (400, BAD_KEY), "{method} {key}");
        }
        assert_eq!(answered(&ask(&mut client, "GET", key, "").await), (404, BAD_KEY));
        let head = ask(&mut client, "HEAD", key, "").await;
        assert_eq!((head.status, head.header("content-length")), (404, Some("30")));
        assert_eq!(answered(&ask(&mut client, "DELETE", key, "").await), (204, ""));
    }
    let escaped = "%41".repeat(12);
    let other_case = KEY.to_uppercase();
    for key in [escaped.as_str(), other_case.as_str(), "../../../../../../../../../../../../"] {
        assert_eq!(ask(&mut client, "PUT", key, "\n\nbody").await.status, 202, "{key}");
        assert_eq!(ask(&mut client, "GET", key, "").await.text(), "body");
    }
    assert_eq!(ask(&mut client, "GET", KEY, "").await.status, 404, "case matters");
}

#[tokio::test]
async fn its_keys_are_keys_of_the_object_api() {
    let node = node().await;
    let mut client = node.connect().await;
    ask(&mut client, "PUT", KEY, "\n\nbody").await;
    let got = client.ask(&format!("GET /objects/{KEY}")).await;
    assert_eq!((got.text(), got.header("x-ttl")), ("body", Some("60")));
    ask(&mut client, "PUT", &"%41".repeat(12), "\n\nescaped").await;
    assert_eq!(client.ask(&format!("GET /objects/{}", "%2541".repeat(12))).await.text(), "escaped");
}

#[tokio::test]
async fn an_object_lives_for_60_seconds_unless_told_otherwise() {
    let node = node().await;
    let mut client = node.connect().await;
    for (ttl, seconds) in [("", 60), ("\nX-TTL:  ", 60), ("\nX-TTL: +5", 5), ("\nX-TTL: 007", 7)] {
        for method in ["PUT", "PATCH"] {
            let written = ask(&mut client, method, KEY, &format!("{ttl}\n\nbody")).await;
            assert!(matches!(written.status, 200 | 202), "{ttl:?}");
            node.clock.advance(Duration::from_millis(seconds * 1000 - 1));
            assert_eq!(ask(&mut client, "GET", KEY, "").await.status, 200, "{ttl:?}");
            node.clock.advance(Duration::from_millis(1));
            assert_eq!(ask(&mut client, "GET", KEY, "").await.status, 404, "{ttl:?}");
        }
    }
    for ttl in ["nan", "-1", "0", "2147483648", "5.0", "0x10", "1e3"] {
        for method in ["PUT", "PATCH"] {
            let refused = ask(&mut client, method, KEY, &format!("\nX-TTL: {ttl}\n\nbody")).await;
            assert_eq!(answered(&refused), (400, BAD_TTL), "{method} {ttl}");
        }
    }
}

#[tokio::test]
async fn two_mebibytes_are_the_limit_whatever_the_store_takes() {
    let node = node().await;
    let mut client = node.connect().await;
    let most = "x".repeat(2 << 20);
    assert_eq!(ask(&mut client, "PUT", KEY, &format!("\n\n{most}")).await.status, 202);
    assert_eq!(ask(&mut client, "GET", KEY, "").await.body.len(), 2 << 20);
    ask(&mut client, "DELETE", KEY, "").await;
    for method in ["PUT", "PATCH"] {
        let refused = ask(&mut client, method, KEY, &format!("\n\n{most}x")).await;
        assert_eq!(answered(&refused), (413, TOO_LARGE));
        assert_eq!(ask(&mut client, "GET", KEY, "").await.status, 404);
    }
}

#[tokio::test]
async fn the_behaviour_is_checked_in_every_verb() {
    let node = node().await;
    let mut client = node.connect().await;
    for (method, text) in [("PUT", BAD_BEHAVIOR), ("PATCH", BAD_BEHAVIOR), ("GET", ""), ("DELETE", "")] {
        let refused = ask(&mut client, method, KEY, "\nX-PP-Datastore-Behavior: FAIL\n\nbody").await;
        assert_eq!(answered(&refused), (400, text), "{method}");
    }
    for behavior in ["", "diSallOw_forwaRding", "ALLOW_FORWARDING"] {
        let put =
            ask(&mut client, "PUT", KEY, &format!("\nX-PP-Datastore-Behavior: {behavior}\n\nbody")).await;
        assert_eq!(put.status, 202, "{behavior}");
    }
}

#[tokio::test]
async fn errors_are_found_in_the_order_key_life_size_behaviour() {
    let node = node().await;
    let mut client = node.connect().await;
    let large = "x".repeat((2 << 20) + 1);
    let wrong = |ttl: &str, body: &str| format!("\nX-TTL: {ttl}\nX-PP-Datastore-Behavior: FAIL\n\n{body}");
    for method in ["PUT", "PATCH"] {
        assert_eq!(ask(&mut client, method, "foo", &wrong("nan", &large)).await.text(), BAD_KEY);
        assert_eq!(ask(&mut client, method, KEY, &wrong("nan", &large)).await.text(), BAD_TTL);
        assert_eq!(ask(&mut client, method, KEY, &wrong("5", &large)).await.text(), TOO_LARGE);
        assert_eq!(ask(&mut client, method, KEY, &wrong("5", "x")).await.text(), BAD_BEHAVIOR);
    }
}

#[tokio::test]
async fn every_other_method_has_its_status_with_and_without_a_key() {
    let node = node().await;
    let mut client = node.connect().await;
    for key in ["", KEY] {
        for (method, status) in [
            ("POST", 405),
            ("TRACE", 405),
            ("OPTIONS", 200),
            ("CUSTOM", 501),
            ("BOGUS", 501),
            ("put", 501),
            ("patch", 501),
        ] {
            let response = ask(&mut client, method, key, "\n\nbody").await;
            assert_eq!(answered(&response), (status, ""), "{method}");
            let allow = (status != 501).then_some("GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
            assert_eq!(response.header("allow"), allow);
        }
    }
    client.send(format!("POST {PREFIX} HTTP/1.0\r\n\r\n").as_bytes()).await;
    assert_eq!(client.response().await.status, 400);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_failure_without_a_text() {
    let node = node().await;
    let mut client = node.connect().await;
    let head = format!("PUT {PREFIX}{KEY} HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nbo");
    client.send(head.as_bytes()).await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
    assert_eq!(answered(&client.response().await), (500, ""));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn paths_beside_the_prefix_are_not_of_the_dialect() {
    let node = node().await;
    for path in ["/powerapi/dist-datastore/objects", "/powerapi/dist-datastore/OBJECTS/", "/invalid/target"] {
        assert_eq!(node.ask(&format!("DELETE {path}")).await.status, 404, "{path}");
    }
}
