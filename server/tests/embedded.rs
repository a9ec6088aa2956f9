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

/// Free ports on a loopback address that no other test listens on.
fn addresses(test: u8, count: usize) -> Vec<SocketAddr> {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 254 - test, high, low.max(1));
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind((host, 0)).unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

async fn ring(test: u8) -> Vec<Node> {
    let addresses = addresses(test, 3);
    let starting = addresses.iter().map(|address| {
        let mut config = Config::alone(*address);
        config.cluster.members = addresses.iter().map(|address| (*address).into()).collect();
        config.cluster.probe_interval = Duration::from_millis(50);
        Node::start(config)
    });
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
    let nodes = ring(3).await;
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
