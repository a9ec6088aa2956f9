//! The HTTP side through real sockets: a node with one member, and clients that write their own bytes.

mod bad_input;
mod conditions;
mod connections;
mod documents;
mod endpoints;
mod http2;
mod objects;
mod repose;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ringhold_config::{Config, Limits};
use ringhold_ring::{Key, MemberAddress, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::report::{ClusterReport, Location, MemberReport, NodeStatus};
use super::{App, serve};
use crate::clock::Clock;
use crate::owner::Owner;
use crate::routing::Objects;
use crate::store::Store;

/// No answer takes this long unless something is wrong.
const DEADLINE: Duration = Duration::from_secs(20);

const MEMBER: &str = "10.0.0.1:9999";

/// A node that serves on a port of the kernel's choice until it is dropped.
struct Node {
    address: SocketAddr,
    clock: Clock,
    status: Arc<Status>,
    members: mpsc::UnboundedReceiver<TokioIo<Upgraded>>,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Node {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.store.max_object_bytes = 100_000;
        change(&mut config);
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_500));
        let member: MemberAddress = MEMBER.parse().unwrap();
        let store = Store::new(&config.store, clock.clone());
        let owner = Owner::new(&member, &config.store, store, clock.clone());
        let objects = Objects::alone(owner, MEMBER);
        let status = Arc::new(Status::default());
        let (accepted, members) = mpsc::unbounded_channel();
        let app = App::new(
            objects,
            Arc::clone(&status) as Arc<dyn NodeStatus>,
            clock.clone(),
            &config.limits,
            config.store.max_object_bytes,
            Arc::new(move |stream| accepted.send(stream).unwrap()),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, Arc::new(app), shutdown.clone()));
        Self { address, clock, status, members, shutdown, serving }
    }

    async fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        Self::with(|config| change(&mut config.limits)).await
    }

    async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), read: Vec::new() }
    }

    /// One request on a connection of its own.
    async fn ask(&self, request: &str) -> Response {
        self.connect().await.ask(request).await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Says what a test has told it to.
#[derive(Default)]
struct Status {
    not_ready: Mutex<Option<String>>,
}

impl NodeStatus for Status {
    fn is_ready(&self) -> Result<(), String> {
        self.not_ready.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn cluster(&self) -> ClusterReport {
        let member: MemberAddress = MEMBER.parse().unwrap();
        ClusterReport {
            name: "ringhold".into(),
            ring_id: "00000000000000ab".into(),
            placement: "modulo".into(),
            replicas: 1,
            member: member.clone(),
            incarnation: "0000000000000001".into(),
            version: "0.1.0".into(),
            members: vec![MemberReport {
                address: member,
                is_self: true,
                health: "online".into(),
                passes: 0,
                state: None,
                ring_id: None,
                share: 1.0,
                last_failure: None,
            }],
            store: crate::store::Usage::default().into(),
            security: SecurityReport::default(),
        }
    }

    fn locate(&self, key: &Key<'_>) -> Location {
        let member: MemberAddress = MEMBER.parse().unwrap();
        Location {
            key: key.to_string(),
            digest: key.digest().to_string(),
            uuid: key.digest().to_uuid().to_string(),
            homes: vec![member.clone()],
            owner: member.clone(),
            role: "owner".into(),
            preference_list: vec![member],
        }
    }
}

/// An HTTP/1.1 client that sends what it is given and understands just enough of the answers.
struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    /// Sends `method path` with a host, the given header lines and body, and waits for the answer.
    async fn ask(&mut self, request: &str) -> Response {
        let is_head = request.starts_with("HEAD ");
        self.send(framed(request).as_bytes()).await;
        if is_head { self.head_response().await } else { self.response().await }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn response(&mut self) -> Response {
        tokio::time::timeout(DEADLINE, self.read_response(true)).await.expect("an answer in time")
    }

    async fn head_response(&mut self) -> Response {
        tokio::time::timeout(DEADLINE, self.read_response(false)).await.expect("an answer in time")
    }

    async fn read_response(&mut self, has_body: bool) -> Response {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill().await, "the connection ended within a head: {:?}", self.read);
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap()[9..12].parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut response = Response { status, headers, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        if has_body && status != 304 {
            while self.read.len() < length {
                assert!(self.fill().await, "the connection ended within a body");
            }
            response.body = self.read.drain(..length).collect();
        }
        response
    }

    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.read).await, Ok(1..))
    }

    /// Whether the node has closed the connection, with nothing more sent.
    async fn is_closed(&mut self) -> bool {
        assert_eq!(String::from_utf8_lossy(&self.read), "", "nothing follows the last answer");
        tokio::time::timeout(DEADLINE, self.fill()).await.is_ok_and(|more| !more)
    }

    /// Whether the connection still carries requests.
    async fn is_usable(&mut self) -> bool {
        self.ask("GET /healthz").await.status == 200
    }
}

/// `"PUT /objects/a\nX-TTL: 5\n\nbody"` as HTTP/1.1: a host is added, and the length of a body.
fn framed(request: &str) -> String {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut lines = head.lines();
    let mut framed = format!("{} HTTP/1.1\r\nHost: test\r\n", lines.next().unwrap());
    for line in lines {
        framed += &format!("{line}\r\n");
    }
    if request.contains("\n\n") {
        framed += &format!("Content-Length: {}\r\n", body.len());
    }
    framed + "\r\n" + body
}

#[derive(Debug)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} stands there twice");
        value
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The code of a problem document that is as it should be.
    fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("/problems#{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        code.to_owned()
    }
}
