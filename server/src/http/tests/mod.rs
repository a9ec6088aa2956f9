//! The HTTP side through real sockets: a node with one member, and clients that write their own bytes.

mod access;
mod bad_input;
mod conditions;
mod connections;
mod documents;
mod endpoints;
mod express;
mod http2;
mod members;
mod metrics;
mod objects;
mod repose;
mod tls;
mod tokens;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringhold_config::{Config, Limits};
use ringhold_ring::{Key, MemberAddress, Timestamp};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::guard::{Guard, Policy};
use super::report::{ClusterReport, CopiesReport, Location, MemberReport, NodeStatus, SecurityReport};
use super::{AcceptedMember, App, serve};
use crate::clock::Clock;
use crate::routing::Objects;
use crate::security::tls::Tls;
use crate::telemetry::metrics::{Page, family};

/// No answer takes this long unless something is wrong.
const DEADLINE: Duration = Duration::from_secs(20);

const MEMBER: &str = "10.0.0.1:9999";

/// When a node's clock starts.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_500);

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A node that serves on a port of the kernel's choice until it is dropped.
struct Node {
    address: SocketAddr,
    clock: Clock,
    status: Arc<Status>,
    app: Arc<App>,
    members: mpsc::UnboundedReceiver<AcceptedMember>,
    guard: Arc<Guard>,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Node {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::serving("127.0.0.1:0", open(), None, change).await
    }

    /// A plain node that keeps to `policy`.
    async fn guarded(policy: Policy) -> Self {
        Self::serving("127.0.0.1:0", policy, None, |_| {}).await
    }

    /// A node that speaks TLS.
    async fn secured(policy: Policy, tls: &Arc<Tls>) -> Self {
        Self::serving("127.0.0.1:0", policy, Some(Arc::clone(tls)), |_| {}).await
    }

    async fn serving(
        address: &str,
        policy: Policy,
        tls: Option<Arc<Tls>>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::default();
        config.store.max_object_bytes = 100_000;
        change(&mut config);
        let clock = Clock::manual(NOW);
        let objects = Objects::alone(&config.store, clock.clone(), MEMBER);
        let status = Arc::new(Status::default());
        let (accepted, members) = mpsc::unbounded_channel();
        let guard = Arc::new(Guard::new(policy, clock.clone()));
        let app = Arc::new(App::new(
            objects,
            Arc::clone(&status) as Arc<dyn NodeStatus>,
            clock.clone(),
            &config.limits,
            config.store.max_object_bytes,
            Arc::new(move |member| accepted.send(member).unwrap()),
            Arc::clone(&guard),
        ));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, tls, Arc::clone(&app), shutdown.clone()));
        Self { address, clock, status, app, members, guard, shutdown, serving }
    }

    async fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        Self::with(|config| change(&mut config.limits)).await
    }

    async fn connect(&self) -> Client {
        Client::over(TcpStream::connect(self.address).await.unwrap())
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

/// Everyone may ask, and who is on this machine is a member.
fn open() -> Policy {
    Policy::open(vec![MEMBER.parse().unwrap()], HashSet::from([LOOPBACK]))
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
                handed: false,
                share: 1.0,
                last_failure: None,
            }],
            store: crate::store::Usage::default().into(),
            security: SecurityReport::default(),
            acting: "acting".into(),
            syncing_since_ms: None,
            target_ring_id: None,
            target_waits_for: Vec::new(),
            handoff: Vec::new(),
            copies: CopiesReport::default(),
        }
    }

    fn collect(&self, page: &mut Page) {
        page.put(&family::READY, &[], true);
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
struct Client<S = TcpStream> {
    stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

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

/// What the node logs while this lives, on the thread of one test.
struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _subscriber: tracing::subscriber::DefaultGuard,
}

impl Log {
    fn start() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&text));
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        Self { text, _subscriber: tracing::subscriber::set_default(subscriber.finish()) }
    }

    fn lines(&self) -> Vec<String> {
        let text = self.text.lock().unwrap();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
