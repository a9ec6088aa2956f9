//! The table of the object API, row by row.

use std::time::Duration;

use super::Node;

#[tokio::test]
async fn what_is_put_is_got_with_everything_that_is_known_of_it() {
    let node = Node::start().await;
    let put =
        node.ask("PUT /objects/a%2Fb/c\nContent-Type: text/html; charset=utf-8\nX-TTL: 90\n\n<p>").await;
    assert_eq!((put.status, put.text()), (201, ""));
    node.clock.advance(Duration::from_millis(500));
    let got = node.ask("GET /objects/a/b%2Fc?query=ignored").await;
    assert_eq!((got.status, got.text()), (200, "<p>"));
    assert_eq!(got.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(got.header("etag"), put.header("etag"));
    assert_eq!(got.header("last-modified"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert_eq!(got.header("x-ttl"), Some("90"), "rounded up");
    assert_eq!(got.header("accept-ranges"), Some("bytes"));
    assert_eq!(got.header("x-ringhold-member"), Some(super::MEMBER));
    assert_eq!(got.header("x-ringhold-route"), Some("local"));
    assert!(got.header("date").is_some());
    assert_eq!(got.header("server"), None);
}

#[tokio::test]
async fn an_object_without_a_type_or_a_life_is_bytes_for_ever() {
    let node = Node::start().await;
    assert_eq!(node.ask("PUT /objects/a\n\n").await.status, 201);
    let got = node.ask("GET /objects/a").await;
    assert_eq!((got.status, got.text(), got.header("content-length")), (200, "", Some("0")));
    assert_eq!(got.header("content-type"), Some("application/octet-stream"));
    assert_eq!(got.header("x-ttl"), None);
}

#[tokio::test]
async fn putting_again_replaces_and_changes_the_entity_tag() {
    let node = Node::start().await;
    let first = node.ask("PUT /objects/a\n\none").await;
    let second = node.ask("PUT /objects/a\n\ntwo").await;
    assert_eq!((first.status, second.status), (201, 204));
    assert!(second.header("etag").is_some());
    assert_ne!(first.header("etag"), second.header("etag"));
    assert_eq!(second.header("x-ringhold-member"), Some(super::MEMBER));
    assert_eq!(node.ask("GET /objects/a").await.text(), "two");
}

#[tokio::test]
async fn an_object_is_gone_after_its_time() {
    let node = Node::start().await;
    node.ask("PUT /objects/a\nX-TTL: 2\n\none").await;
    node.clock.advance(Duration::from_millis(1999));
    assert_eq!(node.ask("GET /objects/a").await.header("x-ttl"), Some("1"));
    node.clock.advance(Duration::from_millis(1));
    assert_eq!(node.ask("GET /objects/a").await.code(), "object-not-found");
}

#[tokio::test]
async fn delete_answers_the_same_whether_or_not_there_was_an_object() {
    let node = Node::start().await;
    node.ask("PUT /objects/a\n\none").await;
    for _ in 0..2 {
        let deleted = node.ask("DELETE /objects/a").await;
        assert_eq!((deleted.status, deleted.header("x-ringhold-route")), (204, Some("local")));
    }
    let missing = node.ask("GET /objects/a").await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "object-not-found"));
    assert_eq!(missing.header("x-ringhold-member"), Some(super::MEMBER));
}

#[tokio::test]
async fn patch_answers_the_whole_new_value() {
    let node = Node::start().await;
    let created = node.ask("PATCH /objects/a\nContent-Type: text/plain\nX-TTL: 9\n\none").await;
    assert_eq!((created.status, created.text()), (201, "one"));
    let patched = node.ask("PATCH /objects/a\nContent-Type: text/plain\n\n, two").await;
    assert_eq!((patched.status, patched.text()), (200, "one, two"));
    assert_eq!(patched.header("x-ttl"), Some("9"), "a patch without X-TTL keeps the expiry");
    assert_eq!(patched.header("content-type"), Some("text/plain"));
    let got = node.ask("GET /objects/a").await;
    assert_eq!(got.text(), "one, two");
    assert_eq!(got.header("etag"), patched.header("etag"));
}

#[tokio::test]
async fn a_patch_without_a_kind_is_told_the_kinds() {
    let node = Node::start().await;
    let refused = node.ask("PATCH /objects/a\n\none").await;
    assert_eq!((refused.status, refused.code().as_str()), (415, "unsupported-patch"));
    assert_eq!(refused.header("accept-patch"), Some(crate::patch::PatchKind::ACCEPT_PATCH));
}

#[tokio::test]
async fn a_patch_over_the_limit_changes_nothing() {
    let node = Node::with(|config| config.store.max_object_bytes = 5).await;
    node.ask("PUT /objects/a\n\n123").await;
    let refused = node.ask("PATCH /objects/a\nContent-Type: application/octet-stream\n\n456").await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "too-large"));
    assert_eq!(node.ask("GET /objects/a").await.text(), "123");
}

#[tokio::test]
async fn head_answers_the_headers_of_get() {
    let node = Node::start().await;
    node.ask("PUT /objects/a\nX-TTL: 9\n\none").await;
    let etag = node.ask("GET /objects/a").await.header("etag").unwrap().to_owned();
    for request in ["/objects/a", "/objects/b", "/objects/%zz", "/healthz", "/nowhere", "/cluster"] {
        let mut got = node.ask(&format!("GET {request}")).await;
        let mut head = node.ask(&format!("HEAD {request}")).await;
        got.headers.retain(|(name, _)| name != "date");
        head.headers.retain(|(name, _)| name != "date");
        got.headers.sort();
        head.headers.sort();
        assert_eq!((head.status, &head.headers), (got.status, &got.headers), "{request}");
    }
    let mut client = node.connect().await;
    let unchanged = client.ask(&format!("HEAD /objects/a\nIf-None-Match: {etag}")).await;
    assert_eq!(unchanged.status, 304);
    let whole = client.ask("HEAD /objects/a\nRange: bytes=0-0").await;
    assert_eq!((whole.status, whole.header("content-length")), (200, Some("3")), "only GET has ranges");
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn options_and_refused_methods_tell_the_methods_there_are() {
    let node = Node::start().await;
    let allow = Some("GET, HEAD, PUT, DELETE, PATCH, OPTIONS");
    let options = node.ask("OPTIONS /objects/a").await;
    assert_eq!((options.status, options.header("allow")), (204, allow));
    assert_eq!(options.header("accept-patch"), Some(crate::patch::PatchKind::ACCEPT_PATCH));
    for method in ["POST", "TRACE", "PROPFIND", "get"] {
        let refused = node.ask(&format!("{method} /objects/a")).await;
        assert_eq!((refused.status, refused.header("allow")), (405, allow), "{method}");
        assert_eq!(refused.code(), "method-not-allowed");
    }
}

#[tokio::test]
async fn a_key_may_hold_slashes_dots_and_any_utf8() {
    let node = Node::start().await;
    let keys = ["/", "//a//", "..", "a/../b", "%2e%2E/a", "%C3%BCber", "a+b", "a;b=c", "%25", "a%20b"];
    for key in keys {
        assert_eq!(node.ask(&format!("PUT /objects/{key}\n\n{key}")).await.status, 201, "{key}");
    }
    for key in keys {
        assert_eq!(node.ask(&format!("GET /objects/{key}")).await.text(), key);
    }
    assert_eq!(node.ask("GET /objects/%2F").await.text(), "/", "an escape and its character are one key");
}

#[tokio::test]
async fn keys_have_up_to_1024_bytes_after_decoding() {
    let node = Node::start().await;
    let longest = "%61".repeat(1024);
    assert_eq!(node.ask(&format!("PUT /objects/{longest}\n\nx")).await.status, 201);
    assert_eq!(node.ask(&format!("GET /objects/{}", "a".repeat(1024))).await.text(), "x");
    let refused = node.ask(&format!("GET /objects/{}", "a".repeat(1025))).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "bad-key"));
}

#[tokio::test]
async fn a_request_may_be_kept_from_being_forwarded() {
    let node = Node::start().await;
    for behavior in ["ALLOW_FORWARDING", "disallow_Forwarding"] {
        let put =
            node.ask(&format!("PUT /objects/{behavior}\nX-PP-Datastore-Behavior: {behavior}\n\nx")).await;
        assert_eq!(put.status, 201);
    }
    for method in ["GET", "DELETE", "PUT"] {
        let refused = node.ask(&format!("{method} /objects/a\nX-PP-Datastore-Behavior: FAIL")).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad-behavior"), "{method}");
    }
}

#[tokio::test]
async fn a_write_may_be_named_so_that_its_repeat_is_recognised() {
    let node = Node::start().await;
    let longest = "~".repeat(255);
    for name in ["!", "order-17/attempt-1", &longest] {
        let put = node.ask(&format!("PUT /objects/a\nIdempotency-Key: {name}\n\nx")).await;
        assert!(put.status == 201 || put.status == 204, "{name}: {}", put.status);
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        for bad in [" ", "two words", &format!("{longest}~"), "a\nIdempotency-Key: b"] {
            let request =
                format!("{method} /objects/a\nContent-Type: text/plain\nIdempotency-Key: {bad}\n\nx");
            let refused = node.ask(&request).await;
            assert_eq!((refused.status, refused.code().as_str()), (400, "bad-idempotency-key"), "{bad:?}");
        }
    }
    assert_eq!(node.ask("GET /objects/a\nIdempotency-Key: two words").await.text(), "x");
}

#[tokio::test]
async fn a_repeat_is_told_what_it_made_and_when_others_have_overtaken_it() {
    let node = Node::start().await;
    let put = |name: &'static str| format!("PUT /objects/a\nIdempotency-Key: {name}\n\n{name}");
    let first = node.ask(&put("one")).await;
    let second = node.ask(&put("two")).await;
    let again = node.ask(&put("one")).await;
    assert_eq!((again.status, again.header("etag")), (204, first.header("etag")));
    assert_ne!(again.header("etag"), second.header("etag"));
    assert_eq!(node.ask("GET /objects/a").await.text(), "two");

    let add = |name: &str| {
        let counter = "application/vnd.ringhold.counter+json";
        format!("PATCH /objects/sum\nContent-Type: {counter}\nIdempotency-Key: {name}\n\n{{\"add\":1}}")
    };
    node.ask(&add("one")).await;
    let again = node.ask(&add("one")).await;
    assert_eq!((again.status, again.text(), again.header("x-ringhold-overtaken")), (200, "1", None));
    node.ask(&add("two")).await;
    for _ in 0..2 {
        let again = node.ask(&add("one")).await;
        assert_eq!((again.status, again.text()), (200, "2"));
        assert_eq!(again.header("x-ringhold-overtaken"), Some("true"));
    }
    let latest = node.ask(&add("two")).await;
    assert_eq!((latest.text(), latest.header("x-ringhold-overtaken")), ("2", None));
}

#[tokio::test]
async fn a_reader_may_take_a_stale_copy_and_loses_nothing_by_it() {
    let node = Node::start().await;
    node.ask("PUT /objects/a\n\nx").await;
    for line in ["max-stale", "no-transform, MAX-STALE=60", "max-stale=0", "no-cache"] {
        assert_eq!(node.ask(&format!("GET /objects/a\nCache-Control: {line}")).await.text(), "x", "{line}");
        assert_eq!(node.ask(&format!("HEAD /objects/a\nCache-Control: {line}")).await.status, 200, "{line}");
    }
}

#[tokio::test]
async fn values_of_every_size_come_back_byte_for_byte() {
    let node = Node::start().await;
    let mut client = node.connect().await;
    for size in [1, 4095, 4096, 4097, 50_000, 100_000] {
        let value: String = (0..size).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
        assert_eq!(client.ask(&format!("PUT /objects/{size}\n\n{value}")).await.status, 201);
        assert_eq!(client.ask(&format!("GET /objects/{size}")).await.text(), value);
        let chunked = format!(
            "PUT /objects/{size} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            "+",
            size - 1,
            &value[1..],
        );
        if size > 1 {
            client.send(chunked.as_bytes()).await;
            assert_eq!(client.response().await.status, 204);
            assert_eq!(client.ask(&format!("GET /objects/{size}")).await.text(), format!("+{}", &value[1..]));
        }
    }
}

#[tokio::test]
async fn one_range_of_a_value_can_be_read() {
    let node = Node::start().await;
    let put = node.ask("PUT /objects/a\n\n0123456789").await;
    let part = node.ask("GET /objects/a\nRange: bytes=2-4").await;
    assert_eq!((part.status, part.text()), (206, "234"));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(part.header("etag"), put.header("etag"));
    assert_eq!(node.ask("GET /objects/a\nRange: bytes=-3").await.text(), "789");
    assert_eq!(node.ask("GET /objects/a\nRange: bytes=8-").await.text(), "89");
    for whole in ["bytes=0-1,3-4", "lines=1-2", "bytes=4-2"] {
        let whole = node.ask(&format!("GET /objects/a\nRange: {whole}")).await;
        assert_eq!((whole.status, whole.text()), (200, "0123456789"));
    }
    let outside = node.ask("GET /objects/a\nRange: bytes=10-").await;
    assert_eq!((outside.status, outside.code().as_str()), (416, "range-not-satisfiable"));
    assert_eq!(outside.header("content-range"), Some("bytes */10"));
}

#[tokio::test]
async fn a_range_is_served_only_from_the_version_that_if_range_names() {
    let node = Node::start().await;
    let put = node.ask("PUT /objects/a\n\n0123456789").await;
    let etag = put.header("etag").unwrap();
    let date = node.ask("GET /objects/a").await.header("last-modified").unwrap().to_owned();
    let status = async |if_range: &str| {
        node.ask(&format!("GET /objects/a\nRange: bytes=0-0\nIf-Range: {if_range}")).await.status
    };
    assert_eq!(status(etag).await, 206);
    assert_eq!(status(&format!("W/{etag}")).await, 200);
    assert_eq!(status("\"another\"").await, 200);
    assert_eq!(status(&date).await, 200, "it could change again within this second");
    node.clock.advance(Duration::from_secs(1));
    assert_eq!(status(&date).await, 206);
    assert_eq!(status("Sun, 06 Nov 1994 08:49:37 GMT").await, 200);
    assert_eq!(status("nonsense").await, 200);
}
