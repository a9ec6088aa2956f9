//! Both ends of a stream together, over in-memory pipes and over loopback sockets.

mod asks;
mod damage;
mod fairness;
mod fallback;
mod handshake;
mod limits;
mod page;
mod proof;
mod properties;
mod raw;
mod requests;
mod tls;
mod words;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use ringhold_ring::{
    Heartbeat, Incarnation, Key, MemberAddress, Placement, RingId, Standing, Timestamp, Version,
};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::network::{Ask, Copied, CopyOf, Executed, Passage, RingDescription, Told};
use super::{
    Channel, Connect, Connected, Connecting, Handler, Identity, MemberState, MemberStream, Network, PROTOCOL,
    PeerError, Peers, ServeError, Tcp, serve, wants_stream,
};
use crate::clock::Clock;
use crate::object::{Conditions, ContentType, Object, Operation, Outcome, Record, Refusal};

/// Longer than anything here takes; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn address(text: &str) -> MemberAddress {
    text.parse().unwrap()
}

fn identity_in(cluster: &str, member: MemberAddress) -> Arc<Identity> {
    let clock = Clock::manual(Timestamp::from_millis(1_000_000));
    Arc::new(Identity::new(cluster, member, RingId::from_u64(7), 42, 4 << 20, clock).unwrap())
}

fn identity(member: &str) -> Arc<Identity> {
    identity_in("test", address(member))
}

fn get() -> Operation {
    Operation::Get { conditions: Conditions::default() }
}

fn put(value: impl Into<Bytes>) -> Operation {
    let (content_type, conditions) = (ContentType::Text, Conditions::default());
    Operation::Put { value: value.into(), content_type, ttl: None, conditions }
}

fn key(text: &str) -> Key<'static> {
    Key::new(text.to_owned()).unwrap()
}

/// How an operation comes from the node that its client asked.
const FORWARDED: Passage = Passage::through(1, RingId::from_u64(7));

/// What a member says that has nothing to report.
fn heartbeat(state: MemberState) -> Heartbeat {
    Heartbeat {
        incarnation: Incarnation::new(42),
        number: 0,
        state,
        acts: false,
        unsettled: false,
        ring: RingId::from_u64(7),
        target: None,
        prepared: false,
        knows: None,
        sees: Standing::Unmet,
        damages: 0,
        online: 1,
        handed: false,
    }
}

impl Peers {
    async fn forward(
        &self,
        to: &MemberAddress,
        key: &Key<'_>,
        operation: &Operation,
        timeout: Duration,
    ) -> Result<Result<Outcome, Refusal>, PeerError> {
        let executed = Network::execute(self, to, key, operation, &FORWARDED, timeout).await?;
        let Executed::Done(result) = executed else { panic!("{executed:?}") };
        Ok(result)
    }

    async fn heartbeat(&self, to: &MemberAddress, timeout: Duration) -> Result<Heartbeat, PeerError> {
        let told = Network::ask(self, to, &Ask::Heartbeat(heartbeat(MemberState::Ready)), timeout).await?;
        let Told::Heartbeat(heartbeat) = told else { panic!("{told:?}") };
        Ok(heartbeat)
    }
}

/// Waits until `condition` holds; fails the test when it never does.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

/// A member's objects. Operations and copies of keys that begin with `slow` wait for a permit of `gate`.
struct Memory {
    objects: Mutex<HashMap<String, Object>>,
    gate: Semaphore,
    begun: AtomicUsize,
    state: Mutex<MemberState>,
    /// Everything that was asked of it, by whom, and in which task.
    asked: Mutex<Vec<(MemberAddress, Ask, tokio::task::Id)>>,
    /// How operations came.
    passages: Mutex<Vec<Passage>>,
    /// How many sums it answers, as a power of two, whatever it is asked.
    bits: Mutex<Option<u8>>,
}

impl Default for Memory {
    fn default() -> Self {
        let (objects, gate, begun) = (Mutex::default(), Semaphore::new(0), AtomicUsize::new(0));
        let (asked, passages, bits) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { objects, gate, begun, state: Mutex::new(MemberState::Ready), asked, passages, bits }
    }
}

impl Handler for Memory {
    async fn execute(
        &self,
        _: &MemberAddress,
        key: Key<'static>,
        operation: Operation,
        passage: Passage,
        _: Duration,
    ) -> Executed {
        self.passages.lock().push(passage);
        self.begin(&key).await;
        match key.as_str() {
            "of another" => Executed::NotOwner { may_have_run: false },
            "of another, in doubt" => Executed::NotOwner { may_have_run: true },
            _ => self.run(&key, operation),
        }
    }

    async fn answer(&self, from: &MemberAddress, ask: Ask) -> Told {
        self.asked.lock().push((from.clone(), ask.clone(), tokio::task::id()));
        match ask {
            Ask::Heartbeat(_) => Told::Heartbeat(heartbeat(*self.state.lock())),
            Ask::Copy(CopyOf { key, record, .. }) => {
                self.begin(&key).await;
                if let Record::Object(object) = record {
                    self.objects.lock().insert(key.as_str().to_owned(), object);
                }
                Told::Copied(Copied::Kept)
            }
            Ask::Offer(keys) => {
                let objects = self.objects.lock();
                Told::Wanted(keys.iter().map(|(key, _)| !objects.contains_key(key.as_str())).collect())
            }
            Ask::Sums { bits } => Told::Sums(vec![7; 8 << self.bits.lock().unwrap_or(bits)].into()),
            Ask::Record(key) => {
                let object = self.objects.lock().get(key.as_str()).cloned();
                Told::Record(object.map(Record::Object), Vec::new())
            }
            Ask::Ring(id) if id == RingId::from_u64(7) => Told::Ring(wide_ring()),
            Ask::Ring(_) => Told::Busy,
        }
    }
}

impl Memory {
    async fn begin(&self, key: &Key<'_>) {
        self.begun.fetch_add(1, Ordering::AcqRel);
        if key.as_str().starts_with("slow") {
            self.gate.acquire().await.unwrap().forget();
        }
    }

    fn run(&self, key: &Key<'_>, operation: Operation) -> Executed {
        let name = key.as_str().to_owned();
        let version = Version::from_bytes([9; 12]);
        let mut objects = self.objects.lock();
        Executed::Done(match operation {
            Operation::Get { .. } => Ok(objects.get(&name).cloned().map_or(Outcome::Missing, Outcome::Found)),
            Operation::Put { value, content_type, .. } => {
                let object = Object { value, content_type, version, expires_at: None };
                match objects.insert(name, object) {
                    None => Ok(Outcome::Created(version)),
                    Some(_) => Ok(Outcome::Replaced(version)),
                }
            }
            Operation::Delete { .. } => {
                Ok(objects.remove(&name).map_or(Outcome::Deleted, |_| Outcome::Deleted))
            }
            Operation::Patch { .. } => Err(Refusal::PatchConflict("no patches here".into())),
        })
    }
}

/// More members than fit into one frame.
fn wide_ring() -> RingDescription {
    let members =
        (0..1000).map(|number| address(&format!("node-{number}.a-long-name.example:9999"))).collect();
    RingDescription { members, placement: Placement::Rendezvous, replicas: 3 }
}

/// A member on a loopback socket, with just enough HTTP to take streams.
struct Node {
    address: MemberAddress,
    memory: Arc<Memory>,
    identity: Arc<Identity>,
    drain: CancellationToken,
    accepted: Arc<AtomicUsize>,
    ended: Arc<Mutex<Vec<Result<(), ServeError>>>>,
    listening: JoinHandle<()>,
    kill: CancellationToken,
}

impl Node {
    async fn start() -> Self {
        Self::start_in("test", TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn start_in(cluster: &str, listener: TcpListener) -> Self {
        let address = MemberAddress::from(listener.local_addr().unwrap());
        let identity = identity_in(cluster, address.clone());
        let (memory, accepted) = (Arc::new(Memory::default()), Arc::new(AtomicUsize::new(0)));
        let (drain, kill) = (CancellationToken::new(), CancellationToken::new());
        let ended = Arc::new(Mutex::new(Vec::new()));
        let listening = tokio::spawn({
            let (memory, identity, drain, kill) =
                (Arc::clone(&memory), Arc::clone(&identity), drain.clone(), kill.clone());
            let (accepted, ended) = (Arc::clone(&accepted), Arc::clone(&ended));
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    accepted.fetch_add(1, Ordering::AcqRel);
                    let (memory, identity, drain, kill, ended) = (
                        Arc::clone(&memory),
                        Arc::clone(&identity),
                        drain.clone(),
                        kill.clone(),
                        Arc::clone(&ended),
                    );
                    tokio::spawn(take_stream(stream, move |upgraded| {
                        let serving = serve(upgraded, memory, identity, Channel::Plain, || Some(()), drain);
                        async move {
                            let result = kill.run_until_cancelled(serving).await;
                            ended.lock().extend(result);
                        }
                    }));
                }
            }
        });
        Self { address, memory, identity, drain, accepted, ended, listening, kill }
    }

    /// As `kill -9` would: every socket is closed at once.
    async fn kill(self) {
        self.listening.abort();
        let _ = self.listening.await;
        self.kill.cancel();
    }
}

async fn take_stream<S: MemberStream + 'static, F: Future<Output = ()> + Send + 'static>(
    stream: S,
    serve: impl FnOnce(TokioIo<hyper::upgrade::Upgraded>) -> F + Send + 'static,
) {
    let serve = Arc::new(Mutex::new(Some(serve)));
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        assert!(wants_stream(request.method(), request.uri().path(), request.headers()));
        let upgrade = hyper::upgrade::on(&mut request);
        let serve = serve.lock().take().unwrap();
        tokio::spawn(async move { serve(TokioIo::new(upgrade.await.unwrap())).await });
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("connection", "upgrade".parse().unwrap());
        response.headers_mut().insert("upgrade", PROTOCOL.parse().unwrap());
        async move { Ok::<_, io::Error>(response) }
    });
    let server = hyper::server::conn::http1::Builder::new();
    let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

fn peers() -> Arc<Peers> {
    Arc::new(Peers::new(identity("127.0.0.1:1"), Tcp))
}

/// A connector that nobody answers behind.
struct Silent(Mutex<Vec<DuplexStream>>);

impl Connect for Silent {
    fn connect<'a>(&'a self, _: &'a MemberAddress) -> Connecting<'a> {
        let (near, far) = tokio::io::duplex(1024);
        self.0.lock().push(far);
        Box::pin(async move { Ok(Connected::plain(near)) })
    }
}

/// A connector that hands the other end of each stream to the test.
struct Scripted(tokio::sync::mpsc::UnboundedSender<DuplexStream>);

impl Connect for Scripted {
    fn connect<'a>(&'a self, _: &'a MemberAddress) -> Connecting<'a> {
        let (near, far) = tokio::io::duplex(2048);
        self.0.send(far).unwrap();
        Box::pin(async move { Ok(Connected::plain(near)) })
    }
}
