//! What the format keeps for everything that members ask each other besides operations.

use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use ringhold_ring::{
    Heartbeat, Incarnation, Key, MAX_MEMBERS, MemberAddress, MemberState, Placement, RingId, Standing,
    Timestamp, Version,
};

use super::properties::{LIMIT, id, now, object, term, version};
use crate::object::{ContentType, Object, OperationId, Record};
use crate::peer::frame::{INLINE_BYTES, Kind, Violation};
use crate::peer::message::Body;
use crate::peer::network::{
    Ask, Copied, CopyOf, Copying, MAX_IDS, MAX_OFFERS, MAX_SUM_BITS, RingDescription, Told,
};
use crate::peer::reply::{self, Reply};
use crate::peer::{MIN_ASSEMBLY_BYTES, ask, heartbeat, told};

fn ring() -> impl Strategy<Value = RingId> {
    any::<u64>().prop_map(RingId::from_u64)
}

fn incarnation() -> impl Strategy<Value = Incarnation> {
    any::<u64>().prop_map(Incarnation::new)
}

fn heartbeats() -> impl Strategy<Value = Heartbeat> {
    let standing = prop::sample::select(vec![Standing::Unmet, Standing::Online, Standing::Offline]);
    let state = prop::sample::select(MemberState::ALL.to_vec());
    let flags = any::<[bool; 4]>();
    (
        incarnation(),
        state,
        ring(),
        option::of(ring()),
        option::of(incarnation()),
        standing,
        any::<(u32, u16, u32)>(),
        flags,
    )
        .prop_map(|(incarnation, state, ring, target, knows, sees, (damages, online, number), flags)| {
            let [acts, prepared, unsettled, handed] = flags;
            Heartbeat {
                incarnation,
                number,
                state,
                acts,
                ring,
                target,
                prepared,
                knows,
                sees,
                damages,
                online,
                unsettled,
                handed,
            }
        })
}

fn keys() -> impl Strategy<Value = Key<'static>> {
    "\\PC{1,60}".prop_map(|text| Key::new(text).unwrap())
}

fn record() -> impl Strategy<Value = Record> {
    let left = (0..1_u64 << 50).prop_map(Duration::from_millis);
    let tombstone =
        (version(), left).prop_map(|(version, left)| Record::Tombstone { version, expires_at: now() + left });
    prop_oneof![3 => object().prop_map(Record::Object), 1 => tombstone]
}

fn copy() -> impl Strategy<Value = CopyOf> {
    let copying = prop_oneof![term().prop_map(Copying::Write), Just(Copying::Handoff)];
    (keys(), record(), copying, ring(), vec((id(), version()), 0..=MAX_IDS))
        .prop_map(|(key, record, copying, ring, ids)| CopyOf { key, record, copying, ring, ids })
}

fn asks() -> impl Strategy<Value = Ask> {
    prop_oneof![
        copy().prop_map(Ask::Copy),
        vec((keys(), version()), 0..40).prop_map(Ask::Offer),
        (0..=MAX_OFFERS)
            .prop_map(|count| Ask::Offer(vec![(longest_key(), Version::from_bytes([2; 12])); count])),
        (0..=MAX_SUM_BITS).prop_map(|bits| Ask::Sums { bits }),
        keys().prop_map(Ask::Record),
        ring().prop_map(Ask::Ring),
    ]
}

fn members() -> impl Strategy<Value = MemberAddress> {
    prop_oneof![
        any::<[u8; 3]>().prop_map(|[a, b, port]| format!("10.0.{a}.{b}:{}", u16::from(port) + 1)),
        any::<[u16; 2]>().prop_map(|[a, port]| format!("[2001:db8::{a:x}]:{}", port.max(1))),
    ]
    .prop_map(|text| text.parse().unwrap())
}

fn telling() -> impl Strategy<Value = Told> {
    let copied = prop_oneof![
        Just(Copied::Kept),
        version().prop_map(Copied::Newer),
        Just(Copied::NotOwner),
        Just(Copied::Full),
        Just(Copied::Skewed),
    ];
    let placement = prop::sample::select(vec![Placement::Modulo, Placement::Rendezvous]);
    let description = (vec(members(), 0..30), placement, any::<u32>());
    prop_oneof![
        copied.prop_map(Told::Copied),
        (option::of(record()), vec((id(), version()), 0..=MAX_IDS))
            .prop_map(|(record, ids)| Told::Record(record, ids)),
        vec(any::<bool>(), 0..=MAX_OFFERS).prop_map(Told::Wanted),
        (0..=MAX_SUM_BITS).prop_map(|bits| Told::Sums(vec![3; 8 << bits].into())),
        description.prop_map(|(members, placement, replicas)| {
            Told::Ring(RingDescription { members, placement, replicas: replicas as usize })
        }),
        (1..=MAX_MEMBERS).prop_map(|count| {
            let members = (0..count).map(|at| format!("node-{at}.example:1").parse().unwrap()).collect();
            Told::Ring(RingDescription { members, placement: Placement::Modulo, replicas: 2 })
        }),
        Just(Told::Busy),
    ]
}

fn encoded(ask: &Ask) -> (Vec<u8>, Option<Bytes>) {
    let mut payload = Vec::new();
    let follows = ask::encode(&mut payload, ask, Duration::from_millis(5), now());
    (payload, follows)
}

fn answer(told: Told) -> (Vec<u8>, Option<Bytes>) {
    let mut payload = Vec::new();
    let follows = reply::encode(&mut payload, &Reply::Told(told), now());
    (payload, follows)
}

/// What its receiver makes of it.
fn received((payload, follows): (Vec<u8>, Option<Bytes>)) -> Ask {
    let head = ask::decode(&payload, LIMIT, now()).unwrap();
    assert_eq!(head.time_left, Duration::from_millis(5));
    match (head.body, follows) {
        (Body::Here, None) => head.ask,
        (Body::Follows(length), Some(value)) if length == value.len() => {
            ask::with_value(head.ask, value).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn a_heartbeat_comes_out_as_it_went_in(said in heartbeats()) {
        let mut payload = Vec::new();
        heartbeat::encode(&mut payload, &said);
        prop_assert!(payload.len() <= Kind::Probe.max_payload());
        prop_assert_eq!(heartbeat::decode(&payload), Ok(said));
        for end in 0..payload.len() {
            prop_assert!(heartbeat::decode(&payload[..end]).is_err(), "cut at {}", end);
        }
        payload.push(0);
        prop_assert!(heartbeat::decode(&payload).is_err());
    }

    #[test]
    fn what_is_asked_comes_out_as_it_went_in(asked in asks()) {
        prop_assert!(ask::is_encodable(&asked));
        let (payload, follows) = encoded(&asked);
        prop_assert!(payload.len() <= Kind::Ask.max_payload());
        prop_assert_eq!(received((payload, follows)), asked);
    }

    #[test]
    fn what_is_told_comes_out_as_it_went_in(told in telling()) {
        let (payload, follows) = answer(told.clone());
        prop_assert!(payload.len() <= Kind::Answer.max_payload());
        let (decoded, body) = reply::decode(&payload, LIMIT, now()).unwrap();
        let whole = match (body, follows) {
            (Body::Here, None) => decoded,
            (Body::Follows(length), Some(value)) if length == value.len() => {
                prop_assert!(length <= MIN_ASSEMBLY_BYTES, "every side can hold it");
                reply::with_value(decoded, value).unwrap()
            }
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert_eq!(whole, Reply::Told(told));
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_refused(
        asked in asks(), told in telling(), cut: prop::sample::Index,
    ) {
        let (mut payload, _) = encoded(&asked);
        let end = cut.index(payload.len());
        prop_assert!(ask::decode(&payload[..end], LIMIT, now()).is_err(), "ASK at {}", end);
        payload.push(0);
        prop_assert!(ask::decode(&payload, LIMIT, now()).is_err());
        let (mut payload, _) = answer(told);
        let end = cut.index(payload.len());
        prop_assert!(reply::decode(&payload[..end], LIMIT, now()).is_err(), "ANSWER at {}", end);
        payload.push(0);
        prop_assert!(reply::decode(&payload, LIMIT, now()).is_err());
    }

    #[test]
    fn no_damaged_word_makes_a_decoder_panic(
        asked in asks(), told in telling(), at: prop::sample::Index, byte: u8, value in vec(any::<u8>(), 0..99),
    ) {
        let (mut payload, _) = encoded(&asked);
        let index = at.index(payload.len());
        payload[index] = byte;
        let _ = ask::decode(&payload, LIMIT, now());
        let (mut payload, _) = answer(told.clone());
        let index = at.index(payload.len());
        payload[index] = byte;
        let _ = reply::decode(&payload, LIMIT, now());
        let _ = ask::with_value(asked, value.clone().into());
        let _ = reply::with_value(Reply::Told(told), value.into());
    }
}

fn longest_key() -> Key<'static> {
    Key::new("k".repeat(Key::MAX_BYTES)).unwrap()
}

fn copy_of(value: Bytes) -> CopyOf {
    let record = Record::Object(Object {
        value,
        content_type: ContentType::parse(&[b'x'; ContentType::MAX_BYTES]).unwrap(),
        version: Version::from_bytes([1; 12]),
        expires_at: Some(now() + Duration::from_secs(1)),
    });
    let term = ringhold_ring::Term { incarnation: Incarnation::new(1), number: 2 };
    let ids = vec![(OperationId::from_u128(1), record.version()); MAX_IDS];
    CopyOf { key: longest_key(), record, copying: Copying::Write(term), ring: RingId::from_u64(7), ids }
}

#[test]
fn the_largest_copy_and_the_largest_offer_fit_their_frames() {
    let copy = Ask::Copy(copy_of(vec![1; INLINE_BYTES].into()));
    let (payload, follows) = encoded(&copy);
    assert!(payload.len() <= Kind::Ask.max_payload() && follows.is_none(), "{}", payload.len());
    assert_eq!(received((payload, follows)), copy);
    let offer = Ask::Offer(vec![(longest_key(), Version::from_bytes([1; 12])); MAX_OFFERS]);
    let (payload, follows) = encoded(&offer);
    assert!(payload.len() <= Kind::Ask.max_payload());
    assert_eq!(follows.as_ref().map(Bytes::len), Some(ask::MAX_OFFER_BYTES));
    assert_eq!(received((payload, follows)), offer);
}

#[test]
fn what_is_over_its_limit_is_neither_sent_nor_taken() {
    let mut copy = copy_of(vec![1; 1000].into());
    let (payload, _) = encoded(&Ask::Copy(copy.clone()));
    assert!(ask::decode(&payload, 1000, now()).is_ok());
    assert_eq!(ask::decode(&payload, 999, now()), Err(Violation::OverLimit("value")));
    copy.ids.push(copy.ids[0]);
    assert!(!ask::is_encodable(&Ask::Copy(copy)));

    let version = Version::from_bytes([1; 12]);
    let offer = Ask::Offer(vec![(Key::new("k").unwrap(), version); MAX_OFFERS + 1]);
    assert!(!ask::is_encodable(&offer));
    let (payload, _) = encoded(&offer);
    assert_eq!(ask::decode(&payload, LIMIT, now()), Err(Violation::OverLimit("keys of an offer")));

    let sums = Ask::Sums { bits: MAX_SUM_BITS + 1 };
    assert!(!ask::is_encodable(&sums));
    let (payload, _) = encoded(&sums);
    assert_eq!(ask::decode(&payload, LIMIT, now()), Err(Violation::OverLimit("parts of the key space")));

    for bytes in [0, 7, 24, 16 << MAX_SUM_BITS] {
        let (payload, _) = answer(Told::Sums(vec![0; bytes].into()));
        assert!(reply::decode(&payload, LIMIT, now()).is_err(), "{bytes} bytes of sums");
    }
}

#[test]
fn an_offer_that_comes_in_pieces_is_looked_into_when_it_is_whole() {
    let broken = Bytes::from_static(&[0, 9, b'k']);
    assert_eq!(ask::with_value(Ask::Offer(Vec::new()), broken), Err(Violation::Malformed("offer")));
}

#[test]
fn an_answer_is_only_taken_for_what_was_asked() {
    let version = Version::from_bytes([1; 12]);
    let offer = Ask::Offer(vec![(Key::new("k").unwrap(), version); 3]);
    assert!(told::answers(&Told::Wanted(vec![true; 3]), &offer));
    assert!(!told::answers(&Told::Wanted(vec![true; 4]), &offer));
    let sums = Ask::Sums { bits: 3 };
    assert!(told::answers(&Told::Sums(vec![0; 64].into()), &sums));
    assert!(!told::answers(&Told::Sums(vec![0; 128].into()), &sums));
    let ring = Ask::Ring(RingId::from_u64(7));
    assert!(told::answers(&Told::Busy, &sums) && told::answers(&Told::Busy, &ring));
    assert!(!told::answers(&Told::Copied(Copied::Kept), &ring));
    let record = Ask::Record(Key::new("k").unwrap());
    assert!(
        told::answers(&Told::Record(None, Vec::new()), &record)
            && !told::answers(&Told::Record(None, Vec::new()), &ring)
    );
}

#[test]
fn expiries_of_objects_and_tombstones_survive_clocks_that_differ() {
    let version = Version::from_bytes([1; 12]);
    let expires_at = now() + Duration::from_millis(1234);
    let tombstone = Record::Tombstone { version, expires_at };
    let copy = copy_of(Bytes::new());
    let records = [copy.record.clone(), tombstone];
    let there = Timestamp::from_millis(77);
    for (record, left) in records.into_iter().zip([1000, 1234]) {
        let (payload, _) = encoded(&Ask::Copy(CopyOf { record: record.clone(), ..copy.clone() }));
        let head = ask::decode(&payload, LIMIT, there).unwrap();
        let Ask::Copy(CopyOf { record: copied, .. }) = head.ask else { panic!("{:?}", head.ask) };
        let (payload, _) = answer(Told::Record(Some(record), Vec::new()));
        let (reply, _) = reply::decode(&payload, LIMIT, there).unwrap();
        let Reply::Told(Told::Record(Some(told), _)) = reply else { panic!("{reply:?}") };
        for record in [copied, told] {
            let expires_at = match record {
                Record::Object(object) => object.expires_at.unwrap(),
                Record::Tombstone { expires_at, .. } => expires_at,
            };
            assert_eq!(expires_at, there + Duration::from_millis(left));
        }
    }
}
