//! What members ask each other besides operations: heartbeats, copies, records, offers, sums, rings.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::raw::{Raw, far};
use super::*;
use crate::object::OperationId;
use crate::peer::connection::{Connection, Trace};
use crate::peer::frame::Kind;
use crate::peer::hello::MAX_REQUESTS;
use crate::peer::message;
use crate::peer::network::{Copying, MAX_IDS, MAX_OFFERS};
use crate::peer::reply::Reply;

pub(super) fn copy(name: &str, value: impl Into<Bytes>) -> CopyOf {
    let version = Version::from_bytes([5; 12]);
    let object = Object { value: value.into(), content_type: ContentType::Text, version, expires_at: None };
    let term = ringhold_ring::Term { incarnation: Incarnation::new(3), number: 1 };
    CopyOf {
        key: key(name),
        record: Record::Object(object),
        copying: Copying::Write(term),
        ring: RingId::from_u64(7),
        ids: vec![(OperationId::from_u128(8), version)],
    }
}

async fn ask(peers: &Peers, node: &Node, ask: Ask) -> Result<Told, PeerError> {
    patiently(Network::ask(peers, &node.address, &ask, PATIENCE)).await
}

const KEPT: Result<Told, PeerError> = Ok(Told::Copied(Copied::Kept));

#[tokio::test]
async fn heartbeats_go_both_ways() {
    let (node, peers) = (Node::start().await, peers());
    for state in MemberState::ALL {
        *node.memory.state.lock() = state;
        assert_eq!(peers.heartbeat(&node.address, PATIENCE).await, Ok(heartbeat(state)));
    }
    let heard = node.memory.asked.lock();
    let (from, asked, _) = &heard[0];
    assert_eq!(from, &address("127.0.0.1:1"), "the one that the handshake was with");
    assert_eq!(asked, &Ask::Heartbeat(heartbeat(MemberState::Ready)));
}

#[tokio::test]
async fn copies_of_every_size_arrive_whole() {
    let (node, peers) = (Node::start().await, peers());
    for size in [0, 1, 16 << 10, (16 << 10) + 1, 300_000, 4 << 20] {
        let sent = copy(&format!("of {size} bytes"), vec![size as u8; size]);
        assert_eq!(ask(&peers, &node, Ask::Copy(sent.clone())).await, KEPT);
        let (_, asked, _) = node.memory.asked.lock().pop().unwrap();
        assert_eq!(asked, Ask::Copy(sent), "{size} bytes");
    }
    let expires_at = Timestamp::from_millis(1_000_000) + Duration::from_secs(600);
    let record = Record::Tombstone { version: Version::from_bytes([6; 12]), expires_at };
    let deleted = CopyOf { record, copying: Copying::Handoff, ids: Vec::new(), ..copy("k", "") };
    assert_eq!(ask(&peers, &node, Ask::Copy(deleted.clone())).await, KEPT);
    assert_eq!(node.memory.asked.lock().pop().unwrap().1, Ask::Copy(deleted));
}

#[tokio::test]
async fn a_copy_that_no_member_of_its_size_can_keep_is_not_sent() {
    let (node, peers) = (Node::start().await, peers());
    let limit = node.identity.max_object_bytes();
    let told = ask(&peers, &node, Ask::Copy(copy("k", vec![0; limit + 1]))).await;
    assert_eq!(told, Ok(Told::Copied(Copied::Full)));
    assert_eq!(node.memory.begun.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn offers_and_sums_larger_than_a_frame_are_answered() {
    let (node, peers) = (Node::start().await, peers());
    ask(&peers, &node, Ask::Copy(copy(&long_key(7), "x"))).await.unwrap();
    let offer = (0..MAX_OFFERS).map(|at| (key(&long_key(at)), Version::from_bytes([1; 12]))).collect();
    let wanted = (0..MAX_OFFERS).map(|at| at != 7).collect();
    assert_eq!(ask(&peers, &node, Ask::Offer(offer)).await, Ok(Told::Wanted(wanted)));
    for bits in [0, 11, 12, 16] {
        let sums = Told::Sums(vec![7; 8 << bits].into());
        assert_eq!(ask(&peers, &node, Ask::Sums { bits }).await, Ok(sums), "2^{bits} sums");
    }
}

#[tokio::test]
async fn a_ring_larger_than_a_frame_is_described_by_its_id() {
    let (node, peers) = (Node::start().await, peers());
    for (id, told) in [(7, Told::Ring(wide_ring())), (8, Told::Busy)] {
        assert_eq!(ask(&peers, &node, Ask::Ring(RingId::from_u64(id))).await, Ok(told), "ring {id}");
    }
}

#[tokio::test]
async fn records_of_every_size_are_told() {
    let (node, peers) = (Node::start().await, peers());
    let (there, nothing) = (Ask::Record(key("k")), Ask::Record(key("nothing")));
    for size in [0, 1, (16 << 10) + 1, 4 << 20] {
        let sent = copy("k", vec![size as u8; size]);
        assert_eq!(ask(&peers, &node, Ask::Copy(sent.clone())).await, KEPT);
        let told = Ok(Told::Record(Some(sent.record), Vec::new()));
        assert_eq!(ask(&peers, &node, there.clone()).await, told, "{size} bytes");
    }
    assert_eq!(ask(&peers, &node, nothing).await, Ok(Told::Record(None, Vec::new())));
}

fn long_key(number: usize) -> String {
    format!("{number:01024}")
}

#[tokio::test]
async fn an_answer_to_something_else_is_no_answer() {
    let (node, peers) = (Node::start().await, peers());
    *node.memory.bits.lock() = Some(4);
    let error = ask(&peers, &node, Ask::Sums { bits: 5 }).await.unwrap_err();
    assert!(matches!(&error, PeerError::Lost(text) if text.contains("another kind")), "{error}");
}

#[tokio::test]
async fn more_than_may_be_asked_at_once_is_not_sent() {
    let (node, peers) = (Node::start().await, peers());
    let ids = vec![(OperationId::from_u128(8), Version::from_bytes([1; 12])); MAX_IDS + 1];
    let many = Ask::Copy(CopyOf { ids, ..copy("k", "x") });
    assert!(matches!(ask(&peers, &node, many).await, Err(PeerError::NotSent(_))));
    assert_eq!(node.accepted.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn a_passage_arrives_as_it_was_sent_and_so_does_that_it_leads_elsewhere() {
    let (node, peers) = (Node::start().await, peers());
    let passage = Passage {
        to: Some(Incarnation::new(42)),
        hops: 3,
        instead_of: Some(ringhold_ring::Term { incarnation: Incarnation::new(3), number: 1 }),
        after_failure: true,
        id: Some(OperationId::of(b"once")),
        ..FORWARDED
    };
    for (k, may_have_run) in [("of another", false), ("of another, in doubt", true)] {
        let executed = peers.execute(&node.address, &key(k), &put("x"), &passage, PATIENCE).await;
        assert_eq!(executed, Ok(Executed::NotOwner { may_have_run }));
    }
    assert_eq!(*node.memory.passages.lock(), [passage, passage]);
}

#[tokio::test]
async fn a_copy_that_is_begun_runs_to_its_end_though_nobody_waits() {
    let (node, peers) = (Node::start().await, peers());
    let asked = Ask::Copy(copy("slow", "x"));
    let error = Network::ask(&*peers, &node.address, &asked, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(&error, PeerError::Lost(text) if text.contains("no answer within 200 ms")), "{error}");
    assert!(!node.memory.objects.lock().contains_key("slow"));
    node.memory.gate.add_permits(1);
    eventually("it is kept", || node.memory.objects.lock().contains_key("slow")).await;
}

/// A member that has as many operations in progress as it takes is busy, and neither dead nor in the way of copies:
/// those operations may be waiting for copies of its own.
#[tokio::test]
async fn a_busy_member_still_answers_heartbeats_and_copies() {
    let (node, peers) = (Node::start().await, peers());
    let (k, operation) = (key("slow"), get());
    let stuck = join_all((0..MAX_REQUESTS).map(|_| peers.forward(&node.address, &k, &operation, PATIENCE)));
    let (peers, memory) = (&peers, &node.memory);
    let rest = async {
        eventually("all that may be have begun", || {
            memory.begun.load(Ordering::Acquire) == MAX_REQUESTS as usize / 2
        })
        .await;
        assert_eq!(peers.heartbeat(&node.address, PATIENCE).await, Ok(heartbeat(MemberState::Ready)));
        assert_eq!(ask(peers, &node, Ask::Copy(copy("k", "x"))).await, KEPT);
        memory.gate.add_permits(MAX_REQUESTS as usize);
    };
    let (answers, ()) = patiently(async { tokio::join!(stuck, rest) }).await;
    assert!(answers.iter().all(|answer| *answer == Ok(Ok(Outcome::Missing))));
}

#[tokio::test]
async fn heartbeats_are_answered_though_every_request_slot_is_taken() {
    let memory = Arc::<Memory>::default();
    let (near, far_end) = tokio::io::duplex(1 << 20);
    let (serving, us) = (Arc::clone(&memory), identity("127.0.0.1:2"));
    tokio::spawn(serve(far_end, serving, us, Channel::Plain, || Some(()), CancellationToken::new()));
    let mut raw = Raw::new(near);
    raw.ask_hello().await;
    let mut request = Vec::new();
    message::encode_request(&mut request, &key("slow"), &get(), FORWARDED, PATIENCE);
    for id in 1..=u64::from(MAX_REQUESTS) {
        raw.send(Kind::Request, id, &request).await;
    }
    let mut probe = Vec::new();
    crate::peer::heartbeat::encode(&mut probe, &heartbeat(MemberState::Ready));
    raw.send(Kind::Probe, 9999, &probe).await;
    assert_eq!(raw.next().await.map(|(kind, id, _)| (kind, id)), Some((Kind::ProbeAnswer, 9999)));
}

/// Counts writes to a transport.
struct Counted<S>(S, Arc<AtomicUsize>);

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::AcqRel);
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::AcqRel);
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn small_copies_at_once_share_writes_and_cost_their_receiver_no_tasks() {
    const COPIES: usize = 2000;
    const ROUNDS: usize = 5;
    let memory = Arc::<Memory>::default();
    let (near, far_end) = tokio::io::duplex(1 << 20);
    let (asking, answering) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let far_end = Counted(far_end, Arc::clone(&answering));
    let (serving, them) = (Arc::clone(&memory), identity("127.0.0.1:2"));
    let server =
        tokio::spawn(serve(far_end, serving, them, Channel::Plain, || Some(()), CancellationToken::new()));
    let (near, us) = (Counted(near, Arc::clone(&asking)), identity("127.0.0.1:1"));
    let connection = Connection::start(near, Default::default(), us, &far(), &Channel::Plain).await.unwrap();
    for counter in [&asking, &answering] {
        counter.store(0, Ordering::Release);
    }
    let (connection, trace) = (&connection, &Trace::default());
    for round in 0..ROUNDS {
        let copies = (0..COPIES / ROUNDS).map(|number| async move {
            let sent = Ask::Copy(copy(&format!("{round} {number}"), vec![7; 100]));
            connection.ask(&sent, PATIENCE, trace).await.map_err(|lost| lost.cause)
        });
        let answers = patiently(join_all(copies)).await;
        let kept = Ok(Reply::Told(Told::Copied(Copied::Kept)));
        assert!(answers.iter().all(|answer| *answer == kept));
    }
    for counter in [&asking, &answering] {
        let writes = counter.load(Ordering::Acquire);
        assert!(writes <= COPIES / 50, "{writes} writes for {COPIES} copies");
    }
    let asked = memory.asked.lock();
    assert_eq!(asked.len(), COPIES);
    assert!(asked.iter().all(|(.., task)| *task == server.id()), "carried out where they were read");
}

#[tokio::test]
async fn members_that_are_none_any_more_are_let_go() {
    let (stays, goes, peers) = (Node::start().await, Node::start().await, peers());
    for node in [&stays, &goes] {
        assert_eq!(ask(&peers, node, Ask::Copy(copy("k", "x"))).await, KEPT);
    }
    peers.set_members(std::slice::from_ref(&stays.address));
    assert!(peers.is_connected(&stays.address) && !peers.is_connected(&goes.address));
    eventually("its stream has ended", || !goes.ended.lock().is_empty()).await;
}
