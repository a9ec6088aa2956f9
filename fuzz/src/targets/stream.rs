//! The member stream: what any member, or whoever connects to its port, may send.
//!
//! Rule: what decodes is encoded to something that decodes to the same.

use std::time::Duration;

use bytes::Bytes;
use ringhold_ring::{Key, RingId, Timestamp, Ttl, Version};
use ringhold_server::object::{Conditions, ContentType, Object, Operation, Outcome, Refusal, Tags};
use ringhold_server::patch::PatchKind;
use ringhold_server::peer::frame::{self, INLINE_BYTES, Kind};
use ringhold_server::peer::message::{self, Body};
use ringhold_server::peer::reply::{self, Reply};
use ringhold_server::peer::{Hello, MemberState};
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
        (Kind::Probe, vec![0; 8]),
        (Kind::ProbeAnswer, vec![3; 17]),
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
    message::encode_request(&mut again, &head.key, &head.operation, head.time_left, head.ring_id);
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
    let encode = |operation: &Operation| {
        let mut payload = Vec::new();
        if let Ok(key) = Key::new("a/key") {
            message::encode_request(&mut payload, &key, operation, Duration::from_millis(900), RING);
        }
        payload
    };
    operations.iter().map(encode).collect()
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
    let replies = [
        done(Outcome::Found(object(10))),
        done(Outcome::Found(object(INLINE_BYTES + 1))),
        done(Outcome::NotModified(object(0))),
        done(Outcome::Patched { object: object(3), created: true }),
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

fn run_probe(input: &[u8]) -> String {
    let probe = message::decode_probe(input);
    if let Ok(ring) = &probe {
        let mut again = Vec::new();
        message::encode_probe(&mut again, *ring);
        assert_eq!(again, input, "a PROBE is written as it was read");
    }
    kind(&probe) + &kind(&message::decode_probe_answer(input))
}

fn probes() -> Vec<Vec<u8>> {
    let (mut probe, mut answer) = (Vec::new(), Vec::new());
    message::encode_probe(&mut probe, RING);
    message::encode_probe_answer(&mut answer, MemberState::Ready, RING, 42);
    vec![probe, answer]
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
