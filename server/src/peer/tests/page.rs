//! The page for other implementations says what this one does.

use std::time::Duration;

use ringhold_ring::Term;

use super::*;
use crate::peer::Hello;
use crate::peer::frame::{self, CHUNK_BYTES, INLINE_BYTES, Kind, WINDOW_BYTES};
use crate::peer::network::Copying;
use crate::peer::{MIN_ASSEMBLY_BYTES, PATH, ask, heartbeat, message, network, reply};
use crate::security::secret::Secret;
use crate::security::shared_secret::SharedSecrets;
use crate::security::stream::{StreamKeys, Transcript};

const PAGE: &str = include_str!("../../../../proto-docs/member-stream.md");

/// The cells of every table row that begins with a number in hexadecimal.
fn rows() -> impl Iterator<Item = (u8, Vec<&'static str>)> {
    PAGE.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| `0x")?.split('|').map(str::trim).collect();
        let (code, rest) = cells.split_first()?;
        Some((u8::from_str_radix(code.trim_end_matches('`'), 16).unwrap(), rest.to_vec()))
    })
}

#[test]
fn every_kind_of_frame_is_on_the_page_with_its_limit() {
    use Kind::{
        Answer, Ask, Body, Cancel, Close, Credit, GoAway, Hello, Probe, ProbeAnswer, Proof, Request, Void,
    };
    let kinds = [
        (Void, "VOID"),
        (Hello, "HELLO"),
        (Close, "CLOSE"),
        (GoAway, "GOAWAY"),
        (Proof, "PROOF"),
        (Request, "REQUEST"),
        (Answer, "ANSWER"),
        (Cancel, "CANCEL"),
        (Body, "BODY"),
        (Credit, "CREDIT"),
        (Probe, "PROBE"),
        (ProbeAnswer, "PROBE_ANSWER"),
        (Ask, "ASK"),
    ];
    for (kind, name) in kinds {
        let (code, cells) = rows().find(|(_, cells)| cells[0] == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(code, kind as u8, "{name}");
        assert_eq!(cells[3].parse(), Ok(kind.max_payload()), "{name}");
    }
}

#[test]
fn every_answer_to_what_is_asked_is_on_the_page() {
    let (version, expires_at) = (Version::from_bytes([5; 12]), Timestamp::from_millis(9));
    let value = Bytes::from_static(b"x");
    let object = Object { value, content_type: ContentType::Text, version, expires_at: None };
    let tells = [
        (Told::Copied(Copied::Kept), "to a copy: kept"),
        (Told::Copied(Copied::Newer(version)), "to a copy: a newer record"),
        (Told::Copied(Copied::NotOwner), "to a copy: the receiver acts as owner"),
        (Told::Copied(Copied::Full), "to a copy: there is no room"),
        (Told::Copied(Copied::Skewed), "to a copy: its version is further ahead"),
        (Told::Record(None, Vec::new()), "to record: there is none"),
        (Told::Record(Some(Record::Object(object)), Vec::new()), "to record: an object"),
        (Told::Record(Some(Record::Tombstone { version, expires_at }), Vec::new()), "to record: a tombstone"),
        (Told::Wanted(vec![true]), "to an offer"),
        (Told::Sums(vec![0; 8].into()), "to sums"),
        (Told::Ring(wide_ring()), "to ring"),
        (Told::Busy, "to any ASK"),
    ];
    for (told, meaning) in tells {
        let mut payload = Vec::new();
        reply::encode(&mut payload, &reply::Reply::Told(told), Timestamp::from_millis(1));
        let row = rows().find(|(code, cells)| *code == payload[0] && cells[0].starts_with(meaning));
        assert!(row.is_some(), "{:#04x} {meaning}", payload[0]);
    }
}

#[test]
fn what_can_be_asked_is_on_the_page_by_its_number() {
    let asks = [
        (Ask::Copy(super::asks::copy("k", "x")), "copy"),
        (Ask::Offer(Vec::new()), "offer"),
        (Ask::Sums { bits: 0 }, "sums"),
        (Ask::Ring(RingId::from_u64(7)), "ring"),
        (Ask::Record(key("k")), "record"),
    ];
    let row = PAGE.lines().find(|line| line.starts_with("| 1 | what: ")).unwrap();
    for (asked, name) in asks {
        let mut payload = Vec::new();
        ask::encode(&mut payload, &asked, Duration::ZERO, Timestamp::from_millis(1));
        assert!(row.contains(&format!(" {} {name}", payload[0])), "{} {name}", payload[0]);
    }
}

#[test]
fn every_flag_of_a_heartbeat_is_on_the_page() {
    let quiet = super::heartbeat(MemberState::Ready);
    let flagged = [
        (Heartbeat { target: Some(quiet.ring), ..quiet }, "there is a target"),
        (Heartbeat { prepared: true, ..quiet }, "prepared"),
        (Heartbeat { knows: Some(quiet.incarnation), ..quiet }, "it knows the receiver's incarnation"),
        (Heartbeat { handed: true, ..quiet }, "handed"),
        (Heartbeat { acts: true, ..quiet }, "acts"),
        (Heartbeat { unsettled: true, ..quiet }, "unsettled"),
    ];
    let row = PAGE.lines().find(|line| line.starts_with("| 1 | flags: 1 there is a target")).unwrap();
    for (said, name) in flagged {
        let mut payload = Vec::new();
        heartbeat::encode(&mut payload, &said);
        assert!(row.contains(&format!(" {} {name}", payload[2])), "{} {name}", payload[2]);
    }
}

#[test]
fn the_numbers_of_the_page_are_those_of_the_code() {
    let numbers = [
        INLINE_BYTES,
        CHUNK_BYTES,
        WINDOW_BYTES,
        MIN_ASSEMBLY_BYTES,
        message::MAX_TAGS,
        reply::MAX_TEXT_BYTES,
        ask::MAX_OFFER_BYTES,
        network::MAX_OFFERS,
        network::MAX_IDS,
        network::MAX_HOPS.into(),
        network::MAX_SUM_BITS.into(),
        ringhold_ring::MAX_MEMBERS,
    ];
    for number in numbers {
        assert!(PAGE.contains(&number.to_string()), "{number}");
    }
    assert!(PAGE.contains(&format!("GET {PATH} HTTP/1.1")) && PAGE.contains(&format!("Upgrade: {PROTOCOL}")));
}

#[test]
fn the_example_request_is_what_is_sent() {
    let mut bytes = Vec::new();
    frame::put(&mut bytes, Kind::Request, 1, |payload| {
        let left = Duration::from_millis(1000);
        message::encode_request(payload, &key("k"), &get(), FORWARDED, left);
    });
    let example = PAGE.lines().find(|line| line.ends_with("0001 6b")).unwrap();
    assert_eq!(example.replace(' ', ""), hex(&bytes));
}

#[test]
fn the_example_copy_is_what_is_sent() {
    let version = Version::from_bytes([5; 12]);
    let (value, content_type) = (Bytes::from_static(b"x"), ContentType::OctetStream);
    let record = Record::Object(Object { value, content_type, version, expires_at: None });
    let copying = Copying::Write(Term { incarnation: Incarnation::new(42), number: 1 });
    let copy = CopyOf { key: key("k"), record, copying, ring: RingId::from_u64(7), ids: Vec::new() };
    let mut bytes = Vec::new();
    frame::put(&mut bytes, Kind::Ask, 1, |payload| {
        let now = Timestamp::from_millis(1);
        ask::encode(payload, &Ask::Copy(copy), Duration::from_millis(1000), now);
    });
    let example = PAGE.lines().find(|line| line.ends_with("00 00000001 78")).unwrap();
    assert_eq!(example.replace(' ', ""), hex(&bytes));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_example_proofs_are_those_that_are_sent() {
    let hello = |member: &str, first: u8| {
        let challenge = Some(std::array::from_fn(|at| first + at as u8));
        let mut payload = Vec::new();
        Hello { challenge, ..Hello::of(&identity_in("ring", address(member))) }.encode(&mut payload);
        payload
    };
    let (asking, answering) = (hello("10.0.0.1:9999", 0x00), hello("10.0.0.2:9999", 0x10));
    let secret = Secret::from("ringhold test vector: not a secret 0123");
    let secrets = SharedSecrets::new(&secret, &[]).unwrap();
    let transcript = Transcript::new(&asking, &answering, Channel::Plain.bytes());
    let keys = StreamKeys::opener(&secrets, transcript);
    let answered = StreamKeys::acceptor(&secrets, transcript, &keys.proof()).unwrap();
    let (proof, answer) = (keys.proof(), answered.proof());
    let mut probe = Vec::new();
    frame::put(&mut probe, Kind::Probe, 1, |to| heartbeat::encode(to, &super::heartbeat(MemberState::Ready)));
    let tag = keys.frames().0.seal(&[&probe]);
    let said: Vec<_> = PAGE.split_once("```text\nHELLO").unwrap().1.lines().collect();
    let on_page = said.iter().take_while(|line| !line.starts_with("```")).copied().collect::<String>();
    let on_page = on_page.replace(' ', "");
    for bytes in [&asking[..], &answering, &proof, &answer, &probe, &tag] {
        assert!(on_page.contains(&hex(bytes)), "{}", hex(bytes));
    }
}
