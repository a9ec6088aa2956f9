//! Values that are never in memory as a whole.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ringhold_client::{Client, Error, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Node, Step, TAG, answer, found, problem, replaced};

const BIG: usize = 5_000_000;

fn pattern() -> Vec<u8> {
    (0..BIG).map(|index| (index % 251) as u8).collect()
}

#[tokio::test]
async fn a_reader_of_known_length_is_sent_with_its_length() {
    let node = Node::start([Step::Answer(replaced())]).await;
    let value = Value::reader(io::Cursor::new(pattern()), Some(BIG as u64));
    Client::new([node.address]).unwrap().put("k", value).await.unwrap();
    let request = node.request();
    assert_eq!(request.header("content-length"), Some("5000000"));
    assert!(request.body == pattern());
}

#[tokio::test]
async fn a_reader_of_unknown_length_is_sent_in_chunks() {
    let node = Node::start([Step::Answer(replaced()), Step::Answer(replaced())]).await;
    let client = Client::new([node.address]).unwrap();
    client.put("k", Value::reader(io::Cursor::new(pattern()), None)).await.unwrap();
    client.put("k", Value::reader(tokio::io::empty(), None)).await.unwrap();
    let requests = node.requests();
    assert_eq!(requests[0].header("transfer-encoding"), Some("chunked"));
    assert!(requests[0].body == pattern());
    assert_eq!(requests[1].body, b"");
}

#[tokio::test]
async fn a_reader_that_ends_early_or_fails_stores_nothing() {
    let node = Node::start([]).await;
    let client = Client::new([node.address]).unwrap();
    let short = Value::reader(&b"short"[..], Some(6));
    assert!(matches!(client.put("k", short).await, Err(Error::Source(_))));
    let chunks = [Ok(Bytes::from_static(b"some")), Err(io::Error::other("disk on fire"))];
    let error = client.put("k", Value::stream(stream::iter(chunks), None)).await.unwrap_err();
    assert!(matches!(&error, Error::Source(_)) && error.to_string().contains("disk on fire"), "{error:?}");
    assert!(node.requests().is_empty(), "no request came to its end");
}

#[tokio::test]
async fn no_more_than_the_announced_length_is_read() {
    let node = Node::start([Step::Answer(replaced()), Step::Answer(replaced())]).await;
    let client = Client::new([node.address]).unwrap();
    client.put("k", Value::reader(&b"longer"[..], Some(4))).await.unwrap();
    client.put("k", Value::reader(&b"longer"[..], Some(0))).await.unwrap();
    assert_eq!(node.requests()[0].body, b"long");
    assert_eq!(node.requests()[1].body, b"");
}

#[tokio::test]
async fn a_slow_source_is_no_timeout() {
    let node = Node::start([Step::Answer(replaced())]).await;
    let client = Client::builder().nodes([node.address]).timeout(Duration::from_millis(200)).build().unwrap();
    let (mut writer, reader) = tokio::io::duplex(16);
    let put = tokio::spawn(async move { client.put("k", Value::reader(reader, None)).await });
    writer.write_all(b"first,").await.unwrap();
    // Longer than the timeout: it is the source's own time, not the node's.
    tokio::time::sleep(Duration::from_millis(600)).await;
    writer.write_all(b"second").await.unwrap();
    drop(writer);
    put.await.unwrap().unwrap();
    assert_eq!(node.request().body, b"first,second");
}

#[tokio::test]
async fn a_node_that_answers_too_late_is_a_timeout_for_a_stream_too() {
    let node = Node::start([Step::Hang(vec![])]).await;
    let client = Client::builder().nodes([node.address]).timeout(Duration::from_millis(200)).build().unwrap();
    let error = client.put("k", Value::reader(&b"v"[..], None)).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_refusal_before_the_stream_has_ended_is_understood() {
    let node = Node::start([Step::Early(problem(413, "value-too-large"))]).await;
    let value = Value::reader(io::Cursor::new(pattern()), None);
    let error = Client::new([node.address]).unwrap().put("k", value).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge(_)), "{error:?}");
}

#[tokio::test]
async fn a_value_is_read_as_it_comes_whatever_the_limit() {
    let node = Node::start([Step::Answer(found(pattern())), Step::Answer(found(pattern()))]).await;
    let client = Client::builder().nodes([node.address]).max_object_bytes(10).build().unwrap();
    let object = client.get_stream("k").await.unwrap().unwrap();
    assert_eq!(object.info.length, Some(BIG as u64));
    let mut read = Vec::new();
    object.into_reader().read_to_end(&mut read).await.unwrap();
    assert!(read == pattern());
    let chunks: Vec<Bytes> =
        client.get_stream("k").await.unwrap().unwrap().into_stream().try_collect().await.unwrap();
    assert!(chunks.len() > 1 && chunks.concat() == pattern());
}

#[tokio::test]
async fn a_part_can_be_a_stream() {
    let node =
        Node::start([Step::Answer(answer(206, &[("etag", TAG), ("content-range", "bytes 8-9/10")], "ij"))])
            .await;
    let client = Client::new([node.address]).unwrap();
    let mut object = client.get_range_stream("k", 8..).await.unwrap().unwrap();
    assert_eq!(object.info.length, Some(10));
    assert_eq!(object.chunk().await.unwrap().unwrap(), "ij");
    assert_eq!(object.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn a_value_that_breaks_off_or_stalls_is_an_error_not_an_end() {
    let whole = found("0123456789");
    let part = whole[..whole.len() - 4].to_vec();
    let node = Node::start([Step::Cut(part.clone()), Step::Hang(part)]).await;
    let client = Client::builder().nodes([node.address]).timeout(Duration::from_millis(300)).build().unwrap();
    for _ in 0..2 {
        let mut stream = client.get_stream("k").await.unwrap().unwrap().into_stream();
        assert_eq!(stream.next().await.unwrap().unwrap(), "012345");
        assert!(matches!(stream.next().await.unwrap(), Err(Error::BrokenOff { .. })));
        assert!(stream.next().await.is_none());
    }
}
