//! What each refusal becomes, and answers that make no sense.

use std::time::Duration;

use ringhold_client::{Client, Counter, Error, Problem, PutOptions, SetPatch};

use crate::support::{Node, Step, TAG, answer, found, problem};

async fn put_refused_with(bytes: Vec<u8>) -> Error {
    let node = Node::start([Step::Answer(bytes)]).await;
    Client::new([node.address]).unwrap().put("k", "v").await.unwrap_err()
}

#[tokio::test]
async fn every_refusal_has_its_error_and_carries_the_problem() {
    type Check = fn(&Error) -> bool;
    let is: [(u16, Check); 12] = [
        (400, |error| matches!(error, Error::BadRequest(_))),
        (401, |error| matches!(error, Error::Denied(_))),
        (403, |error| matches!(error, Error::Denied(_))),
        (405, |error| matches!(error, Error::BadRequest(_))),
        (408, |error| matches!(error, Error::BadRequest(_))),
        (409, |error| matches!(error, Error::Conflict(_))),
        (412, |error| matches!(error, Error::PreconditionFailed(_))),
        (413, |error| matches!(error, Error::TooLarge(_))),
        (415, |error| matches!(error, Error::BadRequest(_))),
        (500, |error| matches!(error, Error::ServerFailed(_))),
        (503, |error| matches!(error, Error::Unavailable { .. })),
        (507, |error| matches!(error, Error::StoreFull(_))),
    ];
    for (status, is_right) in is {
        let error = put_refused_with(problem(status, "some-code")).await;
        assert!(is_right(&error), "{status}: {error:?}");
        let detail = "D of some-code".to_owned();
        let expected =
            Problem { status, code: "some-code".into(), title: "T".into(), detail: detail.clone() };
        assert_eq!(error.problem(), Some(&expected));
        assert!(error.to_string().contains(&detail), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_no_problem_document_is_still_explained() {
    let error = put_refused_with(answer(403, &[("content-type", "text/plain")], "not from here\n")).await;
    assert_eq!(error.problem().unwrap().detail, "not from here");
    let error = put_refused_with(answer(502, &[("content-type", "text/html")], "<html>...")).await;
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
    assert!(!error.to_string().contains("<html>"), "{error}");
    let error = put_refused_with(answer(413, &[], "")).await;
    assert_eq!(error.to_string(), "Payload Too Large (status 413)");
}

#[tokio::test]
async fn an_endless_refusal_is_read_up_to_a_bound() {
    let error = put_refused_with(answer(400, &[], "x".repeat(1 << 20))).await;
    assert_eq!(error.problem().unwrap().detail.len(), 200);
}

#[tokio::test]
async fn a_range_behind_the_end_is_refused() {
    let node = Node::start([Step::Answer(problem(416, "range-not-satisfiable"))]).await;
    let error = Client::new([node.address]).unwrap().get_range("k", 100..).await.unwrap_err();
    assert!(matches!(error, Error::RangeNotSatisfiable(_)), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_without_asking_anyone() {
    let node = Node::start([]).await;
    let client = Client::new([node.address]).unwrap();
    assert!(matches!(client.get("").await, Err(Error::BadKey(_))));
    assert!(matches!(client.get(&"k".repeat(1025)).await, Err(Error::BadKey(_))));
    assert!(matches!(client.get("a\nb").await, Err(Error::BadKey(_))));
    assert!(matches!(client.get("..").await, Err(Error::UnsendableKey(_))));
    assert!(matches!(client.get_range("k", 3..3).await, Err(Error::BadArgument(_))));
    for content_type in ["", " ", "a\r\nx-evil: 1", "ü"] {
        let options = PutOptions::default().content_type(content_type);
        assert!(
            matches!(client.put_with("k", "v", &options).await, Err(Error::BadArgument(_))),
            "{content_type:?}"
        );
    }
    assert!(node.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_is_no_ringhold_node_is_recognised() {
    let node = Node::start([
        Step::Answer(answer(200, &[], "hello")),
        Step::Answer(answer(200, &[("etag", "\"abc\"")], "hello")),
        Step::Answer(answer(302, &[("location", "http://127.0.0.1:1/")], "")),
        Step::Answer(problem(404, "no-such-path")),
        Step::Answer(answer(200, &[], "<html>")),
    ])
    .await;
    let client = Client::new([node.address]).unwrap();
    for _ in 0..4 {
        let error = client.get("k").await.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    }
    assert!(matches!(client.cluster().await, Err(Error::Protocol { .. })));
    assert_eq!(node.requests().len(), 5);
}

#[tokio::test]
async fn a_patch_answered_with_something_else_than_its_kind_is_a_protocol_error() {
    let node = Node::start([
        Step::Answer(answer(200, &[("etag", TAG)], "many")),
        Step::Answer(answer(200, &[("etag", TAG)], "[]")),
    ])
    .await;
    let client = Client::new([node.address]).unwrap();
    assert!(matches!(client.patch("k", &Counter::add(1)).await, Err(Error::Protocol { .. })));
    assert!(matches!(client.patch("k", &SetPatch::default().with(["a"])).await, Err(Error::Protocol { .. })));
}

#[tokio::test]
async fn a_value_over_the_limit_is_not_read_into_memory() {
    let chunked = [
        b"HTTP/1.1 200 -\r\netag: \"0123456789abcdef01234567\"\r\ntransfer-encoding: chunked\r\n\r\n"
            .as_ref(),
        b"8\r\n01234567\r\n".as_ref(),
        b"8\r\n01234567\r\n".as_ref(),
    ]
    .concat();
    // Neither is ever sent in full: the limit ends the read, not the end of the value.
    let announced = answer(200, &[("etag", TAG), ("content-length", "1000000000000")], "0123456789");
    let node =
        Node::start([Step::Hang(announced), Step::Hang(chunked), Step::Answer(found("0123456789"))]).await;
    let client = Client::builder()
        .nodes([node.address])
        .max_object_bytes(10)
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    for _ in 0..2 {
        let error = client.get("k").await.unwrap_err();
        assert!(matches!(error, Error::AnswerTooLong { limit: 10 }), "{error:?}");
    }
    assert_eq!(client.get("k").await.unwrap().unwrap().value, "0123456789");
}
