//! The commands that run nodes: what becomes of them when nobody reads what they say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
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

/// A local ring, somebody who types, and who reads what it says.
struct Ring {
    process: Running,
    folder: PathBuf,
    first: SocketAddr,
    said: BufReader<std::process::ChildStderr>,
    _shown: BufReader<std::process::ChildStdout>,
}

impl Ring {
    /// A ring of `nodes` above the port of an address at which nothing listens.
    async fn start(nodes: &str, more: &[&str]) -> Self {
        let first = nobody().await;
        let port = first.port().to_string();
        let mut command = ringhold(&["cluster", "--nodes", nodes, "--port", &port]);
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Running(command.spawn().unwrap());
        let mut shown = BufReader::new(process.0.stdout.take().unwrap());
        let said = BufReader::new(process.0.stderr.take().unwrap());
        let mut line = String::new();
        shown.read_line(&mut line).unwrap();
        let folder = line.trim().rsplit_once(" are in ").unwrap().1.into();
        Self { process, folder, first, said, _shown: shown }
    }

    fn type_line(&mut self, typed: &str) {
        writeln!(self.process.0.stdin.as_mut().unwrap(), "{typed}").unwrap();
    }

    /// The next line on stderr.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// The members that each configuration file names, by the file's name.
    fn configured(&self) -> Vec<(String, String)> {
        let files = std::fs::read_dir(&self.folder).unwrap().map(|file| file.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
        let mut configured: Vec<_> = files
            .map(|path| {
                let text = std::fs::read_to_string(&path).unwrap();
                let members = text.lines().find(|line| line.starts_with("members = ")).unwrap().to_owned();
                (path.file_name().unwrap().to_str().unwrap().to_owned(), members)
            })
            .collect();
        configured.sort();
        configured
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_ring_grows_and_shrinks_as_it_is_told() {
    let mut ring = Ring::start("1", &[]).await;
    let alone = ring.configured();
    ring.type_line("+");
    let said = ring.hear();
    let second: SocketAddr = said.split(' ').next().unwrap().parse().expect("who was added");
    assert_eq!(said, format!("{second} is added; the others make room for it"));
    wait_until_listening(second, &mut ring.process.0).await;
    let both = format!("members = [\"{}\", \"{second}\"]", ring.first);
    let configured = ring.configured();
    assert_eq!(configured.len(), 2, "{configured:?}");
    assert!(configured.iter().all(|(_, members)| *members == both), "{configured:?}");
    ring.type_line("-");
    assert_eq!(ring.hear(), format!("{second} leaves; it hands over what it holds first"));
    assert_eq!(ring.hear(), format!("{second} has left"));
    assert!(TcpStream::connect(second).is_err());
    assert!(ring.configured().contains(&alone[0]), "{:?}", ring.configured());
    ring.type_line("-");
    assert_eq!(ring.hear(), "a ring keeps its last node; Ctrl-C stops it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_local_ring_cannot_become_it_does_not_begin_to() {
    let mut ring = Ring::start("2", &["--replicas", "2"]).await;
    let before = ring.configured();
    ring.type_line("-");
    let refused = ring.hear();
    assert!(refused.contains("cluster.replicas is 2") && refused.contains("at most 1"), "{refused}");
    ring.type_line("more");
    assert!(ring.hear().contains("type + and Enter to add a node"));
    assert_eq!(ring.configured(), before);
    // The end of the input ends nothing.
    drop(ring.process.0.stdin.take());
    for _ in 0..5 {
        let stored = run(ringhold(&["put", "k", "/dev/null", "--node", &ring.first.to_string()])).await;
        assert_eq!(stored.code, 0, "{stored:?}");
    }
    assert_eq!(ring.process.0.try_wait().unwrap(), None, "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_filter_that_no_node_takes_is_found_by_the_check() {
    let run = run(ringhold(&["config", "check", "--set", "log.filter=ringhold=loud"])).await;
    assert_eq!((run.code, run.text()), (1, ""));
    assert!(run.stderr.contains("log.filter \"ringhold=loud\"") && run.stderr.contains("info"), "{run:?}");
}
