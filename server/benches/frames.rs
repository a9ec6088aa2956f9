//! What the member stream costs: coding one request and its reply, and whole round trips over loopback.

#![allow(clippy::unwrap_used, reason = "a benchmark stops at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use http::{Response, StatusCode};
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ringhold_ring::{Key, MemberAddress, RingId, Timestamp, Version};
use ringhold_server::clock::Clock;
use ringhold_server::object::{Conditions, ContentType, Object, Operation, Outcome};
use ringhold_server::peer::frame::{self, Kind};
use ringhold_server::peer::message::{decode_request, encode_request};
use ringhold_server::peer::network::{Ask, Executed, Passage, Told};
use ringhold_server::peer::reply::{self, Reply};
use ringhold_server::peer::{Channel, Handler, Identity, Network, PROTOCOL, Peers, Tcp, serve};
use ringhold_server::security::shared_secret::{SharedSecrets, generate_secret};
use tokio_util::sync::CancellationToken;

fn main() {
    divan::main();
}

const LIMIT: usize = 2 << 20;
const VALUE_BYTES: [usize; 3] = [100, 1024, 16 << 10];

/// Round trips in one sample, shared by 64 callers.
const ROUND_TRIPS: usize = 6400;

fn object(bytes: usize) -> Object {
    Object {
        value: vec![7; bytes].into(),
        content_type: ContentType::OctetStream,
        version: Version::from_bytes([1; 12]),
        expires_at: None,
    }
}

fn get() -> Operation {
    Operation::Get { conditions: Conditions::default() }
}

const FORWARDED: Passage = Passage::through(1, RingId::from_u64(7));

#[divan::bench]
fn code_a_get(bencher: Bencher<'_, '_>) {
    let (key, mut buffer) = (Key::new("a key of 16 byte").unwrap(), Vec::with_capacity(256));
    let (operation, left) = (get(), Duration::from_secs(1));
    bencher.bench_local(move || {
        buffer.clear();
        frame::put(&mut buffer, Kind::Request, 1, |to| encode_request(to, &key, &operation, FORWARDED, left));
        let (frame, _) = frame::first(&buffer).unwrap().unwrap();
        black_box(decode_request(frame.payload, LIMIT).unwrap());
    });
}

#[divan::bench(args = VALUE_BYTES)]
fn code_an_object(bencher: Bencher<'_, '_>, bytes: usize) {
    let (now, mut buffer) = (Timestamp::from_millis(1), Vec::with_capacity(32 << 10));
    let found = Reply::Done(Ok(Outcome::Found(object(bytes))));
    bencher.bench_local(move || {
        buffer.clear();
        frame::put(&mut buffer, Kind::Answer, 1, |to| {
            reply::encode(to, &found, now);
        });
        let (frame, _) = frame::first(&buffer).unwrap().unwrap();
        black_box(reply::decode(frame.payload, LIMIT, now).unwrap());
    });
}

#[divan::bench(args = [100, 1024, 16 << 10, 64 << 10, 1 << 20], sample_count = 20, sample_size = 1)]
fn round_trips_of_64_callers(bencher: Bencher<'_, '_>, bytes: usize) {
    round_trips(bencher, bytes, None);
}

/// The same with a shared secret: every frame has a MAC.
#[divan::bench(args = [100, 1024, 16 << 10, 64 << 10, 1 << 20], sample_count = 20, sample_size = 1)]
fn round_trips_with_macs(bencher: Bencher<'_, '_>, bytes: usize) {
    let secret = generate_secret().unwrap();
    round_trips(bencher, bytes, Some(&SharedSecrets::new(&secret, &[]).unwrap()));
}

fn round_trips(bencher: Bencher<'_, '_>, bytes: usize, secrets: Option<&SharedSecrets>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let count = if bytes > 16 << 10 { ROUND_TRIPS / 10 } else { ROUND_TRIPS };
    let (member, peers) = runtime.block_on(async {
        let member = answering_member(bytes, secrets).await;
        (member, Arc::new(Peers::new(identity("127.0.0.1:1".parse().unwrap(), secrets), Tcp)))
    });
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        runtime.block_on(async {
            let callers: Vec<_> = (0..64)
                .map(|_| {
                    let (peers, member) = (Arc::clone(&peers), member.clone());
                    tokio::spawn(async move {
                        let key = Key::new("a key of 16 byte").unwrap();
                        for _ in 0..count / 64 {
                            let (get, wait) = (get(), Duration::from_secs(5));
                            let answer = peers.execute(&member, &key, &get, &FORWARDED, wait).await;
                            assert!(matches!(answer, Ok(Executed::Done(Ok(Outcome::Found(_))))));
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
        });
    });
}

struct Constant(Object);

impl Handler for Constant {
    async fn execute(
        &self,
        _: &MemberAddress,
        _: Key<'static>,
        _: Operation,
        _: Passage,
        _: Duration,
    ) -> Executed {
        Executed::Done(Ok(Outcome::Found(self.0.clone())))
    }

    async fn answer(&self, _: &MemberAddress, _: Ask) -> Told {
        Told::Busy
    }
}

fn identity(member: MemberAddress, secrets: Option<&SharedSecrets>) -> Arc<Identity> {
    let identity = Identity::new("bench", member, RingId::from_u64(7), 1, LIMIT, Clock::system()).unwrap();
    identity.set_secrets(secrets.cloned());
    Arc::new(identity)
}

async fn answering_member(bytes: usize, secrets: Option<&SharedSecrets>) -> MemberAddress {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = MemberAddress::from(listener.local_addr().unwrap());
    let (identity, handler) = (identity(member.clone(), secrets), Arc::new(Constant(object(bytes))));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (identity, handler) = (Arc::clone(&identity), Arc::clone(&handler));
            tokio::spawn(async move {
                let stream = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
                let _ =
                    serve(stream, handler, identity, Channel::Plain, || Some(()), CancellationToken::new())
                        .await;
            });
            let response = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header("connection", "upgrade")
                .header("upgrade", PROTOCOL)
                .body(Empty::<Bytes>::new());
            async move { response }
        });
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    });
    member
}
