//! What the format keeps for every operation and what comes of it, and for every sequence of bytes. `words` does the
//! same for what else members ask each other.

use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use ringhold_ring::{Incarnation, Key, RingId, Term, Timestamp, Ttl, Version};

use crate::object::{
    Conditions, ContentType, Object, Operation, OperationId, Outcome, PatchEffect, Refusal, Tags,
};
use crate::patch::PatchKind;
use crate::peer::frame::{self, INLINE_BYTES, Kind, MAX_PAYLOAD_BYTES, Violation};
use crate::peer::message::{self, Body, MAX_TAGS};
use crate::peer::network::{MAX_HOPS, Passage};
use crate::peer::reply::{self, Reply};
use crate::peer::{Hello, ask, heartbeat};

pub(super) const LIMIT: usize = 1 << 20;

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(5_000_000)
}

pub(super) fn version() -> impl Strategy<Value = Version> {
    any::<[u8; 12]>().prop_map(Version::from_bytes)
}

fn tags() -> impl Strategy<Value = Tags> {
    prop_oneof![Just(Tags::Any), vec(version(), 0..40).prop_map(Tags::Of)]
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_millis)
}

fn conditions() -> impl Strategy<Value = Conditions> {
    (option::of(tags()), option::of(tags()), option::of(timestamp()), option::of(timestamp())).prop_map(
        |(if_match, if_none_match, if_modified_since, if_unmodified_since)| Conditions {
            if_match,
            if_none_match,
            if_modified_since,
            if_unmodified_since,
        },
    )
}

fn content_type() -> impl Strategy<Value = ContentType> {
    let known = [ContentType::OctetStream, ContentType::Json, ContentType::Text];
    let other = "[!-~]{1,255}".prop_map(|text| ContentType::parse(text.as_bytes()).unwrap());
    prop_oneof![proptest::sample::select(known.to_vec()), other]
}

fn value() -> impl Strategy<Value = Bytes> {
    let around = [0, 1, 100, INLINE_BYTES, INLINE_BYTES + 1, LIMIT];
    prop_oneof![
        vec(any::<u8>(), 0..300).prop_map(Bytes::from),
        proptest::sample::select(around.to_vec()).prop_map(|size| Bytes::from(vec![3; size])),
    ]
}

fn kind() -> impl Strategy<Value = PatchKind> {
    use PatchKind::{Append, Counter, Json, Merge, RateLimit, Set};
    proptest::sample::select(vec![Merge, Json, Append, Counter, Set, RateLimit])
}

fn ttl() -> impl Strategy<Value = Option<Ttl>> {
    option::of((1..=u64::from(Ttl::MAX_SECONDS)).prop_map(|seconds| Ttl::from_seconds(seconds).unwrap()))
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        conditions().prop_map(|conditions| Operation::Get { conditions }),
        conditions().prop_map(|conditions| Operation::Delete { conditions }),
        (value(), content_type(), ttl(), conditions()).prop_map(|(value, content_type, ttl, conditions)| {
            Operation::Put { value, content_type, ttl, conditions }
        }),
        (kind(), value(), content_type(), ttl(), conditions()).prop_map(
            |(kind, document, content_type, ttl, conditions)| Operation::Patch {
                kind,
                document,
                content_type,
                ttl,
                conditions
            }
        ),
    ]
}

pub(super) fn object() -> impl Strategy<Value = Object> {
    let expiry = option::of((0..1_u64 << 50).prop_map(|left| now() + Duration::from_millis(left)));
    (value(), content_type(), version(), expiry).prop_map(|(value, content_type, version, expires_at)| {
        Object { value, content_type, version, expires_at }
    })
}

fn patch_effect() -> impl Strategy<Value = PatchEffect> {
    prop_oneof![Just(PatchEffect::Changed), Just(PatchEffect::Created), Just(PatchEffect::Overtaken)]
}

fn reply() -> impl Strategy<Value = Reply> {
    let text = || "\\PC{0,200}";
    let outcome = prop_oneof![
        object().prop_map(Outcome::Found),
        object().prop_map(Outcome::NotModified),
        (object(), patch_effect()).prop_map(|(object, effect)| Outcome::Patched { object, effect }),
        Just(Outcome::Missing),
        Just(Outcome::Deleted),
        version().prop_map(Outcome::Created),
        version().prop_map(Outcome::Replaced),
    ];
    let refusal = prop_oneof![
        Just(Refusal::PreconditionFailed),
        any::<u32>().prop_map(|limit| Refusal::TooLarge { limit: limit as usize }),
        Just(Refusal::StoreFull),
        text().prop_map(Refusal::MalformedPatch),
        text().prop_map(Refusal::PatchConflict),
        text().prop_map(Refusal::OutcomeUnknown),
        text().prop_map(Refusal::Unavailable),
        (any::<u32>(), any::<u32>()).prop_map(|(held, wanted)| Refusal::TooFewCopies {
            held: held as usize,
            wanted: wanted as usize
        }),
        (any::<u32>(), any::<u32>()).prop_map(|(reached, members)| Refusal::NoMajority {
            reached: reached as usize,
            members: members as usize
        }),
    ];
    prop_oneof![
        outcome.prop_map(|outcome| Reply::Done(Ok(outcome))),
        refusal.prop_map(|refusal| Reply::Done(Err(refusal))),
        Just(Reply::Stale),
        Just(Reply::Failed),
        any::<bool>().prop_map(|may_have_run| Reply::NotOwner { may_have_run }),
    ]
}

pub(super) fn term() -> impl Strategy<Value = Term> {
    (any::<u64>(), any::<u32>())
        .prop_map(|(incarnation, number)| Term { incarnation: Incarnation::new(incarnation), number })
}

pub(super) fn id() -> impl Strategy<Value = OperationId> {
    any::<u128>().prop_map(OperationId::from_u128)
}

fn passage() -> impl Strategy<Value = Passage> {
    let flags = (any::<bool>(), any::<bool>());
    let to = option::of(any::<u64>().prop_map(Incarnation::new));
    (1..=MAX_HOPS, to, any::<u64>(), option::of(term()), flags, option::of(id())).prop_map(
        |(hops, to, ring, instead_of, (after_failure, any_copy), id)| Passage {
            to,
            hops,
            ring: RingId::from_u64(ring),
            instead_of,
            after_failure,
            any_copy,
            id,
        },
    )
}

fn encoded(key: &Key<'_>, operation: &Operation, passage: Passage, millis: u32) -> Vec<u8> {
    let mut payload = Vec::new();
    let left = Duration::from_millis(millis.into());
    message::encode_request(&mut payload, key, operation, passage, left);
    payload
}

proptest! {
    #[test]
    fn a_request_comes_out_as_it_went_in(
        name in "\\PC{1,200}", operation in operation(), passage in passage(), millis: u32,
    ) {
        let key = Key::new(name).unwrap();
        let payload = encoded(&key, &operation, passage, millis);
        prop_assert!(payload.len() <= Kind::Request.max_payload());
        let head = message::decode_request(&payload, LIMIT).unwrap();
        prop_assert_eq!(&head.key, &key);
        prop_assert_eq!(head.time_left, Duration::from_millis(millis.into()));
        prop_assert_eq!(head.passage, passage);
        let value = message::value_of(&operation).map(|(value, _)| value.clone()).unwrap_or_default();
        let whole = match head.body {
            Body::Here => head.operation,
            Body::Follows(length) => {
                prop_assert_eq!(length, value.len());
                message::with_value(head.operation, value)
            }
        };
        prop_assert_eq!(whole, operation);
    }

    #[test]
    fn a_reply_comes_out_as_it_went_in(reply in reply()) {
        let mut payload = Vec::new();
        let follows = reply::encode(&mut payload, &reply, now());
        prop_assert!(payload.len() <= Kind::Answer.max_payload());
        let (decoded, body) = reply::decode(&payload, LIMIT, now()).unwrap();
        let whole = match (body, follows) {
            (Body::Here, None) => decoded,
            (Body::Follows(length), Some(value)) if length == value.len() => {
                reply::with_value(decoded, value).unwrap()
            }
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert_eq!(whole, reply);
    }

    #[test]
    fn a_message_cut_short_is_refused(
        operation in operation(), passage in passage(), reply in reply(), cut: prop::sample::Index,
    ) {
        let key = Key::new("key").unwrap();
        let payload = encoded(&key, &operation, passage, 1);
        let end = cut.index(payload.len());
        prop_assert!(message::decode_request(&payload[..end], LIMIT).is_err(), "request at {}", end);
        let mut payload = Vec::new();
        reply::encode(&mut payload, &reply, now());
        let end = cut.index(payload.len());
        prop_assert!(reply::decode(&payload[..end], LIMIT, now()).is_err(), "reply at {}", end);
    }

    #[test]
    fn bytes_behind_a_message_are_refused(
        operation in operation(), passage in passage(), reply in reply(),
    ) {
        let mut payload = encoded(&Key::new("key").unwrap(), &operation, passage, 1);
        payload.push(0);
        prop_assert!(message::decode_request(&payload, LIMIT).is_err());
        let mut payload = Vec::new();
        reply::encode(&mut payload, &reply, now());
        payload.push(0);
        prop_assert!(reply::decode(&payload, LIMIT, now()).is_err());
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..600)) {
        let _ = frame::first(&bytes);
        let _ = message::decode_request(&bytes, LIMIT);
        let _ = reply::decode(&bytes, LIMIT, now());
        let _ = heartbeat::decode(&bytes);
        let _ = ask::decode(&bytes, LIMIT, now());
        let _ = Hello::decode(&bytes);
        let _ = Hello::decode(&[b"RINGHOLD\x01\x01", &bytes[..]].concat());
    }

    #[test]
    fn no_damaged_message_makes_a_decoder_panic(
        operation in operation(), passage in passage(), reply in reply(), at: prop::sample::Index, byte: u8,
    ) {
        let mut payload = encoded(&Key::new("key").unwrap(), &operation, passage, 1);
        let index = at.index(payload.len());
        payload[index] = byte;
        let _ = message::decode_request(&payload, LIMIT);
        let mut payload = Vec::new();
        reply::encode(&mut payload, &reply, now());
        let index = at.index(payload.len());
        payload[index] = byte;
        let _ = reply::decode(&payload, LIMIT, now());
    }
}

#[test]
fn the_largest_request_fits_its_frame() {
    let tags = || Some(Tags::Of(vec![Version::from_bytes([1; 12]); MAX_TAGS]));
    let conditions = Conditions {
        if_match: tags(),
        if_none_match: tags(),
        if_modified_since: Some(now()),
        if_unmodified_since: Some(now()),
    };
    let operation = Operation::Patch {
        kind: PatchKind::RateLimit,
        document: vec![1; INLINE_BYTES].into(),
        content_type: ContentType::parse(&[b'x'; ContentType::MAX_BYTES]).unwrap(),
        ttl: Some(Ttl::from_seconds(1).unwrap()),
        conditions,
    };
    assert!(message::is_encodable(&operation));
    let longest = Passage {
        to: Some(Incarnation::new(u64::MAX)),
        hops: MAX_HOPS,
        instead_of: Some(Term { incarnation: Incarnation::new(u64::MAX), number: u32::MAX }),
        after_failure: true,
        id: Some(OperationId::from_u128(u128::MAX)),
        ..super::FORWARDED
    };
    let payload = encoded(&Key::new("k".repeat(Key::MAX_BYTES)).unwrap(), &operation, longest, u32::MAX);
    assert!(payload.len() <= MAX_PAYLOAD_BYTES, "{}", payload.len());
    assert!(message::decode_request(&payload, LIMIT).is_ok());
}

#[test]
fn values_and_lists_over_their_limits_are_refused() {
    let key = Key::new("k").unwrap();
    let put = |size| Operation::Put {
        value: vec![0; size].into(),
        content_type: ContentType::Text,
        ttl: None,
        conditions: Conditions::default(),
    };
    for size in [100, 100_000] {
        let payload = encoded(&key, &put(size), super::FORWARDED, 1);
        assert!(message::decode_request(&payload, size).is_ok());
        assert!(message::decode_request(&payload, size - 1).is_err());
    }
    let if_match = Some(Tags::Of(vec![Version::from_bytes([1; 12]); MAX_TAGS + 1]));
    let many = Operation::Get { conditions: Conditions { if_match, ..Conditions::default() } };
    assert!(!message::is_encodable(&many));
}

#[test]
fn expiries_survive_clocks_that_differ() {
    let object = Object {
        value: Bytes::new(),
        content_type: ContentType::Json,
        version: Version::from_bytes([1; 12]),
        expires_at: Some(now() + Duration::from_millis(1234)),
    };
    let mut payload = Vec::new();
    reply::encode(&mut payload, &Reply::Done(Ok(Outcome::Found(object))), now());
    let there = Timestamp::from_millis(77);
    let (reply, _) = reply::decode(&payload, LIMIT, there).unwrap();
    let Reply::Done(Ok(Outcome::Found(object))) = reply else { panic!("{reply:?}") };
    assert_eq!(object.expires_at, Some(there + Duration::from_millis(1234)));
}

#[test]
fn a_request_that_has_been_through_too_many_members_is_refused() {
    let key = Key::new("k").unwrap();
    let operation = Operation::Get { conditions: Conditions::default() };
    let payload = encoded(&key, &operation, Passage { hops: MAX_HOPS, ..super::FORWARDED }, 1);
    assert!(message::decode_request(&payload, LIMIT).is_ok());
    let hops = payload.iter().position(|byte| *byte == MAX_HOPS).unwrap();
    for wrong in [0, 1, MAX_HOPS + 1, u8::MAX] {
        let mut payload = payload.clone();
        payload[hops] = wrong;
        assert_eq!(message::decode_request(&payload, LIMIT), Err(Violation::OverLimit("hops")), "{wrong}");
    }
}

#[test]
fn an_ordinary_forward_costs_no_byte_for_what_it_does_not_need() {
    let key = Key::new("k").unwrap();
    let operation = Operation::Get { conditions: Conditions::default() };
    assert_eq!(encoded(&key, &operation, super::FORWARDED, 1).len(), 3 + 4 + 8 + 2 + 1);
}

#[test]
fn a_hello_comes_out_as_it_went_in() {
    let hello = Hello::of(&super::identity("[2001:db8::1]:65535"));
    let mut payload = Vec::new();
    hello.encode(&mut payload);
    assert_eq!(Hello::decode(&payload).unwrap(), hello);
    for end in 0..payload.len() {
        assert!(Hello::decode(&payload[..end]).is_err(), "cut at {end}");
    }
    payload.extend_from_slice(b"what a later version says");
    assert_eq!(Hello::decode(&payload).unwrap(), hello);
}
