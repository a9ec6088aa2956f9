//! Members inside this process: the example of the documentation, and a ring of three without a socket to its clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use ringhold_ring::{Key, Ttl};
use ringhold_server::embedded::{ObjectError, Removal, Write};
use ringhold_server::object::{ContentType, Refusal};
use ringhold_server::patch::PatchKind;
use ringhold_server::{Config, Node, StartError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Free ports on a loopback address that no other test listens on.
fn addresses(test: u8, count: usize) -> Vec<SocketAddr> {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 254 - test, high, low.max(1));
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind((host, 0)).unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

/// Members of one ring, as `change` has them.
fn configs(test: u8, change: impl Fn(&mut Config)) -> Vec<Config> {
    let addresses = addresses(test, 3);
    let configs = addresses.iter().map(|address| {
        let mut config = Config::alone(*address);
        config.cluster.members = addresses.iter().map(|address| (*address).into()).collect();
        config.cluster.probe_interval = Duration::from_millis(50);
        change(&mut config);
        config
    });
    configs.collect()
}

async fn ring(test: u8) -> Vec<Node> {
    ring_with(test, |_| {}).await
}

async fn ring_with(test: u8, change: impl Fn(&mut Config)) -> Vec<Node> {
    let starting = configs(test, change).into_iter().map(Node::start);
    let nodes: Vec<_> =
        futures_util::future::join_all(starting).await.into_iter().collect::<Result<_, _>>().unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !nodes.iter().all(sees_all_online) {
        assert!(tokio::time::Instant::now() < deadline, "the members do not find each other");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    nodes
}

fn sees_all_online(node: &Node) -> bool {
    node.members().iter().all(|member| member.health == "online")
}

#[test]
fn the_example_runs() {
    let test = std::env::current_exe().unwrap();
    // target/debug/deps/this-test -> target/debug/examples/embedded
    let example = test.ancestors().nth(2).unwrap().join("examples/embedded");
    let output = Command::new(example).arg(addresses(0, 1)[0].to_string()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_member_stores_every_member_reads_and_patches() {
    let nodes = ring(1).await;
    for number in 0..60 {
        let key = format!("key {number}");
        let [writer, reader, patcher] = [0, 1, 2].map(|step| nodes[(number + step) % 3].objects());
        let text = Write::default().content_type(ContentType::Text).ttl(Ttl::from_seconds(60).unwrap());
        let version = writer.put(&key, format!("value {number}"), text).await.unwrap();
        let read = reader.get(&key).await.unwrap().unwrap();
        assert_eq!((read.value, read.version), (format!("value {number}").into(), version));
        assert_eq!(read.content_type, ContentType::Text);
        assert!(read.expires_at.is_some());
        let patched = patcher.patch(&key, PatchKind::Append, "!", Write::default()).await.unwrap();
        assert_eq!(patched.value, format!("value {number}!"));
        reader.delete(&key, Removal::default()).await.unwrap();
        assert_eq!(writer.get(&key).await.unwrap(), None);
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_hold_wherever_the_key_lives() {
    let nodes = ring(2).await;
    for number in 0..12 {
        let key = format!("lock {number}");
        let version = nodes[0].objects().put(&key, "mine", Write::if_absent()).await.unwrap();
        let second = nodes[1].objects().put(&key, "yours", Write::if_absent()).await;
        assert_eq!(second, Err(ObjectError::Refused(Refusal::PreconditionFailed)));
        nodes[2].objects().put(&key, "mine again", Write::if_at(version)).await.unwrap();
        let late = nodes[1].objects().put(&key, "late", Write::if_at(version)).await;
        assert_eq!(late, Err(ObjectError::Refused(Refusal::PreconditionFailed)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_comes_again_under_its_name_leaves_what_was_stored_in_between() {
    let nodes = ring(6).await;
    let [first, second, third] = [0, 1, 2].map(|member| nodes[member].objects());
    for number in 0..6 {
        let key = format!("job {number}");
        let named = || Removal::default().idempotency_key(b"done");
        let version = first.put(&key, "old", Write::default()).await.unwrap();
        second.delete(&key, named()).await.unwrap();
        assert_eq!(third.get(&key).await.unwrap(), None);
        let late = third.delete(&key, Removal::if_at(version)).await;
        assert_eq!(late, Err(ObjectError::Refused(Refusal::PreconditionFailed)));
        first.put(&key, "new", Write::default()).await.unwrap();
        third.delete(&key, named()).await.unwrap();
        assert_eq!(second.get(&key).await.unwrap().unwrap().value, "new");
        third.delete(&key, Removal::default()).await.unwrap();
        assert_eq!(second.get(&key).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_increments_through_three_members_add_a_thousand() {
    // All queue for one key: the last waits for all before it, on a slow machine for longer than a second.
    let nodes = ring_with(3, |config| config.cluster.peer_timeout = Duration::from_secs(30)).await;
    let increments = (0..1_000).map(|number: usize| {
        let objects = nodes[number % 3].objects();
        objects.patch("visits", PatchKind::Counter, r#"{"add": 1}"#, Write::default())
    });
    let counts = futures_util::future::join_all(increments).await;
    assert!(counts.iter().all(Result::is_ok));
    assert_eq!(nodes[0].objects().get("visits").await.unwrap().unwrap().value, "1000");
}

#[tokio::test]
async fn bad_keys_and_values_over_the_limit_are_refused() {
    let node = Node::start(Config::alone(addresses(4, 1)[0])).await.unwrap();
    assert!(matches!(node.objects().get("").await, Err(ObjectError::Key(_))));
    let long = "x".repeat(Key::MAX_BYTES + 1);
    assert!(matches!(node.objects().put(&long, "", Write::default()).await, Err(ObjectError::Key(_))));
    let large = vec![0; (2 << 20) + 1];
    let refused = node.objects().put("large", large, Write::default()).await;
    assert_eq!(refused, Err(ObjectError::Refused(Refusal::TooLarge { limit: 2 << 20 })));
}

#[tokio::test]
async fn what_keeps_a_node_from_starting_is_said() {
    let address = addresses(5, 1)[0];
    let taken = TcpListener::bind(address).unwrap();
    let error = Node::start(Config::alone(address)).await.unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }));
    assert!(error.to_string().contains("another program listens there"), "{error}");
    drop(taken);

    let mut config = Config::alone(address);
    config.cluster.members = vec!["10.0.0.1:9999".parse().unwrap()];
    let error = Node::start(config).await.unwrap_err();
    assert!(matches!(error, StartError::NotAMember { .. }), "{error}");
}

/// The number on the line of `node`'s metrics that begins with `line`.
async fn metric(node: &Node, line: &str) -> u64 {
    let mut stream = TcpStream::connect(node.addresses()[0]).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    let number = page.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    number.unwrap_or_else(|| panic!("no {line} in {page}")).parse().unwrap()
}

async fn sum(nodes: &[Node], line: &str) -> u64 {
    let mut sum = 0;
    for node in nodes {
        sum += metric(node, line).await;
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_handovers_and_refusals_are_counted() {
    let mut nodes = ring_with(7, |config| {
        config.cluster.replicas = 2;
        config.cluster.min_copies = 2;
    })
    .await;
    let objects = nodes[0].objects();
    for number in 0..60 {
        objects.put(&format!("key {number}"), "value", Write::default()).await.unwrap();
    }
    objects.delete("key 0", Removal::default()).await.unwrap();
    assert_eq!(sum(&nodes, "ringhold_copies_total{result=\"kept\"}").await, 61);
    assert_eq!(sum(&nodes, "ringhold_copies_total{result=\"failed\"}").await, 0);
    assert_eq!(sum(&nodes, "ringhold_store_tombstones").await, 2);
    let mut reported = 0;
    for node in &nodes {
        let ring = ringhold_client::Client::new([node.addresses()[0]]).unwrap();
        reported += ring.cluster().await.unwrap().copies.sent;
    }
    assert_eq!(reported, 61, "the report tells what the metrics tell");
    let forwards = metric(&nodes[0], "ringhold_passes_total{direction=\"forward\"}").await;
    assert!((1..61).contains(&forwards), "{forwards}");
    for node in &nodes {
        assert_eq!(metric(node, "ringhold_state{state=\"ready\"}").await, 1);
        assert_eq!(metric(node, "ringhold_ring_changing").await, 0);
    }

    // Two copies of each object, and two members to keep them: both hand the other what it lacks.
    nodes.remove(2).stop().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while sum(&nodes, "ringhold_store_objects").await < 2 * 59 {
        assert!(tokio::time::Instant::now() < deadline, "the copies are not restored");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    nodes.remove(1).stop().await;
    let alone = nodes[0].objects();
    let refused = alone.put("key 1", "new", Write::default()).await.unwrap_err();
    assert!(
        matches!(refused, ObjectError::Refused(Refusal::TooFewCopies { held: 1, wanted: 2 })),
        "{refused}"
    );
    assert_eq!(metric(&nodes[0], "ringhold_operation_refusals_total{reason=\"too-few-copies\"}").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_is_handed_when_it_comes_is_counted_by_who_handed_it() {
    let (mut configs, mut nodes) = (configs(8, |config| config.cluster.replicas = 2), Vec::new());
    let late = configs.pop().unwrap();
    let starting = configs.into_iter().map(Node::start);
    for node in futures_util::future::join_all(starting).await {
        nodes.push(node.unwrap());
    }
    for number in 0..60 {
        nodes[0].objects().put(&format!("key {number}"), "value", Write::default()).await.unwrap();
    }
    let handed = "ringhold_handoff_records_total";
    let before = sum(&nodes, handed).await;
    let late = Node::start(late).await.unwrap();
    let held = metric(&late, "ringhold_store_objects").await;
    assert!(held > 0, "it begins when it has been handed what it should keep");
    // Of a record that both kept, both may find that it lacks it.
    let records = sum(&nodes, handed).await - before;
    assert!((held..=2 * held).contains(&records), "{records} handed over, {held} there");
    assert!(sum(&nodes, "ringhold_handoff_bytes_total").await >= held * "key 1value".len() as u64);
    for node in &nodes {
        assert!(metric(node, "ringhold_handovers_total{result=\"complete\"}").await >= 2);
        assert_eq!(metric(node, "ringhold_handoff_left_records").await, 0);
        let member = format!("ringhold_member_handed{{member=\"{}\"}}", late.addresses()[0]);
        assert_eq!(metric(node, &member).await, 1);
    }
}
