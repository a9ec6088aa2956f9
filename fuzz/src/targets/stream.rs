//! The member stream: what any member, or whoever connects to its port, may send.
//!
//! Rule: what decodes is encoded to something that decodes to the same.

use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{
    Heartbeat, Incarnation, Key, MemberState, Placement, RingId, Standing, Term, Timestamp, Ttl, Version,
};
use ringhold_server::object::{
    Conditions, ContentType, Object, Operation, OperationId, Outcome, PatchEffect, Record, Refusal, Tags,
};
use ringhold_server::patch::PatchKind;
use ringhold_server::peer::frame::{self, INLINE_BYTES, Kind};
use ringhold_server::peer::message::{self, Body};
use ringhold_server::peer::network::{
    Ask, Copied, CopyOf, Copying, MAX_OFFERS, Passage, RingDescription, Told,
};
use ringhold_server::peer::reply::{self, Reply};
use ringhold_server::peer::{Hello, ask, heartbeat};
use ringhold_server::security::shared_secret::SharedSecrets;
use ringhold_server::security::stream::{StreamKeys, TAG_BYTES, Transcript};

use super::{Target, kind};

const MAX_OBJECT_BYTES: usize = 1 << 20;
const RING: RingId = RingId::from_u64(0x1234_5678_9abc_def0);

pub const FRAMES: Target = Target {
    name: "frames",
    words: &["\u{10}\0", "\u{1}"],
    max_bytes: 64 << 10,
    samples: frames,
    run: run_frames,
};
pub const HELLO: Target = Target {
    name: "hello",
    words: &["RINGHOLD", "127.0.0.1:1", "[::1]:9"],
    max_bytes: 1024,
    samples: hellos,
    run: run_hello,
};
pub const REQUEST: Target = Target {
    name: "request",
    words: &["key", "application/json", "text/plain", "\u{7f}"],
    max_bytes: 128 << 10,
    samples: requests,
    run: run_request,
};
pub const REPLY: Target = Target {
    name: "reply",
    words: &["text", "\u{1}", "application/json"],
    max_bytes: 32 << 10,
    samples: replies,
    run: run_reply,
};
pub const ASK: Target = Target {
    name: "ask",
    words: &["key", "text/plain", "\u{1}", "\u{8}"],
    max_bytes: 32 << 10,
    samples: asks,
    run: run_ask,
};
/// Lists that follow an `ASK` or an `ANSWER` in pieces.
pub const LIST: Target = Target {
    name: "list",
    words: &["key", "10.0.0.1:1"],
    max_bytes: 16 << 10,
    samples: lists,
    run: run_list,
};
pub const PROBE: Target =
    Target { name: "probe", words: &["\u{3}"], max_bytes: 64, samples: probes, run: run_probe };
pub const SEALED: Target =
    Target { name: "sealed", words: &[], max_bytes: 4096, samples: sealed, run: run_sealed };

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn version() -> Version {
    Version::from_bytes([7; Version::BYTES])
}

fn run_frames(input: &[u8]) -> String {
    let mut rest = input;
    let mut kinds = String::new();
    loop {
        match frame::first(rest) {
            Ok(Some((frame, length))) => {
                assert!(length <= rest.len() && frame.payload.len() <= frame.kind.max_payload());
                let mut again = Vec::new();
                frame::put(&mut again, frame.kind, frame.id, |to| to.extend_from_slice(frame.payload));
                assert_eq!(
                    again,
                    rest.get(..length).unwrap_or_default(),
                    "a frame is written as it was read"
                );
                rest = rest.get(length..).unwrap_or_default();
                if kinds.len() < 32 {
                    kinds.push_str(&kind(&frame.kind));
                }
            }
            Ok(None) => return kinds + " incomplete",
            Err(violation) => return kinds + &kind(&violation),
        }
    }
}

fn frames() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (kind, payload) in [
        (Kind::Void, vec![0; 3]),
        (Kind::Hello, hellos().remove(0)),
        (Kind::Close, b"\0\x01why".to_vec()),
        (Kind::GoAway, Vec::new()),
        (Kind::Request, requests().remove(0)),
        (Kind::Answer, replies().remove(0)),
        (Kind::Cancel, Vec::new()),
        (Kind::Body, vec![1; 100]),
        (Kind::Credit, vec![0, 1, 0, 0]),
        (Kind::Ask, asks().remove(0)),
        (Kind::Probe, probes().remove(0)),
        (Kind::ProbeAnswer, probes().remove(1)),
    ] {
        frame::put(&mut all, kind, 9, |to| to.extend_from_slice(&payload));
    }
    vec![all]
}

fn run_hello(input: &[u8]) -> String {
    match Hello::decode(input) {
        Err(error) => kind(&error),
        Ok(hello) => {
            let mut again = Vec::new();
            hello.encode(&mut again);
            let decoded = Hello::decode(&again);
            assert_eq!(decoded.ok().as_ref(), Some(&hello), "a HELLO is read as it was written");
            "hello".into()
        }
    }
}

fn hellos() -> Vec<Vec<u8>> {
    let hello = |member: &str, challenge| {
        let mut payload = Vec::new();
        let hello = Hello {
            versions: (1, 1),
            challenge,
            is_over_tls: false,
            features: 0,
            ring_id: RING,
            incarnation: 42,
            max_object_bytes: MAX_OBJECT_BYTES,
            assembly_bytes: MAX_OBJECT_BYTES * 2,
            max_requests: 16,
            cluster: "ringhold".into(),
            member: member.parse().unwrap_or_else(|_| std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into()),
        };
        hello.encode(&mut payload);
        payload
    };
    vec![
        hello("127.0.0.1:9999", None),
        hello("[fd00::1]:80", Some([9; 16])),
        hello("node-1.ring.example:9999", Some([0; 16])),
    ]
}

fn run_request(input: &[u8]) -> String {
    let head = match message::decode_request(input, MAX_OBJECT_BYTES) {
        Ok(head) => head,
        Err(violation) => return kind(&violation),
    };
    assert!(message::is_encodable(&head.operation), "{head:?}");
    if let Body::Follows(length) = head.body {
        assert!((INLINE_BYTES + 1..=MAX_OBJECT_BYTES).contains(&length), "{length} bytes are announced");
        return "to be followed".into();
    }
    let mut again = Vec::new();
    message::encode_request(&mut again, &head.key, &head.operation, head.passage, head.time_left);
    let decoded = message::decode_request(&again, MAX_OBJECT_BYTES);
    assert_eq!(decoded.as_ref(), Ok(&head), "a REQUEST is read as it was written");
    kind(&head.operation)
}

fn requests() -> Vec<Vec<u8>> {
    let ttl = Ttl::from_seconds(60).ok();
    let conditions = Conditions {
        if_match: Some(Tags::Of(vec![version(), version()])),
        if_none_match: Some(Tags::Any),
        if_modified_since: Some(now()),
        if_unmodified_since: Some(now()),
    };
    let (value, document) = (Bytes::from_static(b"a value"), Bytes::from_static(b"{\"add\": 1}"));
    let operations = [
        Operation::Get { conditions: Conditions::default() },
        Operation::Get { conditions: conditions.clone() },
        Operation::Put { value, content_type: ContentType::Text, ttl, conditions: conditions.clone() },
        Operation::Put {
            value: Bytes::from(vec![7; INLINE_BYTES + 1]),
            content_type: ContentType::OctetStream,
            ttl: None,
            conditions: Conditions::default(),
        },
        Operation::Delete { conditions: conditions.clone() },
        Operation::Patch {
            kind: PatchKind::Counter,
            document,
            content_type: ContentType::Json,
            ttl,
            conditions,
        },
    ];
    let direct = Passage::through(1, RING);
    let id = Some(OperationId::from_u128(9));
    let passed = Passage {
        to: Some(Incarnation::new(42)),
        hops: 3,
        instead_of: Some(term()),
        after_failure: true,
        any_copy: true,
        id,
        ..direct
    };
    let encode = |operation: &Operation, passage| {
        let mut payload = Vec::new();
        if let Ok(key) = Key::new("a/key") {
            message::encode_request(&mut payload, &key, operation, passage, Duration::from_millis(900));
        }
        payload
    };
    let passages = [direct, passed];
    operations.iter().flat_map(|operation| passages.map(|passage| encode(operation, passage))).collect()
}

fn run_reply(input: &[u8]) -> String {
    let (reply, body) = match reply::decode(input, MAX_OBJECT_BYTES, now()) {
        Ok(decoded) => decoded,
        Err(violation) => return kind(&violation),
    };
    if let Body::Follows(length) = body {
        assert!((INLINE_BYTES + 1..=MAX_OBJECT_BYTES).contains(&length), "{length} bytes are announced");
        return "to be followed".into();
    }
    let mut again = Vec::new();
    reply::encode(&mut again, &reply, now());
    let decoded = reply::decode(&again, MAX_OBJECT_BYTES, now());
    assert_eq!(decoded, Ok((reply.clone(), Body::Here)), "an ANSWER is read as it was written");
    kind(&reply)
}

fn replies() -> Vec<Vec<u8>> {
    let object = |length| Object {
        value: Bytes::from(vec![b'v'; length]),
        content_type: ContentType::Json,
        version: version(),
        expires_at: Some(now() + Duration::from_secs(9)),
    };
    let done = |outcome| Reply::Done(Ok(outcome));
    let refused = |refusal| Reply::Done(Err(refusal));
    let tombstone = Record::Tombstone { version: version(), expires_at: now() + Duration::from_secs(9) };
    let replies = [
        done(Outcome::Found(object(10))),
        done(Outcome::Found(object(INLINE_BYTES + 1))),
        done(Outcome::NotModified(object(0))),
        done(Outcome::Patched { object: object(3), effect: PatchEffect::Created }),
        done(Outcome::Patched { object: object(3), effect: PatchEffect::Overtaken }),
        done(Outcome::Missing),
        done(Outcome::Deleted),
        done(Outcome::Created(version())),
        done(Outcome::Replaced(version())),
        refused(Refusal::PreconditionFailed),
        refused(Refusal::TooLarge { limit: 5 }),
        refused(Refusal::StoreFull),
        refused(Refusal::MalformedPatch("why".into())),
        refused(Refusal::PatchConflict("why".into())),
        refused(Refusal::OutcomeUnknown("why".into())),
        refused(Refusal::Unavailable("why".into())),
        refused(Refusal::TooFewCopies { held: 1, wanted: 2 }),
        refused(Refusal::NoMajority { reached: 1, members: 3 }),
        Reply::Told(Told::Copied(Copied::Kept)),
        Reply::Told(Told::Copied(Copied::Newer(version()))),
        Reply::Told(Told::Wanted(vec![true, false, true, true, false, false, true, false, true])),
        Reply::Told(Told::Sums(Bytes::from(vec![8; 32]))),
        Reply::Told(Told::Record(None, Vec::new())),
        Reply::Told(Told::Record(
            Some(Record::Object(object(10))),
            vec![(OperationId::from_u128(5), version())],
        )),
        Reply::Told(Told::Record(Some(Record::Object(object(INLINE_BYTES + 1))), Vec::new())),
        Reply::Told(Told::Record(Some(tombstone), Vec::new())),
        Reply::Told(Told::Ring(ring())),
        Reply::Told(Told::Busy),
        Reply::NotOwner { may_have_run: false },
        Reply::NotOwner { may_have_run: true },
        Reply::Stale,
        Reply::Failed,
    ];
    let encode = |reply| {
        let mut payload = Vec::new();
        reply::encode(&mut payload, reply, now());
        payload
    };
    replies.iter().map(encode).collect()
}

fn ring() -> RingDescription {
    let members = [([10, 0, 0, 1], 9999), ([10, 0, 0, 2], 1)];
    let members = members.map(|member| std::net::SocketAddr::from(member).into()).into();
    RingDescription { members, placement: Placement::Rendezvous, replicas: 2 }
}

fn run_ask(input: &[u8]) -> String {
    let head = match ask::decode(input, MAX_OBJECT_BYTES, now()) {
        Ok(head) => head,
        Err(violation) => return kind(&violation),
    };
    assert!(ask::is_encodable(&head.ask), "{head:?}");
    if let Body::Follows(length) = head.body {
        assert!((INLINE_BYTES + 1..=MAX_OBJECT_BYTES).contains(&length), "{length} bytes are announced");
        return "to be followed".into();
    }
    let mut again = Vec::new();
    ask::encode(&mut again, &head.ask, head.time_left, now());
    let decoded = ask::decode(&again, MAX_OBJECT_BYTES, now());
    assert_eq!(decoded.as_ref(), Ok(&head), "an ASK is read as it was written");
    kind(&head.ask)
}

fn asks() -> Vec<Vec<u8>> {
    let expires_at = now() + Duration::from_secs(9);
    let object = |length| {
        let (value, content_type) = (Bytes::from(vec![b'v'; length]), ContentType::Text);
        Record::Object(Object { value, content_type, version: version(), expires_at: Some(expires_at) })
    };
    let copy = |record| {
        let (copying, ids) = (Copying::Write(term()), vec![(OperationId::from_u128(9), version())]);
        Key::new("a/key").ok().map(|key| Ask::Copy(CopyOf { key, record, copying, ring: RING, ids }))
    };
    let asks = [
        copy(object(10)),
        copy(object(INLINE_BYTES + 1)),
        copy(Record::Tombstone { version: version(), expires_at }),
        Some(Ask::Offer(offer(3))),
        Some(Ask::Offer(offer(0))),
        Some(Ask::Sums { bits: 4 }),
        Key::new("a/key").ok().map(Ask::Record),
        Some(Ask::Ring(RING)),
    ];
    let encode = |asked: &Ask| {
        let mut payload = Vec::new();
        ask::encode(&mut payload, asked, Duration::from_millis(900), now());
        payload
    };
    asks.iter().flatten().map(encode).collect()
}

fn offer(count: usize) -> Vec<(Key<'static>, Version)> {
    Key::new("a/key").map(|key| vec![(key, version()); count]).unwrap_or_default()
}

fn run_list(input: &[u8]) -> String {
    let bytes = Bytes::copy_from_slice(input);
    let offer = ask::with_value(Ask::Offer(Vec::new()), bytes.clone());
    if let Ok(Ask::Offer(keys)) = &offer {
        assert!(keys.len() <= MAX_OFFERS, "{} keys", keys.len());
    }
    let told = reply::with_value(Reply::Told(Told::Ring(ring())), bytes);
    if let Ok(Reply::Told(Told::Ring(ring))) = &told {
        assert!(ring.members.len() <= ringhold_ring::MAX_MEMBERS, "{} members", ring.members.len());
    }
    kind(&offer) + &kind(&told)
}

/// The lists of messages that hold them, without what stands in front.
fn lists() -> Vec<Vec<u8>> {
    let (mut asked, mut told) = (Vec::new(), Vec::new());
    ask::encode(&mut asked, &Ask::Offer(offer(3)), Duration::ZERO, now());
    reply::encode(&mut told, &Reply::Told(Told::Ring(ring())), now());
    vec![asked.split_off(1 + 4 + 4), told.split_off(1 + 1 + 4 + 4)]
}

fn term() -> Term {
    Term { incarnation: Incarnation::new(42), number: 3 }
}

fn run_probe(input: &[u8]) -> String {
    let said = heartbeat::decode(input);
    if let Ok(said) = &said {
        let mut again = Vec::new();
        heartbeat::encode(&mut again, said);
        assert_eq!(again, input, "a heartbeat is written as it was read");
    }
    kind(&said)
}

fn probes() -> Vec<Vec<u8>> {
    let quiet = Heartbeat {
        incarnation: Incarnation::new(42),
        number: 0,
        state: MemberState::Ready,
        acts: false,
        unsettled: false,
        ring: RING,
        target: None,
        prepared: false,
        knows: None,
        sees: Standing::Unmet,
        damages: 0,
        online: 0,
        handed: false,
    };
    let full = Heartbeat {
        acts: true,
        unsettled: true,
        target: Some(RING),
        prepared: true,
        knows: Some(Incarnation::new(7)),
        sees: Standing::Offline,
        damages: 3,
        online: 5,
        handed: true,
        ..quiet
    };
    let encode = |heartbeat: &Heartbeat| {
        let mut payload = Vec::new();
        heartbeat::encode(&mut payload, heartbeat);
        payload
    };
    [quiet, full].iter().map(encode).collect()
}

/// A frame and its tag: nothing but the frame that was sealed is opened.
fn run_sealed(input: &[u8]) -> String {
    let Some((keys, opener)) = both_sides() else { return "no keys".into() };
    let (mut sealer, _) = keys.frames();
    let (_, mut open) = opener.frames();
    let expected = sealer.seal(&[FRAME]);
    let Some((frame, tag)) = input.split_last_chunk::<TAG_BYTES>() else { return "too short".into() };
    match open.open(&[frame], tag) {
        Ok(()) => {
            assert_eq!((frame, tag), (FRAME, &expected), "a forged frame was accepted");
            "the frame".into()
        }
        Err(error) => kind(&error),
    }
}

const FRAME: &[u8] = b"a frame of a stream";

fn sealed() -> Vec<Vec<u8>> {
    let Some((keys, _)) = both_sides() else { return Vec::new() };
    let (mut sealer, _) = keys.frames();
    let tag = sealer.seal(&[FRAME]);
    vec![[FRAME, &tag].concat()]
}

fn both_sides() -> Option<(StreamKeys, StreamKeys)> {
    let secrets = SharedSecrets::new(&"Wq3xT9sLmB7vKzR2pY8dNc4fHj6gQe1u".into(), &[]).ok()?;
    let transcript = || Transcript::new(b"opener", b"acceptor", b"");
    let opener = StreamKeys::opener(&secrets, transcript());
    let acceptor = StreamKeys::acceptor(&secrets, transcript(), &opener.proof()).ok()?;
    Some((opener, acceptor))
}
