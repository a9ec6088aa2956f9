//! Conditional requests (RFC 9110 section 13).

use super::Node;

async fn node_with_one() -> (Node, String) {
    let node = Node::start().await;
    let put = node.ask("PUT /objects/a\nX-TTL: 60\n\none").await;
    let etag = put.header("etag").unwrap().to_owned();
    (node, etag)
}

#[tokio::test]
async fn a_reader_that_has_the_value_is_not_sent_it_again() {
    let (node, etag) = node_with_one().await;
    for tags in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".into()] {
        let mut client = node.connect().await;
        let unchanged = client.ask(&format!("GET /objects/a\nIf-None-Match: {tags}")).await;
        assert_eq!((unchanged.status, unchanged.text()), (304, ""), "{tags}");
        assert_eq!(unchanged.header("etag"), Some(etag.as_str()));
        assert_eq!(unchanged.header("x-ttl"), Some("60"));
        assert!(unchanged.header("last-modified").is_some());
        assert_eq!(unchanged.header("content-type"), None);
        assert!(client.is_usable().await);
    }
    assert_eq!(node.ask("GET /objects/a\nIf-None-Match: \"x\", W/\"y\"").await.text(), "one");
    assert_eq!(node.ask("GET /objects/b\nIf-None-Match: *").await.status, 404);
}

#[tokio::test]
async fn reads_and_writes_with_if_match_need_the_very_version() {
    let (node, etag) = node_with_one().await;
    for (method, success) in [("GET", 200), ("PATCH", 200), ("DELETE", 204)] {
        let typed = format!("{method} /objects/a\nContent-Type: text/plain");
        let weak = node.ask(&format!("{typed}\nIf-Match: W/{etag}\n\n")).await;
        assert_eq!((weak.status, weak.code().as_str()), (412, "precondition-failed"), "{method}");
        let other = node.ask(&format!("{typed}\nIf-Match: \"x\"\n\n")).await;
        assert_eq!(other.status, 412, "{method}");
        assert_eq!(other.header("x-ringhold-member"), Some(super::MEMBER));
        let any = node.ask(&format!("{typed}\nIf-Match: *\n\n")).await;
        assert_eq!(any.status, success, "{method}");
    }
    assert_eq!(node.ask("PUT /objects/a\nIf-Match: *\n\ntwo").await.status, 412, "it was deleted");
}

#[tokio::test]
async fn a_put_can_be_bound_to_the_version_that_was_read() {
    let (node, etag) = node_with_one().await;
    assert_eq!(node.ask(&format!("PUT /objects/a\nIf-Match: \"x\",{etag}\n\ntwo")).await.status, 204);
    assert_eq!(node.ask(&format!("PUT /objects/a\nIf-Match: {etag}\n\nthree")).await.status, 412);
    assert_eq!(node.ask("GET /objects/a").await.text(), "two");
}

#[tokio::test]
async fn a_put_can_be_bound_to_creating() {
    let (node, etag) = node_with_one().await;
    assert_eq!(node.ask("PUT /objects/a\nIf-None-Match: *\n\ntwo").await.status, 412);
    assert_eq!(node.ask(&format!("PUT /objects/a\nIf-None-Match: {etag}\n\ntwo")).await.status, 412);
    assert_eq!(node.ask("PUT /objects/b\nIf-None-Match: *\n\ntwo").await.status, 201);
}

#[tokio::test]
async fn dates_have_whole_seconds_and_give_way_to_tags() {
    let (node, etag) = node_with_one().await;
    let written = "Tue, 14 Nov 2023 22:13:20 GMT";
    let before = "Tue, 14 Nov 2023 22:13:19 GMT";
    let status = async |headers: &str| node.ask(&format!("GET /objects/a\n{headers}")).await.status;
    assert_eq!(status(&format!("If-Modified-Since: {written}")).await, 304);
    assert_eq!(status(&format!("If-Modified-Since: {before}")).await, 200);
    assert_eq!(status(&format!("If-Unmodified-Since: {written}")).await, 200);
    assert_eq!(status(&format!("If-Unmodified-Since: {before}")).await, 412);
    assert_eq!(status("If-Unmodified-Since: Wed, 31 Dec 1969 23:59:59 GMT").await, 412);
    assert_eq!(status(&format!("If-None-Match: \"x\"\nIf-Modified-Since: {written}")).await, 200);
    assert_eq!(status(&format!("If-Match: {etag}\nIf-Unmodified-Since: {before}")).await, 200);
    let put = node.ask(&format!("PUT /objects/a\nIf-Unmodified-Since: {before}\n\ntwo")).await;
    assert_eq!(put.status, 412);
    let put = node.ask(&format!("PUT /objects/a\nIf-Modified-Since: {written}\n\ntwo")).await;
    assert_eq!(put.status, 204, "it means nothing to a write");
}

#[tokio::test]
async fn a_date_that_is_none_is_ignored() {
    let (node, _) = node_with_one().await;
    for value in ["yesterday", "2023-11-14T22:13:20Z", "Tue, 14 Nov 2023 22:13:20 GMT\nIf-Modified-Since: x"]
    {
        let got = node.ask(&format!("GET /objects/a\nIf-Modified-Since: {value}")).await;
        assert_eq!(got.status, 200, "{value}");
    }
}

#[tokio::test]
async fn tags_that_are_none_are_refused() {
    let (node, etag) = node_with_one().await;
    for value in ["x", "\"x", "*, \"x\"", "", &format!("{etag} {etag}"), &etag[1..]] {
        for name in ["If-Match", "If-None-Match"] {
            for method in ["GET", "PUT", "DELETE"] {
                let refused = node.ask(&format!("{method} /objects/a\n{name}: {value}\n\n")).await;
                assert_eq!(
                    (refused.status, refused.code().as_str()),
                    (400, "bad-condition"),
                    "{name}: {value}"
                );
            }
        }
    }
    assert_eq!(node.ask("GET /objects/a").await.text(), "one");
}
