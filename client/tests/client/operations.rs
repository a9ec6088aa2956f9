//! Every operation: what it sends, and what it makes of the answer.

use std::time::{Duration, UNIX_EPOCH};

use ringhold_client::{
    Append, ByteRange, Changed, Client, Condition, Counter, DeleteOptions, EntityTag, JsonPatch,
    MemberHealth, MergePatch, Patch, PatchOperation, PatchOptions, PutOptions, RateLimit, RateLimitPatch,
    RawPatch, SetPatch, SetValue, Ttl,
};
use serde_json::json;

use crate::support::{Node, Request, Step, TAG, answer, found, problem, replaced};

fn tag() -> EntityTag {
    TAG.parse().unwrap()
}

fn client(node: &Node) -> Client {
    Client::new([node.address]).unwrap()
}

async fn node(answer: Vec<u8>) -> Node {
    Node::start([Step::Answer(answer)]).await
}

#[tokio::test]
async fn get_reads_the_value_and_all_that_is_known_of_it() {
    let headers = [
        ("etag", TAG),
        ("content-type", "text/html; charset=utf-8"),
        ("x-ttl", "59"),
        ("last-modified", "Thu, 01 Jan 1970 00:01:00 GMT"),
        ("x-ringhold-member", "10.0.0.1:9999"),
        ("x-ringhold-route", "forwarded"),
    ];
    let node = node(answer(200, &headers, "<p>")).await;
    let object = client(&node).get("a b/c").await.unwrap().unwrap();
    assert_eq!(object.value, "<p>");
    assert_eq!(object.info.content_type, "text/html; charset=utf-8");
    assert_eq!(object.info.etag, tag());
    assert_eq!(object.info.length, Some(3));
    assert_eq!(object.info.ttl, Some(Duration::from_secs(59)));
    assert_eq!(object.info.last_modified, Some(UNIX_EPOCH + Duration::from_secs(60)));
    assert_eq!(object.info.served.member.as_deref(), Some("10.0.0.1:9999"));
    assert_eq!(object.info.served.route.as_deref(), Some("forwarded"));
    let request = node.request();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/objects/a%20b/c"));
}

#[tokio::test]
async fn what_is_not_there_is_no_error() {
    let missing = || Step::Answer(problem(404, "object-not-found"));
    let head = Step::Answer(answer(404, &[], ""));
    let node = Node::start([missing(), missing(), missing(), missing(), head]).await;
    let client = client(&node);
    assert_eq!(client.get("k").await.unwrap(), None);
    assert_eq!(client.get_range("k", 0..=1).await.unwrap(), None);
    assert_eq!(client.get_if_changed("k", &tag()).await.unwrap(), Changed::Missing);
    assert!(client.get_stream("k").await.unwrap().is_none());
    assert_eq!(client.head("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_range_is_a_part_of_a_whole() {
    let node = node(answer(206, &[("etag", TAG), ("content-range", "bytes 2-3/10")], "cd")).await;
    let object = client(&node).get_range("k", ByteRange::Span { first: 2, last: 3 }).await.unwrap().unwrap();
    assert_eq!((object.value.as_ref(), object.info.length), (b"cd".as_ref(), Some(10)));
    assert_eq!(node.request().header("range"), Some("bytes=2-3"));
}

#[tokio::test]
async fn a_known_state_is_not_sent_again() {
    let node =
        Node::start([Step::Answer(answer(304, &[("etag", TAG)], "")), Step::Answer(found("new"))]).await;
    let client = client(&node);
    assert_eq!(client.get_if_changed("k", &tag()).await.unwrap(), Changed::Unchanged);
    let Changed::Changed(object) = client.get_if_changed("k", &tag()).await.unwrap() else {
        panic!("unchanged")
    };
    assert_eq!(object.value, "new");
    assert!(node.requests().iter().all(|request| request.header("if-none-match") == Some(TAG)));
}

#[tokio::test]
async fn head_knows_the_length_without_the_value() {
    let node = node(answer(200, &[("etag", TAG), ("content-length", "12345")], "")).await;
    let info = client(&node).head("k").await.unwrap().unwrap();
    assert_eq!((info.length, info.ttl), (Some(12345), None));
    assert_eq!(node.request().method, "HEAD");
}

#[tokio::test]
async fn put_sends_what_its_options_say() {
    let created = Step::Answer(answer(201, &[("etag", TAG)], ""));
    let node = Node::start([created, Step::Answer(replaced())]).await;
    let client = client(&node);
    let options = PutOptions::default().content_type("text/plain").ttl(Ttl::from_seconds(60).unwrap());
    let stored = client.put_with("k", "value", &options.condition(Condition::IfAbsent)).await.unwrap();
    assert!(stored.created);
    assert_eq!(stored.etag, tag());
    assert!(!client.put("k", Vec::new()).await.unwrap().created);

    let [first, second]: [Request; 2] = node.requests().try_into().unwrap();
    assert_eq!((first.method.as_str(), first.body.as_slice()), ("PUT", b"value".as_ref()));
    assert_eq!(first.header("content-type"), Some("text/plain"));
    assert_eq!(first.header("x-ttl"), Some("60"));
    assert_eq!(first.header("if-none-match"), Some("*"));
    assert_eq!(second.body, b"");
    for name in ["content-type", "x-ttl", "if-none-match", "if-match"] {
        assert_eq!(second.header(name), None);
    }
}

#[tokio::test]
async fn conditions_are_sent_as_their_headers() {
    let conditions = [
        (Condition::Always, None, None),
        (Condition::IfAbsent, None, Some("*")),
        (Condition::IfPresent, Some("*"), None),
        (Condition::IfMatch(tag()), Some(TAG), None),
        (Condition::IfNoneMatch(tag()), None, Some(TAG)),
    ];
    for (condition, if_match, if_none_match) in conditions {
        let node = node(answer(204, &[], "")).await;
        let options = DeleteOptions::default().condition(condition.clone());
        client(&node).delete_with("k", &options).await.unwrap();
        let request = node.request();
        assert_eq!(request.method, "DELETE");
        assert_eq!(request.header("if-match"), if_match, "{condition:?}");
        assert_eq!(request.header("if-none-match"), if_none_match, "{condition:?}");
    }
}

/// Sends a patch; gives the answer, and what was sent: the kind and the document.
async fn patch<P: Patch>(patch: &P, value: &str) -> (P::Answer, String, String) {
    let node = node(answer(200, &[("etag", TAG), ("content-type", "application/json")], value)).await;
    let answer = client(&node).patch("k", patch).await.unwrap();
    let request = node.request();
    assert_eq!(request.method, "PATCH");
    (answer, request.header("content-type").unwrap().into(), String::from_utf8(request.body).unwrap())
}

#[tokio::test]
async fn every_kind_of_patch_sends_its_document_and_reads_its_answer() {
    let (object, kind, document) = patch(&MergePatch(&json!({"a": null})), "{}").await;
    assert_eq!(
        (object.value.as_ref(), kind.as_str(), document.as_str()),
        (b"{}".as_ref(), "application/merge-patch+json", r#"{"a":null}"#)
    );

    let operations = vec![
        PatchOperation::Test { path: "/a".into(), value: json!(1) },
        PatchOperation::Move { from: "/a".into(), path: "/b".into() },
    ];
    let (_, kind, document) = patch(&JsonPatch(operations), "{}").await;
    assert_eq!(kind, "application/json-patch+json");
    assert_eq!(document, r#"[{"op":"test","path":"/a","value":1},{"op":"move","from":"/a","path":"/b"}]"#);

    let (object, kind, document) = patch(&Append::text("more"), "some more").await;
    assert_eq!(
        (object.value.as_ref(), kind.as_str(), document.as_str()),
        (b"some more".as_ref(), "text/plain", "more")
    );
    let (_, kind, _) = patch(&Append::bytes("x"), "x").await;
    assert_eq!(kind, "application/octet-stream");

    let (count, kind, document) = patch(&Counter::add(-2).floor(0).ceiling(9).initial(5), "3").await;
    assert_eq!((count, kind.as_str()), (3, "application/vnd.ringhold.counter+json"));
    assert_eq!(document, r#"{"add":-2,"floor":0,"ceiling":9,"initial":5}"#);
    let (_, _, document) = patch(&Counter::add(1), "1").await;
    assert_eq!(document, r#"{"add":1}"#);

    let (set, kind, document) =
        patch(&SetPatch::default().with(["a", "b"]).without(["c"]), r#"{"members":["a","b"],"size":2}"#)
            .await;
    assert_eq!(set, SetValue { members: vec!["a".into(), "b".into()], size: 2 });
    assert_eq!(
        (kind.as_str(), document.as_str()),
        ("application/vnd.ringhold.set+json", r#"{"add":["a","b"],"remove":["c"]}"#)
    );

    let raw = RawPatch { content_type: "application/x-new".into(), document: "!".into() };
    let (_, kind, document) = patch(&raw, "").await;
    assert_eq!((kind.as_str(), document.as_str()), ("application/x-new", "!"));
}

#[tokio::test]
async fn a_patch_carries_its_options_and_says_whether_it_created() {
    let node = node(answer(201, &[("etag", TAG)], "1")).await;
    let options = PatchOptions::default().ttl(Ttl::from_seconds(5).unwrap()).condition(Condition::IfAbsent);
    let patched = client(&node).patch_with("k", &Counter::add(1), &options).await.unwrap();
    assert!(patched.created);
    assert_eq!((patched.answer, patched.etag), (1, tag()));
    let request = node.request();
    assert_eq!((request.header("x-ttl"), request.header("if-none-match")), (Some("5"), Some("*")));
}

#[tokio::test]
async fn locate_and_cluster_are_read_into_types() {
    let location = r#"{"key":"a/b","digest":"00","uuid":"u","owner":"10.0.0.1:1","role":"owner","homes":["10.0.0.1:1"],
        "preference_list":["10.0.0.1:1","10.0.0.2:1"]}"#;
    let cluster = r#"{"name":"c","ring_id":"1","placement":"modulo","replicas":1,"member":"10.0.0.1:1","incarnation":"01",
        "version":"0.1.0","members":[{"address":"10.0.0.1:1","health":"online","share":1.0,"is_self":true,"passes":0}],
        "store":{"objects":0,"bytes":0,"max_bytes":1,"evicted":0,"expired":0}}"#;
    let node =
        Node::start([Step::Answer(answer(200, &[], location)), Step::Answer(answer(200, &[], cluster))])
            .await;
    let location = client(&node).locate("a/b").await.unwrap();
    assert_eq!(location.owner.to_string(), "10.0.0.1:1");
    assert_eq!(location.preference_list.len(), 2);
    let report = client(&node).cluster().await.unwrap();
    assert_eq!(report.members[0].health, MemberHealth::Online);
    let paths: Vec<_> = node.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/cluster/locate/a/b", "/cluster"]);
}

#[tokio::test]
async fn health_and_readiness_are_those_of_the_first_node() {
    let second = Node::start([]).await;
    let first = Node::start([
        Step::Answer(answer(200, &[], "ok")),
        Step::Answer(answer(200, &[], "ok")),
        Step::Answer(problem(503, "not-ready")),
    ])
    .await;
    let client = Client::new([first.address, second.address]).unwrap();
    assert!(client.healthz().await.unwrap());
    assert!(client.readyz().await.unwrap());
    assert!(!client.readyz().await.unwrap());
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn rate_limits_are_counted_in_order_and_answered_per_limit() {
    let limits = vec![
        RateLimit { name: "second".into(), maximum: 2, window_seconds: 1 },
        RateLimit { name: "day".into(), maximum: 100, window_seconds: 86_400 },
    ];
    let value = r#"{"limits":[{"name":"second","maximum":2,"window_seconds":1,"used":3,"remaining":0,"window_ends_ms":1000}],"over":"second"}"#;
    let (answer, kind, document) = patch(&RateLimitPatch { limits }, value).await;
    assert!(!answer.is_within());
    assert_eq!(answer.limits[0].remaining, 0);
    assert_eq!(kind, "application/vnd.ringhold.rate-limit+json");
    assert_eq!(
        document,
        r#"{"limits":[{"name":"second","maximum":2,"window_seconds":1},{"name":"day","maximum":100,"window_seconds":86400}]}"#
    );
}
