//! Members that share a secret, members that do not, and somebody in between.

use std::future::pending;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::raw::{Raw, far, hello};
use super::*;
use crate::peer::connection::{Connection, Lost, Trace};
use crate::peer::frame::{self, Kind, Violation};
use crate::peer::reply::Reply;
use crate::peer::{HandshakeError, Hello};
use crate::security::secret::Secret;
use crate::security::shared_secret::{SharedSecrets, generate_secret};
use crate::security::stream::TAG_BYTES;

pub(super) fn secrets(signing: &Secret, accepted: &[Secret]) -> SharedSecrets {
    SharedSecrets::new(signing, accepted).unwrap()
}

pub(super) fn some_secrets() -> SharedSecrets {
    secrets(&generate_secret().unwrap(), &[])
}

/// The asking member, then the answering one.
fn members(ours: Option<&SharedSecrets>, theirs: Option<&SharedSecrets>) -> [Arc<Identity>; 2] {
    [("127.0.0.1:1", ours), ("127.0.0.1:2", theirs)].map(|(member, secrets)| {
        let identity = identity(member);
        identity.set_secrets(secrets.cloned());
        identity
    })
}

type Opened = Result<Arc<Connection>, HandshakeError>;
type Served = JoinHandle<Result<(), ServeError>>;

async fn open_over(channels: [Channel; 2], [us, them]: [Arc<Identity>; 2]) -> (Opened, Served, Arc<Memory>) {
    let (near, far_end) = tokio::io::duplex(4096);
    let [ours, theirs] = channels;
    let memory = Arc::new(Memory::default());
    let serving = tokio::spawn(serve(
        far_end,
        Arc::clone(&memory),
        them,
        theirs,
        || Some(()),
        CancellationToken::new(),
    ));
    let opened = patiently(Connection::start(near, BytesMut::new(), us, &far(), &ours)).await;
    (opened, serving, memory)
}

async fn open(members: [Arc<Identity>; 2]) -> (Opened, Served, Arc<Memory>) {
    open_over([Channel::Plain, Channel::Plain], members).await
}

async fn ask(connection: &Connection, name: &str, operation: Operation) -> Result<Reply, Lost> {
    let (key, trace) = (key(name), Trace::default());
    patiently(connection.execute(&key, &operation, &FORWARDED, PATIENCE, &trace)).await
}

async fn keep(connection: &Connection, name: &str, value: impl Into<Bytes>) -> Result<Reply, Lost> {
    let copy = Ask::Copy(super::asks::copy(name, value));
    patiently(connection.ask(&copy, PATIENCE, &Trace::default())).await
}

async fn refused(members: [Arc<Identity>; 2]) -> (String, String) {
    refused_over([Channel::Plain, Channel::Plain], members).await
}

/// Why, as the asking side and the answering side have it.
async fn refused_over(channels: [Channel; 2], members: [Arc<Identity>; 2]) -> (String, String) {
    let (opened, serving, memory) = open_over(channels, members).await;
    let served = patiently(serving).await.unwrap();
    assert_eq!(memory.begun.load(Ordering::Acquire), 0);
    (opened.unwrap_err().to_string(), served.unwrap_err().to_string())
}

#[tokio::test]
async fn members_that_share_a_secret_serve_each_other_requests_of_every_size() {
    let shared = some_secrets();
    let (opened, _serving, memory) = open(members(Some(&shared), Some(&shared))).await;
    let connection = opened.unwrap();
    for size in [0, 100, 16 << 10, (16 << 10) + 1, 300_000] {
        let value = Bytes::from(vec![size as u8; size]);
        let stored = ask(&connection, &size.to_string(), put(value.clone())).await.unwrap();
        assert!(matches!(stored, Reply::Done(Ok(Outcome::Created(_)))), "{size}: {stored:?}");
        let found = ask(&connection, &size.to_string(), get()).await.unwrap();
        assert!(matches!(found, Reply::Done(Ok(Outcome::Found(object))) if object.value == value), "{size}");
        let kept = keep(&connection, "copy", value.clone()).await.unwrap();
        assert_eq!(kept, Reply::Told(Told::Copied(Copied::Kept)), "{size}");
        assert_eq!(memory.objects.lock()["copy"].value, value, "{size}");
    }
}

#[tokio::test]
async fn a_request_that_is_withdrawn_breaks_no_protected_stream() {
    let shared = some_secrets();
    let (opened, _serving, memory) = open(members(Some(&shared), Some(&shared))).await;
    let connection = opened.unwrap();
    let (slow, small) = (key("slow"), get());
    let trace = Trace::default();
    for withdrawn in [small, put(vec![1; 1 << 20])] {
        let asked = connection.execute(&slow, &withdrawn, &FORWARDED, PATIENCE, &trace);
        assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
    }
    memory.gate.add_permits(2);
    let reply = ask(&connection, "k", get()).await.unwrap();
    assert_eq!(reply, Reply::Done(Ok(Outcome::Missing)));
}

#[tokio::test]
async fn another_secret_is_refused_and_both_sides_know_why() {
    let (ours, theirs) = refused(members(Some(&some_secrets()), Some(&some_secrets()))).await;
    assert!(
        ours.contains("refused by the other side: the other side does not know the shared secret"),
        "{ours}"
    );
    assert!(theirs.contains("does not know the shared secret: compare auth.shared_secret"), "{theirs}");
}

#[tokio::test]
async fn a_side_with_a_secret_never_talks_to_one_without() {
    let shared = some_secrets();
    for [ours, theirs] in [[Some(&shared), None], [None, Some(&shared)]] {
        let (ours, theirs) = refused(members(ours, theirs)).await;
        for reason in [ours, theirs] {
            assert!(reason.contains("set auth.shared_secret there too"), "{reason}");
        }
    }
}

#[tokio::test]
async fn during_a_rotation_old_and_new_secrets_serve_each_other_in_both_directions() {
    let (old, new) = (generate_secret().unwrap(), generate_secret().unwrap());
    let behind = secrets(&old, std::slice::from_ref(&new));
    let ahead = secrets(&new, std::slice::from_ref(&old));
    for [ours, theirs] in [[&behind, &ahead], [&ahead, &behind]] {
        let (opened, ..) = open(members(Some(ours), Some(theirs))).await;
        let reply = ask(&opened.unwrap(), "k", get()).await.unwrap();
        assert_eq!(reply, Reply::Done(Ok(Outcome::Missing)));
    }
    let (_, theirs) = refused(members(Some(&behind), Some(&secrets(&new, &[])))).await;
    assert!(theirs.contains("does not know the shared secret"), "the old secret is over: {theirs}");
}

#[tokio::test]
async fn open_streams_outlive_their_secret_and_new_ones_take_the_new() {
    let (before, after) = (some_secrets(), some_secrets());
    let [us, them] = members(Some(&before), Some(&before));
    let (opened, ..) = open([Arc::clone(&us), Arc::clone(&them)]).await;
    let connection = opened.unwrap();
    them.set_secrets(Some(after.clone()));
    assert!(ask(&connection, "k", put("x")).await.is_ok(), "it was open");
    refused([Arc::clone(&us), Arc::clone(&them)]).await;
    us.set_secrets(Some(after));
    assert!(open([us, them]).await.0.is_ok());
    assert!(ask(&connection, "k", get()).await.is_ok(), "it is open still");
}

#[tokio::test]
async fn a_proof_is_bound_to_the_connection_it_was_made_for() {
    let shared = some_secrets();
    let both = || members(Some(&shared), Some(&shared));
    let tls = Channel::of_test;
    let (opened, ..) = open_over([tls(1), tls(1)], both()).await;
    assert!(ask(&opened.unwrap(), "k", get()).await.is_ok());
    let (_, theirs) = refused_over([tls(1), tls(2)], both()).await;
    assert!(theirs.contains("does not know the shared secret"), "{theirs}");
    for channels in [[tls(1), Channel::Plain], [Channel::Plain, tls(1)]] {
        let (ours, theirs) = refused_over(channels, both()).await;
        for reason in [ours, theirs] {
            assert!(reason.contains("something between them ends it"), "{reason}");
        }
    }
}

#[tokio::test]
async fn nothing_is_taken_from_a_side_that_has_not_proved_itself() {
    let [_, them] = members(None, Some(&some_secrets()));
    let request: (Kind, &[u8]) = (Kind::Request, b"");
    let short: (Kind, &[u8]) = (Kind::Proof, &[0; 31]);
    let wrong: (Kind, &[u8]) = (Kind::Proof, &[0; 32]);
    for (kind, payload) in [request, short, wrong] {
        let (near, far_end) = tokio::io::duplex(4096);
        let (memory, us) = (Arc::new(Memory::default()), Arc::clone(&them));
        let serving =
            tokio::spawn(serve(far_end, memory, us, Channel::Plain, || Some(()), CancellationToken::new()));
        let mut raw = Raw::new(near);
        raw.send_hello(&Hello { challenge: Some([7; 16]), ..hello(&address("127.0.0.1:1")) }).await;
        assert_eq!(raw.next().await.unwrap().0, Kind::Hello);
        raw.send(kind, 0, payload).await;
        let reason = raw.closed_with().await;
        let expected = ["unexpected frame", "malformed PROOF", "does not know the shared secret"];
        assert!(expected.iter().any(|expected| reason.contains(expected)), "{kind:?}: {reason}");
        assert_eq!(raw.next().await.map(|(kind, ..)| kind), None);
        assert!(matches!(patiently(serving).await.unwrap(), Err(ServeError::Handshake(_))), "{kind:?}");
    }
}

#[tokio::test]
async fn somebody_who_answers_without_the_secret_gets_no_request() {
    let [us, _] = members(Some(&some_secrets()), None);
    let (near, far_end) = tokio::io::duplex(4096);
    let mut raw = Raw::new(far_end);
    let member = far();
    let impostor = async {
        let (_, _, theirs) = raw.next().await.unwrap();
        let challenge = Hello::decode(&theirs).unwrap().challenge;
        raw.send_hello(&Hello { challenge, ..hello(&far()) }).await;
        let (kind, _, proof) = raw.next().await.unwrap();
        assert_eq!(kind, Kind::Proof);
        raw.send(Kind::Proof, 0, &proof).await;
        raw.closed_with().await
    };
    let (opened, reason) =
        tokio::join!(Connection::start(near, BytesMut::new(), us, &member, &Channel::Plain), impostor);
    assert!(matches!(opened.unwrap_err(), HandshakeError::Proof(_)), "its own proof sent back");
    assert!(reason.contains("does not know the shared secret"), "{reason}");
}

/// Everything that a side with the secret sends is recorded, then sent to the same member once more.
#[tokio::test]
async fn a_recorded_stream_is_worth_nothing_when_it_is_played_again() {
    let shared = some_secrets();
    let [us, them] = members(Some(&shared), Some(&shared));
    let (between, memory) = Between::open([us, Arc::clone(&them)]).await;
    let recorded = Arc::clone(&between.recorded);
    let connection = between.pass().await;
    ask(&connection, "k", put("x")).await.unwrap();
    let recorded = recorded.lock().clone();
    assert!(recorded.len() > 150, "hello, proof and request");

    let (mut near, far_end) = tokio::io::duplex(4096);
    let serving = tokio::spawn(serve(
        far_end,
        Arc::clone(&memory),
        them,
        Channel::Plain,
        || Some(()),
        CancellationToken::new(),
    ));
    near.write_all(&recorded).await.unwrap();
    let ended = patiently(serving).await.unwrap();
    assert!(matches!(ended, Err(ServeError::Handshake(HandshakeError::Proof(_)))), "{ended:?}");
    assert_eq!(memory.begun.load(Ordering::Acquire), 1, "only the first time");
}

#[tokio::test]
async fn requests_that_somebody_changes_leaves_out_repeats_or_moves_end_the_stream_unexecuted() {
    let flip = |frame: &[u8], at: usize| {
        let mut changed = frame.to_vec();
        changed[at] ^= 1;
        changed
    };
    type Meddling<'a> = &'a (dyn Fn(&[u8], &[u8]) -> Vec<Vec<u8>> + Sync);
    let cases: [(&str, usize, Meddling<'_>); 7] = [
        ("its end is changed", 0, &|one, _| vec![flip(one, one.len() - TAG_BYTES - 1)]),
        ("its id is changed", 0, &|one, _| vec![flip(one, 12)]),
        ("its tag is changed", 0, &|one, _| vec![flip(one, one.len() - 1)]),
        ("it is left out", 0, &|_, other| vec![other.to_vec()]),
        ("it is repeated", 1, &|one, _| vec![one.to_vec(), one.to_vec()]),
        ("both are swapped", 0, &|one, other| vec![other.to_vec(), one.to_vec()]),
        ("it gets another's tag", 0, &|one, other| {
            let (body, tag) = (&one[..one.len() - TAG_BYTES], &other[other.len() - TAG_BYTES..]);
            vec![[body, tag].concat()]
        }),
    ];
    let both = cases.iter().flat_map(|case| [(case, true), (case, false)]);
    for ((what, executed, meddling), are_copies) in both {
        let shared = some_secrets();
        let (between, memory) = Between::open(members(Some(&shared), Some(&shared))).await;
        let Between {
            connecting,
            mut from_asking,
            to_answering,
            mut from_answering,
            mut to_asking,
            serving,
            ..
        } = between;
        let mut to_answering = to_answering;
        let meddler = async {
            pass_handshake(&mut from_asking, &mut to_answering).await;
            let (one, other) = (from_asking.sealed().await, from_asking.sealed().await);
            for frame in meddling(&one, &other) {
                to_answering.write_all(&frame).await.unwrap();
            }
            pending::<()>().await;
        };
        let asking = async {
            let connection = connecting.await.unwrap().unwrap();
            if are_copies {
                tokio::join!(keep(&connection, "one", "x"), keep(&connection, "two", "y"))
            } else {
                tokio::join!(ask(&connection, "one", get()), ask(&connection, "two", get()))
            }
        };
        let back = async {
            from_answering.copy_to(&mut to_asking).await;
            pending::<()>().await;
        };
        let (_, other) = tokio::select! {
            results = patiently(asking) => results,
            () = meddler => unreachable!(),
            () = back => unreachable!(),
        };
        let cause = other.expect_err(what).cause;
        assert!(cause.contains("was changed, repeated, left out or forged"), "{what}: {cause}");
        let ended = patiently(serving).await.unwrap();
        let forged = matches!(&ended, Err(ServeError::Violation { violation: Violation::Forged(_), .. }));
        assert!(forged, "{what}: {ended:?}");
        assert_eq!(memory.begun.load(Ordering::Acquire), *executed, "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_somebody_changes_is_not_believed() {
    let shared = some_secrets();
    let (between, memory) = Between::open(members(Some(&shared), Some(&shared))).await;
    let Between { connecting, mut from_asking, mut to_answering, mut from_answering, mut to_asking, .. } =
        between;
    let meddler = async {
        pass_handshake(&mut from_answering, &mut to_asking).await;
        let mut answer = from_answering.sealed().await;
        assert_eq!(answer[frame::HEADER_BYTES], 0x03, "there is no such object");
        answer[frame::HEADER_BYTES] = 0x06;
        to_asking.write_all(&answer).await.unwrap();
        pending::<()>().await;
    };
    let asking = async {
        let connection = connecting.await.unwrap().unwrap();
        ask(&connection, "k", get()).await
    };
    let lost = tokio::select! {
        result = patiently(asking) => result.unwrap_err(),
        () = meddler => unreachable!(),
        () = async { from_asking.copy_to(&mut to_answering).await; pending().await } => unreachable!(),
    };
    assert!(lost.cause.contains("frame 0 was changed"), "{}", lost.cause);
    assert_eq!(memory.begun.load(Ordering::Acquire), 1);
}

#[test]
fn an_identity_shows_no_secret() {
    let [us, _] = members(Some(&some_secrets()), None);
    let shown = format!("{us:?} {:?}", Channel::of_test(171));
    assert!(!shown.contains("[1") && !shown.contains("171"), "{shown}");
    assert!(shown.contains("***"), "{shown}");
}

/// Two members and somebody on the way between them.
struct Between {
    connecting: JoinHandle<Opened>,
    serving: Served,
    from_asking: Tap,
    to_answering: WriteHalf<DuplexStream>,
    from_answering: Tap,
    to_asking: WriteHalf<DuplexStream>,
    /// What the asking side has sent.
    recorded: Arc<Mutex<Vec<u8>>>,
}

impl Between {
    async fn open([us, them]: [Arc<Identity>; 2]) -> (Self, Arc<Memory>) {
        let (asking, near) = tokio::io::duplex(4096);
        let (answering, far_end) = tokio::io::duplex(4096);
        let memory = Arc::new(Memory::default());
        let serving = serve(
            answering,
            Arc::clone(&memory),
            them,
            Channel::Plain,
            || Some(()),
            CancellationToken::new(),
        );
        let serving = tokio::spawn(serving);
        let connecting = tokio::spawn(async move {
            Connection::start(asking, BytesMut::new(), us, &far(), &Channel::Plain).await
        });
        let (near, to_asking) = tokio::io::split(near);
        let (far_end, to_answering) = tokio::io::split(far_end);
        let recorded = Arc::default();
        let from_asking = Tap { reader: near, buffer: BytesMut::new(), recorded: Arc::clone(&recorded) };
        let from_answering = Tap { reader: far_end, buffer: BytesMut::new(), recorded: Arc::default() };
        let between =
            Self { connecting, serving, from_asking, to_answering, from_answering, to_asking, recorded };
        (between, memory)
    }

    /// Passes everything on, in the background.
    async fn pass(mut self) -> Arc<Connection> {
        tokio::spawn(async move { self.from_asking.copy_to(&mut self.to_answering).await });
        tokio::spawn(async move { self.from_answering.copy_to(&mut self.to_asking).await });
        self.connecting.await.unwrap().unwrap()
    }
}

/// One direction, frame by frame.
struct Tap {
    reader: ReadHalf<DuplexStream>,
    buffer: BytesMut,
    recorded: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    async fn fill(&mut self) -> usize {
        let count = patiently(self.reader.read_buf(&mut self.buffer)).await.unwrap();
        let end = self.buffer.len();
        self.recorded.lock().extend_from_slice(&self.buffer[end - count..]);
        count
    }

    async fn take(&mut self, tag_bytes: usize) -> Vec<u8> {
        loop {
            if let Some((_, length)) = frame::first(&self.buffer).unwrap()
                && self.buffer.len() >= length + tag_bytes
            {
                let taken = self.buffer[..length + tag_bytes].to_vec();
                self.buffer.advance(taken.len());
                return taken;
            }
            assert!(self.fill().await > 0, "it ended");
        }
    }

    /// The next frame with its tag.
    async fn sealed(&mut self) -> Vec<u8> {
        self.take(TAG_BYTES).await
    }

    async fn copy_to(&mut self, to: &mut WriteHalf<DuplexStream>) {
        loop {
            if to.write_all(&self.buffer).await.is_err() {
                return;
            }
            self.buffer.clear();
            if self.reader.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                let _ = to.shutdown().await;
                return;
            }
            self.recorded.lock().extend_from_slice(&self.buffer);
        }
    }
}

/// HELLO and PROOF.
async fn pass_handshake(from: &mut Tap, to: &mut WriteHalf<DuplexStream>) {
    for _ in 0..2 {
        let frame = from.take(0).await;
        to.write_all(&frame).await.unwrap();
    }
}
