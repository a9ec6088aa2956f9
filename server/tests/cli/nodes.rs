//! The commands that run nodes: what becomes of them when nobody reads what they say.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::support::nobody;
use crate::{ringhold, run};

const DEADLINE: Duration = Duration::from_secs(20);

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something listens at `address`, which must be before `process` ends.
async fn wait_until_listening(address: SocketAddr, process: &mut Child) {
    let deadline = Instant::now() + DEADLINE;
    while TcpStream::connect(address).is_err() {
        assert_eq!(process.try_wait().unwrap(), None, "it has ended");
        assert!(Instant::now() < deadline, "nothing listens at {address}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_outlives_the_readers_of_its_output_and_of_its_log() {
    let (address, absent) = (nobody().await, nobody().await);
    let own = format!("node.address={address}");
    let members = format!("cluster.members={address},{absent}");
    let mut command =
        ringhold(&["serve", "--set", &own, "--set", &members, "--set", "cluster.peer_timeout=100ms"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut node = Running(child);
    drop((node.0.stdout.take(), node.0.stderr.take()));
    wait_until_listening(address, &mut node.0).await;
    // By the time that it is ready it has logged that the other member is not there, and said that it is ready.
    let ready = ["status", "--json", "--node", &address.to_string()].map(str::to_owned);
    let deadline = Instant::now() + DEADLINE;
    loop {
        let status = run(ringhold(&ready.each_ref().map(String::as_str))).await;
        assert_eq!(node.0.try_wait().unwrap(), None, "it has ended");
        if status.code == 0 && status.text().contains("\"ready\"") && status.text().contains("validating") {
            break;
        }
        assert!(Instant::now() < deadline, "{status:?}");
    }
    let stored = run(ringhold(&["delete", "k", "--node", &address.to_string()])).await;
    assert_eq!(stored.code, 0, "{stored:?}");
    assert_eq!(node.0.try_wait().unwrap(), None, "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_ends_quietly_when_nobody_watches_it_any_more() {
    let port = nobody().await.port().to_string();
    let mut command = ringhold(&["cluster", "--nodes", "1", "--port", &port]);
    let mut ring = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut first = [0; 9];
    ring.0.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"A ring of");
    let mut said = String::new();
    ring.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((ring.0.wait().unwrap().code(), said.as_str()), (Some(0), "all nodes have stopped\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_filter_that_no_node_takes_is_found_by_the_check() {
    let run = run(ringhold(&["config", "check", "--set", "log.filter=ringhold=loud"])).await;
    assert_eq!((run.code, run.text()), (1, ""));
    assert!(run.stderr.contains("log.filter \"ringhold=loud\"") && run.stderr.contains("info"), "{run:?}");
}
