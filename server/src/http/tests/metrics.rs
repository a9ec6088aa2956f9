//! What listeners count, read where an operator reads it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Node, open};
use crate::http::guard::Policy;
use crate::security::access::AddressList;

impl Node {
    /// The number on the page's line that begins with `line`.
    async fn metric(&self, line: &str) -> u64 {
        let page = self.ask("GET /metrics").await.text().to_owned();
        let number = page.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        number.unwrap_or_else(|| panic!("no {line} in {page}")).parse().unwrap()
    }
}

#[tokio::test]
async fn metrics_are_a_page_in_the_text_format() {
    let node = Node::start().await;
    let page = node.ask("GET /metrics").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(page.text().contains("# TYPE ringhold_http_requests_total counter\n"), "{}", page.text());
    assert!(page.text().contains("\nringhold_ready 1\n"), "what is behind the HTTP side is there too");
}

#[tokio::test]
async fn every_answer_counts_under_its_method_and_class() {
    let node = Node::start().await;
    for request in ["PUT /objects/a\n\nvalue", "GET /objects/a", "GET /objects/a", "GET /objects/b", "BREW /"]
    {
        node.ask(request).await;
    }
    for (labels, count) in [
        ("method=\"PUT\",status=\"2xx\"", 1),
        ("method=\"GET\",status=\"4xx\"", 1),
        ("method=\"other\",status=\"4xx\"", 1),
        ("method=\"DELETE\",status=\"2xx\"", 0),
    ] {
        assert_eq!(
            node.metric(&format!("ringhold_http_requests_total{{{labels}}}")).await,
            count,
            "{labels}"
        );
    }
    // The pages themselves are among them.
    assert_eq!(node.metric("ringhold_http_requests_total{method=\"GET\",status=\"2xx\"}").await, 2 + 4);
}

#[tokio::test]
async fn connections_and_bytes_count_both_ways() {
    let node = Node::start().await;
    let before = node.metric("ringhold_http_received_bytes_total").await;
    let value = "x".repeat(100_000);
    node.ask(&format!("PUT /objects/a\n\n{value}")).await;
    assert!(node.metric("ringhold_http_received_bytes_total").await >= before + 100_000);
    node.ask("GET /objects/a").await;
    assert!(node.metric("ringhold_http_sent_bytes_total").await >= 100_000);
    let accepted = node.metric("ringhold_connections_accepted_total").await;
    let _open = [node.connect().await, node.connect().await];
    assert_eq!(node.metric("ringhold_connections_accepted_total").await, accepted + 3);
    assert!(node.metric("ringhold_connections_open").await >= 3);
}

#[tokio::test]
async fn who_is_refused_counts_every_time() {
    let node = Node::start().await;
    let mut policy: Policy = open();
    policy.access.members.clear();
    policy.access.addresses = AddressList::Ranges(Vec::new());
    node.guard.replace(policy);
    for _ in 0..3 {
        assert_eq!(node.ask("GET /objects/a").await.status, 403);
    }
    assert_eq!(node.ask("GET /metrics").await.status, 403, "the page is no exception");
    node.guard.replace(open());
    assert_eq!(node.metric("ringhold_refusals_total{reason=\"access-list\"}").await, 4);
    assert_eq!(node.metric("ringhold_refusals_total{reason=\"bearer-token\"}").await, 0);
}

#[tokio::test]
async fn limits_that_are_reached_count() {
    let node = Node::limited(|limits| limits.header_timeout = Duration::from_millis(200)).await;
    let large = "x".repeat(100_001);
    assert_eq!(node.ask(&format!("PUT /objects/a\n\n{large}")).await.status, 413);
    assert_eq!(node.metric("ringhold_limits_reached_total{limit=\"object-bytes\"}").await, 1);
    let mut silent = node.connect().await;
    silent.stream.write_all(b"GET /objects/a HTTP/1.1\r\nHost").await.unwrap();
    let ended = silent.stream.read(&mut [0; 512]).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    assert_eq!(node.metric("ringhold_limits_reached_total{limit=\"head-time\"}").await, 1);
}
