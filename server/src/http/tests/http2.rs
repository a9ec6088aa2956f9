//! HTTP/2 with prior knowledge: the same answers over one connection.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::Node;

async fn connect(node: &Node) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(node.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(
    sender: &SendRequest<Full<Bytes>>,
    method: &str,
    key: &str,
    body: impl Into<Bytes>,
) -> http::Response<Bytes> {
    let request = http::Request::builder().method(method).uri(format!("http://test/objects/{key}"));
    let request = request.body(Full::new(body.into())).unwrap();
    let (head, body) = sender.clone().send_request(request).await.unwrap().into_parts();
    http::Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn objects_are_stored_and_read() {
    let node = Node::start().await;
    let client = connect(&node).await;
    let value = vec![b'v'; 90_000];
    assert_eq!(ask(&client, "PUT", "a", value.clone()).await.status(), 201);
    let got = ask(&client, "GET", "a", "").await;
    assert_eq!((got.status().as_u16(), got.body().as_ref()), (200, value.as_slice()));
    let head = ask(&client, "HEAD", "a", "").await;
    assert_eq!((head.headers()["content-length"].as_bytes(), head.body().len()), (&b"90000"[..], 0));
    assert_eq!(ask(&client, "DELETE", "a", "").await.status(), 204);
    assert_eq!(ask(&client, "GET", "a", "").await.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_refused_request_costs_no_other_on_its_connection() {
    let node = Node::start().await;
    let client = connect(&node).await;
    assert_eq!(ask(&client, "PUT", "a", vec![0; 100_001]).await.status(), 413);
    assert_eq!(ask(&client, "PUT", "%zz", vec![0; 5000]).await.status(), 400);
    let many = (0..64).map(|at| {
        let client = client.clone();
        async move { ask(&client, "PUT", &at.to_string(), "v").await.status() }
    });
    let statuses = futures_util::future::join_all(many).await;
    assert!(statuses.iter().all(|status| *status == 201));
}

#[tokio::test]
async fn a_node_that_stops_lets_the_connection_end() {
    let mut node = Node::start().await;
    let client = connect(&node).await;
    assert_eq!(ask(&client, "PUT", "a", "v").await.status(), 201);
    node.shutdown.cancel();
    tokio::time::timeout(super::DEADLINE, &mut node.serving).await.expect("it returns").unwrap();
}
