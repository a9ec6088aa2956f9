//! A local ring that grows and shrinks while clients read and write: no request fails, nothing is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ringhold_integration_tests::{binary, client, loopback_address, wait_until};
use serde_json::Value;
use tokio::task::JoinHandle;

const PORT: u16 = 9999;
const DEADLINE: Duration = Duration::from_secs(60);
const KEYS: usize = 300;

/// `ringhold cluster`, and somebody who types.
struct LocalRing {
    process: Child,
    host: String,
    http: reqwest::Client,
}

impl LocalRing {
    /// Its output goes to nobody, as with `> /dev/null`.
    async fn start(nodes: u16, more: &[&str]) -> Self {
        let host = loopback_address().to_string();
        let process = Command::new(binary())
            .args(["cluster", "--nodes", &nodes.to_string(), "--host", &host])
            .args(["--set", "cluster.probe_interval=200ms", "--set", "cluster.rest=500ms"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ring = Self { process, host, http: client() };
        ring.wait_until_it_has(nodes).await;
        ring
    }

    fn address(&self, node: u16) -> SocketAddr {
        format!("{}:{}", self.host, PORT + node).parse().unwrap()
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    async fn report(&self, node: u16) -> Option<Value> {
        let answer = self.http.get(format!("http://{}/cluster", self.address(node))).send().await.ok()?;
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    /// Waits until the first `nodes` nodes, and no others, are members, and every one of them acts, sees all others online,
    /// and has nothing left to hand to anybody.
    async fn wait_until_it_has(&self, nodes: u16) {
        wait_until(DEADLINE, &format!("a settled ring of {nodes}"), async || {
            for node in 0..nodes {
                let Some(report) = self.report(node).await else { return false };
                let members = report["members"].as_array().unwrap();
                let online = members.iter().all(|member| member["health"] == "online");
                let idle = report["handoff"].as_array().unwrap().is_empty();
                let settled = report["acting"] == "acting" && report["target_ring_id"].is_null();
                if members.len() != usize::from(nodes) || !online || !idle || !settled {
                    return false;
                }
            }
            true
        })
        .await;
    }
}

impl Drop for LocalRing {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let said = BufReader::new(self.process.stderr.take().unwrap()).lines();
            said.map_while(Result::ok).for_each(|line| eprintln!("{line}"));
        }
    }
}

/// Clients of the nodes that stay, each with keys of its own, that read what they wrote.
struct Load {
    ends: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(nodes: impl IntoIterator<Item = SocketAddr>) -> Self {
        let (ends, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let run = |node: SocketAddr| {
            let (ends, done) = (Arc::clone(&ends), Arc::clone(&done));
            tokio::spawn(async move {
                let mut complaints = Vec::new();
                let http = client();
                for turn in 0.. {
                    if ends.load(Ordering::Relaxed) {
                        break;
                    }
                    let url = format!("http://{node}/objects/{}-{}", node.port(), turn % KEYS);
                    complaints.extend(write_and_read(&http, &url, turn).await.err());
                    done.fetch_add(1, Ordering::Relaxed);
                }
                complaints
            })
        };
        let clients = nodes.into_iter().map(run).collect();
        Self { ends, done, clients }
    }

    async fn continue_for(&self, rounds: u64) {
        let until = self.done.load(Ordering::Relaxed) + rounds;
        wait_until(DEADLINE, "requests to be answered", async || self.done.load(Ordering::Relaxed) >= until)
            .await;
    }

    async fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        let mut complaints = Vec::new();
        for client in self.clients {
            complaints.extend(client.await.expect("a client never panics"));
        }
        assert!(complaints.is_empty(), "{} complaints, first: {}", complaints.len(), complaints[0]);
    }
}

/// Counts a key up, which must go on from where it was, and reads it back.
async fn write_and_read(http: &reqwest::Client, url: &str, turn: usize) -> Result<(), String> {
    let expected = (turn / KEYS + 1).to_string();
    let patch = http.patch(url).header("content-type", "application/vnd.ringhold.counter+json");
    for request in [patch.body(r#"{"add": 1}"#), http.get(url)] {
        let answer = request.send().await.map_err(|error| format!("{url}: {error:?}"))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| format!("{url}: {error:?}"))?;
        if !status.is_success() || body != expected {
            return Err(format!("{url}: {status} {body}, and not {expected}"));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_grows_and_shrinks_under_load_and_no_request_notices() {
    let mut ring = LocalRing::start(3, &[]).await;
    let load = Load::start([ring.address(0), ring.address(1)]);
    load.continue_for(2 * KEYS as u64).await;
    for (typed, nodes) in [("+", 4), ("+", 5), ("-", 4), ("-", 3)] {
        ring.type_line(typed);
        ring.wait_until_it_has(nodes).await;
        load.continue_for(2 * KEYS as u64).await;
    }
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_without_copies_grows_and_shrinks_and_loses_nothing() {
    let mut ring = LocalRing::start(2, &["--replicas", "1"]).await;
    let load = Load::start([ring.address(0)]);
    load.continue_for(2 * KEYS as u64).await;
    for (typed, nodes) in [("+", 3), ("-", 2), ("-", 1)] {
        ring.type_line(typed);
        ring.wait_until_it_has(nodes).await;
        load.continue_for(2 * KEYS as u64).await;
    }
    load.end().await;
}
